/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that lies: one of its calls says that it worked, and did something else. The script runs once; at each call
 * of the store the process forks a child for each lie (lies.h). The child goes on to the end of the script, closes,
 * opens again, checks and closes. From the lie on calls may give SELSNAP_EDAMAGED or SELSNAP_ELOST, each only where it
 * is documented, and never a read of the live device while no restore runs. What is read of the live device and of
 * snapshots is right. Only what a call that failed may have left in part, and what a restore that told of damage (by an
 * error or an event) was to change, may be old or new from then on.
 *
 *   test_lies                            all scripts
 *   test_lies --script S [--lie N:KIND]  one script; one lie, as in 17:lost: call 17 of the store
 *
 * Two lies cannot be found out by anybody:
 *
 * - The newest batches of the journal were lost, halved or misdirected, and then the process dies.
 *   That is what a power cut leaves, the torn end of the log. So every child ends with a close.
 *   (One that is refused for damage is a crash to the next open; but there a batch that is missing
 *   before others is told.)
 * - The newest superblock was lost, or cannot be read. The store opens from the one before it and
 *   the journal, which is the same content: no place that the older one needs is used again before
 *   the newer is taken for durable, and where a batch since has overwritten one, it knows of the
 *   newer superblock. One that was lost earlier is replaced by the next.
 */
#include "lies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- steps ---- */

static void live_write(const struct step *step, uint64_t offset, uint64_t len) {
    static uint8_t bytes[SIZE];
    int code;
    memset(bytes, 0, len);
    if (step->kind == STEP_ZEROES) {
        code = selsnap_write_zeroes(world.ss, offset, len);
    } else {
        pattern_fill(bytes, len, offset, 7, world.sequence);
        code = selsnap_write(world.ss, bytes, len, offset);
    }
    if (worked(code)) {
        content_set(&world.live, bytes, offset, len, true);
    } else {
        content_failed(&world.live, bytes, offset, len);
    }
}

static void overwrite(const struct step *step) {
    uint64_t rounds = step->kind == STEP_BATCH ? 1 : step->b;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint64_t block = 0; block < BLOCKS; block++) {
            if (((step->a >> block) & 1) != 0) {
                world.sequence++;
                live_write(step, block * BLOCK, BLOCK);
            }
        }
    }
}

/* The blocks of the mask. */
static selsnap_subset *subset_of(uint64_t mask) {
    selsnap_subset *subset = NULL;
    int code = selsnap_subset_open_for(world.ss, &subset);
    for (uint64_t block = 0; block < BLOCKS && code == SELSNAP_OK; block++) {
        code = ((mask >> block) & 1) != 0 ? selsnap_subset_add(subset, block * BLOCK, 1) : SELSNAP_OK;
    }
    if (code != SELSNAP_OK) {
        fail("no subset", 0);
    }
    return subset;
}

static void create(const struct step *step) {
    struct snapshot *s = &world.snapshots[step->slot];
    char name[32];
    if (s->live) {
        return;
    }
    selsnap_subset *subset = subset_of(step->a);
    selsnap_snapshot_options options = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    snprintf(name, sizeof name, "%u-%" PRIu64, step->slot, world.sequence);
    options.name = name;
    options.policy = (uint32_t)step->b;
    options.subset = subset;
    options.time_ns = 1;
    if (worked(selsnap_snapshot_create(world.ss, &options, &s->id))) {
        s->live = true;
        s->frozen = world.live;
        s->now = world.live;
        for (uint64_t block = 0; block < BLOCKS; block++) {
            s->in[block] = (step->a >> block) & 1;
        }
    }
    selsnap_subset_close(subset);
}

static void restore(const struct step *step) {
    const struct snapshot *s = &world.snapshots[step->slot];
    if (!s->live) {
        return;
    }
    selsnap_subset *subset = subset_of(step->a);
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = s->id;
    options.flags = SELSNAP_RESTORE_SKIP_LOST;
    options.subset = subset;
    bool begun = worked_unless(selsnap_restore_start(world.ss, &options, NULL), SELSNAP_EBUSY);
    for (uint64_t block = 0; block < BLOCKS && begun; block++) {
        if (!s->in[block] || ((step->a >> block) & 1) == 0) {
            continue;
        }
        content_set(&world.live, s->frozen.now + block * BLOCK, block * BLOCK, BLOCK, false);
        for (uint64_t sector = block * PER_BLOCK; sector < (block + 1) * PER_BLOCK; sector++) {
            for (unsigned i = 0; i < s->frozen.count[sector] && world.live.count[sector] < OTHERS; i++) {
                world.live.others[sector][world.live.count[sector]++] = s->frozen.others[sector][i];
            }
        }
    }
    selsnap_subset_close(subset);
}

