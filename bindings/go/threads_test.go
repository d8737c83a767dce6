// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selsnap"
)

// together runs functions at once, and waits for all.
func together(count int, f func(worker int)) {
	var group sync.WaitGroup
	for worker := 0; worker < count; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			f(worker)
		}(worker)
	}
	group.Wait()
}

func TestThreadsReadWrite(t *testing.T) {
	r := newRig(t, nil)
	id := r.create("a")
	view := r.view(selsnap.ViewOptions{ID: id})
	// Each worker has blocks of its own, beside those of the others.
	const workers, rounds = 4, 40
	together(workers, func(worker int) {
		got := make([]byte, block)
		for round := 0; round < rounds; round++ {
			number := int64(round%16*workers + worker)
			wanted := numbered(uint64(number), uint64(round))
			if _, err := r.WriteAt(wanted, number*block); err != nil {
				t.Error(err)
				return
			}
			if _, err := r.ReadAt(got, number*block); err != nil || !bytes.Equal(got, wanted) {
				t.Errorf("block %d: %v", number, err)
				return
			}
			if _, err := view.ReadAt(got, number*block); err != nil || !bytes.Equal(got, make([]byte, block)) {
				t.Errorf("block %d of the snapshot: %v", number, err)
				return
			}
		}
	})
}

