/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file error.h
 * @brief Result codes of every libselsnap call.
 *
 * Every function that can fail returns ::SELSNAP_OK (0) or one of the negative codes below. The values never change.
 * More detail (which block, which page, what was expected) is given by selsnap_last_error() and by the log callback.
 */
#ifndef SELSNAP_ERROR_H
#define SELSNAP_ERROR_H

#include <selsnap/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup errors Result codes
 * What calls return, as text and by name.
 * @{ */

#define SELSNAP_OK 0             /**< Success. */
#define SELSNAP_EINVAL (-1)      /**< An argument is wrong; nothing was done. */
#define SELSNAP_ENOMEM (-2)      /**< The allocator gave no memory, or the memory limit left none. */
#define SELSNAP_ERANGE (-3)      /**< Outside the device, or a size that does not fit. */
#define SELSNAP_EALIGN (-4)      /**< Not aligned as the device requires. */
#define SELSNAP_EIO (-5)         /**< The origin (or a device used directly) failed. */
#define SELSNAP_ESTORE (-6)      /**< The store failed; what it acknowledged before is safe. */
#define SELSNAP_ENOSPACE (-7)    /**< The store has no room. */
#define SELSNAP_ENOENT (-8)      /**< No such snapshot, designation, property or job. */
#define SELSNAP_EEXIST (-9)      /**< The name is taken. */
#define SELSNAP_EBUSY (-10)      /**< In use: an open view, a running restore, an overlapping restore. */
#define SELSNAP_EHELD (-11)      /**< The snapshot is held and cannot be deleted. */
#define SELSNAP_ELOCKED (-12)    /**< Another process or context has the device open. */
#define SELSNAP_EREADONLY (-13)  /**< Opened read-only, or the device is. */
#define SELSNAP_ENOTSTORE (-14)  /**< The device holds no store. */
#define SELSNAP_EVERSION (-15)   /**< The store uses features this version does not know. */
#define SELSNAP_EDAMAGED (-16)   /**< Metadata or preserved data failed its check. */
#define SELSNAP_ELOST (-17)      /**< The block was given up for lack of room, could not be read when it changed, or was damaged before a repair. */
#define SELSNAP_EUNDESIGNATED (-18) /**< The snapshot does not designate the block. */
#define SELSNAP_EORIGIN (-19)    /**< The store belongs to another origin. */
#define SELSNAP_ECHANGED (-20)   /**< The origin was changed outside the library since the store was closed. */
#define SELSNAP_EOVERLAP (-21)   /**< Store and origin are, or may be, the same storage. */
#define SELSNAP_EMEMLIMIT (-22)  /**< The memory limit is too small for this; nothing was done. */
#define SELSNAP_ELIMIT (-23)     /**< A documented limit (length of a name, size of a property) is passed. */
#define SELSNAP_ENOTSUP (-24)    /**< The device, or libselsnap as it was built, cannot do this. */
#define SELSNAP_ECANCELED (-25)  /**< The progress callback asked to stop; what was done stays done. */
#define SELSNAP_EABANDONED (-26) /**< The host abandoned the store; snapshots are no longer kept. */
#define SELSNAP_ETOOSMALL (-27)  /**< The store device is too small. */
#define SELSNAP_ENODATA (-28)    /**< A bookmark keeps no data. */
#define SELSNAP_EBASE (-29)      /**< The increment does not fit its base, or a stream does not go on where it broke off. */
#define SELSNAP_ESTREAM (-30)    /**< The stream is damaged, cut, or of a kind not known. */
#define SELSNAP_EQUOTA (-31)     /**< The snapshot's quota leaves no room for the write into it. */

/**
 * @brief A short text for a result code, in English.
 *
 * @param[in] code  Any value; unknown ones get a text that says so.
 * @return A static string, never NULL.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API const char *selsnap_strerror(int code);

/**
 * @brief The constant's name for a result code, such as "SELSNAP_ENOSPACE".
 *
 * @param[in] code  Any value; unknown ones give "SELSNAP_E?".
 * @return A static string, never NULL.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API const char *selsnap_error_name(int code);
/** @} */

#ifdef __cplusplus
}
#endif
#endif
