/* SPDX-License-Identifier: Apache-2.0 */
/* ext2, ext3 and ext4 file systems, as libext2fs reads them: where files lie, and what is in use. */
#include "selection.h"

#include <errno.h>
#include <et/com_err.h>
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    struct selsnap_selection *selection;
    const char *path;
    uint64_t offset; /* bytes to the file system's beginning */
    ext2_filsys fs;
    ext2fs_block_bitmap data; /* NULL, or where the blocks of content are noted instead of collected */
    int rc;
};

/* ---- errors ---- */

static int map_error(errcode_t error) {
    switch (error) {
    case 0:
        return SELSNAP_OK;
    case ENOMEM:
    case EXT2_ET_NO_MEMORY:
        return SELSNAP_ENOMEM;
    case EXT2_ET_BAD_MAGIC:
    case EXT2_ET_UNSUPP_FEATURE:
    case EXT2_ET_RO_UNSUPP_FEATURE:
    case EXT2_ET_REV_TOO_HIGH:
        return SELSNAP_ENOTSUP;
    case EXT2_ET_FILE_NOT_FOUND:
    case EXT2_ET_NO_DIRECTORY:
    case EXT2_ET_SYMLINK_LOOP:
        return SELSNAP_ENOENT;
    case EXT2_ET_SHORT_READ:
        return SELSNAP_EIO;
    default:
        return error < EXT2_ET_BASE ? SELSNAP_EIO : SELSNAP_EDAMAGED;
    }
}

static pthread_once_t texts_once = PTHREAD_ONCE_INIT;

static void load_texts(void) {
    (void)add_error_table(&et_ext2_error_table);
}

/* what: of the file system, such as "inode 12". */
static int fail_on(struct walk *walk, errcode_t error, const char *what) {
    if (error == 0) {
        return SELSNAP_OK;
    }
    (void)pthread_once(&texts_once, load_texts);
    return ssn_select_fail(walk->selection, map_error(error), "%s, file system at %" PRIu64 ": %s: %s", walk->path,
                           walk->offset, what, error_message(error));
}

static int fail_on_inode(struct walk *walk, errcode_t error, ext2_ino_t inode) {
    char what[32];
    (void)snprintf(what, sizeof what, "inode %u", (unsigned)inode);
    return fail_on(walk, error, what);
}

/* ---- opening ---- */

static int open_fs(struct walk *walk, struct selsnap_selection *selection, const selsnap_select_fs *fs) {
    char options[64];
    selsnap_range range = {fs->offset, 0};
    memset(walk, 0, sizeof *walk);
    walk->selection = selection;
    walk->path = fs->path;
    if (fs->partition != 0) {
        int rc = ssn_select_partition(selection, fs->path, fs->partition, &range);
        if (rc != SELSNAP_OK) {
            return rc;
        }
    }
    walk->offset = range.offset;
    (void)snprintf(options, sizeof options, "offset=%" PRIu64, range.offset);
    /* Somebody may have it mounted: nothing is written, and whose turn it is to write does not matter. */
    const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES | EXT2_FLAG_SKIP_MMP;
    int rc = fail_on(walk, ext2fs_open2(fs->path, options, flags, 0, 0, unix_io_manager, &walk->fs), "it cannot be opened");
    if (rc == SELSNAP_OK && ext2fs_blocks_count(walk->fs->super) > (uint64_t)INT64_MAX / walk->fs->blocksize) {
        rc = ssn_select_fail(selection, SELSNAP_EDAMAGED, "%s: the file system's size cannot be", fs->path);
    }
    if (rc == SELSNAP_OK && (fs->flags & SELSNAP_SELECT_UNSETTLED) == 0 &&
        ext2fs_has_feature_journal_needs_recovery(walk->fs->super)) {
        rc = ssn_select_fail(selection, SELSNAP_EBUSY,
                             "%s: the file system's journal holds changes that its maps may lack: freeze it (fsfreeze "
                             "--freeze) or unmount it, or take it as it is",
                             fs->path);
    }
    return rc;
}

