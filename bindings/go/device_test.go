// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"testing"

	"selsnap"
)

func TestDeviceMemory(t *testing.T) {
	device, err := selsnap.OpenMemory(64*1024, 512)
	ok(t, err)
	defer device.Close()
	same(t, "size", device.Size(), 64*1024)
	info, err := device.Info()
	ok(t, err)
	same(t, "logical block", info.LogicalBlock, 512)
	data := bytes.Repeat([]byte("selsnap."), 64)
	n, err := device.WriteAt(data, 1024)
	ok(t, err)
	same(t, "written", n, 512)
	ok(t, device.Flush())
	got := make([]byte, 512)
	n, err = device.ReadAt(got, 1024)
	ok(t, err)
	if n != 512 || !bytes.Equal(got, data) {
		t.Fatal("not what was written")
	}
	_, err = device.WriteAt(data, 64*1024)
	fails(t, err, selsnap.ErrRange)
	_, err = device.WriteAt(data, 1)
	fails(t, err, selsnap.ErrAlign)
	_, err = device.ReadAt(got, -512)
	fails(t, err, selsnap.ErrRange)
	n, err = device.ReadAt(make([]byte, 1024), 64*1024-512)
	if n != 512 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	if _, err = device.ReadAt(got, 64*1024); err != io.EOF {
		t.Fatalf("behind the end: %v", err)
	}
	_, err = selsnap.OpenMemory(100, 512)
	fails(t, err, selsnap.ErrInvalid)
}

func TestDeviceFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "disk.img")
	_, err := selsnap.OpenFile(path, nil)
	fails(t, err, selsnap.ErrNotExist, fs.ErrNotExist)
	device, err := selsnap.OpenFile(path, &selsnap.FileOptions{Create: originBytes})
	ok(t, err)
	_, err = device.WriteAt([]byte("here"), 0)
	ok(t, err)
	ok(t, device.Flush())
	ok(t, device.Close())
	device, err = selsnap.OpenFile(path, &selsnap.FileOptions{ReadOnly: true})
	ok(t, err)
	got := make([]byte, 4)
	_, err = device.ReadAt(got, 0)
	ok(t, err)
	same(t, "content", string(got), "here")
	_, err = device.WriteAt(got, 0)
	fails(t, err, selsnap.ErrReadOnly, fs.ErrPermission)
	ok(t, device.Close())
	_, err = selsnap.OpenFile(folder, nil)
	fails(t, err)
	_, err = selsnap.OpenFile("a\x00b", nil)
	fails(t, err, selsnap.ErrInvalid)

	device, err = selsnap.OpenFile(path, nil)
	ok(t, err)
	defer device.Close()
	again, err := selsnap.OpenFile(path, nil)
	ok(t, err)
	defer again.Close()
	newRigOn(t, device, memory(t, storeBytes), nil)
	other := memory(t, storeBytes)
	ok(t, selsnap.Format(other, again, nil))
	_, err = selsnap.Open(other, again, nil)
	fails(t, err, selsnap.ErrLocked)
}

func TestDeviceSliceAndCounting(t *testing.T) {
	parent := memory(t, originBytes)
	counting, err := parent.Counting()
	ok(t, err)
	slice, err := counting.Slice(4*block, 2*block)
	ok(t, err)
	same(t, "size", slice.Size(), 2*block)
	_, err = slice.WriteAt([]byte("slice"), block)
	ok(t, err)
	got := make([]byte, 5)
	_, err = parent.ReadAt(got, 5*block)
	ok(t, err)
	same(t, "in the parent", string(got), "slice")
	_, err = slice.ReadAt(got, 0)
	ok(t, err)
	ok(t, slice.Flush())
	counts, err := counting.Counts(true)
	ok(t, err)
	same(t, "counts", counts, selsnap.DeviceCounts{Reads: 1, ReadBytes: 5, Writes: 1, WriteBytes: 5, Flushes: 1})
	counts, err = counting.Counts(false)
	ok(t, err)
	same(t, "after the reset", counts, selsnap.DeviceCounts{})
	_, err = parent.Counts(false)
	fails(t, err, selsnap.ErrInvalid)
	_, err = parent.Slice(originBytes, block)
	fails(t, err, selsnap.ErrRange)
	fails(t, parent.Close(), selsnap.ErrBusy)
	fails(t, counting.Close(), selsnap.ErrBusy)
	ok(t, slice.Close())
	ok(t, counting.Close())
}

func TestDeviceBatch(t *testing.T) {
	device := memory(t, originBytes)
	requests := []*selsnap.Request{
		{Kind: selsnap.Write, Bufs: [][]byte{[]byte("ab"), []byte("cd")}, Offset: block},
		{Kind: selsnap.Write, Bufs: [][]byte{[]byte("x")}, Offset: originBytes},
		{Kind: selsnap.WriteZeroes, Offset: 0, Len: block},
		{Kind: selsnap.Write, Bufs: [][]byte{[]byte("ef")}, Offset: block + 4},
	}
	fails(t, device.Batch(requests), selsnap.ErrRange)
	ok(t, requests[0].Err)
	fails(t, requests[1].Err, selsnap.ErrRange)
	fails(t, requests[2].Err, selsnap.ErrInvalid)
	ok(t, requests[3].Err)
	a, b := make([]byte, 3), make([]byte, 3)
	ok(t, device.Batch([]*selsnap.Request{{Kind: selsnap.Read, Bufs: [][]byte{a, b}, Offset: block}}))
	same(t, "read", string(a)+"|"+string(b), "abc|def")
	ok(t, device.Batch(nil))
}

