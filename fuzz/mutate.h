/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator for inputs that are sequences of operations: it deletes, doubles,
 * swaps and inserts whole ones, splices two inputs between operations, and
 * changes single fields to numbers that matter. Half of the time it leaves the
 * input to libFuzzer, which knows bytes, and the dictionary.
 */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include "fuzz/input.h"

/* Takes the next operation, and does nothing with it. */
typedef void (*fuzz_skip)(struct fuzz_input *input);

size_t fuzz_mutate(fuzz_skip skip, uint8_t *data, size_t size, size_t max,
                   unsigned seed);
size_t fuzz_cross(fuzz_skip skip, const uint8_t *one, size_t one_size,
                  const uint8_t *two, size_t two_size, uint8_t *out, size_t max,
                  unsigned seed);

/* Makes it the target's mutator. */
#define FUZZ_MUTATOR(skip)                                                     \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,     \
                                   unsigned seed);                             \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,     \
                                   unsigned seed)                              \
    {                                                                          \
        return fuzz_mutate(skip, data, size, max, seed);                       \
    }                                                                          \
    size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size,      \
                                     const uint8_t *two, size_t two_size,      \
                                     uint8_t *out, size_t max, unsigned seed); \
    size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size,      \
                                     const uint8_t *two, size_t two_size,      \
                                     uint8_t *out, size_t max, unsigned seed)  \
    {                                                                          \
        return fuzz_cross(skip, one, one_size, two, two_size, out, max, seed); \
    }

#endif
