/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations of sequences of operations: see mutate.h. */
#include "fuzz/mutate.h"

#include <string.h>

#include "lib/compiler.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define MAX_OPERATIONS 256
#define INSERTED       32 /* bytes that an inserted operation may take */

/* An input taken apart. Operation n is [starts[n], starts[n + 1]). */
struct parts {
    unsigned count;
    uint32_t starts[MAX_OPERATIONS + 1];
};

/* An input being changed. */
struct change {
    fuzz_skip skip;
    uint8_t *data;
    size_t size, max;
    uint32_t random;
    struct parts parts;
    struct fuzz_log log;
};

/* xorshift32: libFuzzer gives the seed, so that a run repeats. */
static uint32_t draw(struct change *change, uint32_t below)
{
    uint32_t x = change->random;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    change->random = x;
    return x % below;
}

static void split(fuzz_skip skip, const uint8_t *data, size_t size,
                  struct parts *parts)
{
    struct fuzz_input input = {data, data + size};

    parts->count = 0;
    parts->starts[0] = 0;
    while (!fuzz_is_empty(&input) && parts->count < MAX_OPERATIONS) {
        skip(&input);
        parts->starts[++parts->count] = (uint32_t)(input.at - data);
    }
}

static void split_change(struct change *change)
{
    change->log.base = change->data;
    change->log.count = 0;
    fuzz_set_log(&change->log);
    split(change->skip, change->data, change->size, &change->parts);
    fuzz_set_log(NULL);
}

/* Bytes [start, start + size) become those of `with`. False: no room. */
static bool replace(struct change *change, size_t start, size_t size,
                    const uint8_t *with, size_t with_size)
{
    size_t rest = change->size - start - size;

    if (change->size - size + with_size > change->max)
        return false;
    memmove(change->data + start + with_size, change->data + start + size,
            rest);
    if (with_size != 0)
        memcpy(change->data + start, with, with_size);
    change->size = start + with_size + rest;
    return true;
}

static size_t start_of(const struct change *change, unsigned operation)
{
    return change->parts.starts[operation];
}

static size_t size_of(const struct change *change, unsigned operation)
{
    return change->parts.starts[operation + 1] -
           change->parts.starts[operation];
}

/* A copy of operation `n` in `to`; 0: it is too long for it. */
#define COPIED 256
static size_t copy_operation(const struct change *change, unsigned n,
                             uint8_t to[COPIED])
{
    size_t size = size_of(change, n);

    if (size > COPIED)
        return 0;
    memcpy(to, change->data + start_of(change, n), size);
    return size;
}

static bool delete_some(struct change *change)
{
    unsigned first = draw(change, change->parts.count);
    unsigned most = change->parts.count - first;
    unsigned count = 1 + draw(change, most < 4 ? most : 4);

    if (count == change->parts.count)
        return false;
    return replace(change, start_of(change, first),
                   start_of(change, first + count) - start_of(change, first),
                   NULL, 0);
}

/* A copy of one operation before another. */
static bool duplicate(struct change *change)
{
    uint8_t copy[COPIED];
    size_t size =
        copy_operation(change, draw(change, change->parts.count), copy);

    return size != 0 &&
           replace(change,
                   start_of(change, draw(change, change->parts.count + 1)), 0,
                   copy, size);
}

static bool swap_two(struct change *change)
{
    unsigned a = draw(change, change->parts.count);
    unsigned b = draw(change, change->parts.count);
    uint8_t first[COPIED], second[COPIED];
    size_t first_size, second_size;

    if (a == b)
        return false;
    if (a > b) {
        unsigned c = a;

        a = b;
        b = c;
    }
    first_size = copy_operation(change, a, first);
    second_size = copy_operation(change, b, second);
    if (first_size == 0 || second_size == 0)
        return false;
    /* The later one first: the earlier stays where it is. */
    return replace(change, start_of(change, b), second_size, first,
                   first_size) &&
           replace(change, start_of(change, a), first_size, second,
                   second_size);
}

/* A new operation, of random bytes, as many as it takes. */
static bool insert(struct change *change)
{
    uint8_t bytes[INSERTED];
    struct fuzz_input input = {bytes, bytes + sizeof(bytes)};
    size_t at = start_of(change, draw(change, change->parts.count + 1));

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)draw(change, 256);
    change->skip(&input);
    return replace(change, at, 0, bytes, (size_t)(input.at - bytes));
}

