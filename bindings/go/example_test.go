// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"selsnap"
)

// must ends an example that goes wrong.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// example is a store in memory, and what closes it.
func example() (*selsnap.Store, func()) {
	origin, err := selsnap.OpenMemory(1<<20, 0)
	must(err)
	store, err := selsnap.OpenMemory(4<<20, 0)
	must(err)
	must(selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	must(err)
	return s, func() {
		must(s.Close())
		must(store.Close())
		must(origin.Close())
	}
}

func write(s *selsnap.Store, text string) {
	_, err := s.WriteAt([]byte(text), 0)
	must(err)
}

func read(from io.ReaderAt, length int) string {
	buf := make([]byte, length)
	_, err := from.ReadAt(buf, 0)
	must(err)
	return string(buf)
}

// Protect a device in memory, change it, and look at it as it was.
func Example() {
	origin, err := selsnap.OpenMemory(1<<20, 0)
	must(err)
	defer origin.Close()
	store, err := selsnap.OpenMemory(4<<20, 0)
	must(err)
	defer store.Close()
	must(selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	must(err)
	defer s.Close()

	write(s, "before")
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday"})
	must(err)
	write(s, "after!")

	view, err := s.OpenView(selsnap.ViewOptions{ID: id})
	must(err)
	defer view.Close()
	fmt.Println("now:   ", read(s, 6))
	fmt.Println("monday:", read(view, 6))
	// Output:
	// now:    after!
	// monday: before
}

func ExampleStore_RunRestore() {
	s, done := example()
	defer done()
	write(s, "before")
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday"})
	must(err)
	write(s, "after!")
	job, err := s.StartRestore(selsnap.RestoreOptions{ID: id})
	must(err)
	must(s.RunRestore(context.Background(), job, nil))
	fmt.Println(read(s, 6))
	// Output: before
}

func ExampleStore_Snapshots() {
	s, done := example()
	defer done()
	for _, name := range []string{"monday", "tuesday"} {
		_, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: name})
		must(err)
	}
	it := s.Snapshots()
	for it.Next() {
		fmt.Println(it.Value().ID, it.Value().Name, it.Value().BlockCount, "blocks")
	}
	must(it.Err())
	// Output:
	// 2 monday 256 blocks
	// 3 tuesday 256 blocks
}

func ExampleStore_Export() {
	s, done := example()
	defer done()
	write(s, "sunday's")
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "sunday"})
	must(err)
	var stream bytes.Buffer
	_, err = s.Export(context.Background(), &stream, selsnap.ExportOptions{ID: id})
	must(err)

	disk, err := selsnap.OpenMemory(s.Size(), 0)
	must(err)
	defer disk.Close()
	info, err := selsnap.ApplyStream(context.Background(), &stream, disk, nil)
	must(err)
	fmt.Println(info.Name, info.DataBlocks, "block with data:", read(disk, 8))
	// Output: sunday 1 block with data: sunday's
}

func ExampleStore_Diff() {
	s, done := example()
	defer done()
	mark, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "mark", Bookmark: true})
	must(err)
	_, err = s.WriteAt(make([]byte, 8192), 16384)
	must(err)
	changed, err := s.Diff(selsnap.DiffOptions{From: mark}).All()
	must(err)
	fmt.Println(changed[0].Offset <= 16384, changed[0].Offset+changed[0].Len >= 16384+8192)
	// Output: true true
}

func ExampleError() {
	s, done := example()
	defer done()
	_, err := s.FindSnapshot("friday")
	fmt.Println(errors.Is(err, selsnap.ErrNotExist))
	var failed *selsnap.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.Code.Name())
	}
	// Output:
	// true
	// find snapshot SELSNAP_ENOENT
}

func ExampleSubset() {
	subset, err := selsnap.NewSubset(1<<20, 4096)
	must(err)
	defer subset.Close()
	must(subset.Add(10000, 1))       // outward: the block that it touches
	must(subset.Add(65536, 65536))   // a range
	must(subset.Remove(70000, 4096)) // inward: no block lies in it whole
	for it := subset.Ranges(); it.Next(); {
		fmt.Println(it.Value().Offset, it.Value().Len)
	}
	// Output:
	// 8192 4096
	// 65536 65536
}
