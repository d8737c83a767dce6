/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void must(int code, const char *what) {
    if (code != SELSNAP_OK) {
        (void)fprintf(stderr, "%s: %s\n", what, selsnap_error_name(code));
        exit(1);
    }
}

void must_do(int ok, const char *what) {
    if (!ok) {
        (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t digest(const void *bytes, size_t len) {
    return XXH3_64bits(bytes, len);
}

uint8_t *account_content(selsnap_device *device, uint64_t *ret_len) {
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    must(selsnap_device_get_info(device, &info), "device");
    uint8_t *bytes = malloc((size_t)info.size_bytes);
    must_do(bytes != NULL, "memory");
    must(selsnap_device_read(device, bytes, (size_t)info.size_bytes, 0), "device");
    *ret_len = info.size_bytes;
    return bytes;
}

/* The digest of a snapshot, block by block; blocks that it does not designate, and lost ones, are zeros. */
static uint64_t view_digest(selsnap *ss, const selsnap_snapshot_info *info, uint32_t flags, unsigned *ret_lost) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    selsnap_view *view = NULL;
    uint64_t block_bytes = selsnap_block_size(ss);
    uint8_t *bytes = calloc(1, (size_t)info->origin_bytes);
    must_do(bytes != NULL, "memory");
    options.id = info->id;
    options.flags = flags;
    options.undesignated = SELSNAP_UNDESIGNATED_ZEROS;
    must(selsnap_view_open(ss, &options, &view), "view");
    for (uint64_t at = 0; at < info->origin_bytes; at += block_bytes) {
        uint64_t left = info->origin_bytes - at;
        size_t len = (size_t)(left < block_bytes ? left : block_bytes);
        int code = selsnap_view_read(view, bytes + at, len, at);
        if (code == SELSNAP_ELOST) {
            memset(bytes + at, 0, len);
            ++*ret_lost;
        } else {
            must(code, "view read");
        }
    }
    must(selsnap_view_close(view), "view close");
    uint64_t result = digest(bytes, (size_t)info->origin_bytes);
    free(bytes);
    return result;
}

static uint64_t subset_digest(selsnap *ss, uint64_t id) {
    selsnap_subset *subset = NULL;
    selsnap_range range;
    uint64_t result = 0;
    must(selsnap_snapshot_get_subset(ss, id, &subset), "subset");
    for (uint64_t at = 0; selsnap_subset_next(subset, at, &range) == SELSNAP_OK; at = range.offset + range.len) {
        result = result * UINT64_C(1000003) + range.offset;
        result = result * UINT64_C(1000003) + range.len;
    }
    selsnap_subset_close(subset);
    return result;
}

static void account_properties(selsnap *ss, uint64_t id, FILE *out) {
    char key[SELSNAP_PROPERTY_KEY_MAX + 1] = "";
    char value[SELSNAP_PROPERTY_VALUE_MAX + 1];
    while (selsnap_snapshot_next_property(ss, id, key, key, value) == SELSNAP_OK) {
        (void)fprintf(out, " property %s=%s", key, value);
    }
}

static void account_keeping(selsnap *ss, const selsnap_snapshot_info *info, FILE *out) {
    selsnap_hold_info hold = {.struct_size = sizeof hold};
    selsnap_group_info group = {.struct_size = sizeof group};
    selsnap_stream_id received = SELSNAP_STREAM_ID_INIT;
    int64_t expiry = 0;
    must(selsnap_snapshot_get_expiry(ss, info->id, &expiry), "expiry");
    (void)fprintf(out, " holds %" PRIu32 " expiry %" PRId64 " quota %" PRIu64, info->holds, expiry, info->quota_bytes);
    for (uint64_t after = 0; selsnap_hold_next(ss, info->id, after, &hold) == SELSNAP_OK; after = hold.hold) {
        (void)fprintf(out, " hold %" PRIu64 " until %" PRId64 " %s", hold.hold, hold.until_ns, hold.reason);
    }
    if (selsnap_snapshot_get_group(ss, info->id, &group) == SELSNAP_OK) {
        (void)fprintf(out, " group %s member %" PRIu32 " of %" PRIu32, group.name, group.member, group.members);
    }
    if (selsnap_snapshot_get_received(ss, info->id, &received) == SELSNAP_OK) {
        (void)fprintf(out, " received %" PRIu64 " point %" PRIu64, received.snapshot_id, received.point);
    }
}

static void account_snapshot(selsnap *ss, const selsnap_snapshot_info *info, FILE *out) {
    unsigned lost = 0;
    (void)fprintf(out,
                  "snapshot %" PRIu64 " \"%s\" point %" PRIu64 " time %" PRId64 " designation \"%s\" blocks %" PRIu64
                  " subset %016" PRIx64 " bytes %" PRIu64,
                  info->id, info->name, info->point, info->time_ns, info->designation, info->block_count,
                  subset_digest(ss, info->id), info->origin_bytes);
    if (info->bookmark != 0) {
        (void)fprintf(out, " bookmark");
    } else {
        unsigned lost_now = 0;
        uint64_t frozen = view_digest(ss, info, SELSNAP_VIEW_PRISTINE, &lost);
        uint64_t now = view_digest(ss, info, 0, &lost_now);
        (void)fprintf(out, " lost %u frozen %016" PRIx64 " now %016" PRIx64, lost, frozen, now);
    }
    account_properties(ss, info->id, out);
    account_keeping(ss, info, out);
    (void)fprintf(out, "\n");
}

void account_store(selsnap *ss, FILE *out) {
    uint64_t len = selsnap_size(ss);
    uint64_t quota = 0;
    uint8_t *bytes = malloc((size_t)len);
    must_do(bytes != NULL, "memory");
    must(selsnap_read(ss, bytes, (size_t)len, 0), "read");
    must(selsnap_get_quota(ss, &quota), "quota");
    (void)fprintf(out, "origin bytes %" PRIu64 " block %" PRIu32 " quota %" PRIu64 " holds %016" PRIx64 "\n", len,
                  selsnap_block_size(ss), quota, digest(bytes, (size_t)len));
    free(bytes);
    selsnap_snapshot_info info = {.struct_size = sizeof info};
    for (uint64_t id = 0; selsnap_snapshot_next(ss, id, &info) == SELSNAP_OK; id = info.id) {
        account_snapshot(ss, &info, out);
    }
    selsnap_stream_id part = SELSNAP_STREAM_ID_INIT;
    if (selsnap_import_unfinished(ss, &part, NULL) == SELSNAP_OK) {
        (void)fprintf(out, "unfinished import of %" PRIu64 " point %" PRIu64 "\n", part.snapshot_id, part.point);
    }
}

struct reading {
    const uint8_t *bytes;
    size_t left;
};

static int64_t read_on(void *user, void *buf, size_t len) {
    struct reading *reading = user;
    size_t part = len < reading->left ? len : reading->left;
    memcpy(buf, reading->bytes, part);
    reading->bytes += part;
    reading->left -= part;
    return (int64_t)part;
}

int account_stream(const uint8_t *bytes, size_t len, uint64_t device_bytes, FILE *out) {
    struct reading reading = {bytes, len};
    selsnap_stream_info info = {.struct_size = sizeof info};
    selsnap_device *device = NULL;
    uint64_t size = 0;
    must(selsnap_device_open_memory(device_bytes, 0, &device), "device");
    int code = selsnap_stream_apply(read_on, &reading, device, NULL, &info);
    uint8_t *content = account_content(device, &size);
    if (code == SELSNAP_OK) {
        (void)fprintf(out,
                      "snapshot \"%s\" id %" PRIu64 " point %" PRIu64 " records %" PRIu64 " data %" PRIu64
                      " zeros %" PRIu64 " gives %016" PRIx64 "\n",
                      info.name, info.id.snapshot_id, info.id.point, info.records, info.data_blocks, info.zero_blocks,
                      digest(content, (size_t)size));
    }
    free(content);
    selsnap_device_close(device);
    return code;
}
