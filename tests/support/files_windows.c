/* SPDX-License-Identifier: Apache-2.0 */
/* See files.h. Names are of the system's code page here, in which those of a folder for tests are the same in UTF-8. */
#include "files.h"

#include <stdio.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static int told(BOOL good) {
    return good ? 0 : -1;
}

int files_make(char *path) {
    char folder[MAX_PATH + 1];
    char name[MAX_PATH + 1];
    if (GetTempPathA(MAX_PATH, folder) == 0 || GetTempFileNameA(folder, "sel", 0, name) == 0) {
        return -1;
    }
    (void)snprintf(path, FILES_PATH, "%s", name);
    return 0;
}

int files_make_folder(char *path) {
    return files_make(path) == 0 && DeleteFileA(path) ? told(CreateDirectoryA(path, NULL)) : -1;
}

int files_remove(const char *path) {
    return told(DeleteFileA(path));
}

int files_remove_folder(const char *path) {
    return told(RemoveDirectoryA(path));
}

int files_set_size(const char *path, uint64_t size) {
    LARGE_INTEGER place;
    HANDLE file = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    place.QuadPart = (LONGLONG)size;
    BOOL good = file != INVALID_HANDLE_VALUE && SetFilePointerEx(file, place, NULL, FILE_BEGIN) && SetEndOfFile(file);
    if (file != INVALID_HANDLE_VALUE) {
        (void)CloseHandle(file);
    }
    return told(good);
}

int files_link(const char *path, const char *name) {
    return told(CreateHardLinkA(name, path, NULL));
}

unsigned files_open_count(void) {
    DWORD count = 0;
    return GetProcessHandleCount(GetCurrentProcess(), &count) ? (unsigned)count : 0;
}
