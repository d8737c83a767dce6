/* SPDX-License-Identifier: Apache-2.0 */
/* See report_html.h: the page, its style and its tables. */
#include "report_html.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const style =
    ":root{color-scheme:light dark;--text:#1c2430;--soft:#5c6776;--back:#fff;--panel:#f5f7fa;--line:#d9dfe7;"
    "--undesignated:#e8ecf1;--unchanged:#7fa8dc;--partly:#8fc08a;--preserved:#3a9147;--zero:#3fb6b6;--changed:#8a5fc0;"
    "--overlay:#e0a100;--lost:#d0312d;--used:#4a76b8;--pending:#9aa7b8}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#dfe5ee;--soft:#94a0b2;--back:#14181f;--panel:#1c222c;"
    "--line:#323b49;--undesignated:#2a313d;--unchanged:#3f6699;--partly:#4b8256;--preserved:#5cc46c;--zero:#3fb6b6;"
    "--changed:#a98be0;--overlay:#f0b92e;--lost:#ff5a52;--used:#6f9be0;--pending:#66738a}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:1.5rem;max-width:84rem;background:var(--back);"
    "color:var(--text);font:15px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}.soft{color:var(--soft)}\n"
    "p{margin:.3rem 0}svg{display:block;width:100%}svg.bar{height:22px;border-radius:4px}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}.facts div{background:var(--panel);border:1px solid "
    "var(--line);border-radius:6px;padding:.4rem .8rem}.facts b{display:block;font-size:1.1rem}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.5rem 0;font-size:.9rem}.key i{display:inline-block;"
    "width:.85em;height:.85em;border-radius:2px;margin-right:.4em;border:1px solid var(--line)}\n"
    ".map{display:grid;grid-template-columns:11rem 1fr;gap:.8rem;align-items:center;margin:.25rem 0}\n"
    ".map span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;text-align:right}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.88rem}th,td{padding:.3rem .45rem;"
    "border-bottom:1px solid var(--line);text-align:left;vertical-align:top}th{color:var(--soft);font-weight:600;"
    "vertical-align:bottom}th.n{white-space:normal}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-"
    "nums}"
    "td.name{min-width:8rem;max-width:18rem;overflow-wrap:anywhere}td.subset{overflow-wrap:anywhere}td.holds{min-width:"
    "7rem;overflow-wrap:anywhere}td.time{white-space:nowrap}.bad{color:var(--lost)}\n"
    ".undesignated{fill:var(--undesignated);background:var(--undesignated)}"
    ".unchanged{fill:var(--unchanged);background:var(--unchanged)}.partly{fill:var(--partly);background:var(--partly)}"
    ".preserved{fill:var(--preserved);background:var(--preserved)}.zero{fill:var(--zero);background:var(--zero)}"
    ".changed{fill:var(--changed);background:var(--changed)}.overlay{fill:var(--overlay);background:var(--overlay)}"
    ".lost{fill:var(--lost);background:var(--lost)}.used{fill:var(--used);background:var(--used)}"
    ".pending{fill:var(--pending);background:var(--pending)}.free{fill:var(--undesignated);"
    "background:var(--undesignated)}\n"
    "svg text{fill:var(--text);font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}svg .grid{stroke:var(--line)}"
    "svg .limit{stroke:var(--lost);stroke-width:2}\n";

/* The length of the UTF-8 character at @p c that a page may hold, or 0. */
static size_t character_len(const unsigned char *c) {
    uint32_t code = c[0];
    size_t len = code < 0x80                   ? 1
                 : code >= 0xC2 && code < 0xE0 ? 2
                 : code >= 0xE0 && code < 0xF0 ? 3
                 : code >= 0xF0 && code < 0xF5 ? 4
                                               : 0;
    if (len < 2) {
        return len == 1 && c[0] >= 0x20 && c[0] != 0x7F ? 1 : 0;
    }
    code &= 0x7Fu >> len;
    for (size_t i = 1; i < len; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (c[i] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool good = code >= least[len] && code >= 0xA0 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) &&
                (code & 0xFFFE) != 0xFFFE;
    return good ? len : 0;
}

void page_text(struct cli *cli, const char *text) {
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    while (*text != '\0') {
        size_t len = character_len((const unsigned char *)text);
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
            entity = entities[i].c == *text ? entities[i].entity : entity;
        }
        if (len == 0) {
            fputs("\xEF\xBF\xBD", cli->out);
        } else if (entity != NULL) {
            fputs(entity, cli->out);
        } else {
            fwrite(text, 1, len, cli->out);
        }
        text += len == 0 ? 1 : len;
    }
}

