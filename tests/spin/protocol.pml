/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write path, creation, deletion and view reads of src/snap, for an exhaustive search by Spin (run_models.py).
 *
 * Processes: writers (livedev.c), who creates and deletes snapshots (snapshot.c), who reads a view (view.c), the leader
 * of the store's group commit (store/commit.c). A step is one atomic access to what threads share, or one request to
 * a device; between any two steps another process may run. Each part names the function it stands for.
 *
 * Power cuts need no process: every step that changes a device ends with power_cut(), which looks at all that a cut at
 * this moment could leave of origin and store: any subset of what was written and not flushed.
 *   P1  a view reads what the origin held at the snapshot's point                               (Viewer)
 *   P2  as long as a snapshot may be there after a cut, its content can be read after it        (power_cut)
 *   P6  an acknowledged snapshot is there, with all writes acknowledged before its point        (power_cut)
 * The leader is a process of its own here; in the library it is whoever waits. The ring, checkpoints and recovery are
 * in commit.pml; here an item that is durable is found after a cut. One file, since Spin counts the lines of one.
 *
 * Spin's preprocessor sets what one run holds: NB blocks, NW writers, WRITES of each, NS points, and
 *   COARSE the leader's batch is one step; OWN each writer has a block of its own; PAST snapshot 1, of block 0, is
 *   there from the start;
 *   VIEW a view is read; EVICT the page of need bits loses its slot once; GROUPS two designations, a snapshot of each,
 *   and one more creation that fails; FULL the store is full at any time, snapshots have policies; DELETE snapshots are
 *   deleted; FAIL one flush of the store fails; RESTART a cut or kill happens, and a second run of the program follows.
 * and M_..., a rule that is broken.
 */
#ifndef NB
#define NB 1
#endif
#ifndef NW
#define NW 2
#endif
#ifndef WRITES
#define WRITES 1
#endif
#ifndef NS
#define NS 2
#endif

#define BIT(i) (1 << (i))
/* What the journal records: entries, snapshots, deletions. An epoch is the number of its snapshot. */
#define ENTRY(b, e) BIT((b) * NS + (e) - 1)
#define RECORD(e) BIT(NB * NS + (e) - 1)
#define DELETION(e) BIT(NB * NS + NS + (e) - 1)
#define ENTRIES (BIT(NB * NS) - 1)
#define COVERED(b, e) (cover[(e) - 1] & BIT(b))
#define LOST 15

/* ---- devices ---- */

byte origin[NB];                /* what it reads as */
byte origin_may[NB];            /* values that it may have after a cut, a bit each */
byte origin_keep[NB];           /* the same, once the flush in progress is done */
bool origin_flushing;
short written, durable;         /* items of batches written; and flushed */
short data_written, data_durable; /* the data that entries name */
short batch_covered, data_covered; /* by the flush in progress */
byte value[NB * NS];            /* of each entry; LOST without data */

/* ---- what the program has in memory ---- */

bool closed, inside[NW];        /* gate.c */
byte need_version;              /* need.c */
byte page_version;
bool page_summary, page_slot, need_lock;
byte slot_bits, slot_generation;
bool slot_mine;
byte additions;                 /* catalogue.c */
byte live, acked;               /* snapshots, a bit each: for writers; for everybody */
byte next_epoch = 1;
bool claimed[NB];               /* claims.c */
short batch_open, batch_flight, published; /* commit.c */
bool version_moved;             /* ssn_store_version() is not what the viewer saw */
short gave_up, told_failure;
short data_unsure;              /* written before a flush failed */
bool failed;

/* ---- what the checks know ---- */

byte cover[NS];                 /* blocks of each snapshot */
bool gives_up[NS];              /* its policy */
byte content[NS * NB];          /* of each snapshot at its point */
byte lives;                     /* restarts so far */

byte x_e, x_s, x_b, x_v, x_done; /* used within one d_step, and 0 outside */

#ifdef RESTART
#define MORTAL(life) unless { lives != life } /* a cut ends it */
#else
#define MORTAL(life)
#endif

