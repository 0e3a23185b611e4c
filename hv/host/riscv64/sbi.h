/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware below the hypervisor: RISC-V Supervisor Binary Interface 2.0.
 * Only what the hypervisor itself calls; what guests call is answered by
 * hv/arch/riscv64 and never gets here.
 */
#ifndef HOST_RISCV64_SBI_H
#define HOST_RISCV64_SBI_H

/* Extensions; their ids are their names in ASCII. */
#define SBI_LEGACY_PUTCHAR  0x01
#define SBI_LEGACY_GETCHAR  0x02
#define SBI_LEGACY_SHUTDOWN 0x08
#define SBI_BASE            0x10
#define SBI_TIME            0x54494d45
#define SBI_IPI             0x735049
#define SBI_HSM             0x48534d
#define SBI_SRST            0x53525354

/* Their functions. */
#define SBI_BASE_PROBE     3
#define SBI_TIME_SET_TIMER 0
#define SBI_IPI_SEND       0
#define SBI_HSM_HART_START 0
#define SBI_SRST_RESET     0

/* Arguments of SBI_SRST_RESET: type, reason. */
#define SBI_RESET_SHUTDOWN    0
#define SBI_RESET_COLD_REBOOT 1
#define SBI_REASON_NONE       0
#define SBI_REASON_FAILURE    1

#define SBI_SUCCESS               0
#define SBI_ERR_ALREADY_AVAILABLE (-6)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

struct sbi_result {
    int64_t error;
    uint64_t value;
};

/* An ECALL changes a0 and a1 only. */
static inline struct sbi_result sbi_call(uint64_t extension, uint64_t function,
                                         uint64_t arg0, uint64_t arg1,
                                         uint64_t arg2)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){(int64_t)a0, a1};
}

static inline bool sbi_has(uint64_t extension)
{
    struct sbi_result result =
        sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0, 0);

    return result.error == SBI_SUCCESS && result.value != 0;
}

#endif

#endif
