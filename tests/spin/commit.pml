/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit, checkpoint and recovery of src/store, for an exhaustive search by Spin (run_models.py).
 *
 * One process, whose options are the steps of all threads: whichever can be taken may be. So a cut or a kill is an
 * option as well: it wipes what is in memory, and what is left is recovered. Two clients own a key each. A client puts
 * its key (takes a unit of space, writes data there, commits) or deletes it (commits, gives the unit): an entry that
 * preserves, and its reclaim. One leader writes batches of two sectors, one for each client's record, into a ring of
 * two; one checkpoint runs beside it; a reader looks a key up and reads its data.
 *
 * A cell of the device is a sector, a data unit, a tree, or a superblock. What was written and not flushed is kept or
 * lost after a cut, cell by cell; a superblock that is lost may be torn. After a cut:
 *   P7  the store opens: no check of recovery.c that means damage fails                     (recover)
 *   P6  each key is as its last acknowledged record says, or as one that was under way      (recover)
 *   P1  and its data is there; or stands in the origin, if the record was not acknowledged: only then, by P2 (recover)
 * and space that the tree, a batch or a reader names is not used again (recover, read_key).
 *
 * OPS commits and CRASHES cuts or kills are made; READER adds the reader. M_... is a rule that is broken; S_... one
 * that cuts and kills do not need (it is there for damage, or for simplicity); G_... a situation that must come about.
 * Failing requests are in protocol.pml. One file, since Spin counts the lines that it reached in one.
 */
#ifndef OPS
#define OPS 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif

#define KEYS 2
#define UNITS 3
#define RING 2
#define TREES 3
#ifdef M_ACK_OOO
#define LEADERS 2
#define IN_FLIGHT ((leader[0] != IDLE -> 1 : 0) + (leader[1] != IDLE -> 1 : 0))
#else
#define LEADERS 1
#define IN_FLIGHT (leader[0] != IDLE -> 1 : 0)
#endif
#ifdef M_DATA_LATE
#define MAY_JOIN(k) (client[k] == WRITTEN || client[k] == TAKEN)
#else
#define MAY_JOIN(k) (client[k] == WRITTEN)
#endif

#define BIT(i) (1 << (i))
/* With -DG_name the goal is an error, so a search finds it. */
#define GOAL(name, condition) assert(!(name) || !(condition))
#ifndef G_REUSED
#define G_REUSED 0
#endif
#ifndef G_WRAPPED
#define G_WRAPPED 0
#endif
#ifndef G_TORN
#define G_TORN 0
#endif
#ifndef G_OLD_SUPER
#define G_OLD_SUPER 0
#endif
#ifndef G_HEALED
#define G_HEALED 0
#endif
#ifndef G_HEALED_TWICE
#define G_HEALED_TWICE 0
#endif
#ifndef G_FULL_RING
#define G_FULL_RING 0
#endif
/* Cells, a bit each. */
#define SECTOR(i) BIT(i)
#define DATA(u) BIT(4 + (u))
#define TREE(t) BIT(7 + (t))
#define SUPER(s) BIT(10 + (s))
#define CELLS 12
/* A batch's number, and the life it was written in, which only the checks know. */
#define UID(n, l) ((n) * 4 + (l))
#define NUMBER(uid) ((uid) / 4)
/* A record: its unit in the low bits, then the value; 0: none. */
#define PUT(v, u) (32 + (v) * 4 + (u))
#define DELETE(u) (128 + (u))
#define IS_PUT(op) ((op) != 0 && (op) < 128)
#define UNIT(op) ((op) & 3)
#define VALUE(op) (((op) - 32) / 4)

typedef Sector { byte uid, inc, sup, chain, op }
typedef Super { byte seq, start, number, chain, tree, gen, inc }
typedef Tree { byte gen, free; byte unit[KEYS]; byte val[KEYS] }

/* ---- the device: as it reads, and without what was not flushed ---- */

Sector sector[RING * 2], sector_safe[RING * 2];
Super super[2], super_safe[2];
Tree tree[TREES]; /* one that is lost reads as damaged */
byte data[UNITS], data_safe[UNITS];
short dirty;

/* ---- in memory ---- */

