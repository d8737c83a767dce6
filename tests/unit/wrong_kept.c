/* SPDX-License-Identifier: Apache-2.0 */
#include "wrong_kept.h"

#include "wrong_put.h"

#include "layer.h"
#include "membership.h"
#include "received.h"
#include "retention_record.h"

#include <string.h>

/* A hold or a term with the bytes that are right but for the one told. */
static void put_term(struct world *world, uint8_t type, uint64_t id, uint64_t minor, int wrong) {
    uint8_t value[24] = {0};
    value[type == SSN_ITEM_HOLD ? 16 : 0] = 1;
    if (wrong >= 0) {
        value[wrong] = 1;
    }
    put(world, type, id, minor, value, type == SSN_ITEM_HOLD ? 24 : 16);
}
void hold_malformed(struct world *world) {
    put_term(world, SSN_ITEM_HOLD, world->snapshot, 1, 7);
}
void hold_number_unknown(struct world *world) {
    put_term(world, SSN_ITEM_HOLD, world->snapshot, 1 << 20, -1);
}
void hold_of_nothing(struct world *world) {
    put_term(world, SSN_ITEM_HOLD, 999, 1, -1);
}
void term_malformed(struct world *world) {
    put(world, SSN_ITEM_TERM, world->snapshot, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}
void term_numbered(struct world *world) {
    put_term(world, SSN_ITEM_TERM, world->snapshot, 1, -1);
}
void term_of_nothing(struct world *world) {
    put_term(world, SSN_ITEM_TERM, 999, 0, -1);
}

/* A membership with the bytes that are right but for the one told. */
static void put_membership(struct world *world, uint64_t id, uint64_t minor, unsigned at, uint8_t wrong) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_membership membership = {.group = {7}, .number = 1, .count = 2, .time_ns = 5, .name = "group"};
    uint16_t len = ssn_membership_encode(value, &membership);
    value[at] = wrong;
    put(world, SSN_ITEM_MEMBERSHIP, id, minor, value, len);
}
void membership_short(struct world *world) {
    put(world, SSN_ITEM_MEMBERSHIP, world->snapshot, 0, "0123456789abcdef", 16);
}
void membership_number_beyond(struct world *world) {
    put_membership(world, world->snapshot, 0, 16, 2);
}
void membership_of_too_many(struct world *world) {
    put_membership(world, world->snapshot, 0, 21, 1); /* 258 */
}
void membership_name_malformed(struct world *world) {
    put_membership(world, world->snapshot, 0, 34, '\n');
}
void membership_numbered(struct world *world) {
    put_membership(world, world->snapshot, 1, 0, 7);
}
void membership_of_nothing(struct world *world) {
    put_membership(world, 999, 0, 0, 7);
}

/* The same of what was received. */
static void put_received(struct world *world, uint64_t id, uint64_t minor, uint8_t state, unsigned at, uint8_t wrong) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_received_record record = {.state = state, .store_id = {9}, .snapshot_id = 3, .point = 2};
    uint16_t len = ssn_received_record_encode(value, &record);
    value[at] = wrong;
    put(world, SSN_ITEM_RECEIVED, id, minor, value, len);
}
void received_short(struct world *world) {
    put(world, SSN_ITEM_RECEIVED, world->snapshot, 0, "\x01", 1);
}
void received_state_unknown(struct world *world) {
    put_received(world, world->snapshot, 0, SSN_RECEIVED_WHOLE, 0, 3);
}
void received_unfinished_too_short(struct world *world) {
    put_received(world, world->snapshot, 0, SSN_RECEIVED_WHOLE, 0, SSN_RECEIVED_UNFINISHED);
}
void received_whole_too_long(struct world *world) {
    put_received(world, world->snapshot, 0, SSN_RECEIVED_UNFINISHED, 0, SSN_RECEIVED_WHOLE);
}
void received_flag_unknown(struct world *world) {
    put_received(world, world->snapshot, 0, SSN_RECEIVED_UNFINISHED, 1, 8);
}
void received_from_no_snapshot(struct world *world) {
    put_received(world, world->snapshot, 0, SSN_RECEIVED_WHOLE, 24, 0);
}
void received_numbered(struct world *world) {
    put_received(world, world->snapshot, 1, SSN_RECEIVED_WHOLE, 8, 9);
}
void received_of_nothing(struct world *world) {
    put_received(world, 999, 0, SSN_RECEIVED_WHOLE, 8, 9);
}

