/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU on AMD's SVM (APM volume 2, chapter 15). Its files:
 *   vcpu.c     the operations: the VMCB's controls, bind, unbind, the entry
 *   decode.c   #VMEXIT to struct vm_exit, pure
 *   state.c    the guest's registers, in the VMCB and out of it
 *   event.c    events, and the windows for them
 *   nmi.c      when an NMI's handler is over
 *   asid.c     ASIDs, and when a TLB is flushed
 *   trace.c    what a trace is told of all this
 */
#ifndef ARCH_X86_64_SVM_SVM_H
#define ARCH_X86_64_SVM_SVM_H

#include "arch/x86_64/svm/vmcb.h"
#include "arch/x86_64/x86.h"
#include "vcpu/tag.h"

/* A guest that handles an NMI takes no other until its IRET. */
enum svm_nmi {
    NMI_NONE,
    NMI_HANDLED,
    NMI_ENDS, /* the IRET has exited, and is not made yet */
};

/* The guest is single-stepped over the IRET at `nmi_iret`: see nmi.c. */
struct svm_step {
    bool on;
    uint64_t rflags, dr6; /* the guest's own: TF and RF; all of it */
};

/* What always exits. */
#define SVM_INTERCEPTED_EXCEPTIONS \
    (BIT(X86_VECTOR_DB) | BIT(X86_VECTOR_AC) | BIT(X86_VECTOR_MC))

struct svm_vcpu {
    struct x86_vcpu x86;
    hpa_t vmcb_pa;
    const void *maps; /* MSRPM and IOPM, of all vCPUs of the VM */

    uint64_t features; /* enum svm_feature */
    uint32_t asids;    /* ASID 0 included */
    struct tag asid;   /* the VMCB's */
    uint8_t nmi;       /* enum svm_nmi */
    uint64_t nmi_iret; /* of NMI_ENDS: where the IRET is */
    struct svm_step step;

    struct vmcb vmcb; /* a page */
};

static inline struct svm_vcpu *to_svm(struct vcpu *vcpu)
{
    return container_of(vcpu, struct svm_vcpu, x86.base);
}

static inline const struct svm_vcpu *to_svm_const(const struct vcpu *vcpu)
{
    return container_of(vcpu, const struct svm_vcpu, x86.base);
}

static inline struct svm_vcpu *svm_of(struct x86_vcpu *v)
{
    return container_of(v, struct svm_vcpu, x86);
}

static inline const struct svm_vcpu *svm_of_const(const struct x86_vcpu *v)
{
    return container_of(v, const struct svm_vcpu, x86);
}

/* Fields that have been written: the processor must look at them again. */
static inline void svm_dirty(struct svm_vcpu *v, uint32_t clean_bits)
{
    v->vmcb.control.clean &= ~clean_bits;
}

static inline bool svm_is_in_shadow(const struct svm_vcpu *v)
{
    return (v->vmcb.control.interrupt_shadow & SHADOW_INTERRUPT) != 0;
}

/* The architecture's row in the VMM's table. */
extern const struct vcpu_ops x86_svm_vcpu_ops;

/* --- state.c --- */

void svm_get_cpu(const struct x86_vcpu *x86, struct x86_cpu *cpu);
bool svm_get_code(const struct x86_vcpu *x86, uint64_t *linear, uint64_t *cr3);
uint64_t svm_get(const struct x86_vcpu *x86, enum x86_register reg);
void svm_set(struct x86_vcpu *x86, enum x86_register reg, uint64_t value);
void svm_enter_at(struct x86_vcpu *x86, const struct x86_entry *entry);
unsigned svm_insn_bytes(const struct x86_vcpu *x86,
                        uint8_t bytes[X86_INSN_MAX]);
bool svm_walks_tables(const struct x86_vcpu *x86);

/* --- event.c --- */

void svm_sets_event(struct x86_vcpu *x86, const struct x86_event *event);
bool svm_takes_interrupt(const struct x86_vcpu *x86);
void svm_set_windows(struct x86_vcpu *x86, bool interrupt, bool nmi);
/* After an exit: what it has cut short is delivered again. */
void svm_resume_event(struct svm_vcpu *v);

/* --- nmi.c --- */

/* The guest takes an NMI now. */
void svm_begin_nmi(struct svm_vcpu *v);
bool svm_takes_nmi(const struct x86_vcpu *x86);
/* Whether the IRET of an NMI's handler has exited, and is what comes next. */
bool svm_is_at_iret(const struct svm_vcpu *v);
/* An exit as soon as the IRET is made, if the guest is at it. */
void svm_step_over_iret(struct svm_vcpu *v);
/* After an exit: it may have been the IRET, or the step over it. */
void svm_end_nmi(struct svm_vcpu *v);
/* No NMI, no step. */
void svm_reset_nmi(struct svm_vcpu *v);

/* --- asid.c --- */

/* What a CPU holds of vCPUs. Touched by that CPU alone. */
struct svm_cpu {
    struct tag_space asids;
    bool must_flush; /* before the next entry, whoever's it is */
} ALIGNED(64);

extern struct svm_cpu svm_cpus[MAX_CPU_NUM];

void svm_reset_machine(void);
/* Makes the VMCB's ASID valid on `cpu`, the current one. */
void svm_assign_asid(struct svm_vcpu *v, uint32_t cpu);
/* Nothing that the guest's translations were is used at its next entry. */
void svm_flush(struct x86_vcpu *x86);
/* The entry has carried out the VMCB's TLB_CONTROL. */
void svm_flushed(struct svm_vcpu *v);

/* --- vcpu.c --- */

void svm_world_switch(struct vcpu *vcpu);

/* --- decode.c --- */

void svm_decode(const struct vcpu *vcpu, struct vm_exit *exit);

#endif
