// SPDX-License-Identifier: Apache-2.0

// Brings a disk back to a snapshot, and undoes that: a snapshot made before the restore holds what it overwrites. Works on
// disk.img and disk.store in the current directory, which it makes.
package main

import (
	"context"
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

func take(s *selsnap.Store, name string) uint64 {
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: name}) // no subset: the whole device
	check(err)
	return id
}

func bringBack(s *selsnap.Store, id uint64) {
	job, err := s.StartRestore(selsnap.RestoreOptions{ID: id}) // from here on the device reads as it was
	check(err)
	check(s.RunRestore(context.Background(), job, nil))
}

func show(s *selsnap.Store, what string) {
	text := make([]byte, 8)
	_, err := s.ReadAt(text, 0)
	check(err)
	fmt.Println(what, string(text))
}

func main() {
	origin, store := open("disk.img"), open("disk.store")
	check(selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	check(err)
	_, err = s.WriteAt([]byte("precious"), 0)
	check(err)
	good := take(s, "good")
	_, err = s.WriteAt([]byte("all lost"), 0)
	check(err)
	show(s, "damaged: ")
	before := take(s, "before the restore")
	bringBack(s, good)
	show(s, "restored:")
	bringBack(s, before)
	show(s, "undone:  ")
	check(s.Close())
}
