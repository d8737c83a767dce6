/* SPDX-License-Identifier: Apache-2.0 */
#include "explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const kind_names[] = {"kept",   "lost",  "lose", "keep",   "head", "tail",
                                         "origin", "store", "mask", "random", "kill"};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0], SECONDS_PER_CHILD = 120, EXHAUSTIVE = 4 };

/* What all processes of a run share. */
struct shared {
    uint64_t images;
    bool failed;
};

struct run {
    const struct explore *how;
    struct shared *shared;
    struct model m;
    struct turn path[EXPLORE_DEPTH];
    unsigned turns;
    uint64_t calls; /* since the start of the script, or of the open */
    bool armed;
    bool child;
};

/* ---- paths ---------------------------------------------------------------------------------------------------- */

static bool kind_has_number(enum image_kind kind) {
    return kind != IMAGE_KEPT && kind != IMAGE_LOST && kind != IMAGE_ORIGIN && kind != IMAGE_STORE &&
           kind != IMAGE_KILL;
}

static void describe(struct run *run) {
    char *text = run->m.replay;
    size_t size = sizeof run->m.replay;
    int len = snprintf(text, size, "%s --script %s --path ", run->how->program, run->how->script->name);
    for (unsigned i = 0; i < run->turns && len > 0 && (size_t)len < size; i++) {
        const struct turn *turn = &run->path[i];
        len += snprintf(text + len, size - (size_t)len, "%s%" PRIu64 ":%s", i > 0 ? "/" : "", turn->call,
                        kind_names[turn->kind]);
        if (kind_has_number(turn->kind) && (size_t)len < size) {
            len += snprintf(text + len, size - (size_t)len, "%" PRIu64, turn->n);
        }
    }
}

static bool parse_kind(const char **text, struct turn *turn) {
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        size_t len = strlen(kind_names[kind]);
        if (strncmp(*text, kind_names[kind], len) == 0) {
            char *end;
            turn->kind = (enum image_kind)kind;
            turn->n = strtoull(*text + len, &end, 10);
            bool number = end != *text + len;
            *text = end;
            return number == kind_has_number(turn->kind);
        }
    }
    return false;
}

bool explore_parse(const char *text, struct explore *how) {
    how->replay = true;
    for (how->turns = 0; how->turns < EXPLORE_DEPTH; text++) {
        struct turn *turn = &how->path[how->turns++];
        char *end;
        turn->call = strtoull(text, &end, 10);
        if (end == text || *end != ':') {
            return false;
        }
        text = end + 1;
        if (!parse_kind(&text, turn)) {
            return false;
        }
        if (*text != '/') {
            return *text == '\0';
        }
    }
    return false;
}

/* ---- images --------------------------------------------------------------------------------------------------- */

struct choice {
    const struct turn *turn;
    struct prng prng;
    bool origin;
    unsigned before; /* changes on the device asked before */
};

static bool keep(void *user, const struct testdev_unit *unit) {
    struct choice *choice = user;
    const struct turn *turn = choice->turn;
    uint64_t change = unit->change + choice->before;
    switch (turn->kind) {
    case IMAGE_KEPT:
        return true;
    case IMAGE_LOSE:
        return change != turn->n;
    case IMAGE_KEEP:
        return change == turn->n;
    case IMAGE_HEAD:
        return change != turn->n || unit->index < unit->count / 2;
    case IMAGE_TAIL:
        return change != turn->n || unit->index >= unit->count / 2;
    case IMAGE_ORIGIN:
        return choice->origin;
    case IMAGE_STORE:
        return !choice->origin;
    case IMAGE_MASK:
        return ((turn->n >> change) & 1) != 0;
    case IMAGE_RANDOM:
        return prng_percent(&choice->prng, 50);
    default:
        return false;
    }
}

static void take_image(struct run *run) {
    const struct turn *turn = &run->path[run->turns - 1];
    struct choice choice = {turn, prng_init(turn->n), true, 0};
    struct model *m = &run->m;
    m->wire.off = false;
    if (turn->kind == IMAGE_KILL) {
        return;
    }
    unsigned of_origin = testdev_pending(m->origin);
    testdev_power_cycle(m->origin, keep, &choice);
    choice.origin = false;
    choice.before = of_origin;
    testdev_power_cycle(m->store, keep, &choice);
}

/* ---- cutting -------------------------------------------------------------------------------------------------- */

/* In the child: true. In the parent, after the child has ended: false. */
static bool try_turn(struct run *run, const struct turn *turn) {
    if (run->shared->failed) {
        return false;
    }
    run->shared->images++;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(SECONDS_PER_CHILD);
        run->child = true;
    }
    if (pid < 0) {
        perror("fork");
        abort();
    }
    if (pid != 0) {
        int status = 0;
        waitpid(pid, &status, 0);
        if (status != 0 && WIFSIGNALED(status) && !run->shared->failed) {
            struct turn *kept = &run->path[run->turns++];
            *kept = *turn;
            describe(run);
            run->turns--;
            fprintf(stderr, "ended by signal %d%s\nreplay: %s\n", WTERMSIG(status),
                    WTERMSIG(status) == SIGALRM ? ": it hangs" : "", run->m.replay);
        }
        run->shared->failed = run->shared->failed || status != 0;
        return false;
    }
    run->path[run->turns++] = *turn;
    describe(run);
    return true;
}

