#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From a bare Debian 12 to a file system brought back from the dead, in one command: installs what is missing, builds
# the library and the tool, and then does on an ext4 image with real files what the library is for. Every claim that is
# printed is checked; the first one that does not hold ends the script with an error.
#
#   examples/quickstart.sh
#
# Needs root or sudo only if packages are missing. Writes to build-quickstart/ and to a directory of its own in
# ${TMPDIR:-/tmp}, about 1.3 GB, which it removes.
set -euo pipefail
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-quickstart
packages=(gcc libc6-dev meson ninja-build pkg-config python3 libxxhash-dev libzstd-dev libjansson-dev e2fsprogs)

step_number=0
step() {
    step_number=$((step_number + 1))
    printf '\n== %d. %s\n' "$step_number" "$*"
}
say() {
    printf '   %s\n' "$*"
}
die() {
    printf 'quickstart: FAILED: %s\n' "$*" >&2
    exit 1
}
# Whatever ends the script early is a failure, and says where.
trap 'die "line $LINENO: $BASH_COMMAND"' ERR

install_packages() {
    local missing=() sudo=()
    for package in "${packages[@]}"; do
        # Any program that does the work will do: a machine may have its own.
        if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed'; then
            missing+=("$package")
        fi
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "all packages are there"
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo)
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log install=(apt-get install -y --no-install-recommends "${missing[@]}")
    log=$(mktemp)
    # The second try is for package lists that are missing or old.
    if ! "${sudo[@]}" "${install[@]}" >"$log" 2>&1; then
        if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" "${install[@]}"; } >"$log" 2>&1; then
            cat "$log"
            die "the packages cannot be installed"
        fi
    fi
    rm -f "$log"
}

build_tool() {
    if [ ! -f "$build/build.ninja" ]; then
        meson setup "$build" "$root" --buildtype=release -Dtests=false -Ddocs=false >"$build.log" 2>&1 ||
            { cat "$build.log"; die "meson setup"; }
        mv "$build.log" "$build/quickstart.log"
    fi
    ninja -C "$build" >"$build/quickstart.log" 2>&1 || { cat "$build/quickstart.log"; die "ninja"; }
    selsnap=$(find "$build/examples" -maxdepth 1 -name selsnap -type f -perm -u+x)
    say "$("$selsnap" version)"
}

