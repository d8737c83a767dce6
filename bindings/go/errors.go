// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"io/fs"
)

// Code is a result code of the library. It is an error by itself, so that
// errors.Is(err, selsnap.ErrNoSpace) tells what went wrong.
//
// ErrNotExist, ErrExist and ErrReadOnly are also what errors.Is takes for
// fs.ErrNotExist, fs.ErrExist and fs.ErrPermission.
type Code int

// The result codes.
const (
	ErrInvalid      Code = C.SELSNAP_EINVAL        // An argument is wrong; nothing was done.
	ErrNoMemory     Code = C.SELSNAP_ENOMEM        // No memory, or the memory limit left none.
	ErrRange        Code = C.SELSNAP_ERANGE        // Outside the device, or a size that does not fit.
	ErrAlign        Code = C.SELSNAP_EALIGN        // Not aligned as the device requires.
	ErrIO           Code = C.SELSNAP_EIO           // The origin, or a device used directly, failed.
	ErrStore        Code = C.SELSNAP_ESTORE        // The store failed; what it acknowledged before is safe.
	ErrNoSpace      Code = C.SELSNAP_ENOSPACE      // The store has no room.
	ErrNotExist     Code = C.SELSNAP_ENOENT        // No such snapshot, designation, property or job.
	ErrExist        Code = C.SELSNAP_EEXIST        // The name is taken.
	ErrBusy         Code = C.SELSNAP_EBUSY         // In use: an open view, a running restore, a device of an open store.
	ErrHeld         Code = C.SELSNAP_EHELD         // The snapshot is held and cannot be deleted.
	ErrLocked       Code = C.SELSNAP_ELOCKED       // Another process or store has the device open.
	ErrReadOnly     Code = C.SELSNAP_EREADONLY     // Opened read-only, or the device is.
	ErrNotStore     Code = C.SELSNAP_ENOTSTORE     // The device holds no store.
	ErrVersion      Code = C.SELSNAP_EVERSION      // The store uses features this version does not know.
	ErrDamaged      Code = C.SELSNAP_EDAMAGED      // Metadata or preserved data failed its check.
	ErrLost         Code = C.SELSNAP_ELOST         // The block was given up, or could not be read when it changed.
	ErrUndesignated Code = C.SELSNAP_EUNDESIGNATED // The snapshot does not designate the block.
	ErrOrigin       Code = C.SELSNAP_EORIGIN       // The store belongs to another origin.
	ErrChanged      Code = C.SELSNAP_ECHANGED      // The origin was changed outside the library.
	ErrOverlap      Code = C.SELSNAP_EOVERLAP      // Store and origin are, or may be, the same storage.
	ErrMemoryLimit  Code = C.SELSNAP_EMEMLIMIT     // The memory limit is too small for this.
	ErrLimit        Code = C.SELSNAP_ELIMIT        // A documented limit is passed.
	ErrNotSupported Code = C.SELSNAP_ENOTSUP       // The device, or libselsnap as it was built, cannot do this.
	ErrCanceled     Code = C.SELSNAP_ECANCELED     // Stopped by its context or a callback; what was done stays done.
	ErrAbandoned    Code = C.SELSNAP_EABANDONED    // The store was abandoned; snapshots are no longer kept.
	ErrTooSmall     Code = C.SELSNAP_ETOOSMALL     // The store device is too small.
	ErrNoData       Code = C.SELSNAP_ENODATA       // A bookmark keeps no data.
	ErrBase         Code = C.SELSNAP_EBASE         // The increment does not fit its base, or does not go on where it broke off.
	ErrStream       Code = C.SELSNAP_ESTREAM       // The stream is damaged, cut, or of a kind not known.
	ErrQuota        Code = C.SELSNAP_EQUOTA        // The snapshot's quota leaves no room for the write into it.
)

// ErrClosed is what errors.Is finds in the error of each call on what was closed.
var ErrClosed = fs.ErrClosed

// Error is the library's short text for the code.
func (c Code) Error() string { return C.GoString(C.selsnap_strerror(C.int(c))) }

// Name is the constant's name in C, such as "SELSNAP_ENOSPACE".
func (c Code) Name() string { return C.GoString(C.selsnap_error_name(C.int(c))) }

// Is makes codes match the errors of package io/fs that mean the same.
func (c Code) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return c == ErrNotExist
	case fs.ErrExist:
		return c == ErrExist
	case fs.ErrPermission:
		return c == ErrReadOnly
	case fs.ErrInvalid:
		return c == ErrInvalid
	}
	return false
}

// Error is the error of every call of this package. Use errors.As to get at it,
// and errors.Is with a Code, or with what a callback, writer or context returned.
type Error struct {
	Op     string // What was being done, such as "create snapshot".
	Code   Code   // The result; 0 if the library was not asked because of Err.
	Detail string // What, where; may be empty. If several goroutines fail at once with one code, it may be another's.
	Err    error  // The cause in Go, if there is one: of a context, a reader, a writer, a callback, the system.
}

// Error says what failed, why, and the detail.
func (e *Error) Error() string {
	text := "selsnap: " + e.Op
	switch {
	case e.Detail != "":
		text += ": " + e.Detail
	case e.Code != 0:
		text += ": " + e.Code.Error()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is matches the code, and what the code matches.
func (e *Error) Is(target error) bool {
	return e.Code != 0 && (target == e.Code || e.Code.Is(target))
}

// Unwrap is the cause in Go, or nil.
func (e *Error) Unwrap() error { return e.Err }

// failure makes an error of a result; nil of SELSNAP_OK.
func failure(op string, rc C.int, detail string, cause error) error {
	if rc == C.SELSNAP_OK {
		return nil
	}
	return &Error{Op: op, Code: Code(rc), Detail: detail, Err: cause}
}

// invalid is the error of an argument that is not given to the library.
func invalid(op, detail string) error {
	return &Error{Op: op, Code: ErrInvalid, Detail: detail}
}

// Version is the library's version, as major * 1000000 + minor * 1000 + patch.
func Version() uint32 { return uint32(C.selsnap_version()) }

// VersionString is the library's version as text: major.minor.patch.
func VersionString() string { return C.GoString(C.selsnap_version_string()) }
