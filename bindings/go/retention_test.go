// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"selsnap"
)

func TestHoldAndRelease(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	ok(t, r.HoldSnapshot(id))
	fails(t, r.DeleteSnapshot(id), selsnap.ErrHeld)
	info, err := r.Snapshot(id)
	ok(t, err)
	same(t, "holds", info.Holds, 1)
	ok(t, r.ReleaseSnapshot(id))
	fails(t, r.ReleaseSnapshot(id), selsnap.ErrInvalid)
	ok(t, r.DeleteSnapshot(id))
	fails(t, r.HoldSnapshot(id), selsnap.ErrNotExist)
}

func TestHoldWithReasonAndLock(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	hold, err := r.AddHold(id, &selsnap.HoldOptions{Reason: "audit", Until: until})
	ok(t, err)
	locked, err := r.AddHold(id, &selsnap.HoldOptions{Reason: "law", Until: until, Lock: true})
	ok(t, err)
	plain, err := r.AddHold(id, nil)
	ok(t, err)
	list := all(t, r.Holds(id))
	same(t, "holds", len(list), 3)
	same(t, "number", list[0].Number, hold)
	same(t, "reason", list[0].Reason, "audit")
	same(t, "until", list[0].Until.Equal(until), true)
	same(t, "lock", [3]bool{list[0].Lock, list[1].Lock, list[2].Lock}, [3]bool{false, true, false})
	same(t, "no end", list[2].Until.IsZero(), true)
	ok(t, r.ReleaseHold(id, plain))
	fails(t, r.ReleaseHold(id, plain), selsnap.ErrNotExist)
	fails(t, r.ReleaseHold(id, locked), selsnap.ErrHeld)
	fails(t, r.SetHoldEnd(id, locked, until.Add(-time.Minute)), selsnap.ErrHeld)
	ok(t, r.SetHoldEnd(id, locked, until.Add(time.Minute)))
	ok(t, r.SetHoldEnd(id, hold, time.Time{}))
	ok(t, r.ReleaseHold(id, hold))
	fails(t, r.DeleteSnapshot(id), selsnap.ErrHeld)
	same(t, "left", all(t, r.Holds(id))[0].Until.Equal(until.Add(time.Minute)), true)
	_, err = r.AddHold(id, &selsnap.HoldOptions{Lock: true})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.Holds(99).All()
	fails(t, err, selsnap.ErrNotExist)
}

func TestExpiry(t *testing.T) {
	r := newRig(t, nil)
	old, young, never := r.create("old"), r.create("young"), r.create("never")
	now := time.Now()
	ok(t, r.SetExpiry(old, now.Add(-time.Hour)))
	ok(t, r.SetExpiry(young, now.Add(time.Hour)))
	when, err := r.Expiry(young)
	ok(t, err)
	same(t, "expiry", when.Equal(now.Add(time.Hour)), true)
	when, err = r.Expiry(never)
	ok(t, err)
	same(t, "none", when.IsZero(), true)
	told := ""
	options := &selsnap.ExpireOptions{DryRun: true, Verdict: func(v selsnap.Verdict) error {
		told += fmt.Sprint(v.Snapshot.Name, " ", v.Delete, " ", v.Reasons)
		return nil
	}}
	count, err := r.Expire(background, options)
	ok(t, err)
	same(t, "would go", count, 1)
	same(t, "told", told, "old true expired")
	same(t, "still there", len(all(t, r.Snapshots())), 3)
	count, err = r.Expire(background, nil)
	ok(t, err)
	same(t, "gone", count, 1)
	_, err = r.Snapshot(old)
	fails(t, err, selsnap.ErrNotExist)
	count, err = r.Expire(background, &selsnap.ExpireOptions{Now: now.Add(2 * time.Hour)})
	ok(t, err)
	same(t, "gone later", count, 1)
	same(t, "left", all(t, r.Snapshots())[0].ID, never)
}

