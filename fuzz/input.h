/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target's input: bytes taken one after the other, as numbers. Most
 * targets make a sequence of operations of it; the mutator (mutate.h) knows
 * where each begins, and where its fields are, by watching them being taken.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The input; what is behind its end reads as 0. */
struct fuzz_input {
    const uint8_t *at, *end;
};

static inline bool fuzz_is_empty(const struct fuzz_input *input)
{
    return input->at == input->end;
}

/* The next `bytes` (8 at most) as a little-endian number. */
uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes);

/* One of `count`, by one byte. */
static inline unsigned fuzz_pick(struct fuzz_input *input, unsigned count)
{
    return (unsigned)fuzz_take(input, 1) % count;
}

/* A number that any change of the input is likely to change. */
unsigned fuzz_sum(const uint8_t *data, size_t size);

/*
 * Whether this input, as a whole, is one of the few in which something is done
 * that takes long: one in `inputs`, by its sum, so that it is the same each
 * time it is run. If the target is thorough, all are.
 */
bool fuzz_is_one_in(unsigned inputs, const uint8_t *data, size_t size);

/* A number that is small, near a power of two, or anything: one to nine bytes
 * of the input. */
uint64_t fuzz_number(struct fuzz_input *input);

/* Writes `value` as fuzz_number() reads it; returns how many bytes that are,
 * FUZZ_NUMBER_SIZE at most. */
#define FUZZ_NUMBER_SIZE 9
size_t fuzz_put_number(uint8_t *to, uint64_t value);

/* What was taken: a run of bytes, which fuzz_number() reads or not. */
struct fuzz_field {
    uint32_t start, size;
    bool is_number;
};

#define FUZZ_FIELDS 1024

struct fuzz_log {
    const uint8_t *base;
    unsigned count; /* of fields; those beyond FUZZ_FIELDS are not kept */
    struct fuzz_field fields[FUZZ_FIELDS];
};

/* Where takes are noted from now on; NULL: nowhere. */
void fuzz_set_log(struct fuzz_log *log);

#endif
