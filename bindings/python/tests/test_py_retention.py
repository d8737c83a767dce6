# SPDX-License-Identifier: Apache-2.0
"""Holds, expiry, keep rules, quotas, groups."""

import time
from datetime import datetime, timedelta, timezone

import pytest
import selsnap
from conftest import BLOCK
from selsnap import KeepRules, Reason

DAY = 86_400_000_000_000


def test_hold_and_release(ss):
    snapshot = ss.create("s")
    snapshot.hold()
    with snapshot.held() as same:
        assert same is snapshot and snapshot.info.holds == 2
    with pytest.raises(selsnap.HeldError):
        snapshot.delete()
    snapshot.release()
    with pytest.raises(selsnap.InvalidError):
        snapshot.release()
    snapshot.delete()


def test_hold_with_reason_and_lock(ss):
    snapshot = ss.create("s")
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    audit = snapshot.add_hold("audit", soon)
    lock = snapshot.add_hold("law", time.time_ns() + DAY, lock=True)
    assert [(each.info.reason, each.info.lock) for each in snapshot.holds()] == [("audit", False), ("law", True)]
    assert abs(audit.info.until_ns / 1e9 - soon.timestamp()) < 1 and not audit.info.ended and audit.info.since_ns > 0
    audit.set_end(None)
    assert audit.info.until_ns == 0
    audit.release()
    with pytest.raises(selsnap.NotFoundError):
        audit.info
    for call in (lock.release, lambda: lock.set_end(time.time_ns() + DAY // 2), snapshot.delete):
        with pytest.raises(selsnap.HeldError):
            call()
    lock.set_end(time.time_ns() + 2 * DAY)
    with pytest.raises(selsnap.InvalidError):
        snapshot.add_hold(lock=True)


def test_expiry(ss):
    old, young, never = ss.create("old"), ss.create("young"), ss.create("never")
    old.set_expiry(1000)
    young.set_expiry(datetime.now(timezone.utc) + timedelta(days=1))
    assert old.expiry == 1000 and never.expiry is None and young.expiry > time.time_ns()
    (verdict,) = ss.expire(dry_run=True)
    assert verdict.deleted and verdict.snapshot.name == "old" and verdict.reasons == Reason.EXPIRED and old.exists
    assert [each.snapshot.name for each in ss.expire()] == ["old"] and not old.exists
    young.hold()
    (verdict,) = ss.expire(time.time_ns() + 2 * DAY)
    assert not verdict.deleted and Reason.HELD in verdict.reasons and young.exists


def test_keep_rules(ss):
    for day in range(1, 5):
        ss.create(f"d{day}", time=day * DAY)
    ss.create("mark", bookmark=True, time=9 * DAY)
    verdicts = ss.retain(KeepRules(last=2), dry_run=True)
    assert [(each.snapshot.name, each.deleted, each.reasons) for each in verdicts] == [
        ("d4", False, Reason.LAST), ("d3", False, Reason.LAST), ("d2", True, Reason.NO_RULE), ("d1", True, Reason.NO_RULE)]
    told = []
    with pytest.raises(selsnap.CanceledError):
        ss.retain(KeepRules(daily=1, utc_offset_seconds=3600, name_prefix="d"), verdict=lambda one: told.append(one) or one.deleted)
    assert [each.snapshot.name for each in told] == ["d4", "d3"]
    assert [each.name for each in ss.snapshots()] == ["d1", "d2", "d4", "mark"]
    assert len(ss.retain(KeepRules(last=1), bookmarks=True)) == 4 and [each.name for each in ss.snapshots()] == ["mark"]
    with pytest.raises(selsnap.InvalidError):
        ss.retain(KeepRules())
    with pytest.raises(selsnap.NotFoundError):
        ss.retain(KeepRules(last=1, designation="none"))

    class Mine(Exception):
        pass

    def fails(verdict):
        raise Mine

    with pytest.raises(Mine):
        ss.retain(KeepRules(last=1), bookmarks=True, verdict=fails)


def test_space_freed(ss):
    ss.pwrite(b"x" * 2 * BLOCK, 0)
    one = ss.create("one")
    two = ss.create("two")
    ss.pwrite(b"y" * BLOCK, 0)
    assert ss.space_freed([one]) == 0 and ss.space_freed([one, "two", two.id]) == BLOCK and ss.space_freed([]) == 0
    with pytest.raises(selsnap.NotFoundError):
        ss.space_freed([999])
    with pytest.raises(selsnap.CanceledError):
        ss.space_freed([one, two], lambda done, total: True)


def test_quota_snapshot(ss):
    snapshot = ss.create("s")
    snapshot.set_quota(2 * BLOCK)
    with snapshot.open(writable=True) as view:
        view.pwrite(b"x" * 2 * BLOCK, 0)
        assert snapshot.quota == selsnap.Quota(2 * BLOCK, 2 * BLOCK)
        with pytest.raises(selsnap.QuotaError):
            view.pwrite(b"x" * BLOCK, 4 * BLOCK)
        snapshot.set_quota(0)
        view.pwrite(b"x" * BLOCK, 4 * BLOCK)
    assert snapshot.quota.bytes == 0 == snapshot.info.quota_bytes


def test_quota_store(ss):
    assert ss.quota == 0
    ss.create("s")
    ss.set_quota(BLOCK)
    assert ss.quota == BLOCK == ss.stats.store_quota_bytes
    with pytest.raises(selsnap.SpaceError):
        ss.pwrite(b"x", 0)
        ss.pwrite(b"x" * 20 * BLOCK, 0)
    ss.set_quota(0)
    ss.pwrite(b"x", 0)


def test_group(pairs):
    one, two = pairs().ss, pairs().ss
    told = []
    group = selsnap.create_group(
        [selsnap.GroupMember(one, "g", [(0, BLOCK)], properties={"a": "b"}), selsnap.GroupMember(two, "g")], name="nightly",
        before=lambda left: told.append(left), after=told.append, time=42)
    assert len(told) == 2 and 0 < told[0] <= 10 and told[1] is True
    assert len(group.id) == 16 and [each.name for each in group.snapshots] == ["g", "g"]
    first = group.snapshots[0]
    assert first.group == selsnap.GroupInfo(group.id, "nightly", 0, 2, 42) and first.properties == {"a": "b"}
    assert first.info.block_count == 1 and one.create("alone").group is None
    assert selsnap.check_group([one, two], group.id) == selsnap.GroupStatus(True, 2, 2, 0)
    group.snapshots[1].delete()
    assert selsnap.check_group([one, two], group.id) == selsnap.GroupStatus(False, 2, 1, 1)
    first.delete()
    with pytest.raises(selsnap.NotFoundError):
        selsnap.check_group([one, two], group.id)
    with pytest.raises(selsnap.InvalidError):
        selsnap.create_group([selsnap.GroupMember(one, "h"), selsnap.GroupMember(one, "i")])
    with pytest.raises(ValueError):
        selsnap.check_group([one], b"short")


def test_group_before_fails(pairs, nothing_is_dropped):
    one, two = pairs().ss, pairs().ss
    members = [selsnap.GroupMember(one, "g"), selsnap.GroupMember(two, "g")]
    with pytest.raises(selsnap.CanceledError):
        selsnap.create_group(members, before=lambda left: True)
    ended = []

    def fails(left):
        raise RuntimeError("the application does not rest")

    with pytest.raises(RuntimeError, match="does not rest"):
        selsnap.create_group(members, before=fails, after=ended.append)
    assert ended == [False] and list(one.snapshots()) == [] == list(two.snapshots())
    two.create("g")
    with pytest.raises(selsnap.ExistsError) as caught:
        selsnap.create_group(members)
    assert caught.value.detail and list(one.snapshots()) == []

    def after_fails(done):
        raise RuntimeError("after")

    selsnap.create_group([selsnap.GroupMember(one, "h")], after=after_fails)
    assert [str(error) for error in nothing_is_dropped] == ["after"]
    nothing_is_dropped.clear()
