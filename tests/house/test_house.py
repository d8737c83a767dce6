# SPDX-License-Identifier: Apache-2.0
"""The checks of this folder can fail: each is given a bad tree, or bad objects.

usage: test_house.py CC
"""

import os
import subprocess
import sys
import tempfile

import check_examples
import check_layers
import check_rules
import check_version
import tree

CC = sys.argv[1:] or ["cc"]
FOLDER = tempfile.TemporaryDirectory()


class Tree:
    """A source tree in a temporary folder: one good file for each layer, then what a test adds."""

    def __init__(self):
        self.root = tempfile.mkdtemp(dir=FOLDER.name)
        for layer in check_layers.BELOW:
            self.add(f"src/{layer}/{layer}_a.h", "#include <stdint.h>\n")
            self.add(f"src/{layer}/{layer}_a.c", f'#include "{layer}_a.h"\n\nint {layer}_f(void) {{\n    return 1;\n}}\n')

    def add(self, path, text):
        """Writes a file."""
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def archives(self):
        """Compiles each layer into its library; their paths."""
        paths = tree.files(self.root, ["src"], ".c")
        subprocess.run([*CC, "-w", "-fPIC", "-c", *paths], check=True, cwd=self.root)
        made = []
        for layer in check_layers.BELOW:
            objects = [os.path.basename(path)[:-2] + ".o" for path in tree.files(self.root, [f"src/{layer}"], ".c")]
            subprocess.run(["ar", "rcs", f"libssn-{layer}.a", *objects], check=True, cwd=self.root)
            made.append(os.path.join(self.root, f"libssn-{layer}.a"))
        return made


def with_c(path, text):
    """A good tree and one file more."""
    made = Tree()
    made.add(path, text)
    return made


def test_good_tree__nothing_told():
    made = Tree()
    archives = made.archives()
    for check in (check_layers.include_problems, check_layers.name_problems, check_layers.size_problems,
                  check_layers.left_over_problems):
        assert check(made.root) == [], check
    assert check_layers.link_problems(archives) == []
    assert check_layers.variable_problems(archives) == []


def test_include__of_a_higher_layer__told():
    made = with_c("src/store/b.c", '#include "util_a.h"\n#include "snap_a.h"\n')
    assert check_layers.include_problems(made.root) == ['src/store/b.c: includes "snap_a.h", of the layer snap']


def test_include__of_a_layer_beside__told():
    made = with_c("src/format/b.c", '#  include "device_a.h"\n')
    assert check_layers.include_problems(made.root) == ['src/format/b.c: includes "device_a.h", of the layer device']


def test_include__upwards_by_path__told():
    made = with_c("src/util/b.c", '#include "../snap/snap_a.h"\n')
    assert 'src/util/b.c: includes "../snap/snap_a.h"' in check_layers.include_problems(made.root)
    made = with_c("tests/unit/b.c", '#include "../../src/snap/snap_a.h"\n')
    assert len(check_layers.include_problems(made.root)) == 1


def test_include__own_header_in_angles__told():
    made = with_c("src/util/b.c", "#include <snap_a.h>\n")
    assert check_layers.include_problems(made.root) == ["src/util/b.c: includes <snap_a.h> as if it were public"]


def test_include__unknown_header__told():
    made = with_c("src/util/b.c", '#include "stdint.h"\n')
    assert len(check_layers.include_problems(made.root)) == 1


def test_layer__unknown__told():
    made = with_c("src/extra/b.c", "\n")
    assert check_layers.include_problems(made.root) == ["src/extra/b.c: belongs to no layer"]


def test_name__twice__told():
    made = with_c("examples/util_a.c", "\n")
    assert check_layers.name_problems(made.root) == ["util_a.c: examples/util_a.c, src/util/util_a.c"]


def test_size__long_file__told_unless_it_says_why():
    body = "int a;\n" * check_layers.FILE_LINES
    made = with_c("src/util/b.c", "/* Short head. */\n" + body)
    assert check_layers.size_problems(made.root) == [f"src/util/b.c: {check_layers.FILE_LINES + 1} lines"]
    made = with_c("src/util/b.c", "/* A. */\n/*\n * Longer than usual: a table.\n */\n" + body)
    assert check_layers.size_problems(made.root) == []
    made = with_c("src/util/b.c", body + "/* Longer than usual: too late. */\n")
    assert len(check_layers.size_problems(made.root)) == 1
    made = with_c("include/selsnap/b.h", body + "int b;\n")
    assert check_layers.size_problems(made.root) == [f"include/selsnap/b.h: {check_layers.FILE_LINES + 1} lines"]


