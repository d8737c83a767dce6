/* SPDX-License-Identifier: Apache-2.0 */
/* Streams in memory, between a source and a backup: two rigs of the same size, whose origins are alike at first. */
#ifndef SSN_TEST_STREAM_RIG_H
#define SSN_TEST_STREAM_RIG_H

#include "rig.h"

/* A stream that is kept, and how it is read or written: what fails, and when. */
struct tape {
    uint8_t *bytes;
    size_t len;
    size_t at;         /* reading */
    size_t cut;        /* reads end here; 0: nowhere */
    uint64_t fails_at; /* the call, from 1 on, that fails; 0: none */
    uint64_t calls;
    size_t most; /* bytes a read gives at most; 0: all */
};

int tape_write(void *user, const void *buf, size_t len);
int64_t tape_read(void *user, void *buf, size_t len);
void tape_rewind(struct tape *tape);
void tape_free(struct tape *tape);

struct streams {
    struct rig source;
    struct rig backup;
};
/* blank: the backup's origin holds zeros. */
void streams_open(struct streams *streams, const struct rig_options *options);
void streams_close(struct streams *streams);

/* Exports; asserts. base 0: full. */
selsnap_stream_info streams_export(struct streams *streams, uint64_t id, uint64_t base, struct tape *tape);
int streams_try_import(struct streams *streams, struct tape *tape, uint32_t flags, uint64_t *ret_id,
                       selsnap_stream_info *ret_info);
uint64_t streams_import(struct streams *streams, struct tape *tape);
/* The snapshot of the backup reads as that of the source, block by block of the source's. */
void streams_assert_same(struct streams *streams, uint64_t source_id, uint64_t backup_id);
/* A copy of what a device holds; free it. */
uint8_t *streams_content(selsnap_device *device, size_t *ret_len);

#endif
