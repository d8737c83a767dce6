/* SPDX-License-Identifier: Apache-2.0 */
/* See streampack.h. libzstd's own memory is from the C library. */
#include "streampack.h"

#include <stdlib.h>
#include <zstd.h>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
/* The system's libzstd was not built for MemorySanitizer, which does not see what it writes. */
#define WAS_WRITTEN(memory, len) __msan_unpoison(memory, len)
#endif
#endif
#ifndef WAS_WRITTEN
#define WAS_WRITTEN(memory, len) ((void)0)
#endif

struct ssn_packer {
    ZSTD_CCtx *context;
    int level;
};
struct ssn_unpacker {
    ZSTD_DCtx *context;
};

bool ssn_packs(void) {
    return true;
}

struct ssn_packer *ssn_packer_open(int level) {
    struct ssn_packer *packer = calloc(1, sizeof *packer);
    if (packer != NULL) {
        packer->level = level;
        packer->context = ZSTD_createCCtx();
    }
    if (packer != NULL && packer->context == NULL) {
        free(packer);
        return NULL;
    }
    return packer;
}

void ssn_packer_close(struct ssn_packer *packer) {
    if (packer != NULL) {
        (void)ZSTD_freeCCtx(packer->context);
        free(packer);
    }
}

size_t ssn_packer_bound(size_t len) {
    return ZSTD_compressBound(len);
}

size_t ssn_packer_pack(struct ssn_packer *packer, uint8_t *to, size_t room, const uint8_t *from, size_t len) {
    size_t got = ZSTD_compressCCtx(packer->context, to, room, from, len, packer->level);
    if (ZSTD_isError(got)) {
        return 0;
    }
    WAS_WRITTEN(to, got);
    return got;
}

struct ssn_unpacker *ssn_unpacker_open(void) {
    struct ssn_unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (unpacker != NULL) {
        unpacker->context = ZSTD_createDCtx();
    }
    if (unpacker != NULL && unpacker->context == NULL) {
        free(unpacker);
        return NULL;
    }
    return unpacker;
}

void ssn_unpacker_close(struct ssn_unpacker *unpacker) {
    if (unpacker != NULL) {
        (void)ZSTD_freeDCtx(unpacker->context);
        free(unpacker);
    }
}

bool ssn_unpacker_unpack(struct ssn_unpacker *unpacker, uint8_t *to, size_t to_len, const uint8_t *from, size_t len) {
    if (ZSTD_getFrameContentSize(from, len) != to_len || ZSTD_findFrameCompressedSize(from, len) != len) {
        return false;
    }
    if (ZSTD_decompressDCtx(unpacker->context, to, to_len, from, len) != to_len) {
        return false;
    }
    WAS_WRITTEN(to, to_len);
    return true;
}
