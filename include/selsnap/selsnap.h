/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file selsnap.h
 * @brief Selective block snapshots: subsets, the context, snapshots, views, restore.
 *
 * Words: the *origin* is the live device; the *store* holds preserved copies and all metadata; a *block* is the unit
 * of designation, preservation and restore, fixed when the store is formatted; a *designation* is a subset saved in
 * the store; a *view* is an open handle on a snapshot.
 *
 * Longer than usual: what a program that protects a device needs is here, in the order in which it is used, and most of the
 * lines tell each call's errors and the state they leave. What only some programs need has headers of its own: clones,
 * differences, groups, growing, quotas, retention, streams.
 *
 * Structs begin with struct_size, which the caller sets (the _INIT macros do); members are only ever added at the end,
 * and 0 is always the default. All text is UTF-8 without control characters, but paths (an origin hint is one): those are
 * what the system says. What does not say since when it is there has been there since 0.1.
 */
#ifndef SELSNAP_SELSNAP_H
#define SELSNAP_SELSNAP_H

#include <selsnap/device.h>
#include <selsnap/error.h>
#include <selsnap/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @brief A store opened on its origin. Opaque; every function on it may be called from any thread. */
typedef struct selsnap selsnap;
/** @brief A set of blocks. Opaque; one thread at a time. */
typedef struct selsnap_subset selsnap_subset;
/** @brief An open handle on a snapshot. Opaque; any thread. */
typedef struct selsnap_view selsnap_view;

#define SELSNAP_NAME_MAX 255       /**< Bytes of a name, without the ending zero. */
#define SELSNAP_PROPERTY_KEY_MAX 255    /**< Bytes of a property's key. */
#define SELSNAP_PROPERTY_VALUE_MAX 768  /**< Bytes of a property's value. */
#define SELSNAP_ORIGIN_HINT_MAX 240     /**< Bytes of an origin hint. */
#define SELSNAP_BLOCK_SIZE_MIN 4096u     /**< Smallest block, bytes. */
#define SELSNAP_BLOCK_SIZE_MAX 1048576u  /**< Largest block, bytes. */

/** @brief A range of bytes. */
typedef struct selsnap_range {
    uint64_t offset; /**< Bytes from the start of the device. */
    uint64_t len;    /**< Bytes. */
} selsnap_range;

/**
 * @brief Told how long work goes on, and asked whether to stop.
 *
 * @p done of @p total; the unit is that of the call. A result other than 0 stops the work, which then returns
 * ::SELSNAP_ECANCELED and can be taken up again. Called on the caller's thread, with no lock held; it may use the context.
 */
typedef int (*selsnap_progress_fn)(void *user, uint64_t done, uint64_t total);

/** @defgroup subsets Subsets
 * Sets of blocks of one device size and block size. Byte ranges are rounded so that a subset errs towards protecting:
 * what is added is rounded outward to blocks, and a block is removed only when all its bytes are in the removed range.
 * @{ */

/**
 * @brief Make an empty subset.
 *
 * @param[in]  device_bytes  Size of the origin. The last block may be short.
 * @param[in]  block_bytes   The store's block size; a power of two from 4096 to 1048576.
 * @param[out] ret_subset    The subset; close it with selsnap_subset_close().
 *
 * @retval SELSNAP_EINVAL  The block size is not allowed, @p device_bytes is 0, or @p ret_subset is NULL.
 * @retval SELSNAP_ENOMEM  No memory.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_open(uint64_t device_bytes, uint32_t block_bytes,
                                    selsnap_subset **ret_subset) SELSNAP_MUST_CHECK;

/**
 * @brief Make an empty subset with the sizes of a context's origin.
 *
 * @param[in]  ss          Context.
 * @param[out] ret_subset  The subset. It does not depend on the context afterwards.
 *
 * @retval SELSNAP_ENOMEM  No memory.
 * @retval SELSNAP_EINVAL  An argument is NULL; nothing was done.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_open_for(selsnap *ss, selsnap_subset **ret_subset) SELSNAP_MUST_CHECK;

/**
 * @brief Free a subset.
 * @param[in] subset  A subset, or NULL.
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API void selsnap_subset_close(selsnap_subset *subset);

/**
 * @brief Add every block that the range touches.
 *
 * @param[in] subset  A subset.
 * @param[in] offset  Bytes, any alignment.
 * @param[in] len     Bytes; 0 adds nothing.
 *
 * @retval SELSNAP_ERANGE  Not inside the device; unchanged.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @retval SELSNAP_EINVAL  @p subset is NULL.
 *
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_add(selsnap_subset *subset, uint64_t offset, uint64_t len) SELSNAP_MUST_CHECK;

/**
 * @brief Remove every block that lies in the range with all its bytes. A block touched in part stays.
 *
 * @param[in] subset  A subset.
 * @param[in] offset  Bytes, any alignment.
 * @param[in] len     Bytes; 0 removes nothing.
 *
 * @retval SELSNAP_ERANGE  Not inside the device; unchanged.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @retval SELSNAP_EINVAL  @p subset is NULL.
 *
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_remove(selsnap_subset *subset, uint64_t offset, uint64_t len) SELSNAP_MUST_CHECK;

/**
 * @brief Make @p subset the union of both.
 * @param[in] subset  Changed.
 * @param[in] other   Not changed; may be the same.
 * @retval SELSNAP_EINVAL  Their sizes differ, or one is NULL; unchanged.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_union(selsnap_subset *subset, const selsnap_subset *other) SELSNAP_MUST_CHECK;

/**
 * @brief Keep in @p subset only what is in both.
 * @param[in] subset  Changed.
 * @param[in] other   Not changed; may be the same.
 * @retval SELSNAP_EINVAL  Their sizes differ, or one is NULL; unchanged.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_intersect(selsnap_subset *subset, const selsnap_subset *other) SELSNAP_MUST_CHECK;

/**
 * @brief Take out of @p subset all that is in @p other.
 * @param[in] subset  Changed.
 * @param[in] other   Not changed; may be the same.
 * @retval SELSNAP_EINVAL  Their sizes differ, or one is NULL; unchanged.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_subtract(selsnap_subset *subset, const selsnap_subset *other) SELSNAP_MUST_CHECK;

/**
 * @brief Make @p subset hold exactly the blocks it did not hold.
 * @param[in] subset  Changed.
 * @retval SELSNAP_ENOMEM  Unchanged.
 * @retval SELSNAP_EINVAL  @p subset is NULL.
 * @threading   One thread at a time.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_complement(selsnap_subset *subset) SELSNAP_MUST_CHECK;

/**
 * @brief Whether all bytes of the range are in the subset.
 * @param[in] subset  A subset.
 * @param[in] offset  Bytes.
 * @param[in] len     Bytes; 0 is contained.
 * @return 1 or 0; a range outside the device is not contained.
 * @threading   Any number of readers, no writer.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_contains(const selsnap_subset *subset, uint64_t offset, uint64_t len);

/**
 * @brief The first range at or after a place. Ranges are maximal, sorted, whole blocks (the last may be short).
 *
 * To visit all: begin with 0, go on with ret_range->offset + ret_range->len.
 *
 * @param[in]  subset     A subset.
 * @param[in]  from       Bytes. Inside a range, what is left of it is given.
 * @param[out] ret_range  The range.
 *
 * @retval SELSNAP_ENOENT  No more; @p ret_range is untouched.
 * @retval SELSNAP_EINVAL  An argument is NULL; nothing was done.
 *
 * @threading   Any number of readers, no writer.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_subset_next(const selsnap_subset *subset, uint64_t from,
                                    selsnap_range *ret_range) SELSNAP_MUST_CHECK;

/** @brief Blocks in the subset. @param[in] subset A subset. @return Blocks. @threading Any number of readers.
 * @durability Nothing is written. @since 0.1 */
SELSNAP_API uint64_t selsnap_subset_block_count(const selsnap_subset *subset);
/** @brief Bytes in the subset. @param[in] subset A subset. @return Bytes. @threading Any number of readers.
 * @durability Nothing is written. @since 0.1 */
SELSNAP_API uint64_t selsnap_subset_byte_count(const selsnap_subset *subset);
/** @brief Ranges in the subset. @param[in] subset A subset. @return Ranges. @threading Any number of readers.
 * @durability Nothing is written. @since 0.1 */
SELSNAP_API uint64_t selsnap_subset_range_count(const selsnap_subset *subset);
/** @} */

/** @defgroup context The context
 * A store opened on its origin: the live device, background work, events, figures.
 * @{ */

/** @brief How to format; all members may be 0. */
typedef struct selsnap_format_options {
    uint32_t struct_size;   /**< sizeof(selsnap_format_options). */
    uint32_t flags;         /**< SELSNAP_FORMAT_*. */
    uint32_t block_bytes;   /**< Block size; a power of two, 4096 to 1048576, at least the origin's logical block; 0: 4096. */
    uint32_t reserved;      /**< 0. */
    uint64_t journal_bytes; /**< Journal; a multiple of 4096, 65536 to 1 GiB; 0: chosen by the store's size. */
    char *ret_message;      /**< NULL, or where to put a text about a failure (the detail has no context yet). */
    uint64_t message_size;  /**< Bytes at ret_message. */
    const char *origin_hint; /**< NULL, or where the origin is found (a path), for tools; see selsnap_store_origin_hint(). */
} selsnap_format_options;
/** @brief Default ::selsnap_format_options. */
#define SELSNAP_FORMAT_OPTIONS_INIT {sizeof(selsnap_format_options), 0, 0, 0, 0, 0, 0, 0}
/** @brief Format even if the device holds a store already; that store is lost. */
#define SELSNAP_FORMAT_OVERWRITE 0x1u
/** @brief Do not refuse when store and origin seem to share storage. For slices of one device that do not overlap this
 * is not needed. */
