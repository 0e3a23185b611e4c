/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What traces of both vendors have in common: the rows of the hardware seam,
 * and the general registers. See hv/trace/fields.h.
 */
#ifndef ARCH_X86_64_TRACE_ROWS_H
#define ARCH_X86_64_TRACE_ROWS_H

#include "arch/x86_64/hw.h"
#include "trace/rows.h"

/* Numbers of the rows of X86_HW_API in a trace. */
enum {
    ROW_X86_FIRST = ROW_ARCH - 1,
    TRACE_ROW_ENUM(X86_HW_API) ROW_X86_END,
};

#define X86_TRACE_ROW_COUNT (ROW_X86_END - ROW_ARCH)

extern const struct trace_row x86_trace_rows[X86_TRACE_ROW_COUNT];

/* X(name, register), RAX to R15. */
/* clang-format off */
#define X86_TRACE_GPRS(X)                                                      \
    X("rax", X86_GPR_RAX) X("rcx", X86_GPR_RCX) X("rdx", X86_GPR_RDX)          \
    X("rbx", X86_GPR_RBX) X("rsp", X86_GPR_RSP) X("rbp", X86_GPR_RBP)          \
    X("rsi", X86_GPR_RSI) X("rdi", X86_GPR_RDI) X("r8", X86_GPR_R8)            \
    X("r9", X86_GPR_R9)   X("r10", X86_GPR_R10) X("r11", X86_GPR_R11)          \
    X("r12", X86_GPR_R12) X("r13", X86_GPR_R13) X("r14", X86_GPR_R14)          \
    X("r15", X86_GPR_R15)
/* clang-format on */

#endif
