/* SPDX-License-Identifier: Apache-2.0 */
/* See file_codes.h. */
#include "file_codes.h"

#include <errno.h>

bool ssn_file_flags_allowed(uint32_t flags, uint64_t create_size) {
    const uint32_t known = SELSNAP_FILE_READ_ONLY | SELSNAP_FILE_DIRECT | SELSNAP_FILE_CREATE;
    bool create = (flags & SELSNAP_FILE_CREATE) != 0;
    bool read_only = (flags & SELSNAP_FILE_READ_ONLY) != 0;
    return (flags & ~known) == 0 && !(create && read_only) && (create || create_size == 0);
}

int ssn_file_open_code(int error, uint32_t flags) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return SELSNAP_ENOENT;
    case EISDIR:
    case ENAMETOOLONG:
        return SELSNAP_EINVAL;
    case EACCES:
    case EPERM:
    case EROFS:
        return (flags & SELSNAP_FILE_READ_ONLY) != 0 ? SELSNAP_EIO : SELSNAP_EREADONLY;
    case EINVAL:
    case EOPNOTSUPP:
        return (flags & SELSNAP_FILE_DIRECT) != 0 ? SELSNAP_ENOTSUP : SELSNAP_EIO;
    case ENOMEM:
        return SELSNAP_ENOMEM;
    default:
        return SELSNAP_EIO;
    }
}
