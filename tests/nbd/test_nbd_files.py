# SPDX-License-Identifier: Apache-2.0
"""File systems on the NBD server: snapshots under load, restores, a killed server. usage: see nbd_support.py

With /dev/fuse the file systems are mounted, through nbdfuse and a loop device; without it those tests are skipped.
"""
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time

from nbd_support import HANG, MIB, OK, NbdTest, Server, main



def can_mount():
    """Whether this machine lets us mount at all, with FUSE and loop devices."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for device in ("/dev/fuse", "/dev/loop-control"):
                os.close(os.open(device, os.O_RDWR))
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", folder], check=True)
        return True


def kernel_has(file_system):
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", file_system], check=False, stderr=subprocess.DEVNULL)
    with open("/proc/filesystems", encoding="ascii") as known:
        return file_system in known.read().split()



class Tree:
    """Keeps a tree of files busy. What it has made durable is noted; such a file is only ever removed whole."""

    def __init__(self, folder, random):
        self.folder = folder
        self.random = random
        self.durable = {}  # path below the folder: SHA-256
        self.stop = threading.Event()
        self.failed = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            number = 0
            while not self.stop.is_set():
                number += 1
                self.change(number)
        except OSError as error:  # the server may be killed
            self.failed = error

    def change(self, number):
        """Files come, grow, are renamed, linked, cut and removed; every fourth is made durable."""
        folder = os.path.join(self.folder, f"d{number % 7}")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"f{number % 90}")
        data = self.random.randbytes(self.random.randrange(1, 60000))
        with open(path + ".new", "wb") as file:
            file.write(data)
            if number % 5 == 0:
                file.truncate(len(data) // 2)
        os.replace(path + ".new", path)
        if number % 3 == 0:
            shutil.rmtree(os.path.join(self.folder, f"d{(number + 3) % 7}"), ignore_errors=True)
        if number % 6 == 0:
            os.link(path, os.path.join(folder, f"l{number}"))
        if number % 4 == 0:
            name = f"keep{number}"
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            parent = os.open(self.folder, os.O_RDONLY)
            os.fsync(parent)
            os.close(parent)
            self.durable = {**self.durable, name: hashlib.sha256(data).hexdigest()}

    def wait_for(self, count, box):
        """Until so many files more are durable."""
        wanted = len(self.durable) + count
        deadline = time.monotonic() + HANG
        while len(self.durable) < wanted and self.failed is None:
            box.assertLess(time.monotonic(), deadline, "the load stands still")
            time.sleep(0.01)
        box.assertIsNone(self.failed)

    def end(self):
        self.stop.set()
        self.thread.join()


class FileTest(NbdTest):
    origin_size = 96 * MIB
    store_size = "256M"

    def make_origin(self):
        with open(self.origin, "wb") as file:
            file.truncate(self.origin_size)

    def fuse(self, server, export, *, writable):
        """An export as a file."""
        folder = os.path.join(self.dir, f"fuse-{len(os.listdir(self.dir))}")
        os.mkdir(folder)
        path = os.path.join(folder, "disk")
        process = subprocess.Popen(["nbdfuse", *([] if writable else ["-r"]), path, server.uri(export)],
                                   stdin=subprocess.DEVNULL)

        def end():
            subprocess.run(["fusermount3", "-u", "-z", folder], check=False, stderr=subprocess.DEVNULL)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(HANG)
        self.addCleanup(end)
        deadline = time.monotonic() + HANG
        while not os.path.exists(path):
            self.assertIsNone(process.poll(), "nbdfuse ended")
            self.assertLess(time.monotonic(), deadline, "nbdfuse does not begin")
            time.sleep(0.01)
        return path, end

    def mount(self, disk, *options):
        folder = os.path.join(self.dir, f"mount-{len(os.listdir(self.dir))}")
        os.mkdir(folder)
        self.run_program("mount", "-o", ",".join(["loop", *options]), disk, folder)

        def end(lazy=False):
            subprocess.run(["umount", *(["-l"] if lazy else []), folder], check=False, stderr=subprocess.DEVNULL)
        self.addCleanup(end, True)
        return folder, end

    def judge(self, folder, durable, told):
        for name, digest in durable.items():
            with open(os.path.join(folder, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest, f"{told}: {name}")

    def digest(self, server, export):
        """Of an export's whole content."""
        with subprocess.Popen(["nbdcopy", server.uri(export), "-"], stdout=subprocess.PIPE) as process:
            digest = hashlib.sha256()
            while data := process.stdout.read(MIB):
                digest.update(data)
        self.assertEqual(process.returncode, OK)
        return digest.hexdigest()


