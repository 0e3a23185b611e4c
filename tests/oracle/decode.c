/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage: decode_oracle [--inputs N] [--seed N]
 *        decode_oracle --texts
 *
 * Checks the decoder of device accesses against a processor that executes the
 * same instructions (insn_check.h): N of them, first all compressed ones, then
 * pseudo-random ones, most of which are loads and stores of all kinds. Prints
 * how many there were, and each on which the two do not agree, and fails if
 * there is one.
 *
 * --texts prints instructions and what reports show of them, a number and a
 * text per line, for `disassembly` to compare with another disassembler.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "insn_check.h"
#include "sim/riscv64/insn.h"

#define DEFAULT_INPUTS 200000
#define MOST_SHOWN     20

/* Major opcodes, with what makes them 32 bits long. */
enum {
    OPCODE_LOAD = 0x03,
    OPCODE_LOAD_FP = 0x07,
    OPCODE_STORE = 0x23,
    OPCODE_STORE_FP = 0x27,
    OPCODE_AMO = 0x2f,
};

/* Load or store, with any funct3 of those that exist for the opcode, ... */
static const struct {
    uint32_t opcode, first, count;
} full[] = {
    {OPCODE_LOAD, 0, 7},
    {OPCODE_STORE, 0, 4},
    {OPCODE_LOAD_FP, 2, 2},
    {OPCODE_STORE_FP, 2, 2},
};
#define FULL_COUNT (sizeof(full) / sizeof(full[0]))

/* ... with an offset that mostly is a multiple of its width, ... */
static uint32_t make_full(uint64_t random)
{
    unsigned row = (unsigned)(random >> 32) % FULL_COUNT;
    uint32_t funct3 =
        full[row].first + (uint32_t)(random >> 36) % full[row].count;
    uint32_t insn =
        ((uint32_t)random & ~0x707fu) | full[row].opcode | funct3 << 12;
    uint32_t below = (1u << (funct3 & 3)) - 1;

    if ((random >> 44 & 3) != 0)
        insn &= ~(below << ((full[row].opcode & 0x20) != 0 ? 7 : 20));
    return insn;
}

/* ... with any funct3, ... */
static uint32_t make_opcode(uint64_t random)
{
    unsigned row = (unsigned)(random >> 32) % FULL_COUNT;

    return ((uint32_t)random & ~0x7fu) | full[row].opcode;
}

/* ... and compressed. */
static uint32_t make_compressed(uint64_t random)
{
    uint32_t quadrant = (random >> 32 & 1) != 0 ? 2 : 0;

    return ((uint32_t)random & ~3u) | quadrant;
}

static uint32_t make_atomic(uint64_t random)
{
    uint32_t funct3 = 2 + (uint32_t)(random >> 32 & 1);

    return ((uint32_t)random & ~0x707fu) | OPCODE_AMO | funct3 << 12;
}

static uint32_t make_any(uint64_t random)
{
    return (uint32_t)random;
}

/* In parts of 16. */
static uint32_t (*const makers[16])(uint64_t random) = {
    make_full,       make_full,       make_full,       make_full,
    make_full,       make_full,       make_full,       make_compressed,
    make_compressed, make_compressed, make_compressed, make_opcode,
    make_opcode,     make_atomic,     make_any,        make_any,
};

/* Instruction number `i`. */
static uint32_t make_insn(uint64_t i, uint64_t random)
{
    return i <= UINT16_MAX ? (uint32_t)i : makers[random >> 60](random);
}

static int run(uint64_t inputs, uint64_t seed)
{
    uint64_t count[INSN_CLASS_COUNT] = {0};
    uint64_t state = seed, disagreements = 0;

    insn_check_start();
    for (uint64_t i = 0; i < inputs; i++) {
        uint32_t insn = make_insn(i, insn_random(&state));
        struct oracle_regs regs;
        enum insn_class class, model_class;
        const char *difference;

        insn_regs(insn, &state, &regs);
        difference = insn_check(insn, &regs, &class);
        if (difference == NULL)
            difference = insn_check_model(insn, &regs, &model_class);
        if (difference == NULL && model_class != class)
            difference = "the model, by which the fuzzer checks";
        count[class]++;
        if (difference != NULL && disagreements++ < MOST_SHOWN)
            printf("0x%08x: %s\n", insn, difference);
    }
    printf("inputs %" PRIu64 ", accesses %" PRIu64 ", refused %" PRIu64
           ", no accesses %" PRIu64 ", disagreements %" PRIu64 "\n",
           inputs, count[INSN_ACCESS], count[INSN_REFUSED], count[INSN_OTHER],
           disagreements);
    return disagreements == 0 && count[INSN_ACCESS] > inputs / 4 ? EXIT_SUCCESS
                                                                 : EXIT_FAILURE;
}

static void show_text(uint32_t insn)
{
    char text[80];

    riscv64_format_insn(insn, text, sizeof(text));
    printf("0x%08x %s\n", insn, text);
}

/* Every compressed instruction; of the others every opcode with every funct3,
 * and for each some of what else there may be in them. */
static int show_texts(void)
{
    uint64_t state = 1;

    for (uint32_t insn = 0; insn <= 0xffff; insn++) {
        if ((insn & 3) != 3)
            show_text(insn);
    }
    for (uint32_t low = 3; low <= 0x7fff; low += 4) {
        unsigned rounds = (low & 0xf80) == 0x280 ? 32 : 2;

        for (unsigned i = 0; i < rounds; i++)
            show_text(low | (uint32_t)insn_random(&state) << 15);
    }
    return EXIT_SUCCESS;
}

static int usage(void)
{
    fputs("usage: decode_oracle [--inputs N] [--seed N] | --texts\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t inputs = DEFAULT_INPUTS, seed = 1;

    if (argc == 2 && strcmp(argv[1], "--texts") == 0)
        return show_texts();
    for (int i = 1; i < argc; i += 2) {
        uint64_t *option = strcmp(argv[i], "--inputs") == 0 ? &inputs
                           : strcmp(argv[i], "--seed") == 0 ? &seed
                                                            : NULL;
        char *end;

        if (option == NULL || i + 1 == argc)
            return usage();
        *option = strtoull(argv[i + 1], &end, 0);
        if (*end != '\0' || end == argv[i + 1])
            return usage();
    }
    return run(inputs, seed);
}
