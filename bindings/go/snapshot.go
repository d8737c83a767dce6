// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"sort"
	"time"
	"unsafe"
)

// Policy is what happens when there is no room to preserve a block.
type Policy uint32

// The policies.
const (
	FailWrite   Policy = C.SELSNAP_POLICY_FAIL_WRITE    // Fail the write; the snapshot stays whole.
	GiveUpBlock Policy = C.SELSNAP_POLICY_GIVE_UP_BLOCK // Record the block as lost in the snapshot, then write.
)

// SnapshotOptions tell what snapshot to make.
type SnapshotOptions struct {
	Name        string            // 1 to 255 bytes; no live snapshot has it.
	Designation string            // A saved designation's name; or empty.
	Subset      *Subset           // Which blocks, if Designation is empty; nil as well: the whole origin.
	Policy      Policy            // When there is no room.
	Time        time.Time         // To note; zero: now.
	Properties  map[string]string // At most 16; keys of 1 to 255 bytes, values of 0 to 768.
	Bookmark    bool              // Record only which blocks change, for Diff, and keep no data.
}

// c makes options for C; its memory is m's, and the subset is locked by the caller.
func (o *SnapshotOptions) c(m *memory) *C.selsnap_snapshot_options {
	c := (*C.selsnap_snapshot_options)(m.alloc(C.sizeof_selsnap_snapshot_options))
	*c = C.selsnap_snapshot_options{
		struct_size: C.sizeof_selsnap_snapshot_options,
		policy:      C.uint32_t(o.Policy),
		name:        m.textOrEmpty(o.Name),
		designation: m.text(o.Designation),
		subset:      o.Subset.of(),
		time_ns:     nanos(o.Time),
		flags:       flag(o.Bookmark, C.SELSNAP_SNAPSHOT_BOOKMARK),
	}
	c.properties, c.property_count = m.properties(o.Properties)
	return c
}

// properties are those of a map, in the order of keys.
func (m *memory) properties(properties map[string]string) (*C.selsnap_property, C.uint32_t) {
	if len(properties) == 0 {
		return nil, 0
	}
	keys := make([]string, 0, len(properties))
	for key := range properties {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	array := (*C.selsnap_property)(m.alloc(len(keys) * C.sizeof_selsnap_property))
	for i, key := range keys {
		unsafe.Slice(array, len(keys))[i] = C.selsnap_property{
			key: m.textOrEmpty(key), value: m.textOrEmpty(properties[key]),
		}
	}
	return array, C.uint32_t(len(keys))
}

// CreateSnapshot makes a snapshot, and returns its id: from this point on, its blocks are preserved before they change.
// Durable on return, with everything the origin acknowledged before.
func (s *Store) CreateSnapshot(options SnapshotOptions) (uint64, error) {
	const op = "create snapshot"
	var m memory
	defer m.free()
	unlock, err := reading(op, options.Subset)
	if err != nil {
		return 0, err
	}
	defer unlock()
	c := options.c(&m)
	if err := m.checked(op); err != nil {
		return 0, err
	}
	var id C.uint64_t
	err = s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_snapshot_create(ss, c, &id) })
	return uint64(id), err
}

// CloneOptions tell what to clone, and how.
type CloneOptions struct {
	Source     uint64            // The snapshot to clone; it may be a clone.
	Name       string            // Of the clone.
	AsChanged  bool              // Begin with what was written into the source, without copying it.
	Policy     Policy            // Of the clone: the source's is not taken over.
	Time       time.Time         // To note; zero: now.
	Properties map[string]string // Of the clone: the source's are not taken over.
}

// CloneSnapshot makes a snapshot of the same point and the same blocks as one there is, and returns its id. Either may be
// deleted first.
func (s *Store) CloneSnapshot(options CloneOptions) (uint64, error) {
	const op = "clone snapshot"
	var m memory
	defer m.free()
	c := C.selsnap_clone_options{
		struct_size: C.sizeof_selsnap_clone_options,
		flags:       flag(options.AsChanged, C.SELSNAP_CLONE_AS_CHANGED),
		source_id:   C.uint64_t(options.Source),
		name:        m.textOrEmpty(options.Name),
		policy:      C.uint32_t(options.Policy),
		time_ns:     nanos(options.Time),
	}
	c.properties, c.property_count = m.properties(options.Properties)
	if err := m.checked(op); err != nil {
		return 0, err
	}
	var id C.uint64_t
	err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_snapshot_clone(ss, &c, &id) })
	return uint64(id), err
}

// Snapshot tells about a snapshot.
type Snapshot struct {
	ID            uint64    // Never reused.
	Name          string    // Its name.
	Time          time.Time // As given, or when it was made.
	Point         uint64    // Its point in time, as an epoch.
	Policy        Policy    // When there is no room.
	DesignationID uint64    // Its subset.
	Designation   string    // The designation's name; may be empty.
	BlockCount    uint64    // Blocks designated.
	RangeCount    uint64    // Ranges designated.
	Holds         int       // Deletion is refused while there are any.
	OpenViews     int       // Views open now.
	Changed       bool      // It was written into since it was made or reset.
	Restoring     bool      // A restore reads from it.
	Bookmark      bool      // It keeps no data.
	QuotaBytes    int64     // That may be written into it; 0: no quota.
	OriginBytes   int64     // Size of the origin when it was made.
}