/* A name: whatever direction its text has, it ends with the name. */
static void name_text(struct cli *cli, const char *name) {
    fputs("<bdi>", cli->out);
    page_text(cli, name);
    fputs("</bdi>", cli->out);
}

static void fact(struct cli *cli, const char *what, const char *value, const char *more) {
    fprintf(cli->out, "<div><span class=\"soft\">%s</span><b>%s</b>%s</div>\n", what, value, more);
}

void page_head(struct cli *cli, const struct report *report) {
    const selsnap_stats *stats = &report->stats;
    char a[64];
    char b[64];
    char when[32];
    fprintf(cli->out,
            "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta "
            "charset=\"utf-8\"/>\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
            "<meta name=\"generator\" content=\"selsnap %s\"/>\n<title>Snapshots of ",
            selsnap_version_string());
    page_text(cli, cli->origin_name);
    fprintf(cli->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>Snapshots of ", style);
    name_text(cli, cli->origin_name);
    fputs("</h1>\n<p class=\"soft\">store ", cli->out);
    name_text(cli, session_store_path(cli));
    fprintf(cli->out, ", on %s</p>\n", time_text(report->now_ns, when, sizeof(when)));
    fprintf(cli->out,
            "<div class=\"facts\" id=\"facts\" data-origin-bytes=\"%" PRIu64 "\" data-block-bytes=\"%" PRIu32
            "\" data-store-bytes=\"%" PRIu64 "\" data-store-used-bytes=\"%" PRIu64 "\" data-store-free-bytes=\"%" PRIu64
            "\" data-store-quota-bytes=\"%" PRIu64 "\" data-snapshots=\"%" PRIu64 "\">\n",
            stats->origin_bytes, stats->block_bytes, stats->store_bytes, stats->store_used_bytes,
            stats->store_free_bytes, stats->store_quota_bytes, stats->snapshots);
    fact(cli, "device", size_text(stats->origin_bytes, a, sizeof(a)), "");
    fact(cli, "block", size_text(stats->block_bytes, a, sizeof(a)), "");
    fact(cli, "store", size_text(stats->store_bytes, a, sizeof(a)), "");
    snprintf(a, sizeof(a), "%s", size_text(stats->store_used_bytes, b, sizeof(b)));
    fact(cli, "in use", a, "");
    fact(cli, "free", size_text(stats->store_free_bytes, a, sizeof(a)),
         stats->reclaim_pending != 0 ? "more after <code>selsnap step --all</code>" : "");
    if (stats->store_quota_bytes != 0) {
        fact(cli, "quota", size_text(stats->store_quota_bytes, a, sizeof(a)), "");
    }
    snprintf(a, sizeof(a), "%" PRIu64, stats->snapshots);
    fact(cli, "snapshots", a, "");
    fputs("</div>\n", cli->out);
}

void page_end(struct cli *cli) {
    fputs("</body>\n</html>\n", cli->out);
}

/* A cell with a size; the exact one on pointing at it. */
static void size_cell(struct cli *cli, uint64_t bytes, const char *none) {
    char text[32];
    if (bytes == 0 && none != NULL) {
        fprintf(cli->out, "<td class=\"n soft\">%s</td>", none);
        return;
    }
    fprintf(cli->out, "<td class=\"n\" title=\"%" PRIu64 " bytes\">%s</td>", bytes,
            size_text(bytes, text, sizeof(text)));
}

static void time_cell(struct cli *cli, int64_t time_ns) {
    char text[32];
    if (time_ns == 0) {
        fputs("<td class=\"soft\">never</td>", cli->out);
        return;
    }
    time_text(time_ns, text, sizeof(text));
    fprintf(cli->out, "<td class=\"time\" title=\"%s\">%.10s %.5s</td>", text, text,
            strlen(text) > 16 ? text + 11 : "");
}

/* Everything that is true of it, in words. */
static void notes_cell(struct cli *cli, const struct report_row *row) {
    const selsnap_snapshot_info *info = &row->info;
    fputs("<td>", cli->out);
    if (row->code != SELSNAP_OK) {
        fprintf(cli->out, "<span class=\"bad\">not counted: %s</span> ", selsnap_strerror(row->code));
    }
    if (row->usage.lost_blocks > 0) {
        fprintf(cli->out, "<span class=\"bad\">%" PRIu64 " blocks lost</span> ", row->usage.lost_blocks);
    }
    fputs(info->bookmark != 0 ? "bookmark " : "", cli->out);
    fputs(info->restoring != 0 ? "being restored " : "", cli->out);
    fputs(info->policy == SELSNAP_POLICY_GIVE_UP_BLOCK ? "may give up blocks" : "", cli->out);
    fputs("</td>", cli->out);
}

static void table_row(struct cli *cli, const struct report_row *row, uint64_t block_bytes) {
    const selsnap_snapshot_info *info = &row->info;
    const selsnap_snapshot_usage *usage = &row->usage;
    fprintf(cli->out,
            "<tr data-id=\"%" PRIu64 "\" data-block-count=\"%" PRIu64 "\" data-preserved-blocks=\"%" PRIu64
            "\" data-zero-blocks=\"%" PRIu64 "\" data-lost-blocks=\"%" PRIu64 "\" data-alone-bytes=\"%" PRIu64
            "\" data-shared-bytes=\"%" PRIu64 "\" data-overlay-bytes=\"%" PRIu64 "\" data-quota-bytes=\"%" PRIu64
            "\" data-freed-bytes=\"%" PRIu64 "\" data-holds=\"%" PRIu32 "\"><td class=\"name\">",
            info->id, info->block_count, usage->preserved_blocks, usage->zero_blocks, usage->lost_blocks,
            usage->alone_bytes, usage->shared_bytes, usage->overlay_bytes, info->quota_bytes, row->freed_bytes,
            info->holds);
    name_text(cli, info->name);
    fputs("</td>", cli->out);
    time_cell(cli, info->time_ns);
    fputs("<td class=\"subset\">", cli->out);
    name_text(cli, info->designation);
    fputs("</td>", cli->out);
    size_cell(cli, info->block_count * block_bytes, NULL);
    size_cell(cli, usage->preserved_blocks * block_bytes, "0");
    size_cell(cli, usage->alone_bytes, "0");
    size_cell(cli, usage->shared_bytes, "0");
    size_cell(cli, usage->overlay_bytes, "0");
    size_cell(cli, info->quota_bytes, "none");
    size_cell(cli, row->freed_bytes, "0");
    fprintf(cli->out, "<td class=\"holds\">%" PRIu32 "%s", info->holds, row->holds != NULL ? ": " : "");
    name_text(cli, row->holds != NULL ? row->holds : "");
    fputs("</td>", cli->out);
    time_cell(cli, row->expiry_ns);
    notes_cell(cli, row);
    fputs("</tr>\n", cli->out);
}

void page_table(struct cli *cli, const struct report *report) {
    fputs("<h2>Snapshots</h2>\n", cli->out);
    if (report->row_count == 0) {
        fputs("<p class=\"soft\">There are none.</p>\n", cli->out);
        return;
    }
    fputs("<div class=\"wide\"><table id=\"snapshots\">\n<thead><tr><th>name</th><th>taken</th><th>subset</th>"
          "<th class=\"n\">designated</th><th class=\"n\">changed since</th><th class=\"n\">kept for it alone</th>"
          "<th class=\"n\">kept, shared</th><th class=\"n\">overlay</th><th class=\"n\">quota</th>"
          "<th class=\"n\">deleting frees</th><th>holds</th><th>expires</th><th>notes</th></tr></thead>\n<tbody>\n",
          cli->out);
    for (size_t i = 0; i < report->row_count; i++) {
        table_row(cli, &report->rows[i], report->stats.block_bytes);
    }
    fputs("</tbody>\n</table></div>\n", cli->out);
}

void page_subsets(struct cli *cli, const struct report *report) {
    if (report->subset_count == 0) {
        return;
    }
    fputs("<h2>Saved subsets</h2>\n<div class=\"wide\"><table id=\"subsets\">\n<thead><tr><th>name</th>"
          "<th class=\"n\">size</th><th class=\"n\">ranges</th><th class=\"n\">snapshots</th></tr></thead>\n<tbody>\n",
          cli->out);
    for (size_t i = 0; i < report->subset_count; i++) {
        const selsnap_designation_info *info = &report->subsets[i];
        fputs("<tr><td class=\"name\">", cli->out);
        name_text(cli, info->name);
        fputs("</td>", cli->out);
        size_cell(cli, info->block_count * report->stats.block_bytes, NULL);
        fprintf(cli->out, "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td></tr>\n", info->range_count,
                info->snapshots);
    }
    fputs("</tbody>\n</table></div>\n", cli->out);
}
