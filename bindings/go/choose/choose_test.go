// SPDX-License-Identifier: Apache-2.0

package choose_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"selsnap"
	"selsnap/choose"
)

const (
	block = 4096
	mib   = 1 << 20
	start = 2 * mib // of the second partition
)

var content = map[string][]byte{
	"a/one":   bytes.Repeat([]byte("one "), 5000),
	"a/b/two": bytes.Repeat([]byte("two "), 300000),
	"three":   bytes.Repeat([]byte("three "), 2000),
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t testing.TB, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s: %v, wanted %v", what, got, wanted)
	}
}

// fails checks that an error is this one, and that its text names what it is about.
func fails(t testing.TB, err error, target error, about string) {
	t.Helper()
	var typed *selsnap.Error
	if !errors.Is(err, target) || !errors.As(err, &typed) || typed.Op == "" || !strings.Contains(err.Error(), about) {
		t.Fatalf("%v, wanted %v about %q", err, target, about)
	}
}

func run(words ...string) (string, error) {
	path := os.Getenv("PATH") + ":/usr/sbin:/sbin"
	command := exec.Command("env", append([]string{"PATH=" + path}, words...)...)
	text, err := command.CombinedOutput()
	return string(text), err
}

func selection(t testing.TB) *choose.Selection {
	t.Helper()
	chosen, err := choose.New()
	ok(t, err)
	t.Cleanup(func() { ok(t, chosen.Close()) })
	return chosen
}

// image is an image that is an ext4 file system with these files.
func image(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for name, data := range content {
		path := filepath.Join(folder, "tree", name)
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		ok(t, os.WriteFile(path, data, 0o600))
	}
	path := filepath.Join(folder, "disk.img")
	ok(t, os.WriteFile(path, make([]byte, 16*mib), 0o600))
	if text, err := run("mkfs.ext4", "-q", "-F", "-b", "4096", "-d", filepath.Join(folder, "tree"), path); err != nil {
		t.Fatal(err, text)
	}
	return path
}

// disk is a disk with an MBR and two partitions; the second is that image.
func disk(t testing.TB, image string) string {
	t.Helper()
	whole := make([]byte, start+17*mib)
	for i, entry := range [][3]uint32{{0x82, mib, mib}, {0x83, start, 16 * mib}} {
		at := whole[446+16*i:]
		at[4] = byte(entry[0])
		binary.LittleEndian.PutUint32(at[8:], entry[1]/512)
		binary.LittleEndian.PutUint32(at[12:], entry[2]/512)
	}
	whole[510], whole[511] = 0x55, 0xaa
	data, err := os.ReadFile(image)
	ok(t, err)
	copy(whole[start:], data)
	path := filepath.Join(filepath.Dir(image), "whole.img")
	ok(t, os.WriteFile(path, whole, 0o600))
	return path
}

func ranges(t testing.TB, chosen *choose.Selection) []selsnap.Range {
	t.Helper()
	list, err := chosen.Ranges()
	ok(t, err)
	return list
}

// holds checks that what is chosen of a file is this content; the last block may be longer.
func holds(t testing.TB, path string, chosen *choose.Selection, wanted []byte) {
	t.Helper()
	if !bytes.Equal(held(t, path, chosen), wanted) {
		t.Fatal("what is chosen is not the file's content")
	}
}

func held(t testing.TB, path string, chosen *choose.Selection) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	ok(t, err)
	var got []byte
	for _, each := range ranges(t, chosen) {
		got = append(got, data[each.Offset:each.Offset+each.Len]...)
	}
	return bytes.TrimRight(got, "\x00")
}

func blocks(t testing.TB, chosen *choose.Selection) map[int64]bool {
	t.Helper()
	set := map[int64]bool{}
	for _, each := range ranges(t, chosen) {
		for at := each.Offset; at < each.Offset+each.Len; at += block {
			set[at/block] = true
		}
	}
	return set
}

func TestSelectRanges(t *testing.T) {
	chosen := selection(t)
	for _, each := range [][2]int64{{10, 5}, {0, 3}, {14, 6}, {3, 0}} {
		ok(t, chosen.AddRange(each[0], each[1]))
	}
	fails(t, chosen.AddRange(1<<63-1, 1), selsnap.ErrRange, "9223372036854775807")
	fails(t, chosen.AddRange(-1, 1), selsnap.ErrRange, "negative")
	list := ranges(t, chosen)
	same(t, "ranges", len(list), 2)
	same(t, "first", list[0], selsnap.Range{Offset: 0, Len: 3})
	same(t, "second", list[1], selsnap.Range{Offset: 10, Len: 10})
}

