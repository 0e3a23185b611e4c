/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor that the tests run on, as an oracle: executes one instruction
 * in the process, with all registers given.
 */
#ifndef TEST_X86_NATIVE_H
#define TEST_X86_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emulate/cpu.h"

struct native_state {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t rflags;
    uint64_t padding;
    uint8_t xmm[16][16];
};

/* Memory for the instruction's operands, below 4 GiB, as is its code. */
#define NATIVE_MEMORY 0x4000

struct native {
    uint8_t *memory;
    uint8_t *code; /* where the instruction is put */
    uint16_t selector[X86_SEGMENTS];
};

/* The GS base during native_run(); nothing else in the process uses GS. */
#define NATIVE_GS_BASE UINT64_C(0x1230)

/* False: not an x86_64 processor in 64-bit mode. */
bool native_open(struct native *native);
void native_close(struct native *native);

/* Executes the instruction; `state` is before and after. Returns 0, or the
 * signal that it raised: then `state` is as it was at the fault. */
int native_run(struct native *native, const uint8_t *bytes, unsigned length,
               struct native_state *state);

#endif
