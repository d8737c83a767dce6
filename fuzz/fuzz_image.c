/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole store image, damaged, opened and used. The input: stage (image.h), mode, how to open, patches, and then what
 * to do with the store.
 *
 * What must hold: nothing crashes, hangs, leaks, or takes more memory than allowed; calls fail with what they document;
 * a refused store is not written to, nor is anything when opened read-only; the origin holds what was written, and
 * nothing else, unless a restore runs [P9]. Where checksums are not mended, whatever is read is right, or refused [P8].
 * Where they are mended and the check still finds nothing, the store is as good as any other: snapshots stay as they
 * were, whatever is done, and across a close [P1]. Or a new store is made of what is sound: it opens, and where
 * checksums are not mended, the check finds nothing in it, and what is read from it is right or lost.
 */
#include "actions.h"
#include "codes.h"
#include "image.h"
#include "readback.h"

enum {
    MODE_HEADS = 2,
    MODE_REPAIR = 64,
    MODE_RAW = 4,
    MODE_READ_ONLY = 8,
    MODE_ROOMY = 16,
    MODE_BLIND = 32,
    MODE_MEND = 128
};

static struct stage stages[STAGES];
static struct cowdev store;
static struct cowdev origin;
static struct cowdev shadow; /* what the origin must hold */
static struct cowdev fresh;  /* what a repair makes */
static struct meter meter;
static uint8_t *blank; /* a store of zeros */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    stages_make(stages);
    cow_init(&store, 's', IMAGE_STORE_BYTES);
    cow_init(&origin, 'o', IMAGE_ORIGIN_BYTES);
    cow_init(&shadow, 'x', IMAGE_ORIGIN_BYTES);
    cow_init(&fresh, 'f', IMAGE_STORE_BYTES);
    blank = calloc(IMAGE_STORE_PAGES, COW_PAGE);
    must(blank != NULL);
    return 0;
}

static int open_store(uint8_t mode, struct cowdev *from, selsnap **ret_ss) {
    static char message[256];
    selsnap_open_options options = SELSNAP_OPEN_OPTIONS_INIT;
    options.memory_limit = (mode & MODE_ROOMY) != 0 ? 64 << 20 : (4 << 20) + 3 * (64 << 10);
    options.flags = (mode & MODE_READ_ONLY) != 0 ? SELSNAP_OPEN_READ_ONLY : 0;
    options.flags |= (mode & MODE_BLIND) != 0 ? SELSNAP_OPEN_ORIGIN_CHANGED | SELSNAP_OPEN_OTHER_ORIGIN : 0;
    options.allocator = meter_allocator(&meter, options.memory_limit);
    options.ret_message = message;
    options.message_size = sizeof message;
    *ret_ss = NULL;
    int code = selsnap_open(from->device, origin.device, &options, ret_ss);
    code_in(code, CODES_READ | CODE(ENOTSTORE) | CODE(EVERSION) | CODE(EORIGIN) | CODE(ECHANGED) | CODE(EMEMLIMIT) |
                      CODE(EREADONLY) | CODE(EABANDONED));
    if (code != SELSNAP_OK) {
        must(*ret_ss == NULL && strlen(message) < sizeof message && meter.pieces == 0);
        must(origin.writes == 0);
        if (code == SELSNAP_EDAMAGED || code == SELSNAP_ENOTSTORE || code == SELSNAP_EVERSION) {
            must(from->writes == 0);
        }
    }
    return code;
}

/* Pieces of an image: a page, a length, bytes. */
static void lay_raw(struct input *in) {
    while (in->left > 0) {
        size_t page = input_uint(in, 2) % IMAGE_STORE_PAGES;
        size_t len = input_uint(in, 2) % (COW_PAGE + 1);
        input_take(in, cow_change(&store, page), len);
    }
}

static bool is_code(uint64_t value, int code) {
    return value == (uint64_t)(int64_t)code;
}