func TestDeviceCustom(t *testing.T) {
	origin, store := newDisk(originBytes), newDisk(storeBytes)
	devices := []*selsnap.Device{}
	for _, d := range []*disk{origin, store} {
		device, err := selsnap.NewDevice(d, selsnap.DeviceInfo{Size: int64(len(d.bytes)), VolatileCache: true})
		ok(t, err)
		devices = append(devices, device)
	}
	ok(t, selsnap.Format(devices[1], devices[0], nil))
	s, err := selsnap.Open(devices[1], devices[0], nil)
	ok(t, err)
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "a"})
	ok(t, err)
	_, err = s.WriteAt(bytes.Repeat([]byte{7}, 3*block), 5*block)
	ok(t, err)
	ok(t, s.Flush())
	reads(t, s, 6, 7)
	view, err := s.OpenView(selsnap.ViewOptions{ID: id})
	ok(t, err)
	reads(t, view, 6, 0)
	ok(t, view.Close())
	fails(t, devices[0].Close(), selsnap.ErrBusy)
	ok(t, s.Close())
	same(t, "the origin's byte", origin.bytes[6*block], 7)
	if origin.count("flush") == 0 || store.count("flush") == 0 {
		t.Fatal("not flushed")
	}
	for i, d := range []*disk{origin, store} {
		ok(t, devices[i].Close())
		ok(t, devices[i].Close())
		same(t, "closed", d.count("close"), 1)
	}
}

func TestDeviceCustomOptional(t *testing.T) {
	origin, store := &fullDisk{disk: newDisk(originBytes)}, &fullDisk{disk: newDisk(storeBytes), id: 1}
	devices := []*selsnap.Device{}
	for _, d := range []*fullDisk{origin, store} {
		device, err := selsnap.NewDevice(d, selsnap.DeviceInfo{Size: int64(len(d.bytes)), VolatileCache: true})
		ok(t, err)
		defer device.Close()
		devices = append(devices, device)
	}
	r := newRigOn(t, devices[0], devices[1], nil)
	r.put(0, 1, 8)
	ok(t, r.Discard(0, block))
	ok(t, r.WriteZeroes(block, block))
	reads(t, r, 1, 0)
	r.create("a")
	requests := []*selsnap.Request{}
	for i := int64(0); i < 4; i++ {
		requests = append(requests, &selsnap.Request{Kind: selsnap.Write, Bufs: [][]byte{make([]byte, block)}, Offset: 2 * i * block})
	}
	ok(t, r.Batch(requests))
	ok(t, r.GrowStore(2*storeBytes))
	same(t, "the store's size", len(store.bytes), 2*storeBytes)
	ok(t, r.Close())
	for _, call := range []string{"discard", "zeroes", "identity", "mark", "lock", "unlock", "batch"} {
		if origin.count(call) == 0 {
			t.Errorf("%s was not called", call)
		}
	}
	same(t, "locked", origin.count("lock"), origin.count("unlock"))
	// What the identity is for: the store knows its origin.
	stranger := &fullDisk{disk: newDisk(originBytes), id: 9}
	device, err := selsnap.NewDevice(stranger, selsnap.DeviceInfo{Size: originBytes})
	ok(t, err)
	defer device.Close()
	_, err = selsnap.Open(devices[1], device, nil)
	fails(t, err, selsnap.ErrOrigin)
	// And the mark: a change outside is noticed.
	origin.changes++
	_, err = selsnap.Open(devices[1], devices[0], nil)
	fails(t, err, selsnap.ErrChanged)
	// A refused lock.
	origin.refuse = errors.New("taken by another")
	_, err = selsnap.Open(devices[1], devices[0], &selsnap.OpenOptions{OriginChanged: true})
	fails(t, err, selsnap.ErrLocked)
}

func TestDeviceCustomFails(t *testing.T) {
	d, stored := newDisk(originBytes), newDisk(storeBytes)
	origin, err := selsnap.NewDevice(d, selsnap.DeviceInfo{Size: originBytes})
	ok(t, err)
	defer origin.Close()
	store, err := selsnap.NewDevice(stored, selsnap.DeviceInfo{Size: storeBytes})
	ok(t, err)
	defer store.Close()
	r := newRigOn(t, origin, store, nil)
	r.create("a")
	broken := errors.New("the head has crashed")
	d.fail(broken)
	_, err = r.ReadAt(make([]byte, block), 0)
	fails(t, err, selsnap.ErrIO, broken)
	_, err = origin.ReadAt(make([]byte, block), 0)
	fails(t, err, selsnap.ErrIO, broken)
	d.fail(nil)
	gone := errors.New("the cable is out")
	stored.fail(gone)
	_, err = r.WriteAt(make([]byte, block), 0)
	fails(t, err, selsnap.ErrStore, gone)
	stored.fail(nil)
	r.put(0, 1)
	// A panic does not cross C.
	d.fail(panics)
	_, err = r.ReadAt(make([]byte, block), 0)
	var panicked *selsnap.PanicError
	if fails(t, err, selsnap.ErrIO); !errors.As(err, &panicked) || panicked.Value != "as it was told" {
		t.Fatalf("%v is no panic", err)
	}
	d.fail(nil)
	reads(t, r, 0, 1)
	bad := newDisk(block)
	bad.closing = broken
	device, err := selsnap.NewDevice(bad, selsnap.DeviceInfo{Size: block})
	ok(t, err)
	fails(t, device.Close(), broken)
	ok(t, device.Close())
}
