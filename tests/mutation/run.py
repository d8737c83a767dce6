#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants each mistake of mutations.toml in a copy of the tree, and demands that the tests named there fail.

    run.py [--only NAME]... [--jobs N]                 all of them, or some; TAP, and "N caught, N not caught"
    run.py --list                                       their names, and what each would do
    run.py --check                                      only that each can still be planted
    run.py --survey SUITE [--only NAME]...              which scripts of the crash suite fail, to choose tests by

A test that fails with a line "replay: COMMAND" is replayed, and must fail again. The copies are made in a scratch
folder (--scratch); the tree itself is never changed.
"""
import argparse
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mutations.toml')


def left_out(folder, names):
    """Of a folder of the tree, what is not copied: history and builds."""
    return [name for name in names if folder == ROOT and (name == '.git' or name.startswith('build'))]

FIELDS = {'name', 'file', 'old', 'new', 'tests', 'why'}
OPTIONAL = {'more', 'model', 'expected', 'timeout'}


def read_list():
    with open(LIST, 'rb') as f:
        return tomllib.load(f)['mutation']


def edits(mutation):
    """Every change of a mutation: (file, old, new)."""
    yield mutation['file'], mutation['old'], mutation['new']
    for more in mutation.get('more', []):
        yield more['file'], more['old'], more['new']


def wrong(mutation, root):
    """What is wrong with an entry of the list, or None."""
    missing = FIELDS - mutation.keys()
    unknown = mutation.keys() - FIELDS - OPTIONAL
    if missing or unknown:
        return f'missing {sorted(missing)}, unknown {sorted(unknown)}'
    if mutation.get('expected', 'caught') not in ('caught', 'redundant'):
        return 'expected is "caught" or "redundant"'
    for file, old, new in edits(mutation):
        path = os.path.join(root, file)
        if not os.path.exists(path):
            return f'{file} is not there'
        with open(path, encoding='utf-8') as f:
            count = f.read().count(old)
        if count != 1 or old == new:
            return f'the text to replace is {count} times in {file}'
    for test in mutation['tests']:
        if not os.path.exists(os.path.join(root, 'tests', test.split()[0] + '.c')):
            return f'tests/{test.split()[0]}.c is not there'
    return None


def check(mutations):
    print(f'1..{len(mutations)}')
    failed = 0
    names = set()
    for number, mutation in enumerate(mutations, 1):
        text = wrong(mutation, ROOT)
        if mutation.get('name') in names:
            text = 'the name is there twice'
        names.add(mutation.get('name'))
        failed += text is not None
        print(f'{"ok" if text is None else "not ok"} {number} - {mutation.get("name")}' + (f': {text}' if text else ''))
    return 1 if failed or not mutations else 0


class Tree:
    """A scratch copy of the tree, with a build."""

    def __init__(self, folder):
        self.source = os.path.join(folder, 'source')
        self.build = os.path.join(folder, 'build')
        shutil.copytree(ROOT, self.source, symlinks=True, ignore=left_out)
        code, output = run(['meson', 'setup', self.build, self.source, '-Dwerror=false', '-Dtools=false'], 600)
        if code != 0:
            raise RuntimeError('meson setup failed: ' + output[-500:])

    def plant(self, mutation, back=False):
        for file, old, new in edits(mutation):
            path = os.path.join(self.source, file)
            with open(path, encoding='utf-8') as f:
                text = f.read()
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text.replace(new, old) if back and new else text.replace(old, new))

    def make(self, programs):
        targets = sorted({'tests/' + program.split()[0] for program in programs})
        return run(['ninja', '-C', self.build, *targets], 600)


def run(command, seconds):
    """(exit code, output); a hang is killed with all its children and gives None."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True, text=True, errors='replace')
    try:
        output = process.communicate(timeout=seconds)[0]
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0]
        return None, output


