/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: gathers what a person wants to know of a store, and prints it as one HTML page. A snapshot that is deleted
 * meanwhile is left out. One whose figures cannot be counted says why in its place, and the command fails at its end.
 */
#include "report_html.h"
#include "system.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Room for one item more, of @p size bytes; NULL: no memory. What was there stays. */
static void *grow(void *items, size_t count, size_t size) {
    return (count & (count + 1)) == 0 || count == 0 ? realloc(items, (2 * count + 1) * size) : items;
}

/* What was written into the file, to be freed; NULL: no memory. */
static char *text_of(FILE *file) {
    long len = ftell(file);
    char *text = len >= 0 ? calloc(1, (size_t)len + 1) : NULL;
    rewind(file);
    if (text != NULL && fread(text, 1, (size_t)len, file) != (size_t)len) {
        free(text);
        text = NULL;
    }
    return text;
}

/* What the holds that have a number say, a line each. A SELSNAP_* code. */
static int gather_holds(struct cli *cli, struct report_row *row) {
    selsnap_hold_info hold;
    memset(&hold, 0, sizeof(hold));
    hold.struct_size = sizeof(hold);
    int code;
    FILE *out = NULL;
    while ((code = selsnap_hold_next(cli->ss, row->info.id, hold.hold, &hold)) == SELSNAP_OK) {
        char until[32] = "";
        out = out != NULL ? out : system_scratch();
        if (out == NULL) {
            return SELSNAP_ENOMEM;
        }
        if (hold.until_ns != 0) {
            time_text(hold.until_ns, until, sizeof(until));
            until[10] = '\0'; /* the day */
        }
        if (hold.ended == 0 && hold.until_ns > row->held_until_ns) {
            row->held_until_ns = hold.until_ns;
        }
        fprintf(out, "%s%s%s%s%s%s", ftell(out) > 0 ? "; " : "", hold.ended != 0 ? "ended " : "",
                (hold.flags & SELSNAP_HOLD_LOCK) != 0 ? "locked " : "", hold.until_ns != 0 ? "until " : "", until,
                hold.reason[0] != '\0' && (hold.until_ns != 0 || (hold.flags & SELSNAP_HOLD_LOCK) != 0) ? ": " : "");
        fputs(hold.reason, out);
    }
    if (out != NULL) {
        row->holds = text_of(out);
        fclose(out);
        code = row->holds == NULL ? SELSNAP_ENOMEM : code;
    }
    return code == SELSNAP_ENOENT ? SELSNAP_OK : code;
}

/* The figures of one snapshot. A SELSNAP_* code. */
static int gather_row(struct cli *cli, struct report_row *row) {
    uint64_t id = row->info.id;
    int code = stop_asked(cli) ? SELSNAP_ECANCELED : SELSNAP_OK;
    row->usage.struct_size = sizeof(row->usage);
    code = code == SELSNAP_OK ? selsnap_snapshot_get_usage(cli->ss, id, NULL, NULL, &row->usage) : code;
    code = code == SELSNAP_OK ? selsnap_space_freed(cli->ss, &id, 1, NULL, NULL, &row->freed_bytes) : code;
    code = code == SELSNAP_OK ? selsnap_snapshot_get_expiry(cli->ss, id, &row->expiry_ns) : code;
    return code == SELSNAP_OK ? gather_holds(cli, row) : code;
}

static int gather_rows(struct cli *cli, struct report *report, struct progress *progress) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int code;
    while ((code = selsnap_snapshot_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        struct report_row *rows = grow(report->rows, report->row_count, sizeof(*rows));
        if (rows == NULL) {
            return fail_with(cli, SELSNAP_ENOMEM, "", "snapshots");
        }
        report->rows = rows;
        struct report_row *row = &rows[report->row_count];
        memset(row, 0, sizeof(*row));
        row->info = info;
        row->code = gather_row(cli, row);
        if (row->code == SELSNAP_ECANCELED || row->code == SELSNAP_ENOMEM) {
            report->row_count++; /* for its text to be freed */
            return fail(cli, row->code, "snapshot '%s'", info.name);
        }
        report->row_count += row->code == SELSNAP_ENOENT ? 0 : 1;
        (void)progress_tell(progress, report->row_count, report->stats.snapshots);
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "snapshots");
}

static int gather_subsets(struct cli *cli, struct report *report) {
    selsnap_designation_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    int code;
    while ((code = selsnap_designation_next(cli->ss, info.id, &info)) == SELSNAP_OK) {
        if (info.name[0] == '\0') {
            continue; /* snapshots refer to it, nobody else */
        }
        selsnap_designation_info *subsets = grow(report->subsets, report->subset_count, sizeof(*subsets));
        if (subsets == NULL) {
            return fail_with(cli, SELSNAP_ENOMEM, "", "subsets");
        }
        report->subsets = subsets;
        subsets[report->subset_count++] = info;
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail(cli, code, "subsets");
}

static int gather(struct cli *cli, struct report *report) {
    const selsnap_stats init = SELSNAP_STATS_INIT;
    struct timespec now = {0, 0};
    struct progress progress;
    clock_gettime(CLOCK_REALTIME, &now);
    report->now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    report->stats = init;
    int code = selsnap_get_stats(cli->ss, &report->stats);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "figures");
    }
    progress_init(&progress, cli, "counting");
    int result = gather_rows(cli, report, &progress);
    progress_end(&progress);
    return result == CLI_OK ? gather_subsets(cli, report) : result;
}

static int print_maps(struct cli *cli, struct report *report) {
    struct picture picture;
    int result = picture_init(cli, &picture, REPORT_CELLS);
    size_t first = report->row_count > REPORT_DRAWN_MAX ? report->row_count - REPORT_DRAWN_MAX : 0;
    for (size_t i = first; i < report->row_count && result == CLI_OK; i++) {
        struct report_row *row = &report->rows[i];
        int code = row->code == SELSNAP_OK ? picture_fill(cli, &picture, row->info.id) : row->code;
        if (code == SELSNAP_ECANCELED || code == SELSNAP_ENOMEM) {
            result = fail(cli, code, "snapshot '%s'", row->info.name);
        }
        row->code =
            code != SELSNAP_ENOENT ? code : row->code; /* deleted meanwhile: its figures still are of a moment */
        if (code != SELSNAP_ENOENT) {
            svg_map(cli, row, &picture);
        }
    }
    picture_fini(&picture);
    return result;
}

static int print_page(struct cli *cli, struct report *report) {
    page_head(cli, report);
    svg_store(cli, report);
    fputs("<h2>Maps</h2>\n", cli->out);
    svg_legend(cli);
    int result = print_maps(cli, report);
    if (result != CLI_OK) {
        return result;
    }
    page_table(cli, report);
    svg_time_line(cli, report);
    page_subsets(cli, report);
    page_end(cli);
    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].code != SELSNAP_OK) {
            result =
                fail_with(cli, report->rows[i].code, "", "snapshot '%s' is not counted", report->rows[i].info.name);
        }
    }
    return result;
}

int cmd_report(struct cli *cli) {
    struct report report;
    memset(&report, 0, sizeof(report));
    int result = session_open(cli, false);
    if (result == CLI_OK) {
        result = gather(cli, &report);
    }
    if (result == CLI_OK) {
        result = print_page(cli, &report);
    }
    for (size_t i = 0; i < report.row_count; i++) {
        free(report.rows[i].holds);
    }
    free(report.rows);
    free(report.subsets);
    return result;
}
