// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// Size is the size of the origin in bytes; 0 after Close.
func (s *Store) Size() int64 {
	if s.life.enter("size") != nil {
		return 0
	}
	defer s.life.leave()
	return int64(C.selsnap_size(s.c))
}

// BlockSize is the size of a block in bytes; 0 after Close.
func (s *Store) BlockSize() int {
	if s.life.enter("block size") != nil {
		return 0
	}
	defer s.life.leave()
	return int(C.selsnap_block_size(s.c))
}

// ReadAt reads the live device (io.ReaderAt), straight into p. Offset and length are on the origin's logical blocks.
func (s *Store) ReadAt(p []byte, off int64) (int, error) {
	const op = "read"
	if err := s.life.enter(op); err != nil {
		return 0, err
	}
	defer s.life.leave()
	n, end := clip(op, len(p), off, int64(C.selsnap_size(s.c)))
	if n == 0 {
		return 0, end
	}
	rc := C.selsnap_read(s.c, unsafe.Pointer(&p[0]), C.size_t(n), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, s.result(op, rc)
	}
	return n, end
}

// WriteAt writes to the live device (io.WriterAt), straight from p, and preserves designated blocks first. It is volatile
// until Flush. A write that fails tells of no bytes, although a first part may be written.
func (s *Store) WriteAt(p []byte, off int64) (int, error) {
	const op = "write"
	if off < 0 {
		return 0, negative(op)
	}
	if err := s.life.enter(op); err != nil {
		return 0, err
	}
	defer s.life.leave()
	if len(p) == 0 {
		return 0, nil
	}
	rc := C.selsnap_write(s.c, unsafe.Pointer(&p[0]), C.size_t(len(p)), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, s.result(op, rc)
	}
	return len(p), nil
}

// vector gives buffers to do as one piece of C's memory: an array of pointers to Go's must not be given to C.
func vector(m *memory, bufs [][]byte) (*C.selsnap_iovec, int) {
	r := Request{Bufs: bufs}
	iov := (*C.selsnap_iovec)(m.alloc(C.sizeof_selsnap_iovec))
	iov.base = m.alloc(r.size())
	iov.len = C.size_t(r.size())
	return iov, r.size()
}

// ReadvAt reads the live device into several buffers, all of them or none. They are copied once.
func (s *Store) ReadvAt(bufs [][]byte, off int64) (int, error) {
	const op = "read"
	if off < 0 {
		return 0, negative(op)
	}
	var m memory
	defer m.free()
	iov, size := vector(&m, bufs)
	err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_readv(ss, iov, 1, C.uint64_t(off)) })
	if err != nil {
		return 0, err
	}
	scatter(bufs, iov.base)
	return size, nil
}

// WritevAt writes several buffers to the live device, as WriteAt would write them in one. They are copied once.
func (s *Store) WritevAt(bufs [][]byte, off int64) (int, error) {
	const op = "write"
	if off < 0 {
		return 0, negative(op)
	}
	var m memory
	defer m.free()
	iov, size := vector(&m, bufs)
	gather(iov.base, bufs)
	err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_writev(ss, iov, 1, C.uint64_t(off)) })
	if err != nil {
		return 0, err
	}
	return size, nil
}

// Discard tells the live device that a range is not needed. Blocks that snapshots need are left as they are.
func (s *Store) Discard(off, length int64) error {
	const op = "discard"
	if off < 0 || length < 0 {
		return negative(op)
	}
	return s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_discard(ss, C.uint64_t(off), C.uint64_t(length)) })
}

// WriteZeroes makes a range of the live device read as zeros, as a write of zeros.
func (s *Store) WriteZeroes(off, length int64) error {
	const op = "write zeroes"
	if off < 0 || length < 0 {
		return negative(op)
	}
	return s.do(op, func(ss *C.selsnap) C.int {
		return C.selsnap_write_zeroes(ss, C.uint64_t(off), C.uint64_t(length))
	})
}

// Batch does many requests to the live device at once, in no order, and returns when all have ended: what they have in
// common, such as a flush of the store, is done once. The error is that of the first that failed; each has its own in Err,
// and one that fails does not keep the others from being done. Buffers are copied once.
func (s *Store) Batch(requests []*Request) error {
	const op = "batch"
	return s.do(op, func(ss *C.selsnap) C.int {
		return batch(op, requests, func(ios **C.selsnap_io, count C.uint32_t) C.int {
			return C.selsnap_batch(ss, ios, count)
		})
	})
}

