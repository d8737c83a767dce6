// SPDX-License-Identifier: Apache-2.0

// Backs a disk up: all of it to full.stream, then what changed since to next.stream; bringback makes a disk of them. An
// interrupt ends it. Works on disk.img and disk.store in the current directory, which it makes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"selsnap"
	"selsnap-examples/example"
)

// export makes a snapshot, and a stream of what changed since base; 0: of all.
func export(ctx context.Context, s *selsnap.Store, path, name string, base uint64) uint64 {
	id := example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: name}))
	file := example.Must(os.Create(path))
	info := example.Must(s.Export(ctx, file, selsnap.ExportOptions{ID: id, Base: base}))
	example.Check(file.Sync())
	example.Check(file.Close())
	example.Check(s.MakeBookmark(id)) // all that the next one needs: it keeps no data
	fmt.Println(path, "data blocks:", info.DataBlocks)
	return id
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := example.Store(example.File("disk.img"))
	example.Must(s.WriteAt([]byte("monday "), 0))
	monday := export(ctx, s, "full.stream", "monday", 0)
	example.Must(s.WriteAt([]byte("tuesday"), 0))
	example.Must(s.WriteAt([]byte("more"), 1<<20))
	export(ctx, s, "next.stream", "tuesday", monday)
	example.Check(s.Close())
}
