/* SPDX-License-Identifier: Apache-2.0 */
/* VMX in traces: see hv/trace/fields.h. */
#ifndef ARCH_X86_64_VMX_TRACE_H
#define ARCH_X86_64_VMX_TRACE_H

#include "arch/x86_64/trace_rows.h"

extern const struct trace_arch x86_vmx_trace_arch;

#endif
