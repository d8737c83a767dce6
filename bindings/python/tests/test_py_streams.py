# SPDX-License-Identifier: Apache-2.0
"""Streams: export, import, verify, apply."""

import io
import os
import threading

import pytest
import selsnap
from conftest import BLOCK, ORIGIN
from selsnap import StreamState


class Raw:
    """A file that takes and gives few bytes at a time, and breaks off after so many."""

    def __init__(self, data=b"", limit=None):
        self.data = bytearray(data)
        self.limit = limit
        self.at = 0

    def write(self, data):
        if self.limit is not None and len(self.data) >= self.limit:
            raise ConnectionError("the line is cut")
        part = bytes(data[:1000])
        self.data += part
        return len(part)

    def read(self, length):
        if self.limit is not None and self.at >= self.limit:
            raise ConnectionError("the line is cut")
        part = bytes(self.data[self.at:self.at + min(length, 1000)])
        self.at += len(part)
        return part


def exported(snapshot, **options):
    """A stream in memory."""
    file = io.BytesIO()
    info = snapshot.export(file, **options)
    assert info.state is StreamState.WHOLE and info.stream_bytes == len(file.getvalue())
    file.seek(0)
    return file


@pytest.fixture
def source(ss):
    """A context with two snapshots, one and two."""
    ss.pwrite(os.urandom(20 * BLOCK), 0)
    ss.create("one", properties={"owner": "Zoë"}, time=1000)
    ss.pwrite(os.urandom(BLOCK), 3 * BLOCK)
    ss.create("two")
    ss.pwrite(os.urandom(BLOCK), 7 * BLOCK)
    return ss


def content(snapshot):
    """All of it."""
    with snapshot.open() as view:
        return view.pread(view.size, 0)


def test_export_import(source, pairs):
    backup = pairs().ss
    one, info = backup.import_stream(exported(source.snapshot("one")))
    assert one.name == "one" and one.properties == {"owner": "Zoë"} and one.info.time_ns == 1000
    assert content(one) == content(source.snapshot("one")) and one.received == info.id
    assert info.id.store_id == source.stats.store_id and info.id.snapshot_id == source.snapshot("one").id and info.base is None
    increment = exported(source.snapshot("two"), base="one")
    two, info = backup.import_stream(increment, "zwei")
    assert two.name == "zwei" and content(two) == content(source.snapshot("two")) and info.base == one.received
    assert content(one) == content(source.snapshot("one")) and info.written_blocks == 1
    increment.seek(0)
    with pytest.raises(selsnap.BaseMismatchError):
        pairs().ss.import_stream(increment)
    assert backup.create("own").received is None and backup.unfinished_import() is None


def test_export_apply_verify(source, tmp_path):
    full, increment = exported(source.snapshot("one")), exported(source.snapshot("two"), base=source.snapshot("one"), level=-1)
    info = selsnap.verify(full)
    assert (info.name, info.state, info.version[0], info.block_bytes) == ("one", StreamState.WHOLE, 1, BLOCK)
    full.seek(0)
    with selsnap.open_memory(ORIGIN) as device:
        with pytest.raises(selsnap.BaseMismatchError) as caught:
            selsnap.apply(increment, device)
        assert caught.value.info.state is StreamState.NOTHING and caught.value.detail
        increment.seek(0)
        held = selsnap.apply(full, device).id
        assert device.pread(ORIGIN, 0) == content(source.snapshot("one"))
        held = selsnap.StreamId.from_bytes(bytes(held))
        selsnap.apply(increment, device, holds=held)
        assert device.pread(ORIGIN, 0) == content(source.snapshot("two"))
    full.seek(0)
    (tmp_path / "disk").write_bytes(bytes(ORIGIN))
    selsnap.apply(full, tmp_path / "disk")
    assert (tmp_path / "disk").read_bytes() == content(source.snapshot("one"))
    with selsnap.open_memory(BLOCK) as small, pytest.raises(selsnap.RangeError):
        full.seek(0)
        selsnap.apply(full, small)
    with pytest.raises(ValueError):
        selsnap.StreamId.from_bytes(b"short")


def test_export_as_changed_and_part(source, pairs):
    one = source.snapshot("one")
    with one.open(writable=True) as view:
        view.pwrite(b"written", 0)
    snapshot, info = pairs().ss.import_stream(exported(one, as_changed=True))
    assert content(snapshot)[:7] == b"written" and info.id.as_changed
    snapshot, info = pairs().ss.import_stream(exported(one, subset=[(BLOCK, BLOCK)]))
    assert list(snapshot.subset) == [(BLOCK, BLOCK)] and info.id.partial
    with pytest.raises(selsnap.InvalidError):
        one.export(io.BytesIO(), base="two")


