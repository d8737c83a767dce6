/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripts. Small devices, so that many images can be tried. Blocks have 8 sectors, but 16 in blocks8k. The journal
 * is the smallest there is: a dozen commits go once around it.
 */
#include "script.h"

enum {
    GIVE_UP = SELSNAP_POLICY_GIVE_UP_BLOCK,
    FAIL = SELSNAP_POLICY_FAIL_WRITE,
    RECLAIM = SELSNAP_STEP_RECLAIM,
    RESTORING = SELSNAP_STEP_RESTORE,
    CHECKPOINT = SELSNAP_STEP_CHECKPOINT,
    STORE = 640 << 10,
    JOURNAL = 65536,
};

static const struct config small = {"small", 8 * 4096, STORE, JOURNAL, 4096, 512, 6, false, 0, false, 0};
static const struct config bytes = {"bytes", 6 * 4096 + 700, STORE, JOURNAL, 4096, 1, 6, false, 0, false, 0};
static const struct config logical4k = {"logical4k", 8 * 4096, STORE, JOURNAL, 4096, 4096, 6, false, 4096, false, 0};
static const struct config atomic4k = {"atomic4k", 7 * 4096 + 512, STORE, JOURNAL, 4096, 512, 6, false, 4096, false, 0};
static const struct config through = {"through", 8 * 4096, STORE, JOURNAL, 4096, 512, 6, false, 0, true, 0};
static const struct config blocks8k = {"blocks8k", 5 * 8192 + 4096, 768 << 10, JOURNAL, 8192, 512,
                                       6,          false,           0,         false,   0};
static const struct config full = {"full", 24 * 4096, 1, JOURNAL, 4096, 512, 6, true, 0, false, 0};

/* The same with writes kept in memory: all of a script's, or so few that writes wait for each other. */
static const struct config deferred = {"deferred", 8 * 4096, STORE, JOURNAL, 4096, 512, 6, false, 0, false, 16};
static const struct config few = {"few", 6 * 4096 + 700, STORE, JOURNAL, 4096, 1, 6, false, 0, false, 2};
static const struct config deferred_full = {"deferred-full", 24 * 4096, 1, JOURNAL, 4096, 512, 6, true, 0, false, 24};

/* One by one, in parts of blocks, and several at once; over two snapshots that share blocks. */
static const struct step first_writes[] = {
    CREATE(0, 0x3f, FAIL), WRITE(0, 8), WRITE(9, 3),  FLUSH,         CREATE(1, 0xf4, FAIL), WRITE(16, 24),
    WRITE(35, 1),          FLUSH,       WRITE(46, 4), ZEROES(56, 8), WRITE(0, 64),          END,
};

/* Extents of many blocks, then parts of them again; no flush. */
static const struct step batches[] = {
    CREATE(0, 0xff, FAIL), WRITE(0, 64),  CREATE(1, 0xff, FAIL), WRITE(4, 50),
    CREATE(2, 0x3c, FAIL), WRITE(20, 24), WRITE(0, 64),          END,
};

/* Many requests in one call: first writes of several runs of blocks, some preserved already, some durable. */
static const struct step one_call[] = {
    CREATE(0, 0x7f, FAIL),
    BATCH(0xad, 0),
    BATCH(0x2d, 1),
    CREATE(1, 0xf0, FAIL),
    WRITE(32, 8),
    BATCH(0xff, 0),
    FLUSH,
    BATCH(0x41, 1),
    END,
};

static const struct step unaligned[] = {
    CREATE(0, 0x7f, FAIL), WRITE(3, 2),           WRITE(15, 2), ZEROES(22, 4), DISCARD(24, 17), FLUSH,
    WRITE(47, 20),         CREATE(1, 0x40, FAIL), WRITE(48, 8), END,
};

static const struct step zeroes_discards[] = {
    CREATE(0, 0x0f, FAIL), ZEROES(0, 16), DISCARD(0, 64),        WRITE(8, 16), DISCARD(16, 32),
    CREATE(1, 0xff, FAIL), ZEROES(4, 56), CREATE(2, 0xff, FAIL), WRITE(0, 64), END,
};

