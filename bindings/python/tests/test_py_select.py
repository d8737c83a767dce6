# SPDX-License-Identifier: Apache-2.0
"""Choosing blocks by partition, file and use: selsnap.select, beside what was put into the images."""

import os
import struct
import subprocess
import sys

import pytest
import selsnap
from conftest import BLOCK, ORIGIN
from selsnap import select

MIB = 1 << 20
START = 2 * MIB  # of the second partition
CONTENT = {"a/one": b"one " * 5000, "a/b/two": b"two " * 300_000, "three": b"three " * 2000}


def run(*words):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "PATH": path})


@pytest.fixture
def image(tmp_path):
    """An image that is an ext4 file system with these files."""
    tree = tmp_path / "tree"
    for name, content in CONTENT.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(16 * MIB))
    done = run("mkfs.ext4", "-q", "-F", "-b", BLOCK, "-d", tree, path)
    assert done.returncode == 0, done.stdout
    return path


@pytest.fixture
def disk(image, tmp_path):
    """A disk with an MBR and two partitions; the second is that file system."""
    path = tmp_path / "whole.img"
    entries = [(0x82, MIB, MIB), (0x83, START, 16 * MIB)]
    table = b"".join(struct.pack("<B3sB3sII", 0, b"", kind, b"", at // 512, size // 512) for kind, at, size in entries)
    path.write_bytes((bytes(446) + table).ljust(510, b"\0") + b"\x55\xaa" + bytes(START - 512) + image.read_bytes() + bytes(MIB))
    return path


def held(path, chosen):
    """The bytes that a selection has of a file."""
    data = path.read_bytes()
    return b"".join(data[each.offset:each.end] for each in chosen)


def holds(path, chosen, content):
    """Whether it is this content, the last block of which may be longer."""
    return held(path, chosen).rstrip(b"\0") == content


def block_set(chosen):
    return {number for each in chosen for number in range(each.offset // BLOCK, each.end // BLOCK)}


def test_select_ranges():
    with select.Selection([(10, 5), (0, 3)]) as chosen:
        chosen.add_range(14, 6)
        chosen.add_range(3, 0)
        assert list(chosen) == [(0, 3), (10, 10)] and next(iter(chosen)).end == 3
        with pytest.raises(selsnap.RangeError) as caught:
            chosen.add_range((1 << 63) - 1, 1)
        assert str((1 << 63) - 1) in caught.value.detail
        assert list(chosen) == [(0, 3), (10, 10)]


def test_select_partitions(disk, image):
    found = select.partitions(disk)
    assert [(each.number, each.offset, each.length, each.type, each.name) for each in found] == [
        (1, MIB, MIB, "0x82", ""), (2, START, 16 * MIB, "0x83", "")]
    chosen = select.Selection()
    chosen.add_partition(disk, 2)
    assert list(chosen) == [(START, 16 * MIB)]
    with pytest.raises(selsnap.NotFoundError, match="partition 3"):
        chosen.add_partition(str(disk), 3)
    with pytest.raises(selsnap.NotSupportedError):
        select.partitions(image)
    with pytest.raises(selsnap.IoError, match="nowhere"):
        chosen.add_partition(disk.parent / "nowhere", 1)
    assert list(chosen) == [(START, 16 * MIB)]


def test_select_file(disk, image):
    chosen = select.Selection()
    chosen.add_file(image, "/a/b/two")
    assert holds(image, chosen, CONTENT["a/b/two"])
    chosen.add_file(image, "/a")
    assert block_set(chosen) and sum(each.length for each in chosen) == sum(
        -(-len(CONTENT[name]) // BLOCK) * BLOCK for name in ("a/one", "a/b/two"))
    for place in (select.FileSystem(disk, partition=2), select.FileSystem(disk, offset=START)):
        there = select.Selection()
        there.add_file(place, "/three")
        assert holds(disk, there, CONTENT["three"])
    before = list(chosen)
    for error, place, name in ((selsnap.NotFoundError, image, "/none"), (selsnap.InvalidError, image, "three"),
                               (selsnap.NotFoundError, select.FileSystem(disk, partition=3), "/three"),
                               (selsnap.NotSupportedError, select.FileSystem(disk, partition=1), "/three"),
                               (selsnap.IoError, disk.parent / "nowhere", "/three")):
        with pytest.raises(error) as caught:
            chosen.add_file(place, name)
        assert caught.value.detail
    assert list(chosen) == before
    with pytest.raises(ValueError, match="null byte"):
        chosen.add_file(image, "/a\0b")


def test_select_metadata_and_in_use(image):
    metadata, content, used = select.Selection(), select.Selection(), select.Selection()
    metadata.add_metadata(image)
    content.add_file(image, "/")
    used.add_in_use(select.FileSystem(image))
    assert not block_set(metadata) & block_set(content)
    assert block_set(metadata) | block_set(content) == block_set(used) and 0 in block_set(metadata)
    assert len(block_set(used)) < 16 * MIB // BLOCK
    # Nothing but metadata and one file of it: this file reads as before.
    sparse = image.with_name("sparse.img")
    data = image.read_bytes()
    metadata.add_file(image, "/three")
    with open(sparse, "wb") as file:
        file.truncate(len(data))
        for each in metadata:
            file.seek(each.offset)
            file.write(data[each.offset:each.end])
    out = image.with_name("out")
    run("debugfs", "-R", f"dump /three {out}", sparse)
    assert out.read_bytes() == CONTENT["three"]


def test_select_unsettled(image):
    assert run("debugfs", "-w", "-R", "feature needs_recovery", image).returncode == 0
    chosen = select.Selection()
    for call in (lambda place: chosen.add_file(place, "/three"), chosen.add_metadata, chosen.add_in_use):
        with pytest.raises(selsnap.BusyError, match="fsfreeze"):
            call(select.FileSystem(image))
    assert list(chosen) == []
    chosen.add_file(select.FileSystem(image, unsettled=True), "/three")
    assert holds(image, chosen, CONTENT["three"])


def test_select_mounted_file(image, tmp_path):
    chosen = select.Selection()
    with pytest.raises(selsnap.NotFoundError, match="none"):
        chosen.add_mounted_file(image, tmp_path / "none")
    with pytest.raises(selsnap.Error) as caught:
        chosen.add_mounted_file(image, tmp_path / "tree" / "three")  # it lies elsewhere, and may be on any file system
    assert isinstance(caught.value, (selsnap.InvalidError, selsnap.NotSupportedError))
    assert str(tmp_path / "tree" / "three") in caught.value.detail and list(chosen) == []
    point = tmp_path / "mnt"
    point.mkdir()
    mounted = run("mount", "-o", "loop", image, point)
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stdout.strip()}")
    try:
        chosen.add_mounted_file(image, point / "three")
    finally:
        run("umount", point)
    assert holds(image, chosen, CONTENT["three"])


def test_select_subset():
    chosen = select.Selection([(0, BLOCK // 2), (BLOCK // 2, BLOCK // 2), (3 * BLOCK, 10)])
    subset = selsnap.Subset(ORIGIN, BLOCK)
    chosen.add_to(subset)
    assert list(subset) == [(0, BLOCK), (3 * BLOCK, BLOCK)]
    chosen.take_from(subset)  # ranges that touch are one; a block that is not chosen with all its bytes stays
    assert list(subset) == [(3 * BLOCK, BLOCK)]
    chosen.add_range(ORIGIN - 1, 2)
    for change in (chosen.add_to, chosen.take_from):
        with pytest.raises(selsnap.RangeError) as caught:
            change(subset)
        assert str(ORIGIN - 1) in caught.value.detail


def test_select_snapshot(image):
    """The way it is meant: a file's blocks are protected, the file is damaged, and brought back."""
    store = image.with_name("disk.store")
    selsnap.format(store, image, size=16 * MIB)
    chosen = select.Selection()
    chosen.add_file(image, "/a/one")
    place = next(iter(chosen))
    with selsnap.open(store) as ss:
        snapshot = ss.create("one", chosen)
        assert snapshot.info.block_count == len(block_set(chosen))
        ss.pwrite(b"damaged", place.offset)
        ss.flush()
        assert not holds(image, chosen, CONTENT["a/one"])
        snapshot.restore()
    assert holds(image, chosen, CONTENT["a/one"])


def test_select_closed():
    chosen = select.Selection([(0, 1)])
    subset = selsnap.Subset(ORIGIN, BLOCK)
    subset.close()
    with pytest.raises(ValueError, match="subset is closed"):
        chosen.add_to(subset)
    chosen.close()
    chosen.close()
    for call in (lambda: chosen.add_range(0, 1), lambda: list(chosen), lambda: chosen.add_in_use("disk.img")):
        with pytest.raises(ValueError, match="selection is closed"):
            call()


def test_select_left_out__says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "selsnap.select")
    monkeypatch.setitem(sys.modules, "selsnap._select", None)
    with pytest.raises(ImportError, match="libext2fs-dev") as caught:
        __import__("selsnap.select")
    assert caught.value.name == "selsnap.select"
