/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of x86_64 in the simulator share. */
#ifndef SIM_X86_64_ARCH_H
#define SIM_X86_64_ARCH_H

#include "sim/arch.h"

extern const struct scenario_language x86_64_language;

#endif
