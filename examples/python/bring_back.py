#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a disk of nothing but its backup: the full stream, then the increments in their order.

usage: bring_back.py FOLDER IMAGE  (the streams of back_up.py; the image must not be there yet)
"""

import os
import sys
from typing import Optional

import selsnap


def main(folder: str, image: str) -> None:
    streams = sorted(name for name in os.listdir(folder) if name.endswith(".stream"))
    if not streams:
        sys.exit(f"{folder} holds no stream")
    if os.path.exists(image):
        sys.exit(f"{image} is there already; give a new name")

    with open(os.path.join(folder, streams[0]), "rb") as file:
        size = selsnap.verify(file).origin_bytes
    held: Optional[selsnap.StreamId] = None  # what the disk holds so far; an increment must fit it
    with selsnap.open_file(image, create=size) as disk:
        for name in streams:
            with open(os.path.join(folder, name), "rb") as file:
                try:
                    info = selsnap.apply(file, disk, holds=held)
                except selsnap.BaseMismatchError as error:
                    sys.exit(f"{name}: {error}; the disk is as it was before this stream")
                except selsnap.StreamError as error:
                    sys.exit(f"{name}: {error}; the disk: {error.info.state.name}")
            held = info.id
            print(f"{name}: {info.name} of {info.time:%Y-%m-%d %H:%M}, {info.written_blocks} blocks written")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
