/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SSN_FAULT_FAULT_SCRIPTS_H
#define SSN_FAULT_FAULT_SCRIPTS_H

#include "script.h"

/* All scripts: those of tests/crash, then these. NULL: no more. */
const struct script *fault_script(size_t index);
const struct script *fault_script_find(const char *name);

#endif
