// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"strings"
	"time"
	"unsafe"
)

// HoldOptions tell what hold to add; all may be left out.
type HoldOptions struct {
	Reason string    // Why; 0 to 255 bytes.
	Until  time.Time // When it ends, later than now; zero: never by itself.
	Lock   bool      // It cannot be released before its end, nor its end be made earlier. It must have an end.
}

// Hold tells about a hold.
type Hold struct {
	Number uint64 // Never reused.
	Reason string
	Since  time.Time // When it was added.
	Until  time.Time // When it ends; zero: never by itself.
	Lock   bool
	Ended  bool // Its end has passed: it holds no more.
}

// AddHold holds a snapshot, with a reason and perhaps an end: until then it cannot be deleted. It returns the hold's number.
// Nothing in the library lifts a lock before its end; the clock is the host's.
func (s *Store) AddHold(id uint64, options *HoldOptions) (uint64, error) {
	const op = "add hold"
	if options == nil {
		options = &HoldOptions{}
	}
	var m memory
	defer m.free()
	c := C.selsnap_hold_options{
		struct_size: C.sizeof_selsnap_hold_options,
		flags:       flag(options.Lock, C.SELSNAP_HOLD_LOCK),
		until_ns:    nanos(options.Until),
		reason:      m.text(options.Reason),
	}
	if err := m.checked(op); err != nil {
		return 0, err
	}
	var hold C.uint64_t
	err := s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_hold_add(ss, C.uint64_t(id), &c, &hold) })
	return uint64(hold), err
}

// SetHoldEnd gives a hold another end; zero: none, for a hold that is no lock. A lock's end only moves to a later time.
func (s *Store) SetHoldEnd(id, hold uint64, until time.Time) error {
	return s.do("set hold end", func(ss *C.selsnap) C.int {
		return C.selsnap_hold_set_end(ss, C.uint64_t(id), C.uint64_t(hold), nanos(until))
	})
}

// ReleaseHold takes a hold of AddHold away; a lock only when its end has passed.
func (s *Store) ReleaseHold(id, hold uint64) error {
	return s.do("release hold", func(ss *C.selsnap) C.int {
		return C.selsnap_hold_release(ss, C.uint64_t(id), C.uint64_t(hold))
	})
}

// Holds goes through the holds of AddHold that a snapshot has, by rising number.
func (s *Store) Holds(id uint64) *Iter[Hold] {
	after := C.uint64_t(0)
	return &Iter[Hold]{step: func() (Hold, error) {
		c := C.selsnap_hold_info{struct_size: C.sizeof_selsnap_hold_info}
		err := s.do("holds", func(ss *C.selsnap) C.int { return C.selsnap_hold_next(ss, C.uint64_t(id), after, &c) })
		after = c.hold
		return Hold{
			Number: uint64(c.hold), Reason: C.GoString(&c.reason[0]), Since: timeOf(c.since_ns), Until: timeOf(c.until_ns),
			Lock: c.flags&C.SELSNAP_HOLD_LOCK != 0, Ended: c.ended != 0,
		}, s.endedOf(id, err)
	}}
}

// SetExpiry notes when a snapshot expires; zero: never. Nothing happens by itself then: see Expire.
func (s *Store) SetExpiry(id uint64, when time.Time) error {
	return s.do("set expiry", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_set_expiry(ss, C.uint64_t(id), nanos(when))
	})
}

// Expiry is when a snapshot expires; zero: never.
func (s *Store) Expiry(id uint64) (time.Time, error) {
	var when C.int64_t
	err := s.do("expiry", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_get_expiry(ss, C.uint64_t(id), &when)
	})
	return timeOf(when), err
}

// Reasons are why a snapshot is kept or deleted, a set.
type Reasons uint32

// The reasons.
const (
	KeptLast    Reasons = C.SELSNAP_REASON_LAST    // One of the last ones.
	KeptHourly  Reasons = C.SELSNAP_REASON_HOURLY  // The newest of an hour.
	KeptDaily   Reasons = C.SELSNAP_REASON_DAILY   // The newest of a day.
	KeptWeekly  Reasons = C.SELSNAP_REASON_WEEKLY  // The newest of a week (ISO: from Monday on).
	KeptMonthly Reasons = C.SELSNAP_REASON_MONTHLY // The newest of a month.
	KeptYearly  Reasons = C.SELSNAP_REASON_YEARLY  // The newest of a year.
	KeptHeld    Reasons = C.SELSNAP_REASON_HELD    // It is held.
	KeptInUse   Reasons = C.SELSNAP_REASON_IN_USE  // A view of it is open, or a restore reads from it.
	Expired     Reasons = C.SELSNAP_REASON_EXPIRED // It has expired.
	NoRule      Reasons = C.SELSNAP_REASON_NO_RULE // No rule keeps it.
)

