/* SPDX-License-Identifier: Apache-2.0 */
/* What may differ between two points, through the public interface. Blocks have 4 KiB; nothing is preserved ahead. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 4096, TEXT = 512 };

/* All ranges, as text: "c4+2 u8+1 l9+1", in blocks. */
static const char *diff_within(struct rig *rig, uint64_t from, uint64_t to, const selsnap_subset *within, char *text) {
    selsnap_diff_options options = SELSNAP_DIFF_OPTIONS_INIT;
    selsnap_diff_range range;
    uint64_t at = 0;
    size_t used = 0;
    int rc;
    options.from_id = from;
    options.to_id = to;
    options.within = within;
    text[0] = '\0';
    while ((rc = selsnap_diff_next(rig->ss, &options, at, &range)) == SELSNAP_OK) {
        assert_true(range.offset >= at && range.len > 0 && range.reserved == 0);
        assert_true(range.kind >= SELSNAP_DIFF_CHANGED && range.kind <= SELSNAP_DIFF_LOST);
        used += (size_t)snprintf(text + used, TEXT - used, "%s%c%u+%u", used == 0 ? "" : " ", " cul"[range.kind],
                                 (unsigned)(range.offset / BLOCK), (unsigned)((range.len + BLOCK - 1) / BLOCK));
        assert_true(used < TEXT);
        at = range.offset + range.len;
    }
    assert_int_equal(rc, SELSNAP_ENOENT);
    return text;
}

static const char *diff(struct rig *rig, uint64_t from, uint64_t to, char *text) {
    return diff_within(rig, from, to, NULL, text);
}

static uint64_t bookmark(struct rig *rig, const char *name, uint64_t first, uint64_t count) {
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_subset *subset = rig_subset(rig, first, count);
    uint64_t id;
    options.name = name;
    options.subset = subset;
    options.flags = SELSNAP_SNAPSHOT_BOOKMARK;
    assert_int_equal(selsnap_snapshot_create(rig->ss, &options, &id), SELSNAP_OK);
    selsnap_subset_close(subset);
    return id;
}

static void test_diff__between_points__tells_what_changed_between_them(void **state) {
    (void)state;
    struct rig rig;
    char text[TEXT];
    rig_open(&rig, NULL);
    uint64_t one = rig_snapshot(&rig, "one", 0, 0);
    rig_write(&rig, 3, 2, 1);
    uint64_t two = bookmark(&rig, "two", 0, 0);
    rig_write(&rig, 4, 3, 2);
    uint64_t three = rig_snapshot(&rig, "three", 0, 0);
    rig_write(&rig, 60, 1, 3);
    assert_string_equal(diff(&rig, one, two, text), "c3+2");
    assert_string_equal(diff(&rig, two, three, text), "c4+3");
    assert_string_equal(diff(&rig, one, three, text), "c3+4");
    assert_string_equal(diff(&rig, three, 0, text), "c60+1");
    assert_string_equal(diff(&rig, one, 0, text), "c3+4 c60+1");
    assert_string_equal(diff(&rig, two, two, text), "");
    assert_int_equal(selsnap_snapshot_delete(rig.ss, two), SELSNAP_OK);
    rig_settle(&rig);
    assert_string_equal(diff(&rig, one, 0, text), "c3+4 c60+1");
    rig_reopen(&rig);
    assert_string_equal(diff(&rig, one, three, text), "c3+4");
    rig_assert_sound(&rig);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff__between_points__tells_what_changed_between_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
