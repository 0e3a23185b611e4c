/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of what the VMM does for those below it: see shim_calls.h. */
#include "sim/shim_calls.h"

SHIMS(VMM_API)
