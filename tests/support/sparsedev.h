/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of any size that takes little memory: pages of 4 KiB which hold a pattern (pattern.h) or zeros are kept as a
 * few bytes, others as they are. Pages never written read as zeros, or as the pattern of writer 0 at sequence 0.
 */
#ifndef SSN_TEST_SPARSEDEV_H
#define SSN_TEST_SPARSEDEV_H

#include <selsnap/selsnap.h>
#include <stdbool.h>

struct sparsedev;

/* size: a multiple of 4096. Requests are whole pages where logical is 4096; any otherwise. Asserts that it works. */
struct sparsedev *sparsedev_open(uint64_t size, uint32_t logical, bool patterned, selsnap_device **ret_device);
/* Pages kept byte by byte: what is neither pattern nor zeros. */
uint64_t sparsedev_full_pages(struct sparsedev *dev);

#endif
