/* SPDX-License-Identifier: Apache-2.0 */
/* See repair.h. What is lost, a line each, in bytes of the origin; neighbouring blocks are told as one range. */
#include "repair.h"

#include "designation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 800 };

void ssn_repair_say(struct ssn_repair *repair, const char *format, ...) {
    char line[LINE_BYTES];
    if (repair->options->report == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (repair->options->report(repair->options->report_user, line) != 0) {
        repair->unheard = true;
    }
}

void ssn_repair_who(struct ssn_repair *repair, uint64_t id, char *buf) {
    char name[SELSNAP_NAME_MAX + 1];
    if (ssn_repair_label(repair, id, name) == SELSNAP_OK && name[0] != '\0') {
        (void)snprintf(buf, SSN_REPAIR_WHO, "snapshot %" PRIu64 " \"%s\"", id, name);
    } else {
        (void)snprintf(buf, SSN_REPAIR_WHO, "snapshot %" PRIu64, id);
    }
}

static const char *words(enum ssn_loss loss) {
    switch (loss) {
    case SSN_LOSS_COPY:
        return "the preserved copy is damaged";
    case SSN_LOSS_INDEX:
        return "the index is damaged where it would tell what was preserved";
    case SSN_LOSS_LOG:
        return "what was preserved last is not known, since the newest changes are lost";
    case SSN_LOSS_RESTORE:
        return "it may have been in an unfinished restore, of which not enough is known";
    default:
        return "what was written into the snapshot is damaged";
    }
}

static void tell(struct ssn_repair *repair, size_t index) {
    struct ssn_telling *telling = &repair->telling[index];
    char who[SSN_REPAIR_WHO];
    if (telling->blocks > 0 && repair->options->report != NULL) {
        uint64_t end =
            ssn_min_u64((telling->first_block + telling->blocks) << repair->old.block_shift, repair->old.extent_bytes);
        ssn_repair_who(repair, repair->by_point[index]->id, who);
        ssn_repair_say(repair, "%s: bytes %" PRIu64 " to %" PRIu64 " are lost: %s", who,
                       telling->first_block << repair->old.block_shift, end - 1, words(telling->loss));
    }
    telling->blocks = 0;
}

void ssn_repair_tell_block(struct ssn_repair *repair, size_t index, uint64_t block, uint64_t blocks,
                           enum ssn_loss loss) {
    struct ssn_telling *telling = &repair->telling[index];
    if (telling->blocks == 0 || telling->loss != loss || telling->first_block + telling->blocks != block) {
        tell(repair, index);
        telling->first_block = block;
        telling->loss = loss;
    }
    telling->blocks += blocks;
}

void ssn_repair_tell_all(struct ssn_repair *repair) {
    for (size_t i = 0; repair->telling != NULL && i < repair->snap_count; i++) {
        tell(repair, i);
    }
}

static enum ssn_loss loss_of(struct ssn_repair *repair, uint64_t run, const struct ssn_source *before,
                             const struct ssn_source *now) {
    if (before->kind != SSN_ENTRY_NONE && before->epoch == now->epoch) {
        return SSN_LOSS_COPY;
    }
    struct ssn_key low = ssn_key_make(SSN_ITEM_ENTRY, run << 12, 0);
    struct ssn_key last = ssn_key_make(SSN_ITEM_ENTRY, run << 12 | 0xfff, UINT64_MAX);
    if (ssn_store_gap_meets(repair->old.store, &low, &last)) {
        return SSN_LOSS_INDEX;
    }
    return repair->cut ? SSN_LOSS_LOG : SSN_LOSS_RESTORE;
}

int ssn_repair_tell_run(struct ssn_repair *repair, uint64_t run) {
    struct ssn_source before[SSN_RUN_BLOCKS];
    struct ssn_source now[SSN_RUN_BLOCKS];
    unsigned count = ssn_repair_run_blocks(repair, run);
    int rc = SELSNAP_OK;
    for (size_t i = 0; rc == SELSNAP_OK && repair->options->report != NULL && i < repair->snap_count; i++) {
        const struct ssn_snap *snap = repair->by_point[i];
        struct ssn_runbits cover;
        rc = ssn_designation_cover(&repair->old, snap->group->id, snap->group->whole, run, 0, count, &cover);
        if (rc == SELSNAP_OK) {
            rc = ssn_resolve_at(&repair->fresh, run, 0, count, snap->record.point, UINT64_MAX, now);
        }
        if (rc == SELSNAP_OK) {
            rc = ssn_resolve_at(&repair->old, run, 0, count, snap->record.point, UINT64_MAX, before);
        }
        for (unsigned b = 0; rc == SELSNAP_OK && b < count; b++) {
            if (ssn_runbits_get(&cover, b) && ssn_entry_is_lost(now[b].kind) && !ssn_entry_is_lost(before[b].kind)) {
                ssn_repair_tell_block(repair, i, run * SSN_RUN_BLOCKS + b, 1,
                                      loss_of(repair, run, &before[b], &now[b]));
            }
        }
    }
    return rc;
}
