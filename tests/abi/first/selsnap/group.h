/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file group.h
 * @brief Consistency groups: snapshots of several contexts at one instant, under one id.
 *
 * Included by selsnap.h.
 */
#ifndef SELSNAP_GROUP_H
#define SELSNAP_GROUP_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup groups Consistency groups
 * An application that keeps its data on several devices needs snapshots of all of them at one instant. Each member is an
 * ordinary snapshot of its own store, and is read, held and deleted like any other; it also knows its group, the number it
 * has there, and how many members there are. So a group of which a crash left only a part can be found.
 * @{ */

#define SELSNAP_GROUP_ID_SIZE 16       /**< Bytes of a group's id. */
#define SELSNAP_GROUP_MEMBERS_MAX 256u /**< Members of a group, at most. */

/** @brief One member of a group to be made. Never grows. */
typedef struct selsnap_group_member {
    selsnap *ss;                             /**< Its context; no two members have the same. */
    const selsnap_snapshot_options *options; /**< As for selsnap_snapshot_create(). */
} selsnap_group_member;

/** @brief How to make a group; all members may be 0. */
typedef struct selsnap_group_options {
    uint32_t struct_size; /**< sizeof(selsnap_group_options). */
    uint32_t reserved;    /**< 0. */
    const char *name;     /**< NULL, or a text that every member records: 1 to 255 bytes. Need not be unique. */
    /** NULL, or called first, to bring the application to rest; at most @p timeout_ns are left for it. A result other than 0:
     * no snapshot is made. No lock is held; it may use the contexts. */
    int (*before)(void *user, uint64_t timeout_ns);
    /** NULL, or called once in every case in which @p before was called or is NULL and the arguments are in order: as soon as
     * the application may go on, which is when the points are taken, or when it is known that none will be. @p result is
     * ::SELSNAP_OK or the failure so far; whether the snapshots came to be is told by selsnap_group_create() alone. It may
     * read, write and flush the contexts, and must call nothing else on them. */
    void (*after)(void *user, int result);
    void *user;          /**< Given to both. */
    uint64_t timeout_ns; /**< Until the points must be taken, from the call on, nanoseconds; 0: 10 seconds. */
    int64_t time_ns;     /**< The group's time; 0: now. */
} selsnap_group_options;
/** @brief Default ::selsnap_group_options. */
#define SELSNAP_GROUP_OPTIONS_INIT {sizeof(selsnap_group_options), 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Make a snapshot in each of several contexts, all of one instant.
 *
 * Writers of all contexts are held back together for as long as it takes to take the points; then they go on, and the
 * snapshots are made durable. Saving subsets that have no name, and settling what failed before, comes before the writers
 * are held back, but after @p before: designations saved in advance make the rest of the application short.
 *
 * The origin of a member must not be written through another member. After a crash in the midst of it some members may
 * exist, and others not: see selsnap_group_check().
 *
 * @param[in]  members       Context and options of each. Their order gives the numbers of the members.
 * @param[in]  count         1 to ::SELSNAP_GROUP_MEMBERS_MAX.
 * @param[in]  options       NULL for the defaults.
 * @param[out] ret_group_id  ::SELSNAP_GROUP_ID_SIZE bytes; NULL is allowed.
 * @param[out] ret_ids       The snapshots' ids, @p count of them; NULL is allowed.
 *
 * @retval SELSNAP_EINVAL      An argument or option is not allowed, or a context is there twice; nothing changed, and no
 *                             callback was called.
 * @retval SELSNAP_ELIMIT      Too many members, too long a name, or as with selsnap_snapshot_create(); nothing changed.
 * @retval SELSNAP_ECANCELED   @p before said so; nothing changed.
 * @retval SELSNAP_EBUSY       The points could not be taken in time; nothing changed, and the writers go on.
 * @retval SELSNAP_EEXIST      A snapshot has that name; nothing changed. selsnap_last_error() of its context tells, here and
 *                             below.
 * @retval SELSNAP_ENOENT      There is no such designation; nothing changed.
 * @retval SELSNAP_ENOSPACE    No member is left: those made are deleted again.
 * @retval SELSNAP_EIO         An origin could not be flushed; no member is left.
 * @retval SELSNAP_ESTORE      A store failed. No member is seen in these contexts; where a store still fails, its member may be
 *                             there after the next open.
 * @retval SELSNAP_EDAMAGED    As with selsnap_snapshot_create(); no member is left.
 * @retval SELSNAP_EMEMLIMIT   No room for one more snapshot; no member is left.
 * @retval SELSNAP_ENOMEM      No memory; no member is left.
 * @retval SELSNAP_EREADONLY   A context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  A store was abandoned; nothing changed.
 *
 * @threading   Any thread; several may make groups of the same contexts. The callbacks are called on this one.
 * @durability  On ::SELSNAP_OK all members are durable, with what their origins had acknowledged before the points.
 * @since 0.1
 */
SELSNAP_API int selsnap_group_create(const selsnap_group_member *members, uint32_t count,
                                     const selsnap_group_options *options, uint8_t *ret_group_id,
                                     uint64_t *ret_ids) SELSNAP_MUST_CHECK;

/** @brief Of which group a snapshot is a member. */
typedef struct selsnap_group_info {
    uint32_t struct_size;              /**< sizeof(selsnap_group_info). */
    uint32_t member;                   /**< The snapshot's number in the group, from 0. */
    uint32_t members;                  /**< Members that the group was made with. */
    uint32_t reserved;                 /**< 0. */
    int64_t time_ns;                   /**< The group's time, nanoseconds since 1970 UTC. */
    uint8_t id[SELSNAP_GROUP_ID_SIZE]; /**< The group's id. */
    char name[SELSNAP_NAME_MAX + 1];   /**< The group's name; may be empty. */
} selsnap_group_info;

/**
 * @brief The group that a snapshot was made in.
 * @param[in]     ss        Context.
 * @param[in]     id        The snapshot.
 * @param[in,out] ret_info  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No such snapshot, or it was made alone.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_group(selsnap *ss, uint64_t id, selsnap_group_info *ret_info) SELSNAP_MUST_CHECK;

/** @brief What there is of a group. */
typedef struct selsnap_group_status {
    uint32_t struct_size; /**< sizeof(selsnap_group_status). */
    uint32_t complete;    /**< 1: every member is there. */
    uint32_t members;     /**< Members that it was made with. */
    uint32_t present;     /**< Of these, found in the contexts given. */
    uint32_t missing;     /**< The others: in other contexts, deleted, or never made. */
    uint32_t reserved;    /**< 0. */
} selsnap_group_status;

/**
 * @brief Count the members of a group that several contexts have.
 * @param[in]     contexts    Where to look; one that is there twice counts once.
 * @param[in]     count       How many.
 * @param[in]     group_id    ::SELSNAP_GROUP_ID_SIZE bytes.
 * @param[in,out] ret_status  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No context has a member of it.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in a store failed its check, or two members contradict each other.
 * @retval SELSNAP_ESTORE    A store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread; a moment's view, context by context.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_group_check(selsnap *const *contexts, uint32_t count, const uint8_t *group_id,
                                    selsnap_group_status *ret_status) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
