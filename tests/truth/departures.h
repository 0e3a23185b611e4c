/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of departures share. */
#ifndef TESTS_TRUTH_DEPARTURES_H
#define TESTS_TRUTH_DEPARTURES_H

#include "tests/truth/host.h"

#define SVM_CONTROL(field) offsetof(struct vmcb_control, field)
#define SVM_SAVE(field)    offsetof(struct vmcb, save.field)

/* RFLAGS 31:22, 15, 5 and 3. */
#define RFLAGS_RESERVED_LOW UINT64_C(0xffc08028)

static inline struct vmcb *truth_vmcb(struct truth_machine *machine)
{
    return machine->control;
}

/* RFLAGS on the stack, with bits that read as zero. */
bool truth_rflags_are_pushed(const struct truth_difference *difference);

/* The page of legacy PAE's four entries, with bit 5 set in the first. */
bool truth_is_pdpte_accessed(const struct truth_difference *difference);

/* A page of the guest's page tables. */
bool truth_is_of_walks(const struct truth_difference *difference);
/* One that the machine has not written to: accessed bits that it sets only at
 * the end of a walk that has succeeded. */
bool truth_is_late_accessed(const struct truth_difference *difference);

extern const struct truth_departure truth_svm_qemu[], truth_svm_bochs[],
    truth_vmx_bochs[];
extern const unsigned truth_svm_qemu_count, truth_svm_bochs_count,
    truth_vmx_bochs_count;

#endif
