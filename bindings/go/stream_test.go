// SPDX-License-Identifier: Apache-2.0

package selsnap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"selsnap"
)

// export makes a stream of a snapshot in memory.
func (r *rig) export(options selsnap.ExportOptions) ([]byte, selsnap.StreamInfo) {
	r.t.Helper()
	var stream bytes.Buffer
	info, err := r.Export(background, &stream, options)
	ok(r.t, err)
	same(r.t, "bytes", info.StreamBytes, uint64(stream.Len()))
	return stream.Bytes(), info
}

// backedUp is a rig with a snapshot, a later one, and the streams of both: full, and the increment.
func backedUp(t *testing.T) (r *rig, full, increment []byte) {
	r = newRig(t, nil)
	for i := int64(0); i < 200; i++ {
		_, err := r.WriteAt(random(i), i*block)
		ok(t, err)
	}
	first, err := r.CreateSnapshot(selsnap.SnapshotOptions{Name: "first", Properties: map[string]string{"by": "test"}})
	ok(t, err)
	for i := int64(20); i < 30; i++ {
		_, err := r.WriteAt(random(1000+i), i*block)
		ok(t, err)
	}
	second := r.create("second")
	full, _ = r.export(selsnap.ExportOptions{ID: first})
	increment, info := r.export(selsnap.ExportOptions{ID: second, Base: first})
	same(t, "base", info.Base.SnapshotID, first)
	return r, full, increment
}

// holdsAll checks that something holds what a snapshot of the rig holds.
func holdsAll(t *testing.T, r *rig, name string, there io.ReaderAt) {
	t.Helper()
	wanted, got := make([]byte, originBytes), make([]byte, originBytes)
	_, err := r.view(selsnap.ViewOptions{Name: name}).ReadAt(wanted, 0)
	ok(t, err)
	_, err = there.ReadAt(got, 0)
	ok(t, err)
	same(t, "content", bytes.Equal(wanted, got), true)
}

func TestExportImport(t *testing.T) {
	r, full, increment := backedUp(t)
	target := newRig(t, nil)
	_, _, err := target.Import(background, bytes.NewReader(increment), nil)
	fails(t, err, selsnap.ErrBase)
	// Several streams in one: no byte behind the end of one is taken.
	stream := bytes.NewReader(append(append([]byte{}, full...), increment...))
	id, info, err := target.Import(background, stream, nil)
	ok(t, err)
	same(t, "state", info.State, selsnap.StreamWhole)
	same(t, "name", info.Name, "first")
	same(t, "left", stream.Len(), len(increment))
	properties, err := target.Properties(id)
	ok(t, err)
	same(t, "property", properties["by"], "test")
	received, err := target.SnapshotReceived(id)
	ok(t, err)
	same(t, "received", received, info.ID)
	second, _, err := target.Import(background, stream, &selsnap.ImportOptions{Name: "other", Policy: selsnap.GiveUpBlock})
	ok(t, err)
	holdsAll(t, r, "first", target.view(selsnap.ViewOptions{ID: id}))
	holdsAll(t, r, "second", target.view(selsnap.ViewOptions{ID: second}))
	named, err := target.Snapshot(second)
	ok(t, err)
	same(t, "name", named.Name, "other")
	same(t, "policy", named.Policy, selsnap.GiveUpBlock)
	_, err = target.SnapshotReceived(target.create("own"))
	fails(t, err, selsnap.ErrNotExist)
	_, _, err = target.Import(background, bytes.NewReader(full), &selsnap.ImportOptions{Name: "own"})
	fails(t, err, selsnap.ErrExist)
}

func TestExportApplyVerify(t *testing.T) {
	r, full, increment := backedUp(t)
	info, err := selsnap.VerifyStream(background, bytes.NewReader(full), nil)
	ok(t, err)
	same(t, "state", info.State, selsnap.StreamWhole)
	same(t, "origin", info.OriginBytes, originBytes)
	device := memory(t, originBytes)
	_, err = selsnap.ApplyStream(background, bytes.NewReader(increment), device, nil)
	fails(t, err, selsnap.ErrBase)
	info, err = selsnap.ApplyStream(background, bytes.NewReader(full), device, nil)
	ok(t, err)
	holdsAll(t, r, "first", device)
	// What the device holds is kept as JSON until the increment comes.
	kept, err := json.Marshal(info.ID)
	ok(t, err)
	var holds selsnap.StreamID
	ok(t, json.Unmarshal(kept, &holds))
	_, err = selsnap.ApplyStream(background, bytes.NewReader(increment), device, &selsnap.StreamOptions{Holds: &holds})
	ok(t, err)
	holdsAll(t, r, "second", device)
	_, err = selsnap.ApplyStream(background, bytes.NewReader(full), memory(t, block), nil)
	fails(t, err, selsnap.ErrRange)
	_, err = selsnap.ApplyStream(background, bytes.NewReader(full), nil, nil)
	fails(t, err, selsnap.ErrInvalid)
}

