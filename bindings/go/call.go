// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"io"
	"runtime/cgo"
	"time"
	"unsafe"
)

// Progress is told how far work has come, on the caller's goroutine. The unit is that of the call. It may use the store,
// but for Check's. To stop the work, cancel its context.
type Progress func(done, total uint64)

// call is what the callbacks of one call of the library work on: they run on the caller's goroutine.
type call struct {
	ctx      context.Context
	progress Progress
	line     func(string) error
	verdict  func(Verdict) error
	reader   io.Reader
	writer   io.Writer
	before   func(time.Duration) error
	after    func(error)
	err      error // Why a callback stopped the work.
	panicked interface{}
}

// run gives f a handle of the call, and makes an error of its result. A panic of a callback goes on here.
func (c *call) run(f func(handle C.uintptr_t) C.int) (C.int, error) {
	if c.ctx == nil {
		c.ctx = context.Background()
	}
	if err := c.ctx.Err(); err != nil {
		return C.SELSNAP_ECANCELED, err
	}
	handle := cgo.NewHandle(c)
	defer handle.Delete()
	rc := f(C.uintptr_t(handle))
	if c.panicked != nil {
		panic(c.panicked)
	}
	return rc, c.err
}

// guard runs a callback: 1 when its error or panic ends the work.
func (c *call) guard(f func() error) (rc C.int) {
	defer func() {
		if value := recover(); value != nil {
			c.panicked = value
			rc = 1
		}
	}()
	if c.panicked != nil || c.err != nil {
		return 1
	}
	if c.err = f(); c.err != nil {
		return 1
	}
	return 0
}

func callOf(handle C.uintptr_t) *call { return cgo.Handle(handle).Value().(*call) }

//export ssgoProgress
func ssgoProgress(handle C.uintptr_t, done, total C.uint64_t) C.int {
	c := callOf(handle)
	return c.guard(func() error {
		if c.progress != nil {
			c.progress(uint64(done), uint64(total))
		}
		return c.ctx.Err()
	})
}

//export ssgoLine
func ssgoLine(handle C.uintptr_t, line *C.char) C.int {
	c := callOf(handle)
	return c.guard(func() error {
		if err := c.line(C.GoString(line)); err != nil {
			return err
		}
		return c.ctx.Err()
	})
}

//export ssgoVerdict
func ssgoVerdict(handle C.uintptr_t, info unsafe.Pointer, verdict, reasons C.uint32_t) C.int {
	c := callOf(handle)
	return c.guard(func() error {
		if c.verdict != nil {
			err := c.verdict(Verdict{
				Snapshot: snapshotOf((*C.selsnap_snapshot_info)(info)),
				Delete:   verdict == C.SELSNAP_VERDICT_DELETE,
				Reasons:  Reasons(reasons),
			})
			if err != nil {
				return err
			}
		}
		return c.ctx.Err()
	})
}

//export ssgoBefore
func ssgoBefore(handle C.uintptr_t, timeout C.uint64_t) C.int {
	c := callOf(handle)
	return c.guard(func() error { return c.before(time.Duration(timeout)) })
}

//export ssgoAfter
func ssgoAfter(handle C.uintptr_t, result C.int) {
	c := callOf(handle)
	// It is called after a failure, too.
	defer func() {
		if value := recover(); value != nil && c.panicked == nil {
			c.panicked = value
		}
	}()
	c.after(failure("create group", result, "", c.err))
}

//export ssgoStreamWrite
func ssgoStreamWrite(handle C.uintptr_t, buf unsafe.Pointer, length C.size_t) C.int {
	c := callOf(handle)
	bytes := unsafe.Slice((*byte)(buf), int(length))
	rc := c.guard(func() error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := c.writer.Write(bytes)
		if err == nil && n < len(bytes) {
			err = io.ErrShortWrite
		}
		return err
	})
	return streamResult(c, rc)
}

//export ssgoStreamRead
func ssgoStreamRead(handle C.uintptr_t, buf unsafe.Pointer, length C.size_t) C.int64_t {
	c := callOf(handle)
	bytes := unsafe.Slice((*byte)(buf), int(length))
	count := 0
	rc := c.guard(func() error {
		for tries := 0; tries < 100; tries++ {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			n, err := c.reader.Read(bytes)
			if n > 0 || errors.Is(err, io.EOF) {
				count = n // An error besides bytes comes again with the next read.
				return nil
			}
			if err != nil {
				return err
			}
		}
		return io.ErrNoProgress
	})
	if rc != 0 {
		return C.int64_t(streamResult(c, rc))
	}
	return C.int64_t(count)
}

// streamResult is a stream callback's result, as the library knows it.
func streamResult(c *call, rc C.int) C.int {
	switch {
	case rc == 0:
		return C.SELSNAP_OK
	case c.panicked != nil || c.ctx.Err() != nil:
		return C.SELSNAP_ECANCELED
	}
	return C.SELSNAP_EIO
}

// memory is memory of C for the time of a call: strings, arrays and buffers that an option points to.
type memory struct {
	pieces []unsafe.Pointer
	zero   bool // A string holds a zero byte, which C cannot take.
}

func (m *memory) alloc(size int) unsafe.Pointer {
	piece := C.calloc(1, C.size_t(size+1)) // cgo's calloc does not return without memory
	m.pieces = append(m.pieces, piece)
	return piece
}

// text is a string for C; NULL for the empty one.
func (m *memory) text(s string) *C.char {
	if s == "" {
		return nil
	}
	return m.textOrEmpty(s)
}

func (m *memory) textOrEmpty(s string) *C.char {
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			m.zero = true
		}
	}
	text := C.CString(s)
	m.pieces = append(m.pieces, unsafe.Pointer(text))
	return text
}

// checked is the error of a string that C cannot take.
func (m *memory) checked(op string) error {
	if m.zero {
		return invalid(op, "a text holds a zero byte")
	}
	return nil
}

func (m *memory) free() {
	for _, piece := range m.pieces {
		C.free(piece)
	}
	m.pieces = nil
}

const messageSize = 512

// message is a place for the detail of a call that has no context yet.
func (m *memory) message() *C.char { return (*C.char)(m.alloc(messageSize)) }

func flag(on bool, value C.uint32_t) C.uint32_t {
	if on {
		return value
	}
	return 0
}

// nanos is a time for the library, for which 0 means none.
func nanos(t time.Time) C.int64_t {
	if t.IsZero() {
		return 0
	}
	return C.int64_t(t.UnixNano())
}

func timeOf(nanos C.int64_t) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanos))
}