def test_size__long_function__told_unless_it_says_why():
    body = "    a++;\n" * check_layers.FUNCTION_LINES
    function = f"static int f(int a,\n             int b) {{\n{body}}}\n"
    made = with_c("src/util/b.c", "struct s {\n    int a;\n};\n\n/* What it does. */\n" + function)
    assert check_layers.size_problems(made.root) == ["src/util/b.c:6: a function of 83 lines"]
    made = with_c("src/util/b.c", "/*\n * Longer than usual: a switch.\n */\n" + function)
    assert check_layers.size_problems(made.root) == []
    made = with_c("src/util/b.c", "/* Longer than usual: another one's. */\nint g(int a) {\n    return a;\n}\n\n" + function)
    assert len(check_layers.size_problems(made.root)) == 1


def test_left_over__note__told():
    for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X"):
        made = with_c("tests/unit/b.c", f"\n/* {word}: mend this */\n")
        assert check_layers.left_over_problems(made.root) == [f"tests/unit/b.c:2: {word}"]
    assert check_layers.left_over_problems(with_c("src/util/b.c", '"a-XXXXXX"\n').root) == []


def test_link__declared_by_hand__told():
    made = with_c("src/util/b.c", "int api_f(void);\nint b(void) {\n    return api_f();\n}\n")
    assert check_layers.link_problems(made.archives()) == ["util: b.o uses api_f of api"]
    made = with_c("src/device/b.c", "int format_f(void);\nint b(void) {\n    return format_f();\n}\n")
    assert check_layers.link_problems(made.archives()) == ["device: b.o uses format_f of format"]
    made = with_c("src/api/b.c", "int util_f(void);\nint b(void) {\n    return util_f();\n}\n")
    assert check_layers.link_problems(made.archives()) == []


def test_link__layer_missing__told():
    archives = Tree().archives()
    assert check_layers.link_problems(archives[1:]) == ["util: no library of this layer, or no symbols in it"]


def test_variable__of_each_kind__told():
    kinds = ("int v;", "int v = 3;", "static int v; int *p(void) { return &v; }", "_Thread_local int v;",
             "int f(void) { static int v; return v++; }", "extern int x; int *v = &x;")
    for text in kinds:
        found = check_layers.variable_problems(with_c("src/snap/b.c", text + "\n").archives())
        assert len(found) == 1 and found[0].startswith("snap: b.o has v"), (text, found)
    good = "const int a = 3; extern int x; static int *const b = &x; const char *const c[] = {\"d\"};\n"
    good += "int f(void) { return *b; }\n"
    assert check_layers.variable_problems(with_c("src/snap/b.c", good).archives()) == []


def with_examples(**more):
    """A tree with a short program for each use, and others."""
    made = Tree()
    for paths in check_examples.USES.values():
        for path in paths:
            made.add("examples/" + path, "")
    for kind, text in more.items():
        made.add("examples/" + {"c": "c/a.c", "python": "python/a.py", "go": "go/a/a.go", "test": "go/a/a_test.go"}[kind], text)
    return made.root


def test_example__short__comments_are_free():
    lines = check_examples.LINES
    free = "\n" * 100
    c = "/* One.\n * Two. */\n// Three.\n" + "int a; /* a */\n" * lines + free
    python = '"""One.\n\nTwo.\n"""\n# Three.\ndef f():\n    "Four."\n' + "    a = 1  # a\n" * (lines - 1) + free
    assert check_examples.problems(with_examples(c=c, go=c, python=python, test="a\n" * 100)) == []
    for more in ({"c": c + "int b;\n"}, {"go": c + "var b int\n"}, {"python": python + "b = [\n]\n"}):
        found = check_examples.problems(with_examples(**more))
        assert len(found) == 1 and "lines of code" in found[0], found


def test_example__none_for_a_use__told():
    root = with_examples()
    os.unlink(os.path.join(root, "examples", "go", "serve", "main.go"))
    assert check_examples.problems(root) == ["examples/go/serve/main.go: not there, to show how to serve"]