/* What a cut could leave now is enough for every snapshot that could be there after it. */
inline power_cut() {
    x_s = 1;
    do
    :: x_s <= NS ->
        assert(!(acked & BIT(x_s)) || (durable & RECORD(x_s)));
        x_b = 0;
        do
        :: x_b < NB && !((written & RECORD(x_s)) && !(durable & DELETION(x_s)) && COVERED(x_b, x_s)) -> x_b++
        :: x_b < NB && (written & RECORD(x_s)) && !(durable & DELETION(x_s)) && COVERED(x_b, x_s) ->
            x_e = x_s;
            x_done = false;
            do
            :: x_e <= NS && !x_done ->
                if
                :: written & ENTRY(x_b, x_e) ->
                    x_v = value[x_b * NS + x_e - 1];
                    if
                    :: x_v == LOST -> assert(gives_up[x_s - 1])
                    :: else -> assert(x_v == content[(x_s - 1) * NB + x_b])
                    fi;
                    /* Data that is lost is copied again from the origin by ssn_heal_tail(). */
                    assert(x_v == LOST || (data_durable & ENTRY(x_b, x_e)) || origin_may[x_b] == BIT(x_v));
                    x_done = (durable & ENTRY(x_b, x_e)) != 0
                :: else
                fi;
                x_e++
            :: else -> break
            od;
            assert(x_done || origin_may[x_b] == BIT(content[(x_s - 1) * NB + x_b]));
            x_b++
        :: else -> break
        od;
        x_s++
    :: else -> break
    od;
    x_s = 0; x_b = 0; x_e = 0; x_v = 0; x_done = false
}

/* ssn_device_write() of the origin. */
inline origin_write(b, v) {
    d_step {
        origin[b] = v;
        origin_may[b] = origin_may[b] | BIT(v);
        origin_keep[b] = (origin_flushing -> origin_keep[b] | BIT(v) : 0);
        power_cut()
    }
}

/* ssn_device_flush() of the origin: what was written before it began is durable when it has ended. */
inline origin_flush() {
#ifndef M_NO_ORIGIN_FLUSH
    d_step {
        origin_flushing = true;
        x_b = 0;
        do
        :: x_b < NB -> origin_keep[x_b] = BIT(origin[x_b]); x_b++
        :: else -> break
        od;
        x_b = 0
    }
    d_step {
        origin_flushing = false;
        x_b = 0;
        do
        :: x_b < NB -> origin_may[x_b] = origin_keep[x_b]; origin_keep[x_b] = 0; x_b++
        :: else -> break
        od;
        power_cut()
    }
#else
    skip
#endif
}

/* ---- gate.c ---- */

/* ssn_gate_enter() */
inline gate_enter(w) {
    do
    ::
#ifdef M_GATE_LOOK_FIRST
        (!closed);
        inside[w] = true;
        break
#else
        inside[w] = true;
        if
        :: !closed -> break
        :: else ->
            inside[w] = false;
            (!closed) /* waits for `opened` */
        fi
#endif
    od
}

/* ssn_gate_leave() */
inline gate_leave(w) {
    inside[w] = false
}

/* ---- need.c ---- */

/* test_page(): 0 is clear. */
inline need_test(b, look) {
    if
    :: page_version != need_version -> look = true
    :: else ->
        if
        :: !page_summary -> look = false
        :: else ->
#ifdef EVICT
            atomic {
                look = !page_slot || !slot_mine;
                tag = slot_generation
            }
            if
            :: !look ->
                look = (slot_bits & BIT(b)) != 0;
#ifndef M_TAG_ONCE
                atomic { look = look || tag != slot_generation; tag = 0 }
#endif
            :: else -> tag = 0
            fi
#else
            look = (slot_bits & BIT(b)) != 0
#endif
        fi
    fi
}

