/* SPDX-License-Identifier: Apache-2.0 */
/* The scripts. Small devices, so that many images can be tried. */
#include "script.h"

enum {
    GIVE_UP = SELSNAP_POLICY_GIVE_UP_BLOCK,
    FAIL = SELSNAP_POLICY_FAIL_WRITE,
    RECLAIM = SELSNAP_STEP_RECLAIM,
    RESTORING = SELSNAP_STEP_RESTORE,
    CHECKPOINT = SELSNAP_STEP_CHECKPOINT,
};

static const struct config small = {"small", 8 * 4096, 768 << 10, 65536, 4096, 512, 6, false, 0, false};

static const struct step first_writes[] = {
    CREATE(0, 0x3f, FAIL), WRITE(0, 8),  WRITE(9, 3), FLUSH, CREATE(1, 0xf0, FAIL),
    WRITE(32, 8),          WRITE(35, 1), FLUSH,       END,
};

const struct script scripts[] = {
    {"first-writes", &small, first_writes},
};
const size_t script_count = sizeof scripts / sizeof scripts[0];
