# SPDX-License-Identifier: Apache-2.0
"""Formatting, opening, and the live device."""

import io
import os
import signal

import pytest
import selsnap
from conftest import BLOCK, ORIGIN, STORE


def test_format_and_open(pair):
    pair.ss.close()
    with pytest.raises(selsnap.ExistsError):
        selsnap.format(pair.store, pair.origin)
    selsnap.format(pair.store, pair.origin, block_size=8192, overwrite=True)
    with selsnap.open_memory(2 * ORIGIN) as other:
        with selsnap.open_memory(ORIGIN // 2) as shorter, pytest.raises(selsnap.OriginError, match="origin"):
            selsnap.open(pair.store, shorter)
        with pytest.raises(selsnap.NotStoreError):
            selsnap.open(other, pair.origin)
        with pytest.raises(selsnap.Error, match="memory"):
            selsnap.open(pair.store, pair.origin, memory_limit=1)
        with selsnap.open_memory(BLOCK) as small, pytest.raises(selsnap.TooSmallError):
            selsnap.format(small, other)
    with selsnap.open_memory(4 << 20) as fresh, pytest.raises(selsnap.InvalidError, match="block"):
        selsnap.format(fresh, pair.origin, block_size=1000)
    ss = pair.reopen(memory_limit=32 << 20)
    assert (ss.block_size, ss.size, ss.stats.memory_limit_bytes) == (8192, ORIGIN, 32 << 20)


def test_origin_hint(tmp_path):
    with selsnap.open_memory(ORIGIN) as origin, selsnap.open_memory(STORE) as store:
        selsnap.format(store, origin, origin_hint="/dev/nowhere")
        assert selsnap.origin_hint(store) == "/dev/nowhere"
        selsnap.format(store, origin, overwrite=True)
        assert selsnap.origin_hint(store) == ""
        with pytest.raises(selsnap.NotFoundError, match="give it"):
            selsnap.open(store)
        with pytest.raises(selsnap.LimitError):
            selsnap.format(store, origin, overwrite=True, origin_hint="x" * 300)
    image = tmp_path / "disk.img"
    image.write_bytes(b"hello".ljust(ORIGIN, b"\0"))
    selsnap.format(tmp_path / "disk.store", image, size=STORE)
    assert selsnap.origin_hint(tmp_path / "disk.store") == os.fspath(image)
    with selsnap.open(tmp_path / "disk.store") as ss:  # finds its origin
        assert ss.pread(5, 0) == b"hello" and selsnap.origin_hint(tmp_path / "disk.store") == os.fspath(image)


def test_open_read_only(pair):
    pair.ss.create("s")
    ss = pair.reopen(read_only=True)
    with ss.snapshot("s").open() as view:
        assert ss.pread(1, 0) == b"\0" == view.pread(1, 0)
    for call in (lambda: ss.pwrite(b"x", 0), lambda: ss.create("t"), ss.snapshot("s").delete, ss.freeze, ss.step):
        with pytest.raises(selsnap.ReadOnlyError):
            call()


def test_events_and_log(pairs, nothing_is_dropped):
    lines, events = [], []
    pair = pairs(4 << 20, 1 << 20)
    ss = pair.reopen(log=lambda level, text: lines.append((level, text)), event=events.append)
    assert lines and all(isinstance(level, selsnap.LogLevel) and text for level, text in lines)
    for at in range(0, 4 << 20, BLOCK):
        ss.pwrite(os.urandom(BLOCK), at)
    ss.create("s", policy=selsnap.Policy.GIVE_UP_BLOCK)
    for at in range(0, 4 << 20, BLOCK):
        ss.pwrite(os.urandom(BLOCK), at)
    kinds = {event.kind for event in events}
    assert {selsnap.EventKind.STORE_FILLING, selsnap.EventKind.BLOCK_LOST} == kinds

    def fails(*told):
        raise RuntimeError("in the log")

    pair.reopen(log=fails)
    assert nothing_is_dropped and all("in the log" in str(error) for error in nothing_is_dropped)
    pair.ss.close()
    nothing_is_dropped.clear()


def test_live_read_write(ss):
    assert ss.pwrite(b"hello", 4090) == 5 and ss.pread(7, 4089) == b"\0hello\0"
    room = bytearray(3)
    assert ss.pread_into(memoryview(room)[1:], 4090) == 2 and room == b"\0he"
    head, tail = bytearray(2), bytearray(3)
    assert ss.preadv([head, tail], 4090) == 5 and head + tail == b"hello"
    assert ss.pwritev([b"ab", bytearray(b"cd"), memoryview(b"ef")], 0) == 6 and ss.pread(6, 0) == b"abcdef"
    ss.write_zeroes(1, 2)
    assert ss.pread(4, 0) == b"a\0\0d"
    ss.discard(8 * BLOCK, BLOCK)
    ss.flush()
    for call in (lambda: ss.pread(1, ORIGIN), lambda: ss.pwrite(b"xx", ORIGIN - 1), lambda: ss.write_zeroes(ORIGIN, 1),
                 lambda: ss.preadv([head], ORIGIN), lambda: ss.pwritev([b"x"], ORIGIN), lambda: ss.discard(ORIGIN, 1)):
        with pytest.raises(selsnap.RangeError):
            call()
    assert ss.pwrite(b"", 0) == 0 and ss.pread(0, 0) == b""


def test_live_buffers_are_not_copied(ss):
    import array
    import mmap
    numbers = array.array("I", range(1024))
    assert ss.pwrite(numbers, 0) == 4096
    with mmap.mmap(-1, BLOCK) as memory:
        assert ss.pread_into(memory, 0) == BLOCK and memory[:] == numbers.tobytes()
    back = array.array("I", bytes(4096))
    ss.pread_into(back, 0)
    assert back == numbers
    with pytest.raises((BufferError, TypeError, ValueError)):
        ss.pread_into(b"constant", 0)
    with pytest.raises((BufferError, TypeError, ValueError)):
        ss.pwrite(memoryview(b"abcdef")[::2], 0)
    with pytest.raises(TypeError):
        ss.pwrite("text", 0)


def test_live_batch(ss):
    snapshot = ss.create("s")
    room = bytearray(5)
    requests = [selsnap.Write(b"fua", 0, fua=True), selsnap.WriteZeroes(BLOCK, BLOCK), selsnap.Discard(2 * BLOCK, BLOCK),
                selsnap.Read(room, ORIGIN), selsnap.Write(b"last", 3 * BLOCK)]
    with pytest.raises(selsnap.RangeError):
        ss.batch(requests)
    assert [type(request.error) for request in requests] == [type(None)] * 3 + [selsnap.RangeError, type(None)]
    assert ss.pread(3, 0) == b"fua" and ss.pread(4, 3 * BLOCK) == b"last"
    assert snapshot.usage().preserved_blocks >= 2


def test_live_deferred(pairs):
    pair = pairs(deferred=1 << 20)
    pair.ss.create("s")
    pair.ss.pwrite(b"kept in memory", 100)
    assert pair.ss.stats.deferred_bytes > 0 and pair.ss.pread(14, 100) == b"kept in memory"
    ss = pair.reopen()
    with ss.snapshot("s").open() as view:
        assert ss.pread(14, 100) == b"kept in memory" and view.pread(14, 100) == bytes(14)


def test_live_as_file(ss):
    with ss.as_file() as file:
        assert file.seek(-10, io.SEEK_END) == ORIGIN - 10 and file.write(b"0123456789abc") == 10
        with pytest.raises(OSError, match="end of the device"):
            file.write(b"x")
        file.seek(-4, io.SEEK_CUR)
        assert file.read() == b"6789" and file.read(1) == b"" and file.tell() == ORIGIN
        with pytest.raises(ValueError):
            file.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    assert not ss.closed and ss.pread(10, ORIGIN - 10) == b"0123456789"
    with io.BufferedRandom(ss.as_file()) as buffered:
        buffered.write(b"buffered")
        buffered.seek(0)
        assert buffered.read(8) == b"buffered"
    with ss.as_file(writable=False) as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


def test_stats(ss):
    before = ss.stats
    ss.create("s")
    ss.pwrite(b"x", 0)
    ss.pwrite(b"y", 0)
    after = ss.stats
    assert (after.snapshots, after.blocks_preserved - before.blocks_preserved) == (1, 1)
    assert after.clean_writes > before.clean_writes and after.preserving_writes == before.preserving_writes + 1
    assert len(after.store_id) == 16 and any(after.store_id) and after.store_bytes == STORE and after.origin_bytes == ORIGIN


def test_step_reclaims(ss):
    ss.create("s")
    for at in range(0, ORIGIN, BLOCK):
        ss.pwrite(os.urandom(BLOCK), at)
    ss.create("t")
    for at in range(0, ORIGIN, BLOCK):
        ss.pwrite(b"x" * BLOCK, at)
    used = ss.stats.store_used_bytes
    ss.snapshot("t").delete()
    ss.snapshot("s").delete()
    told = []
    with pytest.raises(selsnap.CanceledError):
        ss.step(selsnap.Step.RECLAIM, 8, progress=lambda done, total: told.append((done, total)) or True)
    assert told
    while ss.step(budget=64):
        pass
    assert ss.step(selsnap.Step.RECLAIM) == selsnap.Step.NONE
    assert ss.stats.store_used_bytes < used - ORIGIN // 2 and ss.stats.reclaim_pending == 0


def test_progress_exception_is_raised_as_it_is(ss):
    ss.create("s")
    ss.pwrite(b"x", 0)

    class Mine(Exception):
        pass

    def fails(done, total):
        ss.pread(1, 0)  # a call inside takes nothing away
        raise Mine(total)

    with pytest.raises(Mine) as caught:
        ss.snapshot("s").usage(fails)
    assert isinstance(caught.value.__context__, selsnap.CanceledError)


def test_abandon(ss):
    snapshot = ss.create("s")
    ss.abandon()
    ss.pwrite(b"free", 0)
    assert ss.pread(4, 0) == b"free"
    with pytest.raises(selsnap.AbandonedError):
        snapshot.open()


def test_designations(pair):
    ss = pair.ss
    assert ss.save_designation("boot", [(0, 2 * BLOCK)]) > 0
    ss.save_designation("data", ss.subset([(8 * BLOCK, BLOCK)]))
    assert [(each.name, each.block_count) for each in ss.designations()] == [("boot", 2), ("data", 1)]
    assert list(ss.load_designation("boot")) == [(0, 2 * BLOCK)]
    snapshot = ss.create("s", designation="boot")
    assert snapshot.info.designation == "boot" and snapshot.subset == ss.load_designation("boot")
    ss.delete_designation("boot")
    assert [each.name for each in ss.designations()] == ["data"] and snapshot.subset.block_count == 2
    for call in (lambda: ss.load_designation("boot"), lambda: ss.delete_designation("boot"),
                 lambda: ss.create("t", designation="boot")):
        with pytest.raises(selsnap.NotFoundError):
            call()
    with pytest.raises(selsnap.InvalidError):
        ss.save_designation("none", ss.subset())


def test_grow_store(tmp_path):
    with selsnap.open_memory(ORIGIN) as origin:
        selsnap.format(tmp_path / "store", origin, size=STORE)
        with selsnap.open(tmp_path / "store", origin) as ss:
            ss.grow_store(2 * STORE)
            assert ss.stats.store_bytes == 2 * STORE == (tmp_path / "store").stat().st_size
            with pytest.raises(selsnap.InvalidError):
                ss.grow_store(STORE)


def test_grow_origin(tmp_path):
    with selsnap.open_memory(STORE) as store:
        with selsnap.open_file(tmp_path / "origin", create=ORIGIN) as origin:
            selsnap.format(store, origin)
        with selsnap.open(store, tmp_path / "origin") as ss:
            old = ss.create("old")
            with old.open(), pytest.raises(selsnap.BusyError):
                ss.grow_origin(2 * ORIGIN)
            ss.grow_origin(2 * ORIGIN)
            ss.pwrite(b"new", ORIGIN)
            with old.open() as view:
                assert ss.size == 2 * ORIGIN and view.size == old.info.origin_bytes == ORIGIN
            assert old.subset == ~selsnap.Subset(ORIGIN) and ~~old.subset == old.subset


def test_shrink_origin(pairs):
    ss = pairs(ORIGIN, 8 << 20).ss
    ss.pwrite(b"old", ORIGIN - BLOCK)
    snapshot = ss.create("s")
    ss.save_designation("all", ~ss.subset())
    with pytest.raises(selsnap.BusyError) as caught:
        ss.shrink_origin(ORIGIN // 2)
    assert caught.value.detail and ss.size == ORIGIN
    ss.write_zeroes(ORIGIN // 2, ORIGIN // 2)
    ss.shrink_origin(ORIGIN // 2)
    assert ss.size == ORIGIN // 2 and ss.as_file().seek(0, io.SEEK_END) == ORIGIN // 2
    with pytest.raises(selsnap.RangeError):
        ss.pread(1, ORIGIN // 2)
    with snapshot.open() as view:
        assert view.size == ORIGIN and view.pread(3, ORIGIN - BLOCK) == b"old"
    for subset in (snapshot.subset, ss.load_designation("all")):
        assert (subset | subset) == subset == ~selsnap.Subset(ORIGIN)


def test_interrupt_in_progress(ss):
    ss.create("s")
    ss.pwrite(b"x", 0)
    with pytest.raises(KeyboardInterrupt):
        ss.snapshot("s").usage(lambda done, total: signal.raise_signal(signal.SIGINT))
    assert ss.snapshot("s").usage().preserved_blocks == 1


def test_flush_reaches_the_devices():
    with selsnap.open_memory(ORIGIN) as under, selsnap.open_memory(STORE) as below, \
            selsnap.open_counting(under) as origin, selsnap.open_counting(below) as store:
        selsnap.format(store, origin)
        with selsnap.open(store, origin) as ss, ss.create("s").open(writable=True) as view:
            for write, flush, device in ((ss.pwrite, ss.flush, origin), (view.pwrite, view.flush, store)):
                write(b"x", 0)
                before = device.counts().flushes
                flush()
                assert device.counts().flushes > before
            with ss.as_file() as file:
                file.write(b"y")
                before = origin.counts().flushes
                file.flush()
                assert origin.counts().flushes > before
