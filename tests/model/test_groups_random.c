/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistency groups at random, over two to four worlds (resizing.h): operations on all of them in any order, groups of
 * some or all, with callbacks that write, with a device that fails at a random call meanwhile, with a name that is taken;
 * members are deleted, contexts closed, killed, cut. Each member has what its world had at the group's instant, and what is
 * told of a group is what the model has of it. Run as rounds.h says.
 */
#include "resizing.h"
#include "rounds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 80, WORLDS = 4, GROUPS = 40 };

struct member {
    unsigned world;
    uint64_t snapshot;
};

struct group {
    uint8_t id[SELSNAP_GROUP_ID_SIZE];
    char name[16];
    int64_t time_ns;
    unsigned count;
    struct member members[WORLDS];
};

struct set {
    struct m_world worlds[WORLDS];
    unsigned count;
    struct prng prng;
    struct group groups[GROUPS];
    unsigned group_count;
    unsigned tries;
};

/* One that is being made. */
struct attempt {
    struct set *set;
    unsigned count;
    unsigned world[WORLDS];
    struct m_making making[WORLDS];
    bool refuses; /* the application does not come to rest */
    bool writes;
    struct m_world *written; /* after the points; NULL: none */
    unsigned befores;
    unsigned afters;
    int result;
};

static bool chance(struct set *set, unsigned percent) {
    return prng_percent(&set->prng, percent);
}

static struct m_world *any_world(struct set *set) {
    return &set->worlds[prng_below(&set->prng, set->count)];
}

/* ---- making ---- */

/* What each would have now. */
static void take_content(struct attempt *attempt) {
    for (unsigned i = 0; i < attempt->count; i++) {
        struct m_world *w = &attempt->set->worlds[attempt->world[i]];
        m_set_content(w, attempt->making[i].snap, w->live, w->live);
    }
}

static int before(void *user, uint64_t timeout_ns) {
    struct attempt *attempt = user;
    attempt->befores++;
    assert_true(timeout_ns > 0);
    if (attempt->writes) {
        m_write(any_world(attempt->set));
        take_content(attempt);
    }
    return attempt->refuses;
}

static void after(void *user, int result) {
    struct attempt *attempt = user;
    attempt->afters++;
    attempt->result = result;
    if (attempt->writes) {
        attempt->written = any_world(attempt->set);
        m_write(attempt->written);
    }
}