// String names the reasons, such as "last, daily".
func (r Reasons) String() string {
	names := []string{"last", "hourly", "daily", "weekly", "monthly", "yearly", "held", "in use", "expired", "no rule"}
	var there []string
	for i, name := range names {
		if r&(1<<i) != 0 {
			there = append(there, name)
		}
	}
	return strings.Join(there, ", ")
}

// Verdict is what becomes of a snapshot.
type Verdict struct {
	Snapshot Snapshot
	Delete   bool // It was deleted, or, in a dry run, would be.
	Reasons  Reasons
}

// ExpireOptions tell how Expire works; all may be left out.
type ExpireOptions struct {
	Now    time.Time // The time to judge by; zero: the host's clock.
	DryRun bool      // Delete nothing; only tell what would be.
	// Verdict, if given, is told of each snapshot looked at, after it was done. An error stops the rest. It may use the store.
	Verdict func(Verdict) error
}

// Expire deletes the snapshots that have expired and are neither held nor in use, and returns how many.
func (s *Store) Expire(ctx context.Context, options *ExpireOptions) (int, error) {
	if options == nil {
		options = &ExpireOptions{}
	}
	var count C.uint64_t
	err := s.work(ctx, "expire", &call{verdict: options.Verdict}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		flags := flag(options.DryRun, C.SELSNAP_RETAIN_DRY_RUN)
		return C.ssgo_expire(ss, nanos(options.Now), flags, handle, &count)
	})
	return int(count), err
}

// KeepAll is a number of KeepRules that is as good as all.
const KeepAll = 1<<32 - 1

// KeepRules tell which snapshots Retain keeps. At least one of the numbers is not 0.
type KeepRules struct {
	Last        uint32        // So many of the newest.
	Hourly      uint32        // The newest of each hour, for so many hours that have one.
	Daily       uint32        // The same for days,
	Weekly      uint32        // weeks, from Monday on,
	Monthly     uint32        // months,
	Yearly      uint32        // and years.
	UTCOffset   time.Duration // East of Greenwich is positive: by whose clock days begin; whole seconds, within a day.
	NamePrefix  string        // Only snapshots whose name begins so; empty: all.
	Designation string        // Only those of the saved designation that has this name now; empty: all.
	Bookmarks   bool          // Bookmarks as well, as if they were snapshots. Otherwise they are left alone.
	DryRun      bool          // Delete nothing; only tell what would be.
	// Verdict, if given, is told of each snapshot looked at, after it was done, newest first. An error stops the rest. It may
	// use the store.
	Verdict func(Verdict) error
}

// Retain keeps the snapshots that a rule keeps, deletes the others that are neither held nor in use, and returns how many.
func (s *Store) Retain(ctx context.Context, rules KeepRules) (int, error) {
	const op = "retain"
	var m memory
	defer m.free()
	c := C.selsnap_keep_rules{
		struct_size: C.sizeof_selsnap_keep_rules,
		last:        C.uint32_t(rules.Last), hourly: C.uint32_t(rules.Hourly), daily: C.uint32_t(rules.Daily),
		weekly: C.uint32_t(rules.Weekly), monthly: C.uint32_t(rules.Monthly), yearly: C.uint32_t(rules.Yearly),
		utc_offset_seconds: C.int32_t(rules.UTCOffset / time.Second),
		name_prefix:        m.text(rules.NamePrefix),
		designation:        m.text(rules.Designation),
	}
	if err := m.checked(op); err != nil {
		return 0, err
	}
	var count C.uint64_t
	err := s.work(ctx, op, &call{verdict: rules.Verdict}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		flags := flag(rules.DryRun, C.SELSNAP_RETAIN_DRY_RUN) | flag(rules.Bookmarks, C.SELSNAP_RETAIN_BOOKMARKS)
		return C.ssgo_retain(ss, &c, flags, handle, &count)
	})
	return int(count), err
}

// SpaceFreed is how many bytes of the store deleting some snapshots together would free. Progress may be nil.
func (s *Store) SpaceFreed(ctx context.Context, ids []uint64, progress Progress) (uint64, error) {
	var first *C.uint64_t
	if len(ids) > 0 {
		first = (*C.uint64_t)(unsafe.Pointer(&ids[0]))
	}
	var bytes C.uint64_t
	err := s.work(ctx, "space freed", &call{progress: progress}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_space_freed(ss, first, C.uint32_t(len(ids)), handle, &bytes)
	})
	return uint64(bytes), err
}