static bool try_kind(struct run *run, enum image_kind kind, uint64_t n) {
    const struct turn turn = {run->calls, kind, n};
    return try_turn(run, &turn);
}

/* What is not flushed at a cut, the change that meets it included. */
struct unflushed {
    unsigned of_origin;
    unsigned of_store;
    bool torn[2]; /* whether that change can be torn, on origin and store */
};

static bool can_tear(struct run *run, const struct unflushed *what, unsigned n) {
    bool origin = n < what->of_origin;
    struct testdev *dev = origin ? run->m.origin : run->m.store;
    unsigned change = origin ? n : n - what->of_origin;
    return change < testdev_pending(dev) ? testdev_can_tear(dev, change) : what->torn[origin ? 0 : 1];
}

/* Every image worth trying. True in a child. */
static bool try_images(struct run *run, const struct unflushed *what) {
    unsigned of_origin = what->of_origin;
    unsigned of_store = what->of_store;
    unsigned pending = of_origin + of_store;
    if (try_kind(run, IMAGE_KILL, 0) || try_kind(run, IMAGE_KEPT, 0) || (pending > 0 && try_kind(run, IMAGE_LOST, 0))) {
        return true;
    }
    for (unsigned n = 0; n < pending; n++) {
        if (can_tear(run, what, n) && (try_kind(run, IMAGE_HEAD, n) || try_kind(run, IMAGE_TAIL, n))) {
            return true;
        }
    }
    if (pending <= EXHAUSTIVE) {
        for (uint64_t mask = 1; mask + 1 < (UINT64_C(1) << pending); mask++) {
            if (try_kind(run, IMAGE_MASK, mask)) {
                return true;
            }
        }
    } else {
        for (unsigned n = 0; n < pending; n++) {
            if (try_kind(run, IMAGE_LOSE, n) || try_kind(run, IMAGE_KEEP, n)) {
                return true;
            }
        }
        if (of_origin > 0 && of_store > 0 && (try_kind(run, IMAGE_ORIGIN, 0) || try_kind(run, IMAGE_STORE, 0))) {
            return true;
        }
    }
    for (unsigned i = 0; pending > 0 && i < run->how->random; i++) {
        if (try_kind(run, IMAGE_RANDOM, run->shared->images)) {
            return true;
        }
    }
    return false;
}

/* Asked before each call of the devices. */
static int on_call(void *user, struct testdev *dev, const struct testdev_call *call) {
    struct run *run = user;
    const struct explore *how = run->how;
    bool change = (call->op & TESTDEV_CHANGES) != 0;
    if (!run->armed || call->op == TESTDEV_READ) {
        return TESTDEV_PASS;
    }
    run->calls++;
    if (how->replay) {
        if (run->calls != how->path[run->turns].call) {
            return TESTDEV_PASS;
        }
        run->path[run->turns] = how->path[run->turns];
        run->turns++;
        describe(run);
    } else {
        struct unflushed what = {testdev_pending(run->m.origin), testdev_pending(run->m.store), {false, false}};
        if (change) {
            *(dev == run->m.origin ? &what.of_origin : &what.of_store) += 1;
            what.torn[dev == run->m.origin ? 0 : 1] = call->len > TESTDEV_UNIT;
        }
        if (!try_images(run, &what)) {
            return TESTDEV_PASS;
        }
    }
    run->armed = false;
    run->calls = 0;
    return TESTDEV_CUT;
}

/* After a cut: opens the image, cut again perhaps, until it is open; then judges it. */
static void recover(struct run *run) {
    struct model *m = &run->m;
    const struct explore *how = run->how;
    bool open = false;
    bool killed = true;
    while (!open) {
        model_abandon_context(m);
        take_image(run);
        killed = killed && run->path[run->turns - 1].kind == IMAGE_KILL;
        model_doing(m, "open an image");
        run->calls = 0;
        run->armed =
            how->replay ? run->turns < how->turns : run->turns < how->depth && run->shared->images % how->share == 0;
        open = model_result(m, model_open_context(m), 0) && !m->wire.off;
        run->armed = false;
    }
    model_take_over(m, killed);
}

static void run_script(struct run *run) {
    struct model *m = &run->m;
    run->armed = true;
    for (const struct step *step = run->how->script->steps; step->kind != STEP_END; step++) {
        script_step(m, step);
        if (m->wire.off) {
            recover(run);
            step--;
        }
    }
    model_close_views(m);
    if (!m->wire.off) {
        model_doing(m, "close");
        int code = selsnap_close(m->ss);
        m->ss = NULL;
        (void)model_result(m, code, 0);
    }
    if (m->wire.off) {
        recover(run);
    } else {
        run->armed = false;
        model_settle_live(m);
        (void)model_result(m, model_open_context(m), 0);
        model_take_over(m, false);
    }
}

int64_t explore_run(const struct explore *how) {
    struct run *run = calloc(1, sizeof *run);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run == NULL || shared == MAP_FAILED) {
        abort();
    }
    run->how = how;
    run->shared = shared;
    run->m.trace = how->trace;
    model_open(&run->m, how->script->config, how->program, 1, 0, true);
    describe(run);
    run->m.wire.hook = on_call;
    run->m.wire.hook_user = run;
    run_script(run);
    if (run->child) {
        model_close(&run->m);
        _Exit(0);
    }
    model_close(&run->m);
    int64_t images = shared->failed ? -1 : (int64_t)shared->images;
    munmap(shared, sizeof *shared);
    free(run);
    return images;
}
