// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import "context"

// CheckOptions tell who is told of a check. The callbacks must not use the store: what they wait for may wait for the check.
type CheckOptions struct {
	Problem  func(line string) // Told each problem; or nil.
	Progress Progress          // Told items done of all; or nil.
}

// CheckResult is what a check found.
type CheckResult struct {
	Pages    uint64 // Metadata pages read.
	Items    uint64 // Items in them.
	Blocks   uint64 // Blocks whose data was read.
	Problems uint64 // Each was told to CheckOptions.Problem.
}

// Check reads every page and every preserved block, and verifies checksums and cross references. That there are problems is
// no error: see CheckResult.Problems.
func (s *Store) Check(ctx context.Context, options *CheckOptions) (CheckResult, error) {
	if options == nil {
		options = &CheckOptions{}
	}
	c := C.selsnap_check_result{struct_size: C.sizeof_selsnap_check_result}
	told := call{line: quiet(options.Problem), progress: options.Progress}
	err := s.work(ctx, "check", &told, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_check(ss, handle, flag(options.Problem != nil, C.SSGO_LINE), &c)
	})
	return CheckResult{
		Pages: uint64(c.pages), Items: uint64(c.items), Blocks: uint64(c.blocks), Problems: uint64(c.problems),
	}, err
}

// Scrub is how far a scrub has come; the zero value is the beginning. It may be kept across a close and an open. It is for
// one goroutine at a time.
type Scrub struct {
	Done     bool      // All has been read. The zero value begins again.
	Position [4]uint64 // Where it goes on; for the library alone.
	Blocks   uint64    // Blocks read so far.
	Bytes    uint64    // Their bytes.
	Problems uint64    // Problems found so far.
}

// ScrubStep reads some of the preserved data, about budget bytes (0: 16 MiB), and verifies its checksums; the next call goes
// on from there. Problem, which may be nil, is told each problem, and may use the store.
func (s *Store) ScrubStep(ctx context.Context, scrub *Scrub, budget int64, problem func(line string)) error {
	const op = "scrub"
	if scrub == nil || budget < 0 {
		return invalid(op, "there is no scrub, or its budget is negative")
	}
	c := C.selsnap_scrub{
		struct_size: C.sizeof_selsnap_scrub, done: flag(scrub.Done, 1),
		blocks: C.uint64_t(scrub.Blocks), bytes: C.uint64_t(scrub.Bytes), problems: C.uint64_t(scrub.Problems),
	}
	for i, word := range scrub.Position {
		c.position[i] = C.uint64_t(word)
	}
	err := s.work(ctx, op, &call{line: quiet(problem)}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_scrub_step(ss, &c, C.uint64_t(budget), handle)
	})
	scrub.Done, scrub.Blocks, scrub.Bytes, scrub.Problems = c.done != 0, uint64(c.blocks), uint64(c.bytes), uint64(c.problems)
	for i, word := range c.position {
		scrub.Position[i] = uint64(word)
	}
	return err
}

// Scrub reads all of the preserved data, step by step, until ctx ends.
func (s *Store) Scrub(ctx context.Context, problem func(line string)) (Scrub, error) {
	var scrub Scrub
	for !scrub.Done {
		if err := s.ScrubStep(ctx, &scrub, 0, problem); err != nil {
			return scrub, err
		}
	}
	return scrub, nil
}

// quiet is a callback whose errors there are none of.
func quiet(line func(string)) func(string) error {
	return func(text string) error {
		if line != nil {
			line(text)
		}
		return nil
	}
}

// Dump gives all metadata as text, one item a line, until line returns an error, which becomes that of Dump.
func (s *Store) Dump(ctx context.Context, line func(line string) error) error {
	if line == nil {
		return invalid("dump", "nobody is told")
	}
	return s.work(ctx, "dump", &call{line: line}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_dump(ss, handle)
	})
}

