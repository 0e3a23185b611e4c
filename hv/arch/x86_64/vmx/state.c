/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's registers: in the VMCS, which can be reached while the vCPU is
 * bound; in struct vmx_exit, those that an exit brings; CR2 and DR6 in the CPU.
 */
#include "addrspace/aspace.h"
#include "arch/x86_64/vmx/vmx.h"
#include "lib/string.h"

/* Segments, numbered as instructions do, then LDTR and TR: their fields follow
 * each other in this order. */
static uint32_t segment_field(enum vmcs_field first, unsigned segment)
{
    return (uint32_t)first + 2 * segment;
}

_Static_assert(VMCS_GUEST_TR_BASE - VMCS_GUEST_ES_BASE == 2 * X86_ENTRY_TR,
               "segments are in the order of their numbers");

/* Access rights have a hole where struct x86_segment's attributes have none,
 * and say themselves that a segment is unusable. */
#define ATTRIBUTES_LOW  BIT_MASK(7, 0)
#define ATTRIBUTES_HIGH BIT_MASK(11, 8)
#define AR_HIGH         BIT_MASK(15, 12)

static uint64_t make_access(uint16_t attributes)
{
    /* SS's DPL is CPL, though SS be unusable. */
    if ((attributes & X86_SEG_PRESENT) == 0)
        return VMX_AR_UNUSABLE | (attributes & VMX_AR_DPL);
    return (attributes & ATTRIBUTES_LOW) |
           FIELD_PUT(AR_HIGH, FIELD_GET(ATTRIBUTES_HIGH, attributes));
}

static uint16_t make_attributes(uint64_t access)
{
    if ((access & VMX_AR_UNUSABLE) != 0)
        return 0;
    return (uint16_t)((access & ATTRIBUTES_LOW) |
                      FIELD_PUT(ATTRIBUTES_HIGH, FIELD_GET(AR_HIGH, access)));
}

void vmx_set_segment(struct x86_vcpu *x86, unsigned number,
                     const struct x86_segment *segment)
{
    x86_vmx_vmwrite(segment_field(VMCS_GUEST_ES_SELECTOR, number),
                    segment->selector);
    x86_vmx_vmwrite(segment_field(VMCS_GUEST_ES_BASE, number), segment->base);
    x86_vmx_vmwrite(segment_field(VMCS_GUEST_ES_LIMIT, number), segment->limit);
    x86_vmx_vmwrite(segment_field(VMCS_GUEST_ES_ACCESS_RIGHTS, number),
                    make_access(segment->attributes));
}

struct x86_segment vmx_get_segment(const struct x86_vcpu *x86, unsigned number)
{
    return (struct x86_segment){
        .base = x86_vmx_vmread(segment_field(VMCS_GUEST_ES_BASE, number)),
        .limit = (uint32_t)x86_vmx_vmread(
            segment_field(VMCS_GUEST_ES_LIMIT, number)),
        .selector = (uint16_t)x86_vmx_vmread(
            segment_field(VMCS_GUEST_ES_SELECTOR, number)),
        .attributes = make_attributes(
            x86_vmx_vmread(segment_field(VMCS_GUEST_ES_ACCESS_RIGHTS, number))),
    };
}

struct x86_entry_table vmx_get_gdtr(const struct x86_vcpu *x86)
{
    return (struct x86_entry_table){
        .base = x86_vmx_vmread(VMCS_GUEST_GDTR_BASE),
        .limit = (uint16_t)x86_vmx_vmread(VMCS_GUEST_GDTR_LIMIT),
    };
}

/* 64-bit mode looks at nothing of a data segment but the base of FS and GS. */
static void get_flat_segments(struct x86_cpu *cpu)
{
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        if (i != X86_CS)
            cpu->segment[i] = (struct x86_segment){.limit = UINT32_MAX,
                                                   .attributes = X86_FLAT_DATA};
    }
    cpu->segment[X86_FS].base = x86_vmx_vmread(VMCS_GUEST_FS_BASE);
    cpu->segment[X86_GS].base = x86_vmx_vmread(VMCS_GUEST_GS_BASE);
}

void vmx_get_cpu(const struct x86_vcpu *x86, struct x86_cpu *cpu)
{
    const struct vmx_vcpu *v = vmx_of_const(x86);

    cpu->rip = v->exit.rip;
    cpu->rflags = v->exit.rflags;
    cpu->control = (struct x86_control){
        vmx_get(x86, X86_REG_CR0), vmx_get(x86, X86_REG_CR3),
        vmx_get(x86, X86_REG_CR4), vmx_get(x86, X86_REG_EFER)};
    cpu->cpl = (uint8_t)FIELD_GET(VMX_AR_DPL,
                                  x86_vmx_vmread(VMCS_GUEST_SS_ACCESS_RIGHTS));
    cpu->segment[X86_CS] = vmx_get_segment(x86, X86_CS);
    if (x86_mode_of(cpu) == X86_MODE_64) {
        get_flat_segments(cpu);
        return;
    }
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        cpu->segment[i] = vmx_get_segment(x86, i);
}