mtype = { RUN, ACTIVATE_FLUSH, ACTIVATE_SUPER, ACTIVATE_DONE, OVER };
mtype mode = ACTIVATE_FLUSH;
byte key_unit[KEYS], key_val[KEYS]; /* the index, as published */
byte free, taken, given;            /* usable; by the active generation */
byte waiting;                       /* freed, for readers to leave */
mtype = { IDLE, TAKEN, WRITTEN, WAITING, LATE, TOO_LATE };
mtype client[KEYS] = IDLE;
byte client_op[KEYS];
byte open_op[KEYS];
mtype = { SEAL_0, SEAL_1, FLUSH, FLUSHING };
mtype leader[LEADERS] = IDLE;
byte flight_op[LEADERS * KEYS];
byte flight_number[LEADERS], flight_slot[LEADERS], flight_chain[LEADERS], flight_sup[LEADERS];
short flight_covered[LEADERS];
byte head, number, chain, used, inc, known_super; /* the journal */
mtype = { SWAPPED, BUILT, BUILD_FLUSHING, PAGES_SAFE, SUPER_WRITTEN, SUPER_FLUSHING };
mtype fold = IDLE;
short fold_covered;
Tree frozen;
byte frozen_head, frozen_number, frozen_chain, frozen_used, frozen_given, fold_place;
Super now;                          /* the superblock that counts */
byte tree_before = TREES;           /* place of the tree before it */
bool reading;
byte read_unit, read_val;

/* ---- what the checks know ---- */

byte life, ops_left = OPS, next_val = 1;
byte acked_val[KEYS];               /* by the last acknowledged record; 0: absent */
byte under_way[KEYS];               /* a record that is not acknowledged */
byte x, y, u;                       /* used within one step, and 0 outside */
bool x_stop, x_whole;

inline wrote(cell) {
    dirty = dirty | (cell);
    flight_covered[0] = flight_covered[0] & ~(cell);
#ifdef M_ACK_OOO
    flight_covered[1] = flight_covered[1] & ~(cell);
#endif
    fold_covered = fold_covered & ~(cell)
}

/* The cells that a flush covered are safe. */
inline flushed(cells) {
    x = 0;
    do
    :: x < RING * 2 && (cells & dirty & SECTOR(x)) ->
        sector_safe[x].uid = sector[x].uid;
        sector_safe[x].inc = sector[x].inc;
        sector_safe[x].sup = sector[x].sup;
        sector_safe[x].chain = sector[x].chain;
        sector_safe[x].op = sector[x].op;
        x++
    :: x < RING * 2 && !(cells & dirty & SECTOR(x)) -> x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < UNITS -> data_safe[x] = ((cells & DATA(x)) -> data[x] : data_safe[x]); x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < 2 && (cells & dirty & SUPER(x)) ->
        super_safe[x].seq = super[x].seq;
        super_safe[x].start = super[x].start;
        super_safe[x].number = super[x].number;
        super_safe[x].chain = super[x].chain;
        super_safe[x].tree = super[x].tree;
        super_safe[x].gen = super[x].gen;
        super_safe[x].inc = super[x].inc;
        x++
    :: x < 2 && !(cells & dirty & SUPER(x)) -> x++
    :: else -> break
    od;
    x = 0;
    dirty = dirty & ~(cells)
}

/* ---- clients: preserve.c, reclaim.c, and append() of commit.c ---- */

/* ssn_store_take(): the lowest unit that is free. */
inline client_take(k) {
    d_step {
        mode == RUN && client[k] == IDLE && ops_left > 0 && key_val[k] == 0 && free != 0 ->
        u = ((free & 1) -> 0 : ((free & 2) -> 1 : 2));
        GOAL(G_REUSED, data[u] != 0);
        free = free & ~BIT(u);
        client_op[k] = PUT(next_val, u);
        next_val++;
        ops_left--;
        client[k] = TAKEN;
        u = 0
    }
}

/* ssn_store_write_data() */
inline client_write(k) {
    d_step {
        mode == RUN && (client[k] == TAKEN || client[k] == LATE || client[k] == TOO_LATE) ->
        data[UNIT(client_op[k])] = VALUE(client_op[k]);
        wrote(DATA(UNIT(client_op[k])));
        client_op[k] = (client[k] == TOO_LATE -> 0 : client_op[k]);
        client[k] = (client[k] == TAKEN -> WRITTEN : (client[k] == LATE -> WAITING : IDLE))
    }
}

