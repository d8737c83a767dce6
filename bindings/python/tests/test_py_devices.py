# SPDX-License-Identifier: Apache-2.0
"""Devices of the library, and devices written in Python."""

import errno

import pytest
import selsnap
from conftest import BLOCK, ORIGIN, STORE


class Shelf(selsnap.Backend):
    """Storage in a bytearray, that notes what it is asked."""

    def __init__(self, size):
        self.size = size
        self.data = bytearray(size)
        self.calls = []
        self.failing = None

    def note(self, name):
        self.calls.append(name)
        if self.failing == name:
            raise OSError(errno.EREMOTEIO, f"{name} failed")

    def readv(self, buffers, offset):
        self.note("readv")
        for buffer in buffers:
            buffer[:] = self.data[offset:offset + len(buffer)]
            offset += len(buffer)

    def writev(self, buffers, offset):
        self.note("writev")
        for buffer in buffers:
            assert buffer.readonly
            self.data[offset:offset + len(buffer)] = buffer
            offset += len(buffer)

    def flush(self):
        self.note("flush")

    def close(self):
        self.note("close")


class FullShelf(Shelf):
    """All that is optional, too."""

    logical_block = 512

    def discard(self, offset, length):
        self.note("discard")

    def write_zeroes(self, offset, length):
        self.note("write_zeroes")
        self.data[offset:offset + length] = bytes(length)

    def identity(self):
        self.note("identity")
        return b"shelf" + str(self.size).encode()

    def change_mark(self):
        self.note("change_mark")
        return 7

    def lock(self, exclusive):
        self.note("lock")

    def unlock(self):
        self.note("unlock")

    def batch(self, requests):
        self.note("batch")
        for request in requests:
            try:
                (self.writev if request.is_write else self.readv)(request.buffers, request.offset)
            except OSError as error:
                request.fail(error)

    def resize(self, size):
        self.note("resize")
        if size > self.size:
            self.data.extend(bytes(size - self.size))
            self.size = size
        return self.size


def test_device_memory():
    with selsnap.open_memory(ORIGIN, 512) as device:
        assert device.pwrite(b"x" * 512, 1024) == 512 and device.pread(512, 1024) == b"x" * 512
        device.flush()
        assert device.size == ORIGIN and device.info.logical_block == 512 and not device.info.read_only
        with pytest.raises(selsnap.RangeError):
            device.pread(1024, ORIGIN - 512)
        with pytest.raises(selsnap.AlignError):
            device.pread(512, 1)
        with pytest.raises(selsnap.InvalidError):
            selsnap.open_memory(0)


def test_device_file(tmp_path):
    path = tmp_path / "disk.img"
    with pytest.raises(selsnap.NotFoundError) as caught:
        selsnap.open_file(path)
    assert caught.value.errno == errno.ENOENT and "disk.img" in caught.value.detail
    with selsnap.open_file(path, create=ORIGIN) as device:
        device.pwrite(b"hello", 10)
        device.flush()
    assert path.stat().st_size == ORIGIN and path.read_bytes()[10:15] == b"hello"
    with selsnap.open_file(str(path), read_only=True) as device:
        assert device.info.read_only and device.pread(5, 10) == b"hello"
        with pytest.raises(selsnap.ReadOnlyError):
            device.pwrite(b"x", 0)
    selsnap.format(tmp_path / "disk.store", path, size=STORE)
    with selsnap.open(tmp_path / "disk.store", path), pytest.raises(selsnap.LockedError):
        selsnap.open(tmp_path / "disk.store", path)


def test_device_slice_and_counting():
    with selsnap.open_memory(ORIGIN) as device:
        with selsnap.open_slice(device, BLOCK, BLOCK) as part:
            part.pwrite(b"part", 0)
            assert part.size == BLOCK and device.pread(4, BLOCK) == b"part"
            with pytest.raises(selsnap.BusyError):
                device.close()
        with pytest.raises(selsnap.RangeError):
            selsnap.open_slice(device, ORIGIN, BLOCK)
        with selsnap.open_counting(device) as counting:
            counting.pread(100, 0)
            counting.pwrite(b"ab", 0)
            counting.flush()
            counts = counting.counts(reset=True)
            assert (counts.reads, counts.read_bytes, counts.writes, counts.write_bytes, counts.flushes) == (1, 100, 1, 2, 1)
            assert counting.counts().reads == 0


def test_device_batch():
    with selsnap.open_memory(ORIGIN) as device:
        device.pwrite(b"abcd", 0)
        room = bytearray(4)
        requests = [selsnap.Read(room, 0), selsnap.Write(b"zz", ORIGIN), selsnap.Write(b"yy", 8)]
        with pytest.raises(selsnap.RangeError):
            device.batch(requests)
        assert room == b"abcd" and device.pread(2, 8) == b"yy"
        assert requests[0].error is None and isinstance(requests[1].error, selsnap.RangeError) and requests[2].error is None
        device.batch([])


