// SPDX-License-Identifier: Apache-2.0

// Package example is what the programs beside it share: disk.img and disk.store in the current directory, and ending at an
// error.
package example

import (
	"log"

	"selsnap"
)

// Check ends the program; what is not flushed is lost, as in a crash, and the store needs no repair.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Must is Check for a call that gives something.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// File makes a file of 64 MiB, or opens it if it is there.
func File(path string) *selsnap.Device {
	return Must(selsnap.OpenFile(path, &selsnap.FileOptions{Create: 64 << 20}))
}

// Store makes a store for an origin, disk.store, and opens it.
func Store(origin *selsnap.Device) *selsnap.Store {
	store := File("disk.store")
	Check(selsnap.Format(store, origin, nil))
	return Must(selsnap.Open(store, origin, nil))
}
