# SPDX-License-Identifier: Apache-2.0
"""The checks of this folder can fail: each is given something wrong.

usage: test_checks.py MAP LIBRARY HEADER...
"""

import os
import sys
import tempfile

import check_compile
import check_docs
import check_exports
import check_mentions

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from tap_functions import run_tests  # noqa: E402  pylint: disable=wrong-import-position

MAP, LIBRARY, HEADERS = sys.argv[1], sys.argv[2], sys.argv[3:]
GOOD_DOC = "/** @brief B. @param[in] a  A. @return R. @threading Any. @durability None. @since 0.1 */\n"


def changed(path, change):
    """A copy of a file, changed; gone when the program ends."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    new = change(text)
    assert new != text, path
    copy = tempfile.NamedTemporaryFile("w", suffix=os.path.basename(path), delete=False, encoding="utf-8")
    with copy:
        copy.write(new)
    CREATED.append(copy.name)
    return copy.name


def header_with(text):
    """A header file of that text."""
    return changed(os.devnull, lambda _: text)


def test_exports__as_they_are__agree():
    assert check_exports.problems(MAP, LIBRARY, HEADERS) == []


def test_exports__name_missing_in_map__told():
    map_path = changed(MAP, lambda text: text.replace("    selsnap_open;\n", "", 1))
    found = check_exports.problems(map_path, LIBRARY, HEADERS)
    assert "selsnap_open: declared, not in the map" in found
    assert "selsnap_open: exported, not in the map" in found


def test_exports__name_only_in_map__told():
    map_path = changed(MAP, lambda text: text.replace("    selsnap_open;\n", "    selsnap_open;\n    selsnap_o;\n", 1))
    found = check_exports.problems(map_path, LIBRARY, HEADERS)
    assert "selsnap_o: in the map, not declared" in found
    assert "selsnap_o: in the map, not exported" in found


def test_exports__other_node__told():
    map_path = changed(MAP, lambda text: text.replace("SELSNAP_0.1", "SELSNAP_0.2"))
    assert any("selsnap_open: exported in SELSNAP_0.1" in line
               for line in check_exports.problems(map_path, LIBRARY, HEADERS))


def test_exports__nothing_local__told():
    map_path = changed(MAP, lambda text: text.replace("*;", ""))
    assert "the map has no `local: *`" in check_exports.problems(map_path, LIBRARY, HEADERS)


def test_exports__unmarked_declaration__told():
    header = header_with("int selsnap_new(int a);\n")
    assert "selsnap_new: declared without SELSNAP_API" in check_exports.problems(MAP, LIBRARY, HEADERS + [header])


def test_docs__complete__accepted():
    header = header_with(GOOD_DOC + "SELSNAP_API int selsnap_new(int a) SELSNAP_MUST_CHECK;\n")
    assert check_docs.problems([header]) == []


def test_docs__tag_missing__told():
    for tag in check_docs.TAGS:
        doc = GOOD_DOC.replace(tag, "@note")
        header = header_with(doc + "SELSNAP_API int selsnap_new(int a);\n")
        assert check_docs.problems([header]) == [f"selsnap_new: no {tag}"], tag


def test_docs__tag_empty__told():
    doc = "/**\n * @brief B.\n * @param a A.\n * @return R.\n * @threading\n * @durability D.\n * @since 0.1\n */\n"
    header = header_with(doc + "SELSNAP_API int selsnap_new(int a);\n")
    assert check_docs.problems([header]) == ["selsnap_new: no @threading"]


def test_docs__parameters_differ__told():
    header = header_with(GOOD_DOC + "SELSNAP_API int selsnap_new(int b);\n")
    assert len(check_docs.problems([header])) == 2


def test_docs__no_docstring__told():
    header = header_with("SELSNAP_API int selsnap_new(int a);\n")
    assert len(check_docs.problems([header])) == len(check_docs.TAGS) + 1


def test_docs__no_function__told():
    assert check_docs.problems([header_with("/* nothing */\n")]) == ["no function is declared"]


def test_mentions__as_they_are__exist():
    assert check_mentions.problems(HEADERS, []) == []


def test_mentions__unknown_function_or_constant__told():
    document = header_with("Call selsnap_opens(), never selsnap_open(); it gives SELSNAP_EVIL or SELSNAP_EIO.\n")
    assert check_mentions.problems(HEADERS, [document]) == [
        f"{document}: selsnap_opens() is not declared", f"{document}: SELSNAP_EVIL is not defined"]


def test_mentions__retval_twice__told():
    doc = "/** @brief B. @retval SELSNAP_EIO A.\n * @retval SELSNAP_EIO B. */\n"
    header = header_with(doc + "SELSNAP_API int selsnap_new(int a);\n")
    assert check_mentions.problems(HEADERS + [header], []) == ["selsnap_new: SELSNAP_EIO is told twice"]


def test_compile__not_c99__told():
    header = header_with("inline int f(void) { return typeof(1); }\n")
    folder, name = os.path.split(header)
    assert check_compile.compiles("cc", "c99", "c", ["-I" + folder], name) != ""


CREATED = []


def main():
    """Runs every test function, and takes away what they left."""
    code = run_tests(globals())
    for path in CREATED:
        os.unlink(path)
    return code


if __name__ == "__main__":
    sys.exit(main())
