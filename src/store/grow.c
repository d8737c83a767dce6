/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that grows, beside all else: its device first; then the last of the new pages is written, read and flushed, so
 * that a device which promises more than it has is found out; then one checkpoint, whose superblock says the new size.
 * Whatever a power cut leaves before that is durable is the old size, and after it the new one. Nothing uses what is new
 * before (checkpoint.c). Relies on [F-12], [F-18].
 */
#include "store_inner.h"

#include <inttypes.h>
#include <string.h>

/* Makes the device long enough, as far as it can; gives the pages that the store shall have. upkeep_busy. */
static int size_device(struct ssn_store *store, uint64_t bytes, uint64_t *ret_pages) {
    uint64_t now = atomic_load(&store->store_pages);
    if (bytes != 0 && bytes / SSN_PAGE_SIZE < now) {
        return ssn_fail(store->report, SELSNAP_EINVAL,
                        "the store has %" PRIu64 " bytes and cannot become shorter: %" PRIu64 " were asked for",
                        now * SSN_PAGE_SIZE, bytes);
    }
    uint64_t wanted = bytes - bytes % SSN_PAGE_SIZE;
    int rc = ssn_device_resize(store->device, wanted);
    uint64_t has = ssn_device_size(store->device);
    if (rc != SELSNAP_OK && (bytes == 0 || has < wanted)) {
        return ssn_fail(store->report, SELSNAP_ESTORE,
                        "the store's device of %" PRIu64
                        " bytes could not be made longer, or asked for its size (it says %d)",
                        has, atomic_load(&store->device->last_error));
    }
    if (has < wanted) {
        return ssn_fail(store->report, SELSNAP_ETOOSMALL,
                        "the store's device has %" PRIu64 " bytes and does not become longer: %" PRIu64
                        " were asked for",
                        has, wanted);
    }
    *ret_pages = bytes == 0 ? has / SSN_PAGE_SIZE : wanted / SSN_PAGE_SIZE;
    return SELSNAP_OK;
}

/* Writes the last page, which nobody uses, and looks whether it is there. */
static int try_last(struct ssn_store *store, uint64_t pages) {
    uint8_t page[SSN_PAGE_SIZE];
    uint8_t found[SSN_PAGE_SIZE];
    uint64_t last = pages - 1;
    for (size_t i = 0; i < sizeof page; i += 8) {
        ssn_put64(page + i, ~(last + i));
    }
    int rc = ssn_store_dev_write(store, "the last page of the grown store", page, sizeof page, last);
    rc = rc == SELSNAP_OK ? ssn_store_dev_flush(store, "the last page of the grown store") : rc;
    rc = rc == SELSNAP_OK ? ssn_store_dev_read(store, "the last page of the grown store", found, sizeof found, last)
                          : rc;
    if (rc == SELSNAP_OK && memcmp(page, found, sizeof page) != 0) {
        rc = ssn_fail(store->report, SELSNAP_ESTORE,
                      "the store's device says that it has %" PRIu64
                      " pages, but what is written to the last does not stay there",
                      pages);
    }
    return rc;
}

/* upkeep_busy. [F-18] */
static int grow(struct ssn_store *store, uint64_t bytes) {
    uint64_t pages = 0;
    int rc = SELSNAP_OK;
    if (store->unsure != NULL) {
        rc = ssn_checkpoint_run(store, 0, 0, false); /* it may be one that grows the store */
    }
    rc = rc == SELSNAP_OK ? size_device(store, bytes, &pages) : rc;
    if (rc != SELSNAP_OK || pages <= atomic_load(&store->store_pages)) {
        return rc;
    }
    rc = try_last(store, pages);
    if (rc == SELSNAP_OK) {
        store->grow_to = pages;
        rc = ssn_checkpoint_run(store, 0, 0, true);
        store->grow_to = 0;
    }
    return rc;
}

int ssn_store_grow(struct ssn_store *store, uint64_t bytes) {
    if (!store->journal.ready) {
        return SELSNAP_EREADONLY;
    }
    ssn_upkeep_begin(store);
    int rc = grow(store, bytes);
    ssn_upkeep_end(store, false, rc);
    return rc;
}

uint64_t ssn_store_size_pages(const struct ssn_store *store) {
    return atomic_load(&store->store_pages);
}
