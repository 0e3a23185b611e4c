/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riscv64 image's body of every function of the API tables: the
 * implementation, and, while a recording runs, the recorder's hook.
 *
 * Whether to call the hook is not a variable: each place is a NOP, which
 * shim_enable_recording() replaces by a jump to the code with the hook, before
 * paging makes the text read-only. An image that does not record pays one NOP
 * per crossing.
 */
#include "api/arch.h"
#include "api/console.h"
#include "api/host.h"
#include "api/memory.h"
#include "api/time.h"
#include "api/vmm.h"
#include "arch/riscv64/trace.h"
#include "host/riscv64/riscv_host.h"
#include "trace/record.h"

/* A place with a NOP, and where to jump instead; both relative to here. */
struct shim_site {
    int32_t nop;
    int32_t hook;
};

/* The linker collects them: images/riscv64/twinax.ld. */
extern const struct shim_site shim_sites_start[], shim_sites_end[];

__attribute__((always_inline)) static inline bool shim_is_recording(void)
{
    __asm__ goto(".option push\n"
                 ".option norvc\n"
                 "1: nop\n"
                 ".option pop\n"
                 ".pushsection shim_sites, \"a\"\n"
                 ".balign 4\n"
                 ".4byte 1b - .\n"
                 ".4byte %l[hook] - .\n"
                 ".popsection\n"
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

#define SHIM_FN(ret, name, params, args, traced, flow, failure)               \
    ret name params                                                           \
    {                                                                         \
        ret result = name##_impl args;                                        \
        if ((flow) != QUIET && shim_is_recording())                           \
            trace_fn(ROW_##name, TRACE_ARGS(traced), api_pack_##ret(result)); \
        return result;                                                        \
    }
#define SHIM_PROC(name, params, args, traced, flow)     \
    void name params                                    \
    {                                                   \
        if ((flow) != QUIET && shim_is_recording())     \
            trace_proc(ROW_##name, TRACE_ARGS(traced)); \
        name##_impl args;                               \
    }
#define SHIM_GET(name, params, args, traced, buffer, size)             \
    size_t name params                                                 \
    {                                                                  \
        size_t filled = name##_impl args;                              \
        if (shim_is_recording())                                       \
            trace_get(ROW_##name, TRACE_ARGS(traced), buffer, filled); \
        return filled;                                                 \
    }
#define SHIM_PUT(name, params, args, traced, buffer, size)           \
    void name params                                                 \
    {                                                                \
        if (shim_is_recording())                                     \
            trace_put(ROW_##name, TRACE_ARGS(traced), buffer, size); \
        name##_impl args;                                            \
    }

ARCH_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)
CONSOLE_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)
HOST_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)
MEMORY_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)
TIME_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)
RISCV_HW_API(SHIM_FN, SHIM_PROC, SHIM_GET, SHIM_PUT)

/* On the exit path of a guest that uses devices. */
EXIT_PATH uint64_t riscv_hw_fetch_insn(uint64_t pc);

/* This module lies above the seams. */
#define PLAIN_FN(ret, name, params, args, traced, flow, failure) \
    ret name params                                              \
    {                                                            \
        return name##_impl args;                                 \
    }
#define PLAIN_PROC(name, params, args, traced, flow) \
    void name params                                 \
    {                                                \
        name##_impl args;                            \
    }

VMM_API(PLAIN_FN, PLAIN_PROC, PLAIN_GET, PLAIN_PUT)
