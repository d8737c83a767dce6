/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Systematic damage to small stores. P8, P9: whatever bit of the metadata is flipped, whatever page is zeroed, replaced
 * by another or by an older version of itself, wherever the store is cut short, whatever preserved block is damaged:
 *
 * - opening works or is refused by name; no crash, no hang, nothing left allocated;
 * - each block of each snapshot, and of the live device, reads right or gives an error by name, before and after
 *   writes, a new snapshot, steps, a close and another open; a damaged copy harms only what reads from it;
 * - writes that preserve nothing work;
 * - a check finds it.
 *
 *     damage              a share of the bits and replacements that takes less than a minute
 *     damage --all        every bit, every replacement; hours
 *     damage --only NAME  one variant, in this process; how to repeat a failure
 *     damage --part I/N   with the others: the I-th of N parts
 *
 * Variants run in processes of their own, many in each; one that crashes, hangs or finds something wrong is named.
 */
#include "child.h"
#include "variant.h"
#include "verify.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCENES = 2, BATCH = 256, SECONDS = 60, FAILURES_MAX = 20 };

/* Shared with the processes that try variants. */
struct tally {
    _Atomic size_t at; /* the variant being tried */
    uint64_t tried, unchanged, refused, told, harmless, data_told, snapshots, writes;
};

static struct scene scenes[SCENES];
static uint8_t image[SCENE_STORE]; /* but for the variant being tried, as its scene has it */
static const struct scene *imaged;
static struct tally *tally;

static void need(bool right, const char *what) {
    if (!right) {
        (void)printf("# %s\n", what);
        (void)fflush(stdout);
        child_exit(1);
    }
}

static bool changes_page(const struct variant *variant) {
    return variant->kind != VARIANT_CUT && variant->kind != VARIANT_NONE;
}

/* The page of a variant that changes one. */
static uint64_t page_of(const struct variant *variant) {
    return variant->kind == VARIANT_BIT ? variant->at / 8 / SCENE_PAGE : variant->at;
}

static enum page_kind kind_of(const struct variant *variant, const struct scene *scene) {
    return changes_page(variant) ? scene->kind[page_of(variant)] : PAGE_UNUSED;
}

/* What must have come of it beside what verify() demands. */
static void judge(const struct variant *variant, const struct scene *scene, const struct outcome *outcome) {
    enum page_kind kind = kind_of(variant, scene);
    bool told = outcome->refused_reading || outcome->problems > 0;
    if (variant->kind == VARIANT_NONE) {
        need(!outcome->refused && !told && outcome->errors == 0, "the sound store is not found sound");
        need(outcome->snapshot_made && outcome->writes > 10, "the sound store does not work");
    } else if (variant->kind == VARIANT_CUT) {
        need(outcome->refused && outcome->refused_reading, "a store cut short was opened");
    } else if (kind == PAGE_DATA) {
        need(!outcome->refused && !outcome->refused_reading, "damaged data keeps a store from being opened");
        need(outcome->errors == 0 || told, "a check does not find damaged data");
        need(outcome->errors == 0 || outcome->one_copy, "damaged data harms other blocks");
        need(outcome->snapshot_made, "no snapshot can be made beside damaged data");
    } else if (variant->kind != VARIANT_OLDER || kind == PAGE_TREE || kind == PAGE_LEDGER) {
        /* An older superblock, or journal sector, is as good as new where another makes up for it. */
        need(told, "a check does not find damaged metadata");
    }
    tally->tried++;
    tally->refused += outcome->refused;
    tally->told += told;
    tally->harmless += !told;
    tally->data_told += kind == PAGE_DATA && outcome->errors > 0;
    tally->snapshots += outcome->snapshot_made;
    tally->writes += outcome->writes > 0;
}

static void try_variant(const struct variant *variant) {
    const struct scene *scene = &scenes[variant->scene];
    struct outcome outcome;
    uint64_t size;
    if (imaged != scene) {
        memcpy(image, scene->store, SCENE_STORE);
        imaged = scene;
    }
    if (variant_apply(variant, scene, image, &size) || variant->kind == VARIANT_NONE) {
        verify(scene, image, size, &outcome);
        judge(variant, scene, &outcome);
    } else {
        tally->unchanged++;
    }
    if (changes_page(variant)) {
        uint64_t begin = page_of(variant) * SCENE_PAGE;
        memcpy(image + begin, scene->store + begin, SCENE_PAGE);
    }
}

