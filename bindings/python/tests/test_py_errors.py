# SPDX-License-Identifier: Apache-2.0
"""Versions, errors, and objects that are closed."""

import inspect
import pickle

import pytest
import selsnap
from conftest import BLOCK
from selsnap import select
from selsnap._selsnap import lib
from selsnap.errors import BY_CODE


def test_version():
    major, minor, patch = selsnap.version()
    assert selsnap.version_string() == f"{major}.{minor}.{patch}" == selsnap.__version__
    assert (major, minor, patch) == (lib.SELSNAP_VERSION_MAJOR, lib.SELSNAP_VERSION_MINOR, lib.SELSNAP_VERSION_PATCH)


def test_error_codes():
    codes = {getattr(lib, name): name for name in dir(lib) if name.startswith("SELSNAP_E") and name[9:].isupper()
             and "_" not in name[8:]}
    assert len(codes) >= 31 and set(codes) == set(BY_CODE)
    for code, kind in BY_CODE.items():
        error = kind("detail")
        assert issubclass(kind, selsnap.Error) and kind.__name__ in selsnap.__all__
        assert (error.code, error.name, error.detail) == (code, codes[code], "detail")
        assert str(error).endswith(": detail") and len(str(error)) > len(": detail")


def test_error_unknown_code():
    error = selsnap.errors.error_for(-9999)
    assert type(error) is selsnap.Error and error.code == -9999 and error.name == "SELSNAP_E?"


def test_error_detail(ss):
    snapshot = ss.create("part", [(0, BLOCK)])
    with snapshot.open() as view, pytest.raises(selsnap.UndesignatedError) as caught:
        view.pread(1, 5 * BLOCK)
    assert str(5 * BLOCK) in caught.value.detail and caught.value.name == "SELSNAP_EUNDESIGNATED"


def test_null_and_closed(pair):
    ss = pair.ss
    snapshot = ss.create("all")
    view = snapshot.open()
    subset = ss.subset([(0, BLOCK)])
    view.close()
    view.close()
    subset.close()
    subset.close()
    ss.close()
    ss.close()
    assert view.closed and ss.closed
    for call in (lambda: view.pread(1, 0), view.flush, lambda: ss.pread(1, 0), lambda: ss.size, lambda: snapshot.name,
                 lambda: subset.add(0, 1), lambda: list(subset), lambda: ss.create("more"), lambda: ss.create("more", subset)):
        with pytest.raises(ValueError, match="closed"):
            call()
    device = selsnap.open_memory(BLOCK)
    device.close()
    device.close()
    with pytest.raises(ValueError, match="closed"):
        device.pread(1, 0)


def test_close_closes_views(pair):
    view = pair.ss.create("all").open(writable=True)
    view.pwrite(b"kept", 0)
    pair.ss.close()
    assert view.closed
    ss = pair.reopen()
    with ss.snapshot("all").open() as again:
        assert again.pread(4, 0) == b"kept"


def test_device_in_use_is_not_closed(pair):
    with pytest.raises(selsnap.BusyError):
        pair.origin.close()
    assert not pair.origin.closed and pair.ss.pread(1, 0) == b"\0"


def test_close_in_callback_is_refused(ss):
    ss.create("all")
    ss.pwrite(b"x", 0)
    with pytest.raises(RuntimeError, match="callback"):
        ss.snapshot("all").usage(lambda done, total: ss.close())
    assert ss.pread(1, 0) == b"x"


def test_text_with_zero_byte_is_refused(ss):
    with pytest.raises(ValueError, match="zero byte"):
        ss.create("a\0b")
    assert list(ss.snapshots()) == []


def test_negative_numbers_are_refused(ss):
    for call in (lambda: ss.pread(1, -1), lambda: ss.pwrite(b"x", -1), lambda: ss.subset([(-1, 1)]), lambda: ss.snapshot(-1)):
        with pytest.raises(OverflowError):
            call()


def test_everything_public_has_a_docstring():
    missing = []
    things = {**{name: getattr(selsnap, name) for name in selsnap.__all__}, **{name: getattr(select, name) for name in select.__all__}}
    for name, thing in things.items():
        if inspect.isclass(thing):
            missing += [f"{name}.{each}" for each, value in vars(thing).items() if not each.startswith("_")
                        and (callable(value) or isinstance(value, (property, classmethod))) and not inspect.getdoc(getattr(thing, each))]
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and not thing.__doc__:
            missing.append(name)
    assert missing == [] and len(selsnap.__all__) > 90


def test_errors_are_plain_to_read():
    with pytest.raises(selsnap.NotFoundError) as caught:
        selsnap.open("/nonexistent/store", "/nonexistent/origin")
    assert "/nonexistent/store: No such file or directory" in str(caught.value)
    again = pickle.loads(pickle.dumps(selsnap.SpaceError("no room")))
    assert isinstance(again, selsnap.SpaceError) and str(again) == "the store has no room: no room"
