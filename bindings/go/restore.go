// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import "context"

// RestoreOptions tell what to restore.
type RestoreOptions struct {
	ID       uint64  // The snapshot.
	Subset   *Subset // Only these blocks; nil: all that the snapshot designates.
	SkipLost bool    // Go on although blocks are lost in the snapshot: these keep what they have.
}

// StartRestore begins to bring blocks of the live device back to a snapshot's frozen content, and returns the job's id. The
// restored content is visible at once; RunRestore or Step copies it. Once begun, it is finished, across any crash. To undo
// a restore, take a snapshot before it, and restore that.
func (s *Store) StartRestore(options RestoreOptions) (uint64, error) {
	const op = "start restore"
	unlock, err := reading(op, options.Subset)
	if err != nil {
		return 0, err
	}
	defer unlock()
	c := C.selsnap_restore_options{
		struct_size: C.sizeof_selsnap_restore_options,
		flags:       flag(options.SkipLost, C.SELSNAP_RESTORE_SKIP_LOST),
		id:          C.uint64_t(options.ID),
		subset:      options.Subset.of(),
	}
	var job C.uint64_t
	err = s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_restore_start(ss, &c, &job) })
	return uint64(job), err
}

// RunRestore advances one restore to its end. When ctx ends it stops, and can be taken up again.
func (s *Store) RunRestore(ctx context.Context, job uint64, progress Progress) error {
	return s.work(ctx, "run restore", &call{progress: progress}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_restore_run(ss, C.uint64_t(job), handle)
	})
}

// PauseRestore keeps Step from advancing a restore, or lets it again. It is not recorded.
func (s *Store) PauseRestore(job uint64, paused bool) error {
	return s.do("pause restore", func(ss *C.selsnap) C.int {
		return C.selsnap_restore_pause(ss, C.uint64_t(job), C.int(flag(paused, 1)))
	})
}

// RestoreJob tells about a restore that has not ended.
type RestoreJob struct {
	Job            uint64 // Its id.
	Snapshot       uint64 // The source.
	Point          uint64 // When it began, as an epoch.
	Paused         bool
	BlocksTotal    uint64 // Blocks in its range.
	BlocksDone     uint64 // Of these, passed: restored, or found unchanged.
	BlocksRestored uint64 // Copied back since the open.
}

// Restores goes through the restores that have not ended, by rising id.
func (s *Store) Restores() *Iter[RestoreJob] {
	after := C.uint64_t(0)
	return &Iter[RestoreJob]{step: func() (RestoreJob, error) {
		c := C.selsnap_restore_info{struct_size: C.sizeof_selsnap_restore_info}
		err := s.do("restores", func(ss *C.selsnap) C.int { return C.selsnap_restore_next(ss, after, &c) })
		after = c.job
		return RestoreJob{
			Job: uint64(c.job), Snapshot: uint64(c.snapshot_id), Point: uint64(c.point), Paused: c.paused != 0,
			BlocksTotal: uint64(c.blocks_total), BlocksDone: uint64(c.blocks_done), BlocksRestored: uint64(c.blocks_restored),
		}, ended(err)
	}}
}
