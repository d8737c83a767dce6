// SPDX-License-Identifier: Apache-2.0

// Backs a disk up: all of it to full.stream, then what changed to next.stream, and makes copy.img of the two streams. An
// interrupt ends it. Works on disk.img and disk.store in the current directory, which it makes.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

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

// export makes a snapshot, and a stream of what changed since base; 0: of all.
func export(ctx context.Context, s *selsnap.Store, path, name string, base uint64) uint64 {
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: name})
	check(err)
	file, err := os.Create(path)
	check(err)
	info, err := s.Export(ctx, file, selsnap.ExportOptions{ID: id, Base: base})
	check(err)
	check(file.Close())
	fmt.Println(path, "data blocks:", info.DataBlocks)
	return id
}

// apply writes a stream to a device that holds its base, and returns what it holds then.
func apply(ctx context.Context, path string, device *selsnap.Device, holds *selsnap.StreamID) *selsnap.StreamID {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	info, err := selsnap.ApplyStream(ctx, file, device, &selsnap.StreamOptions{Holds: holds})
	check(err)
	return &info.ID
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	origin, store, copied := open("disk.img"), open("disk.store"), open("copy.img")
	check(selsnap.Format(store, origin, nil))
	// Nothing is preserved ahead of writes, so that the increment holds what was written and no more.
	s, err := selsnap.Open(store, origin, &selsnap.OpenOptions{NoAhead: true})
	check(err)
	_, err = s.WriteAt([]byte("monday "), 0)
	check(err)
	monday := export(ctx, s, "full.stream", "monday", 0)
	_, err = s.WriteAt([]byte("tuesday"), 0)
	check(err)
	_, err = s.WriteAt([]byte("more"), 1<<20)
	check(err)
	export(ctx, s, "next.stream", "tuesday", monday)

	held := apply(ctx, "full.stream", copied, nil)
	apply(ctx, "next.stream", copied, held)
	text := make([]byte, 7)
	_, err = copied.ReadAt(text, 0)
	check(err)
	fmt.Printf("copy: %s\n", text)
	check(s.Close())
}
