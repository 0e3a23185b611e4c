/* SPDX-License-Identifier: Apache-2.0 */
/* CSR instructions. `name` is a CSR of arch/riscv64/csr.h. */
#ifndef HOST_RISCV64_CSR_ACCESS_H
#define HOST_RISCV64_CSR_ACCESS_H

#include "arch/riscv64/csr.h"

#define csr_read(name)                      \
    __extension__({                         \
        uint64_t csr_value_;                \
        __asm__ volatile("csrr %0, %1"      \
                         : "=r"(csr_value_) \
                         : "i"(CSR_##name)  \
                         : "memory");       \
        csr_value_;                         \
    })

/* The operand may be a 5-bit constant: CSRRWI and its like. */
#define csr_insn_(insn, name, value)                            \
    __asm__ volatile(insn " %0, %1"                             \
                     :                                          \
                     : "i"(CSR_##name), "rK"((uint64_t)(value)) \
                     : "memory")

#define csr_write(name, value) csr_insn_("csrw", name, value)
#define csr_set(name, bits)    csr_insn_("csrs", name, bits)
#define csr_clear(name, bits)  csr_insn_("csrc", name, bits)

#endif
