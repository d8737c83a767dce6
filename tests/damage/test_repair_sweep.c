/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every page of a store damaged in turn, and every third sector of its journal (all of them with SSN_TEST_LONG): a
 * repair ends with each block right or lost, or refuses. Many variants run in a process, in turn: one that fails,
 * crashes or hangs is told, with the line that runs it alone, and another process goes on with the next.
 * test_repair_sweep STATE KIND PLACE runs one, STATE those of a state.
 */
#include "prng.h"
#include "repair_rig.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { KIND_ZEROS, KIND_FLIP, KIND_SECTOR, KIND_CUT_OFF, KIND_COUNT };
enum { SECONDS = 120, SECTOR = 512, STATES = 4, QUEUE_MAX = 8192 };

static const char *const state_names[] = {"clean", "crashed", "restoring", "paused"};
static const char *const kind_names[] = {"zeros", "flip", "sector", "cut-off"};

/* What became of a variant. */
enum outcome { OUTCOME_FAILED, OUTCOME_WHOLE, OUTCOME_PART, OUTCOME_REFUSED, OUTCOMES };

static struct box box;
static enum outcome outcome; /* of the variant that runs */

struct variant {
    enum box_state state;
    enum kind kind;
    uint64_t place;   /* page; KIND_SECTOR: sector */
    unsigned *counts; /* of outcomes, to add this one's to */
};

static struct variant queue[QUEUE_MAX];
static size_t queued;

/* Shared with the children. */
struct progress {
    _Atomic size_t next;
    uint8_t outcomes[QUEUE_MAX];
};

/* false: it changes nothing. */
static bool spoil(const struct variant *variant, uint8_t *image, uint64_t *ret_size) {
    uint8_t *page = image + variant->place * (variant->kind == KIND_SECTOR ? SECTOR : 4096);
    struct prng prng = prng_init(variant->place);
    *ret_size = BOX_STORE_BYTES;
    switch (variant->kind) {
    case KIND_ZEROS:
        if (pattern_all_zero(page, 4096)) {
            return false;
        }
        memset(page, 0, 4096);
        return true;
    case KIND_FLIP:
        page[prng_below(&prng, 4096)] ^= (uint8_t)(1u << prng_below(&prng, 8));
        return true;
    case KIND_SECTOR:
        memset(page, 0x5a, SECTOR);
        return true;
    default:
        *ret_size = variant->place * 4096;
        return true;
    }
}

/* Says so when something is wrong, by exit status. */
static void run(const struct variant *variant) {
    uint8_t *image = malloc(BOX_STORE_BYTES);
    struct box_repair *repair = calloc(1, sizeof *repair);
    uint64_t size;
    assert_non_null(image);
    assert_non_null(repair);
    memcpy(image, box.image, BOX_STORE_BYTES);
    if (spoil(variant, image, &size)) {
        box_try(&box, image, size, repair);
        int first = repair->code;
        bool whole = first == SELSNAP_OK && repair->missing == 0 && box_lost_total(repair) == 0;
        /* A refusal names the damage. */
        assert_true(first == SELSNAP_OK || first == SELSNAP_EDAMAGED || first == SELSNAP_ENOTSTORE);
        assert_true(!whole || repair->live_lost == 0);
        outcome = whole ? OUTCOME_WHOLE : first == SELSNAP_OK ? OUTCOME_PART : OUTCOME_REFUSED;
        if (!whole && variant->place % 2 == 0) {
            repair->flags = SELSNAP_REPAIR_AS_TAKEN;
            box_try(&box, image, size, repair);
            assert_true(repair->code == SELSNAP_OK || repair->code == first);
        }
    }
    free(image);
    free(repair);
}

static void in_child(void **state) {
    run(*state);
}

