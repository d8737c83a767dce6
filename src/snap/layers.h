/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: overlays that lie on others. A clone as changed makes its source's overlay a layer that never changes again,
 * and the source and the clone each get an overlay of their own on it. A snapshot reads what is pending, then its own
 * overlay, then those below, then the entry.
 *
 * catalogue->layers has the overlays with something below them; which overlay is needed by whom is counted from it and
 * from the snapshots each time. After a commit whose fate is unknown it may have more than the store, never less; that
 * is mended by ssn_layers_settle() before anything is dropped.
 */
#ifndef SSN_LAYERS_H
#define SSN_LAYERS_H

#include "context.h"
#include "layer.h"

/* admin is held, at open: an item of the store. */
int ssn_layers_load(struct selsnap *ss, const struct ssn_item *item);
/* After all snapshots and layers are loaded: no chain is too long. */
int ssn_layers_loaded(struct selsnap *ss);

/* The overlay and those below it, from the top; at most SSN_LAYER_CHAIN_MAX. 0: none. */
unsigned ssn_layers_chain(struct selsnap *ss, uint64_t overlay, uint64_t *ret_ids);
/* How many of a snapshot's chain, from the top, only that snapshot reads. admin is held. */
unsigned ssn_layers_alone(struct selsnap *ss, const struct ssn_snap *snap, const uint64_t *ids, unsigned count);

/* admin is held: room for so many more, so that adding cannot fail. */
bool ssn_layers_reserve(struct selsnap *ss, unsigned more);
void ssn_layers_add(struct selsnap *ss, uint64_t overlay, uint64_t parent);
void ssn_layers_remove(struct selsnap *ss, uint64_t overlay);
void ssn_layers_put(struct ssn_txn *txn, uint64_t overlay, uint64_t parent);

/*
 * admin is held, and nothing is in doubt but the snapshot at hand: adds to the transaction what drops the snapshot's
 * overlay, and the layers below that nobody else reads. After the commit: ssn_layers_released, with its result; then
 * the snapshot's record no longer names the overlay, or the snapshot is in doubt.
 */
void ssn_layers_put_release(struct selsnap *ss, struct ssn_txn *txn, const struct ssn_snap *snap);
void ssn_layers_released(struct selsnap *ss, const struct ssn_snap *snap, int rc);

/*
 * admin is held. Where there are layers, and commits that failed have left snapshots or layers in doubt, finds out how
 * the store has them. A reset that the store does not have stays to be done again.
 */
int ssn_layers_settle(struct selsnap *ss);

#endif
