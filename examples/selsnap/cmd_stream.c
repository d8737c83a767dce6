/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export, verify and import: snapshots as streams, in files and pipes.
 */
#include "system.h"
#include "transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_TEXT (2 * sizeof(selsnap_stream_token) + 1)

/* ---- structs as text ---- */

static const char *bytes_text(const void *bytes, size_t len, char *buf) {
    for (size_t i = 0; i < len; i++) {
        snprintf(buf + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    }
    return buf;
}

static bool bytes_parse(const char *text, void *bytes, size_t len) {
    if (strspn(text, "0123456789abcdef") != 2 * len || text[2 * len] != '\0') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        ((unsigned char *)bytes)[i] = (unsigned char)byte;
    }
    return true;
}

static int parse_token(struct cli *cli, selsnap_stream_token *token, bool *ret_given) {
    *ret_given = cli->args.token != NULL;
    if (*ret_given && (!bytes_parse(cli->args.token, token, sizeof(*token)) || token->struct_size != sizeof(*token))) {
        return fail_usage(cli, "--token '%s': not what 'selsnap import' told", cli->args.token);
    }
    return CLI_OK;
}

/* ---- telling ---- */

static json_t *info_json(const selsnap_stream_info *info) {
    char id[2 * sizeof(info->id.store_id) + 1];
    json_t *object = json_object();
    json_object_set_new(object, "name", json_text(info->name));
    json_object_set_new(object, "store", json_text(bytes_text(info->id.store_id, sizeof(info->id.store_id), id)));
    json_object_set_new(object, "snapshot", json_u64(info->id.snapshot_id));
    json_object_set_new(object, "point", json_u64(info->id.point));
    json_object_set_new(object, "base", info->base.snapshot_id != 0 ? json_u64(info->base.snapshot_id) : json_null());
    json_object_set_new(object, "as_changed", json_boolean((info->id.flags & SELSNAP_STREAM_AS_CHANGED) != 0));
    json_object_set_new(object, "time_ns", json_integer(info->time_ns));
    json_object_set_new(object, "origin_bytes", json_u64(info->origin_bytes));
    json_object_set_new(object, "block_bytes", json_u64(info->block_bytes));
    json_object_set_new(object, "blocks", json_u64(info->block_count));
    json_object_set_new(object, "data_blocks", json_u64(info->data_blocks));
    json_object_set_new(object, "zero_blocks", json_u64(info->zero_blocks));
    json_object_set_new(object, "lost_blocks", json_u64(info->lost_blocks));
    json_object_set_new(object, "written_blocks", json_u64(info->written_blocks));
    json_object_set_new(object, "stream_bytes", json_u64(info->stream_bytes));
    return object;
}

static void print_info(struct cli *cli, const char *done, const selsnap_stream_info *info) {
    char size[32];
    fprintf(cli->out, "%s %s: %s", done, info->name, info->base.snapshot_id != 0 ? "an increment" : "full");
    if (info->base.snapshot_id != 0) {
        fprintf(cli->out, " on snapshot %" PRIu64, info->base.snapshot_id);
    }
    fprintf(cli->out, ", %" PRIu64 " blocks with data, %" PRIu64 " zeros, %" PRIu64 " lost, %s\n", info->data_blocks,
            info->zero_blocks, info->lost_blocks, size_text(info->stream_bytes, size, sizeof(size)));
}

/* ---- export ---- */

static int open_output(struct cli *cli, int *ret_fd) {
    const char *path = cli->args.output;
    if (path == NULL || strcmp(path, "-") == 0) {
        if (cli->json) {
            return fail_usage(cli, "--json needs --output: stdout has the stream");
        }
        if (isatty(cli->out_fd) == 1) {
            return fail_usage(cli, "a stream is nothing for a terminal; give --output");
        }
        *ret_fd = cli->out_fd;
        return CLI_OK;
    }
    *ret_fd = open_file(cli, path, O_WRONLY | O_CREAT | O_TRUNC);
    return *ret_fd < 0 ? fail_system(cli, errno, "'%s'", path) : CLI_OK;
}