static void close_fs(struct walk *walk) {
    if (walk->data != NULL) {
        ext2fs_free_block_bitmap(walk->data);
    }
    if (walk->fs != NULL) {
        (void)ext2fs_free(walk->fs);
    }
}

/* ---- content of files ---- */

static int note_blocks(struct walk *walk, ext2_ino_t inode, blk64_t first, uint64_t count) {
    uint64_t blocks = ext2fs_blocks_count(walk->fs->super);
    if (first >= blocks || count > blocks - first) {
        return ssn_select_fail(walk->selection, SELSNAP_EDAMAGED,
                               "%s: inode %u names blocks behind the end of its file system", walk->path,
                               (unsigned)inode);
    }
    if (walk->data != NULL) {
        ext2fs_mark_block_bitmap_range2(walk->data, first, (blk_t)count);
        return SELSNAP_OK;
    }
    return ssn_select_collect(walk->selection, walk->offset + first * walk->fs->blocksize,
                              count * walk->fs->blocksize);
}

static int add_extents(struct walk *walk, ext2_ino_t number, struct ext2_inode *inode) {
    ext2_extent_handle_t handle;
    struct ext2fs_extent extent;
    int rc = fail_on_inode(walk, ext2fs_extent_open2(walk->fs, number, inode, &handle), number);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    errcode_t error = ext2fs_extent_get(handle, EXT2_EXTENT_ROOT, &extent);
    while (error == 0 && rc == SELSNAP_OK) {
        if ((extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) != 0) {
            rc = note_blocks(walk, number, extent.e_pblk, extent.e_len);
        }
        error = rc == SELSNAP_OK ? ext2fs_extent_get(handle, EXT2_EXTENT_NEXT, &extent) : error;
    }
    ext2fs_extent_free(handle);
    bool ended = error == EXT2_ET_EXTENT_NO_NEXT || error == EXT2_ET_NO_CURRENT_NODE;
    return rc == SELSNAP_OK && !ended ? fail_on_inode(walk, error, number) : rc;
}

struct mapped {
    struct walk *walk;
    ext2_ino_t inode;
};

static int see_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t logical, blk64_t parent, int slot, void *user) {
    struct mapped *mapped = user;
    (void)fs, (void)logical, (void)parent, (void)slot;
    mapped->walk->rc = note_blocks(mapped->walk, mapped->inode, *block, 1);
    return mapped->walk->rc == SELSNAP_OK ? 0 : BLOCK_ABORT;
}

static int add_mapped(struct walk *walk, ext2_ino_t number) {
    struct mapped mapped = {walk, number};
    walk->rc = SELSNAP_OK;
    errcode_t error = ext2fs_block_iterate3(walk->fs, number, BLOCK_FLAG_READ_ONLY | BLOCK_FLAG_DATA_ONLY, NULL,
                                            see_block, &mapped);
    return walk->rc == SELSNAP_OK ? fail_on_inode(walk, error, number) : walk->rc;
}

static int add_content(struct walk *walk, ext2_ino_t number, struct ext2_inode *inode) {
    if (!ext2fs_inode_has_valid_blocks2(walk->fs, inode)) {
        return SELSNAP_OK; /* within the inode */
    }
    return (inode->i_flags & EXT4_EXTENTS_FL) != 0 ? add_extents(walk, number, inode) : add_mapped(walk, number);
}

/* ---- directories ---- */

/* What is still to be looked at. */
struct pile {
    struct walk *walk;
    ext2fs_inode_bitmap seen; /* a file may have several names; a damaged directory may hold itself */
    ext2_ino_t *items;
    size_t count;
    size_t capacity;
};