/* No block of `got` is anything but that of `expected`, or refused. */
static void compare_blocks(const uint64_t *expected, const uint64_t *got) {
    for (unsigned i = 0; i < IMAGE_BLOCKS; i++) {
        must(got[i] == expected[i] || is_code(got[i], SELSNAP_EDAMAGED));
    }
}

static void compare_with_truth(const struct truth *expected, const struct truth *got) {
    must(got->count == expected->count);
    for (unsigned i = 0; i < got->count; i++) {
        must(got->id[i] == expected->id[i]);
        compare_blocks(expected->frozen[i], got->frozen[i]);
        compare_blocks(expected->now[i], got->now[i]);
    }
}

/* A block that could be read still can, and is the same, unless it was given up for lack of room, or the snapshot was
 * turned into a bookmark. */
static void compare_kept(const uint64_t *before, const uint64_t *after) {
    for (unsigned i = 0; i < IMAGE_BLOCKS; i++) {
        if ((int64_t)before[i] >= 0) {
            must(after[i] == before[i] || is_code(after[i], SELSNAP_ELOST) || is_code(after[i], SELSNAP_ENOMEM) ||
                 is_code(after[i], SELSNAP_ENODATA));
        }
    }
}

static void compare_snapshots(const struct truth *before, const struct truth *after, const struct actions *done) {
    for (unsigned i = 0; i < before->count; i++) {
        for (unsigned k = 0; k < after->count; k++) {
            if (after->id[k] == before->id[i]) {
                compare_kept(before->frozen[i], after->frozen[k]);
                if (!actions_wrote_into(done, before->id[i])) {
                    compare_kept(before->now[i], after->now[k]);
                }
            }
        }
    }
}

static void check_origin(const struct actions *done) {
    for (size_t i = 0; i < origin.dirty_count && !done->restores; i++) {
        size_t page = origin.dirty_list[i];
        must(memcmp(cow_page(&origin, page), cow_page(&shadow, page), COW_PAGE) == 0);
    }
}

static int count_line(void *user, const char *line) {
    unsigned *lines = user;
    must(strlen(line) < 4096);
    return ++*lines >= 10000;
}

static bool check_finds_nothing(selsnap *ss) {
    selsnap_check_result result = {.struct_size = sizeof result};
    unsigned lines = 0;
    int code = selsnap_check(ss, count_line, &lines, NULL, NULL, &result);
    code_in(code, CODE(ENOMEM) | CODE(ECANCELED));
    must(code != SELSNAP_OK || result.problems == lines);
    return code == SELSNAP_OK && result.problems == 0;
}

static void close_store(selsnap *ss) {
    code_in(selsnap_close(ss), CODES_CHANGE);
    must(meter.pieces == 0 && meter.bytes == 0);
}

static void use_store(selsnap *ss, uint8_t mode, const struct truth *expected, struct input *in) {
    static struct truth before;
    static struct truth after;
    static struct actions done;
    bool writable = (mode & MODE_READ_ONLY) == 0;
    actions_begin(&done, ss, &origin, &shadow);
    readback_all(ss, &before);
    if (expected != NULL) {
        compare_with_truth(expected, &before);
    }
    readback_walk(ss);
    bool sound = check_finds_nothing(ss);
    if (writable) {
        actions_run(&done, in);
        check_origin(&done);
        if (sound) {
            readback_all(ss, &after);
            compare_snapshots(&before, &after, &done);
            must(done.damage_met || check_finds_nothing(ss));
        }
    }
    close_store(ss);
    check_origin(&done);
    if (!writable) {
        must(store.writes == 0 && origin.writes == 0);
    } else if (sound && open_store(mode | MODE_BLIND, &store, &ss) == SELSNAP_OK) {
        readback_all(ss, &after);
        compare_snapshots(&before, &after, &done);
        close_store(ss);
    } else {
        must(!sound);
    }
}

