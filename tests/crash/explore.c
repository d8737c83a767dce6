/* SPDX-License-Identifier: Apache-2.0 */
#include "explore.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* All subsets of so many unflushed changes; a third cut is so much rarer than a second. */
enum { EXHAUSTIVE = 4, THIRD_CUT = 48 };

/* What all processes of a run share. */
struct shared {
    uint64_t images[EXPLORE_DEPTH];
    bool failed;
};

struct run {
    const struct explore *how;
    struct shared *shared;
    struct model m;
    struct turn path[EXPLORE_DEPTH];
    unsigned turns;
    uint64_t calls; /* since the start of the script, or of the last cut */
    bool armed;
    bool looking; /* a read-only open: nothing may change */
    bool child;
    bool just_changed; /* the call before was a change, of the same step */
};

/* Chosen by the path alone, so that a replay does the same. */
enum choice { BY_CUT_AGAIN, BY_LOOK, BY_CHECK, BY_REOPEN, BY_IMAGE };

static uint64_t choose(const struct turn *path, unsigned turns, enum choice what, uint64_t below) {
    return (path_hash(path, turns) >> (what * 8)) % below;
}

static uint64_t chosen(const struct run *run, enum choice what, uint64_t below) {
    return choose(run->path, run->turns, what, below);
}

/* When a failure is told, and not before: it would be a part of what each child costs. */
static void describe(void *user) {
    struct run *run = user;
    static const char *const plants[] = {"", "wrong", "crash", "hang"};
    const struct explore *how = run->how;
    char path[128];
    char plant[40] = "";
    path_print(run->path, run->turns, path, sizeof path);
    if (how->plant != PLANT_NONE) {
        snprintf(plant, sizeof plant, "--plant %s%u ", plants[how->plant], how->plant_at);
    }
    snprintf(run->m.replay, sizeof run->m.replay, "%s --script %s %s--seconds %u --path %s", how->program,
             how->script->name, plant, how->seconds, path);
}

/* ---- images --------------------------------------------------------------------------------------------------- */

struct keeper {
    const struct turn *turn;
    struct prng prng;
    bool origin;
    unsigned before; /* changes on the device asked before */
};

static bool keep(void *user, const struct testdev_unit *unit) {
    struct keeper *keeper = user;
    const struct turn *turn = keeper->turn;
    uint64_t change = unit->change + keeper->before;
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
        return keeper->origin;
    case IMAGE_STORE:
        return !keeper->origin;
    case IMAGE_MASK:
        return ((turn->n >> change) & 1) != 0;
    case IMAGE_RANDOM:
        return prng_percent(&keeper->prng, 50);
    default:
        return false;
    }
}

static void take_image(struct run *run) {
    const struct turn *turn = &run->path[run->turns - 1];
    struct keeper keeper = {turn, prng_init(turn->n), true, 0};
    struct model *m = &run->m;
    m->wire.off = false;
    if (turn->kind == IMAGE_KILL) {
        return;
    }
    unsigned of_origin = testdev_pending(m->origin);
    testdev_power_cycle(m->origin, keep, &keeper);
    keeper.origin = false;
    keeper.before = of_origin;
    testdev_power_cycle(m->store, keep, &keeper);
}

/* ---- cutting -------------------------------------------------------------------------------------------------- */

static void tell_signal(struct run *run, const struct turn *turn, int signal) {
    run->path[run->turns++] = *turn;
    describe(run);
    run->turns--;
    fprintf(stderr, "ended by signal %d%s\nreplay: %s\n", signal, signal == SIGALRM ? ": it hangs" : "", run->m.replay);
}

/* In the child: true. In the parent, after the child has ended: false. */
static bool try_turn(struct run *run, const struct turn *turn) {
    if (run->shared->failed) {
        return false;
    }
    run->shared->images[run->turns]++;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        abort();
    }
    if (pid == 0) {
        run->child = true;
        run->path[run->turns++] = *turn;
        (void)alarm(run->how->seconds);
        return true;
    }
    int status = 0;
    (void)alarm(0);
    waitpid(pid, &status, 0);
    (void)alarm(run->child ? run->how->seconds : 0);
    if (status != 0 && WIFSIGNALED(status) && !run->shared->failed) {
        tell_signal(run, turn, WTERMSIG(status));
    }
    run->shared->failed = run->shared->failed || status != 0;
    return false;
}

