/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device under a veil: pages named at the open read as they were written, but their writes stay in memory, and the
 * device itself holds zeros there, until the veil is lifted. So what is built on it cannot be taken for whole before it
 * is. One thread at a time.
 */
#include "blockdev.h"
#include "stock.h"

#include <stdlib.h>
#include <string.h>

enum { VEIL_PAGE = 4096 };

struct veil {
    selsnap_device *parent;
    struct {
        uint64_t offset;
        bool written;
        uint8_t bytes[VEIL_PAGE];
    } page[SSN_VEIL_PAGES];
};

static int result_of(const struct veil *veil, int rc) {
    if (rc == SELSNAP_OK) {
        return 0;
    }
    int device = atomic_load(&veil->parent->last_error);
    return rc == SELSNAP_EIO && device != 0 ? device : rc;
}

/* The veiled page that holds the offset, or the number of pages; *ret_len becomes what lies inside, or before one. */
static unsigned part_at(const struct veil *veil, uint64_t offset, size_t len, size_t *ret_len) {
    uint64_t end = offset + len;
    for (unsigned i = 0; i < SSN_VEIL_PAGES; i++) {
        uint64_t begin = veil->page[i].offset;
        if (offset >= begin && offset < begin + VEIL_PAGE) {
            *ret_len = (size_t)(end < begin + VEIL_PAGE ? end - offset : begin + VEIL_PAGE - offset);
            return i;
        }
        if (begin > offset && begin < end) {
            end = begin;
        }
    }
    *ret_len = (size_t)(end - offset);
    return SSN_VEIL_PAGES;
}

static int write_piece(struct veil *veil, const uint8_t *from, size_t len, uint64_t offset) {
    static const uint8_t zeros[VEIL_PAGE];
    while (len > 0) {
        size_t part;
        unsigned index = part_at(veil, offset, len, &part);
        const uint8_t *bytes = from;
        if (index < SSN_VEIL_PAGES) {
            memcpy(veil->page[index].bytes + (offset - veil->page[index].offset), from, part);
            veil->page[index].written = true;
            bytes = zeros;
        }
        int rc = ssn_device_write(veil->parent, bytes, part, offset);
        if (rc != SELSNAP_OK) {
            return result_of(veil, rc);
        }
        from += part;
        offset += part;
        len -= part;
    }
    return 0;
}

static int read_piece(struct veil *veil, uint8_t *to, size_t len, uint64_t offset) {
    while (len > 0) {
        size_t part;
        unsigned index = part_at(veil, offset, len, &part);
        int rc = SELSNAP_OK;
        if (index < SSN_VEIL_PAGES && veil->page[index].written) {
            memcpy(to, veil->page[index].bytes + (offset - veil->page[index].offset), part);
        } else {
            rc = ssn_device_read(veil->parent, to, part, offset);
        }
        if (rc != SELSNAP_OK) {
            return result_of(veil, rc);
        }
        to += part;
        offset += part;
        len -= part;
    }
    return 0;
}

static int veil_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < iov_count; i++) {
        result = read_piece(user, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return result;
}

static int veil_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    int result = 0;
    for (uint32_t i = 0; result == 0 && i < iov_count; i++) {
        result = write_piece(user, iov[i].base, iov[i].len, offset);
        offset += iov[i].len;
    }
    return result;
}

static int veil_flush(void *user) {
    const struct veil *veil = user;
    return result_of(veil, ssn_device_flush(veil->parent));
}

static void veil_close(void *user) {
    free(user);
}

int ssn_veil_device_open(selsnap_device *parent, const uint64_t *offsets, selsnap_device **ret_device) {
    struct veil *veil = calloc(1, sizeof *veil);
    if (veil == NULL) {
        return SELSNAP_ENOMEM;
    }
    veil->parent = parent;
    for (unsigned i = 0; i < SSN_VEIL_PAGES; i++) {
        veil->page[i].offset = offsets[i];
    }
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = veil_readv,
        .writev = parent->ops.writev != NULL ? veil_writev : NULL,
        .flush = veil_flush,
        .close = veil_close,
    };
    int code = ssn_device_open(&ops, &parent->info, veil, ret_device);
    if (code != SELSNAP_OK) {
        free(veil);
    }
    return code;
}

int ssn_veil_device_lift(selsnap_device *device, unsigned first) {
    struct veil *veil = device->user;
    int rc = ssn_device_flush(veil->parent);
    for (unsigned i = 0; rc == SELSNAP_OK && i < SSN_VEIL_PAGES; i++) {
        unsigned index = (first + i) % SSN_VEIL_PAGES;
        rc = ssn_device_write(veil->parent, veil->page[index].bytes, VEIL_PAGE, veil->page[index].offset);
        rc = rc == SELSNAP_OK ? ssn_device_flush(veil->parent) : rc;
    }
    if (rc != SELSNAP_OK) {
        atomic_store(&device->last_error, atomic_load(&veil->parent->last_error));
    }
    return rc;
}
