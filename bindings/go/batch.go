// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import "unsafe"

// RequestKind is what a Request does.
type RequestKind uint32

// The kinds of requests.
const (
	Read        RequestKind = C.SELSNAP_IO_READ         // Fill Bufs.
	Write       RequestKind = C.SELSNAP_IO_WRITE        // Write Bufs.
	WriteZeroes RequestKind = C.SELSNAP_IO_WRITE_ZEROES // Make Len bytes read as zeros. Not to a Device.
	Discard     RequestKind = C.SELSNAP_IO_DISCARD      // Len bytes are no longer needed. Not to a Device.
)

// Request is one of a batch.
type Request struct {
	Kind   RequestKind
	Bufs   [][]byte // Of reads and writes.
	Offset int64
	Len    int64 // Of zeroes and discards.
	FUA    bool  // What is written is durable when the batch returns. Not to a Device.
	Err    error // Set when the request has ended: nil, or why it failed.
}

func (r *Request) size() int {
	size := 0
	for _, buf := range r.Bufs {
		size += len(buf)
	}
	return size
}

// batch gives requests to do, through memory of C: an array of pointers to Go's must not be given to C.
func batch(op string, requests []*Request, do func(ios **C.selsnap_io, count C.uint32_t) C.int) C.int {
	var m memory
	defer m.free()
	list := unsafe.Slice((**C.selsnap_io)(m.alloc(len(requests)*int(unsafe.Sizeof(uintptr(0))))), len(requests))
	for i, r := range requests {
		io := (*C.selsnap_io)(m.alloc(C.sizeof_selsnap_io))
		iov := (*C.selsnap_iovec)(m.alloc(C.sizeof_selsnap_iovec))
		*io = C.selsnap_io{
			struct_size: C.sizeof_selsnap_io,
			kind:        C.uint32_t(r.Kind),
			offset:      C.uint64_t(r.Offset),
			len:         C.uint64_t(r.Len),
			flags:       flag(r.FUA, C.SELSNAP_IO_FUA),
		}
		if r.Kind == Read || r.Kind == Write {
			size := r.size()
			iov.base = m.alloc(size)
			iov.len = C.size_t(size)
			io.iov = iov
			io.iov_count = 1
			if r.Kind == Write {
				gather(iov.base, r.Bufs)
			}
		}
		list[i] = io
	}
	rc := do((**C.selsnap_io)(m.pieces[0]), C.uint32_t(len(requests)))
	for i, r := range requests {
		r.Err = failure(op, C.int(list[i].result), "", nil)
		if r.Kind == Read && r.Err == nil {
			scatter(r.Bufs, list[i].iov.base)
		}
	}
	return rc
}

// gather copies buffers to memory of C; scatter copies them back.
func gather(to unsafe.Pointer, bufs [][]byte) {
	for _, buf := range bufs {
		copy(unsafe.Slice((*byte)(to), len(buf)), buf)
		to = unsafe.Add(to, len(buf))
	}
}

func scatter(bufs [][]byte, from unsafe.Pointer) {
	for _, buf := range bufs {
		copy(buf, unsafe.Slice((*byte)(from), len(buf)))
		from = unsafe.Add(from, len(buf))
	}
}
