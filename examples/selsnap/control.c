/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tool's side of a control socket: the command is run by the server that has the store open, which reads and writes
 * this process's files. An interrupt is passed on, and the server's answer waited for.
 */
#include "control.h"
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int control_address(const char *path, struct sockaddr_un *ret_address) {
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(ret_address->sun_path)) {
        return ENAMETOOLONG;
    }
    memcpy(ret_address->sun_path, path, strlen(path) + 1);
    return 0;
}

int control_connect(const char *path) {
    struct sockaddr_un address;
    int error = control_address(path, &address);
    int fd = error == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    error = error == 0 && fd < 0 ? errno : error;
    if (error == 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        error = errno;
        close(fd);
    }
    errno = error;
    return error == 0 ? fd : -1;
}

/* A socket that was not named by the user may be anybody's: our files are given to root and to ourselves only. */
static bool trusted(int fd) {
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* The server beside the store, if one answers there. -1: none. */
static int find_server(const char *store, char *path, size_t len) {
    struct stat about;
    char *real = realpath(store, NULL); /* the server's is beside the file itself, not beside a link to it */
    bool fits = real != NULL && snprintf(path, len, "%s" CONTROL_SUFFIX, real) < (int)len;
    free(real);
    if (!fits || stat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) {
        return -1;
    }
    int fd = control_connect(path);
    if (fd >= 0 && !trusted(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The request as one line, to be freed; NULL: a word is not UTF-8, or no memory. The store goes with it, so that a server
 * of another one refuses. */
static char *request_line(const struct cli *cli, const char *store, int words, int argc, char **argv) {
    json_t *list = json_array();
    int failed = list == NULL ? 1 : 0;
    for (int i = 0; i < argc; i++) {
        failed |= json_array_append_new(list, json_string(argv[i]));
        if (i == words - 1 && store != NULL && cli->args.store == NULL) {
            failed |= json_array_append_new(list, json_string("--store"));
            failed |= json_array_append_new(list, json_string(store));
        }
        if (i == words - 1 && (cli->command->options & OPT_BIT(OPT_DRAW)) != 0 && !args_given(&cli->args, OPT_DRAW)) {
            /* By this process's terminal and environment, not the server's. */
            static const char *const draws[] = {"table", "plain", "color"};
            failed |= json_array_append_new(list, json_string("--draw"));
            failed |= json_array_append_new(list, json_string(draws[draw_default(cli)]));
        }
    }
    json_t *request = json_pack("{s:o}", "words", list);
    char *line = failed == 0 && request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return line;
}

/* Send the line, the files with its first bytes. 0, or an errno value. */
static int send_request(int fd, const char *line, const int *files) {
    union {
        char bytes[CMSG_SPACE(CONTROL_FILES * sizeof(int))];
        struct cmsghdr align;
    } space;
    struct iovec pieces[2] = {{.iov_base = (void *)(uintptr_t)line, .iov_len = strlen(line)},
                              {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    memset(&space, 0, sizeof(space));
    message.msg_control = space.bytes;
    message.msg_controllen = sizeof(space.bytes);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(CONTROL_FILES * sizeof(int));
    memcpy(CMSG_DATA(head), files, CONTROL_FILES * sizeof(int));
    while (pieces[0].iov_len + pieces[1].iov_len > 0) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return errno;
        }
        for (size_t i = 0; i < 2 && sent > 0; i++) {
            size_t piece = (size_t)sent < pieces[i].iov_len ? (size_t)sent : pieces[i].iov_len;
            pieces[i].iov_base = (char *)pieces[i].iov_base + piece;
            pieces[i].iov_len -= piece;
            sent -= (ssize_t)piece;
            message.msg_control = NULL;
            message.msg_controllen = 0;
        }
    }
    return 0;
}

/* Waits for bytes, or for an interrupt: one that comes just before is not slept through. */
static void wait_for_answer(int fd) {
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    sigset_t interrupts;
    sigset_t before;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigaddset(&interrupts, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &interrupts, &before);
    if (!interrupt_seen()) {
        (void)ppoll(&answer, 1, NULL, &before);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* The answer's line, ended by a zero, to be freed; NULL: the server went away. */
static char *receive_answer(int fd) {
    char *line = NULL;
    size_t len = 0;
    bool told = false;
    while (len < CONTROL_LINE_MAX) {
        char *grown = realloc(line, len + 4096 + 1);
        if (grown == NULL) {
            break;
        }
        line = grown;
        if (!told) {
            wait_for_answer(fd);
        }
        if (interrupt_seen() && !told) {
            told = true;
            (void)send(fd, "stop\n", 5, MSG_NOSIGNAL);
        }
        ssize_t got = recv(fd, line + len, 4096, told ? 0 : MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        line[len] = '\0';
        if (line[len - 1] == '\n') {
            return line;
        }
    }
    free(line);
    return NULL;
}

static int take_answer(struct cli *cli, const char *path, const char *line) {
    int exit_code = CLI_FAILED;
    const char *error = NULL;
    if (line == NULL) {
        return fail_system(cli, ECONNRESET, "server at '%s': it ended before it answered", path);
    }
    json_t *answer = json_loads(line, 0, NULL);
    if (json_unpack(answer, "{s:i}", "exit", &exit_code) != 0) {
        (void)json_unpack(answer, "{s:s}", "error", &error);
        exit_code =
            fail_with(cli, SELSNAP_EINVAL, error != NULL ? error : "its answer makes no sense", "server at '%s'", path);
    }
    json_decref(answer);
    return exit_code;
}

static int ask(struct cli *cli, int fd, const char *path, const char *line) {
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int files[CONTROL_FILES] = {cli->in_fd, cli->out_fd, cli->err_fd, folder};
    for (int i = 0; i < 3; i++) {
        /* A process may have been started without them. */
        files[i] = fcntl(files[i], F_GETFD) >= 0 ? files[i] : nothing;
    }
    int error = nothing < 0 || folder < 0 ? errno : send_request(fd, line, files);
    int result;
    if (error != 0) {
        result = fail_system(cli, error, "server at '%s'", path);
    } else {
        char *answer = receive_answer(fd);
        result = take_answer(cli, path, answer);
        free(answer);
    }
    if (nothing >= 0) {
        close(nothing);
    }
    if (folder >= 0) {
        close(folder);
    }
    return result;
}

bool control_run(struct cli *cli, int words, int argc, char **argv, int *ret_result) {
    char beside[PATH_MAX];
    const char *store = session_store_given(cli);
    const char *path = cli->args.control != NULL ? cli->args.control : getenv("SELSNAP_CONTROL");
    int fd;
    if (cli->command->alone || cli->args.to != NULL) {
        return false;
    }
    if (path != NULL && path[0] != '\0') {
        fd = control_connect(path);
        if (fd < 0) {
            *ret_result = fail_system(cli, errno, "control socket '%s'", path);
            return true;
        }
    } else {
        fd = store != NULL ? find_server(store, beside, sizeof(beside)) : -1;
        if (fd < 0) {
            return false;
        }
        path = beside;
    }
    char *line = request_line(cli, store, words, argc, argv);
    *ret_result = line != NULL ? ask(cli, fd, path, line)
                               : fail_with(cli, SELSNAP_EINVAL, "not UTF-8", "a word for the server at '%s'", path);
    free(line);
    close(fd);
    return true;
}
