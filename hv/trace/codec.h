/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model that encoder and decoder of a trace share. A trace is a sequence
 * of 64-bit values; each is predicted from the values that came before it in
 * the same situation, and only what the prediction missed is stored. Both
 * sides learn the same from every value, so the decoder always predicts what
 * the encoder did. docs/trace-format.md describes the stream bit by bit;
 * whatever is changed here changes the format.
 *
 * A situation is a key, a hash: a strong one, of everything that led here (the
 * guest's pc and exit reason, the seam crossings of the step so far), and a
 * weak one, of little more than which value of which function it is. The weak
 * one steps in where the strong one is new, or has been missing by more.
 */
#ifndef TRACE_CODEC_H
#define TRACE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/string.h"

/* The slots of the model: a power of two. */
#define CODEC_SLOT_BITS 14
#define CODEC_SLOTS     (1u << CODEC_SLOT_BITS)

/* What is known of one situation. */
struct codec_slot {
    uint64_t value;  /* the last one */
    uint64_t stride; /* what the next one is expected to add to it */
    uint64_t step;   /* what the last one added */
    uint32_t tag;    /* the situation that owns the slot */
    int32_t trust;   /* of a strong key: below 0, the weak one is asked */
};

#define CODEC_MOST_TRUST  1
#define CODEC_LEAST_TRUST (-2)

struct codec {
    struct codec_slot slots[CODEC_SLOTS];
};

/* Everything before the first value: no slot is owned. */
static inline void codec_init(struct codec *codec)
{
    memset(codec, 0, sizeof(*codec));
}

/* Odd multipliers with well mixed bits (from the golden ratio; from the
 * finaliser of SplitMix64). */
#define CODEC_MIX_A UINT64_C(0x9e3779b97f4a7c15)
#define CODEC_MIX_B UINT64_C(0xbf58476d1ce4e5b9)

/* `key` with `value` added to what led to it. */
static inline uint64_t codec_mix(uint64_t key, uint64_t value)
{
    key = (key ^ value) * CODEC_MIX_A;
    return key ^ key >> 32;
}

static inline struct codec_slot *codec_slot(struct codec *codec, uint64_t key,
                                            uint32_t *tag)
{
    uint64_t hash = key * CODEC_MIX_B;

    /* Never 0, the tag of a slot that nobody owns. */
    *tag = (uint32_t)(hash >> 8) | 1;
    return &codec->slots[hash >> (64 - CODEC_SLOT_BITS)];
}

static inline bool codec_owns(const struct codec_slot *slot, uint32_t tag)
{
    return slot->tag == tag;
}

/* The last value of a situation, by its strong key; 0 when it is new. */
static inline uint64_t codec_last(struct codec *codec, uint64_t strong)
{
    uint32_t tag;
    const struct codec_slot *slot = codec_slot(codec, strong, &tag);

    return codec_owns(slot, tag) ? slot->value : 0;
}

/*
 * A weak key, in two parts: it is put together only where it is needed. `name`
 * says which value it is; `with` what little else counts.
 */
struct codec_weak {
    uint64_t name, with;
};

static inline uint64_t codec_key(struct codec_weak weak)
{
    return codec_mix(weak.name * CODEC_MIX_A, weak.with);
}

/* A prediction, and where it came from. */
struct codec_guess {
    uint64_t value;
    struct codec_slot *strong;
    uint32_t tag;   /* of the strong key */
    bool is_strong; /* the strong key's slot has made it */
};

static inline struct codec_guess
codec_guess(struct codec *codec, uint64_t strong, struct codec_weak weak)
{
    struct codec_guess guess;

    guess.strong = codec_slot(codec, strong, &guess.tag);
    guess.is_strong =
        likely(codec_owns(guess.strong, guess.tag) && guess.strong->trust >= 0);
    if (likely(guess.is_strong)) {
        guess.value = guess.strong->value + guess.strong->stride;
    } else {
        uint32_t tag;
        const struct codec_slot *slot =
            codec_slot(codec, codec_key(weak), &tag);

        guess.value = codec_owns(slot, tag) ? slot->value + slot->stride : 0;
    }
    return guess;
}

/* The slot has seen `value`. A stride is believed when it came twice, so that
 * one stray value costs two misses and not three. */
static inline void codec_slot_learn(struct codec_slot *slot, uint32_t tag,
                                    uint64_t value)
{
    uint64_t step = value - slot->value;

    if (!codec_owns(slot, tag)) {
        *slot = (struct codec_slot){.value = value, .tag = tag};
        return;
    }
    if (step == slot->step)
        slot->stride = step;
    slot->step = step;
    slot->value = value;
}

/* How far `guess` was off, as a distance. */
static inline uint64_t codec_distance(uint64_t guess, uint64_t value)
{
    uint64_t up = value - guess;

    return up <= -up ? up : -up;
}

/*
 * The strong key's guess was wrong, or not asked for. Both slots learn, and
 * the one that came closer is asked next time.
 */
static inline void codec_learn_miss(struct codec *codec,
                                    const struct codec_guess *guess,
                                    struct codec_weak weak, uint64_t value)
{
    struct codec_slot *slot = guess->strong;
    uint32_t weak_tag;
    struct codec_slot *other = codec_slot(codec, codec_key(weak), &weak_tag);

    if (codec_owns(slot, guess->tag) && codec_owns(other, weak_tag)) {
        uint64_t s = codec_distance(slot->value + slot->stride, value);
        uint64_t w = codec_distance(other->value + other->stride, value);

        if (s < w && slot->trust < CODEC_MOST_TRUST)
            slot->trust++;
        else if (w < s && slot->trust > CODEC_LEAST_TRUST)
            slot->trust--;
    }
    codec_slot_learn(other, weak_tag, value);
    if (slot != other)
        codec_slot_learn(slot, guess->tag, value);
}

/* The strong key's guess was right. */
static inline void codec_learn_hit(const struct codec_guess *guess)
{
    guess->strong->step = guess->strong->stride;
    guess->strong->value = guess->value;
}

/* Values whose difference is small become small numbers, whatever its sign. */
static inline uint64_t codec_zigzag(uint64_t difference)
{
    return difference << 1 ^ -(difference >> 63);
}

static inline uint64_t codec_unzigzag(uint64_t number)
{
    return number >> 1 ^ -(number & 1);
}

/*
 * What a value is often that its prediction missed, in the order of the numbers
 * that say so: what the strong key's slot had before its last value, the last
 * value of the event that was missed (a guest's character goes out as it came
 * in), and what the weak key's slot had before.
 */
#define CODEC_OTHERS 3

static inline void codec_others(struct codec *codec,
                                const struct codec_guess *guess,
                                struct codec_weak weak, uint64_t missed,
                                uint64_t others[CODEC_OTHERS])
{
    uint32_t tag;
    const struct codec_slot *slot = codec_slot(codec, codec_key(weak), &tag);

    others[0] = guess->strong->value - guess->strong->step;
    others[1] = missed;
    others[2] = slot->value - slot->step;
}

/* Numbers: one of the others; the value as it is, which a number of its own
 * follows; from CODEC_NEAR on the difference, but for the three largest. */
#define CODEC_PLAIN CODEC_OTHERS
#define CODEC_NEAR  (CODEC_PLAIN + 1)

/* Values come in groups: a byte of flags, bit n set for a value n that the
 * prediction missed, then for each of these its number. */
#define CODEC_GROUP     8
#define CODEC_VARINT    10 /* bytes of the longest number */
#define CODEC_GROUP_MAX (1 + CODEC_GROUP * (1 + CODEC_VARINT))

/* Byte strings up to this are coded as little-endian words, longer ones stand
 * in the stream as they are. */
#define CODEC_WORDS_MAX 64

#endif
