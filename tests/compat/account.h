/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store or a stream holds, as text: the lines of a golden image's manifest. They say the same on every machine.
 * Images of format 1 are kept for ever, so these lines may be added to only for images that are new.
 */
#ifndef SSN_TEST_ACCOUNT_H
#define SSN_TEST_ACCOUNT_H

#include <selsnap/selsnap.h>
#include <stdint.h>
#include <stdio.h>

/* Ends the program, and says why, if a call failed. */
void must(int code, const char *what);
void must_do(int ok, const char *what);

/* One line about the origin as it is now, then one about each snapshot, in the order of their ids. */
void account_store(selsnap *ss, FILE *out);
/* One line about a stream: what it tells, and what a device holds that it is applied to. Returns the result of that. */
int account_stream(const uint8_t *bytes, size_t len, uint64_t device_bytes, FILE *out);
/* The first bytes of a device, in memory; free it. */
uint8_t *account_content(selsnap_device *device, uint64_t *ret_len);

#endif
