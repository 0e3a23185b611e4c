/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "guest.h"
#include "hv/device/virtio/chacha20.h"
#include "sim/clock.h"
#include "support/rows.h"

#define SLICE 4096

/* RFC 8439, 2.3.2 and A.1. */
Test(chacha20, test_vectors)
{
    static const struct {
        uint8_t key_first; /* of a key that counts up, or of zeros */
        bool counts;
        uint8_t key_last;
        uint32_t counter;
        uint8_t nonce[12];
        uint8_t block[64];
    } rows[] = {
        {0,
         true,
         31,
         1,
         {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0},
         {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
          0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
          0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
          0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
          0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
          0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e}},
        {0, false, 0, 0, {0}, {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                               0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
                               0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a,
                               0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
                               0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d,
                               0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37,
                               0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c,
                               0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86}},
        {0, false, 1, 1, {0}, {0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92,
                               0x9b, 0x9d, 0x82, 0x8d, 0xb1, 0xce, 0xd4, 0xdd,
                               0x83, 0x20, 0x25, 0xe8, 0x01, 0x8b, 0x81, 0x60,
                               0xb8, 0x22, 0x84, 0xf3, 0xc9, 0x49, 0xaa, 0x5a,
                               0x8e, 0xca, 0x00, 0xbb, 0xb4, 0xa7, 0x3b, 0xda,
                               0xd1, 0x92, 0xb5, 0xc4, 0x2f, 0x73, 0xf2, 0xfd,
                               0x4e, 0x27, 0x36, 0x44, 0xc8, 0xb3, 0x61, 0x25,
                               0xa6, 0x4a, 0xdd, 0xeb, 0x00, 0x6c, 0x13, 0xa0}},
    };

    for_each_row (i, rows) {
        uint8_t key[32] = {0};
        uint8_t block[64];

        for (uint8_t n = 0; rows[i].counts && n < sizeof(key); n++)
            key[n] = n;
        key[31] = rows[i].key_last;
        chacha20_block(key, rows[i].counter, rows[i].nonce, block);
        cr_expect_eq(memcmp(block, rows[i].block, sizeof(block)), 0, "row %zu",
                     i);
    }
}

static void make_rng(struct guest *guest, bool legacy)
{
    guest_make(guest,
               &(struct setup){.compatible = "virtio,rng", .legacy = legacy});
}

/* Asks for `size` bytes; where they are, and how many came. */
static uint64_t ask(struct guest *guest, uint32_t size, uint32_t *len)
{
    uint64_t at = give(guest, size + 16, 16);

    ring_add(guest, 0, &(struct buffer){at, size, true}, 1);
    cr_assert_eq(ring_kick(guest, 0), 0);
    cr_assert(ring_take(guest, 0, NULL, len));
    return at;
}