static int find_base(struct cli *cli, uint64_t *ret_id) {
    selsnap_snapshot_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    if (cli->args.base == NULL) {
        return CLI_OK;
    }
    int code = selsnap_snapshot_find(cli->ss, cli->args.base, &info);
    if (code != SELSNAP_OK) {
        return fail_with(cli, code, code == SELSNAP_ENOENT ? "no such snapshot" : "", "base '%s'", cli->args.base);
    }
    *ret_id = info.id;
    return CLI_OK;
}

/* A stream on its way out. */
struct output {
    struct cli *cli;
    int fd;
    int error; /* An errno value: why writing failed. */
};

/* A selsnap_stream_write_fn. */
static int write_output(void *user, const void *buf, size_t len) {
    struct output *output = user;
    output->error = write_whole(output->cli, output->fd, buf, len);
    return output->error == 0 ? SELSNAP_OK : SELSNAP_EIO;
}

static int run_export(struct cli *cli, const selsnap_export_options *given, int fd, selsnap_stream_info *info) {
    selsnap_export_options options = *given;
    struct progress progress;
    struct output output = {cli, fd, 0};
    progress_init(&progress, cli, "exporting");
    progress.unit_bytes = selsnap_block_size(cli->ss);
    options.progress = progress_tell;
    options.progress_user = &progress;
    int code = selsnap_export(cli->ss, &options, write_output, &output, info);
    progress_end(&progress);
    if (code == SELSNAP_EIO && output.error != 0) {
        return fail_with(cli, code, strerror(output.error), "stream");
    }
    return code == SELSNAP_OK ? CLI_OK : fail(cli, code, "snapshot '%s'", cli->args.names[0]);
}

static int export_to(struct cli *cli, int fd) {
    const struct args *args = &cli->args;
    selsnap_export_options options = SELSNAP_EXPORT_OPTIONS_INIT;
    selsnap_snapshot_info snapshot;
    selsnap_stream_info info;
    selsnap_stream_token token;
    selsnap_subset *subset = NULL;
    bool given = false;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    options.flags = (args_given(args, OPT_AS_CHANGED) ? SELSNAP_EXPORT_AS_CHANGED : 0) |
                    (args_given(args, OPT_SKIP_LOST) ? SELSNAP_EXPORT_SKIP_LOST : 0);
    options.level = !args_given(args, OPT_LEVEL) ? 0 : args->level == 0 ? -1 : (int32_t)args->level;
    int result = parse_token(cli, &token, &given);
    options.token = given ? &token : NULL;
    result = result == CLI_OK ? session_find(cli, &snapshot) : result;
    result = result == CLI_OK ? find_base(cli, &options.base_id) : result;
    if (result == CLI_OK && (args->subset != NULL || args->ranges.count > 0 || args->minus.count > 0 || args->choice_count > 0)) {
        result = session_subset(cli, &subset);
        options.subset = subset;
    }
    if (result == CLI_OK) {
        options.id = snapshot.id;
        result = run_export(cli, &options, fd, &info);
    }
    selsnap_subset_close(subset);
    if (result == CLI_OK && fd != cli->out_fd) {
        if (!system_sync(fd)) {
            return fail_system(cli, errno, "'%s'", args->output);
        }
        if (cli->json) {
            return json_emit(cli, info_json(&info));
        }
        print_info(cli, "exported", &info);
    }
    return result;
}

int cmd_export(struct cli *cli) {
    if (args_given(&cli->args, OPT_LEVEL) && cli->args.level > 19) {
        return fail_usage(cli, "--level: 0 to 19");
    }
    if (cli->args.base != NULL && args_given(&cli->args, OPT_AS_CHANGED)) {
        return fail_usage(cli, "--base and --as-changed exclude each other");
    }
    int fd = -1;
    int result = session_open(cli, false);
    result = result == CLI_OK ? open_output(cli, &fd) : result;
    if (result != CLI_OK) {
        return result;
    }
    result = export_to(cli, fd);
    if (fd != cli->out_fd && close(fd) != 0 && result == CLI_OK) {
        result = fail_system(cli, errno, "'%s'", cli->args.output);
    }
    return result;
}

