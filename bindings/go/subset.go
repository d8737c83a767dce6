// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
)

// Range is a range of bytes.
type Range struct {
	Offset int64 // From the start of the device.
	Len    int64
}

// Subset is a set of blocks of one device size and block size. Ranges are rounded so that a subset errs towards protecting:
// what is added is rounded outward to blocks, and a block is removed only when all its bytes are.
//
// It may be used by several goroutines. Its memory is given back by Close, or when nothing refers to it any more.
type Subset struct {
	mu     sync.RWMutex
	c      *C.selsnap_subset // NULL: closed
	number uint64            // Subsets are locked in this order.
}

var subsetNumber atomic.Uint64

// NewSubset makes an empty subset for a device of this size and a store of this block size (4096 to 1048576, a power of
// two). Store.NewSubset takes them from the store.
func NewSubset(deviceSize int64, blockSize int) (*Subset, error) {
	const op = "new subset"
	if deviceSize < 0 || blockSize < 0 {
		return nil, invalid(op, "a size is negative")
	}
	var c *C.selsnap_subset
	rc := C.selsnap_subset_open(C.uint64_t(deviceSize), C.uint32_t(blockSize), &c)
	if rc != C.SELSNAP_OK {
		return nil, failure(op, rc, "", nil)
	}
	return ownSubset(c), nil
}

// NewSubset makes an empty subset with the sizes of the store's origin.
func (s *Store) NewSubset() (*Subset, error) {
	return s.subset("new subset", func(ss *C.selsnap, ret **C.selsnap_subset) C.int {
		return C.selsnap_subset_open_for(ss, ret)
	})
}

func (s *Store) subset(op string, f func(*C.selsnap, **C.selsnap_subset) C.int) (*Subset, error) {
	var c *C.selsnap_subset
	if err := s.do(op, func(ss *C.selsnap) C.int { return f(ss, &c) }); err != nil {
		return nil, err
	}
	return ownSubset(c), nil
}

func ownSubset(c *C.selsnap_subset) *Subset {
	s := &Subset{c: c, number: subsetNumber.Add(1)}
	runtime.SetFinalizer(s, func(s *Subset) { _ = s.Close() })
	return s
}

// Close gives the subset's memory back. It never fails, and may be called again.
func (s *Subset) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	C.selsnap_subset_close(s.c)
	s.c = nil
	runtime.SetFinalizer(s, nil)
	return nil
}

func (s *Subset) change(op string, f func(c *C.selsnap_subset) C.int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		return &Error{Op: op, Err: ErrClosed}
	}
	return failure(op, f(s.c), "", nil)
}

// reading locks subsets for reading, nil ones left out, and returns what unlocks them.
func reading(op string, subsets ...*Subset) (func(), error) {
	var list []*Subset
	there := map[*Subset]bool{nil: true}
	for _, s := range subsets {
		if !there[s] {
			there[s] = true
			list = append(list, s)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].number < list[j].number })
	unlock := func() {
		for _, s := range list {
			s.mu.RUnlock()
		}
	}
	closed := false
	for _, s := range list {
		s.mu.RLock()
		closed = closed || s.c == nil
	}
	if closed {
		unlock()
		return nil, &Error{Op: op, Err: ErrClosed}
	}
	return unlock, nil
}

// of is a subset for C, within what reading locked; NULL of nil.
func (s *Subset) of() *C.selsnap_subset {
	if s == nil {
		return nil
	}
	return s.c
}

// Add adds every block that the range touches.
func (s *Subset) Add(offset, length int64) error {
	const op = "subset add"
	if offset < 0 || length < 0 {
		return negative(op)
	}
	return s.change(op, func(c *C.selsnap_subset) C.int {
		return C.selsnap_subset_add(c, C.uint64_t(offset), C.uint64_t(length))
	})
}

// Remove removes every block that lies in the range with all its bytes.
func (s *Subset) Remove(offset, length int64) error {
	const op = "subset remove"
	if offset < 0 || length < 0 {
		return negative(op)
	}
	return s.change(op, func(c *C.selsnap_subset) C.int {
		return C.selsnap_subset_remove(c, C.uint64_t(offset), C.uint64_t(length))
	})
}

// Union adds all that is in other.
func (s *Subset) Union(other *Subset) error {
	return s.with("subset union", other, func(a, b *C.selsnap_subset) C.int { return C.selsnap_subset_union(a, b) })
}

// Intersect keeps only what is in both.
func (s *Subset) Intersect(other *Subset) error {
	return s.with("subset intersect", other, func(a, b *C.selsnap_subset) C.int { return C.selsnap_subset_intersect(a, b) })
}

// Subtract takes out all that is in other.
func (s *Subset) Subtract(other *Subset) error {
	return s.with("subset subtract", other, func(a, b *C.selsnap_subset) C.int { return C.selsnap_subset_subtract(a, b) })
}

// with changes s by other, both locked in the order of their numbers.
func (s *Subset) with(op string, other *Subset, f func(a, b *C.selsnap_subset) C.int) error {
	switch {
	case other == nil:
		return invalid(op, "the other subset is nil")
	case other == s:
		return s.change(op, func(c *C.selsnap_subset) C.int { return f(c, c) })
	case other.number < s.number:
		other.mu.RLock()
		s.mu.Lock()
	default:
		s.mu.Lock()
		other.mu.RLock()
	}
	defer other.mu.RUnlock()
	defer s.mu.Unlock()
	if s.c == nil || other.c == nil {
		return &Error{Op: op, Err: ErrClosed}
	}
	return failure(op, f(s.c, other.c), "", nil)
}

// Complement makes the subset hold exactly the blocks it did not hold.
func (s *Subset) Complement() error {
	return s.change("subset complement", func(c *C.selsnap_subset) C.int { return C.selsnap_subset_complement(c) })
}

// Contains tells whether all bytes of the range are in the subset; false after Close.
func (s *Subset) Contains(offset, length int64) bool {
	if offset < 0 || length < 0 {
		return false
	}
	return s.count(func(c *C.selsnap_subset) C.uint64_t {
		return C.uint64_t(C.selsnap_subset_contains(c, C.uint64_t(offset), C.uint64_t(length)))
	}) != 0
}

// Ranges goes through the ranges: maximal, sorted, of whole blocks (the last may be short).
func (s *Subset) Ranges() *Iter[Range] {
	from := C.uint64_t(0)
	return &Iter[Range]{step: func() (Range, error) {
		unlock, err := reading("subset ranges", s)
		if err != nil {
			return Range{}, err
		}
		defer unlock()
		var next C.selsnap_range
		rc := C.selsnap_subset_next(s.c, from, &next)
		from = next.offset + next.len
		return Range{int64(next.offset), int64(next.len)}, ended(failure("subset ranges", rc, "", nil))
	}}
}

// BlockCount is the number of blocks; 0 after Close.
func (s *Subset) BlockCount() uint64 {
	return s.count(func(c *C.selsnap_subset) C.uint64_t { return C.selsnap_subset_block_count(c) })
}

// ByteCount is the number of bytes; 0 after Close.
func (s *Subset) ByteCount() int64 {
	return int64(s.count(func(c *C.selsnap_subset) C.uint64_t { return C.selsnap_subset_byte_count(c) }))
}

// RangeCount is the number of ranges; 0 after Close.
func (s *Subset) RangeCount() uint64 {
	return s.count(func(c *C.selsnap_subset) C.uint64_t { return C.selsnap_subset_range_count(c) })
}

func (s *Subset) count(f func(c *C.selsnap_subset) C.uint64_t) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.c == nil {
		return 0
	}
	return uint64(f(s.c))
}
