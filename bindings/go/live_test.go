// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"selsnap"
)

func TestFormatAndOpen(t *testing.T) {
	origin, store := memory(t, originBytes), memory(t, storeBytes)
	_, err := selsnap.Open(store, origin, nil)
	fails(t, err, selsnap.ErrNotStore)
	fails(t, selsnap.Format(memory(t, 8*block), origin, nil), selsnap.ErrTooSmall)
	ok(t, selsnap.Format(store, origin, &selsnap.FormatOptions{BlockSize: 8192, JournalBytes: 128 << 10}))
	fails(t, selsnap.Format(store, origin, nil), selsnap.ErrExist)
	_, err = selsnap.Open(store, memory(t, originBytes/2), nil)
	fails(t, err, selsnap.ErrOrigin)
	_, err = selsnap.Open(store, origin, &selsnap.OpenOptions{MemoryLimit: 4 << 20})
	fails(t, err, selsnap.ErrMemoryLimit)
	s, err := selsnap.Open(store, origin, &selsnap.OpenOptions{MemoryLimit: 8 << 20})
	ok(t, err)
	stats, err := s.Stats()
	ok(t, err)
	// What is in use is not written past the store.
	fails(t, selsnap.Format(store, origin, &selsnap.FormatOptions{Overwrite: true}), selsnap.ErrBusy)
	_, err = selsnap.ApplyStream(background, strings.NewReader(""), origin, nil)
	fails(t, err, selsnap.ErrBusy)
	_, err = selsnap.Repair(background, memory(t, storeBytes), origin, store, nil)
	fails(t, err, selsnap.ErrBusy)
	same(t, "block size", s.BlockSize(), 8192)
	same(t, "journal", stats.JournalBytes, 128<<10)
	same(t, "memory limit", stats.MemoryLimitBytes, 8<<20)
	ok(t, s.Close())
	ok(t, selsnap.Format(store, origin, &selsnap.FormatOptions{Overwrite: true}))
	fails(t, selsnap.Format(store, store, &selsnap.FormatOptions{Overwrite: true}), selsnap.ErrOverlap)
	fails(t, selsnap.Format(store, origin, &selsnap.FormatOptions{Overwrite: true, BlockSize: 5000}), selsnap.ErrInvalid)
}

func TestOriginHint(t *testing.T) {
	origin, store := memory(t, originBytes), memory(t, storeBytes)
	_, err := selsnap.OriginHint(store)
	fails(t, err, selsnap.ErrNotStore)
	ok(t, selsnap.Format(store, origin, nil))
	hint, err := selsnap.OriginHint(store)
	ok(t, err)
	same(t, "hint", hint, "")
	ok(t, selsnap.Format(store, origin, &selsnap.FormatOptions{Overwrite: true, OriginHint: "/dev/größe"}))
	hint, err = selsnap.OriginHint(store)
	ok(t, err)
	same(t, "hint", hint, "/dev/größe")
	long := &selsnap.FormatOptions{Overwrite: true, OriginHint: strings.Repeat("x", 241)}
	fails(t, selsnap.Format(store, origin, long), selsnap.ErrLimit)
}

func TestOpenReadOnly(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1)
	id := r.create("a")
	r.reopen(&selsnap.OpenOptions{ReadOnly: true})
	reads(t, r, 0, 1)
	reads(t, r.view(selsnap.ViewOptions{ID: id}), 0, 1)
	_, err := r.WriteAt(make([]byte, block), 0)
	fails(t, err, selsnap.ErrReadOnly)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "b"})
	fails(t, err, selsnap.ErrReadOnly)
	_, err = r.OpenView(selsnap.ViewOptions{ID: id, Writable: true})
	fails(t, err, selsnap.ErrReadOnly)
	fails(t, r.DeleteSnapshot(id), selsnap.ErrReadOnly)
}

