/* SPDX-License-Identifier: Apache-2.0 */
/* See report.h. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ssn_report_init(struct ssn_report *report) {
    memset(report, 0, sizeof *report);
    return pthread_mutex_init(&report->lock, NULL) == 0 ? SELSNAP_OK : SELSNAP_ENOMEM;
}

void ssn_report_fini(struct ssn_report *report) {
    pthread_mutex_destroy(&report->lock);
}

/* In parentheses, for the macro that there is under the analyzer. */
int(ssn_fail)(struct ssn_report *report, int code, const char *format, ...) {
    char text[SSN_REPORT_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&report->lock);
    report->code = code;
    memcpy(report->text, text, sizeof text);
    pthread_mutex_unlock(&report->lock);
    if (report->log != NULL) {
        report->log(report->log_user, SELSNAP_LOG_ERROR, text);
    }
    return code;
}

void ssn_log(struct ssn_report *report, uint32_t level, const char *format, ...) {
    if (report->log == NULL) {
        return;
    }
    char text[SSN_REPORT_TEXT];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->log(report->log_user, level, text);
}

void ssn_event(struct ssn_report *report, uint32_t kind, uint64_t id, uint64_t offset, uint64_t len, int64_t value) {
    if (report->event == NULL) {
        return;
    }
    selsnap_event event = {sizeof event, kind, id, offset, len, value};
    report->event(report->event_user, &event);
}

int ssn_report_last(struct ssn_report *report, char *buf, size_t len) {
    pthread_mutex_lock(&report->lock);
    (void)snprintf(buf, len, "%s", report->text);
    int code = report->code;
    pthread_mutex_unlock(&report->lock);
    return code;
}
