// SPDX-License-Identifier: Apache-2.0

package selsnap

import (
	"unsafe"

	"selsnap/internal/inner"
)

// What cgo calls C.selsnap_subset is another type in each package: between them goes a plain pointer.
func init() {
	inner.ChangeSubset = func(op string, subset interface{}, f func(c unsafe.Pointer) error) error {
		s, _ := subset.(*Subset)
		if s == nil {
			return invalid(op, "the subset is nil")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.c == nil {
			return &Error{Op: op, Err: ErrClosed}
		}
		return f(unsafe.Pointer(s.c))
	}
}
