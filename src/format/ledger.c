/* SPDX-License-Identifier: Apache-2.0 */
/* See ledger.h. */
#include "ledger.h"

#include "checksum.h"

#include <assert.h>
#include <string.h>

enum {
    AT_RESERVED = 4,
    AT_PLACE = 8,
    AT_SEQUENCE = 16,
    AT_STORE_ID = 24,
    AT_TAKEN = 40,
    AT_GIVEN = 44,
};

static const uint8_t magic[4] = {'S', 'S', 'N', 'L'};

uint32_t ssn_ledger_pages(uint64_t runs) {
    if (runs > (uint64_t)SSN_LEDGER_PAGES_MAX * (SSN_PAGE_SIZE / SSN_LEDGER_RUN)) {
        return 0;
    }
    uint64_t pages = ssn_div_up(SSN_LEDGER_HEADER + runs * SSN_LEDGER_RUN, SSN_PAGE_SIZE);
    return pages <= SSN_LEDGER_PAGES_MAX ? (uint32_t)pages : 0;
}

static uint8_t *put_runs(uint8_t *p, const struct ssn_run *runs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        ssn_put64(p, runs[i].place);
        ssn_put64(p + 8, runs[i].pages);
        p += SSN_LEDGER_RUN;
    }
    return p;
}

uint64_t ssn_ledger_encode(uint8_t *bytes, uint32_t pages, const struct ssn_ledger_head *head,
                           const struct ssn_run *taken, const struct ssn_run *given) {
    size_t len = (size_t)pages * SSN_PAGE_SIZE;
    assert(pages > 0 && ssn_ledger_pages((uint64_t)head->taken_count + head->given_count) <= pages);
    memset(bytes, 0, SSN_LEDGER_HEADER);
    memcpy(bytes, magic, sizeof magic);
    ssn_put64(bytes + AT_PLACE, head->place);
    ssn_put64(bytes + AT_SEQUENCE, head->sequence);
    memcpy(bytes + AT_STORE_ID, head->store_id, SSN_STORE_ID_SIZE);
    ssn_put32(bytes + AT_TAKEN, head->taken_count);
    ssn_put32(bytes + AT_GIVEN, head->given_count);
    uint8_t *p = put_runs(bytes + SSN_LEDGER_HEADER, taken, head->taken_count);
    p = put_runs(p, given, head->given_count);
    memset(p, 0, len - (size_t)(p - bytes));
    return ssn_checksum(bytes, len);
}

bool ssn_ledger_check(const uint8_t *bytes, uint32_t pages, uint64_t checksum, uint64_t first_place,
                      uint64_t store_pages, struct ssn_ledger_head *head) {
    size_t len = (size_t)pages * SSN_PAGE_SIZE;
    if (pages == 0 || ssn_checksum(bytes, len) != checksum || memcmp(bytes, magic, sizeof magic) != 0 ||
        !ssn_is_zero(bytes + AT_RESERVED, 4) || ssn_get64(bytes + AT_PLACE) != head->place ||
        memcmp(bytes + AT_STORE_ID, head->store_id, SSN_STORE_ID_SIZE) != 0 ||
        ssn_get64(bytes + AT_SEQUENCE) > head->sequence) {
        return false;
    }
    uint32_t taken = ssn_get32(bytes + AT_TAKEN);
    uint32_t given = ssn_get32(bytes + AT_GIVEN);
    uint32_t needed = ssn_ledger_pages((uint64_t)taken + given);
    if (needed == 0 || needed > pages) {
        return false;
    }
    size_t runs = (size_t)taken + given;
    for (size_t i = 0; i < runs; i++) {
        struct ssn_run run = ssn_ledger_run(bytes, (uint32_t)i);
        if (run.place < first_place || run.pages == 0 || !ssn_range_inside(run.place, run.pages, store_pages)) {
            return false;
        }
    }
    size_t used = SSN_LEDGER_HEADER + runs * SSN_LEDGER_RUN;
    if (!ssn_is_zero(bytes + used, len - used)) {
        return false;
    }
    head->sequence = ssn_get64(bytes + AT_SEQUENCE);
    head->taken_count = taken;
    head->given_count = given;
    return true;
}

struct ssn_run ssn_ledger_run(const uint8_t *bytes, uint32_t index) {
    const uint8_t *p = bytes + SSN_LEDGER_HEADER + (size_t)index * SSN_LEDGER_RUN;
    struct ssn_run run = {ssn_get64(p), ssn_get64(p + 8)};
    return run;
}
