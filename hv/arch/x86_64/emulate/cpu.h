/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What emulation knows of a virtual CPU: registers that matter to instructions
 * on memory, in no vendor's format, and the exceptions that it may get. Intel
 * SDM volume 3, chapters 2 to 4; AMD APM volume 2, chapters 3 to 5.
 */
#ifndef ARCH_X86_64_EMULATE_CPU_H
#define ARCH_X86_64_EMULATE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86_64/emulate/decode.h"
#include "arch/x86_64/regs.h"
#include "lib/bits.h"

/* The flags that arithmetic sets. */
#define X86_RFLAGS_STATUS                                            \
    (X86_RFLAGS_CF | X86_RFLAGS_PF | X86_RFLAGS_AF | X86_RFLAGS_ZF | \
     X86_RFLAGS_SF | X86_RFLAGS_OF)

/* An exception to be injected. */
struct x86_exception {
    uint8_t vector;
    bool has_error; /* an error code is pushed; never in real mode */
    uint32_t error;
    uint64_t address; /* for CR2, of #PF */
};

/*
 * A segment register's hidden part. Attributes are packed as in a VMCB (APM
 * volume 2, section 4.7 for their meaning); those of a VMCS are these with a
 * hole of four bits.
 */
#define X86_SEG_ACCESSED BIT(0)
#define X86_SEG_WRITABLE BIT(1) /* of data; of code: readable */
#define X86_SEG_DOWN     BIT(2) /* of data: expands down */
#define X86_SEG_CODE     BIT(3)
#define X86_SEG_PRESENT  BIT(7) /* clear: unusable */
#define X86_SEG_LONG     BIT(9)
#define X86_SEG_BIG      BIT(10)

struct x86_segment {
    uint64_t base;
    uint32_t limit; /* of bytes, G applied */
    uint16_t selector;
    uint16_t attributes;
};

/* What selects the paging mode, and checks accesses. */
struct x86_control {
    uint64_t cr0, cr3, cr4, efer;
};

struct x86_cpu {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
    struct x86_control control;
    uint8_t cpl;
    struct x86_segment segment[X86_SEGMENTS];
};

static inline bool x86_is_protected(const struct x86_cpu *cpu)
{
    return (cpu->control.cr0 & X86_CR0_PE) != 0 &&
           (cpu->rflags & X86_RFLAGS_VM) == 0;
}

/* The size of the code that `cpu` is running. */
static inline enum x86_mode x86_mode_of(const struct x86_cpu *cpu)
{
    uint16_t attributes = cpu->segment[X86_CS].attributes;

    if ((cpu->control.efer & X86_EFER_LMA) != 0 &&
        (attributes & X86_SEG_LONG) != 0)
        return X86_MODE_64;
    return (attributes & X86_SEG_BIG) != 0 ? X86_MODE_32 : X86_MODE_16;
}

#endif
