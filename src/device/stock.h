/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stock devices, and what they share. Their memory belongs to no context: plain malloc and free. The open functions
 * are those of <selsnap/device.h> without the NULL checks of the outer face.
 */
#ifndef SSN_STOCK_H
#define SSN_STOCK_H

#include <selsnap/device.h>

int ssn_file_device_open(const char *path, uint32_t flags, uint64_t create_size, selsnap_device **ret_device,
                         int *ret_errno);
int ssn_memory_device_open(uint64_t size_bytes, uint32_t logical_block_bytes, selsnap_device **ret_device);
int ssn_slice_device_open(selsnap_device *parent, uint64_t offset, uint64_t len, selsnap_device **ret_device);
int ssn_counting_device_open(selsnap_device *parent, selsnap_device **ret_device);

/*
 * A device whose pages of 4096 bytes at the offsets are kept in memory until the veil is lifted; the parent holds zeros
 * there from their first write on. For one thread. Lifting flushes, then writes and flushes each page, `first` first;
 * until the first is there the parent is as it was, afterwards it is whole.
 */
enum { SSN_VEIL_PAGES = 2 };
int ssn_veil_device_open(selsnap_device *parent, const uint64_t *offsets, selsnap_device **ret_device);
int ssn_veil_device_lift(selsnap_device *device, unsigned first);

/* SELSNAP_EINVAL when the device does not count, or ret_counts has no sensible struct_size. */
int ssn_counting_device_get(selsnap_device *device, selsnap_device_counts *ret_counts, int reset);

/* The device that a slice or a counting device stands on; NULL for any other. */
selsnap_device *ssn_slice_device_parent(const selsnap_device *device, uint64_t *ret_offset);
selsnap_device *ssn_counting_device_parent(const selsnap_device *device);

/*
 * Writes zeros by a writev callback, in pieces that are multiples of every allowed logical block. Gives the callback's
 * first failure.
 */
int ssn_zeroes_by_writev(int (*writev)(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset),
                         void *user, uint64_t offset, uint64_t len);

#endif
