/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of the riscv64 image: host/shim.h. */
#include "host/shim.h"

#include "arch/riscv64/trace.h"
#include "host/riscv64/riscv_host.h"

__attribute__((always_inline)) static inline bool shim_is_recording(void)
{
    __asm__ goto(".option push\n"
                 ".option norvc\n"
                 "1: nop\n"
                 ".option pop\n" SHIM_SITE
                 :
                 :
                 :
                 : hook);
    return false;
hook:
    return trace_is_on();
}

/* JAL x0, offset (The RISC-V Instruction Set Manual, volume I, 2.5). */
static uint32_t encode_jump(int64_t offset)
{
    uint64_t bits = (uint64_t)offset;

    return (uint32_t)(0x6f | (bits & 0xff000) | ((bits >> 11 & 1) << 20) |
                      ((bits >> 1 & 0x3ff) << 21) | ((bits >> 20 & 1) << 31));
}

void shim_enable_recording(void)
{
    for (const struct shim_site *site = shim_sites_start; site < shim_sites_end;
         site++) {
        const char *nop = (const char *)&site->nop + site->nop;
        const char *hook = (const char *)&site->hook + site->hook;
        uint32_t jump = encode_jump(hook - nop);

        memcpy((void *)(uintptr_t)nop, &jump, sizeof(jump));
    }
    __asm__ volatile("fence.i" : : : "memory");
}

SHIM_ALL(RISCV_HW_API)

/* On the exit path of a guest that uses devices. */
EXIT_PATH uint64_t riscv_hw_fetch_insn(uint64_t pc);
