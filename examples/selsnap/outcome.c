/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures and warnings: one line on stderr, "selsnap: COMMAND: WHAT: DETAIL", and below it what to do, where we know;
 * or, with --json, one line with a JSON object. stdout carries results only, so that data and errors never mix.
 */
#include "cli.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct hint {
    int code;
    const char *command; /* NULL: any. The first row that fits is used. */
    const char *text;
};

static const struct hint hints[] = {
    {SELSNAP_EEXIST, "format", "--force formats it all the same; what it holds is lost"},
    {SELSNAP_EEXIST, "repair", "--force repairs into it all the same; what it holds is lost"},
    {SELSNAP_EEXIST, NULL, "choose another name; 'selsnap list' shows those in use"},
    {SELSNAP_EORIGIN, NULL,
     "check -o; if this is a true copy of the origin that was recorded, --other-origin accepts it"},
    {SELSNAP_ECHANGED, NULL,
     "the origin was written without selsnap; --origin-changed goes on, and snapshots show what was changed there"},
    {SELSNAP_ENOTSTORE, NULL, "check -s; 'selsnap format -o ORIGIN -s STORE' makes a store"},
    {SELSNAP_ELOCKED, "group create",
     "a group needs all of its stores in one process. If servers have them open, bring what writes to rest, run 'selsnap "
     "create' on each store, and let it go on"},
    {SELSNAP_ELOCKED, "group list", "a store that a server has open cannot be looked at; end the server first"},
    {SELSNAP_ELOCKED, "group check", "a store that a server has open cannot be looked at; end the server first"},
    {SELSNAP_ELOCKED, NULL,
     "another process uses it: wait for it, or end it; if it is a server, --control names its control socket"},
    {SELSNAP_EREADONLY, NULL, "commands that only read work with --read-only, others need write access"},
    {SELSNAP_ENOSPACE, "repair", "the new store has to be larger"},
    {SELSNAP_ENOSPACE, NULL,
     "'selsnap grow' gives the store more room; or delete snapshots and run 'selsnap step --all', or raise the store's "
     "quota, if it has one; snapshots made with --policy give-up never stop writes"},
    {SELSNAP_EQUOTA, NULL, "'selsnap quota NAME --set SIZE' sets another; 'selsnap reset NAME' drops what was written"},
    {SELSNAP_ETOOSMALL, "grow", "make its block device longer first"},
    {SELSNAP_EINVAL, "grow", "neither becomes shorter"},
    {SELSNAP_ETOOSMALL, NULL, "give it more room, as with --size 1G, or a smaller --journal-size"},
    {SELSNAP_ENODATA, NULL, "use a snapshot; of a bookmark there is only 'selsnap diff'"},
    {SELSNAP_EHELD, NULL, "'selsnap release NAME' takes a hold back"},
    {SELSNAP_EBUSY, "group create", "--timeout gives it longer"},
    {SELSNAP_EBUSY, NULL, "an unfinished restore may use it: 'selsnap step --all' completes it"},
    {SELSNAP_EMEMLIMIT, NULL, "--memory raises the limit, as with --memory 256M"},
    {SELSNAP_ELOST, "restore", "--skip-lost restores the rest, and leaves lost blocks as they are"},
    {SELSNAP_ELOST, "export", "--skip-lost exports the rest, and tells of lost blocks as lost"},
    {SELSNAP_ELOST, "import", "--skip-lost takes the rest"},
    {SELSNAP_ELOST, NULL, "the old content was given up; 'selsnap map' shows where"},
    {SELSNAP_EUNDESIGNATED, "read", "--undesignated zeros, or live, fills in what the snapshot does not hold"},
    {SELSNAP_EUNDESIGNATED, NULL, "'selsnap show NAME' lists the ranges that the snapshot holds"},
    {SELSNAP_EDAMAGED, "check", ""},
    {SELSNAP_EDAMAGED, "repair",
     "--as-taken saves what it can where only what was written into snapshots is not known"},
    {SELSNAP_EDAMAGED, NULL,
     "'selsnap check' tells what is damaged; 'selsnap repair NEW' brings what is sound into a new store"},
    {SELSNAP_EOVERLAP, NULL, "keep the store outside the origin"},
    {SELSNAP_EBASE, "import",
     "streams go in order: the full one, then each increment; 'selsnap verify' tells what each is"},
    {SELSNAP_EBASE, "export", "the token belongs to the same snapshot, base, ranges and options"},
    {SELSNAP_ESTREAM, NULL, "the stream has to be made, or sent, again"},
    {SELSNAP_EALIGN, NULL, "use multiples of the origin's logical block, mostly 512 or 4096"},
    {SELSNAP_ERANGE, NULL, "'selsnap info' tells the origin's size"},
    {SELSNAP_ECANCELED, "restore", "the restore is begun and stays so: 'selsnap step --all' completes it"},
    {SELSNAP_ECANCELED, "step", "what was done stays done; the same command goes on"},
};

