/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes each device call of a script fail, in each way that there is. The script runs once; at each call the process
 * forks a child for each way. The child meets the fault and goes on with the script, the devices are mended, and the
 * model judges what is left: at once, after more work, and after a close or a kill.
 *
 * A fault is told as CALL:KIND[+drops]/END, as in 17:once/close: call 17 of the script fails once, and at the end the
 * context is closed. A failure prints the command that replays its fault.
 */
#ifndef SSN_FAULT_FAULTS_H
#define SSN_FAULT_FAULTS_H

#include "script.h"

enum fault_kind {
    FAULT_ONCE, /* this call; then the step is done again */
    FAULT_FEW,  /* all calls of the kind to the device, until some steps later */
    FAULT_GOOD, /* the same, until the script has ended */
    FAULT_DEAD, /* all calls to the device, until some steps later */
    FAULT_GONE, /* the same, until the script has ended */
    FAULT_KINDS
};

struct fault {
    uint64_t call;
    enum fault_kind kind;
    bool drops; /* a flush that fails forgets what was not flushed */
    bool kill;  /* at the end the process is killed, instead of closing the context */
};

struct faults {
    const struct script *script;
    const char *program;
    bool all; /* every kind at each call, with both ends */
    bool replay;
    bool trace;
    struct fault fault; /* to replay */
};

/* Runs it; gives the number of faults, or -1 after a failure, which is printed. */
int64_t faults_run(const struct faults *how);
/* Reads a fault; false: it is none. */
bool faults_parse(const char *text, struct faults *how);

#endif