static int pile_up(struct pile *pile, ext2_ino_t inode) {
    if (inode == 0 || inode > pile->walk->fs->super->s_inodes_count) {
        return ssn_select_fail(pile->walk->selection, SELSNAP_EDAMAGED, "%s: a directory names inode %u, which cannot be",
                               pile->walk->path, (unsigned)inode);
    }
    if (ext2fs_test_inode_bitmap2(pile->seen, inode) != 0) {
        return SELSNAP_OK;
    }
    if (pile->count == pile->capacity) {
        size_t capacity = pile->capacity == 0 ? 64 : pile->capacity * 2;
        ext2_ino_t *items = realloc(pile->items, capacity * sizeof *items);
        if (items == NULL) {
            return ssn_select_fail(pile->walk->selection, SELSNAP_ENOMEM, "no memory for %zu names", capacity);
        }
        pile->items = items;
        pile->capacity = capacity;
    }
    ext2fs_mark_inode_bitmap2(pile->seen, inode);
    pile->items[pile->count++] = inode;
    return SELSNAP_OK;
}

static int see_entry(ext2_ino_t dir, int kind, struct ext2_dir_entry *entry, int offset, int block_size, char *buf,
                     void *user) {
    struct pile *pile = user;
    (void)dir, (void)offset, (void)block_size, (void)buf;
    if (kind == DIRENT_DOT_FILE || kind == DIRENT_DOT_DOT_FILE) {
        return 0;
    }
    pile->walk->rc = pile_up(pile, entry->inode);
    return pile->walk->rc == SELSNAP_OK ? 0 : DIRENT_ABORT;
}

static int add_piled(struct pile *pile, ext2_ino_t number) {
    struct walk *walk = pile->walk;
    struct ext2_inode inode;
    int rc = fail_on_inode(walk, ext2fs_read_inode(walk->fs, number, &inode), number);
    if (rc != SELSNAP_OK) {
        return rc;
    }
    if (LINUX_S_ISDIR(inode.i_mode)) {
        walk->rc = SELSNAP_OK;
        errcode_t error = ext2fs_dir_iterate2(walk->fs, number, 0, NULL, see_entry, pile);
        return walk->rc == SELSNAP_OK ? fail_on_inode(walk, error, number) : walk->rc;
    }
    return LINUX_S_ISREG(inode.i_mode) ? add_content(walk, number, &inode) : SELSNAP_OK;
}

static int add_below(struct walk *walk, ext2_ino_t number) {
    struct pile pile = {.walk = walk};
    int rc = fail_on(walk, ext2fs_allocate_inode_bitmap(walk->fs, "seen", &pile.seen), "no memory for a map of inodes");
    if (rc != SELSNAP_OK) {
        return rc;
    }
    rc = pile_up(&pile, number);
    while (rc == SELSNAP_OK && pile.count > 0) {
        rc = add_piled(&pile, pile.items[--pile.count]);
    }
    free(pile.items);
    ext2fs_free_inode_bitmap(pile.seen);
    return rc;
}

/* ---- what is in use ---- */

/* What is before the first block of the file system has its superblock in it, where blocks have 1024 bytes. */
static int add_start(struct walk *walk) {
    return ssn_select_collect(walk->selection, walk->offset,
                              (uint64_t)walk->fs->super->s_first_data_block * walk->fs->blocksize);
}

/* Collects [first, end), without what is noted as content. */
static int add_used(struct walk *walk, blk64_t first, blk64_t end) {
    const uint64_t size = walk->fs->blocksize;
    int rc = SELSNAP_OK;
    while (rc == SELSNAP_OK && first < end) {
        blk64_t from = first;
        blk64_t to = end;
        if (walk->data != NULL && ext2fs_find_first_zero_block_bitmap2(walk->data, first, end - 1, &from) != 0) {
            break;
        }
        if (walk->data != NULL && ext2fs_find_first_set_block_bitmap2(walk->data, from, end - 1, &to) != 0) {
            to = end;
        }
        /* In bitmaps of clusters a place may be told that lies before what was asked for. */
        from = from < first ? first : from;
        to = to <= from ? from + 1 : to;
        rc = ssn_select_collect(walk->selection, walk->offset + from * size, (to - from) * size);
        first = to;
    }
    return rc;
}

