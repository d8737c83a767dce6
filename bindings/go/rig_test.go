// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"testing"

	"selsnap"
)

const (
	originBytes = 1 << 20
	storeBytes  = 4 << 20
	block       = 4096
)

var background = context.Background()

// rig is a store of storeBytes on an origin of originBytes, both in memory. What it opened is closed with the test.
type rig struct {
	*selsnap.Store
	t             testing.TB
	origin, store *selsnap.Device
}

func newRig(t testing.TB, options *selsnap.OpenOptions) *rig {
	t.Helper()
	return newRigOn(t, memory(t, originBytes), memory(t, storeBytes), options)
}

func newRigOn(t testing.TB, origin, store *selsnap.Device, options *selsnap.OpenOptions) *rig {
	t.Helper()
	ok(t, selsnap.Format(store, origin, nil))
	r := &rig{t: t, origin: origin, store: store}
	r.open(options)
	return r
}

func memory(t testing.TB, size int64) *selsnap.Device {
	t.Helper()
	device, err := selsnap.OpenMemory(size, 0)
	ok(t, err)
	t.Cleanup(func() { ok(t, device.Close()) })
	return device
}

func (r *rig) open(options *selsnap.OpenOptions) {
	r.t.Helper()
	opened, err := selsnap.Open(r.store, r.origin, options)
	ok(r.t, err)
	r.Store = opened
	r.t.Cleanup(func() { ok(r.t, opened.Close()) })
}

func (r *rig) reopen(options *selsnap.OpenOptions) {
	r.t.Helper()
	ok(r.t, r.Close())
	r.open(options)
}

// put fills blocks of the live device with a byte; number of blocks 1 if it is left out.
func (r *rig) put(first int64, value byte, count ...int64) {
	r.t.Helper()
	n := int64(1)
	if len(count) > 0 {
		n = count[0]
	}
	_, err := r.WriteAt(bytes.Repeat([]byte{value}, int(n*block)), first*block)
	ok(r.t, err)
}

func (r *rig) create(name string) uint64 {
	r.t.Helper()
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: name})
	ok(r.t, err)
	return id
}

func (r *rig) view(options selsnap.ViewOptions) *selsnap.View {
	r.t.Helper()
	view, err := r.OpenView(options)
	ok(r.t, err)
	r.t.Cleanup(func() { ok(r.t, view.Close()) })
	return view
}

func (r *rig) subset(ranges ...int64) *selsnap.Subset {
	r.t.Helper()
	subset, err := r.NewSubset()
	ok(r.t, err)
	for i := 0; i < len(ranges); i += 2 {
		ok(r.t, subset.Add(ranges[i], ranges[i+1]))
	}
	return subset
}

// reads checks that a block holds a byte all over.
func reads(t testing.TB, from interface {
	ReadAt([]byte, int64) (int, error)
}, number int64, value byte) {
	t.Helper()
	buf := make([]byte, block)
	n, err := from.ReadAt(buf, number*block)
	ok(t, err)
	if n != block || !bytes.Equal(buf, bytes.Repeat([]byte{value}, block)) {
		t.Fatalf("block %d holds %d, %d, ..., wanted %d", number, buf[0], buf[1], value)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks that an error is one, and is each of the targets.
func fails(t testing.TB, err error, targets ...error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, wanted %v", targets)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v, wanted %v", err, target)
		}
	}
	var typed *selsnap.Error
	if !errors.As(err, &typed) || typed.Op == "" {
		t.Fatalf("%#v is no *selsnap.Error with an Op", err)
	}
}

func same[T comparable](t testing.TB, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s: %v, wanted %v", what, got, wanted)
	}
}

func all[T any](t testing.TB, it *selsnap.Iter[T]) []T {
	t.Helper()
	list, err := it.All()
	ok(t, err)
	return list
}

// canceled is a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(background)
	cancel()
	return ctx
}

// numbered is a block that says where it belongs.
func numbered(number, version uint64) []byte {
	buf := make([]byte, block)
	for at := 0; at < block; at += 16 {
		binary.LittleEndian.PutUint64(buf[at:], number)
		binary.LittleEndian.PutUint64(buf[at+8:], version)
	}
	return buf
}

// silence keeps what package log prints out of the test's output.
func silence(t *testing.T) {
	was := log.Writer()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(was) })
}
