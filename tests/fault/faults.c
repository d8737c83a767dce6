/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include "child.h"
#include "documented.h"
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const kind_names[FAULT_KINDS] = {"once", "few", "good", "dead", "gone"};
enum { SECONDS_PER_CHILD = 120, FEW_STEPS = 3 };

/* What all processes of a run share. */
struct shared {
    uint64_t faults;
    uint64_t clean; /* writes that went on while the store failed */
    bool failed;
};

struct run {
    const struct faults *how;
    struct shared *shared;
    struct model m;
    struct judge judge;
    uint64_t calls; /* of the script, so far */
    struct fault fault;
    bool child;
    bool active; /* the fault has been met, and is not mended */
    struct testdev *device;
    uint32_t op;
    unsigned steps; /* since it was met */
};

/* ---- telling ---- */

static void describe(struct run *run) {
    char text[64] = "";
    const struct fault *fault = &run->fault;
    if (run->child) {
        snprintf(text, sizeof text, " --fault %" PRIu64 ":%s%s/%s", fault->call, kind_names[fault->kind],
                 fault->drops ? "+drops" : "", fault->kill ? "kill" : "close");
    }
    snprintf(run->m.replay, sizeof run->m.replay, "%s --script %s%s --trace", run->how->program, run->how->script->name,
             text);
}

static bool skip(const char **text, const char *word) {
    size_t len = strlen(word);
    bool is = strncmp(*text, word, len) == 0;
    *text += is ? len : 0;
    return is;
}

bool faults_parse(const char *text, struct faults *how) {
    char *end;
    how->replay = true;
    how->fault.call = strtoull(text, &end, 10);
    text = end + 1;
    if (how->fault.call == 0 || *end != ':') {
        return false;
    }
    unsigned kind = 0;
    while (kind < FAULT_KINDS && !skip(&text, kind_names[kind])) {
        kind++;
    }
    how->fault.kind = (enum fault_kind)kind;
    how->fault.drops = skip(&text, "+drops");
    how->fault.kill = skip(&text, "/kill");
    return kind < FAULT_KINDS && (how->fault.kill || skip(&text, "/close")) && *text == '\0';
}

/* ---- meeting a fault ---- */

/* In the child: true. In the parent, after the child has ended: false. */
static bool try_fault(struct run *run, const struct fault *fault) {
    if (run->shared->failed) {
        return false;
    }
    run->shared->faults++;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        abort();
    }
    if (pid == 0) {
        alarm(SECONDS_PER_CHILD);
        run->child = true;
        run->fault = *fault;
        describe(run);
        return true;
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        run->child = true;
        run->fault = *fault;
        describe(run);
        run->child = false;
        fprintf(stderr, "ended by signal %d%s\nreplay: %s\n", WTERMSIG(status),
                WTERMSIG(status) == SIGALRM ? ": it hangs" : "", run->m.replay);
    }
    run->shared->failed = run->shared->failed || status != 0;
    return false;
}

/* Of the faults that last, every other one at a call, and the rest at the next: they differ in what else fails. */
static bool in_turn(const struct run *run, unsigned kind) {
    bool narrow = run->calls % 2 == 0;
    return kind == FAULT_ONCE || narrow == (kind == FAULT_FEW || kind == FAULT_GONE);
}

