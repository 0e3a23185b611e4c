/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riscv64 instructions as text, for reports: those that make a guest exit, and
 * no others. (The library that disassembles for the other architectures knows
 * no RISC-V.)
 */
#ifndef SIM_RISCV64_INSN_H
#define SIM_RISCV64_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/riscv64/regs.h"

/* `insn` in the assembler's notation; one whose two lowest bits are not both
 * set is compressed. An unknown one is shown as a number. */
void riscv64_format_insn(uint32_t insn, char *text, size_t size);

/*
 * The instruction that made a guest exit with `regs`. False when they do not
 * say: htinst or stval is 0, or the exit was no instruction's doing. Where
 * htinst is all there is, the address operand is not known: "lw a5, (...)".
 */
bool riscv64_insn(const struct riscv_regs *regs, char *text, size_t size);

#endif
