/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the control socket, which is one command: a line of JSON comes, perhaps with files; the tool's own
 * function runs; a line of JSON goes back. docs/nbd.md has the protocol.
 *
 * The other side is trusted to give commands, but not to be sensible: each wait looks whether the server stops, a request
 * has to be there in time and is bounded, and so is what is kept of a command's output for the answer.
 */
#include "control.h"
#include "server.h"
#include "transfer.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX ((size_t)1 << 20)
#define REQUEST_MS 10000 /* For the whole request. */
#define ANSWER_MS 10000  /* For the other side to take the answer. */
#define LOOK_EVERY_MS 50
#define KEPT_MAX ((size_t)1 << 20) /* Of each output, where the request came without files. */
#define WORDS_MAX 20000

enum file_role { FILE_IN, FILE_OUT, FILE_ERR, FILE_FOLDER };

struct request {
    struct control *control;
    int fd;
    char *line; /* REQUEST_MAX bytes at most, ended by a zero. */
    size_t len;
    int files[CONTROL_FILES]; /* -1: not there. */
    size_t file_count;        /* Those that came; more than CONTROL_FILES are not kept. */
    bool own_files;           /* Made here, as none came: output goes into the answer. */
    bool stopped;
    struct served served;
    struct cli cli;
};

/* Of the command that runs on this thread: the library tells events on the thread that caused them. */
static _Thread_local struct happenings *happenings;

void control_note_event(const selsnap_event *event) {
    if (happenings != NULL) {
        happenings_note(happenings, event);
    }
}

static int64_t now_ms(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for the socket. False: the time is over, or the server stops. */
static bool wait_socket(struct request *request, short events, int64_t until_ms) {
    struct pollfd look = {.fd = request->fd, .events = events, .revents = 0};
    while (now_ms() < until_ms && !atomic_load(&request->control->stopping)) {
        if (poll(&look, 1, LOOK_EVERY_MS) > 0) {
            return true;
        }
    }
    return false;
}

/* ---- the request ---- */

static void keep_files(struct request *request, struct msghdr *message) {
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
            if (request->file_count < CONTROL_FILES) {
                request->files[request->file_count] = fd;
            } else {
                close(fd);
            }
            request->file_count++;
        }
    }
    if ((message->msg_flags & MSG_CTRUNC) != 0) {
        request->file_count = CONTROL_FILES + 1;
    }
}