func TestKeepRules(t *testing.T) {
	r := newRig(t, nil)
	day := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := 0; i < 6; i++ {
		_, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: fmt.Sprint("s", i), Time: day.AddDate(0, 0, i)})
		ok(t, err)
	}
	ok(t, r.HoldSnapshot(all(t, r.Snapshots())[0].ID))
	stop := errors.New("enough")
	_, err := r.Retain(background, selsnap.KeepRules{Last: 2, Verdict: func(v selsnap.Verdict) error { return stop }})
	fails(t, err, selsnap.ErrCanceled, stop)
	same(t, "still there", len(all(t, r.Snapshots())), 6)
	told := ""
	rules := selsnap.KeepRules{Last: 2, Daily: 3, DryRun: true, Verdict: func(v selsnap.Verdict) error {
		told += fmt.Sprintf("%s:%v(%v) ", v.Snapshot.Name, v.Delete, v.Reasons)
		return nil
	}}
	count, err := r.Retain(background, rules)
	ok(t, err)
	same(t, "would go", count, 2)
	same(t, "told", told, "s5:false(last, daily) s4:false(last, daily) s3:false(daily) s2:true(no rule) "+
		"s1:true(no rule) s0:false(held, no rule) ")
	rules.DryRun = false
	count, err = r.Retain(background, rules)
	ok(t, err)
	same(t, "gone", count, 2)
	same(t, "left", len(all(t, r.Snapshots())), 4)
	count, err = r.Retain(background, selsnap.KeepRules{Last: selsnap.KeepAll, NamePrefix: "s"})
	ok(t, err)
	same(t, "gone of all", count, 0)
	_, err = r.Retain(background, selsnap.KeepRules{})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.Retain(background, selsnap.KeepRules{Last: 1, Designation: "unknown"})
	fails(t, err, selsnap.ErrNotExist)
	_, err = r.Retain(canceled(), selsnap.KeepRules{Last: 1})
	fails(t, err, selsnap.ErrCanceled)
	same(t, "left", len(all(t, r.Snapshots())), 4)
}

func TestSpaceFreed(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	for i := int64(0); i < 8; i++ {
		_, err := r.WriteAt(numbered(uint64(i), 1), i*block)
		ok(t, err)
	}
	a, b := r.create("a"), r.create("b")
	for i := int64(0); i < 8; i++ {
		_, err := r.WriteAt(numbered(uint64(i), 2), i*block)
		ok(t, err)
	}
	alone, err := r.SpaceFreed(background, []uint64{a}, nil)
	ok(t, err)
	told := false
	both, err := r.SpaceFreed(background, []uint64{a, b}, func(done, total uint64) { told = true })
	ok(t, err)
	same(t, "bytes", [2]uint64{alone, both}, [2]uint64{0, 8 * block})
	same(t, "told", told, true)
	none, err := r.SpaceFreed(background, nil, nil)
	ok(t, err)
	same(t, "of none", none, 0)
	_, err = r.SpaceFreed(background, []uint64{99}, nil)
	fails(t, err, selsnap.ErrNotExist)
}

func TestQuotaSnapshot(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	ok(t, r.SetSnapshotQuota(id, 4*block))
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	for i := int64(0); i < 4; i++ {
		_, err := view.WriteAt(numbered(uint64(i), 1), i*block)
		ok(t, err)
	}
	_, err := view.WriteAt(numbered(4, 1), 4*block)
	fails(t, err, selsnap.ErrQuota)
	quota, used, err := r.SnapshotQuota(id)
	ok(t, err)
	same(t, "quota", [2]int64{quota, used}, [2]int64{4 * block, 4 * block})
	info, err := r.Snapshot(id)
	ok(t, err)
	same(t, "told", info.QuotaBytes, 4*block)
	ok(t, r.SetSnapshotQuota(id, 0))
	_, err = view.WriteAt(numbered(4, 1), 4*block)
	ok(t, err)
	fails(t, r.SetSnapshotQuota(99, 0), selsnap.ErrNotExist)
	fails(t, r.SetSnapshotQuota(id, -1), selsnap.ErrRange)
}
