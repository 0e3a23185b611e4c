/* SPDX-License-Identifier: Apache-2.0 */
/* A buffer that bytes are appended to. */
#include "arch/x86_64/boot/blob.h"

#include "arch/x86_64/boot/bytes.h"
#include "lib/bits.h"
#include "lib/string.h"

static bool has_room(struct blob *blob, size_t count)
{
    if (count > blob->size - blob->used)
        blob->is_full = true;
    return !blob->is_full;
}

/* `count` bytes of any value; returns where they begin. */
static size_t grow(struct blob *blob, size_t count)
{
    size_t at = blob->used;

    if (has_room(blob, count))
        blob->used += count;
    return at;
}

size_t blob_reserve(struct blob *blob, size_t count)
{
    size_t at = grow(blob, count);

    if (!blob->is_full)
        memset(blob->bytes + at, 0, count);
    return at;
}

void blob_patch(struct blob *blob, size_t at, uint64_t value, unsigned width)
{
    if (!blob->is_full)
        put_le(blob->bytes + at, value, width);
}

void blob_put(struct blob *blob, uint64_t value, unsigned width)
{
    blob_patch(blob, grow(blob, width), value, width);
}

void blob_put_bytes(struct blob *blob, const void *bytes, size_t count)
{
    size_t at = grow(blob, count);

    if (!blob->is_full)
        memcpy(blob->bytes + at, bytes, count);
}

void blob_align(struct blob *blob, size_t align)
{
    (void)blob_reserve(blob, align_up(blob->used, align) - blob->used);
}

bool blob_insert(struct blob *blob, size_t at, size_t count)
{
    size_t size = blob->used - at;

    (void)grow(blob, count);
    if (!blob->is_full)
        memmove(blob->bytes + at + count, blob->bytes + at, size);
    return !blob->is_full;
}
