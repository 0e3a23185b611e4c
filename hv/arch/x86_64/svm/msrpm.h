/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR permission map of a VM: AMD APM volume 2, section 15.11. */
#ifndef ARCH_X86_64_SVM_MSRPM_H
#define ARCH_X86_64_SVM_MSRPM_H

#include "arch/x86_64/guest_msr.h"
#include "arch/x86_64/svm/vmcb.h"

/* Fills the map, so that all MSRs exit but those of X86_MSR_DIRECT. */
void svm_msrpm_init(uint8_t map[MSRPM_SIZE],
                    const struct x86_guest_cpuid *cpuid);

#endif
