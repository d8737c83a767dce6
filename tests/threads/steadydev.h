/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device on another one: requests that overlap take turns, so that every sector reads as one write left it, even
 * beside a writer. Requests apart from each other go on at the same time. Requests can be made slow.
 */
#ifndef SSN_TEST_STEADYDEV_H
#define SSN_TEST_STEADYDEV_H

#include <selsnap/selsnap.h>

struct steadydev_pace {
    unsigned write_us; /* how long a write takes */
    unsigned flush_us;
};

/* The base is then owned. Asserts that it works. */
selsnap_device *steadydev_open(selsnap_device *base, struct steadydev_pace pace);

#endif
