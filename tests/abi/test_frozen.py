# SPDX-License-Identifier: Apache-2.0
"""The checks of what was released can fail: each is given something that breaks a promise.

usage: test_frozen.py VERSION NODES FIRST MAP HEADER... [-- MAP HEADER...]
"""

import os
import shutil
import subprocess
import sys
import tempfile

import check_baseline
import check_frozen

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from tap_functions import run_tests  # noqa: E402  pylint: disable=wrong-import-position

VERSION, NODES, FIRST, MAPS = sys.argv[1], sys.argv[2], sys.argv[3], check_frozen.parse(sys.argv[4:])
FOLDER = tempfile.TemporaryDirectory()
NAMES = ["selsnap_a", "selsnap_b"]


def file_with(text, name="a.map"):
    """A file of that text, in a folder of its own; its path."""
    path = os.path.join(tempfile.mkdtemp(dir=FOLDER.name), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def node(name, symbols, parent=""):
    """A node of a version script."""
    return f"{name} {{\nglobal:\n" + "".join(f"    {each};\n" for each in symbols) + f"}} {parent};\n"


def nodes_told(*texts, frozen=None, version="0.2.0"):
    """What the check of nodes tells of a version script."""
    return check_frozen.node_problems(file_with("".join(texts)), frozen or {"SELSNAP_0.1": NAMES}, version)


def test_as_it_is__nothing_told():
    assert check_frozen.problems(VERSION, NODES, FIRST, MAPS) == []


def test_nodes__coming_release_added__nothing_told():
    assert nodes_told(node("SELSNAP_0.1", NAMES), node("SELSNAP_0.2", ["selsnap_c"], "SELSNAP_0.1")) == []


def test_nodes__released_symbol_gone__told():
    assert nodes_told(node("SELSNAP_0.1", NAMES[:1])) == ["selsnap_b: was released in SELSNAP_0.1, and is not there"]


def test_nodes__symbol_added_to_a_released_one__told():
    assert nodes_told(node("SELSNAP_0.1", NAMES + ["selsnap_c"])) == [
        "selsnap_c: is in SELSNAP_0.1, which was released without it"]


def test_nodes__not_on_the_one_before__told():
    assert nodes_told(node("SELSNAP_0.1", NAMES), node("SELSNAP_0.2", ["selsnap_c"])) == [
        "SELSNAP_0.2: stands on nothing, not on SELSNAP_0.1"]


def test_nodes__of_no_release__told():
    assert nodes_told(node("SELSNAP_0.1", NAMES), node("SELSNAP_0.3", ["selsnap_c"], "SELSNAP_0.1")) == [
        "SELSNAP_0.3: is not the coming release, and no released node"]
    assert nodes_told(node("SELSNAP_NEW", NAMES)) == ["SELSNAP_NEW: is not named after a release"]


def test_nodes__whole_node_gone__told():
    assert len(nodes_told(node("SELSNAP_0.2", ["selsnap_c"]))) == len(NAMES)


def test_since__other_than_the_node__told():
    path = file_with(node("SELSNAP_0.1", NAMES))
    header = file_with("/** @brief A. @since 0.2 */\nSELSNAP_API int selsnap_a(int a);\n"
                       "/** @brief B. */\nSELSNAP_API int selsnap_b(int a);\n", "a.h")
    assert check_frozen.since_problems(path, [header]) == [
        "selsnap_a: @since 0.2, its node is of 0.1", "selsnap_b: @since is missing, its node is of 0.1"]


def constants_told(old, new):
    """What the check of constants tells."""
    path = file_with(old, "selsnap/a.h")
    return check_frozen.constant_problems(os.path.dirname(os.path.dirname(path)), [file_with(new, "a.h")])


def test_constant__changed_or_gone__told():
    old = "#define SELSNAP_A 1u /**< A. */\n#define SELSNAP_B (-2)\n"
    assert constants_told(old, old.replace("   ", " ")) == []
    assert constants_told(old, old.replace("-2", "-3")) == ["SELSNAP_B: was (-2), and is (-3)"]
    assert constants_told(old, old.partition("\n")[0]) == ["SELSNAP_B: was released, and is gone"]


def test_constant__initializer__may_grow():
    old = "#define SELSNAP_A_INIT {sizeof(int), 0, 0}\n"
    assert constants_told(old, "#define SELSNAP_A_INIT {sizeof(int), 0, 0, 0}\n") == []
    assert len(constants_told(old, "#define SELSNAP_A_INIT {sizeof(int), 1, 0, 0}\n")) == 1


def test_constant__new_without_since__told():
    old = "#define SELSNAP_A 1u\n"
    assert constants_told(old, old + "#define SELSNAP_B 2u /**< B. */\n") == [
        "SELSNAP_B: is newer than the first release, and has no @since"]
    assert constants_told(old, old + "#define SELSNAP_B 2u /**< B. @since 0.2 */\n") == []
    assert constants_told(old, "/** @brief B.\n * @since 0.2 */\n#define SELSNAP_B 2u\n" + old) == []


def test_first_release__file_changed_or_added__told():
    copy = os.path.join(tempfile.mkdtemp(dir=FOLDER.name), "first")
    shutil.copytree(FIRST, copy)
    assert check_frozen.file_problems(copy) == []
    with open(os.path.join(copy, "selsnap", "error.h"), "a", encoding="utf-8") as file:
        file.write("\n")
    with open(os.path.join(copy, "new.c"), "w", encoding="utf-8"):
        pass
    assert len(check_frozen.file_problems(copy)) == 2


HEADER = """struct thing { int first; %s long last; };
int selsnap_a(const struct thing *thing);
int selsnap_b(int a);
"""
SOURCE = """#include "a.h"
int selsnap_a(const struct thing *thing) { return thing->first; }
%sint selsnap_b(int a) { return a; }
%s
"""


def library(middle="", hidden="", more=""):
    """A library with debug information; its path and its headers' folder."""
    header = file_with(HEADER % middle, "include/a.h")
    folder = os.path.dirname(os.path.dirname(header))
    with open(os.path.join(folder, "a.c"), "w", encoding="utf-8") as file:
        file.write(SOURCE % (hidden, more))
    subprocess.run(["cc", "-g", "-gdwarf-4", "-fPIC", "-shared", "-Iinclude", "-o", "a.so", "a.c"], check=True, cwd=folder)
    return os.path.join(folder, "a.so"), os.path.join(folder, "include")


def test_baseline__member_in_the_middle_or_symbol_gone__told():
    if shutil.which("abidiff") is None:
        return  # the test of the baseline itself says that it was skipped
    baseline = os.path.join(FOLDER.name, "a.xml")
    check_baseline.describe(*library(), baseline)
    assert check_baseline.difference(baseline, *library()) == ""
    assert check_baseline.difference(baseline, *library(more="int selsnap_c(void) { return 1; }")) == ""
    assert "data member" in check_baseline.difference(baseline, *library(middle="long middle;"))
    assert "selsnap_b" in check_baseline.difference(baseline, *library(hidden="static __attribute__((used)) "
                                                                       "int unused(void) { return 0; } "
                                                                       "__attribute__((visibility(\"hidden\"))) "))


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
