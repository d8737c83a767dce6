/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file quota.h
 * @brief How much space a snapshot, and all together, may take.
 *
 * Included by selsnap.h. A snapshot's quota bounds what is written into it, which is its own alone, so that it is known
 * exactly at each write; a clone as changed and its source begin anew, since neither has alone what was written before.
 * Copies of old content are mostly shared, and charged to nobody: what deleting a snapshot would free is counted by
 * selsnap_snapshot_get_usage(), which tells by ::SELSNAP_EVENT_QUOTA when that passes the quota, and refuses nothing.
 *
 * The store's quota bounds all that is in use in it. Where it leaves no room, everything is as in a full store.
 */
#ifndef SELSNAP_QUOTA_H
#define SELSNAP_QUOTA_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup quota Quotas
 * Bounds of what is written into a snapshot, and of all that is in use in a store.
 * @{ */

/**
 * @brief Bound what may be written into a snapshot.
 *
 * A write into it that would take more is refused with ::SELSNAP_EQUOTA. What is written already stays, also above the quota,
 * and can be overwritten; blocks of zeros take nothing. ::SELSNAP_EVENT_QUOTA tells how it fills. It means nothing for a
 * bookmark.
 *
 * @param[in] ss     Context.
 * @param[in] id     The snapshot.
 * @param[in] bytes  Bytes of store space, whole blocks of which count; 0: no quota.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @retval SELSNAP_ENOSPACE    No room in the store; nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      As before; it may be changed when the store answers again, or after a crash.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread. A write under way may go by the quota before.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_set_quota(selsnap *ss, uint64_t id, uint64_t bytes) SELSNAP_MUST_CHECK;

/**
 * @brief A snapshot's quota, and how much of it is taken.
 *
 * The second walks what was written into the snapshot, unless a view that wrote under the quota is open: then it is known.
 *
 * @param[in]  ss        Context.
 * @param[in]  id        The snapshot.
 * @param[out] ret_bytes The quota; 0: none. NULL is allowed.
 * @param[out] ret_used  Bytes of store space that what was written into it takes, flushed or not. NULL is allowed.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ESTORE      The store could not be read.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 *
 * @threading   Any thread; waits for a write into the snapshot that is under way.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_quota(selsnap *ss, uint64_t id, uint64_t *ret_bytes,
                                           uint64_t *ret_used) SELSNAP_MUST_CHECK;

/**
 * @brief Bound what is in use in the store.
 *
 * Counted is selsnap_stats.store_used_bytes: metadata and journal, copies, what was written into snapshots, and what waits to be
 * given back. Where the quota leaves no room, it is as in a full store: ::SELSNAP_ENOSPACE, and each snapshot's policy for
 * what has to be preserved. As there, deleting, giving up blocks and giving space back work on, and may go above it, and so
 * may deferred writes that were accepted before. ::SELSNAP_EVENT_STORE_FILLING goes by the quota.
 *
 * @param[in] ss     Context.
 * @param[in] bytes  Bytes, less than is in use included: then nothing is added until less is. 0: no quota. One
 *                   of the store's size and more counts when the store has grown beyond it.
 *
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @retval SELSNAP_ENOSPACE    Not even in the reserve is room in the store; nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      As before; it may be changed when the store answers again, or after a crash.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return. Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_set_quota(selsnap *ss, uint64_t bytes) SELSNAP_MUST_CHECK;

/**
 * @brief The store's quota.
 *
 * @param[in]  ss         Context.
 * @param[out] ret_bytes  As it was set; 0: none.
 *
 * @retval SELSNAP_EINVAL    An argument is NULL.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_get_quota(selsnap *ss, uint64_t *ret_bytes) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
