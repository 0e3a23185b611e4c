/* SPDX-License-Identifier: Apache-2.0 */
/* The architectures of targets whose machines are of x86_64 with SVM. */
#include "sim/arch.h"

const struct sim_arch *const sim_archs[] = {&x86_64_sim_arch, NULL};
