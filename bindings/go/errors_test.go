// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"selsnap"
)

func TestVersion(t *testing.T) {
	var major, minor, patch uint32
	_, err := fmt.Sscanf(selsnap.VersionString(), "%d.%d.%d", &major, &minor, &patch)
	ok(t, err)
	same(t, "version", selsnap.Version(), major*1000000+minor*1000+patch)
	text, err := os.ReadFile("../../meson.build")
	ok(t, err)
	if !strings.Contains(string(text), "version: '"+selsnap.VersionString()+"'") {
		t.Fatalf("%s is not the version of meson.build", selsnap.VersionString())
	}
}

var codes = []selsnap.Code{
	selsnap.ErrInvalid, selsnap.ErrNoMemory, selsnap.ErrRange, selsnap.ErrAlign, selsnap.ErrIO, selsnap.ErrStore,
	selsnap.ErrNoSpace, selsnap.ErrNotExist, selsnap.ErrExist, selsnap.ErrBusy, selsnap.ErrHeld, selsnap.ErrLocked,
	selsnap.ErrReadOnly, selsnap.ErrNotStore, selsnap.ErrVersion, selsnap.ErrDamaged, selsnap.ErrLost,
	selsnap.ErrUndesignated, selsnap.ErrOrigin, selsnap.ErrChanged, selsnap.ErrOverlap, selsnap.ErrMemoryLimit,
	selsnap.ErrLimit, selsnap.ErrNotSupported, selsnap.ErrCanceled, selsnap.ErrAbandoned, selsnap.ErrTooSmall,
	selsnap.ErrNoData, selsnap.ErrBase, selsnap.ErrStream, selsnap.ErrQuota,
}

func TestErrorCodes(t *testing.T) {
	header, err := os.ReadFile("../../include/selsnap/error.h")
	ok(t, err)
	found := regexp.MustCompile(`#define (SELSNAP_E\w+) \((-\d+)\)`).FindAllStringSubmatch(string(header), -1)
	same(t, "codes", len(codes), len(found))
	texts := map[string]bool{}
	for i, match := range found {
		value, err := strconv.Atoi(match[2])
		ok(t, err)
		same(t, "value of "+match[1], int(codes[i]), value)
		same(t, "name", codes[i].Name(), match[1])
		if texts[codes[i].Error()] || codes[i].Error() == "" {
			t.Fatalf("%s: the text %q is another's", match[1], codes[i].Error())
		}
		texts[codes[i].Error()] = true
	}
	if !errors.Is(selsnap.ErrNotExist, fs.ErrNotExist) || !errors.Is(selsnap.ErrExist, fs.ErrExist) ||
		!errors.Is(selsnap.ErrReadOnly, fs.ErrPermission) || errors.Is(selsnap.ErrIO, fs.ErrNotExist) {
		t.Fatal("codes do not match the errors of io/fs")
	}
}

func TestErrorDetail(t *testing.T) {
	r := newRig(t, nil)
	ok(t, r.LastError())
	_, err := r.FindSnapshot("absent")
	fails(t, err, selsnap.ErrNotExist, fs.ErrNotExist)
	var typed *selsnap.Error
	errors.As(err, &typed)
	var last *selsnap.Error
	fails(t, r.LastError(), selsnap.ErrNotExist)
	errors.As(r.LastError(), &last)
	same(t, "detail", typed.Detail, last.Detail)
	if typed.Detail == "" || !strings.Contains(err.Error(), typed.Detail) || !strings.Contains(err.Error(), "find snapshot") {
		t.Fatalf("%v does not tell the detail %q", err, typed.Detail)
	}
}

func TestNullAndClosed(t *testing.T) {
	device, err := selsnap.OpenMemory(originBytes, 0)
	ok(t, err)
	r := newRig(t, nil)
	id := r.create("a")
	view, err := r.OpenView(selsnap.ViewOptions{ID: id, Writable: true})
	ok(t, err)
	subset := r.subset(0, block)
	snapshots := r.Snapshots()
	fails(t, r.Close(), selsnap.ErrBusy)
	fails(t, r.origin.Close(), selsnap.ErrBusy)
	reads(t, view, 0, 0)
	for twice := 0; twice < 2; twice++ {
		ok(t, view.Close())
		ok(t, r.Close())
		ok(t, subset.Close())
		ok(t, device.Close())
	}
	buf := make([]byte, block)
	calls := map[string]func() error{
		"view read":    func() error { _, err := view.ReadAt(buf, 0); return err },
		"view write":   func() error { _, err := view.WriteAt(buf, 0); return err },
		"view flush":   view.Flush,
		"view reset":   view.Reset,
		"view discard": func() error { return view.Discard(0, block) },
		"read":         func() error { _, err := r.ReadAt(buf, 0); return err },
		"write":        func() error { _, err := r.WriteAt(buf, 0); return err },
		"flush":        r.Flush,
		"stats":        func() error { _, err := r.Stats(); return err },
		"create":       func() error { _, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "b"}); return err },
		"open view":    func() error { _, err := r.OpenView(selsnap.ViewOptions{ID: id}); return err },
		"snapshots":    func() error { _, err := snapshots.All(); return err },
		"step":         func() error { _, err := r.Step(background, nil); return err },
		"check":        func() error { _, err := r.Check(background, nil); return err },
		"grow":         func() error { return r.GrowOrigin(0) },
		"group":        func() error { _, err := selsnap.CheckGroup([]*selsnap.Store{r.Store}, selsnap.GroupID{}); return err },
		"last error":   r.LastError,
		"subset add":   func() error { return subset.Add(0, block) },
		"union":        func() error { return r2subset(t).Union(subset) },
		"ranges":       func() error { _, err := subset.Ranges().All(); return err },
		"device read":  func() error { _, err := device.ReadAt(buf, 0); return err },
		"device write": func() error { _, err := device.WriteAt(buf, 0); return err },
		"device flush": device.Flush,
		"slice":        func() error { _, err := device.Slice(0, block); return err },
		"format":       func() error { return selsnap.Format(device, r.origin, nil) },
		"open":         func() error { _, err := selsnap.Open(device, r.origin, nil); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { fails(t, call(), selsnap.ErrClosed, os.ErrClosed) })
	}
	if r.Size() != 0 || r.BlockSize() != 0 || device.Size() != 0 || subset.BlockCount() != 0 || subset.Contains(0, 1) {
		t.Fatal("something closed has a size")
	}
	fails(t, selsnap.Format(nil, r.origin, nil), selsnap.ErrInvalid)
	_, err = selsnap.NewDevice(nil, selsnap.DeviceInfo{})
	fails(t, err, selsnap.ErrInvalid)
}

func r2subset(t *testing.T) *selsnap.Subset {
	subset, err := selsnap.NewSubset(originBytes, block)
	ok(t, err)
	return subset
}