func snapshotOf(c *C.selsnap_snapshot_info) Snapshot {
	return Snapshot{
		ID:            uint64(c.id),
		Name:          C.GoString(&c.name[0]),
		Time:          timeOf(c.time_ns),
		Point:         uint64(c.point),
		Policy:        Policy(c.policy),
		DesignationID: uint64(c.designation_id),
		Designation:   C.GoString(&c.designation[0]),
		BlockCount:    uint64(c.block_count),
		RangeCount:    uint64(c.range_count),
		Holds:         int(c.holds),
		OpenViews:     int(c.open_views),
		Changed:       c.changed != 0,
		Restoring:     c.restoring != 0,
		Bookmark:      c.bookmark != 0,
		QuotaBytes:    int64(c.quota_bytes),
		OriginBytes:   int64(c.origin_bytes),
	}
}

func (s *Store) snapshot(op string, f func(*C.selsnap, *C.selsnap_snapshot_info) C.int) (Snapshot, error) {
	c := C.selsnap_snapshot_info{struct_size: C.sizeof_selsnap_snapshot_info}
	if err := s.do(op, func(ss *C.selsnap) C.int { return f(ss, &c) }); err != nil {
		return Snapshot{}, err
	}
	return snapshotOf(&c), nil
}

// FindSnapshot tells about the snapshot of a name.
func (s *Store) FindSnapshot(name string) (Snapshot, error) {
	c := C.selsnap_snapshot_info{struct_size: C.sizeof_selsnap_snapshot_info}
	err := s.named("find snapshot", name, func(ss *C.selsnap, text *C.char) C.int {
		return C.selsnap_snapshot_find(ss, text, &c)
	})
	if err != nil {
		return Snapshot{}, err
	}
	return snapshotOf(&c), nil
}

// Snapshot tells about the snapshot of an id.
func (s *Store) Snapshot(id uint64) (Snapshot, error) {
	return s.snapshot("snapshot", func(ss *C.selsnap, c *C.selsnap_snapshot_info) C.int {
		return C.selsnap_snapshot_get(ss, C.uint64_t(id), c)
	})
}

// Snapshots goes through the snapshots, oldest first.
func (s *Store) Snapshots() *Iter[Snapshot] {
	after := uint64(0)
	return &Iter[Snapshot]{step: func() (Snapshot, error) {
		next, err := s.snapshot("snapshots", func(ss *C.selsnap, c *C.selsnap_snapshot_info) C.int {
			return C.selsnap_snapshot_next(ss, C.uint64_t(after), c)
		})
		after = next.ID
		return next, ended(err)
	}}
}

// Usage tells what space a snapshot takes.
type Usage struct {
	PreservedBlocks uint64 // Its blocks that changed since its point: kept, zero or lost.
	ZeroBlocks      uint64 // Of these, zeros that take no space.
	LostBlocks      uint64 // Of these, lost.
	AloneBytes      uint64 // Copies that only this snapshot needs.
	SharedBytes     uint64 // Copies that other snapshots need too.
	OverlayBlocks   uint64 // Blocks written into it.
	OverlayBytes    uint64 // Space in use for what was written, without what it shares with clones.
	QuotaBytes      uint64 // That may be written into it; 0: no quota.
}

// SnapshotUsage counts what space a snapshot takes. Progress, which may be nil, is told blocks of the origin passed.
func (s *Store) SnapshotUsage(ctx context.Context, id uint64, progress Progress) (Usage, error) {
	c := C.selsnap_snapshot_usage{struct_size: C.sizeof_selsnap_snapshot_usage}
	err := s.work(ctx, "snapshot usage", &call{progress: progress}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_snapshot_get_usage(ss, C.uint64_t(id), handle, &c)
	})
	return Usage{
		PreservedBlocks: uint64(c.preserved_blocks), ZeroBlocks: uint64(c.zero_blocks), LostBlocks: uint64(c.lost_blocks),
		AloneBytes: uint64(c.alone_bytes), SharedBytes: uint64(c.shared_bytes),
		OverlayBlocks: uint64(c.overlay_blocks), OverlayBytes: uint64(c.overlay_bytes), QuotaBytes: uint64(c.quota_bytes),
	}, err
}

// BlockState is what became of blocks since a snapshot.
type BlockState uint32

