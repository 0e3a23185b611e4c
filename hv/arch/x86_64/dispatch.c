/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every exit passes through, by the vendor whose vCPU it is: there is one
 * so far.
 */
#include "arch/x86_64/svm/svm.h"

EXIT_PATH void x86_world_switch(struct vcpu *vcpu)
{
    svm_world_switch(vcpu);
}

EXIT_PATH void x86_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    svm_decode(vcpu, exit);
}

/* There is none that guests could call. */
enum verdict x86_firmware_call(struct vcpu *vcpu, struct vm_exit *exit)
{
    return VERDICT_INJECT;
}
