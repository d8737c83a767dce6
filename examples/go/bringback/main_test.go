// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"selsnap"
	"selsnap-examples/example"
)

// The program works in a folder of its own.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "selsnap-example")
	example.Check(err)
	example.Check(os.Chdir(folder))
	code := m.Run()
	example.Check(os.RemoveAll(folder))
	os.Exit(code)
}

// backUp makes a full stream and an increment, as the program of backup does.
func backUp() {
	s := example.Store(example.File("disk.img"))
	base := uint64(0)
	for _, name := range []string{"monday", "tuesday"} {
		example.Must(s.WriteAt([]byte(name), 0))
		id := example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: name}))
		file := example.Must(os.Create(name + ".stream"))
		example.Must(s.Export(context.Background(), file, selsnap.ExportOptions{ID: id, Base: base}))
		example.Check(file.Close())
		base = id
	}
	example.Check(s.Close())
}

func Example() {
	backUp()
	os.Args = []string{"bringback", "new.img", "monday.stream", "tuesday.stream"}
	main()
	device := example.File("new.img")
	text := make([]byte, 7)
	example.Must(device.ReadAt(text, 0))
	fmt.Println(string(text), device.Size() == 64<<20)
	example.Check(device.Close())
	// Output:
	// monday blocks written: 16384
	// tuesday blocks written: 1
	// tuesday true
}
