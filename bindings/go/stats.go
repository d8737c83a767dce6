// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"time"
	"unsafe"
)

// Stats are figures of a store. Counts run from the open.
type Stats struct {
	BlockSize         int           // Block size.
	OriginBytes       uint64        // Size of the origin.
	StoreBytes        uint64        // Size of the store.
	StoreUsedBytes    uint64        // In use: metadata, journal, copies, and what waits to be given back.
	StoreFreeBytes    uint64        // Free for copies, without the reserve, and within the quota.
	StorePendingBytes uint64        // Freed, usable after the next checkpoint.
	StoreQuotaBytes   uint64        // That may be in use; 0: all of the store.
	JournalBytes      uint64        // Size of the journal.
	JournalUsedBytes  uint64        // Since the last checkpoint.
	Snapshots         uint64        // Snapshots.
	MemoryBytes       uint64        // Allocated now.
	MemoryPeakBytes   uint64        // The most allocated since the open.
	MemoryLimitBytes  uint64        // The limit.
	BlocksPreserved   uint64        // Blocks copied, or recorded as zero.
	BlocksZero        uint64        // Of these, recorded as zero without a copy.
	BlocksAhead       uint64        // Of BlocksPreserved, those that were not being written themselves.
	BlocksLost        uint64        // Blocks recorded as lost.
	BlocksRestored    uint64        // Blocks copied back by restores.
	CleanWrites       uint64        // Writes that found nothing to preserve.
	PreservingWrites  uint64        // Writes that preserved.
	Commits           uint64        // Journal batches written.
	Checkpoints       uint64        // Checkpoints written.
	PagesRead         uint64        // Metadata pages read from the store.
	PagesWritten      uint64        // Metadata pages written.
	GateClosedMax     time.Duration // Longest time that a snapshot held writers back.
	StoreID           [16]byte      // Names this store.
	Epoch             uint64        // The next point.
	ReclaimPending    bool          // Deleted snapshots' space waits for Step.
	DeferredBytes     uint64        // Of writes, kept in memory now.
}

// Stats reads the store's figures, at a moment.
func (s *Store) Stats() (Stats, error) {
	c := C.selsnap_stats{struct_size: C.sizeof_selsnap_stats}
	err := s.do("stats", func(ss *C.selsnap) C.int { return C.selsnap_get_stats(ss, &c) })
	return Stats{
		BlockSize: int(c.block_bytes), OriginBytes: uint64(c.origin_bytes),
		StoreBytes: uint64(c.store_bytes), StoreUsedBytes: uint64(c.store_used_bytes),
		StoreFreeBytes: uint64(c.store_free_bytes), StorePendingBytes: uint64(c.store_pending_bytes),
		StoreQuotaBytes: uint64(c.store_quota_bytes),
		JournalBytes:    uint64(c.journal_bytes), JournalUsedBytes: uint64(c.journal_used_bytes),
		Snapshots:   uint64(c.snapshots),
		MemoryBytes: uint64(c.memory_bytes), MemoryPeakBytes: uint64(c.memory_peak_bytes),
		MemoryLimitBytes: uint64(c.memory_limit_bytes),
		BlocksPreserved:  uint64(c.blocks_preserved), BlocksZero: uint64(c.blocks_zero),
		BlocksAhead: uint64(c.blocks_ahead), BlocksLost: uint64(c.blocks_lost), BlocksRestored: uint64(c.blocks_restored),
		CleanWrites: uint64(c.clean_writes), PreservingWrites: uint64(c.preserving_writes),
		Commits: uint64(c.commits), Checkpoints: uint64(c.checkpoints),
		PagesRead: uint64(c.pages_read), PagesWritten: uint64(c.pages_written),
		GateClosedMax: time.Duration(c.gate_closed_ns_max),
		StoreID:       *(*[16]byte)(unsafe.Pointer(&c.store_id)),
		Epoch:         uint64(c.epoch), ReclaimPending: c.reclaim_pending != 0, DeferredBytes: uint64(c.deferred_bytes),
	}, err
}
