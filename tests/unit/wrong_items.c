/* SPDX-License-Identifier: Apache-2.0 */
#include "wrong_items.h"

#include "wrong_kept.h"
#include "wrong_put.h"

#include "checksum.h"
#include "context.h"

#include <stdio.h>
#include <string.h>

/* Another snapshot with the record of s, but for what was written into it. */
static void put_twin(struct world *world, uint64_t id) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    ssn_put64(item.value + 24, 0);
    put(world, SSN_ITEM_SNAPSHOT, id, 0, item.value, item.len);
}

/* ---- the cases ---- */

static void put_entry(struct world *world, uint64_t block, unsigned level, uint64_t epoch, uint8_t kind) {
    uint8_t value[SSN_VALUE_MAX] = {0};
    struct ssn_entry_record record = {.kind = kind};
    uint64_t major = ssn_entry_major(block / 256, level, (unsigned)(block % 256) >> level);
    put(world, SSN_ITEM_ENTRY, major, epoch, value, ssn_entry_record_encode(value, &record, NULL, 0));
}

static void designation_malformed(struct world *world) {
    put(world, SSN_ITEM_DESIGNATION, world->designation, 0, "x", 1);
}
static void designation_gone(struct world *world) {
    drop(world, SSN_ITEM_DESIGNATION, world->designation, 0);
}
static void designation_dropping(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_DESIGNATION, world->designation, 0);
    item.value[0] = SSN_DESIGNATION_DROPPING;
    put(world, SSN_ITEM_DESIGNATION, world->designation, 0, item.value, item.len);
}
static void designation_miscounted(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_DESIGNATION, world->designation, 0);
    item.value[8]++;
    put(world, SSN_ITEM_DESIGNATION, world->designation, 0, item.value, item.len);
}
static void designation_id_unknown(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_DESIGNATION, world->designation, 0);
    item.value[0] = SSN_DESIGNATION_BUILDING;
    put(world, SSN_ITEM_DESIGNATION, 1 << 20, 0, item.value, item.len);
}
static void designation_name_gone(struct world *world) {
    drop(world, SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_DESIGNATION, "d"), world->designation);
}
static void ranges_malformed(struct world *world) {
    put(world, SSN_ITEM_RANGES, world->designation, 0, "0123456789abcdef", 15);
}
static void ranges_outside(struct world *world) {
    uint8_t value[16];
    ssn_put64(value, 1000);
    ssn_put64(value + 8, 1);
    put(world, SSN_ITEM_RANGES, world->designation, 1000, value, 16);
}
static void ranges_overlap(struct world *world) {
    uint8_t value[16];
    ssn_put64(value, 8);
    ssn_put64(value + 8, 2);
    put(world, SSN_ITEM_RANGES, world->designation, 8, value, 16);
}
static void ranges_of_nothing(struct world *world) {
    uint8_t value[16];
    ssn_put64(value, 8);
    ssn_put64(value + 8, 2);
    put(world, SSN_ITEM_RANGES, 777, 8, value, 16);
}
static void name_malformed(struct world *world) {
    put(world, SSN_ITEM_NAME, 5, world->snapshot, "\x03", 1);
}
static void name_of_nothing(struct world *world) {
    put(world, SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, "ghost"), 999, "\x01", 1);
}
static void name_of_another(struct world *world) {
    put(world, SSN_ITEM_NAME, ssn_name_hash(SSN_NAME_SNAPSHOT, "ghost"), world->snapshot, "\x01", 1);
}
static void snapshot_malformed(struct world *world) {
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, "x", 1);
}
static void snapshot_id_unknown(struct world *world) {
    put_twin(world, 1 << 20);
}
static void snapshot_point_unknown(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    item.value[7] = 1;
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
}
static void snapshot_designation_unknown(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    item.value[8] += 100;
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
}
static void label_gone(struct world *world) {
    drop(world, SSN_ITEM_LABEL, world->snapshot, 0);
}
static void label_malformed(struct world *world) {
    put(world, SSN_ITEM_LABEL, world->snapshot, 0, "a\nb", 3);
}
static void label_changed(struct world *world) {
    put(world, SSN_ITEM_LABEL, world->snapshot, 0, "other", 5);
}
static void label_of_nothing(struct world *world) {
    put(world, SSN_ITEM_LABEL, 999, 0, "ghost", 5);
}
static void property_malformed(struct world *world) {
    put(world, SSN_ITEM_PROPERTY, world->snapshot, 9, "\x05key", 4);
}
static void property_key_malformed(struct world *world) {
    put(world, SSN_ITEM_PROPERTY, world->snapshot, 9, "\x03k\ny", 4);
}
static void property_value_malformed(struct world *world) {
    put(world, SSN_ITEM_PROPERTY, world->snapshot, 9, "\x03keya\nb", 7);
}
static void property_of_nothing(struct world *world) {
    put(world, SSN_ITEM_PROPERTY, 999, 0, "\x01kv", 3);
}
static void entry_malformed(struct world *world) {
    put(world, SSN_ITEM_ENTRY, ssn_entry_major(0, 0, 40), 1, "x", 1);
}
static void entry_level_impossible(struct world *world) {
    put(world, SSN_ITEM_ENTRY, ssn_entry_major(0, 8, 0), 1, "\x02\0\0\0\0\0\0", 8);
}
static void entry_outside(struct world *world) {
    put_entry(world, 64, 0, world->point, SSN_ENTRY_ZERO);
}
static void entry_epoch_unknown(struct world *world) {
    put_entry(world, 40, 0, 1 << 20, SSN_ENTRY_ZERO);
}
static void entry_epoch_zero(struct world *world) {
    put_entry(world, 40, 0, 0, SSN_ENTRY_MARK);
}
static void entry_twice(struct world *world) {
    put_entry(world, 0, 4, world->point, SSN_ENTRY_ZERO);
}
static void entry_mark_needed(struct world *world) {
    put_entry(world, 12, 0, world->point, SSN_ENTRY_MARK);
}
static void data_used_twice(struct world *world) {
    struct ssn_item item = seek(world, SSN_ITEM_ENTRY, 0, 0);
    put(world, SSN_ITEM_ENTRY,
        ssn_entry_major(0, ssn_entry_level(item.key.major), 40u >> ssn_entry_level(item.key.major)), item.key.minor,
        item.value, item.len);
}
static void data_in_the_journal(struct world *world) {
    struct ssn_item item = seek(world, SSN_ITEM_ENTRY, 0, 0);
    ssn_put64(item.value + 8, 33);
    put(world, SSN_ITEM_ENTRY, item.key.major, item.key.minor, item.value, item.len);
}
static void data_outside(struct world *world) {
    struct ssn_item item = seek(world, SSN_ITEM_ENTRY, 0, 0);
    ssn_put64(item.value + 8, UINT64_MAX - 1);
    put(world, SSN_ITEM_ENTRY, item.key.major, item.key.minor, item.value, item.len);
}
static void data_forgotten(struct world *world) {
    struct ssn_item item = seek(world, SSN_ITEM_ENTRY, 0, 0);
    drop(world, SSN_ITEM_ENTRY, item.key.major, item.key.minor);
}
static void overlay_malformed(struct world *world) {
    put(world, SSN_ITEM_OVERLAY, 5, 1, "x", 1);
}
static void overlay_of_nothing(struct world *world) {
    put(world, SSN_ITEM_OVERLAY, 5, 1, "\x02\0\0\0\0\0\0", 8);
}
static void overlay_outside(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    put(world, SSN_ITEM_OVERLAY, ssn_get64(item.value + 24), 64, "\x02\0\0\0\0\0\0", 8);
}
static void job_malformed(struct world *world) {
    put(world, SSN_ITEM_JOB, 3, 0, "x", 1);
}
static void job_source_unknown(struct world *world) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_job_record job = {SSN_JOB_RESTORE, 999, world->point, world->designation, 0};
    put(world, SSN_ITEM_JOB, 1, 0, value, ssn_job_record_encode(value, &job));
}
static void job_designation_unknown(struct world *world) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_job_record job = {SSN_JOB_RESTORE, world->snapshot, world->point, 999, 0};
    put(world, SSN_ITEM_JOB, 1, 0, value, ssn_job_record_encode(value, &job));
}
static void restored_malformed(struct world *world) {
    put(world, SSN_ITEM_RESTORED, 1, 0, "x", 1);
}
static void restored_without_job(struct world *world) {
    uint8_t value[SSN_RESTORED_BYTES] = {0};
    put(world, SSN_ITEM_RESTORED, 1, 0, value, sizeof value);
}
static void state_malformed(struct world *world) {
    put(world, SSN_ITEM_STATE, 0, 0, "x", 1);
}
static void state_unknown(struct world *world) {
    put(world, SSN_ITEM_STATE, 3, 0, "\x01", 1);
}
static void quota_malformed(struct world *world) {
    put(world, SSN_ITEM_STATE, 2, 0, "\x01", 1);
}
static void quota_of_nothing(struct world *world) {
    put(world, SSN_ITEM_STATE, 2, 0, "\0\0\0\0\0\0\0", 8);
}
static void quota_numbered(struct world *world) {
    put(world, SSN_ITEM_STATE, 2, 1, "\0\0\x10\0\0\0\0", 8);
}

