#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What Debian's cross packages lack: tests/cross/sysroot.sh TARGET DIR
#
# Builds static cmocka, zstd and jansson for TARGET from the sources of Debian's own packages, into DIR/root, beside
# xxHash's header, and writes DIR/cross.ini for meson; DIR/run PROGRAM... runs a program of TARGET's. Sources are kept in
# DIR/../sources. Packages of another architecture would need it to be added to dpkg, which the machine's own packages do
# not always outlive.
set -eu
target=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
root=$dir/root
sources=$dir/../sources
compile="-O1 -g0 -w -fPIC -I$root/include -D__USE_MINGW_ANSI_STDIO=1"

# cc: the compiler; ar: its archiver; runs: what runs a program, empty if this machine does; links: what its linker is told.
runs= system=linux links=
case $target in
s390x) cc=s390x-linux-gnu-gcc family=s390x endian=big runs="qemu-s390x -L /usr/s390x-linux-gnu" ;;
aarch64) cc=aarch64-linux-gnu-gcc family=aarch64 endian=little runs="qemu-aarch64 -L /usr/aarch64-linux-gnu" ;;
i686) cc=i686-linux-gnu-gcc family=x86 endian=little ;;
musl) cc=musl-gcc family=x86_64 endian=little ;;
windows) cc=x86_64-w64-mingw32-gcc-posix family=x86_64 endian=little runs=wine system=windows links="'-static'" ;;
*)
    echo "no such target: $target; there are s390x, aarch64, i686, musl and windows" >&2
    exit 2
    ;;
esac
ar=${cc%gcc*}ar
[ "$target" = musl ] && ar=ar

# The sources' archives, by a list of sources of its own: the system's may have none. apt checks their signatures.
fetch() {
    mkdir -p "$sources/apt/parts" "$sources/apt/lists/partial" "$sources/apt/cache/archives/partial"
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" 'Component: main' | head -1)
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "${uri:-http://deb.debian.org/debian}" "$codename" >"$sources/apt/parts/debian.sources"
    apt="apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$sources/apt/parts
        -o Dir::State::lists=$sources/apt/lists -o Dir::Cache=$sources/apt/cache -o APT::Sandbox::User=$(id -un)"
    $apt update
    (cd "$sources" && $apt source --download-only --only-source --tar-only cmocka libzstd jansson)
}

# unpack NAME FOLDER...: of the archive NAME_*, so that build/NAME holds its folders.
unpack() {
    mkdir -p "$dir/build/$1"
    tar -xf "$sources"/"$1"_*.orig.tar.* -C "$dir/build/$1" --strip-components=1
}