/* false: some world has no place for it. */
static bool prepare(struct set *set, struct attempt *attempt) {
    unsigned order[WORLDS] = {0};
    memset(attempt, 0, sizeof *attempt);
    attempt->set = set;
    for (unsigned i = 0; i < set->count; i++) {
        unsigned at = (unsigned)prng_below(&set->prng, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    attempt->count = 1 + (unsigned)prng_below(&set->prng, set->count);
    attempt->count = chance(set, 50) ? set->count : attempt->count;
    bool room = true;
    for (unsigned i = 0; i < attempt->count; i++) {
        attempt->world[i] = order[i];
        room = m_prepare(&set->worlds[order[i]], &attempt->making[i]) && room;
    }
    attempt->refuses = chance(set, 4);
    attempt->writes = chance(set, 30);
    return room;
}

static int make(struct attempt *attempt, struct group *group) {
    struct set *set = attempt->set;
    selsnap_group_member members[WORLDS];
    uint64_t ids[WORLDS] = {0};
    selsnap_group_options options = SELSNAP_GROUP_OPTIONS_INIT;
    (void)snprintf(group->name, sizeof group->name, "g%u", ++set->tries);
    options.name = group->name;
    options.before = before;
    options.after = after;
    options.user = attempt;
    options.timeout_ns = UINT64_C(300000000000);
    options.time_ns = group->time_ns = 1000 + set->tries;
    group->count = attempt->count;
    for (unsigned i = 0; i < attempt->count; i++) {
        members[i].ss = set->worlds[attempt->world[i]].rig.ss;
        members[i].options = &attempt->making[i].options;
    }
    for (unsigned i = 0; i < set->count; i++) {
        set->worlds[i].calm = true;
    }
    int code = selsnap_group_create(members, attempt->count, &options, group->id, ids);
    for (unsigned i = 0; i < set->count; i++) {
        set->worlds[i].calm = false;
    }
    for (unsigned i = 0; i < attempt->count; i++) {
        group->members[i] = (struct member){attempt->world[i], ids[i]};
    }
    m_say(&set->worlds[0], "group %s of %u: %s", group->name, attempt->count, selsnap_error_name(code));
    return code;
}

/* All members are there. */
static void made(struct attempt *attempt, const struct group *group) {
    struct set *set = attempt->set;
    for (unsigned i = 0; i < attempt->count; i++) {
        struct m_world *w = &set->worlds[attempt->world[i]];
        struct m_snap *s = attempt->making[i].snap;
        s->live = true;
        s->id = group->members[i].snapshot;
        if (w == attempt->written) {
            m_learn_changed(w);
        } else {
            m_settle(w);
        }
    }
    set->groups[set->group_count++ % GROUPS] = *group;
}

/* None is there; where the store failed, one may come back. */
static void not_made(struct attempt *attempt, const struct m_world *failed) {
    for (unsigned i = 0; i < attempt->count; i++) {
        struct m_world *w = &attempt->set->worlds[attempt->world[i]];
        attempt->making[i].snap->doubtful = w == failed;
        m_check_all(w);
    }
}

/* A device of one of them fails at a call to come, once or until this is over. */
static struct testdev *plant(struct set *set, struct attempt *attempt, struct m_world **ret_world) {
    struct m_world *w = &set->worlds[attempt->world[prng_below(&set->prng, attempt->count)]];
    bool origin = chance(set, 15);
    struct testdev *dev = origin ? w->origin : w->store;
    uint32_t ops = origin ? TESTDEV_FLUSH : chance(set, 50) ? TESTDEV_ALL : TESTDEV_CHANGES | TESTDEV_FLUSH;
    testdev_fail(dev, ops, 1 + prng_below(&set->prng, origin ? 1 : 7), chance(set, 40));
    *ret_world = w;
    return dev;
}

/* Designations are looked at once the application rests. */
static int wanted_of(const struct attempt *attempt, bool taken) {
    for (unsigned i = 0; i < attempt->count && !attempt->refuses; i++) {
        if (attempt->making[i].wanted != SELSNAP_OK) {
            return attempt->making[i].wanted;
        }
    }
    return attempt->refuses ? SELSNAP_ECANCELED : taken ? SELSNAP_EEXIST : SELSNAP_OK;
}

/* One member's name is that of a snapshot there is. */
static bool take_name(struct attempt *attempt) {
    unsigned i = (unsigned)prng_below(&attempt->set->prng, attempt->count);
    const struct m_snap *other = m_pick(&attempt->set->worlds[attempt->world[i]]);
    if (other != NULL) {
        attempt->making[i].options.name = other->name;
    }
    return other != NULL;
}

static void do_group(struct set *set) {
    struct attempt attempt;
    struct group group = {{0}, "", 0, 0, {{0, 0}}};
    struct m_world *world = NULL;
    struct testdev *dev = NULL;
    if (prepare(set, &attempt)) {
        bool taken = chance(set, 5) && take_name(&attempt);
        int wanted = wanted_of(&attempt, taken);
        if (wanted == SELSNAP_OK && !attempt.writes && chance(set, 40)) {
            dev = plant(set, &attempt, &world);
        }
        int code = make(&attempt, &group);
        bool failed = dev != NULL && dev->failed > 0;
        if (dev != NULL) {
            testdev_mend(dev);
        }
        if (failed && code != SELSNAP_OK) {
            assert_int_equal(code, dev == world->origin ? SELSNAP_EIO : SELSNAP_ESTORE);
        } else if (!taken || code != SELSNAP_EEXIST) { /* or another member's is looked at first */
            assert_int_equal(code, wanted);
        }
        assert_int_equal(attempt.afters, attempt.befores);
        assert_true(attempt.afters <= 1 && (code != SELSNAP_OK || attempt.result == SELSNAP_OK));
        if (code == SELSNAP_OK) {
            made(&attempt, &group);
        } else {
            not_made(&attempt, failed && dev == world->store ? world : NULL);
        }
    }
    for (unsigned i = 0; i < attempt.count; i++) {
        selsnap_subset_close(attempt.making[i].subset);
    }
}

/* ---- what is told of them ---- */

static bool is_there(const struct m_world *w, uint64_t id) {
    for (unsigned i = 0; i < SNAPS; i++) {
        if (w->snaps[i].live && w->snaps[i].id == id) {
            return true;
        }
    }
    return false;
}

static void check_member(struct set *set, const struct group *group, unsigned number) {
    const struct member *member = &group->members[number];
    struct m_world *w = &set->worlds[member->world];
    selsnap_group_info info = {.struct_size = sizeof info};
    int code = selsnap_snapshot_get_group(w->rig.ss, member->snapshot, &info);
    assert_int_equal(code, is_there(w, member->snapshot) ? SELSNAP_OK : SELSNAP_ENOENT);
    if (code == SELSNAP_OK) {
        assert_int_equal(info.member, number);
        assert_int_equal(info.members, group->count);
        assert_int_equal(info.time_ns, group->time_ns);
        assert_string_equal(info.name, group->name);
        assert_memory_equal(info.id, group->id, sizeof info.id);
    }
}

/* In all the worlds, or in some of them. */
static void check_group(struct set *set, const struct group *group) {
    selsnap *contexts[WORLDS];
    bool looked[WORLDS] = {false};
    uint32_t count = 0;
    unsigned present = 0;
    bool all = chance(set, 60);
    for (unsigned i = 0; i < set->count; i++) {
        looked[i] = all || chance(set, 50);
        if (looked[i]) {
            contexts[count++] = set->worlds[i].rig.ss;
        }
    }
    for (unsigned i = 0; i < group->count; i++) {
        const struct member *member = &group->members[i];
        present += looked[member->world] && is_there(&set->worlds[member->world], member->snapshot);
        check_member(set, group, i);
    }
    selsnap_group_status status = {.struct_size = sizeof status};
    if (count == 0) {
        return;
    }
    assert_int_equal(selsnap_group_check(contexts, count, group->id, &status),
                     present > 0 ? SELSNAP_OK : SELSNAP_ENOENT);
    if (present > 0) {
        assert_int_equal(status.members, group->count);
        assert_int_equal(status.present, present);
        assert_int_equal(status.missing, group->count - present);
        assert_int_equal(status.complete, present == group->count);
    }
}

/* ---- rounds ---- */

static void run_round(uint64_t seed, bool trace) {
    static const char *const names[WORLDS] = {"0 ", "1 ", "2 ", "3 "};
    struct set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    set->prng = rounds_prng(seed);
    set->count = 2 + (unsigned)prng_below(&set->prng, WORLDS - 1);
    for (unsigned i = 0; i < set->count; i++) {
        struct m_shape shape = {.name = trace ? names[i] : NULL, .block = chance(set, 80) ? 4096 : 16384};
        shape.prng = rounds_prng(prng_next(&set->prng));
        shape.most_blocks = 4 + prng_below(&set->prng, 12);
        m_open(&set->worlds[i], &shape);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        if (chance(set, 25)) {
            do_group(set);
        } else {
            struct m_world *w = any_world(set);
            m_operation(w);
            m_check_some(w);
        }
        unsigned known = set->group_count < GROUPS ? set->group_count : GROUPS;
        if (known > 0) {
            check_group(set, &set->groups[prng_below(&set->prng, known)]);
        }
    }
    for (unsigned i = 0; i < set->count; i++) {
        m_restart(&set->worlds[i], RESTART_CLOSE);
    }
    for (unsigned i = 0; i < set->group_count && i < GROUPS; i++) {
        check_group(set, &set->groups[i]);
    }
    for (unsigned i = 0; i < set->count; i++) {
        m_close(&set->worlds[i]);
    }
    free(set);
}

int main(int argc, char **argv) {
    const struct rounds rounds = {"test_groups__random__members_are_of_one_instant", run_round, 300};
    return rounds_main(&rounds, argc, argv);
}
