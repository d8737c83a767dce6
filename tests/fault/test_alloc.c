/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation of each public function fails, for every n, once and from there on; and the context's memory
 * limit is reached at every place. Then the same call is repeated, and nothing may tell the world from one in which it
 * had succeeded at once; before that, from one in which it was not called. With SSN_TEST_SHARE, each allocation fails
 * once, and one in so many with all later ones or for the limit.
 *
 *   test_alloc --map selsnap.map                      all; a function that is exported and has no call fails
 *   test_alloc --call F --kind once|on|limit --nth N  replays one
 */
#include "calls.h"
#include "child.h"
#include "documented.h"
#include "test.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { KIND_ONCE, KIND_ON, KIND_LIMIT, KINDS };
static const char *const kind_names[KINDS] = {"once", "on", "limit"};
enum { NTH_MAX = 20000, MISSED = 7, SECONDS_PER_CHILD = 120 };

/* ---- malloc ---- */

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *memory, size_t len);
void __real_free(void *memory);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *memory, size_t len);
void __wrap_free(void *memory);

static struct {
    int64_t live;
    uint64_t left; /* calls until one fails; 0: none does */
    bool on;       /* and each later one */
    uint64_t failed;
} memory;

static bool may_allocate(void) {
    if (memory.left == 0 || --memory.left > 0) {
        return true;
    }
    memory.left = memory.on ? 1 : 0;
    memory.failed++;
    return false;
}

void *__wrap_malloc(size_t len) {
    void *got = may_allocate() ? __real_malloc(len) : NULL;
    memory.live += got != NULL;
    return got;
}

void *__wrap_calloc(size_t count, size_t len) {
    void *got = may_allocate() ? __real_calloc(count, len) : NULL;
    memory.live += got != NULL;
    return got;
}

void *__wrap_realloc(void *old, size_t len) {
    void *got = may_allocate() ? __real_realloc(old, len) : NULL;
    memory.live += got != NULL && old == NULL;
    return got;
}

void __wrap_free(void *old) {
    memory.live -= old != NULL;
    __real_free(old);
}

/* ---- one call ---- */

/* What the call leaves when nothing fails, and what was before. */
struct expected {
    uint64_t before;
    uint64_t after;
    int code;
};

static char replay[256];

static void wrong(struct world *world, const char *what) {
    char text[256] = "";
    if (world->ss != NULL) {
        (void)selsnap_last_error(world->ss, text, sizeof text);
    }
    fprintf(stderr, "%s\nlast error: %s\nreplay: %s\n", what, text, replay);
    child_exit(1);
}

static uint64_t look(struct world *world) {
    if (world->ss == NULL && world_start(world) != SELSNAP_OK) {
        wrong(world, "it cannot be opened again");
    }
    return world_look(world, false);
}

static void judge_end(struct world *world, bool abandoned) {
    if (!abandoned && world_check(world) != 0) {
        wrong(world, "the check finds problems");
    }
    if (!world_close(world) && !abandoned) {
        wrong(world, "it cannot be closed");
    }
    if (memory.live != 0) {
        fprintf(stderr, "%" PRId64 " pieces of memory left\nreplay: %s\n", memory.live, replay);
        child_exit(1);
    }
}

/* How many views' memory is left for the call: at first each number, then a tenth more each time. */
static uint64_t spare_of(uint64_t nth) {
    uint64_t spare = 0;
    for (uint64_t i = 1; i < nth; i++) {
        spare += spare < 20 ? 1 : spare / 10;
    }
    return spare;
}

/* The n-th allocation of the call fails. Gives the exit status: MISSED if it has fewer. */
static int fail_call(struct world *world, const struct call *call, enum kind kind, uint64_t nth,
                     const struct expected *expected) {
    bool abandoned = strcmp(call->name, "selsnap_abandon") == 0;
    if (kind == KIND_LIMIT) {
        world_fill(world, spare_of(nth));
    } else {
        memory.on = kind == KIND_ON;
        memory.left = nth;
    }
    int code = call->run(world);
    memory.left = 0;
    if (kind == KIND_LIMIT && world->ss != NULL) {
        world_unfill(world);
    }
    bool missed = kind == KIND_LIMIT ? code == expected->code : memory.failed == 0;
    if (code != expected->code && code != SELSNAP_ENOMEM && code != SELSNAP_EMEMLIMIT) {
        fprintf(stderr, "%s() gave %s\n", call->name, selsnap_error_name(code));
        wrong(world, "which is not the want of memory");
    }
    if (code != expected->code && !call->ends) {
        if (!call->in_part && world->ss != NULL && look(world) != expected->before) {
            wrong(world, "the call failed, but changed something");
        }
        if (call->run(world) != expected->code) {
            wrong(world, "the same call does not succeed when there is memory again");
        }
    }
    if (strcmp(call->name, "selsnap_import") == 0) {
        (void)!selsnap_import_undo(world->ss, NULL, NULL); /* the safety of an import that is done may be left over */
    }
    bool other_now = strcmp(call->name, "selsnap_view_close") == 0 && code != expected->code;
    if (look(world) != expected->after && !other_now) {
        wrong(world, "what is left is not what the call leaves");
    }
    judge_end(world, abandoned);
    return missed ? MISSED : 0;
}

