// SPDX-License-Identifier: Apache-2.0

// A device written in Go: here an array in memory; a network client or an encrypting layer is made in the same way. All of a
// request is done, or it fails.
package main

import (
	"fmt"
	"sync"

	"selsnap"
	"selsnap-examples/example"
)

// array is a device; calls come from several goroutines at once.
type array struct {
	mu    sync.RWMutex
	bytes [4 << 20]byte
}

func (a *array) Readv(bufs [][]byte, off int64) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, buf := range bufs {
		off += int64(copy(buf, a.bytes[off:])) // the library has checked the range
	}
	return nil
}

func (a *array) Writev(bufs [][]byte, off int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, buf := range bufs {
		off += int64(copy(a.bytes[off:], buf))
	}
	return nil
}

// Flush has nothing to do: there is no cache.
func (a *array) Flush() error { return nil }

func main() {
	array := &array{}
	origin := example.Must(selsnap.NewDevice(array, selsnap.DeviceInfo{Size: int64(len(array.bytes))}))
	s := example.Store(origin)
	example.Must(s.WriteAt([]byte("before"), 0))
	id := example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: "a"}))
	example.Must(s.WriteAt([]byte("after!"), 0))
	view := example.Must(s.OpenView(selsnap.ViewOptions{ID: id}))
	text := make([]byte, 6)
	example.Must(view.ReadAt(text, 0))
	fmt.Printf("the snapshot: %s, the array: %s\n", text, array.bytes[:6])
	example.Check(view.Close())
	example.Check(s.Close())
}
