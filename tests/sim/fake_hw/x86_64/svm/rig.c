/* SPDX-License-Identifier: Apache-2.0 */
/* A guest on the fake SVM CPU: see rig.h. */
#include "rig.h"

#include <string.h>

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

uint64_t *rig_nested(uint64_t gpa)
{
    uint64_t table = rig.vmcb->control.n_cr3;

    for (unsigned level = 3; level > 0; level--) {
        uint64_t *entry = memory_phys_to_virt(hpa(table));

        entry += gpa >> (12 + 9 * level) & 511;
        if (*entry == 0)
            *entry = memory_alloc_frame().raw | RIG_LEAF;
        table = *entry & NPT_ADDRESS;
    }
    return (uint64_t *)memory_phys_to_virt(hpa(table)) + (gpa >> 12 & 511);
}

void *rig_memory(uint64_t gpa)
{
    return memory_phys_to_virt(hpa(rig.memory.raw + gpa));
}

static hpa_t pages(uint64_t size)
{
    return memory_alloc_contiguous(size / PAGE_SIZE, PAGE_SIZE);
}

static void fill_control(struct vmcb_control *control)
{
    hpa_t iopm = pages(IOPM_SIZE);
    hpa_t msrpm = pages(MSRPM_SIZE);

    rig.iopm = memory_phys_to_virt(iopm);
    rig.msrpm = memory_phys_to_virt(msrpm);
    memset(rig.iopm, 0xff, IOPM_SIZE);
    memset(rig.msrpm, 0xff, MSRPM_SIZE);
    control->iopm_base_pa = iopm.raw;
    control->msrpm_base_pa = msrpm.raw;
    control->guest_asid = 1;
    control->np_enable = 1;
    control->n_cr3 = memory_alloc_frame().raw;
    control->vintr = VINTR_V_INTR_MASKING;
    vmcb_set_intercept(control, INTERCEPT_INTR, true);
    vmcb_set_intercept(control, INTERCEPT_VMRUN, true);
    vmcb_set_intercept(control, INTERCEPT_SHUTDOWN, true);
}

static void fill_save(struct vmcb_save *save)
{
    const struct vmcb_segment data = {.attrib = 0xc93, .limit = UINT32_MAX};

    save->es = save->ss = save->ds = data;
    save->cs = data;
    save->cs.attrib = 0xc9b;
    save->efer = X86_EFER_SVME;
    save->cr0 = X86_CR0_PE | X86_CR0_ET;
    save->dr6 = X86_DR6_RESET;
    save->dr7 = X86_DR7_RESET;
    save->g_pat = X86_PAT_RESET;
    save->rflags = X86_RFLAGS_FIXED;
    save->rip = RIG_CODE;
    save->rsp = RIG_STACK;
}

void rig_load(const char *profile)
{
    sim_reset(1);
    violations_set_print(false);
    fake_svm_set_rule_mode(RULES_REJECT);
    fake_x86_reset(x86_profile_find(profile), 1);
    rig = (struct rig){.cpu = fake_x86_current(),
                       .source = {.next = next_op, .done = op_done}};
    fake_x86_set_source(0, &rig.source);
    x86_hw_write_msr(X86_MSR_EFER,
                     x86_hw_read_msr(X86_MSR_EFER) | X86_EFER_SVME);
    x86_hw_write_msr(X86_MSR_VM_HSAVE_PA, memory_alloc_frame().raw);
    rig.vmcb_pa = memory_alloc_frame();
    rig.vmcb = memory_phys_to_virt(rig.vmcb_pa);
    fill_control(&rig.vmcb->control);
    fill_save(&rig.vmcb->save);
    rig.memory = pages(RIG_HOLE);
    for (uint64_t gpa = 0; gpa < RIG_HOLE; gpa += PAGE_SIZE)
        *rig_nested(gpa) = (rig.memory.raw + gpa) | RIG_LEAF;
}

void rig_setup(void)
{
    rig_load("full");
}

void rig_long_mode(void)
{
    struct vmcb_save *save = &rig.vmcb->save;

    for (unsigned level = 0; level < 2; level++)
        *(uint64_t *)rig_memory(RIG_CR3 + level * PAGE_SIZE) =
            (RIG_CR3 + (level + 1) * PAGE_SIZE) | RIG_LEAF;
    *(uint64_t *)rig_memory(RIG_CR3 + 2 * PAGE_SIZE) = NPT_PS | RIG_LEAF;
    save->cr3 = RIG_CR3;
    save->cr4 = X86_CR4_PAE;
    save->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG | X86_CR0_WP;
    save->efer = X86_EFER_SVME | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    save->cs.attrib = 0xa9b;
}

void rig_idt(void)
{
    bool is_long = (rig.vmcb->save.efer & X86_EFER_LMA) != 0;
    unsigned size = is_long ? 16 : 8;

    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t gate =
            UINT64_C(0x8e00) << 32 | 0x80000 | (RIG_CODE + 0x100 + vector);

        memcpy(rig_memory(RIG_IDT + vector * size), &gate, sizeof(gate));
    }
    rig.vmcb->save.idtr.base = RIG_IDT;
    rig.vmcb->save.idtr.limit = 256 * size - 1;
}

void rig_enter(void)
{
    x86_svm_run(&rig.regs, rig.vmcb, rig.vmcb_pa);
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
    rig.vmcb->save.rip = RIG_CODE;
    rig_run(op, 1);
}

bool rig_is_refused(void)
{
    rig_run(NULL, 0);
    return rig.vmcb->control.exitcode == VMEXIT_INVALID;
}
