// SPDX-License-Identifier: Apache-2.0

package selsnap

// #include "bridge.h"
import "C"

// DiffKind is why a range is in a diff.
type DiffKind uint32

// The kinds of ranges in a diff.
const (
	DiffChanged DiffKind = C.SELSNAP_DIFF_CHANGED // May differ: false positives are possible, false negatives never.
	DiffUnknown DiffKind = C.SELSNAP_DIFF_UNKNOWN // In To, but From does not track it.
	DiffLost    DiffKind = C.SELSNAP_DIFF_LOST    // Changed, and the content in To is lost.
)

// DiffRange is a range of blocks that may differ.
type DiffRange struct {
	Range
	Kind DiffKind
}

// DiffOptions tell between what.
type DiffOptions struct {
	From   uint64  // A snapshot or bookmark, not younger than To.
	To     uint64  // A snapshot or bookmark; 0: the live device, as it is now.
	Within *Subset // Only these blocks; nil: all.
}

// Diff goes through the ranges of blocks that may differ between two points. Blocks in no range are the same at both. The
// time it takes follows what changed, not the size of the device.
func (s *Store) Diff(options DiffOptions) *Iter[DiffRange] {
	const op = "diff"
	offset := C.uint64_t(0)
	return &Iter[DiffRange]{step: func() (DiffRange, error) {
		if size := s.Size(); size > 0 && int64(offset) >= size {
			return DiffRange{}, errEnd
		}
		unlock, err := reading(op, options.Within)
		if err != nil {
			return DiffRange{}, err
		}
		defer unlock()
		c := C.selsnap_diff_options{
			struct_size: C.sizeof_selsnap_diff_options,
			from_id:     C.uint64_t(options.From),
			to_id:       C.uint64_t(options.To),
			within:      options.Within.of(),
		}
		var next C.selsnap_diff_range
		err = s.do(op, func(ss *C.selsnap) C.int { return C.selsnap_diff_next(ss, &c, offset, &next) })
		offset = next.offset + next.len
		return DiffRange{Range{int64(next.offset), int64(next.len)}, DiffKind(next.kind)}, ended(err)
	}}
}
