/* SPDX-License-Identifier: Apache-2.0 */
#include "testdev.h"

#include "test.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A unit of TESTDEV_UNIT bytes that a change not flushed has touched: by which change, and behind it what the unit held
 * before. Undone from the last to the first, they lead back to what is durable. */
struct head {
    uint64_t unit;
    uint64_t change;
    uint64_t first; /* byte of the change */
    uint64_t last;
};

enum { HEAD = sizeof(struct head), RECORD = HEAD + TESTDEV_UNIT };

void wire_init(struct wire *wire, bool tracking) {
    memset(wire, 0, sizeof *wire);
    pthread_mutex_init(&wire->lock, NULL);
    wire->tracking = tracking;
}

void wire_fini(struct wire *wire) {
    pthread_mutex_destroy(&wire->lock);
    free(wire->calls);
    wire->calls = NULL;
}

void wire_cut_after(struct wire *wire, uint64_t calls) {
    pthread_mutex_lock(&wire->lock);
    wire->cut_at = wire->seen + calls;
    pthread_mutex_unlock(&wire->lock);
}

static void *grow(void *memory, size_t *capacity, size_t count, size_t item) {
    if (count < *capacity) {
        return memory;
    }
    *capacity = *capacity * 2 + 64;
    void *grown = realloc(memory, *capacity * item);
    if (grown == NULL) {
        abort();
    }
    return grown;
}

static void log_call(struct testdev *dev, uint32_t op, uint64_t offset, uint64_t len, int result) {
    struct wire *wire = dev->wire;
    if (wire->logging) {
        wire->calls = grow(wire->calls, &wire->call_capacity, wire->call_count, sizeof *wire->calls);
        const struct testdev_call call = {dev->tag, op, offset, len, result};
        wire->calls[wire->call_count++] = call;
    }
}

static unsigned op_index(uint32_t op) {
    unsigned index = 0;
    while ((op >> index) != 1) {
        index++;
    }
    return index;
}

static bool rule_says_fail(struct testdev *dev, uint32_t op) {
    struct testdev_rule *rule = &dev->rule;
    if ((rule->ops & op) == 0) {
        return false;
    }
    if (rule->after > 0) {
        rule->after--;
        return false;
    }
    if (!rule->for_good) {
        rule->ops = 0;
    }
    return true;
}

static bool range_is_bad(const struct testdev *dev, uint32_t op, uint64_t offset, uint64_t len) {
    return (dev->bad_ops & op) != 0 && offset < dev->bad_offset + dev->bad_len && dev->bad_offset < offset + len;
}

/* Counts and logs a call. *ret_cut: this call meets the power cut, and may be done in part. */
static int admit(struct testdev *dev, uint32_t op, uint64_t offset, uint64_t len, bool *ret_cut) {
    struct wire *wire = dev->wire;
    int result = 0;
    *ret_cut = false;
    wire->seen++;
    dev->counts[op_index(op)]++;
    const struct testdev_call call = {dev->tag, op, offset, len, 0};
    int verdict = wire->hook != NULL && !wire->off ? wire->hook(wire->hook_user, dev, &call) : TESTDEV_PASS;
    if (wire->off) {
        result = -ENODEV;
    } else if (verdict < 0) {
        dev->failed++;
        result = verdict;
    } else if (verdict == TESTDEV_CUT || (wire->cut_at != 0 && wire->seen >= wire->cut_at)) {
        wire->off = true;
        *ret_cut = true;
        result = -ENODEV;
    } else if (range_is_bad(dev, op, offset, len) || rule_says_fail(dev, op)) {
        dev->failed++;
        result = -EIO;
    }
    log_call(dev, op, offset, len, result);
    return result;
}

static struct head record_head(const uint8_t *record) {
    struct head head;
    memcpy(&head, record, HEAD);
    return head;
}

static size_t unit_len(uint64_t unit, uint64_t end) {
    uint64_t left = end - unit * TESTDEV_UNIT;
    return left < TESTDEV_UNIT ? (size_t)left : TESTDEV_UNIT;
}

