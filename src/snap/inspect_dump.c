/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See inspect.h. Every item as one line, in the words of docs/format.md. A value that does not decode is given as it
 * stands, byte by byte: a dump is for looking at damage too.
 */
#include "inspect.h"

#include "layer.h"
#include "received.h"
#include "retention_record.h"

#include "membership.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

struct dump_line {
    size_t len;
    char text[LINE_MAX_BYTES];
};

static void say(struct dump_line *line, const char *format, ...) SSN_PRINTF(2, 3);

/* Appends; what does not fit is left out. */
static void say(struct dump_line *line, const char *format, ...) {
    size_t room = sizeof line->text - line->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    if (len > 0) {
        line->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

/* Text from disk, in quotes; bytes that are not plain are given as numbers. */
static void say_text(struct dump_line *line, const uint8_t *text, size_t len) {
    say(line, "\"");
    for (size_t i = 0; i < len; i++) {
        bool plain = text[i] >= 0x20 && text[i] != 0x7f && text[i] != '"' && text[i] != '\\';
        say(line, plain ? "%c" : "\\x%02x", text[i]);
    }
    say(line, "\"");
}

static void say_bytes(struct dump_line *line, const struct ssn_item *item) {
    say(line, ", malformed:");
    for (unsigned i = 0; i < item->len; i++) {
        say(line, " %02x", item->value[i]);
    }
}

/* ---- one function for each type; false: the value is malformed ---- */

static bool say_space(struct dump_line *line, const struct ssn_item *item) {
    say(line, "space %" PRIu64, item->key.major);
    if (item->len != 8) {
        return false;
    }
    say(line, ": pages %" PRIu64, ssn_get64(item->value));
    return true;
}

static bool say_designation(struct dump_line *line, const struct ssn_item *item) {
    static const char *const states[] = {"", "building", "ready", "dropping"};
    struct ssn_designation_record record;
    say(line, "designation %" PRIu64, item->key.major);
    if (!ssn_designation_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": state %s, blocks %" PRIu64 ", ranges %" PRIu64 ", name ", states[record.state], record.blocks,
        record.ranges);
    say_text(line, (const uint8_t *)record.name, strlen(record.name));
    return true;
}

static bool say_ranges(struct dump_line *line, const struct ssn_item *item) {
    say(line, "ranges of designation %" PRIu64 ", first block %" PRIu64, item->key.major, item->key.minor);
    if (!ssn_ranges_valid(item->key.minor, item->value, item->len)) {
        return false;
    }
    for (unsigned i = 0; i < ssn_ranges_count(item->len); i++) {
        say(line, "%s %" PRIu64 "+%" PRIu64, i == 0 ? ":" : ",", ssn_range_first(item->value, i),
            ssn_range_blocks(item->value, i));
    }
    return true;
}

static bool say_name(struct dump_line *line, const struct ssn_item *item) {
    say(line, "name %016" PRIx64 " of %" PRIu64, item->key.major, item->key.minor);
    if (item->len != 1 || item->value[0] < SSN_NAME_SNAPSHOT || item->value[0] > SSN_NAME_DESIGNATION) {
        return false;
    }
    say(line, ": kind %s", item->value[0] == SSN_NAME_SNAPSHOT ? "snapshot" : "designation");
    return true;
}

static bool say_snapshot(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_snapshot_record record;
    say(line, "snapshot %" PRIu64, item->key.major);
    if (!ssn_snapshot_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line,
        ": point %" PRIu64 ", designation %" PRIu64 ", time %" PRId64 ", overlay %" PRIu64 ", holds %" PRIu32
        ", kind %s, policy %s",
        record.point, record.designation, record.time_ns, record.overlay, record.holds,
        record.kind == SSN_SNAPSHOT_DATA ? "data" : "mark",
        record.policy == SELSNAP_POLICY_FAIL_WRITE ? "fail the write" : "give up the block");
    return true;
}

static bool say_label(struct dump_line *line, const struct ssn_item *item) {
    say(line, "label of snapshot %" PRIu64 ": ", item->key.major);
    say_text(line, item->value, item->len);
    return true;
}

static bool say_property(struct dump_line *line, const struct ssn_item *item) {
    say(line, "property of snapshot %" PRIu64 ", number %" PRIu64, item->key.major, item->key.minor);
    if (item->len == 0 || item->value[0] >= item->len) {
        return false;
    }
    unsigned key_len = item->value[0];
    say(line, ": key ");
    say_text(line, item->value + 1, key_len);
    say(line, ", value ");
    say_text(line, item->value + 1 + key_len, item->len - 1u - key_len);
    return true;
}

static const char *entry_kind(uint8_t kind) {
    static const char *const kinds[] = {
        "", "data", "zero", "mark", "lost (no room)", "lost (the origin could not be read)", "lost (damage)"};
    return kinds[kind];
}

static bool say_entry(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_entry_record record;
    uint64_t major = item->key.major;
    say(line, "entry run %" PRIu64 ", level %u, index %u, epoch %" PRIu64, ssn_entry_run(major), ssn_entry_level(major),
        ssn_entry_index(major), item->key.minor);
    if (!ssn_entry_record_decode(major, item->value, item->len, &record)) {
        return false;
    }
    say(line, ": blocks %" PRIu64 "+%u, %s", ssn_entry_run(major) * SSN_RUN_BLOCKS + ssn_entry_first(major),
        ssn_entry_blocks(major), entry_kind(record.kind));
    if (record.kind == SSN_ENTRY_DATA) {
        say(line, ", place %" PRIu64 ", checksums", record.place);
        for (unsigned i = 0; i < ssn_entry_blocks(major); i++) {
            say(line, " %016" PRIx64, ssn_entry_checksum(item->value, i));
        }
    }
    return true;
}

static bool say_overlay(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_overlay_record record;
    say(line, "overlay %" PRIu64 ", block %" PRIu64, item->key.major, item->key.minor);
    if (!ssn_overlay_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": %s", entry_kind(record.kind));
    if (record.kind == SSN_ENTRY_DATA) {
        say(line, ", place %" PRIu64 ", checksum %016" PRIx64, record.place, record.checksum);
    }
    return true;
}

static bool say_job(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_job_record record;
    say(line, "job %" PRIu64, item->key.major);
    if (!ssn_job_record_decode(item->value, item->len, &record)) {
        return false;
    }
    if (record.kind == SSN_JOB_DROP_OVERLAY) {
        say(line, ": drop overlay %" PRIu64, record.subject);
    } else {
        say(line,
            ": restore, source snapshot %" PRIu64 ", point %" PRIu64 ", designation %" PRIu64
            ", done below block %" PRIu64,
            record.subject, record.point, record.designation, record.cursor);
    }
    return true;
}

static bool say_restored(struct dump_line *line, const struct ssn_item *item) {
    say(line, "restored by job %" PRIu64 ", run %" PRIu64, item->key.major, item->key.minor);
    if (item->len != SSN_RESTORED_BYTES) {
        return false;
    }
    say(line, ":");
    for (unsigned i = 0; i < item->len; i++) {
        say(line, " %02x", item->value[i]);
    }
    return true;
}

static bool say_state(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_state_record record;
    say(line, "state %" PRIu64, item->key.major);
    if (item->key.major == 1) {
        say(line, ": an entry may be lost");
        return item->len == 1 && item->value[0] == 1;
    }
    uint64_t quota;
    if (item->key.major == 2 && ssn_quota_decode(item->value, item->len, &quota)) {
        say(line, ": quota %" PRIu64, quota);
        return true;
    }
    if (item->key.major != 0 || !ssn_state_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": deletes %" PRIu64 ", reclaimed %" PRIu64 ", walk %" PRIu64 ", cursor %" PRIu64, record.deletes,
        record.reclaimed, record.walk, record.cursor);
    return true;
}

static bool say_hold(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_hold_record record;
    say(line, "hold %" PRIu64 " of snapshot %" PRIu64, item->key.minor, item->key.major);
    if (!ssn_hold_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": %s, since %" PRId64 ", until %" PRId64 ", reason ",
        record.flags == SELSNAP_HOLD_LOCK ? "lock" : "no lock", record.since_ns, record.until_ns);
    say_text(line, (const uint8_t *)record.reason, strlen(record.reason));
    return true;
}

static bool say_term(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_term_record record;
    say(line, "term of snapshot %" PRIu64, item->key.major);
    if (!ssn_term_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": expiry %" PRId64 ", quota %" PRIu64, record.expiry_ns, record.quota_bytes);
    return true;
}

static bool say_received(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_received_record record;
    say(line, "received snapshot %" PRIu64, item->key.major);
    if (!ssn_received_record_decode(item->value, item->len, &record)) {
        return false;
    }
    say(line, ": state %s, flags %u, snapshot %" PRIu64 ", point %" PRIu64 ", lost %" PRIu64 ", ranges %016" PRIx64,
        record.state == SSN_RECEIVED_WHOLE ? "whole" : "unfinished", record.flags, record.snapshot_id, record.point,
        record.lost_blocks, record.ranges_digest);
    say(line, ", store ");
    for (unsigned i = 0; i < SSN_STORE_ID_SIZE; i++) {
        say(line, "%02x", record.store_id[i]);
    }
    if (record.state == SSN_RECEIVED_UNFINISHED) {
        say(line, ", key %016" PRIx64 ", records %" PRIu64 ", next block %" PRIu64 ", digest %016" PRIx64, record.key,
            record.records, record.next_block, record.digest);
    }
    return true;
}

static bool say_membership(struct dump_line *line, const struct ssn_item *item) {
    struct ssn_membership membership;
    say(line, "group of snapshot %" PRIu64, item->key.major);
    if (!ssn_membership_decode(item->value, item->len, &membership)) {
        return false;
    }
    say(line, ": id ");
    for (unsigned i = 0; i < SELSNAP_GROUP_ID_SIZE; i++) {
        say(line, "%02x", membership.group[i]);
    }
    say(line, ", member %" PRIu32 " of %" PRIu32 ", time %" PRId64 ", name ", membership.number, membership.count,
        membership.time_ns);
    say_text(line, (const uint8_t *)membership.name, strlen(membership.name));
    return true;
}

static bool say_layer(struct dump_line *line, const struct ssn_item *item) {
    uint64_t parent;
    say(line, "layer: overlay %" PRIu64, item->key.major);
    if (!ssn_layer_decode(item->key.major, item->value, item->len, &parent)) {
        return false;
    }
    say(line, " on overlay %" PRIu64, parent);
    return true;
}

static bool say_size(struct dump_line *line, const struct ssn_item *item) {
    uint64_t bytes = 0;
    say(line, "size of the origin at snapshot %" PRIu64, item->key.major);
    if (!ssn_size_decode(item->value, item->len, &bytes)) {
        return false;
    }
    say(line, ": %" PRIu64 " bytes", bytes);
    return true;
}

static void say_item(struct dump_line *line, const struct ssn_item *item) {
    static bool (*const by_type[])(struct dump_line *, const struct ssn_item *) = {
        [SSN_ITEM_SPACE] = say_space,       [SSN_ITEM_DESIGNATION] = say_designation,
        [SSN_ITEM_RANGES] = say_ranges,     [SSN_ITEM_NAME] = say_name,
        [SSN_ITEM_SNAPSHOT] = say_snapshot, [SSN_ITEM_LABEL] = say_label,
        [SSN_ITEM_PROPERTY] = say_property, [SSN_ITEM_ENTRY] = say_entry,
        [SSN_ITEM_OVERLAY] = say_overlay,   [SSN_ITEM_JOB] = say_job,
        [SSN_ITEM_RESTORED] = say_restored, [SSN_ITEM_STATE] = say_state,
        [SSN_ITEM_HOLD] = say_hold,         [SSN_ITEM_TERM] = say_term,
        [SSN_ITEM_RECEIVED] = say_received, [SSN_ITEM_MEMBERSHIP] = say_membership,
        [SSN_ITEM_LAYER] = say_layer,       [SSN_ITEM_SIZE] = say_size,
    };
    bool good = false;
    line->len = 0;
    if (ssn_item_type_known(item->key.type)) {
        good = by_type[item->key.type](line, item);
    } else {
        say(line, "type %u, major %" PRIu64 ", minor %" PRIu64, item->key.type, item->key.major, item->key.minor);
    }
    if (!good) {
        say_bytes(line, item);
    }
}

static void say_damage(struct dump_line *line, const struct ssn_key *from, const struct ssn_key *last) {
    line->len = 0;
    say(line, "damaged: nothing is known from type %u, major %" PRIu64 ", minor %" PRIu64, from->type, from->major,
        from->minor);
    say(line, " to type %u, major %" PRIu64 ", minor %" PRIu64, last->type, last->major, last->minor);
}

int ssn_inspect_dump(struct selsnap *ss, selsnap_line_fn line, void *user) {
    int rc = ssn_store_dump(ss->store, line, user);
    struct ssn_key key = ssn_key_make(0, 0, 0);
    struct dump_line text;
    int damaged = SELSNAP_OK;
    while (rc == SELSNAP_OK) {
        struct ssn_item item;
        struct ssn_key last;
        rc = ssn_store_seek_over(ss->store, &key, &item, &last);
        if (rc == SELSNAP_EDAMAGED) {
            damaged = rc;
            say_damage(&text, &key, &last);
            item.key = last;
        } else if (rc == SELSNAP_OK) {
            say_item(&text, &item);
        } else {
            break;
        }
        rc = line(user, text.text) != 0 ? SELSNAP_ECANCELED : SELSNAP_OK;
        key = item.key;
        if (!ssn_key_after(&key)) {
            break;
        }
    }
    return rc == SELSNAP_OK || rc == SELSNAP_ENOENT ? damaged : rc;
}
