/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of the x86_64 image: host/shim.h. */
#include "host/shim.h"

#include "arch/x86_64/trace_rows.h"
#include "host/x86_64/x86_host.h"
#include "lib/string.h"

/* A NOP of five bytes, which JMP rel32 has, too (AMD APM volume 3). */
__attribute__((always_inline)) static inline bool shim_is_recording(void)
{
    __asm__ goto("1: .byte 0x0f, 0x1f, 0x44, 0, 0\n" SHIM_SITE : : : : hook);
    return false;
hook:
    return trace_is_on();
}

#define JMP_REL32      0xe9
#define JMP_REL32_SIZE 5

/* No other CPU runs, and the jumps are not executed before CR3 is written. */
void shim_enable_recording(void)
{
    for (const struct shim_site *site = shim_sites_start; site < shim_sites_end;
         site++) {
        const char *nop = (const char *)&site->nop + site->nop;
        const char *hook = (const char *)&site->hook + site->hook;
        int32_t offset = (int32_t)(hook - nop) - JMP_REL32_SIZE;
        uint8_t jump[JMP_REL32_SIZE] = {JMP_REL32};

        memcpy(jump + 1, &offset, sizeof(offset));
        memcpy((void *)(uintptr_t)nop, jump, sizeof(jump));
    }
}

SHIM_ALL(X86_HW_API)
