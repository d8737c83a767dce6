// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"fmt"
	"testing"

	"selsnap"
)

func newSubset(t *testing.T, ranges ...int64) *selsnap.Subset {
	t.Helper()
	subset, err := selsnap.NewSubset(100*block+100, block)
	ok(t, err)
	for i := 0; i < len(ranges); i += 2 {
		ok(t, subset.Add(ranges[i]*block, ranges[i+1]*block))
	}
	return subset
}

func ranges(t *testing.T, subset *selsnap.Subset) string {
	t.Helper()
	text := ""
	for _, r := range all(t, subset.Ranges()) {
		text += fmt.Sprintf("%d+%d ", r.Offset/block, r.Len/block)
	}
	return text
}

func TestSubsetAlgebra(t *testing.T) {
	a := newSubset(t, 1, 4, 10, 2)
	same(t, "ranges", ranges(t, a), "1+4 10+2 ")
	same(t, "blocks", a.BlockCount(), 6)
	same(t, "bytes", a.ByteCount(), 6*block)
	same(t, "ranges", a.RangeCount(), 2)
	ok(t, a.Add(block*20+1, 1)) // outward
	same(t, "outward", a.Contains(20*block, block), true)
	ok(t, a.Remove(block*20+1, block-1)) // inward
	same(t, "inward", a.Contains(20*block, block), true)
	ok(t, a.Remove(block*20, block))
	same(t, "removed", a.Contains(20*block, 1), false)
	same(t, "outside", a.Contains(1<<40, 1), false)
	b := newSubset(t, 3, 8)
	ok(t, b.Intersect(a))
	same(t, "intersect", ranges(t, b), "3+2 10+1 ")
	ok(t, a.Subtract(b))
	same(t, "subtract", ranges(t, a), "1+2 11+1 ")
	ok(t, a.Union(b))
	same(t, "union", ranges(t, a), "1+4 10+2 ")
	ok(t, a.Union(a))
	same(t, "union with itself", a.BlockCount(), 6)
	ok(t, a.Complement())
	same(t, "complement", ranges(t, a), "0+1 5+5 12+88 ")
	same(t, "bytes with the short last block", a.ByteCount(), 94*block+100)
	ok(t, a.Subtract(a))
	same(t, "empty", ranges(t, a), "")
	fails(t, a.Add(101*block, 1), selsnap.ErrRange)
	fails(t, a.Add(-1, 1), selsnap.ErrRange)
	fails(t, a.Union(nil), selsnap.ErrInvalid)
}

func TestSubsetSizesDiffer(t *testing.T) {
	other, err := selsnap.NewSubset(200*block, block)
	ok(t, err)
	a := newSubset(t, 1, 1)
	fails(t, a.Union(other), selsnap.ErrInvalid)
	fails(t, a.Intersect(other), selsnap.ErrInvalid)
	fails(t, a.Subtract(other), selsnap.ErrInvalid)
	same(t, "unchanged", ranges(t, a), "1+1 ")
	_, err = selsnap.NewSubset(0, block)
	fails(t, err, selsnap.ErrInvalid)
	_, err = selsnap.NewSubset(block, 1000)
	fails(t, err, selsnap.ErrInvalid)
	r := newRig(t, nil)
	ok(t, other.Add(0, block))
	_, err = r.CreateSnapshot(selsnap.SnapshotOptions{Name: "a", Subset: other})
	fails(t, err, selsnap.ErrInvalid)
}