/* Of subsets given and saved; saved ones replaced and dropped. */
static const struct step creates[] = {
    SAVE(0, 0x33),
    CREATE_SAVED(0, 0, FAIL),
    WRITE(0, 8),
    CREATE_SAVED(1, 0, GIVE_UP),
    SAVE(0, 0xcc),
    UNNAME(0),
    WRITE(8, 40),
    SAVE(1, 0xf),
    CREATE_SAVED(2, 1, FAIL),
    CREATE(3, 0xff, FAIL),
    UNNAME(1),
    WRITE(0, 16),
    END,
};

static const struct step names[] = {
    CREATE(0, 0x03, FAIL), RENAME(0),     HOLD(0),       WRITE(0, 8), RELEASE(0), RENAME(0),
    SAVE(2, 0xaa),         SAVE(2, 0x55), SAVE(3, 0xaa), UNNAME(2),   DELETE(0),  UNNAME(3),
    WORK(RECLAIM, 1000),   REOPEN,        END,
};

/* Locks and expiry: durable whole or not at all, and what is held is not deleted. */
static const struct step keeping[] = {
    CREATE(0, 0x3f, FAIL),
    HOLD(0),
    LOCK(0),
    LOCK(0),
    EXPIRY(0, 5),
    WRITE(0, 16),
    EXPIRE(0),
    DELETE(0),
    CREATE(1, 0x0f, FAIL),
    HOLD(1),
    EXPIRY(1, 7),
    EXPIRE(1),
    WORK(CHECKPOINT, 1),
    RELEASE(1),
    EXPIRY(0, 0),
    WRITE(0, 8),
    EXPIRE(1),
    WORK(RECLAIM, 1000),
    REOPEN,
    END,
};

/* Quotas are the old or the new one; what they refuse is refused after each cut too, and what they took is kept. */
static const struct step quotas[] = {
    CREATE(0, 0xff, FAIL),
    QUOTA(0, 2),
    VIEW_WRITE(0, 0, 16),
    VIEW_WRITE(0, 16, 8),
    STORE_QUOTA(40),
    VIEW_FLUSH(0),
    VIEW_WRITE(0, 12, 8),
    EXPIRY(0, 5),
    QUOTA(0, 3),
    VIEW_WRITE(0, 16, 12),
    WORK(CHECKPOINT, 1),
    STORE_QUOTA(50),
    VIEW_DISCARD(0, 0, 8),
    VIEW_CLOSE(0),
    QUOTA(0, 0),
    EXPIRY(0, 0),
    VIEW_WRITE(0, 32, 16),
    VIEW_CLOSE(0),
    QUOTA(0, 1),
    STORE_QUOTA(0),
    VIEW_WRITE(0, 48, 8),
    VIEW_RESET(0),
    VIEW_WRITE(0, 48, 8),
    REOPEN,
    END,
};

/* Entries that several snapshots share go only with the last of them. */
static const struct step deletes[] = {
    CREATE(0, 0x3f, FAIL),
    CREATE(1, 0x3f, FAIL),
    WRITE(0, 24),
    CREATE(2, 0x0f, FAIL),
    WRITE(8, 8),
    DELETE(1),
    WORK(RECLAIM, 2),
    DELETE(2),
    WRITE(32, 8),
    WORK(RECLAIM, 1000),
    WORK(CHECKPOINT, 1),
    WRITE(40, 8),
    DELETE(0),
    WORK(0, 1000),
    END,
};

/* Bookmarks below, between and above snapshots of the same blocks; the data of what becomes one goes. */
static const struct step bookmarks[] = {
    MARK(0, 0x3f),
    WRITE(0, 16),
    CREATE(1, 0x7e, FAIL),
    MARK(2, 0xff),
    WRITE(9, 16),
    BOOKMARK(1),
    WRITE(40, 12),
    CREATE(3, 0x0f, FAIL),
    WORK(RECLAIM, 1000),
    WRITE(0, 24),
    FLUSH,
    DELETE(2),
    ZEROES(32, 8),
    END,
};

