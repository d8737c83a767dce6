# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/python, run as a user would, and the README's and the guide's code."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import selsnap

ROOT = pathlib.Path(__file__).resolve().parents[3]


def run(name, *words):
    """Runs an example; what it prints."""
    command = [sys.executable, "-X", "dev", str(ROOT / "examples" / "python" / name), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and "Warning" not in done.stdout, done.stdout
    return done.stdout


def test_example_protect(tmp_path):
    image = tmp_path / "disk.img"
    content = os.urandom(4 << 20)
    image.write_bytes(content)
    told = run("protect_file.py", image)
    assert "bytes may have changed; preserved: " in told and image.read_bytes() == content
    assert run("protect_file.py", image).splitlines()[-1].count(", ") == 1, "two snapshots"


def test_example_backup_and_restore(tmp_path):
    image, store, folder = tmp_path / "disk.img", tmp_path / "disk.store", tmp_path / "backup"
    image.write_bytes(os.urandom(4 << 20))
    selsnap.format(store, image, size=16 << 20)
    assert "full" in run("back_up.py", store, folder)
    for number in range(3):
        with selsnap.open(store) as ss:
            ss.pwrite(os.urandom(5000), number * 1_000_000)
            left = "backup-0002" if number == 1 else f"other-{number}"
            ss.create(left)  # the second time, what a run that was broken off leaves
        assert "increment, " in run("back_up.py", store, folder)
    content = image.read_bytes()
    image.unlink()
    store.unlink()
    assert "0003.stream: backup-0003" in run("bring_back.py", folder, tmp_path / "new.img")
    assert (tmp_path / "new.img").read_bytes() == content


def test_example_backend(tmp_path):
    told = run("write_backend.py", tmp_path / "chunks")
    assert "live: after!, snapshot: before" in told and "0 problems" in told


def test_example_serve(tmp_path):
    plugin = subprocess.run(["nbdkit", "python", "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False) \
        if shutil.which("nbdkit") else None
    if plugin is None or plugin.returncode != 0:
        pytest.skip("nbdkit, or its plugin for Python, is not there")
    image, store, old, new = (tmp_path / name for name in ("disk.img", "disk.store", "old.img", "new.img"))
    old.write_bytes(os.urandom(4 << 20))
    new.write_bytes(os.urandom(4 << 20))
    shutil.copy(old, image)
    selsnap.format(store, image, size=16 << 20)
    with selsnap.open(store) as ss:
        ss.create("before")
    script = ROOT / "examples" / "python" / "serve_disk.py"
    use = 'nbdcopy "$uri" read.img && nbdcopy --flush new.img "$uri"'
    done = subprocess.run(["nbdkit", "-U", "-", "python", script, f"store={store}", "--run", use], cwd=tmp_path, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "read.img").read_bytes() == old.read_bytes() and image.read_bytes() == new.read_bytes()
    with selsnap.open(store) as ss, ss.snapshot("before").open() as view:
        assert view.pread(4 << 20, 0) == old.read_bytes()


def make_disk(image, tree):
    """An ext4 file system with the files that the texts speak of."""
    (tree / "home" / "ann" / "documents").mkdir(parents=True)
    (tree / "home" / "ann" / "documents" / "letter").write_text("Dear Bob,\n" * 1000)
    image.write_bytes(bytes(64 << 20))
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, image], check=True,
                   env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})


@pytest.mark.parametrize("path", ["README.md", "docs/python.md", "bindings/python/src/selsnap/__init__.py"])
def test_text_code_runs(path, tmp_path, monkeypatch, nothing_is_dropped):
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".py"):
        parts = [re.sub("^    ", "", part, flags=re.M) for part in re.findall(r"^(    import selsnap\n.*?)\n\ndocs", text, re.S | re.M)]
    else:
        parts = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
    assert parts
    monkeypatch.chdir(tmp_path)
    make_disk(tmp_path / "disk.img", tmp_path / "tree")
    names = {}
    for part in parts:
        exec(compile(part, path, "exec"), names)  # pylint: disable=exec-used
    if "ss" in names:
        names["ss"].close()
    names.clear()
