/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group create, list and check: snapshots of several origins at one instant.
 *
 * The rest of the tool knows one store at a time. Here each member's session is opened in its turn, and put aside; it is
 * taken back to be closed.
 */
#include "cli.h"
#include "hook.h"
#include "system.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_TEXT (2 * SELSNAP_GROUP_ID_SIZE + 1)
#define SECOND_NS UINT64_C(1000000000)

struct place {
    char *store;        /* A copy of the word, cut behind the store. */
    const char *origin; /* NULL: as the store says. */
    selsnap_device *store_device;
    selsnap_device *origin_device;
    selsnap *ss;
};

struct places {
    struct place *items;
    selsnap **contexts;
    uint32_t count;
};

/* ---- several sessions ---- */

static int open_place(struct cli *cli, struct place *place, bool writable) {
    cli->args.store = place->store;
    cli->args.origin = place->origin;
    int result = session_open(cli, writable);
    place->ss = cli->ss;
    place->store_device = cli->store;
    place->origin_device = cli->origin;
    cli->ss = NULL;
    cli->store = NULL;
    cli->origin = NULL;
    return result;
}

/* Words from @p first on: STORE, or STORE=ORIGIN. */
static int open_places(struct cli *cli, int first, bool writable, struct places *places) {
    uint32_t count = (uint32_t)(cli->args.name_count - first);
    memset(places, 0, sizeof(*places));
    places->items = calloc(count, sizeof(*places->items));
    places->contexts = calloc(count, sizeof(*places->contexts));
    if (places->items == NULL || places->contexts == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "stores");
    }
    system_forget("SELSNAP_ORIGIN"); /* It cannot be the origin of all. */
    int result = CLI_OK;
    for (uint32_t i = 0; result == CLI_OK && i < count; i++) {
        struct place *place = &places->items[places->count++];
        place->store = strdup(cli->args.names[first + (int)i]);
        if (place->store == NULL) {
            return fail(cli, SELSNAP_ENOMEM, "stores");
        }
        char *equals = strchr(place->store, '=');
        if (equals != NULL) {
            *equals = '\0';
            place->origin = equals + 1;
        }
        result = open_place(cli, place, writable);
        places->contexts[i] = place->ss;
    }
    return result;
}

static int close_places(struct cli *cli, struct places *places, int result) {
    for (uint32_t i = places->count; i > 0; i--) {
        struct place *place = &places->items[i - 1];
        cli->ss = place->ss;
        cli->store = place->store_device;
        cli->origin = place->origin_device;
        if (i > 1) {
            result = session_close(cli, result);
            memset(&cli->happenings, 0, sizeof(cli->happenings));
        }
        cli->args.store = NULL; /* The first is left for main() to close, and its word is not needed for that. */
        free(place->store);
    }
    free(places->contexts);
    free(places->items);
    return result;
}

/* With the detail of the context that knows about it. */
static int fail_places(struct cli *cli, const struct places *places, int code) {
    char detail[512];
    for (uint32_t i = 0; i < places->count; i++) {
        if (selsnap_last_error(places->items[i].ss, detail, sizeof(detail)) == code) {
            return fail_with(cli, code, detail, "store '%s'", places->items[i].store);
        }
    }
    return fail_with(cli, code, "", "group");
}

static const char *id_text(const uint8_t *id, char *buf) {
    for (size_t i = 0; i < SELSNAP_GROUP_ID_SIZE; i++) {
        snprintf(buf + 2 * i, 3, "%02x", id[i]);
    }
    return buf;
}

/* ---- create ---- */

struct hooks {
    struct cli *cli;
    bool refused; /* The command before failed. */
};

static int run_before(void *user, uint64_t timeout_ns) {
    struct hooks *hooks = user;
    const struct args *args = &hooks->cli->args;
    hooks->refused = args->before != NULL && !hook_run(args->before, args->names[0], "", timeout_ns);
    return hooks->refused || stop_asked(hooks->cli) ? 1 : 0;
}

static void run_after(void *user, int result) {
    struct hooks *hooks = user;
    const struct args *args = &hooks->cli->args;
    if (args->after != NULL && !hook_run(args->after, args->names[0], selsnap_error_name(result), 0)) {
        warn(hooks->cli, "the command of --after failed");
    }
}

