/* SPDX-License-Identifier: Apache-2.0 */
/* See report_html.h: what is drawn. Each drawn thing has a title, which browsers show on pointing at it. */
#include "report_html.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_HEIGHT 22
#define LINE_WIDTH 1000
#define LABEL_END 180     /* Where the time line's names end, */
#define AXIS_END 980      /* and where its axis does. */
#define SECONDS_MAX 9.2e9 /* As nanoseconds in 64 bits. */

static const struct {
    const char *class;
    const char *text;
} marks[MARK_COUNT] = {
    [MARK_UNDESIGNATED] = {"undesignated", "not in the snapshot"},
    [MARK_UNCHANGED] = {"unchanged", "unchanged since, shared with the device"},
    [MARK_PARTLY] = {"partly", "partly changed"},
    [MARK_PRESERVED] = {"preserved", "changed, old content preserved"},
    [MARK_ZERO] = {"zero", "changed, held zeros"},
    [MARK_CHANGED] = {"changed", "changed (a bookmark keeps no content)"},
    [MARK_OVERLAY] = {"overlay", "written into the snapshot"},
    [MARK_LOST] = {"lost", "lost"},
};

/* ---- the store ---- */

static double store_piece(struct cli *cli, const struct report *report, double at, uint64_t bytes, const char *class,
                          const char *text) {
    char size[32];
    double width = 1000.0 * (double)bytes / (double)report->stats.store_bytes;
    fprintf(cli->out, "<rect x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"1\" class=\"%s\"><title>%s: %s</title></rect>",
            at, width, class, text, size_text(bytes, size, sizeof(size)));
    return at + width;
}

void svg_store(struct cli *cli, const struct report *report) {
    const selsnap_stats *stats = &report->stats;
    uint64_t pending = stats->store_pending_bytes < stats->store_used_bytes ? stats->store_pending_bytes : 0;
    uint64_t journal = stats->journal_bytes < stats->store_used_bytes - pending ? stats->journal_bytes : 0;
    uint64_t rest = stats->store_used_bytes - pending - journal;
    uint64_t free_bytes =
        stats->store_bytes > stats->store_used_bytes ? stats->store_bytes - stats->store_used_bytes : 0;
    fputs("<h2>Store</h2>\n<svg class=\"bar\" id=\"store\" viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" "
          "xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"use of the store\">",
          cli->out);
    double at = store_piece(cli, report, 0.0, rest, "used", "copies and metadata");
    at = store_piece(cli, report, at, journal, "unchanged", "journal");
    at = store_piece(cli, report, at, pending, "pending", "freed, usable after the next checkpoint");
    (void)store_piece(cli, report, at, free_bytes, "free", "not in use");
    fputs(
        "</svg>\n<div class=\"key\"><span><i class=\"used\"></i>copies and metadata</span><span><i class=\"unchanged\">"
        "</i>journal</span><span><i class=\"pending\"></i>freed, usable after the next checkpoint</span><span>"
        "<i class=\"free\"></i>not in use</span></div>\n",
        cli->out);
}

/* ---- maps ---- */

void svg_legend(struct cli *cli) {
    fputs(
        "<p class=\"soft\">The device from its first byte on the left to its last on the right. Where a piece of a map "
        "holds several things, the gravest shows.</p>\n<div class=\"key\">",
        cli->out);
    for (size_t mark = 0; mark < MARK_COUNT; mark++) {
        fprintf(cli->out, "<span><i class=\"%s\"></i>%s</span>", marks[mark].class, marks[mark].text);
    }
    fputs("</div>\n", cli->out);
}

