// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

// Designation tells about a subset saved in the store. It never changes: saving under an old name makes a new one.
type Designation struct {
	ID         uint64 // Never reused.
	Name       string
	BlockCount uint64 // Blocks in it.
	RangeCount uint64 // Ranges in it.
	Snapshots  uint64 // Snapshots that use it.
}

// SaveDesignation saves a subset under a name, and returns the designation's id. An old designation of that name loses it.
func (s *Store) SaveDesignation(name string, subset *Subset) (uint64, error) {
	const op = "save designation"
	if subset == nil {
		return 0, invalid(op, "the subset is nil")
	}
	unlock, err := reading(op, subset)
	if err != nil {
		return 0, err
	}
	defer unlock()
	var id C.uint64_t
	err = s.named(op, name, func(ss *C.selsnap, text *C.char) C.int {
		return C.selsnap_designation_save(ss, text, subset.c, &id)
	})
	return uint64(id), err
}

// named is do with a name.
func (s *Store) named(op, name string, f func(ss *C.selsnap, text *C.char) C.int) error {
	var m memory
	defer m.free()
	text := m.textOrEmpty(name)
	if err := m.checked(op); err != nil {
		return err
	}
	return s.do(op, func(ss *C.selsnap) C.int { return f(ss, text) })
}

// LoadDesignation reads a saved designation.
func (s *Store) LoadDesignation(name string) (*Subset, error) {
	var c *C.selsnap_subset
	err := s.named("load designation", name, func(ss *C.selsnap, text *C.char) C.int {
		return C.selsnap_designation_load(ss, text, &c)
	})
	if err != nil {
		return nil, err
	}
	return ownSubset(c), nil
}

// DeleteDesignation takes the name from a designation. Snapshots that use it keep it.
func (s *Store) DeleteDesignation(name string) error {
	return s.named("delete designation", name, func(ss *C.selsnap, text *C.char) C.int {
		return C.selsnap_designation_delete(ss, text)
	})
}

// Designations goes through the named designations, by rising id.
func (s *Store) Designations() *Iter[Designation] {
	after := C.uint64_t(0)
	return &Iter[Designation]{step: func() (Designation, error) {
		c := C.selsnap_designation_info{struct_size: C.sizeof_selsnap_designation_info}
		err := s.do("designations", func(ss *C.selsnap) C.int { return C.selsnap_designation_next(ss, after, &c) })
		after = c.id
		return Designation{
			ID: uint64(c.id), Name: C.GoString(&c.name[0]),
			BlockCount: uint64(c.block_count), RangeCount: uint64(c.range_count), Snapshots: uint64(c.snapshots),
		}, ended(err)
	}}
}