inline client_delete(k) {
    d_step {
        mode == RUN && client[k] == IDLE && ops_left > 0 && key_val[k] != 0 ->
        client_op[k] = DELETE(key_unit[k]);
        ops_left--;
        client[k] = WRITTEN
    }
}

/* join(), admit(), append(): there is room in the ring for one more batch. */
inline client_join(k) {
    d_step {
        mode == RUN && MAY_JOIN(k) && used + IN_FLIGHT + 1 <= RING ->
        open_op[k] = client_op[k];
        under_way[k] = client_op[k];
        client[k] = (client[k] == TAKEN -> LATE : WAITING)
#ifdef M_REUSE_EARLY
        ;
        free = (IS_PUT(client_op[k]) -> free : free | BIT(UNIT(client_op[k])))
#endif
    }
}

/* ---- the leader: commit.c and journal.c ---- */

/* ssn_journal_take_off(), when nobody leads. */
inline leader_take_off(l) {
    d_step {
        mode == RUN && leader[l] == IDLE && (open_op[0] != 0 || open_op[1] != 0) ->
        flight_op[l * KEYS] = open_op[0];
        flight_op[l * KEYS + 1] = open_op[1];
        open_op[0] = 0;
        open_op[1] = 0;
        flight_number[l] = number;
        flight_slot[l] = head;
        flight_chain[l] = chain;
        flight_sup[l] = known_super;
#ifdef M_ACK_OOO
        chain = UID(number, life);
        number++;
        head = (head + 1) % RING;
#endif
        leader[l] = SEAL_0
    }
}

/* write_ring(), sector by sector: a kill may come between. */
inline leader_write(l, from, to, i) {
    d_step {
        mode == RUN && leader[l] == from ->
        x = flight_slot[l] * 2 + i;
        GOAL(G_WRAPPED, sector[x].uid != 0 && NUMBER(sector[x].uid) + RING == flight_number[l]);
        sector[x].uid = UID(flight_number[l], life);
        sector[x].inc = inc;
        sector[x].sup = flight_sup[l];
        sector[x].chain = flight_chain[l];
        sector[x].op = flight_op[l * KEYS + i];
        wrote(SECTOR(x));
        x = 0;
        leader[l] = to
    }
}

/* ssn_store_dev_flush() begins. */
inline leader_flush(l) {
    d_step {
        mode == RUN && leader[l] == FLUSH ->
        flight_covered[l] = dirty;
        leader[l] = FLUSHING
    }
}

/* It ends; ssn_journal_advance(), publish(). */
inline leader_publish(l) {
    d_step {
        mode == RUN && leader[l] == FLUSHING ->
#ifndef M_NO_BATCH_FLUSH
        flushed(flight_covered[l]);
#endif
        flight_covered[l] = 0;
        y = 0;
        do
        :: y < KEYS ->
            if
            :: IS_PUT(flight_op[l * KEYS + y]) ->
                key_unit[y] = UNIT(flight_op[l * KEYS + y]);
                key_val[y] = VALUE(flight_op[l * KEYS + y]);
                taken = taken | BIT(key_unit[y]);
                acked_val[y] = key_val[y]
            :: flight_op[l * KEYS + y] >= 128 ->
                given = given | BIT(key_unit[y]);
#ifdef M_REUSE_AT_ACK
                free = free | BIT(key_unit[y]);
#endif
                key_unit[y] = 0;
                key_val[y] = 0;
                acked_val[y] = 0
            :: else
            fi;
            if
            :: flight_op[l * KEYS + y] != 0 ->
                under_way[y] = 0;
                client[y] = (client[y] == LATE -> TOO_LATE : IDLE);
                client_op[y] = (client[y] == IDLE -> 0 : client_op[y]);
                flight_op[l * KEYS + y] = 0
            :: else
            fi;
            y++
        :: else -> break
        od;
        y = 0;
#ifndef M_ACK_OOO
        chain = UID(number, life);
        number++;
        head = (head + 1) % RING;
#endif
        used++;
        flight_number[l] = 0; flight_slot[l] = 0; flight_chain[l] = 0; flight_sup[l] = 0;
        leader[l] = IDLE
    }
}

