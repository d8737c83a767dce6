# SPDX-License-Identifier: Apache-2.0
"""Snapshots, bookmarks, clones, views, restores."""

import io
import os
import shutil
from datetime import datetime, timezone

import pytest
import selsnap
from conftest import BLOCK, ORIGIN, block
from selsnap import BlockState, DiffKind, Policy, Undesignated


def test_snapshot_lifecycle(pair):
    ss = pair.ss
    monday = ss.create("monday")
    tuesday = ss.create("tuesday")
    assert [each.name for each in ss.snapshots()] == ["monday", "tuesday"] and monday.id < tuesday.id
    assert ss.snapshot("monday") == monday == ss.snapshot(monday.id) != tuesday and len({monday, ss.snapshot("monday")}) == 1
    with pytest.raises(selsnap.ExistsError):
        ss.create("monday")
    monday.rename("mon")
    with pytest.raises(selsnap.NotFoundError):
        ss.snapshot("monday")
    with pytest.raises(selsnap.ExistsError):
        monday.rename("tuesday")
    ss = pair.reopen()
    assert [each.name for each in ss.snapshots()] == ["mon", "tuesday"]
    mon = ss.snapshot("mon")
    mon.delete()
    assert not mon.exists and ss.snapshot("tuesday").exists
    with pytest.raises(LookupError):
        mon.delete()


def test_snapshot_options(ss):
    moment = datetime(2026, 3, 4, 5, 6, 7, 89, timezone.utc)
    one = ss.create("one", [(0, 1), (3 * BLOCK, BLOCK)], policy=Policy.GIVE_UP_BLOCK, time=moment)
    assert one.info.policy is Policy.GIVE_UP_BLOCK and one.info.time == moment and one.info.block_count == 2
    assert list(one.subset) == [(0, BLOCK), (3 * BLOCK, BLOCK)] and one.info.range_count == 2
    two = ss.create("two", time=12345)
    assert two.info.time_ns == 12345 and two.info.block_count == ORIGIN // BLOCK and not two.info.bookmark
    for wrong in ({"subset": []}, {"designation": "x", "subset": [(0, 1)]}, {"policy": 7}):
        with pytest.raises(selsnap.Error):
            ss.create("three", **wrong)
    with pytest.raises(selsnap.LimitError):
        ss.create("n" * 256)


def test_snapshot_properties(ss):
    notes = {"owner": "Zoë", "reason": "", "łódź": "naïve 日本"}
    assert ss.create("s", properties=notes).properties == notes
    assert ss.create("t").properties == {}
    with pytest.raises(selsnap.LimitError):
        ss.create("u", properties={"k": "v" * 769})


