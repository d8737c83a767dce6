#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Protect a file: snapshot a part of it, go on changing it, look at what it held, bring that back.

usage: protect_file.py IMAGE       (a file of 1 MiB or more; the store goes beside it, IMAGE.store)
"""

import os
import sys
from datetime import datetime

import selsnap


def main(image: str) -> None:
    store = image + ".store"
    if not os.path.exists(store):
        selsnap.format(store, image, size=64 << 20)
        print(f"made {store}")

    with selsnap.open(store, image) as ss:
        # Protect the first megabyte, but not the 64 KiB at 512 KiB: say that is swap.
        subset = ss.subset([(0, 1 << 20)]) - ss.subset([(512 << 10, 64 << 10)])
        name = datetime.now().isoformat(timespec="microseconds")
        snapshot = ss.create(name, subset, properties={"reason": "an example"})
        before = ss.pread(16, 0)

        # The live device is written through the context; what is overwritten is preserved first.
        ss.pwrite(b"something else..", 0)
        ss.flush()

        with snapshot.open() as view:
            assert view.pread(16, 0) == before
        changed = sum(each.length for each in ss.diff(snapshot, within=subset))
        print(f"{name}: {changed} bytes may have changed; preserved: {snapshot.usage().preserved_blocks} blocks")

        snapshot.restore(progress=lambda done, total: print(f"restored {done} of {total} blocks"))
        assert ss.pread(16, 0) == before
        print("the file is as it was; snapshots:", ", ".join(each.name for each in ss.snapshots()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
