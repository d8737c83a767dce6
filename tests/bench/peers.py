# SPDX-License-Identifier: Apache-2.0
"""The same writes to other snapshots of block devices and files, each beside its own bare baseline.

usage: peers.py [--folder DIR] [--bench PROGRAM] [--json FILE] [--rounds N] [--only TEXT]

Each peer is set up anew in each round; fio writes random blocks of 4 KiB to it, every block at most once, then the same
blocks again. Its baseline, with the same transport, cache mode and file but no snapshot, is written to just before. A
ratio is the median of the rounds'. libselsnap's own row comes from PROGRAM (bench.c), on files with O_DIRECT in
the same folder.
Peers whose programs are missing, or that need more rights than there are, are left out, with the reason.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
SIZE = 128 * MIB
FICLONE = 0x40049409
# Name: requests in flight, requests between flushes (0: none), bytes written.
LOADS = {
    "1 in flight": (1, 0, 4 * MIB),
    "16 in flight": (16, 0, 8 * MIB),
    "flush every 32": (1, 32, 2 * MIB),
}
# libselsnap's own: (row, load, its case of it, its case of writing to the same blocks again).
OWN = [
    ("libselsnap", "1 in flight", "first-write-4k", "write-preserved-4k"),
    ("libselsnap", "16 in flight", "first-write-4k-16-threads", "write-preserved-4k-16-threads"),
    ("libselsnap", "flush every 32", "first-write-4k-flush-32", "write-preserved-4k-flush-32"),
    ("libselsnap, preserving ahead", "1 in flight", "first-write-4k-ahead", "write-preserved-4k"),
    ("libselsnap, deferred mode", "flush every 32", "first-write-4k-deferred-flush-32", "write-preserved-4k-flush-32"),
]


class Missing(Exception):
    """A peer that cannot be had here."""


def run(*command, **options):
    """Runs a program that must succeed."""
    pipe = subprocess.PIPE
    return subprocess.run(command, check=True, text=True, stdout=pipe, stderr=pipe, **options).stdout


def fill(path, size=SIZE):
    """A file of content that is not zero, durable."""
    with open(path, "wb") as file:
        piece = os.urandom(MIB)
        for _ in range(size // MIB):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def serving(command, socket):
    """A server that runs while the block does, from the moment its socket is there."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            for _ in range(200):
                if os.path.exists(socket) or server.poll() is not None:
                    break
                time.sleep(0.05)
            if server.poll() is not None:
                raise Missing(server.stderr.read().strip())
            yield ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={socket}"]
        finally:
            server.terminate()
            server.wait()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(socket)


class Peer:
    """One way to take a snapshot. bare() and snapshot() are context managers that give fio's arguments for a target."""

    programs = ()

    def __init__(self, folder):
        self.folder = folder
        self.disk = os.path.join(folder, "disk")
        self.socket = os.path.join(folder, "socket")

    def close(self):
        """Called at the end of a round, whatever happened."""

    def qemu_nbd(self, path, form):
        """An export by qemu-nbd that passes the page cache by."""
        return serving(["qemu-nbd", "--persistent", "--shared=4", "--cache=none", "-f", form, "-k", self.socket, path],
                       self.socket)


class QcowOverlay(Peer):
    name = "qcow2 overlay, qemu-nbd"
    programs = ("qemu-nbd", "qemu-img")

    def bare(self):
        fill(self.disk)
        return self.qemu_nbd(self.disk, "raw")

    def snapshot(self):
        overlay = self.disk + ".qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.disk, "-F", "raw", overlay)
        return self.qemu_nbd(overlay, "qcow2")


class QcowInternal(Peer):
    name = "qcow2 internal snapshot, qemu-nbd"
    programs = ("qemu-nbd", "qemu-img")

    def bare(self):
        fill(self.disk)
        run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", self.disk, self.disk + ".qcow2")
        return self.qemu_nbd(self.disk + ".qcow2", "qcow2")

    def snapshot(self):
        run("qemu-img", "snapshot", "-c", "s", self.disk + ".qcow2")
        return self.qemu_nbd(self.disk + ".qcow2", "qcow2")


class CopyBeforeWrite(Peer):
    name = "copy-before-write, qemu-storage-daemon"
    programs = ("qemu-storage-daemon",)

    def daemon(self, node, *more):
        """An export of a node of qemu-storage-daemon."""
        source = f"driver=file,node-name=source,filename={self.disk},cache.direct=on"
        return serving(["qemu-storage-daemon", "--blockdev", source, *more, "--nbd-server",
                        f"addr.type=unix,addr.path={self.socket}", "--export",
                        f"type=nbd,id=export,node-name={node},writable=on,name="], self.socket)

    def bare(self):
        fill(self.disk)
        return self.daemon("source")

    def snapshot(self):
        copies = self.disk + ".copies"
        run("truncate", "-s", str(SIZE), copies)
        return self.daemon("filter", "--blockdev", f"driver=file,node-name=copies,filename={copies},cache.direct=on",
                           "--blockdev", "driver=copy-before-write,node-name=filter,file=source,target=copies")


