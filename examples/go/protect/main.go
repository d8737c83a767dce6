// SPDX-License-Identifier: Apache-2.0

// Protects the first MiB of a file, changes it, and reads it as it was. Works on disk.img and disk.store in the current
// directory, which it makes.
package main

import (
	"fmt"

	"selsnap"
	"selsnap-examples/example"
)

func main() {
	s := example.Store(example.File("disk.img"))
	example.Must(s.WriteAt([]byte("before"), 0))
	subset := example.Must(s.NewSubset())
	example.Check(subset.Add(0, 1<<20))
	monday := example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday", Subset: subset}))

	example.Must(s.WriteAt([]byte("after!"), 0)) // what monday needs is preserved first
	view := example.Must(s.OpenView(selsnap.ViewOptions{ID: monday}))
	now, then := make([]byte, 6), make([]byte, 6)
	example.Must(s.ReadAt(now, 0))
	example.Must(view.ReadAt(then, 0))
	fmt.Printf("now: %s, monday: %s\n", now, then)
	example.Check(view.Close())
	example.Check(s.Close())
}