/* Remembers the units that a change is about to touch, as they are now. sure: it will return, and is not cut. */
static void remember(struct testdev *dev, uint64_t offset, uint64_t len, bool sure) {
    if (!dev->wire->tracking || len == 0) {
        return;
    }
    dev->changes++;
    if (dev->kind.write_through && sure) {
        dev->unflushed_count = 0;
        return;
    }
    uint64_t end = dev->kind.most > dev->size ? dev->kind.most : dev->size; /* it may grow before it is undone */
    for (uint64_t unit = offset / TESTDEV_UNIT; unit <= (offset + len - 1) / TESTDEV_UNIT; unit++) {
        dev->unflushed = grow(dev->unflushed, &dev->unflushed_capacity, dev->unflushed_count, RECORD);
        uint8_t *record = dev->unflushed + dev->unflushed_count++ * RECORD;
        const struct head head = {unit, dev->changes, offset, offset + len - 1};
        memcpy(record, &head, HEAD);
        memcpy(record + HEAD, dev->bytes + unit * TESTDEV_UNIT, unit_len(unit, end));
    }
}

/* Takes back, in an image of what the device holds now, each record that is not kept (kept is NULL: every one). */
static void undo(const struct testdev *dev, const bool *kept, uint8_t *image) {
    bool *settled = calloc((size_t)(dev->size / TESTDEV_UNIT + 1), sizeof *settled);
    assert_non_null(settled);
    for (size_t i = dev->unflushed_count; i-- > 0;) {
        const uint8_t *record = dev->unflushed + i * RECORD;
        uint64_t unit = record_head(record).unit;
        settled[unit] = settled[unit] || (kept != NULL && kept[i]);
        if (!settled[unit]) {
            memcpy(image + unit * TESTDEV_UNIT, record + HEAD, unit_len(unit, dev->size));
        }
    }
    free(settled);
}

static int testdev_readv(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct testdev *dev = user;
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        len += iov[i].len;
    }
    bool cut;
    pthread_mutex_lock(&dev->wire->lock);
    int result = admit(dev, TESTDEV_READ, offset, len, &cut);
    for (uint32_t i = 0; i < iov_count && result == 0; i++) {
        memcpy(iov[i].base, dev->bytes + offset, iov[i].len);
        offset += iov[i].len;
    }
    pthread_mutex_unlock(&dev->wire->lock);
    return result;
}

static int testdev_writev(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset) {
    struct testdev *dev = user;
    uint64_t len = 0;
    for (uint32_t i = 0; i < iov_count; i++) {
        len += iov[i].len;
    }
    if (dev->write_us > 0) {
        usleep(dev->write_us);
    }
    bool cut;
    pthread_mutex_lock(&dev->wire->lock);
    uint64_t failed_before = dev->failed;
    int result = admit(dev, TESTDEV_WRITE, offset, len, &cut);
    if (result == 0 || cut || dev->failed > failed_before) {
        uint64_t at = offset;
        uint64_t end = offset + (result == 0 || cut ? len : (len / 2 + TESTDEV_UNIT - 1) / TESTDEV_UNIT * TESTDEV_UNIT);
        end = end < offset + len ? end : offset + len;
        remember(dev, offset, end - offset, result == 0);
        for (uint32_t i = 0; i < iov_count && at < end; i++) {
            size_t part = iov[i].len < end - at ? iov[i].len : (size_t)(end - at);
            memcpy(dev->bytes + at, iov[i].base, dev->end == 0 || at < dev->end ? part : 0);
            at += part;
        }
    }
    pthread_mutex_unlock(&dev->wire->lock);
    return result;
}

static void hang_while(struct testdev *dev, _Atomic bool *hangs) {
    atomic_fetch_add(&dev->hanging, 1);
    while (atomic_load(hangs)) {
        usleep(100);
    }
    atomic_fetch_sub(&dev->hanging, 1);
}