static bool open_view(struct snapshot *s) {
    selsnap_view_options options = SELSNAP_VIEW_OPTIONS_INIT;
    options.id = s->id;
    options.flags = SELSNAP_VIEW_WRITABLE;
    options.undesignated = SELSNAP_UNDESIGNATED_ERROR;
    return s->view != NULL || worked(selsnap_view_open(world.ss, &options, &s->view));
}

static void view_write(struct snapshot *s, const struct step *step, uint64_t offset, uint64_t len) {
    static uint8_t bytes[SIZE];
    int code;
    memset(bytes, 0, len);
    if (step->kind == STEP_VIEW_DISCARD) {
        code = selsnap_view_discard(s->view, offset, len);
    } else {
        pattern_fill(bytes, len, offset, 9, world.sequence);
        code = selsnap_view_write(s->view, bytes, len, offset);
    }
    if (worked(code)) {
        content_set(&s->now, bytes, offset, len, false);
    } else {
        content_failed(&s->now, bytes, offset, len);
    }
}

static void view_reset(struct snapshot *s) {
    if (worked(selsnap_view_reset(s->view))) {
        s->now = s->frozen;
    }
}

static void view_step(const struct step *step, uint64_t offset, uint64_t len) {
    struct snapshot *s = &world.snapshots[step->slot];
    if (!s->live || step->kind == STEP_VIEW_CLOSE) {
        close_view(s);
    } else if (!open_view(s)) {
        return;
    } else if (step->kind == STEP_VIEW_RESET) {
        view_reset(s);
    } else if (step->kind != STEP_VIEW_FLUSH) {
        view_write(s, step, offset, len);
    } else if (worked(selsnap_view_flush(s->view)) && !world.told) {
        memset(s->now.count, 0, sizeof s->now.count);
    }
}

static void delete (struct snapshot *s) {
    close_view(s);
    int code = s->live ? selsnap_snapshot_delete(world.ss, s->id) : SELSNAP_OK;
    if (code != SELSNAP_EBUSY || !restoring()) {
        s->live = !worked(code) && s->live;
    }
}

static void work(const struct step *step) {
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.flags = (uint32_t)step->a;
    options.budget_blocks = step->b;
    (void)worked(selsnap_step(world.ss, &options, NULL));
}

static void do_step(const struct step *step) {
    uint64_t offset = step->a * PATTERN_SECTOR;
    uint64_t len = step->b * PATTERN_SECTOR;
    len = offset < SIZE && offset + len > SIZE ? SIZE - offset : len;
    switch (step->kind) {
    case STEP_WRITE:
    case STEP_ZEROES:
        live_write(step, offset, len);
        break;
    case STEP_DISCARD: /* the origin has none */
        (void)worked(selsnap_discard(world.ss, offset, len));
        break;
    case STEP_FLUSH:
        (void)worked(selsnap_flush(world.ss));
        break;
    case STEP_OVERWRITE:
    case STEP_BATCH:
        overwrite(step);
        break;
    case STEP_CREATE:
        create(step);
        break;
    case STEP_DELETE:
        delete (&world.snapshots[step->slot]);
        break;
    case STEP_RESTORE:
        restore(step);
        break;
    case STEP_WORK:
        work(step);
        break;
    case STEP_REOPEN:
        close_context();
        open_context();
        break;
    case STEP_VIEW_WRITE:
    case STEP_VIEW_DISCARD:
    case STEP_VIEW_FLUSH:
    case STEP_VIEW_RESET:
    case STEP_VIEW_CLOSE:
        view_step(step, offset, len);
        break;
    default:
        fail("a step that lies do not know", step->kind);
    }
}

/* ---- running ---- */

static void format(void) {
    selsnap_format_options options = SELSNAP_FORMAT_OPTIONS_INIT;
    options.block_bytes = BLOCK;
    options.journal_bytes = JOURNAL;
    snprintf(world.doing, sizeof world.doing, "format");
    if (!worked(selsnap_format(world.store_device, world.origin_device, &options))) {
        end_child();
    }
}