func TestSelectPartitions(t *testing.T) {
	image := image(t)
	disk := disk(t, image)
	list, err := choose.Partitions(disk)
	ok(t, err)
	same(t, "partitions", len(list), 2)
	same(t, "first", list[0], choose.Partition{Number: 1, Offset: mib, Len: mib, Type: "0x82"})
	same(t, "second", list[1], choose.Partition{Number: 2, Offset: start, Len: 16 * mib, Type: "0x83"})
	chosen := selection(t)
	ok(t, chosen.AddPartition(disk, 2))
	fails(t, chosen.AddPartition(disk, 3), selsnap.ErrNotExist, "partition 3")
	fails(t, chosen.AddPartition(disk, -1), selsnap.ErrNotExist, "number")
	fails(t, chosen.AddPartition(disk+"none", 1), selsnap.ErrIO, "whole.imgnone")
	fails(t, chosen.AddPartition("a\x00b", 1), selsnap.ErrInvalid, "zero byte")
	_, err = choose.Partitions(image)
	fails(t, err, selsnap.ErrNotSupported, "")
	same(t, "ranges", len(ranges(t, chosen)), 1)
	same(t, "range", ranges(t, chosen)[0], selsnap.Range{Offset: start, Len: 16 * mib})
}

func TestSelectFile(t *testing.T) {
	image := image(t)
	disk := disk(t, image)
	plain := choose.FileSystem{Path: image}
	chosen := selection(t)
	ok(t, chosen.AddFile(plain, "/a/b/two"))
	holds(t, image, chosen, content["a/b/two"])
	ok(t, chosen.AddFile(plain, "/a"))
	wanted := (len(content["a/one"])+block-1)/block + (len(content["a/b/two"])+block-1)/block
	same(t, "blocks of the folder", len(blocks(t, chosen)), wanted)
	for _, place := range []choose.FileSystem{{Path: disk, Partition: 2}, {Path: disk, Offset: start}} {
		there := selection(t)
		ok(t, there.AddFile(place, "/three"))
		holds(t, disk, there, content["three"])
	}
	fails(t, chosen.AddFile(plain, "/none"), fs.ErrNotExist, "/none")
	fails(t, chosen.AddFile(plain, "three"), selsnap.ErrInvalid, "three")
	fails(t, chosen.AddFile(plain, "/a\x00b"), selsnap.ErrInvalid, "zero byte")
	fails(t, chosen.AddFile(choose.FileSystem{Path: disk, Partition: 3}, "/three"), selsnap.ErrNotExist, "partition 3")
	fails(t, chosen.AddFile(choose.FileSystem{Path: disk, Partition: -3}, "/three"), selsnap.ErrInvalid, "negative")
	fails(t, chosen.AddFile(choose.FileSystem{Path: disk, Partition: 1}, "/three"), selsnap.ErrNotSupported, "")
	fails(t, chosen.AddFile(choose.FileSystem{Path: disk + "none"}, "/three"), selsnap.ErrIO, "whole.imgnone")
	same(t, "blocks after failures", len(blocks(t, chosen)), wanted)
}

func TestSelectMetadataAndInUse(t *testing.T) {
	image := image(t)
	plain := choose.FileSystem{Path: image}
	metadata, files, used := selection(t), selection(t), selection(t)
	ok(t, metadata.AddMetadata(plain))
	ok(t, files.AddFile(plain, "/"))
	ok(t, used.AddInUse(plain))
	all := blocks(t, used)
	same(t, "metadata and content", len(blocks(t, metadata))+len(blocks(t, files)), len(all))
	for _, part := range []*choose.Selection{metadata, files} {
		for number := range blocks(t, part) {
			same(t, "in use", all[number], true)
		}
	}
	same(t, "less than all", len(all) < 16*mib/block, true)
	// Nothing but metadata and one file of it: this file reads as before.
	ok(t, metadata.AddFile(plain, "/three"))
	data, err := os.ReadFile(image)
	ok(t, err)
	kept := make([]byte, len(data))
	for _, each := range ranges(t, metadata) {
		copy(kept[each.Offset:each.Offset+each.Len], data[each.Offset:])
	}
	sparse, out := image+".sparse", image+".out"
	ok(t, os.WriteFile(sparse, kept, 0o600))
	_, err = run("debugfs", "-R", "dump /three "+out, sparse)
	ok(t, err)
	got, err := os.ReadFile(out)
	ok(t, err)
	same(t, "the file", string(got), string(content["three"]))
}

func TestSelectUnsettled(t *testing.T) {
	image := image(t)
	_, err := run("debugfs", "-w", "-R", "feature needs_recovery", image)
	ok(t, err)
	plain := choose.FileSystem{Path: image}
	chosen := selection(t)
	fails(t, chosen.AddFile(plain, "/three"), selsnap.ErrBusy, "fsfreeze")
	fails(t, chosen.AddMetadata(plain), selsnap.ErrBusy, "fsfreeze")
	fails(t, chosen.AddInUse(plain), selsnap.ErrBusy, "fsfreeze")
	same(t, "ranges", len(ranges(t, chosen)), 0)
	plain.Unsettled = true
	ok(t, chosen.AddFile(plain, "/three"))
	holds(t, image, chosen, content["three"])
}

