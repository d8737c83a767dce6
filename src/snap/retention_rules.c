/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a list of times the keep rules keep (retention_inner.h). No I/O, no context. Each rule goes through the list
 * from the newest on, and keeps the first of each period that it meets, until it has kept its number.
 */
#include "retention_inner.h"

#include <stdlib.h>

static const int64_t SECOND = 1000000000;
enum { HOUR = 3600, DAY = 86400 };

/* Rounded down, for negative times too. */
static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* Years and months of the Gregorian calendar from days since 1970: counted in eras of 400 years that begin in March, so
 * that a leap day is the last of its year. */
static int64_t month_of(int64_t days, int64_t *ret_year) {
    int64_t from_march = days + 719468;
    int64_t era = floor_div(from_march, 146097);
    int64_t day_of_era = from_march - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 2 : march_month - 10;
    *ret_year = era * 400 + year_of_era + (march_month >= 10);
    return month;
}

int64_t ssn_keep_period(uint32_t reason, int64_t time_ns, int32_t utc_offset_seconds) {
    int64_t seconds = floor_div(time_ns, SECOND) + utc_offset_seconds;
    int64_t days = floor_div(seconds, DAY);
    int64_t year;
    int64_t month = month_of(days, &year);
    switch (reason) {
    case SELSNAP_REASON_HOURLY:
        return floor_div(seconds, HOUR);
    case SELSNAP_REASON_DAILY:
        return days;
    case SELSNAP_REASON_WEEKLY:
        return floor_div(days + 3, 7); /* 1970 began on a Thursday */
    case SELSNAP_REASON_MONTHLY:
        return year * 12 + month;
    default:
        return year;
    }
}

static int newest_first(const void *left, const void *right) {
    const struct ssn_keep_item *a = left;
    const struct ssn_keep_item *b = right;
    if (a->time_ns != b->time_ns) {
        return a->time_ns > b->time_ns ? -1 : 1;
    }
    return a->id > b->id ? -1 : a->id < b->id;
}

static void keep_periods(uint32_t reason, uint32_t wanted, int32_t utc_offset_seconds, struct ssn_keep_item *items,
                         size_t count) {
    int64_t last = 0;
    uint32_t kept = 0;
    for (size_t i = 0; i < count && kept < wanted; i++) {
        int64_t period = ssn_keep_period(reason, items[i].time_ns, utc_offset_seconds);
        if (kept == 0 || period != last) {
            items[i].reasons |= reason;
            last = period;
            kept++;
        }
    }
}

void ssn_keep_judge(const selsnap_keep_rules *rules, struct ssn_keep_item *items, size_t count) {
    if (count == 0) {
        return;
    }
    qsort(items, count, sizeof *items, newest_first);
    for (size_t i = 0; i < count; i++) {
        items[i].reasons = i < rules->last ? SELSNAP_REASON_LAST : 0;
    }
    keep_periods(SELSNAP_REASON_HOURLY, rules->hourly, rules->utc_offset_seconds, items, count);
    keep_periods(SELSNAP_REASON_DAILY, rules->daily, rules->utc_offset_seconds, items, count);
    keep_periods(SELSNAP_REASON_WEEKLY, rules->weekly, rules->utc_offset_seconds, items, count);
    keep_periods(SELSNAP_REASON_MONTHLY, rules->monthly, rules->utc_offset_seconds, items, count);
    keep_periods(SELSNAP_REASON_YEARLY, rules->yearly, rules->utc_offset_seconds, items, count);
}