// The states of blocks.
const (
	Undesignated BlockState = C.SELSNAP_BLOCKS_UNDESIGNATED // Not in the snapshot.
	Unchanged    BlockState = C.SELSNAP_BLOCKS_UNCHANGED    // Shared with the origin.
	Preserved    BlockState = C.SELSNAP_BLOCKS_PRESERVED    // Changed; the old content is in the store.
	Zero         BlockState = C.SELSNAP_BLOCKS_ZERO         // Changed; the old content was zeros.
	Lost         BlockState = C.SELSNAP_BLOCKS_LOST         // Changed; the old content is lost.
	Overlay      BlockState = C.SELSNAP_BLOCKS_OVERLAY      // Written into the snapshot.
	Changed      BlockState = C.SELSNAP_BLOCKS_CHANGED      // Changed; a bookmark keeps no content.
)

// MapRange is a range of blocks in one state.
type MapRange struct {
	Range
	State BlockState
}

// SnapshotMap goes through the device, range by range; neighbours may be in the same state.
func (s *Store) SnapshotMap(id uint64) *Iter[MapRange] {
	const op = "snapshot map"
	offset := C.uint64_t(0)
	return &Iter[MapRange]{step: func() (MapRange, error) {
		if size := s.Size(); size > 0 && int64(offset) >= size {
			return MapRange{}, errEnd
		}
		var c C.selsnap_map_range
		err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_snapshot_map(ss, C.uint64_t(id), offset, &c) })
		offset = c.offset + c.len
		return MapRange{Range{int64(c.offset), int64(c.len)}, BlockState(c.state)}, err
	}}
}

// SnapshotSubset is the subset that a snapshot designates, as a copy.
func (s *Store) SnapshotSubset(id uint64) (*Subset, error) {
	return s.subset("snapshot subset", func(ss *C.selsnap, ret **C.selsnap_subset) C.int {
		return C.selsnap_snapshot_get_subset(ss, C.uint64_t(id), ret)
	})
}

// Properties are the user's own notes on a snapshot.
func (s *Store) Properties(id uint64) (map[string]string, error) {
	properties := map[string]string{}
	after := ""
	for {
		key, value, err := s.nextProperty(id, after)
		if err = s.endedOf(id, err); err == errEnd {
			return properties, nil
		} else if err != nil {
			return nil, err
		}
		properties[key] = value
		after = key
	}
}

func (s *Store) nextProperty(id uint64, after string) (string, string, error) {
	var m memory
	defer m.free()
	text := m.textOrEmpty(after)
	var key [C.SELSNAP_PROPERTY_KEY_MAX + 1]C.char
	var value [C.SELSNAP_PROPERTY_VALUE_MAX + 1]C.char
	err := s.do("properties", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_next_property(ss, C.uint64_t(id), text, &key[0], &value[0])
	})
	return C.GoString(&key[0]), C.GoString(&value[0]), err
}

// RenameSnapshot gives a snapshot another name.
func (s *Store) RenameSnapshot(id uint64, name string) error {
	return s.named("rename snapshot", name, func(ss *C.selsnap, text *C.char) C.int {
		return C.selsnap_snapshot_rename(ss, C.uint64_t(id), text)
	})
}

// HoldSnapshot adds a hold: the snapshot cannot be deleted until each hold is released. See also AddHold.
func (s *Store) HoldSnapshot(id uint64) error {
	return s.do("hold snapshot", func(ss *C.selsnap) C.int { return C.selsnap_snapshot_hold(ss, C.uint64_t(id)) })
}

// ReleaseSnapshot takes back one hold of HoldSnapshot.
func (s *Store) ReleaseSnapshot(id uint64) error {
	return s.do("release snapshot", func(ss *C.selsnap) C.int { return C.selsnap_snapshot_release(ss, C.uint64_t(id)) })
}

// DeleteSnapshot deletes a snapshot. Its space comes back by Step.
func (s *Store) DeleteSnapshot(id uint64) error {
	return s.do("delete snapshot", func(ss *C.selsnap) C.int { return C.selsnap_snapshot_delete(ss, C.uint64_t(id)) })
}

// MakeBookmark turns a snapshot into a bookmark of the same point, id and name. Its data is given up.
func (s *Store) MakeBookmark(id uint64) error {
	return s.do("make bookmark", func(ss *C.selsnap) C.int { return C.selsnap_snapshot_make_bookmark(ss, C.uint64_t(id)) })
}

// SetSnapshotQuota bounds what may be written into a snapshot, in bytes of store space; 0: no quota.
func (s *Store) SetSnapshotQuota(id uint64, size int64) error {
	const op = "set snapshot quota"
	if size < 0 {
		return negative(op)
	}
	return s.do(op, func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_set_quota(ss, C.uint64_t(id), C.uint64_t(size))
	})
}

// SnapshotQuota is a snapshot's quota (0: none), and how much of store space what was written into it takes.
func (s *Store) SnapshotQuota(id uint64) (quota, used int64, err error) {
	var bytes, taken C.uint64_t
	err = s.do("snapshot quota", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_get_quota(ss, C.uint64_t(id), &bytes, &taken)
	})
	return int64(bytes), int64(taken), err
}
