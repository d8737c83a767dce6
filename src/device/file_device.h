/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What file_open.c finds out about a file and file_device.c works with. Nothing but `made` and `rings` changes once it
 * is open, but that it may become longer.
 */
#ifndef SSN_FILE_DEVICE_H
#define SSN_FILE_DEVICE_H

#include "file_uring.h"

#include <selsnap/device.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct file {
    int fd;
    int folder_fd;       /* of a file that we made, to flush its name; otherwise -1 */
    _Atomic bool made;   /* made or grown, and not flushed since */
    bool is_block;       /* a block device, not a file */
    bool read_only;      /* opened so */
    bool direct;         /* opened with O_DIRECT; the two below count only then */
    size_t memory_align; /* of memory given to the system; a power of two */
    size_t length_align; /* of each piece of a request */
    struct file_rings rings;
};

/* The size of an open file or block device, now; 0 or errno. */
int ssn_file_size(const struct file *file, uint64_t *ret_size);

/* Makes the device; it owns `file` from a successful return on. */
int ssn_file_make_device(struct file *file, const selsnap_device_info *info, selsnap_device **ret_device);

/* Whether the system takes the pieces as they are; those that it does not are copied. */
bool ssn_file_takes(const struct file *file, const selsnap_iovec *iov, uint32_t iov_count);
/* Moves the bytes of a request after the first `done`, which lie in pieces that the system takes; 0 or -errno. */
int ssn_file_move(const struct file *file, const selsnap_io *io, uint64_t done);

#endif