static void designation_numbered(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_DESIGNATION, world->designation, 0);
    put(world, SSN_ITEM_DESIGNATION, world->designation, 1, item.value, item.len);
}
static void ranges_gone(struct world *world) {
    drop(world, SSN_ITEM_RANGES, world->designation, 0);
}
static void ranges_of_several_snapshots(struct world *world) {
    designation_gone(world);
    put_twin(world, world->snapshot - 1);
}
static void name_of_two(struct world *world) {
    put_twin(world, world->snapshot - 1);
    put(world, SSN_ITEM_LABEL, world->snapshot - 1, 0, "s", 1);
}
static void snapshot_numbered(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 1, item.value, item.len);
}
static void snapshot_point_zero(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    memset(item.value, 0, 8);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
}
static void snapshot_overlay_unknown(struct world *world) {
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    ssn_put64(item.value + 24, 1 << 20);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
}
static void label_empty(struct world *world) {
    put(world, SSN_ITEM_LABEL, world->snapshot, 0, "", 0);
}
static void label_zero_within(struct world *world) {
    put(world, SSN_ITEM_LABEL, world->snapshot, 0, "a\0b", 3);
}
static void label_gone_and_its_likes_taken(struct world *world) {
    char name[40];
    drop(world, SSN_ITEM_LABEL, world->snapshot, 0);
    (void)snprintf(name, sizeof name, "repaired-%u", (unsigned)world->snapshot);
    put_twin(world, world->snapshot - 1);
    put(world, SSN_ITEM_LABEL, world->snapshot - 1, 0, name, strlen(name));
}
static void property_empty(struct world *world) {
    put(world, SSN_ITEM_PROPERTY, world->snapshot, 9, "", 0);
}
static void entry_run_unknown(struct world *world) {
    put_entry(world, 256, 0, world->point, SSN_ENTRY_ZERO);
}
static void overlay_given_back(struct world *world) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    struct ssn_job_record job = {.kind = SSN_JOB_DROP_OVERLAY, .subject = ssn_get64(item.value + 24)};
    put(world, SSN_ITEM_JOB, 1, 0, value, ssn_job_record_encode(value, &job));
    ssn_put64(item.value + 24, 0);
    put(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0, item.value, item.len);
    put(world, SSN_ITEM_JOB, 2, 1, value, ssn_job_record_encode(value, &job));
}
static void job_point_unknown(struct world *world) {
    uint8_t value[SSN_VALUE_MAX];
    struct ssn_job_record job = {SSN_JOB_RESTORE, world->snapshot, 1 << 20, world->designation, 0};
    put(world, SSN_ITEM_JOB, 1, 0, value, ssn_job_record_encode(value, &job));
    put(world, SSN_ITEM_JOB, 2, 9, value, ssn_job_record_encode(value, &job));
}
static void restored_outside(struct world *world) {
    uint8_t value[SSN_RESTORED_BYTES] = {0};
    put(world, SSN_ITEM_RESTORED, 1, 5, value, sizeof value);
}