static _Noreturn void run_queue(struct progress *progress) {
    if (getenv("SSN_REPAIR_LOUD") == NULL) {
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
    }
    while (progress->next < queued) {
        size_t at = progress->next++;
        const struct CMUnitTest test[] = {{"variant", in_child, NULL, NULL, &queue[at]}};
        (void)alarm(SECONDS);
        outcome = OUTCOME_WHOLE; /* what changes nothing */
        bool right = cmocka_run_group_tests(test, NULL, NULL) == 0;
        progress->outcomes[at] = (uint8_t)(right ? outcome : OUTCOME_FAILED);
        if (!right) {
            _exit(1); /* with what it may have broken */
        }
    }
    _exit(0);
}

static void add(const struct variant *variant, enum outcome result) {
    variant->counts[result]++;
    if (result == OUTCOME_FAILED) {
        print_error("failed; alone: SSN_REPAIR_LOUD=1 test_repair_sweep %s %s %" PRIu64 "\n",
                    state_names[variant->state], kind_names[variant->kind], variant->place);
    }
}

/* Runs what is queued, in as many children as it takes, and empties the queue. */
static void run_queued(void) {
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(progress != MAP_FAILED);
    while (progress->next < queued) {
        size_t before = progress->next;
        (void)fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            run_queue(progress);
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(progress->next > before);
    }
    for (size_t i = 0; i < queued; i++) {
        add(&queue[i], (enum outcome)progress->outcomes[i]);
    }
    queued = 0;
    munmap(progress, sizeof *progress);
}

static void try_one(enum box_state state, enum kind kind, uint64_t place, unsigned *counts) {
    assert_true(queued < QUEUE_MAX);
    queue[queued++] = (struct variant){state, kind, place, counts};
}

/* Whether the page belongs to the metadata; the others hold copies of blocks, or nothing. */
static bool is_metadata(const uint8_t *page) {
    return memcmp(page + 8, "SSNT", 4) == 0 || memcmp(page, "SSNL", 4) == 0;
}

static void tell(enum box_state state, const char *what, const unsigned *counts) {
    print_message("# %s, %s: %u whole, %u in part, %u refused\n", state_names[state], what, counts[OUTCOME_WHOLE],
                  counts[OUTCOME_PART], counts[OUTCOME_REFUSED]);
}

static void sweep_pages(enum box_state state, bool metadata, unsigned *counts) {
    for (uint64_t page = BOX_AREA / 4096; page < BOX_STORE_BYTES / 4096; page++) {
        const uint8_t *bytes = box.image + page * 4096;
        for (int kind = KIND_ZEROS; kind <= KIND_FLIP; kind++) {
            if (!pattern_all_zero(bytes, 4096) && is_metadata(bytes) == metadata &&
                (metadata || page % 2 == (unsigned)kind % 2)) {
                try_one(state, (enum kind)kind, page, counts);
            }
        }
    }
}

static void sweep_head(enum box_state state, unsigned *counts) {
    for (uint64_t page = 0; page < 32; page++) {
        for (int kind = KIND_ZEROS; kind <= KIND_FLIP; kind++) {
            try_one(state, (enum kind)kind, page, counts);
        }
    }
}

static void sweep_journal(enum box_state state, unsigned *counts) {
    const unsigned every = getenv("SSN_TEST_LONG") != NULL ? 1 : 3;
    for (uint64_t sector = 32 * 8 + (unsigned)state % every; sector < BOX_AREA / SECTOR; sector += every) {
        try_one(state, KIND_SECTOR, sector, counts);
    }
}

static void sweep_ends(enum box_state state, unsigned *counts) {
    for (uint64_t pages = 1; pages < BOX_STORE_BYTES / 4096; pages += 37) {
        try_one(state, KIND_CUT_OFF, pages, counts);
    }
}

