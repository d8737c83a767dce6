/* SPDX-License-Identifier: Apache-2.0 */
/* See bridge.h. The functions named ssgoXxx are Go's; their panics end there. */
#include "bridge.h"

#include "_cgo_export.h"

/* Devices written in Go. */

static int device_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return ssgoReadv((uintptr_t)user, (void *)iov, iov_count, offset);
}

static int device_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    return ssgoWritev((uintptr_t)user, (void *)iov, iov_count, offset);
}

static int device_flush(void *user) {
    return ssgoFlush((uintptr_t)user);
}

static int device_discard(void *user, uint64_t offset, uint64_t len) {
    return ssgoDiscard((uintptr_t)user, offset, len);
}

static int device_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    return ssgoWriteZeroes((uintptr_t)user, offset, len);
}

static int device_identity(void *user, uint8_t *ret_identity) {
    return ssgoIdentity((uintptr_t)user, ret_identity);
}

static int device_change_mark(void *user, uint64_t *ret_mark) {
    return ssgoChangeMark((uintptr_t)user, ret_mark);
}

static int device_lock(void *user, int exclusive) {
    return ssgoLock((uintptr_t)user, exclusive);
}

static void device_unlock(void *user) {
    ssgoUnlock((uintptr_t)user);
}

static void device_close(void *user) {
    ssgoClose((uintptr_t)user);
}

static void device_batch(void *user, selsnap_io *const *ios, uint32_t count) {
    ssgoBatch((uintptr_t)user, (void *)ios, count);
}

static int device_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes) {
    return ssgoResize((uintptr_t)user, size_bytes, ret_size_bytes);
}

int ssgo_device_open(uintptr_t handle, uint32_t offers, const selsnap_device_info *info, selsnap_device **ret_device) {
    selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = device_readv,
        .writev = offers & SSGO_WRITE ? device_writev : NULL,
        .flush = offers & SSGO_WRITE ? device_flush : NULL,
        .discard = offers & SSGO_DISCARD ? device_discard : NULL,
        .write_zeroes = offers & SSGO_ZEROES ? device_write_zeroes : NULL,
        .identity = offers & SSGO_IDENTITY ? device_identity : NULL,
        .change_mark = offers & SSGO_MARK ? device_change_mark : NULL,
        .lock = offers & SSGO_LOCK ? device_lock : NULL,
        .unlock = offers & SSGO_LOCK ? device_unlock : NULL,
        .close = device_close,
        .batch = offers & SSGO_BATCH ? device_batch : NULL,
        .resize = offers & SSGO_RESIZE ? device_resize : NULL,
    };
    return selsnap_device_open(&ops, info, (void *)handle, ret_device);
}

/* What calls are told of. */

static void told_event(void *user, const selsnap_event *event) {
    ssgoEvent((uintptr_t)user, (void *)event);
}

static void told_log(void *user, uint32_t level, const char *message) {
    ssgoLog((uintptr_t)user, level, (char *)message);
}

static int told_progress(void *user, uint64_t done, uint64_t total) {
    return ssgoProgress((uintptr_t)user, done, total);
}

static int told_line(void *user, const char *line) {
    return ssgoLine((uintptr_t)user, (char *)line);
}

static int told_verdict(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons) {
    return ssgoVerdict((uintptr_t)user, (void *)info, verdict, reasons);
}

static int told_before(void *user, uint64_t timeout_ns) {
    return ssgoBefore((uintptr_t)user, timeout_ns);
}

static void told_after(void *user, int result) {
    ssgoAfter((uintptr_t)user, result);
}

static int stream_write(void *user, const void *buf, size_t len) {
    return ssgoStreamWrite((uintptr_t)user, (void *)buf, len);
}

static int64_t stream_read(void *user, void *buf, size_t len) {
    return ssgoStreamRead((uintptr_t)user, buf, len);
}

/* The calls. */

int ssgo_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options, uintptr_t handle,
              uint32_t wants, selsnap **ret_ss) {
    selsnap_open_options all = *options;
    all.event = wants & SSGO_EVENT ? told_event : NULL;
    all.event_user = (void *)handle;
    all.log = wants & SSGO_LOG ? told_log : NULL;
    all.log_user = (void *)handle;
    return selsnap_open(store, origin, &all, ret_ss);
}