func TestEventsAndLog(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	var events []selsnap.Event
	options := &selsnap.OpenOptions{
		OnLog: func(level selsnap.LogLevel, message string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, message)
		},
		OnEvent: func(event selsnap.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, event)
			panic("a callback's panic goes no further")
		},
	}
	silence(t)
	r := newRigOn(t, memory(t, 2*storeBytes), memory(t, storeBytes), options)
	for i := int64(0); i < 2*storeBytes/block; i++ {
		_, err := r.WriteAt(numbered(uint64(i), 1), i*block)
		ok(t, err)
	}
	r.create("a")
	for i := int64(0); i < 2*storeBytes/block; i++ {
		if _, err := r.WriteAt(numbered(uint64(i), 3), i*block); err != nil {
			fails(t, err, selsnap.ErrNoSpace)
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lines) == 0 || lines[0] == "" {
		t.Fatal("the log tells nothing")
	}
	if len(events) == 0 {
		t.Fatal("no event of a store that fills")
	}
	same(t, "kind", events[0].Kind, selsnap.StoreFilling)
	same(t, "percent", events[0].Value, 75)
}

func TestLiveReadWrite(t *testing.T) {
	r := newRig(t, nil)
	r.create("a")
	same(t, "size", r.Size(), originBytes)
	text := []byte("any alignment will do")
	n, err := r.WriteAt(text, block-7)
	ok(t, err)
	same(t, "written", n, len(text))
	got := make([]byte, len(text))
	n, err = r.ReadAt(got, block-7)
	ok(t, err)
	same(t, "read", string(got[:n]), string(text))
	n, err = r.WritevAt([][]byte{[]byte("one"), {}, []byte("two")}, 100)
	ok(t, err)
	same(t, "written", n, 6)
	a, b := make([]byte, 2), make([]byte, 4)
	n, err = r.ReadvAt([][]byte{a, b}, 100)
	ok(t, err)
	same(t, "read", string(a)+"|"+string(b), "on|etwo")
	same(t, "bytes", n, 6)
	ok(t, r.WriteZeroes(0, 2*block))
	reads(t, r, 0, 0)
	ok(t, r.Discard(8*block, block))
	ok(t, r.Flush())
	n, err = r.ReadAt(make([]byte, 100), originBytes-40)
	if n != 40 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	if n, err = r.ReadAt(nil, 0); n != 0 || err != nil {
		t.Fatalf("nothing: %d, %v", n, err)
	}
	_, err = r.WriteAt(text, originBytes-1)
	fails(t, err, selsnap.ErrRange)
	_, err = r.ReadAt(text, -1)
	fails(t, err, selsnap.ErrRange)
	_, err = r.ReadvAt([][]byte{a}, originBytes)
	fails(t, err, selsnap.ErrRange)
	fails(t, r.Discard(-1, 1), selsnap.ErrRange)
	fails(t, r.WriteZeroes(originBytes, block), selsnap.ErrRange)
}

func TestLiveBatch(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	r.put(9, 9)
	got := make([]byte, block)
	requests := []*selsnap.Request{
		{Kind: selsnap.Write, Bufs: [][]byte{numbered(0, 1)[:100], numbered(0, 1)[100:]}, Offset: 0, FUA: true},
		{Kind: selsnap.Write, Bufs: [][]byte{numbered(1, 1)}, Offset: originBytes},
		{Kind: selsnap.WriteZeroes, Offset: 2 * block, Len: block},
		{Kind: selsnap.Discard, Offset: 3 * block, Len: block},
		{Kind: selsnap.Read, Bufs: [][]byte{got}, Offset: 9 * block},
	}
	fails(t, r.Batch(requests), selsnap.ErrRange)
	for i, request := range requests {
		if i == 1 {
			fails(t, request.Err, selsnap.ErrRange)
		} else {
			ok(t, request.Err)
		}
	}
	same(t, "read", got[17], 9)
	_, err := r.ReadAt(got, 0)
	ok(t, err)
	same(t, "written", string(got), string(numbered(0, 1)))
	reads(t, r.view(selsnap.ViewOptions{ID: id}), 0, 0)
}

func TestLiveDeferred(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{DeferredBytes: 1 << 20})
	id := r.create("a")
	for i := int64(0); i < 16; i++ {
		r.put(i, byte(i+1))
	}
	reads(t, r, 5, 6)
	stats, err := r.Stats()
	ok(t, err)
	if stats.DeferredBytes == 0 {
		t.Fatal("nothing is deferred")
	}
	r.reopen(nil)
	for i := int64(0); i < 16; i++ {
		reads(t, r, i, byte(i+1))
	}
	reads(t, r.view(selsnap.ViewOptions{ID: id}), 5, 0)
}