def test_snapshot_usage_and_map(ss):
    ss.pwrite(b"x" * BLOCK, 0)
    snapshot = ss.create("s", [(0, 4 * BLOCK)])
    ss.pwrite(b"y" * 2 * BLOCK, 0)
    with snapshot.open(writable=True) as view:
        view.pwrite(b"z", 3 * BLOCK)
    usage = snapshot.usage()
    assert (usage.preserved_blocks, usage.zero_blocks, usage.lost_blocks) == (2, 1, 0)
    assert usage.alone_bytes == BLOCK and usage.overlay_blocks == 1
    assert [(each.offset // BLOCK, each.length // BLOCK, each.state) for each in snapshot.map()] == [
        (0, 1, BlockState.PRESERVED), (1, 1, BlockState.ZERO), (2, 1, BlockState.UNCHANGED), (3, 1, BlockState.OVERLAY),
        (4, ORIGIN // BLOCK - 4, BlockState.UNDESIGNATED)]


def test_view_read(ss):
    ss.pwrite(block("old"), 0)
    snapshot = ss.create("s", [(0, 2 * BLOCK)])
    ss.pwrite(block("new"), 0)
    ss.pwrite(block("live"), 4 * BLOCK)
    with snapshot.open() as view:
        assert view.pread(3, 0) == b"old" and view.size == ORIGIN and snapshot.info.open_views == 1
        with pytest.raises(selsnap.UndesignatedError):
            view.pread(4, 4 * BLOCK)
        with pytest.raises(selsnap.ReadOnlyError):
            view.pwrite(b"x", 0)
        with pytest.raises(selsnap.BusyError):
            snapshot.delete()
        with pytest.raises(selsnap.RangeError):
            view.pread(1, ORIGIN)
    with snapshot.open(undesignated=Undesignated.ZEROS) as view:
        assert view.pread(4, 4 * BLOCK) == bytes(4)
    with snapshot.open(undesignated=Undesignated.LIVE) as view:
        assert view.pread(4, 4 * BLOCK) == b"live"


def test_view_write(pair):
    ss = pair.ss
    ss.pwrite(block("old"), 0)
    snapshot = ss.create("s")
    with snapshot.open(writable=True) as view, snapshot.open(pristine=True) as pristine:
        view.pwrite(b"OLD", 0)
        assert (view.pread(3, 0), pristine.pread(3, 0), ss.pread(3, 0)) == (b"OLD", b"old", b"old")
        view.discard(BLOCK, BLOCK)
        view.flush()
        assert snapshot.info.changed
    ss = pair.reopen()
    snapshot = ss.snapshot("s")
    with snapshot.open(writable=True) as view:
        assert view.pread(3, 0) == b"OLD"
        view.reset()
        assert view.pread(3, 0) == b"old" and not snapshot.info.changed
    with pytest.raises(selsnap.InvalidError):
        snapshot.open(writable=True, pristine=True)


def test_view_stream_like(ss):
    data = os.urandom(ORIGIN)
    ss.pwrite(data, 0)
    snapshot = ss.create("s")
    ss.write_zeroes(0, ORIGIN)
    copy = io.BytesIO()
    with snapshot.open(writable=True) as view:
        shutil.copyfileobj(view.as_file(), copy, 100_000)
        assert copy.getvalue() == data
        with io.BufferedReader(view.as_file(False)) as reader:
            reader.seek(ORIGIN - 3)
            assert reader.read(10) == data[-3:] and reader.read(1) == b""
        with view.as_file() as file:
            file.seek(100)
            file.write(b"written")
        assert view.pread(7, 100) == b"written" and ss.pread(7, 100) == bytes(7)


def fill(ss):
    for at in range(0, ss.size, BLOCK):
        ss.pwrite(os.urandom(BLOCK), at)


def test_view_lost(pairs):
    ss = pairs(4 << 20, 1 << 20).ss
    fill(ss)
    snapshot = ss.create("s", policy=Policy.GIVE_UP_BLOCK)
    fill(ss)
    lost = [each for each in snapshot.map() if each.state is BlockState.LOST]
    assert lost and snapshot.usage().lost_blocks == sum(each.length for each in lost) // BLOCK
    with snapshot.open() as view, pytest.raises(selsnap.LostError):
        view.pread(1, lost[0].offset)
    with pytest.raises(selsnap.LostError):
        snapshot.restore()
    snapshot.restore(skip_lost=True)


def test_full_store(pairs):
    ss = pairs(4 << 20, 1 << 20).ss
    fill(ss)
    snapshot = ss.create("s")
    with pytest.raises(selsnap.SpaceError):
        fill(ss)
    snapshot.delete()
    fill(ss)
    assert list(ss.snapshots()) == []


def test_restore_whole(ss):
    data = os.urandom(ORIGIN)
    ss.pwrite(data, 0)
    snapshot = ss.create("s")
    ss.pwrite(os.urandom(ORIGIN // 2), 1000)
    told = []
    snapshot.restore(progress=lambda done, total: told.append((done, total)))
    assert ss.pread(ORIGIN, 0) == data and told and told[-1][0] == told[-1][1] and list(ss.restores()) == []
    with pytest.raises(selsnap.NotFoundError):
        ss.create("t", bookmark=True).delete() or ss.snapshot("t").restore()


def test_restore_part(pair):
    ss = pair.ss
    ss.pwrite(b"old" * BLOCK, 0)
    snapshot = ss.create("s")
    ss.pwrite(b"new" * BLOCK, 0)
    job = snapshot.start_restore([(BLOCK, BLOCK)])
    job.pause()
    assert ss.pread(3 * BLOCK, 0) == b"".join((b"new" * BLOCK)[at:at + BLOCK] if at != BLOCK else (b"old" * BLOCK)[at:at + BLOCK]
                                             for at in (0, BLOCK, 2 * BLOCK)), "visible at once"
    ss.step(selsnap.Step.RESTORE)
    assert [each.job for each in ss.restores()] == [job.job] and job.info.paused and job.info.snapshot_id == snapshot.id
    with pytest.raises(selsnap.BusyError):
        snapshot.start_restore([(0, 2 * BLOCK)])
    job.resume()
    ss = pair.reopen()
    (job,) = ss.restores()
    assert job.info.blocks_total == 1 and not job.info.paused and not job.ended
    while ss.step(selsnap.Step.RESTORE):
        pass
    assert job.ended and list(ss.restores()) == []
    with pytest.raises(selsnap.NotFoundError):
        job.info


def test_restore_cancel(pairs):
    size = 20 << 20  # it is asked every 4096 blocks
    ss = pairs(size, size + (4 << 20)).ss
    ss.pwrite(b"a" * size, 0)
    snapshot = ss.create("s")
    ss.pwrite(b"b" * size, 0)
    job = snapshot.start_restore()
    with pytest.raises(selsnap.CanceledError):
        job.run(lambda done, total: True)
    assert not job.ended
    job.run()
    assert job.ended and ss.pread(size, 0) == b"a" * size


def test_clone(ss):
    ss.pwrite(b"old", 0)
    source = ss.create("source")
    with source.open(writable=True) as view:
        view.pwrite(b"NEW", 0)
    taken = source.clone("taken", properties={"k": "v"}, time=5, policy=Policy.GIVE_UP_BLOCK)
    changed = source.clone("changed", as_changed=True)
    source.delete()
    with taken.open() as one, changed.open() as two, changed.open(pristine=True) as three:
        assert (one.pread(3, 0), two.pread(3, 0), three.pread(3, 0)) == (b"old", b"NEW", b"old")
    assert taken.properties == {"k": "v"} and taken.info.time_ns == 5 and taken.info.policy is Policy.GIVE_UP_BLOCK
    with pytest.raises(selsnap.ExistsError):
        taken.clone("changed")


def test_bookmark_and_diff(ss):
    mark = ss.create("mark", bookmark=True)
    ss.pwrite(b"1", 5 * BLOCK)
    later = ss.create("later")
    ss.pwrite(b"2", 9 * BLOCK)
    blocks = lambda found: [(each.offset // BLOCK, each.kind) for each in found]  # noqa: E731
    assert blocks(ss.diff(mark)) == [(5, DiffKind.CHANGED), (9, DiffKind.CHANGED)]
    assert blocks(ss.diff("mark", "later")) == [(5, DiffKind.CHANGED)]
    assert blocks(ss.diff(later.id)) == [(9, DiffKind.CHANGED)]
    assert blocks(ss.diff(mark, within=[(0, 6 * BLOCK)])) == [(5, DiffKind.CHANGED)]
    assert [each.state for each in mark.map()][1] is BlockState.CHANGED and mark.info.bookmark
    with pytest.raises(selsnap.NoDataError):
        mark.open()
    with pytest.raises(selsnap.InvalidError):
        list(ss.diff(later, mark))
    part = ss.create("part", [(0, BLOCK)])
    assert (1, DiffKind.UNKNOWN) in blocks(ss.diff(part))


def test_make_bookmark(ss):
    snapshot = ss.create("s")
    ss.pwrite(b"x", 0)
    snapshot.hold()
    with pytest.raises(selsnap.HeldError):
        snapshot.make_bookmark()
    snapshot.release()
    snapshot.make_bookmark()
    assert snapshot.info.bookmark and [each.offset for each in ss.diff(snapshot)] == [0]