def test_export_to_descriptor(source, pairs):
    backup = pairs().ss
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: (source.snapshot("one").export(writing), os.close(writing)))
    thread.start()
    snapshot, _ = backup.import_stream(reading)
    thread.join()
    os.close(reading)
    assert content(snapshot) == content(source.snapshot("one"))
    with pytest.raises(selsnap.IoError):
        source.snapshot("one").export(reading)


def test_stream_damaged(source, pairs):
    data = bytearray(exported(source.snapshot("one")).getvalue())
    data[len(data) // 2] ^= 1
    with pytest.raises(selsnap.StreamError) as caught:
        selsnap.verify(io.BytesIO(data))
    assert caught.value.detail and caught.value.info.name == "one"
    with selsnap.open_memory(ORIGIN) as device, pytest.raises(selsnap.StreamError) as caught:
        selsnap.apply(io.BytesIO(data), device)
    assert caught.value.info.state in (StreamState.PART, StreamState.NOTHING)
    backup = pairs().ss
    with pytest.raises(selsnap.StreamError) as caught:
        backup.import_stream(io.BytesIO(data))
    assert caught.value.info.state is StreamState.NOTHING and list(backup.snapshots()) == []
    assert backup.pread(ORIGIN, 0) == bytes(ORIGIN)
    with pytest.raises(selsnap.StreamError):
        selsnap.verify(io.BytesIO(b"no stream"))


@pytest.fixture
def long_source(pairs):
    """A context with a snapshot whose stream has many records."""
    ss = pairs(8 << 20, 4 << 20).ss
    ss.pwrite(os.urandom(8 << 20), 0)
    ss.create("long")
    return ss


def broken(long_source, backup):
    """An import that breaks off, and is kept; the error."""
    data = exported(long_source.snapshot("long")).getvalue()
    with pytest.raises(ConnectionError) as caught:
        backup.import_stream(Raw(data, len(data) * 3 // 4), keep_part=True)
    return caught.value.__context__


def test_stream_resume(long_source, pairs):
    backup = pairs(8 << 20, 12 << 20).ss
    error = broken(long_source, backup)
    assert error.info.state is StreamState.PART and error.info.token
    left = backup.unfinished_import()
    assert left.id == error.info.id and left.token == error.info.token
    token = selsnap.StreamToken.from_bytes(bytes(left.token))
    rest = exported_rest(long_source.snapshot("long"), token)
    snapshot, _ = backup.import_stream(rest)
    assert content(snapshot) == content(long_source.snapshot("long")) and backup.unfinished_import() is None
    snapshot.delete()
    backup.write_zeroes(0, 8 << 20)
    broken(long_source, backup)
    told = []
    backup.undo_import(lambda done, total: told.append(total))
    assert told and backup.unfinished_import() is None and backup.pread(8 << 20, 0) == bytes(8 << 20)
    with pytest.raises(selsnap.NotFoundError):
        backup.undo_import()


def exported_rest(snapshot, token):
    """The rest of a stream, as a file."""
    file = io.BytesIO()
    snapshot.export(file, token=token)
    file.seek(0)
    return file


def test_stream_cancel(long_source, pairs):
    snapshot = long_source.snapshot("long")
    with pytest.raises(selsnap.CanceledError):
        snapshot.export(io.BytesIO(), progress=lambda done, total: done > total // 4)
    backup = pairs(8 << 20, 12 << 20).ss
    with pytest.raises(selsnap.CanceledError) as caught:
        backup.import_stream(exported(snapshot), progress=lambda done, total: done > total // 4)
    assert caught.value.info.state is StreamState.NOTHING and list(backup.snapshots()) == []
    for read in (lambda stop: selsnap.verify(exported(snapshot), progress=stop),
                 lambda stop: selsnap.apply(exported(snapshot), backup_device, progress=stop)):
        with selsnap.open_memory(8 << 20) as backup_device, pytest.raises(selsnap.CanceledError):
            read(lambda done, total: True)


def test_stream_caller_fails(source, pairs):
    one = source.snapshot("one")
    raw = Raw()
    info = one.export(raw)
    assert info.stream_bytes == len(raw.data), "short writes are gone on with"
    assert selsnap.verify(Raw(raw.data)).name == "one", "short reads, too"
    with pytest.raises(ConnectionError, match="cut") as caught:
        one.export(Raw(limit=1000))
    assert isinstance(caught.value.__context__, selsnap.IoError)
    with pytest.raises(ConnectionError):
        pairs().ss.import_stream(Raw(raw.data, 2000))

    class Liar:
        def write(self, data):
            return len(data) + 1

    class Empty:
        def read(self, length):
            return None

    with pytest.raises(ValueError, match="says that it wrote"):
        one.export(Liar())
    with pytest.raises(BlockingIOError):
        selsnap.verify(Empty())


def test_streams_follow_each_other(source):
    file = io.BytesIO()
    for name in ("one", "two"):
        source.snapshot(name).export(file)
    file.seek(0)
    assert [selsnap.verify(file).name for _ in range(2)] == ["one", "two"] and file.read(1) == b""