bool vmx_get_code(const struct x86_vcpu *x86, uint64_t *linear, uint64_t *cr3)
{
    const struct vmx_exit *exit = &vmx_of_const(x86)->exit;

    if (unlikely((exit->efer & X86_EFER_LMA) == 0 ||
                 (exit->cs_access & VMX_AR_L) == 0))
        return false;
    *linear = exit->rip;
    *cr3 = exit->cr3;
    return true;
}

/* Control registers ------------------------------------------------------ */

/* PAE paging takes its four pointers from memory when CR3, or how it is used,
 * changes, and from the VMCS at an entry. */
#define PDPTES         4
#define PDPTE_P        BIT(0)
#define PDPTE_RESERVED (BIT_MASK(2, 1) | BIT_MASK(8, 5))

/* The table's entries; one that is not there is not present. False: a reserved
 * bit is set, which an entry would not take. SDM volume 3, section 5.4.1. */
static bool read_pdptes(const struct vmx_vcpu *v, uint64_t cr3,
                        uint64_t pdptes[PDPTES])
{
    uint64_t reserved = PDPTE_RESERVED | BIT_MASK(63, v->x86.physical_bits);

    if (aspace_read(v->x86.base.config.memory, gpa(cr3 & X86_CR3_PAE), pdptes,
                    PDPTES * sizeof(*pdptes)) != OK)
        memset(pdptes, 0, PDPTES * sizeof(*pdptes));
    for (unsigned i = 0; i < PDPTES; i++) {
        if ((pdptes[i] & PDPTE_P) != 0 && (pdptes[i] & reserved) != 0)
            return false;
    }
    return true;
}

bool vmx_load_pdptes(struct x86_vcpu *x86, const struct x86_control *control)
{
    uint64_t pdptes[PDPTES];

    if (!read_pdptes(vmx_of(x86), control->cr3, pdptes))
        return false;
    for (unsigned i = 0; i < PDPTES; i++)
        x86_vmx_vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdptes[i]);
    return true;
}

/* CD and NW of the field have no effect: no entry loads them. */
static void write_cr0(struct vmx_vcpu *v, uint64_t value)
{
    v->cr0_shadow = value;
    x86_vmx_vmwrite(VMCS_CR0_READ_SHADOW, value);
    x86_vmx_vmwrite(VMCS_GUEST_CR0, value | v->controls->cr0_fixed);
}

static void write_cr4(struct vmx_vcpu *v, uint64_t value)
{
    v->cr4_shadow = value;
    x86_vmx_vmwrite(VMCS_CR4_READ_SHADOW, value);
    x86_vmx_vmwrite(VMCS_GUEST_CR4, value | v->controls->cr4_fixed);
}

/* The entry control says what LMA does. */
static void write_efer(const struct vmx_vcpu *v, uint64_t value)
{
    uint32_t entry = v->controls->entry;

    if ((value & X86_EFER_LMA) != 0)
        entry |= VMX_ENTRY_IA32E_MODE_GUEST;
    x86_vmx_vmwrite(VMCS_GUEST_IA32_EFER, value);
    x86_vmx_vmwrite(VMCS_ENTRY_CONTROLS, entry);
}

static uint64_t as_the_guest_sees(uint64_t value, uint64_t shadow,
                                  uint64_t mask)
{
    return (value & ~mask) | (shadow & mask);
}

uint64_t vmx_get(const struct x86_vcpu *x86, enum x86_register reg)
{
    const struct vmx_vcpu *v = vmx_of_const(x86);

    switch (reg) {
    case X86_REG_CR0:
        return as_the_guest_sees(x86_vmx_vmread(VMCS_GUEST_CR0), v->cr0_shadow,
                                 VMX_CR0_MASK);
    case X86_REG_CR4:
        return as_the_guest_sees(x86_vmx_vmread(VMCS_GUEST_CR4), v->cr4_shadow,
                                 vmx_cr4_mask(v));
    case X86_REG_CR2: return x86_hw_read_cr2();
    case X86_REG_CR3: return x86_vmx_vmread(VMCS_GUEST_CR3);
    case X86_REG_EFER: return x86_vmx_vmread(VMCS_GUEST_IA32_EFER);
    case X86_REG_PAT: return x86_vmx_vmread(VMCS_GUEST_IA32_PAT);
    case X86_REG_DR6: return x86_hw_read_dr6();
    case X86_REG_DR7: return x86_vmx_vmread(VMCS_GUEST_DR7);
    case X86_REG_RFLAGS:
    case X86_REG_COUNT: break;
    }
    return v->exit.rflags;
}

