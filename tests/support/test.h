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

/* A libselsnap call that must succeed; prints the code's value otherwise. */
#define assert_ok(call) assert_int_equal((call), 0)

#endif
