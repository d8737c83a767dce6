// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

import (
	"context"
	"io"
	"time"
	"unsafe"
)

// StreamID is what a stream holds, or what a device holds of it: a snapshot of some store. The zero value is nothing. Keep
// it (as JSON, for example) where increments are to be applied later.
type StreamID struct {
	AsChanged    bool     // Holds what was written into the snapshot, too; it can be no base.
	Some         bool     // Only chosen ranges of the snapshot.
	Lossy        bool     // Made with ExportOptions.SkipLost.
	StoreID      [16]byte // The store that it was exported from.
	SnapshotID   uint64   // The snapshot's id there.
	Point        uint64   // Its point there.
	RangesDigest uint64   // Names the chosen ranges; 0: none were chosen.
	LostBlocks   uint64   // Blocks that this stream and those before it on the device told as lost.
}

func (id *StreamID) c() C.selsnap_stream_id {
	c := C.selsnap_stream_id{
		struct_size: C.sizeof_selsnap_stream_id,
		flags: flag(id.AsChanged, C.SELSNAP_STREAM_AS_CHANGED) | flag(id.Some, C.SELSNAP_STREAM_SOME) |
			flag(id.Lossy, C.SELSNAP_STREAM_LOSSY),
		snapshot_id: C.uint64_t(id.SnapshotID), point: C.uint64_t(id.Point),
		ranges_digest: C.uint64_t(id.RangesDigest), lost_blocks: C.uint64_t(id.LostBlocks),
	}
	*(*[16]byte)(unsafe.Pointer(&c.store_id)) = id.StoreID
	return c
}

func streamIDOf(c *C.selsnap_stream_id) StreamID {
	return StreamID{
		AsChanged: c.flags&C.SELSNAP_STREAM_AS_CHANGED != 0, Some: c.flags&C.SELSNAP_STREAM_SOME != 0,
		Lossy:      c.flags&C.SELSNAP_STREAM_LOSSY != 0,
		StoreID:    *(*[16]byte)(unsafe.Pointer(&c.store_id)),
		SnapshotID: uint64(c.snapshot_id), Point: uint64(c.point),
		RangesDigest: uint64(c.ranges_digest), LostBlocks: uint64(c.lost_blocks),
	}
}

// StreamToken is how far a stream has arrived, for the side that writes to go on from there. It is made by the library for
// the library; it may be kept, and sent to the other side, with its members as they are.
type StreamToken struct {
	Key        uint64 // Names the stream; 0: no token.
	Records    uint64 // Data records that are whole.
	NextBlock  uint64 // The first block that they do not tell of.
	Digest     uint64 // Of all before.
	DataBlocks uint64 // Blocks told so far, with data.
	ZeroBlocks uint64 // As zeros.
	LostBlocks uint64 // As lost.
	Check      uint64 // Checksum of the members above.
}

// c is a token in memory of C; NULL of nil.
func (t *StreamToken) c(m *memory) *C.selsnap_stream_token {
	if t == nil {
		return nil
	}
	c := (*C.selsnap_stream_token)(m.alloc(C.sizeof_selsnap_stream_token))
	*c = C.selsnap_stream_token{
		struct_size: C.sizeof_selsnap_stream_token,
		key:         C.uint64_t(t.Key), records: C.uint64_t(t.Records), next_block: C.uint64_t(t.NextBlock),
		digest: C.uint64_t(t.Digest), data_blocks: C.uint64_t(t.DataBlocks), zero_blocks: C.uint64_t(t.ZeroBlocks),
		lost_blocks: C.uint64_t(t.LostBlocks), check: C.uint64_t(t.Check),
	}
	return c
}

func streamTokenOf(c *C.selsnap_stream_token) StreamToken {
	return StreamToken{
		Key: uint64(c.key), Records: uint64(c.records), NextBlock: uint64(c.next_block), Digest: uint64(c.digest),
		DataBlocks: uint64(c.data_blocks), ZeroBlocks: uint64(c.zero_blocks), LostBlocks: uint64(c.lost_blocks),
		Check: uint64(c.check),
	}
}

// StreamState is what a target holds of a stream.
type StreamState uint32

// The states of a target.
const (
	StreamNothing StreamState = C.SELSNAP_STREAM_NOTHING // Nothing was applied: it is as it was.
	StreamPart    StreamState = C.SELSNAP_STREAM_PART    // It holds a part: neither the old nor the new content.
	StreamWhole   StreamState = C.SELSNAP_STREAM_WHOLE   // All was read, and applied where that was asked.
)

// StreamInfo tells about a stream that was made or read.
type StreamInfo struct {
	State                      StreamState
	VersionMajor, VersionMinor int         // The stream's format.
	ID                         StreamID    // What the stream holds.
	Base                       StreamID    // For an increment, what it goes on from; otherwise SnapshotID is 0.
	Name                       string      // The snapshot's name.
	Time                       time.Time   // The snapshot's time.
	OriginBytes                int64       // Size of its origin.
	BlockSize                  int         // Block size.
	PropertyCount              int         // Properties.
	BlockCount, RangeCount     uint64      // Blocks and ranges in the subset.
	Records                    uint64      // Data records, those before a resumption included; the same for the next three.
	DataBlocks                 uint64      // Blocks told with data.
	ZeroBlocks                 uint64      // Blocks told as zeros.
	LostBlocks                 uint64      // Blocks told as lost.
	StreamBytes                uint64      // Bytes that were written or read.
	WrittenBlocks              uint64      // Blocks that were written to the target; those that it had already are not.
	Token                      StreamToken // For going on where it broke off; Key 0: it has to begin again.
}

