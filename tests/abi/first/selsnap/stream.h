/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stream.h
 * @brief Snapshots as streams of bytes: export, verify, apply to a device, import into another store.
 *
 * A stream holds one snapshot, whole, or as an increment from an older one (its *base*), which may be a bookmark. It
 * goes to a callback and comes from one; it can be kept in a file, and sent through a pipe. docs/stream.md has every byte
 * of it. Several streams may follow each other in one file or pipe: a reader takes no byte behind the end of one.
 *
 * A stream that broke off can be gone on with: the side that reads has a *token*, which tells the side that writes what
 * has arrived whole.
 */
#ifndef SELSNAP_STREAM_H
#define SELSNAP_STREAM_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup streams Streams
 * Export, verify, apply, import, and going on where one broke off.
 * @{ */

/**
 * @brief Given the next bytes of a stream.
 *
 * @p len is above 0. All are taken, or the call fails: a negative SELSNAP_E* is returned by the call that makes the
 * stream as it is, any other result but 0 becomes ::SELSNAP_ECANCELED. Called on the caller's thread, with no lock held.
 */
typedef int (*selsnap_stream_write_fn)(void *user, const void *buf, size_t len);

/**
 * @brief Asked for the next bytes of a stream.
 *
 * @p len is above 0. Gives 1 to @p len, the bytes put at @p buf; 0 at the end; or a negative SELSNAP_E*, which the call
 * that reads returns as it is. Never asked for bytes behind the stream's end. Called on the caller's thread, with no lock
 * held.
 */
typedef int64_t (*selsnap_stream_read_fn)(void *user, void *buf, size_t len);

/**
 * @brief A ::selsnap_stream_write_fn that writes to a file descriptor.
 *
 * Short writes, interruptions by signals and descriptors that do not block are dealt with. A pipe without a reader raises
 * SIGPIPE, as usual, unless the program ignores it.
 *
 * @param[in] user  Points to an int, the descriptor.
 * @param[in] buf   Bytes.
 * @param[in] len   How many.
 * @retval SELSNAP_EIO     The system refused; errno tells why.
 * @retval SELSNAP_EINVAL  A pointer is NULL.
 * @threading   Any thread.
 * @durability  None: use fsync() when all is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_stream_write_fd(void *user, const void *buf, size_t len) SELSNAP_MUST_CHECK;

/**
 * @brief A ::selsnap_stream_read_fn that reads from a file descriptor.
 * @param[in]  user  Points to an int, the descriptor.
 * @param[out] buf   Memory for the bytes.
 * @param[in]  len   How many are wanted.
 * @return Bytes read, 0 at the end; ::SELSNAP_EIO when the system refused (errno tells why), ::SELSNAP_EINVAL when a
 *         pointer is NULL.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int64_t selsnap_stream_read_fd(void *user, void *buf, size_t len) SELSNAP_MUST_CHECK;

#define SELSNAP_STREAM_AS_CHANGED 0x1u /**< Holds what was written into the snapshot, too; it can be no base. */
#define SELSNAP_STREAM_SOME 0x2u       /**< Only chosen ranges of the snapshot. */
#define SELSNAP_STREAM_LOSSY 0x4u      /**< Made with ::SELSNAP_EXPORT_SKIP_LOST. */

/**
 * @brief What a stream holds, or what a device holds of it: a snapshot of some store.
 *
 * All 0 but struct_size: nothing. The caller keeps it where increments are to be applied later.
 */
typedef struct selsnap_stream_id {
    uint32_t struct_size;   /**< sizeof(selsnap_stream_id). */
    uint32_t flags;         /**< SELSNAP_STREAM_*. */
    uint8_t store_id[16];   /**< The store that it was exported from. */
    uint64_t snapshot_id;   /**< The snapshot's id there. */
    uint64_t point;         /**< Its point there. */
    uint64_t ranges_digest; /**< Names the chosen ranges; 0: none were chosen. */
    uint64_t lost_blocks;   /**< Blocks that this stream and those before it on the device told as lost. */
} selsnap_stream_id;
/** @brief A ::selsnap_stream_id of nothing. */
#define SELSNAP_STREAM_ID_INIT {sizeof(selsnap_stream_id), 0, {0}, 0, 0, 0, 0}

/**
 * @brief How far a stream has arrived. Made by the library for the library; it may be kept, and sent to the other side
 * byte by byte.
 */
typedef struct selsnap_stream_token {
    uint32_t struct_size; /**< sizeof(selsnap_stream_token). */
    uint32_t reserved;    /**< 0. */
    uint64_t key;         /**< Names the stream; 0: no token. */
    uint64_t records;     /**< Data records that are whole. */
    uint64_t next_block;  /**< The first block that they do not tell of. */
    uint64_t digest;      /**< Of all before. */
    uint64_t data_blocks; /**< Blocks told so far, with data. */
    uint64_t zero_blocks; /**< As zeros. */
    uint64_t lost_blocks; /**< As lost. */
    uint64_t check;       /**< Checksum of the members above. */
} selsnap_stream_token;
/** @brief No token. */
#define SELSNAP_STREAM_TOKEN_INIT {sizeof(selsnap_stream_token), 0, 0, 0, 0, 0, 0, 0, 0, 0}

#define SELSNAP_STREAM_NOTHING 0u /**< Nothing was applied: the target is as it was. */
#define SELSNAP_STREAM_PART 1u    /**< The target holds a part: neither the old nor the new content. */
#define SELSNAP_STREAM_WHOLE 2u   /**< All was read, and applied where that was asked. */

/** @brief About a stream that was made or read. */
typedef struct selsnap_stream_info {
    uint32_t struct_size;    /**< sizeof(selsnap_stream_info). */
    uint32_t state;          /**< SELSNAP_STREAM_NOTHING, _PART or _WHOLE. */
    uint32_t version_major;  /**< The stream's format. */
    uint32_t version_minor;  /**< The stream's format. */
    selsnap_stream_id id;    /**< What the stream holds. */
    selsnap_stream_id base;  /**< For an increment, what it goes on from; otherwise snapshot_id is 0. */
    int64_t time_ns;         /**< The snapshot's time. */
    uint64_t origin_bytes;   /**< Size of its origin. */
    uint32_t block_bytes;    /**< Block size. */
    uint32_t property_count; /**< Properties. */
    uint64_t block_count;    /**< Blocks in the subset. */
    uint64_t range_count;    /**< Ranges in it. */
    uint64_t records;        /**< Data records, those before a resumption included; the same for the next three. */
    uint64_t data_blocks;    /**< Blocks told with data. */
    uint64_t zero_blocks;    /**< Blocks told as zeros. */
    uint64_t lost_blocks;    /**< Blocks told as lost. */
    uint64_t stream_bytes;   /**< Bytes that were written or read. */
    uint64_t written_blocks; /**< Blocks that were written to the target; those that it had already are not. */
    selsnap_stream_token token;       /**< For going on where it broke off; key 0: it has to begin again. */
    char name[SELSNAP_NAME_MAX + 1];  /**< The snapshot's name. */
} selsnap_stream_info;

#define SELSNAP_EXPORT_AS_CHANGED 0x1u /**< With what was written into the snapshot. Not for increments. */
/** @brief Go on although blocks are lost, or their copies damaged: the stream tells of each that it is lost. */
#define SELSNAP_EXPORT_SKIP_LOST 0x2u

/** @brief What to export. */
typedef struct selsnap_export_options {
    uint32_t struct_size;         /**< sizeof(selsnap_export_options). */
    uint32_t flags;               /**< SELSNAP_EXPORT_*. */
    uint64_t id;                  /**< The snapshot. */
    uint64_t base_id;             /**< 0: all of it. Otherwise what changed since this older snapshot or bookmark. */
    const selsnap_subset *subset; /**< Only these ranges of it; NULL: all. An increment needs the same as its base. */
    int32_t level;                /**< zstd's, 1 to 19; 0: 3, or none where libselsnap was built without zstd; -1: none. */
    uint32_t reserved;            /**< 0. */
    const selsnap_stream_token *token; /**< NULL, or go on behind what it says has arrived; all else as the first time. */
    selsnap_progress_fn progress; /**< NULL, or told blocks passed of the subset. */
    void *progress_user;          /**< Given to progress. */
} selsnap_export_options;
/** @brief Default ::selsnap_export_options. */
#define SELSNAP_EXPORT_OPTIONS_INIT {sizeof(selsnap_export_options), 0, 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * @brief Write a snapshot as a stream.
 *
 * The frozen content, unless ::SELSNAP_EXPORT_AS_CHANGED is given. The snapshot cannot be deleted meanwhile, the live
 * device is used on. Besides the context's memory, zstd takes up to 8 MiB of its own.
 *
 * @param[in]     ss        Context; a read-only one will do.
 * @param[in]     options   What.
 * @param[in]     write     Given the stream.
 * @param[in]     user      Given to write.
 * @param[in,out] ret_info  NULL, or struct_size is set by the caller; filled on success only.
 *
 * @retval SELSNAP_OK          The stream is whole.
 * @retval SELSNAP_ENOENT      No such snapshot, or base; the base may have been deleted in the middle.
 * @retval SELSNAP_EINVAL      An option is not allowed, the base is not older, or the subset has no block of the snapshot.
 * @retval SELSNAP_ENODATA     The snapshot is a bookmark: it can be a base only.
 * @retval SELSNAP_EBASE       The token is not of this stream; nothing was written.
 * @retval SELSNAP_ELOST       A block was given up. See ::SELSNAP_EXPORT_SKIP_LOST.
 * @retval SELSNAP_EDAMAGED    A block's copy, or a record in the store, failed its check.
 * @retval SELSNAP_EIO         The origin failed.
 * @retval SELSNAP_ESTORE      The store failed.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_ECANCELED   A callback said so.
 * @retval SELSNAP_ENOTSUP     A level was asked for, and libselsnap was built without zstd; nothing was written.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit.
 * After any failure the stream has no end, and each reader refuses it there.
 *
 * @threading   Any thread, beside all other calls. The callbacks may use the context.
 * @durability  Nothing is written to origin or store.
 * @since 0.1
 */
SELSNAP_API int selsnap_export(selsnap *ss, const selsnap_export_options *options, selsnap_stream_write_fn write,
                               void *user, selsnap_stream_info *ret_info) SELSNAP_MUST_CHECK;

#define SELSNAP_APPLY_SKIP_LOST 0x1u /**< Leave blocks that the stream tells as lost as they are. */

/** @brief How to read a stream without a context. */
typedef struct selsnap_stream_options {
    uint32_t struct_size;              /**< sizeof(selsnap_stream_options). */
    uint32_t flags;                    /**< SELSNAP_APPLY_*; 0 to verify. */
    const selsnap_stream_id *holds;    /**< Apply: NULL, or what the device holds, for an increment. */
    const selsnap_stream_token *token; /**< NULL, or the stream goes on behind this, from a call that broke off. */
    selsnap_allocator allocator;       /**< Used for all memory but zstd's. */
    uint64_t memory_limit;             /**< Bytes; 0: 64 MiB. Needed: 3 MiB, and 16 to 32 bytes for each range. */
    selsnap_progress_fn progress;      /**< NULL, or told blocks passed of the subset. */
    void *progress_user;               /**< Given to progress. */
    char *ret_message;                 /**< NULL, or where to put a text about a failure. */
    uint64_t message_size;             /**< Bytes at ret_message. */
} selsnap_stream_options;
/** @brief Default ::selsnap_stream_options. */
#define SELSNAP_STREAM_OPTIONS_INIT {sizeof(selsnap_stream_options), 0, 0, 0, {0, 0, 0, 0}, 0, 0, 0, 0, 0}

/**
 * @brief Read a stream, and verify all of it. Nothing is applied.
 *
 * @param[in]     read      Asked for the stream.
 * @param[in]     user      Given to read.
 * @param[in]     options   NULL for the defaults. A stream that goes on after a break needs no token to be verified.
 * @param[in,out] ret_info  NULL, or struct_size is set by the caller. Filled also after a failure, as far as is known.
 *
 * @retval SELSNAP_OK         It is whole and sound.
 * @retval SELSNAP_ESTREAM    It is damaged, cut, or of a kind not known; the message says where.
 * @retval SELSNAP_ENOTSUP    It is compressed, and libselsnap was built without zstd.
 * @retval SELSNAP_EBASE      It does not go on behind the token.
 * @retval SELSNAP_EINVAL     An argument is NULL, or an option is not allowed.
 * @retval SELSNAP_EIO        The callback's.
 * @retval SELSNAP_ECANCELED  The progress callback said so.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_stream_verify(selsnap_stream_read_fn read, void *user, const selsnap_stream_options *options,
                                      selsnap_stream_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief Write a stream's blocks to a device: a full one, then its increments in their order.
 *
 * The device has no snapshots: what it held is overwritten. Keep ret_info->id: the next increment needs it as
 * options->holds. When it breaks off, ret_info->state tells whether the device is as it was; if it is in part written, it
 * is of no use before the stream has been applied to its end: from its beginning, or behind ret_info->token.
 *
 * @param[in]     read      Asked for the stream.
 * @param[in]     user      Given to read.
 * @param[in]     device    At least as large as the stream's origin; no context uses it.
 * @param[in]     options   NULL for the defaults.
 * @param[in,out] ret_info  NULL, or struct_size is set by the caller. Filled also after a failure, as far as is known.
 *
 * @retval SELSNAP_OK         The device holds the snapshot, whole.
 * @retval SELSNAP_ESTREAM    The stream is damaged, cut, or of a kind not known; see ret_info->state.
 * @retval SELSNAP_ENOTSUP    It is compressed, and libselsnap was built without zstd; see ret_info->state.
 * @retval SELSNAP_EBASE      An increment, and its base is not what options->holds says; or the stream does not go on behind
 *                            the token. The device is as it was before the call.
 * @retval SELSNAP_ELOST      Blocks are lost in it. See ::SELSNAP_APPLY_SKIP_LOST, and ret_info->state.
 * @retval SELSNAP_ERANGE     The device is too small; it is as it was.
 * @retval SELSNAP_EALIGN     The origin does not end on the device's logical blocks, or these are larger than the stream's
 *                            blocks; the device is as it was.
 * @retval SELSNAP_EREADONLY  The device cannot be written.
 * @retval SELSNAP_EINVAL     An argument is NULL, or an option is not allowed.
 * @retval SELSNAP_EIO        The device failed, or the callback; see ret_info->state.
 * @retval SELSNAP_ECANCELED  The progress callback said so; see ret_info->state.
 * @retval SELSNAP_ENOMEM     No memory, or none under the limit; see ret_info->state.
 *
 * @threading   Any thread; nobody else uses the device.
 * @durability  Flushed on ::SELSNAP_OK; what a token says has arrived is flushed as well.
 * @since 0.1
 */
SELSNAP_API int selsnap_stream_apply(selsnap_stream_read_fn read, void *user, selsnap_device *device,
                                     const selsnap_stream_options *options,
                                     selsnap_stream_info *ret_info) SELSNAP_MUST_CHECK;

#define SELSNAP_IMPORT_SKIP_LOST 0x1u /**< Blocks that the stream tells as lost are left out of the new snapshot. */
/** @brief If it breaks off, keep what has arrived, for a stream that goes on behind ret_info->token. Until then the live
 * device holds a part; the next selsnap_import() of another stream, or selsnap_import_undo(), takes it back. */
#define SELSNAP_IMPORT_KEEP_PART 0x2u

/** @brief How to import. */
typedef struct selsnap_import_options {
    uint32_t struct_size;         /**< sizeof(selsnap_import_options). */
    uint32_t flags;               /**< SELSNAP_IMPORT_*. */
    const char *name;             /**< The new snapshot's name; NULL: the stream's. */
    uint32_t policy;              /**< SELSNAP_POLICY_* of the new snapshot. */
    uint32_t reserved;            /**< 0. */
    selsnap_progress_fn progress; /**< NULL, or told blocks passed of the subset. */
    void *progress_user;          /**< Given to progress. */
} selsnap_import_options;
/** @brief Default ::selsnap_import_options. */
#define SELSNAP_IMPORT_OPTIONS_INIT {sizeof(selsnap_import_options), 0, 0, 0, 0, 0, 0}

/**
 * @brief Bring a stream into a store, as a snapshot.
 *
 * The context's origin is where backups are kept: it gets the stream's blocks, and the new snapshot the stream's subset,
 * name, time and properties. Older snapshots keep their content. An increment needs a snapshot that was imported from its
 * base, and that nothing has been written since to the blocks of its subset. Nobody else may write to these blocks during the
 * import.
 *
 * If it fails, what was written is taken back: a safety snapshot, which it makes first, is restored. What could not be taken
 * back (after a crash, when the store fails, or with ::SELSNAP_IMPORT_KEEP_PART) is an *unfinished import*:
 * selsnap_import_unfinished() finds it, and the next selsnap_import() takes it back, or goes on with it if its stream begins
 * behind what has arrived.
 *
 * @param[in]     ss        Context; its origin has the size of the stream's, and its block size divides the stream's.
 * @param[in]     read      Asked for the stream.
 * @param[in]     user      Given to read.
 * @param[in]     options   NULL for the defaults.
 * @param[out]    ret_id    The new snapshot; NULL is allowed.
 * @param[in,out] ret_info  NULL, or struct_size is set by the caller. Filled also after a failure, as far as is known.
 *
 * @retval SELSNAP_OK          The snapshot is there.
 * @retval SELSNAP_ESTREAM     The stream is damaged, cut, or of a kind not known; see ret_info->state.
 * @retval SELSNAP_ENOTSUP     It is compressed, and libselsnap was built without zstd; see ret_info->state.
 * @retval SELSNAP_EBASE       No snapshot was imported from the stream's base, or the device has changed since; or the
 *                             stream goes on behind what has not arrived. The device is as it was.
 * @retval SELSNAP_EEXIST      The name is taken; the device is as it was.
 * @retval SELSNAP_ERANGE      The sizes do not fit; the device is as it was.
 * @retval SELSNAP_ELOST       Blocks are lost in it. See ::SELSNAP_IMPORT_SKIP_LOST, and ret_info->state.
 * @retval SELSNAP_EBUSY       Another import runs on this context, or a restore is not finished; the device is as it was.
 * @retval SELSNAP_EINVAL      An argument is NULL, or an option is not allowed.
 * @retval SELSNAP_EIO         The origin failed, or the callback; see ret_info->state.
 * @retval SELSNAP_ESTORE      The store failed; see ret_info->state.
 * @retval SELSNAP_ENOSPACE    No room to preserve; see ret_info->state.
 * @retval SELSNAP_EMEMLIMIT   No room for the snapshot's record under the memory limit; see ret_info->state.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check; see ret_info->state.
 * @retval SELSNAP_ECANCELED   The progress callback said so; see ret_info->state.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; see ret_info->state.
 * @retval SELSNAP_EREADONLY   The context was opened read-only; nothing was done.
 * @retval SELSNAP_EABANDONED  The store was abandoned; nothing was done.
 * ret_info->state is ::SELSNAP_STREAM_PART only when an unfinished import is left, or when a block could not be taken back
 * because the origin could not read what it had held; selsnap_last_error() tells so.
 *
 * @threading   Any thread. The callbacks may use the context, but not import.
 * @durability  On ::SELSNAP_OK the snapshot is durable. After a crash it is there whole, or not at all.
 * @since 0.1
 */
SELSNAP_API int selsnap_import(selsnap *ss, selsnap_stream_read_fn read, void *user,
                               const selsnap_import_options *options, uint64_t *ret_id,
                               selsnap_stream_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief Find an unfinished import. There is at most one.
 *
 * @param[in]     ss         Context.
 * @param[in,out] ret_id     NULL, or what was being imported; struct_size is set by the caller.
 * @param[in,out] ret_token  NULL, or how far it has come; struct_size is set by the caller. key 0: it cannot be gone on
 *                           with.
 * @retval SELSNAP_OK        There is one: the live device holds a part of a stream.
 * @retval SELSNAP_ENOENT    There is none.
 * @retval SELSNAP_EBUSY     An import runs on this context.
 * @retval SELSNAP_EINVAL    @p ss is NULL, or a struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_import_unfinished(selsnap *ss, selsnap_stream_id *ret_id,
                                          selsnap_stream_token *ret_token) SELSNAP_MUST_CHECK;

/**
 * @brief Take an unfinished import back: the live device is as it was before. What was written since by others to blocks of the
 * stream's subset is taken back with it.
 *
 * @param[in] ss             Context.
 * @param[in] progress       NULL, or told blocks taken back of all.
 * @param[in] progress_user  Given to progress.
 * @retval SELSNAP_ENOENT      There is none.
 * @retval SELSNAP_EBUSY       An import runs on this context, or a view or a restore uses the safety snapshot.
 * @retval SELSNAP_ECANCELED   The callback said so; call it again.
 * @retval SELSNAP_EIO         The origin failed; call it again.
 * @retval SELSNAP_ESTORE      The store failed; call it again.
 * @retval SELSNAP_ENOSPACE    No room; call it again.
 * @retval SELSNAP_EDAMAGED    A record in the store failed its check.
 * @retval SELSNAP_ELOST       The origin could not be read where a block was overwritten, and the block is lost.
 * @retval SELSNAP_ENOMEM      No memory, or none under the limit; call it again.
 * @retval SELSNAP_EREADONLY   The context was opened read-only.
 * @retval SELSNAP_EABANDONED  The store was abandoned.
 * @retval SELSNAP_EINVAL      @p ss is NULL.
 * @threading   Any thread.
 * @durability  Durable on ::SELSNAP_OK.
 * @since 0.1
 */
SELSNAP_API int selsnap_import_undo(selsnap *ss, selsnap_progress_fn progress, void *progress_user) SELSNAP_MUST_CHECK;

/**
 * @brief Which stream a snapshot was imported from.
 * @param[in]     ss      Context.
 * @param[in]     id      The snapshot.
 * @param[in,out] ret_id  struct_size is set by the caller.
 * @retval SELSNAP_ENOENT    No such snapshot, or it was not imported.
 * @retval SELSNAP_EINVAL    An argument is NULL, or struct_size is not set.
 * @retval SELSNAP_EDAMAGED  A record in the store failed its check.
 * @retval SELSNAP_ESTORE    The store could not be read.
 * @retval SELSNAP_ENOMEM    No memory, or none under the limit.
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_snapshot_get_received(selsnap *ss, uint64_t id, selsnap_stream_id *ret_id) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