/* ---- checkpoint.c ---- */

/* swap() */
inline fold_swap() {
    d_step {
        mode == RUN && fold == IDLE && used > 0 ->
        x = 0;
        do
        :: x < KEYS -> frozen.unit[x] = key_unit[x]; frozen.val[x] = key_val[x]; x++
        :: else -> break
        od;
        x = 0;
        /* fold_space() */
        frozen.free = (tree[now.tree].free & ~taken) | given;
        frozen_given = given;
        taken = 0;
        given = 0;
        frozen_head = head;
        frozen_number = number;
        frozen_chain = chain;
        frozen_used = used;
        /* take_page(): neither this tree's place nor the last one's, which the last ledger gave */
#ifdef M_TREE_REUSE
        fold_place = now.tree;
#else
#ifdef S_TREE_REUSE
        fold_place = (now.tree == 0 -> 1 : 0);
#else
        do
        :: fold_place == now.tree || fold_place == tree_before -> fold_place++
        :: else -> break
        od;
#endif
#endif
#ifdef M_JREUSE_EARLY
        used = used - frozen_used;
        frozen_used = 0;
#endif
#ifdef S_REUSE_AT_SWAP
        free = free | frozen_given;
        frozen_given = 0;
#endif
#ifdef M_SUPER_FIRST
        fold = PAGES_SAFE
#else
        fold = SWAPPED
#endif
    }
}

/* build(): the pages. */
inline fold_build() {
    d_step {
        mode == RUN && fold == SWAPPED ->
        tree[fold_place].gen = now.seq + 1;
        tree[fold_place].free = frozen.free;
        x = 0;
        do
        :: x < KEYS ->
            tree[fold_place].unit[x] = frozen.unit[x];
            tree[fold_place].val[x] = frozen.val[x];
            x++
        :: else -> break
        od;
        x = 0;
        wrote(TREE(fold_place));
        fold = BUILT
    }
}

inline fold_flush(from, to) {
    d_step {
        mode == RUN && fold == from ->
        fold_covered = dirty;
        fold = to
    }
}

/* The flush at the end of build(). */
inline fold_pages_safe() {
    d_step {
        mode == RUN && fold == BUILD_FLUSHING ->
#ifndef M_NO_CKPT_FLUSH
        flushed(fold_covered);
#endif
        fold_covered = 0;
#ifdef M_SUPER_FIRST
        fold = SUPER_FLUSHING
#else
        fold = PAGES_SAFE
#endif
    }
}

/* ssn_super_write(): into the slot of the older one. */
inline fold_super() {
    d_step {
        mode == RUN && fold == PAGES_SAFE ->
#ifdef M_SAME_SLOT
        x = now.seq % 2;
#else
        x = (now.seq + 1) % 2;
#endif
        super[x].seq = now.seq + 1;
        super[x].start = frozen_head;
        super[x].number = frozen_number;
        super[x].chain = frozen_chain;
        super[x].tree = fold_place;
        super[x].gen = now.seq + 1;
        super[x].inc = now.inc;
        wrote(SUPER(x));
        x = 0;
#ifdef M_KNOWN_EARLY
        known_super = now.seq + 1;
#endif
#ifdef M_SUPER_FIRST
        fold = SWAPPED
#else
        fold = SUPER_WRITTEN
#endif
    }
}

/* The flush of the superblock ends; switch_over(), ssn_space_switch(). */
inline fold_switch() {
    d_step {
        mode == RUN && fold == SUPER_FLUSHING ->
#ifndef M_NO_SUPER_FLUSH
        flushed(fold_covered);
#endif
        fold_covered = 0;
        tree_before = now.tree;
        now.seq++;
        now.start = frozen_head;
        now.number = frozen_number;
        now.chain = frozen_chain;
        now.tree = fold_place;
        now.gen = now.seq;
        known_super = now.seq;
        used = used - frozen_used;
#ifdef M_REUSE_READERS
        free = free | frozen_given;
#else
        waiting = (reading -> waiting | frozen_given : 0);
        free = (reading -> free : free | frozen_given);
#endif
        frozen.free = 0;
        x = 0;
        do
        :: x < KEYS -> frozen.unit[x] = 0; frozen.val[x] = 0; x++
        :: else -> break
        od;
        x = 0;
        frozen_head = 0; frozen_number = 0; frozen_chain = 0; frozen_used = 0; frozen_given = 0; fold_place = 0;
        fold = IDLE
    }
}

