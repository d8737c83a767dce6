#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the command that a failing image prints replays it: of wrong results, crashes and hangs, after one, two and
three cuts. The explorer plays them itself (--plant). usage: test_replay.py TEST_CRASH"""
import re
import subprocess
import sys

TOLD = {'wrong': 'planted', 'crash': 'ended by signal', 'hang': 'it hangs'}
SECONDS = '3'


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=300, check=False)
    return done.returncode, done.stdout


def problem(program, kind, cuts):
    """What is wrong, or None."""
    code, output = run([program, '--script', 'first-writes', '--share', '2', '--seconds', SECONDS,
                        '--plant', f'{kind}{cuts}'])
    commands = re.findall(r'^replay: (.*)$', output, re.MULTILINE)
    if code == 0 or len(commands) != 1 or TOLD[kind] not in output:
        return f'exit {code}, {len(commands)} commands: {output[-300:]}'
    command = commands[0].split()
    if command[-1].count('/') != cuts - 1:
        return f'the path {command[-1]} does not have {cuts} cuts'
    code, output = run(command)
    if code == 0 or (kind == 'wrong' and TOLD[kind] not in output):
        return f'the replay ends with {code}: {output[-300:]}'
    sound = [word for word in command if word not in ('--plant', f'{kind}{cuts}')]
    code, output = run(sound)
    return None if code == 0 else f'without the planted failure it ends with {code}: {output[-300:]}'


def main():
    program = sys.argv[1]
    cases = [(kind, cuts) for kind in TOLD for cuts in (1, 2, 3)]
    failed = 0
    print(f'1..{len(cases)}')
    for number, (kind, cuts) in enumerate(cases, 1):
        text = problem(program, kind, cuts)
        failed += text is not None
        print(f'{"ok" if text is None else "not ok"} {number} - {kind} after {cuts} cuts'
              + ('' if text is None else ': ' + text.replace(chr(10), ' | ')), flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
