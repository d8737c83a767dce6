/* SPDX-License-Identifier: Apache-2.0 */
/* Results that a call may give, as sets. */
#ifndef SSN_FUZZ_CODES_H
#define SSN_FUZZ_CODES_H

#include "input.h"

#include <selsnap/selsnap.h>

#define CODE(name) (UINT64_C(1) << -(SELSNAP_##name))
/* Besides SELSNAP_OK. The devices here never fail, so SELSNAP_EIO is in none. */
#define CODES_READ (CODE(EDAMAGED) | CODE(ESTORE) | CODE(ENOMEM))
#define CODES_CHANGE (CODES_READ | CODE(ENOSPACE) | CODE(EABANDONED))

#define code_in(code, set) code_check((code), (set), __FILE__, __LINE__)

static inline int code_check(int code, uint64_t set, const char *file, int line) {
    if (code > 0 || code < -63 || (((set | 1) >> -code) & 1) == 0) {
        fprintf(stderr, "%s:%d: gives %s\n", file, line, selsnap_error_name(code));
        abort();
    }
    return code;
}

#endif
