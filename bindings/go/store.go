// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"log"
	"runtime/cgo"
	"runtime/debug"
	"unsafe"
)

// FormatOptions tell how to make a store; all may be left out.
type FormatOptions struct {
	BlockSize    int    // A power of two, 4096 to 1048576, at least the origin's logical block; 0: 4096.
	JournalBytes int64  // A multiple of 4096, 65536 to 1 GiB; 0: chosen by the store's size.
	OriginHint   string // Where the origin is found (a path), for tools; see OriginHint.
	Overwrite    bool   // Even if the device holds a store already; that store is lost.
	AllowOverlap bool   // Do not refuse when store and origin seem to share storage.
}

// Format makes an empty store for an origin, on a device that nothing uses (ErrBusy). Durable on return.
func Format(store, origin *Device, options *FormatOptions) error {
	const op = "format"
	if options == nil {
		options = &FormatOptions{}
	}
	if options.BlockSize < 0 || options.JournalBytes < 0 {
		return invalid(op, "a size is negative")
	}
	if store == nil {
		return invalid(op, "a device is nil")
	}
	release, err := retainAll(op, store, origin)
	if err != nil {
		return err
	}
	defer release()
	var m memory
	defer m.free()
	c := C.selsnap_format_options{
		struct_size: C.sizeof_selsnap_format_options,
		flags: flag(options.Overwrite, C.SELSNAP_FORMAT_OVERWRITE) |
			flag(options.AllowOverlap, C.SELSNAP_FORMAT_ALLOW_OVERLAP),
		block_bytes:   C.uint32_t(options.BlockSize),
		journal_bytes: C.uint64_t(options.JournalBytes),
		ret_message:   m.message(),
		message_size:  messageSize,
		origin_hint:   m.text(options.OriginHint),
	}
	if err := m.checked(op); err != nil {
		return err
	}
	rc := C.selsnap_format(store.c, origin.c, &c)
	return failure(op, rc, C.GoString(c.ret_message), store.causeOf(rc))
}

// OriginHint is what a store notes about where its origin is found; empty if nothing. The store may be in use.
func OriginHint(store *Device) (string, error) {
	const op = "origin hint"
	release, err := retainAll(op, nil, store)
	if err != nil {
		return "", err
	}
	defer release()
	var buf [C.SELSNAP_ORIGIN_HINT_MAX + 1]C.char
	rc := C.selsnap_store_origin_hint(store.c, &buf[0], C.size_t(len(buf)))
	if rc != C.SELSNAP_OK {
		return "", failure(op, rc, "", store.causeOf(rc))
	}
	return C.GoString(&buf[0]), nil
}

// EventKind is what an Event is about.
type EventKind uint32

// The kinds of events.
const (
	StoreFilling   EventKind = C.SELSNAP_EVENT_STORE_FILLING   // Value: percent of the store, or of its quota, in use (at 75, 90, 95, 99).
	BlockLost      EventKind = C.SELSNAP_EVENT_BLOCK_LOST      // Offset, Len: blocks given up; Value: 1 no room, 2 the origin could not be read, 3 a restore's source is damaged.
	RestoreDone    EventKind = C.SELSNAP_EVENT_RESTORE_DONE    // ID: the job; Value: the snapshot.
	StoreFailed    EventKind = C.SELSNAP_EVENT_STORE_FAILED    // The store fails; Value: the device's own error.
	StoreRecovered EventKind = C.SELSNAP_EVENT_STORE_RECOVERED // The store answers again.
	Damage         EventKind = C.SELSNAP_EVENT_DAMAGE          // A check failed; Offset: where in the store.
	QuotaFilling   EventKind = C.SELSNAP_EVENT_QUOTA           // ID: a snapshot; Len: its quota; Value: percent of it taken.
)

// Event is something that happened.
type Event struct {
	Kind        EventKind
	ID          uint64
	Offset, Len int64
	Value       int64
}

// LogLevel says how much a line of the log matters.
type LogLevel uint32

// The levels of the log.
const (
	LogError   LogLevel = C.SELSNAP_LOG_ERROR   // Something failed.
	LogWarning LogLevel = C.SELSNAP_LOG_WARNING // Something is not as it should be, and was dealt with.
	LogInfo    LogLevel = C.SELSNAP_LOG_INFO    // Opened, recovered, closed.
)

// OpenOptions tell how to open a store; all may be left out.
type OpenOptions struct {
	ReadOnly      bool  // Read everything, write nothing.
	OtherOrigin   bool  // Although the origin is not the one the store was made for: snapshots are right only if its content is.
	OriginChanged bool  // Although the origin was changed outside the library: blocks changed there read changed in snapshots.
	AllowOverlap  bool  // Do not refuse when store and origin seem to share storage.
	NoAhead       bool  // Preserve only blocks that are being written, none around them.
	LongerOrigin  bool  // Take an origin that is longer than the recorded one, until Store.GrowOrigin.
	MemoryLimit   int64 // Bytes that may be allocated; 0: 64 MiB.
	DeferredBytes int64 // Bytes of writes that may be kept in memory (deferred mode); 0: none.
	// OnEvent and OnLog are told what happens, on the goroutine that caused it, several at once if several do. They must not
	// use the store. A panic in one is printed by package log, and goes no further.
	OnEvent func(Event)
	OnLog   func(level LogLevel, message string)
}

// Store is a store opened on its origin: the live device, to be read and written through it (ReadAt, WriteAt), and its
// snapshots. It may be used by several goroutines at once.
type Store struct {
	life          *life
	c             *C.selsnap
	store, origin *Device
	told          cgo.Handle // 0: nobody is told
}

