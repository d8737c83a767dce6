/* SPDX-License-Identifier: Apache-2.0 */
/* See random.h. Windows. */
#define _CRT_RAND_S /* declares rand_s(), whose source is the system's */
#include "random.h"

#include <stdlib.h>
#include <string.h>

bool ssn_random(void *buf, size_t len) {
    unsigned char *to = buf;
    while (len > 0) {
        unsigned piece = 0;
        size_t part = len < sizeof piece ? len : sizeof piece;
        if (rand_s(&piece) != 0) {
            return false;
        }
        memcpy(to, &piece, part);
        to += part;
        len -= part;
    }
    return true;
}
