/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hypervisor's decoder of device accesses against a processor that
 * executes them: see cpu.h. Of each instruction both must say the same: whether
 * it is an access that a device can answer, of which kind and width, what it
 * stores, where the next instruction is, and what all registers hold after a
 * load.
 *
 * Accesses that a device cannot answer are refused: AMO, LR and SC. Neither the
 * address, which hardware reports, nor its alignment, at which the bus looks,
 * is the decoder's business.
 */
#ifndef TESTS_ORACLE_INSN_CHECK_H
#define TESTS_ORACLE_INSN_CHECK_H

#include "cpu.h"

enum insn_class {
    INSN_ACCESS,  /* is an access, and was decoded */
    INSN_REFUSED, /* is one that a device cannot answer, and was refused */
    INSN_OTHER,   /* is none */
    INSN_CLASS_COUNT
};

void insn_check_start(void);

/* NULL when both agree, and the class; otherwise what they do not agree on. */
const char *insn_check(uint32_t insn, const struct oracle_regs *regs,
                       enum insn_class *class);
/* The same with the model for the processor. */
const char *insn_check_model(uint32_t insn, const struct oracle_regs *regs,
                             enum insn_class *class);

/* Registers for `insn`: random by `*state`, and addresses of memory in those
 * that it may take for its base. */
void insn_regs(uint32_t insn, uint64_t *state, struct oracle_regs *regs);

/* A number, from `*state`. */
uint64_t insn_random(uint64_t *state);

#endif
