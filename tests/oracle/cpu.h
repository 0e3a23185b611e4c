/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion on what an instruction does: one riscv64 instruction,
 * executed by Unicorn, and everything of it that can be seen. The processor
 * has RV64GC, runs in machine mode and has no translation.
 */
#ifndef TESTS_ORACLE_CPU_H
#define TESTS_ORACLE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an instruction finds memory. Elsewhere there is none. */
#define ORACLE_DATA      UINT64_C(0x10000000)
#define ORACLE_DATA_SIZE UINT64_C(0x10000)

struct oracle_regs {
    uint64_t x[32]; /* x[0] is 0 */
    uint64_t f[32];
};

struct oracle_effect {
    unsigned reads, writes; /* accesses to memory, also where there is none */
    uint64_t address;       /* of the first one */
    unsigned size;
    uint64_t value; /* read, or written */
    bool retired;
    uint64_t length; /* how far the program counter has moved */
    struct oracle_regs after;
};

/* Ends the process when there can be no such processor. */
void oracle_start(void);

/* Executes `insn`, of which a compressed instruction is the lower half, on
 * these registers. SYSTEM instructions change the processor for those that
 * come after: the caller does not ask for them. */
void oracle_execute(uint32_t insn, const struct oracle_regs *regs,
                    struct oracle_effect *effect);

/* The same by a model that knows loads, stores and atomics, and of what else
 * there is, that it does not touch memory. What memory holds is another thing
 * than with oracle_execute(), and there is some everywhere. `after` is set for
 * loads and stores. */
void oracle_model(uint32_t insn, const struct oracle_regs *regs,
                  struct oracle_effect *effect);

#endif
