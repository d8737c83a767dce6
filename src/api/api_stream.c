/* SPDX-License-Identifier: Apache-2.0 */
/* The exported functions on streams. */
#include "api.h"
#include "apply.h"
#include "export.h"
#include "receive.h"
#include "streamfd.h"
#include "subset.h"

#include <string.h>

enum { LEVEL_NONE = -1, LEVEL_MAX = 19 };

int selsnap_stream_write_fd(void *user, const void *buf, size_t len) {
    return user == NULL || buf == NULL ? SELSNAP_EINVAL : ssn_stream_fd_write(*(const int *)user, buf, len);
}

int64_t selsnap_stream_read_fd(void *user, void *buf, size_t len) {
    return user == NULL || buf == NULL ? SELSNAP_EINVAL : ssn_stream_fd_read(*(const int *)user, buf, len);
}

/* An info that says nothing yet. Zeros go out first: a struct of nonsense size is refused before anything is done. */
static bool begin_info(selsnap_stream_info *ret_info, selsnap_stream_info *info) {
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    info->id.struct_size = sizeof info->id;
    info->base.struct_size = sizeof info->base;
    info->token.struct_size = sizeof info->token;
    return ret_info == NULL || ssn_export(ret_info, info, sizeof *info);
}

static void give_info(selsnap_stream_info *ret_info, const selsnap_stream_info *info) {
    if (ret_info != NULL) {
        (void)ssn_export(ret_info, info, sizeof *info);
    }
}

int selsnap_export(selsnap *ss, const selsnap_export_options *options, selsnap_stream_write_fn write, void *user,
                   selsnap_stream_info *ret_info) {
    const uint32_t known_flags = SELSNAP_EXPORT_AS_CHANGED | SELSNAP_EXPORT_SKIP_LOST;
    selsnap_export_options ours;
    selsnap_stream_token token;
    selsnap_stream_info info;
    if (ss == NULL || options == NULL || write == NULL || !ssn_import(&ours, sizeof ours, options) ||
        (ours.flags & ~known_flags) != 0 || ours.reserved != 0 || ours.level < LEVEL_NONE || ours.level > LEVEL_MAX ||
        (ours.base_id != 0 && (ours.flags & SELSNAP_EXPORT_AS_CHANGED) != 0) || !begin_info(ret_info, &info) ||
        (ours.token != NULL && !ssn_import(&token, sizeof token, ours.token))) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_check_usable(ss);
    rc = rc == SELSNAP_OK ? ssn_export_run(ss, &ours, ours.token != NULL ? &token : NULL, write, user, &info) : rc;
    if (rc == SELSNAP_OK) {
        give_info(ret_info, &info);
    }
    return rc;
}

/* device NULL: verify. */
static int read_stream(selsnap_stream_read_fn read, void *user, selsnap_device *device,
                       const selsnap_stream_options *options, selsnap_stream_info *ret_info) {
    const uint32_t known_flags = device != NULL ? SELSNAP_APPLY_SKIP_LOST : 0;
    selsnap_stream_options ours;
    selsnap_stream_id holds;
    selsnap_stream_token token;
    selsnap_stream_info info;
    if (read == NULL || !ssn_import(&ours, sizeof ours, options) || (ours.flags & ~known_flags) != 0 ||
        !ssn_api_allocator_allowed(&ours.allocator) || !begin_info(ret_info, &info) ||
        (ours.holds != NULL && !ssn_import(&holds, sizeof holds, ours.holds)) ||
        (ours.token != NULL && !ssn_import(&token, sizeof token, ours.token))) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_apply_run(read, user, device, &ours, ours.holds != NULL ? &holds : NULL,
                           ours.token != NULL ? &token : NULL, &info);
    give_info(ret_info, &info);
    return rc;
}

int selsnap_stream_verify(selsnap_stream_read_fn read, void *user, const selsnap_stream_options *options,
                          selsnap_stream_info *ret_info) {
    return read_stream(read, user, NULL, options, ret_info);
}

int selsnap_stream_apply(selsnap_stream_read_fn read, void *user, selsnap_device *device,
                         const selsnap_stream_options *options, selsnap_stream_info *ret_info) {
    return device == NULL ? SELSNAP_EINVAL : read_stream(read, user, device, options, ret_info);
}

int selsnap_import(selsnap *ss, selsnap_stream_read_fn read, void *user, const selsnap_import_options *options,
                   uint64_t *ret_id, selsnap_stream_info *ret_info) {
    const uint32_t known_flags = SELSNAP_IMPORT_SKIP_LOST | SELSNAP_IMPORT_KEEP_PART;
    selsnap_import_options ours;
    selsnap_stream_info info;
    uint64_t id = 0;
    int rc = ssn_api_check_writable(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (read == NULL || !ssn_import(&ours, sizeof ours, options) || (ours.flags & ~known_flags) != 0 ||
        ours.reserved != 0 || ours.policy > SELSNAP_POLICY_GIVE_UP_BLOCK ||
        (ours.name != NULL && !ssn_name_valid(ours.name)) || !begin_info(ret_info, &info)) {
        return SELSNAP_EINVAL;
    }
    rc = ssn_check_usable(ss);
    rc = rc == SELSNAP_OK ? ssn_receive_run(ss, read, user, &ours, &id, &info) : rc;
    if (rc == SELSNAP_OK && ret_id != NULL) {
        *ret_id = id;
    }
    give_info(ret_info, &info);
    return rc;
}

int selsnap_import_unfinished(selsnap *ss, selsnap_stream_id *ret_id, selsnap_stream_token *ret_token) {
    selsnap_stream_id id = SELSNAP_STREAM_ID_INIT;
    selsnap_stream_token token = SELSNAP_STREAM_TOKEN_INIT;
    if (ss == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_receive_enter(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_unfinished_tell(ss, &id, &token);
    ssn_receive_leave(ss);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    bool given = (ret_id == NULL || ssn_export(ret_id, &id, sizeof id)) &&
                 (ret_token == NULL || ssn_export(ret_token, &token, sizeof token));
    return given ? SELSNAP_OK : SELSNAP_EINVAL;
}

int selsnap_import_undo(selsnap *ss, selsnap_progress_fn progress, void *progress_user) {
    int rc = ssn_api_check_writable(ss);
    rc = rc == SELSNAP_OK ? ssn_check_usable(ss) : rc;
    rc = rc == SELSNAP_OK ? ssn_receive_enter(ss) : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = ssn_unfinished_end(ss, progress, progress_user);
    ssn_receive_leave(ss);
    return rc;
}

int selsnap_snapshot_get_received(selsnap *ss, uint64_t id, selsnap_stream_id *ret_id) {
    selsnap_stream_id received = SELSNAP_STREAM_ID_INIT;
    struct ssn_received_record record;
    if (ss == NULL || ret_id == NULL) {
        return SELSNAP_EINVAL;
    }
    int rc = ssn_received_get(ss, id, &record);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    ssn_received_tell(&record, &received);
    return ssn_export(ret_id, &received, sizeof received) ? SELSNAP_OK : SELSNAP_EINVAL;
}
