// SPDX-License-Identifier: Apache-2.0

// Makes a disk of nothing but its backup: bringback FILE STREAM..., the full stream first, then the increments in their
// order. The file must not be there yet. An interrupt ends it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"selsnap"
	"selsnap-examples/example"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: bringback FILE STREAM...")
	}
	if _, err := os.Stat(os.Args[1]); err == nil {
		log.Fatal(os.Args[1], " is there already; give a new name")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var device *selsnap.Device
	var held *selsnap.StreamID // what the device holds so far; an increment must fit it
	for _, path := range os.Args[2:] {
		file := example.Must(os.Open(path))
		if device == nil {
			size := example.Must(selsnap.VerifyStream(ctx, file, nil)).OriginBytes
			device = example.Must(selsnap.OpenFile(os.Args[1], &selsnap.FileOptions{Create: size}))
			example.Must(file.Seek(0, io.SeekStart))
		}
		info := example.Must(selsnap.ApplyStream(ctx, file, device, &selsnap.StreamOptions{Holds: held}))
		held = &info.ID
		fmt.Println(info.Name, "blocks written:", info.WrittenBlocks)
		example.Check(file.Close())
	}
	example.Check(device.Close())
}
