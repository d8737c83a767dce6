// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"selsnap-examples/example"
)

// The program works in a folder of its own.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "selsnap-example")
	example.Check(err)
	example.Check(os.Chdir(folder))
	code := m.Run()
	example.Check(os.RemoveAll(folder))
	os.Exit(code)
}

func Example() {
	main()
	// Output:
	// damaged:  all lost
	// restored: precious
	// undone:   all lost
}