/* ---- readers.c ---- */

#ifdef READER
/* ssn_store_enter(), ssn_store_get() */
inline reader_look(k) {
    d_step {
        mode == RUN && !reading && key_val[k] != 0 ->
        reading = true;
        read_unit = key_unit[k];
        read_val = key_val[k]
    }
}

/* ssn_store_read_data(), ssn_store_leave() */
inline reader_read() {
    d_step {
        mode == RUN && reading ->
        assert(data[read_unit] == read_val);
        reading = false;
        read_unit = 0;
        read_val = 0;
        free = free | waiting;
        waiting = 0
    }
}
#endif

/* ---- cuts and kills ---- */

inline forget_memory() {
    d_step {
        x = 0;
        do
        :: x < KEYS ->
            client[x] = IDLE; client_op[x] = 0; open_op[x] = 0;
            key_unit[x] = 0; key_val[x] = 0;
            frozen.unit[x] = 0; frozen.val[x] = 0;
            x++
        :: else -> break
        od;
        x = 0;
        do
        :: x < LEADERS ->
            leader[x] = IDLE;
            flight_op[x * KEYS] = 0; flight_op[x * KEYS + 1] = 0;
            flight_number[x] = 0; flight_slot[x] = 0; flight_chain[x] = 0; flight_sup[x] = 0; flight_covered[x] = 0;
            x++
        :: else -> break
        od;
        x = 0;
        free = 0; taken = 0; given = 0; waiting = 0;
        head = 0; number = 0; chain = 0; used = 0; inc = 0; known_super = 0;
        fold = IDLE; fold_covered = 0; frozen.free = 0;
        frozen_head = 0; frozen_number = 0; frozen_chain = 0; frozen_used = 0; frozen_given = 0; fold_place = 0;
        tree_before = TREES;
        reading = false; read_unit = 0; read_val = 0
    }
}

/* Each cell that was not flushed is kept or lost. */
inline lose() {
    do
    :: x < CELLS && !(dirty & BIT(x)) -> x++
    :: x < CELLS && (dirty & BIT(x)) -> x++ /* kept */
    :: x < RING * 2 && (dirty & BIT(x)) ->
        d_step {
            sector[x].uid = sector_safe[x].uid;
            sector[x].inc = sector_safe[x].inc;
            sector[x].sup = sector_safe[x].sup;
            sector[x].chain = sector_safe[x].chain;
            sector[x].op = sector_safe[x].op;
            x++
        }
    :: x >= 4 && x < 7 && (dirty & BIT(x)) -> data[x - 4] = data_safe[x - 4]; x++
    :: x >= 7 && x < 10 && (dirty & BIT(x)) -> tree[x - 7].gen = 0; x++
    :: x >= 10 && x < CELLS && (dirty & BIT(x)) ->
        d_step {
            super[x - 10].seq = super_safe[x - 10].seq;
            super[x - 10].start = super_safe[x - 10].start;
            super[x - 10].number = super_safe[x - 10].number;
            super[x - 10].chain = super_safe[x - 10].chain;
            super[x - 10].tree = super_safe[x - 10].tree;
            super[x - 10].gen = super_safe[x - 10].gen;
            super[x - 10].inc = super_safe[x - 10].inc;
            x++
        }
    :: x >= 10 && x < CELLS && (dirty & BIT(x)) -> super[x - 10].seq = 0; x++ /* torn */
    :: x == CELLS -> x = 0; break
    od;
    flushed(dirty)
}

inline crash() {
    atomic {
        life < CRASHES ->
        forget_memory();
        if
        :: lose() /* power */
        :: true   /* kill: all that was written can be read, flushed or not */
        fi;
        life++;
        recover()
    }
}

/* ---- recovery.c, heal.c ---- */

