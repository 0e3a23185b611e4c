/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU of the test's own: vCPU 1 of the rig's VM is taken from the VMM, bound
 * to CPUs 1 and 2 by the test, and does one operation at a time.
 */
#ifndef TESTS_HV_ARCH_X86_64_VCPU_OWN_H
#define TESTS_HV_ARCH_X86_64_VCPU_OWN_H

#include "hv/arch/x86_64/vcpu/rig.h"

/* Starts the rig, with both vCPUs in long mode. */
void own_take(const char *profile);
void own_give_back(void);
void own_bind(uint32_t cpu);
void own_unbind(void);
/* The operation's result, on the CPU where the vCPU is bound. */
struct guest_result own_run(const struct guest_op *op);
/* The same on `cpu`, to which it is bound meanwhile. */
struct guest_result own_run_once(const struct guest_op *op, uint32_t cpu);

/* The page of RIG_DATA, another frame with another value. */
void own_replace_page(uint64_t value);

#endif
