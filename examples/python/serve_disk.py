# SPDX-License-Identifier: Apache-2.0
"""Serve the live device over NBD, as a script for nbdkit's Python plugin: what clients overwrite is preserved first.

usage: nbdkit python serve_disk.py store=STORE     (the store notes where its origin is)
"""

import os
from typing import Optional

import nbdkit  # type: ignore[import]
import selsnap

API_VERSION = 2
store: Optional[str] = None
ss: Optional[selsnap.Context] = None


def thread_model() -> int:
    return int(nbdkit.THREAD_MODEL_PARALLEL)  # a context may be used from any thread


def config(key: str, value: str) -> None:
    global store  # pylint: disable=global-statement
    if key != "store":
        raise ValueError(f"unknown parameter {key}")
    store = os.path.abspath(value)


def get_ready() -> None:
    global ss  # pylint: disable=global-statement
    if store is None:
        raise ValueError("store=FILE is missing")
    ss = selsnap.open(store)


def cleanup() -> None:
    if ss is not None:
        ss.close()  # with a checkpoint; after a kill the next open recovers instead


def open(readonly: bool) -> selsnap.Context:  # pylint: disable=redefined-builtin,unused-argument
    assert ss is not None
    return ss


def get_size(h: selsnap.Context) -> int:
    return h.size


def pread(h: selsnap.Context, buf: bytearray, offset: int, flags: int) -> None:  # pylint: disable=unused-argument
    h.pread_into(buf, offset)


def pwrite(h: selsnap.Context, buf: memoryview, offset: int, flags: int) -> None:  # pylint: disable=unused-argument
    h.pwrite(buf, offset)  # nbdkit calls flush for a write with FUA


def flush(h: selsnap.Context, flags: int) -> None:  # pylint: disable=unused-argument
    h.flush()
