/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target's input: see input.h. */
#include "fuzz/input.h"

#include "fuzz/harness.h"
#include "lib/compiler.h"

/* A number's first byte: below these, it is the number; 2^n - 1, 2^n or
 * 2^n + 1; a small negative one; or so many bytes follow. */
#define NUMBER_POWER    0xa0
#define NUMBER_NEGATIVE 0xe0
#define NUMBER_BYTES    0xe8

static struct fuzz_log *taken;

void fuzz_set_log(struct fuzz_log *log)
{
    taken = log;
}

static void note(const uint8_t *start, const uint8_t *end, bool is_number)
{
    if (taken->count == FUZZ_FIELDS || start == end)
        return;
    taken->fields[taken->count++] = (struct fuzz_field){
        (uint32_t)(start - taken->base), (uint32_t)(end - start), is_number};
}

unsigned fuzz_sum(const uint8_t *data, size_t size)
{
    unsigned sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += data[i];
    return sum;
}

bool fuzz_is_one_in(unsigned inputs, const uint8_t *data, size_t size)
{
    return fuzz_is_thorough || fuzz_sum(data, size) % inputs == 0;
}

static inline uint64_t take(struct fuzz_input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->at < input->end; i++)
        value |= (uint64_t)*input->at++ << (8 * i);
    return value;
}

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes)
{
    const uint8_t *start = input->at;
    uint64_t value = take(input, bytes);

    if (unlikely(taken != NULL))
        note(start, input->at, false);
    return value;
}

static uint64_t take_number(struct fuzz_input *input)
{
    unsigned how = (unsigned)take(input, 1);

    if (how < NUMBER_POWER)
        return how;
    if (how < NUMBER_NEGATIVE)
        return (UINT64_C(1) << (how - NUMBER_POWER)) - 1 + take(input, 1) % 3;
    if (how < NUMBER_BYTES)
        return 0 - take(input, 1);
    return take(input, (how & 7) + 1);
}

uint64_t fuzz_number(struct fuzz_input *input)
{
    const uint8_t *start = input->at;
    uint64_t value = take_number(input);

    if (unlikely(taken != NULL))
        note(start, input->at, true);
    return value;
}

size_t fuzz_put_number(uint8_t *to, uint64_t value)
{
    unsigned bytes = 1;

    if (value < NUMBER_POWER) {
        to[0] = (uint8_t)value;
        return 1;
    }
    if (0 - value <= UINT8_MAX) {
        to[0] = NUMBER_NEGATIVE;
        to[1] = (uint8_t)(0 - value);
        return 2;
    }
    while (bytes < 8 && value >> 8 * bytes != 0)
        bytes++;
    to[0] = (uint8_t)(NUMBER_BYTES + bytes - 1);
    for (unsigned i = 0; i < bytes; i++)
        to[1 + i] = (uint8_t)(value >> 8 * i);
    return 1 + bytes;
}
