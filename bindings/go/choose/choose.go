// SPDX-License-Identifier: Apache-2.0

// Package choose is libselsnap-select for Go: choosing blocks by partition, by file, by what a file system uses. It needs that
// library, which is built where libblkid and libext2fs are.
//
//	chosen, err := choose.New()
//	disk := choose.FileSystem{Path: "disk.img", Partition: 2}
//	err = chosen.AddMetadata(disk)
//	err = chosen.AddFile(disk, "/home/ann/documents")
//	subset, err := store.NewSubset()
//	err = chosen.AddTo(subset)
//
// Everything is read from the device as it is at that moment, by its path, and nothing is written. A file system that is in
// use may change meanwhile: freeze it (fsfreeze --freeze) or unmount it. Deferred writes that a Store keeps in memory are not
// seen: call its Flush first.
//
// Every error is a *selsnap.Error.
package choose

// #cgo pkg-config: selsnap selsnap-select
// #cgo CFLAGS: -Wall -Wextra -Wno-unused-parameter
// #include <selsnap/select.h>
// #include <stdlib.h>
import "C"

import (
	"math"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"selsnap"
	"selsnap/internal/inner"
)

// Selection is a set of byte ranges of a device. A call that fails adds nothing.
//
// It may be used by several goroutines. Its memory is given back by Close, or when nothing refers to it any more.
type Selection struct {
	mu sync.Mutex
	c  *C.selsnap_selection // NULL: closed
}

// FileSystem is where an ext2, ext3 or ext4 file system lies.
type FileSystem struct {
	Path      string // Device or image.
	Partition int    // Number of the partition that it is on; 0: by Offset.
	Offset    int64  // Bytes from the start of the device to its beginning.
	Unsettled bool   // Take its maps as they are, though its journal holds changes that they may lack.
}

// Partition is an entry of a partition table.
type Partition struct {
	Number int   // As the system counts them: 2 of sda2.
	Offset int64 // From the start of the device.
	Len    int64
	Type   string // GPT: the type's GUID; MBR: as 0x83.
	Name   string // GPT: its label.
}

// New makes an empty selection.
func New() (*Selection, error) {
	s := &Selection{}
	if rc := C.selsnap_selection_open(&s.c); rc != C.SELSNAP_OK {
		return nil, &selsnap.Error{Op: "new selection", Code: selsnap.Code(rc)}
	}
	runtime.SetFinalizer(s, func(s *Selection) { _ = s.Close() })
	return s, nil
}

// Close gives the selection's memory back. It never fails, and may be called again.
func (s *Selection) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	C.selsnap_selection_close(s.c)
	s.c = nil
	runtime.SetFinalizer(s, nil)
	return nil
}

// do runs f on the selection, and makes an error of its result.
func (s *Selection) do(op string, f func(c *C.selsnap_selection) C.int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		return &selsnap.Error{Op: op, Err: selsnap.ErrClosed}
	}
	return failure(op, s.c, f(s.c))
}

func failure(op string, c *C.selsnap_selection, rc C.int) error {
	if rc == C.SELSNAP_OK {
		return nil
	}
	return &selsnap.Error{Op: op, Code: selsnap.Code(rc), Detail: C.GoString(C.selsnap_selection_error(c))}
}

// texts makes strings for C, and what frees them.
func texts(op string, from ...string) ([]*C.char, func(), error) {
	var made []*C.char
	for _, text := range from {
		if strings.IndexByte(text, 0) >= 0 {
			return nil, nil, &selsnap.Error{Op: op, Code: selsnap.ErrInvalid, Detail: "a text holds a zero byte"}
		}
	}
	for _, text := range from {
		made = append(made, C.CString(text))
	}
	return made, func() {
		for _, text := range made {
			C.free(unsafe.Pointer(text))
		}
	}, nil
}

// AddRange adds a range of bytes.
func (s *Selection) AddRange(offset, length int64) error {
	const op = "choose range"
	if offset < 0 || length < 0 {
		return &selsnap.Error{Op: op, Code: selsnap.ErrRange, Detail: "a number is negative"}
	}
	return s.do(op, func(c *C.selsnap_selection) C.int {
		return C.selsnap_selection_add_range(c, C.uint64_t(offset), C.uint64_t(length))
	})
}

// AddPartition adds all of a partition of a device or image; 2 is sda2.
func (s *Selection) AddPartition(path string, number int) error {
	const op = "choose partition"
	if number < 0 || int64(number) > math.MaxUint32 {
		return &selsnap.Error{Op: op, Code: selsnap.ErrNotExist, Detail: "no partition has this number"}
	}
	text, free, err := texts(op, path)
	if err != nil {
		return err
	}
	defer free()
	return s.do(op, func(c *C.selsnap_selection) C.int {
		return C.selsnap_selection_add_partition(c, text[0], C.uint32_t(number))
	})
}

// AddFile adds the content of a file, or of all files below a directory: where their data lies, and no more. The name is an
// absolute path within the file system; symbolic links are followed.
func (s *Selection) AddFile(fs FileSystem, name string) error {
	return s.of("choose file", fs, name, func(c *C.selsnap_selection, fs *C.selsnap_select_fs, name *C.char) C.int {
		return C.selsnap_selection_add_file(c, fs, name)
	})
}