static int count_problem(void *user, const char *line) {
    (void)line;
    (*(uint64_t *)user)++;
    return 0;
}

static void check_store(void) {
    uint64_t problems = 0;
    selsnap_check_result result = {.struct_size = sizeof result};
    snprintf(world.doing, sizeof world.doing, "check");
    bool done = worked(selsnap_check(world.ss, count_problem, &problems, NULL, NULL, &result));
    if (done && !world.child && problems > 0) {
        fail("problems without a lie", problems);
    }
}

static void run_script(void) {
    world.store = calloc(1, STORE);
    world.origin = malloc(SIZE);
    if (world.store == NULL || world.origin == NULL) {
        abort();
    }
    pattern_fill(world.origin, SIZE, 0, 1, 0);
    memcpy(world.live.now, world.origin, SIZE);
    world.store_device = make_device(true);
    world.origin_device = make_device(false);
    format();
    open_context();
    for (const struct step *step = world.script->steps; step->kind != STEP_END; step++) {
        world.sequence++;
        snprintf(world.doing, sizeof world.doing, "step %" PRIu64, world.sequence);
        do_step(step);
        if (world.child) {
            check_all();
        } else {
            check_live();
        }
    }
    check_store();
    close_context();
    open_context();
    check_store();
    if (world.replay && !world.child) {
        fail("there is no such call", world.replay_call);
    }
    bool exact = !restoring();
    close_context();
    if (exact) {
        end_child();
    }
    exit(0);
}

static const char *const script_names[] = {
    "first-writes", "cold-writes",   "view-writes",  "cold-views",    "deletes", "reuse",       "cold-restores",
    "restores",     "restore-again", "restore-over", "overlay-drops", "batches", "checkpoints", "journal-wrap",
};

/* Runs world.script in a process of its own. */
static bool run(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (world.replay) {
            describe_lie(world.replay_call, world.replay_kind);
            alarm(SECONDS_PER_CHILD);
        } else {
            describe_script();
        }
        run_script();
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        abort();
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    }
    return status == 0 && !world.shared->failed;
}

/* All scripts; the lies of each kind must have been found out now and then. */
static int run_all(void) {
    const size_t count = sizeof script_names / sizeof script_names[0];
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        uint64_t before = world.shared->lies;
        world.script = fault_script_find(script_names[i]);
        world.shared->failed = false;
        bool passed = run() && world.shared->lies > before;
        printf("%s %zu - %s: %" PRIu64 " lies\n", passed ? "ok" : "not ok", i + 1, script_names[i],
               world.shared->lies - before);
        good = good && passed;
    }
    for (unsigned kind = 0; kind < LIE_KINDS; kind++) {
        bool passed = world.shared->told[kind] > 0;
        printf("%s %zu - %s: %" PRIu64 " found out\n", passed ? "ok" : "not ok", count + kind + 1, lie_names[kind],
               world.shared->told[kind]);
        good = good && passed;
    }
    printf("1..%zu\n", count + LIE_KINDS);
    return good ? 0 : 1;
}

static bool parse_lie(const char *text) {
    char *end;
    world.replay = true;
    world.replay_call = strtoull(text, &end, 10);
    unsigned kind = 0;
    while (*end == ':' && kind < LIE_KINDS && strcmp(end + 1, lie_names[kind]) != 0) {
        kind++;
    }
    world.replay_kind = (enum lie)kind;
    return *end == ':' && kind < LIE_KINDS;
}

int main(int argc, char **argv) {
    bool good = true;
    world.program = argv[0];
    world.shared = mmap(NULL, sizeof *world.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world.shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--script") == 0 && i + 1 < argc) {
            world.script = fault_script_find(argv[++i]);
            good = world.script != NULL;
        } else {
            good = strcmp(argv[i], "--lie") == 0 && i + 1 < argc && parse_lie(argv[++i]);
        }
    }
    if (!good || (world.replay && world.script == NULL)) {
        fprintf(stderr, "usage: %s [--script S [--lie N:KIND]]\n", argv[0]);
        return 2;
    }
    if (world.script == NULL) {
        return run_all();
    }
    bool passed = run();
    printf("%s: %" PRIu64 " lies\n", passed ? "ok" : "not ok", world.shared->lies);
    return passed ? 0 : 1;
}
