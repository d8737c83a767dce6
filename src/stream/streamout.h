/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a stream: each record goes to the callback at once, as one piece. One thread. The order: header and ranges
 * (twice, if there is a token: the first time without writing, for the key), parts of rising blocks, the end.
 */
#ifndef SSN_STREAMOUT_H
#define SSN_STREAMOUT_H

#include "mem.h"
#include "report.h"
#include "streamcodec.h"
#include "streampack.h"
#include "subset.h"

struct ssn_stream_out {
    selsnap_stream_write_fn write; /* NULL: nothing is written, only the key found */
    void *user;
    struct ssn_mem *mem;
    struct ssn_report *report;
    const struct ssn_stream_header *header;
    struct ssn_packer *packer; /* NULL: nothing is compressed */
    struct ssn_stream_place place;
    uint64_t bytes;  /* written */
    uint8_t *record; /* a head and a payload */
    size_t room;     /* for the payload */
    /* Blocks without data that are not told yet: more may follow. */
    uint8_t run_kind;
    uint64_t run_first;
    uint64_t run_blocks;
};

/* level 0: no compression. Call fini whatever is returned. */
int ssn_stream_out_open(struct ssn_stream_out *out, struct ssn_mem *mem, struct ssn_report *report,
                        const struct ssn_stream_header *header, int level);
void ssn_stream_out_fini(struct ssn_stream_out *out);
/* Header and ranges; sets place.key, and the place to the beginning. */
int ssn_stream_out_begin(struct ssn_stream_out *out, const selsnap_subset *subset);
/* What is told from here on follows `place`. */
int ssn_stream_out_resume(struct ssn_stream_out *out, const struct ssn_stream_place *place);
/* Blocks with data: `bytes` holds whole blocks, no more than a record may. */
int ssn_stream_out_data(struct ssn_stream_out *out, uint64_t first, uint32_t blocks, const uint8_t *bytes);
/* Blocks without: SSN_STREAM_ZEROS or _LOST. Runs that follow each other are told as one. */
int ssn_stream_out_run(struct ssn_stream_out *out, uint8_t kind, uint64_t first, uint64_t blocks);
/* Tells the run that waits, if there is one. */
int ssn_stream_out_settle(struct ssn_stream_out *out);
int ssn_stream_out_end(struct ssn_stream_out *out);

#endif
