/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer operations and the flags that they set, for operands of 1, 2, 4 and
 * 8 bytes. Intel SDM volume 1, section 3.4.3.1 "Status Flags", and appendix A
 * "EFLAGS Cross-Reference".
 *
 * Flags that the manuals leave undefined are as processors have them: AND, OR,
 * XOR and TEST clear AF; BT, BTS, BTR and BTC change CF only.
 */
#ifndef ARCH_X86_64_EMULATE_ALU_H
#define ARCH_X86_64_EMULATE_ALU_H

#include <stdint.h>

#include "arch/x86_64/emulate/ops.h"

/*
 * The result of `op`, one of the operations of two operands or of one, in
 * `size` bytes, zero-extended; bits of `a` and `b` beyond those are ignored.
 * `flags` is RFLAGS before and after. INC, DEC, NOT and NEG have no `b`; of
 * the bit operations it is the bit's number.
 */
uint64_t x86_alu(enum x86_op op, unsigned size, uint64_t a, uint64_t b,
                 uint64_t *flags);

#endif
