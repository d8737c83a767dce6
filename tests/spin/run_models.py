#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches the models of this folder exhaustively with Spin, and breaks each of their rules once.

usage: run_models.py SPIN CC MODEL [NAME...]

MODEL is protocol or commit. Cases, as TAP:
  scopes      the model passes, and all its states were visited; every step is taken in some scope
  goals       a situation that must come about does (a macro G_... makes it an error)
  mutations   a rule that is broken (M_...) violates an assertion
  spare       a rule that the model shows not to be needed for cuts and kills (S_...): it passes without it
Times are of the processor. With NAMEs only these are run, and the shortest trails are printed.
"""

import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEPTH = 400000
MEMORY_MB = 1024
SECONDS = 280
WORKERS = 2
# Ends of processes that never end, and the cut that may come before each step of a process.
NOT_STEPS = ("-end-", "((lives!=life))")

# Model: scope -> what it holds.
SCOPES = {
    "protocol": {
        "base": "VIEW",
        "again": "NW=1 WRITES=2 VIEW",
        "blocks": "NB=2 OWN COARSE",
        "evict": "NB=2 OWN PAST EVICT COARSE",
        "groups": "NB=2 NW=1 WRITES=2 NS=3 GROUPS",
        "full": "NW=1 WRITES=2 VIEW FULL",
        "delete": "DELETE",
        "fail": "FAIL",
        "restart": "NW=1 WRITES=2 RESTART",
    },
    "commit": {
        "base": "OPS=3",
        "long": "OPS=4 CRASHES=1",
        "reader": "OPS=4 CRASHES=0 READER",
    },
}

# Model: mutation -> the scope that shows it, and what is wrong with it.
MUTATIONS = {
    "protocol": {
        "GATE_LOOK_FIRST": ("base", "a writer looks whether the gate is closed before it counts itself in"),
        "GATE_NO_DRAIN": ("base", "a point does not wait for the writers inside the gate"),
        "POINT_OPEN": ("base", "a point is taken without closing the gate"),
        "ADD_AFTER_OPEN": ("base", "the snapshot is listed after the gate is open again"),
        "RAISE_AFTER_OPEN": ("base", "the need version is raised after the gate is open again"),
        "RAISE_BEFORE_ADD": ("base", "the need version is raised before the snapshot is listed"),
        "NO_RETEST": ("base", "no second test after waiting for the store"),
        "RETEST_OUTSIDE": ("base", "the second test is made before the gate is entered"),
        "NO_CLAIM": ("base", "two writers may preserve a block at once"),
        "READ_UNCLAIMED": ("base", "the old content is read before the block is claimed"),
        "PUB_EARLY": ("base", "published and overwritten before durable"),
        "NO_STORE_FLUSH": ("base", "a batch is published without a flush"),
        "FLUSH_THEN_WRITE": ("base", "the flush comes before the batch is written"),
        "DATA_LATE": ("base", "a record may join a batch before its data write ended"),
        "REC_FIRST": ("base", "snapshot record before origin flush"),
        "NO_ORIGIN_FLUSH": ("base", "creation does not flush the origin"),
        "FLUSH_BEFORE_POINT": ("base", "the origin is flushed before the point instead of after it"),
        "NO_RECHECK": ("base", "view read does not look again"),
        "VIEW_VERSION_LATE": ("base", "the index version is noted after the first look"),
        "VERSION_FIRST": ("blocks", "a need page's version is raised before its bits are set"),
        "CLEAR_OUTSIDE": ("blocks", "need bits are cleared outside the gate"),
        "TAG_ONCE": ("evict", "a slot's tag is not looked at again after its bits"),
        "SLOT_OLD": ("evict", "a slot is filled with bits older than the page's version"),
        "NO_ADDITIONS": ("groups", "a group that moves while groups are walked is passed by"),
        "LOST_NEWEST": ("full", "out-of-space policy of the newest snapshot only"),
        "LOST_LATE": ("full", "a lost block is overwritten before the loss is durable"),
        "DEL_EARLY": ("delete", "a deletion acts before its record is durable"),
        "NO_REWRITE": ("fail", "after a failed flush the batch is written again, but not its data"),
        "REWRITE_KEPT": ("fail", "after a failed flush only the kept batch's data is written again"),
        "FAIL_PUBLISHED": ("fail", "a batch is published though its flush failed"),
        "NO_SETTLE": ("fail", "a block is preserved again while its last record is undecided"),
        "EPOCH_REUSE": ("restart", "epoch counter recovered from snapshot records only"),
        "NO_REC_FLUSH": ("restart", "recovery trusts what it read unflushed"),
    },
    "commit": {
        "NO_BATCH_FLUSH": ("base", "a batch is acknowledged without a flush"),
        "ACK_OOO": ("base", "a batch is acknowledged by its own flush, an earlier one still being written"),
        "DATA_LATE": ("base", "a record may join a batch before its data write ended"),
        "REUSE_EARLY": ("base", "freed space reused at once"),
        "REUSE_AT_ACK": ("long", "freed space reused when the record is durable, not after the next checkpoint"),
        "REUSE_READERS": ("reader", "freed space reused while somebody reads it"),
        "TAKEN_FORGOTTEN": ("base", "recovery takes what the replayed journal took for free"),
        "JREUSE_EARLY": ("base", "journal space reused before the checkpoint is durable"),
        "TREE_REUSE": ("base", "the tree is built in the place of the one that counts"),
        "NO_CKPT_FLUSH": ("base", "no flush between a checkpoint's pages and its superblock"),
        "SUPER_FIRST": ("base", "the superblock is written before the pages"),
        "NO_SUPER_FLUSH": ("base", "no flush after a checkpoint's superblock"),
        "SAME_SLOT": ("base", "a superblock overwrites the one that counts"),
        "KNOWN_EARLY": ("base", "sectors know a superblock that is not durable"),
        "NOCHAIN": ("base", "a batch is known by its sequence number only"),
        "SAME_INC": ("base", "recovery does not take a new incarnation"),
        "NO_HEAL": ("base", "the last batch's lost data is not copied again from the origin"),
        "NOFLUSH": ("base", "recovery trusts what it read unflushed"),
        "NO_REC_FLUSH": ("base", "no flush before an open's superblock: the other slot may be unflushed, too"),
        "NO_REC_SUPER_FLUSH": ("base", "batches of a new incarnation before its superblock is durable"),
    },
}

# Model: a rule that cuts and kills alone do not need -> the scope that shows it, and what it is there for.
SPARE = {
    "protocol": {},
    "commit": {
        "NOCHAIN": ("base", "with one batch in flight the incarnation is enough; the chain tells damage"),
        "TREE_REUSE": ("base", "the place of the tree before could be used again at once"),
        "REUSE_AT_SWAP": ("long", "what the frozen changes gave could be used again before they are folded"),
    },
}

# Model: a situation that must come about -> the scope where it does, and what it is.
GOALS = {
    "protocol": {},
    "commit": {
        "REUSED": ("base", "a unit is used again"),
        "WRAPPED": ("base", "the ring goes around"),
        "TORN": ("base", "a batch is torn that is written again over a torn one of an earlier life"),
        "OLD_SUPER": ("base", "a checkpoint's superblock is torn, or the next one"),
        "HEALED": ("base", "lost data is copied again from the origin"),
        "HEALED_TWICE": ("base", "and is lost again in a cut during that recovery"),
        "FULL_RING": ("base", "two batches are replayed"),
    },
}


class Result:
    """What one search found."""

    def __init__(self, text, seconds, table=""):
        def number(pattern):
            found = re.search(pattern, text)
            return int(float(found[1])) if found else None

        self.text = text
        self.seconds = seconds
        self.errors = number(r"errors: (\d+)")
        self.states = number(r"([\d.e+]+) states, stored")
        self.memory = number(r"([\d.]+)\s+total actual memory usage")
        self.depth = number(r"depth reached (\d+)")
        self.complete = "max search depth too small" not in text and "Search not completed" not in text \
            and "out of memory" not in text
        violated = re.search(r"pan:\d+: (.*?) \(at depth (\d+)\)", text)
        self.violation = violated[1] if violated else None
        self.trail = int(violated[2]) if violated else None

        # Transitions by number: (line, text); unlike Spin's list of unreached states, options of a loop are told apart.
        steps = {int(number): (int(line), what) for number, line, what
                 in re.findall(r"-\(tr\s+(\d+)\)->.*\.pml:(\d+) => (.*)", table)
                 if what not in NOT_STEPS}
        taken = {int(number) for number in re.findall(r"^\s*\d+\ttrans\s+(\d+) ", text, re.MULTILINE)}
        self.steps = set(steps.values())
        self.taken = {steps[number] for number in taken if number in steps}


def measured(command, folder):
    """Runs a command, and gives its output and the seconds of processor time that it took."""
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return output.read(), usage.ru_utime + usage.ru_stime


def search(tools, model, scope, define=None, show=False):
    """Runs Spin on a scope of a model; with a rule broken or a goal set, it looks for a way to an error."""
    spin, compiler = tools
    defines = ["-D" + word for word in SCOPES[model][scope].split()] + (["-D" + define] if define else [])
    wants_error = define is not None and not define.startswith("S_")
    with tempfile.TemporaryDirectory(prefix="spin.") as folder:
        source = os.path.join(folder, model + ".pml")
        os.symlink(os.path.join(HERE, model + ".pml"), source)
        flags = ["-a"] if define else ["-o3", "-a"]
        made = subprocess.run([spin, *flags, *defines, source], cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode != 0 or not os.path.exists(os.path.join(folder, "pan.c")):
            return Result("spin: " + made.stdout + made.stderr, 0)
        # The shortest way takes twice as long to find. Compiling takes longer than a short search, so what runs short
        # is compiled by tcc, if that is installed.
        options = ["-O0"] if wants_error else ["-O1"]
        options += ["-DBFS"] if wants_error and show else []
        if wants_error and shutil.which("tcc"):
            compiler = ["tcc"]
        options += [] if define else ["-DPEG"]
        options += ["-DCOLLAPSE"] if model == "protocol" else []
        made = subprocess.run([*compiler, "-w", "-DSAFETY", "-DVECTORSZ=1024", f"-DMEMLIM={MEMORY_MB}", *options,
                               "-o", "pan", "pan.c"], cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            return Result("cc: " + made.stderr, 0)
        table, _ = measured(["./pan", "-d"], folder)
        limits = f"ulimit -v {MEMORY_MB << 10}; ulimit -t {SECONDS}; exec ./pan -m{DEPTH}"
        text, seconds = measured(["/bin/sh", "-c", limits], folder)
        if show:
            trail = subprocess.run([spin, "-t", "-p", "-g", *defines, source], cwd=folder, capture_output=True,
                                   text=True, check=False)
            print(trail.stdout)
        return Result(text, seconds, table)


class Tap:
    """Numbers cases."""

    def __init__(self, count):
        self.number = 0
        self.failed = 0
        print(f"1..{count}", flush=True)

    def case(self, name, problem, detail=""):
        """One case; problem is None if it passed."""
        self.number += 1
        self.failed += problem is not None
        print(f"{'ok' if problem is None else 'not ok'} {self.number} - {name}")
        for line in (problem or detail).splitlines()[:40]:
            print("# " + line)
        sys.stdout.flush()


def judge_sound(result):
    """Why a scope with all its rules does not pass; None if it does."""
    if result.errors is None or not result.states:
        return "there was no search:\n" + result.text
    if result.errors != 0:
        return f"violated: {result.violation}\n" + result.text
    return None if result.complete else "the search was cut short:\n" + result.text


def judge_mutation(result):
    """Why a broken rule was not caught; None if it was."""
    if result.errors is None:
        return "there was no search:\n" + result.text
    if result.errors == 0:
        return f"not caught in {result.states} states"
    if not (result.violation or "").startswith("assertion violated"):
        return f"what was violated is not an assertion: {result.violation}"
    return None


def missed(results):
    """The steps that no search took; None if there are none."""
    known = set().union(*(result.steps for result in results))
    taken = set().union(*(result.taken for result in results))
    if not taken:
        return "no steps were counted"
    return "\n".join(f"{line}: {what}" for line, what in sorted(known - taken)) or None


def main():
    """See the head."""
    tools = (sys.argv[1], sys.argv[2].split())
    model = sys.argv[3]
    only = sys.argv[4:]

    def chosen(table):
        return [name for name in table[model] if not only or name in only]

    scopes, goals, mutations, spare = chosen(SCOPES), chosen(GOALS), chosen(MUTATIONS), chosen(SPARE)
    tap = Tap(len(scopes) + len(goals) + len(mutations) + len(spare) + (not only))
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        def begin(names, table, prefix):
            return [(name, *table[model][name],
                     pool.submit(search, tools, model, table[model][name][0], prefix + name, bool(only)))
                    for name in names]

        sound = [(name, pool.submit(search, tools, model, name)) for name in scopes]
        waiting = begin(goals, GOALS, "G_"), begin(mutations, MUTATIONS, "M_"), begin(spare, SPARE, "S_")
        results = []
        for name, future in sound:
            result = future.result()
            results.append(result)
            tap.case(f"{model} {name}: every state is right", judge_sound(result),
                     f"{result.states} states, depth {result.depth}, {result.memory} MB, {result.seconds:.1f} s")
        if not only:
            tap.case(f"{model}: every step is taken", missed(results))
        for group, title in zip(waiting, ("comes about", "is caught", "is spare")):
            for name, scope, what, future in group:
                result = future.result()
                judge = judge_sound if title == "is spare" else judge_mutation
                trail = "" if result.trail is None else f"a trail of {result.trail} steps, "
                tap.case(f"{model} {scope}: {name} {title}: {what}", judge(result),
                         f"{trail}{result.states} states, {result.seconds:.1f} s")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
