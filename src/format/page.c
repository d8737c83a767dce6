/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See page.h. The layout is that of docs/format.md, section 4. The order of the checks is the order in which a reader
 * finds the reason most telling: what page it is first, then its bytes, then their meaning.
 */
#include "page.h"

#include "checksum.h"

#include <assert.h>
#include <string.h>

static const uint8_t magic[4] = {'S', 'S', 'N', 'T'};

static unsigned offset_of(const uint8_t *page, unsigned index) {
    return ssn_get16(page + SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * index);
}

/* The bytes of the item at p, of which `room` are inside the page; 0: it does not fit, or its value is too long. */
static size_t item_size(const uint8_t *p, size_t room, bool leaf) {
    if (!leaf) {
        return room >= SSN_INNER_ITEM ? SSN_INNER_ITEM : 0;
    }
    if (room < SSN_LEAF_ITEM_MIN) {
        return 0;
    }
    size_t len = ssn_get16(p + SSN_KEY_SIZE);
    if (len == SSN_HOLE_LEN) {
        return room >= SSN_HOLE_ITEM ? SSN_HOLE_ITEM : 0;
    }
    if (len > SSN_VALUE_MAX || len > room - SSN_LEAF_ITEM_MIN) {
        return 0;
    }
    return SSN_LEAF_ITEM_MIN + len;
}

static const char *check_items(const uint8_t *page, const struct ssn_page_expect *expect) {
    unsigned count = ssn_page_count(page);
    if (count == 0) {
        return "it has no items";
    }
    if (count > SSN_PAGE_ROOM / SSN_PAGE_SLOT) {
        return "more items than fit";
    }
    struct ssn_key before = {0, 0, 0};
    size_t at = SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * count;
    for (unsigned i = 0; i < count; i++) {
        if (offset_of(page, i) != at) {
            return "an item's offset is wrong";
        }
        size_t size = item_size(page + at, SSN_PAGE_SIZE - at, expect->level == 0);
        if (size == 0) {
            return "an item does not fit";
        }
        struct ssn_key key;
        ssn_key_decode(page + at, &key);
        if (i > 0 && ssn_key_compare(&before, &key) >= 0) {
            return "keys do not rise";
        }
        before = key;
        if (expect->level == 0 && ssn_get16(page + at + SSN_KEY_SIZE) == SSN_HOLE_LEN) {
            ssn_key_decode(page + at + SSN_LEAF_ITEM_MIN, &before);
            if (ssn_key_compare(&before, &key) < 0) {
                return "a hole ends before it begins";
            }
        }
        if (expect->level > 0) {
            uint64_t place = ssn_get64(page + at + SSN_KEY_SIZE);
            if (place < expect->first_place || place >= expect->store_pages) {
                return "a child's place is outside the area";
            }
        }
        at += size;
    }
    return ssn_is_zero(page + at, SSN_PAGE_SIZE - at) ? NULL : "bytes after the items are not zero";
}

const char *ssn_page_check(const uint8_t *page, const struct ssn_page_expect *expect) {
    if (ssn_get64(page) != expect->checksum) {
        return "the pointer has another checksum";
    }
    if (ssn_checksum(page + 8, SSN_PAGE_SIZE - 8) != expect->checksum) {
        return "the checksum does not match";
    }
    if (memcmp(page + 8, magic, sizeof magic) != 0) {
        return "it is no tree page";
    }
    if (expect->level > SSN_LEVEL_MAX || ssn_page_level(page) != expect->level) {
        return "it has another level";
    }
    if (page[13] != 0) {
        return "reserved bytes are not zero";
    }
    if (ssn_page_place(page) != expect->place) {
        return "it belongs to another place";
    }
    if (memcmp(page + 32, expect->store_id, SSN_STORE_ID_SIZE) != 0) {
        return "it belongs to another store";
    }
    return check_items(page, expect);
}

const uint8_t *ssn_page_item(const uint8_t *page, unsigned index, size_t *ret_size) {
    assert(index < ssn_page_count(page));
    unsigned at = offset_of(page, index);
    *ret_size = item_size(page + at, SSN_PAGE_SIZE - at, ssn_page_level(page) == 0);
    return page + at;
}

void ssn_page_key(const uint8_t *page, unsigned index, struct ssn_key *ret_key) {
    assert(index < ssn_page_count(page));
    ssn_key_decode(page + offset_of(page, index), ret_key);
}