/* Every buffer gets bytes, as many as said and no more. */
Test(virtio_rng, fills_buffers)
{
    static const struct {
        uint32_t size;
        uint32_t len;
    } rows[] = {
        {1, 1},     {31, 31},       {64, 64},           {65, 65},
        {512, 512}, {SLICE, SLICE}, {SLICE + 1, SLICE}, {100000, SLICE},
    };

    for (int legacy = 0; legacy < 2; legacy++) {
        for_each_row (i, rows) {
            static uint8_t bytes[100000 + 16];
            struct guest guest;
            unsigned zeros = 0;
            uint64_t at;
            uint32_t len;

            make_rng(&guest, legacy);
            cr_expect_eq(reg(&guest, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
            start(&guest, F_ALL, 8);
            at = ask(&guest, rows[i].size, &len);
            cr_expect_eq(len, rows[i].len, "row %zu", i);
            cr_expect(guest.line);
            peek(&guest, at, bytes, rows[i].size + 16);
            for (uint32_t n = 0; n < len; n++)
                zeros += bytes[n] == 0;
            cr_expect_leq(zeros, len / 16 + 1, "row %zu", i);
            for (uint32_t n = len; n < rows[i].size + 16; n++)
                cr_assert_eq(bytes[n], 0, "row %zu: byte %u", i, n);
            guest_free(&guest);
        }
    }
}

/* The first 32 bytes that a VM like this gets. */
static void first_bytes(const struct setup *setup, uint64_t ticks,
                        uint8_t bytes[32])
{
    struct guest guest;
    uint32_t len;

    clock_reset();
    clock_advance_ticks(ticks);
    guest_make(&guest, setup);
    start(&guest, F_ALL, 8);
    peek(&guest, ask(&guest, 32, &len), bytes, 32);
    guest_free(&guest);
}

/* What the bytes depend on: the seed, the VM and the time, each whole; the
 * same of all gives the same, which is what a replay needs. */
Test(virtio_rng, sources)
{
    static const struct property seed_a[] = {
        PROPERTY_TEXT("seed", "0123456789abcdef0123456789abcdef a"),
        PROPERTY_END};
    static const struct property seed_b[] = {
        PROPERTY_TEXT("seed", "0123456789abcdef0123456789abcdef b"),
        PROPERTY_END};
    static const struct {
        const struct property *seed;
        vm_id vm;
        uint64_t ticks;
    } rows[] = {
        {NULL, 0, 0},   {NULL, 1, 0},   {NULL, 0, 1},   {seed_a, 0, 0},
        {seed_b, 0, 0}, {seed_a, 1, 0}, {seed_a, 0, 1},
    };
    uint8_t bytes[ARRAY_SIZE(rows)][32];

    for_each_row (i, rows) {
        const struct setup setup = {
            .compatible = "virtio,rng",
            .properties = rows[i].seed,
            .vm = rows[i].vm,
        };
        uint8_t again[32];

        first_bytes(&setup, rows[i].ticks, bytes[i]);
        first_bytes(&setup, rows[i].ticks, again);
        cr_expect_eq(memcmp(bytes[i], again, 32), 0, "row %zu", i);
        for (size_t n = 0; n < i; n++)
            cr_expect_neq(memcmp(bytes[i], bytes[n], 32), 0, "rows %zu, %zu", i,
                          n);
    }
}

/* The generator as rng.c describes it: block 0 of each request's stream is the
 * next key and stays inside, the others are what the guest gets. */
Test(virtio_rng, generator)
{
    uint8_t key[CHACHA20_KEY_SIZE] = {0};
    uint8_t nonce[CHACHA20_NONCE_SIZE] = {0};
    uint8_t block[CHACHA20_BLOCK_SIZE];
    struct guest guest;

    clock_reset();
    make_rng(&guest, false);
    start(&guest, F_ALL, 8);
    /* VM 0, no seed, time 0: one step made the first key. */
    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, sizeof(key));
    for (uint8_t request = 1; request < 4; request++) {
        uint8_t bytes[2 * CHACHA20_BLOCK_SIZE];
        uint32_t len;

        peek(&guest, ask(&guest, sizeof(bytes), &len), bytes, sizeof(bytes));
        nonce[8] = request;
        for (uint32_t i = 0; i < 2; i++) {
            chacha20_block(key, i + 1, nonce, block);
            cr_expect_eq(
                memcmp(bytes + i * sizeof(block), block, sizeof(block)), 0);
        }
        chacha20_block(key, 0, nonce, block);
        memcpy(key, block, sizeof(key));
    }
    guest_free(&guest);
}

/* No request repeats bytes, though the time stands still; nor does a reset. */
Test(virtio_rng, never_repeats)
{
    uint8_t bytes[24][32];
    struct guest guest;

    make_rng(&guest, false);
    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        uint32_t len;

        if (i % 8 == 0)
            start(&guest, F_ALL, 8);
        if (i == 16) {
            device_set_reset(&guest.devices);
            start(&guest, F_ALL, 8);
        }
        peek(&guest, ask(&guest, 32, &len), bytes[i], 32);
        for (size_t n = 0; n < i; n++)
            cr_assert_neq(memcmp(bytes[i], bytes[n], 32), 0);
    }
    guest_free(&guest);
}

/* Several large buffers take several slices. */
Test(virtio_rng, slices)
{
    struct guest guest;

    make_rng(&guest, false);
    start(&guest, F_ALL, 8);
    for (unsigned i = 0; i < 4; i++)
        ring_add(&guest, 0,
                 &(struct buffer){give(&guest, SLICE, 16), SLICE, true}, 1);
    cr_expect_eq(ring_kick(&guest, 0), 3);
    for (unsigned i = 0; i < 4; i++)
        cr_expect(ring_take(&guest, 0, NULL, NULL));
    guest_free(&guest);
}

Test(virtio_rng, bad_buffers)
{
    static const struct {
        struct buffer buffers[2];
        unsigned count;
    } rows[] = {
        {{{RAM_START, 4, false}}, 1},
        {{{RAM_START, 4, false}, {RAM_START, 4, true}}, 2},
        {{{RAM_START, 0, true}}, 1},
        {{{HOLE, 4, true}}, 1},
        {{{ROM_START, 4, true}}, 1},
    };

    for_each_row (i, rows) {
        struct guest guest;

        make_rng(&guest, false);
        start(&guest, F_ALL, 8);
        ring_add(&guest, 0, rows[i].buffers, rows[i].count);
        (void)ring_kick(&guest, 0);
        cr_expect(has_status(&guest, NEEDS_RESET), "row %zu", i);
        guest_free(&guest);
    }
}
