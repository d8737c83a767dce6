#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a device backend: a device kept as a folder of chunks, as an object store would have it; a store lives on it here.

usage: write_backend.py FOLDER
"""

import os
import sys
from collections.abc import Iterator, Sequence

import selsnap

CHUNK = 64 << 10


class Chunks(selsnap.Backend):
    """Chunks that were never written read as zeros. Not for two processes at once: it has no lock()."""

    def __init__(self, folder: str, size: int) -> None:
        os.makedirs(folder, exist_ok=True)
        self.size, self.folder = size, os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def chunk(self, name: str, flags: int) -> int:  # what is written to it is durable at once
        return os.open(name, flags | os.O_CREAT | os.O_DSYNC, 0o600, dir_fd=self.folder)

    def pieces(self, buffers: Sequence[memoryview], offset: int) -> Iterator[tuple[str, int, memoryview]]:
        """A request by chunks: which, where in it, and the bytes."""
        for buffer in buffers:
            while buffer:
                piece = buffer[:CHUNK - offset % CHUNK]
                yield f"{offset // CHUNK:08}", offset % CHUNK, piece
                buffer, offset = buffer[len(piece):], offset + len(piece)

    def readv(self, buffers: Sequence[memoryview], offset: int) -> None:
        for name, begin, piece in self.pieces(buffers, offset):
            with open(name, "r+b", opener=self.chunk) as file:
                file.seek(begin)
                done = file.readinto(piece)
            piece[done:] = bytes(len(piece) - done)

    def writev(self, buffers: Sequence[memoryview], offset: int) -> None:
        for name, begin, piece in self.pieces(buffers, offset):
            with open(name, "r+b", opener=self.chunk) as file:
                file.seek(begin)
                file.write(piece)

    def flush(self) -> None:
        os.fsync(self.folder)  # the names of the chunks

    def close(self) -> None:
        os.close(self.folder)


def main(folder: str) -> None:
    with selsnap.open_memory(8 << 20) as origin:
        selsnap.format(Chunks(folder, 16 << 20), origin, overwrite=True)
        with selsnap.open(Chunks(folder, 16 << 20), origin) as ss:
            ss.pwrite(b"before", 0)
            with ss.create("s").open() as view:
                ss.pwrite(b"after!", 0)
                print(f"live: {ss.pread(6, 0).decode()}, snapshot: {view.pread(6, 0).decode()}")
            print(f"{ss.check(print).problems} problems, {len(os.listdir(folder))} chunks")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
