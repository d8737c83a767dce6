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
/** @} */

#ifdef __cplusplus
}
#endif
#endif
