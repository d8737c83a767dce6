/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file clone.h
 * @brief Clones: new snapshots with the point and the blocks of one there is. Included by selsnap.h.
 */
#ifndef SELSNAP_CLONE_H
#define SELSNAP_CLONE_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup clones Clones
 * Snapshots of the same point as another, to be written into apart from it.
 * @{ */

/** @brief For selsnap_clone_options.flags: begin with what was written into the source, without copying it. */
#define SELSNAP_CLONE_AS_CHANGED 0x1u

/** @brief What to clone, and how. */
typedef struct selsnap_clone_options {
    uint32_t struct_size;               /**< sizeof(selsnap_clone_options). */
    uint32_t flags;                     /**< SELSNAP_CLONE_*. */
    uint64_t source_id;                 /**< The snapshot to clone; it may be a clone. */
    const char *name;                   /**< Of the clone: 1 to 255 bytes; no live snapshot has it. */
    const selsnap_property *properties; /**< Of the clone; or NULL. The source's are not taken over. */
    uint32_t property_count;            /**< Properties; at most 16. */
    uint32_t policy;                    /**< Of the clone: SELSNAP_POLICY_*. The source's is not taken over. */
    int64_t time_ns;                    /**< Time to note, nanoseconds since 1970 UTC; 0: now. */
} selsnap_clone_options;
/** @brief Default ::selsnap_clone_options. */
#define SELSNAP_CLONE_OPTIONS_INIT {sizeof(selsnap_clone_options), 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Make a snapshot of the same point and the same blocks as one there is.
 *
 * The clone has an id, name, policy, holds of its own, and nothing of what is later written into the source is seen in
 * it, nor the reverse. Either may be deleted first. As long as both live, a block is preserved once for both; if one of
 * them says to fail a write that cannot be preserved for, it fails. What the source has lost, the clone has not either.
 *
 * Without SELSNAP_CLONE_AS_CHANGED it begins as the source was taken. It costs one record, whatever the sizes; no
 * writer waits, and the origin is not touched.
 *
 * With it, it begins as the source is now, and later resets go back to how the source was taken. What is not flushed of
 * the source is flushed first. Nothing is copied: what was written so far becomes a layer that both read through, which
 * goes with the last of them. Reads look through at most 32 layers; a source that has them all cannot be cloned so.
 *
 * @param[in]  ss       Context.
 * @param[in]  options  What to clone.
 * @param[out] ret_id   The clone's id; NULL is allowed.
 *
 * @retval SELSNAP_ENOENT      There is no such snapshot; nothing changed.
 * @retval SELSNAP_EEXIST      The name is taken; nothing changed.
 * @retval SELSNAP_EINVAL      An option is not allowed; nothing changed.
 * @retval SELSNAP_ENODATA     The source is a bookmark; nothing changed.
 * @retval SELSNAP_ELIMIT      A name or property is too long, or there are too many layers; nothing changed.
 * @retval SELSNAP_EMEMLIMIT   No room for its record under the memory limit; nothing changed.
 * @retval SELSNAP_ENOSPACE    The store is full; there is no clone.
 * @retval SELSNAP_ESTORE      The store failed; there is no clone now, but there may be one after the next open.
 * @retval SELSNAP_EDAMAGED    Metadata in the store failed its check; there is no clone.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store is abandoned; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; there is no clone.
 *
 * @threading   Any thread; calls that change snapshots take turns.
 * @durability  On ::SELSNAP_OK the clone is durable.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_clone(selsnap *ss, const selsnap_clone_options *options,
                                       uint64_t *ret_id) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
