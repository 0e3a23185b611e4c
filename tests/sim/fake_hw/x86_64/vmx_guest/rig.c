/* SPDX-License-Identifier: Apache-2.0 */
/* A guest on the fake VMX CPU: see rig.h. */
#include "rig.h"

#include <string.h>

#include "sim/fake_hw/x86_64/vmx/legal.h"

#define EPT_ADDRESS BIT_MASK(51, 12)

struct rig rig;

static const struct guest_op *next_op(struct trap_source *source)
{
    return rig.next < rig.count ? &rig.ops[rig.next++] : NULL;
}

static void op_done(struct trap_source *source,
                    const struct guest_result *result)
{
    rig.last = *result;
    rig.done++;
}

uint64_t *rig_ept(uint64_t gpa)
{
    uint64_t table = FIELD(EPTP) & EPT_ADDRESS;

    for (unsigned level = 3; level > 0; level--) {
        uint64_t *entry = memory_phys_to_virt(hpa(table));

        entry += gpa >> (12 + 9 * level) & 511;
        if (*entry == 0)
            *entry = memory_alloc_frame().raw | 7;
        table = *entry & EPT_ADDRESS;
    }
    return (uint64_t *)memory_phys_to_virt(hpa(table)) + (gpa >> 12 & 511);
}

void *rig_memory(uint64_t gpa)
{
    return memory_phys_to_virt(hpa(rig.memory.raw + gpa));
}

static hpa_t pages(unsigned count)
{
    return memory_alloc_contiguous(count, PAGE_SIZE);
}

/* A region that begins with the revision identifier. */
static hpa_t region(void)
{
    hpa_t page = pages(1);

    *(uint32_t *)memory_phys_to_virt(page) =
        (uint32_t)(rig.cpu->profile->vmx->basic & VMX_BASIC_REVISION);
    return page;
}

static void turn_on(void)
{
    hpa_t vmcs;

    rig.cpu->vmx.cr4 |= X86_CR4_VMXE;
    cr_assert_eq(vmx_vmxon(&rig.cpu->vmx, region().raw), VMX_SUCCEED);
    vmcs = region();
    x86_vmx_vmclear(vmcs);
    x86_vmx_vmptrld(vmcs);
}

static void fill_controls(void)
{
    hpa_t io = pages(2), msrs = pages(1), apic = pages(1);

    rig.io = memory_phys_to_virt(io);
    rig.msrs = memory_phys_to_virt(msrs);
    rig.apic = memory_phys_to_virt(apic);
    FIELD(IO_BITMAP_A) = io.raw;
    FIELD(IO_BITMAP_B) = io.raw + PAGE_SIZE;
    FIELD(MSR_BITMAPS) = msrs.raw;
    FIELD(VIRTUAL_APIC_ADDRESS) = apic.raw;
    FIELD(EPTP) =
        memory_alloc_frame().raw | VMX_MEMORY_WB | FIELD_PUT(VMX_EPTP_WALK, 3);
    FIELD(PIN_CONTROLS) |= VMX_PIN_EXTERNAL_INTERRUPT_EXITING;
    FIELD(PRIMARY_CONTROLS) |= VMX_CPU_SECONDARY_CONTROLS | VMX_CPU_IO_BITMAPS |
                               VMX_CPU_MSR_BITMAPS | VMX_CPU_TPR_SHADOW;
    FIELD(SECONDARY_CONTROLS) |=
        VMX_CPU2_UNRESTRICTED_GUEST | VMX_CPU2_RDTSCP | VMX_CPU2_INVPCID;
    FIELD(EXIT_CONTROLS) |=
        VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER | VMX_EXIT_SAVE_DEBUG_CONTROLS;
    FIELD(ENTRY_CONTROLS) |=
        VMX_ENTRY_LOAD_EFER | VMX_ENTRY_LOAD_DEBUG_CONTROLS;
}

static void fill_guest(void)
{
    FIELD(GUEST_CR0) &= ~X86_CR0_PG;
    FIELD(GUEST_RIP) = RIG_CODE;
    FIELD(GUEST_RSP) = RIG_STACK;
    FIELD(GUEST_IA32_EFER) = 0;
}

void rig_load(const char *profile)
{
    struct vmx_check check;

    sim_reset(1);
    violations_set_print(false);
    vmx_set_rule_mode(RULES_REJECT);
    fake_x86_reset(x86_vmx_profile_find(profile), 1);
    rig = (struct rig){.cpu = fake_x86_current(),
                       .source = {.next = next_op, .done = op_done}};
    fake_x86_set_source(0, &rig.source);
    turn_on();
    rig.cpu->vmx.efer = rig.cpu->efer;
    check = vmx_check_of(&rig.cpu->vmx);
    vmx_make_legal(&check, VMX_GUEST_PROTECTED);
    fill_controls();
    fill_guest();
    rig.memory = pages(RIG_HOLE / PAGE_SIZE);
    for (uint64_t gpa = 0; gpa < RIG_HOLE; gpa += PAGE_SIZE)
        *rig_ept(gpa) = (rig.memory.raw + gpa) | RIG_LEAF;
}

void rig_setup(void)
{
    rig_load("full");
}

void rig_long_mode(void)
{
    for (unsigned level = 0; level < 2; level++)
        *(uint64_t *)rig_memory(RIG_CR3 + level * PAGE_SIZE) =
            (RIG_CR3 + (level + 1) * PAGE_SIZE) | 7;
    *(uint64_t *)rig_memory(RIG_CR3 + 2 * PAGE_SIZE) = 0x80 | 7;
    FIELD(GUEST_CR3) = RIG_CR3;
    FIELD(GUEST_CR4) |= X86_CR4_PAE;
    FIELD(GUEST_CR0) |= X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
    FIELD(GUEST_IA32_EFER) = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    FIELD(GUEST_CS_ACCESS_RIGHTS) = 0xa09b;
    FIELD(ENTRY_CONTROLS) |= VMX_ENTRY_IA32E_MODE_GUEST;
}

void rig_idt(void)
{
    bool is_long = (FIELD(GUEST_IA32_EFER) & X86_EFER_LMA) != 0;
    unsigned size = is_long ? 16 : 8;

    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t gate =
            UINT64_C(0x8e00) << 32 | 0x80000 | (RIG_CODE + 0x100 + vector);

        memcpy(rig_memory(RIG_IDT + vector * size), &gate, sizeof(gate));
    }
    FIELD(GUEST_IDTR_BASE) = RIG_IDT;
    FIELD(GUEST_IDTR_LIMIT) = 256 * size - 1;
}

void rig_enter(void)
{
    rig.result = x86_vmx_enter(&rig.regs, rig.launched);
    rig.launched |= rig.result == X86_VMX_ENTERED;
}

void rig_run(const struct guest_op *ops, unsigned count)
{
    rig.ops = ops;
    rig.count = count;
    rig.next = 0;
    rig.done = 0;
    rig.source.op = NULL;
    rig.source.op_exited = false;
    rig_enter();
}

void rig_one(const struct guest_op *op)
{
    FIELD(GUEST_RIP) = RIG_CODE;
    rig_run(op, 1);
}

unsigned rig_reason(void)
{
    return (unsigned)x86_vmx_vmread(VMCS_EXIT_REASON);
}