static int tell_created(struct cli *cli, const struct places *places, const uint8_t *group, const uint64_t *ids) {
    char text[ID_TEXT];
    const char *name = cli->args.names[0];
    if (!cli->json) {
        fprintf(cli->out, "created group %s (id %s): %" PRIu32 " snapshots\n", name, id_text(group, text),
                places->count);
        return CLI_OK;
    }
    json_t *members = json_array();
    for (uint32_t i = 0; i < places->count; i++) {
        json_array_append_new(members, json_pack("{s:i, s:o, s:o}", "member", (int)i, "store",
                                                 json_text(places->items[i].store), "id", json_u64(ids[i])));
    }
    return json_emit(cli, json_pack("{s:o, s:o, s:o}", "group", json_text(id_text(group, text)), "name",
                                    json_text(name), "members", members));
}

/* Tells which store lacks the subset. */
static int fail_subset(struct cli *cli, const struct places *places) {
    for (uint32_t i = 0; i < places->count; i++) {
        selsnap_subset *subset = NULL;
        int code = selsnap_designation_load(places->contexts[i], cli->args.subset, &subset);
        selsnap_subset_close(subset);
        if (code != SELSNAP_OK) {
            return fail_with(cli, code, code == SELSNAP_ENOENT ? "no such subset" : "", "store '%s', subset '%s'",
                             places->items[i].store, cli->args.subset);
        }
    }
    return fail_places(cli, places, SELSNAP_ENOENT);
}

static int create(struct cli *cli, const struct places *places) {
    struct hooks hooks = {cli, false};
    selsnap_snapshot_options snapshot = SELSNAP_SNAPSHOT_OPTIONS_INIT;
    selsnap_group_options options = SELSNAP_GROUP_OPTIONS_INIT;
    selsnap_group_member members[SELSNAP_GROUP_MEMBERS_MAX];
    uint8_t group[SELSNAP_GROUP_ID_SIZE];
    uint64_t ids[SELSNAP_GROUP_MEMBERS_MAX];
    snapshot.name = cli->args.names[0];
    snapshot.designation = cli->args.subset;
    snapshot.policy = (uint32_t)cli->args.policy;
    snapshot.properties = cli->args.properties;
    snapshot.property_count = cli->args.property_count;
    options.name = cli->args.names[0];
    options.before = run_before;
    options.after = run_after;
    options.user = &hooks;
    options.timeout_ns = cli->args.timeout * SECOND_NS;
    for (uint32_t i = 0; i < places->count; i++) {
        members[i].ss = places->contexts[i];
        members[i].options = &snapshot;
    }
    int code = selsnap_group_create(members, places->count, &options, group, ids);
    if (code == SELSNAP_ECANCELED && hooks.refused) {
        return fail_with(cli, code, "the command of --before failed, or took too long; no snapshot was made", "group");
    }
    if (code == SELSNAP_ENOENT && cli->args.subset != NULL) {
        return fail_subset(cli, places);
    }
    return code == SELSNAP_OK ? tell_created(cli, places, group, ids) : fail_places(cli, places, code);
}

int cmd_group_create(struct cli *cli) {
    struct places places;
    if (args_given(&cli->args, OPT_TIMEOUT) && (cli->args.timeout == 0 || cli->args.timeout > 86400)) {
        return fail_usage(cli, "--timeout: 1 to 86400 seconds");
    }
    int result = open_places(cli, 1, true, &places);
    result = result == CLI_OK ? create(cli, &places) : result;
    return close_places(cli, &places, result);
}

/* ---- list and check ---- */

struct found {
    selsnap_group_info group;
    selsnap_group_status status;
    json_t *members;
};

struct finds {
    struct found *items;
    size_t count;
    bool incomplete;
};