int ssgo_step(selsnap *ss, const selsnap_step_options *options, uintptr_t handle, uint32_t *ret_more) {
    selsnap_step_options all = *options;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_step(ss, &all, ret_more);
}

int ssgo_snapshot_get_usage(selsnap *ss, uint64_t id, uintptr_t handle, selsnap_snapshot_usage *ret_usage) {
    return selsnap_snapshot_get_usage(ss, id, told_progress, (void *)handle, ret_usage);
}

int ssgo_restore_run(selsnap *ss, uint64_t job, uintptr_t handle) {
    return selsnap_restore_run(ss, job, told_progress, (void *)handle);
}

int ssgo_check(selsnap *ss, uintptr_t handle, uint32_t wants, selsnap_check_result *ret_result) {
    return selsnap_check(ss, wants & SSGO_LINE ? told_line : NULL, (void *)handle, told_progress, (void *)handle,
                         ret_result);
}

int ssgo_scrub_step(selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, uintptr_t handle) {
    return selsnap_scrub_step(ss, scrub, budget_bytes, told_line, (void *)handle);
}

int ssgo_dump(selsnap *ss, uintptr_t handle) {
    return selsnap_dump(ss, told_line, (void *)handle);
}

int ssgo_repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                const selsnap_repair_options *options, uintptr_t handle, uint32_t wants, selsnap_repair_result *ret_result) {
    selsnap_repair_options all = *options;
    all.report = wants & SSGO_LINE ? told_line : NULL;
    all.report_user = (void *)handle;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_repair(damaged, origin, fresh, &all, ret_result);
}

int ssgo_group_create(const selsnap_group_member *members, uint32_t count, const selsnap_group_options *options,
                      uintptr_t handle, uint32_t wants, uint8_t *ret_group_id, uint64_t *ret_ids) {
    selsnap_group_options all = *options;
    all.before = wants & SSGO_BEFORE ? told_before : NULL;
    all.after = wants & SSGO_AFTER ? told_after : NULL;
    all.user = (void *)handle;
    return selsnap_group_create(members, count, &all, ret_group_id, ret_ids);
}

int ssgo_expire(selsnap *ss, int64_t now_ns, uint32_t flags, uintptr_t handle, uint64_t *ret_count) {
    return selsnap_expire(ss, now_ns, flags, told_verdict, (void *)handle, ret_count);
}

int ssgo_retain(selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags, uintptr_t handle, uint64_t *ret_count) {
    return selsnap_retain(ss, rules, flags, told_verdict, (void *)handle, ret_count);
}

int ssgo_space_freed(selsnap *ss, const uint64_t *ids, uint32_t count, uintptr_t handle, uint64_t *ret_bytes) {
    return selsnap_space_freed(ss, ids, count, told_progress, (void *)handle, ret_bytes);
}

int ssgo_export(selsnap *ss, const selsnap_export_options *options, uintptr_t handle, selsnap_stream_info *ret_info) {
    selsnap_export_options all = *options;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_export(ss, &all, stream_write, (void *)handle, ret_info);
}

int ssgo_stream_verify(const selsnap_stream_options *options, uintptr_t handle, selsnap_stream_info *ret_info) {
    selsnap_stream_options all = *options;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_stream_verify(stream_read, (void *)handle, &all, ret_info);
}

int ssgo_stream_apply(selsnap_device *device, const selsnap_stream_options *options, uintptr_t handle,
                      selsnap_stream_info *ret_info) {
    selsnap_stream_options all = *options;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_stream_apply(stream_read, (void *)handle, device, &all, ret_info);
}

int ssgo_import(selsnap *ss, const selsnap_import_options *options, uintptr_t handle, uint64_t *ret_id,
                selsnap_stream_info *ret_info) {
    selsnap_import_options all = *options;
    all.progress = told_progress;
    all.progress_user = (void *)handle;
    return selsnap_import(ss, stream_read, (void *)handle, &all, ret_id, ret_info);
}

int ssgo_import_undo(selsnap *ss, uintptr_t handle) {
    return selsnap_import_undo(ss, told_progress, (void *)handle);
}