/* ---- reading streams ---- */

/* A stream that is read, and how far. */
struct input {
    struct cli *cli;
    int fd;
    uint64_t bytes;
    uint64_t size; /* 0: not known */
};

static int open_input(struct cli *cli, const char *path, struct input *input) {
    struct stat about;
    memset(input, 0, sizeof(*input));
    input->cli = cli;
    if (strcmp(path, "-") == 0) {
        input->fd = cli->in_fd;
        return CLI_OK;
    }
    input->fd = open_file(cli, path, O_RDONLY);
    if (input->fd >= 0 && fstat(input->fd, &about) == 0 && S_ISREG(about.st_mode)) {
        input->size = (uint64_t)about.st_size;
    }
    if (input->fd < 0) {
        return errno == ENOENT ? fail_with(cli, SELSNAP_ENOENT, "no such file", "'%s'", path)
                               : fail_system(cli, errno, "'%s'", path);
    }
    return CLI_OK;
}

static void close_input(const struct input *input) {
    if (input->fd != input->cli->in_fd && input->fd >= 0) {
        close(input->fd);
    }
}

/* A selsnap_stream_read_fn. */
static int64_t read_input(void *user, void *buf, size_t len) {
    struct input *input = user;
    size_t got = 0;
    errno = read_some(input->cli, input->fd, buf, len, &got);
    input->bytes += got;
    return errno == 0 ? (int64_t)got : SELSNAP_EIO;
}

/* What each stream is handed to; an exit code. */
typedef int (*stream_fn)(struct cli *cli, const char *path, struct input *input, struct progress *progress, void *state,
                         selsnap_stream_info *info);

static int each_stream(struct cli *cli, const char *label, const char *done, stream_fn fn, void *state) {
    json_t *list = cli->json ? json_array() : NULL;
    int result = CLI_OK;
    for (int i = 0; result == CLI_OK && i < cli->args.name_count; i++) {
        const char *path = cli->args.names[i];
        struct progress progress;
        selsnap_stream_info info;
        struct input input;
        memset(&info, 0, sizeof(info));
        info.struct_size = sizeof(info);
        result = open_input(cli, path, &input);
        if (result == CLI_OK) {
            progress_init(&progress, cli, label);
            progress.stream_bytes = &input.bytes;
            progress.stream_total = input.size;
            result = fn(cli, path, &input, &progress, state, &info);
            progress_end(&progress);
        }
        close_input(&input);
        if (result == CLI_OK && cli->json) {
            json_array_append_new(list, info_json(&info));
        } else if (result == CLI_OK) {
            print_info(cli, done, &info);
        }
    }
    if (result != CLI_OK) {
        json_decref(list);
        return result;
    }
    return cli->json ? json_emit(cli, list) : CLI_OK;
}

static int verify_one(struct cli *cli, const char *path, struct input *input, struct progress *progress, void *state,
                      selsnap_stream_info *info) {
    char message[512] = "";
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    (void)state;
    options.progress = progress_tell;
    options.progress_user = progress;
    options.ret_message = message;
    options.message_size = sizeof(message);
    int code = selsnap_stream_verify(read_input, input, &options, info);
    progress_end(progress);
    return code == SELSNAP_OK ? CLI_OK : fail_with(cli, code, message, "'%s'", path);
}

int cmd_verify(struct cli *cli) {
    return each_stream(cli, "verifying", "sound:", verify_one, NULL);
}

/* ---- onto a device ---- */

struct to_device {
    selsnap_device *device;
    selsnap_stream_id holds;
    selsnap_stream_token token;
    bool token_given;
};

