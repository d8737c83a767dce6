/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of a stream's blocks: independent zstd frames. The only file that knows libzstd is streampack.c; without
 * libzstd streampack_none.c takes its place, which opens neither packer nor unpacker.
 */
#ifndef SSN_STREAMPACK_H
#define SSN_STREAMPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssn_packer;
struct ssn_unpacker;

/* Whether libzstd is there; if not, nothing below but the bound is of use. */
bool ssn_packs(void);

/* NULL: no memory. Close takes NULL. */
struct ssn_packer *ssn_packer_open(int level);
void ssn_packer_close(struct ssn_packer *packer);
/* The most bytes that `len` bytes may become. */
size_t ssn_packer_bound(size_t len);
/* One frame. 0: no memory. */
size_t ssn_packer_pack(struct ssn_packer *packer, uint8_t *to, size_t room, const uint8_t *from, size_t len);

struct ssn_unpacker *ssn_unpacker_open(void);
void ssn_unpacker_close(struct ssn_unpacker *unpacker);
/* Exactly one frame that says, and gives, exactly `to_len` bytes. false: it is damaged, or asks for too much memory. */
bool ssn_unpacker_unpack(struct ssn_unpacker *unpacker, uint8_t *to, size_t to_len, const uint8_t *from, size_t len);

#endif