def try_test(tree, test, seconds):
    """(failed, how): a replay command that does not fail is told as well."""
    words = test.split()
    code, output = run([os.path.join(tree.build, 'tests', words[0]), *words[1:]], seconds)
    if code == 0:
        return False, 'passes'
    replay = re.search(r'^replay: (.*)$', output, re.MULTILINE)
    if code is None or replay is None:
        return True, 'hangs' if code is None else 'fails'
    again, text = run(replay.group(1).split(), seconds)
    if again == 0:
        return False, f'fails, but its replay does not: {replay.group(1)}'
    wrong_line = next((line for line in text.splitlines() if line.startswith(('step ', 'ended by'))), 'fails')
    return True, wrong_line


def try_mutation(tree, mutation, survey):
    """(caught, text)."""
    backup = {}
    for file, _, _ in edits(mutation):
        with open(os.path.join(tree.source, file), encoding='utf-8') as f:
            backup[file] = f.read()
    tests = survey or mutation['tests']
    try:
        tree.plant(mutation)
        code, output = tree.make(tests)
        if code != 0:
            return False, 'it does not build: ' + ' '.join(re.findall(r'error:.*', output)[:2])
        seconds = mutation.get('timeout', 300)
        results = {test: try_test(tree, test, seconds) for test in tests}
    finally:
        for file, text in backup.items():
            with open(os.path.join(tree.source, file), 'w', encoding='utf-8') as f:
                f.write(text)
    if survey:
        failed = [test for test, result in results.items() if result[0]]
        return bool(failed), ', '.join(failed)
    passed = [f'{test} {result[1]}' for test, result in results.items() if not result[0]]
    return not passed and bool(results), '; '.join(passed) or '; '.join(result[1] for result in results.values())


def survey_tests(suite):
    if suite != 'crash':
        return suite.split(',')
    text = open(os.path.join(ROOT, 'tests/crash/scripts.c'), encoding='utf-8').read()
    names = re.findall(r'\{"([a-z0-9-]+)", &\w+, \w+, \d+\}', text)
    return [f'crash/test_crash --script {name}' for name in names]


def run_all(mutations, jobs, scratch, survey):
    folder = tempfile.mkdtemp(prefix='mutation-', dir=scratch)
    print(f'1..{len(mutations)}')
    lock = threading.Lock()
    work = queue.Queue()
    for item in enumerate(mutations, 1):
        work.put(item)
    counts = {'caught': 0, 'not caught': 0, 'redundant': 0}

    def worker(index):
        tree = None
        while True:
            try:
                number, mutation = work.get_nowait()
            except queue.Empty:
                return
            try:
                tree = tree or Tree(os.path.join(folder, str(index)))
            except RuntimeError as error:
                work.put((number, mutation))
                print(f'Bail out! {error}', flush=True)
                return
            text = wrong(mutation, ROOT)
            caught = False
            redundant = text is None and mutation.get('expected') == 'redundant'
            if text is None and not redundant:
                caught, text = try_mutation(tree, mutation, survey)
            with lock:
                if redundant:
                    counts['redundant'] += 1
                else:
                    counts['caught' if caught else 'not caught'] += 1
                word = 'ok' if caught or redundant else 'not ok'
                print(f'{word} {number} - {mutation["name"]}: {"redundant" if redundant else text}', flush=True)

    try:
        threads = [threading.Thread(target=worker, args=(index,)) for index in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        shutil.rmtree(folder)
    if counts['redundant']:
        print(f'# {counts["redundant"]} not planted: the step is redundant, for the reason that the list gives')
    print(f'# {counts["caught"]} caught, {counts["not caught"]} not caught')
    return 0 if counts['caught'] > 0 and counts['not caught'] == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', action='append', metavar='NAME')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--survey', metavar='SUITE')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--scratch', default=None)
    options = parser.parse_args()
    mutations = read_list()
    if options.check:
        return check(mutations)
    if options.only:
        unknown = set(options.only) - {mutation['name'] for mutation in mutations}
        if unknown:
            parser.error(f'no mutation {sorted(unknown)}')
        mutations = [mutation for mutation in mutations if mutation['name'] in options.only]
    if options.list:
        for mutation in mutations:
            print(f'{mutation["name"]:28} {mutation.get("model", ""):14} {mutation["why"]}')
        return 0
    return run_all(mutations, options.jobs, options.scratch, survey_tests(options.survey) if options.survey else None)


if __name__ == '__main__':
    sys.exit(main())
