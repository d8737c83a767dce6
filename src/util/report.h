/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where failures are told: keeps the last failure's text for selsnap_last_error(), and passes lines and events to the
 * host's callbacks. `lock` guards code and text; the callbacks are called without it and never change.
 */
#ifndef SSN_REPORT_H
#define SSN_REPORT_H

#include <pthread.h>
#include <selsnap/selsnap.h>

enum { SSN_REPORT_TEXT = 400 };

struct ssn_report {
    pthread_mutex_t lock;
    int code;                   /* lock */
    char text[SSN_REPORT_TEXT]; /* lock */
    selsnap_log_fn log;
    void *log_user;
    selsnap_event_fn event;
    void *event_user;
};

int ssn_report_init(struct ssn_report *report);
void ssn_report_fini(struct ssn_report *report);

#if defined(__GNUC__)
#ifdef __MINGW32__ /* whose printf() could be Windows' own, but is not */
#define SSN_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define SSN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#endif
#else
#define SSN_PRINTF(fmt, args)
#endif

/* Notes a failure, logs it, and returns `code`: `return ssn_fail(r, SELSNAP_EIO, "block %" PRIu64 ...)`. */
int ssn_fail(struct ssn_report *report, int code, const char *format, ...) SSN_PRINTF(3, 4);
#if defined(__clang_analyzer__) || defined(SSN_ANALYZER)
/* An analyzer sees one file at a time, and would follow paths on which a failure gives SELSNAP_OK. */
static inline int ssn_is_failure(int code) {
    if (code == SELSNAP_OK) {
        __builtin_unreachable();
    }
    return code;
}
#define ssn_fail(...) ssn_is_failure((ssn_fail)(__VA_ARGS__))
#endif
/* Logs a line that is no failure. */
void ssn_log(struct ssn_report *report, uint32_t level, const char *format, ...) SSN_PRINTF(3, 4);
void ssn_event(struct ssn_report *report, uint32_t kind, uint64_t id, uint64_t offset, uint64_t len, int64_t value);
/* Copies the last failure's text; returns its code. */
int ssn_report_last(struct ssn_report *report, char *buf, size_t len);

#endif