// Open opens a store on its origin, and recovers from whatever happened before. The devices cannot be closed before it, and
// the origin is written only through the Store from here on.
func Open(store, origin *Device, options *OpenOptions) (*Store, error) {
	const op = "open"
	if options == nil {
		options = &OpenOptions{}
	}
	if options.MemoryLimit < 0 || options.DeferredBytes < 0 {
		return nil, invalid(op, "a size is negative")
	}
	release, err := retainAll(op, nil, store, origin)
	if err != nil {
		return nil, err
	}
	var m memory
	defer m.free()
	c := C.selsnap_open_options{
		struct_size: C.sizeof_selsnap_open_options,
		flags: flag(options.ReadOnly, C.SELSNAP_OPEN_READ_ONLY) |
			flag(options.OtherOrigin, C.SELSNAP_OPEN_OTHER_ORIGIN) |
			flag(options.OriginChanged, C.SELSNAP_OPEN_ORIGIN_CHANGED) |
			flag(options.AllowOverlap, C.SELSNAP_OPEN_ALLOW_OVERLAP) |
			flag(options.NoAhead, C.SELSNAP_OPEN_NO_AHEAD) |
			flag(options.LongerOrigin, C.SELSNAP_OPEN_LONGER_ORIGIN),
		memory_limit:   C.uint64_t(options.MemoryLimit),
		ret_message:    m.message(),
		message_size:   messageSize,
		deferred_bytes: C.uint64_t(options.DeferredBytes),
	}
	s := &Store{life: newLife(), store: store, origin: origin}
	wants := flag(options.OnEvent != nil, C.SSGO_EVENT) | flag(options.OnLog != nil, C.SSGO_LOG)
	if wants != 0 {
		s.told = cgo.NewHandle(*options)
	}
	rc := C.ssgo_open(store.c, origin.c, &c, C.uintptr_t(s.told), wants, &s.c)
	if rc != C.SELSNAP_OK {
		s.forget()
		release()
		return nil, failure(op, rc, C.GoString(c.ret_message), s.causeOf(rc))
	}
	return s, nil
}

// forget frees what the callbacks work on.
func (s *Store) forget() {
	if s.told != 0 {
		s.told.Delete()
		s.told = 0
	}
}

// callBack runs a callback that nobody waits for.
func callBack(handle C.uintptr_t, f func(options OpenOptions)) {
	defer func() {
		if value := recover(); value != nil {
			log.Printf("selsnap: panic in a callback: %v\n%s", value, debug.Stack())
		}
	}()
	f(cgo.Handle(handle).Value().(OpenOptions))
}

//export ssgoEvent
func ssgoEvent(handle C.uintptr_t, event unsafe.Pointer) {
	callBack(handle, func(options OpenOptions) {
		c := (*C.selsnap_event)(event)
		options.OnEvent(Event{
			Kind: EventKind(c.kind), ID: uint64(c.id), Offset: int64(c.offset), Len: int64(c.len), Value: int64(c.value),
		})
	})
}

//export ssgoLog
func ssgoLog(handle C.uintptr_t, level C.uint32_t, message *C.char) {
	callBack(handle, func(options OpenOptions) { options.OnLog(LogLevel(level), C.GoString(message)) })
}

// Close waits for calls that are under way, flushes, and closes the store. It fails with ErrBusy, and does nothing, while a
// view is open; with any other error the store is closed all the same, and the error tells what was not made durable. It
// does nothing if it was closed before.
func (s *Store) Close() error {
	const op = "close"
	return s.life.close(op, func() (bool, error) {
		rc := C.selsnap_close(s.c)
		if rc == C.SELSNAP_EBUSY {
			return false, failure(op, rc, "", nil)
		}
		s.forget()
		s.store.life.release()
		s.origin.life.release()
		return true, failure(op, rc, "", s.causeOf(rc))
	})
}

// do runs a call of the library on the context, unless it is closed.
func (s *Store) do(op string, f func(ss *C.selsnap) C.int) error {
	if err := s.life.enter(op); err != nil {
		return err
	}
	defer s.life.leave()
	return s.result(op, f(s.c))
}

// work is do for a call with callbacks, which ctx ends.
func (s *Store) work(ctx context.Context, op string, c *call, f func(ss *C.selsnap, handle C.uintptr_t) C.int) error {
	if err := s.life.enter(op); err != nil {
		return err
	}
	defer s.life.leave()
	c.ctx = ctx
	rc, cause := c.run(func(handle C.uintptr_t) C.int { return f(s.c, handle) })
	if cause != nil {
		return failure(op, rc, "", cause)
	}
	return s.result(op, rc)
}

// result makes an error of a result, with its detail and its cause.
func (s *Store) result(op string, rc C.int) error {
	if rc == C.SELSNAP_OK {
		return nil
	}
	detail := ""
	if code, text := s.lastError(); code == rc {
		detail = text
	}
	return failure(op, rc, detail, s.causeOf(rc))
}

// causeOf is why a device written in Go failed, if that is what a result tells of.
func (s *Store) causeOf(rc C.int) error {
	switch rc {
	case C.SELSNAP_EIO:
		return s.origin.cause()
	case C.SELSNAP_ESTORE:
		return s.store.cause()
	}
	return nil
}

func (s *Store) lastError() (C.int, string) {
	var buf [messageSize]C.char
	rc := C.selsnap_last_error(s.c, &buf[0], messageSize)
	return rc, C.GoString(&buf[0])
}

// LastError is the last failure of any call on the store; nil when nothing failed.
func (s *Store) LastError() error {
	const op = "last error"
	if err := s.life.enter(op); err != nil {
		return err
	}
	defer s.life.leave()
	rc, text := s.lastError()
	return failure(op, rc, text, nil)
}
