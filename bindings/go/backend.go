// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"io"
	"runtime/cgo"
	"sync"
	"syscall"
	"unsafe"
)

// Backend is a device written in Go; NewDevice makes a Device of it.
//
// Its methods are called from any goroutine, several at once; requests that overlap may be in flight together. What orders
// them is not seen by the race detector: guard what they share. The buffers are memory of the library, good until the
// method returns. A method does all of its request or fails. The library checks ranges and alignment before it calls.
//
// An error, or a panic (as a *PanicError), becomes ErrIO or ErrStore of the call that met it, with the cause in its chain.
// A method must not use a Store that stands on the device.
//
// A backend may offer more: Discarder, Zeroer, Identifier, ChangeMarker, Locker, Batcher, Resizer, io.Closer.
type Backend interface {
	// Readv fills the buffers from off on.
	Readv(bufs [][]byte, off int64) error
	// Writev writes the buffers, which it must not change, at off. Reads that begin later see the data; a power cut may
	// still lose it, until a flush. Not called for a read-only device.
	Writev(bufs [][]byte, off int64) error
	// Flush makes all that had returned before it durable. Not called for a read-only device.
	Flush() error
}

// Discarder is a Backend that can be told what is no longer needed.
type Discarder interface {
	// Discard leaves the content of the range undefined.
	Discard(off, length int64) error
}

// Zeroer is a Backend that makes zeros faster than by writing them.
type Zeroer interface {
	// WriteZeroes makes the range read as zeros; otherwise it is as a write.
	WriteZeroes(off, length int64) error
}

// Identifier is a Backend that knows what storage it is.
type Identifier interface {
	// Identity names this storage and no other, the same at every open. One call at a time.
	Identity() ([IdentitySize]byte, error)
}

// ChangeMarker is a Backend that knows when its content was changed.
type ChangeMarker interface {
	// ChangeMark is a value that changes whenever the content is changed, by anyone. One call at a time.
	ChangeMark() (uint64, error)
}

// Locker is a Backend that can be taken for one store alone.
type Locker interface {
	// Lock takes the device: alone (to write), or shared (to read). One call at a time.
	Lock(exclusive bool) error
	// Unlock gives back what Lock took.
	Unlock()
}

// Batcher is a Backend that does many reads and writes at once.
type Batcher interface {
	// Batch does all requests, of kinds Read and Write, in any order, and sets the Err of each that fails.
	Batch(requests []*Request)
}

// Resizer is a Backend that can become longer.
type Resizer interface {
	// Resize makes the device at least so long, and tells how long it is; 0 only asks. One call at a time.
	Resize(size int64) (int64, error)
}

// PanicError is what becomes of a panic in a Backend.
type PanicError struct {
	Value interface{} // What was given to panic.
}

// Error says what the panic was.
func (e *PanicError) Error() string { return fmt.Sprintf("panic in a device: %v", e.Value) }

// Unwrap is the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// backend is what the callbacks of a device written in Go work on.
type backend struct {
	Backend
	handle cgo.Handle
	closed error // What its Close said.
	mu     sync.Mutex
	last   error // The last failure; guarded by mu.
}

// NewDevice makes a device of a Backend. If that is an io.Closer, it is closed with the device, once.
func NewDevice(b Backend, info DeviceInfo) (*Device, error) {
	const op = "open device"
	if b == nil {
		return nil, invalid(op, "the backend is nil")
	}
	if info.Size < 0 || info.LogicalBlock < 0 || info.AtomicWrite < 0 || info.PreferredIO < 0 {
		return nil, invalid(op, "a size is negative")
	}
	made := &backend{Backend: b}
	made.handle = cgo.NewHandle(made)
	c := C.selsnap_device_info{
		struct_size: C.sizeof_selsnap_device_info,
		flags: flag(info.VolatileCache, C.SELSNAP_DEVICE_VOLATILE_CACHE) |
			flag(info.ReadOnly, C.SELSNAP_DEVICE_READ_ONLY),
		size_bytes:          C.uint64_t(info.Size),
		logical_block_bytes: C.uint32_t(info.LogicalBlock),
		atomic_write_bytes:  C.uint32_t(info.AtomicWrite),
		preferred_io_bytes:  C.uint32_t(info.PreferredIO),
	}
	var device *C.selsnap_device
	rc := C.ssgo_device_open(C.uintptr_t(made.handle), offers(b, info.ReadOnly), &c, &device)
	if rc != C.SELSNAP_OK {
		made.handle.Delete()
		return nil, failure(op, rc, "", nil)
	}
	return newDevice(device, nil, made), nil
}

func offers(b Backend, readOnly bool) C.uint32_t {
	_, discards := b.(Discarder)
	_, zeroes := b.(Zeroer)
	_, identifies := b.(Identifier)
	_, marks := b.(ChangeMarker)
	_, locks := b.(Locker)
	_, batches := b.(Batcher)
	_, resizes := b.(Resizer)
	return flag(!readOnly, C.SSGO_WRITE) | flag(discards && !readOnly, C.SSGO_DISCARD) |
		flag(zeroes && !readOnly, C.SSGO_ZEROES) | flag(identifies, C.SSGO_IDENTITY) | flag(marks, C.SSGO_MARK) |
		flag(locks, C.SSGO_LOCK) | flag(batches, C.SSGO_BATCH) | flag(resizes, C.SSGO_RESIZE)
}

