// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// undocumented names what is exported without a comment; fields count as told by their struct's.
func undocumented(file *ast.File) []string {
	var names []string
	note := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		for _, doc := range docs {
			if strings.TrimSpace(doc.Text()) != "" {
				return
			}
		}
		if name.IsExported() {
			names = append(names, name.Name)
		}
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if !strings.HasPrefix(decl.Name.Name, "ssgo") {
				note(decl.Name, decl.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					note(spec.Name, spec.Doc, decl.Doc)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if decl.Lparen == token.NoPos {
							note(name, spec.Doc, decl.Doc)
						} else {
							note(name, spec.Doc, spec.Comment) // a group's comment does not tell of each
						}
					}
				}
			}
		}
	}
	return names
}

func TestDocs(t *testing.T) {
	tests := func(info fs.FileInfo) bool { return !strings.HasSuffix(info.Name(), "_test.go") }
	for folder, about := range map[string]struct {
		name  string
		files int
	}{".": {"selsnap", 10}, "choose": {"choose", 1}} {
		packages, err := parser.ParseDir(token.NewFileSet(), folder, tests, parser.ParseComments)
		ok(t, err)
		same(t, "files", len(packages[about.name].Files) >= about.files, true)
		for name, file := range packages[about.name].Files {
			if names := undocumented(file); len(names) > 0 {
				t.Errorf("%s: no comment on %v", name, names)
			}
		}
	}
	// The check can fail.
	bad, err := parser.ParseFile(token.NewFileSet(), "bad.go", "package p\nconst (\nA = 1\n)\nfunc B() {}\n", 0)
	ok(t, err)
	same(t, "undocumented", strings.Join(undocumented(bad), " "), "A B")
}
