#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks golden images beside the file that tells that it is done.

    unpack.py ARCHIVE FOLDER.unpacked
"""
import pathlib
import shutil
import sys
import tarfile


def main():
    done = pathlib.Path(sys.argv[2])
    folder = done.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(sys.argv[1]) as archive:
        for member in archive:
            name = pathlib.PurePath(member.name).name
            with archive.extractfile(member) as content:
                (folder / name).write_bytes(content.read())
    done.touch()


if __name__ == "__main__":
    main()