func newStreamInfo() *C.selsnap_stream_info {
	return &C.selsnap_stream_info{struct_size: C.sizeof_selsnap_stream_info}
}

func streamInfoOf(c *C.selsnap_stream_info) StreamInfo {
	return StreamInfo{
		State:        StreamState(c.state),
		VersionMajor: int(c.version_major), VersionMinor: int(c.version_minor),
		ID: streamIDOf(&c.id), Base: streamIDOf(&c.base),
		Name: C.GoString(&c.name[0]), Time: timeOf(c.time_ns),
		OriginBytes: int64(c.origin_bytes), BlockSize: int(c.block_bytes), PropertyCount: int(c.property_count),
		BlockCount: uint64(c.block_count), RangeCount: uint64(c.range_count),
		Records: uint64(c.records), DataBlocks: uint64(c.data_blocks), ZeroBlocks: uint64(c.zero_blocks),
		LostBlocks: uint64(c.lost_blocks), StreamBytes: uint64(c.stream_bytes), WrittenBlocks: uint64(c.written_blocks),
		Token: streamTokenOf(&c.token),
	}
}

// ExportOptions tell what to export.
type ExportOptions struct {
	ID        uint64       // The snapshot.
	Base      uint64       // 0: all of it. Otherwise what changed since this older snapshot or bookmark.
	Subset    *Subset      // Only these ranges of it; nil: all. An increment needs the same as its base.
	Level     int          // zstd's, 1 to 19; 0: 3, or none where libselsnap was built without zstd; -1: none.
	AsChanged bool         // With what was written into the snapshot. Not for increments.
	SkipLost  bool         // Go on although blocks are lost: the stream tells of each that it is.
	Token     *StreamToken // nil, or go on behind what it says has arrived; all else as the first time.
	Progress  Progress     // Told blocks passed of the subset; or nil.
}

// Export writes a snapshot as a stream. An error of w is in the chain of the error returned. After any failure the stream
// has no end, and each reader refuses it there.
func (s *Store) Export(ctx context.Context, w io.Writer, options ExportOptions) (StreamInfo, error) {
	const op = "export"
	if w == nil {
		return StreamInfo{}, invalid(op, "there is no writer")
	}
	unlock, err := reading(op, options.Subset)
	if err != nil {
		return StreamInfo{}, err
	}
	defer unlock()
	var m memory
	defer m.free()
	c := C.selsnap_export_options{
		struct_size: C.sizeof_selsnap_export_options,
		flags: flag(options.AsChanged, C.SELSNAP_EXPORT_AS_CHANGED) |
			flag(options.SkipLost, C.SELSNAP_EXPORT_SKIP_LOST),
		id:      C.uint64_t(options.ID),
		base_id: C.uint64_t(options.Base),
		subset:  options.Subset.of(),
		level:   C.int32_t(options.Level),
		token:   options.Token.c(&m),
	}
	info := newStreamInfo()
	told := call{writer: w, progress: options.Progress}
	err = s.work(ctx, op, &told, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_export(ss, &c, handle, info)
	})
	return streamInfoOf(info), err
}

// StreamOptions tell how to read a stream without a store; all may be left out.
type StreamOptions struct {
	SkipLost    bool         // ApplyStream: leave blocks that the stream tells as lost as they are.
	Holds       *StreamID    // ApplyStream: what the device holds, for an increment.
	Token       *StreamToken // The stream goes on behind this, from a call that broke off.
	MemoryLimit int64        // Bytes; 0: 64 MiB. Needed: 3 MiB, and 16 to 32 bytes for each range.
	Progress    Progress     // Told blocks passed of the subset; or nil.
}

// VerifyStream reads a stream from r, and verifies all of it. It takes no byte behind the stream's end. The info is filled
// also after a failure, as far as is known.
func VerifyStream(ctx context.Context, r io.Reader, options *StreamOptions) (StreamInfo, error) {
	return readStream(ctx, "verify stream", r, options,
		func(c *C.selsnap_stream_options, handle C.uintptr_t, info *C.selsnap_stream_info) C.int {
			c.flags = 0
			c.holds = nil
			return C.ssgo_stream_verify(c, handle, info)
		})
}

