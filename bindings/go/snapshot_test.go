// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"selsnap"
)

func TestDesignations(t *testing.T) {
	r := newRig(t, nil)
	subset := r.subset(0, 4*block, 10*block, block)
	id, err := r.SaveDesignation("boot", subset)
	ok(t, err)
	_, err = r.SaveDesignation("data", r.subset(20*block, block))
	ok(t, err)
	list := all(t, r.Designations())
	same(t, "designations", len(list), 2)
	same(t, "first", list[0], selsnap.Designation{ID: id, Name: "boot", BlockCount: 5, RangeCount: 2})
	loaded, err := r.LoadDesignation("boot")
	ok(t, err)
	same(t, "ranges", ranges(t, loaded), "0+4 10+1 ")
	snapshot, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Designation: "boot"})
	ok(t, err)
	ok(t, r.DeleteDesignation("boot"))
	fails(t, r.DeleteDesignation("boot"), selsnap.ErrNotExist)
	_, err = r.LoadDesignation("boot")
	fails(t, err, selsnap.ErrNotExist)
	kept, err := r.SnapshotSubset(snapshot)
	ok(t, err)
	same(t, "the snapshot's", ranges(t, kept), "0+4 10+1 ")
	_, err = r.SaveDesignation("empty", r.subset())
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.SaveDesignation("a\x00b", subset)
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.SaveDesignation("none", nil)
	fails(t, err, selsnap.ErrInvalid)
}

func TestSnapshotLifecycle(t *testing.T) {
	r := newRig(t, nil)
	a, b := r.create("a"), r.create("b")
	_, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a"})
	fails(t, err, selsnap.ErrExist)
	found, err := r.FindSnapshot("b")
	ok(t, err)
	same(t, "id", found.ID, b)
	ok(t, r.RenameSnapshot(b, "c"))
	fails(t, r.RenameSnapshot(b, "a"), selsnap.ErrExist)
	_, err = r.FindSnapshot("b")
	fails(t, err, selsnap.ErrNotExist)
	names := ""
	for _, s := range all(t, r.Snapshots()) {
		names += s.Name + " "
	}
	same(t, "names", names, "a c ")
	ok(t, r.DeleteSnapshot(a))
	fails(t, r.DeleteSnapshot(a), selsnap.ErrNotExist)
	_, err = r.Snapshot(a)
	fails(t, err, selsnap.ErrNotExist)
	same(t, "left", len(all(t, r.Snapshots())), 1)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: strings.Repeat("x", 256)})
	fails(t, err, selsnap.ErrLimit)
}

func TestSnapshotOptions(t *testing.T) {
	r := newRig(t, nil)
	when := time.Date(2021, 3, 4, 5, 6, 7, 8, time.UTC)
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{
		Name: "a", Subset: r.subset(0, 3*block), Policy: selsnap.GiveUpBlock, Time: when,
		Properties: map[string]string{"by": "test", "empty": ""},
	})
	ok(t, err)
	info, err := r.Snapshot(id)
	ok(t, err)
	same(t, "policy", info.Policy, selsnap.GiveUpBlock)
	same(t, "time", info.Time.Equal(when), true)
	same(t, "blocks", info.BlockCount, 3)
	same(t, "origin", info.OriginBytes, originBytes)
	properties, err := r.Properties(id)
	ok(t, err)
	if !reflect.DeepEqual(properties, map[string]string{"by": "test", "empty": ""}) {
		t.Fatalf("properties: %v", properties)
	}
	before := time.Now().Add(-time.Second)
	now, err := r.Snapshot(r.create("b"))
	ok(t, err)
	if now.Time.Before(before) || now.Time.After(time.Now().Add(time.Second)) {
		t.Fatalf("made at %v", now.Time)
	}
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "c", Designation: "x", Subset: r.subset(0, 1)})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "c", Designation: "unknown"})
	fails(t, err, selsnap.ErrNotExist)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "c", Policy: 7})
	fails(t, err, selsnap.ErrInvalid)
}

func TestSnapshotProperties(t *testing.T) {
	r := newRig(t, nil)
	wanted := map[string]string{"größe": "täglich", "日": "本", "z": strings.Repeat("v", 768)}
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "naïve", Properties: wanted})
	ok(t, err)
	got, err := r.Properties(id)
	ok(t, err)
	if !reflect.DeepEqual(got, wanted) {
		t.Fatalf("properties: %v", got)
	}
	got, err = r.Properties(r.create("none"))
	ok(t, err)
	same(t, "none", len(got), 0)
	_, err = r.Properties(99)
	fails(t, err, selsnap.ErrNotExist)
	for key, value := range map[string]string{"": "x", "a\x00": "x", "a": "\n", "long": strings.Repeat("v", 769)} {
		_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "bad", Properties: map[string]string{key: value}})
		fails(t, err)
	}
}