void svg_map(struct cli *cli, const struct report_row *row, const struct picture *picture) {
    fprintf(cli->out, "<div class=\"map\" data-id=\"%" PRIu64 "\"", row->info.id);
    for (uint32_t state = 0; state <= SELSNAP_BLOCKS_CHANGED && row->code == SELSNAP_OK; state++) {
        fprintf(cli->out, " data-%s-bytes=\"%" PRIu64 "\"", state_name(state), picture->sum.bytes[state]);
    }
    fputs("><span title=\"", cli->out);
    page_text(cli, row->info.name);
    fputs("\"><bdi>", cli->out);
    page_text(cli, row->info.name);
    fputs("</bdi></span>", cli->out);
    if (row->code != SELSNAP_OK) {
        fprintf(cli->out, "<b class=\"bad\">%s</b></div>\n", selsnap_strerror(row->code));
        return;
    }
    fprintf(cli->out,
            "<svg class=\"bar\" viewBox=\"0 0 %zu 1\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" "
            "xmlns=\"http://www.w3.org/2000/svg\">",
            picture->cell_count);
    for (size_t begin = 0; begin < picture->cell_count;) {
        enum mark mark = cell_mark(&picture->cells[begin]);
        size_t end = begin + 1;
        char from[32];
        char to[32];
        while (end < picture->cell_count && cell_mark(&picture->cells[end]) == mark) {
            end++;
        }
        uint64_t end_bytes = end * picture->cell_bytes;
        end_bytes = end_bytes < picture->device_bytes ? end_bytes : picture->device_bytes;
        fprintf(cli->out,
                "<rect x=\"%zu\" y=\"0\" width=\"%zu\" height=\"1\" class=\"%s\"><title>%s: %s to %s</title></rect>",
                begin, end - begin, marks[mark].class, marks[mark].text,
                size_text(begin * picture->cell_bytes, from, sizeof(from)), size_text(end_bytes, to, sizeof(to)));
        begin = end;
    }
    fputs("</svg></div>\n", cli->out);
}

/* ---- the time line ---- */

/* What times the axis shows, in seconds. */
struct axis {
    double begin;
    double end;
};

static double seconds_of(int64_t time_ns) {
    return (double)time_ns / 1e9;
}

static double axis_x(const struct axis *axis, int64_t time_ns) {
    double share = (seconds_of(time_ns) - axis->begin) / (axis->end - axis->begin);
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return LABEL_END + share * (AXIS_END - LABEL_END);
}

/* From the oldest snapshot to now, or later where one expires soon, by a quarter at most. */
static struct axis axis_of(const struct report *report, size_t first) {
    struct axis axis = {seconds_of(report->now_ns), seconds_of(report->now_ns)};
    double latest = axis.end;
    for (size_t i = first; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        double taken = seconds_of(row->info.time_ns);
        int64_t end_ns = row->expiry_ns > row->held_until_ns ? row->expiry_ns : row->held_until_ns;
        axis.begin = taken < axis.begin ? taken : axis.begin;
        axis.end = taken > axis.end ? taken : axis.end;
        latest = seconds_of(end_ns) > latest ? seconds_of(end_ns) : latest;
    }
    double length = axis.end - axis.begin < 10.0 ? 10.0 : axis.end - axis.begin;
    double room = axis.end + length / 4.0;
    axis.end = latest > room ? room : latest > axis.end ? latest : axis.end;
    axis.begin -= length / 50.0;
    axis.end += length / 50.0;
    return axis;
}

static void axis_ticks(struct cli *cli, const struct axis *axis, size_t lines) {
    for (int tick = 0; tick <= 4; tick++) {
        double seconds = axis->begin + (axis->end - axis->begin) * tick / 4.0;
        double x = LABEL_END + (AXIS_END - LABEL_END) * tick / 4.0;
        char text[32];
        seconds = seconds > SECONDS_MAX ? SECONDS_MAX : seconds < -SECONDS_MAX ? -SECONDS_MAX : seconds;
        time_text((int64_t)seconds * 1000000000, text, sizeof(text));
        bool seconds_tell = axis->end - axis->begin < 600.0 && strlen(text) > 16;
        text[strlen(text) > 16 ? 10 : 0] = seconds_tell ? '\0' : ' ';
        fprintf(cli->out,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"18\" x2=\"%.1f\" y2=\"%zu\"/><text class=\"soft\" x=\"%.1f\" "
                "y=\"12\" text-anchor=\"%s\">%.16s</text>\n",
                x, x, 22 + lines * LINE_HEIGHT, x,
                tick == 0   ? "start"
                : tick == 4 ? "end"
                            : "middle",
                seconds_tell ? text + 11 : text);
    }
}