static void sweep(enum box_state state) {
    unsigned data[OUTCOMES] = {0};
    unsigned tree[OUTCOMES] = {0};
    unsigned head[OUTCOMES] = {0};
    unsigned journal[OUTCOMES] = {0};
    unsigned ends[OUTCOMES] = {0};
    queued = 0;
    box_make(&box, state);
    sweep_pages(state, false, data);
    sweep_pages(state, true, tree);
    sweep_head(state, head);
    sweep_journal(state, journal);
    sweep_ends(state, ends);
    run_queued();
    tell(state, "data", data);
    tell(state, "tree", tree);
    tell(state, "superblocks", head);
    tell(state, "journal", journal);
    tell(state, "cut off", ends);
    box_free(&box);
    assert_int_equal(data[OUTCOME_FAILED] + tree[OUTCOME_FAILED] + head[OUTCOME_FAILED] + journal[OUTCOME_FAILED] +
                         ends[OUTCOME_FAILED],
                     0);
    /* The yield. A damaged copy never costs more than blocks; one page of the tree, all but the root, leaves the rest;
     * one superblock is enough, unless the journal has moved on from it (two variants of the newest one); the journal
     * of a closed store does not matter. */
    assert_true(data[OUTCOME_PART] > 100);
    assert_int_equal(data[OUTCOME_REFUSED], 0);
    assert_true(tree[OUTCOME_PART] > 0);
    assert_int_equal(head[OUTCOME_REFUSED] + head[OUTCOME_PART], state == BOX_CLEAN ? 0 : 2);
    assert_true(state == BOX_CLEAN ? journal[OUTCOME_REFUSED] == 0 : journal[OUTCOME_REFUSED] > 0);
}

static void test_repair__page_of_closed_store_damaged__right_or_lost(void **state) {
    (void)state;
    sweep(BOX_CLEAN);
}

static void test_repair__page_of_store_in_use_damaged__right_or_lost(void **state) {
    (void)state;
    sweep(BOX_CRASHED);
}

static void test_repair__page_damaged_during_restore__right_or_lost(void **state) {
    (void)state;
    sweep(BOX_RESTORING);
}

/* Closed, so the records of the restore are in the tree. */
static void test_repair__page_damaged_while_restore_is_unfinished__right_or_lost(void **state) {
    (void)state;
    unsigned tree[OUTCOMES] = {0};
    queued = 0;
    box_make(&box, BOX_PAUSED);
    sweep_pages(BOX_PAUSED, true, tree);
    run_queued();
    tell(BOX_PAUSED, "tree", tree);
    box_free(&box);
    assert_int_equal(tree[OUTCOME_FAILED], 0);
    assert_true(tree[OUTCOME_PART] > 0);
}

static int name_index(const char *const *names, int count, const char *name) {
    int i = 0;
    while (i < count && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static int run_alone(char **arguments) {
    int state = name_index(state_names, STATES, arguments[0]);
    int kind = name_index(kind_names, KIND_COUNT, arguments[1]);
    if (state == STATES || kind == KIND_COUNT) {
        (void)fprintf(stderr, "usage: test_repair_sweep STATE KIND PLACE\n");
        return 2;
    }
    struct variant variant = {(enum box_state)state, (enum kind)kind, strtoull(arguments[2], NULL, 10), NULL};
    const struct CMUnitTest test[] = {{"variant", in_child, NULL, NULL, &variant}};
    box_make(&box, variant.state);
    int result = cmocka_run_group_tests(test, NULL, NULL);
    box_free(&box);
    return result;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__page_of_closed_store_damaged__right_or_lost),
        cmocka_unit_test(test_repair__page_of_store_in_use_damaged__right_or_lost),
        cmocka_unit_test(test_repair__page_damaged_during_restore__right_or_lost),
        cmocka_unit_test(test_repair__page_damaged_while_restore_is_unfinished__right_or_lost),
    };
    int state = argc == 2 ? name_index(state_names, STATES, argv[1]) : STATES;
    if (argc == 4) {
        return run_alone(argv + 1);
    }
    return state < STATES ? _cmocka_run_group_tests(argv[1], tests + state, 1, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
}