func TestSnapshotUsageAndMap(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	r.put(0, 1, 2)
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Subset: r.subset(0, 16*block)})
	ok(t, err)
	r.put(0, 2, 3) // two with data, one of zeros
	told := false
	usage, err := r.SnapshotUsage(background, id, func(done, total uint64) { told = true })
	ok(t, err)
	same(t, "preserved", usage.PreservedBlocks, 3)
	same(t, "zeros", usage.ZeroBlocks, 1)
	same(t, "alone", usage.AloneBytes, 2*block)
	same(t, "told", told, true)
	_, err = r.SnapshotUsage(canceled(), id, nil)
	fails(t, err, selsnap.ErrCanceled, context.Canceled)
	text, end := "", int64(0)
	for _, m := range all(t, r.SnapshotMap(id)) {
		text += fmt.Sprintf("%d+%d:%d ", m.Offset/block, m.Len/block, m.State)
		end = m.Offset + m.Len
	}
	same(t, "map", text, "0+2:2 2+1:3 3+13:1 16+240:0 ")
	same(t, "end", end, originBytes)
	_, err = r.SnapshotMap(99).All()
	fails(t, err, selsnap.ErrNotExist)
}

func TestViewRead(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 32)
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Subset: r.subset(0, 8*block)})
	ok(t, err)
	r.put(0, 2, 32)
	view := r.view(selsnap.ViewOptions{Name: "a"})
	same(t, "size", view.Size(), originBytes)
	reads(t, view, 7, 1)
	_, err = view.ReadAt(make([]byte, block), 9*block)
	fails(t, err, selsnap.ErrUndesignated)
	reads(t, r.view(selsnap.ViewOptions{ID: id, Undesignated: selsnap.AsZeros}), 9, 0)
	reads(t, r.view(selsnap.ViewOptions{ID: id, Undesignated: selsnap.AsLive}), 9, 2)
	_, err = r.OpenView(selsnap.ViewOptions{Name: "absent"})
	fails(t, err, selsnap.ErrNotExist)
	_, err = r.OpenView(selsnap.ViewOptions{})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.OpenView(selsnap.ViewOptions{ID: id, Name: "a"})
	fails(t, err, selsnap.ErrInvalid)
	_, err = view.WriteAt(make([]byte, 1), 0)
	fails(t, err, selsnap.ErrReadOnly)
	fails(t, r.DeleteSnapshot(id), selsnap.ErrBusy)
	info, err := r.Snapshot(id)
	ok(t, err)
	same(t, "open views", info.OpenViews, 3)
}

func TestViewWrite(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 8)
	id, other := r.create("a"), r.create("b")
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	_, err := view.WriteAt([]byte("here"), 2*block+1)
	ok(t, err)
	got := make([]byte, 6)
	_, err = r.view(selsnap.ViewOptions{ID: id}).ReadAt(got, 2*block)
	ok(t, err)
	same(t, "there", string(got), "\x01here\x01")
	reads(t, r.view(selsnap.ViewOptions{ID: id, Pristine: true}), 2, 1)
	reads(t, r.view(selsnap.ViewOptions{ID: other}), 2, 1)
	reads(t, r, 2, 1)
	ok(t, view.Discard(3*block, block))
	reads(t, view, 3, 0)
	ok(t, view.Flush())
	ok(t, view.Reset())
	reads(t, view, 2, 1)
	reads(t, view, 3, 1)
	_, err = view.WriteAt(got, originBytes)
	fails(t, err, selsnap.ErrRange)
	_, err = view.WriteAt(got, -1)
	fails(t, err, selsnap.ErrRange)
	_, err = r.OpenView(selsnap.ViewOptions{ID: id, Writable: true, Pristine: true})
	fails(t, err, selsnap.ErrInvalid)
}

func TestViewStreamLike(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 5, 3)
	id := r.create("a")
	r.put(0, 6, 3)
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	var (
		_ io.ReaderAt = view
		_ io.WriterAt = view
		_ io.Closer   = view
		_ io.ReaderAt = r.Store
		_ io.WriterAt = r.Store
	)
	read, err := io.ReadAll(io.NewSectionReader(view, 0, view.Size()))
	ok(t, err)
	same(t, "length", len(read), originBytes)
	same(t, "content", [2]byte{read[3*block-1], read[3*block]}, [2]byte{5, 0})
	// To the end, and behind it.
	n, err := view.ReadAt(make([]byte, 100), originBytes-10)
	if n != 10 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	n, err = view.ReadAt(make([]byte, 100), originBytes+10)
	if n != 0 || err != io.EOF {
		t.Fatalf("behind the end: %d, %v", n, err)
	}
	n, err = view.WriteAt([]byte("text"), block)
	ok(t, err)
	same(t, "bytes", n, 4)
	_, err = view.ReadAt(read[:4], block)
	ok(t, err)
	same(t, "written", string(read[:4]), "text")
}

func TestViewLost(t *testing.T) {
	var events []selsnap.Event
	r := newRigOn(t, memory(t, originBytes), memory(t, storeBytes), &selsnap.OpenOptions{
		OnEvent: func(event selsnap.Event) { events = append(events, event) },
	})
	r.put(0, 1, 64)
	id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Policy: selsnap.GiveUpBlock})
	ok(t, err)
	stats, err := r.Stats()
	ok(t, err)
	ok(t, r.SetQuota(int64(stats.StoreUsedBytes)))
	r.put(0, 2, 64)
	view := r.view(selsnap.ViewOptions{ID: id})
	_, err = view.ReadAt(make([]byte, block), 5*block)
	fails(t, err, selsnap.ErrLost)
	lost := 0
	for _, event := range events {
		if event.Kind == selsnap.BlockLost {
			same(t, "for lack of room", event.Value, 1)
			lost++
		}
	}
	if lost == 0 {
		t.Fatal("no event tells of it")
	}
	_, err = r.StartRestore(selsnap.RestoreOptions{ID: id})
	fails(t, err, selsnap.ErrLost)
}
