/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's local APIC, as far as the processor has its registers: SDM volume
 * 3C, chapter "APIC Virtualization and Virtual Interrupts". device/pc/lapic.h
 * says whose they are when.
 *
 * Which controls are on follows from the mode that the guest has put its local
 * APIC into. In xAPIC mode its page is that of virtual-APIC registers; a write
 * that more follows from than the processor does exits when it is complete. In
 * x2APIC mode accesses to MSRs go there. Of one that is off, or that software
 * has disabled, all exits.
 *
 * The page of xAPIC mode is mapped for all vCPUs of a VM or for none: with the
 * first that goes to x2APIC mode the mapping goes, until the VM is reset, and
 * who is still in xAPIC mode has EPT violations instead.
 *
 * Not used: posted interrupts (a request makes the vCPU exit, and be lent it),
 * and IPI virtualization.
 */
#include "addrspace/aspace.h"
#include "api/memory.h"
#include "arch/x86_64/vmx/vmx.h"
#include "lib/check.h"
#include "lib/string.h"

/* Offsets in the virtual-APIC page. */
#define VTPR      0x080
#define VISR      0x100
#define VIRR      0x200
#define VICR_LOW  0x300
#define VICR_HIGH 0x310

static uint64_t read_page(const struct vmx_vcpu *v, uint32_t offset)
{
    return x86_vmx_read_apic(v->apic_page, offset);
}

/* 256 bits, of which each 16 bytes have 32; `any` says that they are not 0. */
static void read_set(const struct vmx_vcpu *v, uint32_t offset, bool any,
                     uint64_t set[LAPIC_VECTOR_WORDS])
{
    for (unsigned i = 0; i < LAPIC_VECTOR_WORDS; i++)
        set[i] = any ? read_page(v, offset + 0x20 * i) |
                           read_page(v, offset + 0x20 * i + 0x10) << 32
                     : 0;
}

static void fetch(const struct lapic_processor *processor,
                  struct lapic_held *held)
{
    struct vmx_vcpu *v = container_of(
        (struct lapic_processor *)(uintptr_t)processor, struct vmx_vcpu, apic);
    uint64_t status;

    held->tpr = (uint8_t)read_page(v, VTPR);
    held->icr_low = (uint32_t)read_page(v, VICR_LOW);
    held->icr_high = (uint32_t)read_page(v, VICR_HIGH);
    if (!processor->delivers)
        return;
    status = x86_vmx_vmread(VMCS_GUEST_INTERRUPT_STATUS);
    read_set(v, VIRR, (status & VMX_STATUS_RVI) != 0, held->requested);
    read_set(v, VISR, (status & VMX_STATUS_SVI) != 0, held->served);
    v->apic_written.status = status;
}

uint32_t vmx_read_apic(const struct x86_vcpu *x86, uint32_t offset)
{
    return (uint32_t)read_page(vmx_of_const(x86), offset);
}

void vmx_apic_init(struct vmx_vcpu *v)
{
    if (v->x86.lapic == NULL || !v->controls->has_tpr_shadow)
        return;
    v->apic = (struct lapic_processor){
        .page = v->apic_page,
        .delivers = (v->controls->apic & VMX_CPU2_VIRTUAL_INTERRUPTS) != 0,
        .fetch = fetch,
    };
    lapic_attach(v->x86.lapic, &v->apic);
}

/* The first vCPU maps the page. A VM that has memory there goes without. */
err_t vmx_apic_setup(struct vmx_vcpu *v)
{
    err_t error;

    if (v->apic.page == NULL || x86_first(&v->x86) != &v->x86 ||
        (v->controls->apic & VMX_CPU2_APIC_ACCESSES) == 0)
        return OK;
    error = aspace_map_hidden(v->x86.base.config.memory, gpa(APIC_PAGE),
                              memory_virt_to_phys(v->shared->apic_access),
                              APIC_PAGE_SIZE);
    if (error == ERR_ALREADY_EXISTS)
        return OK;
    v->shared->is_mapped = error == OK;
    return error;
}

void vmx_apic_clear(struct vmx_vcpu *v)
{
    v->apic_mode = LAPIC_OFF;
    v->apic_written = (struct vmx_apic_written){0};
}

/* Controls ---------------------------------------------------------------- */