/* The new store's blocks against those of the one that was damaged; `now` only where all changes are known. */
static void compare_salvaged(const struct truth *expected, const struct truth *got, bool cut) {
    for (unsigned i = 0; i < got->count; i++) {
        unsigned k = 0;
        while (k < expected->count && expected->id[k] != got->id[i]) {
            k++;
        }
        must(k < expected->count || cut);
        for (unsigned b = 0; k < expected->count && b < IMAGE_BLOCKS; b++) {
            must(got->frozen[i][b] == expected->frozen[k][b] || is_code(got->frozen[i][b], SELSNAP_ELOST));
            must(cut || got->now[i][b] == expected->now[k][b] || is_code(got->now[i][b], SELSNAP_ELOST));
        }
    }
}

static void repair_store(uint8_t mode, const struct truth *expected) {
    static struct truth after;
    selsnap_repair_options options = SELSNAP_REPAIR_OPTIONS_INIT;
    selsnap_repair_result result = SELSNAP_REPAIR_RESULT_INIT;
    unsigned lines = 0;
    options.memory_limit = (mode & MODE_ROOMY) != 0 ? 64 << 20 : (8 << 20) + 6 * (64 << 10);
    options.flags = (mode & MODE_BLIND) != 0 ? SELSNAP_REPAIR_OTHER_ORIGIN | SELSNAP_REPAIR_ORIGIN_CHANGED : 0;
    options.allocator = meter_allocator(&meter, options.memory_limit);
    options.report = count_line;
    options.report_user = &lines;
    int code = selsnap_repair(store.device, origin.device, fresh.device, &options, &result);
    uint64_t refusals = CODE(ENOTSTORE) | CODE(EVERSION) | CODE(EORIGIN) | CODE(ECHANGED) | CODE(ECANCELED);
    code_in(code, CODES_READ | CODE(ENOSPACE) | CODE(EMEMLIMIT) | CODE(ETOOSMALL) | refusals);
    must(store.writes == 0 && origin.writes == 0 && meter.pieces == 0);
    selsnap *ss;
    if (code != SELSNAP_OK) {
        return;
    }
    must(open_store((MODE_BLIND | MODE_ROOMY), &fresh, &ss) == SELSNAP_OK);
    /* Records that contradict each other under right checksums, which no damage makes, are carried over. */
    must(check_finds_nothing(ss) || expected == NULL);
    readback_all(ss, &after);
    readback_walk(ss);
    if (expected != NULL) {
        compare_salvaged(expected, &after, result.cut != 0);
    }
    close_store(ss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = input_of(data, size);
    uint8_t choice = input_u8(&in);
    bool later = choice >= STAGE_LATER && choice - STAGE_LATER < STAGES - STAGES_FIRST;
    const struct stage *stage = &stages[later ? STAGES_FIRST + choice - STAGE_LATER : choice % STAGES_FIRST];
    uint8_t mode = input_u8(&in);
    bool raw = (mode & MODE_RAW) != 0;
    cow_reset(&store, raw ? blank : stage->store);
    cow_reset(&origin, stage->origin);
    cow_reset(&shadow, stage->origin);
    if (raw) {
        lay_raw(&in);
    } else {
        unsigned mend = (mode & MODE_MEND) == 0 ? 0 : MEND_CHECKSUMS | ((mode & MODE_HEADS) != 0 ? MEND_HEADS : 0);
        image_patch(&store, stage, &in, mend);
    }
    selsnap *ss;
    const struct truth *expected = !raw && (mode & MODE_MEND) == 0 ? &stage->truth : NULL;
    if ((mode & MODE_REPAIR) != 0) {
        cow_reset(&fresh, blank);
        repair_store(mode, expected);
    } else if (open_store(mode, &store, &ss) == SELSNAP_OK) {
        use_store(ss, mode, expected, &in);
    }
    return 0;
}
