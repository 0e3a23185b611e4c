/* SPDX-License-Identifier: Apache-2.0 */
/* SVM in traces: see hv/trace/fields.h. */
#ifndef ARCH_X86_64_SVM_TRACE_H
#define ARCH_X86_64_SVM_TRACE_H

#include "arch/x86_64/trace_rows.h"

extern const struct trace_arch x86_svm_trace_arch;

#endif