def rules(code, test, document="`[F-1]` One. `[F-2]` Two, by [F-1].\n"):
    """Problems of a tree with one file of code and one test."""
    made = Tree()
    made.add("docs/format.md", document)
    made.add("src/util/b.c", code)
    made.add("tests/unit/test_b.c", test)
    made.add("tests/house/c.py", "# [F-1] [F-2] [F-9]\n")
    return check_rules.problems(made.root)


def test_rules__all_cited__nothing_told():
    assert rules("/* [F-1], [F-2] */\n", "/* [F-1, F-2] */\n") == []


def test_rules__without_code_or_test__told():
    assert rules("/* [F-1] */\n", "/* [F-1, F-2] */\n") == ["[F-2]: cited by no code"]
    assert rules("/* [F-1, F-2] */\n", "/* F-2, [F-1] */\n") == ["[F-2]: cited by no test"]


def test_rules__unknown_or_left_out__told():
    assert "src/util/b.c: cites [F-3], which is not in docs/format.md" in rules("/* [F-3] */\n", "")
    assert "[F-2]: left out in docs/format.md" in rules("", "", "[F-1] [F-3]\n")
    assert rules("", "", "no rule\n") == ["docs/format.md has no rules"]


def versioned(**changed):
    """Problems of a tree that says its version, 1.2.3, as it should, but for these files."""
    files = {"meson.build": "project('p', 'c',\n  version: '1.2.3',\n  meson_version: '>=1.2.3')\n",
             "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2000-01-02\n\n## 1.2.0 - 2000-01-01\n",
             "src/meson.build": "  version: meson.project_version(),\n  soversion: '1',\n",
             "src/api/selsnap.map": "SELSNAP_1.1 {\n};\nSELSNAP_1.2 {\n};\n",
             "include/selsnap/error.h": "/** @since 1.2 */\n",
             "bindings/python/pyproject.toml": 'dynamic = ["version"]\n',
             "tests/packages/debian/control": "Package: libselsnap1\n\nPackage: libselsnap-dev\n",
             "README.md": "Not it: 1.2.34, 0.1.2.3, >=1.2.3.\n"}
    made = Tree()
    for path, text in {**files, **changed}.items():
        made.add(path, text)
    return check_version.problems(made.root)


def test_version__in_one_place__nothing_told():
    assert versioned() == []
    assert versioned(**{"meson.build": "project('p', 'c')\n"}) == ["meson.build: project() has no version of three numbers"]


def test_version__said_again__told():
    assert versioned(**{"README.md": "a\nVersion 1.2.3.\n"}) == ["README.md:2: says the version again"]
    assert versioned(**{"bindings/go/a.go": 'const v = "1.2.3"\n'}) == ["bindings/go/a.go:1: says the version again"]
    assert versioned(**{"meson.build": "project('p', 'c',\n  version: '1.2.3')\nx = '1.2.3'\n"}) \
        == ["meson.build:3: says the version again"]


def test_version__something_of_a_later_one__told():
    for path, text in (("src/api/selsnap.map", "SELSNAP_1.3 {\n};\n"), ("include/selsnap/error.h", "/** @since 2.0 */\n"),
                       ("CHANGELOG.md", "## Unreleased\n\n## 1.2.4 - 2000-01-02\n")):
        assert [line.startswith(path) for line in versioned(**{path: text})] == [True], path


def test_version__parts_that_disagree__told():
    for path, text in (("tests/packages/debian/control", "Package: libselsnap2\n"),
                       ("tests/packages/debian/changelog", "selsnap (1.2.3-1)\n"),
                       ("bindings/python/pyproject.toml", 'version = "1.2.2"\n'),
                       ("CHANGELOG.md", "## 1.2.0 - 2000-01-01\n\n## 1.2.3 - 2000-01-02\n"),
                       ("CHANGELOG.md", "## Version 1.2.3\n")):
        assert len(versioned(**{path: text})) >= 1, path


def main():
    """Runs every test function; TAP on standard output."""
    cases = []
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                cases.append((name, []))
            except AssertionError as error:
                cases.append((name, [f"line {error.__traceback__.tb_next.tb_lineno}: {error}"]))
    return tree.report(cases)


if __name__ == "__main__":
    sys.exit(main())
