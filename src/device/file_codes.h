/* SPDX-License-Identifier: Apache-2.0 */
/* What opening a file allows, and tells, on every system. */
#ifndef SSN_FILE_CODES_H
#define SSN_FILE_CODES_H

#include <selsnap/device.h>
#include <stdbool.h>

bool ssn_file_flags_allowed(uint32_t flags, uint64_t create_size);
/* What errno's value at the open means for the caller. */
int ssn_file_open_code(int error, uint32_t flags);

#endif
