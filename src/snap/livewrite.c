/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See livewrite.h. A write whose blocks may need preserving:
 *
 *   CLAIM     take the blocks, wait for others          -> PREPARE
 *   PREPARE   outside the gate: copy back what restores still have to, preserve; note the need version -> RETEST
 *   RETEST    inside the gate: the version is the same  -> clear the bits, WRITE;  else leave the gate -> PREPARE
 *   WRITE     the origin, inside the gate; leave; release
 *
 * The claim keeps what was decided true as long as the need version stays; the version changes only while the gate is
 * closed. A single write may come to claim more than its own blocks, to preserve ahead (ahead.h): it begins anew then,
 * and the bits of the others stay as they are.
 */
#include "livewrite.h"

#include "deferred.h"
#include "preserve.h"
#include "restore.h"

#include <assert.h>

enum { STRETCHES_AT_ONCE = 128 };

/* The claims, and the blocks that are going to be written: of a single claim, these may be fewer. */
struct writer {
    struct selsnap *ss;
    struct ssn_claim *claims;
    unsigned count;
    struct ssn_stretch own; /* of the only claim */
};

int ssn_write_wait_restores(struct selsnap *ss, struct ssn_claim *claims, unsigned count, uint64_t *ret_version) {
    for (;;) {
        bool starting = false;
        *ret_version = ssn_need_version(&ss->need);
        for (unsigned i = 0; !starting && i < count; i++) {
            int rc = ssn_restore_is_starting(ss, claims[i].first, claims[i].count, &starting);
            if (rc != SELSNAP_OK) {
                return rc;
            }
        }
        if (!starting) {
            return SELSNAP_OK;
        }
        ssn_claims_release_all(&ss->claims, claims, count);
        int rc = ssn_restore_wait_started(ss);
        ssn_claims_take_all(&ss->claims, claims, count);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
}

/* A single write, and around it what is claimed for that. SSN_CLAIM_WIDER: the claim has grown. */
static int preserve_one(const struct writer *writer) {
    struct selsnap *ss = writer->ss;
    struct ssn_claim *claim = writer->claims;
    const struct ssn_stretch claimed = {claim->first, (unsigned)claim->count};
    struct ssn_stretch wider;
    if (ssn_need_test(&ss->need, writer->own.first, writer->own.count) == SSN_NEED_CLEAR) {
        return SELSNAP_OK;
    }
    int rc = ssn_preserve_for_write(ss, &writer->own, &claimed, claimed.count == writer->own.count, &wider);
    if (rc == SSN_CLAIM_WIDER) {
        ssn_claims_release_all(&ss->claims, claim, 1);
        claim->first = wider.first;
        claim->count = wider.count;
        ssn_claims_take_all(&ss->claims, claim, 1);
    } else {
        ssn_count(&ss->count.preserving_writes, 1);
    }
    return rc;
}

static int preserve_all(const struct writer *writer) {
    struct selsnap *ss = writer->ss;
    struct ssn_stretch stretches[STRETCHES_AT_ONCE];
    unsigned n = 0;
    int rc = SELSNAP_OK;
    for (unsigned i = 0; rc == SELSNAP_OK && i < writer->count; i++) {
        const struct ssn_claim *claim = &writer->claims[i];
        if (ssn_need_test(&ss->need, claim->first, claim->count) != SSN_NEED_CLEAR) {
            stretches[n++] = (struct ssn_stretch){claim->first, (unsigned)claim->count};
        }
        if (n == STRETCHES_AT_ONCE || (n > 0 && i + 1 == writer->count)) {
            rc = ssn_preserve(ss, stretches, n, NULL, UINT64_MAX);
            ssn_count(&ss->count.preserving_writes, n);
            n = 0;
        }
    }
    return rc;
}

static bool any_pending(const struct writer *writer) {
    bool any = false;
    for (unsigned i = 0; !any && i < writer->count; i++) {
        any = ssn_deferred_has(writer->ss->deferred, writer->claims[i].first, writer->claims[i].count);
    }
    return any;
}

/* Brings the claimed blocks to where nothing needs their old content. */
static int prepare(const struct writer *writer, uint64_t *ret_version) {
    struct selsnap *ss = writer->ss;
    int rc = ssn_write_wait_restores(ss, writer->claims, writer->count, ret_version);
    if (any_pending(writer)) {
        return SSN_WRITE_PENDING; /* what the origin has is older than what the newest points need */
    }
    for (unsigned i = 0; rc == SELSNAP_OK && i < writer->count; i++) {
        const struct ssn_claim *claim = &writer->claims[i];
        rc = ssn_need_refresh(ss, claim->first, claim->count, *ret_version);
        rc = rc == SELSNAP_OK ? ssn_restore_copy_back(ss, claim->first, claim->count) : rc;
    }
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return writer->count == 1 ? preserve_one(writer) : preserve_all(writer);
}

static void clear_bits(const struct writer *writer) {
    if (writer->count == 1) {
        ssn_need_clear(&writer->ss->need, writer->own.first, writer->own.count);
        return;
    }
    for (unsigned i = 0; i < writer->count; i++) {
        ssn_need_clear(&writer->ss->need, writer->claims[i].first, writer->claims[i].count);
    }
}

int ssn_write_enter(struct selsnap *ss, struct ssn_claim *claims, unsigned count, unsigned *ret_shard) {
    const struct writer writer = {ss, claims, count, {claims->first, (unsigned)claims->count}};
    ssn_claims_take_all(&ss->claims, claims, count);
    for (;;) {
        uint64_t version = 0;
        int rc = prepare(&writer, &version);
        if (rc == SSN_CLAIM_WIDER) {
            continue;
        }
        if (rc == SSN_WRITE_PENDING || (rc != SELSNAP_OK && !atomic_load(&ss->abandoned))) {
            ssn_claims_release_all(&ss->claims, claims, count);
            return rc;
        }
        *ret_shard = ssn_gate_enter(&ss->gate);
        if (atomic_load(&ss->abandoned)) {
            return SELSNAP_OK;
        }
        if (ssn_need_version(&ss->need) == version) {
            clear_bits(&writer);
            return SELSNAP_OK;
        }
        ssn_gate_leave(&ss->gate, *ret_shard);
    }
}

void ssn_write_leave(struct selsnap *ss, struct ssn_claim *claims, unsigned count, unsigned shard) {
    ssn_gate_leave(&ss->gate, shard);
    ssn_claims_release_all(&ss->claims, claims, count);
}
