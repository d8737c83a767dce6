/* SPDX-License-Identifier: Apache-2.0 */
/* For functions that take what printf() takes, so that the compiler looks at it. */
#ifndef SSN_PRINTF_LIKE_H
#define SSN_PRINTF_LIKE_H

#ifdef __MINGW32__ /* whose printf() could be Windows' own, but is not */
#define PRINTF_LIKE(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#endif

#endif
