/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's registers in its VMCB. FS, GS, TR, LDTR and what belongs to them
 * are in the CPU while the vCPU is bound (VMLOAD): of those, the emulator needs
 * the bases of FS and GS, and takes their segments for flat otherwise.
 */
#include "arch/x86_64/svm/svm.h"
#include "lib/string.h"

static struct x86_segment get_segment(const struct vmcb_segment *from)
{
    return (struct x86_segment){from->base, from->limit, from->selector,
                                from->attrib};
}

static void set_segment(struct vmcb_segment *to, const struct x86_segment *from)
{
    *to = (struct vmcb_segment){from->selector, from->attributes, from->limit,
                                from->base};
}

static struct x86_segment flat_segment(uint32_t base_msr)
{
    return (struct x86_segment){x86_hw_read_msr(base_msr), UINT32_MAX, 0,
                                X86_FLAT_DATA};
}

void svm_get_cpu(const struct x86_vcpu *x86, struct x86_cpu *cpu)
{
    const struct vmcb_save *save = &svm_of_const(x86)->vmcb.save;

    cpu->rip = save->rip;
    cpu->rflags = save->rflags;
    cpu->control = (struct x86_control){save->cr0, save->cr3, save->cr4,
                                        save->efer & ~X86_EFER_SVME};
    cpu->cpl = save->cpl;
    cpu->segment[X86_CS] = get_segment(&save->cs);
    cpu->segment[X86_ES] = get_segment(&save->es);
    cpu->segment[X86_SS] = get_segment(&save->ss);
    cpu->segment[X86_DS] = get_segment(&save->ds);
    cpu->segment[X86_FS] = flat_segment(X86_MSR_FS_BASE);
    cpu->segment[X86_GS] = flat_segment(X86_MSR_GS_BASE);
}

bool svm_get_code(const struct x86_vcpu *x86, uint64_t *linear, uint64_t *cr3)
{
    const struct vmcb_save *save = &svm_of_const(x86)->vmcb.save;

    if (unlikely((save->efer & X86_EFER_LMA) == 0 ||
                 (save->cs.attrib & VMCB_ATTRIB_L) == 0))
        return false;
    *linear = save->rip;
    *cr3 = save->cr3;
    return true;
}

static const struct {
    uint16_t offset; /* in the VMCB */
    uint16_t clean;
} registers[X86_REG_COUNT] = {
#define AT(field, bits)                           \
    {                                             \
        offsetof(struct vmcb, save.field), (bits) \
    }
    [X86_REG_RFLAGS] = AT(rflags, 0),    [X86_REG_CR0] = AT(cr0, CLEAN_CRX),
    [X86_REG_CR2] = AT(cr2, CLEAN_CR2),  [X86_REG_CR3] = AT(cr3, CLEAN_CRX),
    [X86_REG_CR4] = AT(cr4, CLEAN_CRX),  [X86_REG_EFER] = AT(efer, CLEAN_CRX),
    [X86_REG_PAT] = AT(g_pat, CLEAN_NP), [X86_REG_DR6] = AT(dr6, CLEAN_DRX),
    [X86_REG_DR7] = AT(dr7, CLEAN_DRX),
#undef AT
};

/* EFER.SVME is always 1 in a VMCB, and 0 to the guest. */
uint64_t svm_get(const struct x86_vcpu *x86, enum x86_register reg)
{
    const struct svm_vcpu *v = svm_of_const(x86);
    uint64_t value =
        *(const uint64_t *)((const char *)&v->vmcb + registers[reg].offset);

    return reg == X86_REG_EFER ? value & ~X86_EFER_SVME : value;
}

void svm_set(struct x86_vcpu *x86, enum x86_register reg, uint64_t value)
{
    struct svm_vcpu *v = svm_of(x86);

    if (reg == X86_REG_EFER)
        value |= X86_EFER_SVME;
    *(uint64_t *)((char *)&v->vmcb + registers[reg].offset) = value;
    svm_dirty(v, registers[reg].clean);
}

static void set_segments(struct vmcb_save *save, const struct x86_entry *entry)
{
    set_segment(&save->es, &entry->segment[X86_ES]);
    set_segment(&save->cs, &entry->segment[X86_CS]);
    set_segment(&save->ss, &entry->segment[X86_SS]);
    set_segment(&save->ds, &entry->segment[X86_DS]);
    set_segment(&save->fs, &entry->segment[X86_FS]);
    set_segment(&save->gs, &entry->segment[X86_GS]);
    set_segment(&save->ldtr, &entry->segment[X86_ENTRY_LDTR]);
    set_segment(&save->tr, &entry->segment[X86_ENTRY_TR]);
    save->gdtr = (struct vmcb_segment){.limit = entry->gdtr.limit,
                                       .base = entry->gdtr.base};
    save->idtr = (struct vmcb_segment){.limit = entry->idtr.limit,
                                       .base = entry->idtr.base};
}

/* Whoever is bound has FS and its like in the CPU, with MSRs that keep their
 * values: they are stored, and loaded again. */
void svm_enter_at(struct x86_vcpu *x86, const struct x86_entry *entry)
{
    struct svm_vcpu *v = svm_of(x86);
    struct vmcb_save *save = &v->vmcb.save;
    bool is_bound =
        x86->base.state == VCPU_READY || x86->base.state == VCPU_RUNNING;

    if (is_bound)
        x86_svm_vmsave(v->vmcb_pa);
    memcpy(x86->regs.gpr, entry->gpr, sizeof(entry->gpr));
    set_segments(save, entry);
    save->cpl = 0;
    save->rip = entry->rip;
    save->rflags = entry->rflags;
    save->cr0 = entry->cr0;
    save->cr2 = 0;
    save->cr3 = entry->cr3;
    save->cr4 = entry->cr4;
    save->efer = entry->efer | X86_EFER_SVME;
    save->dr6 = X86_DR6_RESET;
    save->dr7 = X86_DR7_RESET;
    v->vmcb.control.interrupt_shadow = 0;
    v->vmcb.control.eventinj = 0;
    svm_reset_nmi(v);
    svm_dirty(v, (uint32_t)CLEAN_ALL);
    if (is_bound) {
        x86_svm_vmload(v->vmcb_pa);
        svm_flush(x86);
    }
}

/* Of a nested page fault only, and not of a fetch's (section 15.8.4). */
unsigned svm_insn_bytes(const struct x86_vcpu *x86, uint8_t bytes[X86_INSN_MAX])
{
    const struct svm_vcpu *v = svm_of_const(x86);
    const struct vmcb_control *control = &v->vmcb.control;
    unsigned count = control->bytes_fetched & 15;

    if (!x86->has_insn_bytes || control->exitcode != VMEXIT_NPF)
        return 0;
    memcpy(bytes, control->instruction_bytes, X86_INSN_MAX);
    return count;
}

bool svm_walks_tables(const struct x86_vcpu *x86)
{
    return (svm_of_const(x86)->vmcb.control.exitinfo1 & NPF_TABLE) != 0;
}
