/* SPDX-License-Identifier: Apache-2.0 */
/* The shims of what the host does for the hypervisor: see shim_calls.h. */
#include "sim/shim_calls.h"

SHIMS(MEMORY_API)
SHIMS(TIME_API)
SHIMS(HOST_API)
SHIMS(CONSOLE_API)
SHIMS(ARCH_API)
