/* SPDX-License-Identifier: Apache-2.0 */
/* The ChaCha20 block function: RFC 8439, section 2.3. */
#include "device/virtio/chacha20.h"

#include "lib/string.h"

#define WORDS  16
#define ROUNDS 20

/* Words are little-endian in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the state is used as it stands in memory");

static uint32_t rotate_left(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* 2.1. */
static void quarter_round(uint32_t state[WORDS], unsigned at_a, unsigned at_b,
                          unsigned at_c, unsigned at_d)
{
    uint32_t a = state[at_a], b = state[at_b];
    uint32_t c = state[at_c], d = state[at_d];

    a += b;
    d = rotate_left(d ^ a, 16);
    c += d;
    b = rotate_left(b ^ c, 12);
    a += b;
    d = rotate_left(d ^ a, 8);
    c += d;
    b = rotate_left(b ^ c, 7);
    state[at_a] = a;
    state[at_b] = b;
    state[at_c] = c;
    state[at_d] = d;
}

/* 2.3: a round on the columns, then one on the diagonals. */
static void double_round(uint32_t state[WORDS])
{
    for (unsigned i = 0; i < 4; i++)
        quarter_round(state, i, 4 + i, 8 + i, 12 + i);
    for (unsigned i = 0; i < 4; i++)
        quarter_round(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4,
                      12 + (i + 3) % 4);
}

void chacha20_block(const uint8_t key[CHACHA20_KEY_SIZE], uint32_t counter,
                    const uint8_t nonce[CHACHA20_NONCE_SIZE],
                    uint8_t block[CHACHA20_BLOCK_SIZE])
{
    uint32_t start[WORDS], state[WORDS];

    memcpy(start, "expand 32-byte k", 16);
    memcpy(start + 4, key, CHACHA20_KEY_SIZE);
    start[12] = counter;
    memcpy(start + 13, nonce, CHACHA20_NONCE_SIZE);
    memcpy(state, start, sizeof(state));
    for (int i = 0; i < ROUNDS / 2; i++)
        double_round(state);
    for (unsigned i = 0; i < WORDS; i++)
        state[i] += start[i];
    memcpy(block, state, sizeof(state));
}
