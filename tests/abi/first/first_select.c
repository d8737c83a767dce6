/* SPDX-License-Identifier: Apache-2.0 */
/* As first_program.c, for libselsnap-select. */
#include <selsnap/select.h>
#include <stdio.h>

static int number;
static int failed;

static void check(int good, const char *what) {
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, what);
    failed += !good;
}

#define CHECK(condition) check((condition), #condition)
#define WORKS(call) check((call) == SELSNAP_OK, #call)

int main(void) {
    selsnap_selection *selection = NULL, *hole = NULL;
    selsnap_partition partition = SELSNAP_PARTITION_INIT;
    selsnap_subset *subset = NULL;
    selsnap_range range = {0, 0};
    WORKS(selsnap_selection_open(&selection));
    WORKS(selsnap_selection_open(&hole));
    WORKS(selsnap_subset_open(1 << 20, 4096, &subset));
    WORKS(selsnap_selection_add_range(selection, 5000, 100000));
    WORKS(selsnap_selection_next(selection, 0, &range));
    CHECK(range.offset == 5000 && range.len == 100000);
    WORKS(selsnap_selection_add_to(selection, subset));
    CHECK(selsnap_subset_block_count(subset) == 25);
    WORKS(selsnap_selection_add_range(hole, 8192, 8192));
    WORKS(selsnap_selection_take_from(hole, subset));
    CHECK(selsnap_subset_block_count(subset) == 23);
    CHECK(selsnap_partition_next(selection, "/nowhere", 0, &partition) == SELSNAP_EIO);
    CHECK(selsnap_selection_error(selection)[0] != '\0');
    selsnap_subset_close(subset);
    selsnap_selection_close(hole);
    selsnap_selection_close(selection);
    printf("1..%d\n", number);
    return failed != 0;
}