static int load_state(struct cli *cli, struct to_device *to) {
    char text[2 * sizeof(to->holds) + 2] = "";
    FILE *file = cli->args.state != NULL ? system_stream(cli->args.state, "r") : NULL;
    if (file == NULL) {
        return cli->args.state == NULL || errno == ENOENT ? CLI_OK : fail_system(cli, errno, "'%s'", cli->args.state);
    }
    char *got = fgets(text, (int)sizeof(text), file);
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    if (got == NULL || !bytes_parse(text, &to->holds, sizeof(to->holds)) ||
        to->holds.struct_size != sizeof(to->holds)) {
        return fail_with(cli, SELSNAP_EBASE, "not what 'selsnap import --state' wrote", "'%s'", cli->args.state);
    }
    return CLI_OK;
}

/* Written beside and renamed: old or new, never half. NULL holds: nothing is known to be there any more. */
static int save_state(struct cli *cli, const selsnap_stream_id *holds) {
    char text[2 * sizeof(*holds) + 1];
    char path[4096];
    if (cli->args.state == NULL) {
        return CLI_OK;
    }
    if (snprintf(path, sizeof(path), "%s.new", cli->args.state) >= (int)sizeof(path)) {
        return fail_system(cli, ENAMETOOLONG, "'%s'", cli->args.state);
    }
    FILE *file = system_stream(path, "w");
    bool good = file != NULL && fprintf(file, "%s\n", bytes_text(holds, sizeof(*holds), text)) > 0 &&
                fflush(file) == 0 && system_sync(fileno(file));
    good = file != NULL && fclose(file) == 0 && good;
    good = good && system_replace(path, cli->args.state);
    return good ? CLI_OK : fail_system(cli, errno, "'%s'", cli->args.state);
}

static int apply_one(struct cli *cli, const char *path, struct input *input, struct progress *progress, void *state,
                     selsnap_stream_info *info) {
    struct to_device *to = state;
    char message[512] = "";
    selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
    options.flags = args_given(&cli->args, OPT_SKIP_LOST) ? SELSNAP_APPLY_SKIP_LOST : 0;
    options.holds = to->holds.snapshot_id != 0 ? &to->holds : NULL;
    options.token = to->token_given ? &to->token : NULL;
    options.progress = progress_tell;
    options.progress_user = progress;
    options.ret_message = message;
    options.message_size = sizeof(message);
    int code = selsnap_stream_apply(read_input, input, to->device, &options, info);
    progress_end(progress);
    to->token_given = false;
    if (code == SELSNAP_OK) {
        to->holds = info->id;
        return save_state(cli, &to->holds);
    }
    int result = fail_with(cli, code, message, "'%s'", path);
    if (info->state == SELSNAP_STREAM_PART) {
        char text[TOKEN_TEXT];
        warn(cli, "'%s' holds a part of the stream, and is of no use before it is applied whole", cli->args.to);
        if (info->token.key != 0) {
            warn(cli, "to go on: 'selsnap export' and 'selsnap import' with --token %s",
                 bytes_text(&info->token, sizeof(info->token), text));
        }
    }
    return result;
}

/* The origin's size, from the head of the first stream: for making the image file. */
static int first_size(struct cli *cli, uint64_t *ret_size) {
    const char *path = cli->args.names[0];
    selsnap_stream_info info;
    struct input input;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    if (strcmp(path, "-") == 0) {
        return fail_usage(cli, "'%s' is not there, and its size is not known from stdin; make it first", cli->args.to);
    }
    int result = open_input(cli, path, &input);
    if (result == CLI_OK) {
        char message[512] = "";
        selsnap_stream_options options = SELSNAP_STREAM_OPTIONS_INIT;
        options.ret_message = message;
        options.message_size = sizeof(message);
        int code = selsnap_stream_verify(read_input, &input, &options, &info);
        result = code == SELSNAP_OK ? CLI_OK : fail_with(cli, code, message, "'%s'", path);
    }
    close_input(&input);
    *ret_size = info.origin_bytes;
    return result;
}

