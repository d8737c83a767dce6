/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a lies test: the store tells one lie, in a child of its own for each. */
#include "lies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const lie_names[LIE_KINDS] = {"half", "lost", "aside", "back", "slot0", "slot1", "other", "again", "rest"};

/* True in a child, with the lie to tell. */
static bool try_lies(bool write, enum lie *ret_kind) {
    world.calls++;
    if (world.child) {
        return false;
    }
    if (world.replay) {
        *ret_kind = world.replay_kind;
        world.child = world.calls == world.replay_call && write == (world.replay_kind < LIE_OTHER);
        world.kind = world.replay_kind;
        return world.child;
    }
    for (unsigned kind = write ? LIE_HALF : LIE_OTHER; kind < (write ? LIE_OTHER : LIE_KINDS); kind++) {
        if (world.shared->failed) {
            return false;
        }
        world.shared->lies++;
        fflush(stdout);
        pid_t pid = fork();
        if (pid < 0) {
            perror("fork");
            abort();
        }
        describe_lie(world.calls, kind);
        if (pid == 0) {
            alarm(SECONDS_PER_CHILD);
            world.child = true;
            world.kind = kind;
            *ret_kind = kind;
            return true;
        }
        int status = 0;
        waitpid(pid, &status, 0);
        if (WIFSIGNALED(status)) {
            fprintf(stderr, "ended by signal %d%s\nreplay: %s\n", WTERMSIG(status),
                    WTERMSIG(status) == SIGALRM ? ": it hangs" : "", world.command);
        }
        world.shared->failed = world.shared->failed || status != 0;
    }
    describe_script();
    return false;
}

static uint64_t total(const selsnap_iovec *iov, uint32_t iov_count) {
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        len += iov[i].len;
    }
    return len;
}

/* The first len bytes, to the device or from it. */
static void copy(uint8_t *bytes, const selsnap_iovec *iov, uint64_t len, bool write) {
    for (uint64_t at = 0; at < len; iov++) {
        uint64_t part = iov->len < len - at ? iov->len : len - at;
        if (write) {
            memcpy(bytes + at, iov->base, part);
        } else {
            memcpy(iov->base, bytes + at, part);
        }
        at += part;
    }
}

static uint64_t next_page(uint64_t offset, uint64_t len) {
    return offset + BLOCK + len <= STORE ? offset + BLOCK : offset - BLOCK;
}

static int store_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    (void)user;
    uint64_t len = total(iov, iov_count);
    uint64_t back = world.last_write;
    enum lie kind;
    world.last_write = offset;
    if (try_lies(true, &kind)) {
        uint64_t to = kind == LIE_BACK    ? back
                      : kind == LIE_SLOT0 ? 0
                      : kind == LIE_SLOT1 ? SLOT1
                      : kind == LIE_ASIDE ? next_page(offset, len)
                                          : offset;
        offset = to + len <= STORE ? to : STORE - len;
        uint64_t half = len / 2 / PATTERN_SECTOR * PATTERN_SECTOR;
        len = kind == LIE_HALF ? half : kind == LIE_LOST ? 0 : len;
    }
    copy(world.store + offset, iov, len, true);
    return 0;
}

static int store_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    (void)user;
    uint64_t len = total(iov, iov_count);
    uint64_t again = world.last_read;
    enum lie kind;
    world.last_read = offset;
    if (try_lies(false, &kind)) {
        for (uint32_t i = 0; i < iov_count && kind == LIE_REST; i++) {
            memset(iov[i].base, 0xee, iov[i].len);
        }
        len = kind == LIE_REST ? len / 2 / PATTERN_SECTOR * PATTERN_SECTOR : len;
        uint64_t from = kind == LIE_OTHER ? next_page(offset, len) : kind == LIE_AGAIN ? again : offset;
        offset = from + len <= STORE ? from : STORE - len;
    }
    copy(world.store + offset, iov, len, false);
    return 0;
}

static int origin_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    (void)user;
    copy(world.origin + offset, iov, total(iov, iov_count), true);
    return 0;
}

static int origin_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    (void)user;
    copy(world.origin + offset, iov, total(iov, iov_count), false);
    return 0;
}

static int flush(void *user) {
    (void)user;
    return 0;
}

selsnap_device *make_device(bool store) {
    const selsnap_device_ops ops = {.struct_size = sizeof ops,
                                    .readv = store ? store_readv : origin_readv,
                                    .writev = store ? store_writev : origin_writev,
                                    .flush = flush};
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = SELSNAP_DEVICE_VOLATILE_CACHE;
    info.size_bytes = store ? STORE : SIZE;
    info.logical_block_bytes = PATTERN_SECTOR;
    selsnap_device *device = NULL;
    if (selsnap_device_open(&ops, &info, NULL, &device) != SELSNAP_OK) {
        fail("no device", 0);
    }
    return device;
}