// RepairOptions tell how to repair; all may be left out.
type RepairOptions struct {
	Overwrite     bool              // Even if the new device holds a store already; that store is lost.
	AllowOverlap  bool              // Do not refuse when new store and origin seem to share storage.
	OtherOrigin   bool              // As OpenOptions.OtherOrigin; the new store belongs to this origin.
	OriginChanged bool              // As OpenOptions.OriginChanged.
	AsTaken       bool              // Where it is not known all what was written into a snapshot, salvage it as it was taken.
	MemoryLimit   int64             // Bytes that may be allocated; 0: 64 MiB.
	JournalBytes  int64             // Journal of the new store; 0: as in the damaged one.
	Report        func(line string) // Told each thing that is lost or in doubt; or nil.
	Progress      Progress          // Told bytes of the origin gone through, of all; or nil.
}

// RepairResult is what a repair has salvaged.
type RepairResult struct {
	Cut                                      bool // The newest changes are lost, of whatever kind they were.
	SnapshotsSalvaged, SnapshotsLost         uint64
	DesignationsSalvaged, DesignationsLost   uint64
	RestoresSalvaged, RestoresLost           uint64
	BlocksSalvaged, BlocksLost, PagesDamaged uint64
}

// Repair makes a new store, on fresh, of what is sound of a damaged one. A block reads in the new store as in the damaged
// one, or is lost there (ErrLost). The damaged store and the origin are only read. The result is filled also when nothing
// can be salvaged (ErrDamaged).
func Repair(ctx context.Context, damaged, origin, fresh *Device, options *RepairOptions) (RepairResult, error) {
	const op = "repair"
	if options == nil {
		options = &RepairOptions{}
	}
	if options.MemoryLimit < 0 || options.JournalBytes < 0 {
		return RepairResult{}, invalid(op, "a size is negative")
	}
	if fresh == nil {
		return RepairResult{}, invalid(op, "a device is nil")
	}
	release, err := retainAll(op, fresh, damaged, origin)
	if err != nil {
		return RepairResult{}, err
	}
	defer release()
	var m memory
	defer m.free()
	c := C.selsnap_repair_options{
		struct_size: C.sizeof_selsnap_repair_options,
		flags: flag(options.Overwrite, C.SELSNAP_REPAIR_OVERWRITE) |
			flag(options.AllowOverlap, C.SELSNAP_REPAIR_ALLOW_OVERLAP) |
			flag(options.OtherOrigin, C.SELSNAP_REPAIR_OTHER_ORIGIN) |
			flag(options.OriginChanged, C.SELSNAP_REPAIR_ORIGIN_CHANGED) |
			flag(options.AsTaken, C.SELSNAP_REPAIR_AS_TAKEN),
		memory_limit:  C.uint64_t(options.MemoryLimit),
		journal_bytes: C.uint64_t(options.JournalBytes),
		ret_message:   m.message(),
		message_size:  messageSize,
	}
	r := C.selsnap_repair_result{struct_size: C.sizeof_selsnap_repair_result}
	told := call{ctx: ctx, line: quiet(options.Report), progress: options.Progress}
	rc, cause := told.run(func(handle C.uintptr_t) C.int {
		wants := flag(options.Report != nil, C.SSGO_LINE)
		return C.ssgo_repair(damaged.c, origin.c, fresh.c, &c, handle, wants, &r)
	})
	return RepairResult{
		Cut:               r.cut != 0,
		SnapshotsSalvaged: uint64(r.snapshots_salvaged), SnapshotsLost: uint64(r.snapshots_lost),
		DesignationsSalvaged: uint64(r.designations_salvaged), DesignationsLost: uint64(r.designations_lost),
		RestoresSalvaged: uint64(r.restores_salvaged), RestoresLost: uint64(r.restores_lost),
		BlocksSalvaged: uint64(r.blocks_salvaged), BlocksLost: uint64(r.blocks_lost), PagesDamaged: uint64(r.pages_damaged),
	}, failure(op, rc, C.GoString(c.ret_message), cause)
}
