/* SPDX-License-Identifier: Apache-2.0 */
/* Streams through file descriptors. */
#ifndef SSN_STREAMFD_H
#define SSN_STREAMFD_H

#include <stddef.h>
#include <stdint.h>

int ssn_stream_fd_write(int fd, const void *buf, size_t len);
int64_t ssn_stream_fd_read(int fd, void *buf, size_t len);

#endif