/* With what was written into it; then its space is used again. */
static const struct step turned[] = {
    CREATE(0, 0xff, FAIL),
    VIEW_WRITE(0, 0, 30),
    VIEW_FLUSH(0),
    WRITE(0, 40),
    VIEW_WRITE(0, 40, 3),
    BOOKMARK(0),
    WRITE(36, 8),
    CREATE(1, 0xff, FAIL),
    WORK(0, 1000),
    WRITE(0, 64),
    REOPEN,
    WORK(CHECKPOINT, 1),
    WRITE(0, 64),
    END,
};

/* Restores under bookmarks taken before, while, and after; the diff sees what is not copied yet. */
static const struct step restores_marked[] = {
    CREATE(0, 0x2f, FAIL), WRITE(0, 32), MARK(1, 0xff),        RESTORE(0, 0x2d), WRITE(20, 3), MARK(2, 0x3f),
    WORK(RESTORING, 1),    WRITE(0, 4),  WORK(RESTORING, 100), BOOKMARK(0),      FLUSH,        WRITE(8, 8),
    WORK(RECLAIM, 1000),   END,
};

/* Marks where there is no room for data. */
static const struct step full_marks[] = {
    CREATE(0, 0xffffff, GIVE_UP), MARK(1, 0xffffff), WRITE(0, 192), MARK(2, 0xffffff),
    CREATE(3, 0xffff00, GIVE_UP), WRITE(0, 192),     BOOKMARK(0),   MARK(0, 0xffffff),
    OVERWRITE(0x0f, 1),           WORK(0, 1000),     WRITE(0, 64),  END,
};

/* What is freed is taken again at once, and freed again. */
static const struct step reuse[] = {
    CREATE(0, 0xff, FAIL), WRITE(0, 64), DELETE(0),           CREATE(1, 0xff, FAIL),
    WORK(RECLAIM, 1000),   WRITE(0, 64), WORK(CHECKPOINT, 1), CREATE(2, 0xff, FAIL),
    WRITE(0, 64),          DELETE(1),    WORK(RECLAIM, 1000), WORK(CHECKPOINT, 1),
    CREATE(3, 0xff, FAIL), WRITE(0, 64), WRITE(0, 64),        END,
};

static const struct step view_writes[] = {
    CREATE(0, 0x3f, FAIL),  VIEW_WRITE(0, 0, 8),  VIEW_WRITE(0, 12, 8),  VIEW_FLUSH(0),
    WRITE(0, 24),           VIEW_WRITE(0, 4, 30), CREATE(1, 0x0f, FAIL), VIEW_CLOSE(0),
    VIEW_DISCARD(0, 8, 16), VIEW_WRITE(1, 0, 9),  VIEW_FLUSH(0),         VIEW_RESET(0),
    VIEW_WRITE(0, 2, 2),    VIEW_CLOSE(1),        WORK(RECLAIM, 1000),   END,
};

static const struct step overlay_drops[] = {
    CREATE(0, 0xff, FAIL),
    VIEW_WRITE(0, 0, 64),
    VIEW_FLUSH(0),
    VIEW_WRITE(0, 0, 40),
    VIEW_FLUSH(0),
    DELETE(0),
    WORK(RECLAIM, 3),
    CREATE(1, 0xff, FAIL),
    VIEW_WRITE(1, 3, 30),
    VIEW_FLUSH(1),
    VIEW_RESET(1),
    WORK(RECLAIM, 1),
    VIEW_WRITE(1, 8, 8),
    WORK(RECLAIM, 1000),
    WORK(CHECKPOINT, 1),
    REOPEN,
    END,
};

/* Clones, frozen and as changed, written into, reset and deleted, sources first. */
static const struct step clones[] = {
    CREATE(0, 0x0f, FAIL),
    WRITE(0, 8),
    VIEW_WRITE(0, 0, 12),
    CLONE(0, 1, 0),
    CLONE(0, 2, 1),
    VIEW_WRITE(0, 2, 8),
    VIEW_WRITE(2, 8, 8),
    VIEW_FLUSH(0),
    WRITE(4, 8),
    CLONE(2, 3, 1),
    DELETE(0),
    WORK(RECLAIM, 1),
    VIEW_RESET(2),
    DELETE(1),
    WORK(RECLAIM, 1000),
    REOPEN,
    VIEW_DISCARD(3, 0, 8),
    DELETE(2),
    WORK(0, 1000),
    DELETE(3),
    WORK(0, 1000),
    END,
};

