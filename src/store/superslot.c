/* SPDX-License-Identifier: Apache-2.0 */
/* The two superblock slots: reading and choosing [F-4], and writing. Who writes holds upkeep_busy. */
#include "store_inner.h"

#include <inttypes.h>
#include <string.h>

static int read_slot(selsnap_device *device, struct ssn_report *report, unsigned slot, bool salvage,
                     struct ssn_slots *slots) {
    uint8_t page[SSN_PAGE_SIZE];
    uint64_t place = ssn_super_place(slot);
    int rc = ssn_device_check(device, place * SSN_PAGE_SIZE, sizeof page, false);
    if (rc == SELSNAP_ERANGE) {
        return ssn_fail(report, SELSNAP_ENOTSTORE, "the device is too small to hold a store");
    }
    if (rc == SELSNAP_OK) {
        rc = ssn_device_read(device, page, sizeof page, place * SSN_PAGE_SIZE);
    }
    if (rc == SELSNAP_EIO && salvage) {
        slots->result[slot] = SELSNAP_EDAMAGED;
        return SELSNAP_OK;
    }
    if (rc != SELSNAP_OK) {
        return ssn_fail(report, rc == SELSNAP_EIO ? SELSNAP_ESTORE : rc,
                        "superblock slot %u at byte %" PRIu64 " could not be read (the device says %d)", slot,
                        place * SSN_PAGE_SIZE, atomic_load(&device->last_error));
    }
    slots->result[slot] = ssn_super_decode(page, place, &slots->super[slot]);
    return SELSNAP_OK;
}

static int read_slots(selsnap_device *device, struct ssn_report *report, bool salvage, struct ssn_slots *ret_slots) {
    struct ssn_slots slots;
    memset(&slots, 0, sizeof slots);
    for (unsigned i = 0; i < 2; i++) {
        int rc = read_slot(device, report, i, salvage, &slots);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    if (slots.result[0] == SELSNAP_EVERSION || slots.result[1] == SELSNAP_EVERSION) {
        return ssn_fail(report, SELSNAP_EVERSION,
                        "the store uses a format or features that this version does not know");
    }
    bool good[2] = {slots.result[0] == SELSNAP_OK, slots.result[1] == SELSNAP_OK};
    if (!good[0] && !good[1]) {
        bool none = slots.result[0] == SELSNAP_ENOTSTORE && slots.result[1] == SELSNAP_ENOTSTORE;
        return none ? ssn_fail(report, SELSNAP_ENOTSTORE, "there is no superblock: the device holds no store")
                    : ssn_fail(report, SELSNAP_EDAMAGED, "both superblocks are damaged");
    }
    if (good[0] && good[1]) {
        if (memcmp(slots.super[0].store_id, slots.super[1].store_id, SSN_STORE_ID_SIZE) != 0) {
            return ssn_fail(report, SELSNAP_EDAMAGED, "the two superblocks are of different stores");
        }
        slots.newest = slots.super[1].sequence > slots.super[0].sequence;
    } else {
        slots.newest = good[1];
    }
    *ret_slots = slots;
    return SELSNAP_OK;
}

int ssn_slots_read(selsnap_device *device, struct ssn_report *report, struct ssn_slots *ret_slots) {
    return read_slots(device, report, false, ret_slots);
}

int ssn_slots_salvage(selsnap_device *device, struct ssn_report *report, struct ssn_slots *ret_slots) {
    return read_slots(device, report, true, ret_slots);
}

int ssn_store_newest_slot(selsnap_device *device, struct ssn_report *report, unsigned *ret_slot) {
    struct ssn_slots slots;
    int rc = ssn_slots_read(device, report, &slots);
    if (rc == SELSNAP_OK) {
        *ret_slot = slots.newest;
    }
    return rc;
}

void ssn_facts_of_super(const struct ssn_superblock *super, struct ssn_store_facts *ret_facts) {
    memset(ret_facts, 0, sizeof *ret_facts);
    memcpy(ret_facts->store_id, super->store_id, SSN_STORE_ID_SIZE);
    ret_facts->block_bytes = super->block_bytes;
    ret_facts->store_pages = super->store_pages;
    ret_facts->origin_bytes = super->origin_bytes;
    ret_facts->extent_bytes = super->extent_bytes;
    ret_facts->identity_known = (super->flags & SSN_SUPER_HAS_IDENTITY) != 0;
    memcpy(ret_facts->origin_identity, super->origin_identity, SELSNAP_IDENTITY_SIZE);
    ret_facts->was_clean = (super->flags & SSN_SUPER_CLEAN) != 0;
    ret_facts->mark_known = ret_facts->was_clean && (super->flags & SSN_SUPER_HAS_MARK) != 0;
    ret_facts->change_mark = super->change_mark;
    ret_facts->abandoned = (super->flags & SSN_SUPER_ABANDONED) != 0;
    ret_facts->journal_bytes = super->journal_pages * SSN_PAGE_SIZE;
    memcpy(ret_facts->origin_hint, super->origin_hint, sizeof ret_facts->origin_hint);
}

int ssn_super_write(struct ssn_store *store, struct ssn_superblock *super) {
    uint8_t page[SSN_PAGE_SIZE];
    uint64_t failures = atomic_load(&store->flush_failures);
    super->sequence = store->super.sequence + 1;
    super->next_epoch = atomic_load(&store->next_epoch);
    super->next_id = atomic_load(&store->next_id);
    ssn_super_encode(page, super);
    int rc = ssn_store_dev_write(store, "a superblock", page, sizeof page, ssn_super_place(super->sequence));
    rc = rc != SELSNAP_OK ? rc : ssn_store_dev_flush(store, "a superblock");
    if (rc == SELSNAP_OK && atomic_load(&store->flush_failures) != failures) {
        rc = ssn_fail(store->report, SELSNAP_ESTORE,
                      "another flush of the store failed while a superblock was being written; the one before counts");
    }
    if (rc == SELSNAP_OK) {
        store->super = *super;
    }
    return rc;
}
