#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libselsnap-select beside the programs that made, and can read, what it chooses from: mkfs, debugfs, dumpe2fs, sfdisk.

usage: test_select.py LIBSELSNAP LIBSELECT CLI_SUPPORT_DIR [TEST...]
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv[3])
from cli_support import main  # noqa: E402  pylint: disable=wrong-import-position

MIB = 1 << 20
OK, EINVAL, ERANGE, EIO, ENOENT, EBUSY, EDAMAGED, ENOTSUP = 0, -1, -3, -5, -8, -10, -16, -24
UNSETTLED = 1
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("len", ctypes.c_uint64)]


class Fs(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("partition", ctypes.c_uint32), ("path", ctypes.c_char_p),
                ("offset", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class Partition(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("number", ctypes.c_uint32), ("offset", ctypes.c_uint64),
                ("len", ctypes.c_uint64), ("type", ctypes.c_char * 40), ("name", ctypes.c_char * 112)]


BASE = ctypes.CDLL(os.path.abspath(sys.argv[1]), mode=ctypes.RTLD_GLOBAL)
LIB = ctypes.CDLL(os.path.abspath(sys.argv[2]))
LIB.selsnap_selection_error.restype = ctypes.c_char_p
for name in ("selsnap_subset_block_count", "selsnap_subset_byte_count"):
    getattr(BASE, name).restype = ctypes.c_uint64


def run(*words, data=None):
    env = {**os.environ, "PATH": PATH + ":" + os.environ.get("PATH", ""), "LC_ALL": "C"}
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
                          check=False)


def must(*words, data=None):
    result = run(*words, data=data)
    if result.returncode != 0:
        raise AssertionError(f"{words}: {result.stdout}")
    return result.stdout


def make_image(path, size, *options, data=None):
    with open(path, "wb") as file:
        file.truncate(size)
    must("mkfs.ext4", "-q", "-F", *options, *(["-d", data] if data else []), path)


class Selection:
    """A selection; methods give codes."""

    def __init__(self):
        self.handle = ctypes.c_void_p()
        assert LIB.selsnap_selection_open(ctypes.byref(self.handle)) == OK

    def close(self):
        LIB.selsnap_selection_close(self.handle)

    def place(self, path, partition=0, offset=0, flags=0):
        return Fs(ctypes.sizeof(Fs), partition, os.fsencode(path), offset, flags, 0)

    def file(self, path, name, **where):
        return LIB.selsnap_selection_add_file(self.handle, ctypes.byref(self.place(path, **where)), os.fsencode(name))

    def metadata(self, path, **where):
        return LIB.selsnap_selection_add_metadata(self.handle, ctypes.byref(self.place(path, **where)))

    def in_use(self, path, **where):
        return LIB.selsnap_selection_add_in_use(self.handle, ctypes.byref(self.place(path, **where)))

    def partition(self, path, number):
        return LIB.selsnap_selection_add_partition(self.handle, os.fsencode(path), number)

    def mounted(self, path, file):
        return LIB.selsnap_selection_add_mounted_file(self.handle, os.fsencode(path), os.fsencode(file))

    def range(self, offset, length):
        return LIB.selsnap_selection_add_range(self.handle, ctypes.c_uint64(offset), ctypes.c_uint64(length))

    def error(self):
        return LIB.selsnap_selection_error(self.handle).decode()

    def ranges(self):
        found, at, each = [], 0, Range()
        while LIB.selsnap_selection_next(self.handle, ctypes.c_uint64(at), ctypes.byref(each)) == OK:
            found.append((each.offset, each.len))
            at = each.offset + each.len
        return found

    def blocks(self, size, base=0):
        return {block for offset, length in self.ranges()
                for block in range((offset - base) // size, (offset - base + length - 1) // size + 1)}


class SelectTest(unittest.TestCase):
    """A folder and a selection for each test."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="select.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.image = os.path.join(self.dir, "image")
        self.sel = Selection()
        self.addCleanup(self.sel.close)

    def tree(self):
        """Files of several kinds, in a folder to fill an image with."""
        root = os.path.join(self.dir, "tree")
        os.makedirs(os.path.join(root, "a", "deep", "er"))
        for name, size in (("one", 5000), ("a/two", 3 * MIB + 17), ("a/deep/three", 40960), ("a/deep/er/four", 1),
                           ("tiny", 20), ("swap", 2 * MIB)):
            with open(os.path.join(root, name), "wb") as file:
                file.write((name.encode() + b"-") * (size // (len(name) + 1) + 1))
                file.truncate(size)
        with open(os.path.join(root, "sparse"), "wb") as file:
            for at in range(0, 60):
                file.seek(at * 128 * 1024)
                file.write(b"here")
        os.symlink("a/two", os.path.join(root, "link"))
        os.symlink("x" * 200, os.path.join(root, "long"))
        os.mkdir(os.path.join(root, "empty"))
        return root

    def blocks_of(self, image, name):
        """As debugfs tells: blocks of content, without those of the map."""
        told = run("debugfs", "-R", f"stat {name}", image).stdout
        found = set()
        listed = told[re.search(r"(EXTENTS|BLOCKS):\n", told).end():] if re.search(r"(EXTENTS|BLOCKS):\n", told) else ""
        for kind, first, last in re.findall(r"\(([^)]*)\):(\d+)(?:-(\d+))?", listed):
            if re.match(r"(ETB|IND|DIND|TIND)", kind) is None:
                found |= set(range(int(first), int(last or first) + 1))
        return found

    def free_blocks(self, image, cluster):
        told = must("dumpe2fs", image)
        found = set()
        for line in re.findall(r"^  Free blocks: (.*)$", told, re.M):
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
                found |= set(range(int(first), int(last or first) // cluster * cluster + cluster))
        return found

    def kept_only(self, ranges):
        """An image with nothing but these bytes of the image."""
        path = os.path.join(self.dir, "kept")
        with open(self.image, "rb") as source, open(path, "wb") as kept:
            kept.truncate(os.path.getsize(self.image))
            for offset, length in ranges:
                source.seek(offset)
                kept.seek(offset)
                kept.write(source.read(length))
        return path

    KINDS = {"ext4": ("-b", "4096"), "small blocks": ("-b", "1024"), "ext2": ("-b", "1024", "-t", "ext2"),
             "ext3": ("-b", "4096", "-t", "ext3"), "clusters": ("-b", "4096", "-O", "bigalloc", "-C", "16384"),
             "inline": ("-b", "4096", "-O", "inline_data"), "without journal": ("-b", "4096", "-O", "^has_journal"),
             "groups apart": ("-b", "1024", "-O", "^flex_bg,^64bit,meta_bg,^resize_inode")}

    def test_file__every_kind__blocks_as_debugfs_tells(self):
        root = self.tree()
        for kind, options in self.KINDS.items():
            size = int(options[1])
            make_image(self.image, 24 * MIB, *options, data=root)
            for name in ("one", "a/two", "a/deep/three", "sparse", "tiny", "swap"):
                with self.subTest(kind=kind, name=name):
                    sel = Selection()
                    self.assertEqual(sel.file(self.image, "/" + name), OK, sel.error())
                    wanted = self.blocks_of(self.image, "/" + name)
                    self.assertTrue(wanted or kind == "inline")
                    self.assertEqual(sel.blocks(size), wanted)
                    sel.close()

    def test_folder__all_files_below__no_folders(self):
        make_image(self.image, 24 * MIB, "-b", "1024", data=self.tree())
        self.assertEqual(self.sel.file(self.image, "/a"), OK)
        wanted = set().union(*(self.blocks_of(self.image, name) for name in ("/a/two", "/a/deep/three", "/a/deep/er/four")))
        self.assertEqual(self.sel.blocks(1024), wanted)
        self.assertEqual(self.sel.file(self.image, "/empty"), OK)
        self.assertEqual(self.sel.blocks(1024), wanted)

    def test_link__followed__is_no_content_itself(self):
        make_image(self.image, 24 * MIB, "-b", "4096", data=self.tree())
        self.assertEqual(self.sel.file(self.image, "/link"), OK)
        self.assertEqual(self.sel.blocks(4096), self.blocks_of(self.image, "/a/two"))
        everything = Selection()
        self.assertEqual(everything.file(self.image, "/"), OK)
        self.assertTrue(self.blocks_of(self.image, "/long"))
        self.assertFalse(self.blocks_of(self.image, "/long") & everything.blocks(4096))
        everything.close()

    def test_in_use__every_kind__all_but_what_dumpe2fs_calls_free(self):
        root = self.tree()
        for kind, options in self.KINDS.items():
            with self.subTest(kind=kind):
                size = int(options[1])
                make_image(self.image, 24 * MIB, *options, data=root)
                sel = Selection()
                self.assertEqual(sel.in_use(self.image), OK, sel.error())
                # It tells the last cluster by its first block.
                free = self.free_blocks(self.image, 4 if kind == "clusters" else 1)
                self.assertTrue(free)
                self.assertEqual(sel.blocks(size), set(range(24 * MIB // size)) - free)
                kept = self.kept_only(sel.ranges())
                must("e2fsck", "-fn", kept)
                sel.close()

    def test_metadata__every_kind__sound_without_any_content(self):
        root = self.tree()
        for kind, options in self.KINDS.items():
            with self.subTest(kind=kind):
                size = int(options[1])
                make_image(self.image, 24 * MIB, *options, data=root)
                sel = Selection()
                self.assertEqual(sel.metadata(self.image), OK, sel.error())
                for name in ("/a/two", "/swap"):
                    self.assertFalse(sel.blocks(size) & self.blocks_of(self.image, name))
                must("e2fsck", "-fn", self.kept_only(sel.ranges()))
                content, used = Selection(), Selection()
                self.assertEqual((content.file(self.image, "/"), used.in_use(self.image)), (OK, OK))
                missing = used.blocks(size) - sel.blocks(size) - content.blocks(size)
                self.assertFalse({b for b in missing if kind != "clusters"})
                for each in (sel, content, used):
                    each.close()

    def test_metadata_and_file__put_elsewhere__file_reads_as_before(self):
        make_image(self.image, 24 * MIB, "-b", "4096", data=self.tree())
        self.assertEqual((self.sel.metadata(self.image), self.sel.file(self.image, "/a/two")), (OK, OK))
        kept = self.kept_only(self.sel.ranges())
        out = os.path.join(self.dir, "out")
        must("debugfs", "-R", f"dump /a/two {out}", kept)
        with open(out, "rb") as got, open(os.path.join(self.dir, "tree", "a", "two"), "rb") as wanted:
            self.assertEqual(got.read(), wanted.read())
        self.assertLess(sum(length for _, length in self.sel.ranges()), 12 * MIB)

    def partitioned(self, label):
        lines = {"gpt": 'label: gpt\nstart=2048,size=8192,name="first one"\nstart=10240,size=49152,name="data"\n',
                 "dos": "label: dos\nstart=2048,size=8192,type=82\nstart=10240,size=60000,type=5\n"
                        "start=12288,size=49152,type=83\n"}[label]
        with open(self.image, "wb") as file:
            file.truncate(40 * MIB)
        must("sfdisk", "-q", self.image, data=lines)

    def test_partition__gpt_and_mbr__as_sfdisk_made_them(self):
        for label, number, start, name, kind in (("gpt", 2, 10240, b"data", b"0fc63daf"), ("dos", 5, 12288, b"", b"0x83")):
            with self.subTest(label=label):
                self.partitioned(label)
                sel, told, entry = Selection(), [], Partition(ctypes.sizeof(Partition))
                while LIB.selsnap_partition_next(sel.handle, os.fsencode(self.image), entry.number,
                                                 ctypes.byref(entry)) == OK:
                    told.append((entry.number, entry.offset, entry.len))
                self.assertEqual(told[0], (1, 2048 * 512, 8192 * 512))
                self.assertEqual(told[-1], (number, start * 512, 49152 * 512))
                self.assertEqual((entry.name, entry.type[:len(kind)].lower()), (name, kind))
                self.assertEqual(sel.partition(self.image, number), OK)
                self.assertEqual(sel.ranges(), [(start * 512, 49152 * 512)])
                for missing in (0, 3, 99):
                    self.assertEqual(sel.partition(self.image, missing), ENOENT)
                self.assertIn("partition 99", sel.error())
                self.assertEqual(sel.ranges(), [(start * 512, 49152 * 512)])
                sel.close()

    def test_file_on_a_partition__offset_of_the_partition(self):
        self.partitioned("gpt")
        alone = os.path.join(self.dir, "alone")
        make_image(alone, 49152 * 512, "-b", "4096", data=self.tree())
        with open(alone, "rb") as source, open(self.image, "r+b") as image:
            image.seek(10240 * 512)
            image.write(source.read())
        wanted = self.blocks_of(alone, "/a/two")
        for where in ({"partition": 2}, {"offset": 10240 * 512}):
            sel = Selection()
            self.assertEqual(sel.file(self.image, "/a/two", **where), OK, sel.error())
            self.assertEqual(sel.blocks(4096, 10240 * 512), wanted)
            sel.close()
        self.assertEqual(self.sel.file(self.image, "/a/two", partition=1), ENOTSUP)
        self.assertEqual(self.sel.file(self.image, "/a/two", partition=7), ENOENT)
        self.assertEqual(self.sel.ranges(), [])

    def test_refused__says_what_and_adds_nothing(self):
        make_image(self.image, 24 * MIB, "-b", "4096", data=self.tree())
        for code, name in ((ENOENT, "/nothing"), (ENOENT, "/one/below"), (ENOENT, "/long"), (EINVAL, "one")):
            self.assertEqual(self.sel.file(self.image, name), code, name)
            self.assertIn(name.split("/")[1] if "/" in name else name, self.sel.error())
        nowhere = os.path.join(self.dir, "nowhere")
        self.assertEqual(self.sel.file(nowhere, "/one"), EIO)
        self.assertEqual(self.sel.partition(nowhere, 1), EIO)
        self.assertIn("nowhere", self.sel.error())
        self.assertEqual(self.sel.partition(self.image, 1), ENOTSUP)
        with open(nowhere, "wb") as file:
            file.truncate(MIB)
        for call in (self.sel.in_use, self.sel.metadata):
            self.assertEqual(call(nowhere), ENOTSUP)
        self.assertEqual(self.sel.range(1 << 63, 1), ERANGE)
        self.assertEqual(self.sel.range((1 << 63) - 1, 1), ERANGE)
        self.assertEqual(self.sel.ranges(), [])
        self.assertEqual(self.sel.range(5, 0), OK)
        self.assertEqual(LIB.selsnap_selection_add_file(None, None, None), EINVAL)
        self.assertEqual(LIB.selsnap_selection_open(None), EINVAL)
        LIB.selsnap_selection_close(None)
        self.assertEqual(LIB.selsnap_selection_error(None), b"")

    def test_journal_with_changes__refused_unless_asked(self):
        make_image(self.image, 24 * MIB, "-b", "4096", data=self.tree())
        must("debugfs", "-w", "-R", "feature needs_recovery", self.image)
        for call in (self.sel.in_use, self.sel.metadata, lambda path, **how: self.sel.file(path, "/one", **how)):
            self.assertEqual(call(self.image), EBUSY)
            self.assertIn("fsfreeze", self.sel.error())
            self.assertEqual(self.sel.ranges(), [])
        self.assertEqual(self.sel.in_use(self.image, flags=UNSETTLED), OK)
        self.assertTrue(self.sel.ranges())

    def test_damaged__named_or_right__never_outside(self):
        """Bytes of the inode table and of directories, one after the other: no crash, nothing behind the end."""
        make_image(self.image, 8 * MIB, "-b", "1024", "-O", "^metadata_csum", data=None)
        root = os.path.join(self.dir, "t")
        os.makedirs(os.path.join(root, "d"))
        for i in range(20):
            with open(os.path.join(root, "d", f"f{i}"), "wb") as file:
                file.write(bytes([i + 1]) * 3000)
        make_image(self.image, 8 * MIB, "-b", "1024", "-O", "^metadata_csum", data=root)
        meta = Selection()
        self.assertEqual(meta.metadata(self.image), OK)
        with open(self.image, "rb") as file:
            sound = file.read()
        used = [at for offset, length in meta.ranges() for at in range(offset, offset + length) if sound[at] != 0]
        meta.close()
        failed = 0
        for at in used[::max(1, len(used) // 400)]:
            with open(self.image, "r+b") as file:
                file.seek(at)
                file.write(bytes([sound[at] ^ 0xff]))
            sel = Selection()
            codes = {sel.file(self.image, "/", flags=UNSETTLED), sel.metadata(self.image, flags=UNSETTLED),
                     sel.in_use(self.image, flags=UNSETTLED)}
            self.assertLessEqual(codes, {OK, EDAMAGED, ENOTSUP, ENOENT, EIO, EBUSY})
            failed += codes != {OK}
            if OK in codes and at >= 2048:
                self.assertLessEqual(max((offset + length for offset, length in sel.ranges()), default=0), 8 * MIB)
            sel.close()
            with open(self.image, "r+b") as file:
                file.seek(at)
                file.write(sound[at:at + 1])
        self.assertGreater(failed, 20)

    def subset(self, block):
        subset = ctypes.c_void_p()
        self.assertEqual(BASE.selsnap_subset_open(ctypes.c_uint64(MIB), block, ctypes.byref(subset)), OK)
        self.addCleanup(BASE.selsnap_subset_close, subset)
        return subset

    def test_subset__blocks_that_several_ranges_fill__go(self):
        """A block goes when ranges that touch fill it, not when one alone would have to."""
        subset = self.subset(16384)
        whole = Selection()
        self.assertEqual(whole.range(0, MIB), OK)
        self.assertEqual(LIB.selsnap_selection_add_to(whole.handle, subset), OK)
        self.assertEqual(BASE.selsnap_subset_block_count(subset), 64)
        for at in (4096, 0, 12288, 8192, 65536, 100000):
            self.assertEqual(self.sel.range(at, 4096), OK)
        self.assertEqual(self.sel.ranges(), [(0, 16384), (65536, 4096), (100000, 4096)])
        self.assertEqual(LIB.selsnap_selection_take_from(self.sel.handle, subset), OK)
        self.assertEqual(BASE.selsnap_subset_block_count(subset), 63)
        self.assertEqual(LIB.selsnap_selection_add_to(self.sel.handle, subset), OK)
        self.assertEqual(BASE.selsnap_subset_block_count(subset), 64)
        self.assertEqual(self.sel.range(MIB - 10, 11), OK)
        self.assertEqual(LIB.selsnap_selection_add_to(self.sel.handle, subset), ERANGE)
        self.assertIn("1048566", self.sel.error())
        whole.close()

    def test_next__from_inside_a_range__cut_to_begin_there(self):
        each = Range()
        self.assertEqual((self.sel.range(100, 50), self.sel.range(120, 10), self.sel.range(149, 1)), (OK, OK, OK))
        self.assertEqual(LIB.selsnap_selection_next(self.sel.handle, ctypes.c_uint64(130), ctypes.byref(each)), OK)
        self.assertEqual((each.offset, each.len), (130, 20))
        self.assertEqual(LIB.selsnap_selection_next(self.sel.handle, ctypes.c_uint64(150), ctypes.byref(each)), ENOENT)

    def mount(self):
        """The image, through a loop device, where that may be done."""
        point = os.path.join(self.dir, "mnt")
        os.mkdir(point)
        result = run("mount", "-o", "loop", self.image, point)
        if result.returncode != 0:
            self.skipTest(f"nothing can be mounted here: {result.stdout.strip()}")
        self.addCleanup(run, "umount", point)
        return point

    def test_mounted_file__ext4__its_bytes_are_there(self):
        make_image(self.image, 24 * MIB, "-b", "4096", data=self.tree())
        point = self.mount()
        for name in ("a/two", "sparse", "one"):
            self.assertEqual(self.sel.mounted(self.image, os.path.join(point, name)), OK, self.sel.error())
        wanted = set().union(*(self.blocks_of(self.image, "/" + name) for name in ("a/two", "sparse", "one")))
        self.assertEqual(self.sel.blocks(4096), wanted)
        self.assertEqual(self.sel.mounted(self.image, point), EINVAL)
        self.assertEqual(self.sel.mounted(self.image, os.path.join(point, "none")), ENOENT)
        other = os.path.join(self.dir, "other")
        with open(other, "wb") as file:
            file.truncate(MIB)
        self.assertEqual(self.sel.mounted(other, os.path.join(point, "one")), EINVAL)
        self.assertIn("nor a part of it", self.sel.error())
        self.assertEqual(self.sel.in_use(self.image), EBUSY)


if __name__ == "__main__":
    del sys.argv[2:4]  # main() takes the first for the tool
    main(__name__)