/* The next bytes, and the files with them. 0: the other side has ended; -1: nothing to be had. */
static ssize_t receive_some(struct request *request) {
    union {
        char bytes[CMSG_SPACE(CONTROL_FILES * sizeof(int))];
        struct cmsghdr align;
    } space;
    struct iovec piece = {.iov_base = request->line + request->len, .iov_len = REQUEST_MAX - request->len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    message.msg_control = space.bytes;
    message.msg_controllen = sizeof(space.bytes);
    ssize_t got = recvmsg(request->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got >= 0) {
        keep_files(request, &message);
    }
    return got < 0 && (errno == EINTR || errno == EAGAIN) ? -1 : got < 0 ? 0 : got;
}

/* NULL: there is a line. Otherwise what is wrong; empty: nobody is there to be told. */
static const char *receive(struct request *request) {
    int64_t until_ms = now_ms() + REQUEST_MS;
    request->line = malloc(REQUEST_MAX + 1);
    if (request->line == NULL) {
        return "no memory";
    }
    while (wait_socket(request, POLLIN, until_ms)) {
        ssize_t got = receive_some(request);
        if (got == 0) {
            return request->len == 0 ? "" : "the request does not end: it is one line";
        }
        char *end = got > 0 ? memchr(request->line + request->len, '\n', (size_t)got) : NULL;
        request->len += got > 0 ? (size_t)got : 0;
        if (end != NULL) {
            /* What follows it is a wish to stop, but for blanks. */
            for (const char *c = end; c < request->line + request->len; c++) {
                request->stopped = request->stopped || isspace((unsigned char)*c) == 0;
            }
            *end = '\0';
            request->len = (size_t)(end - request->line);
            return NULL;
        }
        if (request->len == REQUEST_MAX) {
            return "the request is too long";
        }
    }
    return atomic_load(&request->control->stopping) ? "the server stops" : "the request did not come in time";
}

/* The words of the command; NULL: what is wrong is in @p ret_wrong. They live as long as @p ret_json. */
static char **words_of(const struct request *request, json_t **ret_json, int *ret_count, const char **ret_wrong) {
    json_error_t wrong;
    *ret_json = json_loadb(request->line, request->len, JSON_REJECT_DUPLICATES, &wrong);
    json_t *list = json_object_get(*ret_json, "words");
    size_t count = json_array_size(list);
    *ret_wrong = "the request is no JSON object with \"words\", an array of text";
    if (count == 0 || count > WORDS_MAX) {
        return NULL;
    }
    char **words = calloc(count + 1, sizeof(*words));
    for (size_t i = 0; words != NULL && i < count; i++) {
        /* getopt_long changes the order of words, never a word. */
        words[i] = (char *)(uintptr_t)json_string_value(json_array_get(list, i));
        if (words[i] == NULL) {
            free(words);
            return NULL;
        }
    }
    *ret_wrong = "no memory";
    *ret_count = (int)count;
    return words;
}

/* ---- the command ---- */

/* Whether the command is to end: the server stops, the other side is gone, or it has sent another line. */
static bool stop(void *user) {
    struct request *request = user;
    struct pollfd look = {.fd = request->fd, .events = POLLIN, .revents = 0};
    char bytes[64];
    if (request->stopped || atomic_load(&request->control->stopping)) {
        return true;
    }
    if (poll(&look, 1, 0) > 0) {
        request->stopped = (look.revents & (POLLHUP | POLLERR)) != 0;
        ssize_t got = recv(request->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        for (ssize_t i = 0; i < got; i++) {
            request->stopped = request->stopped || isspace((unsigned char)bytes[i]) == 0;
        }
    }
    return request->stopped;
}

/* A file in memory that keeps so much output and refuses more. */
static int open_kept(void) {
    int fd = memfd_create("selsnap-output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, (off_t)KEPT_MAX) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Without files of the other side's: nothing to read, output is kept, paths begin at the root. */
static bool make_files(struct request *request) {
    if (request->file_count == 0) {
        request->own_files = true;
        request->file_count = CONTROL_FILES;
        request->files[FILE_IN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        request->files[FILE_OUT] = open_kept();
        request->files[FILE_ERR] = open_kept();
        request->files[FILE_FOLDER] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    for (size_t i = 0; i < CONTROL_FILES; i++) {
        if (request->files[i] < 0) {
            return false;
        }
    }
    return true;
}

struct text_sink {
    const struct cli *cli;
    int fd;
};

static ssize_t put_text(void *cookie, const char *bytes, size_t len) {
    const struct text_sink *sink = cookie;
    return write_whole(sink->cli, sink->fd, bytes, len) == 0 ? (ssize_t)len : 0;
}

/* Run the command; its exit code, or -1 and nothing was done. */
static int run(struct request *request, int count, char **words) {
    struct cli *cli = &request->cli;
    const cookie_io_functions_t functions = {.write = put_text};
    struct text_sink sinks[2] = {{cli, request->files[FILE_OUT]}, {cli, request->files[FILE_ERR]}};
    cli_init(cli);
    request->served = request->control->served;
    request->served.stop = stop;
    request->served.stop_user = request;
    cli->served = &request->served;
    cli->in_fd = request->files[FILE_IN];
    cli->out_fd = request->files[FILE_OUT];
    cli->err_fd = request->files[FILE_ERR];
    cli->folder = request->files[FILE_FOLDER];
    cli->out = fopencookie(&sinks[0], "w", functions);
    cli->err = fopencookie(&sinks[1], "w", functions);
    int result = -1;
    if (cli->out != NULL && cli->err != NULL) {
        (void)setvbuf(cli->err, NULL, _IONBF, 0);
        happenings = &cli->happenings;
        result = cli_run(cli, count, words);
        happenings = NULL;
    }
    if (cli->out != NULL) {
        (void)fclose(cli->out);
    }
    if (cli->err != NULL) {
        (void)fclose(cli->err);
    }
    return result;
}

/* ---- the answer ---- */

/* Output that was kept, as text; null where it is none. */
static json_t *kept_text(int fd) {
    off_t len = lseek(fd, 0, SEEK_CUR);
    char *bytes = len > 0 ? malloc((size_t)len) : NULL;
    json_t *text = len == 0 ? json_string("") : NULL;
    if (bytes != NULL && pread(fd, bytes, (size_t)len, 0) == (ssize_t)len) {
        text = json_stringn(bytes, (size_t)len);
    }
    free(bytes);
    return text != NULL ? text : json_null();
}

static void answer(struct request *request, json_t *object) {
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    size_t len = line != NULL ? strlen(line) : 0;
    size_t done = 0;
    int64_t until_ms = now_ms() + ANSWER_MS;
    if (line != NULL) {
        line[len++] = '\n'; /* in the place of the ending zero */
    }
    while (done < len && now_ms() < until_ms) {
        struct pollfd look = {.fd = request->fd, .events = POLLOUT, .revents = 0};
        ssize_t put = send(request->fd, line + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        }
        done += put > 0 ? (size_t)put : 0;
        if (put < 0) {
            (void)poll(&look, 1, LOOK_EVERY_MS);
        }
    }
    free(line);
    json_decref(object);
}

static void refuse(struct request *request, const char *wrong) {
    if (wrong[0] != '\0') {
        answer(request, json_pack("{s:s}", "error", wrong));
    }
}

/* Whether the other side's files can be used as they are meant. */
static bool files_fit(const struct request *request) {
    struct stat about;
    bool fit = request->file_count == CONTROL_FILES;
    for (int role = FILE_IN; fit && role < FILE_FOLDER; role++) {
        int mode = fcntl(request->files[role], F_GETFL) & O_ACCMODE;
        fit = mode == O_RDWR || mode == (role == FILE_IN ? O_RDONLY : O_WRONLY);
    }
    return fit && fstat(request->files[FILE_FOLDER], &about) == 0 && S_ISDIR(about.st_mode);
}

static void perform(struct request *request) {
    json_t *json = NULL;
    int count = 0;
    const char *wrong = NULL;
    if (request->file_count != 0 && !files_fit(request)) {
        refuse(request, "no files go with a request, or four: to read, to write, to write errors, and a folder");
        return;
    }
    char **words = words_of(request, &json, &count, &wrong);
    int exit_code = -1;
    if (words != NULL) {
        wrong = "no memory, or no files";
        exit_code = make_files(request) ? run(request, count, words) : -1;
    }
    if (exit_code < 0) {
        refuse(request, wrong);
    } else if (request->own_files) {
        answer(request, json_pack("{s:i, s:o, s:o}", "exit", exit_code, "out", kept_text(request->files[FILE_OUT]),
                                  "err", kept_text(request->files[FILE_ERR])));
    } else {
        answer(request, json_pack("{s:i}", "exit", exit_code));
    }
    free(words);
    json_decref(json);
}

/* Read what is left, as far as it came: a socket that is closed with unread bytes is reset, and a client that reads to the
 * end would meet an error behind its answer. */
static void drain(int fd) {
    char bytes[4096];
    for (size_t done = 0; done < REQUEST_MAX; done += sizeof(bytes)) {
        if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0) {
            break;
        }
    }
}

void control_serve(struct control *control, int fd) {
    struct request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        close(fd);
        return;
    }
    request->control = control;
    request->fd = fd;
    for (size_t i = 0; i < CONTROL_FILES; i++) {
        request->files[i] = -1;
    }
    const char *wrong = receive(request);
    if (wrong == NULL) {
        perform(request);
    } else {
        refuse(request, wrong);
    }
    for (size_t i = 0; i < CONTROL_FILES; i++) {
        if (request->files[i] >= 0) {
            close(request->files[i]);
        }
    }
    free(request->line);
    free(request);
    drain(fd);
    close(fd);
}