func TestStats(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	r.put(0, 1, 4)
	before, err := r.Stats()
	ok(t, err)
	same(t, "snapshots", before.Snapshots, 0)
	same(t, "sizes", [2]uint64{before.OriginBytes, before.StoreBytes}, [2]uint64{originBytes, storeBytes})
	r.create("a")
	r.put(0, 2, 4)
	after, err := r.Stats()
	ok(t, err)
	same(t, "snapshots", after.Snapshots, 1)
	same(t, "preserved", after.BlocksPreserved, 4)
	same(t, "preserving writes", after.PreservingWrites, 1)
	same(t, "store", after.StoreID, before.StoreID)
	if after.StoreUsedBytes <= before.StoreUsedBytes || after.Epoch <= before.Epoch || after.StoreID == [16]byte{} {
		t.Fatalf("%+v does not follow %+v", after, before)
	}
}

func TestFreezeThaw(t *testing.T) {
	r := newRig(t, nil)
	fails(t, r.Thaw(), selsnap.ErrInvalid)
	ok(t, r.Freeze())
	written := make(chan error, 1)
	go func() {
		_, err := r.WriteAt(make([]byte, block), 0)
		written <- err
	}()
	r.create("while frozen")
	select {
	case <-written:
		t.Fatal("a write did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	ok(t, r.Thaw())
	ok(t, <-written)
}

func TestStepReclaims(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 64)
	id := r.create("a")
	r.put(0, 2, 64)
	ok(t, r.DeleteSnapshot(id))
	before, err := r.Stats()
	ok(t, err)
	same(t, "pending", before.ReclaimPending, true)
	_, err = r.Step(canceled(), nil)
	fails(t, err, selsnap.ErrCanceled)
	told := uint64(0)
	options := &selsnap.StepOptions{BudgetBlocks: 16, Progress: func(done, total uint64) { told++ }}
	left := selsnap.Reclaim
	for steps := 0; left != 0; steps++ {
		left, err = r.Step(background, options)
		ok(t, err)
		if steps > 1000 {
			t.Fatal("it does not end")
		}
	}
	after, err := r.Stats()
	ok(t, err)
	same(t, "pending", after.ReclaimPending, false)
	if after.StoreUsedBytes+60*block > before.StoreUsedBytes {
		t.Fatalf("in use: %d, before %d", after.StoreUsedBytes, before.StoreUsedBytes)
	}
}

func TestAbandon(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	ok(t, r.Abandon())
	r.put(0, 1)
	reads(t, r, 0, 1)
	_, err := r.OpenView(selsnap.ViewOptions{ID: id})
	fails(t, err, selsnap.ErrAbandoned)
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "b"})
	fails(t, err, selsnap.ErrAbandoned)
}

func TestGrowStore(t *testing.T) {
	path := t.TempDir() + "/store"
	store, err := selsnap.OpenFile(path, &selsnap.FileOptions{Create: storeBytes})
	ok(t, err)
	defer store.Close()
	r := newRigOn(t, memory(t, originBytes), store, nil)
	ok(t, r.GrowStore(2*storeBytes))
	stats, err := r.Stats()
	ok(t, err)
	same(t, "store", stats.StoreBytes, 2*storeBytes)
	same(t, "device", store.Size(), 2*storeBytes)
	fails(t, r.GrowStore(storeBytes), selsnap.ErrInvalid)
	ok(t, r.Close())
	short := newRig(t, nil)
	fails(t, short.GrowStore(2*storeBytes), selsnap.ErrTooSmall)
}