#define SELSNAP_FORMAT_ALLOW_OVERLAP 0x2u

/**
 * @brief Make an empty store for an origin.
 *
 * The origin is read for its identity only.
 *
 * @param[in] store    Written: both superblocks, the journal, the first metadata.
 * @param[in] origin   The device to protect.
 * @param[in] options  NULL for the defaults.
 *
 * @retval SELSNAP_EEXIST     The device holds a store, and SELSNAP_FORMAT_OVERWRITE is not given; unchanged.
 * @retval SELSNAP_ETOOSMALL  Too small for superblocks, journal and reserve; unchanged.
 * @retval SELSNAP_EINVAL     A device is NULL, or an option is not allowed; unchanged.
 * @retval SELSNAP_EOVERLAP   Store and origin are the same storage; unchanged.
 * @retval SELSNAP_ELOCKED    Somebody has the store open; unchanged.
 * @retval SELSNAP_ESTORE     The store device failed; it holds no valid store.
 * @retval SELSNAP_ELIMIT     The origin hint is too long; unchanged.
 * @retval SELSNAP_EREADONLY  The store device cannot be written; unchanged.
 * @retval SELSNAP_ENOMEM     No memory; unchanged.
 *
 * @threading   Any thread; the devices must not be in use by a context.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_format(selsnap_device *store, selsnap_device *origin,
                               const selsnap_format_options *options) SELSNAP_MUST_CHECK;

/**
 * @brief Read what a store notes about where its origin is found. The store need not be opened, and may be in use.
 *
 * @param[in]  store  A device with a store.
 * @param[out] buf    Filled, ended by a zero; empty when nothing was noted. At least SELSNAP_ORIGIN_HINT_MAX + 1 bytes.
 * @param[in]  len    Bytes at @p buf.
 *
 * @retval SELSNAP_EINVAL     An argument is NULL, or @p buf is too small.
 * @retval SELSNAP_ENOTSTORE  The device holds no store.
 * @retval SELSNAP_EIO        The device failed.
 * @retval SELSNAP_EVERSION   The store uses features this version does not know.
 * @retval SELSNAP_EDAMAGED   Both superblocks are damaged.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_store_origin_hint(selsnap_device *store, char *buf, size_t len) SELSNAP_MUST_CHECK;

/** @brief What an event is about. */
#define SELSNAP_EVENT_STORE_FILLING 1u    /**< value: percent of the store, or of its quota, in use (at 75, 90, 95, 99). */
#define SELSNAP_EVENT_BLOCK_LOST 2u       /**< offset, len: blocks given up; value: 1 no room, 2 the origin could not be read,
                                               3 a restore found its source damaged: lost to snapshots taken since it began. */
#define SELSNAP_EVENT_RESTORE_DONE 3u     /**< id: the job; value: the snapshot. */
#define SELSNAP_EVENT_STORE_FAILED 4u     /**< The store fails; value: the device's own error. */
#define SELSNAP_EVENT_STORE_RECOVERED 5u  /**< The store answers again. */
#define SELSNAP_EVENT_DAMAGE 6u           /**< A check failed; offset: byte offset in the store. */
#define SELSNAP_EVENT_QUOTA 7u            /**< id: a snapshot; len: its quota; value: percent of it that what is written into the
                                               snapshot takes (at 75, 90, 95, 99), 100 when a write was refused; or, above
                                               100, what deleting it would free (selsnap_snapshot_get_usage()). */

/** @brief Something that happened. */
typedef struct selsnap_event {
    uint32_t struct_size; /**< sizeof(selsnap_event), as the library knows it. */
    uint32_t kind;        /**< SELSNAP_EVENT_*. */
    uint64_t id;          /**< See the kind. */
    uint64_t offset;      /**< Bytes; see the kind. */
    uint64_t len;         /**< Bytes; see the kind. */
    int64_t value;        /**< See the kind. */
} selsnap_event;

/** @brief Told of events, on the thread that caused them, with no lock held. It must not call the context. */
typedef void (*selsnap_event_fn)(void *user, const selsnap_event *event);

#define SELSNAP_LOG_ERROR 1u   /**< Something failed. */
#define SELSNAP_LOG_WARNING 2u /**< Something is not as it should be, and was dealt with. */
#define SELSNAP_LOG_INFO 3u    /**< Opened, recovered, closed. */
/** @brief Told one line of text, without a newline. It must not call the context. */
typedef void (*selsnap_log_fn)(void *user, uint32_t level, const char *message);

/** @brief Read everything, write nothing: no snapshot can be made, no block written. */
#define SELSNAP_OPEN_READ_ONLY 0x1u
/** @brief Go on although the origin is not the one the store was made for. Given up: snapshots are right only if it has
 * the same content. */
#define SELSNAP_OPEN_OTHER_ORIGIN 0x2u
/** @brief Go on although the origin was changed outside the library. Given up: blocks changed there read changed in every
 * snapshot that had not preserved them. */
#define SELSNAP_OPEN_ORIGIN_CHANGED 0x4u
/** @brief Do not refuse when store and origin seem to share storage. */
#define SELSNAP_OPEN_ALLOW_OVERLAP 0x8u
/** @brief Preserve only blocks that are being written. Otherwise, where writes lie close together, up to 256 KiB around one
 * are preserved with it, which saves the writes to come their part; while the store has much room. */
#define SELSNAP_OPEN_NO_AHEAD 0x10u
/** @brief Take an origin that is longer than the recorded one: its first bytes are used, until selsnap_grow_origin(). Not
 * needed where its identity is known, nor after a crash. */
#define SELSNAP_OPEN_LONGER_ORIGIN 0x20u

/** @brief How to open; all members may be 0. */
typedef struct selsnap_open_options {
    uint32_t struct_size;   /**< sizeof(selsnap_open_options). */
    uint32_t flags;         /**< SELSNAP_OPEN_*. */
    uint64_t memory_limit;  /**< Bytes the context may allocate; at least 4 MiB + 3 x the journal, and for
                                 deferred_bytes 33/32 of them + 32 KiB; 0: 64 MiB. */
    selsnap_allocator allocator; /**< Used for all the context's memory. */
    selsnap_event_fn event; /**< NULL, or told of events. */
    void *event_user;       /**< Given to event. */
    selsnap_log_fn log;     /**< NULL, or told of what happens. */
    void *log_user;         /**< Given to log. */
    char *ret_message;      /**< NULL, or where to put a text about a failed open. */
    uint64_t message_size;  /**< Bytes at ret_message. */
    uint64_t deferred_bytes; /**< Bytes of writes that may be kept in memory (deferred mode); at least a block; 0: none, every
                                  write preserves before it returns. See selsnap_write(). */
} selsnap_open_options;
/** @brief Default ::selsnap_open_options. */
#define SELSNAP_OPEN_OPTIONS_INIT {sizeof(selsnap_open_options), 0, 0, {0, 0, 0, 0}, 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Open a store on its origin, and recover from whatever happened before.
 *
 * After a crash nothing is asked of the caller: the journal is replayed, and every snapshot is as it was.
 *
 * @param[in]  store    Stays open longer than the context; not owned. Locked where it can be.
 * @param[in]  origin   The same. From here on it is written only through the context.
 * @param[in]  options  NULL for the defaults.
 * @param[out] ret_ss   The context; close it with selsnap_close().
 *
 * @retval SELSNAP_ENOTSTORE  No superblock; nothing was written.
 * @retval SELSNAP_EVERSION   A feature is not known; nothing was written.
 * @retval SELSNAP_EDAMAGED   A check failed; nothing was written; the message says where.
 * @retval SELSNAP_EORIGIN    The origin's size or identity is not the recorded one; see SELSNAP_OPEN_OTHER_ORIGIN.
 * @retval SELSNAP_ECHANGED   Changed since a clean close; see SELSNAP_OPEN_ORIGIN_CHANGED.
 * @retval SELSNAP_EOVERLAP   Store and origin are the same storage.
 * @retval SELSNAP_ELOCKED    Another opener has one of them.
 * @retval SELSNAP_EREADONLY  A device cannot be written; see SELSNAP_OPEN_READ_ONLY.
 * @retval SELSNAP_EMEMLIMIT  The limit is too small for this store.
 * @retval SELSNAP_ESTORE     The store device failed; the store is unchanged, or differs by a superblock that says the same.
 * @retval SELSNAP_EINVAL     An argument is NULL, or an option is not allowed.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit.
 *
 * @threading   Any thread.
 * @durability  All that is replayed is durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_open(selsnap_device *store, selsnap_device *origin, const selsnap_open_options *options,
                             selsnap **ret_ss) SELSNAP_MUST_CHECK;

/**
 * @brief Flush, write a checkpoint and a clean mark, and free the context. All views must be closed.
 *
 * The context is gone on return, whatever is returned, except with ::SELSNAP_EBUSY. Deferred writes are preserved for and
 * written first; those for which that fails are lost, as in a power cut, and the result tells why.
 *
 * @param[in] ss  Context, or NULL.
 *
 * @retval SELSNAP_EBUSY     Views are open; nothing was done.
 * @retval SELSNAP_EIO       The origin could not be flushed, or deferred writes not be written.
 * @retval SELSNAP_ESTORE    The store could not be written; the next open recovers as after a crash.
 * @retval SELSNAP_ENOSPACE  No room for the last checkpoint; as with SELSNAP_ESTORE.
 * @retval SELSNAP_ENOMEM    No memory for it; as with SELSNAP_ESTORE.
 * @retval SELSNAP_EDAMAGED  Damage kept it from being written; as with SELSNAP_ESTORE.
 *
 * @threading   Once, with no other call on the context.
 * @durability  All that was written is durable on ::SELSNAP_OK.
 * @since 0.1
 */
