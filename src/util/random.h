/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness of the system, for names that no two stores share. */
#ifndef SSN_RANDOM_H
#define SSN_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* false: the system has none now; what is in buf is anything. */
bool ssn_random(void *buf, size_t len);

#endif