class NbdkitCow(Peer):
    name = "cow filter, nbdkit"
    programs = ("nbdkit",)

    def nbdkit(self, *filters):
        """An export by nbdkit's file plugin, through the page cache: it has no other way."""
        return serving(["nbdkit", "--foreground", "-U", self.socket, *filters, "file", self.disk], self.socket)

    def bare(self):
        fill(self.disk)
        return self.nbdkit()

    def snapshot(self):
        return self.nbdkit("--filter=cow")


class Reflink(Peer):
    """A file on a loop device, cloned; the source is written to."""

    def __init__(self, folder):
        super().__init__(folder)
        self.where = os.path.join(folder, "mount")
        self.path = os.path.join(self.where, "data")

    def close(self):
        subprocess.run(["umount", self.where], check=False, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def bare(self):
        image = self.disk + ".img"
        os.makedirs(self.where, exist_ok=True)
        fill(image, 400 * MIB)
        run(*self.mkfs, image)
        run("mount", "-o", "loop", image, self.where)
        fill(self.path)
        yield ["--ioengine=libaio", "--direct=1", f"--filename={self.path}"]

    @contextlib.contextmanager
    def snapshot(self):
        with open(self.path, "rb") as source, open(self.path + ".clone", "wb") as clone:
            fcntl.ioctl(clone.fileno(), FICLONE, source.fileno())
            os.fsync(clone.fileno())
        yield ["--ioengine=libaio", "--direct=1", f"--filename={self.path}"]


class Xfs(Reflink):
    name = "XFS reflink, file on a loop device"
    mkfs = ("mkfs.xfs", "-q", "-f", "-m", "reflink=1")
    programs = ("mkfs.xfs",)


class Btrfs(Reflink):
    name = "btrfs reflink, file on a loop device"
    mkfs = ("mkfs.btrfs", "-q", "-f")
    programs = ("mkfs.btrfs",)


PEERS = (QcowOverlay, QcowInternal, CopyBeforeWrite, NbdkitCow, Xfs, Btrfs)


def fio(target, load):
    """Microseconds a write."""
    depth, flush, total = LOADS[load]
    out = run("fio", "--name=load", "--rw=randwrite", "--bs=4k", f"--size={SIZE}", f"--io_size={total}",
              f"--iodepth={depth}", f"--fsync={flush}", "--randseed=7", "--output-format=json", *target)
    job = json.loads(out[out.index("{"):])["jobs"][0]
    return 1e6 / job["write"]["iops"]


def one_round(peer, load, folder):
    """Microseconds a write: bare, first, again."""
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        made = peer(os.path.abspath(inner))
        try:
            with made.bare() as target:
                bare = fio(target, load)
            with made.snapshot() as target:
                return bare, fio(target, load), fio(target, load)
        finally:
            made.close()


def measure(peer, load, options):
    """The figures of a peer under a load."""
    rounds = [one_round(peer, load, options.folder) for _ in range(options.rounds)]
    bare, first, again = (statistics.median(column) for column in zip(*rounds))
    return {"part": "peers", "case": peer.name, "load": load, "bare_us": bare, "first_us": first, "again_us": again,
            "first_to_bare": statistics.median(row[0] / row[1] for row in rounds),
            "again_to_bare": statistics.median(row[0] / row[2] for row in rounds)}


def own_figures(options):
    """libselsnap under the same loads."""
    with tempfile.TemporaryDirectory(dir=options.folder) as inner:
        told = os.path.join(inner, "bench.json")
        run(options.bench, "--part", "loads", "--where", "direct", "--folder", options.folder, "--rounds",
            str(options.rounds), "--json", told, "--case",
            ",".join(sorted({f"={case}" for _, _, *both in OWN for case in both})))
        with open(told, encoding="utf-8") as file:
            cases = {figure["case"]: figure for figure in json.load(file)}
    for row, load, *both in OWN:
        first, again = (cases[case] for case in both)
        yield {"part": "peers", "case": row, "load": load,
               "bare_us": first["wall_ns"][0] / 1e3, "first_us": first["wall_ns"][2] / 1e3,
               "again_us": again["wall_ns"][2] / 1e3, "first_to_bare": first["to_bare"][1],
               "again_to_bare": again["to_bare"][1]}


def tell(figure):
    """One line of the table."""
    print(f"{figure['case']:<40} {figure['load']:<15} {figure['bare_us']:9.1f} {figure['first_us']:9.1f} "
          f"{figure['again_us']:9.1f} {figure['first_to_bare']:7.2f} {figure['again_to_bare']:7.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=".")
    parser.add_argument("--bench")
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if not shutil.which("fio"):
        print("peers: fio is missing", file=sys.stderr)
        return 1
    print(f"{'writes of 4 KiB, us':<40} {'load':<15} {'bare':>9} {'first':>9} {'again':>9} {'ratio':>7} {'again':>7}")
    figures = []
    if options.bench and options.only in "libselsnap":
        for figure in own_figures(options):
            figures.append(figure)
            tell(figure)
    for peer in (peer for peer in PEERS if options.only in peer.name):
        try:
            missing = [name for name in peer.programs if not shutil.which(name)]
            if missing:
                raise Missing(f"{', '.join(missing)} is missing")
            for load in LOADS:
                figures.append(measure(peer, load, options))
                tell(figures[-1])
        except (Missing, subprocess.CalledProcessError, OSError) as error:
            print(f"{peer.name}: left out: {getattr(error, 'stderr', None) or error}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
