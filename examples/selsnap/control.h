/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a server that has a store open, as docs/nbd.md describes it: what both sides share.
 */
#ifndef SELSNAP_CONTROL_H
#define SELSNAP_CONTROL_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Where the socket is, if nothing else is said: beside the store. */
#define CONTROL_SUFFIX ".control"
/* A line of either side is no longer, its end included. */
#define CONTROL_LINE_MAX ((size_t)16 << 20)
/* Files that may go with a request: to read from, for results, for errors, and the folder of relative paths. */
#define CONTROL_FILES 4

/* 0, or ENAMETOOLONG. */
int control_address(const char *path, struct sockaddr_un *ret_address);
/* A connection, or -1 and errno. */
int control_connect(const char *path);

#endif
