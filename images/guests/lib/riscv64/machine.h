/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A riscv64 guest: SBI calls, CSRs, traps. It runs in S-mode with paging off,
 * in a VM or on bare hardware under OpenSBI.
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "guest.h"

/* SBI extensions (RISC-V SBI 2.0). */
#define SBI_LEGACY_PUTCHAR 0x01
#define SBI_BASE           0x10
#define SBI_TIME           0x54494D45
#define SBI_IPI            0x735049
#define SBI_RFENCE         0x52464E43
#define SBI_HSM            0x48534D
#define SBI_SRST           0x53525354
#define SBI_DBCN           0x4442434E
#define SBI_PMU            0x504D55

struct sbi_result {
    int64_t error;
    uint64_t value;
};

static inline struct sbi_result sbi_call(uint64_t extension, uint64_t function,
                                         uint64_t arg0, uint64_t arg1,
                                         uint64_t arg2, uint64_t arg3,
                                         uint64_t arg4)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a3 __asm__("a3") = arg3;
    register uint64_t a4 __asm__("a4") = arg4;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){(int64_t)a0, a1};
}

#define csr_read(name)                                                   \
    ({                                                                   \
        uint64_t csr_value;                                              \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_value)::"memory"); \
        csr_value;                                                       \
    })
#define csr_write(name, value) \
    __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

/* What it was started with. */
extern uint64_t guest_hart;
extern const void *guest_device_tree;

/* The registers at a trap: x[0] is where the guest goes on. */
struct guest_frame {
    uint64_t x[32];
};

/*
 * Called on a trap. The library's tells what happened and powers off, as a
 * failed guest; a guest with its own defines another.
 */
void guest_trap(struct guest_frame *frame);

/* The length of the instruction at `pc`, which trapped. */
uint64_t guest_insn_length(uint64_t pc);

/* The instruction counter at the guest's first instruction. */
extern uint64_t guest_first_instret;

#endif
