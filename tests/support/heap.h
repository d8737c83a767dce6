/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for selsnap_open_options that counts, and fails when told to. Any thread. */
#ifndef SSN_TEST_HEAP_H
#define SSN_TEST_HEAP_H

#include <selsnap/selsnap.h>
#include <stdatomic.h>
#include <stdbool.h>

struct heap {
    _Atomic int64_t live;     /* pieces allocated and not released */
    _Atomic uint64_t calls;   /* calls that allocate or grow, so far */
    _Atomic uint64_t fail_at; /* the call of this number fails; 0: none */
    _Atomic uint64_t failed;  /* calls that failed so */
    _Atomic bool fail_on;     /* all later ones fail as well */
    /* What is allocated and released is filled, but of big pieces only the beginning, so that a page cache costs what is
     * used of it. Not for programs that Valgrind or MemorySanitizer run: to them it would be initialized. */
    bool fills;
};

/* All zeros is ready for use. */
selsnap_allocator heap_allocator(struct heap *heap);
/* The n-th call from now on fails (1: the next), and with for_good each later one. */
void heap_fail(struct heap *heap, uint64_t nth, bool for_good);
void heap_mend(struct heap *heap);

#endif
