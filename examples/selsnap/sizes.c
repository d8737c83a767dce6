/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes, ranges and times between text and numbers. Parsing refuses whatever it does not understand as a whole: a size
 * that is misread overwrites the wrong blocks.
 */
#include "cli.h"
#include "system.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static int digit_value(char c, unsigned base) {
    int value = -1;
    if (c >= '0' && c <= '9') {
        value = c - '0';
    } else if (base == 16 && c >= 'a' && c <= 'f') {
        value = c - 'a' + 10;
    } else if (base == 16 && c >= 'A' && c <= 'F') {
        value = c - 'A' + 10;
    }
    return value;
}

/* Parses text[0..len); strtoull would take signs, blanks and octal numbers. */
static bool parse_digits(const char *text, size_t len, uint64_t *ret_value) {
    unsigned base = 10;
    if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        len -= 2;
    }
    if (len == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = digit_value(text[i], base);
        if (digit < 0 || value > (UINT64_MAX - (uint64_t)digit) / base) {
            return false;
        }
        value = value * base + (uint64_t)digit;
    }
    *ret_value = value;
    return true;
}

static bool parse_bytes(const char *text, size_t len, uint64_t *ret_bytes) {
    static const char suffixes[] = "KkMmGgTt";
    unsigned shift = 0;
    if (len > 0) {
        const char *found = memchr(suffixes, text[len - 1], sizeof(suffixes) - 1);
        if (found != NULL) {
            shift = 10 * (unsigned)((found - suffixes) / 2 + 1);
            len--;
        }
    }
    uint64_t value = 0;
    if (!parse_digits(text, len, &value) || value > UINT64_MAX >> shift) {
        return false;
    }
    *ret_bytes = value << shift;
    return true;
}

bool size_parse(const char *text, uint64_t *ret_bytes) {
    return parse_bytes(text, strlen(text), ret_bytes);
}

bool range_parse(const char *text, selsnap_range *ret_range) {
    const char *colon = strchr(text, ':');
    selsnap_range range = {0, 0};
    if (colon == NULL || !parse_bytes(text, (size_t)(colon - text), &range.offset) ||
        !size_parse(colon + 1, &range.len)) {
        return false;
    }
    if (range.len == 0 || range.offset > UINT64_MAX - range.len) {
        return false;
    }
    *ret_range = range;
    return true;
}

const char *size_text(uint64_t bytes, char *buf, size_t len) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024.0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024.0;
        unit++;
    }
    snprintf(buf, len, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buf;
}

/* A length such as 12h, in seconds. */
static bool parse_length(const char *text, size_t len, uint64_t *ret_seconds) {
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t number = 0;
    for (size_t i = 0; len > 1 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (text[len - 1] == units[i].unit && parse_digits(text, len - 1, &number)) {
            *ret_seconds = number * units[i].seconds;
            return number <= UINT32_MAX; /* and so no product passes 64 bits */
        }
    }
    return false;
}

bool time_parse(const char *text, int64_t *ret_time_ns) {
    const int64_t most = INT64_MAX / 1000000000;
    uint64_t length = 0;
    int64_t seconds = 0;
    bool found = strcmp(text, "never") == 0;
    if (!found && parse_length(text, strlen(text), &length)) {
        seconds = (int64_t)time(NULL) + (int64_t)length;
        found = seconds <= most;
    }
    if (!found && system_parse_time(text, &seconds)) {
        found = seconds > -most && seconds <= most && seconds != 0;
    }
    *ret_time_ns = found ? seconds * 1000000000 : *ret_time_ns;
    return found;
}

const char *time_text(int64_t time_ns, char *buf, size_t len) {
    /* Rounds down for times before 1970 too. */
    int64_t seconds = time_ns / 1000000000 - (time_ns % 1000000000 < 0 ? 1 : 0);
    time_t when = (time_t)seconds;
    struct tm parts;
    if (!system_utc(when, &parts) || strftime(buf, len, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(buf, len, "?");
    }
    return buf;
}