/* gather(): what live points above `since` cover. */
#ifdef GROUPS
/* Group by group, newest first (ssn_catalogue_next_newest()): points 1 and 3 are of one designation, 2 of the other. */
inline need_gather(since, bits) {
    do
    ::
        d_step { added = additions; below = NS + 1; bits = 0 }
        do
        ::
            d_step {
                x_e = ((live & BIT(3)) -> 3 : ((live & BIT(1)) -> 1 : 0));
                x_s = ((live & BIT(2)) -> 2 : 0);
                x_e = (x_e < below -> x_e : 0);
                x_s = (x_s < below -> x_s : 0);
                x_e = (x_s > x_e -> x_s : x_e);
                x_e = (x_e > since -> x_e : 0);
                bits = (x_e != 0 -> bits | cover[x_e - (x_e != 0 -> 1 : 0)] : bits);
                below = x_e;
                x_e = 0; x_s = 0
            }
            if
            :: below == 0 -> break
            :: else
            fi
        od;
#ifdef M_NO_ADDITIONS
        break
#else
        if
        :: added == additions -> added = 0; break
        :: else
        fi
#endif
    od
}
#else
inline need_gather(since, bits) {
    d_step {
        bits = 0;
        x_e = 1;
        do
        :: x_e <= NS ->
            bits = ((live & BIT(x_e)) && x_e > since -> bits | cover[x_e - 1] : bits);
            x_e++
        :: else -> break
        od;
        x_e = 0
    }
}
#endif

/* refresh_page() and merge(): the bits first, then the summary, then the version, since readers take no lock. */
inline need_refresh(ver) {
    atomic { at = page_version; slotless = !page_slot }
    if
    :: at >= ver && !slotless
    :: else ->
        need_gather((slotless -> 0 : at), bits);
        atomic { !need_lock -> need_lock = true }
#ifdef M_VERSION_FIRST
        page_version = (page_version < ver -> ver : page_version);
#endif
        if
        :: page_slot -> slot_bits = slot_bits | bits
#ifdef M_SLOT_OLD
        :: !page_slot && slotless && bits != 0 ->
#else
        :: !page_slot && slotless && bits != 0 && page_version <= ver ->
#endif
            /* slot_fill(): the slot was another page's, or nobody's */
            d_step { slot_mine = false; slot_generation++ }
            slot_bits = bits;
            d_step { slot_mine = true; slot_generation++; page_slot = true }
        :: else
        fi;
        page_summary = page_summary || bits != 0;
        atomic { page_version = (page_version < ver -> ver : page_version); need_lock = false; bits = 0 }
    fi;
    at = 0; slotless = false
}

/* ssn_need_clear() */
inline need_clear(b) {
    d_step {
        !need_lock;
        if
        :: page_slot ->
            slot_bits = slot_bits & ~BIT(b);
            page_summary = slot_bits != 0
        :: else
        fi
    }
}

#ifdef EVICT
/* slot_obtain() and slot_fill() for another page, whose bits are all clear. */
proctype Evictor() {
end:
    atomic { page_slot && !need_lock -> need_lock = true }
    page_slot = false;
    d_step { slot_mine = false; slot_generation++ }
    slot_bits = 0;
    d_step { slot_generation++; need_lock = false }
}
#endif

/* ---- store/commit.c ---- */

/* append(): the transaction joins the open batch. After a failure not before the kept batch is durable. */
inline store_join(items) {
#ifdef M_NO_SETTLE
    batch_open = batch_open | (items)
#else
    atomic { !failed -> batch_open = batch_open | (items) }
#endif
}

/* wait_published(). ok is false for SELSNAP_ESTORE. */
inline store_wait(items, ok) {
    atomic {
        if
        :: (published & (items)) == (items) -> ok = true
#ifdef FAIL
        :: told_failure & (items) ->
            told_failure = told_failure & ~(items);
            gave_up = gave_up | (items);
            ok = false
#endif
        fi
    }
}

#ifdef FAIL
/* rewrite_data(), ssn_heal_rewrite(): what a failed flush may have dropped, from the store's cache or the origin. */
inline rewrite_data() {
    d_step {
        x_b = 0;
        do
        :: x_b < NB * NS ->
            if
            :: batch_flight & data_unsure & BIT(x_b) ->
                assert((data_written & BIT(x_b)) || origin[x_b / NS] == value[x_b]);
#ifdef M_REWRITE_KEPT
                data_written = (failed -> data_written | BIT(x_b) : data_written);
#else
#ifndef M_NO_REWRITE
                data_written = data_written | BIT(x_b);
#endif
#endif
                data_unsure = data_unsure & ~BIT(x_b)
            :: else
            fi;
            x_b++
        :: else -> break
        od;
        x_b = 0
    }
}
#endif

