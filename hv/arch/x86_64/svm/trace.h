/* SPDX-License-Identifier: Apache-2.0 */
/* SVM in traces: see hv/trace/fields.h. */
#ifndef ARCH_X86_64_SVM_TRACE_H
#define ARCH_X86_64_SVM_TRACE_H

#include "arch/x86_64/hw.h"
#include "trace/rows.h"

/* Numbers of the rows of X86_HW_API in a trace. */
enum { ROW_X86_FIRST = ROW_ARCH - 1, TRACE_ROW_ENUM(X86_HW_API) };

extern const struct trace_arch x86_svm_trace_arch;

#endif
