/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file grow.h
 * @brief Stores and origins that change their size. Included by selsnap.h.
 */
#ifndef SELSNAP_GROW_H
#define SELSNAP_GROW_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup grow Changing sizes
 * A store becomes longer; an origin becomes longer or shorter, with its snapshots.
 * @{ */

/**
 * @brief Make the store longer, while it is in use.
 *
 * Its device is made so long where it can (see selsnap_device_ops.resize; a file can, and a block device that was made
 * longer is asked for its size again). The last page of what is new is written and read first, so that a device which has
 * less than it says is found out. It works on a full store. The journal keeps its length. A store never becomes shorter.
 *
 * @param[in] ss     Context.
 * @param[in] bytes  The new size, rounded down to 4096 bytes; 0: as long as the device is now.
 *
 * @retval SELSNAP_OK          The store has at least this size.
 * @retval SELSNAP_EINVAL      @p bytes is less than the store has, or @p ss is NULL; nothing changed.
 * @retval SELSNAP_ETOOSMALL   The device is shorter, and does not become longer; the store is as it was.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      The store could not be read or written, or what is written to its new end does not stay there.
 *                             It is as it was, or becomes longer when it answers again. Its device may be longer.
 * @retval SELSNAP_ENOSPACE    Not even this change could be written; the store is as it was.
 * @retval SELSNAP_EDAMAGED    What it had to read of the store failed its check; the store is as it was.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the store is as it was.
 *
 * @threading   Any thread; reads and writes go on meanwhile.
 * @durability  Durable on return. After a crash before, the store has its old size or the new one.
 * @since 0.1
 */
SELSNAP_API int selsnap_grow_store(selsnap *ss, uint64_t bytes) SELSNAP_MUST_CHECK;
/**
 * @brief Make the origin longer, with its snapshots. Nothing else may be called on the context meanwhile.
 *
 * Its device is made so long where it can, as by selsnap_grow_store(); a device that cannot, and was made longer while the
 * context was closed, is opened with ::SELSNAP_OPEN_LONGER_ORIGIN. What is new is in no snapshot made before, and holds
 * what the device has there. Snapshots keep the size that the origin had (selsnap_snapshot_info.origin_bytes), and views of
 * them end there. If the old end lies inside a block, that block is preserved first, as before a write to it; to restore it
 * makes what follows the snapshot's end, up to the end of the block, zeros. Subsets have to be made anew.
 *
 * @param[in] ss     Context. No view of it is open, no restore unfinished.
 * @param[in] bytes  The new size, a multiple of the device's logical block; 0: that of the device now.
 *
 * @retval SELSNAP_OK          The origin has this size: selsnap_size().
 * @retval SELSNAP_EINVAL      @p bytes is less than the origin has, or @p ss is NULL; nothing changed.
 * @retval SELSNAP_EALIGN      @p bytes is not a multiple of the logical block; nothing changed.
 * @retval SELSNAP_EBUSY       A view is open, or a restore not finished; nothing changed.
 * @retval SELSNAP_ETOOSMALL   The device is shorter, and does not become longer; the origin has its old size.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_EIO         The origin failed. It has its old size; its device may be longer.
 * @retval SELSNAP_ESTORE      The store failed. The origin has its old size; after a crash it may be found with the new one,
 *                             until a snapshot was made, or this was called again. Its device may be longer.
 * @retval SELSNAP_ENOSPACE    No room to preserve the last block, or for what has to be recorded; as for SELSNAP_EIO.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; as for SELSNAP_EIO.
 * @retval SELSNAP_EMEMLIMIT   The memory limit is too low for an origin of this size; as for SELSNAP_EIO.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; as for SELSNAP_EIO.
 *
 * @threading   Not while anything else is called on the context, as selsnap_close().
 * @durability  Durable on return. After a crash before, the origin has its old size or the new one, and its device may be
 *              longer than it.
 * @since 0.1
 */
SELSNAP_API int selsnap_grow_origin(selsnap *ss, uint64_t bytes) SELSNAP_MUST_CHECK;
/**
 * @brief Make the origin shorter, with its snapshots. Nothing else may be called on the context meanwhile.
 *
 * Its device keeps its length, and may be made shorter by whoever has it once this has returned. Snapshots keep the size that
 * the origin had, and need everything behind the new end to be preserved: as long as one shares a block there with the origin,
 * this is refused. To write zeros to what is to be cut off, with selsnap_write_zeroes(), preserves it. If the new end lies inside a
 * block, that block is preserved here. A restore of what lies behind the end is refused until the origin is long enough again;
 * what a snapshot does not designate there reads as zeros. Subsets have to be made anew, and designations that have blocks
 * behind the end can be loaded, but not used. When the origin grows again, what comes back holds what the device has there.
 *
 * @param[in] ss     Context. No view of it is open, no restore unfinished.
 * @param[in] bytes  The new size, more than 0, a multiple of the device's logical block; as it is: nothing is done.
 *
 * @retval SELSNAP_OK          The origin has this size: selsnap_size().
 * @retval SELSNAP_EINVAL      @p bytes is 0 or more than the origin has, or @p ss is NULL; nothing changed.
 * @retval SELSNAP_EALIGN      @p bytes is not a multiple of the logical block; nothing changed.
 * @retval SELSNAP_EBUSY       A view is open, a restore not finished, or a snapshot or bookmark shares a block behind the new
 *                             end with the origin (selsnap_last_error() names both); nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_EIO         The origin failed; it has its old size.
 * @retval SELSNAP_ESTORE      The store failed. The origin has its old size; after a crash it may be found with the new one,
 *                             until a snapshot was made, or this was called again.
 * @retval SELSNAP_ENOSPACE    No room to preserve the last block, or for what has to be recorded; the origin has its old size.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; the origin has its old size.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the origin has its old size.
 *
 * @threading   Not while anything else is called on the context, as selsnap_close().
 * @durability  Durable on return. After a crash before, the origin has its old size or the new one.
 * @since 0.1
 */
SELSNAP_API int selsnap_shrink_origin(selsnap *ss, uint64_t bytes) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
