/* SPDX-License-Identifier: Apache-2.0 */
/* What a fake CPU has of SVM. */
#ifndef SIM_FAKE_HW_X86_64_SVM_STATE_H
#define SIM_FAKE_HW_X86_64_SVM_STATE_H

#include <stdint.h>

#include "arch/x86_64/svm/vmcb.h"

struct fake_svm {
    uint64_t vm_hsave_pa, vm_cr; /* the host's MSRs */

    /* The control area as the processor knows it: while its guest is in, and
     * after an exit what is remembered of the VMCB at `cached_pa`. */
    struct vmcb_control control;
    uint64_t cached_pa; /* 0: none */

    /* While a guest is in. */
    struct vmcb *memory;
    uint64_t vmcb_pa;
    uint32_t pause_left; /* PAUSEs until one exits */
};

#endif
