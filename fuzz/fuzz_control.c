/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of the NBD server's control socket, from its first byte to the answer; the command itself is a stand-in.
 * The input: how many files go with the first part of the request and with the second (3 bits each), where the second
 * begins (in units of 16 bytes), two bytes for what the files are, and the request.
 *
 * What must hold: the other side gets one line of JSON, with "exit" or "error", or nothing if it sent nothing; a command
 * is run only if the line is an object with words, and gets exactly these; what it prints comes back where no files were
 * sent; nothing stays open.
 */
#include "input.h"
#include "server.h"
#include "transfer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_SIZE_MAX = 4096, FILES_MAX = 7, ANSWER_MAX = 1 << 16, KINDS = 5 };

static struct control control;
static int kinds[KINDS]; /* to read, to write, both, a folder, a socket */
/* What the command was given; NULL: it was not run. */
static json_t *given;

/* ---- in the place of the tool's commands ---- */

void cli_init(struct cli *cli) {
    memset(cli, 0, sizeof *cli);
}

void happenings_note(void *user, const selsnap_event *event) {
    (void)user;
    (void)event;
}

int write_whole(const struct cli *cli, int fd, const void *buf, size_t len) {
    (void)cli;
    return write(fd, buf, len) == (ssize_t)len ? 0 : EIO;
}

int cli_run(struct cli *cli, int argc, char **argv) {
    must(given == NULL && argc > 0 && argv[argc] == NULL);
    must(fcntl(cli->in_fd, F_GETFL) >= 0 && fcntl(cli->folder, F_GETFD) >= 0);
    given = json_array();
    for (int i = 0; i < argc; i++) {
        must(json_array_append_new(given, json_string(argv[i])) == 0);
        fprintf(cli->out, "%s\n", argv[i]);
    }
    fprintf(cli->err, "%d", cli->served->stop(cli->served->stop_user) ? 1 : 0);
    return argc % 5;
}

/* ---- the other side ---- */

static void send_part(int fd, const uint8_t *bytes, size_t len, unsigned file_count, unsigned which) {
    union {
        char bytes[CMSG_SPACE(FILES_MAX * sizeof(int))];
        struct cmsghdr align;
    } space;
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    int files[FILES_MAX];
    if (len == 0) {
        return;
    }
    for (unsigned i = 0; i < file_count; i++) {
        files[i] = kinds[(which >> 2 * i) % KINDS];
    }
    if (file_count > 0) {
        memset(&space, 0, sizeof space);
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(file_count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(file_count * sizeof(int));
        memcpy(CMSG_DATA(head), files, file_count * sizeof(int));
    }
    must(sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)len);
}

/* The words that a request asks for; NULL: it makes no sense. */
static json_t *asked(const uint8_t *request, size_t len) {
    const uint8_t *end = len > 0 ? memchr(request, '\n', len) : NULL;
    json_t *object = end != NULL ? json_loadb((const char *)request, (size_t)(end - request), JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *words = json_incref(json_object_get(object, "words"));
    bool good = json_is_array(words) && json_array_size(words) > 0;
    for (size_t i = 0; i < json_array_size(words); i++) {
        good = good && json_is_string(json_array_get(words, i));
    }
    json_decref(object);
    if (!good) {
        json_decref(words);
    }
    return good ? words : NULL;
}

static void check_answer(const char *text, size_t len, bool any_file, size_t request_len) {
    const char *out = NULL;
    const char *error = NULL;
    int exit_code = -1;
    if (len == 0) {
        must(request_len == 0);
        return;
    }
    must(text[len - 1] == '\n' && memchr(text, '\n', len - 1) == NULL);
    json_t *answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    must(json_is_object(answer));
    bool ran = json_unpack(answer, "{s:i}", "exit", &exit_code) == 0;
    must(ran == (json_unpack(answer, "{s:s}", "error", &error) != 0));
    must(ran == (given != NULL));
    must(!ran || exit_code == (int)json_array_size(given) % 5);
    must(any_file || !ran || json_unpack(answer, "{s:s}", "out", &out) == 0);
    for (size_t i = 0; out != NULL && i < json_array_size(given); i++) {
        size_t word_len = json_string_length(json_array_get(given, i));
        must(strncmp(out, json_string_value(json_array_get(given, i)), word_len) == 0 && out[word_len] == '\n');
        out += word_len + 1;
    }
    must(out == NULL || *out == '\0');
    json_decref(answer);
}

static int lowest_fd(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && close(fd) == 0);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    int pair[2];
    (void)argc;
    (void)argv;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    kinds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    kinds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    kinds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
    kinds[3] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    kinds[4] = pair[0];
    for (int i = 0; i < KINDS; i++) {
        must(kinds[i] >= 0);
    }
    json_object_seed(1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char answer[ANSWER_MAX];
    struct input in = input_of(data, size);
    uint8_t counts = input_u8(&in);
    size_t second = (size_t)input_u8(&in) * 16;
    unsigned which = (unsigned)input_uint(&in, 2);
    size_t len = in.left < REQUEST_SIZE_MAX ? in.left : REQUEST_SIZE_MAX;
    uint8_t *request = input_copy(&in, len);
    int pair[2];
    int before = lowest_fd();
    second = second < len ? second : len;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    send_part(pair[0], request, second, counts & 7, which);
    send_part(pair[0], request + second, len - second, counts >> 3 & 7, which);
    must(shutdown(pair[0], SHUT_WR) == 0);
    control_serve(&control, pair[1]); /* which closes it */
    size_t got = 0;
    ssize_t part;
    while ((part = read(pair[0], answer + got, sizeof answer - got)) > 0) {
        got += (size_t)part;
    }
    must(part == 0); /* an end, not a reset */
    must(close(pair[0]) == 0 && lowest_fd() == before);
    bool any_file = (second > 0 && (counts & 7) > 0) || (second < len && (counts >> 3 & 7) > 0);
    json_t *words = asked(request, len);
    must(given == NULL || (words != NULL && json_equal(given, words)));
    must(given != NULL || words == NULL || any_file);
    check_answer(answer, got, any_file, len);
    json_decref(words);
    json_decref(given);
    given = NULL;
    free(request);
    return 0;
}
