// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"errors"
	"sync"

	"selsnap"
)

// disk is a device written in Go, in memory, that counts its calls and fails when told so.
type disk struct {
	mu      sync.Mutex
	bytes   []byte
	counts  map[string]int
	broken  error
	closing error
}

var panics = errors.New("panic")

func newDisk(size int) *disk { return &disk{bytes: make([]byte, size), counts: map[string]int{}} }

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *disk) count(call string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[call]
}

// do runs f with the disk locked, unless it is to fail.
func (d *disk) do(call string, f func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[call]++
	if d.broken == panics {
		panic("as it was told")
	}
	if d.broken == nil {
		f()
	}
	return d.broken
}

func (d *disk) Readv(bufs [][]byte, off int64) error {
	return d.do("read", func() {
		for _, buf := range bufs {
			off += int64(copy(buf, d.bytes[off:]))
		}
	})
}

func (d *disk) Writev(bufs [][]byte, off int64) error {
	return d.do("write", func() {
		for _, buf := range bufs {
			off += int64(copy(d.bytes[off:], buf))
		}
	})
}

func (d *disk) Flush() error { return d.do("flush", func() {}) }

func (d *disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts["close"]++
	return d.closing
}

// fullDisk offers all that a device can.
type fullDisk struct {
	*disk
	id      byte
	changes uint64
	refuse  error
}

func (d *fullDisk) Discard(off, length int64) error {
	return d.do("discard", func() {})
}

func (d *fullDisk) WriteZeroes(off, length int64) error {
	return d.do("zeroes", func() {
		for i := range d.bytes[off : off+length] {
			d.bytes[off+int64(i)] = 0
		}
	})
}

func (d *fullDisk) Identity() (id [selsnap.IdentitySize]byte, err error) {
	id[0] = 1 + d.id
	return id, d.do("identity", func() {})
}

func (d *fullDisk) ChangeMark() (uint64, error) {
	return d.changes, d.do("mark", func() {})
}

func (d *fullDisk) Lock(exclusive bool) error {
	if d.refuse != nil {
		return d.refuse
	}
	return d.do("lock", func() {})
}

func (d *fullDisk) Unlock() { _ = d.do("unlock", func() {}) }

func (d *fullDisk) Batch(requests []*selsnap.Request) {
	_ = d.do("batch", func() {})
	for _, r := range requests {
		if r.Kind == selsnap.Read {
			r.Err = d.Readv(r.Bufs, r.Offset)
		} else {
			r.Err = d.Writev(r.Bufs, r.Offset)
		}
	}
}

func (d *fullDisk) Resize(size int64) (int64, error) {
	err := d.do("resize", func() {
		if grown := size - int64(len(d.bytes)); grown > 0 {
			d.bytes = append(d.bytes, make([]byte, grown)...)
		}
	})
	return int64(len(d.bytes)), err
}