# archive NAME OPTIONS FILE...: compiles into root/lib/libNAME.a, two files at a time.
archive() {
    name=$1
    options=$2
    shift 2
    objects=$dir/build/$name.o
    rm -rf "$objects"
    mkdir -p "$objects"
    # shellcheck disable=SC2086
    (cd "$objects" && printf '%s\n' "$@" | xargs -P2 -n8 $cc $compile $options -c) || exit 1
    "$ar" rcs "$root/lib/lib$name.a" "$objects"/*.o
}

# describe NAME VERSION LIBS: what pkg-config tells.
describe() {
    printf 'Name: %s\nDescription: for %s\nVersion: %s\nCflags: -I%s/include\nLibs: -L%s/lib %s\n' \
        "$1" "$target" "$2" "$root" "$root" "$3" >"$root/lib/pkgconfig/$1.pc"
}

build_cmocka() {
    unpack cmocka
    source=$dir/build/cmocka
    : >"$root/config.h"
    for header in inttypes malloc signal strings stdint stdlib string time unistd; do
        echo "#define HAVE_$(echo $header | tr a-z A-Z)_H 1" >>"$root/config.h"
    done
    printf '#define %s 1\n' HAVE_GCC_THREAD_LOCAL_STORAGE uintptr_t_defined >>"$root/config.h"
    if [ "$system" = windows ]; then
        printf '#define %s 1\n' HAVE_SNPRINTF HAVE_VSNPRINTF >>"$root/config.h"
    else
        printf '#define %s 1\n' HAVE_SIGLONGJMP HAVE_STRSIGNAL HAVE_CLOCK_REALTIME HAVE_STRUCT_TIMESPEC >>"$root/config.h"
    fi
    [ "$endian" = little ] || echo '#define WORDS_SIZEOF_VOID_P_BIG 1' >>"$root/config.h"
    archive cmocka "-D_GNU_SOURCE -DHAVE_CONFIG_H -I$root -I$source/include" "$source/src/cmocka.c"
    cp "$source"/include/cmocka*.h "$root/include/"
    describe cmocka 1.1.5 -lcmocka
}

build_zstd() {
    unpack libzstd
    source=$dir/build/libzstd/lib
    archive zstd '-DZSTD_DISABLE_ASM -DZSTD_LEGACY_SUPPORT=0 -DXXH_NAMESPACE=ZSTD_' \
        "$source"/common/*.c "$source"/compress/*.c "$source"/decompress/*.c
    cp "$source"/zstd.h "$source"/zstd_errors.h "$root/include/"
    describe libzstd 1.5.4 -lzstd
}

build_jansson() {
    unpack jansson
    source=$dir/build/jansson
    cp "$source/android/jansson_config.h" "$source/src/jansson.h" "$root/include/"
    printf '#define JSON_HAVE_%s_BUILTINS 1\n' ATOMIC SYNC >>"$root/include/jansson_config.h"
    : >"$source/src/jansson_private_config.h"
    archive jansson '-DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_FCNTL_H -DHAVE_SYS_TYPES_H' "$source"/src/*.c
    describe jansson 2.14 -ljansson
}

take_headers() {
    cp /usr/include/xxhash.h "$root/include/"
    describe libxxhash 0.8.1 ''
    if [ "$target" = musl ]; then # musl-gcc looks into none of the system's folders
        ln -sfn /usr/include/linux "$root/include/linux"
        ln -sfn /usr/include/asm-generic "$root/include/asm-generic"
        ln -sfn /usr/include/x86_64-linux-gnu/asm "$root/include/asm"
    fi
}

# Wine's own folder, made before programs run side by side; the library's DLL is where the build puts it. Its server is
# looked for before each program: one that just ends lets the program fail without a word, and a new one starts services,
# which keep the output of who started them open: not the program's, whose reader would wait for ever.
make_wine() {
    cat >"$dir/run" <<END
#!/bin/sh
export WINEPREFIX='$dir/wine' WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' WINEPATH='Z:$dir/build/src'
wineserver --persistent </dev/null >/dev/null 2>&1
$runs cmd /c exit </dev/null >/dev/null 2>&1
exec $runs "\$@"
END
    chmod +x "$dir/run"
    "$dir/run" wineboot --init >/dev/null 2>&1
}

write_cross() {
    if [ "$system" = windows ]; then
        make_wine
    else
        printf '#!/bin/sh\nexec %s "$@"\n' "$runs" >"$dir/run"
        chmod +x "$dir/run"
    fi
    cat >"$dir/cross.ini" <<END
[binaries]
c = '$cc'
ar = '$ar'
strip = 'true'
pkgconfig = 'pkg-config'
${runs:+exe_wrapper = '$dir/run'}

[properties]
pkg_config_libdir = ['$root/lib/pkgconfig']
needs_exe_wrapper = $([ -n "$runs" ] && echo true || echo false)

[built-in options]
c_args = ['-idirafter', '$root/include']
c_link_args = [$links]

[host_machine]
system = '$system'
cpu_family = '$family'
cpu = '$family'
endian = '$endian'
END
}

if [ ! -f "$dir/cross.ini" ]; then
    rm -rf "$root" "$dir/build"
    mkdir -p "$root/include" "$root/lib/pkgconfig" "$sources"
    (
        flock 9 # targets may be made ready side by side
        ls "$sources"/cmocka_*.orig.tar.* "$sources"/libzstd_*.orig.tar.* "$sources"/jansson_*.orig.tar.* >/dev/null 2>&1 || fetch
    ) 9>"$sources/lock"
    take_headers
    build_cmocka
    build_zstd
    build_jansson
    write_cross # last: it tells that all is there
    rm -rf "$dir/build"
fi
