// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"runtime"
	"testing"

	"selsnap"
)

// Buffers are handed over as they are: what a read or a write allocates does not follow its size.
func TestNoCopy(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	buf := make([]byte, originBytes)
	calls := map[string]func([]byte, int64) (int, error){
		"read": r.ReadAt, "write": r.WriteAt, "read view": view.ReadAt, "write view": view.WriteAt,
		"read device": r.origin.ReadAt, "write device": r.origin.WriteAt,
	}
	for name, call := range calls {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := 0; i < 10; i++ {
			n, err := call(buf, 0)
			ok(t, err)
			same(t, name, n, len(buf))
		}
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > originBytes/4 {
			t.Errorf("%s: %d bytes allocated", name, bytes)
		}
	}
}

func BenchmarkReadAt(b *testing.B) {
	r := newRig(b, nil)
	buf := make([]byte, block)
	b.SetBytes(block)
	for i := 0; i < b.N; i++ {
		if _, err := r.ReadAt(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteAt(b *testing.B) {
	r := newRig(b, nil)
	buf := make([]byte, block)
	b.SetBytes(block)
	for i := 0; i < b.N; i++ {
		if _, err := r.WriteAt(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}
