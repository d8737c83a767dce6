// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"selsnap"
)

func TestRestoreWhole(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 64)
	id := r.create("a")
	r.put(0, 2, 64)
	job, err := r.StartRestore(selsnap.RestoreOptions{ID: id})
	ok(t, err)
	reads(t, r, 50, 1) // at once
	last := uint64(0)
	ok(t, r.RunRestore(background, job, func(done, total uint64) { last = done }))
	if last == 0 {
		t.Fatal("nothing was told")
	}
	for i := int64(0); i < 64; i++ {
		reads(t, r, i, 1)
	}
	same(t, "unfinished", len(all(t, r.Restores())), 0)
	fails(t, r.RunRestore(background, job, nil), selsnap.ErrNotExist)
	_, err = r.StartRestore(selsnap.RestoreOptions{ID: 99})
	fails(t, err, selsnap.ErrNotExist)
}

func TestRestorePart(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 64)
	id := r.create("a")
	r.put(0, 2, 64)
	subset := r.subset(0, 8*block)
	job, err := r.StartRestore(selsnap.RestoreOptions{ID: id, Subset: subset})
	ok(t, err)
	_, err = r.StartRestore(selsnap.RestoreOptions{ID: id})
	fails(t, err, selsnap.ErrBusy)
	ok(t, r.PauseRestore(job, true))
	jobs := all(t, r.Restores())
	same(t, "jobs", len(jobs), 1)
	same(t, "job", jobs[0].Job, job)
	same(t, "source", jobs[0].Snapshot, id)
	same(t, "paused", jobs[0].Paused, true)
	same(t, "blocks", jobs[0].BlocksTotal, 8)
	_, err = r.Step(background, &selsnap.StepOptions{Work: selsnap.Restore})
	ok(t, err)
	same(t, "still there", len(all(t, r.Restores())), 1)
	ok(t, r.PauseRestore(job, false))
	_, err = r.Step(background, &selsnap.StepOptions{Work: selsnap.Restore})
	ok(t, err)
	same(t, "ended", len(all(t, r.Restores())), 0)
	reads(t, r, 7, 1)
	reads(t, r, 8, 2)
	fails(t, r.PauseRestore(job, true), selsnap.ErrNotExist)
}

func TestRestoreCancel(t *testing.T) {
	const blocks = 8192
	r := newRigOn(t, memory(t, blocks*block), memory(t, 2*blocks*block), nil)
	r.put(0, 1, blocks)
	id := r.create("a")
	r.put(0, 2, blocks)
	job, err := r.StartRestore(selsnap.RestoreOptions{ID: id})
	ok(t, err)
	ctx, cancel := context.WithCancel(background)
	err = r.RunRestore(ctx, job, func(done, total uint64) { cancel() })
	fails(t, err, selsnap.ErrCanceled, context.Canceled)
	same(t, "unfinished", len(all(t, r.Restores())), 1)
	ended, stop := context.WithDeadline(background, time.Now().Add(-time.Second))
	defer stop()
	fails(t, r.RunRestore(ended, job, nil), selsnap.ErrCanceled, context.DeadlineExceeded)
	// A panic of the callback goes on where the call was made.
	func() {
		defer func() { same(t, "panic", fmt.Sprint(recover()), "from the callback") }()
		_ = r.RunRestore(background, job, func(done, total uint64) { panic("from the callback") })
	}()
	ok(t, r.RunRestore(background, job, nil))
	reads(t, r, blocks-1, 1)
}

func TestClone(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 8)
	id := r.create("a")
	r.put(0, 2, 8)
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	_, err := view.WriteAt(numbered(3, 1), 3*block)
	ok(t, err)
	taken, err := r.CloneSnapshot(selsnap.CloneOptions{
		Source: id, Name: "taken", Policy: selsnap.GiveUpBlock, Properties: map[string]string{"of": "a"},
	})
	ok(t, err)
	changed, err := r.CloneSnapshot(selsnap.CloneOptions{Source: id, Name: "changed", AsChanged: true})
	ok(t, err)
	reads(t, r.view(selsnap.ViewOptions{ID: taken}), 3, 1)
	got := make([]byte, block)
	_, err = r.view(selsnap.ViewOptions{ID: changed}).ReadAt(got, 3*block)
	ok(t, err)
	same(t, "as changed", string(got), string(numbered(3, 1)))
	info, err := r.Snapshot(taken)
	ok(t, err)
	same(t, "policy", info.Policy, selsnap.GiveUpBlock)
	properties, err := r.Properties(taken)
	ok(t, err)
	same(t, "property", properties["of"], "a")
	_, err = r.CloneSnapshot(selsnap.CloneOptions{Source: id, Name: "taken"})
	fails(t, err, selsnap.ErrExist)
	_, err = r.CloneSnapshot(selsnap.CloneOptions{Source: 99, Name: "b"})
	fails(t, err, selsnap.ErrNotExist)
}

func diffText(t *testing.T, r *rig, options selsnap.DiffOptions) string {
	t.Helper()
	var text strings.Builder
	for _, d := range all(t, r.Diff(options)) {
		fmt.Fprintf(&text, "%d+%d:%d ", d.Offset/block, d.Len/block, d.Kind)
	}
	return text.String()
}

