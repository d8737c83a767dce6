# SPDX-License-Identifier: Apache-2.0
"""Check, scrub, dump, repair; and what the check of the declarations must tell."""

import os
import pathlib
import sys

import pytest
import selsnap
from conftest import BLOCK, STORE
from selsnap._selsnap import lib

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path += [str(ROOT / "tests" / "abi"), str(ROOT / "bindings" / "python")]
import api_headers  # noqa: E402  pylint: disable=wrong-import-position
import selsnap_cdef  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture
def used(pair):
    """A pair whose store holds preserved data."""
    pair.ss.pwrite(os.urandom(16 * BLOCK), 0)
    pair.ss.create("s")
    pair.ss.pwrite(os.urandom(16 * BLOCK), 0)
    return pair


def damage(pair):
    """Flips a bit in the copy that the store keeps of block 5; opens it again."""
    with pair.ss.snapshot("s").open() as view:
        old = view.pread(BLOCK, 5 * BLOCK)
    pair.ss.close()
    at = pair.store.pread(STORE, 0).find(old)
    assert at > 0
    pair.store.pwrite(bytes([old[0] ^ 1]), at)
    return pair.reopen()


def test_check_sound(used):
    lines, told = [], []
    result = used.ss.check(lines.append, lambda done, total: told.append((done, total)))
    assert result.problems == 0 and lines == [] and result.blocks == 16 and result.pages > 0 and result.items > 0 and told
    with pytest.raises(selsnap.CanceledError):
        used.ss.check(progress=lambda done, total: True)


def test_check_damaged(used):
    ss = damage(used)
    lines = []
    result = ss.check(lines.append)
    assert result.problems == len(lines) == 1 and lines[0]
    assert ss.scrub().run(lines.append) == 1 and len(lines) == 2
    with ss.snapshot("s").open() as view, pytest.raises(selsnap.DamagedError) as caught:
        view.pread(BLOCK, 5 * BLOCK)
    assert caught.value.detail
    with pytest.raises(selsnap.CanceledError):
        ss.check(lambda line: True)


def test_scrub(used):
    scrub = used.ss.scrub()
    assert scrub.step(BLOCK) and 0 < scrub.blocks < 16 and not scrub.done
    state = bytes(scrub)
    scrub = used.reopen().scrub(state)
    steps = 1
    while scrub.step(BLOCK):
        steps += 1
    assert scrub.done and scrub.blocks == 16 and scrub.bytes_read == 16 * BLOCK and scrub.problems == 0 and steps > 3
    scrub.restart()
    assert not scrub.done and scrub.blocks == 0 and scrub.run() == 0 and scrub.blocks == 16
    with pytest.raises(ValueError):
        used.ss.scrub(b"nonsense")


def test_dump(used):
    lines = []
    used.ss.dump(lines.append)
    assert len(lines) > 16 and all(isinstance(line, str) for line in lines)
    with pytest.raises(selsnap.CanceledError):
        used.ss.dump(lambda line: True)


def test_repair(used, tmp_path):
    damage(used).close()
    report, told = [], []
    result = selsnap.repair(used.store, used.origin, tmp_path / "fresh", size=STORE, report=report.append,
                            progress=lambda done, total: told.append(total))
    assert (result.snapshots_salvaged, result.snapshots_lost, result.blocks_lost) == (1, 0, 1) and report and told
    with selsnap.open(tmp_path / "fresh", used.origin) as ss, ss.snapshot("s").open() as view:
        assert len(view.pread(BLOCK, 0)) == BLOCK
        with pytest.raises(selsnap.LostError):
            view.pread(BLOCK, 5 * BLOCK)
    with pytest.raises(selsnap.ExistsError):
        selsnap.repair(used.store, used.origin, tmp_path / "fresh")
    with selsnap.open_memory(STORE) as nothing, pytest.raises(selsnap.NotStoreError):
        selsnap.repair(nothing, used.origin, tmp_path / "fresh", overwrite=True)


def test_declarations_are_those_of_the_headers():
    root = ROOT / "include" / "selsnap"
    names = [function.name for header in [*root.glob("*.h"), root / "version.h.in"]
             if header.name != "select.h"  # of another library
             for function in api_headers.functions(header)]
    assert len(names) > 100 and set(names) <= set(dir(lib))


def test_declarations__not_understood__told():
    told = selsnap_cdef.declarations("#define SELSNAP_A (-1) /**< A. */\n#define SELSNAP_TEXT \"b\"\n#define SELSNAP_B 0x10u\n"
                                     "typedef struct s {\n    char name[SELSNAP_A + 1];\n    uint64_t four[4];\n} s;\n"
                                     "SELSNAP_API int f(int a,\n    int b) SELSNAP_MUST_CHECK;\n")
    assert told.splitlines() == ["#define SELSNAP_A ...", "#define SELSNAP_B ...", "typedef struct s {", "    char name[...];",
                                 "    uint64_t four[4];", "} s;", " int f(int a,", "    int b) ;"]
    with pytest.raises(selsnap_cdef.NotUnderstood, match="SELSNAP_NEW"):
        selsnap_cdef.declarations("SELSNAP_API int f(int a) SELSNAP_NEW;\n")
    with pytest.raises(selsnap_cdef.NotUnderstood, match="in none of"):
        selsnap_cdef.text(["/nonexistent"])
