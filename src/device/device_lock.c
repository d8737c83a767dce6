/* SPDX-License-Identifier: Apache-2.0 */
/* See blockdev.h. Which storage a device stands on: overlap, and locks as claims on the device at the bottom. */
#include "blockdev.h"

#include "stock.h"

#include <assert.h>
#include <string.h>

/* The device under all slices and counting wrappers, and where this one begins in it. */
static selsnap_device *bottom_of(selsnap_device *device, uint64_t *ret_offset) {
    uint64_t total = 0;
    selsnap_device *bottom = device;
    while (true) {
        uint64_t offset = 0;
        selsnap_device *parent = ssn_slice_device_parent(bottom, &offset);
        if (parent == NULL) {
            parent = ssn_counting_device_parent(bottom);
        }
        if (parent == NULL) {
            *ret_offset = total;
            return bottom;
        }
        /* Each slice lies inside its parent, so the sum lies inside the bottom. */
        total += offset;
        bottom = parent;
    }
}

static bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len) {
    return a < b ? a_len > b - a : b_len > a - b;
}

/* Whether two devices have bytes in common, if their bottoms are the same storage. */
static bool places_overlap(selsnap_device *a, selsnap_device *b) {
    uint64_t a_offset = 0;
    uint64_t b_offset = 0;
    (void)bottom_of(a, &a_offset);
    (void)bottom_of(b, &b_offset);
    return ranges_overlap(a_offset, ssn_device_size(a), b_offset, ssn_device_size(b));
}

bool ssn_device_overlap(selsnap_device *a, selsnap_device *b) {
    if (a == b) {
        return true;
    }
    uint64_t offset = 0;
    selsnap_device *a_bottom = bottom_of(a, &offset);
    selsnap_device *b_bottom = bottom_of(b, &offset);
    if (a_bottom != b_bottom) {
        uint8_t a_identity[SELSNAP_IDENTITY_SIZE];
        uint8_t b_identity[SELSNAP_IDENTITY_SIZE];
        if (!ssn_device_identity(a_bottom, a_identity) || !ssn_device_identity(b_bottom, b_identity) ||
            memcmp(a_identity, b_identity, sizeof a_identity) != 0) {
            return false;
        }
    }
    return places_overlap(a, b);
}

/* Whether the bottom's claims allow one more; claims_lock is held. */
static bool claim_allowed(selsnap_device *bottom, selsnap_device *device, bool exclusive) {
    for (selsnap_device *other = bottom->claims; other != NULL; other = other->claim_next) {
        bool both_shared = !exclusive && !other->claim_exclusive;
        if (!both_shared && (other == device || places_overlap(other, device))) {
            return false;
        }
    }
    /* Raising a lock that is held would leave a gap in which another process takes it. */
    return bottom->claims == NULL || bottom->claims_exclusive || !exclusive;
}

int ssn_device_lock(selsnap_device *device, bool exclusive) {
    uint64_t offset = 0;
    selsnap_device *bottom = bottom_of(device, &offset);
    if (bottom->ops.lock == NULL) {
        return SELSNAP_OK;
    }
    int code = SELSNAP_ELOCKED;
    pthread_mutex_lock(&bottom->claims_lock);
    if (!claim_allowed(bottom, device, exclusive)) {
        goto out;
    }
    if (bottom->claims == NULL) {
        int result = bottom->ops.lock(bottom->user, exclusive ? 1 : 0);
        if (result != 0) {
            atomic_store_explicit(&device->last_error, result, memory_order_relaxed);
            goto out;
        }
        bottom->claims_exclusive = exclusive;
    }
    if (device->claim_count == 0) {
        device->claim_exclusive = exclusive;
        device->claim_next = bottom->claims;
        bottom->claims = device;
    }
    device->claim_count++;
    code = SELSNAP_OK;
out:
    pthread_mutex_unlock(&bottom->claims_lock);
    return code;
}

void ssn_device_unlock(selsnap_device *device) {
    uint64_t offset = 0;
    selsnap_device *bottom = bottom_of(device, &offset);
    if (bottom->ops.lock == NULL) {
        return;
    }
    pthread_mutex_lock(&bottom->claims_lock);
    assert(device->claim_count > 0);
    device->claim_count--;
    if (device->claim_count == 0) {
        selsnap_device **link = &bottom->claims;
        while (*link != device) {
            link = &(*link)->claim_next;
        }
        *link = device->claim_next;
        if (bottom->claims == NULL) {
            bottom->ops.unlock(bottom->user);
        }
    }
    pthread_mutex_unlock(&bottom->claims_lock);
}