func TestThreadsSnapshots(t *testing.T) {
	r := newRig(t, nil)
	// A writer raises the version of block 0, then that of block 1, each a write of its own: at one instant block 1 is as
	// new as block 0, or one older.
	var stop atomic.Bool
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		for version := uint64(1); !stop.Load(); version++ {
			for number := uint64(0); number < 2; number++ {
				if _, err := r.WriteAt(numbered(number, version), int64(number*block)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	for i := 0; i < 30; i++ {
		r.create(fmt.Sprint("s", i))
	}
	stop.Store(true)
	group.Wait()
	buf := make([]byte, 2*block)
	for _, s := range all(t, r.Snapshots()) {
		_, err := r.view(selsnap.ViewOptions{ID: s.ID}).ReadAt(buf, 0)
		ok(t, err)
		first, second := binary.LittleEndian.Uint64(buf[8:]), binary.LittleEndian.Uint64(buf[block+8:])
		if first != second && first != second+1 {
			t.Fatalf("%s: versions %d and %d are of no instant", s.Name, first, second)
		}
	}
}

// Calls that meet a close are done, or fail with ErrClosed.
func TestThreadsClose(t *testing.T) {
	for round := 0; round < 20; round++ {
		r := newRig(t, nil)
		id := r.create("a")
		view, err := r.OpenView(selsnap.ViewOptions{ID: id, Writable: true})
		ok(t, err)
		subset := r.subset(0, block)
		closed := func(err error) bool {
			if err != nil && !errors.Is(err, selsnap.ErrClosed) && !errors.Is(err, selsnap.ErrBusy) {
				t.Error(err)
			}
			return errors.Is(err, selsnap.ErrClosed)
		}
		together(6, func(worker int) {
			buf := make([]byte, block)
			for i := 0; i < 1000; i++ {
				var err error
				switch worker {
				case 0, 1:
					_, err = r.WriteAt(buf, int64(i%64)*block)
				case 2:
					_, err = view.WriteAt(buf, int64(i%64)*block)
				case 3:
					_, err = r.Snapshots().All()
				case 4:
					err = subset.Add(int64(i%64)*block, block)
				case 5:
					if i == 20 {
						ok(t, view.Close())
						ok(t, subset.Close())
						ok(t, r.Close())
					}
				}
				if closed(err) {
					return
				}
			}
		})
		fails(t, r.Flush(), selsnap.ErrClosed)
	}
}

// While the origin grows, calls fail with ErrBusy, or wait for nothing.
func TestThreadsGrow(t *testing.T) {
	origin, err := selsnap.OpenFile(t.TempDir()+"/origin", &selsnap.FileOptions{Create: originBytes})
	ok(t, err)
	t.Cleanup(func() { ok(t, origin.Close()) })
	r := newRigOn(t, origin, memory(t, storeBytes), nil)
	r.create("a")
	var stop atomic.Bool
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		for !stop.Load() {
			if _, err := r.WriteAt(make([]byte, block), 0); err != nil && !errors.Is(err, selsnap.ErrBusy) {
				t.Error(err)
				return
			}
		}
	}()
	for i := int64(1); i <= 10; i++ {
		ok(t, r.GrowOrigin(originBytes+i*block))
	}
	stop.Store(true)
	group.Wait()
	same(t, "size", r.Size(), originBytes+10*block)
}

// model is what the store should hold.
type model struct {
	live  []byte
	taken map[uint64][]byte // each snapshot as it was taken
	now   map[uint64][]byte // each snapshot with what was written into it
}

func TestModel(t *testing.T) {
	seed, steps := int64(1), 400
	if os.Getenv("SSN_TEST_LONG") != "" {
		seed, steps = time.Now().UnixNano(), 20000
	}
	if given, err := strconv.ParseInt(os.Getenv("SSN_TEST_SEED"), 10, 64); err == nil {
		seed = given
	}
	if testing.Short() {
		steps = 100
	}
	defer func() {
		if t.Failed() {
			t.Logf("again: SSN_TEST_SEED=%d SSN_TEST_LONG=%s go test -run TestModel", seed, os.Getenv("SSN_TEST_LONG"))
		}
	}()
	rng := rand.New(rand.NewSource(seed))
	r := newRigOn(t, memory(t, originBytes), memory(t, 64<<20), nil)
	m := &model{live: make([]byte, originBytes), taken: map[uint64][]byte{}, now: map[uint64][]byte{}}
	for step := 0; step < steps; step++ {
		m.step(t, r, rng, step)
		if step%50 == 49 {
			m.compare(t, r)
		}
	}
	m.compare(t, r)
}

func (m *model) pick(rng *rand.Rand) uint64 {
	ids := make([]uint64, 0, len(m.taken))
	for id := uint64(1); len(ids) < len(m.taken); id++ {
		if m.taken[id] != nil {
			ids = append(ids, id)
		}
	}
	return ids[rng.Intn(len(ids))]
}

func (m *model) step(t *testing.T, r *rig, rng *rand.Rand, step int) {
	data := make([]byte, 1+rng.Intn(5*block))
	rng.Read(data)
	off := rng.Int63n(originBytes - int64(len(data)))
	action := rng.Intn(20)
	if len(m.taken) == 0 && action >= 8 {
		action = 8
	}
	if len(m.taken) > 12 {
		action = 15
	}
	switch {
	case action < 8:
		_, err := r.WriteAt(data, off)
		ok(t, err)
		copy(m.live[off:], data)
	case action < 11:
		id := r.create(fmt.Sprint("s", step))
		m.taken[id] = append([]byte{}, m.live...)
		m.now[id] = append([]byte{}, m.live...)
	case action < 14:
		id := m.pick(rng)
		view, err := r.OpenView(selsnap.ViewOptions{ID: id, Writable: true})
		ok(t, err)
		_, err = view.WriteAt(data, off)
		ok(t, err)
		copy(m.now[id][off:], data)
		if rng.Intn(4) == 0 {
			ok(t, view.Reset())
			m.now[id] = append([]byte{}, m.taken[id]...)
		}
		ok(t, view.Close())
	case action < 15:
		id := m.pick(rng)
		clone, err := r.CloneSnapshot(selsnap.CloneOptions{Source: id, Name: fmt.Sprint("c", step), AsChanged: true})
		if errors.Is(err, selsnap.ErrLimit) {
			return // of layers that it would read through
		}
		ok(t, err)
		m.taken[clone] = m.taken[id]
		m.now[clone] = append([]byte{}, m.now[id]...)
	case action < 17:
		id := m.pick(rng)
		ok(t, r.DeleteSnapshot(id))
		delete(m.taken, id)
		delete(m.now, id)
	case action < 18:
		id := m.pick(rng)
		job, err := r.StartRestore(selsnap.RestoreOptions{ID: id})
		ok(t, err)
		ok(t, r.RunRestore(background, job, nil))
		copy(m.live, m.taken[id])
	case action < 19:
		for left := selsnap.Reclaim; left != 0; {
			var err error
			left, err = r.Step(background, nil)
			ok(t, err)
		}
	default:
		r.reopen(nil)
	}
}

func (m *model) compare(t *testing.T, r *rig) {
	t.Helper()
	got := make([]byte, originBytes)
	_, err := r.ReadAt(got, 0)
	ok(t, err)
	same(t, "the live device", bytes.Equal(got, m.live), true)
	for id := range m.taken {
		for _, pristine := range []bool{false, true} {
			view, err := r.OpenView(selsnap.ViewOptions{ID: id, Pristine: pristine})
			ok(t, err)
			_, err = view.ReadAt(got, 0)
			ok(t, err)
			ok(t, view.Close())
			wanted := m.now[id]
			if pristine {
				wanted = m.taken[id]
			}
			same(t, fmt.Sprint("snapshot ", id), bytes.Equal(got, wanted), true)
		}
	}
}
