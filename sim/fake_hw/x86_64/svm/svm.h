/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVM and nested paging of a fake CPU. Source: AMD64 Architecture Programmer's
 * Manual, volume 2, chapter 15, appendices B and C.
 *
 *   vmrun.c      VMRUN: clean bits, what an entry loads; #VMEXIT
 *   rules.c      what VMRUN checks
 *   intercept.c  what exits: instructions, registers, ports, MSRs
 *   event.c      what exits: exceptions and interrupts; injection
 *   npt.c        nested tables, through the TLB
 *   hw.c         the functions of the seam
 *
 * Not modelled: GIF (x86_svm_run holds it), SMM, AVIC, SEV, LBR virtualisation.
 */
#ifndef SIM_FAKE_HW_X86_64_SVM_SVM_H
#define SIM_FAKE_HW_X86_64_SVM_SVM_H

#include "sim/fake_hw/x86_64/cpu/cpu.h"

static inline bool svm_has(const struct fake_x86 *cpu, enum svm_feature feature)
{
    return (cpu->profile->svm & (uint64_t)feature) != 0;
}

/* vmrun.c ----------------------------------------------------------------- */

/* #VMEXIT: the guest's state goes to the VMCB. */
void svm_exit(struct fake_x86 *cpu, uint64_t code, uint64_t info1,
              uint64_t info2);

/* The same because of the operation in flight, at its RIP. */
void svm_op_exit(struct fake_x86 *cpu, uint64_t code, uint64_t info1,
                 uint64_t info2);

/* What VMRUN leaves as VMLOAD, or a guest, has put it. */
void svm_move_loaded(const struct fake_x86 *cpu, struct vmcb_save *to,
                     const struct vmcb_save *from);

void svm_set_state(struct fake_x86 *cpu);

/* rules.c ----------------------------------------------------------------- */

struct svm_rule {
    enum violation_rule rule; /* name and text */
    const char *section;      /* of APM volume 2; "": none, but a bad idea */
    bool (*holds)(const struct fake_x86 *cpu);
    void (*repair)(struct fake_x86 *cpu); /* NULL: nothing can */
};

/* On the state that VMRUN has loaded, in the order of checking. */
extern const struct svm_rule svm_rules[];
extern const unsigned svm_rule_count;

/* How illegal VMCBs are treated; RULES_REJECT by default. */
void fake_svm_set_rule_mode(enum rule_mode mode);

/* Whether the guest's state is legal, or was made so. */
bool svm_check_guest(struct fake_x86 *cpu);

/* Makes it legal as far as can be, whatever the mode. Who listens hears of the
 * rules that were broken. */
bool svm_repair_guest(struct fake_x86 *cpu);
extern void (*svm_rule_listener)(enum violation_rule rule);

/* What VMRUN makes of a state that it does not refuse. */
void svm_adjust_guest(struct fake_x86 *cpu);

/* Whether VMRUN, VMLOAD, VMSAVE may be executed with the VMCB at `vmcb`. */
bool svm_check_host(const struct fake_x86 *cpu, uint64_t vmcb);

/* npt.c ------------------------------------------------------------------- */

struct cpu_translation svm_translate(struct fake_x86 *cpu, uint64_t gpa,
                                     enum cpu_access access,
                                     enum cpu_place place);
void svm_nested_fault(struct fake_x86 *cpu, uint64_t linear,
                      const struct cpu_translation *translation);

/* intercept.c ------------------------------------------------------------- */

/* Those of struct fake_x86_vendor. */
bool svm_has_op(unsigned kind);
bool svm_op_exits(struct fake_x86 *cpu);
bool svm_read_cr_exits(struct fake_x86 *cpu, unsigned number);
bool svm_write_cr_exits(struct fake_x86 *cpu, unsigned number, uint64_t value);
void svm_wrote_cr(struct fake_x86 *cpu, unsigned number, uint64_t value);
bool svm_dr_exits(struct fake_x86 *cpu, unsigned number, bool write);
bool svm_msr_exits(struct fake_x86 *cpu, uint32_t msr, bool write);
void svm_wrote_msr(struct fake_x86 *cpu, uint32_t msr, uint64_t value);
bool svm_port_exits(struct fake_x86 *cpu);
bool svm_task_switch_exits(struct fake_x86 *cpu, uint64_t selector);
bool svm_ferr_exits(struct fake_x86 *cpu);
void svm_raw_exit(struct fake_x86 *cpu);

/* event.c ----------------------------------------------------------------- */

bool svm_exception_exits(struct fake_x86 *cpu, unsigned vector, uint64_t error,
                         uint64_t cr2);
void svm_shutdown(struct fake_x86 *cpu);
/* EVENTINJ at an entry. */
void svm_inject(struct fake_x86 *cpu);
void svm_interrupt(struct fake_x86 *cpu);

#endif
