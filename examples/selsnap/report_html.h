/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTML report: what is gathered of a store, and how it becomes a page.
 *
 * The page is well-formed XML too. All text that others chose goes through page_text(). Figures stand in data
 * attributes exactly, and beside them as a person reads them.
 */
#ifndef SELSNAP_REPORT_HTML_H
#define SELSNAP_REPORT_HTML_H

#include "picture.h"

/* So many of the newest snapshots have a map and a place on the time line. */
#define REPORT_DRAWN_MAX 200
/* Cells of a map. */
#define REPORT_CELLS 480

struct report_row {
    selsnap_snapshot_info info;
    selsnap_snapshot_usage usage;
    uint64_t freed_bytes;  /* By deleting it alone. */
    int64_t expiry_ns;     /* 0: never */
    int64_t held_until_ns; /* The latest end of its holds that have one; 0: none has. */
    char *holds;           /* Reasons and ends, in words; NULL: no holds with a number. */
    int code;              /* What kept its figures from being counted, or SELSNAP_OK. */
};

struct report {
    selsnap_stats stats;
    struct report_row *rows; /* Oldest first. */
    size_t row_count;
    selsnap_designation_info *subsets;
    size_t subset_count;
    int64_t now_ns;
};

/* report_page.c */
/* Text in the page: escaped; what no page may hold becomes U+FFFD. */
void page_text(struct cli *cli, const char *text);
/* The page up to the maps; and its end. */
void page_head(struct cli *cli, const struct report *report);
void page_end(struct cli *cli);
void page_subsets(struct cli *cli, const struct report *report);
void page_table(struct cli *cli, const struct report *report);

/* report_svg.c */
void svg_store(struct cli *cli, const struct report *report);
/* One snapshot's map; @p picture is filled with it. */
void svg_map(struct cli *cli, const struct report_row *row, const struct picture *picture);
void svg_legend(struct cli *cli);
void svg_time_line(struct cli *cli, const struct report *report);

#endif
