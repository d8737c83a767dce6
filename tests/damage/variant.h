/* SPDX-License-Identifier: Apache-2.0 */
/* One way to damage a store. Its name says all of it: a variant is made again from its name. */
#ifndef SSN_TEST_VARIANT_H
#define SSN_TEST_VARIANT_H

#include "scene.h"

enum variant_kind { VARIANT_NONE, VARIANT_BIT, VARIANT_ZERO, VARIANT_OTHER, VARIANT_OLDER, VARIANT_CUT };

struct variant {
    unsigned scene;
    uint8_t kind;   /* enum variant_kind */
    uint64_t at;    /* BIT: bit of the store; ZERO, OTHER, OLDER: page; CUT: size */
    uint32_t other; /* OTHER: page; OLDER: which */
};

enum { VARIANT_NAME = 64 };
void variant_name(const struct variant *variant, char *name);
bool variant_parse(const char *name, struct variant *ret_variant);
/* Damages `image`, a copy of the scene's store. Gives its size; false: it is as it was. */
bool variant_apply(const struct variant *variant, const struct scene *scene, uint8_t *image, uint64_t *ret_size);

/* All variants, or CI's share of them, in a list that grows. */
struct variants {
    struct variant *item;
    size_t count;
    size_t capacity;
};
void variants_list(struct variants *list, const struct scene *scene, unsigned scene_number, bool all);

#endif
