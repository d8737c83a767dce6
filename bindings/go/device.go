// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"io"
	"syscall"
	"unsafe"
)

// IdentitySize is the size of a device's identity in bytes.
const IdentitySize = C.SELSNAP_IDENTITY_SIZE

// DeviceInfo tells what a device is like.
type DeviceInfo struct {
	Size          int64 // Bytes; a multiple of LogicalBlock. May rise later, see Resizer.
	LogicalBlock  int   // Offsets and lengths are multiples of it; a power of two, 1 to 65536; 0 means 1.
	AtomicWrite   int   // A power cut leaves each aligned unit of this size old or new; a power of two; 0 means 512.
	PreferredIO   int   // A good request size; 0: no preference.
	VolatileCache bool  // Writes that are not flushed are lost in a power cut. Without it they are durable when they return.
	ReadOnly      bool  // It cannot be written.
}

// Device is an open block device: an origin (what is protected), or a store (where preserved copies and metadata go).
// It may be used by several goroutines at once.
type Device struct {
	life    *life
	c       *C.selsnap_device
	parent  *Device
	backend *backend
}

// FileOptions tell how to open a file; all may be left out.
type FileOptions struct {
	ReadOnly bool  // Nothing is ever written.
	Direct   bool  // Pass the page cache by (O_DIRECT).
	Create   int64 // Above 0: create the file if it is not there, and make it at least so long (sparse).
}

// OpenFile opens a file or a block device. What the system refused is in the error's chain as a syscall.Errno.
func OpenFile(path string, options *FileOptions) (*Device, error) {
	const op = "open file"
	if options == nil {
		options = &FileOptions{}
	}
	if options.Create < 0 {
		return nil, invalid(op, "a size is negative")
	}
	var m memory
	defer m.free()
	name := m.textOrEmpty(path)
	if err := m.checked(op); err != nil {
		return nil, err
	}
	flags := flag(options.ReadOnly, C.SELSNAP_FILE_READ_ONLY) | flag(options.Direct, C.SELSNAP_FILE_DIRECT) |
		flag(options.Create > 0, C.SELSNAP_FILE_CREATE)
	var device *C.selsnap_device
	var errno C.int
	rc := C.selsnap_device_open_file(name, flags, C.uint64_t(options.Create), &device, &errno)
	if rc != C.SELSNAP_OK {
		var cause error
		if errno != 0 {
			cause = syscall.Errno(errno)
		}
		return nil, failure(op, rc, path+": "+Code(rc).Error(), cause)
	}
	return newDevice(device, nil, nil), nil
}

// OpenMemory makes a device in memory, filled with zeros. A logicalBlock of 0 means 1.
func OpenMemory(size int64, logicalBlock int) (*Device, error) {
	const op = "open memory"
	if size < 0 || logicalBlock < 0 {
		return nil, invalid(op, "a size is negative")
	}
	var device *C.selsnap_device
	rc := C.selsnap_device_open_memory(C.uint64_t(size), C.uint32_t(logicalBlock), &device)
	if rc != C.SELSNAP_OK {
		return nil, failure(op, rc, "", nil)
	}
	return newDevice(device, nil, nil), nil
}

// Slice makes a device of a part of d, which cannot be closed before it.
func (d *Device) Slice(offset, length int64) (*Device, error) {
	const op = "open slice"
	if offset < 0 || length < 0 {
		return nil, &Error{Op: op, Code: ErrRange}
	}
	return d.child(op, func(ret **C.selsnap_device) C.int {
		return C.selsnap_device_open_slice(d.c, C.uint64_t(offset), C.uint64_t(length), ret)
	})
}

// Counting makes a device that passes everything on to d, which cannot be closed before it, and counts it; see Counts.
func (d *Device) Counting() (*Device, error) {
	return d.child("open counting", func(ret **C.selsnap_device) C.int {
		return C.selsnap_device_open_counting(d.c, ret)
	})
}

func (d *Device) child(op string, open func(**C.selsnap_device) C.int) (*Device, error) {
	if err := d.life.retain(op); err != nil {
		return nil, err
	}
	var device *C.selsnap_device
	if rc := open(&device); rc != C.SELSNAP_OK {
		d.life.release()
		return nil, failure(op, rc, "", nil)
	}
	return newDevice(device, d, nil), nil
}

func newDevice(device *C.selsnap_device, parent *Device, b *backend) *Device {
	return &Device{life: newLife(), c: device, parent: parent, backend: b}
}

// retainAll notes that something stands on devices, and returns what takes it back. What is written must have no other
// user; it may be nil.
func retainAll(op string, written *Device, others ...*Device) (func(), error) {
	var held []*Device
	release := func() {
		for _, device := range held {
			device.life.release()
		}
	}
	for i, device := range append([]*Device{written}, others...) {
		var err error
		switch {
		case device == nil && i > 0:
			err = invalid(op, "a device is nil")
		case device == nil:
			continue
		case i == 0:
			err = device.life.retainAlone(op)
		default:
			err = device.life.retain(op)
		}
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, device)
	}
	return release, nil
}

// Close closes the device; it does not flush. It fails with ErrBusy while a store or another device stands on it, and does
// nothing if it was closed before. Of a device written in Go, the error is that of its Close.
func (d *Device) Close() error {
	return d.life.close("close device", func() (bool, error) {
		C.selsnap_device_close(d.c)
		if d.parent != nil {
			d.parent.life.release()
		}
		if d.backend != nil {
			return true, d.backend.closed
		}
		return true, nil
	})
}