/* The first characters of a name, for a label. */
static void short_name(struct cli *cli, const char *name) {
    char text[4 * 24 + 1];
    size_t len = 0;
    size_t characters = 0;
    for (const char *c = name; *c != '\0' && len < sizeof(text) - 1; c++) {
        bool begins = ((unsigned char)*c & 0xC0) != 0x80;
        if (begins && characters == 22) {
            break;
        }
        characters += begins ? 1 : 0;
        text[len++] = *c;
    }
    text[len] = '\0';
    page_text(cli, text);
    fputs(name[len] != '\0' ? "\xE2\x80\xA6" : "", cli->out);
}

/* A snapshot from when it was taken to now, or to when it expires; thicker, the end of its holds. */
static void time_row(struct cli *cli, const struct report *report, const struct report_row *row,
                     const struct axis *axis, size_t line) {
    char taken[32];
    char expires[32] = "never";
    size_t y = 22 + line * LINE_HEIGHT;
    double from = axis_x(axis, row->info.time_ns);
    double now = axis_x(axis, report->now_ns);
    double to = row->expiry_ns != 0 ? axis_x(axis, row->expiry_ns) : now;
    double held = row->held_until_ns != 0 ? axis_x(axis, row->held_until_ns) : from;
    if (row->expiry_ns != 0) {
        time_text(row->expiry_ns, expires, sizeof(expires));
    }
    fprintf(cli->out, "<g data-id=\"%" PRIu64 "\"><title>", row->info.id);
    page_text(cli, row->info.name);
    fprintf(cli->out, ": taken %s, expires: %s, holds: %" PRIu32 "</title>",
            time_text(row->info.time_ns, taken, sizeof(taken)), expires, row->info.holds);
    fprintf(cli->out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">", LABEL_END - 10, y + 15);
    short_name(cli, row->info.name);
    fprintf(cli->out, "</text><rect class=\"%s\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"4\"/>",
            row->info.bookmark != 0 ? "changed" : "unchanged", from, y + 9, to > from ? to - from : 0.0);
    if (held > from) {
        fprintf(cli->out, "<rect class=\"overlay\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"2\"/>", from, y + 14,
                held - from);
    }
    if (row->expiry_ns != 0) {
        fprintf(cli->out, "<line class=\"limit\" x1=\"%.1f\" y1=\"%zu\" x2=\"%.1f\" y2=\"%zu\"/>", to, y + 5, to,
                y + 17);
    }
    fprintf(cli->out, "<circle class=\"used\" cx=\"%.1f\" cy=\"%zu\" r=\"5\"/></g>\n", from, y + 11);
}

void svg_time_line(struct cli *cli, const struct report *report) {
    size_t first = report->row_count > REPORT_DRAWN_MAX ? report->row_count - REPORT_DRAWN_MAX : 0;
    size_t lines = report->row_count - first;
    if (lines == 0) {
        return;
    }
    struct axis axis = axis_of(report, first);
    fprintf(cli->out,
            "<h2>Time line</h2>\n<div class=\"key\"><span><i class=\"used\"></i>taken</span><span><i "
            "class=\"unchanged\"></i>"
            "kept since</span><span><i class=\"changed\"></i>a bookmark</span><span><i class=\"overlay\"></i>held "
            "until</span><span><i class=\"lost\"></i>expires</span>"
            "</div>\n<svg id=\"time\" viewBox=\"0 0 %d %zu\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
            "aria-label=\"snapshots over time\">\n",
            LINE_WIDTH, 30 + lines * LINE_HEIGHT);
    axis_ticks(cli, &axis, lines);
    for (size_t i = first; i < report->row_count; i++) {
        time_row(cli, report, &report->rows[i], &axis, i - first);
    }
    double now = axis_x(&axis, report->now_ns);
    fprintf(
        cli->out,
        "<line class=\"grid\" x1=\"%.1f\" y1=\"18\" x2=\"%.1f\" y2=\"%zu\" stroke-dasharray=\"4 3\"><title>now</title>"
        "</line>\n</svg>\n",
        now, now, 22 + lines * LINE_HEIGHT);
    if (first > 0) {
        fprintf(cli->out, "<p class=\"soft\">Maps and time line show the newest %zu of %zu snapshots.</p>\n", lines,
                report->row_count);
    }
}
