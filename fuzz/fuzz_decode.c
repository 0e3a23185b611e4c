/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of device accesses: the input is a seed for the registers, and
 * instructions, each of which a processor executes as well
 * (tests/oracle/insn_check.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/harness.h"
#include "tests/oracle/insn_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Executing one takes ten microseconds. */
#define MOST_INSNS 4

/* Unicorn keeps what it has translated, and libFuzzer would look for leaks
 * after each input for that. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:quarantine_size_mb=1";
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
        difference = insn_check(insn, &regs, &class);
        if (difference != NULL) {
            fprintf(stderr, "fuzz: 0x%08x: %s\n", insn, difference);
            abort();
        }
    }
    return 0;
}