const struct wrong_item wrong_items[] = {
    {"designation_malformed", designation_malformed, "malformed", "its record makes no sense", false},
    {"designation_gone", designation_gone, "its designation", "since its designation is lost", false},
    {"designation_gone: ranges", designation_gone, "there are ranges, but no record", "since its designation is lost",
     false},
    {"designation_gone: name", designation_gone, "a name leads to designation", "since its designation is lost", false},
    {"designation_dropping", designation_dropping, "its designation", "since its designation is lost", false},
    {"designation_miscounted", designation_miscounted, "17 blocks in 1 ranges, the ranges are 16 in 1",
     "some of its ranges are lost", false},
    {"designation_id_unknown", designation_id_unknown, "never given out", "its record makes no sense", false},
    {"designation_name_gone", designation_name_gone, "does not lead to it", NULL, false},
    {"ranges_malformed", ranges_malformed, "malformed", "some of its ranges are lost", false},
    {"ranges_outside", ranges_outside, "beyond the origin", "some of its ranges are lost", false},
    {"ranges_overlap", ranges_overlap, "overlap", "some of its ranges are lost", false},
    {"ranges_of_nothing", ranges_of_nothing, "there are ranges, but no record", NULL, false},
    {"name_malformed", name_malformed, "malformed", NULL, false},
    {"name_of_nothing", name_of_nothing, "a name leads to snapshot 999", NULL, false},
    {"name_of_another", name_of_another, "which does not have it", NULL, false},
    {"snapshot_malformed", snapshot_malformed, "malformed", "its record makes no sense", false},
    {"snapshot_id_unknown", snapshot_id_unknown, "never given out", "its record makes no sense", false},
    {"snapshot_point_unknown", snapshot_point_unknown, "never reached", "its record makes no sense", false},
    {"snapshot_designation_unknown", snapshot_designation_unknown, "its designation", "since its designation is lost",
     false},
    {"label_gone", label_gone, "it has no name", "its name is lost", false},
    {"label_gone: name", label_gone, "a name leads to snapshot", "its name is lost", false},
    {"label_malformed", label_malformed, "malformed", "its name is lost", false},
    {"label_changed", label_changed, "does not lead to it", NULL, false},
    {"label_of_nothing", label_of_nothing, "but no record", NULL, false},
    {"property_malformed", property_malformed, "malformed", "properties of it may be lost", false},
    {"property_key_malformed", property_key_malformed, "malformed", "properties of it may be lost", false},
    {"property_value_malformed", property_value_malformed, "malformed", "properties of it may be lost", false},
    {"property_of_nothing", property_of_nothing, "but no record", NULL, false},
    {"entry_malformed", entry_malformed, "malformed", NULL, false},
    {"entry_level_impossible", entry_level_impossible, "malformed", NULL, false},
    {"entry_outside", entry_outside, "beyond the origin", NULL, false},
    {"entry_epoch_unknown", entry_epoch_unknown, "never reached", NULL, false},
    {"entry_epoch_zero", entry_epoch_zero, "never reached", NULL, false},
    {"entry_twice", entry_twice, "two entries of one epoch", NULL, true},
    {"entry_mark_needed", entry_mark_needed, "is a mark", NULL, true},
    {"data_used_twice", data_used_twice, "used", NULL, false},
    {"data_in_the_journal", data_in_the_journal, "place 33", "the preserved copy is damaged", false},
    {"data_outside", data_outside, "outside the store", "the preserved copy is damaged", false},
    {"data_forgotten", data_forgotten, "used", NULL, true},
    {"overlay_malformed", overlay_malformed, "malformed", NULL, false},
    {"overlay_of_nothing", overlay_of_nothing, "no snapshot reads this overlay", NULL, false},
    {"overlay_outside", overlay_outside, "beyond the origin", NULL, false},
    {"job_malformed", job_malformed, "malformed", "its record makes no sense", false},
    {"job_source_unknown", job_source_unknown, "its source", "not all is known of it", false},
    {"job_designation_unknown", job_designation_unknown, "its designation 999", "not all is known of it", false},
    {"restored_malformed", restored_malformed, "malformed", NULL, false},
    {"restored_without_job", restored_without_job, "no job", NULL, false},
    {"state_malformed", state_malformed, "malformed", NULL, false},
    {"state_unknown", state_unknown, "malformed", NULL, false},
    {"quota_malformed", quota_malformed, "malformed", "the store's quota, if it had one, is lost", false},
    {"quota_of_nothing", quota_of_nothing, "malformed", "the store's quota, if it had one, is lost", false},
    {"quota_numbered", quota_numbered, "malformed", NULL, false},
    {"designation_numbered", designation_numbered, "malformed", "its record makes no sense", false},
    {"ranges_gone", ranges_gone, "the ranges are 0 in 0", "some of its ranges are lost", false},
    {"ranges_of_several_snapshots", ranges_of_several_snapshots, "its designation", "since its designation is lost",
     false},
    {"name_of_two", name_of_two, "does not lead to it", NULL, false},
    {"snapshot_numbered", snapshot_numbered, "malformed", "its record makes no sense", false},
    {"snapshot_point_zero", snapshot_point_zero, "malformed", "its record makes no sense", false},
    {"snapshot_overlay_unknown", snapshot_overlay_unknown, "never given out", "its record makes no sense", false},
    {"label_empty", label_empty, "malformed", "its name is lost", false},
    {"label_zero_within", label_zero_within, "malformed", "its name is lost", false},
    {"label_gone_and_its_likes_taken", label_gone_and_its_likes_taken, "it has no name", "its name is lost", false},
    {"property_empty", property_empty, "malformed", "properties of it may be lost", false},
    {"entry_run_unknown", entry_run_unknown, "beyond the origin", NULL, false},
    {"overlay_given_back", overlay_given_back, "malformed", "its record makes no sense", false},
    {"job_point_unknown", job_point_unknown, "never reached", "its record makes no sense", false},
    {"restored_outside", restored_outside, "malformed", NULL, false},
    {"hold_malformed", hold_malformed, "its hold 1 is malformed", "holds of it may be lost", false},
    {"hold_number_unknown", hold_number_unknown, "never given out", "holds of it may be lost", false},
    {"hold_of_nothing", hold_of_nothing, "there is a hold, but no record", NULL, false},
    {"term_malformed", term_malformed, "its term is malformed", "the expiry and quota of it may be lost", false},
    {"term_numbered", term_numbered, "its term is malformed", "the expiry and quota of it may be lost", false},
    {"term_of_nothing", term_of_nothing, "there is a term, but no record", NULL, false},
    {"membership_short", membership_short, "of its group is malformed", "the group that it was made in", false},
    {"membership_number_beyond", membership_number_beyond, "of its group is malformed", "the group that it was made in",
     false},
    {"membership_of_too_many", membership_of_too_many, "of its group is malformed", "the group that it was made in",
     false},
    {"membership_name_malformed", membership_name_malformed, "of its group is malformed",
     "the group that it was made in", false},
    {"membership_numbered", membership_numbered, "of its group is malformed", "the group that it was made in", false},
    {"membership_of_nothing", membership_of_nothing, "a group is noted, but there is no record", NULL, false},
    {"received_short", received_short, "received from is malformed", "it is not known from where", false},
    {"received_state_unknown", received_state_unknown, "received from is malformed", "it is not known from where",
     false},
    {"received_unfinished_too_short", received_unfinished_too_short, "received from is malformed",
     "it is not known from where", false},
    {"received_whole_too_long", received_whole_too_long, "received from is malformed", "it is not known from where",
     false},
    {"received_flag_unknown", received_flag_unknown, "received from is malformed", "it is not known from where", false},
    {"received_from_no_snapshot", received_from_no_snapshot, "received from is malformed", "it is not known from where",
     false},
    {"received_numbered", received_numbered, "received from is malformed", "it is not known from where", false},
    {"received_of_nothing", received_of_nothing, "it was received, but there is no record", NULL, false},
    {"layer_malformed", layer_malformed, "its record is malformed", NULL, false},
    {"layer_on_nothing", layer_on_nothing, "its record is malformed", NULL, false},
    {"layer_on_itself", layer_on_itself, "its record is malformed", NULL, false},
    {"layer_numbered", layer_numbered, "its record is malformed", NULL, false},
    {"layer_id_unknown", layer_id_unknown, "never given out", NULL, false},
    {"layer_of_nothing", layer_of_nothing, "no snapshot reads this overlay", NULL, false},
    {"layer_malformed_below", layer_malformed_below, "no snapshot reads this overlay",
     "not known which of its blocks were written into", false},
    {"layers_too_many", layers_too_many, "more than 32 below each other",
     "not known which of its blocks were written into", false},
    {"layer_on_what_is_written", layer_on_what_is_written, "is written into", NULL, true},
    {"layer_on_what_is_dropped", layer_on_what_is_dropped, "is being dropped", NULL, true},
    {"size_malformed", size_malformed, "the size that its origin had is malformed", "the size of its origin", false},
    {"size_numbered", size_numbered, "the size that its origin had is malformed", "the size of its origin", false},
    {"size_too_great", size_too_great, "the size that its origin had is malformed", "the size of its origin", false},
    {"size_of_nothing", size_of_nothing, "a size is noted, but there is no record", NULL, false},
};
const unsigned wrong_item_count = sizeof wrong_items / sizeof wrong_items[0];

