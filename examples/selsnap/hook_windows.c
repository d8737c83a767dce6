/* SPDX-License-Identifier: Apache-2.0 */
/* See hook.h. Run by cmd.exe, in a job, so that all it starts can be ended with it. */
#include "cli.h"
#include "hook.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define LOOK_EVERY_MS 5
#define COMMAND_MAX 8191 /* what cmd.exe takes */

static bool set_variable(const wchar_t *name, const char *value) {
    wchar_t text[512];
    return MultiByteToWideChar(CP_UTF8, 0, value, -1, text, 512) > 0 && SetEnvironmentVariableW(name, text);
}

/* Begins to run it, in the job; its output goes where our errors go. */
static bool start(const char *command, HANDLE job, PROCESS_INFORMATION *ret_process) {
    wchar_t *line = calloc(COMMAND_MAX + 32, sizeof(*line));
    STARTUPINFOW how;
    memset(&how, 0, sizeof(how));
    how.cb = sizeof(how);
    how.dwFlags = STARTF_USESTDHANDLES;
    how.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    how.hStdOutput = GetStdHandle(STD_ERROR_HANDLE);
    how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    bool good = line != NULL;
    if (good) {
        wcscpy(line, L"cmd.exe /s /c \"");
        size_t before = wcslen(line);
        good = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, command, -1, line + before, COMMAND_MAX) > 0;
        wcscat(line, L"\"");
    }
    good = good && CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &how, ret_process);
    free(line);
    if (good && !AssignProcessToJobObject(job, ret_process->hProcess)) {
        (void)TerminateProcess(ret_process->hProcess, CLI_FAILED);
    }
    if (good) {
        (void)ResumeThread(ret_process->hThread);
    }
    return good;
}

bool hook_run(const char *command, const char *group, const char *result, uint64_t timeout_ns) {
    PROCESS_INFORMATION process;
    DWORD code = 1;
    ULONGLONG began = GetTickCount64();
    HANDLE job = CreateJobObjectW(NULL, NULL);
    fflush(stdout);
    bool started = job != NULL && set_variable(L"SELSNAP_GROUP", group) && set_variable(L"SELSNAP_RESULT", result) &&
                   start(command, job, &process);
    while (started && WaitForSingleObject(process.hProcess, LOOK_EVERY_MS) == WAIT_TIMEOUT) {
        bool late = timeout_ns != 0 && GetTickCount64() - began >= timeout_ns / 1000000;
        if (late || (timeout_ns != 0 && interrupt_seen())) {
            (void)TerminateJobObject(job, 1);
        }
    }
    bool good = started && GetExitCodeProcess(process.hProcess, &code) && code == 0;
    if (started) {
        (void)CloseHandle(process.hThread);
        (void)CloseHandle(process.hProcess);
    }
    if (job != NULL) {
        (void)CloseHandle(job);
    }
    return good;
}