static bool try_kind(struct run *run, enum image_kind kind, uint64_t n) {
    const struct turn turn = {run->calls, kind, n};
    return try_turn(run, &turn);
}

static bool try_random(struct run *run, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (try_kind(run, IMAGE_RANDOM, run->calls * 100 + i)) {
            return true;
        }
    }
    return false;
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
    unsigned pending = what->of_origin + what->of_store;
    if (try_kind(run, IMAGE_KEPT, 0)) {
        return true;
    }
    if (pending > 0 && (try_kind(run, IMAGE_KILL, 0) || try_kind(run, IMAGE_LOST, 0))) {
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
        if (what->of_origin > 0 && what->of_store > 0 &&
            (try_kind(run, IMAGE_ORIGIN, 0) || try_kind(run, IMAGE_STORE, 0))) {
            return true;
        }
    }
    return pending > 0 && try_random(run, run->how->random);
}

/* A few of them, for a cut after a cut. */
static bool try_few(struct run *run, const struct unflushed *what) {
    unsigned pending = what->of_origin + what->of_store;
    struct turn at[EXPLORE_DEPTH];
    memcpy(at, run->path, sizeof at);
    at[run->turns] = (struct turn){run->calls, IMAGE_KEPT, 0};
    uint64_t pick = choose(at, run->turns + 1, BY_IMAGE, 4);
    unsigned change = pending > 0 ? (unsigned)choose(at, run->turns + 1, BY_CHECK, pending) : 0;
    if (pick == 0 && try_kind(run, IMAGE_KEPT, 0)) {
        return true;
    }
    if (pending == 0) {
        return false;
    }
    if (pick == 1 && try_kind(run, IMAGE_KILL, 0)) {
        return true;
    }
    if (pick == 2 && can_tear(run, what, change)) {
        return try_kind(run, choose(at, run->turns + 1, BY_LOOK, 2) == 0 ? IMAGE_HEAD : IMAGE_TAIL, change);
    }
    return try_kind(run, IMAGE_LOST, 0) || (pending > 1 && try_kind(run, IMAGE_LOSE, change)) || try_random(run, 1);
}

static struct unflushed unflushed_at(struct run *run, struct testdev *dev, const struct testdev_call *call) {
    struct unflushed what = {testdev_pending(run->m.origin), testdev_pending(run->m.store), {false, false}};
    if ((call->op & TESTDEV_CHANGES) != 0) {
        uint32_t atomic = dev->kind.atomic > TESTDEV_UNIT ? dev->kind.atomic : TESTDEV_UNIT;
        *(dev == run->m.origin ? &what.of_origin : &what.of_store) += 1;
        what.torn[dev == run->m.origin ? 0 : 1] = call->offset / atomic != (call->offset + call->len - 1) / atomic;
    }
    return what;
}

/* True in a child. */
static bool explore_call(struct run *run, struct testdev *dev, const struct testdev_call *call) {
    const struct explore *how = run->how;
    bool change = (call->op & TESTDEV_CHANGES) != 0;
    bool known = !change && run->just_changed;
    run->just_changed = change && run->turns == 0;
    if (run->turns > 0 && run->calls > how->reach) {
        run->armed = false;
        return false;
    }
    struct unflushed what = unflushed_at(run, dev, call);
    if (known) {
        /* What the cut leaves at a flush, it left at the change just before. */
        return try_random(run, how->random);
    }
    return run->turns > 0 && !how->whole ? try_few(run, &what) : try_images(run, &what);
}

/* Asked before each call of the devices. */
static int on_call(void *user, struct testdev *dev, const struct testdev_call *call) {
    struct run *run = user;
    const struct explore *how = run->how;
    if (run->looking && call->op != TESTDEV_READ) {
        model_fail(&run->m, "a read-only open changed the %s", dev == run->m.origin ? "origin" : "store");
    }
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
    } else if (!explore_call(run, dev, call)) {
        return TESTDEV_PASS;
    }
    run->armed = false;
    run->just_changed = false;
    return TESTDEV_CUT;
}

/* ---- after a cut ---------------------------------------------------------------------------------------------- */

static bool cut_again(const struct run *run) {
    const struct explore *how = run->how;
    if (how->replay) {
        return run->turns < how->turns;
    }
    if (run->turns == 1 && run->path[0].kind == IMAGE_KILL) {
        return how->depth > 1; /* the devices' caches live on: what is not flushed now can still be lost */
    }
    uint64_t share = run->turns == 1 || how->share == 1 ? how->share : (uint64_t)THIRD_CUT * how->share;
    return run->turns < how->depth && chosen(run, BY_CUT_AGAIN, share) == 0;
}

