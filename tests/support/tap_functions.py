# SPDX-License-Identifier: Apache-2.0
"""Test functions of a program in Python, run one after another; TAP on standard output."""


def run_tests(namespace):
    """Runs every function of the program whose name begins with test_; gives the exit code."""
    tests = [(name, test) for name, test in namespace.items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}")
        except AssertionError as error:
            failed += 1
            print(f"not ok {number} - {name}: {error}")
    return 1 if failed else 0