/* The group's place in the list; it is put there if it is new. NULL: no memory. */
static struct found *find_group(struct finds *finds, const selsnap_group_info *group) {
    for (size_t i = 0; i < finds->count; i++) {
        if (memcmp(finds->items[i].group.id, group->id, sizeof(group->id)) == 0) {
            return &finds->items[i];
        }
    }
    struct found *grown = realloc(finds->items, (finds->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    finds->items = grown;
    memset(&grown[finds->count], 0, sizeof(*grown));
    grown[finds->count].group = *group;
    grown[finds->count].members = json_array();
    return &grown[finds->count++];
}

static int look_at_place(struct cli *cli, const struct place *place, struct finds *finds) {
    selsnap_snapshot_info info;
    selsnap_group_info group;
    int code;
    memset(&info, 0, sizeof(info));
    memset(&group, 0, sizeof(group));
    info.struct_size = sizeof(info);
    group.struct_size = sizeof(group);
    while ((code = selsnap_snapshot_next(place->ss, info.id, &info)) == SELSNAP_OK) {
        code = selsnap_snapshot_get_group(place->ss, info.id, &group);
        if (code == SELSNAP_ENOENT) {
            continue; /* made alone */
        }
        struct found *found = code == SELSNAP_OK ? find_group(finds, &group) : NULL;
        if (found == NULL) {
            code = code == SELSNAP_OK ? SELSNAP_ENOMEM : code;
            break;
        }
        json_array_append_new(found->members, json_pack("{s:i, s:o, s:o, s:o}", "member", (int)group.member, "store",
                                                        json_text(place->store), "snapshot", json_text(info.name), "id",
                                                        json_u64(info.id)));
    }
    return code == SELSNAP_ENOENT ? CLI_OK : fail_with(cli, code, "", "store '%s'", place->store);
}

static int by_time(const void *left, const void *right) {
    const struct found *a = left;
    const struct found *b = right;
    if (a->group.time_ns != b->group.time_ns) {
        return a->group.time_ns < b->group.time_ns ? -1 : 1;
    }
    return memcmp(a->group.id, b->group.id, sizeof(a->group.id));
}

static json_t *found_json(const struct found *found) {
    char text[ID_TEXT];
    return json_pack("{s:o, s:o, s:I, s:i, s:i, s:b, s:O}", "group", json_text(id_text(found->group.id, text)), "name",
                     json_text(found->group.name), "time_ns", (json_int_t)found->group.time_ns, "members",
                     (int)found->status.members, "present", (int)found->status.present, "complete",
                     found->status.complete != 0, "snapshots", found->members);
}

static void found_print(struct cli *cli, const struct found *found) {
    char text[ID_TEXT];
    char when[32];
    fprintf(cli->out, "%s  %-20s  %" PRIu32 " of %" PRIu32 "%s  %s\n", id_text(found->group.id, text),
            time_text(found->group.time_ns, when, sizeof(when)), found->status.present, found->status.members,
            found->status.complete != 0 ? "" : " incomplete", found->group.name);
}

static int tell_found(struct cli *cli, const struct places *places, struct finds *finds) {
    json_t *list = cli->json ? json_array() : NULL;
    if (finds->count > 0) {
        qsort(finds->items, finds->count, sizeof(*finds->items), by_time);
    }
    for (size_t i = 0; i < finds->count; i++) {
        struct found *found = &finds->items[i];
        found->status.struct_size = sizeof(found->status);
        int code = selsnap_group_check(places->contexts, places->count, found->group.id, &found->status);
        if (code != SELSNAP_OK) {
            json_decref(list);
            return fail_places(cli, places, code);
        }
        finds->incomplete = finds->incomplete || found->status.complete == 0;
        if (cli->json) {
            json_array_append_new(list, found_json(found));
        } else {
            found_print(cli, found);
        }
    }
    return cli->json ? json_emit(cli, json_pack("{s:o}", "groups", list)) : CLI_OK;
}

static int look(struct cli *cli, bool check) {
    struct places places;
    struct finds finds = {NULL, 0, false};
    int result = open_places(cli, 0, false, &places);
    for (uint32_t i = 0; result == CLI_OK && i < places.count; i++) {
        result = look_at_place(cli, &places.items[i], &finds);
    }
    result = result == CLI_OK ? tell_found(cli, &places, &finds) : result;
    for (size_t i = 0; i < finds.count; i++) {
        json_decref(finds.items[i].members);
    }
    free(finds.items);
    if (result == CLI_OK && check && finds.incomplete) {
        result = CLI_DAMAGE;
    }
    return close_places(cli, &places, result);
}

int cmd_group_list(struct cli *cli) {
    return look(cli, false);
}

int cmd_group_check(struct cli *cli) {
    return look(cli, true);
}