/* ---- layers ---- */

static uint64_t overlay_of_s(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    return ssn_get64(item.value + 24);
}
static void put_layer(struct world *world, uint64_t overlay, uint64_t minor, uint64_t parent) {
    uint8_t value[SSN_VALUE_MAX];
    put(world, SSN_ITEM_LAYER, overlay, minor, value, ssn_layer_encode(value, parent));
}
void layer_malformed(struct world *world) {
    put(world, SSN_ITEM_LAYER, overlay_of_s(world), 0, "1234567", 7);
}
void layer_on_nothing(struct world *world) {
    put_layer(world, overlay_of_s(world), 0, 0);
}
void layer_on_itself(struct world *world) {
    put_layer(world, overlay_of_s(world), 0, overlay_of_s(world));
}
void layer_numbered(struct world *world) {
    put_layer(world, overlay_of_s(world), 1, 1);
}
void layer_id_unknown(struct world *world) {
    put_layer(world, 1 << 20, 0, overlay_of_s(world));
}
void layer_of_nothing(struct world *world) {
    put_layer(world, overlay_of_s(world) - 1, 0, 1);
}
/* s has a new overlay on what it wrote, and that lies on itself. */
void layer_malformed_below(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    uint64_t old = ssn_get64(item.value + 24);
    uint64_t top = ssn_store_take_id(world->rig.ss->store);
    ssn_put64(item.value + 24, top);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
    put_layer(world, top, 0, 0);
    put(world, SSN_ITEM_OVERLAY, top, 9, "\x02\0\0\0\0\0\0", 8);
    drop(world, SSN_ITEM_LAYER, old, 0);
}
void layers_too_many(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    uint64_t top = ssn_get64(item.value + 24);
    for (unsigned i = 0; i < SSN_LAYER_CHAIN_MAX; i++) {
        uint64_t next = ssn_store_take_id(world->rig.ss->store);
        put_layer(world, next, 0, top);
        top = next;
    }
    ssn_put64(item.value + 24, top);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
}
void layer_on_what_is_written(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    uint64_t own = ssn_get64(item.value + 24);
    uint64_t top = ssn_store_take_id(world->rig.ss->store);
    ssn_put64(item.value + 24, top);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot - 1, 0, item.value, item.len);
    put(world, SSN_ITEM_LABEL, world->snapshot - 1, 0, "twin", 4);
    put(world, SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, "twin"), world->snapshot - 1, "\x01", 1);
    put_layer(world, top, 0, own);
}
void layer_on_what_is_dropped(struct world *world) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    struct ssn_job_record job = {.kind = SSN_JOB_DROP_OVERLAY, .subject = ssn_get64(item.value + 24)};
    uint64_t top = ssn_store_take_id(world->rig.ss->store);
    put(world, SSN_ITEM_JOB, 1, 0, value, ssn_job_record_encode(value, &job));
    ssn_put64(item.value + 24, top);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
    put_layer(world, top, 0, job.subject);
}

/* Sizes of the origin: with a byte missing, of nothing, and of an origin longer than it is. */
static void put_size(struct world *world, uint64_t id, uint64_t minor, uint64_t bytes, uint16_t len) {
    uint8_t value[8];
    (void)ssn_size_encode(value, bytes);
    put(world, SSN_ITEM_SIZE, id, minor, value, len);
}
void size_malformed(struct world *world) {
    put_size(world, world->snapshot, 0, 4096, 7);
}
void size_numbered(struct world *world) {
    put_size(world, world->snapshot, 1, 4096, 8);
}
void size_too_great(struct world *world) {
    put_size(world, world->snapshot, 0, UINT64_C(1) << 60, 8);
}
void size_of_nothing(struct world *world) {
    put_size(world, 999, 0, 4096, 8);
}
