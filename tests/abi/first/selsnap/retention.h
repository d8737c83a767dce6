/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file retention.h
 * @brief How long snapshots are kept: holds with a reason, locks, expiry, keep rules, quota, and what deleting frees.
 *
 * Included by selsnap.h. All times are nanoseconds since 1970 UTC, by the host's own clock (CLOCK_REALTIME).
 */
#ifndef SELSNAP_RETENTION_H
#define SELSNAP_RETENTION_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup retention Retention
 * How long snapshots are kept: holds, locks, expiry, keep rules, and what deleting frees.
 * @{ */

#define SELSNAP_HOLD_REASON_MAX 255 /**< Bytes of a hold's reason, without the ending zero. */
#define SELSNAP_HOLDS_MAX 64u       /**< Holds with a reason that a snapshot can have, those that have ended included. */

/** @brief The hold cannot be released before its end, nor its end be made earlier. It must have an end. */
#define SELSNAP_HOLD_LOCK 0x1u

/** @brief What hold to add; all members may be 0. */
typedef struct selsnap_hold_options {
    uint32_t struct_size; /**< sizeof(selsnap_hold_options). */
    uint32_t flags;       /**< SELSNAP_HOLD_*. */
    int64_t until_ns;     /**< When it ends; later than now. 0: never by itself. */
    const char *reason;   /**< 0 to 255 bytes of UTF-8 without control characters; NULL: as empty. */
} selsnap_hold_options;
/** @brief Default ::selsnap_hold_options. */
#define SELSNAP_HOLD_OPTIONS_INIT {sizeof(selsnap_hold_options), 0, 0, 0}

/** @brief About a hold. */
typedef struct selsnap_hold_info {
    uint32_t struct_size; /**< sizeof(selsnap_hold_info). */
    uint32_t flags;       /**< SELSNAP_HOLD_*. */
    uint64_t hold;        /**< Its number; never reused. */
    int64_t since_ns;     /**< When it was added. */
    int64_t until_ns;     /**< When it ends; 0: never by itself. */
    uint32_t ended;       /**< 1 if its end has passed: it holds no more. */
    uint32_t reserved;    /**< 0. */
    char reason[SELSNAP_HOLD_REASON_MAX + 1]; /**< Why. */
} selsnap_hold_info;

/**
 * @brief Hold a snapshot, with a reason and perhaps an end: until then it cannot be deleted.
 *
 * Besides the holds that selsnap_snapshot_hold() counts; selsnap_snapshot_info.holds has both. A hold whose end has passed
 * counts no more, and goes with the snapshot, or by selsnap_hold_release().
 *
 * With ::SELSNAP_HOLD_LOCK nothing in this library lifts it before its end. What it does not guard against: the clock is the
 * host's, and who sets that forward ends the lock; and who can write the store's device can format or overwrite it.
 *
 * @param[in]  ss        Context.
 * @param[in]  id        The snapshot.
 * @param[in]  options   NULL for the defaults: no reason, no end.
 * @param[out] ret_hold  The hold's number; NULL is allowed.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_EINVAL      An option is not allowed: the end has passed, a lock has none, or the reason is not text.
 * @retval SELSNAP_ELIMIT      The reason is too long, or the snapshot has ::SELSNAP_HOLDS_MAX such holds; nothing changed.
 * @retval SELSNAP_ENOSPACE    No room in the store; nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      It is not held now; it may be when the store answers again, or after a crash.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_hold_add(selsnap *ss, uint64_t id, const selsnap_hold_options *options,
                                 uint64_t *ret_hold) SELSNAP_MUST_CHECK;

/**
 * @brief Give a hold another end. A lock's end only moves to a later time.
 *
 * @param[in] ss        Context.
 * @param[in] id        The snapshot.
 * @param[in] hold      The hold's number.
 * @param[in] until_ns  The end; later than now. 0: none, for a hold that is no lock.
 *
 * @retval SELSNAP_ENOENT      No such snapshot, or it has no such hold.
 * @retval SELSNAP_EHELD       The lock ends later than that; nothing changed.
 * @retval SELSNAP_EINVAL      @p ss is NULL, the time has passed, or is 0 for a lock; nothing changed.
 * @retval SELSNAP_ENOSPACE    No room in the store; nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      It has the old end now; it may have the new one when the store answers again, or after a crash.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_hold_set_end(selsnap *ss, uint64_t id, uint64_t hold, int64_t until_ns) SELSNAP_MUST_CHECK;

/**
 * @brief Take a hold away. A lock only when its end has passed.
 *
 * @param[in] ss    Context.
 * @param[in] id    The snapshot.
 * @param[in] hold  The hold's number.
 *
 * @retval SELSNAP_ENOENT      No such snapshot, or it has no such hold.
 * @retval SELSNAP_EHELD       It is a lock whose end has not come; nothing changed.
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      It still holds; it may not when the store answers again, or after a crash.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_hold_release(selsnap *ss, uint64_t id, uint64_t hold) SELSNAP_MUST_CHECK;

/**
 * @brief The first hold of a snapshot whose number is above @p after. Begin with 0.
 *
 * @param[in]     ss        Context.
 * @param[in]     id        The snapshot.
 * @param[in]     after     A number, or 0.
 * @param[in,out] ret_info  struct_size is set by the caller.
 *
 * @retval SELSNAP_ENOENT    No such snapshot, or no more holds.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_hold_next(selsnap *ss, uint64_t id, uint64_t after,
                                  selsnap_hold_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief Note when a snapshot expires. Nothing happens by itself then: selsnap_expire() deletes what has expired.
 *
 * @param[in] ss       Context.
 * @param[in] id       The snapshot.
 * @param[in] time_ns  When; 0: never.
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
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_set_expiry(selsnap *ss, uint64_t id, int64_t time_ns) SELSNAP_MUST_CHECK;

/**
 * @brief When a snapshot expires.
 *
 * @param[in]  ss        Context.
 * @param[in]  id        The snapshot.
 * @param[out] ret_time  When; 0: never.
 *
 * @retval SELSNAP_ENOENT    No such snapshot.
 * @retval SELSNAP_EINVAL    An argument is NULL.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_expiry(selsnap *ss, uint64_t id, int64_t *ret_time) SELSNAP_MUST_CHECK;

#define SELSNAP_VERDICT_KEEP 0u   /**< It is kept. */
#define SELSNAP_VERDICT_DELETE 1u /**< It is deleted; with ::SELSNAP_RETAIN_DRY_RUN, it would be. */

#define SELSNAP_REASON_LAST 0x1u     /**< Kept as one of the last ones. */
#define SELSNAP_REASON_HOURLY 0x2u   /**< Kept as the newest of an hour. */
#define SELSNAP_REASON_DAILY 0x4u    /**< Kept as the newest of a day. */
#define SELSNAP_REASON_WEEKLY 0x8u   /**< Kept as the newest of a week (ISO: from Monday on). */
#define SELSNAP_REASON_MONTHLY 0x10u /**< Kept as the newest of a month. */
#define SELSNAP_REASON_YEARLY 0x20u  /**< Kept as the newest of a year. */
#define SELSNAP_REASON_HELD 0x40u    /**< Kept for it is held. */
#define SELSNAP_REASON_IN_USE 0x80u  /**< Kept for a view of it is open, or a restore reads from it. */
#define SELSNAP_REASON_EXPIRED 0x100u /**< It has expired. */
#define SELSNAP_REASON_NO_RULE 0x200u /**< No rule keeps it. */

/**
 * @brief Told what becomes of a snapshot, after it was done. A result other than 0 stops the rest.
 *
 * @p verdict is one of SELSNAP_VERDICT_*, @p reasons of SELSNAP_REASON_* together. Called with no lock held; it may use the
 * context.
 */
typedef int (*selsnap_verdict_fn)(void *user, const selsnap_snapshot_info *info, uint32_t verdict, uint32_t reasons);

/** @brief Delete nothing; only tell what would be. */
#define SELSNAP_RETAIN_DRY_RUN 0x1u
/** @brief selsnap_retain(): bookmarks as well, as if they were snapshots. Otherwise they are left alone. */
#define SELSNAP_RETAIN_BOOKMARKS 0x2u

/**
 * @brief Delete the snapshots that have expired and are neither held nor in use.
 *
 * @param[in]  ss         Context.
 * @param[in]  now_ns     The time to judge by; 0: the host's clock.
 * @param[in]  flags      ::SELSNAP_RETAIN_DRY_RUN, or 0.
 * @param[in]  verdict    NULL, or told of each snapshot that has expired, by rising id.
 * @param[in]  user       Given to verdict.
 * @param[out] ret_count  Snapshots deleted, or that would be; set also when the call fails half way. NULL is allowed.
 *
 * @retval SELSNAP_EINVAL      @p ss is NULL, or a flag is not allowed; nothing was done.
 * @retval SELSNAP_ECANCELED   The callback said so; what it was told of is done, the rest not.
 * @retval SELSNAP_EREADONLY   The context was opened read-only, and this is no dry run; nothing was done.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing was done.
 * @retval SELSNAP_ESTORE      As with selsnap_snapshot_delete(), or the store could not be read; the rest is not done.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; the rest is not done.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the rest is not done.
 *
 * @threading   Any thread. What is held, or given a later expiry, before its turn comes is kept.
 * @durability  Each deletion is durable when it is told. Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_expire(selsnap *ss, int64_t now_ns, uint32_t flags, selsnap_verdict_fn verdict, void *user,
                               uint64_t *ret_count) SELSNAP_MUST_CHECK;

/** @brief Which snapshots to keep. At least one of the numbers is not 0; UINT32_MAX is as good as all. */
typedef struct selsnap_keep_rules {
    uint32_t struct_size; /**< sizeof(selsnap_keep_rules). */
    uint32_t last;        /**< So many of the newest. */
    uint32_t hourly;      /**< The newest of each hour, for so many hours that have one. */
    uint32_t daily;       /**< The same for days. */
    uint32_t weekly;      /**< The same for weeks, from Monday on. */
    uint32_t monthly;     /**< The same for months. */
    uint32_t yearly;      /**< The same for years. */
    int32_t utc_offset_seconds; /**< East of Greenwich is positive: by whose clock days begin; within a day. */
    const char *name_prefix; /**< NULL, or only snapshots whose name begins so are looked at. */
    const char *designation; /**< NULL, or only those of the saved designation that has this name now. */
} selsnap_keep_rules;
/** @brief Empty ::selsnap_keep_rules. */
#define SELSNAP_KEEP_RULES_INIT {sizeof(selsnap_keep_rules), 0, 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Keep the snapshots that a rule keeps, and delete the others that are neither held nor in use.
 *
 * The order is that of the snapshots' times; of the same time the younger id is newer. A period in which no snapshot was
 * made does not count. A snapshot may be kept by several rules, and takes a place of each. One that is held is kept
 * whatever the rules say, and takes a rule's place only if the rule would keep it. Expiry times play no part.
 *
 * @param[in]  ss         Context.
 * @param[in]  rules      The rules.
 * @param[in]  flags      SELSNAP_RETAIN_*.
 * @param[in]  verdict    NULL, or told of each snapshot looked at, newest first.
 * @param[in]  user       Given to verdict.
 * @param[out] ret_count  Snapshots deleted, or that would be; set also when the call fails half way. NULL is allowed.
 *
 * @retval SELSNAP_ENOENT      No designation has that name; nothing was done.
 * @retval SELSNAP_EINVAL      @p ss or @p rules is NULL, all numbers are 0, or something else is not allowed; nothing was done.
 * @retval SELSNAP_ECANCELED   The callback said so; what it was told of is done, the rest not.
 * @retval SELSNAP_EREADONLY   The context was opened read-only, and this is no dry run; nothing was done.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing was done.
 * @retval SELSNAP_ESTORE      As with selsnap_snapshot_delete(), or the store could not be read; the rest is not done.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; the rest is not done.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the rest is not done.
 *
 * @threading   Any thread. Snapshots made meanwhile are not looked at.
 * @durability  Each deletion is durable when it is told. Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_retain(selsnap *ss, const selsnap_keep_rules *rules, uint32_t flags, selsnap_verdict_fn verdict,
                               void *user, uint64_t *ret_count) SELSNAP_MUST_CHECK;

/**
 * @brief How much store space deleting some snapshots together would free: copies that nobody else needs, and what was
 * written into them. Metadata is not counted.
 *
 * Exactly what deleting them and reclaiming gives back, if nothing is written meanwhile. Walks the part of the index that
 * belongs to their blocks. What an open view has not flushed, and what waits to be reclaimed already, is not counted.
 *
 * @param[in]  ss             Context.
 * @param[in]  ids            @p count snapshots; one given twice counts once. NULL if there are none.
 * @param[in]  count          How many.
 * @param[in]  progress       NULL, or told blocks of the origin passed of all.
 * @param[in]  progress_user  Given to progress.
 * @param[out] ret_bytes      Bytes.
 *
 * @retval SELSNAP_ENOENT      One of them is not there.
 * @retval SELSNAP_ECANCELED   The callback said so.
 * @retval SELSNAP_EINVAL      An argument is NULL.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ESTORE      The store could not be read.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 *
 * @threading   Any thread; nobody waits for it.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_space_freed(selsnap *ss, const uint64_t *ids, uint32_t count, selsnap_progress_fn progress,
                                    void *progress_user, uint64_t *ret_bytes) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