static int testdev_flush(void *user) {
    struct testdev *dev = user;
    bool cut;
    if (dev->flush_us > 0) {
        usleep(dev->flush_us);
    }
    hang_while(dev, &dev->hangs);
    pthread_mutex_lock(&dev->wire->lock);
    int result = admit(dev, TESTDEV_FLUSH, 0, 0, &cut);
    bool forgets = result != 0 && !cut && dev->drops; /* as a page cache does after a failed write-back */
    if (forgets) {
        undo(dev, NULL, dev->bytes);
    }
    dev->unflushed_count = result == 0 || forgets ? 0 : dev->unflushed_count;
    pthread_mutex_unlock(&dev->wire->lock);
    hang_while(dev, &dev->hangs_after);
    return result;
}

static int fill(struct testdev *dev, uint32_t op, int byte, uint64_t offset, uint64_t len) {
    bool cut;
    pthread_mutex_lock(&dev->wire->lock);
    int result = admit(dev, op, offset, len, &cut);
    if (result == 0 || cut) {
        remember(dev, offset, len, result == 0);
        memset(dev->bytes + offset, byte, (size_t)len);
    }
    pthread_mutex_unlock(&dev->wire->lock);
    return result;
}

static int testdev_discard(void *user, uint64_t offset, uint64_t len) {
    return fill(user, TESTDEV_DISCARD, TESTDEV_DISCARDED, offset, len);
}

static int testdev_write_zeroes(void *user, uint64_t offset, uint64_t len) {
    return fill(user, TESTDEV_ZEROES, 0, offset, len);
}

/* A new size is durable at once. */
static int testdev_resize(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes) {
    struct testdev *dev = user;
    bool cut;
    pthread_mutex_lock(&dev->wire->lock);
    int result = admit(dev, TESTDEV_RESIZE, size_bytes, 0, &cut);
    if (result == 0 && size_bytes > dev->size && size_bytes <= dev->kind.most) {
        dev->size = size_bytes;
    }
    *ret_size_bytes = dev->size;
    pthread_mutex_unlock(&dev->wire->lock);
    return result;
}

static void testdev_free(void *user) {
    struct testdev *dev = user;
    free(dev->bytes);
    free(dev->unflushed);
    free(dev);
}

struct testdev *testdev_open(struct wire *wire, char tag, uint64_t size, uint32_t logical, const uint8_t *content) {
    const struct testdev_kind kind = {.logical = logical};
    return testdev_open_kind(wire, tag, size, &kind, content);
}

struct testdev *testdev_open_kind(struct wire *wire, char tag, uint64_t size, const struct testdev_kind *kind,
                                  const uint8_t *content) {
    const selsnap_device_ops ops = {
        .struct_size = sizeof ops,
        .readv = testdev_readv,
        .writev = testdev_writev,
        .flush = testdev_flush,
        .discard = testdev_discard,
        .write_zeroes = testdev_write_zeroes,
        .close = testdev_free,
        .resize = kind->most > 0 ? testdev_resize : NULL,
    };
    selsnap_device_info info = SELSNAP_DEVICE_INFO_INIT;
    info.flags = kind->write_through ? 0 : SELSNAP_DEVICE_VOLATILE_CACHE;
    info.size_bytes = size;
    info.logical_block_bytes = kind->logical;
    info.atomic_write_bytes = kind->atomic;
    struct testdev *dev = calloc(1, sizeof *dev);
    assert_non_null(dev);
    dev->wire = wire;
    dev->tag = tag;
    dev->size = size;
    dev->kind = *kind;
    size_t most = (size_t)(kind->most > size ? kind->most : size);
    dev->bytes = calloc(1, most);
    assert_non_null(dev->bytes);
    if (content != NULL) {
        memcpy(dev->bytes, content, (size_t)size);
    }
    assert_ok(selsnap_device_open(&ops, &info, dev, &dev->device));
    return dev;
}

void testdev_fail(struct testdev *dev, uint32_t ops, uint64_t nth, bool for_good) {
    pthread_mutex_lock(&dev->wire->lock);
    dev->rule.ops = ops;
    dev->rule.after = nth - 1;
    dev->rule.for_good = for_good;
    dev->failed = 0;
    pthread_mutex_unlock(&dev->wire->lock);
}