/* Every fault that this call can meet. True in a child. */
static bool try_faults(struct run *run, uint32_t op) {
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
        for (unsigned drops = 0; drops <= (op == TESTDEV_FLUSH ? 1 : 0); drops++) {
            for (unsigned end = 0; end < 2; end++) {
                const struct fault fault = {run->calls, (enum fault_kind)kind, drops != 0, end != 0};
                bool wanted = run->how->all || (in_turn(run, kind) && (run->calls / 2 + kind + drops) % 2 == end);
                if (wanted && try_fault(run, &fault)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Which codes a call may give while the device fails. */
static uint32_t codes_of(const struct run *run) {
    uint32_t codes = run->device == run->m.origin ? MODEL_CODE(SELSNAP_EIO) : MODEL_CODE(SELSNAP_ESTORE);
    return codes | (run->fault.drops ? MODEL_CODE(SELSNAP_EDAMAGED) : 0);
}

static int fail(struct run *run, const struct testdev_call *call) {
    struct model *m = &run->m;
    if (run->device == m->origin && call->op == TESTDEV_READ) {
        for (uint64_t at = call->offset; at < call->offset + call->len; at += m->block_bytes) {
            m->unreadable[at / m->block_bytes] = 1;
        }
    }
    return -EIO;
}

/* Asked before each call of the devices. */
static int on_call(void *user, struct testdev *dev, const struct testdev_call *call) {
    struct run *run = user;
    struct model *m = &run->m;
    if (m->calm > 0) {
        return TESTDEV_PASS;
    }
    if (run->child) {
        bool whole = run->fault.kind == FAULT_DEAD || run->fault.kind == FAULT_GONE;
        bool hit = run->active && run->fault.kind != FAULT_ONCE && dev == run->device && (whole || call->op == run->op);
        return hit ? fail(run, call) : TESTDEV_PASS;
    }
    run->calls++;
    if (run->how->replay) {
        if (run->calls != run->how->fault.call) {
            return TESTDEV_PASS;
        }
        run->child = true;
        run->fault = run->how->fault;
        describe(run);
        model_doing(m, "(the fault is met)");
    } else if (!try_faults(run, call->op)) {
        return TESTDEV_PASS;
    }
    run->active = true;
    run->device = dev;
    run->op = call->op;
    dev->drops = run->fault.drops;
    m->tolerates = codes_of(run);
    m->unreadable = calloc(m->blocks, 1);
    if (m->unreadable == NULL) {
        abort();
    }
    return fail(run, call);
}

/* ---- going on ---- */

/* What a failed flush made the store forget is written again: until then it reads as damaged. */
static void write_forgotten(struct run *run) {
    struct model *m = &run->m;
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        struct m_snapshot *s = &m->snapshots[slot];
        if (!s->live || s->bookmark || !s->unsure) {
            continue;
        }
        for (uint64_t block = 0; block < m->blocks; block++) {
            if (s->over[block] != CHANGED_PERHAPS) {
                continue;
            }
            if (slot >= MODEL_VIEWS || m->views[slot].view == NULL) {
                model_fail(m, "block %" PRIu64 " of %s is forgotten without a view", block, s->name);
            }
            static uint8_t buf[65536];
            size_t len = model_block_len(m, block);
            pattern_fill(buf, len, block * m->block_bytes, 9, m->sequence);
            model_do_view_write(m, slot, buf, len, block * m->block_bytes, false);
        }
        s->unsure = false;
    }
}

/* The devices work again, and so must all else. */
static void mend(struct run *run) {
    struct model *m = &run->m;
    run->active = false;
    run->device->drops = false;
    m->tolerates = 0;
    if (m->ss == NULL) {
        return;
    }
    run->device->drops = run->fault.drops;
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS && run->fault.drops; slot++) {
        m->snapshots[slot].unsure = true;
    }
    judge_step(&run->judge, false);
    run->device->drops = false;
    write_forgotten(run);
    model_check_all(m);
}

/* Until there is a context again. */
static void reopen(struct run *run, bool clean) {
    struct model *m = &run->m;
    while (m->ss == NULL) {
        if (m->heap.live != 0) {
            model_fail(m, "%" PRId64 " pieces of memory left", m->heap.live);
        }
        judge_reopen(&run->judge, clean);
        if (m->ss == NULL) {
            mend(run);
        }
    }
}

/* Nothing needs the block's content, and nothing that failed may need it yet. */
static bool is_clean(const struct run *run, uint64_t block) {
    const struct model *m = &run->m;
    bool clean = !run->judge.job.other && !model_restoring(m);
    for (unsigned slot = 0; slot < MODEL_SNAPSHOTS; slot++) {
        const struct m_snapshot *s = &m->snapshots[slot];
        bool there = s->live || run->judge.snapshots[slot].ghost;
        /* What is changed may be deferred still. */
        bool preserved = s->live && s->changed[block] == CHANGED_YES && m->deferred == 0;
        clean = clean && !(there && s->in[block] && !preserved);
    }
    return clean;
}

/* A store that fails stops no read, no flush (of what is not deferred) and no clean write [P9]; one that cannot be read
 * cannot tell which are clean, if nobody has asked before. */
static void live_goes_on(struct run *run) {
    struct model *m = &run->m;
    uint32_t tolerates = m->tolerates;
    bool readable = run->op != TESTDEV_READ && (run->fault.kind == FAULT_FEW || run->fault.kind == FAULT_GOOD);
    if (run->device != m->store || m->ss == NULL || model_restoring(m)) {
        return;
    }
    m->tolerates = 0;
    model_check_live(m, 0, m->size);
    m->tolerates = m->deferred > 0 ? tolerates : 0; /* a flush preserves for what was deferred */
    model_flush(m);
    m->tolerates = 0;
    for (uint64_t block = 0; block < m->blocks && readable; block++) {
        if (is_clean(run, block)) {
            static uint8_t buf[65536];
            uint64_t offset = block * m->block_bytes;
            pattern_fill(buf, model_block_len(m, block), offset, 8, m->sequence);
            model_do_write(m, buf, model_block_len(m, block), offset, false);
            run->shared->clean++;
        }
    }
    m->tolerates = tolerates;
}

/* Whether the step is to be done again. */
static bool after_step(struct run *run, const struct step *step, bool failed) {
    struct model *m = &run->m;
    bool once = run->fault.kind == FAULT_ONCE;
    bool met = run->active;
    if (m->ss == NULL) {
        reopen(run, false);
    }
    run->steps++;
    bool lasts = run->fault.kind == FAULT_GOOD || run->fault.kind == FAULT_GONE || run->steps < FEW_STEPS;
    if (run->active && (once || !lasts)) {
        mend(run);
    } else if (run->active) {
        judge_step(&run->judge, true);
        live_goes_on(run);
        if (run->fault.call % 2 == 0) {
            judge_glance(&run->judge);
            judge_step(&run->judge, true);
        }
    } else {
        judge_step(&run->judge, false);
        bool answers = step->kind == STEP_WORK || step->kind == STEP_CREATE;
        if (answers && !failed) {
            judge_settled(&run->judge);
        }
        if ((step->kind == STEP_WRITE || step->kind == STEP_ZEROES) && !failed) {
            judge_written(&run->judge, step->a * TESTDEV_UNIT, step->b * TESTDEV_UNIT);
        }
    }
    return met && once && failed;
}

/* As the step does, but what failed before may show now. */
static void close_and_open(struct run *run) {
    struct model *m = &run->m;
    model_close_views(m);
    model_doing(m, "close and open");
    int code = selsnap_close(m->ss);
    m->ss = NULL;
    if (model_result(m, code, 0)) {
        model_settle_live(m);
        reopen(run, true);
    }
}

static void do_step(struct run *run, const struct step *step) {
    struct model *m = &run->m;
    bool again = true;
    while (again) {
        unsigned failures = m->failures;
        if (run->child && step->kind == STEP_REOPEN) {
            close_and_open(run);
        } else {
            script_step(m, step);
        }
        again = run->child && run->steps + (run->active ? 1 : 0) > 0 && after_step(run, step, m->failures > failures);
    }
}

/* All that a user may want next works. */
static void prove(struct run *run) {
    static const struct step steps[] = {
        WORK(0, 1000), CREATE(0, UINT64_MAX, SELSNAP_POLICY_GIVE_UP_BLOCK),
        WRITE(0, 16),  VIEW_WRITE(0, 4, 9),
        FLUSH,         VIEW_FLUSH(0),
        RENAME(0),     VIEW_RESET(0),
        VIEW_CLOSE(0), WORK(0, 1000),
        END,
    };
    for (const struct step *step = steps; step->kind != STEP_END; step++) {
        do_step(run, step);
    }
}

static void end(struct run *run) {
    struct model *m = &run->m;
    if (run->active) {
        mend(run);
    }
    if (run->fault.call % 3 != 0) {
        prove(run);
    }
    m->tolerates = 0;
    if (run->fault.kill) {
        model_list_jobs(m);
        model_settle_unrestored(m);
        model_doing(m, "kill");
        m->wire.off = true;
        model_abandon_context(m);
        m->wire.off = false;
    } else {
        model_close_views(m);
        model_doing(m, "close after a fault");
        int code = selsnap_close(m->ss);
        m->ss = NULL;
        (void)model_result(m, code, 0);
        model_settle_live(m);
    }
    reopen(run, !run->fault.kill);
}

int64_t faults_run(const struct faults *how) {
    static const struct step last = REOPEN;
    struct run *run = calloc(1, sizeof *run);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run == NULL || shared == MAP_FAILED) {
        abort();
    }
    run->how = how;
    run->shared = shared;
    run->m.trace = how->trace;
    model_open(&run->m, how->script->config, how->program, 1, 0, true);
    judge_init(&run->judge, &run->m);
    describe(run);
    documented_replay(run->m.replay);
    run->m.wire.hook = on_call;
    run->m.wire.hook_user = run;
    for (const struct step *step = how->script->steps; step->kind != STEP_END; step++) {
        do_step(run, step);
    }
    do_step(run, &last);
    if (run->child) {
        end(run);
    }
    run->m.calm++;
    model_close(&run->m);
    free(run->m.unreadable);
    if (run->child && !how->replay) {
        child_exit(0);
    }
    int64_t faults = shared->failed ? -1 : (int64_t)shared->faults;
    munmap(shared, sizeof *shared);
    free(run);
    return faults;
}
