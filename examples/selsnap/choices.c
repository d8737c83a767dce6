/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks chosen the way people think of them: by partition, by file, by what a file system uses. Done by
 * libselsnap-select, where the tool was built with it.
 */
#include "transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool takes_out(int option) {
    return option == OPT_MINUS_PARTITION || option == OPT_MINUS_FILE || option == OPT_MINUS_MOUNTED_FILE;
}

static bool says_how(int option) {
    return option == OPT_FS || option == OPT_UNSETTLED;
}

bool choices_add(const struct args *args) {
    for (size_t i = 0; i < args->choice_count; i++) {
        if (!takes_out(args->choices[i].option) && !says_how(args->choices[i].option)) {
            return true;
        }
    }
    return false;
}

#if defined(SELSNAP_HAVE_SELECT)

#include <selsnap/select.h>

/* Where the file system is: on --fs, else on the partition, if there is just one, else on the whole origin. */
static void find_fs(const struct cli *cli, selsnap_select_fs *ret_fs) {
    const struct args *args = &cli->args;
    uint64_t named = 0;
    uint64_t only = 0;
    unsigned partitions = 0;
    *ret_fs = (selsnap_select_fs)SELSNAP_SELECT_FS_INIT;
    ret_fs->path = cli->origin_name;
    for (size_t i = 0; i < args->choice_count; i++) {
        const struct choice *choice = &args->choices[i];
        if (choice->option == OPT_FS) {
            named = choice->number;
        } else if (choice->option == OPT_PARTITION) {
            only = choice->number;
            partitions++;
        } else if (choice->option == OPT_UNSETTLED) {
            ret_fs->flags |= SELSNAP_SELECT_UNSETTLED;
        }
    }
    ret_fs->partition = (uint32_t)(named != 0 ? named : partitions == 1 ? only : 0);
}

/* By way of the folder that the command was given in. */
static int take_mounted(struct cli *cli, selsnap_selection *selection, const char *path) {
    char opened[32];
    int fd = open_file(cli, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) {
        return fail_with(cli, errno == ENOENT ? SELSNAP_ENOENT : SELSNAP_EIO, strerror(errno), "file '%s'", path);
    }
    snprintf(opened, sizeof(opened), "/proc/self/fd/%d", fd);
    int code = selsnap_selection_add_mounted_file(selection, cli->origin_name, opened);
    close(fd);
    return code == SELSNAP_OK ? CLI_OK
                              : fail_with(cli, code, selsnap_selection_error(selection), "file '%s'", path);
}

static int take(struct cli *cli, selsnap_selection *selection, const struct choice *choice) {
    selsnap_select_fs fs;
    const char *subject = "origin";
    int code = SELSNAP_OK;
    find_fs(cli, &fs);
    switch (choice->option) {
    case OPT_MOUNTED_FILE:
    case OPT_MINUS_MOUNTED_FILE:
        return take_mounted(cli, selection, choice->text);
    case OPT_PARTITION:
    case OPT_MINUS_PARTITION:
        code = selsnap_selection_add_partition(selection, cli->origin_name, (uint32_t)choice->number);
        break;
    case OPT_FILE:
    case OPT_MINUS_FILE:
        subject = choice->text;
        code = selsnap_selection_add_file(selection, &fs, choice->text);
        break;
    case OPT_IN_USE:
        code = selsnap_selection_add_in_use(selection, &fs);
        break;
    case OPT_METADATA:
        code = selsnap_selection_add_metadata(selection, &fs);
        break;
    default: /* says how */
        break;
    }
    return code == SELSNAP_OK ? CLI_OK
                              : fail_with(cli, code, selsnap_selection_error(selection), "'%s'", subject);
}

/*
 * A partition with files, or with what is in use: these are what is meant, and not all of the partition too. Alone, or
 * with others, it is meant itself.
 */
static bool stands_for_fs(const struct args *args, const struct choice *choice) {
    unsigned partitions = 0;
    bool files = false;
    for (size_t i = 0; i < args->choice_count; i++) {
        int option = args->choices[i].option;
        partitions += option == OPT_PARTITION ? 1 : 0;
        files = files || option == OPT_FILE || option == OPT_IN_USE || option == OPT_METADATA;
    }
    return choice->option == OPT_PARTITION && partitions == 1 && files;
}

int choices_apply(struct cli *cli, selsnap_subset *subset, bool minus) {
    const struct args *args = &cli->args;
    selsnap_selection *selection = NULL;
    if (args->choice_count == 0) {
        return CLI_OK;
    }
    /* What is still in memory would not be seen on the device. */
    int code = cli->served != NULL ? selsnap_flush(cli->ss) : SELSNAP_OK;
    code = code == SELSNAP_OK ? selsnap_selection_open(&selection) : code;
    int result = code == SELSNAP_OK ? CLI_OK : fail(cli, code, "origin");
    for (size_t i = 0; result == CLI_OK && i < args->choice_count; i++) {
        const struct choice *choice = &args->choices[i];
        if (takes_out(choice->option) == minus && !stands_for_fs(args, choice)) {
            result = take(cli, selection, choice);
        }
    }
    if (result == CLI_OK) {
        code = minus ? selsnap_selection_take_from(selection, subset) : selsnap_selection_add_to(selection, subset);
        result = code == SELSNAP_OK ? CLI_OK : fail_with(cli, code, selsnap_selection_error(selection), "origin");
    }
    selsnap_selection_close(selection);
    return result;
}

#else

int choices_apply(struct cli *cli, selsnap_subset *subset, bool minus) {
    (void)subset;
    (void)minus;
    return cli->args.choice_count == 0
               ? CLI_OK
               : fail_with(cli, SELSNAP_ENOTSUP,
                           "this program was built without libblkid and libext2fs, which find partitions and files",
                           "origin");
}

#endif
