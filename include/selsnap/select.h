/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file select.h
 * @brief Choosing blocks the way people think of them: partitions, files, what a file system uses. Library
 * libselsnap-select, which needs libblkid and libext2fs.
 *
 * A *selection* is a set of byte ranges of a device, made of what is added to it, then added to a subset or taken out of
 * one. Everything is read from the device as it is at that moment, through the path given, and nothing is written: a file
 * system that is in use may change meanwhile, so freeze it (`fsfreeze --freeze`) or unmount it: then its maps say all. Deferred
 * writes that a context still keeps in memory are not seen: call selsnap_flush() first.
 *
 * Images and devices may be hostile: what they say is checked against their sizes.
 */
#ifndef SELSNAP_SELECT_H
#define SELSNAP_SELECT_H

#include <selsnap/selsnap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup select Choosing blocks
 * By partition, by file, by what a file system has in use. Library libselsnap-select.
 * @{ */

/** @brief Byte ranges of a device, sorted and apart. Opaque; one thread at a time. */
typedef struct selsnap_selection selsnap_selection;

/**
 * @brief Make an empty selection.
 *
 * @param[out] ret_selection  The selection; close it with selsnap_selection_close().
 *
 * @retval SELSNAP_EINVAL  @p ret_selection is NULL.
 * @retval SELSNAP_ENOMEM  No memory.
 *
 * @threading   Any thread.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_open(selsnap_selection **ret_selection) SELSNAP_MUST_CHECK;
/**
 * @brief Free a selection.
 *
 * @param[in] selection  Selection, or NULL.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API void selsnap_selection_close(selsnap_selection *selection);
/**
 * @brief What the last failed call on a selection was about: what, where, what to do.
 *
 * @param[in] selection  Selection.
 * @return A text, which the next call on the selection may change; empty if none failed, or @p selection is NULL.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API const char *selsnap_selection_error(const selsnap_selection *selection);

/**
 * @brief Add a range of bytes.
 *
 * @param[in] selection  Selection.
 * @param[in] offset     Bytes from the start of the device.
 * @param[in] len        Bytes; 0 adds nothing.
 *
 * @retval SELSNAP_EINVAL  @p selection is NULL.
 * @retval SELSNAP_ERANGE  The end of the range does not fit into 63 bits; nothing was added.
 * @retval SELSNAP_ENOMEM  No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_range(selsnap_selection *selection, uint64_t offset,
                                            uint64_t len) SELSNAP_MUST_CHECK;

/** @brief An entry of a partition table. */
typedef struct selsnap_partition {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t number;      /**< As the system counts them: 2 of sda2. */
    uint64_t offset;      /**< Bytes from the start of the device. */
    uint64_t len;         /**< Bytes. */
    char type[40];        /**< GPT: the type's GUID; MBR: as 0x83. */
    char name[112];       /**< GPT: its label, UTF-8; else empty. */
} selsnap_partition;
/** @brief Initializer for ::selsnap_partition. */
#define SELSNAP_PARTITION_INIT { sizeof(selsnap_partition), 0, 0, 0, {0}, {0} }

/**
 * @brief The next entry of a partition table: GPT, MBR with logical partitions, and what else libblkid knows.
 *
 * @param[in]     selection      Keeps the error's text; its ranges stay as they are.
 * @param[in]     path           Device or image.
 * @param[in]     after_number   0 for the first, then the number of the last.
 * @param[in,out] ret_partition  Filled. Its struct_size must be set.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL, or struct_size is too small.
 * @retval SELSNAP_ENOENT   There is no more.
 * @retval SELSNAP_ENOTSUP  There is no partition table that is known.
 * @retval SELSNAP_EDAMAGED The partition reaches behind the end of the device.
 * @retval SELSNAP_EIO      The device cannot be opened or read.
 * @retval SELSNAP_ENOMEM   No memory.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_partition_next(selsnap_selection *selection, const char *path, uint32_t after_number,
                                       selsnap_partition *ret_partition) SELSNAP_MUST_CHECK;
/**
 * @brief Add a partition.
 *
 * @param[in] selection  Selection.
 * @param[in] path       Device or image that has the partition table.
 * @param[in] number     As the system counts them: 2 of sda2.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL.
 * @retval SELSNAP_ENOENT   There is no such partition; nothing was added.
 * @retval SELSNAP_ENOTSUP  There is no partition table that is known; nothing was added.
 * @retval SELSNAP_EDAMAGED The partition reaches behind the end of the device; nothing was added.
 * @retval SELSNAP_EIO      The device cannot be opened or read; nothing was added.
 * @retval SELSNAP_ENOMEM   No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_partition(selsnap_selection *selection, const char *path,
                                                uint32_t number) SELSNAP_MUST_CHECK;

/** For selsnap_select_fs.flags: take a file system whose journal holds changes as its maps are, though these may lag. */
#define SELSNAP_SELECT_UNSETTLED 0x1u

/** @brief Where a file system lies. */
typedef struct selsnap_select_fs {
    uint32_t struct_size; /**< Set by the caller. */
    uint32_t partition;   /**< Number of the partition that it is on; 0: by @p offset. */
    const char *path;     /**< Device or image. */
    uint64_t offset;      /**< Bytes from the start of the device to its beginning. */
    uint32_t flags;       /**< SELSNAP_SELECT_*. */
    uint32_t reserved;    /**< 0. */
} selsnap_select_fs;
/** @brief Initializer for ::selsnap_select_fs. */
#define SELSNAP_SELECT_FS_INIT { sizeof(selsnap_select_fs), 0, NULL, 0, 0, 0 }

/**
 * @brief Add the content of a file, or of all files below a directory, of an ext2, ext3 or ext4 file system.
 *
 * Only where the content lies: data blocks of regular files, those allocated but not yet written included. Inodes,
 * directories, symbolic links and maps are not in it (see selsnap_selection_add_metadata()); content kept inside an inode has
 * no block of its own.
 *
 * @param[in] selection  Selection.
 * @param[in] fs         Where the file system lies.
 * @param[in] name       Absolute path within it; symbolic links are followed.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL, @p name is not absolute, or the struct_size of @p fs is too small.
 * @retval SELSNAP_ENOENT   There is no such file, or no such partition; nothing was added.
 * @retval SELSNAP_ENOTSUP  It is no ext2, ext3 or ext4 file system, or has features not known; nothing was added.
 * @retval SELSNAP_EBUSY    The journal holds changes that the maps may lack (see ::SELSNAP_SELECT_UNSETTLED): the file system is
 *                          mounted, or was not unmounted; nothing was added.
 * @retval SELSNAP_EDAMAGED The file system is damaged there; nothing was added.
 * @retval SELSNAP_EIO      The device cannot be opened or read; nothing was added.
 * @retval SELSNAP_ENOMEM   No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_file(selsnap_selection *selection, const selsnap_select_fs *fs,
                                           const char *name) SELSNAP_MUST_CHECK;
/**
 * @brief Add all that an ext2, ext3 or ext4 file system keeps but the content of files: superblocks, maps, inodes,
 * directories, symbolic links, the journal, extended attributes.
 *
 * @param[in] selection  Selection.
 * @param[in] fs         Where the file system lies.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL, or the struct_size of @p fs is too small.
 * @retval SELSNAP_ENOENT   There is no such partition; nothing was added.
 * @retval SELSNAP_ENOTSUP  It is no ext2, ext3 or ext4 file system, or has features not known; nothing was added.
 * @retval SELSNAP_EBUSY    The journal holds changes that the maps may lack (see ::SELSNAP_SELECT_UNSETTLED): the file system is
 *                          mounted, or was not unmounted; nothing was added.
 * @retval SELSNAP_EDAMAGED The file system is damaged; nothing was added.
 * @retval SELSNAP_EIO      The device cannot be opened or read; nothing was added.
 * @retval SELSNAP_ENOMEM   No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_metadata(selsnap_selection *selection,
                                               const selsnap_select_fs *fs) SELSNAP_MUST_CHECK;
/**
 * @brief Add all blocks that an ext2, ext3 or ext4 file system has in use: everything but its free space.
 *
 * @param[in] selection  Selection.
 * @param[in] fs         Where the file system lies.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL, or the struct_size of @p fs is too small.
 * @retval SELSNAP_ENOENT   There is no such partition; nothing was added.
 * @retval SELSNAP_ENOTSUP  It is no ext2, ext3 or ext4 file system, or has features not known; nothing was added.
 * @retval SELSNAP_EBUSY    The journal holds changes that the maps may lack (see ::SELSNAP_SELECT_UNSETTLED): the file system is
 *                          mounted, or was not unmounted; nothing was added.
 * @retval SELSNAP_EDAMAGED The file system is damaged; nothing was added.
 * @retval SELSNAP_EIO      The device cannot be opened or read; nothing was added.
 * @retval SELSNAP_ENOMEM   No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_in_use(selsnap_selection *selection,
                                             const selsnap_select_fs *fs) SELSNAP_MUST_CHECK;
/**
 * @brief Add the content of a file of a mounted file system, by its extents (FIEMAP). Linux; ext2, ext3, ext4 and XFS.
 *
 * The file is synced first. The file system must lie on the device itself, on one of its partitions, or on a loop device
 * over it.
 *
 * @param[in] selection  Selection.
 * @param[in] path       The device or image that the file's blocks are on: the origin.
 * @param[in] file       Path of the file, as this process sees it.
 *
 * @retval SELSNAP_EINVAL   A pointer is NULL, @p file is not a regular file, or it lies on another device; nothing was added.
 * @retval SELSNAP_ENOENT   There is no such file; nothing was added.
 * @retval SELSNAP_ENOTSUP  The system or the file system does not tell where a file lies; nothing was added.
 * @retval SELSNAP_EIO      File or device cannot be opened or asked; nothing was added.
 * @retval SELSNAP_ENOMEM   No memory; nothing was added.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written to the device by the library; the file's own content is synced.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_mounted_file(selsnap_selection *selection, const char *path,
                                                   const char *file) SELSNAP_MUST_CHECK;

/**
 * @brief The first range that ends above an offset, cut to begin at it.
 *
 * @param[in]  selection  Selection.
 * @param[in]  offset     Bytes from the start of the device.
 * @param[out] ret_range  Filled.
 *
 * @retval SELSNAP_EINVAL  A pointer is NULL.
 * @retval SELSNAP_ENOENT  There is no more.
 *
 * @threading   One thread at a time for a selection.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_next(selsnap_selection *selection, uint64_t offset,
                                       selsnap_range *ret_range) SELSNAP_MUST_CHECK;
/**
 * @brief Add a selection to a subset: each block that has a byte of it.
 *
 * @param[in] selection  Selection.
 * @param[in] subset     Subset of the same device.
 *
 * @retval SELSNAP_EINVAL  A pointer is NULL.
 * @retval SELSNAP_ERANGE  The selection reaches behind the subset's device; the subset may have some of it.
 * @retval SELSNAP_ENOMEM  No memory; the subset may have some of it.
 *
 * @threading   One thread at a time for a selection, and for a subset.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_add_to(selsnap_selection *selection, selsnap_subset *subset) SELSNAP_MUST_CHECK;
/**
 * @brief Take a selection out of a subset: each block that lies in it with all its bytes.
 *
 * Ranges that touch count as one, so that a block of the store that is made of several of a file's goes.
 *
 * @param[in] selection  Selection.
 * @param[in] subset     Subset of the same device.
 *
 * @retval SELSNAP_EINVAL  A pointer is NULL.
 * @retval SELSNAP_ERANGE  The selection reaches behind the subset's device; some of it may be taken out.
 * @retval SELSNAP_ENOMEM  No memory; some of it may be taken out.
 *
 * @threading   One thread at a time for a selection, and for a subset.
 * @durability  Nothing is written.
 * @since 0.1
 */
SELSNAP_API int selsnap_selection_take_from(selsnap_selection *selection, selsnap_subset *subset) SELSNAP_MUST_CHECK;
/** @} */

#ifdef __cplusplus
}
#endif
#endif
