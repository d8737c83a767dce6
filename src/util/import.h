/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs that begin with struct_size, in and out. A shorter struct of the caller reads as zeros at its end; a longer
 * one is accepted only if what we do not know of it is zero.
 */
#ifndef SSN_IMPORT_H
#define SSN_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies the caller's struct (NULL: all default) into ours. false: its size is nonsense, or it asks what we do not
 * know. */
bool ssn_import(void *ours, size_t our_size, const void *theirs);
/* Copies ours into the caller's, at most its struct_size bytes, which stays. false: its size is nonsense. */
bool ssn_export(void *theirs, const void *ours, size_t our_size);

#endif