void testdev_mend(struct testdev *dev) {
    pthread_mutex_lock(&dev->wire->lock);
    dev->rule.ops = 0;
    dev->bad_ops = 0;
    pthread_mutex_unlock(&dev->wire->lock);
}

uint64_t testdev_count(struct testdev *dev, uint32_t op) {
    pthread_mutex_lock(&dev->wire->lock);
    uint64_t count = dev->counts[op_index(op)];
    pthread_mutex_unlock(&dev->wire->lock);
    return count;
}

unsigned testdev_pending(struct testdev *dev) {
    unsigned count = 0;
    uint64_t change = 0;
    for (size_t i = 0; i < dev->unflushed_count; i++) {
        const struct head head = record_head(dev->unflushed + i * RECORD);
        count += head.change != change ? 1 : 0;
        change = head.change;
    }
    return count;
}

bool testdev_can_tear(struct testdev *dev, unsigned change) {
    uint64_t atomic = dev->kind.atomic > TESTDEV_UNIT ? dev->kind.atomic : TESTDEV_UNIT;
    for (size_t i = 0; i < dev->unflushed_count; i++) {
        const struct head head = record_head(dev->unflushed + i * RECORD);
        if (head.change == dev->changes - testdev_pending(dev) + 1 + change) {
            return head.first / atomic != head.last / atomic;
        }
    }
    return false;
}

static bool *kept_array(const struct testdev *dev) {
    bool *kept = malloc(dev->unflushed_count + 1);
    assert_non_null(kept);
    return kept;
}

void testdev_power_cycle(struct testdev *dev, testdev_keep_fn keep, void *user) {
    uint64_t atomic = dev->kind.atomic > TESTDEV_UNIT ? dev->kind.atomic : TESTDEV_UNIT;
    struct testdev_unit unit = {0};
    uint64_t change = 0;
    bool *kept = kept_array(dev);
    for (size_t i = 0; i < dev->unflushed_count; i++) {
        const struct head head = record_head(dev->unflushed + i * RECORD);
        uint64_t index = head.unit * TESTDEV_UNIT / atomic - head.first / atomic;
        bool next = head.change != change || index != unit.index;
        if (next) {
            unit.change += change != 0 && head.change != change ? 1 : 0;
            unit.index = index;
            unit.count = head.last / atomic - head.first / atomic + 1;
        }
        change = head.change;
        kept[i] = next ? keep(user, &unit) : kept[i - 1];
    }
    undo(dev, kept, dev->bytes);
    dev->unflushed_count = 0;
    free(kept);
}

static uint8_t *image_with(const struct testdev *dev, const bool *kept) {
    uint8_t *image = malloc((size_t)dev->size);
    assert_non_null(image);
    memcpy(image, dev->bytes, (size_t)dev->size);
    undo(dev, kept, image);
    return image;
}

uint8_t *testdev_image(struct testdev *dev, struct prng *prng, unsigned percent_kept) {
    bool *kept = kept_array(dev);
    struct prng own = prng_init(0);
    if (prng->left > 0) {
        /* Of a fuzzer's bytes, not one for each unit. */
        own = prng_init(prng_below(prng, 65536));
        prng = &own;
    }
    for (size_t i = 0; i < dev->unflushed_count; i++) {
        kept[i] = prng_percent(prng, percent_kept);
    }
    uint8_t *image = image_with(dev, kept);
    free(kept);
    return image;
}

uint8_t *testdev_image_keeping(struct testdev *dev, uint64_t offset, uint64_t len) {
    bool *kept = kept_array(dev);
    for (size_t i = 0; i < dev->unflushed_count; i++) {
        uint64_t unit = record_head(dev->unflushed + i * RECORD).unit;
        kept[i] = unit * TESTDEV_UNIT >= offset && unit * TESTDEV_UNIT - offset < len;
    }
    uint8_t *image = image_with(dev, kept);
    free(kept);
    return image;
}