func TestBookmarkAndDiff(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	mark, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "mark", Bookmark: true})
	ok(t, err)
	r.put(2, 1, 3)
	later := r.create("later")
	r.put(255, 1)
	same(t, "to now", diffText(t, r, selsnap.DiffOptions{From: mark}), "2+3:1 255+1:1 ")
	same(t, "between", diffText(t, r, selsnap.DiffOptions{From: mark, To: later}), "2+3:1 ")
	within := r.subset(0, 3*block)
	same(t, "within", diffText(t, r, selsnap.DiffOptions{From: mark, Within: within}), "2+1:1 ")
	_, err = r.Diff(selsnap.DiffOptions{From: later, To: mark}).All()
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.Diff(selsnap.DiffOptions{From: 99}).All()
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.OpenView(selsnap.ViewOptions{ID: mark})
	fails(t, err, selsnap.ErrNoData)
	info, err := r.Snapshot(mark)
	ok(t, err)
	same(t, "bookmark", info.Bookmark, true)
	same(t, "state", all(t, r.SnapshotMap(mark))[1].State, selsnap.Changed)
}

func TestMakeBookmark(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	id := r.create("a")
	r.put(0, 1)
	ok(t, r.MakeBookmark(id))
	ok(t, r.MakeBookmark(id))
	info, err := r.FindSnapshot("a")
	ok(t, err)
	same(t, "bookmark", info.Bookmark, true)
	same(t, "id", info.ID, id)
	r.put(4, 1)
	same(t, "diff", diffText(t, r, selsnap.DiffOptions{From: id}), "0+1:1 4+1:1 ")
	_, err = r.OpenView(selsnap.ViewOptions{ID: id})
	fails(t, err, selsnap.ErrNoData)
	fails(t, r.MakeBookmark(99), selsnap.ErrNotExist)
}

func TestGroup(t *testing.T) {
	a, b := newRig(t, nil), newRig(t, nil)
	a.put(0, 1)
	b.put(0, 2)
	shared := a.subset(0, block)
	when := time.Unix(1600000000, 0)
	calls := ""
	members := []selsnap.GroupMember{
		{Store: a.Store, Options: selsnap.SnapshotOptions{Name: "x", Subset: shared}},
		{Store: b.Store, Options: selsnap.SnapshotOptions{Name: "x", Subset: shared}},
	}
	group, ids, err := selsnap.CreateGroup(members, &selsnap.GroupOptions{
		Name: "both", Time: when,
		Before: func(timeout time.Duration) error {
			calls += "before "
			if timeout <= 0 || timeout > 10*time.Second {
				t.Errorf("timeout: %v", timeout)
			}
			return nil
		},
		After: func(err error) { calls += fmt.Sprint("after ", err) },
	})
	ok(t, err)
	same(t, "calls", calls, "before after <nil>")
	for i, r := range []*rig{a, b} {
		info, err := r.SnapshotGroup(ids[i])
		ok(t, err)
		same(t, "time", info.Time.Equal(when), true)
		info.Time = time.Time{}
		same(t, "group", info, selsnap.Group{ID: group, Name: "both", Member: i, Members: 2})
		r.put(0, 9)
		reads(t, r.view(selsnap.ViewOptions{ID: ids[i]}), 0, byte(i+1))
	}
	status, err := selsnap.CheckGroup([]*selsnap.Store{a.Store, b.Store}, group)
	ok(t, err)
	same(t, "status", status, selsnap.GroupStatus{Complete: true, Members: 2, Present: 2})
	status, err = selsnap.CheckGroup([]*selsnap.Store{a.Store}, group)
	ok(t, err)
	same(t, "of one", status, selsnap.GroupStatus{Members: 2, Present: 1, Missing: 1})
	_, err = selsnap.CheckGroup([]*selsnap.Store{a.Store}, selsnap.GroupID{})
	fails(t, err, selsnap.ErrNotExist)
	_, err = a.SnapshotGroup(a.create("alone"))
	fails(t, err, selsnap.ErrNotExist)
	_, _, err = selsnap.CreateGroup(append(members, members[0]), nil)
	fails(t, err, selsnap.ErrInvalid)
	_, _, err = selsnap.CreateGroup(members, nil)
	fails(t, err, selsnap.ErrExist)
	_, _, err = selsnap.CreateGroup(nil, nil)
	fails(t, err, selsnap.ErrInvalid)
}

func TestGroupBeforeFails(t *testing.T) {
	r := newRig(t, nil)
	members := []selsnap.GroupMember{{Store: r.Store, Options: selsnap.SnapshotOptions{Name: "x"}}}
	restless := errors.New("the database does not rest")
	var told error
	_, _, err := selsnap.CreateGroup(members, &selsnap.GroupOptions{
		Before: func(time.Duration) error { return restless },
		After:  func(err error) { told = err },
	})
	fails(t, err, selsnap.ErrCanceled, restless)
	fails(t, told, selsnap.ErrCanceled, restless)
	same(t, "snapshots", len(all(t, r.Snapshots())), 0)
	func() {
		defer func() { same(t, "panic", fmt.Sprint(recover()), "before") }()
		_, _, _ = selsnap.CreateGroup(members, &selsnap.GroupOptions{Before: func(time.Duration) error { panic("before") }})
	}()
	same(t, "snapshots", len(all(t, r.Snapshots())), 0)
}
