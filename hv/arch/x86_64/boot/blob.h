/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are appended to a buffer. When it is full, nothing is any more,
 * and the blob remembers that. */
#ifndef ARCH_X86_64_BOOT_BLOB_H
#define ARCH_X86_64_BOOT_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
    uint8_t *bytes;
    size_t size, used;
    bool is_full;
};

/* `count` zeros; returns where they begin. */
size_t blob_reserve(struct blob *blob, size_t count);
/* A little-endian number of `width` bytes, at the end, or at an offset where
 * there is something already. */
void blob_put(struct blob *blob, uint64_t value, unsigned width);
void blob_patch(struct blob *blob, size_t at, uint64_t value, unsigned width);
void blob_put_bytes(struct blob *blob, const void *bytes, size_t count);
/* Zeros up to a multiple of `align`, a power of two. */
void blob_align(struct blob *blob, size_t align);
/* Moves what begins at `at` by `count` bytes, and returns whether there was
 * room. The bytes in between are anything. */
bool blob_insert(struct blob *blob, size_t at, size_t count);

#endif
