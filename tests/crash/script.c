/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct script *script_find(const char *name) {
    for (size_t i = 0; i < script_count; i++) {
        if (strcmp(scripts[i].name, name) == 0) {
            return &scripts[i];
        }
    }
    return NULL;
}

static uint64_t clip(const struct model *m, uint64_t offset, uint64_t len) {
    return offset + len > m->size ? m->size - offset : len;
}

static void unmask(const struct model *m, uint64_t mask, uint8_t *in) {
    for (uint64_t block = 0; block < m->blocks; block++) {
        in[block] = block < 64 && ((mask >> block) & 1) != 0 ? 1 : 0;
    }
}

static void write_pattern(struct model *m, uint64_t offset, uint64_t len) {
    uint8_t *buf = malloc(len);
    if (buf == NULL) {
        abort();
    }
    pattern_fill(buf, len, offset, 7, m->sequence);
    model_do_write(m, buf, len, offset, false);
    free(buf);
}

static void overwrite(struct model *m, uint64_t mask, uint64_t times) {
    for (uint64_t round = 0; round < times; round++) {
        for (uint64_t block = 0; block < m->blocks && !m->wire.off; block++) {
            if (((mask >> block) & 1) != 0) {
                m->sequence++;
                write_pattern(m, block * m->block_bytes, model_block_len(m, block));
            }
        }
    }
}

static void write_batch(struct model *m, uint64_t mask, bool durable) {
    struct m_request requests[MODEL_BATCH];
    unsigned count = 0;
    for (uint64_t block = 0; block < m->blocks && count < MODEL_BATCH; block++) {
        if (((mask >> block) & 1) != 0) {
            uint64_t offset = block * m->block_bytes;
            size_t len = model_block_len(m, block);
            requests[count] = (struct m_request){SELSNAP_IO_WRITE, offset, len, malloc(len)};
            if (requests[count].bytes == NULL) {
                abort();
            }
            pattern_fill(requests[count++].bytes, len, offset, 7, m->sequence);
        }
    }
    model_do_batch(m, requests, count, durable);
    for (unsigned i = 0; i < count; i++) {
        free(requests[i].bytes);
    }
}

static void create(struct model *m, const struct step *step) {
    struct m_create how = {.slot = step->slot, .name = MODEL_NAMES, .policy = (uint32_t)step->b};
    uint8_t *in = m->snapshots[step->slot].in;
    how.bookmark = step->kind == STEP_MARK;
    how.group = step->kind == STEP_GROUP;
    if (m->snapshots[step->slot].live || (step->kind == STEP_CREATE_SAVED && !m->names[step->a].live)) {
        return;
    }
    if (step->kind == STEP_CREATE_SAVED) {
        how.name = (unsigned)step->a;
        memcpy(in, m->names[how.name].in, m->blocks);
    } else {
        unmask(m, step->a, in);
        how.property = true;
    }
    model_do_create(m, &how);
}

/* The view of a snapshot has its slot; false: it could not be opened, as the power is cut. */
static bool open_view(struct model *m, unsigned slot) {
    const struct m_view how = {.snapshot = slot, .flags = SELSNAP_VIEW_WRITABLE};
    if (m->views[slot].view == NULL) {
        model_do_view_open(m, slot, &how, false);
    }
    return m->views[slot].view != NULL;
}

static void view_step(struct model *m, const struct step *step) {
    if (step->kind == STEP_VIEW_CLOSE) {
        model_view_close(m, step->slot);
        return;
    }
    if (!m->snapshots[step->slot].live || m->snapshots[step->slot].bookmark || !open_view(m, step->slot)) {
        return;
    }
    uint64_t offset = step->a * TESTDEV_UNIT;
    uint64_t len = clip(m, offset, step->b * TESTDEV_UNIT);
    if (step->kind == STEP_VIEW_FLUSH) {
        model_do_view_flush(m, step->slot);
    } else if (step->kind == STEP_VIEW_RESET) {
        model_do_view_reset(m, step->slot);
    } else {
        uint8_t *buf = calloc(len, 1);
        if (buf == NULL) {
            abort();
        }
        if (step->kind == STEP_VIEW_WRITE) {
            pattern_fill(buf, len, offset, 7, m->sequence);
        }
        model_do_view_write(m, step->slot, buf, len, offset, step->kind == STEP_VIEW_DISCARD);
        free(buf);
    }
}

