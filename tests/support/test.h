/* SPDX-License-Identifier: Apache-2.0 */
/* What cmocka needs before it, and cmocka. Tests include only this for it. */
#ifndef SSN_TEST_H
#define SSN_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

/* cmocka compares byte by byte, which took a third of some tests' time: it is asked only where there is a difference, to show it. */
#undef assert_memory_equal
#define assert_memory_equal(a, b, size)                                                                         \
    (memcmp((a), (b), (size)) == 0 ? (void)0 : _assert_memory_equal((a), (b), (size), __FILE__, __LINE__))

/* A libselsnap call that must succeed; prints the code's value otherwise. */
#define assert_ok(call) assert_int_equal((call), 0)

/*
 * 1, or SSN_TEST_SHARE: of what a test does over and over, one in so many is enough. Set where a tool makes the library
 * many times slower; a prime number, so that what varies with a loop's counter still varies.
 */
static inline unsigned test_share(void) {
    const char *share = getenv("SSN_TEST_SHARE");
    long count = share != NULL ? strtol(share, NULL, 10) : 1;
    return count > 1 && count < 1000 ? (unsigned)count : 1;
}

/* So many repetitions, of which a share is enough; the test needs some. */
static inline unsigned test_share_of(unsigned count, unsigned least) {
    unsigned share = count / test_share();
    return share > least ? share : least;
}

#endif