static const struct fuzz_field *draw_field(struct change *change)
{
    return &change->log.fields[draw(change, change->log.count)];
}

static uint64_t value_of(const struct change *change,
                         const struct fuzz_field *field)
{
    struct fuzz_input input = {change->data + field->start,
                               change->data + field->start + field->size};

    return fuzz_number(&input);
}

/* A number that matters: near what is there, near a power of two, a page's, or
 * any. */
static uint64_t draw_number(struct change *change, uint64_t now)
{
    switch (draw(change, 6)) {
    case 0: return now + 1;
    case 1: return now - 1;
    case 2: return now ^ (UINT64_C(1) << draw(change, 64));
    case 3: return (UINT64_C(1) << draw(change, 64)) - draw(change, 2);
    case 4: return now << draw(change, 13);
    default: return draw(change, 160);
    }
}

static bool tweak(struct change *change)
{
    const struct fuzz_field *field;
    uint8_t bytes[FUZZ_NUMBER_SIZE];

    if (change->log.count == 0)
        return false;
    field = draw_field(change);
    if (field->is_number) {
        uint64_t value = draw_number(change, value_of(change, field));

        return replace(change, field->start, field->size, bytes,
                       fuzz_put_number(bytes, value));
    }
    change->data[field->start + draw(change, field->size)] =
        (uint8_t)draw(change, 256);
    return true;
}

/* One field gets what another of its sort has. */
static bool copy_field(struct change *change)
{
    const struct fuzz_field *from, *to;
    uint8_t bytes[FUZZ_NUMBER_SIZE];

    if (change->log.count == 0)
        return false;
    from = draw_field(change);
    to = draw_field(change);
    if (from->is_number != to->is_number || from->size > sizeof(bytes) ||
        (!from->is_number && from->size != to->size))
        return false;
    memcpy(bytes, change->data + from->start, from->size);
    return replace(change, to->start, to->size, bytes, from->size);
}

/* libFuzzer's own mutations, of one operation only. */
static bool mutate_one(struct change *change)
{
    unsigned n = draw(change, change->parts.count);
    uint8_t bytes[COPIED];
    size_t size = copy_operation(change, n, bytes);
    size_t mutated;

    if (size == 0)
        return false;
    mutated = LLVMFuzzerMutate(bytes, size, sizeof(bytes));
    return replace(change, start_of(change, n), size, bytes, mutated);
}

size_t fuzz_mutate(fuzz_skip skip, uint8_t *data, size_t size, size_t max,
                   unsigned seed)
{
    static bool (*const mutations[])(struct change * change) = {
        delete_some, duplicate,  swap_two, insert,
        tweak,       copy_field, tweak,    mutate_one,
    };
    static struct change change;

    change.skip = skip;
    change.data = data;
    change.size = size;
    change.max = max;
    change.random = seed | 1;
    (void)draw(&change, 2);
    if (size == 0 || size > max || draw(&change, 2) == 0)
        return LLVMFuzzerMutate(data, size, max);
    split_change(&change);
    if (!mutations[draw(&change, ARRAY_SIZE(mutations))](&change) ||
        change.size == 0)
        return LLVMFuzzerMutate(data, change.size, max);
    return change.size;
}

/* Appends operations [first, end) of an input as far as they fit. */
static size_t append(uint8_t *out, size_t size, size_t max, const uint8_t *data,
                     const struct parts *parts, unsigned first, unsigned end)
{
    for (unsigned n = first; n < end; n++) {
        size_t length = parts->starts[n + 1] - parts->starts[n];

        if (size + length > max)
            break;
        memcpy(out + size, data + parts->starts[n], length);
        size += length;
    }
    return size;
}

/* The start of one input, a piece of the other, the rest of the first. */
size_t fuzz_cross(fuzz_skip skip, const uint8_t *one, size_t one_size,
                  const uint8_t *two, size_t two_size, uint8_t *out, size_t max,
                  unsigned seed)
{
    static struct parts first, second;
    static struct change dice;
    unsigned cut, start, end;
    size_t size;

    dice.random = seed | 1;
    (void)draw(&dice, 2);
    split(skip, one, one_size, &first);
    split(skip, two, two_size, &second);
    cut = draw(&dice, first.count + 1);
    start = draw(&dice, second.count + 1);
    end = start + draw(&dice, second.count - start + 1);
    size = append(out, 0, max, one, &first, 0, cut);
    size = append(out, size, max, two, &second, start, end);
    return append(out, size, max, one, &first, cut, first.count);
}