/* sector_wrong(): none of this may be found without damage. */
inline check_sector(i) {
    assert(sector[i].sup <= now.seq && sector[i].inc <= now.inc);
    assert(NUMBER(sector[i].uid) <= number)
}

/* check_batch(): whether the batch at head belongs to the log [F-7]. */
inline check_batch() {
    check_sector(2 * head);
    x_whole = NUMBER(sector[2 * head].uid) == number;
#ifndef M_NOCHAIN
#ifndef S_NOCHAIN
    x_whole = x_whole && sector[2 * head].chain == chain;
#endif
    x_whole = x_whole && sector[2 * head].inc >= inc;
#endif
    if
    :: x_whole ->
        check_sector(2 * head + 1);
        x_whole = NUMBER(sector[2 * head + 1].uid) == number;
#ifndef M_NOCHAIN
#ifndef S_NOCHAIN
        x_whole = x_whole && sector[2 * head + 1].chain == chain;
#endif
        x_whole = x_whole && sector[2 * head + 1].inc == sector[2 * head].inc;
#endif
        GOAL(G_TORN, !x_whole && sector[2 * head].inc < now.inc && life == 2);
        /* What is replayed was written as it is. */
        assert(!x_whole || sector[2 * head].uid == sector[2 * head + 1].uid)
    :: else
    fi
}

/* replay_ring(), apply_op() */
inline replay() {
    do
    :: used < RING && !x_stop ->
        check_batch();
        if
        :: x_whole ->
            inc = sector[2 * head].inc;
            chain = sector[2 * head].uid;
            y = 0;
            do
            :: y < KEYS ->
                open_op[y] = sector[2 * head + y].op; /* of the last batch, for the healing */
                if
                :: IS_PUT(open_op[y]) ->
                    key_unit[y] = UNIT(open_op[y]);
                    key_val[y] = VALUE(open_op[y]);
                    taken = taken | BIT(key_unit[y])
                :: open_op[y] >= 128 ->
                    given = given | BIT(UNIT(open_op[y]));
                    key_unit[y] = 0;
                    key_val[y] = 0
                :: else
                fi;
                y++
            :: else -> break
            od;
            y = 0;
            number++;
            head = (head + 1) % RING;
            used++
        :: else -> x_stop = true
        fi
    :: else -> break
    od;
    x_stop = false;
    x_whole = false
}

/* ssn_heal_tail(): data of the last batch that is lost is copied again from the origin, which P2 keeps as it was. */
inline heal() {
    y = 0;
    do
    :: y < KEYS ->
        if
        :: IS_PUT(open_op[y]) && key_val[y] == VALUE(open_op[y]) && data[key_unit[y]] != key_val[y] ->
            assert(under_way[y] == open_op[y]);
            GOAL(G_HEALED, life == 1);
            GOAL(G_HEALED_TWICE, life == 2 && now.inc == 2);
#ifndef M_NO_HEAL
            data[key_unit[y]] = key_val[y];
            wrote(DATA(key_unit[y]))
#endif
        :: else
        fi;
        open_op[y] = 0;
        y++
    :: else -> break
    od;
    y = 0
}

/* What was acknowledged is there, and nothing else but what was under way. */
inline judge() {
    y = 0;
    do
    :: y < KEYS ->
        assert(key_val[y] == acked_val[y] || under_way[y] != 0 &&
               key_val[y] == (IS_PUT(under_way[y]) -> VALUE(under_way[y]) : 0));
        assert(key_val[y] == 0 || data[key_unit[y]] == key_val[y]);
        y++
    :: else -> break
    od;
    y = 0
}

