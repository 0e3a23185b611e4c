/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU on Intel's VMX (SDM volume 3, chapters 24 to 30). Its files:
 *   vcpu.c      the operations: init, bind, unbind, the entry
 *   controls.c  what the processor can do, and what of it is used
 *   fields.c    which fields an exit brings in
 *   names.c     what the manual calls an exit reason, or an error
 *   fill.c      what a VMCS holds before its first entry
 *   decode.c    VM exit to struct vm_exit, pure
 *   state.c     the guest's registers, in the VMCS and out of it
 *   event.c     events, and the windows for them
 *   vpid.c      VPIDs, and when translations are dropped
 *   bitmap.c    the MSR bitmaps
 *   apic.c      registers of the local APIC that the guest accesses without an
 *               exit
 *   trace.c     what a trace is told of all this
 *
 * A VMCS is in the CPU that its vCPU is bound to, and nowhere else: unbinding
 * clears it. So it can be reached between bind and unbind only; what is set
 * before is kept in struct vmx_vcpu.
 */
#ifndef ARCH_X86_64_VMX_VMX_H
#define ARCH_X86_64_VMX_VMX_H

#include "arch/x86_64/vmx/controls.h"
#include "arch/x86_64/vmx/fields.h"
#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"
#include "vcpu/tag.h"

#define VMX_MSR_BITMAP_SIZE 4096

/* A VMCS region: its header, and what only the processor knows. */
struct vmcs {
    uint32_t revision, abort;
    uint8_t reserved[4088];
} ALIGNED(4096);

/* What the entry writes if it has changed, and what the VMCS has of it. */
struct vmx_written {
    uint64_t rflags, rsp, interruptibility;
};

/* What all vCPUs of a VM share. */
struct vmx_shared {
    /* Pages of the hardware's; the second bitmap is for x2APIC mode. */
    uint8_t msr_bitmap[2][VMX_MSR_BITMAP_SIZE];
    /* The APIC-access page: the guest has it mapped, and never gets there. */
    uint8_t apic_access[4096];
    bool is_mapped; /* the latter, at every start of the VM */
    struct vmx_controls controls;
};

/* Likewise, of the local APIC. */
struct vmx_apic_written {
    uint64_t status; /* the guest's interrupt status */
    uint64_t threshold;
    uint64_t level[LAPIC_VECTOR_WORDS];
};

struct vmx_vcpu {
    struct x86_vcpu x86;
    hpa_t vmcs_pa;
    struct vmx_exit exit;
    struct vmx_written written;
    /* Goes with the next entry: VM-entry interruption information, and the
     * error code in the upper half. 0: nothing does. */
    uint64_t event;
    /* As the guest sees them, of bits that it does not own. */
    uint64_t cr0_shadow, cr4_shadow;
    uint32_t cpu_controls; /* the primary ones, as the VMCS has them */
    uint32_t windows;      /* those of them that ask for a window */
    uint8_t apic_mode;     /* enum lapic_mode, as the VMCS has it */
    bool launched;         /* VMRESUME, not VMLAUNCH */
    bool is_filled;        /* the VMCS has more than its header */
    bool has_entry;        /* the next bind writes `entry` to it */
    uint8_t host_cpu;      /* whose host-state area it has, or X86_NO_CPU */

    struct tag vpid;
    uint64_t eptp;

    const struct vmx_controls *controls; /* of all vCPUs of the VM */
    struct vmx_shared *shared;           /* those, and what else there is */
    struct x86_vmx_state state;          /* while it is not bound */
    struct x86_entry entry;              /* likewise, if it is the newer one */

    struct lapic_processor apic; /* without a page: all of it exits */
    struct vmx_apic_written apic_written;

    struct vmcs vmcs;
    uint32_t apic_page[1024] ALIGNED(4096); /* the virtual-APIC page */
};

static inline struct vmx_vcpu *to_vmx(struct vcpu *vcpu)
{
    return container_of(vcpu, struct vmx_vcpu, x86.base);
}

static inline const struct vmx_vcpu *to_vmx_const(const struct vcpu *vcpu)
{
    return container_of(vcpu, const struct vmx_vcpu, x86.base);
}

static inline struct vmx_vcpu *vmx_of(struct x86_vcpu *v)
{
    return container_of(v, struct vmx_vcpu, x86);
}

static inline const struct vmx_vcpu *vmx_of_const(const struct x86_vcpu *v)
{
    return container_of(v, const struct vmx_vcpu, x86);
}

/* Whether the VMCS can be reached. */
static inline bool vmx_is_bound(const struct vmx_vcpu *v)
{
    return v->x86.base.state == VCPU_READY || v->x86.base.state == VCPU_RUNNING;
}

/* The architecture's row in the VMM's table. */
extern const struct vcpu_ops x86_vmx_vcpu_ops;

/* --- fill.c --- */

/* Writes everything but the guest's registers, and those of them that INIT
 * leaves alone. */
void vmx_fill(struct vmx_vcpu *v);

