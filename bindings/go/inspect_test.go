// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"selsnap"
)

// random is a block of bytes that no compressor makes smaller, known by its seed.
func random(seed int64) []byte {
	buf := make([]byte, block)
	rand.New(rand.NewSource(seed)).Read(buf)
	return buf
}

// withCopies is a rig whose store holds 32 random blocks for a snapshot.
func withCopies(t *testing.T, store *disk) *rig {
	t.Helper()
	device, err := selsnap.NewDevice(store, selsnap.DeviceInfo{Size: storeBytes})
	ok(t, err)
	t.Cleanup(func() { ok(t, device.Close()) })
	r := newRigOn(t, memory(t, originBytes), device, nil)
	for i := int64(0); i < 32; i++ {
		_, err := r.WriteAt(random(i), i*block)
		ok(t, err)
	}
	r.create("a")
	for i := int64(0); i < 32; i++ {
		_, err := r.WriteAt(random(100+i), i*block)
		ok(t, err)
	}
	ok(t, r.Flush())
	return r
}

// damage flips a bit in the store's copy of the fifth block.
func (d *disk) damage(t *testing.T) {
	t.Helper()
	at := bytes.Index(d.bytes, random(5))
	if at < 0 {
		t.Fatal("the store has no copy")
	}
	d.bytes[at+100] ^= 1
}

func TestCheckSound(t *testing.T) {
	r := withCopies(t, newDisk(storeBytes))
	told := false
	result, err := r.Check(background, &selsnap.CheckOptions{Progress: func(done, total uint64) { told = true }})
	ok(t, err)
	same(t, "problems", result.Problems, 0)
	if result.Pages == 0 || result.Items == 0 || result.Blocks < 32 || !told {
		t.Fatalf("%+v", result)
	}
	_, err = r.Check(canceled(), nil)
	fails(t, err, selsnap.ErrCanceled)
}

func TestCheckDamaged(t *testing.T) {
	store := newDisk(storeBytes)
	r := withCopies(t, store)
	store.damage(t)
	var lines []string
	problem := func(line string) { lines = append(lines, line) }
	result, err := r.Check(background, &selsnap.CheckOptions{Problem: problem})
	ok(t, err)
	same(t, "problems", result.Problems, 1)
	same(t, "lines", len(lines), 1)
	scrub, err := r.Scrub(background, problem)
	ok(t, err)
	same(t, "problems of the scrub", scrub.Problems, 1)
	same(t, "lines", len(lines), 2)
	_, err = r.view(selsnap.ViewOptions{Name: "a"}).ReadAt(make([]byte, block), 5*block)
	fails(t, err, selsnap.ErrDamaged)
	result, err = r.Check(background, nil)
	ok(t, err)
	same(t, "problems without a callback", result.Problems, 1)
}

func TestScrub(t *testing.T) {
	r := withCopies(t, newDisk(storeBytes))
	var scrub selsnap.Scrub
	steps := 0
	for !scrub.Done {
		ok(t, r.ScrubStep(background, &scrub, 4*block, nil))
		kept, err := json.Marshal(scrub)
		ok(t, err)
		scrub = selsnap.Scrub{}
		ok(t, json.Unmarshal(kept, &scrub))
		steps++
		r.reopen(nil)
	}
	same(t, "problems", scrub.Problems, 0)
	if steps < 3 || scrub.Blocks < 32 || scrub.Bytes < 32*block {
		t.Fatalf("%d steps: %+v", steps, scrub)
	}
	fails(t, r.ScrubStep(background, nil, 0, nil), selsnap.ErrInvalid)
	fails(t, r.ScrubStep(canceled(), &selsnap.Scrub{}, 0, nil), selsnap.ErrCanceled)
}

func TestDump(t *testing.T) {
	r := withCopies(t, newDisk(storeBytes))
	lines := 0
	ok(t, r.Dump(background, func(line string) error { lines++; return nil }))
	if lines < 10 {
		t.Fatalf("%d lines", lines)
	}
	lines = 0
	err := r.Dump(background, func(line string) error { lines++; return panics })
	fails(t, err, selsnap.ErrCanceled, panics)
	same(t, "lines", lines, 1)
	fails(t, r.Dump(background, nil), selsnap.ErrInvalid)
}

func TestRepair(t *testing.T) {
	store := newDisk(storeBytes)
	r := withCopies(t, store)
	store.damage(t)
	ok(t, r.Close())
	fresh := memory(t, storeBytes)
	var lines []string
	told := false
	result, err := selsnap.Repair(background, r.store, r.origin, fresh, &selsnap.RepairOptions{
		Report:   func(line string) { lines = append(lines, line) },
		Progress: func(done, total uint64) { told = true },
	})
	ok(t, err)
	same(t, "snapshots", result.SnapshotsSalvaged, 1)
	same(t, "lost", result.BlocksLost, 1)
	if len(lines) == 0 || !strings.Contains(fmt.Sprint(lines), "lost") || !told {
		t.Fatalf("told: %q", lines)
	}
	mended, err := selsnap.Open(fresh, r.origin, nil)
	ok(t, err)
	view, err := mended.OpenView(selsnap.ViewOptions{Name: "a"})
	ok(t, err)
	got := make([]byte, block)
	_, err = view.ReadAt(got, 4*block)
	ok(t, err)
	same(t, "beside it", bytes.Equal(got, random(4)), true)
	_, err = view.ReadAt(got, 5*block)
	fails(t, err, selsnap.ErrLost)
	ok(t, view.Close())
	ok(t, mended.Close())
	_, err = selsnap.Repair(background, r.store, r.origin, fresh, nil)
	fails(t, err, selsnap.ErrExist)
	_, err = selsnap.Repair(background, memory(t, storeBytes), r.origin, fresh, nil)
	fails(t, err, selsnap.ErrNotStore)
	_, err = selsnap.Repair(canceled(), r.store, r.origin, fresh, &selsnap.RepairOptions{Overwrite: true})
	fails(t, err, selsnap.ErrCanceled)
}
