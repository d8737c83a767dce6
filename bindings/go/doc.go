// SPDX-License-Identifier: Apache-2.0

// Package selsnap makes selective block snapshots: name a subset of a block device's blocks, and libselsnap preserves that
// subset as it stood at a point in time, copying each block away before its first change, while the device stays in use.
//
// A Device is any block device: a file (OpenFile), memory (OpenMemory), or one written in Go (NewDevice). Format makes an
// empty store on one device, for the origin on another; Open opens both as a Store, through which the live device is read
// and written:
//
//	origin, err := selsnap.OpenFile("disk.img", nil)
//	store, err := selsnap.OpenFile("disk.store", nil)
//	s, err := selsnap.Open(store, origin, nil)
//	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday"})
//	n, err := s.WriteAt(data, offset) // what monday needs is preserved first
//	view, err := s.OpenView(selsnap.ViewOptions{ID: id})
//	n, err = view.ReadAt(old, offset) // as it was
//
// # Errors
//
// Every error is an *Error, but for io.EOF of ReadAt. Match it with errors.Is and one of the codes (ErrNoSpace,
// ErrNotExist, ...), ErrClosed, or what a context, reader, writer, callback or device written in Go returned, which is kept
// in its chain.
//
// # Concurrency
//
// A Store, a View, a Device and a Subset may be used by several goroutines at once; an Iter and a Scrub by one at a time.
// Calls are not interrupted; long ones take a context.Context, and stop with ErrCanceled, and with the context's own error
// in the chain, when it ends. What was done by then stays done.
//
// Close may be called at any time, and again: it waits for calls that are under way, and later ones fail with ErrClosed. A
// store is closed before its devices, and views before their store; otherwise Close fails with ErrBusy and does nothing.
// Nothing but a Subset is closed by the garbage collector. A callback must not close what called it.
//
// # Callbacks
//
// A callback given to a call runs on the goroutine that made it; a panic in it ends the call and goes on from there. See
// Backend and OpenOptions for the others.
//
// # Memory
//
// ReadAt and WriteAt of Store, View and Device hand the caller's buffer to the library, without a copy. Vectors and batches
// are copied once, since cgo forbids to hand over arrays of Go's pointers.
package selsnap

// #cgo pkg-config: selsnap
// #cgo CFLAGS: -Wall -Wextra -Wno-unused-parameter
// #include "bridge.h"
import "C"
