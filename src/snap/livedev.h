/* SPDX-License-Identifier: Apache-2.0 */
/* The live device: reading and writing the origin under the protection of its snapshots. */
#ifndef SSN_LIVEDEV_H
#define SSN_LIVEDEV_H

#include "context.h"

int ssn_live_read(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t len);
/* The same for what is in one piece, without pending writes. */
int ssn_live_read_device(struct selsnap *ss, uint8_t *buf, uint64_t len, uint64_t offset);
int ssn_live_write(struct selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset, uint64_t len);
int ssn_live_write_zeroes(struct selsnap *ss, uint64_t offset, uint64_t len);
int ssn_live_discard(struct selsnap *ss, uint64_t offset, uint64_t len);
int ssn_live_flush(struct selsnap *ss);

#endif
