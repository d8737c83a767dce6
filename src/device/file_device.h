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

/*
 * What Linux alone has: io_uring, O_DIRECT, holes, block devices' requests. SSN_PORTABLE leaves it out, so that a machine
 * with Linux can test what other systems run: POSIX.1-2008, and flock().
 */
#if defined(__linux__) && !defined(SSN_PORTABLE)
#define SSN_LINUX
#endif

/* What ioctl() takes its request as: POSIX has int, in which not every request of Linux fits without a cast. */
#ifdef __GLIBC__
typedef unsigned long ssn_ioctl_request;
#else
typedef int ssn_ioctl_request;
#endif

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
