/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file device.h
 * @brief Block devices: the vtable behind which any storage can stand, and the stock devices.
 *
 * A ::selsnap_device is used as an origin (the live device) or as a store (where preserved copies and metadata go).
 * Stock devices: a file or block device, memory, a slice of another device, and a wrapper that counts calls.
 */
#ifndef SELSNAP_DEVICE_H
#define SELSNAP_DEVICE_H

#include <selsnap/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup devices Devices
 * The vtable behind which any storage can stand, the stock devices, and calls that go to a device directly.
 * @{ */

/** @brief An open device. Opaque. */
typedef struct selsnap_device selsnap_device;

/** @brief One piece of a scattered buffer. */
typedef struct selsnap_iovec {
    void *base; /**< First byte. Not NULL unless @p len is 0. */
    size_t len; /**< Bytes. */
} selsnap_iovec;

#define SELSNAP_IO_READ 1u         /**< Fill iov from the device. */
#define SELSNAP_IO_WRITE 2u        /**< Write iov to the device. */
#define SELSNAP_IO_WRITE_ZEROES 3u /**< Make len bytes read as zeros. Only in selsnap_batch(). */
#define SELSNAP_IO_DISCARD 4u      /**< len bytes are no longer needed. Only in selsnap_batch(). */
/** @brief What is written is durable when the batch returns. Only in selsnap_batch(). */
#define SELSNAP_IO_FUA 0x1u

/** @brief One request of a batch: of selsnap_batch(), and of a device's batch callback. */
typedef struct selsnap_io {
    uint32_t struct_size;     /**< sizeof(selsnap_io). */
    uint32_t kind;            /**< SELSNAP_IO_*. */
    const selsnap_iovec *iov; /**< Reads and writes: the buffers; not changed, and those of a write are only read. */
    uint32_t iov_count;       /**< Reads and writes: how many. */
    int32_t result;           /**< Set when the request has ended: 0, or a negative number. */
    uint64_t offset;          /**< Bytes from the start of the device. */
    uint64_t len;             /**< Zeroes and discards: bytes. Reads and writes: 0, their length is that of iov. */
    uint32_t flags;           /**< SELSNAP_IO_FUA, or 0. */
    uint32_t reserved;        /**< 0. */
} selsnap_io;

/** @brief An empty ::selsnap_io. */
#define SELSNAP_IO_INIT {sizeof(selsnap_io), 0, 0, 0, 0, 0, 0, 0, 0}

/** @brief Bytes of a device identity. */
#define SELSNAP_IDENTITY_SIZE 32

/** @brief The device keeps unflushed writes in a cache that a power cut empties. Without it, writes are durable when they
 * return, and flush is still called where order matters. */
#define SELSNAP_DEVICE_VOLATILE_CACHE 0x1u
/** @brief The device cannot be written. */
#define SELSNAP_DEVICE_READ_ONLY 0x2u

/** @brief What a device is like. All but its size is fixed while it is open. */
typedef struct selsnap_device_info {
    uint32_t struct_size;        /**< sizeof(selsnap_device_info). */
    uint32_t flags;              /**< SELSNAP_DEVICE_*. */
    uint64_t size_bytes;         /**< Bytes; a multiple of logical_block_bytes. May rise later, see resize. */
    uint32_t logical_block_bytes; /**< Offsets and lengths are multiples of it; a power of two, 1 to 65536; 0 means 1. */
    uint32_t atomic_write_bytes; /**< A power cut leaves each aligned unit of this size old or new; a power of two, 0 means 512. */
    uint32_t preferred_io_bytes; /**< A good request size; 0 means no preference. */
    uint32_t reserved;           /**< 0. */
} selsnap_device_info;

/** @brief An empty ::selsnap_device_info. */
#define SELSNAP_DEVICE_INFO_INIT {sizeof(selsnap_device_info), 0, 0, 0, 0, 0, 0}

/**
 * @brief The callbacks that make a device.
 *
 * All are called from any thread, several at once, unless said otherwise; requests that overlap may be in flight
 * together. Each returns 0, or any negative number of its own choosing (by custom -errno), which the library keeps
 * for the error's detail and reports as ::SELSNAP_EIO or ::SELSNAP_ESTORE. The library checks range and alignment of
 * offsets and lengths before it calls; the memory given may have any alignment. A callback does all of its request or
 * fails; there are no short transfers. A callback must not call back into a context that uses the device.
 */
typedef struct selsnap_device_ops {
    uint32_t struct_size; /**< sizeof(selsnap_device_ops). */
    uint32_t reserved;    /**< 0. */
    /** Fill the buffers from @p offset on. Required. After a failure the buffers may hold anything. */
    int (*readv)(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
    /** Write the buffers at @p offset. Required unless the device is read-only. When it returns 0, reads that begin
     * later see the data; a power cut may still lose it, until a flush. After a failure the range may hold old or new
     * bytes in any mixture. The buffers are not changed, and not used after the return. */
    int (*writev)(void *user, const selsnap_iovec *iov, uint32_t iov_count, uint64_t offset);
    /** When it returns 0, every write, discard and write_zeroes that had returned before the call is durable. After a
     * failure, none of them can be relied on. Required unless the device is read-only. */
    int (*flush)(void *user);
    /** The range is no longer needed: its content becomes undefined. Optional; NULL means not offered. */
    int (*discard)(void *user, uint64_t offset, uint64_t len);
    /** The range reads as zeros afterwards; as a write otherwise. Optional; NULL means that zeros are written. */
    int (*write_zeroes)(void *user, uint64_t offset, uint64_t len);
    /** Write ::SELSNAP_IDENTITY_SIZE bytes that name this storage and no other, the same at every open, whatever name
     * it is opened under. Optional; NULL means the device has none. One call at a time. */
    int (*identity)(void *user, uint8_t *ret_identity);
    /** A value that changes whenever the content is changed, by anyone. Optional; NULL means the device has none.
     * One call at a time, with no write in flight. */
    int (*change_mark)(void *user, uint64_t *ret_mark);
    /** Take the device for one context: exclusive (writable) or shared (read-only). Fails with any negative number when
     * another opener has it. Released by unlock, close, or the end of the process. Optional; NULL means it is the
     * host's duty. One call at a time. */
    int (*lock)(void *user, int exclusive);
    /** Give back what lock took. Required where lock is given. */
    void (*unlock)(void *user);
    /** Free what the device holds. Optional. Called once, last. */
    void (*close)(void *user);
    /** Do many reads and writes, in any order, as many at once as the device can, and return when all have ended. Sets
     * the result of each as readv and writev would return it; one that fails does not keep the others from being done.
     * No request is empty. Two that overlap, and are not both reads, leave mixed bytes. Optional; NULL means that
     * requests are made one after another. Since 0.1. */
    void (*batch)(void *user, selsnap_io *const *ios, uint32_t count);
    /** Make the device at least @p size_bytes long, and tell how long it is now; 0 only asks, as others may have made it
     * longer. What is new reads as anything. Requests to the old part go on meanwhile. A new size is durable when it
     * returns. Optional; NULL means that the size never changes. One call at a time. Since 0.1. */
    int (*resize)(void *user, uint64_t size_bytes, uint64_t *ret_size_bytes);
} selsnap_device_ops;

/** @brief Memory functions; see selsnap_open_options. All three are given, or none (all NULL: malloc, realloc, free). */
typedef struct selsnap_allocator {
    void *(*alloc)(void *user, size_t len);                /**< As malloc. */
    void *(*resize)(void *user, void *memory, size_t len); /**< As realloc. */
    void (*release)(void *user, void *memory);             /**< As free. */
    void *user;                                            /**< Given to each call. */
} selsnap_allocator;

/**
 * @brief Make a device from callbacks.
 *
 * @param[in]  ops         Copied; members beyond ops->struct_size count as NULL.
 * @param[in]  info        Copied.
 * @param[in]  user        Given to every callback; owned by the device from a successful return on (see ops->close).
 * @param[out] ret_device  The device; close it with selsnap_device_close().
 *
 * @retval SELSNAP_EINVAL  A required callback is missing, or a value in @p info is not allowed.
 * @retval SELSNAP_ENOMEM  No memory.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_open(const selsnap_device_ops *ops, const selsnap_device_info *info, void *user,
                                    selsnap_device **ret_device) SELSNAP_MUST_CHECK;

/** @brief Open for reading only; nothing is ever written. */
#define SELSNAP_FILE_READ_ONLY 0x1u
/** @brief Pass the page cache by (O_DIRECT; FILE_FLAG_NO_BUFFERING on Windows). Fails with ::SELSNAP_ENOTSUP where the file system cannot. Offsets and
 * lengths must then be multiples of the logical block; memory may have any alignment (unaligned memory is copied). */
#define SELSNAP_FILE_DIRECT 0x2u
/** @brief Create the file if it is not there, and make it at least @p create_size bytes long (sparse). */
#define SELSNAP_FILE_CREATE 0x4u

/**
 * @brief Open a file or a block device.
 *
 * Size and logical block are taken from the file. Its identity is made from what the system tells of it (file system and
 * inode number, or the block device's number), its change mark from the change time. A lock is taken per open file,
 * with flock where there is one; it is seen by other processes and by other devices of this one.
 *
 * Of a batch, the reads, and with ::SELSNAP_FILE_DIRECT the writes, are kept in flight together by io_uring, where the
 * library was built with liburing and the system allows it; all else is done one after another. The device makes its
 * rings when a batch first needs them, at most four, each an open file; a process made by fork makes its own.
 *
 * On Windows the path is UTF-8, and a name in the namespace of devices is a raw disk or partition, which is used in whole
 * sectors. The identity is that of volume and file, the change mark is made from the time of the last write, which the
 * device sets itself, and the lock, by LockFileEx, is on one byte beyond all data: it keeps no other program from reading
 * or writing. New files are sparse where the file system can.
 *
 * @param[in]  path         File name.
 * @param[in]  flags        SELSNAP_FILE_*.
 * @param[in]  create_size  Bytes; used with ::SELSNAP_FILE_CREATE, otherwise 0.
 * @param[out] ret_device   The device.
 *
 * @retval SELSNAP_EINVAL     A flag is unknown, or the path is neither a file nor a block device.
 * @retval SELSNAP_ENOENT     No such file.
 * @retval SELSNAP_EREADONLY  It may not be written; SELSNAP_FILE_READ_ONLY may help.
 * @retval SELSNAP_ENOTSUP    O_DIRECT (FILE_FLAG_NO_BUFFERING) does not work there.
 * @retval SELSNAP_EIO        The system refused; errno's value is given to @p ret_errno when it is not NULL.
 * @retval SELSNAP_ENOMEM     No memory.
 * @param[out] ret_errno    The system's error number, or NULL; written on failure only. On Windows errno's value for it.
 *
 * @threading   Any thread.
 * @durability  A file made or grown is durable after the device's first flush.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_open_file(const char *path, uint32_t flags, uint64_t create_size,
                                         selsnap_device **ret_device, int *ret_errno) SELSNAP_MUST_CHECK;

/**
 * @brief Make a device in memory, filled with zeros.
 *
 * @param[in]  size_bytes           Bytes; more than 0; a multiple of @p logical_block_bytes.
 * @param[in]  logical_block_bytes  As in selsnap_device_info; 0 means 1.
 * @param[out] ret_device           The device.
 *
 * @retval SELSNAP_EINVAL  A size is not allowed.
 * @retval SELSNAP_ENOMEM  No memory.
 *
 * @threading   Any thread. Requests that overlap in time and place give mixed bytes, as on a disk.
 * @durability  Nothing outlives the process.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_open_memory(uint64_t size_bytes, uint32_t logical_block_bytes,
                                           selsnap_device **ret_device) SELSNAP_MUST_CHECK;

/**
 * @brief Make a device of a part of another.
 *
 * @param[in]  parent      Stays open, and open longer than the slice; not owned.
 * @param[in]  offset      Bytes; a multiple of the parent's logical block.
 * @param[in]  len         Bytes; more than 0, a multiple of the parent's logical block; inside the parent.
 * @param[out] ret_device  The device. Its identity is made from the parent's and the place.
 *
 * @retval SELSNAP_EINVAL  @p len is 0.
 * @retval SELSNAP_ERANGE  Not inside the parent.
 * @retval SELSNAP_EALIGN  Not on its logical blocks.
 * @retval SELSNAP_ENOMEM  No memory.
 *
 * @threading   Any thread.
 * @durability  As the parent; a flush flushes the whole parent.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_open_slice(selsnap_device *parent, uint64_t offset, uint64_t len,
                                          selsnap_device **ret_device) SELSNAP_MUST_CHECK;

/** @brief What passed through a counting device. */
typedef struct selsnap_device_counts {
    uint32_t struct_size;   /**< sizeof(selsnap_device_counts). */
    uint32_t reserved;      /**< 0. */
    uint64_t reads;         /**< Read requests. */
    uint64_t read_bytes;    /**< Bytes read. */
    uint64_t writes;        /**< Write requests. */
    uint64_t write_bytes;   /**< Bytes written. */
    uint64_t flushes;       /**< Flushes. */
    uint64_t discards;      /**< Discards. */
    uint64_t discard_bytes; /**< Bytes discarded. */
    uint64_t zeroes;        /**< write_zeroes requests. */
    uint64_t zero_bytes;    /**< Bytes zeroed. */
} selsnap_device_counts;

/**
 * @brief Make a device that passes everything on to another and counts it.
 *
 * @param[in]  parent      Stays open, and open longer than the wrapper; not owned.
 * @param[out] ret_device  The device. Identity, change mark and lock are the parent's.
 *
 * @retval SELSNAP_ENOMEM  No memory.
 * @retval SELSNAP_EINVAL  An argument is NULL; nothing was done.
 *
 * @threading   Any thread.
 * @durability  As the parent.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_open_counting(selsnap_device *parent, selsnap_device **ret_device) SELSNAP_MUST_CHECK;

/**
 * @brief Read a counting device's counts.
 *
 * @param[in]     device      Made by selsnap_device_open_counting().
 * @param[in,out] ret_counts  struct_size is set by the caller; at most that many bytes are filled.
 * @param[in]     reset       Not 0: start again from zero.
 *
 * @retval SELSNAP_EINVAL  The device does not count.
 *
 * @threading   Any thread; each count is exact, together they are a moment's view.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_get_counts(selsnap_device *device, selsnap_device_counts *ret_counts,
                                          int reset) SELSNAP_MUST_CHECK;

/**
 * @brief What a device is like.
 *
 * @param[in]     device    A device.
 * @param[in,out] ret_info  struct_size is set by the caller; at most that many bytes are filled.
 * @retval SELSNAP_EINVAL  An argument is NULL, or struct_size is not set.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_get_info(selsnap_device *device, selsnap_device_info *ret_info) SELSNAP_MUST_CHECK;

/**
 * @brief Read a device directly.
 *
 * @param[in]  device  A device.
 * @param[out] buf     @p len bytes.
 * @param[in]  len     Bytes; 0 does nothing.
 * @param[in]  offset  Bytes from the start.
 *
 * @retval SELSNAP_ERANGE  Not inside the device; nothing was read.
 * @retval SELSNAP_EALIGN  Not on logical blocks; nothing was read.
 * @retval SELSNAP_EIO     @p buf may hold anything.
 * @retval SELSNAP_EINVAL  An argument is NULL; nothing was done.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_read(selsnap_device *device, void *buf, size_t len, uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Write a device directly. On an origin in use this goes past its snapshots and breaks them.
 *
 * @param[in] device  A device.
 * @param[in] buf     @p len bytes.
 * @param[in] len     Bytes; 0 does nothing.
 * @param[in] offset  Bytes from the start.
 *
 * @retval SELSNAP_ERANGE     Not inside the device; nothing was written.
 * @retval SELSNAP_EALIGN     Not on logical blocks; nothing was written.
 * @retval SELSNAP_EREADONLY  Nothing was written.
 * @retval SELSNAP_EIO        The range may hold old and new bytes.
 * @retval SELSNAP_EINVAL     An argument is NULL; nothing was done.
 *
 * @threading   Any thread.
 * @durability  Volatile until selsnap_device_flush().
 * @since 0.1
 */
SELSNAP_API int selsnap_device_write(selsnap_device *device, const void *buf, size_t len,
                                     uint64_t offset) SELSNAP_MUST_CHECK;

/**
 * @brief Read and write a device directly, many requests at once where it can. On an origin in use its writes go past the
 * snapshots and break them.
 *
 * Each request ends with a result of its own; one that is refused or fails does not keep the others from being done.
 * They are done in any order. Two that overlap, and are not both reads, leave mixed bytes.
 *
 * @param[in]     device  A device.
 * @param[in,out] ios     @p count requests, of ::SELSNAP_IO_READ and ::SELSNAP_IO_WRITE; NULL if there are none. Each
 *                        has its struct_size set, and gets its result: ::SELSNAP_OK, or a code as below.
 * @param[in]     count   How many; 0 does nothing.
 *
 * @retval SELSNAP_OK         All are done.
 * @retval SELSNAP_ERANGE     The first that failed is not inside the device; it did nothing.
 * @retval SELSNAP_EALIGN     The first that failed is not on logical blocks; it did nothing.
 * @retval SELSNAP_EREADONLY  The first that failed is a write to what cannot be written; it did nothing.
 * @retval SELSNAP_EIO        The first that failed: its buffers may hold anything after a read, its range old and new
 *                            bytes after a write.
 * @retval SELSNAP_EINVAL     The first that failed has a wrong member; it did nothing. Or @p device or @p ios is NULL, or
 *                            one of @p ios is NULL or its struct_size too small for a result; nothing was done, and
 *                            no result is set.
 *
 * @threading   Any thread.
 * @durability  Volatile until selsnap_device_flush().
 * @since 0.1
 */
SELSNAP_API int selsnap_device_batch(selsnap_device *device, selsnap_io *const *ios, uint32_t count) SELSNAP_MUST_CHECK;

/**
 * @brief Make what was written to a device durable.
 *
 * @param[in] device  A device.
 *
 * @retval SELSNAP_EIO     Writes not flushed before may be lost.
 * @retval SELSNAP_EINVAL  An argument is NULL; nothing was done.
 *
 * @threading   Any thread.
 * @durability  Every write that had returned before the call survives a power cut.
 * @since 0.1
 */
SELSNAP_API int selsnap_device_flush(selsnap_device *device) SELSNAP_MUST_CHECK;

/**
 * @brief Close a device. No context may be using it.
 *
 * @param[in] device  A device, or NULL.
 *
 * @threading   Once, with no other call on the device.
 * @durability  Does not flush.
 * @since 0.1
 */
SELSNAP_API void selsnap_device_close(selsnap_device *device);
/** @} */

#ifdef __cplusplus
}
#endif
#endif