uint32_t vmx_cpu_controls(const struct vmx_vcpu *v)
{
    const uint32_t cr8 =
        (uint32_t)(VMX_CPU_CR8_LOAD_EXITING | VMX_CPU_CR8_STORE_EXITING);
    uint32_t controls = v->controls->cpu | v->windows;

    return v->apic_mode == LAPIC_OFF
               ? controls
               : (controls & ~cr8) | (uint32_t)VMX_CPU_TPR_SHADOW;
}

/* Accesses to the page of a local APIC that is off exit, and find nothing. */
static uint32_t cpu2_controls(const struct vmx_vcpu *v)
{
    const uint32_t accesses[] = {
        [LAPIC_OFF] = (uint32_t)VMX_CPU2_APIC_ACCESSES,
        [LAPIC_XAPIC] = (uint32_t)VMX_CPU2_APIC_ACCESSES,
        [LAPIC_X2APIC] = (uint32_t)VMX_CPU2_X2APIC_MODE,
    };
    uint32_t controls = v->controls->apic & accesses[v->apic_mode];

    if (v->apic.page == NULL)
        return v->controls->cpu2;
    if (v->apic_mode != LAPIC_OFF)
        controls |= v->controls->apic & (uint32_t)VMX_CPU2_VIRTUAL_INTERRUPTS;
    if (v->apic_mode != LAPIC_OFF && controls != 0)
        controls |= v->controls->apic & (uint32_t)VMX_CPU2_APIC_REGISTERS;
    return v->controls->cpu2 | controls;
}

/* The second one only where the processor virtualizes these MSRs. */
static const uint8_t *msr_bitmap(const struct vmx_vcpu *v)
{
    bool is_x2apic = (cpu2_controls(v) & VMX_CPU2_X2APIC_MODE) != 0;

    return v->shared->msr_bitmap[is_x2apic ? 1 : 0];
}

static void write_controls(const struct vmx_vcpu *v)
{
    x86_vmx_vmwrite(VMCS_PRIMARY_CONTROLS, v->cpu_controls);
    x86_vmx_vmwrite(VMCS_SECONDARY_CONTROLS, cpu2_controls(v));
    x86_vmx_vmwrite(VMCS_MSR_BITMAPS, memory_virt_to_phys(msr_bitmap(v)).raw);
}

static void write_written(const struct vmx_vcpu *v)
{
    if (!v->apic.delivers) {
        x86_vmx_vmwrite(VMCS_TPR_THRESHOLD, v->apic_written.threshold);
        return;
    }
    x86_vmx_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, v->apic_written.status);
    for (unsigned i = 0; i < LAPIC_VECTOR_WORDS; i++)
        x86_vmx_vmwrite(VMCS_EOI_EXIT0 + 2 * i, v->apic_written.level[i]);
}

void vmx_apic_fill(const struct vmx_vcpu *v)
{
    write_controls(v);
    if (v->apic.page == NULL)
        return;
    x86_vmx_vmwrite(VMCS_VIRTUAL_APIC_ADDRESS,
                    memory_virt_to_phys(v->apic_page).raw);
    if ((v->controls->apic & VMX_CPU2_APIC_ACCESSES) != 0)
        x86_vmx_vmwrite(VMCS_APIC_ACCESS_ADDRESS,
                        memory_virt_to_phys(v->shared->apic_access).raw);
    write_written(v);
}

static void set_mode(struct vmx_vcpu *v, enum lapic_mode mode)
{
    if (v->apic_mode == mode)
        return;
    v->apic_mode = (uint8_t)mode;
    v->cpu_controls = vmx_cpu_controls(v);
    write_controls(v);
    if (mode == LAPIC_X2APIC && v->shared->is_mapped) {
        /* One page, which is no part of a larger leaf: it cannot fail. */
        err_t error = aspace_unmap(v->x86.base.config.memory, gpa(APIC_PAGE),
                                   APIC_PAGE_SIZE);
        CHECK(error == OK);
    }
}

void vmx_lend_apic(struct x86_vcpu *x86)
{
    struct vmx_vcpu *v = vmx_of(x86);
    struct vmx_apic_written written = {0};
    struct lapic_lent lent;

    lapic_lend(x86->lapic, &lent);
    set_mode(v, lent.mode);
    if (v->apic.delivers) {
        written.status = FIELD_PUT(VMX_STATUS_RVI, lent.requested) |
                         FIELD_PUT(VMX_STATUS_SVI, lent.served);
        memcpy(written.level, lent.level, sizeof(written.level));
    } else {
        written.threshold = lent.threshold;
    }
    if (memcmp(&written, &v->apic_written, sizeof(written)) == 0)
        return;
    v->apic_written = written;
    write_written(v);
}