// Flush makes every write that had returned before it durable.
func (s *Store) Flush() error {
	return s.do("flush", func(ss *C.selsnap) C.int { return C.selsnap_flush(ss) })
}

// Freeze holds back all writes to the live device, until Thaw; snapshots can be made meanwhile. It nests. Who freezes must
// not write before Thaw, nor close the store while a writer waits.
func (s *Store) Freeze() error {
	return s.do("freeze", func(ss *C.selsnap) C.int { return C.selsnap_freeze(ss) })
}

// Thaw undoes one Freeze.
func (s *Store) Thaw() error {
	return s.do("thaw", func(ss *C.selsnap) C.int { return C.selsnap_thaw(ss) })
}

// Work is a set of kinds of background work.
type Work uint32

// The kinds of background work.
const (
	Reclaim    Work = C.SELSNAP_STEP_RECLAIM    // Give back the space of what was deleted.
	Restore    Work = C.SELSNAP_STEP_RESTORE    // Copy blocks back.
	Checkpoint Work = C.SELSNAP_STEP_CHECKPOINT // Fold the journal when it is half full, or when nothing else is to do.
)

// StepOptions tell how much to do in a step; all may be left out.
type StepOptions struct {
	Work         Work   // Which; 0: all.
	BudgetBlocks uint64 // Stop after about so many blocks or index entries; 0: 4096.
	Progress     Progress
}

// Step does a bounded piece of background work, and tells what is left of the kinds asked for. There are no threads in the
// background: call it when idle, or in a loop. It ends early, with ErrCanceled, when ctx ends.
func (s *Store) Step(ctx context.Context, options *StepOptions) (left Work, err error) {
	if options == nil {
		options = &StepOptions{}
	}
	c := C.selsnap_step_options{
		struct_size:   C.sizeof_selsnap_step_options,
		flags:         C.uint32_t(options.Work),
		budget_blocks: C.uint64_t(options.BudgetBlocks),
	}
	var more C.uint32_t
	err = s.work(ctx, "step", &call{progress: options.Progress}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_step(ss, &c, handle, &more)
	})
	return Work(more), err
}

// Abandon gives up the store: from here on writes to the origin pass without preserving, and snapshots cannot be read.
func (s *Store) Abandon() error {
	return s.do("abandon", func(ss *C.selsnap) C.int { return C.selsnap_abandon(ss) })
}

// GrowStore makes the store longer while it is in use, and its device where that can be: to size bytes, or, with 0, to the
// size of its device now.
func (s *Store) GrowStore(size int64) error {
	const op = "grow store"
	if size < 0 {
		return negative(op)
	}
	return s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_grow_store(ss, C.uint64_t(size)) })
}

// GrowOrigin makes the origin longer, with its snapshots, which keep the size it had. It waits for calls that are under
// way, and those made meanwhile fail with ErrBusy, as it does itself while a view is open. Subsets have to be made anew.
func (s *Store) GrowOrigin(size int64) error {
	const op = "grow origin"
	if size < 0 {
		return negative(op)
	}
	return s.life.exclude(op, func() error { return s.result(op, C.selsnap_grow_origin(s.c, C.uint64_t(size))) })
}

// ShrinkOrigin makes the origin shorter, with its snapshots, which keep the size it had; its device keeps its length. It is
// refused with ErrBusy while a snapshot shares a block behind the new end with the origin: WriteZeroes to what is to be cut
// off preserves it. As GrowOrigin otherwise.
func (s *Store) ShrinkOrigin(size int64) error {
	const op = "shrink origin"
	if size < 0 {
		return negative(op)
	}
	return s.life.exclude(op, func() error { return s.result(op, C.selsnap_shrink_origin(s.c, C.uint64_t(size))) })
}

// SetQuota bounds what may be in use in the store; 0: no quota.
func (s *Store) SetQuota(size int64) error {
	const op = "set quota"
	if size < 0 {
		return negative(op)
	}
	return s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_set_quota(ss, C.uint64_t(size)) })
}

// Quota is the store's quota in bytes; 0: none.
func (s *Store) Quota() (int64, error) {
	var bytes C.uint64_t
	err := s.do("quota", func(ss *C.selsnap) C.int { return C.selsnap_get_quota(ss, &bytes) })
	return int64(bytes), err
}
