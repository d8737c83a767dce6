# SPDX-License-Identifier: Apache-2.0
"""What cffi is told of the library, read from the public headers: nothing is typed again.

Comments, preprocessor lines and marks for the C compiler are taken out; integer constants stay as `#define X ...`, whose
values the C compiler fills in; arrays whose size is an expression become `[...]`. What is left must be plain declarations.
"""

from __future__ import annotations

import os
import re

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<(selsnap/\w+\.h)>", re.M)
INTEGER = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(SELSNAP_\w+)[ \t]+\(?-?(?:0x[0-9a-fA-F]+|[0-9]+)u?\)?[ \t]*$", re.M)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", re.M)
EXTERN_C = re.compile(r'extern[ \t]+"C"[ \t]*\{')
EXPRESSION_SIZE = re.compile(r"\[[^\]]*[A-Za-z+*][^\]]*\]")

# The functions in Python that the library calls back. Their types are those of the headers, and the compiler holds them to it.
CALLBACKS = """
extern "Python" int ssp_progress(void *user, uint64_t done, uint64_t total);
extern "Python" int ssp_line(void *user, const char *line);
extern "Python" int ssp_verdict(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons);
extern "Python" void ssp_event(void *user, const selsnap_event *event);
extern "Python" void ssp_log(void *user, uint32_t level, const char *message);
extern "Python" int ssp_before(void *user, uint64_t timeout_ns);
extern "Python" void ssp_after(void *user, int result);
extern "Python" int ssp_stream_write(void *user, const void *buf, size_t len);
extern "Python" int64_t ssp_stream_read(void *user, void *buf, size_t len);
extern "Python" int ssp_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
extern "Python" int ssp_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
extern "Python" int ssp_flush(void *user);
extern "Python" int ssp_discard(void *user, uint64_t offset, uint64_t len);
extern "Python" int ssp_write_zeroes(void *user, uint64_t offset, uint64_t len);
extern "Python" int ssp_identity(void *user, uint8_t *ret_identity);
extern "Python" int ssp_change_mark(void *user, uint64_t *ret_mark);
extern "Python" int ssp_lock(void *user, int exclusive);
extern "Python" void ssp_unlock(void *user);
extern "Python" void ssp_close(void *user);
extern "Python" void ssp_batch(void *user, selsnap_io *const *ios, uint32_t count);
extern "Python" int ssp_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes);
"""


class NotUnderstood(Exception):
    """A header holds what this reader does not know."""


def _find(name: str, folders: list[str]) -> str:
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
    raise NotUnderstood(f"<{name}> is in none of: {', '.join(folders)}")


def headers(folders: list[str]) -> dict[str, str]:
    """The text of each public header, what it includes first, found in these folders as a compiler does."""
    found: dict[str, str] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun:
            return
        begun.add(name)
        text = _find(name, folders)
        parts = INCLUDE.findall(COMMENT.sub(" ", text))
        # What selsnap.h includes at its end needs what it declares before.
        before = [part for part in parts if part in ("selsnap/version.h", "selsnap/error.h", "selsnap/device.h")]
        for part in before:
            visit(part)
        found[name] = text
        for part in parts:
            visit(part)

    visit("selsnap/selsnap.h")
    return found


def declarations(text: str) -> str:
    """One header's declarations, as cffi takes them."""
    plain = COMMENT.sub(" ", text)
    constants = INTEGER.findall(plain)
    opened = bool(EXTERN_C.search(plain))
    plain = re.sub(r"#[ \t]*ifdef __cplusplus.*?#[ \t]*endif", "", plain, flags=re.S) if opened else plain
    plain = DIRECTIVE.sub("", plain)
    plain = re.sub(r"\bSELSNAP_(API|MUST_CHECK)\b", "", plain)
    plain = EXPRESSION_SIZE.sub("[...]", plain)
    left = re.findall(r"\bSELSNAP_\w+|__\w+|\binline\b", plain)
    if left:
        raise NotUnderstood(f"left in a declaration: {', '.join(sorted(set(left)))}")
    lines = [line.rstrip() for line in plain.splitlines() if line.strip()]
    return "\n".join([*(f"#define {name} ..." for name in constants), *lines]) + "\n"


def text(folders: list[str]) -> str:
    """All that cffi is told of the library."""
    return "".join(declarations(header) for header in headers(folders).values()) + CALLBACKS


def select_text(folders: list[str]) -> str:
    """What it is told of libselsnap-select beside that."""
    return declarations(_find("selsnap/select.h", folders))