func (b *backend) lastError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// do runs a method; its error and its panic become a result, and are kept.
func (b *backend) do(f func() error) (rc C.int) {
	defer func() {
		if value := recover(); value != nil {
			rc = b.failed(&PanicError{Value: value})
		}
	}()
	if err := f(); err != nil {
		return b.failed(err)
	}
	return 0
}

func (b *backend) failed(err error) C.int {
	b.mu.Lock()
	b.last = err
	b.mu.Unlock()
	var errno syscall.Errno
	if errors.As(err, &errno) && errno > 0 {
		return -C.int(errno)
	}
	return -C.int(syscall.EIO)
}

func backendOf(handle C.uintptr_t) *backend { return cgo.Handle(handle).Value().(*backend) }

// buffers are an iovec's, not copied.
func buffers(iov *C.selsnap_iovec, count C.uint32_t) [][]byte {
	bufs := make([][]byte, 0, int(count))
	for _, piece := range unsafe.Slice(iov, int(count)) {
		bufs = append(bufs, unsafe.Slice((*byte)(piece.base), int(piece.len)))
	}
	return bufs
}

//export ssgoReadv
func ssgoReadv(handle C.uintptr_t, iov unsafe.Pointer, count C.uint32_t, offset C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error { return b.Readv(buffers((*C.selsnap_iovec)(iov), count), int64(offset)) })
}

//export ssgoWritev
func ssgoWritev(handle C.uintptr_t, iov unsafe.Pointer, count C.uint32_t, offset C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error { return b.Writev(buffers((*C.selsnap_iovec)(iov), count), int64(offset)) })
}

//export ssgoFlush
func ssgoFlush(handle C.uintptr_t) C.int {
	b := backendOf(handle)
	return b.do(b.Flush)
}

//export ssgoDiscard
func ssgoDiscard(handle C.uintptr_t, offset, length C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error { return b.Backend.(Discarder).Discard(int64(offset), int64(length)) })
}

//export ssgoWriteZeroes
func ssgoWriteZeroes(handle C.uintptr_t, offset, length C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error { return b.Backend.(Zeroer).WriteZeroes(int64(offset), int64(length)) })
}

//export ssgoIdentity
func ssgoIdentity(handle C.uintptr_t, ret *C.uint8_t) C.int {
	b := backendOf(handle)
	return b.do(func() error {
		identity, err := b.Backend.(Identifier).Identity()
		if err == nil {
			copy(unsafe.Slice((*byte)(ret), IdentitySize), identity[:])
		}
		return err
	})
}

//export ssgoChangeMark
func ssgoChangeMark(handle C.uintptr_t, ret *C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error {
		mark, err := b.Backend.(ChangeMarker).ChangeMark()
		if err == nil {
			*ret = C.uint64_t(mark)
		}
		return err
	})
}

//export ssgoLock
func ssgoLock(handle C.uintptr_t, exclusive C.int) C.int {
	b := backendOf(handle)
	return b.do(func() error { return b.Backend.(Locker).Lock(exclusive != 0) })
}

//export ssgoUnlock
func ssgoUnlock(handle C.uintptr_t) {
	b := backendOf(handle)
	b.do(func() error {
		b.Backend.(Locker).Unlock()
		return nil
	})
}

//export ssgoClose
func ssgoClose(handle C.uintptr_t) {
	b := backendOf(handle)
	if closer, ok := b.Backend.(io.Closer); ok && b.do(func() error { b.closed = closer.Close(); return b.closed }) != 0 {
		b.closed = &Error{Op: "close device", Code: ErrIO, Err: b.lastError()}
	}
	b.handle.Delete()
}

//export ssgoBatch
func ssgoBatch(handle C.uintptr_t, ios unsafe.Pointer, count C.uint32_t) {
	b := backendOf(handle)
	list := unsafe.Slice((**C.selsnap_io)(ios), int(count))
	requests := make([]*Request, len(list))
	for i, io := range list {
		requests[i] = &Request{Kind: RequestKind(io.kind), Bufs: buffers(io.iov, io.iov_count), Offset: int64(io.offset)}
	}
	rc := b.do(func() error {
		b.Backend.(Batcher).Batch(requests)
		return nil
	})
	for i, io := range list {
		io.result = C.int32_t(rc)
		if rc == 0 && requests[i].Err != nil {
			io.result = C.int32_t(b.failed(requests[i].Err))
		}
	}
}

//export ssgoResize
func ssgoResize(handle C.uintptr_t, size C.uint64_t, ret *C.uint64_t) C.int {
	b := backendOf(handle)
	return b.do(func() error {
		now, err := b.Backend.(Resizer).Resize(int64(size))
		if err == nil {
			*ret = C.uint64_t(now)
		}
		return err
	})
}
