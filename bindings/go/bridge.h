/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between C and Go: calls with callbacks. Go gives the number of a cgo.Handle; here it becomes the callbacks'
 * user pointer, so that no number stands in a pointer that Go's collector sees. 0 means no callback.
 */
#ifndef SELSNAP_GO_BRIDGE_H
#define SELSNAP_GO_BRIDGE_H

#include <selsnap/selsnap.h>
#include <stdint.h>
#include <stdlib.h>

/* What a device written in Go offers besides readv. */
#define SSGO_WRITE 0x1u
#define SSGO_DISCARD 0x2u
#define SSGO_ZEROES 0x4u
#define SSGO_IDENTITY 0x8u
#define SSGO_MARK 0x10u
#define SSGO_LOCK 0x20u
#define SSGO_BATCH 0x40u
#define SSGO_RESIZE 0x80u

/* What a call is told of. */
#define SSGO_LINE 0x1u
#define SSGO_BEFORE 0x2u
#define SSGO_AFTER 0x4u
#define SSGO_EVENT 0x8u
#define SSGO_LOG 0x10u

int ssgo_device_open(uintptr_t handle, uint32_t offers, const selsnap_device_info *info, selsnap_device **ret_device);
int ssgo_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options, uintptr_t handle,
              uint32_t wants, selsnap **ret_ss);
int ssgo_step(selsnap *ss, const selsnap_step_options *options, uintptr_t handle, uint32_t *ret_more);
int ssgo_snapshot_get_usage(selsnap *ss, uint64_t id, uintptr_t handle, selsnap_snapshot_usage *ret_usage);
int ssgo_restore_run(selsnap *ss, uint64_t job, uintptr_t handle);
int ssgo_check(selsnap *ss, uintptr_t handle, uint32_t wants, selsnap_check_result *ret_result);
int ssgo_scrub_step(selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, uintptr_t handle);
int ssgo_dump(selsnap *ss, uintptr_t handle);
int ssgo_repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                const selsnap_repair_options *options, uintptr_t handle, uint32_t wants, selsnap_repair_result *ret_result);
int ssgo_group_create(const selsnap_group_member *members, uint32_t count, const selsnap_group_options *options,
                      uintptr_t handle, uint32_t wants, uint8_t *ret_group_id, uint64_t *ret_ids);
int ssgo_expire(selsnap *ss, int64_t now_ns, uint32_t flags, uintptr_t handle, uint64_t *ret_count);
int ssgo_retain(selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags, uintptr_t handle, uint64_t *ret_count);
int ssgo_space_freed(selsnap *ss, const uint64_t *ids, uint32_t count, uintptr_t handle, uint64_t *ret_bytes);
int ssgo_export(selsnap *ss, const selsnap_export_options *options, uintptr_t handle, selsnap_stream_info *ret_info);
int ssgo_stream_verify(const selsnap_stream_options *options, uintptr_t handle, selsnap_stream_info *ret_info);
int ssgo_stream_apply(selsnap_device *device, const selsnap_stream_options *options, uintptr_t handle,
                      selsnap_stream_info *ret_info);
int ssgo_import(selsnap *ss, const selsnap_import_options *options, uintptr_t handle, uint64_t *ret_id,
                selsnap_stream_info *ret_info);
int ssgo_import_undo(selsnap *ss, uintptr_t handle);

#endif
