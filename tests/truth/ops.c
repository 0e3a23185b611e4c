/* SPDX-License-Identifier: Apache-2.0 */
/* What guests do: see ops.h. */
#include "tests/truth/ops.h"

#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"
#include "lib/compiler.h"

/* A guest-physical address that could be a VMCB's. */
#define LAYOUT_VMCB 0x2000

#define PLAIN(name)               \
    {                             \
        {                         \
            .kind = OP_X86_##name \
        }                         \
    }
#define RAX(x)         \
    {                  \
        X86_GPR_RAX, x \
    }
#define RCX(x)         \
    {                  \
        X86_GPR_RCX, x \
    }
#define RDX(x)         \
    {                  \
        X86_GPR_RDX, x \
    }
#define RBX(x)         \
    {                  \
        X86_GPR_RBX, x \
    }

#define PORT(name, bytes, port, value_) \
    {                                   \
        {.kind = OP_X86_##name,         \
         .width = (bytes),              \
         .number = (port),              \
         .value = (value_)},            \
            {RAX(value_), RDX(port)}, 2 \
    }
#define CR(name, cr, value_)    \
    {                           \
        {.kind = OP_X86_##name, \
         .reg = X86_GPR_RBX,    \
         .number = (cr),        \
         .value = (value_)},    \
            {RBX(value_)}, 1    \
    }
#define MSR(name, msr, value_)                                       \
    {                                                                \
        {.kind = OP_X86_##name, .number = (msr), .value = (value_)}, \
            {RCX(msr), RAX((value_)&UINT32_MAX),                     \
             RDX((uint64_t)(value_) >> 32)},                         \
            3                                                        \
    }

const struct truth_op truth_ops[] = {
    PLAIN(HLT),
    {{.kind = OP_X86_CPUID}, {RAX(0), RCX(0)}, 2},
    {{.kind = OP_X86_VMMCALL}, {RAX(0)}, 1},
    PLAIN(PAUSE),
    PLAIN(ICEBP),
    {{.kind = OP_X86_INT, .number = 0x30}},
    PLAIN(IRET),
    PLAIN(INVD),
    PLAIN(WBINVD),
    PLAIN(RDTSC),
    {{.kind = OP_X86_RDPMC}, {RCX(0)}, 1},
    PORT(IN, 1, 0x71, 0),
    PORT(IN, 2, 0x1f0, 0),
    PORT(IN, 4, 0xcfc, 0),
    PORT(OUT, 1, 0x80, 0x5a),
    PORT(OUT, 2, 0x1234, 0x55aa),
    PORT(OUT, 4, 0xcf8, 0x80000000),
    MSR(RDMSR, X86_MSR_EFER, 0),
    MSR(RDMSR, 0x1b, 0),
    MSR(RDMSR, 0x40000000, 0),
    MSR(WRMSR, X86_MSR_LSTAR, 0x1234),
    MSR(WRMSR, X86_MSR_PAT, UINT64_C(0x0007040600070406)),
    CR(READ_CR, 0, 0),
    CR(READ_CR, 3, 0),
    CR(READ_CR, 4, 0),
    CR(READ_CR, 8, 0),
    CR(WRITE_CR, 0, X86_CR0_PE | X86_CR0_ET | X86_CR0_NE),
    CR(WRITE_CR, 3, 0x6000),
    CR(WRITE_CR, 4, X86_CR4_PAE | X86_CR4_DE),
    CR(WRITE_CR, 8, 5),
    CR(READ_DR, 7, 0),
    CR(READ_DR, 0, 0),
    CR(WRITE_DR, 6, X86_DR6_RESET),
    PLAIN(CLTS),
    {{.kind = OP_X86_LMSW, .reg = X86_GPR_RBX, .value = 0xb}, {RBX(0xb)}, 1},
    {{.kind = OP_X86_SMSW, .reg = X86_GPR_RBX}},
    {{.kind = OP_X86_XSETBV, .number = 0, .value = 1},
     {RCX(0), RAX(1), RDX(0)},
     3},
    {{.kind = OP_X86_LLDT, .reg = X86_GPR_RBX, .value = 0}, {RBX(0)}, 1},
    {{.kind = OP_X86_SLDT, .reg = X86_GPR_RBX}},
    {{.kind = OP_X86_STR, .reg = X86_GPR_RBX}},
    PLAIN(PUSHF),
    PLAIN(POPF),
    PLAIN(CLI),
    PLAIN(STI),
    PLAIN(RSM),
    {{.kind = OP_X86_VMRUN}, {RAX(LAYOUT_VMCB)}, 1},
    {{.kind = OP_X86_VMLOAD}, {RAX(LAYOUT_VMCB)}, 1},
    {{.kind = OP_X86_VMSAVE}, {RAX(LAYOUT_VMCB)}, 1},
    PLAIN(STGI),
    PLAIN(CLGI),
};

const unsigned truth_op_count = ARRAY_SIZE(truth_ops);
