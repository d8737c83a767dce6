/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions about the context as a whole. */
#include "api.h"
#include "open.h"
#include "subset.h"

#include <string.h>

int selsnap_format(selsnap_device *store, selsnap_device *origin, const selsnap_format_options *options) {
    const uint32_t known_flags = SELSNAP_FORMAT_OVERWRITE | SELSNAP_FORMAT_ALLOW_OVERLAP;
    selsnap_format_options ours;
    if (store == NULL || origin == NULL || !ssn_import(&ours, sizeof ours, options) ||
        (ours.flags & ~known_flags) != 0 || ours.reserved != 0) {
        return SELSNAP_EINVAL;
    }
    return ssn_context_format(store, origin, &ours);
}

int selsnap_store_origin_hint(selsnap_device *store, char *buf, size_t len) {
    struct ssn_report report;
    struct ssn_store_facts facts;
    if (store == NULL || buf == NULL || len < sizeof facts.origin_hint) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_report_init(&report);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_store_peek(store, &report, &facts);
    ssn_report_fini(&report);
    if (rc == SELSNAP_OK) {
        memcpy(buf, facts.origin_hint, sizeof facts.origin_hint);
    }
    return rc;
}

int selsnap_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options, selsnap **ret_ss) {
    const uint32_t known_flags = SELSNAP_OPEN_READ_ONLY | SELSNAP_OPEN_OTHER_ORIGIN | SELSNAP_OPEN_ORIGIN_CHANGED |
                                 SELSNAP_OPEN_ALLOW_OVERLAP | SELSNAP_OPEN_NO_AHEAD | SELSNAP_OPEN_LONGER_ORIGIN;
    selsnap_open_options ours;
    if (store == NULL || origin == NULL || ret_ss == NULL || !ssn_import(&ours, sizeof ours, options) ||
        (ours.flags & ~known_flags) != 0 || !ssn_api_allocator_allowed(&ours.allocator)) {
        return SELSNAP_EINVAL;
    }
    return ssn_context_open(store, origin, &ours, ret_ss);
}

int selsnap_close(selsnap *ss) {
    return ss == NULL ? SELSNAP_OK : ssn_context_close(ss);
}

int selsnap_last_error(selsnap *ss, char *buf, size_t len) {
    if (ss == NULL || buf == NULL || len == 0) {
        return SELSNAP_EINVAL;
    }
    return ssn_report_last(&ss->report, buf, len);
}

int selsnap_get_stats(selsnap *ss, selsnap_stats *ret_stats) {
    if (ss == NULL || ret_stats == NULL) {
        return SELSNAP_EINVAL;
    }
    selsnap_stats stats;
    memset(&stats, 0, sizeof stats);
    ssn_context_stats(ss, &stats);
    return ssn_export(ret_stats, &stats, sizeof stats) ? SELSNAP_OK : SELSNAP_EINVAL;
}

uint64_t selsnap_size(selsnap *ss) {
    return ss != NULL ? ss->origin_bytes : 0;
}

uint32_t selsnap_block_size(selsnap *ss) {
    return ss != NULL ? ss->block_bytes : 0;
}

int selsnap_subset_open_for(selsnap *ss, selsnap_subset **ret_subset) {
    if (ss == NULL || ret_subset == NULL) {
        return SELSNAP_EINVAL;
    }
    return ssn_subset_open(NULL, ss->origin_bytes, ss->block_bytes, ret_subset);
}

int selsnap_abandon(selsnap *ss) {
    int rc = ssn_api_check_writable(ss);
    return rc == SELSNAP_OK ? ssn_context_abandon(ss) : rc;
}
