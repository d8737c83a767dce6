// SPDX-License-Identifier: Apache-2.0

// A device written in Go: here an array in memory that counts; a network client or an encrypting layer is made in the same
// way. All of a request is done, or it fails.
package main

import (
	"fmt"
	"log"
	"sync"

	"selsnap"
)

const size = 4 << 20

// array is a device; calls come from several goroutines at once.
type array struct {
	mu              sync.RWMutex
	bytes           [size]byte
	writes, flushes int
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
	a.writes++
	return nil
}

func (a *array) Flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushes++
	return nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	backend := &array{}
	origin, err := selsnap.NewDevice(backend, selsnap.DeviceInfo{Size: size, VolatileCache: true})
	check(err)
	store, err := selsnap.OpenMemory(size, 0)
	check(err)
	check(selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	check(err)
	_, err = s.WriteAt([]byte("before"), 0)
	check(err)
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "a"})
	check(err)
	_, err = s.WriteAt([]byte("after!"), 0)
	check(err)
	view, err := s.OpenView(selsnap.ViewOptions{ID: id})
	check(err)
	text := make([]byte, 6)
	_, err = view.ReadAt(text, 0)
	check(err)
	fmt.Printf("the snapshot: %s, the device: %s\n", text, backend.bytes[:6])
	check(view.Close())
	check(s.Close())
	fmt.Println("writes and flushes reached it:", backend.writes > 0 && backend.flushes > 0)
}