static int add_in_use(struct walk *walk) {
    ext2_filsys fs = walk->fs;
    const blk64_t last = ext2fs_blocks_count(fs->super) - 1;
    int rc = fail_on(walk, ext2fs_read_block_bitmap(fs), "the map of blocks");
    rc = rc == SELSNAP_OK ? add_start(walk) : rc;
    for (blk64_t block = fs->super->s_first_data_block; rc == SELSNAP_OK && block <= last;) {
        blk64_t first;
        blk64_t end;
        if (ext2fs_find_first_set_block_bitmap2(fs->block_map, block, last, &first) != 0) {
            break;
        }
        first = first < block ? block : first;
        if (ext2fs_find_first_zero_block_bitmap2(fs->block_map, first, last, &end) != 0) {
            end = last + 1;
        }
        end = end <= first ? first + 1 : end;
        rc = add_used(walk, first, end);
        block = end;
    }
    return rc;
}

/* Files below the first ordinary inode are the file system's own: its journal is one. */
static int note_all_content(struct walk *walk) {
    ext2_inode_scan scan;
    ext2_ino_t number = 0;
    struct ext2_inode inode;
    int rc = fail_on(walk, ext2fs_allocate_block_bitmap(walk->fs, "content", &walk->data), "no memory for a map of blocks");
    rc = rc == SELSNAP_OK ? fail_on(walk, ext2fs_read_inode_bitmap(walk->fs), "the map of inodes") : rc;
    rc = rc == SELSNAP_OK ? fail_on(walk, ext2fs_open_inode_scan(walk->fs, 0, &scan), "the inodes") : rc;
    if (rc != SELSNAP_OK) {
        return rc;
    }
    for (;;) {
        rc = fail_on(walk, ext2fs_get_next_inode(scan, &number, &inode), "the inodes");
        if (rc != SELSNAP_OK || number == 0) {
            break;
        }
        bool used = ext2fs_test_inode_bitmap2(walk->fs->inode_map, number) != 0;
        if (used && number >= EXT2_FIRST_INODE(walk->fs->super) && LINUX_S_ISREG(inode.i_mode)) {
            rc = add_content(walk, number, &inode);
        }
        if (rc != SELSNAP_OK) {
            break;
        }
    }
    ext2fs_close_inode_scan(scan);
    return rc;
}

/* ---- exported ---- */

static bool is_place(const selsnap_selection *selection, const selsnap_select_fs *fs) {
    return selection != NULL && fs != NULL && fs->struct_size >= sizeof *fs && fs->path != NULL;
}

int selsnap_selection_add_file(selsnap_selection *selection, const selsnap_select_fs *fs, const char *name) {
    struct walk walk;
    ext2_ino_t inode = 0;
    if (!is_place(selection, fs) || name == NULL) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    if (name[0] != '/') {
        return ssn_select_fail(selection, SELSNAP_EINVAL, "\"%s\" is not an absolute path within the file system", name);
    }
    int rc = open_fs(&walk, selection, fs);
    rc = rc == SELSNAP_OK
             ? fail_on(&walk, ext2fs_namei_follow(walk.fs, EXT2_ROOT_INO, EXT2_ROOT_INO, name, &inode), name)
             : rc;
    rc = rc == SELSNAP_OK ? add_below(&walk, inode) : rc;
    close_fs(&walk);
    return ssn_select_end(selection, rc);
}

int selsnap_selection_add_metadata(selsnap_selection *selection, const selsnap_select_fs *fs) {
    struct walk walk;
    if (!is_place(selection, fs)) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    int rc = open_fs(&walk, selection, fs);
    rc = rc == SELSNAP_OK ? note_all_content(&walk) : rc;
    rc = rc == SELSNAP_OK ? add_in_use(&walk) : rc;
    close_fs(&walk);
    return ssn_select_end(selection, rc);
}

int selsnap_selection_add_in_use(selsnap_selection *selection, const selsnap_select_fs *fs) {
    struct walk walk;
    if (!is_place(selection, fs)) {
        return SELSNAP_EINVAL;
    }
    ssn_select_begin(selection);
    int rc = open_fs(&walk, selection, fs);
    rc = rc == SELSNAP_OK ? add_in_use(&walk) : rc;
    close_fs(&walk);
    return ssn_select_end(selection, rc);
}
