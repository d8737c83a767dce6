/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on views. */
#include "api.h"
#include "view.h"

static bool options_allowed(const selsnap_view_options *options) {
    const uint32_t known_flags = SELSNAP_VIEW_WRITABLE | SELSNAP_VIEW_PRISTINE;
    return (options->flags & ~known_flags) == 0 && options->flags != known_flags && options->reserved == 0 &&
           options->undesignated <= SELSNAP_UNDESIGNATED_LIVE && (options->id == 0) == (options->name != NULL);
}

int selsnap_view_open(selsnap *ss, const selsnap_view_options *options, selsnap_view **ret_view) {
    selsnap_view_options ours;
    if (ss == NULL || options == NULL || ret_view == NULL || !ssn_import(&ours, sizeof ours, options) ||
        !options_allowed(&ours)) {
        return SELSNAP_EINVAL;
    }
    int rc = (ours.flags & SELSNAP_VIEW_WRITABLE) != 0 ? ssn_api_check_writable(ss) : SELSNAP_OK;
    return rc == SELSNAP_OK ? ssn_view_open(ss, &ours, ret_view) : rc;
}

int selsnap_view_close(selsnap_view *view) {
    return view != NULL ? ssn_view_close(view) : SELSNAP_OK;
}

static int check_writable(const selsnap_view *view) {
    if (view == NULL) {
        return SELSNAP_EINVAL;
    }
    return (view->flags & SELSNAP_VIEW_WRITABLE) != 0
               ? SELSNAP_OK
               : ssn_fail(&view->ss->report, SELSNAP_EREADONLY, "the view was not opened for writing");
}

int selsnap_view_read(selsnap_view *view, void *buf, size_t len, uint64_t offset) {
    if (view == NULL || (buf == NULL && len > 0)) {
        return SELSNAP_EINVAL;
    }
    return ssn_view_read(view, buf, len, offset);
}

int selsnap_view_write(selsnap_view *view, const void *buf, size_t len, uint64_t offset) {
    int rc = check_writable(view);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    return buf == NULL && len > 0 ? SELSNAP_EINVAL : ssn_view_write(view, buf, len, offset);
}

int selsnap_view_discard(selsnap_view *view, uint64_t offset, uint64_t len) {
    int rc = check_writable(view);
    return rc == SELSNAP_OK ? ssn_view_discard(view, offset, len) : rc;
}

int selsnap_view_flush(selsnap_view *view) {
    return view != NULL ? ssn_view_flush(view) : SELSNAP_EINVAL;
}

int selsnap_view_reset(selsnap_view *view) {
    int rc = check_writable(view);
    return rc == SELSNAP_OK ? ssn_view_reset(view) : rc;
}
