/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts beside those of tests/crash: what faults need is to meet reads, so these open the store again and again. */
#include "fault_scripts.h"

#include <string.h>

enum {
    GIVE_UP = SELSNAP_POLICY_GIVE_UP_BLOCK,
    FAIL = SELSNAP_POLICY_FAIL_WRITE,
    RECLAIM = SELSNAP_STEP_RECLAIM,
    RESTORING = SELSNAP_STEP_RESTORE,
    CHECKPOINT = SELSNAP_STEP_CHECKPOINT,
};

static const struct config small = {"small", 8 * 4096, 768 << 10, 65536, 4096, 512, 6, false, 0, false, 0};

static const struct step cold_writes[] = {
    CREATE(0, 0x3f, FAIL),
    WRITE(0, 8),
    WORK(0, 100),
    CREATE(1, 0xf0, GIVE_UP),
    WRITE(32, 16),
    REOPEN,
    WRITE(9, 3),
    WRITE(16, 24),
    REOPEN,
    ZEROES(0, 20),
    FLUSH,
    REOPEN,
    DISCARD(40, 24),
    END,
};

static const struct step cold_admin[] = {
    SAVE(0, 0x0f),
    CREATE_SAVED(0, 0, FAIL),
    CREATE(1, 0xff, FAIL),
    WRITE(0, 12),
    WORK(0, 100),
    REOPEN,
    RENAME(0),
    REOPEN,
    HOLD(0),
    REOPEN,
    RELEASE(0),
    REOPEN,
    SAVE(1, 0x33),
    REOPEN,
    UNNAME(0),
    REOPEN,
    CREATE_SAVED(2, 1, FAIL),
    REOPEN,
    DELETE(0),
    REOPEN,
    DELETE(1),
    REOPEN,
    WORK(0, 3),
    WORK(0, 100),
    WORK(0, 100),
    END,
};

static const struct step cold_keeping[] = {
    CREATE(0, 0x0f, FAIL),
    CREATE(1, 0xff, FAIL),
    WRITE(0, 12),
    REOPEN,
    HOLD(0),
    LOCK(0),
    REOPEN,
    LOCK(0),
    EXPIRY(0, 5),
    REOPEN,
    EXPIRE(0),
    HOLD(1),
    REOPEN,
    RELEASE(1),
    QUOTA(1, 3),
    STORE_QUOTA(40),
    REOPEN,
    QUOTA(1, 0),
    STORE_QUOTA(0),
    EXPIRY(0, 0),
    EXPIRY(1, 7),
    REOPEN,
    EXPIRE(1),
    REOPEN,
    WORK(0, 100),
    END,
};

static const struct step cold_views[] = {
    CREATE(0, 0xff, FAIL),
    WRITE(0, 16),
    VIEW_WRITE(0, 3, 6),
    VIEW_FLUSH(0),
    VIEW_CLOSE(0),
    WORK(0, 100),
    REOPEN,
    VIEW_WRITE(0, 1, 2),
    VIEW_WRITE(0, 16, 16),
    VIEW_FLUSH(0),
    VIEW_WRITE(0, 17, 8),
    VIEW_DISCARD(0, 24, 8),
    VIEW_CLOSE(0),
    WORK(0, 100),
    REOPEN,
    VIEW_WRITE(0, 40, 1),
    VIEW_RESET(0),
    VIEW_WRITE(0, 40, 2),
    VIEW_CLOSE(0),
    WORK(0, 100),
    REOPEN,
    VIEW_RESET(0),
    WRITE(40, 8),
    VIEW_CLOSE(0),
    WORK(0, 100),
    END,
};

static const struct step cold_restores[] = {
    CREATE(0, 0x0f, FAIL),
    WRITE(0, 32),
    CREATE(1, 0xff, FAIL),
    WRITE(3, 20),
    WORK(0, 100),
    REOPEN,
    RESTORE(0, 0xff),
    WRITE(1, 2),
    FLUSH,
    WORK(RESTORING, 1),
    WRITE(17, 3),
    REOPEN,
    WORK(RESTORING, 100),
    WORK(RESTORING, 100),
    FLUSH,
    RESTORE(1, 0x3c),
    CREATE(2, 0xff, FAIL),
    WORK(0, 2),
    REOPEN,
    WORK(0, 100),
    DELETE(0),
    WORK(0, 100),
    END,
};

/* Diffs are read after each step that is judged. */
static const struct step cold_marks[] = {
    MARK(0, 0x0f), WRITE(0, 8),   REOPEN,       CREATE(1, 0xff, FAIL),
    WRITE(4, 12),  REOPEN,        BOOKMARK(1),  WRITE(20, 8),
    REOPEN,        MARK(2, 0xf0), WRITE(30, 6), DELETE(0),
    REOPEN,        WORK(0, 100),  WORK(0, 100), DELETE(1),
    WORK(0, 100),  END,
};

static const struct step cold_clones[] = {
    CREATE(0, 0x0f, FAIL),
    WRITE(0, 8),
    VIEW_WRITE(0, 0, 12),
    VIEW_CLOSE(0),
    REOPEN,
    CLONE(0, 1, 0),
    CLONE(0, 2, 1),
    REOPEN,
    VIEW_WRITE(0, 2, 8),
    VIEW_WRITE(2, 8, 8),
    WRITE(4, 8),
    VIEW_CLOSE(2),
    VIEW_CLOSE(0),
    REOPEN,
    CLONE(2, 3, 1),
    DELETE(0),
    REOPEN,
    WORK(RECLAIM, 1),
    VIEW_RESET(2),
    DELETE(1),
    VIEW_CLOSE(2),
    REOPEN,
    VIEW_DISCARD(3, 0, 8),
    DELETE(2),
    VIEW_CLOSE(3),
    REOPEN,
    BOOKMARK(3),
    WORK(0, 1000),
    DELETE(3),
    WORK(0, 1000),
    END,
};

static const struct step cold_groups[] = {
    GROUP(0, 0x0f, FAIL),
    WRITE(0, 8),
    REOPEN,
    GROUP(1, 0xff, GIVE_UP),
    WRITE(4, 12),
    RENAME(0),
    REOPEN,
    DELETE(0),
    REOPEN,
    GROUP(2, 0x3c, FAIL),
    WRITE(20, 8),
    DELETE(1),
    WORK(0, 100),
    END,
};

static const struct script own_scripts[] = {
    {.name = "cold-writes", .config = &small, .steps = cold_writes},
    {.name = "cold-admin", .config = &small, .steps = cold_admin},
    {.name = "cold-keeping", .config = &small, .steps = cold_keeping},
    {.name = "cold-views", .config = &small, .steps = cold_views},
    {.name = "cold-restores", .config = &small, .steps = cold_restores},
    {.name = "cold-marks", .config = &small, .steps = cold_marks},
    {.name = "cold-clones", .config = &small, .steps = cold_clones},
    {.name = "cold-groups", .config = &small, .steps = cold_groups},
};

const struct script *fault_script(size_t index) {
    size_t own = sizeof own_scripts / sizeof own_scripts[0];
    return index < script_count         ? &scripts[index]
           : index - script_count < own ? &own_scripts[index - script_count]
                                        : NULL;
}

const struct script *fault_script_find(const char *name) {
    const struct script *script = NULL;
    for (size_t i = 0; (script = fault_script(i)) != NULL && strcmp(script->name, name) != 0; i++) {
    }
    return script;
}
