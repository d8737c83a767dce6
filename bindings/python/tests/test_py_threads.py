# SPDX-License-Identifier: Apache-2.0
"""Several threads: the interpreter's lock is not held in the library, and nothing is used after it is closed."""

import os
import threading

import pytest
import selsnap
from conftest import BLOCK, ORIGIN


class Thread(threading.Thread):
    """Raises in join() what its function raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function = function
        self.arguments = arguments
        self.error = None
        self.start()

    def run(self):
        try:
            self.function(*self.arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def join(self, timeout=None):
        super().join(timeout)
        if self.error is not None:
            raise self.error


def test_threads_lock_is_not_held(pairs):
    # One call of the library writes 8 MiB into a pipe, which holds 64 KiB: it ends only if Python reads meanwhile.
    ss = pairs(8 << 20, 4 << 20).ss
    ss.pwrite(os.urandom(8 << 20), 0)
    snapshot = ss.create("s")
    reading, writing = os.pipe()
    thread = Thread(lambda: (snapshot.export(writing), os.close(writing)))
    length = 0
    with os.fdopen(reading, "rb") as file:
        while part := file.read(100_000):
            length += len(part)
    thread.join()
    assert length > 8 << 20


def test_freeze_thaw(ss):
    with ss.frozen():
        with ss.frozen():
            writer = Thread(ss.pwrite, b"after", 0)
        snapshot = ss.create("s")
        assert ss.pread(5, 0) == bytes(5), "writes are held back"
    writer.join()
    with snapshot.open() as view:
        assert ss.pread(5, 0) == b"after" and view.pread(5, 0) == bytes(5)
    with pytest.raises(selsnap.InvalidError):
        ss.thaw()


def test_threads_read_write(ss):
    ss.create("s")
    share = ORIGIN // 4

    def work(number):
        for turn in range(50):
            at = number * share + turn % (share // BLOCK) * BLOCK
            data = bytes([number * 50 + turn & 255]) * BLOCK
            ss.pwrite(data, at)
            assert ss.pread(BLOCK, at) == data

    threads = [Thread(work, number) for number in range(4)]
    for thread in threads:
        thread.join()
    with ss.snapshot("s").open() as view:
        assert view.pread(ORIGIN, 0) == bytes(ORIGIN)


def test_threads_snapshots(ss):
    going = threading.Event()
    going.set()

    def count():
        number = 0
        while going.is_set():
            number += 1
            ss.pwrite(number.to_bytes(8, "little"), 0)
            ss.pwrite(number.to_bytes(8, "little"), ORIGIN // 2)

    writer = Thread(count)
    try:
        for number in range(20):
            snapshot = ss.create(str(number))
            with snapshot.open() as view:
                first, second = (int.from_bytes(view.pread(8, at), "little") for at in (0, ORIGIN // 2))
                assert second <= first <= second + 1, "one instant"
                again = int.from_bytes(view.pread(8, 0), "little")
                assert again == first, "which stays"
            snapshot.delete()
            ss.step()
    finally:
        going.clear()
        writer.join()


def test_threads_close_while_reading(pairs):
    for _ in range(20):
        ss = pairs().ss
        view = ss.create("s").open()
        begun = threading.Event()

        def read(view=view, begun=begun):
            with pytest.raises(ValueError, match="closed"):
                while True:
                    view.pread(ORIGIN, 0)
                    begun.set()

        threads = [Thread(read) for _ in range(2)]
        begun.wait()
        ss.close()
        for thread in threads:
            thread.join()


def test_threads_backend_in_python(ss):
    class Slow(selsnap.Backend):
        """A read ends when another has begun: it needs two threads in the library at once."""

        size = ORIGIN
        together = threading.Barrier(2)
        read_only = True

        def readv(self, buffers, offset):
            self.together.wait()
            for buffer in buffers:
                buffer[:] = bytes(len(buffer))

    with selsnap.open_backend(Slow()) as device:
        threads = [Thread(device.pread, 100, 0) for _ in range(2)]
        for thread in threads:
            thread.join()