/* ssn_slots_read(), ssn_recover() */
inline recover() {
    d_step {
        assert(super[0].seq != 0 || super[1].seq != 0);
        x = (super[1].seq > super[0].seq -> 1 : 0);
        now.seq = super[x].seq;
        now.start = super[x].start;
        now.number = super[x].number;
        now.chain = super[x].chain;
        now.tree = super[x].tree;
        now.gen = super[x].gen;
        now.inc = super[x].inc;
        GOAL(G_OLD_SUPER, life != 0 && super[1 - x].seq == 0 && now.tree != 0);
        /* The pointer holds the checksum of the page: it is the one that was built then. */
        assert(tree[now.tree].gen == now.gen);
        x = 0;
        do
        :: x < KEYS -> key_unit[x] = tree[now.tree].unit[x]; key_val[x] = tree[now.tree].val[x]; x++
        :: else -> break
        od;
        x = 0;
        head = now.start;
        number = now.number;
        chain = now.chain;
        replay();
        GOAL(G_FULL_RING, used == RING && life == 2);
        heal();
        judge();
        /* ssn_space_load() [F-12] */
#ifdef M_TAKEN_FORGOTTEN
        free = tree[now.tree].free;
#else
        free = tree[now.tree].free & ~taken;
#endif
        inc = now.inc;
        /* The place of the tree before was given by the ledger, which is not folded yet. */
        x = (super[1].seq > super[0].seq -> 0 : 1);
        tree_before = (super[x].seq != 0 && super[x].tree != now.tree -> super[x].tree : TREES);
        x = 0;
        mode = ACTIVATE_FLUSH
    }
}

/* ssn_store_activate(): flush, */
inline activate_flush() {
    d_step {
        mode == ACTIVATE_FLUSH ->
#if !defined(M_NOFLUSH) && !defined(M_NO_REC_FLUSH)
        flushed(dirty);
#endif
        mode = ACTIVATE_SUPER
    }
}

/* a superblock with a new incarnation, */
inline activate_super() {
    d_step {
        mode == ACTIVATE_SUPER ->
        x = (now.seq + 1) % 2;
        now.seq++;
#ifndef M_SAME_INC
        now.inc++;
#endif
        super[x].seq = now.seq;
        super[x].start = now.start;
        super[x].number = now.number;
        super[x].chain = now.chain;
        super[x].tree = now.tree;
        super[x].gen = now.gen;
        super[x].inc = now.inc;
        wrote(SUPER(x));
        x = 0;
        mode = ACTIVATE_DONE
    }
}

/* flush: the store is ready, and what was recovered is relied on. */
inline activate_done() {
    d_step {
        mode == ACTIVATE_DONE ->
#if !defined(M_NOFLUSH) && !defined(M_NO_REC_SUPER_FLUSH)
        flushed(dirty);
#endif
        inc = now.inc;
        known_super = now.seq;
        x = 0;
        do
        :: x < KEYS -> acked_val[x] = key_val[x]; under_way[x] = 0; x++
        :: else -> break
        od;
        x = 0;
        mode = RUN
    }
}

init {
    /* An empty store, as format leaves it. */
    d_step {
        super[0].seq = 2; super[0].number = 1; super[0].gen = 2;
        super[1].seq = 1; super[1].number = 1; super[1].gen = 2;
        tree[0].gen = 2;
        tree[0].free = BIT(UNITS) - 1;
        x = 0;
        do
        :: x < 2 ->
            super_safe[x].seq = super[x].seq; super_safe[x].number = 1; super_safe[x].gen = 2;
            x++
        :: else -> break
        od;
        x = 0;
        recover()
    }
end:
    do
    :: client_take(0)
    :: client_take(1)
    :: client_write(0)
    :: client_write(1)
    :: client_delete(0)
    :: client_delete(1)
    :: client_join(0)
    :: client_join(1)
    :: leader_take_off(0)
    :: leader_write(0, SEAL_0, SEAL_1, 0)
    :: leader_write(0, SEAL_1, FLUSH, 1)
    :: leader_flush(0)
    :: leader_publish(0)
#ifdef M_ACK_OOO
    :: leader_take_off(1)
    :: leader_write(1, SEAL_0, SEAL_1, 0)
    :: leader_write(1, SEAL_1, FLUSH, 1)
    :: leader_flush(1)
    :: leader_publish(1)
#endif
    :: fold_swap()
    :: fold_build()
    :: fold_flush(BUILT, BUILD_FLUSHING)
    :: fold_pages_safe()
    :: fold_super()
    :: fold_flush(SUPER_WRITTEN, SUPER_FLUSHING)
    :: fold_switch()
#ifdef READER
    :: reader_look(0)
    :: reader_look(1)
    :: reader_read()
#endif
#if CRASHES > 0
    :: crash()
#endif
    :: activate_flush()
    :: activate_super()
    :: activate_done()
    od
}
