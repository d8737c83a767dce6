# SPDX-License-Identifier: Apache-2.0
"""check_coverage.py and check_cases.py can fail: each problem is planted in a small tree. Run by pytest, or by itself (TAP)."""

import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_cases  # noqa: E402  pylint: disable=wrong-import-position
import check_coverage  # noqa: E402  pylint: disable=wrong-import-position
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))
from tap_functions import run_tests  # noqa: E402  pylint: disable=wrong-import-position
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "go"))
import run_go_tests  # noqa: E402  pylint: disable=wrong-import-position

HEADER = "SELSNAP_API int selsnap_a(int x) SELSNAP_MUST_CHECK;\nSELSNAP_API void selsnap_b(void);\n"
PYTHON = "bindings/python/src/selsnap/code.py"
GO = "bindings/go/code.go"


def found(binding, **files):
    """What the check tells of a tree of these files."""
    names = {"header": "include/selsnap/x.h", "python": PYTHON, "go": GO, "go_c": "bindings/go/shim.c",
             "go_test": "bindings/go/code_test.go", "select": "include/selsnap/select.h",
             "python_beside": "bindings/python/src/selsnap/select.py", "go_beside": "bindings/go/beside/code.go", "excepted": f"bindings/{binding}/not-called.txt"}
    with tempfile.TemporaryDirectory() as folder:
        for key, text in {"header": HEADER, **files}.items():
            path = pathlib.Path(folder) / names[key]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return check_coverage.problems(pathlib.Path(folder), binding)


B_MISSES = ["selsnap_b: not called, and not in not-called.txt"]


def test_python__all_called__nothing_told():
    assert found("python", python='lib.selsnap_a(1)\nffi.addressof(lib, "selsnap_b")\n') == []


def test_python__one_not_called__told():
    assert found("python", python="lib.selsnap_a(1)\n") == B_MISSES


def test_python__only_in_comment_or_text__told():
    assert found("python", python='"""lib.selsnap_b()"""\nlib.selsnap_a(1)  # lib.selsnap_b()\nx = "lib.selsnap_b"\n') == B_MISSES


def test_go__all_called__nothing_told():
    assert found("go", go='package s\n\n/*\n#include <s.h>\nstatic int f(void) { selsnap_b(); return 0; }\n*/\nimport "C"\n'
                          "func g() { C.selsnap_a(1) }\n") == []
    assert found("go", go='package s\n\n// static void f(void) { selsnap_b(); }\nimport "C"\nvar g = C.selsnap_a\n') == []
    assert found("go", go="func g() { C.selsnap_a(1) }\n", go_c="void f(void) { selsnap_b(); }\n") == []


def test_go__only_in_comment_text_or_test__told():
    assert found("go", go='// C.selsnap_b()\nvar a = "C.selsnap_b()"\nfunc g() { C.selsnap_a(1) }\n',
                 go_c="/* selsnap_b() */\n", go_test="func h() { C.selsnap_b() }\n") == B_MISSES


def test_library_beside__one_not_called__told():
    select = "SELSNAP_API int selsnap_c(void) SELSNAP_MUST_CHECK;\n"
    misses = ["selsnap_c: not called, and not in not-called.txt"]
    both = 'lib.selsnap_a(1)\nlib.selsnap_b()\n'
    assert found("python", select=select, python=both) == misses
    assert found("python", select=select, python=both, python_beside="lib.selsnap_c()\n") == []
    both = "func g() { C.selsnap_a(1); C.selsnap_b() }\n"
    assert found("go", select=select, go=both) == misses
    assert found("go", select=select, go=both, go_beside="func h() { C.selsnap_c() }\n") == []


def test_excepted__with_reason__nothing_told():
    assert found("python", python="lib.selsnap_a(1)\n", excepted="# Why.\nselsnap_b: the language has it\n") == []


def test_excepted__without_reason_unknown_or_called__told():
    assert found("python", python="lib.selsnap_a(1)\n", excepted="selsnap_b:\nselsnap_c: gone\nselsnap_a: why\n") == [
        "selsnap_a: in not-called.txt, but called", "selsnap_b: in not-called.txt without a reason",
        "selsnap_c: in not-called.txt, but not exported"]


def test_header__without_functions__told():
    assert found("python", header="int x;\n") == ["the headers declare no function"]


def test_cases__one_without_test__told():
    listed = check_cases.cases("| case | what |\n|---|---|\n| a_b | x |\n| c | y |\n")
    assert listed == ["a_b", "c"]
    assert check_cases.missing(listed, "python", ["def test_a_b(rig):\n"]) == ["c"]
    assert check_cases.missing(listed, "go", ["func TestC(t *testing.T) {\n"]) == ["a_b"]
    assert check_cases.missing(listed, "go", ["func TestC(t *testing.T) {\n", "func TestAB(t *testing.T) {\n"]) == []


def test_go_count__each_test_counted_and_failures_shown():
    text = "".join(json.dumps({"Action": action, "Package": "p", "Test": test, "Output": output}) + "\n"
                   for action, test, output in (("output", "TestA", "a\n"), ("output", "TestB", "b\n"), ("pass", "TestA", ""),
                                                ("fail", "TestB", ""), ("skip", "TestC", ""), ("fail", None, "")))
    passed, failed, shown = run_go_tests.count_go(text + "p.go:1: no such name\n")
    assert (passed, failed, shown) == (1, 1, ["b\n", "p.go:1: no such name\n"])


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