/* Bits of CR0 that the guest does not own: NE must be 1, and CD and NW, which
 * no entry and no exit switches, would be the host's, too. */
#define VMX_CR0_MASK (X86_CR0_NE | X86_CR0_NW | X86_CR0_CD)

/* Likewise of CR4: what is not the guest's, and MCE, without which the machine
 * would shut down where the host has a report to make. */
uint64_t vmx_cr4_mask(const struct vmx_vcpu *v);

/* --- names.c --- */

/* Of struct vmx_exit's reason. NULL: the manual has none. */
const char *vmx_reason_name(uint64_t reason);

/* --- state.c --- */

/* The VMCS gets the registers of `entry`, and the CPU those that it has not. */
void vmx_write_entry(struct vmx_vcpu *v, const struct x86_entry *entry);
void vmx_get_cpu(const struct x86_vcpu *x86, struct x86_cpu *cpu);
bool vmx_get_code(const struct x86_vcpu *x86, uint64_t *linear, uint64_t *cr3);
uint64_t vmx_get(const struct x86_vcpu *x86, enum x86_register reg);
void vmx_set(struct x86_vcpu *x86, enum x86_register reg, uint64_t value);
bool vmx_load_pdptes(struct x86_vcpu *x86, const struct x86_control *control);
void vmx_enter_at(struct x86_vcpu *x86, const struct x86_entry *entry);
struct x86_segment vmx_get_segment(const struct x86_vcpu *x86, unsigned number);
void vmx_set_segment(struct x86_vcpu *x86, unsigned number,
                     const struct x86_segment *segment);
struct x86_entry_table vmx_get_gdtr(const struct x86_vcpu *x86);
unsigned vmx_insn_bytes(const struct x86_vcpu *x86,
                        uint8_t bytes[X86_INSN_MAX]);
bool vmx_walks_tables(const struct x86_vcpu *x86);

/* --- event.c --- */

void vmx_sets_event(struct x86_vcpu *x86, const struct x86_event *event);
bool vmx_takes_interrupt(const struct x86_vcpu *x86);
bool vmx_takes_nmi(const struct x86_vcpu *x86);
void vmx_set_windows(struct x86_vcpu *x86, bool interrupt, bool nmi);
void vmx_take_exception(struct x86_vcpu *x86, uint8_t vector);
void vmx_set_nmi_blocking(struct x86_vcpu *x86, bool on);
/* After an exit: what it has cut short is delivered again. */
void vmx_resume_event(struct vmx_vcpu *v);
/* After an exit of an IRET that faults, and has unblocked NMIs before: it will
 * come again. */
void vmx_block_nmi(struct vmx_vcpu *v);
/* After an exit of an exception, or by an interrupt or NMI of the host. */
void vmx_take_interruption(struct vmx_vcpu *v);

/* --- vpid.c --- */

/* What a CPU holds of vCPUs. Touched by that CPU alone. */
struct vmx_cpu {
    struct tag_space vpids;
} ALIGNED(64);

extern struct vmx_cpu vmx_cpus[MAX_CPU_NUM];

void vmx_reset_machine(void);
/* Gives the vCPU, which is bound to `cpu`, the current one, a VPID that is
 * valid there, and drops the stage-2 translations that it may find there. */
void vmx_assign_vpid(struct vmx_vcpu *v, uint32_t cpu);
/* The guest's own translations are dropped before it is entered again. */
void vmx_flush(struct x86_vcpu *x86);
/* Those of stage 2 are, and what has been made of them. */
void vmx_flush_stage2(struct vmx_vcpu *v);

/* --- bitmap.c --- */

/* Fills the bitmap, so that all MSRs exit but those of X86_MSR_DIRECT. */
void vmx_msr_bitmap_init(uint8_t bitmap[VMX_MSR_BITMAP_SIZE],
                         const struct x86_guest_cpuid *cpuid);
/* And those of x2APIC mode that the processor virtualizes, by its secondary
 * `controls`. */
void vmx_msr_bitmap_pass_x2apic(uint8_t bitmap[VMX_MSR_BITMAP_SIZE],
                                uint32_t controls);

/* --- apic.c --- */

/* Once per vCPU that has a local APIC, and once per start of the VM. */
void vmx_apic_init(struct vmx_vcpu *v);
err_t vmx_apic_setup(struct vmx_vcpu *v) MUST_CHECK;
/* All of it exits. */
void vmx_apic_clear(struct vmx_vcpu *v);
void vmx_apic_fill(const struct vmx_vcpu *v);
/* The primary controls, as the local APIC and the windows ask for them. */
uint32_t vmx_cpu_controls(const struct vmx_vcpu *v);
void vmx_lend_apic(struct x86_vcpu *x86);
uint32_t vmx_read_apic(const struct x86_vcpu *x86, uint32_t offset);

/* --- vcpu.c --- */

void vmx_world_switch(struct vcpu *vcpu);

/* --- decode.c --- */

void vmx_decode(const struct vcpu *vcpu, struct vm_exit *exit);

#endif