/* Client writes come out of turn, also to blocks that had not changed, and snapshots are made meanwhile. */
static const struct step restores[] = {
    CREATE(0, 0x2f, FAIL),
    WRITE(0, 32),
    FLUSH,
    RESTORE(0, 0x2d),
    DELETE(0),
    WRITE(20, 3),
    WRITE(42, 3),
    CREATE(1, 0x2f, FAIL),
    WORK(RESTORING, 1),
    WRITE(0, 12),
    FLUSH,
    WORK(RESTORING, 100),
    WRITE(24, 8),
    DELETE(0),
    WORK(0, 1000),
    END,
};

/* A restored block is preserved again for a younger snapshot before the origin was ever flushed. */
static const struct step restore_again[] = {
    CREATE(0, 0x0f, FAIL), WRITE(0, 32),         RESTORE(0, 0x0f), CREATE(1, 0x0f, FAIL), WRITE(2, 2), WRITE(8, 12),
    WRITE(24, 4),          WORK(RESTORING, 100), RESTORE(1, 0x05), WORK(RESTORING, 100),  FLUSH,       END,
};

/* What a restore copies back is overwritten at once, out of turn and in turn, for snapshots taken before it. */
static const struct step restore_over[] = {
    CREATE(0, 0x2d, FAIL), WRITE(0, 48), CREATE(1, 0x3f, FAIL), WRITE(16, 16),         RESTORE(0, 0x25),
    WRITE(2, 2),           FLUSH,        WORK(RESTORING, 1),    CREATE(2, 0x0f, FAIL), WRITE(0, 32),
    WORK(RESTORING, 1),    REOPEN,       WORK(RESTORING, 100),  RESTORE(1, 0x3f),      REOPEN,
    WORK(RESTORING, 100),  END,
};

static const struct step checkpoints[] = {
    CREATE(0, 0xff, FAIL),
    WRITE(0, 8),
    WORK(CHECKPOINT, 1),
    WRITE(8, 8),
    WORK(CHECKPOINT, 1),
    WORK(CHECKPOINT, 1),
    CREATE(1, 0xf0, FAIL),
    WRITE(32, 8),
    WORK(CHECKPOINT, 1),
    WRITE(40, 24),
    FLUSH,
    REOPEN,
    WRITE(16, 8),
    REOPEN,
    END,
};

/* Many commits in a small journal: it goes around more than twice. */
static const struct step journal_wrap[] = {
    CREATE(0, 0xff, FAIL), OVERWRITE(0xff, 1), CREATE(1, 0xff, FAIL), OVERWRITE(0xff, 1), DELETE(0),
    CREATE(2, 0xff, FAIL), OVERWRITE(0xff, 2), WORK(RECLAIM, 1000),   OVERWRITE(0x0f, 1), END,
};

/* The smallest store: blocks are given up, or writes fail; then deletes make room. */
static const struct step full_give_up[] = {
    CREATE(0, 0xffffff, GIVE_UP),
    WRITE(0, 100),
    WRITE(100, 92),
    CREATE(1, 0xffffff, GIVE_UP),
    WRITE(0, 160),
    CREATE(2, 0xff, GIVE_UP),
    OVERWRITE(0xff, 1),
    DELETE(0),
    WORK(0, 1000),
    WRITE(0, 64),
    DELETE(1),
    WORK(0, 1000),
    CREATE(3, 0xff00, GIVE_UP),
    WRITE(64, 64),
    END,
};
static const struct step full_fail[] = {
    CREATE(0, 0xffffff, FAIL),
    WRITE(0, 100),
    WRITE(100, 92),
    CREATE(1, 0xffffff, FAIL),
    VIEW_WRITE(1, 0, 60),
    VIEW_FLUSH(1),
    WRITE(0, 160),
    OVERWRITE(0xff, 1),
    VIEW_CLOSE(1),
    DELETE(0),
    WORK(0, 1000),
    OVERWRITE(0x0f, 1),
    RESTORE(1, 0xffff),
    WORK(RESTORING, 100),
    END,
};

