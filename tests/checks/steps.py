#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of tests/run.sh, two at a time, and ends with "N passed, N failed".

usage: steps.py quick|ci|cross|long [STEP...]

A step is a build with tests, whose cases count, or a check, which counts as one case. What it prints goes to
build-logs/STEP.log, and is shown if it fails. A step that fails, that misses its tool, or that ran no case, fails all.
"""
import collections
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build-logs"
SHOWN = 200  # lines of a failed step's log

sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.dont_write_bytecode = True
from count_cases import count_junit, count_program  # noqa: E402  pylint: disable=wrong-import-position

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "MSAN_OPTIONS": "halt_on_error=1:allocator_may_return_null=1",
}

# Under sanitizers and Valgrind a program takes many times as long: what it does over and over it does less often.
FEWER = {"SSN_TEST_SHARE": "13"}
FEWEST = {"SSN_TEST_SHARE": "31"}

# Programs left out of a step, and why.
ONE_THREAD = "Valgrind runs one thread at a time; ThreadSanitizer's step has it"
MINUTES = "takes long under Valgrind even so; --long has it, and the other sanitizers do"
LEFT_OUT = {
    "valgrind": dict.fromkeys(("test_threads", "test_store_threads", "test_reclaim_threads", "test_scrub_threads", "test_group", "test_grow"),
                              ONE_THREAD),
    "msan, not long": dict.fromkeys(("test_full_shared", "test_bounds", "test_tree_damage", "test_ahead"),
                                    "takes long under MemorySanitizer; --long has it, and AddressSanitizer does"),
    "valgrind, not long": dict.fromkeys(("test_tree", "test_tree_damage", "test_bounds", "test_ahead", "test_pages", "test_page",
                                         "test_full_shared", "test_counts_many", "test_freed", "test_superblock",
                                         "test_store_full", "test_deferred", "test_designation", "test_million",
                                         "test_features", "test_full", "test_store_damage"),
                                        MINUTES),
    "windows": dict.fromkeys(("test_model", "test_powercut"), "takes minutes under Wine"),
}


# What runs on other machines; in an ordinary run only these programs do: what makes or reads bytes that others read, and
# what calls the system.
PORTED = ("unit", "api", "golden")
PORTABLE_SHORT = ("test_device", "test_device_batch", "test_file_batch", "test_file_device", "test_file_posix", "test_file_short", "test_golden",
                  "test_identity", "test_stock_device", "test_stream", "test_stream_packed")
CROSS_SHORT = ("test_check", "test_damage", "test_diff", "test_file_device", "test_file_posix", "test_format_rules", "test_golden", "test_group",
               "test_grow_origin", "test_journal_format", "test_membership", "test_record", "test_restore", "test_retention",
               "test_retention_parts", "test_stream", "test_stream_lost", "test_stream_packed", "test_streamcodec", "test_util",
               "test_view", "test_wrong_items")


# One step at a time builds in a folder: some share one.
FOLDER_LOCKS = collections.defaultdict(threading.Lock)


class Failed(Exception):
    """A step cannot go on."""


class Step:
    """One step: its body runs commands, and counts cases."""

    def __init__(self, name, modes, body, after=()):
        self.name = name
        self.modes = modes
        self.body = body
        self.after = set(after)
        self.passed = 0
        self.failed = 0
        self.wall = 0.0
        self.cpu = 0.0
        self.state = "waiting"
        self.mode = "ci"
        self.log = None

    def run(self, command, env=None, fatal=True):
        """Runs a command, its words in the log; adds up the processor's seconds, those of its children included."""
        print("+ " + shlex.join(map(str, command)), file=self.log, flush=True)
        if shutil.which(str(command[0])) is None:
            raise Failed(f"there is no {command[0]}")
        with subprocess.Popen(list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log,
                              stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu += usage.ru_utime + usage.ru_stime
        if process.returncode != 0 and fatal:
            raise Failed(f"exit code {process.returncode}: {shlex.join(map(str, command))[:300]}")
        return process.returncode

    def setup(self, folder, *options, env=None):
        """Sets up a build directory if it is not there."""
        folder = ROOT / folder
        with FOLDER_LOCKS[folder]:
            if not (folder / "build.ninja").exists():
                shutil.rmtree(folder, ignore_errors=True)
                self.run(["meson", "setup", folder, "-Dwerror=true", *options], env)
            else:  # there may be other tests by now
                self.run(["ninja", "-C", folder, "build.ninja"], env)
        return folder

    def build(self, folder, *options, env=None, suites=(), only=None, also=()):
        """Sets up a build directory if it is not there, and builds: all, or the suites' programs (of these only those
        named, if any are) and also what is named."""
        folder = self.setup(folder, *options, env=env)
        targets = {os.path.relpath(test["cmd"][0], folder) for test in self.tests(folder, suites)
                   if only is None or test["name"] in only} if suites else set()
        targets = {target for target in targets if not target.startswith("..")}  # but not what runs them
        self.ninja(folder, *sorted(targets), *also, env=env)

    def ninja(self, folder, *targets, env=None):
        """Builds targets, or all."""
        with FOLDER_LOCKS[ROOT / folder]:
            self.run(["ninja", "-C", folder, *targets], env)

    def test(self, folder, suites=(), options=(), left_out=None, *, only=None, env=None):
        """Runs suites in a build directory, all or those named, and counts; of their programs all, all but some, or only some."""
        folder = ROOT / folder
        names = self.names(folder, suites, left_out or only) if left_out or only else []
        names = sorted(only) if only else names
        logs = folder / "meson-logs"
        for old in logs.glob("testlog*.json"):
            old.unlink()
        is_long = self.mode == "long" and folder.name == "build-tests"
        env = {**SANITIZERS, **({"SSN_TEST_LONG": "1"} if is_long else {}), **(env or {})}
        self.run(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *options,
                  *(word for suite in suites for word in ("--suite", suite)), *names], env, fatal=False)
        passed = failed = 0
        for log in logs.glob("testlog*.json"):  # one, named after the wrapper if there is one
            with open(log, encoding="utf-8", errors="replace") as lines:
                for line in filter(str.strip, lines):
                    counts = count_program(json.loads(line))
                    passed += counts[0]
                    failed += counts[1]
        self.passed += passed
        self.failed += failed
        if passed + failed == 0:
            raise Failed("no case ran")

    def program(self, *command, env=None):
        """Runs a test program by itself: one case."""
        if self.run(command, {**SANITIZERS, **(env or {})}, fatal=False) == 0:
            self.passed += 1
        else:
            self.failed += 1

    def tap(self, *command, env=None):
        """Runs a program that speaks TAP: its cases count."""
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            log.seek(0, os.SEEK_END)
            code = self.run(command, env, fatal=False)
            passed, failed = count_program({"result": "OK" if code == 0 else "FAIL", "stdout": log.read()})
        self.passed += passed
        self.failed += failed

    @staticmethod
    def tests(folder, suites):
        """The tests of suites, as meson tells of them."""
        told = subprocess.run(["meson", "introspect", "--tests", folder], stdout=subprocess.PIPE, check=True).stdout
        wanted = {f"selsnap:{suite}" for suite in suites}
        return [test for test in json.loads(told) if wanted & set(test["suite"])]

    def names(self, folder, suites, left_out):
        """The programs of the suites, but those left out; a name left out must be one of them."""
        names = {test["name"] for test in self.tests(folder, suites)}
        unknown = set(left_out) - names
        if unknown:
            raise Failed(f"left out, but not there: {', '.join(sorted(unknown))}")
        return sorted(names - set(left_out))

    def perform(self):
        """Runs the body; a check that counted nothing is one case."""
        begun = time.monotonic()
        LOGS.mkdir(exist_ok=True)
        with open(LOGS / f"{self.name}.log", "w", encoding="utf-8") as self.log:
            try:
                self.body(self)
                if self.passed + self.failed == 0:
                    self.passed = 1
            except (Failed, OSError, subprocess.SubprocessError, ValueError) as error:
                print(f"{self.name}: {error}", file=self.log)
                self.failed = max(self.failed, 1)
        self.wall = time.monotonic() - begun

    def tell(self):
        """One line; and the end of the log, if it failed."""
        print(f"{self.name}: {self.passed} passed, {self.failed} failed ({self.wall:.0f} s)", flush=True)
        if self.failed:
            lines = (LOGS / f"{self.name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join(lines[-SHOWN:]), flush=True)
            print(f"{self.name}: the whole log is build-logs/{self.name}.log", flush=True)


CLANG = {"CC": "clang"}
# What debuggers need to name lines, and no more: it halves the time of compiling.
LINES = ("-Ddebug=false", "-Dc_args=-g1")
TESTED = ("-Ddocs=true", *LINES)
# Optimized less: compiling takes longer than running there.
SANITIZED = ("-Doptimization=1", *LINES, "-Db_lundef=false")
WITHOUT_TOOLS = (*SANITIZED, "-Dtools=false")


# Programs that make stores, and compare them.
GOLDEN = ["tests/compat/make_golden", "tests/compat/test_golden", "tests/compat/golden-1.unpacked"]


def gcc(step):
    if step.mode == "cross":  # what the other machines are compared with
        step.build("build-tests", *TESTED, suites=("golden",), also=GOLDEN)
        step.test("build-tests", ("golden",))
        return
    step.build("build-tests", *TESTED)
    if step.mode == "quick":
        step.test("build-tests", ("unit", "api", "abi", "packages", "house", "readme", "docs", "compat", "fuzz", "golden"))
    elif step.mode == "long":
        step.test("build-tests", (), ("--timeout-multiplier", "0"))
    else:
        step.test("build-tests", (), ("--timeout-multiplier", "4"))


def nbd(step):
    step.build("build-tests", *TESTED)
    for name in ("exports", "control", "files", "terminal"):
        step.tap("timeout", "900", "/usr/bin/python3", "-B", f"tests/nbd/test_nbd_{name}.py",
                 "build-tests/examples/selsnap", "build-tests/examples/nbdkit/nbdkit-selsnap-plugin.so")


def clang(step):
    # In an ordinary run MemorySanitizer's step stands for it: it is of clang too, and builds and runs more tests.
    step.build("build-clang", *LINES, env=CLANG, suites=("unit",), also=["examples/selsnap"])
    step.test("build-clang", ("unit",))


def asan(step):
    suites = ("unit", "api", "fuzz")
    step.build("build-asan", "-Db_sanitize=address,undefined", *SANITIZED, suites=suites,
               also=["tests/damage/damage"])
    step.test("build-asan", suites, ("--timeout-multiplier", "6"), env=FEWER)
    step.program("build-asan/tests/damage/damage", "--part", "1/32")


def tsan(step):
    step.build("build-tsan", "-Db_sanitize=thread", *WITHOUT_TOOLS, suites=("threads",))
    step.test("build-tsan", ("threads",), ("--timeout-multiplier", "6"), env=None if step.mode == "long" else FEWER)


def msan(step):
    step.build("build-msan", "-Db_sanitize=memory", *SANITIZED, env=CLANG, suites=("unit", "api"))
    step.test("build-msan", ("unit", "api"), ("--timeout-multiplier", "6"),
              {} if step.mode == "long" else LEFT_OUT["msan, not long"], env=FEWER)


def valgrind(step):
    step.build("build-tests", *TESTED)
    is_long = step.mode == "long"
    step.test("build-tests", ("unit", "api"),
              ("--timeout-multiplier", "10", "--wrapper",
               "valgrind --quiet --child-silent-after-fork=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible"),
              {**LEFT_OUT["valgrind"], **({} if is_long else LEFT_OUT["valgrind, not long"])},
              env=FEWER if is_long else FEWEST)


def go(step):
    # What is installed, and no more, unless step gcc has built all.
    told = subprocess.run(["meson", "introspect", "--targets", step.setup("build-tests", *TESTED)],
                          stdout=subprocess.PIPE, check=True).stdout
    wanted = [name for target in json.loads(told) if target["installed"] and target["type"] != "custom"
              for name in target["filename"]]
    step.ninja("build-tests", *(os.path.relpath(name, ROOT / "build-tests") for name in wanted))
    cases = ROOT / "build-tests" / "go" / "cases"
    cases.unlink(missing_ok=True)
    code = step.run([sys.executable, "-B", "bindings/go/run_go_tests.py", "build-tests",
                     *(["--long"] if step.mode == "long" else [])], fatal=False)
    if not cases.exists():
        raise Failed("no case ran")
    step.passed, step.failed = map(int, cases.read_text(encoding="utf-8").split())
    step.failed = max(step.failed, int(code != 0))


def tidy(step):
    # What is compiled for two programs is checked once.
    build = step.setup("build-msan", "-Db_sanitize=memory", *SANITIZED, env=CLANG)
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    once = {command["file"]: command for command in reversed(commands)}
    folder = build / "once"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(list(once.values())), encoding="utf-8")
    # The analyzer's shallow mode looks as far into calls as a third of the time allows.
    shallow = [f"-extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "mode=shallow")]
    step.run(["run-clang-tidy", "-p", folder, "-quiet", *([] if step.mode == "long" else shallow), f"{ROOT}/(src|examples)/"])


def cppcheck(step):
    includes = [f"-I{path}" for path in sorted((ROOT / "src").iterdir()) if path.is_dir()]
    step.run(["cppcheck", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr", "--quiet",
              "--error-exitcode=1", f"--suppressions-list={ROOT}/tests/checks/cppcheck.txt", "-D_GNU_SOURCE", "-j2",
              "-Iinclude", *includes, "src", "examples"])


def analyzer(step):
    # Leaks: gcc 12 takes what is kept in arrays and behind a prefix for lost; the tests count allocations instead.
    step.build("build-analyzer", "-Dtests=false", "-Ddebug=false",
               "-Dc_args=-fanalyzer -Wno-analyzer-malloc-leak -DSSN_ANALYZER")


def coverage(step):
    step.run([ROOT / "tests" / "checks" / "coverage.sh", ROOT / "build-coverage"])


def python(step):
    step.build("build-tests", *TESTED)
    cases = ROOT / "build-python" / "cases.xml"
    cases.unlink(missing_ok=True)
    code = step.run([sys.executable, "-B", "bindings/python/test_wheel.py", cases.parent, "build-tests"],
                    {"SSN_TEST_LONG": "1"} if step.mode == "long" else None, fatal=False)
    if not cases.exists():
        raise Failed("no case ran")
    step.passed, step.failed = count_junit(cases)
    step.failed = max(step.failed, int(code != 0))


def portable(step):
    """What systems without Linux's own calls run, and without any optional library."""
    only = PORTABLE_SHORT if step.mode == "ci" else None
    step.build("build-portable", "-Dportable=true", "-Dzstd=disabled", "-During=disabled", "-Ddebug=false", *WITHOUT_TOOLS, suites=PORTED, only=only,
               also=["tests/compat/golden-1.unpacked"])
    step.test("build-portable", PORTED, ("--timeout-multiplier", "4"), only=only, env=FEWER)


def cross(target, suites=PORTED, exe="", left_out=None):
    """The step of one of the machines that tests/cross/sysroot.sh knows; exe: how its programs' names end."""

    def body(step):
        place = ROOT / "build-cross" / target
        step.run(["tests/cross/sysroot.sh", target, place])
        only = CROSS_SHORT if step.mode == "ci" else None
        step.build(place / "build", "--cross-file", place / "cross.ini", "-Doptimization=1", "-Ddebug=false", suites=suites, only=only,
                   also=[GOLDEN[0] + exe, GOLDEN[1] + exe, GOLDEN[2]] + ([] if only else [f"examples/selsnap{exe}"]))
        step.test(place / "build", suites, ("--timeout-multiplier", "10"), left_out, only=only, env=FEWEST if only else FEWER)
        if not only:
            step.program(place / "run", place / f"build/examples/selsnap{exe}", "help")
        # It makes the same stores as this machine, which opens them.
        for command, folder in (([ROOT / "build-tests/tests/compat/make_golden"], "golden-here"),
                                ([place / "run", place / f"build/tests/compat/make_golden{exe}"], "golden")):
            shutil.rmtree(place / folder, ignore_errors=True)
            (place / folder).mkdir()
            step.run([*command, place / folder])
        step.program("diff", "-r", place / "golden-here", place / "golden")
        step.program("build-tests/tests/compat/test_golden", place / "golden")

    return body


# Of the tests in tests/cli: those for POSIX's terminals, shells and signals are left out.
WINDOWS_CLI = ("words", "diff", "snapshots", "store", "repair", "keep", "group", "streams", "map", "report")


def windows(step):
    """As the other machines, all that can be built; and the tool."""
    place = ROOT / "build-cross" / "windows"
    wine = {"WINEPREFIX": str(place / "wine")}
    step.run(["tests/cross/sysroot.sh", "windows", place])
    try:
        step.build(place / "build", "--cross-file", place / "cross.ini", "-Doptimization=1", "-Ddebug=false")
        cross("windows", (*PORTED, "abi", "model"), ".exe", LEFT_OUT["windows"])(step)
        tool = place / "selsnap"
        tool.write_text(f"#!/bin/sh\nexec '{place}/run' '{place}/build/examples/selsnap.exe' \"$@\"\n", encoding="utf-8")
        tool.chmod(0o755)
        for program in ("tests/cross/test_windows_tool.py", *(f"tests/cli/test_cli_{name}.py" for name in WINDOWS_CLI)):
            step.tap(sys.executable, "-B", program, tool, env={"SSN_LEFT_OUT": str(ROOT / "tests/cross/cli_left_out.txt")})
    finally:
        step.run(["wineserver", "--kill"], wine, fatal=False)


def packages(step):
    """Debian's packages: built twice, looked at by lintian, installed and used in a clean root."""
    step.tap("timeout", "7200", "tests/packages/run.sh")


def long_modes(step):
    hours = float(os.environ.get("SSN_LONG_HOURS", "1"))
    for name in ("test_model", "test_powercut", "test_resize", "test_streams_random", "test_groups_random"):
        step.program(f"build-tests/tests/model/{name}", "--hours", str(hours))
    step.program("build-tests/tests/threads/test_storm", "--seconds", str(int(hours * 3600)))
    step.program("build-tests/tests/damage/damage", "--all")
    step.program(sys.executable, "-B", "tests/mutation/run.py", "--jobs", "2")


EVERY = ("quick", "ci", "long")
FULL = ("ci", "long")
LONG = ("long",)
PORTS = ("ci", "cross", "long")
CROSS = ("cross", "long")
STEPS = [
    Step("gcc", (*EVERY, "cross"), gcc),
    Step("nbd", FULL, nbd, after=["gcc"]),
    Step("clang", LONG, clang),
    Step("asan", FULL, asan),
    Step("cppcheck", EVERY, cppcheck),
    Step("tsan", FULL, tsan),
    Step("clang-tidy", FULL, tidy, after=["msan"]),
    Step("msan", FULL, msan),
    Step("go", FULL, go, after=["gcc"]),
    Step("valgrind", FULL, valgrind, after=["gcc"]),
    Step("coverage", FULL, coverage),
    Step("analyzer", FULL, analyzer),
    Step("python", FULL, python, after=["gcc"]),
    Step("portable", PORTS, portable),
    Step("s390x", PORTS, cross("s390x"), after=["gcc"]),
    Step("aarch64", CROSS, cross("aarch64"), after=["gcc"]),
    Step("i686", CROSS, cross("i686"), after=["gcc"]),
    Step("musl", CROSS, cross("musl"), after=["gcc"]),
    Step("windows", CROSS, windows, after=["gcc"]),
    Step("packages", LONG, packages),
    Step("long", LONG, long_modes, after=["gcc"]),
]


def run_all(steps, at_once):
    """Runs each step once those it comes after have ended, so many at once."""
    change = threading.Condition()

    def worker():
        while True:
            with change:
                ended = {each.name for each in steps if each.state == "ended"}
                here = {each.name for each in steps}
                ready = [each for each in steps if each.state == "waiting" and not (each.after & here) - ended]
                if not ready:
                    if all(each.state != "waiting" for each in steps):
                        return
                    change.wait()
                    continue
                step = ready[0]
                step.state = "running"
            step.perform()
            with change:
                step.state = "ended"
                step.tell()
                change.notify_all()

    workers = [threading.Thread(target=worker) for _ in range(at_once)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()


def main():
    mode = sys.argv[1]
    names = sys.argv[2:]
    steps = [step for step in STEPS if (step.name in names if names else mode in step.modes)]
    for name in sorted(set(names) - {step.name for step in steps}):
        print(f"no step is named {name}", file=sys.stderr)
        return 2
    for step in steps:
        step.mode = mode
    # In the background of a shell it is ignored, which children would inherit; some of them test what it does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.monotonic()
    run_all(steps, 2)
    print(f"{'step':<12} {'seconds':>8} {'processor':>10} {'passed':>8} {'failed':>8}")
    for step in steps:
        print(f"{step.name:<12} {step.wall:>8.0f} {step.cpu:>10.0f} {step.passed:>8} {step.failed:>8}")
    print(f"{'together':<12} {time.monotonic() - begun:>8.0f} {sum(step.cpu for step in steps):>10.0f}")
    passed = sum(step.passed for step in steps)
    failed = sum(step.failed for step in steps)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