static int import_to_device(struct cli *cli) {
    struct to_device to;
    uint64_t size = 0;
    memset(&to, 0, sizeof(to));
    int result = parse_token(cli, &to.token, &to.token_given);
    result = result == CLI_OK ? load_state(cli, &to) : result;
    bool there = system_is_there(cli->args.to);
    if (result == CLI_OK && !there) {
        to.holds.snapshot_id = 0;
        result = first_size(cli, &size);
    }
    if (result == CLI_OK) {
        result = session_open_device(cli, "device", cli->args.to, there ? 0 : SELSNAP_FILE_CREATE, size, &to.device);
    }
    if (result == CLI_OK && there && to.holds.snapshot_id == 0 && !to.token_given &&
        !args_given(&cli->args, OPT_FORCE)) {
        result = refuse_data(cli, to.device, "device", cli->args.to);
    }
    result = result == CLI_OK ? each_stream(cli, "importing", "imported", apply_one, &to) : result;
    selsnap_device_close(to.device);
    return result;
}

/* ---- into a store ---- */

static int import_one(struct cli *cli, const char *path, struct input *input, struct progress *progress, void *state,
                      selsnap_stream_info *info) {
    selsnap_import_options options = SELSNAP_IMPORT_OPTIONS_INIT;
    (void)state;
    options.flags = (args_given(&cli->args, OPT_SKIP_LOST) ? SELSNAP_IMPORT_SKIP_LOST : 0) |
                    (args_given(&cli->args, OPT_KEEP_PART) ? SELSNAP_IMPORT_KEEP_PART : 0);
    options.name = cli->args.name;
    options.policy = (uint32_t)cli->args.policy;
    options.progress = progress_tell;
    options.progress_user = progress;
    int code = selsnap_import(cli->ss, read_input, input, &options, NULL, info);
    progress_end(progress);
    if (code == SELSNAP_OK) {
        return CLI_OK;
    }
    int result = fail(cli, code, "'%s'", path);
    if (info->state == SELSNAP_STREAM_PART) {
        char text[TOKEN_TEXT];
        warn(cli, "the origin holds a part of a stream; 'selsnap import --undo', or the next import, takes it back");
        if (info->token.key != 0) {
            warn(cli, "to go on: 'selsnap export' with --token %s",
                 bytes_text(&info->token, sizeof(info->token), text));
        }
    }
    return result;
}

static int undo(struct cli *cli) {
    struct progress progress;
    progress_init(&progress, cli, "taking back");
    progress.unit_bytes = selsnap_block_size(cli->ss);
    int code = selsnap_import_undo(cli->ss, progress_tell, &progress);
    progress_end(&progress);
    if (code != SELSNAP_OK) {
        return fail(cli, code, "import");
    }
    if (cli->json) {
        return json_emit(cli, json_pack("{s:b}", "undone", 1));
    }
    fprintf(cli->out, "the import was taken back\n");
    return CLI_OK;
}

int cmd_import(struct cli *cli) {
    const struct args *args = &cli->args;
    bool takes_back = args_given(args, OPT_UNDO);
    if (takes_back == (args->name_count > 0)) {
        return fail_usage(cli, takes_back ? "--undo takes no stream" : "needs FILE..., or --undo");
    }
    if (args->name != NULL && args->name_count > 1) {
        return fail_usage(cli, "--name is for one stream");
    }
    if (args->to == NULL && (args->state != NULL || args->token != NULL)) {
        return fail_usage(cli, "--state and --token are for --to");
    }
    if (args->to != NULL && cli->served != NULL) {
        return fail_usage(cli, "--to is nothing for a server");
    }
    if (args->to != NULL) {
        return takes_back ? fail_usage(cli, "--undo is for a store") : import_to_device(cli);
    }
    int result = session_open(cli, true);
    if (result != CLI_OK) {
        return result;
    }
    return takes_back ? undo(cli) : each_stream(cli, "importing", "imported", import_one, NULL);
}
