/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every exit passes through, by the vendor whose vCPU it is. The image
 * calls these directly (VCPU_OP, hv/vcpu/vcpu.h), so that the compiler joins
 * both vendors' paths with their callers, behind one branch that always goes
 * the same way; elsewhere the table of operations names a vendor's own.
 */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vmx/vmx.h"

static ALWAYS_INLINE bool has_svm(const struct vcpu *vcpu)
{
    return vcpu->ops == &x86_svm_vcpu_ops;
}

EXIT_PATH void x86_world_switch(struct vcpu *vcpu)
{
    if (has_svm(vcpu))
        svm_world_switch(vcpu);
    else
        vmx_world_switch(vcpu);
}

EXIT_PATH void x86_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    if (has_svm(vcpu))
        svm_decode(vcpu, exit);
    else
        vmx_decode(vcpu, exit);
}

/* There is none that guests could call. */
enum verdict x86_firmware_call(struct vcpu *vcpu, struct vm_exit *exit)
{
    return VERDICT_INJECT;
}
