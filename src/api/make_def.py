#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what a version map exports as a module definition, by which Windows' linkers export the same.

usage: make_def.py MAP OUTPUT
"""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
names = sorted(set(re.findall(r"\b(selsnap_\w+)\s*;", text)))
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.write("EXPORTS\n" + "".join(f"    {name}\n" for name in names))
