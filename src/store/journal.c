/* SPDX-License-Identifier: Apache-2.0 */
/* See journal.h. */
#include "journal.h"

#include "ops.h"
#include "store.h"

#include <assert.h>
#include <string.h>

struct ssn_batch *ssn_batch_new(struct ssn_mem *mem, size_t payload_max) {
    struct ssn_batch *batch = ssn_calloc(mem, 1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->payload = ssn_alloc(mem, payload_max);
    if (batch->payload == NULL) {
        ssn_free(mem, batch);
        return NULL;
    }
    return batch;
}

void ssn_batch_free(struct ssn_mem *mem, struct ssn_batch *batch) {
    if (batch != NULL) {
        ssn_free(mem, batch->payload);
        ssn_free(mem, batch);
    }
}

void ssn_batch_reset(struct ssn_batch *batch, uint64_t serial) {
    uint8_t *payload = batch->payload;
    memset(batch, 0, sizeof *batch);
    batch->payload = payload;
    batch->serial = serial;
    batch->failures = UINT64_MAX;
}

int ssn_journal_init(struct ssn_journal *journal, struct ssn_mem *mem, uint64_t ring_pages) {
    memset(journal, 0, sizeof *journal);
    journal->mem = mem;
    journal->ring_pages = ring_pages;
    /* A quarter of the ring, but room for one transaction of any allowed size. */
    uint64_t pages = ssn_min_u64(ring_pages / 4, SSN_BATCH_BYTES_MAX / SSN_PAGE_SIZE);
    pages = ssn_max_u64(pages, ssn_batch_pages(SSN_TXN_MAX + SSN_TXN_HEADER));
    assert(pages <= ring_pages);
    journal->payload_max = (size_t)pages * SSN_PAGE_PAYLOAD;
    journal->open = ssn_batch_new(mem, journal->payload_max);
    journal->idle = ssn_batch_new(mem, journal->payload_max);
    journal->sectors = ssn_alloc(mem, (size_t)pages * SSN_PAGE_SIZE);
    if (journal->open == NULL || journal->idle == NULL || journal->sectors == NULL ||
        pthread_mutex_init(&journal->lock, NULL) != 0) {
        goto out;
    }
    if (pthread_cond_init(&journal->changed, NULL) != 0) {
        pthread_mutex_destroy(&journal->lock);
        goto out;
    }
    journal->serial = 1;
    ssn_batch_reset(journal->open, 1);
    return SELSNAP_OK;
out:
    ssn_batch_free(mem, journal->open);
    ssn_batch_free(mem, journal->idle);
    ssn_free(mem, journal->sectors);
    return SELSNAP_ENOMEM;
}

void ssn_journal_fini(struct ssn_journal *journal) {
    ssn_batch_free(journal->mem, journal->open);
    ssn_batch_free(journal->mem, journal->flight);
    ssn_batch_free(journal->mem, journal->idle);
    ssn_free(journal->mem, journal->sectors);
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
}

bool ssn_journal_make_open(struct ssn_journal *journal) {
    if (journal->open == NULL) {
        journal->open = ssn_batch_new(journal->mem, journal->payload_max);
        if (journal->open == NULL) {
            return false;
        }
        ssn_batch_reset(journal->open, ++journal->serial);
    }
    return true;
}

void ssn_journal_take_off(struct ssn_journal *journal) {
    assert(journal->flight == NULL && journal->open != NULL && journal->open->len > 0);
    journal->flight = journal->open;
    journal->open = journal->idle;
    journal->idle = NULL;
    if (journal->open != NULL) {
        ssn_batch_reset(journal->open, ++journal->serial);
    }
    journal->seal = (struct ssn_sector){.incarnation = journal->incarnation,
                                        .number = journal->head.number,
                                        .position = journal->head.page * SSN_SECTORS_PER_PAGE,
                                        .super_sequence = journal->super_sequence,
                                        .chain = journal->head.chain};
}

bool ssn_journal_open_fits(const struct ssn_journal *journal, size_t len) {
    assert(journal->open != NULL);
    return SSN_TXN_HEADER + len <= journal->payload_max - journal->open->len;
}

bool ssn_journal_fits(const struct ssn_journal *journal, size_t more) {
    uint64_t flight = journal->flight != NULL ? ssn_batch_pages(journal->flight->len) : 0;
    uint64_t open = ssn_batch_pages(journal->open->len + SSN_TXN_HEADER + more);
    return journal->used + flight + open <= journal->ring_pages;
}

void ssn_journal_seal(struct ssn_journal *journal) {
    const struct ssn_batch *batch = journal->flight;
    journal->pages = ssn_batch_pages(batch->len);
    ssn_batch_seal(journal->sectors, journal->pages * SSN_SECTORS_PER_PAGE, batch->payload, batch->len, &journal->seal,
                   journal->ring_pages * SSN_SECTORS_PER_PAGE, &journal->chain);
}

void ssn_journal_advance(struct ssn_journal *journal) {
    journal->head.page = (journal->head.page + journal->pages) % journal->ring_pages;
    journal->head.number++;
    journal->head.chain = journal->chain;
    journal->used += journal->pages;
    journal->done = journal->flight->serial;
}