def test_device_custom():
    origin, store = Shelf(ORIGIN), Shelf(STORE)
    selsnap.format(store, origin)
    assert origin.calls[-1] == "close", "what was opened for the call is closed"
    with selsnap.open(store, origin) as ss:
        ss.pwrite(b"before", 0)
        snapshot = ss.create("s")
        ss.pwrite(b"after!", 0)
        ss.flush()
        with snapshot.open() as view:
            assert view.pread(6, 0) == b"before" and ss.pread(6, 0) == b"after!"
    assert bytes(origin.data[:6]) == b"after!"
    assert {"readv", "writev", "flush", "close"} <= set(store.calls) and origin.calls.count("close") == 2


def test_device_custom_optional():
    origin, store = FullShelf(ORIGIN), FullShelf(STORE)
    selsnap.format(store, origin)
    with selsnap.open(store, origin) as ss:
        ss.discard(0, 8 * BLOCK)
        ss.write_zeroes(8 * BLOCK, 8 * BLOCK)
        ss.batch([selsnap.Write(b"a" * BLOCK, BLOCK), selsnap.Write(b"b" * BLOCK, 5 * BLOCK)])
        ss.grow_store(2 * STORE)
        assert ss.stats.store_bytes == 2 * STORE
    assert {"discard", "write_zeroes", "identity", "change_mark", "lock", "unlock", "batch"} <= set(origin.calls)
    assert "resize" in store.calls and bytes(origin.data[BLOCK:BLOCK + 1]) == b"a"
    with pytest.raises(selsnap.OriginError):
        selsnap.open(store, FullShelf(ORIGIN + BLOCK))  # of another identity


def test_device_custom_fails():
    origin, store = Shelf(ORIGIN), Shelf(STORE)
    selsnap.format(store, origin)
    with selsnap.open(store, origin) as ss:
        ss.create("s")
        origin.failing = "readv"
        with pytest.raises(selsnap.IoError) as caught:
            ss.pread(1, 0)
        assert isinstance(caught.value.__cause__, OSError) and "readv failed" in str(caught.value.__cause__)
        assert caught.value.__cause__.__traceback__ is not None
        origin.failing = None
        store.failing = "writev"
        with pytest.raises(selsnap.StoreError) as caught:
            ss.pwrite(b"x", 0)
        assert caught.value.__cause__.errno == errno.EREMOTEIO
        store.failing = None
        ss.pwrite(b"y", 0)
        assert ss.pread(1, 0) == b"y"


def test_device_custom_batch_fails():
    origin, store = FullShelf(ORIGIN), FullShelf(STORE)
    selsnap.format(store, origin)
    with selsnap.open(store, origin) as ss:
        for failing in ("writev", "batch"):
            origin.failing = failing
            requests = [selsnap.Write(b"a" * 512, 0), selsnap.Write(b"b" * 512, BLOCK)]
            with pytest.raises(selsnap.IoError) as caught:
                ss.batch(requests)
            assert f"{failing} failed" in str(caught.value.__cause__)
            assert all(isinstance(request.error, selsnap.IoError) for request in requests)
        origin.failing = None
        ss.batch(requests)
        assert [request.error for request in requests] == [None, None]


def test_device_custom_interrupted():
    class Interrupted(Shelf):
        def flush(self):
            raise KeyboardInterrupt

    with selsnap.open_backend(Interrupted(ORIGIN)) as device, pytest.raises(KeyboardInterrupt):
        device.flush()


def test_device_custom_without_writev_is_refused():
    class Half(selsnap.Backend):
        size = ORIGIN

        def readv(self, buffers, offset):
            pass

    with pytest.raises(selsnap.InvalidError, match="Half"):
        selsnap.open_backend(Half())
    half = Half()
    half.read_only = True
    selsnap.open_backend(half).close()


def test_device_custom_memory_is_taken_back():
    class Keeper(Shelf):
        kept = None

        def readv(self, buffers, offset):
            self.kept = buffers[0]
            super().readv(buffers, offset)

    keeper = Keeper(ORIGIN)
    with selsnap.open_backend(keeper) as device:
        device.pread(8, 0)
        with pytest.raises(ValueError, match="released"):
            keeper.kept[0]


def test_device_not_closed_warns():
    device = selsnap.open_memory(BLOCK)
    with pytest.warns(ResourceWarning, match="not closed"):
        del device


def test_device_custom_is_opened_once(tmp_path):
    store, image = Shelf(STORE), tmp_path / "disk.img"
    image.write_bytes(bytes(ORIGIN))
    selsnap.format(store, image)
    store.calls.clear()
    with selsnap.open(store):  # asks the store where the origin is
        assert "close" not in store.calls
    assert store.calls.count("close") == 1
    with pytest.raises(selsnap.NotStoreError):
        selsnap.open(tmp_path / "disk.img", store)
    assert store.calls.count("close") == 2, "a failed open closes what it opened"
