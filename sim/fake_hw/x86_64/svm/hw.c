/* SPDX-License-Identifier: Apache-2.0 */
/* SVM's functions of the x86_64 hardware seam (hv/arch/x86_64/hw.h), and what
 * SVM is to a fake CPU. */
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/ram.h"

uint64_t x86_svm_features_impl(void)
{
    return fake_x86_current()->profile->svm;
}

uint64_t x86_svm_asids_impl(void)
{
    return fake_x86_current()->profile->asids;
}

void x86_svm_vmload_impl(hpa_t vmcb)
{
    struct fake_x86 *cpu = fake_x86_current();

    if (svm_check_host(cpu, vmcb.raw))
        svm_move_loaded(
            cpu, &cpu->loaded,
            &((const struct vmcb *)memory_phys_to_virt(vmcb))->save);
}

void x86_svm_vmsave_impl(hpa_t vmcb)
{
    struct fake_x86 *cpu = fake_x86_current();

    if (!svm_check_host(cpu, vmcb.raw))
        return;
    svm_move_loaded(cpu, &((struct vmcb *)memory_phys_to_virt(vmcb))->save,
                    &cpu->loaded);
    ram_note_write(vmcb, PAGE_SIZE);
}

/* The processor asks nested tables for the right to write for each access to
 * the guest's page tables (section 15.25.6). */
static void reset(struct fake_x86 *cpu)
{
    cpu->table_access = CPU_WRITE;
}

static uint64_t *host_msr(struct fake_x86 *cpu, uint32_t msr)
{
    switch ((enum x86_msr)msr) {
    case X86_MSR_VM_HSAVE_PA: return &cpu->svm.vm_hsave_pa;
    case X86_MSR_VM_CR: return &cpu->svm.vm_cr;
    default: return NULL;
    }
}

static bool msr_takes(const struct fake_x86 *cpu, uint32_t msr, uint64_t value)
{
    switch ((enum x86_msr)msr) {
    case X86_MSR_EFER:
        return (value & ~(cpu->profile->efer | X86_EFER_SVME)) == 0 &&
               ((value & X86_EFER_SVME) == 0 ||
                (cpu->svm.vm_cr & X86_VM_CR_SVMDIS) == 0);
    case X86_MSR_VM_HSAVE_PA:
        return is_aligned(value, PAGE_SIZE) &&
               value >> cpu->profile->phys_bits == 0;
    default: return true;
    }
}

static void starve(struct fake_x86 *cpu)
{
    svm_exit(cpu, VMEXIT_INTR, 0, 0);
}

static uint64_t merge_cr(const struct fake_x86 *cpu, unsigned number,
                         uint64_t value)
{
    return value;
}

static bool takes_cr(const struct fake_x86 *cpu, unsigned number,
                     uint64_t value)
{
    return true;
}

static void returned(struct fake_x86 *cpu)
{
    cpu->nmi_blocked = false;
}

static bool has_virtual_tpr(const struct fake_x86 *cpu)
{
    return (cpu->svm.control.vintr & VINTR_V_INTR_MASKING) != 0;
}

/* CR8 is the lower half of V_TPR; the upper one is reserved. */
#define VINTR_CR8 BIT_MASK(3, 0)

static uint64_t read_tpr(const struct fake_x86 *cpu)
{
    return has_virtual_tpr(cpu) ? FIELD_GET(VINTR_CR8, cpu->svm.control.vintr)
                                : 0;
}

static void write_tpr(struct fake_x86 *cpu, uint64_t value)
{
    uint64_t *vintr = &cpu->svm.control.vintr;

    if (has_virtual_tpr(cpu))
        *vintr = (*vintr & ~VINTR_V_TPR) | value;
}

static bool msr_answers(struct fake_x86 *cpu, uint32_t msr, bool write)
{
    return false;
}

/* Vectors 28 and 29 are of SEV; 30 is #SX. */
const struct fake_x86_vendor svm_fake_vendor = {
    .name = "svm",
    .exceptions = BIT(30),
    .signature = 0x00800f12, /* family 17h */
    .cpuid_vendor = "AuthenticAMD",
    .hypercall = 0xd9010f, /* VMMCALL */
    .stale_nested = RULE_STALE_NPT,
    .stale_tag = RULE_STALE_ASID,
    .reset = reset,
    .host_msr = host_msr,
    .msr_takes = msr_takes,
    .op_exits = svm_op_exits,
    .read_cr_exits = svm_read_cr_exits,
    .write_cr_exits = svm_write_cr_exits,
    .dr_exits = svm_dr_exits,
    .msr_exits = svm_msr_exits,
    .msr_answers = msr_answers,
    .port_exits = svm_port_exits,
    .task_switch_exits = svm_task_switch_exits,
    .ferr_exits = svm_ferr_exits,
    .raw_exit = svm_raw_exit,
    .exception_exits = svm_exception_exits,
    .nested_fault = svm_nested_fault,
    .shutdown = svm_shutdown,
    .interrupt = svm_interrupt,
    .starve = starve,
    .has_op = svm_has_op,
    .read_cr = cpu_cr,
    .merge_cr = merge_cr,
    .takes_cr = takes_cr,
    .wrote_cr = svm_wrote_cr,
    .wrote_msr = svm_wrote_msr,
    .read_tpr = read_tpr,
    .write_tpr = write_tpr,
    .returned = returned,
    .set_state = svm_set_state,
    .translate = svm_translate,
};
