#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a device backend: a device kept as a folder of chunks, as an object store would have it; a store lives on it here.

usage: write_backend.py FOLDER
"""

import os
import sys
from collections.abc import Sequence

import selsnap

CHUNK = 64 << 10


class Chunks(selsnap.Backend):
    """Chunks that were never written read as zeros. Not for two processes at once: it has no lock()."""

    def __init__(self, folder: str, size: int) -> None:
        os.makedirs(folder, exist_ok=True)
        self.size = size
        self.folder = folder
        self.dirty: set[str] = set()

    def each(self, buffers: Sequence[memoryview], offset: int, write: bool) -> None:
        for buffer in buffers:
            while buffer:
                path = os.path.join(self.folder, f"{offset // CHUNK:08}")
                begin = offset % CHUNK
                length = min(CHUNK - begin, len(buffer))
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    if write:
                        self.dirty.add(path)  # before it is written: a flush that comes between does no harm
                        done = os.pwritev(file, [buffer[:length]], begin)
                        if done != length:
                            raise OSError(f"{path}: {done} of {length} bytes written")
                    else:
                        done = os.preadv(file, [buffer[:length]], begin)
                        buffer[done:length] = bytes(length - done)
                finally:
                    os.close(file)
                buffer, offset = buffer[length:], offset + length

    def readv(self, buffers: Sequence[memoryview], offset: int) -> None:
        self.each(buffers, offset, write=False)

    def writev(self, buffers: Sequence[memoryview], offset: int) -> None:
        self.each(buffers, offset, write=True)

    def flush(self) -> None:
        paths, self.dirty = self.dirty, set()
        for path in [*paths, self.folder]:
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)


def main(folder: str) -> None:
    with selsnap.open_memory(8 << 20) as origin:
        selsnap.format(Chunks(folder, 16 << 20), origin, overwrite=True)
        with selsnap.open(Chunks(folder, 16 << 20), origin) as ss:
            ss.pwrite(b"before", 0)
            snapshot = ss.create("s")
            ss.pwrite(b"after!", 0)
            with snapshot.open() as view:
                print(f"live: {ss.pread(6, 0).decode()}, snapshot: {view.pread(6, 0).decode()}")
            print(f"{ss.check(print).problems} problems, {len(os.listdir(folder))} chunks")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
