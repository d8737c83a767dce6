#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Back up a protected file into a folder: a full stream the first time, then what changed since the last.

usage: back_up.py STORE FOLDER     (the store notes where its origin is; bring_back.py makes a disk of the folder)
"""

import os
import sys

import selsnap


def write_stream(path: str, snapshot: selsnap.Snapshot, base: "selsnap.Snapshot | None") -> selsnap.StreamInfo:
    """Under its name only once it is whole, durable, and reads back."""
    with open(path + ".part", "w+b") as file:
        info = snapshot.export(file, base=base)
        os.fsync(file.fileno())
        file.seek(0)
        selsnap.verify(file)
    os.rename(path + ".part", path)
    return info


def main(store: str, folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    count = sum(name.endswith(".stream") for name in os.listdir(folder))
    with selsnap.open(store) as ss:
        marks = {each.name: each for each in ss.snapshots() if each.name.startswith("backup-")}
        name, base = f"backup-{count:04}", marks.pop(f"backup-{count - 1:04}", None)
        if name in marks:  # of a run that was broken off
            marks.pop(name).delete()
        snapshot = ss.create(name)
        info = write_stream(os.path.join(folder, f"{count:04}.stream"), snapshot, base)
        snapshot.make_bookmark()  # all that the next increment needs; it keeps no data
        for mark in [base, *marks.values()]:
            if mark is not None:
                mark.delete()
        while ss.step():
            pass
    kind = "increment" if base else "full"
    print(f"{count:04}.stream: {kind}, {info.data_blocks} blocks with data, {info.stream_bytes} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