/* Of everything a little, on devices of other kinds. */
static const struct step mixed[] = {
    CREATE(0, 0x1f, FAIL),
    WRITE(0, 24),
    VIEW_WRITE(0, 8, 8),
    FLUSH,
    RESTORE(0, 0x03),
    WRITE(2, 9),
    CREATE(1, 0x3f, FAIL),
    ZEROES(16, 16),
    WORK(RESTORING, 100),
    VIEW_CLOSE(0),
    DELETE(0),
    WORK(0, 1000),
    WRITE(8, 40),
    REOPEN,
    END,
};
static const struct step mixed4k[] = {
    CREATE(0, 0x3f, FAIL),
    WRITE(0, 16),
    VIEW_WRITE(0, 8, 8),
    FLUSH,
    RESTORE(0, 0x03),
    WRITE(0, 8),
    CREATE(1, 0x7e, FAIL),
    ZEROES(16, 16),
    WORK(RESTORING, 100),
    VIEW_CLOSE(0),
    DELETE(0),
    WORK(0, 1000),
    WRITE(8, 40),
    REOPEN,
    END,
};

/* The store grows: with changes in the journal, with nothing in it, twice in a row; what is new is used, and freed. */
static const struct step grows[] = {
    CREATE(0, 0xff, FAIL),
    WRITE(0, 24),
    GROW(3),
    WRITE(20, 20),
    DELETE(0),
    GROW(11),
    GROW(12),
    CREATE(1, 0x7f, FAIL),
    WRITE(0, 40),
    WORK(0, 1000),
    GROW(40),
    WORK(CHECKPOINT, 1),
    REOPEN,
    WRITE(40, 24),
    END,
};

/* A store that is full grows, by little and by much, and takes what it refused. */
static const struct step full_grows[] = {
    CREATE(0, 0xffffff, FAIL),
    WRITE(0, 192),
    CREATE(1, 0xffffff, FAIL),
    WRITE(0, 160),
    GROW(1),
    WRITE(0, 16),
    DELETE(0),
    GROW(64),
    WRITE(0, 160),
    END,
};

const struct script scripts[] = {
    {"first-writes", &small, first_writes, 2},
    {"batches", &small, batches, 2},
    {"one-call", &small, one_call, 4},
    {"unaligned", &bytes, unaligned, 2},
    {"zeroes-discards", &small, zeroes_discards, 2},
    {"creates", &small, creates, 2},
    {"names", &small, names, 2},
    {"keeping", &small, keeping, 2},
    {"quotas", &small, quotas, 2},
    {"deletes", &small, deletes, 2},
    {"bookmarks", &small, bookmarks, 2},
    {"turned", &small, turned, 4},
    {"restores-marked", &small, restores_marked, 4},
    {"full-marks", &full, full_marks, 12},
    {"reuse", &small, reuse, 2},
    {"view-writes", &small, view_writes, 2},
    {"overlay-drops", &small, overlay_drops, 2},
    {"clones", &small, clones, 4},
    {"restores", &small, restores, 3},
    {"restore-again", &small, restore_again, 3},
    {"restore-over", &small, restore_over, 3},
    {"checkpoints", &small, checkpoints, 2},
    {"journal-wrap", &small, journal_wrap, 18},
    {"grows", &small, grows, 8},
    {"full-grows", &full, full_grows, 8},
    {"full-give-up", &full, full_give_up, 8},
    {"full-fail", &full, full_fail, 8},
    {"atomic-4k", &atomic4k, mixed, 3},
    {"logical-4k", &logical4k, mixed4k, 2},
    {"write-through", &through, mixed, 2},
    {"blocks-8k", &blocks8k, mixed, 3},
    {"deferred-first-writes", &deferred, first_writes, 2},
    {"deferred-batches", &deferred, batches, 2},
    {"deferred-zeroes", &deferred, zeroes_discards, 2},
    {"deferred-creates", &deferred, creates, 2},
    {"deferred-deletes", &deferred, deletes, 4},
    {"deferred-marks", &deferred, bookmarks, 4},
    {"deferred-restores", &deferred, restores, 2},
    {"deferred-restore-over", &deferred, restore_over, 9},
    {"deferred-again", &deferred, restore_again, 3},
    {"deferred-unaligned", &few, unaligned, 2},
    {"deferred-full", &deferred_full, full_fail, 8},
};
const size_t script_count = sizeof scripts / sizeof scripts[0];