func TestExportAsChangedAndPart(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, 1, 16)
	id := r.create("a")
	view := r.view(selsnap.ViewOptions{ID: id, Writable: true})
	_, err := view.WriteAt(bytes.Repeat([]byte{9}, block), 3*block)
	ok(t, err)
	ok(t, view.Flush())
	device := memory(t, originBytes)
	changed, info := r.export(selsnap.ExportOptions{ID: id, AsChanged: true, Level: 19})
	same(t, "as changed", info.ID.AsChanged, true)
	_, err = selsnap.ApplyStream(background, bytes.NewReader(changed), device, nil)
	ok(t, err)
	reads(t, device, 3, 9)
	part, info := r.export(selsnap.ExportOptions{ID: id, Subset: r.subset(2*block, 2*block), Level: -1})
	same(t, "some", info.ID.Some, true)
	same(t, "blocks", info.BlockCount, 2)
	other := memory(t, originBytes)
	_, err = selsnap.ApplyStream(background, bytes.NewReader(part), other, nil)
	ok(t, err)
	reads(t, other, 3, 1)
	reads(t, other, 4, 0)
	_, err = r.Export(background, io.Discard, selsnap.ExportOptions{ID: id, Level: 99})
	fails(t, err, selsnap.ErrInvalid)
	_, err = r.Export(background, nil, selsnap.ExportOptions{ID: id})
	fails(t, err, selsnap.ErrInvalid)
}

func TestExportToDescriptor(t *testing.T) {
	r, _, _ := backedUp(t)
	id, err := r.FindSnapshot("first")
	ok(t, err)
	reader, writer, err := os.Pipe()
	ok(t, err)
	defer reader.Close()
	exported := make(chan error, 1)
	go func() {
		defer writer.Close()
		_, err := r.Export(background, writer, selsnap.ExportOptions{ID: id.ID})
		exported <- err
	}()
	device := memory(t, originBytes)
	_, err = selsnap.ApplyStream(background, reader, device, nil)
	ok(t, err)
	ok(t, <-exported)
	holdsAll(t, r, "first", device)
}

func TestStreamDamaged(t *testing.T) {
	_, full, _ := backedUp(t)
	broken := append([]byte{}, full...)
	broken[len(broken)/2] ^= 1
	_, err := selsnap.VerifyStream(background, bytes.NewReader(broken), nil)
	fails(t, err, selsnap.ErrStream)
	var typed *selsnap.Error
	if errors.As(err, &typed); typed.Detail == "" {
		t.Fatal("the detail says nothing")
	}
	device := memory(t, originBytes)
	info, err := selsnap.ApplyStream(background, bytes.NewReader(broken), device, nil)
	fails(t, err, selsnap.ErrStream)
	same(t, "state", info.State, selsnap.StreamPart)
	info, err = selsnap.ApplyStream(background, bytes.NewReader([]byte("no stream")), device, nil)
	fails(t, err, selsnap.ErrStream)
	same(t, "state", info.State, selsnap.StreamNothing)
	target := newRig(t, nil)
	_, info, err = target.Import(background, bytes.NewReader(broken), nil)
	fails(t, err, selsnap.ErrStream)
	same(t, "taken back", info.State, selsnap.StreamNothing)
	same(t, "snapshots", len(all(t, target.Snapshots())), 0)
	_, _, err = target.UnfinishedImport()
	fails(t, err, selsnap.ErrNotExist)
}