void vmx_set(struct x86_vcpu *x86, enum x86_register reg, uint64_t value)
{
    struct vmx_vcpu *v = vmx_of(x86);

    switch (reg) {
    case X86_REG_RFLAGS: v->exit.rflags = value; break;
    case X86_REG_CR0: write_cr0(v, value); break;
    case X86_REG_CR2: x86_hw_write_cr2(value); break;
    case X86_REG_CR3: x86_vmx_vmwrite(VMCS_GUEST_CR3, value); break;
    case X86_REG_CR4: write_cr4(v, value); break;
    case X86_REG_EFER: write_efer(v, value); break;
    case X86_REG_PAT: x86_vmx_vmwrite(VMCS_GUEST_IA32_PAT, value); break;
    case X86_REG_DR6: x86_hw_write_dr6(value); break;
    case X86_REG_DR7: x86_vmx_vmwrite(VMCS_GUEST_DR7, value); break;
    case X86_REG_COUNT: break;
    }
}

/* All registers ---------------------------------------------------------- */

static void write_tables(struct vmx_vcpu *v, const struct x86_entry *entry)
{
    for (unsigned i = 0; i < X86_ENTRY_SEGMENT_COUNT; i++)
        vmx_set_segment(&v->x86, i, &entry->segment[i]);
    x86_vmx_vmwrite(VMCS_GUEST_GDTR_BASE, entry->gdtr.base);
    x86_vmx_vmwrite(VMCS_GUEST_GDTR_LIMIT, entry->gdtr.limit);
    x86_vmx_vmwrite(VMCS_GUEST_IDTR_BASE, entry->idtr.base);
    x86_vmx_vmwrite(VMCS_GUEST_IDTR_LIMIT, entry->idtr.limit);
}

void vmx_write_entry(struct vmx_vcpu *v, const struct x86_entry *entry)
{
    const struct x86_control control = {entry->cr0, entry->cr3, entry->cr4,
                                        entry->efer};

    write_tables(v, entry);
    write_cr0(v, entry->cr0);
    write_cr4(v, entry->cr4);
    write_efer(v, entry->efer);
    x86_vmx_vmwrite(VMCS_GUEST_CR3, entry->cr3);
    x86_vmx_vmwrite(VMCS_GUEST_DR7, X86_DR7_RESET);
    x86_vmx_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    /* What another vCPU has made illegal meanwhile is not present. */
    if (x86_uses_pae(&control))
        (void)vmx_load_pdptes(&v->x86, &control);
}

static void set_registers(struct vmx_vcpu *v, const struct x86_entry *entry)
{
    memcpy(v->x86.regs.gpr, entry->gpr, sizeof(entry->gpr));
    v->exit.rip = entry->rip;
    v->exit.rflags = entry->rflags;
    v->exit.interruptibility = 0;
    v->event = 0;
}

void vmx_enter_at(struct x86_vcpu *x86, const struct x86_entry *entry)
{
    struct vmx_vcpu *v = vmx_of(x86);

    set_registers(v, entry);
    if (!vmx_is_bound(v)) {
        v->entry = *entry;
        v->has_entry = true;
        v->state.cr2 = 0;
        v->state.dr6 = X86_DR6_RESET;
        return;
    }
    vmx_write_entry(v, entry);
    x86_hw_write_cr2(0);
    x86_hw_write_dr6(X86_DR6_RESET);
    vmx_flush(x86);
}

unsigned vmx_insn_bytes(const struct x86_vcpu *x86, uint8_t bytes[X86_INSN_MAX])
{
    return 0;
}

bool vmx_walks_tables(const struct x86_vcpu *x86)
{
    const struct vmx_exit *exit = &vmx_of_const(x86)->exit;
    const uint64_t linear = VMX_EPT_LINEAR | VMX_EPT_FINAL;

    if (unlikely(exit->reason == VMX_REASON_APIC_ACCESS))
        return FIELD_GET(VMX_APIC_TYPE, exit->qualification) >=
               VMX_APIC_PHYSICAL_DELIVERY;
    return (exit->qualification & linear) == VMX_EPT_LINEAR;
}