/* In a child: its exit status. */
static int in_child(struct world *world, const struct call *call, enum kind kind, uint64_t nth,
                    struct expected *expected) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(SECONDS_PER_CHILD);
        if (call->prepare != NULL) {
            call->prepare(world);
        }
        if (nth > 0) {
            child_exit(fail_call(world, call, kind, nth, expected));
        }
        bool after = expected->before != 0;
        expected->code = after ? call->run(world) : SELSNAP_OK;
        *(after ? &expected->after : &expected->before) = look(world);
        child_exit(0);
    }
    int status = 1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        abort();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int expect(struct world *world, const struct call *call, struct expected *expected) {
    memset(expected, 0, sizeof *expected);
    return in_child(world, call, KIND_ONCE, 0, expected) != 0 ? 1 : in_child(world, call, KIND_ONCE, 0, expected);
}

/* Not of what is refused while views are open: these are what memory is filled with. */
static bool uses_limit(const struct call *call) {
    return strncmp(call->name, "selsnap_device_", 15) != 0 && strncmp(call->name, "selsnap_subset_", 15) != 0 &&
           strncmp(call->name, "selsnap_stream_", 15) != 0 && strcmp(call->name, "selsnap_open") != 0 &&
           strcmp(call->name, "selsnap_close") != 0 && strcmp(call->name, "selsnap_format") != 0 &&
           strcmp(call->name, "selsnap_repair") != 0 && strcmp(call->name, "selsnap_grow_origin") != 0 &&
           strcmp(call->name, "selsnap_shrink_origin") != 0;
}

/* Gives how many allocations failed; -1: something is wrong. */
static int64_t run_call(struct world *world, const struct call *call, const char *program, struct expected *expected) {
    int64_t total = 0;
    snprintf(replay, sizeof replay, "%s --call %s", program, call->name);
    if (expect(world, call, expected) != 0) {
        fprintf(stderr, "%s() fails without a fault\n", call->name);
        return -1;
    }
    for (unsigned kind = 0; kind < (uses_limit(call) ? KINDS : KIND_LIMIT); kind++) {
        int status = 0;
        uint64_t every = kind == KIND_ONCE ? 1 : test_share();
        for (uint64_t nth = 1; status == 0 && nth < NTH_MAX; nth += every) {
            snprintf(replay, sizeof replay, "%s --call %s --kind %s --nth %" PRIu64, program, call->name,
                     kind_names[kind], nth);
            status = in_child(world, call, (enum kind)kind, nth, expected);
            total += status == 0;
        }
        if (status != MISSED) {
            fprintf(stderr, "%s: %s %d\nreplay: %s\n", call->name, status > 128 ? "signal" : "status",
                    status > 128 ? status - 128 : status, replay);
            return -1;
        }
    }
    return total;
}

/* ---- the table ---- */

static const struct call *find_call(const char *name) {
    for (size_t i = 0; i < call_count; i++) {
        if (strcmp(calls[i].name, name) == 0) {
            return &calls[i];
        }
    }
    return NULL;
}

/* The exported functions that have no call; -1: the map cannot be read. */
static int missing_calls(const char *path) {
    FILE *file = fopen(path, "r");
    char line[256];
    int exported = 0;
    int missing = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char name[128];
        if (sscanf(line, " %127[a-z_];", name) == 1 && strncmp(name, "selsnap_", 8) == 0) {
            exported++;
            if (find_call(name) == NULL) {
                fprintf(stderr, "%s() is exported, but has no call in calls.c\n", name);
                missing++;
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return exported == 0 ? -1 : missing;
}

int main(int argc, char **argv) {
    const char *map = NULL;
    const char *name = NULL;
    unsigned kind = KIND_ONCE;
    uint64_t nth = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        map = strcmp(argv[i], "--map") == 0 ? argv[i + 1] : map;
        name = strcmp(argv[i], "--call") == 0 ? argv[i + 1] : name;
        nth = strcmp(argv[i], "--nth") == 0 ? strtoull(argv[i + 1], NULL, 10) : nth;
        for (unsigned k = 0; strcmp(argv[i], "--kind") == 0 && k < KINDS; k++) {
            kind = strcmp(argv[i + 1], kind_names[k]) == 0 ? k : kind;
        }
    }
    struct expected *expected = mmap(NULL, sizeof *expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    static struct world world;
    world_open(&world);
    documented_replay(replay);
    if (name != NULL) {
        const struct call *call = find_call(name);
        if (call == NULL || call->run == NULL || expected == MAP_FAILED || expect(&world, call, expected) != 0) {
            return 2;
        }
        if (nth == 0) {
            return run_call(&world, call, argv[0], expected) >= 0 ? 0 : 1;
        }
        int status = in_child(&world, call, (enum kind)kind, nth, expected);
        printf("%s\n", status == MISSED ? "it has fewer allocations" : status == 0 ? "right" : "wrong");
        return status == 0 || status == MISSED ? 0 : 1;
    }
    int failed = map == NULL || missing_calls(map) != 0;
    int64_t total = 0;
    printf("1..%zu\n%s 1 - every exported function has a call\n", call_count + 1, failed ? "not ok" : "ok");
    for (size_t i = 0; i < call_count; i++) {
        int64_t faults = calls[i].run == NULL ? 0 : run_call(&world, &calls[i], argv[0], expected);
        printf("%s %zu - %s: ", faults < 0 ? "not ok" : "ok", i + 2, calls[i].name);
        if (calls[i].run == NULL) {
            printf("%s\n", calls[i].why);
        } else {
            printf("%" PRId64 " failures\n", faults);
        }
        failed += faults < 0;
        total += faults > 0 ? faults : 0;
    }
    printf("# %" PRId64 " failures\n", total);
    judge_end(&world, false);
    return failed > 0 ? 1 : 0;
}
