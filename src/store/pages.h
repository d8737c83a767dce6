/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lookups and builds of the tree share: pages by their pointers, verified, through the cache or past it.
 *
 * A span is a pointer together with the keys that the page may hold, as the page above tells: at least low, and below
 * high. With it, a page is refused that is good by itself but stands where it does not belong; so no page can be met
 * twice in one tree, and a walk over hostile bytes ends.
 */
#ifndef SSN_PAGES_H
#define SSN_PAGES_H

#include "page.h"
#include "tree.h"

struct ssn_span {
    struct ssn_root root;
    struct ssn_key low;
    struct ssn_key high; /* only if bounded */
    bool bounded;
};

struct ssn_pin {
    const uint8_t *page; /* does not change while pinned */
    uint32_t slot;
};

/* The whole tree. */
struct ssn_span ssn_span_of_root(const struct ssn_root *root);
/* Child `index` of an inner page of this span. */
struct ssn_span ssn_span_child(const struct ssn_span *span, const uint8_t *page, unsigned index);

/* The keys that are lost with the span's page. */
struct ssn_lost ssn_span_lost(const struct ssn_span *span);

/*
 * Pins a verified page in the cache; SELSNAP_EDAMAGED, SELSNAP_ESTORE. Waits if every slot is pinned: whoever pins must
 * not wait for another pin.
 */
int ssn_pages_pin(struct ssn_pages *pages, const struct ssn_span *span, struct ssn_pin *ret_pin);
void ssn_pages_unpin(struct ssn_pages *pages, const struct ssn_pin *pin);
/* From now on the page with this pointer is not read: it is this one, which has passed its check. SELSNAP_ENOMEM. */
int ssn_pages_mend(struct ssn_pages *pages, const struct ssn_root *root, const uint8_t *page);
/* Past the cache: fills `page`. Results as for pin. */
int ssn_pages_read(struct ssn_pages *pages, const struct ssn_span *span, uint8_t *page);
/* Writes `count` new pages, one after another, and keeps what the cache has room for. SELSNAP_ESTORE. */
int ssn_pages_write(struct ssn_pages *pages, uint64_t place, const uint8_t *bytes, uint64_t count);

const uint8_t *ssn_pages_store_id(const struct ssn_pages *pages);
struct ssn_mem *ssn_pages_mem(const struct ssn_pages *pages);
struct ssn_report *ssn_pages_report(const struct ssn_pages *pages);

#endif
