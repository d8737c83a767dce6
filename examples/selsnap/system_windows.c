/* SPDX-License-Identifier: Apache-2.0 */
/* See system.h. Windows has its names in UTF-16; its C library takes descriptors for text if it is not told. */
#include "system.h"
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <shellapi.h> /* after what it needs */

/* To be freed; NULL and errno: not UTF-8, or no memory. */
static wchar_t *wide(const char *text) {
    int len = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *copy = len > 0 ? malloc((size_t)len * sizeof(*copy)) : NULL;
    errno = len > 0 ? ENOMEM : EINVAL;
    if (copy != NULL) {
        (void)MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, copy, len);
    }
    return copy;
}

/* To be freed; NULL: no memory. */
static char *narrow(const wchar_t *text) {
    int len = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *copy = len > 0 ? malloc((size_t)len) : NULL;
    if (copy != NULL) {
        (void)WideCharToMultiByte(CP_UTF8, 0, text, -1, copy, len, NULL, NULL);
    }
    return copy;
}

/* The words live as long as the process. */
void system_start(int *argc, char ***argv) {
    int count = 0;
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
    char **copies = words != NULL ? calloc((size_t)count + 1, sizeof(*copies)) : NULL;
    bool good = copies != NULL;
    for (int i = 0; good && i < count; i++) {
        copies[i] = narrow(words[i]);
        good = copies[i] != NULL;
    }
    if (good) {
        *argc = count;
        *argv = copies;
    }
    LocalFree(words);
    (void)_setmode(_fileno(stdin), _O_BINARY);
    (void)_setmode(_fileno(stdout), _O_BINARY);
    (void)_setmode(_fileno(stderr), _O_BINARY);
}

/* Windows forgets the handler when it calls it, as is wanted, and has no signal for pipes. */
void system_on_interrupt(void (*handler)(int number)) {
    (void)signal(SIGINT, handler);
    (void)signal(SIGTERM, handler);
}

int system_here(void) {
    return 0;
}

int system_open(int folder, const char *path, int flags) {
    (void)folder; /* only a server has another */
    wchar_t *name = wide(path);
    int fd = name != NULL ? _wopen(name, flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE) : -1;
    int error = errno;
    free(name);
    errno = error;
    return fd;
}

FILE *system_stream(const char *path, const char *mode) {
    wchar_t *name = wide(path);
    wchar_t *how = wide(mode);
    FILE *file = name != NULL && how != NULL ? _wfopen(name, how) : NULL;
    int error = errno;
    free(name);
    free(how);
    errno = error;
    return file;
}

/* In the folder for such files, and gone when it is closed. */
FILE *system_scratch(void) {
    wchar_t folder[MAX_PATH + 1];
    wchar_t path[MAX_PATH + 1];
    if (GetTempPathW(MAX_PATH, folder) == 0 || GetTempFileNameW(folder, L"sel", 0, path) == 0) {
        return NULL;
    }
    return _wfopen(path, L"w+bTD");
}

bool system_is_there(const char *path) {
    wchar_t *name = wide(path);
    DWORD found = name != NULL ? GetFileAttributesW(name) : INVALID_FILE_ATTRIBUTES;
    DWORD error = GetLastError();
    bool there = name == NULL || found != INVALID_FILE_ATTRIBUTES ||
                 (error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND);
    free(name);
    return there;
}

/* Which file it is; false: not there. */
static bool find_id(const char *path, BY_HANDLE_FILE_INFORMATION *ret_id) {
    wchar_t *name = wide(path);
    HANDLE file = name == NULL ? INVALID_HANDLE_VALUE
                               : CreateFileW(name, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                             OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    bool found = file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(file, ret_id);
    if (file != INVALID_HANDLE_VALUE) {
        (void)CloseHandle(file);
    }
    free(name);
    return found;
}

bool system_same(int folder, const char *path, const char *other) {
    BY_HANDLE_FILE_INFORMATION a;
    BY_HANDLE_FILE_INFORMATION b;
    (void)folder;
    return find_id(path, &a) && find_id(other, &b) && a.dwVolumeSerialNumber == b.dwVolumeSerialNumber &&
           a.nFileIndexHigh == b.nFileIndexHigh && a.nFileIndexLow == b.nFileIndexLow;
}

char *system_full_path(const char *path) {
    wchar_t *name = wide(path);
    wchar_t *full = name != NULL ? _wfullpath(NULL, name, 0) : NULL;
    char *copy = full != NULL ? narrow(full) : NULL;
    free(full);
    free(name);
    return copy;
}

bool system_remove(const char *path) {
    wchar_t *name = wide(path);
    bool removed = name != NULL && DeleteFileW(name);
    free(name);
    return removed;
}

bool system_replace(const char *path, const char *old) {
    wchar_t *name = wide(path);
    wchar_t *target = wide(old);
    bool done =
        name != NULL && target != NULL && MoveFileExW(name, target, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
    errno = done ? 0 : EACCES;
    free(name);
    free(target);
    return done;
}

bool system_sync(int fd) {
    HANDLE file = (HANDLE)_get_osfhandle(fd);
    bool done = FlushFileBuffers(file) || GetFileType(file) != FILE_TYPE_DISK;
    errno = done ? 0 : EIO;
    return done;
}

bool system_ready(int fd, bool write, int wait_ms) {
    (void)fd;
    (void)write;
    (void)wait_ms;
    return true; /* only a server must not wait */
}

unsigned system_columns(int fd) {
    CONSOLE_SCREEN_BUFFER_INFO screen;
    return GetConsoleScreenBufferInfo((HANDLE)_get_osfhandle(fd), &screen)
               ? (unsigned)(screen.srWindow.Right - screen.srWindow.Left + 1)
               : 0;
}

void system_deadline(unsigned seconds) {
    (void)seconds; /* there is no server to wait for */
}

void system_forget(const char *variable) {
    (void)_putenv_s(variable, "");
}

bool system_utc(time_t seconds, struct tm *ret_parts) {
    return gmtime_s(ret_parts, &seconds) == 0;
}

bool system_parse_time(const char *text, int64_t *ret_seconds) {
    struct tm parts;
    int end = 0;
    memset(&parts, 0, sizeof(parts));
    int count = sscanf(text, "%4d-%2d-%2d%nT%2d:%2d:%2dZ%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &end,
                       &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end);
    bool good = (count == 3 || count == 6) && end > 0 && text[end] == '\0' && parts.tm_mon >= 1 && parts.tm_mon <= 12 &&
                parts.tm_mday >= 1 && parts.tm_mday <= 31 && parts.tm_hour >= 0 && parts.tm_hour <= 23 &&
                parts.tm_min >= 0 && parts.tm_min <= 59 && parts.tm_sec >= 0 && parts.tm_sec <= 60;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    int64_t seconds = good ? (int64_t)_mkgmtime64(&parts) : -1;
    *ret_seconds = seconds;
    return good && seconds != -1;
}