static const char *hint_for(const struct cli *cli, int code) {
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (hints[i].code == code &&
            (hints[i].command == NULL || (cli->command != NULL && strcmp(hints[i].command, cli->command->name) == 0))) {
            return hints[i].text;
        }
    }
    return "";
}

static void print_json(const struct cli *cli, const char *kind, const char *code, const char *message,
                       const char *hint) {
    json_t *object = json_object();
    if (code != NULL) {
        json_object_set_new(object, "code", json_text(code));
    }
    json_object_set_new(object, "message", json_text(message));
    if (hint[0] != '\0') {
        json_object_set_new(object, "hint", json_text(hint));
    }
    json_t *whole = json_pack("{s:o}", kind, object);
    if (whole != NULL) {
        (void)json_dumpf(whole, cli->err, JSON_COMPACT);
        fputc('\n', cli->err);
        json_decref(whole);
    }
}

static void print_error(const struct cli *cli, const char *code, const char *what, const char *detail,
                        const char *hint) {
    /* A result printed before stands above the error, also where both go to one terminal. */
    fflush(cli->out);
    char message[2048];
    snprintf(message, sizeof(message), "%s%s%s", what, detail[0] == '\0' ? "" : ": ", detail);
    if (cli->json) {
        print_json(cli, "error", code, message, hint);
        return;
    }
    if (cli->command != NULL) {
        fprintf(cli->err, "selsnap: %s: %s\n", cli->command->name, message);
    } else {
        fprintf(cli->err, "selsnap: %s\n", message);
    }
    if (hint[0] != '\0') {
        fprintf(cli->err, "  hint: %s\n", hint);
    }
}

static int exit_code_for(const struct cli *cli, int code) {
    if (code == SELSNAP_ENOENT) {
        return CLI_NOT_FOUND;
    }
    if (code == SELSNAP_EDAMAGED && cli->command != NULL && strcmp(cli->command->name, "check") == 0) {
        return CLI_DAMAGE;
    }
    return CLI_FAILED;
}

int fail_with(struct cli *cli, int code, const char *detail, const char *what, ...) {
    char text[1024];
    va_list list;
    va_start(list, what);
    vsnprintf(text, sizeof(text), what, list);
    va_end(list);
    print_error(cli, selsnap_error_name(code), text, detail[0] != '\0' ? detail : selsnap_strerror(code),
                hint_for(cli, code));
    return exit_code_for(cli, code);
}

int fail(struct cli *cli, int code, const char *what, ...) {
    char text[1024];
    va_list list;
    va_start(list, what);
    vsnprintf(text, sizeof(text), what, list);
    va_end(list);
    /* The context keeps the text of the newest failure; one of another code is not about this. */
    char detail[512] = "";
    if (cli->ss != NULL && selsnap_last_error(cli->ss, detail, sizeof(detail)) != code) {
        detail[0] = '\0';
    }
    return fail_with(cli, code, detail, "%s", text);
}

int fail_system(struct cli *cli, int error, const char *what, ...) {
    char text[1024];
    va_list list;
    va_start(list, what);
    vsnprintf(text, sizeof(text), what, list);
    va_end(list);
    print_error(cli, "SYSTEM", text, strerror(error), "");
    return CLI_FAILED;
}

int fail_usage(struct cli *cli, const char *what, ...) {
    char text[1024];
    char hint[128];
    va_list list;
    va_start(list, what);
    vsnprintf(text, sizeof(text), what, list);
    va_end(list);
    snprintf(hint, sizeof(hint), "'selsnap help%s%s' tells more", cli->command == NULL ? "" : " ",
             cli->command == NULL ? "" : cli->command->name);
    print_error(cli, "USAGE", text, "", hint);
    return CLI_USAGE;
}

void warn(struct cli *cli, const char *what, ...) {
    char text[1024];
    va_list list;
    va_start(list, what);
    vsnprintf(text, sizeof(text), what, list);
    va_end(list);
    fflush(cli->out);
    if (cli->json) {
        print_json(cli, "warning", NULL, text, "");
    } else {
        fprintf(cli->err, "selsnap: %s: warning: %s\n", cli->command->name, text);
    }
}
