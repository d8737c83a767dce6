// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import "unsafe"

// ReadsAs is what reads of blocks give that a snapshot does not designate.
type ReadsAs uint32

// What undesignated blocks read as.
const (
	AsError ReadsAs = C.SELSNAP_UNDESIGNATED_ERROR // ErrUndesignated.
	AsZeros ReadsAs = C.SELSNAP_UNDESIGNATED_ZEROS // Zeros.
	AsLive  ReadsAs = C.SELSNAP_UNDESIGNATED_LIVE  // What the live device holds now.
)

// ViewOptions tell which view to open.
type ViewOptions struct {
	ID           uint64  // The snapshot; or 0, and Name is given.
	Name         string  // Its name; or empty, and ID is given.
	Writable     bool    // Writes are allowed; the device never sees them.
	Pristine     bool    // Read the snapshot as it was taken, without what was written into it. Not with Writable.
	Undesignated ReadsAs // What undesignated blocks read as.
}

// View is a snapshot opened for reading (io.ReaderAt), or for reading and writing (io.WriterAt). It may be used by several
// goroutines at once. For an io.Reader and io.Seeker, use io.NewSectionReader(view, 0, view.Size()).
type View struct {
	life  *life
	c     *C.selsnap_view
	store *Store
	size  int64
}

// OpenView opens a snapshot. The store cannot be closed before it. Views of one snapshot that are not pristine see each
// other's writes.
func (s *Store) OpenView(options ViewOptions) (*View, error) {
	const op = "open view"
	var m memory
	defer m.free()
	name := m.text(options.Name)
	if err := m.checked(op); err != nil {
		return nil, err
	}
	id := options.ID
	if id != 0 && name != nil {
		return nil, invalid(op, "either an id or a name is given, not both")
	}
	if id == 0 && name != nil {
		found, err := s.FindSnapshot(options.Name)
		if err != nil {
			return nil, err
		}
		id = found.ID
	}
	if err := s.life.retain(op); err != nil {
		return nil, err
	}
	v := &View{life: newLife(), store: s}
	c := C.selsnap_view_options{
		struct_size:  C.sizeof_selsnap_view_options,
		flags:        flag(options.Writable, C.SELSNAP_VIEW_WRITABLE) | flag(options.Pristine, C.SELSNAP_VIEW_PRISTINE),
		id:           C.uint64_t(id),
		undesignated: C.uint32_t(options.Undesignated),
	}
	err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_view_open(ss, &c, &v.c) })
	if err != nil {
		s.life.release()
		return nil, err
	}
	// An open view keeps its snapshot from being deleted.
	info, err := s.Snapshot(id)
	if err != nil {
		_ = v.Close()
		return nil, err
	}
	v.size = info.OriginBytes
	return v, nil
}

// Size is where the view ends: the size of the origin when the snapshot was made.
func (v *View) Size() int64 { return v.size }

// Close flushes the view and closes it, also if that fails. It does nothing if the view was closed before.
func (v *View) Close() error {
	const op = "close view"
	return v.life.close(op, func() (bool, error) {
		defer v.store.life.release()
		return true, v.store.result(op, C.selsnap_view_close(v.c))
	})
}

func (v *View) do(op string, f func() C.int) error {
	if err := v.life.enter(op); err != nil {
		return err
	}
	defer v.life.leave()
	return v.store.result(op, f())
}

// ReadAt reads from the snapshot (io.ReaderAt), straight into p.
func (v *View) ReadAt(p []byte, off int64) (int, error) {
	const op = "read view"
	if err := v.life.enter(op); err != nil {
		return 0, err
	}
	defer v.life.leave()
	n, end := clip(op, len(p), off, v.size)
	if n == 0 {
		return 0, end
	}
	rc := C.selsnap_view_read(v.c, unsafe.Pointer(&p[0]), C.size_t(n), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, v.store.result(op, rc)
	}
	return n, end
}

// WriteAt writes into the snapshot (io.WriterAt), straight from p. Neither the live device nor another snapshot sees it. It
// is volatile until Flush. A write that fails tells of no bytes, although a first part may be written.
func (v *View) WriteAt(p []byte, off int64) (int, error) {
	const op = "write view"
	if off < 0 {
		return 0, negative(op)
	}
	if err := v.life.enter(op); err != nil {
		return 0, err
	}
	defer v.life.leave()
	if len(p) == 0 {
		return 0, nil
	}
	rc := C.selsnap_view_write(v.c, unsafe.Pointer(&p[0]), C.size_t(len(p)), C.uint64_t(off))
	if rc != C.SELSNAP_OK {
		return 0, v.store.result(op, rc)
	}
	return len(p), nil
}

// Discard makes a range of the snapshot read as zeros, without taking space for whole blocks.
func (v *View) Discard(off, length int64) error {
	const op = "discard view"
	if off < 0 || length < 0 {
		return negative(op)
	}
	return v.do(op, func() C.int { return C.selsnap_view_discard(v.c, C.uint64_t(off), C.uint64_t(length)) })
}

// Flush makes what was written into the snapshot durable.
func (v *View) Flush() error {
	return v.do("flush view", func() C.int { return C.selsnap_view_flush(v.c) })
}

// Reset drops all that was written into the snapshot: it is again as it was taken.
func (v *View) Reset() error {
	return v.do("reset view", func() C.int { return C.selsnap_view_reset(v.c) })
}