static void play_plant(struct run *run) {
    const struct explore *how = run->how;
    if (how->plant == PLANT_NONE || (how->plant_at > 0 && run->turns != how->plant_at) ||
        path_hash(run->path, run->turns) % 16 != 0) {
        return;
    }
    if (how->plant == PLANT_WRONG) {
        model_fail(&run->m, "planted");
    } else if (how->plant == PLANT_CRASH) {
        raise(SIGSEGV);
    }
    for (;;) {
        pause();
    }
}

static void recover(struct run *run) {
    struct model *m = &run->m;
    bool open = false;
    bool killed = true;
    bool again = false;
    while (!open) {
        model_abandon_context(m);
        take_image(run);
        play_plant(run);
        killed = killed && run->path[run->turns - 1].kind == IMAGE_KILL;
        if (chosen(run, BY_LOOK, 4) == 0) {
            run->looking = true;
            model_look(m);
            run->looking = false;
        }
        model_doing(m, "open an image");
        run->calls = 0;
        again = cut_again(run);
        run->armed = again;
        open = model_result(m, model_open_context(m), 0) && !m->wire.off;
        again = again && run->armed;
        run->armed = false;
    }
    m->skip_check = chosen(run, BY_CHECK, 2) == 0;
    model_take_over(m, killed);
    m->skip_check = false;
    run->armed = again;
}

/* The end of what follows a cut: all is judged once more, in some after a close and an open. */
static void finish(struct run *run) {
    struct model *m = &run->m;
    run->armed = false;
    model_close_views(m);
    if (chosen(run, BY_REOPEN, 2) == 0) {
        model_reopen(m);
    } else {
        model_check_all(m);
    }
}

/* The end of the script, where the power is cut as well. */
static void close_script(struct run *run) {
    struct model *m = &run->m;
    model_close_views(m);
    if (!m->wire.off) {
        model_doing(m, "close");
        int code = selsnap_close(m->ss);
        m->ss = NULL;
        (void)model_result(m, code, 0);
    }
    if (m->wire.off) {
        recover(run);
        finish(run);
        return;
    }
    run->armed = false;
    model_settle_live(m);
    (void)model_result(m, model_open_context(m), 0);
    model_take_over(m, false);
}

static void run_script(struct run *run) {
    struct model *m = &run->m;
    const struct step *step = run->how->script->steps;
    uint64_t left = 0; /* steps, after a cut */
    run->armed = true;
    while (step->kind != STEP_END && (run->turns == 0 || left > 0)) {
        run->just_changed = false;
        script_step(m, step);
        if (m->wire.off) {
            recover(run);
            left = UINT64_C(1) + run->how->after;
        } else {
            step++;
            left -= left > 0 ? 1 : 0;
        }
    }
    if (run->turns > 0) {
        finish(run);
    } else {
        close_script(run);
    }
}

int64_t explore_run(const struct explore *how, uint64_t by_depth[EXPLORE_DEPTH]) {
    struct run *run = calloc(1, sizeof *run);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run == NULL || shared == MAP_FAILED) {
        abort();
    }
    run->how = how;
    run->shared = shared;
    run->m.trace = how->trace;
    if (how->replay) {
        (void)alarm(how->seconds);
    }
    model_open(&run->m, how->script->config, how->program, 1, 0, true);
    run->m.find_replay = describe;
    run->m.find_replay_user = run;
    run->m.wire.hook = on_call;
    run->m.wire.hook_user = run;
    run_script(run);
    if (run->child) {
        if (chosen(run, BY_REOPEN, 2) != 0) { /* the others have closed one context, and do without a second time */
            model_close_context(&run->m);
        }
        _Exit(0);
    }
    model_close(&run->m);
    if (how->replay && run->turns < how->turns) {
        fprintf(stderr, "the script has no such call\n");
        shared->failed = true;
    }
    int64_t images = 0;
    for (unsigned i = 0; i < EXPLORE_DEPTH; i++) {
        images += (int64_t)shared->images[i];
        if (by_depth != NULL) {
            by_depth[i] += shared->images[i];
        }
    }
    images = shared->failed ? -1 : images;
    munmap(shared, sizeof *shared);
    free(run);
    return images;
}
