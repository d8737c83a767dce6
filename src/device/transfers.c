/* SPDX-License-Identifier: Apache-2.0 */
/* See transfers.h. */
#include "transfers.h"

int ssn_device_transfers(selsnap_device *device, bool write, struct ssn_transfer *transfers, unsigned count) {
    enum { AT_ONCE = 64 };
    selsnap_iovec iovs[AT_ONCE];
    selsnap_io ios[AT_ONCE];
    selsnap_io *list[AT_ONCE];
    int first = SELSNAP_OK;
    if (count == 1) {
        iovs[0] = (selsnap_iovec){transfers->buf, transfers->len};
        transfers->result = write ? ssn_device_writev(device, iovs, 1, transfers->offset)
                                  : ssn_device_readv(device, iovs, 1, transfers->offset);
        return transfers->result;
    }
    for (unsigned done = 0; done < count;) {
        unsigned n = count - done < AT_ONCE ? count - done : AT_ONCE;
        struct ssn_transfer *from = transfers + done;
        for (unsigned i = 0; i < n; i++) {
            iovs[i] = (selsnap_iovec){from[i].buf, from[i].len};
            ios[i] = (selsnap_io){.struct_size = sizeof ios[i],
                                  .kind = write ? SELSNAP_IO_WRITE : SELSNAP_IO_READ,
                                  .iov = &iovs[i],
                                  .iov_count = 1,
                                  .offset = from[i].offset};
            list[i] = &ios[i];
        }
        int rc = ssn_device_batch(device, list, n);
        first = first == SELSNAP_OK ? rc : first;
        for (unsigned i = 0; i < n; i++) {
            from[i].result = ios[i].result;
        }
        done += n;
    }
    return first;
}