SELSNAP_API int selsnap_close(selsnap *ss);

/**
 * @brief A text about the last failure on this context, by any thread.
 *
 * Failures of a function's arguments as such (::SELSNAP_EINVAL: a missing pointer, an unknown flag) are not recorded: the
 * text belongs to the failure whose code is returned here.
 *
 * @param[in]  ss   Context.
 * @param[out] buf  Filled, cut to @p len, always ended by a zero; empty when nothing failed.
 * @param[in]  len  Bytes; at least 1.
 * @return The code that the text belongs to; ::SELSNAP_OK when nothing failed. ::SELSNAP_EINVAL also for wrong arguments.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_last_error(selsnap *ss, char *buf, size_t len);

/** @brief Figures of a context. Counts run from the open. */
typedef struct selsnap_stats {
    uint32_t struct_size;         /**< sizeof(selsnap_stats). */
    uint32_t block_bytes;         /**< Block size. */
    uint64_t origin_bytes;        /**< Size of the origin. */
    uint64_t store_bytes;         /**< Size of the store. */
    uint64_t store_used_bytes;    /**< In use: metadata, journal, copies, and what waits to be given back. */
    uint64_t store_free_bytes;    /**< Free for copies (without the reserve, and within the quota). */
    uint64_t store_pending_bytes; /**< Freed, usable after the next checkpoint. */
    uint64_t journal_bytes;       /**< Size of the journal. */
    uint64_t journal_used_bytes;  /**< Since the last checkpoint. */
    uint64_t snapshots;           /**< Snapshots. */
    uint64_t memory_bytes;        /**< Allocated now. */
    uint64_t memory_peak_bytes;   /**< The most allocated since the open. */
    uint64_t memory_limit_bytes;  /**< The limit. */
    uint64_t blocks_preserved;    /**< Blocks copied (or recorded as zero). */
    uint64_t blocks_zero;         /**< Of these, recorded as zero without a copy. */
    uint64_t blocks_lost;         /**< Blocks recorded as lost. */
    uint64_t clean_writes;        /**< Writes that found nothing to preserve. */
    uint64_t preserving_writes;   /**< Writes that preserved. */
    uint64_t commits;             /**< Journal batches written. */
    uint64_t checkpoints;         /**< Checkpoints written. */
    uint64_t pages_read;          /**< Metadata pages read from the store. */
    uint64_t pages_written;       /**< Metadata pages written. */
    uint64_t blocks_restored;     /**< Blocks copied back by restores. */
    uint64_t gate_closed_ns_max;  /**< Longest time that a snapshot kept the gate closed, nanoseconds. */
    uint8_t store_id[16];         /**< Names this store. */
    uint64_t epoch;               /**< The next point. */
    uint64_t reclaim_pending;     /**< 1 while deleted snapshots' space waits for selsnap_step(). */
    uint64_t blocks_ahead;        /**< Of blocks_preserved, those that were not being written themselves. */
    uint64_t deferred_bytes;      /**< Of writes, kept in memory now (deferred mode). */
    uint64_t store_quota_bytes;   /**< That may be in use (selsnap_set_quota()), whole pages; 0: all of the store. */
} selsnap_stats;
/** @brief An empty ::selsnap_stats. */
#define SELSNAP_STATS_INIT {sizeof(selsnap_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}, 0, 0, 0, 0, 0}

/**
 * @brief Read a context's figures.
 * @param[in]     ss         Context.
 * @param[in,out] ret_stats  struct_size is set by the caller; at most that many bytes are filled.
 * @retval SELSNAP_EINVAL  An argument is NULL, or struct_size is not set.
 * @threading   Any thread; a moment's view.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_get_stats(selsnap *ss, selsnap_stats *ret_stats) SELSNAP_MUST_CHECK;

/** @brief Bytes of the origin. @param[in] ss Context. @return Bytes. @threading Any thread.
 * @durability Nothing is written. @since 0.1 */
SELSNAP_API uint64_t selsnap_size(selsnap *ss);
/** @brief Bytes of a block. @param[in] ss Context. @return Bytes. @threading Any thread.
 * @durability Nothing is written. @since 0.1 */
SELSNAP_API uint32_t selsnap_block_size(selsnap *ss);

/**
 * @brief Read the live device. While a restore runs, blocks it has not reached yet read as restored.
 *
 * @param[in]  ss      Context.
 * @param[out] buf     @p len bytes.
 * @param[in]  len     Bytes; 0 does nothing.
 * @param[in]  offset  Bytes, on the origin's logical blocks.
 *
 * @retval SELSNAP_ERANGE    Not inside the origin; nothing was read.
 * @retval SELSNAP_EALIGN    Not on logical blocks; nothing was read.
 * @retval SELSNAP_EIO       The origin failed; @p buf may hold anything.
 * @retval SELSNAP_ESTORE    During a restore, the store failed; @p buf may hold anything.
 * @retval SELSNAP_EINVAL    @p ss or @p buf is NULL; nothing was read.
 * @retval SELSNAP_EDAMAGED  During a restore, a copy failed its check; @p buf may hold anything.
 * @retval SELSNAP_ENOMEM    During a restore, no memory; @p buf may hold anything.
 *
 * @threading   Any thread; never waits for writers.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_read(selsnap *ss, void *buf, size_t len, uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Write to the live device, preserving designated blocks first.
 *
 * In deferred mode (selsnap_open_options.deferred_bytes) what needs preserving is kept in memory instead: as in the cache
 * that disks have, where selsnap_read() finds it. Store space for it is set aside, so that a full store is told here. It
 * is preserved for and written, many blocks at once, by selsnap_flush(), selsnap_step(), selsnap_snapshot_create(),
 * selsnap_restore_start() and selsnap_close(), by a write that finds no room for more, and by one that finds the oldest
 * kept for more than a second. Where no room can be made, the error of that is the result of the write, which then is not
 * kept.
 *
 * @param[in] ss      Context.
 * @param[in] buf     @p len bytes, any memory alignment; not kept.
 * @param[in] len     Bytes; 0 does nothing.
 * @param[in] offset  Bytes, on the origin's logical blocks.
 *
 * @retval SELSNAP_ERANGE     Not inside the origin; nothing was written.
 * @retval SELSNAP_EALIGN     Not on logical blocks; nothing was written.
 * @retval SELSNAP_EREADONLY  Opened read-only.
 * @retval SELSNAP_ENOSPACE   No room to preserve, and a snapshot's policy says fail. Of a long write, the first part may
 *                            be written; what could not be preserved is unchanged.
 * @retval SELSNAP_ESTORE     The store failed while preserving; as with SELSNAP_ENOSPACE.
 * @retval SELSNAP_EIO        The origin failed: any part of the range may have changed; snapshots are still correct.
 * @retval SELSNAP_EDAMAGED   The index could not be read there; nothing that may be needed was overwritten.
 * @retval SELSNAP_ENOMEM     No memory to preserve; as with SELSNAP_ENOSPACE.
 * @retval SELSNAP_EINVAL     @p ss or @p buf is NULL; nothing was written.
 *
 * @threading   Any thread. Writes that preserve the same blocks wait for each other.
 * @durability  Volatile until selsnap_flush(); what it overwrites is preserved durably before. In deferred mode a killed
 *              process loses what is not flushed, too.
 * @since 0.1
 */