/* In a process of its own: list[from, to). Gives whether all went well; otherwise tally->at is the culprit. */
static bool try_batch(const struct variant *list, size_t from, size_t to) {
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = from; i < to; i++) {
            atomic_store(&tally->at, i);
            (void)alarm(SECONDS);
            try_variant(&list[i]);
        }
        child_exit(0);
    }
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        (void)printf("# signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hangs" : "");
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void tell_failure(const char *program, const struct variant *variant) {
    char name[VARIANT_NAME];
    variant_name(variant, name);
    (void)printf("# variant %s of the store \"%s\" failed; to repeat it:\n#   %s --only %s\n", name,
                 scenes[variant->scene].name, program, name);
}

static unsigned try_all(const char *program, const struct variant *list, size_t count) {
    unsigned failures = 0;
    for (size_t at = 0; at < count && failures < FAILURES_MAX;) {
        size_t end = count - at < BATCH ? count : at + BATCH;
        if (try_batch(list, at, end)) {
            at = end;
        } else {
            size_t culprit = atomic_load(&tally->at);
            tell_failure(program, &list[culprit]);
            failures++;
            at = culprit + 1;
        }
    }
    return failures;
}

/* Every n-th variant, from the i-th on. */
static size_t keep_part(struct variants *list, const char *part) {
    unsigned i = 1;
    unsigned n = 1;
    assert_true(part == NULL || (sscanf(part, "%u/%u", &i, &n) == 2 && i >= 1 && i <= n));
    size_t kept = 0;
    for (size_t at = i - 1; at < list->count; at += n) {
        list->item[kept++] = list->item[at];
    }
    return kept;
}

static int run_one(const char *name) {
    struct variant variant;
    if (!variant_parse(name, &variant) || variant.scene >= SCENES) {
        (void)printf("there is no variant %s\n", name);
        return 2;
    }
    atomic_store(&tally->at, 0);
    try_variant(&variant);
    (void)printf("ok: %s\n", name);
    return 0;
}

static int run(const char *program, bool all, const char *part) {
    struct variants list = {NULL, 0, 0};
    for (unsigned i = 0; i < SCENES; i++) {
        variants_list(&list, &scenes[i], i, all);
    }
    size_t count = keep_part(&list, part);
    unsigned failures = try_all(program, list.item, count);
    (void)printf("# %" PRIu64 " variants, %" PRIu64 " more changed nothing: %" PRIu64 " told, %" PRIu64
                 " refused for writing, %" PRIu64 " harmless; %" PRIu64
                 " damaged copies met; a new snapshot in %" PRIu64 ", preserving writes in %" PRIu64 "\n",
                 tally->tried, tally->unchanged, tally->told, tally->refused, tally->harmless, tally->data_told,
                 tally->snapshots, tally->writes);
    bool bit = part != NULL || (tally->data_told > 100 && tally->told > 1000 && tally->snapshots > 200);
    (void)printf("%sok 1 - every damage is told or harmless\n", failures == 0 ? "" : "not ");
    (void)printf("%sok 2 - the variants do damage\n1..2\n", bit ? "" : "not ");
    free(list.item);
    return failures == 0 && bit ? 0 : 1;
}

int main(int argc, char **argv) {
    bool all = false;
    const char *only = NULL;
    const char *part = NULL;
    for (int i = 1; i < argc; i++) {
        all = all || strcmp(argv[i], "--all") == 0;
        only = strcmp(argv[i], "--only") == 0 && i + 1 < argc ? argv[i + 1] : only;
        part = strcmp(argv[i], "--part") == 0 && i + 1 < argc ? argv[i + 1] : part;
    }
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(tally != MAP_FAILED);
    scene_build(&scenes[0], "closed", false);
    scene_build(&scenes[1], "killed", true);
    int code = only != NULL ? run_one(only) : run(argv[0], all, part);
    for (unsigned i = 0; i < SCENES; i++) {
        scene_free(&scenes[i]);
    }
    return code;
}