void world_open(struct world *world) {
    memset(world, 0, sizeof *world);
    const struct rig_options small = {.store_bytes = 2 << 20, .journal_bytes = 65536};
    rig_open(&world->rig, &small);
    rig_save(&world->rig, "d", 0, 16);
    world->snapshot = rig_snapshot_of(&world->rig, "s", "d");
    rig_write(&world->rig, 0, 1, 1);
    rig_write(&world->rig, 3, 1, 1);
    selsnap_view *view = rig_view(&world->rig, world->snapshot, SELSNAP_VIEW_WRITABLE, SELSNAP_UNDESIGNATED_ERROR);
    assert_ok(selsnap_view_write(view, "hello", 5, 8 * 4096));
    assert_ok(selsnap_view_close(view));
    struct ssn_item item = get(world, SSN_ITEM_SNAPSHOT, world->snapshot, 0);
    world->point = ssn_get64(item.value);
    world->designation = ssn_get64(item.value + 8);
    rig_assert_sound(&world->rig);
}

void world_break(struct world *world, unsigned i, bool fold) {
    ssn_txn_init(&world->txn, world->rig.ss->store);
    wrong_items[i].change(world);
    assert_ok(ssn_store_commit(world->rig.ss->store, &world->txn, true));
    ssn_txn_fini(&world->txn);
    if (fold) {
        assert_ok(ssn_store_checkpoint(world->rig.ss->store));
    }
}