// AddMetadata adds all that a file system keeps but the content of files: superblocks, maps, inodes, directories, the
// journal.
func (s *Selection) AddMetadata(fs FileSystem) error {
	return s.of("choose metadata", fs, "", func(c *C.selsnap_selection, fs *C.selsnap_select_fs, _ *C.char) C.int {
		return C.selsnap_selection_add_metadata(c, fs)
	})
}

// AddInUse adds all that a file system has in use: everything but its free space.
func (s *Selection) AddInUse(fs FileSystem) error {
	return s.of("choose what is in use", fs, "", func(c *C.selsnap_selection, fs *C.selsnap_select_fs, _ *C.char) C.int {
		return C.selsnap_selection_add_in_use(c, fs)
	})
}

// of runs a call that is about a file system.
func (s *Selection) of(op string, fs FileSystem, name string,
	f func(*C.selsnap_selection, *C.selsnap_select_fs, *C.char) C.int) error {
	if fs.Partition < 0 || int64(fs.Partition) > math.MaxUint32 || fs.Offset < 0 {
		return &selsnap.Error{Op: op, Code: selsnap.ErrInvalid, Detail: "partition or offset is negative, or too large"}
	}
	text, free, err := texts(op, fs.Path, name)
	if err != nil {
		return err
	}
	defer free()
	place := C.selsnap_select_fs{
		struct_size: C.sizeof_selsnap_select_fs,
		partition:   C.uint32_t(fs.Partition),
		path:        text[0],
		offset:      C.uint64_t(fs.Offset),
	}
	if fs.Unsettled {
		place.flags = C.SELSNAP_SELECT_UNSETTLED
	}
	return s.do(op, func(c *C.selsnap_selection) C.int { return f(c, &place, text[1]) })
}

// AddMountedFile adds the content of a file of a mounted file system (ext2, ext3, ext4, XFS), which is synced first. Path is
// the device or image that the file's blocks are on: the origin; file is the file as this process sees it.
func (s *Selection) AddMountedFile(path, file string) error {
	const op = "choose mounted file"
	text, free, err := texts(op, path, file)
	if err != nil {
		return err
	}
	defer free()
	return s.do(op, func(c *C.selsnap_selection) C.int {
		return C.selsnap_selection_add_mounted_file(c, text[0], text[1])
	})
}

// Ranges are the selection's ranges, sorted and apart.
func (s *Selection) Ranges() ([]selsnap.Range, error) {
	var ranges []selsnap.Range
	err := s.do("chosen ranges", func(c *C.selsnap_selection) C.int {
		for at := C.uint64_t(0); ; {
			var next C.selsnap_range
			rc := C.selsnap_selection_next(c, at, &next)
			if rc == C.SELSNAP_ENOENT {
				return C.SELSNAP_OK
			}
			if rc != C.SELSNAP_OK {
				return rc
			}
			ranges = append(ranges, selsnap.Range{Offset: int64(next.offset), Len: int64(next.len)})
			at = next.offset + next.len
		}
	})
	return ranges, err
}

// AddTo adds the selection to a subset: each block that has a byte of it.
func (s *Selection) AddTo(subset *selsnap.Subset) error {
	return s.with("add what is chosen", subset, func(c *C.selsnap_selection, to *C.selsnap_subset) C.int {
		return C.selsnap_selection_add_to(c, to)
	})
}

// TakeFrom takes the selection out of a subset: each block that lies in it with all its bytes.
func (s *Selection) TakeFrom(subset *selsnap.Subset) error {
	return s.with("take out what is chosen", subset, func(c *C.selsnap_selection, from *C.selsnap_subset) C.int {
		return C.selsnap_selection_take_from(c, from)
	})
}

func (s *Selection) with(op string, subset *selsnap.Subset, f func(*C.selsnap_selection, *C.selsnap_subset) C.int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		return &selsnap.Error{Op: op, Err: selsnap.ErrClosed}
	}
	return inner.ChangeSubset(op, subset, func(to unsafe.Pointer) error {
		return failure(op, s.c, f(s.c, (*C.selsnap_subset)(to)))
	})
}

// Partitions lists a device's or an image's partition table: GPT, MBR with logical partitions, and others.
func Partitions(path string) ([]Partition, error) {
	const op = "list partitions"
	text, free, err := texts(op, path)
	if err != nil {
		return nil, err
	}
	defer free()
	selection, err := New()
	if err != nil {
		return nil, err
	}
	defer selection.Close()
	var found []Partition
	err = selection.do(op, func(c *C.selsnap_selection) C.int {
		told := C.selsnap_partition{struct_size: C.sizeof_selsnap_partition}
		for {
			rc := C.selsnap_partition_next(c, text[0], told.number, &told)
			if rc == C.SELSNAP_ENOENT {
				return C.SELSNAP_OK
			}
			if rc != C.SELSNAP_OK {
				return rc
			}
			found = append(found, Partition{
				Number: int(told.number), Offset: int64(told.offset), Len: int64(told.len),
				Type: C.GoString(&told._type[0]), Name: C.GoString(&told.name[0]),
			})
		}
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