func TestStreamResume(t *testing.T) {
	r := newRigOn(t, memory(t, 16<<20), memory(t, 4<<20), nil)
	for i := int64(0); i < 4096; i++ {
		_, err := r.WriteAt(random(i), i*block)
		ok(t, err)
	}
	id := r.create("a")
	full, _ := r.export(selsnap.ExportOptions{ID: id})
	target := newRigOn(t, memory(t, 16<<20), memory(t, 4<<20), nil)
	cut := io.LimitReader(bytes.NewReader(full), int64(len(full)*3/4))
	_, info, err := target.Import(background, cut, &selsnap.ImportOptions{KeepPart: true})
	fails(t, err, selsnap.ErrStream)
	same(t, "state", info.State, selsnap.StreamPart)
	found, token, err := target.UnfinishedImport()
	ok(t, err)
	same(t, "what", found, info.ID)
	same(t, "token", token, info.Token)
	kept, err := json.Marshal(token)
	ok(t, err)
	var sent selsnap.StreamToken
	ok(t, json.Unmarshal(kept, &sent))
	rest, _ := r.export(selsnap.ExportOptions{ID: id, Token: &sent})
	if len(rest) >= len(full) {
		t.Fatal("it begins again")
	}
	_, info, err = target.Import(background, bytes.NewReader(rest), nil)
	ok(t, err)
	same(t, "state", info.State, selsnap.StreamWhole)
	sent.Key++
	_, err = r.Export(background, io.Discard, selsnap.ExportOptions{ID: id, Token: &sent})
	fails(t, err, selsnap.ErrBase)
	// And one that is taken back.
	other := newRigOn(t, memory(t, 16<<20), memory(t, 4<<20), nil)
	cut = io.LimitReader(bytes.NewReader(full), int64(len(full)*3/4))
	_, _, err = other.Import(background, cut, &selsnap.ImportOptions{KeepPart: true})
	fails(t, err, selsnap.ErrStream)
	ok(t, other.UndoImport(background, nil))
	reads(t, other, 0, 0)
	fails(t, other.UndoImport(background, nil), selsnap.ErrNotExist)
}

func TestStreamCancel(t *testing.T) {
	r, full, _ := backedUp(t)
	found, err := r.FindSnapshot("first")
	ok(t, err)
	ctx, cancel := context.WithCancel(background)
	_, err = r.Export(ctx, io.Discard, selsnap.ExportOptions{ID: found.ID, Progress: func(done, total uint64) { cancel() }})
	fails(t, err, selsnap.ErrCanceled, context.Canceled)
	ctx, cancel = context.WithCancel(background)
	target := newRig(t, nil)
	_, _, err = target.Import(ctx, bytes.NewReader(full), &selsnap.ImportOptions{Progress: func(done, total uint64) { cancel() }})
	fails(t, err, selsnap.ErrCanceled, context.Canceled)
	same(t, "snapshots", len(all(t, target.Snapshots())), 0)
	_, err = selsnap.VerifyStream(canceled(), bytes.NewReader(full), nil)
	fails(t, err, selsnap.ErrCanceled, context.Canceled)
}

// failing gives a part of a stream, and then fails, or panics.
type failing struct {
	io.Reader
	io.Writer
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	if err == panics {
		panic(err)
	}
	return n, err
}

func (f failing) Write(p []byte) (int, error) {
	if f.err == panics {
		panic(f.err)
	}
	return 0, f.err
}

func TestStreamCallerFails(t *testing.T) {
	r, full, _ := backedUp(t)
	found, err := r.FindSnapshot("first")
	ok(t, err)
	broken := errors.New("the other side hung up")
	_, err = r.Export(background, failing{err: broken}, selsnap.ExportOptions{ID: found.ID})
	fails(t, err, selsnap.ErrIO, broken)
	_, err = r.Export(background, failing{}, selsnap.ExportOptions{ID: found.ID})
	fails(t, err, selsnap.ErrIO, io.ErrShortWrite)
	half := func(err error) io.Reader { return failing{Reader: bytes.NewReader(full[:len(full)/2]), err: err} }
	_, err = selsnap.VerifyStream(background, half(broken), nil)
	fails(t, err, selsnap.ErrIO, broken)
	target := newRig(t, nil)
	_, _, err = target.Import(background, half(broken), nil)
	fails(t, err, selsnap.ErrIO, broken)
	func() {
		defer func() { same(t, "panic", recover() == panics, true) }()
		_, _, _ = target.Import(background, half(panics), nil)
	}()
	same(t, "snapshots", len(all(t, target.Snapshots())), 0)
	func() {
		defer func() { same(t, "panic", recover() == panics, true) }()
		_, _ = r.Export(background, failing{err: panics}, selsnap.ExportOptions{ID: found.ID})
	}()
}
