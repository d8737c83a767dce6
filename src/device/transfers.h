/* SPDX-License-Identifier: Apache-2.0 */
/* Several transfers of one kind between a device and memory, all at once where the device can. */
#ifndef SSN_TRANSFERS_H
#define SSN_TRANSFERS_H

#include "blockdev.h"

struct ssn_transfer {
    uint64_t offset;
    void *buf;
    size_t len;
    int result; /* set: as that of ssn_device_read() or ssn_device_write() */
};

/* All are made, whatever happens to one. The first failure among them. */
int ssn_device_transfers(selsnap_device *device, bool write, struct ssn_transfer *transfers, unsigned count);

#endif
