// SPDX-License-Identifier: Apache-2.0

// Brings a disk back to a snapshot, and undoes that: a snapshot made before the restore holds what it overwrites. Works on
// disk.img and disk.store in the current directory, which it makes.
package main

import (
	"context"
	"fmt"

	"selsnap"
	"selsnap-examples/example"
)

func take(s *selsnap.Store, name string) uint64 {
	return example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: name})) // no subset: the whole device
}

func bringBack(s *selsnap.Store, id uint64) {
	job := example.Must(s.StartRestore(selsnap.RestoreOptions{ID: id})) // from here on the device reads as it was
	example.Check(s.RunRestore(context.Background(), job, nil))
}

func show(s *selsnap.Store, what string) {
	text := make([]byte, 8)
	example.Must(s.ReadAt(text, 0))
	fmt.Println(what, string(text))
}

func main() {
	s := example.Store(example.File("disk.img"))
	example.Must(s.WriteAt([]byte("precious"), 0))
	good := take(s, "good")
	example.Must(s.WriteAt([]byte("all lost"), 0))
	show(s, "damaged: ")
	before := take(s, "before the restore")
	bringBack(s, good)
	show(s, "restored:")
	bringBack(s, before)
	show(s, "undone:  ")
	example.Check(s.Close())
}