// ApplyStream writes a stream's blocks to a device: a full one, then its increments in their order. Keep the info's ID: the
// next increment needs it as StreamOptions.Holds. The info is filled also after a failure; its State tells whether the
// device is as it was.
func ApplyStream(ctx context.Context, r io.Reader, device *Device, options *StreamOptions) (StreamInfo, error) {
	const op = "apply stream"
	if device == nil {
		return StreamInfo{}, invalid(op, "the device is nil")
	}
	release, err := retainAll(op, device)
	if err != nil {
		return StreamInfo{}, err
	}
	defer release()
	return readStream(ctx, op, r, options,
		func(c *C.selsnap_stream_options, handle C.uintptr_t, info *C.selsnap_stream_info) C.int {
			return C.ssgo_stream_apply(device.c, c, handle, info)
		})
}

func readStream(ctx context.Context, op string, r io.Reader, options *StreamOptions,
	f func(*C.selsnap_stream_options, C.uintptr_t, *C.selsnap_stream_info) C.int) (StreamInfo, error) {
	if options == nil {
		options = &StreamOptions{}
	}
	if r == nil || options.MemoryLimit < 0 {
		return StreamInfo{}, invalid(op, "there is no reader, or the memory limit is negative")
	}
	var m memory
	defer m.free()
	c := C.selsnap_stream_options{
		struct_size:  C.sizeof_selsnap_stream_options,
		flags:        flag(options.SkipLost, C.SELSNAP_APPLY_SKIP_LOST),
		token:        options.Token.c(&m),
		memory_limit: C.uint64_t(options.MemoryLimit),
		ret_message:  m.message(),
		message_size: messageSize,
	}
	if options.Holds != nil {
		holds := (*C.selsnap_stream_id)(m.alloc(C.sizeof_selsnap_stream_id))
		*holds = options.Holds.c()
		c.holds = holds
	}
	info := newStreamInfo()
	told := call{ctx: ctx, reader: r, progress: options.Progress}
	rc, cause := told.run(func(handle C.uintptr_t) C.int { return f(&c, handle, info) })
	return streamInfoOf(info), failure(op, rc, C.GoString(c.ret_message), cause)
}

// ImportOptions tell how to import; all may be left out.
type ImportOptions struct {
	Name     string   // The new snapshot's name; empty: the stream's.
	Policy   Policy   // Of the new snapshot.
	SkipLost bool     // Blocks that the stream tells as lost are left out of the new snapshot.
	KeepPart bool     // If it breaks off, keep what has arrived, for a stream that goes on behind the info's Token.
	Progress Progress // Told blocks passed of the subset; or nil.
}

// Import brings a stream into the store, as a snapshot, and returns its id: the origin, where backups are kept, gets the
// stream's blocks. If it fails, what was written is taken back, or an unfinished import is left: see UnfinishedImport. The
// info is filled also after a failure.
func (s *Store) Import(ctx context.Context, r io.Reader, options *ImportOptions) (uint64, StreamInfo, error) {
	const op = "import"
	if options == nil {
		options = &ImportOptions{}
	}
	if r == nil {
		return 0, StreamInfo{}, invalid(op, "there is no reader")
	}
	var m memory
	defer m.free()
	c := C.selsnap_import_options{
		struct_size: C.sizeof_selsnap_import_options,
		flags: flag(options.SkipLost, C.SELSNAP_IMPORT_SKIP_LOST) |
			flag(options.KeepPart, C.SELSNAP_IMPORT_KEEP_PART),
		name:   m.text(options.Name),
		policy: C.uint32_t(options.Policy),
	}
	if err := m.checked(op); err != nil {
		return 0, StreamInfo{}, err
	}
	var id C.uint64_t
	info := newStreamInfo()
	told := call{reader: r, progress: options.Progress}
	err := s.work(ctx, op, &told, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_import(ss, &c, handle, &id, info)
	})
	return uint64(id), streamInfoOf(info), err
}

// UnfinishedImport finds an unfinished import: what was being imported, and how far it has come (a token with Key 0: it
// cannot be gone on with). ErrNotExist: there is none.
func (s *Store) UnfinishedImport() (StreamID, StreamToken, error) {
	id := C.selsnap_stream_id{struct_size: C.sizeof_selsnap_stream_id}
	token := C.selsnap_stream_token{struct_size: C.sizeof_selsnap_stream_token}
	err := s.do("unfinished import", func(ss *C.selsnap) C.int {
		return C.selsnap_import_unfinished(ss, &id, &token)
	})
	return streamIDOf(&id), streamTokenOf(&token), err
}

// UndoImport takes an unfinished import back: the live device is as it was before. Progress, which may be nil, is told blocks
// taken back of all.
func (s *Store) UndoImport(ctx context.Context, progress Progress) error {
	return s.work(ctx, "undo import", &call{progress: progress}, func(ss *C.selsnap, handle C.uintptr_t) C.int {
		return C.ssgo_import_undo(ss, handle)
	})
}

// SnapshotReceived is which stream a snapshot was imported from; ErrNotExist if it was not.
func (s *Store) SnapshotReceived(id uint64) (StreamID, error) {
	c := C.selsnap_stream_id{struct_size: C.sizeof_selsnap_stream_id}
	err := s.do("snapshot received", func(ss *C.selsnap) C.int {
		return C.selsnap_snapshot_get_received(ss, C.uint64_t(id), &c)
	})
	return streamIDOf(&c), err
}
