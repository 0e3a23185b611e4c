/* SPDX-License-Identifier: Apache-2.0 */
/* riscv64, as the traces know it. */
#ifndef ARCH_RISCV64_TRACE_H
#define ARCH_RISCV64_TRACE_H

#include "arch/riscv64/hw.h"
#include "trace/rows.h"

/* The numbers of the hardware seam's rows, ROW_riscv_hw_run and so on. */
enum { ROW_RISCV_FIRST = ROW_ARCH - 1, TRACE_ROW_ENUM(RISCV_HW_API) };

extern const struct trace_arch riscv_trace_arch;

#endif
