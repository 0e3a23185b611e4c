/* SPDX-License-Identifier: Apache-2.0 */
/* What of vcpu/rig.h is VMX's alone: the VMCS, as the fake processor has it. */
#ifndef TESTS_HV_ARCH_X86_64_VMX_RIG_H
#define TESTS_HV_ARCH_X86_64_VMX_RIG_H

#include "arch/x86_64/vmx/vmx.h"
#include "hv/arch/x86_64/vcpu/rig.h"
#include "sim/fake_hw/x86_64/vmx/vmcs.h"

extern const char *const rig_vmx_profiles[];

struct vmx_vcpu *rig_vmx(vcpu_id id);
/* A field of its VMCS, on whichever CPU that is, or in memory. */
uint64_t rig_field(vcpu_id id, enum vmcs_at at);

#endif