bool ssn_page_hole(const uint8_t *page, unsigned index, struct ssn_key *ret_last) {
    assert(ssn_page_level(page) == 0 && index < ssn_page_count(page));
    const uint8_t *item = page + offset_of(page, index);
    bool hole = ssn_get16(item + SSN_KEY_SIZE) == SSN_HOLE_LEN;
    if (hole) {
        ssn_key_decode(item + SSN_LEAF_ITEM_MIN, ret_last);
    }
    return hole;
}

const uint8_t *ssn_page_value(const uint8_t *page, unsigned index, uint16_t *ret_len) {
    assert(ssn_page_level(page) == 0 && index < ssn_page_count(page));
    const uint8_t *item = page + offset_of(page, index);
    *ret_len = ssn_get16(item + SSN_KEY_SIZE);
    assert(*ret_len <= SSN_VALUE_MAX);
    return item + SSN_LEAF_ITEM_MIN;
}

void ssn_page_child(const uint8_t *page, unsigned index, uint64_t *ret_place, uint64_t *ret_checksum) {
    assert(ssn_page_level(page) > 0 && index < ssn_page_count(page));
    const uint8_t *item = page + offset_of(page, index);
    *ret_place = ssn_get64(item + SSN_KEY_SIZE);
    *ret_checksum = ssn_get64(item + SSN_KEY_SIZE + 8);
}

size_t ssn_page_used(const uint8_t *page) {
    size_t size;
    const uint8_t *last = ssn_page_item(page, ssn_page_count(page) - 1, &size);
    return (size_t)(last - page) + size;
}

unsigned ssn_page_find(const uint8_t *page, const struct ssn_key *key) {
    unsigned low = 0;
    unsigned high = ssn_page_count(page);
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        struct ssn_key there;
        ssn_page_key(page, middle, &there);
        if (ssn_key_compare(&there, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int ssn_page_find_last(const uint8_t *page, const struct ssn_key *key) {
    unsigned index = ssn_page_find(page, key);
    if (index < ssn_page_count(page)) {
        struct ssn_key there;
        ssn_page_key(page, index, &there);
        if (ssn_key_compare(&there, key) == 0) {
            return (int)index;
        }
    }
    return (int)index - 1;
}

size_t ssn_page_encode_leaf_item(uint8_t *p, const struct ssn_key *key, const uint8_t *value, uint16_t len) {
    assert(len <= SSN_VALUE_MAX);
    ssn_key_encode(p, key);
    ssn_put16(p + SSN_KEY_SIZE, len);
    if (len > 0) {
        memcpy(p + SSN_LEAF_ITEM_MIN, value, len);
    }
    return SSN_LEAF_ITEM_MIN + (size_t)len;
}

size_t ssn_page_encode_inner_item(uint8_t *p, const struct ssn_key *key, uint64_t place, uint64_t checksum) {
    ssn_key_encode(p, key);
    ssn_put64(p + SSN_KEY_SIZE, place);
    ssn_put64(p + SSN_KEY_SIZE + 8, checksum);
    return SSN_INNER_ITEM;
}

size_t ssn_page_encode_hole(uint8_t *p, const struct ssn_key *first, const struct ssn_key *last) {
    assert(ssn_key_compare(first, last) <= 0);
    ssn_key_encode(p, first);
    ssn_put16(p + SSN_KEY_SIZE, SSN_HOLE_LEN);
    ssn_key_encode(p + SSN_LEAF_ITEM_MIN, last);
    return SSN_HOLE_ITEM;
}

uint64_t ssn_page_build(uint8_t *page, const struct ssn_page_head *head, const uint8_t *items, size_t len,
                        unsigned count) {
    assert(count > 0 && head->level <= SSN_LEVEL_MAX);
    assert(count <= SSN_PAGE_ROOM / SSN_PAGE_SLOT && len <= SSN_PAGE_ROOM - (size_t)SSN_PAGE_SLOT * count);
    memset(page, 0, SSN_PAGE_SIZE);
    memcpy(page + 8, magic, sizeof magic);
    page[12] = (uint8_t)head->level;
    ssn_put16(page + 14, (uint16_t)count);
    ssn_put64(page + 16, head->place);
    ssn_put64(page + 24, head->sequence);
    memcpy(page + 32, head->store_id, SSN_STORE_ID_SIZE);
    size_t start = SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * count;
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        ssn_put16(page + SSN_PAGE_HEADER + (size_t)SSN_PAGE_SLOT * i, (uint16_t)(start + at));
        size_t size = item_size(items + at, len - at, head->level == 0);
        assert(size != 0);
        at += size;
    }
    assert(at == len);
    memcpy(page + start, items, len);
    uint64_t checksum = ssn_checksum(page + 8, SSN_PAGE_SIZE - 8);
    ssn_put64(page, checksum);
    return checksum;
}