func TestGrowOrigin(t *testing.T) {
	path := t.TempDir() + "/origin"
	origin, err := selsnap.OpenFile(path, &selsnap.FileOptions{Create: originBytes})
	ok(t, err)
	defer origin.Close()
	r := newRigOn(t, origin, memory(t, storeBytes), nil)
	r.put(0, 1)
	id := r.create("a")
	view, err := r.OpenView(selsnap.ViewOptions{ID: id})
	ok(t, err)
	fails(t, r.GrowOrigin(2*originBytes), selsnap.ErrBusy)
	ok(t, view.Close())
	ok(t, r.GrowOrigin(2*originBytes))
	same(t, "size", r.Size(), 2*originBytes)
	r.put(originBytes/block, 3)
	r.put(0, 2)
	view, err = r.OpenView(selsnap.ViewOptions{ID: id})
	ok(t, err)
	same(t, "the view's size", view.Size(), originBytes)
	reads(t, view, 0, 1)
	if _, err := view.ReadAt(make([]byte, 1), originBytes); err != io.EOF {
		t.Fatalf("behind the end of the snapshot: %v", err)
	}
	ok(t, view.Close())
	fails(t, r.GrowOrigin(originBytes), selsnap.ErrInvalid)
	ok(t, r.Close())
}

func TestShrinkOrigin(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 256)
	id := r.create("a")
	fails(t, r.ShrinkOrigin(originBytes/2), selsnap.ErrBusy)
	ok(t, r.WriteZeroes(originBytes/2, originBytes/2))
	ok(t, r.ShrinkOrigin(originBytes/2))
	same(t, "size", r.Size(), originBytes/2)
	_, err := r.WriteAt(make([]byte, block), originBytes/2)
	fails(t, err, selsnap.ErrRange)
	view := r.view(selsnap.ViewOptions{ID: id})
	same(t, "the view's size", view.Size(), originBytes)
	reads(t, view, 255, 1)
	fails(t, r.ShrinkOrigin(0), selsnap.ErrBusy) // a view is open
	ok(t, view.Close())
	fails(t, r.ShrinkOrigin(0), selsnap.ErrInvalid)
	ok(t, r.GrowOrigin(originBytes))
}

func TestQuotaStore(t *testing.T) {
	r := newRig(t, &selsnap.OpenOptions{NoAhead: true})
	quota, err := r.Quota()
	ok(t, err)
	same(t, "quota", quota, 0)
	r.put(0, 1, 64)
	r.create("a")
	stats, err := r.Stats()
	ok(t, err)
	ok(t, r.SetQuota(int64(stats.StoreUsedBytes)))
	quota, err = r.Quota()
	ok(t, err)
	same(t, "quota", quota, int64(stats.StoreUsedBytes))
	_, err = r.WriteAt(make([]byte, 64*block), 0)
	fails(t, err, selsnap.ErrNoSpace)
	ok(t, r.SetQuota(0))
	r.put(0, 2, 64)
}

func TestFullStore(t *testing.T) {
	for _, policy := range []selsnap.Policy{selsnap.FailWrite, selsnap.GiveUpBlock} {
		r := newRigOn(t, memory(t, 4*storeBytes), memory(t, storeBytes), nil)
		for i := int64(0); i < 4*storeBytes/block; i += 64 {
			buf := make([]byte, 0, 64*block)
			for j := int64(0); j < 64; j++ {
				buf = append(buf, numbered(uint64(i+j), 1)...)
			}
			_, err := r.WriteAt(buf, i*block)
			ok(t, err)
		}
		id, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Policy: policy})
		ok(t, err)
		full := int64(-1)
		for i := int64(0); i < 4*storeBytes/block; i++ {
			if _, err := r.WriteAt(make([]byte, block), i*block); err != nil {
				fails(t, err, selsnap.ErrNoSpace)
				full = i
				break
			}
		}
		usage, err := r.SnapshotUsage(background, id, nil)
		ok(t, err)
		view, got := r.view(selsnap.ViewOptions{ID: id}), make([]byte, block)
		if policy == selsnap.FailWrite {
			same(t, "lost", usage.LostBlocks, 0)
			if full < 0 {
				t.Fatal("the store was not full")
			}
			_, err = view.ReadAt(got, full*block)
			ok(t, err)
			same(t, "the block that could not be written", string(got), string(numbered(uint64(full), 1)))
		} else {
			same(t, "failed at", full, -1)
			if usage.LostBlocks == 0 {
				t.Fatal("nothing was given up")
			}
		}
	}
}
