/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file diff.h
 * @brief Bookmarks, and what changed between two points in time. Included by selsnap.h.
 */
#ifndef SELSNAP_DIFF_H
#define SELSNAP_DIFF_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup diff Bookmarks and diff
 * A bookmark is a snapshot without data: it records which of its blocks changed. It costs a record per first change, and
 * what it records is exactly what a diff needs. It is made by selsnap_snapshot_create() with
 * ::SELSNAP_SNAPSHOT_BOOKMARK, or out of a snapshot that has done its work, such as one that a backup was taken of.
 * @{ */

/**
 * @brief Turn a snapshot into a bookmark of the same point, id and name. Its data is given up, with what was written into it.
 *
 * The space comes back by selsnap_step(), as after a deletion. Works on a full store. A bookmark is left as it is.
 *
 * @param[in] ss  Context.
 * @param[in] id  The snapshot.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_EHELD       It is held; nothing changed.
 * @retval SELSNAP_EBUSY       A view of it is open, or a restore reads from it; nothing changed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      It may be a bookmark already, and then stays one; if it is, and the store does not have it so
 *                             yet, it becomes one there when that answers again. After a crash it may be a whole snapshot.
 * @retval SELSNAP_ENOSPACE    Not even the record could be written; nothing changed.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_make_bookmark(selsnap *ss, uint64_t id) SELSNAP_MUST_CHECK;

#define SELSNAP_DIFF_CHANGED 1u /**< May differ: false positives are possible, false negatives never. */
#define SELSNAP_DIFF_UNKNOWN 2u /**< In `to`, but `from` does not track it. */
#define SELSNAP_DIFF_LOST 3u    /**< Changed, and the content in `to` is lost. */

/** @brief Between what. */
typedef struct selsnap_diff_options {
    uint32_t struct_size;         /**< sizeof(selsnap_diff_options). */
    uint32_t flags;               /**< 0. */
    uint64_t from_id;             /**< A snapshot or bookmark, not younger than `to`. */
    uint64_t to_id;               /**< A snapshot or bookmark; 0: the live device, as it is now. */
    const selsnap_subset *within; /**< Only these blocks; NULL: all. */
} selsnap_diff_options;
/** @brief Default ::selsnap_diff_options. */
#define SELSNAP_DIFF_OPTIONS_INIT {sizeof(selsnap_diff_options), 0, 0, 0, 0}

/** @brief A range of blocks that may differ. */
typedef struct selsnap_diff_range {
    uint64_t offset;   /**< Bytes. */
    uint64_t len;      /**< Bytes; whole blocks, but for the end of `to`. */
    uint32_t kind;     /**< SELSNAP_DIFF_*. */
    uint32_t reserved; /**< 0. */
} selsnap_diff_range;

/**
 * @brief The first range, at or after @p offset, of blocks that may differ between two points.
 *
 * To visit all: begin with 0, go on with offset + len. Blocks in no range are the same at both points. The time it takes
 * follows the number of blocks that changed since `from`, not the size of the device. What was written into a snapshot (by
 * a view) does not count, and neither do blocks that `to` does not designate. A block preserved ahead of a write counts as
 * changed, and so does one that was written with what it held before.
 *
 * @param[in]  ss         Context.
 * @param[in]  options    Between what. Not kept.
 * @param[in]  offset     Bytes; rounded down to a block.
 * @param[out] ret_range  The range. Neighbouring blocks of one kind are one range; of very long ones, the first part.
 *
 * @retval SELSNAP_ENOENT      There is no more.
 * @retval SELSNAP_EINVAL      `from` or `to` does not exist, or does not any more; `from` is younger than `to`; within is
 *                             of other sizes than the origin; flags are not 0; or an argument is NULL.
 * @retval SELSNAP_ERANGE      @p offset is behind the end of the origin.
 * @retval SELSNAP_EABANDONED  The store was abandoned: changes are not recorded any more.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check: it is not known what changed there.
 * @retval SELSNAP_ESTORE      The store could not be read.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 *
 * @threading   Any thread. Up to now: all that returned before the call counts.
 * @durability  Nothing is written. What it tells of changes that are not flushed, a crash may take back with them.
 * @since 0.1
 */
SELSNAP_API int selsnap_diff_next(selsnap *ss, const selsnap_diff_options *options, uint64_t offset,
                                  selsnap_diff_range *ret_range) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
