/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore and step: the work that goes on over many calls.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int tell_restore(struct cli *cli, const char *name, uint64_t job, bool done) {
    if (cli->json) {
        json_t *object = figures_json(cli);
        json_object_set_new(object, "job", json_u64(job));
        json_object_set_new(object, "done", json_boolean(done));
        return json_emit(cli, object);
    }
    if (!done) {
        fprintf(cli->out, "began to restore %s (job %" PRIu64 "); it is visible now, 'selsnap step --all' copies it\n",
                name, job);
        return CLI_OK;
    }
    selsnap_stats stats;
    int code = figures_get(cli, &stats);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "figures");
    }
    fprintf(cli->out, "restored %s: %" PRIu64 " blocks copied back; ", name, stats.blocks_restored);
    figures_print(cli);
    fputc('\n', cli->out);
    return CLI_OK;
}

static int start(struct cli *cli, const selsnap_snapshot_info *info, uint64_t *ret_job) {
    selsnap_subset *subset = NULL;
    selsnap_restore_options options = SELSNAP_RESTORE_OPTIONS_INIT;
    options.id = info->id;
    options.flags = args_given(&cli->args, OPT_SKIP_LOST) ? SELSNAP_RESTORE_SKIP_LOST : 0;
    if (cli->args.ranges.count > 0) {
        int result = session_subset(cli, &subset);
        if (result != CLI_OK) {
            return result;
        }
        options.subset = subset;
    }
    int code = selsnap_restore_start(cli->ss, &options, ret_job);
    selsnap_subset_close(subset);
    if (code == SELSNAP_EINVAL) {
        return fail_with(cli, code, "it holds no block of these ranges", "snapshot '%s'", info->name);
    }
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "snapshot '%s'", info->name);
}

/* A server advances restores by itself; not while a command does, which has to tell what came of it. */
static void hold_restores(struct cli *cli, bool hold) {
    if (cli->served != NULL && hold) {
        pthread_mutex_lock(cli->served->restoring);
    } else if (cli->served != NULL) {
        pthread_mutex_unlock(cli->served->restoring);
    }
}

static int restore(struct cli *cli) {
    selsnap_snapshot_info info;
    uint64_t job = 0;
    int result = session_find(cli, &info);
    if (result == CLI_OK) {
        result = start(cli, &info, &job);
    }
    if (result != CLI_OK) {
        return result;
    }
    if (args_given(&cli->args, OPT_NO_WAIT)) {
        return tell_restore(cli, info.name, job, false);
    }
    struct progress progress;
    progress_init(&progress, cli, "restoring");
    progress.unit_bytes = selsnap_block_size(cli->ss);
    int code = selsnap_restore_run(cli->ss, job, progress_tell, &progress);
    progress_end(&progress);
    return code == SELSNAP_OK ? tell_restore(cli, info.name, job, true) : fail(cli, code, "snapshot '%s'", info.name);
}

int cmd_restore(struct cli *cli) {
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    hold_restores(cli, true);
    result = restore(cli);
    hold_restores(cli, false);
    return result;
}

/* What selsnap_step() says is left, as words. */
static const struct {
    uint32_t bit;
    const char *word;
} works[] = {
    {SELSNAP_STEP_RECLAIM, "reclaim"},
    {SELSNAP_STEP_RESTORE, "restore"},
    {SELSNAP_STEP_CHECKPOINT, "checkpoint"},
};
#define WORK_COUNT (sizeof(works) / sizeof(works[0]))

static int tell_steps(struct cli *cli, uint64_t steps, uint32_t more) {
    if (cli->json) {
        json_t *object = figures_json(cli);
        json_t *list = json_array();
        for (size_t i = 0; i < WORK_COUNT; i++) {
            if ((more & works[i].bit) != 0) {
                json_array_append_new(list, json_string(works[i].word));
            }
        }
        json_object_set_new(object, "steps", json_u64(steps));
        json_object_set_new(object, "more", list);
        return json_emit(cli, object);
    }
    fprintf(cli->out, "%" PRIu64 " %s; left to do:", steps, steps == 1 ? "step" : "steps");
    for (size_t i = 0; i < WORK_COUNT; i++) {
        if ((more & works[i].bit) != 0) {
            fprintf(cli->out, " %s", works[i].word);
        }
    }
    fprintf(cli->out, "%s\n", more == 0 ? " nothing" : "");
    return CLI_OK;
}

/* How far all restores are together; a reclaim has no known end, so its steps are counted. */
struct step_progress {
    struct cli *cli;
    struct progress progress;
    uint64_t steps;
};

static int step_tell(void *user, uint64_t done, uint64_t total) {
    struct step_progress *step = user;
    (void)done;
    (void)total;
    uint64_t blocks_done = 0;
    uint64_t blocks_total = 0;
    selsnap_restore_info info = {sizeof(selsnap_restore_info), 0, 0, 0, 0, 0, 0, 0};
    while (progress_shows(&step->progress) && selsnap_restore_next(step->cli->ss, info.job, &info) == SELSNAP_OK) {
        blocks_done += info.blocks_done;
        blocks_total += info.blocks_total;
    }
    step->progress.unit_bytes = blocks_total > 0 ? selsnap_block_size(step->cli->ss) : 0;
    return progress_tell(&step->progress, blocks_total > 0 ? blocks_done : step->steps, blocks_total);
}

/* Whether there is to be another step. A server gives space back at the same time. */
static bool step_again(const struct cli *cli, int code, uint32_t more) {
    const struct timespec moment = {0, 5000000};
    if (code == SELSNAP_EBUSY && cli->served != NULL) {
        (void)nanosleep(&moment, NULL);
        return true;
    }
    return code == SELSNAP_OK && more != 0 && args_given(&cli->args, OPT_ALL);
}

int cmd_step(struct cli *cli) {
    if (args_given(&cli->args, OPT_BUDGET) && cli->args.budget == 0) {
        return fail_usage(cli, "--budget: at least 1");
    }
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    struct step_progress step = {.cli = cli, .steps = 0};
    progress_init(&step.progress, cli, "step");
    selsnap_step_options options = SELSNAP_STEP_OPTIONS_INIT;
    options.budget_blocks = cli->args.budget;
    options.progress = step_tell;
    options.progress_user = &step;
    uint32_t more = 0;
    int code;
    hold_restores(cli, true);
    do {
        code = stop_asked(cli) ? SELSNAP_ECANCELED : selsnap_step(cli->ss, &options, &more);
        step.steps += code == SELSNAP_EBUSY && cli->served != NULL ? 0 : 1;
    } while (step_again(cli, code, more));
    hold_restores(cli, false);
    progress_end(&step.progress);
    return code == SELSNAP_OK ? tell_steps(cli, step.steps, more) : fail(cli, code, "step %" PRIu64, step.steps);
}
