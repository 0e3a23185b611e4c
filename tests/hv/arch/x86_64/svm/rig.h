/* SPDX-License-Identifier: Apache-2.0 */
/* What of vcpu/rig.h is SVM's alone: the VMCB, and exits as it tells them. */
#ifndef TESTS_HV_ARCH_X86_64_SVM_RIG_H
#define TESTS_HV_ARCH_X86_64_SVM_RIG_H

#include "arch/x86_64/svm/svm.h"
#include "hv/arch/x86_64/vcpu/rig.h"
#include "sim/fake_hw/x86_64/svm/svm.h"

extern const char *const rig_svm_profiles[];

struct svm_vcpu *rig_svm(vcpu_id id);
static inline struct vmcb *rig_vmcb(vcpu_id id)
{
    return &rig_svm(id)->vmcb;
}

/*
 * An exit that the test makes up: the instruction of these bytes, at RIP,
 * exits with this code, as a processor of the profile says it. The hypervisor
 * handles it, and the guest is entered, at whatever it finds.
 */
struct rig_exit {
    uint64_t code, info1, info2;
    uint8_t length;
    uint8_t bytes[X86_INSN_MAX];
    uint64_t event; /* that it has cut short, as EXITINTINFO has it */
    bool is_there;  /* in memory already: `bytes` do not count */
};
enum verdict rig_exit(vcpu_id id, const struct rig_exit *exit);

#endif