# Copies real files of this machine to $1, about $2 MiB of them.
collect_files() {
    /usr/bin/python3 - "$1" "$2" <<'PYTHON'
import os, shutil, sys
target, budget = sys.argv[1], int(sys.argv[2]) << 20
count = total = 0
# Each place gives its share, so that small texts are among the files as well as large binaries.
places = ["/usr/share/doc", "/usr/share/perl", "/usr/include", "/usr/lib/python3", "/usr/bin", "/usr/lib"]
for number, place in enumerate(places):
    limit = total + (budget - total) // (len(places) - number)
    for directory, names, files in os.walk(place):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
                continue
            if os.path.exists(target + path):
                continue
            size = -(-os.path.getsize(path) // 4096) * 4096
            if size > 24 << 20 or total + size > limit:
                continue
            copy = target + path
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(path, copy)
            count, total = count + 1, total + size
print(f"   {count} files, {total >> 20} MiB")
PYTHON
}

# The --range options for the file system's first 8 MiB and for all blocks of the files below /usr/include on image $1.
part_ranges() {
    /usr/bin/python3 - "$1" "$2" <<'PYTHON'
import os, re, subprocess, sys
image, tree = sys.argv[1:]
paths = [os.path.join(d, f)[len(tree):] for d, _, files in os.walk(tree + "/usr/include") for f in files]
script = "".join(f'blocks "{path}"\n' for path in paths)
listing = subprocess.run(["debugfs", "-f", "-", image], input=script, capture_output=True, text=True, check=True).stdout
blocks = set(range(2048))
for line in listing.splitlines():
    if re.fullmatch(r"[0-9 ]+", line):
        blocks.update(number for number in map(int, line.split()) if number)
first = last = None
for block in sorted(blocks) + [None]:
    if first is not None and block != last + 1:
        print(f"--range\n{first * 4096}:{(last + 1 - first) * 4096}")
        first = None
    first, last = (block if first is None else first), block
PYTHON
}

# Writes junk to $2 blocks of file $1 at random, below byte $3.
scribble() {
    /usr/bin/python3 - "$1" "$2" "$3" <<'PYTHON'
import random, sys
path, count, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(1)
with open(path, "r+b") as file:
    for block in rng.sample(range(limit // 4096), count):
        file.seek(block * 4096)
        file.write(rng.randbytes(4096))
PYTHON
}

# Compares stdin with file $1 where the ranges on the rest of the command line (OFF:LEN, rising) say.
compare_ranges() {
    /usr/bin/python3 -c '
import sys
total = at = 0
with open(sys.argv[1], "rb") as wanted:
    for word in sys.argv[2:]:
        offset, left = map(int, word.split(":"))
        wanted.seek(offset)
        total += left
        while at < offset:
            at += len(sys.stdin.buffer.read(min(offset - at, 1 << 20)))
        at += left
        while left > 0:
            size = min(left, 1 << 20)
            if sys.stdin.buffer.read(size) != wanted.read(size):
                sys.exit("the content differs in " + word)
            left -= size
while sys.stdin.buffer.read(1 << 20):
    pass
print("   %d blocks of it, each as it was" % (total // 4096))
' "$@"
}

# What snapshot 'part' reads as, without what was written into it.
part_sum() {
    "$selsnap" read part --undesignated zeros --pristine | sha256sum
}
most_is_original() {
    "$selsnap" read most --length "$fs_bytes" | cmp -n "$fs_bytes" - original.img || die "snapshot 'most' differs"
}

# $2 bytes that repeat the text $1.
text() {
    head -c "$2" < <(yes "$1")
}

same() {
    cmp "$@" || die "$1 and $2 differ"
}

step "Packages"
install_packages

step "Build"
build_tool

work=$(mktemp -d "${TMPDIR:-/tmp}/selsnap-quickstart.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
started=$(date +%s%N)

# The file system has 256 MiB; the 16 MiB behind it are the scratch region.
fs_bytes=$((256 << 20))
scratch_bytes=$((16 << 20))
device_bytes=$((fs_bytes + scratch_bytes))

step "A device: an ext4 image with real files, and a scratch region behind the file system"
mkdir tree
collect_files "$work/tree" 200
truncate -s "$device_bytes" device.img
mkfs.ext4 -q -F -b 4096 -m 0 -d tree device.img "$((fs_bytes / 4096))"
head -c "$scratch_bytes" /dev/urandom | dd of=device.img bs=1M seek="$((fs_bytes >> 20))" conv=notrunc status=none
e2fsck -fn device.img >/dev/null 2>&1 || die "the new file system is not clean"
cp --reflink=auto device.img original.img
say "original.img keeps a copy, as the proof for what follows; the tool does not know of it"

export SELSNAP_STORE=$work/store.sel
step "A store for it, and two snapshots: of a part, and of all but the scratch region"
"$selsnap" format -o device.img --size 640M
mapfile -t part_options < <(part_ranges device.img "$work/tree")
"$selsnap" subset save part "${part_options[@]}"
"$selsnap" create part --subset part --property "holds=superblock, inodes, and the files of /usr/include"
"$selsnap" create most --whole --minus "$fs_bytes:$scratch_bytes"

step "Change many files: debugfs works on a copy, and what differs is written through the tool"
cp --reflink=auto device.img changed.img
find tree -type f -name '*.h' | sed 's/^tree//' | sort | awk 'NR % 3 == 0 { print "rm \"" $0 "\"" }' >script
find tree -type f -size +256k | sed 's/^tree//' | sort | awk 'NR % 4 == 0 { print "rm \"" $0 "\"" }' >>script
{
    printf 'mkdir /new\n'
    find tree -type f -size -512k | sort | awk 'NR % 15 == 0 { printf "write \"%s\" /new/file%d\n", $0, NR }'
} >>script
debugfs -w -f script changed.img >/dev/null 2>&1
say "$(grep -c ^rm script) files removed, $(grep -c ^write script) written"
"$selsnap" apply changed.img
e2fsck -fn device.img >/dev/null 2>&1 || die "the changed file system is not clean"
same device.img changed.img
say "the live device holds the changed file system"

step "Overwrite blocks at random, and fill the scratch region"
scribble changed.img 2000 "$fs_bytes"
text 'scratch data' "$scratch_bytes" |
    dd of=changed.img bs=1M seek="$((fs_bytes >> 20))" conv=notrunc iflag=fullblock status=none
"$selsnap" apply changed.img
same device.img changed.img
dd if=device.img of=scratch.img bs=1M skip="$((fs_bytes >> 20))" status=none

step "Read the old content from the snapshots"
most_is_original
say "snapshot 'most' is the original, byte for byte"
say "snapshot 'part' too:"
mapfile -t part_words < <(printf '%s\n' "${part_options[@]}" | grep -v -- --range)
"$selsnap" read part --undesignated zeros | compare_ranges original.img "${part_words[@]}"
part_before=$(part_sum)
if "$selsnap" read part --offset "$fs_bytes" --length 4K >/dev/null 2>error; then
    die "a block that 'part' does not designate was read"
fi
say "and of other blocks it says: $(sed -n 1p error)"
"$selsnap" map

step "Write into a snapshot: neither the device nor the other snapshot changes"
text 'written into the snapshot' 100000 >note
"$selsnap" write part --offset 1M --input note
"$selsnap" read part --offset 1M --length 100000 --output back
same back note
[ "$(part_sum)" = "$part_before" ] || die "the old content of 'part' changed"
same device.img changed.img
most_is_original
say "the device, 'most', and 'part' as it was taken: all unchanged"

step "Destroy the file system"
"$selsnap" zero --live --offset 0 --length 4M
for at in 32 64 128 160 224; do
    "$selsnap" zero --live --offset "${at}M" --length 2M
done
if e2fsck -fn device.img >/dev/null 2>&1; then
    die "the file system survived"
fi
say "e2fsck finds no file system any more"

step "Restore it"
"$selsnap" restore most
e2fsck -fn device.img >fsck.log 2>&1 || { cat fsck.log; die "the restored file system is not clean"; }
say "e2fsck: $(tail -n 1 fsck.log)"
same -n "$fs_bytes" device.img original.img
mkdir out
debugfs -R "rdump / out" device.img >/dev/null 2>&1
rmdir out/lost+found
diff -r --no-dereference tree out || die "the restored files differ"
say "all $(find out -type f | wc -l) files are as they were"
dd if=device.img of=scratch.now bs=1M skip="$((fs_bytes >> 20))" status=none
same scratch.now scratch.img
say "the scratch region was not touched by the restore"
[ "$(part_sum)" = "$part_before" ] || die "the old content of 'part' changed"
say "and 'part' still has its own old content"

step "Look at the store"
"$selsnap" check
for name in part most; do
    "$selsnap" show "$name" --json | /usr/bin/python3 -c '
import json, sys
shown = json.load(sys.stdin)
usage = shown["usage"]
print("   %s: %d of %d blocks preserved, %d of them zeros; %d KiB alone, %d KiB shared; %d blocks written into it" % (
    shown["name"], usage["preserved_blocks"], shown["block_count"], usage["zero_blocks"],
    usage["alone_bytes"] >> 10, usage["shared_bytes"] >> 10, usage["overlay_blocks"]))'
done
"$selsnap" info --json | /usr/bin/python3 -c '
import json, sys
info = json.load(sys.stdin)
print("   store: %d MiB of %d MiB in use" % (info["store_used_bytes"] >> 20, info["store_bytes"] >> 20))'
"$selsnap" delete part
"$selsnap" delete most
"$selsnap" step --all
"$selsnap" check

printf '\nquickstart: all of it held, in %d seconds after the build\n' "$((($(date +%s%N) - started) / 1000000000))"
