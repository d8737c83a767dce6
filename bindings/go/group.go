// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"encoding/hex"
	"time"
	"unsafe"
)

// GroupMaxMembers is how many members a group can have.
const GroupMaxMembers = C.SELSNAP_GROUP_MEMBERS_MAX

// GroupID names a consistency group.
type GroupID [C.SELSNAP_GROUP_ID_SIZE]byte

// String is the id in hexadecimal digits.
func (id GroupID) String() string { return hex.EncodeToString(id[:]) }

// GroupMember is one member of a group to be made.
type GroupMember struct {
	Store   *Store // No two members have the same.
	Options SnapshotOptions
}

// GroupOptions tell how to make a group; all may be left out.
type GroupOptions struct {
	Name string // A text that every member records; need not be unique.
	// Before, if given, is called first, to bring the application to rest; at most timeout is left for it. With an error, no
	// snapshot is made, and the error is in the chain of CreateGroup's. It may use the stores.
	Before func(timeout time.Duration) error
	// After, if given, is called once the application may go on, in every case in which Before was called, or is nil and the
	// arguments are in order. It is told nil or the failure so far. It may only read, write and flush the stores.
	After   func(err error)
	Timeout time.Duration // Until the points must be taken, from the call on; 0: 10 seconds.
	Time    time.Time     // The group's time; zero: now.
}

// CreateGroup makes a snapshot in each of several stores, all of one instant, and returns the group's id and the snapshots'.
func CreateGroup(members []GroupMember, options *GroupOptions) (GroupID, []uint64, error) {
	const op = "create group"
	if options == nil {
		options = &GroupOptions{}
	}
	if len(members) == 0 || options.Timeout < 0 {
		return GroupID{}, nil, invalid(op, "there is no member, or the timeout is negative")
	}
	stores := make([]*Store, len(members))
	subsets := make([]*Subset, len(members))
	for i, member := range members {
		stores[i], subsets[i] = member.Store, member.Options.Subset
	}
	leave, err := enterAll(op, stores)
	if err != nil {
		return GroupID{}, nil, err
	}
	defer leave()
	unlock, err := reading(op, subsets...)
	if err != nil {
		return GroupID{}, nil, err
	}
	defer unlock()
	var m memory
	defer m.free()
	array := (*C.selsnap_group_member)(m.alloc(len(members) * C.sizeof_selsnap_group_member))
	for i := range members {
		unsafe.Slice(array, len(members))[i] = C.selsnap_group_member{
			ss: stores[i].c, options: members[i].Options.c(&m),
		}
	}
	c := C.selsnap_group_options{
		struct_size: C.sizeof_selsnap_group_options,
		name:        m.text(options.Name),
		timeout_ns:  C.uint64_t(options.Timeout),
		time_ns:     nanos(options.Time),
	}
	if err := m.checked(op); err != nil {
		return GroupID{}, nil, err
	}
	var group GroupID
	ids := make([]uint64, len(members))
	told := call{before: options.Before, after: options.After}
	rc, cause := told.run(func(handle C.uintptr_t) C.int {
		wants := flag(options.Before != nil, C.SSGO_BEFORE) | flag(options.After != nil, C.SSGO_AFTER)
		return C.ssgo_group_create(array, C.uint32_t(len(members)), &c, handle, wants,
			(*C.uint8_t)(unsafe.Pointer(&group[0])), (*C.uint64_t)(unsafe.Pointer(&ids[0])))
	})
	if rc != C.SELSNAP_OK {
		return GroupID{}, nil, failure(op, rc, detailOf(stores, rc), cause)
	}
	return group, ids, nil
}

// detailOf is what the first of the stores says that failed so.
func detailOf(stores []*Store, rc C.int) string {
	for _, s := range stores {
		if code, text := s.lastError(); code == rc {
			return text
		}
	}
	return ""
}

// enterAll begins a call on several stores, and returns what ends it.
func enterAll(op string, stores []*Store) (func(), error) {
	var entered []*Store
	leave := func() {
		for _, s := range entered {
			s.life.leave()
		}
	}
	for _, s := range stores {
		if s == nil {
			leave()
			return nil, invalid(op, "a store is nil")
		}
		if err := s.life.enter(op); err != nil {
			leave()
			return nil, err
		}
		entered = append(entered, s)
	}
	return leave, nil
}

// Group tells of which group a snapshot is a member.
type Group struct {
	ID      GroupID
	Name    string    // May be empty.
	Time    time.Time // The group's.
	Member  int       // The snapshot's number in the group, from 0.
	Members int       // That the group was made with.
}

// SnapshotGroup is the group that a snapshot was made in; ErrNotExist if it was made alone.
func (s *Store) SnapshotGroup(id uint64) (Group, error) {
	c := C.selsnap_group_info{struct_size: C.sizeof_selsnap_group_info}
	err := s.do("snapshot group", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_get_group(ss, C.uint64_t(id), &c)
	})
	return Group{
		ID: *(*GroupID)(unsafe.Pointer(&c.id)), Name: C.GoString(&c.name[0]), Time: timeOf(c.time_ns),
		Member: int(c.member), Members: int(c.members),
	}, err
}

// GroupStatus is what there is of a group.
type GroupStatus struct {
	Complete bool // Every member is there.
	Members  int  // That it was made with.
	Present  int  // Of these, found in the stores given.
	Missing  int  // The others: in other stores, deleted, or never made.
}

// CheckGroup counts the members of a group that several stores have.
func CheckGroup(stores []*Store, id GroupID) (GroupStatus, error) {
	const op = "check group"
	if len(stores) == 0 {
		return GroupStatus{}, invalid(op, "there is no store")
	}
	leave, err := enterAll(op, stores)
	if err != nil {
		return GroupStatus{}, err
	}
	defer leave()
	var m memory
	defer m.free()
	array := (**C.selsnap)(m.alloc(len(stores) * int(unsafe.Sizeof(uintptr(0)))))
	for i, s := range stores {
		unsafe.Slice(array, len(stores))[i] = s.c
	}
	c := C.selsnap_group_status{struct_size: C.sizeof_selsnap_group_status}
	rc := C.selsnap_group_check(array, C.uint32_t(len(stores)), (*C.uint8_t)(unsafe.Pointer(&id[0])), &c)
	return GroupStatus{
		Complete: c.complete != 0, Members: int(c.members), Present: int(c.present), Missing: int(c.missing),
	}, failure(op, rc, detailOf(stores, rc), nil)
}