/* lead(), write_flight() and publish(), for ever. */
proctype Leader(byte life) {
#ifdef FAIL
    bool fails = true;
#endif
    {
end:
    do
    :: d_step {
            failed || batch_open != 0 ->
            if
            :: failed /* the kept batch again */
            :: else -> batch_flight = batch_open; batch_open = 0 /* ssn_journal_take_off() */
            fi
        }
#ifdef COARSE
        atomic {
#endif
#ifdef FAIL
        rewrite_data();
#endif
#ifdef M_FLUSH_THEN_WRITE
        d_step { batch_covered = written; data_covered = data_written }
        d_step { written = written | batch_flight; power_cut() } /* write_ring() */
#else
        d_step { written = written | batch_flight; power_cut() } /* write_ring() */
#ifdef M_PUB_EARLY
        published = published | batch_flight;
#endif
        /* ssn_store_dev_flush() begins; and ends */
        d_step { batch_covered = written; data_covered = data_written }
#endif
        if
#ifdef FAIL
        :: atomic {
                fails -> fails = false;
                data_unsure = data_written & ~data_durable;
                if
                :: data_written = data_written & data_durable; /* the flush dropped what it should have made durable */
                    written = written & durable
                :: skip
                fi;
                told_failure = batch_flight | batch_open;
                failed = true;
                batch_covered = 0; data_covered = 0
#ifdef M_FAIL_PUBLISHED
                ; published = published | batch_flight; failed = false; batch_flight = 0; told_failure = batch_open
#endif
            }
#endif
        :: d_step {
#ifndef M_NO_STORE_FLUSH
                durable = durable | batch_covered;
                data_durable = data_durable | data_covered;
#endif
                batch_covered = 0; data_covered = 0;
                failed = false;
                power_cut()
            }
            d_step {
                published = published | batch_flight;
                told_failure = told_failure & ~batch_flight;
                batch_flight = 0;
                version_moved = true
            }
        fi
#ifdef COARSE
        }
#endif
    od
    } MORTAL(life)
}

/* ---- preserve.c ---- */

/* ask_groups(): the block's newest entry, then the newest point above it; 0: nothing to do. */
inline decide(b, e) {
    had = 0;
    d_step {
        x_e = 1;
        do
        :: x_e <= NS -> had = ((published & ENTRY(b, x_e)) -> x_e : had); x_e++
        :: else -> break
        od;
        x_e = 0
    }
    d_step {
        e = 0;
        x_e = NS;
        do
        :: x_e > had && e == 0 -> e = ((live & BIT(x_e)) && COVERED(b, x_e) -> x_e : 0); x_e--
        :: else -> break
        od;
        x_e = 0
    }
}

#ifdef FULL
/* give_up(): refused if any sharer says fail. */
inline ask_policies(b, e, refused) {
    d_step {
        refused = false;
#ifdef M_LOST_NEWEST
        refused = !gives_up[e - 1];
#else
        x_s = had + 1;
        do
        :: x_s <= e ->
            refused = refused || ((live & BIT(x_s)) && COVERED(b, x_s) && !gives_up[x_s - 1]);
            x_s++
        :: else -> break
        od;
        x_s = 0
#endif
    }
}
#endif

/* ssn_preserve(): ok is false when the write must fail. */
inline preserve(b, ok) {
    ok = true;
    decide(b, e);
#if defined(FAIL) && !defined(M_NO_SETTLE)
    if
    :: e != 0 && gave_up != 0 ->
        /* ssn_store_settle(): what failed before is durable, or this fails; then it is decided again. */
        (((gave_up & ~published) == 0 && !failed));
        decide(b, e)
    :: else
    fi;
#endif
    if
    :: e != 0 ->
        bool_lost = false;
#ifdef FULL
        if
        :: skip /* there is room */
        :: ask_policies(b, e, refused);
            if
            :: refused -> ok = false
            :: else -> bool_lost = true
            fi;
            refused = false
        fi;
#endif
        if
        :: ok ->
#ifndef M_READ_UNCLAIMED
            old = (bool_lost -> LOST : origin[b]); /* read_old() */
#endif
#ifdef M_DATA_LATE
            value[b * NS + e - 1] = old;
            store_join(ENTRY(b, e));
            data_written = data_written | ENTRY(b, e);
#else
            d_step { /* write_copies() */
                value[b * NS + e - 1] = old;
                data_written = (old == LOST -> data_written : data_written | ENTRY(b, e));
                power_cut()
            }
            /* No block gets two entries of one epoch [F-14]. */
            assert(!((batch_open | batch_flight | published) & ENTRY(b, e)));
            store_join(ENTRY(b, e)); /* commit_entries() */
#endif
#ifdef M_LOST_LATE
            if
            :: bool_lost
            :: else -> store_wait(ENTRY(b, e), ok)
            fi;
#else
            store_wait(ENTRY(b, e), ok);
#endif
            bool_lost = false
        :: else
        fi
    :: else
    fi;
    old = 0; e = 0; had = 0
}

