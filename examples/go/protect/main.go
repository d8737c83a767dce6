// SPDX-License-Identifier: Apache-2.0

// Protects the first MiB of a file, changes it, and reads it as it was. Works on disk.img and disk.store in the current
// directory, which it makes.
package main

import (
	"fmt"
	"log"

	"selsnap"
)

// check ends the program; what is not flushed is lost, as in a crash, and the store needs no repair.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func open(path string) *selsnap.Device {
	device, err := selsnap.OpenFile(path, &selsnap.FileOptions{Create: 64 << 20})
	check(err)
	return device
}

func main() {
	origin, store := open("disk.img"), open("disk.store")
	check(selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	check(err)
	_, err = s.WriteAt([]byte("before"), 0)
	check(err)
	subset, err := s.NewSubset()
	check(err)
	check(subset.Add(0, 1<<20))
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday", Subset: subset})
	check(err)
	_, err = s.WriteAt([]byte("after!"), 0) // what monday needs is preserved first
	check(err)
	view, err := s.OpenView(selsnap.ViewOptions{ID: id})
	check(err)
	now, then := make([]byte, 6), make([]byte, 6)
	_, err = s.ReadAt(now, 0)
	check(err)
	_, err = view.ReadAt(then, 0)
	check(err)
	fmt.Printf("now: %s, monday: %s\n", now, then)
	check(view.Close())
	check(s.Close())
}
