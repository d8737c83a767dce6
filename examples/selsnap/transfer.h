/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading and writing commands share: a snapshot or the live device as one thing to transfer to and from, and
 * whole reads and writes of files.
 */
#ifndef SELSNAP_TRANSFER_H
#define SELSNAP_TRANSFER_H

#include "cli.h"

struct target {
    struct cli *cli;
    selsnap_view *view; /* NULL: the live device. */
    uint64_t size;      /* Of the origin, now or when the snapshot was made. */
};

/* Open the context, and the view that the command line names; @p flags are SELSNAP_VIEW_*. Returns an exit code. */
int target_open(struct cli *cli, uint32_t flags, struct target *ret_target);
/* Close; if @p result is CLI_OK and it was writable, what was written is made durable first. Returns an exit code. */
int target_close(struct target *target, bool writable, int result);
int target_read(struct target *target, void *buf, size_t len, uint64_t offset);
int target_write(struct target *target, const void *buf, size_t len, uint64_t offset);
/* Report a failure at a place. */
int target_fail(struct target *target, int code, uint64_t offset);
/* CLI_OK if the range lies in the device; otherwise it is reported. */
int target_check_range(struct target *target, uint64_t offset, uint64_t len);

/* Open a file that the command line names; relative paths begin where the command was given. -1 and errno on failure. */
int open_file(const struct cli *cli, const char *path, int flags);
/* Whether two paths lead to the same file or block device. */
bool same_storage(const struct cli *cli, const char *path, const char *other);
/* Read until @p len bytes are there or the file ends. 0, or an errno value; EINTR when the command is to end. */
int read_whole(const struct cli *cli, int fd, void *buf, size_t len, size_t *ret_len);
/* The same, but what is there is enough; 0 bytes at the end. */
int read_some(const struct cli *cli, int fd, void *buf, size_t len, size_t *ret_len);
/* Write all of it. 0, or an errno value; EINTR when the command is to end. */
int write_whole(const struct cli *cli, int fd, const void *buf, size_t len);
/* Bytes from the file's position to its end, or UINT64_MAX where that cannot be told, as of a pipe. */
uint64_t file_left(int fd);
/* Bytes from @p offset to the next multiple of CLI_CHUNK, or @p left if that is less. */
size_t chunk_at(uint64_t offset, uint64_t left);

#endif
