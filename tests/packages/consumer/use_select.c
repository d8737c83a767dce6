/* SPDX-License-Identifier: Apache-2.0 */
/* Uses libselsnap-select as an installed library: prints the range that is chosen, and what is said of a missing file. */
#include <inttypes.h>
#include <selsnap/select.h>
#include <stdio.h>

int main(void) {
    selsnap_selection *selection = NULL;
    int rc = selsnap_selection_open(&selection);
    rc = rc ? rc : selsnap_selection_add_range(selection, 4096, 8192);
    selsnap_range range = {0, 0};
    rc = rc ? rc : selsnap_selection_next(selection, 0, &range);
    selsnap_subset *subset = NULL;
    rc = rc ? rc : selsnap_subset_open(1 << 20, 4096, &subset);
    rc = rc ? rc : selsnap_selection_add_to(selection, subset);
    if (rc == SELSNAP_OK) {
        printf("%" PRIu64 "+%" PRIu64 ", %" PRIu64 " blocks\n", range.offset, range.len, selsnap_subset_block_count(subset));
        /* Through libblkid: there is no such image. */
        printf("%s\n", selsnap_error_name(selsnap_selection_add_partition(selection, "missing.img", 1)));
    }
    selsnap_subset_close(subset);
    selsnap_selection_close(selection);
    return rc != SELSNAP_OK;
}
