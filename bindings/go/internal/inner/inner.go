// SPDX-License-Identifier: Apache-2.0

// Package inner is what package selsnap lets the packages beside it reach, and nobody else.
package inner

import "unsafe"

// ChangeSubset runs f on the C subset of a *selsnap.Subset, with no other call on it. Package selsnap sets it.
var ChangeSubset func(op string, subset interface{}, f func(c unsafe.Pointer) error) error