SELSNAP_API int selsnap_write(selsnap *ss, const void *buf, size_t len, uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief As selsnap_read(), into several buffers.
 * @param[in] ss         Context.
 * @param[in] iov        Buffers, filled in order.
 * @param[in] iov_count  Buffers.
 * @param[in] offset     Bytes.
 * @retval SELSNAP_ERANGE  Nothing was read. Others as selsnap_read().
 * @retval SELSNAP_EINVAL  An argument, or a buffer that is not empty, is NULL; nothing was read.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_readv(selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count,
                              uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief As selsnap_write(), from several buffers.
 * @param[in] ss         Context.
 * @param[in] iov        Buffers, written in order.
 * @param[in] iov_count  Buffers.
 * @param[in] offset     Bytes.
 * @retval SELSNAP_ERANGE  Nothing was written. Others as selsnap_write().
 * @retval SELSNAP_EINVAL  An argument, or a buffer that is not empty, is NULL; nothing was written.
 * @threading   Any thread.
 * @durability  As selsnap_write().
 * @since 0.1
 */
SELSNAP_API int selsnap_writev(selsnap *ss, const selsnap_iovec *iov, uint32_t iov_count,
                               uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Tell the live device that a range is not needed. Advice.
 *
 * Whole blocks that no snapshot needs are discarded; blocks that would have to be preserved are left as they are.
 *
 * @param[in] ss      Context.
 * @param[in] offset  Bytes, on logical blocks.
 * @param[in] len     Bytes.
 * @retval SELSNAP_ERANGE     Nothing was done.
 * @retval SELSNAP_EREADONLY  Nothing was done.
 * @retval SELSNAP_EIO        The content of the range is undefined, except in blocks that snapshots need.
 * @retval SELSNAP_EALIGN     Not on logical blocks; nothing was done.
 * @retval SELSNAP_EDAMAGED   What snapshots need could not be told, for damage; a first part may be discarded.
 * @retval SELSNAP_ESTORE     The same, for the store's failure.
 * @retval SELSNAP_ENOMEM     The same, for lack of memory.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @threading   Any thread.
 * @durability  Volatile until selsnap_flush().
 * @since 0.1
 */
SELSNAP_API int selsnap_discard(selsnap *ss, uint64_t offset, uint64_t len) SELSNAP_MUST_CHECK;

/**
 * @brief Make a range of the live device read as zeros, preserving designated blocks first. As a write of zeros.
 *
 * @param[in] ss      Context.
 * @param[in] offset  Bytes, on logical blocks.
 * @param[in] len     Bytes.
 * @retval SELSNAP_ERANGE  Nothing was written. Others as selsnap_write().
 * @threading   Any thread.
 * @durability  As selsnap_write().
 * @since 0.1
 */
SELSNAP_API int selsnap_write_zeroes(selsnap *ss, uint64_t offset, uint64_t len) SELSNAP_MUST_CHECK;

/**
 * @brief Do many requests to the live device at once, and return when all have ended.
 *
 * As selsnap_read(), selsnap_write(), selsnap_write_zeroes() and selsnap_discard() would do them, in no order: of two that
 * overlap, and are not both reads, either may come first, and a write may come in parts. What the requests have in common is
 * done once for up to 64 of them: they share reads of old content, store writes, journal write and flush, and the origin gets
 * them together, if it takes batches (selsnap_device_ops). Each request ends with a result of its own; one that is refused
 * or fails does not keep the others from being done.
 *
 * @param[in]     ss     Context.
 * @param[in,out] ios    @p count requests; NULL if there are none. Each has its struct_size set, and gets its result:
 *                       ::SELSNAP_OK, or what the function for it alone returns.
 * @param[in]     count  How many; 0 does nothing.
 *
 * @retval SELSNAP_OK          All are done.
 * @retval SELSNAP_EINVAL      The first that failed has a wrong member, and did nothing. Or @p ss or @p ios is NULL, or one of
 *                             @p ios is NULL or its struct_size too small for a result: then nothing was done, and no result
 *                             is set.
 * @retval SELSNAP_ERANGE      The first that failed is not inside the device; it did nothing.
 * @retval SELSNAP_EALIGN      The first that failed is not on the device's logical blocks; it did nothing.
 * @retval SELSNAP_EREADONLY   The first that failed is no read, and the context was opened read-only; it did nothing.
 * @retval SELSNAP_ENOSPACE    The first that failed: no room to preserve; as with selsnap_write().
 * @retval SELSNAP_ESTORE      The first that failed: the store failed; as with selsnap_write(), for reads with selsnap_read().
 * @retval SELSNAP_EIO         The first that failed: the origin failed; as with selsnap_write() and selsnap_read(). With
 *                             ::SELSNAP_IO_FUA also: it is written, but may be lost.
 * @retval SELSNAP_EDAMAGED    The first that failed: as with selsnap_write() and selsnap_read().
 * @retval SELSNAP_ENOMEM      The first that failed: as with selsnap_write() and selsnap_read().
 *
 * @threading   Any thread. A batch with a write in it waits as a whole while the context is frozen.
 * @durability  As selsnap_write(); writes with ::SELSNAP_IO_FUA, and all that had returned before the call, are durable.
 * @since 0.1
 */
SELSNAP_API int selsnap_batch(selsnap *ss, selsnap_io *const *ios, uint32_t count) SELSNAP_MUST_CHECK;

/**
 * @brief Make what was written to the live device durable.
 *
 * In deferred mode, what is kept in memory is preserved for and written first. Where that fails it stays kept, can be
 * read, and is tried again by the next flush.
 *
 * @param[in] ss  Context.
 * @retval SELSNAP_EIO     The origin failed; writes since the last flush may be lost.
 * @retval SELSNAP_ESTORE  During a restore, its progress could not be recorded: writes to blocks it restored may be lost.
 *                         In deferred mode also: the store failed while preserving; nothing was flushed.
 * @retval SELSNAP_ENOMEM  During a restore, no memory to record its progress; nothing was flushed. In deferred mode also:
 *                         none to preserve; the same.
 * @retval SELSNAP_ENOSPACE  In deferred mode, no room to preserve after all, and a snapshot's policy says fail; nothing was
 *                         flushed.
 * @retval SELSNAP_EDAMAGED  In deferred mode, the index could not be read where blocks are to be preserved; nothing was
 *                         flushed.
 * @retval SELSNAP_EINVAL  @p ss is NULL.
 * @threading   Any thread.
 * @durability  Every write that had returned before the call survives a power cut.
 * @since 0.1
 */
SELSNAP_API int selsnap_flush(selsnap *ss) SELSNAP_MUST_CHECK;

/**
 * @brief Hold back all writes to the live device, until selsnap_thaw(). Snapshots can be made meanwhile: what stands on
 * the device is one instant. Nests. In deferred mode what was written before may still be on its way to the origin:
 * flush first where somebody else reads that.
 *
 * @param[in] ss  Context.
 * @retval SELSNAP_EREADONLY  Opened read-only.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @threading   Any thread; writers in flight are waited for, later ones wait. The thread that freezes must not write.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_freeze(selsnap *ss) SELSNAP_MUST_CHECK;

/**
 * @brief Undo one selsnap_freeze().
 * @param[in] ss  Context.
 * @retval SELSNAP_EINVAL  It is not frozen.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_thaw(selsnap *ss) SELSNAP_MUST_CHECK;

/** @brief For selsnap_step(): which work; none means all. */
#define SELSNAP_STEP_RECLAIM 0x1u    /**< Give back the space of deleted snapshots, designations and overlays. */
#define SELSNAP_STEP_RESTORE 0x2u    /**< Copy blocks back. */
#define SELSNAP_STEP_CHECKPOINT 0x4u /**< Fold the journal when it is half full, or when nothing else is to do. */

/** @brief How much to do in a step. */
typedef struct selsnap_step_options {
    uint32_t struct_size;         /**< sizeof(selsnap_step_options). */
    uint32_t flags;               /**< SELSNAP_STEP_*; 0: all. */
    uint64_t budget_blocks;       /**< Stop after about so many blocks restored or index entries visited; 0: 4096. */
    selsnap_progress_fn progress; /**< NULL, or told blocks or entries done of the budget. */
    void *progress_user;          /**< Given to progress. */
} selsnap_step_options;
/** @brief Default ::selsnap_step_options. */
#define SELSNAP_STEP_OPTIONS_INIT {sizeof(selsnap_step_options), 0, 0, 0, 0}

/**
 * @brief Do a bounded piece of background work. The library has no threads of its own; call this when idle, or in a loop.
 *
 * @param[in]  ss        Context.
 * @param[in]  options   NULL for the defaults.
 * @param[out] ret_more  SELSNAP_STEP_* of the work that is left, of the kinds asked for; 0: none. Set on failure too. NULL is
 *                       allowed.
 *
 * @retval SELSNAP_ECANCELED   The progress callback said so; what was done stays done.
 * @retval SELSNAP_EREADONLY   Opened read-only.
 * @retval SELSNAP_EIO         The origin failed while restoring, or writing what was deferred; the rest is still to do.
 * @retval SELSNAP_ESTORE      The store failed; the rest is still to do.
 * @retval SELSNAP_EBUSY       Another thread does the same work.
 * @retval SELSNAP_ENOSPACE    No room to preserve what an older snapshot needs of blocks to restore, or to write what was
 *                             deferred; the rest is still to do.
 * @retval SELSNAP_EDAMAGED    As selsnap_restore_run(), for a restore; otherwise a record in the store failed its check,
 *                             and the rest is still to do.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the rest is still to do.
 * @retval SELSNAP_EABANDONED  The store was abandoned; there is nothing to do.
 * @retval SELSNAP_EINVAL      @p ss is NULL, or an option is not allowed.
 *
 * @threading   Any thread, beside all other calls.
 * @durability  Work done may have to be done again after a crash; nothing is lost.
 * @since 0.1
 */
SELSNAP_API int selsnap_step(selsnap *ss, const selsnap_step_options *options, uint32_t *ret_more) SELSNAP_MUST_CHECK;

/**
 * @brief Give up the store: from here on writes to the origin pass without preserving.
 *
 * For an appliance whose store is gone for good while its disk must go on. Snapshots cannot be read after it. The store
 * opens again only with ::SELSNAP_OPEN_ORIGIN_CHANGED if it can be told; where it cannot be written, do not open it again.
 *
 * @param[in] ss  Context.
 * @retval SELSNAP_ESTORE     Abandoned, but not recorded.
 * @retval SELSNAP_EIO        Abandoned, but the origin failed to write what was deferred: that stays kept.
 * @retval SELSNAP_EREADONLY  The context was opened read-only; it is not abandoned.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @threading   Any thread.
 * @durability  Recorded in the store when that is possible; ::SELSNAP_ESTORE says that it was not (the abandonment stands).
 * @since 0.1
 */
SELSNAP_API int selsnap_abandon(selsnap *ss) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup designations Designations
 * Subsets saved in the store under a name. A designation never changes: saving under an old name makes a new one, and
 * snapshots made with the old one keep it.
 * @{ */

/** @brief About a saved designation. */
typedef struct selsnap_designation_info {
    uint32_t struct_size; /**< sizeof(selsnap_designation_info). */
    uint32_t reserved;    /**< 0. */
    uint64_t id;          /**< Never reused. */
    uint64_t block_count; /**< Blocks in it. */
    uint64_t range_count; /**< Ranges in it. */
    uint64_t snapshots;   /**< Snapshots that use it. */
    char name[SELSNAP_NAME_MAX + 1]; /**< Its name; empty when only snapshots refer to it. */
} selsnap_designation_info;

/**
 * @brief Save a subset under a name.
 *
 * @param[in]  ss      Context.
 * @param[in]  name    1 to 255 bytes. An old designation of that name loses it.
 * @param[in]  subset  Not empty; the same sizes as the context.
 * @param[out] ret_id  The designation's id; NULL is allowed.
 *
 * @retval SELSNAP_EINVAL      Name or subset is not allowed; nothing changed.
 * @retval SELSNAP_ENOSPACE    Nothing changed.
 * @retval SELSNAP_ESTORE      It may or may not be saved after the next open; whole, or not at all.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 * @retval SELSNAP_EMEMLIMIT   No room for its record under the memory limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_designation_save(selsnap *ss, const char *name, const selsnap_subset *subset,
                                         uint64_t *ret_id) SELSNAP_MUST_CHECK;

/**
 * @brief Read a saved designation.
 * @param[in]  ss          Context.
 * @param[in]  name        Its name.
 * @param[out] ret_subset  A new subset.
 * @retval SELSNAP_ENOENT    No such name.
 * @retval SELSNAP_EINVAL    An argument is NULL, or the name is not allowed.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_designation_load(selsnap *ss, const char *name, selsnap_subset **ret_subset) SELSNAP_MUST_CHECK;

/**
 * @brief Take the name from a designation. Snapshots that use it keep it.
 * @param[in] ss    Context.
 * @param[in] name  Its name.
 * @retval SELSNAP_ENOENT      No such name.
 * @retval SELSNAP_EINVAL      An argument is NULL, or the name is not allowed.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ESTORE      It may or may not have its name after the next open.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return. Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_designation_delete(selsnap *ss, const char *name) SELSNAP_MUST_CHECK;

/**
 * @brief The first named designation whose id is above @p after_id. Begin with 0.
 * @param[in]     ss        Context.
 * @param[in]     after_id  An id, or 0.
 * @param[in,out] ret_info  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No more.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_designation_next(selsnap *ss, uint64_t after_id,
                                         selsnap_designation_info *ret_info) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup snapshots Snapshots
 * Made, found, listed, described, renamed, held and deleted.
 * @{ */

/** @brief When there is no room to preserve: fail the write (the snapshot stays whole). */
#define SELSNAP_POLICY_FAIL_WRITE 0u
/** @brief When there is no room to preserve: record the block as lost in the snapshot, then write. */
#define SELSNAP_POLICY_GIVE_UP_BLOCK 1u

/** @brief Flag: a bookmark. It records which of its blocks change, for selsnap_diff_next(), and keeps no data; its policy
 * means nothing. A change that it must record, but the store has no room for, is refused. */
#define SELSNAP_SNAPSHOT_BOOKMARK 0x1u

/** @brief A user's own note on a snapshot. */
typedef struct selsnap_property {
    const char *key;   /**< 1 to 255 bytes of UTF-8 without control characters. Each key once. */
    const char *value; /**< 0 to 768 bytes of the same. */
} selsnap_property;

/** @brief What snapshot to make. */
typedef struct selsnap_snapshot_options {
    uint32_t struct_size;             /**< sizeof(selsnap_snapshot_options). */
    uint32_t policy;                  /**< SELSNAP_POLICY_*. */
    const char *name;                 /**< 1 to 255 bytes; no live snapshot has it. */
    const char *designation;          /**< A saved designation's name; or NULL, and subset is given. */
    const selsnap_subset *subset;     /**< Not empty; or NULL, and designation is given. Both NULL: the whole origin. */
    int64_t time_ns;                  /**< Time to note, nanoseconds since 1970 UTC; 0: now. */
    const selsnap_property *properties; /**< Or NULL. */
    uint32_t property_count;          /**< Properties; at most 16. */
    uint32_t flags;                   /**< SELSNAP_SNAPSHOT_*. */
} selsnap_snapshot_options;
/** @brief Default ::selsnap_snapshot_options. */
#define SELSNAP_SNAPSHOT_OPTIONS_INIT {sizeof(selsnap_snapshot_options), 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Make a snapshot: from the point of this call on, its blocks are preserved before they change.
 *
 * Writers are held back only while origin writes in flight end. Time does not depend on the sizes of origin and subset
 * (a subset not saved before is saved first).
 *
 * @param[in]  ss       Context.
 * @param[in]  options  What to make.
 * @param[out] ret_id   The snapshot's id; NULL is allowed. Ids rise, and none is given twice. Designations take theirs from
 *                      the same row, so the first snapshot of a subset that was not saved before has 2.
 *
 * @retval SELSNAP_EEXIST      The name is taken; nothing changed.
 * @retval SELSNAP_ENOENT      No such designation; nothing changed.
 * @retval SELSNAP_EINVAL      An option is not allowed, or a name, key or value is not UTF-8 without control characters;
 *                             nothing changed.
 * @retval SELSNAP_ELIMIT      A name or property is too long; nothing changed.
 * @retval SELSNAP_EMEMLIMIT   No room for its record under the memory limit; nothing changed.
 * @retval SELSNAP_ENOSPACE    Nothing changed.
 * @retval SELSNAP_EIO         The origin could not be flushed (or deferred writes not written); there is no snapshot.
 * @retval SELSNAP_ESTORE      There is no snapshot now; after a crash it may exist, whole.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 *
 * @threading   Any thread.
 * @durability  Durable on return, with everything the origin acknowledged before its point, deferred writes included.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_create(selsnap *ss, const selsnap_snapshot_options *options,
                                        uint64_t *ret_id) SELSNAP_MUST_CHECK;

/** @brief About a snapshot. */
typedef struct selsnap_snapshot_info {
    uint32_t struct_size;      /**< sizeof(selsnap_snapshot_info). */
    uint32_t policy;           /**< SELSNAP_POLICY_*. */
    uint64_t id;               /**< Never reused. */
    uint64_t point;            /**< Its point in time, as an epoch. */
    int64_t time_ns;           /**< As given, or when it was made. */
    uint64_t designation_id;   /**< Its subset. */
    uint64_t block_count;      /**< Blocks designated. */
    uint64_t range_count;      /**< Ranges designated. */
    uint32_t holds;            /**< Holds; deletion is refused while there are any. */
    uint32_t open_views;       /**< Views open now. */
    uint32_t changed;          /**< 1 if it was written into since it was made or reset. */
    uint32_t restoring;        /**< 1 while a restore reads from it. */
    char name[SELSNAP_NAME_MAX + 1];             /**< Its name. */
    char designation[SELSNAP_NAME_MAX + 1];      /**< The designation's name, or empty. */
    uint32_t bookmark;         /**< 1 for a bookmark: it keeps no data. */
    uint32_t reserved;         /**< 0. */
    uint64_t quota_bytes;      /**< That may be written into it (selsnap_snapshot_set_quota()); 0: no quota. */
    uint64_t origin_bytes;     /**< Bytes of the origin when it was made. */
} selsnap_snapshot_info;

/**
 * @brief About one snapshot, by name.
 * @param[in]     ss        Context.
 * @param[in]     name      Its name.
 * @param[in,out] ret_info  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No such snapshot.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_find(selsnap *ss, const char *name, selsnap_snapshot_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief About one snapshot, by id.
 * @param[in]     ss        Context.
 * @param[in]     id        Its id.
 * @param[in,out] ret_info  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No such snapshot.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get(selsnap *ss, uint64_t id, selsnap_snapshot_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief The first snapshot whose id is above @p after_id; ids rise with time. Begin with 0.
 * @param[in]     ss        Context.
 * @param[in]     after_id  An id, or 0.
 * @param[in,out] ret_info  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No more.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_next(selsnap *ss, uint64_t after_id, selsnap_snapshot_info *ret_info) SELSNAP_MUST_CHECK;

/** @brief What space a snapshot takes. Blocks of block size. */
typedef struct selsnap_snapshot_usage {
    uint32_t struct_size;     /**< sizeof(selsnap_snapshot_usage). */
    uint32_t reserved;        /**< 0. */
    uint64_t preserved_blocks; /**< Its blocks that changed since its point (kept, zero or lost). */
    uint64_t zero_blocks;     /**< Of these, zeros that take no space. */
    uint64_t lost_blocks;     /**< Of these, lost. */
    uint64_t alone_bytes;     /**< Copies that only this snapshot needs: what deleting it would free, with its overlay. */
    uint64_t shared_bytes;    /**< Copies that other snapshots need too. */
    uint64_t overlay_blocks;  /**< Blocks written into it; of a clone as changed, into its source before, too. */
    uint64_t overlay_bytes;   /**< Space in use for what was written, without what it shares with clones. */
    uint64_t quota_bytes;     /**< That may be written into it; 0: no quota. */
} selsnap_snapshot_usage;

/**
 * @brief Count what space a snapshot takes. Walks its part of the index.
 *
 * If the snapshot has a quota, and alone_bytes and overlay_bytes together are more, ::SELSNAP_EVENT_QUOTA tells so.
 *
 * @param[in]     ss             Context.
 * @param[in]     id             The snapshot.
 * @param[in]     progress       NULL, or told blocks of the origin passed of all.
 * @param[in]     progress_user  Given to progress.
 * @param[in,out] ret_usage      struct_size is set by the caller.
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_ECANCELED   The callback said so.
 * @retval SELSNAP_EINVAL      An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ESTORE      The store could not be read.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 * @threading   Any thread; exact if nothing is written meanwhile.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_usage(selsnap *ss, uint64_t id, selsnap_progress_fn progress, void *progress_user,
                                           selsnap_snapshot_usage *ret_usage) SELSNAP_MUST_CHECK;

#define SELSNAP_BLOCKS_UNDESIGNATED 0u /**< Not in the snapshot. */
#define SELSNAP_BLOCKS_UNCHANGED 1u    /**< Not changed since the point: shared with the origin. */
#define SELSNAP_BLOCKS_PRESERVED 2u    /**< Changed; the old content is in the store. */
#define SELSNAP_BLOCKS_ZERO 3u         /**< Changed; the old content was zeros. */
#define SELSNAP_BLOCKS_LOST 4u         /**< Changed; the old content is lost. */
#define SELSNAP_BLOCKS_OVERLAY 5u      /**< Written into the snapshot. */
#define SELSNAP_BLOCKS_CHANGED 6u      /**< Changed; a bookmark keeps no content. */

/** @brief A range of blocks in one state. */
typedef struct selsnap_map_range {
    uint64_t offset; /**< Bytes. */
    uint64_t len;    /**< Bytes. */
    uint32_t state;  /**< SELSNAP_BLOCKS_*. */
    uint32_t reserved; /**< 0. */
} selsnap_map_range;

/**
 * @brief The table of a snapshot's blocks: the range that begins at @p offset and is in one state.
 *
 * To visit the device: begin with 0, go on with offset + len, end at selsnap_size(). The changed blocks are those that are
 * preserved, zero or lost, or of a bookmark changed (or, in overlay, changed in the snapshot itself).
 *
 * @param[in]  ss         Context.
 * @param[in]  id         The snapshot.
 * @param[in]  offset     Bytes; rounded down to a block.
 * @param[out] ret_range  At least one block; it may end before the state changes.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_ERANGE      @p offset is not inside the origin.
 * @retval SELSNAP_EINVAL      An argument is NULL; nothing was done.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ESTORE      The store could not be read.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 * @threading   Any thread; a moment's view.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_map(selsnap *ss, uint64_t id, uint64_t offset,
                                     selsnap_map_range *ret_range) SELSNAP_MUST_CHECK;

/**
 * @brief The subset a snapshot designates, as a copy.
 * @param[in]  ss          Context.
 * @param[in]  id          The snapshot.
 * @param[out] ret_subset  A new subset.
 * @retval SELSNAP_ENOENT    No such snapshot.
 * @retval SELSNAP_EINVAL    An argument is NULL; nothing was done.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_subset(selsnap *ss, uint64_t id, selsnap_subset **ret_subset) SELSNAP_MUST_CHECK;

/**
 * @brief Read the property that follows a key, in the order of keys. Begin with "".
 * @param[in]  ss         Context.
 * @param[in]  id         The snapshot.
 * @param[in]  after_key  A key, or "".
 * @param[out] ret_key    256 bytes.
 * @param[out] ret_value  769 bytes.
 * @retval SELSNAP_ENOENT    No such snapshot, or no more properties.
 * @retval SELSNAP_EINVAL    An argument is NULL; nothing was done.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_next_property(selsnap *ss, uint64_t id, const char *after_key, char *ret_key,
                                               char *ret_value) SELSNAP_MUST_CHECK;

/**
 * @brief Give a snapshot another name.
 * @param[in] ss    Context.
 * @param[in] id    The snapshot.
 * @param[in] name  1 to 255 bytes; no other live snapshot has it.
 * @retval SELSNAP_ENOENT     No such snapshot.
 * @retval SELSNAP_EEXIST     The name is taken.
 * @retval SELSNAP_EINVAL     An argument is NULL, or the name is empty or not text; nothing changed.
 * @retval SELSNAP_ELIMIT     The name is too long; nothing changed.
 * @retval SELSNAP_EREADONLY  The context was opened read-only; nothing changed.
 * @retval SELSNAP_ESTORE     It has the old name now; it may have the new one when the store answers again, or after
 *                            a crash.
 * @retval SELSNAP_EDAMAGED   A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_rename(selsnap *ss, uint64_t id, const char *name) SELSNAP_MUST_CHECK;

/**
 * @brief Add a hold: the snapshot cannot be deleted until each hold is released.
 * @param[in] ss  Context.
 * @param[in] id  The snapshot.
 * @retval SELSNAP_ENOENT     No such snapshot.
 * @retval SELSNAP_ELIMIT     It has 4294967295 holds.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @retval SELSNAP_EREADONLY  The context was opened read-only; nothing changed.
 * @retval SELSNAP_ESTORE     It is not held; after the next open it may be.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_hold(selsnap *ss, uint64_t id) SELSNAP_MUST_CHECK;

/**
 * @brief Take back one hold.
 * @param[in] ss  Context.
 * @param[in] id  The snapshot.
 * @retval SELSNAP_ENOENT     No such snapshot.
 * @retval SELSNAP_EINVAL     It has no hold.
 * @retval SELSNAP_EREADONLY  The context was opened read-only; nothing changed.
 * @retval SELSNAP_ESTORE     It is still held; after the next open it may not be.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_release(selsnap *ss, uint64_t id) SELSNAP_MUST_CHECK;

/**
 * @brief Delete a snapshot. Takes the same short time for any; its space comes back by selsnap_step().
 * @param[in] ss  Context.
 * @param[in] id  The snapshot.
 * @retval SELSNAP_ENOENT     No such snapshot.
 * @retval SELSNAP_EHELD      It is held; nothing changed.
 * @retval SELSNAP_EBUSY      A view of it is open, or a restore reads from it; nothing changed.
 * @retval SELSNAP_ESTORE  It is gone for callers, and is deleted when the store answers again; after a crash it may be back.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @retval SELSNAP_EREADONLY  The context was opened read-only; nothing changed.
 * @retval SELSNAP_EDAMAGED   A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return. Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_delete(selsnap *ss, uint64_t id) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup views Views
 * Reading from a snapshot, and writing into it.
 * @{ */

/** @brief For selsnap_view_options: what reads of undesignated blocks give. */
#define SELSNAP_UNDESIGNATED_ERROR 0u /**< ::SELSNAP_EUNDESIGNATED. */
#define SELSNAP_UNDESIGNATED_ZEROS 1u /**< Zeros. */
#define SELSNAP_UNDESIGNATED_LIVE 2u  /**< What the live device holds now. */

#define SELSNAP_VIEW_WRITABLE 0x1u /**< Writes are allowed; they go to the snapshot's overlay. */
#define SELSNAP_VIEW_PRISTINE 0x2u /**< Read the snapshot as it was taken, without its overlay. Not with WRITABLE. */

/** @brief Which view to open. */
typedef struct selsnap_view_options {
    uint32_t struct_size;  /**< sizeof(selsnap_view_options). */
    uint32_t flags;        /**< SELSNAP_VIEW_*. */
    uint64_t id;           /**< The snapshot; or 0, and name is given. */
    const char *name;      /**< Its name; or NULL, and id is given. */
    uint32_t undesignated; /**< SELSNAP_UNDESIGNATED_*. */
    uint32_t reserved;     /**< 0. */
} selsnap_view_options;
/** @brief Default ::selsnap_view_options. */
#define SELSNAP_VIEW_OPTIONS_INIT {sizeof(selsnap_view_options), 0, 0, 0, 0, 0}

/**
 * @brief Open a snapshot for reading, or for reading and writing.
 *
 * Any number of views of one snapshot may be open; those that are not pristine see each other's writes.
 *
 * @param[in]  ss        Context; stays open longer than the view.
 * @param[in]  options   Which.
 * @param[out] ret_view  The view.
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_ENODATA    It is a bookmark, which keeps no data.
 * @retval SELSNAP_EINVAL      An option is not allowed.
 * @retval SELSNAP_EREADONLY   Writable, and the context is read-only.
 * @retval SELSNAP_ESTORE     A write into the snapshot failed before, and the store does not yet tell what became of it.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written, but to find out what became of a write that failed.
 * @since 0.1
 */
SELSNAP_API int selsnap_view_open(selsnap *ss, const selsnap_view_options *options,
                                  selsnap_view **ret_view) SELSNAP_MUST_CHECK;

/**
 * @brief Flush and close a view.
 * @param[in] view  A view, or NULL.
 * @retval SELSNAP_ENOSPACE    The view is closed; what was written since the last flush is lost.
 * @retval SELSNAP_ESTORE      The same.
 * @retval SELSNAP_EDAMAGED    The same.
 * @retval SELSNAP_ENOMEM      The same.
 * @retval SELSNAP_EABANDONED  The same: the store was abandoned.
 * @threading   Once, with no other call on the view.
 * @durability  As selsnap_view_flush().
 * @since 0.1
 */
SELSNAP_API int selsnap_view_close(selsnap_view *view);

/**
 * @brief Read from a snapshot.
 *
 * @param[in]  view    A view.
 * @param[out] buf     @p len bytes.
 * @param[in]  len     Bytes; 0 does nothing.
 * @param[in]  offset  Bytes, any alignment.
 *
 * @retval SELSNAP_ERANGE         Not inside the device; nothing was read.
 * @retval SELSNAP_EUNDESIGNATED  A block is not in the snapshot, and the view was opened so.
 * @retval SELSNAP_ELOST          A block was given up.
 * @retval SELSNAP_EDAMAGED       A block's copy failed its check. The last error names the block.
 * @retval SELSNAP_EIO            The origin failed.
 * @retval SELSNAP_ESTORE         The store failed.
 * After any failure @p buf may hold anything.
 *
 * @threading   Any thread; waits for nobody.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_view_read(selsnap_view *view, void *buf, size_t len, uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Write into a snapshot. Neither the live device nor another snapshot sees it.
 *
 * @param[in] view    A writable view.
 * @param[in] buf     @p len bytes.
 * @param[in] len     Bytes; 0 does nothing.
 * @param[in] offset  Bytes, any alignment.
 *
 * @retval SELSNAP_ERANGE         Nothing was written.
 * @retval SELSNAP_EREADONLY      The view is not writable.
 * @retval SELSNAP_EUNDESIGNATED  A block is not in the snapshot; nothing was written.
 * @retval SELSNAP_ENOSPACE       No room; a first part may be written.
 * @retval SELSNAP_EQUOTA         It would take more than the snapshot's quota; a first part may be written.
 * @retval SELSNAP_ELOST          Part of a lost block cannot be written; the whole block can.
 * @retval SELSNAP_ESTORE         The store failed; a first part may be written.
 * @retval SELSNAP_EINVAL         @p view or @p buf is NULL; nothing was written.
 * @retval SELSNAP_EDAMAGED       Part of a block was to be written, and the rest of it failed its check; a first part
 *                                may be written.
 * @retval SELSNAP_EIO            The same, when the origin could not be read.
 * @retval SELSNAP_ENOMEM         No memory, or none under the limit; a first part may be written.
 * @retval SELSNAP_EABANDONED     The store was abandoned; nothing was written.
 *
 * @threading   Any thread; writers of one snapshot take turns.
 * @durability  Volatile until selsnap_view_flush(); a crash leaves each block old or new.
 * @since 0.1
 */
SELSNAP_API int selsnap_view_write(selsnap_view *view, const void *buf, size_t len, uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Make a range of a snapshot read as zeros, without taking space for whole blocks.
 * @param[in] view    A writable view.
 * @param[in] offset  Bytes, any alignment.
 * @param[in] len     Bytes.
 * @retval SELSNAP_ERANGE  Nothing was done. Others as selsnap_view_write().
 * @threading   Any thread.
 * @durability  As selsnap_view_write().
 * @since 0.1
 */
SELSNAP_API int selsnap_view_discard(selsnap_view *view, uint64_t offset, uint64_t len) SELSNAP_MUST_CHECK;

/**
 * @brief Make what was written into a snapshot durable.
 * @param[in] view  A view.
 * @retval SELSNAP_ENOSPACE    Not durable; still readable.
 * @retval SELSNAP_ESTORE      Not durable; still readable.
 * @retval SELSNAP_EDAMAGED  Not durable: after a flush that failed the store has dropped a block, which reads so until it is
 *                           written again, or the snapshot is reset.
 * @retval SELSNAP_ENOMEM      Not durable; still readable.
 * @retval SELSNAP_EABANDONED  The store was abandoned; what was not flushed is lost.
 * @retval SELSNAP_EINVAL      @p view is NULL.
 * @threading   Any thread.
 * @durability  Every write into the snapshot that had returned before the call survives a power cut.
 * @since 0.1
 */
SELSNAP_API int selsnap_view_flush(selsnap_view *view) SELSNAP_MUST_CHECK;

/**
 * @brief Drop all that was written into a snapshot: it is again as it was taken.
 * @param[in] view  A writable view.
 * @retval SELSNAP_EREADONLY   The view is not writable.
 * @retval SELSNAP_ESTORE      It reads as it was taken, or is unchanged; after a crash it may be either.
 * @retval SELSNAP_EINVAL      @p view is NULL.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 * @threading   Any thread.
 * @durability  Durable on return. The space comes back by selsnap_step(). Works on a full store.
 * @since 0.1
 */
SELSNAP_API int selsnap_view_reset(selsnap_view *view) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup restore Restore
 * Bring designated blocks of the live device back to a snapshot's frozen content (not its overlay). The restored content
 * is visible at once; the copying advances in selsnap_step(). Newer snapshots keep their content. To undo a restore, take a
 * snapshot before it, and restore that.
 * @{ */

#define SELSNAP_RESTORE_SKIP_LOST 0x1u /**< Go on although blocks are lost in the source: these keep what they have. */

/** @brief What to restore. */
typedef struct selsnap_restore_options {
    uint32_t struct_size;         /**< sizeof(selsnap_restore_options). */
    uint32_t flags;               /**< SELSNAP_RESTORE_*. */
    uint64_t id;                  /**< The snapshot. */
    const selsnap_subset *subset; /**< Only these blocks (what the snapshot does not designate is left out); NULL: all its own. */
} selsnap_restore_options;
/** @brief Default ::selsnap_restore_options. */
#define SELSNAP_RESTORE_OPTIONS_INIT {sizeof(selsnap_restore_options), 0, 0, 0}

/**
 * @brief Begin to restore.
 *
 * @param[in]  ss       Context.
 * @param[in]  options  What.
 * @param[out] ret_job  The job's id; NULL is allowed.
 *
 * @retval SELSNAP_ENOENT      No such snapshot.
 * @retval SELSNAP_ENODATA    It is a bookmark, which keeps no data; nothing changed.
 * @retval SELSNAP_EBUSY       A block is in another unfinished restore; nothing changed.
 * @retval SELSNAP_ELOST   The source has lost blocks in the range, and SELSNAP_RESTORE_SKIP_LOST is not given; nothing changed.
 * @retval SELSNAP_EINVAL      Nothing to restore: the subset and the snapshot have no block in common.
 * @retval SELSNAP_ESTORE      Nothing changed; after a crash the restore may be running.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing changed.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing changed.
 * @retval SELSNAP_ENOSPACE    Nothing changed.
 * @retval SELSNAP_EIO         The origin failed to write what was deferred; nothing changed.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; nothing changed.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; nothing changed.
 * @threading   Any thread; writers of the blocks wait until it has begun.
 * @durability  Once begun, it is finished, across any crash.
 * @since 0.1
 */
SELSNAP_API int selsnap_restore_start(selsnap *ss, const selsnap_restore_options *options,
                                      uint64_t *ret_job) SELSNAP_MUST_CHECK;

/** @brief About a restore. */
typedef struct selsnap_restore_info {
    uint32_t struct_size;    /**< sizeof(selsnap_restore_info). */
    uint32_t paused;         /**< 1 while paused. */
    uint64_t job;            /**< Its id. */
    uint64_t snapshot_id;    /**< The source. */
    uint64_t point;          /**< When it began, as an epoch. */
    uint64_t blocks_total;   /**< Blocks in its range. */
    uint64_t blocks_done;    /**< Of these, passed: restored, or found unchanged. */
    uint64_t blocks_restored; /**< Copied back since the open. */
} selsnap_restore_info;

/**
 * @brief The first unfinished restore whose id is above @p after_job. Begin with 0.
 * @param[in]     ss         Context.
 * @param[in]     after_job  An id, or 0.
 * @param[in,out] ret_info   struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No more: they have ended.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_restore_next(selsnap *ss, uint64_t after_job, selsnap_restore_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief Keep selsnap_step() from advancing a restore, or let it again. It stays visible, and writers still restore
 * what they write to.
 * @param[in] ss      Context.
 * @param[in] job     The job.
 * @param[in] paused  Not 0: pause.
 * @retval SELSNAP_ENOENT     No such job.
 * @retval SELSNAP_EINVAL     @p ss is NULL.
 * @retval SELSNAP_EREADONLY  The context was opened read-only.
 * @threading   Any thread.
 * @durability  Not recorded: after an open no restore is paused.
 * @since 0.1
 */
SELSNAP_API int selsnap_restore_pause(selsnap *ss, uint64_t job, int paused) SELSNAP_MUST_CHECK;

/**
 * @brief Advance one restore to its end.
 * @param[in] ss             Context.
 * @param[in] job            The job.
 * @param[in] progress       NULL, or told blocks done of all: each time some thousands are done, and at the end.
 * @param[in] progress_user  Given to progress.
 * @retval SELSNAP_ENOENT      No such job; it may have ended.
 * @retval SELSNAP_ECANCELED   The callback said so; the rest is still to do.
 * @retval SELSNAP_EIO         The origin failed; the rest is still to do.
 * @retval SELSNAP_ENOSPACE    No room to preserve what an older snapshot needs; the rest is still to do.
 * @retval SELSNAP_ESTORE      The store failed; the rest is still to do.
 * @retval SELSNAP_EBUSY       Another thread advances it.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check, and the rest is still to do; or the restore has ended
 *                             (selsnap_restore_next() tells which), but blocks whose preserved copies are damaged keep
 *                             what the device has: the log names each.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the rest is still to do.
 * @retval SELSNAP_EREADONLY   The context was opened read-only.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing is restored any more.
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @threading   Any thread.
 * @durability  On ::SELSNAP_OK the restored content is durable.
 * @since 0.1
 */
SELSNAP_API int selsnap_restore_run(selsnap *ss, uint64_t job, selsnap_progress_fn progress,
                                    void *progress_user) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup inspection Inspection
 * Check, scrub and dump: they read, and change nothing.
 * @{ */

/** @brief What a check found. */
typedef struct selsnap_check_result {
    uint32_t struct_size;    /**< sizeof(selsnap_check_result). */
    uint32_t reserved;       /**< 0. */
    uint64_t pages;          /**< Metadata pages read. */
    uint64_t items;          /**< Items in them. */
    uint64_t blocks;         /**< Preserved and overlay blocks whose data was read. */
    uint64_t problems;       /**< Problems found; each was told to the callback. */
} selsnap_check_result;

/** @brief Told one problem or one line of a dump. A result other than 0 stops. */
typedef int (*selsnap_line_fn)(void *user, const char *line);

/**
 * @brief Read every page and every preserved block, and verify checksums and cross references.
 *
 * @param[in]     ss             Context.
 * @param[in]     problem        NULL, or told each problem.
 * @param[in]     problem_user   Given to problem.
 * @param[in]     progress       NULL, or told items done of all.
 * @param[in]     progress_user  Given to progress.
 * @param[in,out] ret_result     struct_size is set by the caller.
 * @retval SELSNAP_OK         Done; see ret_result->problems.
 * @retval SELSNAP_ECANCELED  A callback said so.
 * @retval SELSNAP_EINVAL     An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_ESTORE     The store could not be read, or not be written.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit.
 * @threading   Any thread, beside all other calls. The callbacks must not call the context: what they wait for may wait
 *              for the check.
 * @durability  Nothing but a checkpoint is written, and that only if the context is writable.
 * @since 0.1
 */
SELSNAP_API int selsnap_check(selsnap *ss, selsnap_line_fn problem, void *problem_user, selsnap_progress_fn progress,
                              void *progress_user, selsnap_check_result *ret_result) SELSNAP_MUST_CHECK;

/** @brief How far a scrub has come. All 0 but struct_size: at the beginning. It may be kept across a close and an open. */
typedef struct selsnap_scrub {
    uint32_t struct_size; /**< sizeof(selsnap_scrub). */
    uint32_t done;        /**< 1 when all has been read; set it and position to 0 to begin again. */
    uint64_t position[4]; /**< Where it goes on; for the library alone. */
    uint64_t blocks;      /**< Preserved and overlay blocks read so far. */
    uint64_t bytes;       /**< Their bytes. */
    uint64_t problems;    /**< Problems found so far; each was told to the callback. */
} selsnap_scrub;
/** @brief A ::selsnap_scrub at its beginning. */
#define SELSNAP_SCRUB_INIT {sizeof(selsnap_scrub), 0, {0, 0, 0, 0}, 0, 0, 0}

/**
 * @brief Read some of the preserved and overlay data, and verify its checksums; the next call goes on from there.
 *
 * A full pass reads every block of data that was stored when it came by; what is added behind it is for the next pass.
 * Damage that is found raises ::SELSNAP_EVENT_DAMAGE. A block that cannot be read, and a part of the index that is
 * damaged, count as a problem each, and the scrub goes on behind them. selsnap_check() reads the metadata as well, but
 * all at once.
 *
 * @param[in]     ss            Context; a read-only one will do.
 * @param[in,out] scrub         Where to go on; updated. One thread at a time for each.
 * @param[in]     budget_bytes  About how many bytes to read; an index entry counts as 64. At least one entry is looked at,
 *                              and a block of its data read. 0: 16 MiB.
 * @param[in]     problem       NULL, or told each problem. It may use the context.
 * @param[in]     problem_user  Given to problem.
 * @retval SELSNAP_OK          See scrub->done and scrub->problems.
 * @retval SELSNAP_ECANCELED   The callback said so; the next call goes on behind the problem that it was told.
 * @retval SELSNAP_EINVAL      An argument is NULL, struct_size is not set, or position is none that the library made.
 * @retval SELSNAP_ESTORE      The index could not be read; the next call tries the same again.
 * @retval SELSNAP_EABANDONED  The store was abandoned; its data is no longer kept.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; the next call tries the same again.
 * @threading   Any thread, beside all other calls; nobody waits for it.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_scrub_step(selsnap *ss, selsnap_scrub *scrub, uint64_t budget_bytes, selsnap_line_fn problem,
                                   void *problem_user) SELSNAP_MUST_CHECK;

/**
 * @brief All metadata as text, one item a line, in the words of docs/format.md.
 * @param[in] ss    Context.
 * @param[in] line  Told each line.
 * @param[in] user  Given to line.
 * @retval SELSNAP_ECANCELED  The callback said so.
 * @retval SELSNAP_EDAMAGED   A page failed its check. A line says which items are missing; all others were told.
 * @retval SELSNAP_ESTORE     The store could not be read.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit.
 * @retval SELSNAP_EINVAL     An argument is NULL; nothing was done.
 * @threading   Any thread; a moment's view, changes made meanwhile may be in it or not.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_dump(selsnap *ss, selsnap_line_fn line, void *user) SELSNAP_MUST_CHECK;
/** @} */

/** @defgroup repair Repair
 * Bring what is sound of a damaged store into a new one. Never gives wrong data: what may have been hit is lost, and said.
 * @{ */

#define SELSNAP_REPAIR_OVERWRITE 0x1u      /**< Even if the new device holds a store already; that store is lost. */
#define SELSNAP_REPAIR_ALLOW_OVERLAP 0x2u  /**< Do not refuse when new store and origin seem to share storage. */
#define SELSNAP_REPAIR_OTHER_ORIGIN 0x4u   /**< As ::SELSNAP_OPEN_OTHER_ORIGIN; the new store belongs to this origin. */
#define SELSNAP_REPAIR_ORIGIN_CHANGED 0x8u /**< As ::SELSNAP_OPEN_ORIGIN_CHANGED. */
/** @brief Where it is not known all what was written into a snapshot, salvage the snapshot as it was taken, instead of
 * leaving it out. Given up: what was written into those snapshots. */
#define SELSNAP_REPAIR_AS_TAKEN 0x10u

/** @brief How to repair; all members may be 0. */
typedef struct selsnap_repair_options {
    uint32_t struct_size;   /**< sizeof(selsnap_repair_options). */
    uint32_t flags;         /**< SELSNAP_REPAIR_*. */
    uint64_t memory_limit;  /**< Bytes that may be allocated; at least 8 MiB + 6 x the larger journal; 0: 64 MiB. */
    selsnap_allocator allocator; /**< Used for all memory but a few pages. */
    uint64_t journal_bytes; /**< Journal of the new store; 0: as in the damaged one. */
    selsnap_line_fn report; /**< NULL, or told each thing that is lost or in doubt. */
    void *report_user;      /**< Given to report. */
    selsnap_progress_fn progress; /**< NULL, or told bytes of the origin gone through, of all. */
    void *progress_user;    /**< Given to progress. */
    char *ret_message;      /**< NULL, or where to put a text about a failure. */
    uint64_t message_size;  /**< Bytes at ret_message. */
} selsnap_repair_options;
/** @brief Default ::selsnap_repair_options. */
#define SELSNAP_REPAIR_OPTIONS_INIT {sizeof(selsnap_repair_options), 0, 0, {0, 0, 0, 0}, 0, 0, 0, 0, 0, 0, 0}

/** @brief What a repair has salvaged. What is lost counts as far as it is known to have been there. */
typedef struct selsnap_repair_result {
    uint32_t struct_size;           /**< sizeof(selsnap_repair_result). */
    uint32_t cut;                   /**< 1: the newest changes are lost, of whatever kind they were. */
    uint64_t snapshots_salvaged;    /**< Snapshots in the new store. */
    uint64_t snapshots_lost;        /**< Snapshots left out. */
    uint64_t designations_salvaged; /**< Designations in the new store. */
    uint64_t designations_lost;     /**< Designations left out. */
    uint64_t restores_salvaged;     /**< Unfinished restores that go on in the new store. */
    uint64_t restores_lost;         /**< Unfinished restores left out; the live device keeps what it has. */
    uint64_t blocks_salvaged;       /**< Blocks whose preserved or written content is in the new store. */
    uint64_t blocks_lost;           /**< Records of lost blocks made, each for one block; one may concern many snapshots. */
    uint64_t pages_damaged;         /**< Metadata pages that could not be used. */
} selsnap_repair_result;
/** @brief An empty ::selsnap_repair_result. */
#define SELSNAP_REPAIR_RESULT_INIT {sizeof(selsnap_repair_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Make a new store of what is sound of a damaged one.
 *
 * A sound store is copied whole. Snapshots keep ids, names, times, holds, properties, policies and designations; deleted
 * ones are not carried over. A block reads in the new store as in the damaged one, or is lost there (::SELSNAP_ELOST):
 * where its copy is damaged, and where a page that may have held its record is. A snapshot whose record or designation is
 * not known is left out. One device that fails to read is a damaged one where it fails.
 *
 * @param[in]     damaged     Read only. No context may have it open for writing.
 * @param[in]     origin      The live device, as the store knows it; read only.
 * @param[in]     fresh       The new store. Until the repair has ended it holds no store that could be opened.
 * @param[in]     options     NULL for the defaults.
 * @param[in,out] ret_result  struct_size is set by the caller. Filled when the repair has ended, and with
 *                            ::SELSNAP_EDAMAGED.
 *
 * @retval SELSNAP_OK         Done; see @p ret_result for what is lost.
 * @retval SELSNAP_EDAMAGED   Nothing can be salvaged; @p fresh is unchanged. The message, and report, tell why.
 * @retval SELSNAP_ENOTSTORE  @p damaged has no superblock; @p fresh is unchanged.
 * @retval SELSNAP_EVERSION   It uses features this version does not know; @p fresh is unchanged.
 * @retval SELSNAP_EORIGIN    As with selsnap_open(); @p fresh is unchanged.
 * @retval SELSNAP_ECHANGED   As with selsnap_open(); @p fresh is unchanged.
 * @retval SELSNAP_EEXIST     @p fresh holds a store, and SELSNAP_REPAIR_OVERWRITE is not given; unchanged.
 * @retval SELSNAP_EOVERLAP   @p fresh is the storage of one of the others; unchanged.
 * @retval SELSNAP_ETOOSMALL  @p fresh is too small for any store; unchanged.
 * @retval SELSNAP_ENOSPACE   @p fresh is too small for what is to be salvaged; it holds no store.
 * @retval SELSNAP_ELOCKED    Somebody has one of the devices open; @p fresh is unchanged.
 * @retval SELSNAP_EREADONLY  @p fresh cannot be written.
 * @retval SELSNAP_ESTORE     @p fresh failed, and holds no store; or @p damaged read differently from one time to the next.
 * @retval SELSNAP_ECANCELED  A callback said so; @p fresh holds no store.
 * @retval SELSNAP_EINVAL     An argument is NULL, or an option is not allowed.
 * @retval SELSNAP_EMEMLIMIT  The memory limit is too small for these stores.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; @p fresh holds no store.
 * @retval SELSNAP_ENOTSUP    The logical blocks of @p fresh are above 4096 bytes.
 *
 * @threading   Any thread; the devices must not be in use by a writable context.
 * @durability  On ::SELSNAP_OK the new store is durable.
 * @since 0.1
 */
SELSNAP_API int selsnap_repair(selsnap_device *damaged, selsnap_device *origin, selsnap_device *fresh,
                               const selsnap_repair_options *options, selsnap_repair_result *ret_result) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif

#include <selsnap/clone.h>
#include <selsnap/diff.h>
#include <selsnap/group.h>
#include <selsnap/grow.h>
#include <selsnap/quota.h>
#include <selsnap/retention.h>
#include <selsnap/stream.h>

#endif
