/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file version.h
 * @brief The version these headers belong to, and the export macro. Made from version.h.in; do not edit.
 */
#ifndef SELSNAP_VERSION_H
#define SELSNAP_VERSION_H

#include <stdint.h>

#define SELSNAP_VERSION_MAJOR 0 /**< Changes when a program must be changed. */
#define SELSNAP_VERSION_MINOR 1 /**< Changes when something is added. */
#define SELSNAP_VERSION_PATCH 0 /**< Changes when something is mended. */
#define SELSNAP_VERSION_STRING "0.1.0" /**< All of it as text. */

#ifndef SELSNAP_API
#if defined(__GNUC__) && !defined(_WIN32) /* there the DLL's module definition exports them */
#define SELSNAP_API __attribute__((visibility("default")))
#else
#define SELSNAP_API
#endif
#endif

/** Marks results that must not be ignored. */
#if defined(__GNUC__)
#define SELSNAP_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SELSNAP_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief The version of the library that is running, as major * 1000000 + minor * 1000 + patch.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API uint32_t selsnap_version(void);

/**
 * @brief The version of the library that is running, as text: major.minor.patch.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API const char *selsnap_version_string(void);

#ifdef __cplusplus
}
#endif
#endif
