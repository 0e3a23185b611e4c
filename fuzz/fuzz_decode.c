/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of device accesses: the input is a seed for the registers, and
 * instructions, which a model of the tests (tests/oracle/cpu.h) executes as
 * well, and of which a part, by their bits, a processor does. It takes ten
 * microseconds for each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/harness.h"
#include "tests/oracle/insn_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_INSNS          4
#define INSNS_PER_EXECUTION 256

static bool is_executed(uint32_t insn)
{
    return fuzz_is_thorough ||
           insn * UINT32_C(0x9e3779b1) >> 16 < 0x10000 / INSNS_PER_EXECUTION;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    uint64_t state = fuzz_take(&input, 2);
    static bool is_started;

    if (!is_started)
        insn_check_start();
    is_started = true;
    for (unsigned i = 0; i < MOST_INSNS && !fuzz_is_empty(&input); i++) {
        uint32_t insn = (uint32_t)fuzz_take(&input, 4);
        struct oracle_regs regs;
        enum insn_class class;
        const char *difference;

        insn_regs(insn, &state, &regs);
        difference = insn_check_model(insn, &regs, &class);
        if (difference == NULL && is_executed(insn))
            difference = insn_check(insn, &regs, &class);
        if (difference != NULL) {
            fprintf(stderr, "fuzz: 0x%08x: %s\n", insn, difference);
            abort();
        }
    }
    return 0;
}
