/* SPDX-License-Identifier: Apache-2.0 */
/* See selection.h. */
#include "selection.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void ssn_select_begin(struct selsnap_selection *selection) {
    selection->error[0] = '\0';
    selection->fresh.count = 0;
}

int ssn_select_fail(struct selsnap_selection *selection, int rc, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(selection->error, sizeof selection->error, format, args);
    va_end(args);
    return rc;
}

/* ---- ranges ---- */

static int reserve(struct ssn_ranges *ranges, size_t more) {
    size_t capacity = ranges->capacity;
    if (more > SIZE_MAX / sizeof *ranges->items / 2 - ranges->count) {
        return SELSNAP_ENOMEM;
    }
    while (capacity < ranges->count + more) {
        capacity = capacity == 0 ? 64 : capacity * 2;
    }
    if (capacity == ranges->capacity) {
        return SELSNAP_OK;
    }
    selsnap_range *items = realloc(ranges->items, capacity * sizeof *items);
    if (items == NULL) {
        return SELSNAP_ENOMEM;
    }
    ranges->items = items;
    ranges->capacity = capacity;
    return SELSNAP_OK;
}

int ssn_select_collect(struct selsnap_selection *selection, uint64_t offset, uint64_t len) {
    struct ssn_ranges *fresh = &selection->fresh;
    if (offset > INT64_MAX || len > INT64_MAX - offset) {
        return ssn_select_fail(selection, SELSNAP_ERANGE, "no device has bytes at %" PRIu64 ", %" PRIu64 " of them",
                               offset, len);
    }
    if (len == 0) {
        return SELSNAP_OK;
    }
    selsnap_range *last = fresh->count > 0 ? &fresh->items[fresh->count - 1] : NULL;
    if (last != NULL && last->offset + last->len == offset) {
        last->len += len;
        return SELSNAP_OK;
    }
    if (reserve(fresh, 1) != SELSNAP_OK) {
        return ssn_select_fail(selection, SELSNAP_ENOMEM, "no memory for %zu ranges", fresh->count + 1);
    }
    fresh->items[fresh->count++] = (selsnap_range){offset, len};
    return SELSNAP_OK;
}

int ssn_select_end(struct selsnap_selection *selection, int rc) {
    struct ssn_ranges *all = &selection->all;
    const struct ssn_ranges *fresh = &selection->fresh;
    if (rc == SELSNAP_OK && reserve(all, fresh->count) != SELSNAP_OK) {
        rc = ssn_select_fail(selection, SELSNAP_ENOMEM, "no memory for %zu ranges", all->count + fresh->count);
    }
    for (size_t i = 0; rc == SELSNAP_OK && i < fresh->count; i++) {
        all->items[all->count++] = fresh->items[i];
        selection->sorted = false;
    }
    selection->fresh.count = 0;
    return rc;
}

static int by_offset(const void *a, const void *b) {
    const selsnap_range *left = a;
    const selsnap_range *right = b;
    return left->offset < right->offset ? -1 : left->offset > right->offset ? 1 : 0;
}

/* Sorted, and merged where they meet. */
static void settle(struct selsnap_selection *selection) {
    struct ssn_ranges *all = &selection->all;
    if (selection->sorted || all->count == 0) {
        return;
    }
    qsort(all->items, all->count, sizeof *all->items, by_offset);
    size_t last = 0;
    for (size_t i = 1; i < all->count; i++) {
        selsnap_range *before = &all->items[last];
        const selsnap_range *range = &all->items[i];
        if (range->offset > before->offset + before->len) {
            all->items[++last] = *range;
        } else if (range->offset + range->len > before->offset + before->len) {
            before->len = range->offset + range->len - before->offset;
        }
    }
    all->count = last + 1;
    selection->sorted = true;
}

/* ---- exported ---- */

int selsnap_selection_open(selsnap_selection **ret_selection) {
    if (ret_selection == NULL) {
        return SELSNAP_EINVAL;
    }
    selsnap_selection *selection = calloc(1, sizeof *selection);
    if (selection == NULL) {
        return SELSNAP_ENOMEM;
    }
    *ret_selection = selection;
    return SELSNAP_OK;
}

void selsnap_selection_close(selsnap_selection *selection) {
    if (selection != NULL) {
        free(selection->all.items);
        free(selection->fresh.items);
        free(selection);
    }
}

const char *selsnap_selection_error(const selsnap_selection *selection) {
    return selection != NULL ? selection->error : "";
}

int selsnap_selection_add_range(selsnap_selection *selection, uint64_t offset, uint64_t len) {
    if (selection == NULL) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    return ssn_select_end(selection, ssn_select_collect(selection, offset, len));
}

int selsnap_selection_next(selsnap_selection *selection, uint64_t offset, selsnap_range *ret_range) {
    if (selection == NULL || ret_range == NULL) {
        return SELSNAP_EINVAL;
    }
    settle(selection);
    const struct ssn_ranges *all = &selection->all;
    size_t low = 0;
    size_t high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->items[middle].offset + all->items[middle].len > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low == all->count) {
        return SELSNAP_ENOENT;
    }
    uint64_t end = all->items[low].offset + all->items[low].len;
    ret_range->offset = all->items[low].offset > offset ? all->items[low].offset : offset;
    ret_range->len = end - ret_range->offset;
    return SELSNAP_OK;
}

static int apply(selsnap_selection *selection, selsnap_subset *subset,
                 int (*change)(selsnap_subset *subset, uint64_t offset, uint64_t len)) {
    if (selection == NULL || subset == NULL) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    settle(selection);
    for (size_t i = 0; i < selection->all.count; i++) {
        const selsnap_range *range = &selection->all.items[i];
        int rc = change(subset, range->offset, range->len);
        if (rc != SELSNAP_OK) {
            return ssn_select_fail(selection, rc, "%s: %" PRIu64 " bytes at %" PRIu64, selsnap_strerror(rc), range->len,
                                   range->offset);
        }
    }
    return SELSNAP_OK;
}

int selsnap_selection_add_to(selsnap_selection *selection, selsnap_subset *subset) {
    return apply(selection, subset, selsnap_subset_add);
}

int selsnap_selection_take_from(selsnap_selection *selection, selsnap_subset *subset) {
    return apply(selection, subset, selsnap_subset_remove);
}
