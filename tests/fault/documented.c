/* SPDX-License-Identifier: Apache-2.0 */
#include "documented.h"

#include "child.h"

#include <stdio.h>
#include <stdlib.h>

static const char *told = "";

void documented_replay(const char *replay) {
    told = replay;
}

int documented(const char *function, const int *codes, size_t count, int code) {
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == code) {
            return code;
        }
    }
    fprintf(stderr, "%s() gave %s, which its docstring does not name\nreplay: %s\n", function, selsnap_error_name(code),
            told);
    child_exit(1);
}