class Copied(FileTest):
    """Without mounting."""

    origin_size = 24 * MIB
    store_size = "48M"

    def test_ext4__copied_to_the_server_and_changed__snapshot_is_sound(self):
        server = Server(self)
        for number, name in enumerate(("one", "two")):
            source = os.path.join(self.dir, "source")
            os.makedirs(source, exist_ok=True)
            for each in range(40):
                with open(os.path.join(source, f"{name}{each}"), "wb") as file:
                    file.write(self.random.randbytes(50000))
            image = os.path.join(self.dir, f"{name}.img")
            with open(image, "wb") as file:
                file.truncate(self.origin_size)
            self.run_program("mkfs.ext4", "-q", "-F", "-b", 4096, "-d", source, image)
            self.run_program("nbdcopy", image, server.uri())
            self.cmd("create", name)
            self.assertEqual(number + 1, len(self.cmd("list", "--json").json["snapshots"]))
        for name in ("one", "two"):
            self.run_program("nbdcopy", server.uri(name), "out.img")
            self.assertEqual(self.get("out.img"), self.get(f"{name}.img"))
            self.run_program("e2fsck", "-fn", "out.img")
        self.cmd("restore", "one")
        self.run_program("nbdcopy", server.uri(), "out.img")
        self.assertEqual(self.get("out.img"), self.get("one.img"))
        server.stop()


class Mounted(FileTest):
    def setUp(self):
        if not can_mount():
            self.skipTest("nothing can be mounted: that takes root, /dev/fuse and loop devices")
        if not kernel_has(self.file_system):
            self.skipTest(f"the kernel has no {self.file_system}")
        super().setUp()

    def make_file_system(self, disk):
        self.run_program("mkfs.ext4", "-q", "-F", "-b", 4096, "-E", "lazy_itable_init=0,lazy_journal_init=0", disk)

    def check_file_system(self, disk):
        """Replays the journal, and then finds nothing."""
        self.run_program("e2fsck", "-E", "journal_only", "-p", disk)
        self.run_program("e2fsck", "-fn", disk)

    def check_snapshot(self, server, name, durable):
        """The journal is replayed into the snapshot; how it was taken does not change."""
        taken = self.digest(server, f"{name}@pristine")
        disk, end_disk = self.fuse(server, name, writable=True)
        self.check_file_system(disk)
        folder, end_mount = self.mount(disk, "ro", *self.mount_options)
        self.judge(folder, durable, name)
        end_mount()
        end_disk()
        self.assertEqual(self.digest(server, f"{name}@pristine"), taken)
        self.assertNotEqual(self.digest(server, name), taken)

    file_system = "ext4"
    mount_options = ()

    def start(self):
        server = Server(self, nbdkit=("-t", "8"))
        disk, _ = self.fuse(server, "", writable=True)
        self.make_file_system(disk)
        folder, end = self.mount(disk)
        return server, folder, end

    def test_snapshots__under_load__replayed_and_sound(self):
        server, folder, end = self.start()
        tree = Tree(folder, self.random)
        noted = {}
        try:
            for number in range(3):
                tree.wait_for(8, self)
                name = f"s{number}"
                noted[name] = dict(tree.durable)
                self.cmd("create", name)
            # One of them is checked while the load goes on.
            self.check_snapshot(server, "s0", noted["s0"])
            self.cmd("reset", "s0")
            self.assertEqual(self.digest(server, "s0"), self.digest(server, "s0@pristine"))
            tree.wait_for(4, self)
        finally:
            tree.end()
        self.assertIsNone(tree.failed)
        for name in ("s1", "s2"):
            self.check_snapshot(server, name, noted[name])
        end()
        # Back to a snapshot, while another one is mounted.
        disk, end_disk = self.fuse(server, "s2", writable=True)
        other, end_other = self.mount(disk, *self.mount_options)
        self.cmd("restore", "s1")
        self.judge(other, noted["s2"], "s2 after the restore")
        end_other()
        end_disk()
        self.assertEqual(self.digest(server, ""), self.digest(server, "s1@pristine"))
        disk, _ = self.fuse(server, "", writable=True)
        self.check_file_system(disk)
        folder, end = self.mount(disk)
        self.judge(folder, noted["s1"], "restored")
        # One that was being made at that instant may be there.
        self.assertFalse(set(noted["s2"]) - set(noted["s1"]) <= set(os.listdir(folder)))
        end()
        self.cmd("check")

    def test_server__killed_under_load__journal_replays_and_snapshot_is_whole(self):
        server, folder, end = self.start()
        tree = Tree(folder, self.random)
        try:
            tree.wait_for(8, self)
            noted = dict(tree.durable)
            self.cmd("create", "one")
            taken = self.digest(server, "one@pristine")
            tree.wait_for(8, self)
            server.kill()
        finally:
            tree.end()
        durable = dict(tree.durable)
        end(lazy=True)
        again = Server(self, name="again")
        self.assertEqual(self.digest(again, "one@pristine"), taken)
        disk, _ = self.fuse(again, "", writable=True)
        self.check_file_system(disk)
        folder, end = self.mount(disk)
        self.judge(folder, durable, "after the kill")
        end()
        self.check_snapshot(again, "one", noted)
        self.cmd("check")
        again.stop()


class MountedXfs(Mounted):
    origin_size = 304 * MIB
    store_size = "512M"
    file_system = "xfs"
    mount_options = ("nouuid",)

    def make_file_system(self, disk):
        self.run_program("mkfs.xfs", "-q", "-f", disk)

    def check_file_system(self, disk):
        """To replay its journal it is mounted."""
        _, end = self.mount(disk, "nouuid")
        end()
        self.run_program("xfs_repair", "-n", "-f", disk)


if __name__ == "__main__":
    main(__name__)