func TestSelectMountedFile(t *testing.T) {
	image := image(t)
	folder := filepath.Dir(image)
	chosen := selection(t)
	fails(t, chosen.AddMountedFile(image, filepath.Join(folder, "none")), selsnap.ErrNotExist, "none")
	// It lies elsewhere, and may be on any file system.
	beside := filepath.Join(folder, "tree", "three")
	err := chosen.AddMountedFile(image, beside)
	if !errors.Is(err, selsnap.ErrInvalid) && !errors.Is(err, selsnap.ErrNotSupported) || !strings.Contains(err.Error(), beside) {
		t.Fatal(err)
	}
	same(t, "ranges", len(ranges(t, chosen)), 0)
	point := filepath.Join(folder, "mnt")
	ok(t, os.Mkdir(point, 0o700))
	if text, err := run("mount", "-o", "loop", image, point); err != nil {
		t.Skip("nothing can be mounted here:", text)
	}
	err = chosen.AddMountedFile(image, filepath.Join(point, "three"))
	_, unmounted := run("umount", point)
	ok(t, err)
	ok(t, unmounted)
	holds(t, image, chosen, content["three"])
}

func TestSelectSubset(t *testing.T) {
	chosen := selection(t)
	for _, each := range [][2]int64{{0, block / 2}, {block / 2, block / 2}, {3 * block, 10}} {
		ok(t, chosen.AddRange(each[0], each[1]))
	}
	subset, err := selsnap.NewSubset(mib, block)
	ok(t, err)
	ok(t, chosen.AddTo(subset))
	list, err := subset.Ranges().All()
	ok(t, err)
	same(t, "ranges", len(list), 2)
	same(t, "second", list[1], selsnap.Range{Offset: 3 * block, Len: block})
	ok(t, chosen.TakeFrom(subset)) // ranges that touch are one; a block that is not chosen with all its bytes stays
	list, err = subset.Ranges().All()
	ok(t, err)
	same(t, "ranges left", len(list), 1)
	same(t, "left", list[0], selsnap.Range{Offset: 3 * block, Len: block})
	ok(t, chosen.AddRange(mib-1, 2))
	fails(t, chosen.AddTo(subset), selsnap.ErrRange, "1048575")
	fails(t, chosen.TakeFrom(subset), selsnap.ErrRange, "1048575")
	fails(t, chosen.AddTo(nil), selsnap.ErrInvalid, "nil")
}

// The way it is meant: a file's blocks are protected, the file is damaged, and brought back.
func TestSelectSnapshot(t *testing.T) {
	image := image(t)
	chosen := selection(t)
	ok(t, chosen.AddFile(choose.FileSystem{Path: image}, "/a/one"))
	origin, err := selsnap.OpenFile(image, nil)
	ok(t, err)
	store, err := selsnap.OpenMemory(16*mib, 0)
	ok(t, err)
	ok(t, selsnap.Format(store, origin, nil))
	s, err := selsnap.Open(store, origin, nil)
	ok(t, err)
	subset, err := s.NewSubset()
	ok(t, err)
	ok(t, chosen.AddTo(subset))
	id, err := s.CreateSnapshot(selsnap.SnapshotOptions{Name: "one", Subset: subset})
	ok(t, err)
	_, err = s.WriteAt([]byte("damaged"), ranges(t, chosen)[0].Offset)
	ok(t, err)
	ok(t, s.Flush())
	same(t, "damaged", bytes.Equal(held(t, image, chosen), content["a/one"]), false)
	job, err := s.StartRestore(selsnap.RestoreOptions{ID: id})
	ok(t, err)
	ok(t, s.RunRestore(context.Background(), job, nil))
	ok(t, s.Close())
	ok(t, store.Close())
	ok(t, origin.Close())
	holds(t, image, chosen, content["a/one"])
}

func TestSelectClosed(t *testing.T) {
	chosen := selection(t)
	ok(t, chosen.AddRange(0, 1))
	subset, err := selsnap.NewSubset(mib, block)
	ok(t, err)
	ok(t, subset.Close())
	fails(t, chosen.AddTo(subset), selsnap.ErrClosed, "")
	ok(t, chosen.Close())
	ok(t, chosen.Close())
	fails(t, chosen.AddRange(0, 1), selsnap.ErrClosed, "")
	fails(t, chosen.AddInUse(choose.FileSystem{Path: "disk.img"}), selsnap.ErrClosed, "")
	fails(t, chosen.TakeFrom(subset), selsnap.ErrClosed, "")
	_, err = chosen.Ranges()
	fails(t, err, selsnap.ErrClosed, "")
}