/* ---- livedev.c ---- */

proctype Writer(byte w; byte life) {
    byte b, n, e, had, old, ver, at, bits;
    bool look, slotless, ok, bool_lost;
#ifdef EVICT
    byte tag;
#endif
#ifdef GROUPS
    byte added, below;
#endif
#ifdef FULL
    bool refused;
#endif
    {
    do
    :: n < WRITES ->
#ifdef OWN
        b = w;
#else
#if NB > 1
        if
        :: b = 0
        :: b = 1
        fi;
#endif
#endif
        /* enter_clean() */
        gate_enter(w);
        need_test(b, look);
        if
        :: !look ->
            origin_write(b, 1 + life * NW * WRITES + w * WRITES + n); /* apply_clean() */
            gate_leave(w)
        :: else ->
            gate_leave(w);
            /* change_chunk() */
#ifdef M_READ_UNCLAIMED
            old = origin[b];
#endif
#ifndef M_NO_CLAIM
            atomic { !claimed[b] -> claimed[b] = true } /* ssn_claims_take() */
#endif
            do
            ::
                /* prepare() */
                ver = need_version;
                need_refresh(ver);
                need_test(b, look);
                ok = true;
                if
                :: look -> preserve(b, ok)
                :: else
                fi;
                if
                :: !ok -> claimed[b] = false; break
                :: else
                fi;
#ifdef M_CLEAR_OUTSIDE
                need_clear(b);
#endif
#ifdef M_RETEST_OUTSIDE
                look = need_version != ver;
                gate_enter(w);
#else
                gate_enter(w);
                look = need_version != ver;
#endif
#ifdef M_NO_RETEST
                look = false;
#endif
                if
                :: !look ->
                    need_clear(b);
                    origin_write(b, 1 + life * NW * WRITES + w * WRITES + n); /* apply_change() */
                    gate_leave(w);
                    claimed[b] = false; /* ssn_claims_release() */
                    break
                :: else -> gate_leave(w)
                fi
            od
        fi;
        atomic { look = false; ok = false; ver = 0; n++; b = 0; old = 0 }
    :: else -> break
    od;
    n = 0
    } MORTAL(life)
}

/* ---- snapshot.c ---- */

/* ssn_gate_close(): the shards are looked at one after another. */
inline gate_close() {
    closed = true;
#ifndef M_GATE_NO_DRAIN
    (!inside[0]);
#if NW > 1
    (!inside[1]);
#endif
#endif
}

/* ssn_catalogue_add(), and what the check has to know. */
inline list_snapshot(e) {
    d_step {
        live = live | BIT(e);
        additions++;
        x_b = 0;
        do
        :: x_b < NB -> content[(e - 1) * NB + x_b] = origin[x_b]; x_b++
        :: else -> break
        od;
        x_b = 0
    }
}

/* ssn_need_raise() */
inline need_raise(e) {
    need_version = e
}

/* take_point() */
inline take_point(e) {
#ifdef M_POINT_OPEN
    e = next_epoch; next_epoch++;
    list_snapshot(e);
    need_raise(e)
#else
    gate_close();
    atomic { e = next_epoch; next_epoch++ } /* ssn_store_take_epoch() */
#ifdef M_RAISE_BEFORE_ADD
    need_raise(e);
    list_snapshot(e);
    closed = false
#endif
#ifdef M_RAISE_AFTER_OPEN
    list_snapshot(e);
    closed = false;
    need_raise(e)
#endif
#ifdef M_ADD_AFTER_OPEN
    d_step { list_snapshot(e); live = live & ~BIT(e) }
    need_raise(e);
    closed = false;
    live = live | BIT(e)
#endif
#if !defined(M_RAISE_BEFORE_ADD) && !defined(M_RAISE_AFTER_OPEN) && !defined(M_ADD_AFTER_OPEN)
    list_snapshot(e);
    need_raise(e);
    closed = false /* ssn_gate_open() */
#endif
#endif
}