func (d *Device) do(op string, f func() C.int) error {
	if err := d.life.enter(op); err != nil {
		return err
	}
	defer d.life.leave()
	rc := f()
	return failure(op, rc, "", d.causeOf(rc))
}

// causeOf is why a device written in Go failed, if that is what a result tells of.
func (d *Device) causeOf(rc C.int) error {
	if rc == C.SELSNAP_EIO || rc == C.SELSNAP_ESTORE {
		return d.cause()
	}
	return nil
}

// cause is the last error of the device written in Go that stands behind d, or nil.
func (d *Device) cause() error {
	for ; d != nil; d = d.parent {
		if d.backend != nil {
			return d.backend.lastError()
		}
	}
	return nil
}

// Info tells what the device is like.
func (d *Device) Info() (DeviceInfo, error) {
	info := C.selsnap_device_info{struct_size: C.sizeof_selsnap_device_info}
	err := d.do("device info", func() C.int { return C.selsnap_device_get_info(d.c, &info) })
	return DeviceInfo{
		Size:          int64(info.size_bytes),
		LogicalBlock:  int(info.logical_block_bytes),
		AtomicWrite:   int(info.atomic_write_bytes),
		PreferredIO:   int(info.preferred_io_bytes),
		VolatileCache: info.flags&C.SELSNAP_DEVICE_VOLATILE_CACHE != 0,
		ReadOnly:      info.flags&C.SELSNAP_DEVICE_READ_ONLY != 0,
	}, err
}

// Size is the device's size in bytes; 0 after Close.
func (d *Device) Size() int64 {
	if d.life.enter("device size") != nil {
		return 0
	}
	defer d.life.leave()
	return d.size()
}

func (d *Device) size() int64 {
	info := C.selsnap_device_info{struct_size: C.sizeof_selsnap_device_info}
	if C.selsnap_device_get_info(d.c, &info) != C.SELSNAP_OK {
		return 0
	}
	return int64(info.size_bytes)
}

// DeviceCounts are what passed through a device made by Counting.
type DeviceCounts struct {
	Reads, ReadBytes       uint64
	Writes, WriteBytes     uint64
	Flushes                uint64
	Discards, DiscardBytes uint64
	Zeroes, ZeroBytes      uint64
}

// Counts reads the counts of a device made by Counting; reset begins again from zero.
func (d *Device) Counts(reset bool) (DeviceCounts, error) {
	counts := C.selsnap_device_counts{struct_size: C.sizeof_selsnap_device_counts}
	err := d.do("device counts", func() C.int {
		return C.selsnap_device_get_counts(d.c, &counts, C.int(flag(reset, 1)))
	})
	return DeviceCounts{
		Reads: uint64(counts.reads), ReadBytes: uint64(counts.read_bytes),
		Writes: uint64(counts.writes), WriteBytes: uint64(counts.write_bytes),
		Flushes:  uint64(counts.flushes),
		Discards: uint64(counts.discards), DiscardBytes: uint64(counts.discard_bytes),
		Zeroes: uint64(counts.zeroes), ZeroBytes: uint64(counts.zero_bytes),
	}, err
}

// ReadAt reads the device directly (io.ReaderAt).
func (d *Device) ReadAt(p []byte, off int64) (int, error) {
	const op = "read device"
	if err := d.life.enter(op); err != nil {
		return 0, err
	}
	defer d.life.leave()
	n, err := clip(op, len(p), off, d.size())
	if n == 0 {
		return 0, err
	}
	rc := C.selsnap_device_read(d.c, unsafe.Pointer(&p[0]), C.size_t(n), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, failure(op, rc, "", d.causeOf(rc))
	}
	return n, err
}

// WriteAt writes the device directly (io.WriterAt). On the origin of an open store this goes past its snapshots and breaks
// them: use the Store's. A write that fails tells of no bytes, although some may be written.
func (d *Device) WriteAt(p []byte, off int64) (int, error) {
	const op = "write device"
	if off < 0 {
		return 0, negative(op)
	}
	if err := d.life.enter(op); err != nil {
		return 0, err
	}
	defer d.life.leave()
	if len(p) == 0 {
		return 0, nil
	}
	rc := C.selsnap_device_write(d.c, unsafe.Pointer(&p[0]), C.size_t(len(p)), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, failure(op, rc, "", d.causeOf(rc))
	}
	return len(p), nil
}

// Batch does many reads and writes at once where the device can. The error is that of the first request that failed; each
// has its own in Err.
func (d *Device) Batch(requests []*Request) error {
	const op = "device batch"
	return d.do(op, func() C.int {
		return batch(op, requests, func(ios **C.selsnap_io, count C.uint32_t) C.int {
			return C.selsnap_device_batch(d.c, ios, count)
		})
	})
}

// Flush makes what was written durable.
func (d *Device) Flush() error {
	return d.do("flush device", func() C.int { return C.selsnap_device_flush(d.c) })
}

// clip is how much of a read there is, with io.EOF if that is not all, or the error of one that is nowhere.
func clip(op string, length int, off, size int64) (int, error) {
	switch {
	case off < 0:
		return 0, negative(op)
	case length == 0:
		return 0, nil
	case off >= size:
		return 0, io.EOF
	case int64(length) > size-off:
		return int(size - off), io.EOF
	}
	return length, nil
}

func negative(op string) error {
	return &Error{Op: op, Code: ErrRange, Detail: "an offset or a length is negative"}
}