static bool restores(const struct model *m, unsigned slot) {
    for (unsigned i = 0; i < MODEL_JOBS; i++) {
        if (m->jobs[i].live && m->jobs[i].snapshot == slot) {
            return true;
        }
    }
    return false;
}

static void restore(struct model *m, const struct step *step) {
    if (!m->snapshots[step->slot].live || restores(m, step->slot)) {
        return;
    }
    selsnap_subset *part = NULL;
    int code = selsnap_subset_open_for(m->ss, &part);
    for (uint64_t block = 0; block < m->blocks && code == SELSNAP_OK; block++) {
        if (((step->a >> block) & 1) != 0) {
            code = selsnap_subset_add(part, block * m->block_bytes, 1);
        }
    }
    if (model_result(m, code, 0)) {
        model_do_restore(m, step->slot, part, SELSNAP_RESTORE_SKIP_LOST);
    }
    selsnap_subset_close(part);
}

static void live_step(struct model *m, const struct step *step) {
    uint64_t offset = step->a * TESTDEV_UNIT;
    uint64_t len = clip(m, offset, step->b * TESTDEV_UNIT);
    switch (step->kind) {
    case STEP_WRITE:
        write_pattern(m, offset, len);
        break;
    case STEP_ZEROES:
        model_do_zeroes(m, offset, len);
        break;
    case STEP_DISCARD:
        model_do_discard(m, offset, len);
        break;
    case STEP_BATCH:
        write_batch(m, step->a, step->b != 0);
        break;
    case STEP_OVERWRITE:
        overwrite(m, step->a, step->b);
        break;
    default:
        model_flush(m);
        break;
    }
}

void script_step(struct model *m, const struct step *step) {
    const bool live = m->snapshots[step->slot].live;
    m->sequence++;
    switch (step->kind) {
    case STEP_CREATE:
    case STEP_CREATE_SAVED:
    case STEP_MARK:
    case STEP_GROUP:
        create(m, step);
        break;
    case STEP_BOOKMARK:
        if (live && !m->snapshots[step->slot].bookmark) {
            model_view_close(m, step->slot);
            model_do_bookmark(m, step->slot);
        }
        break;
    case STEP_CLONE:
        if (!live && m->snapshots[step->a].live) {
            model_do_clone(m, (unsigned)step->a, step->slot, SELSNAP_POLICY_FAIL_WRITE, step->b != 0);
        }
        break;
    case STEP_DELETE:
        if (live) {
            model_view_close(m, step->slot);
            model_do_delete(m, step->slot);
        }
        break;
    case STEP_RENAME:
        if (live) {
            model_do_rename(m, step->slot);
        }
        break;
    case STEP_HOLD:
    case STEP_RELEASE:
        if (live && (m->snapshots[step->slot].holds > 0) != (step->kind == STEP_HOLD)) {
            model_do_hold(m, step->slot, step->kind == STEP_HOLD);
        }
        break;
    case STEP_LOCK:
        if (live) {
            model_do_lock(m, step->slot);
        }
        break;
    case STEP_EXPIRY:
        if (live) {
            model_do_expiry(m, step->slot, (int64_t)step->a);
        }
        break;
    case STEP_EXPIRE:
        if (live) {
            model_do_expire(m, step->slot);
        }
        break;
    case STEP_QUOTA:
        if (live) {
            model_do_quota(m, step->slot, step->a);
        }
        break;
    case STEP_STORE_QUOTA:
        model_do_store_quota(m, step->a);
        break;
    case STEP_SAVE:
        unmask(m, step->a, m->pending_in);
        model_do_save(m, step->slot);
        break;
    case STEP_UNNAME:
        if (m->names[step->slot].live) {
            model_do_unname(m, step->slot);
        }
        break;
    case STEP_RESTORE:
        restore(m, step);
        break;
    case STEP_GROW:
        model_do_grow(m, step->a * 4096);
        break;
    case STEP_WORK:
        model_do_step(m, (uint32_t)step->a, step->b);
        break;
    case STEP_REOPEN:
        model_reopen(m);
        break;
    case STEP_VIEW_WRITE:
    case STEP_VIEW_DISCARD:
    case STEP_VIEW_FLUSH:
    case STEP_VIEW_RESET:
    case STEP_VIEW_CLOSE:
        view_step(m, step);
        break;
    default:
        live_step(m, step);
        break;
    }
}