/* create_locked() */
inline create() {
    d_step {
        cover[next_epoch - 1] = BIT(NB) - 1
    }
#ifdef FULL
    if
    :: gives_up[next_epoch - 1] = true
    :: gives_up[next_epoch - 1] = false
    fi;
#endif
#if NB > 1 && !defined(GROUPS)
    cover[next_epoch - 1] = 2;
#ifndef PAST
    if
    :: skip
    :: cover[next_epoch - 1] = 3
    fi;
#endif
#endif
#ifdef M_FLUSH_BEFORE_POINT
    origin_flush();
#endif
    take_point(e);
#ifdef M_REC_FIRST
    store_join(RECORD(e));
#endif
#ifdef GROUPS
    live = live & ~BIT(e) /* the origin's flush fails: ssn_catalogue_remove() */
#else
#ifndef M_FLUSH_BEFORE_POINT
    origin_flush();
#endif
#ifndef M_REC_FIRST
    store_join(RECORD(e));
#endif
    store_wait(RECORD(e), ok); /* commit_new(); when it fails the snapshot stays DOOMED: live for writers alone */
    d_step {
        acked = (ok -> acked | BIT(e) : acked);
        power_cut()
    }
#endif
}

/* delete_locked() */
inline delete(e) {
    acked = acked & ~BIT(e); /* DELETING */
#ifdef M_DEL_EARLY
    live = live & ~BIT(e);
#endif
    store_join(DELETION(e));
    store_wait(DELETION(e), ok);
    live = live & ~BIT(e) /* ssn_catalogue_remove() */
}

proctype Creator(byte life; byte count) {
    byte n, e;
    bool ok;
    {
    do
    :: n < count ->
        create();
        atomic { e = 0; ok = false; n++ }
    :: else -> break
    od;
#ifdef DELETE
    do
    :: n = 0; break
    :: acked != 0 ->
        atomic {
            if
            :: acked & BIT(1) -> e = 1
            :: acked & BIT(2) -> e = 2
            fi
        }
        delete(e);
        e = 0; ok = false
    od;
#endif
    n = 0
    } MORTAL(life)
}

/* ---- view.c ---- */

#ifdef VIEW
/* ssn_resolve_at() in the published index: the entry with the smallest epoch not below the snapshot's; 0: none. */
inline look_at_entries(s, b, e) {
    d_step {
        e = 0;
        x_e = NS;
        do
        :: x_e >= s -> e = ((published & ENTRY(b, x_e)) -> x_e : e); x_e--
        :: else -> break
        od;
        x_e = 0
    }
}

/* ssn_view_read_blocks() of one block. */
proctype Viewer() {
    byte s, b, e, v;
    atomic {
        acked != 0;
        if
        :: acked & BIT(1) -> s = 1
        :: acked & BIT(2) -> s = 2
        fi;
#if NB > 1
        if
        :: b = 0
        :: COVERED(1, s) -> b = 1
        fi
#endif
    }
    /* read_looked_up() */
#ifndef M_VIEW_VERSION_LATE
    version_moved = false;
#endif
    look_at_entries(s, b, e);
#ifdef M_VIEW_VERSION_LATE
    version_moved = false;
#endif
    if
    :: e != 0 -> v = value[b * NS + e - 1]
    :: else ->
        v = origin[b];
#ifndef M_NO_RECHECK
        if
        :: version_moved ->
            look_at_entries(s, b, e); /* read_again() */
            if
            :: e != 0 -> v = value[b * NS + e - 1]
            :: else
            fi
        :: else
        fi
#endif
    fi;
    assert(v == LOST && gives_up[s - 1] || v == content[(s - 1) * NB + b])
}
#endif

/* ---- a second life ---- */

