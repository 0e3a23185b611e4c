/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of the processors: see shim_calls.h. */
#include "sim/shim_calls.h"

SHIMS(RISCV_HW_API)
SHIMS(X86_HW_API)
