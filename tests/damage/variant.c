/* SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"none", "bit", "zero", "other", "older", "cut"};
enum { KINDS = sizeof kinds / sizeof kinds[0], PAGE_BITS = SCENE_PAGE * 8 };

void variant_name(const struct variant *variant, char *name) {
    (void)snprintf(name, VARIANT_NAME, "%u:%s:%" PRIu64 ":%" PRIu32, variant->scene, kinds[variant->kind], variant->at,
                   variant->other);
}

bool variant_parse(const char *name, struct variant *ret_variant) {
    char kind[16];
    if (sscanf(name, "%u:%15[a-z]:%" SCNu64 ":%" SCNu32, &ret_variant->scene, kind, &ret_variant->at,
               &ret_variant->other) != 4) {
        return false;
    }
    for (unsigned i = 0; i < KINDS; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            ret_variant->kind = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool variant_apply(const struct variant *variant, const struct scene *scene, uint8_t *image, uint64_t *ret_size) {
    bool cut = variant->kind == VARIANT_CUT;
    *ret_size = cut ? variant->at : SCENE_STORE;
    if (cut || variant->kind == VARIANT_NONE) {
        return cut;
    }
    if (variant->kind == VARIANT_BIT) {
        image[variant->at / 8] ^= (uint8_t)(1u << variant->at % 8);
        return true;
    }
    uint8_t *page = image + variant->at * SCENE_PAGE;
    uint8_t before[SCENE_PAGE];
    memcpy(before, page, SCENE_PAGE);
    if (variant->kind == VARIANT_ZERO) {
        memset(page, 0, SCENE_PAGE);
    } else {
        const uint8_t *from = variant->kind == VARIANT_OTHER ? scene->store + (size_t)variant->other * SCENE_PAGE
                                                             : scene->older[variant->other] + variant->at * SCENE_PAGE;
        memcpy(page, from, SCENE_PAGE);
    }
    return memcmp(before, page, SCENE_PAGE) != 0;
}

static void add(struct variants *list, unsigned scene, enum variant_kind kind, uint64_t at, uint32_t other) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 4096 : 2 * list->capacity;
        list->item = realloc(list->item, list->capacity * sizeof *list->item);
        assert_non_null(list->item);
    }
    list->item[list->count++] = (struct variant){scene, (uint8_t)kind, at, other};
}

/* Which bits of a page are flipped. In a build: one or two of each byte of a superblock, of a sector's header and of a
 * page's header; otherwise a bit of some bytes, chosen by where they are. */
static void list_bits(struct variants *list, unsigned scene, uint8_t kind, uint64_t page, bool all) {
    uint64_t end = kind == PAGE_SUPER ? 512 : SCENE_PAGE;
    for (uint64_t byte = 0; byte < end; byte++) {
        bool header = kind == PAGE_SUPER || (kind == PAGE_JOURNAL && byte % 512 < 56 && page % 4 == 0) ||
                      ((kind == PAGE_TREE || kind == PAGE_LEDGER) && byte < 48);
        uint64_t first = (page * SCENE_PAGE + byte) * 8;
        if (all) {
            for (unsigned bit = 0; bit < 8; bit++) {
                add(list, scene, VARIANT_BIT, first + bit, 0);
            }
        } else if (header) {
            add(list, scene, VARIANT_BIT, first + byte % 8, 0);
            if (kind == PAGE_SUPER) {
                add(list, scene, VARIANT_BIT, first + (byte + 3) % 8, 0);
            }
        } else if ((page + byte) % 60 == 0) {
            add(list, scene, VARIANT_BIT, first + (page * 5 + byte / 60) % 8, 0);
        }
    }
}

static bool is_metadata(uint8_t kind) {
    return kind == PAGE_SUPER || kind == PAGE_JOURNAL || kind == PAGE_LEDGER || kind == PAGE_TREE;
}

/* A page of the journal in the last batch may not become an older version of itself: P8's limit. */
static void list_pages(struct variants *list, const struct scene *scene, unsigned number, unsigned page, bool all) {
    add(list, number, VARIANT_ZERO, page, 0);
    for (unsigned i = 0; i < scene->older_count; i++) {
        if (!scene->in_last_batch[page]) {
            add(list, number, VARIANT_OLDER, page, i);
        }
    }
    for (unsigned other = 0; other < SCENE_PAGES; other++) {
        bool chosen = all ? scene->kind[other] != PAGE_UNUSED : (page * 7 + other * 3) % 89 == 0;
        if (other != page && chosen && (all || scene->kind[other] != PAGE_UNUSED)) {
            add(list, number, VARIANT_OTHER, page, other);
        }
    }
}

void variants_list(struct variants *list, const struct scene *scene, unsigned scene_number, bool all) {
    add(list, scene_number, VARIANT_NONE, 0, 0);
    for (unsigned page = 0; page < SCENE_PAGES; page++) {
        uint8_t kind = scene->kind[page];
        if (is_metadata(kind)) {
            list_bits(list, scene_number, kind, page, all);
            list_pages(list, scene, scene_number, page, all);
        } else if (kind == PAGE_DATA) {
            add(list, scene_number, VARIANT_BIT, (uint64_t)page * PAGE_BITS + page * 37 % PAGE_BITS, 0);
            add(list, scene_number, VARIANT_ZERO, page, 0);
        }
        if (page > 0) {
            add(list, scene_number, VARIANT_CUT, (uint64_t)page * SCENE_PAGE, 0);
        }
        if (page % 16 == 3 || all) {
            add(list, scene_number, VARIANT_CUT, (uint64_t)page * SCENE_PAGE + 1 + page * 13 % (SCENE_PAGE - 1), 0);
        }
    }
}