#ifdef RESTART
/* A cut, or a kill that keeps what was written; then open.c and heal.c, and the program runs again. */
proctype Restarter() {
    byte b, e, v;
    atomic {
        if
        :: true -> /* power: any subset of what was not flushed is kept; here each entry, each record, each block */
            e = 0;
            do
            :: e < NB * NS + 2 * NS ->
                if
                :: (written & ~durable) & BIT(e) -> written = written & ~BIT(e)
                :: (written & ~durable) & BIT(e) -> durable = durable | BIT(e)
                :: else
                fi;
                if
                :: (data_written & ~data_durable) & BIT(e) -> data_written = data_written & ~BIT(e)
                :: (data_written & ~data_durable) & BIT(e) -> data_durable = data_durable | BIT(e)
                :: else
                fi;
                e++
            :: else -> break
            od;
            do
            :: b < NB ->
                if
                :: origin_may[b] & 1 -> v = 0
                :: origin_may[b] & 2 -> v = 1
                :: origin_may[b] & 4 -> v = 2
                fi;
                origin[b] = v;
                origin_may[b] = BIT(v);
                b++
            :: else -> break
            od
        :: true /* kill */
        fi;
        b = 0; e = 0; v = 0;
        d_step {
            origin_flushing = false; origin_keep[0] = 0;
            batch_covered = 0; data_covered = 0;
            batch_open = 0; batch_flight = 0; published = 0;
            closed = false; inside[0] = false; claimed[0] = false;
            need_lock = false; need_version = 0;
            page_version = 0; page_slot = false; page_summary = false;
            slot_bits = 0; slot_mine = false; slot_generation = 0;
            live = 0; acked = 0; additions = 0; version_moved = false
        }
        lives = 1
    }
    atomic {
        _nr_pr == 2; /* the first life's processes are gone */
        /* ssn_recover(), ssn_heal_tail(): an entry whose data is lost is copied again, or nobody needs it */
        do
        :: e < NB * NS ->
            if
            :: (written & ~data_written) & BIT(e) ->
                if
                :: origin[e / NS] == value[e] -> data_written = data_written | BIT(e)
                :: else -> written = written & ~BIT(e); durable = durable & ~BIT(e) /* drop_if_unneeded() */
                fi
            :: else
            fi;
            e++
        :: else -> break
        od;
        e = 0;
    }
#ifndef M_NO_REC_FLUSH
    d_step { durable = written; data_durable = data_written; power_cut() } /* ssn_store_activate(): its first flush */
#endif
    d_step {
        published = written;
        x_e = 1;
        next_epoch = 1;
        do
        :: x_e <= NS ->
            if
            :: written & RECORD(x_e) ->
                live = live | BIT(x_e);
                next_epoch = x_e + 1
            :: else
            fi;
#ifndef M_EPOCH_REUSE
            /* ssn_replayed_note(): above every epoch that any record names */
            next_epoch = ((written & ENTRY(0, x_e)) -> x_e + 1 : next_epoch);
#endif
            x_e++
        :: else -> break
        od;
        x_e = 0;
        need_version = next_epoch - 1
#ifndef M_NO_REC_FLUSH
        ;
        acked = live;
        power_cut()
#endif
    }
    atomic {
        run Leader(1);
        run Writer(0, 1);
        if
        :: next_epoch <= NS -> run Creator(1, 1)
        :: else
        fi
    }
}
#endif

init {
    atomic {
        byte i;
        for (i : 0 .. NB - 1) { origin_may[i] = 1 }
        i = 0;
#ifdef GROUPS
        cover[0] = 1; cover[1] = 2; cover[2] = 1;
        live = BIT(1) | BIT(2);
        acked = live;
        written = RECORD(1) | RECORD(2);
        durable = written;
        published = written;
        next_epoch = 3;
        need_version = 2;
#endif
#ifdef PAST
        cover[0] = 1;
        live = BIT(1);
        acked = live;
        written = RECORD(1);
        durable = written;
        published = written;
        next_epoch = 2;
        need_version = 1;
#endif
#ifdef EVICT
        run Evictor();
#endif
#ifdef VIEW
        run Viewer();
#endif
#ifdef RESTART
        run Restarter();
#endif
        run Leader(0);
#ifdef RESTART
        run Creator(0, 1);
#else
#if defined(GROUPS) || defined(PAST)
        run Creator(0, 1);
#else
        run Creator(0, NS);
#endif
#endif
        run Writer(0, 0);
#if NW > 1
        run Writer(1, 0);
#endif
    }
}
