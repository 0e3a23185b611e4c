/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMRUN: what it loads and what it remembers, a guest's time on the CPU, and
 * #VMEXIT. APM volume 2, sections 15.5, 15.6, 15.15 (clean bits).
 */
#include <stddef.h>
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/ram.h"

/* Widths of linear addresses: of four and of five levels of tables. */
#define LINEAR_BITS      48
#define LINEAR_BITS_LA57 57

/* The others are reserved, and read as 0. */
#define RFLAGS_DEFINED (BIT_MASK(21, 0) & ~(BIT(3) | BIT(5) | BIT(15)))

/* The fields that a clean bit covers. */
struct clean_group {
    uint64_t bit;
    uint16_t at, size;
};

#define RANGE_SIZE(area, first, last)          \
    (offsetof(struct vmcb_##area, last) +      \
     sizeof(((struct vmcb_##area *)0)->last) - \
     offsetof(struct vmcb_##area, first))

/* The bit, the area, the group's first and last field. */
#define CLEAN_GROUPS(X)                                       \
    X(I, control, intercept_cr_read, intercept)               \
    X(I, control, pause_filter_threshold, pause_filter_count) \
    X(I, control, tsc_offset, tsc_offset)                     \
    X(IOPM, control, iopm_base_pa, msrpm_base_pa)             \
    X(ASID, control, guest_asid, guest_asid)                  \
    X(TPR, control, vintr, vintr)                             \
    X(NP, control, np_enable, np_enable)                      \
    X(NP, control, n_cr3, n_cr3)                              \
    X(NP, save, g_pat, g_pat)                                 \
    X(CRX, save, cr4, cr0)                                    \
    X(CRX, save, efer, efer)                                  \
    X(DRX, save, dr7, dr6)                                    \
    X(DT, save, gdtr, gdtr)                                   \
    X(DT, save, idtr, idtr)                                   \
    X(SEG, save, es, ds)                                      \
    X(SEG, save, cpl, cpl)                                    \
    X(CR2, save, cr2, cr2)                                    \
    X(LBR, save, dbgctl, lastexcpto)                          \
    X(AVIC, control, avic_apic_bar, avic_apic_bar)            \
    X(AVIC, control, avic_backing_page, avic_backing_page)    \
    X(AVIC, control, avic_logical_table, avic_physical_table) \
    X(CET, save, s_cet, isst_addr)

static const struct clean_group clean_groups[] = {
#define X(bit, area, first, last)                    \
    {CLEAN_##bit, offsetof(struct vmcb, area.first), \
     RANGE_SIZE(area, first, last)},
    CLEAN_GROUPS(X)
#undef X
};

/* Whether a group that is said to be clean is not what is remembered. This is
 * asked at each entry: sizes are constants, so that no comparison is a call. */
static bool is_stale(const struct fake_x86 *cpu, const struct vmcb *now)
{
    const struct vmcb_control *control = &cpu->svm.control;
    const struct vmcb_save *save = &cpu->state;
    uint64_t clean = now->control.clean;

#define X(bit, area, first, last)                             \
    if ((clean & CLEAN_##bit) != 0 &&                         \
        unlikely(memcmp(&area->first, &now->area.first,       \
                        RANGE_SIZE(area, first, last)) != 0)) \
        return true;
    CLEAN_GROUPS(X)
#undef X
    return false;
}

/* The group is not looked at: what is remembered stays, and had better be what
 * the VMCB says. */
static void use_remembered(const struct fake_x86 *cpu, struct vmcb *fresh,
                           const struct clean_group *group)
{
    uint8_t *now = (uint8_t *)fresh + group->at;
    const uint8_t *then = group->at < offsetof(struct vmcb, save)
                              ? (const uint8_t *)&cpu->svm.control + group->at
                              : (const uint8_t *)&cpu->state + group->at -
                                    offsetof(struct vmcb, save);

    if (likely(memcmp(now, then, group->size) == 0))
        return;
    violation(RULE_STALE_VMCB, "clean bit %u, offset 0x%x, RIP 0x%llx, CPU %u",
              bit_lowest(group->bit), group->at,
              (unsigned long long)fresh->save.rip, cpu->index);
    memcpy(now, then, group->size);
}

/* Base addresses are sign-extended (section 15.5.1), from the highest bit that
 * the processor has, whatever the guest's mode. */
static void make_canonical(uint64_t *address, unsigned bits)
{
    uint64_t canonical = (uint64_t)sign_extend(*address, bits);

    if (unlikely(*address != canonical))
        *address = canonical;
}

static unsigned linear_bits(const struct fake_x86 *cpu)
{
    return (cpu->profile->cr4 & X86_CR4_LA57) != 0 ? LINEAR_BITS_LA57
                                                   : LINEAR_BITS;
}

#define COPY_RANGE(area, to, from, first, last) \
    memcpy(&(to)->first, &(from)->first, RANGE_SIZE(area, first, last))

/* What VMLOAD has loaded, and an exit has left, is canonical. */
static void copy_loaded(struct vmcb_save *to, const struct vmcb_save *from)
{
    to->fs = from->fs;
    to->gs = from->gs;
    to->tr = from->tr;
    to->ldtr = from->ldtr;
    COPY_RANGE(save, to, from, star, sysenter_eip);
}

void svm_move_loaded(const struct fake_x86 *cpu, struct vmcb_save *to,
                     const struct vmcb_save *from)
{
    unsigned bits = linear_bits(cpu);

    copy_loaded(to, from);
    make_canonical(&to->fs.base, bits);
    make_canonical(&to->gs.base, bits);
    make_canonical(&to->tr.base, bits);
    make_canonical(&to->ldtr.base, bits);
    make_canonical(&to->kernel_gs_base, bits);
}

void svm_adjust_guest(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;
    unsigned bits = linear_bits(cpu);

    make_canonical(&save->es.base, bits);
    make_canonical(&save->cs.base, bits);
    make_canonical(&save->ss.base, bits);
    make_canonical(&save->ds.base, bits);
    make_canonical(&save->gdtr.base, bits);
    make_canonical(&save->idtr.base, bits);
    save->cr0 |= X86_CR0_ET;
    save->rflags = (save->rflags & RFLAGS_DEFINED) | X86_RFLAGS_FIXED;
    cpu_update_lma(save);
    if (!cpu_64bit(cpu))
        save->rip &= UINT32_MAX;
    if ((save->cr0 & X86_CR0_PE) == 0)
        save->cpl = 0;
    else if ((save->rflags & X86_RFLAGS_VM) != 0)
        save->cpl = 3;
}

/* What of a VMCB is not reserved. */
#define CONTROL_USED offsetof(struct vmcb_control, reserved_100)
#define SAVE_USED    offsetof(struct vmcb_save, reserved_298)

/* In pieces: most of the area is reserved. */
static void load_areas(struct fake_x86 *cpu, const struct vmcb *from)
{
    struct vmcb_save *save = &cpu->state;

    memcpy(&cpu->svm.control, &from->control, CONTROL_USED);
    COPY_RANGE(save, save, &from->save, es, tr);
    save->cpl = from->save.cpl;
    save->efer = from->save.efer;
    COPY_RANGE(save, save, &from->save, cr4, rip);
    COPY_RANGE(save, save, &from->save, rsp, cr2);
    COPY_RANGE(save, save, &from->save, g_pat, lastexcpto);
}

/* Groups that are said to be clean are loaded as they are remembered. */
static NOINLINE void load_stale(struct fake_x86 *cpu)
{
    struct vmcb fresh = *cpu->svm.memory;

    for (unsigned i = 0; i < ARRAY_SIZE(clean_groups); i++) {
        if ((fresh.control.clean & clean_groups[i].bit) != 0)
            use_remembered(cpu, &fresh, &clean_groups[i]);
    }
    load_areas(cpu, &fresh);
}

static void load_guest(struct fake_x86 *cpu)
{
    const struct vmcb_control *control = &cpu->svm.control;

    if (svm_has(cpu, SVM_FEATURE_VMCB_CLEAN) &&
        cpu->svm.cached_pa == cpu->svm.vmcb_pa &&
        unlikely(is_stale(cpu, cpu->svm.memory)))
        load_stale(cpu);
    else
        load_areas(cpu, cpu->svm.memory);
    copy_loaded(&cpu->state, &cpu->loaded);
    cpu->svm.cached_pa = cpu->svm.vmcb_pa;
    cpu->svm.pause_left = control->pause_filter_count;
    cpu->shadow = control->interrupt_shadow & SHADOW_INTERRUPT;
    cpu->tsc_offset = control->tsc_offset;
}

/* What #VMEXIT writes. */
static void store_guest(struct fake_x86 *cpu)
{
    const struct vmcb_save *from = &cpu->state;
    struct vmcb_save *to = &cpu->svm.memory->save;
    struct vmcb_control *control = &cpu->svm.memory->control;

    memcpy(&to->es, &from->es, offsetof(struct vmcb_save, fs));
    to->gdtr = from->gdtr;
    to->idtr = from->idtr;
    to->cpl = from->cpl;
    to->efer = from->efer;
    to->cr4 = from->cr4;
    to->cr3 = from->cr3;
    to->cr2 = from->cr2;
    to->cr0 = from->cr0;
    to->dr7 = from->dr7;
    to->dr6 = from->dr6;
    to->rflags = from->rflags;
    to->rip = from->rip;
    to->rsp = from->rsp;
    to->rax = from->rax;
    to->g_pat = from->g_pat;
    if ((cpu->profile->cr4 & X86_CR4_CET) != 0) {
        to->s_cet = from->s_cet;
        to->ssp = from->ssp;
        to->isst_addr = from->isst_addr;
    }
    control->vintr = cpu->svm.control.vintr;
    control->interrupt_shadow =
        (cpu->svm.control.interrupt_shadow & ~SHADOW_INTERRUPT) | cpu->shadow;
    control->exitcode = cpu->svm.control.exitcode;
    control->exitinfo1 = cpu->svm.control.exitinfo1;
    control->exitinfo2 = cpu->svm.control.exitinfo2;
    control->exitintinfo = cpu->svm.control.exitintinfo;
    control->eventinj = cpu->svm.control.eventinj;
    if (svm_has(cpu, SVM_FEATURE_NRIPS))
        control->nrip = cpu->svm.control.nrip;
    control->bytes_fetched = cpu->svm.control.bytes_fetched;
    memcpy(control->instruction_bytes, cpu->svm.control.instruction_bytes,
           sizeof(control->instruction_bytes));
    ram_note_write(hpa(cpu->svm.vmcb_pa), PAGE_SIZE);
}

void svm_exit(struct fake_x86 *cpu, uint64_t code, uint64_t info1,
              uint64_t info2)
{
    struct vmcb_control *control = &cpu->svm.control;

    control->exitcode = code;
    control->exitinfo1 = info1;
    control->exitinfo2 = info2;
    control->exitintinfo = cpu->delivering;
    control->nrip = 0;
    control->bytes_fetched = 0;
    cpu->delivering = 0;
    cpu->exited = true;
    svm_move_loaded(cpu, &cpu->loaded, &cpu->state);
    store_guest(cpu);
    if (cpu->source != NULL)
        cpu->source->result.exits++;
}

/* Exits of an instruction's intercept, and of INT3's exception, come with the
 * next RIP (section 15.7.1). */
static bool has_nrip(const struct fake_x86 *cpu, uint64_t code)
{
    unsigned kind = cpu_op(cpu)->kind;

    if (code == VMEXIT_EXCP0 + X86_VECTOR_BP)
        return kind == OP_X86_INT3 || kind == OP_EBREAK;
    return code < VMEXIT_EXCP0 ||
           (code >= VMEXIT_CR0_SEL_WRITE && code < VMEXIT_NPF &&
            code != VMEXIT_TASK_SWITCH && code != VMEXIT_FERR_FREEZE &&
            code != VMEXIT_SHUTDOWN);
}

/* Exits that come with the instruction's bytes. */
static bool has_bytes(uint64_t code, uint64_t info1)
{
    return (code == VMEXIT_NPF || code == VMEXIT_EXCP0 + X86_VECTOR_PF) &&
           (info1 & X86_FAULT_ID) == 0;
}

void svm_op_exit(struct fake_x86 *cpu, uint64_t code, uint64_t info1,
                 uint64_t info2)
{
    struct vmcb_control *control = &cpu->svm.memory->control;

    cpu->source->op_exited = true;
    cpu->source->op_injected = false;
    svm_exit(cpu, code, info1, info2);
    if (svm_has(cpu, SVM_FEATURE_NRIPS) && has_nrip(cpu, code))
        control->nrip = cpu->state.rip + cpu->source->op_length;
    if (cpu_op(cpu)->kind == OP_RAW_EXIT && cpu_op(cpu)->args[4] != 0)
        control->nrip = cpu->state.rip + cpu_op(cpu)->args[4];
    if (svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS) && has_bytes(code, info1)) {
        control->bytes_fetched = cpu->fetched_count;
        memcpy(control->instruction_bytes, cpu->fetched, cpu->fetched_count);
    }
}

/* An entry that VMRUN refuses. The guest's state is left alone. */
static void fail_entry(struct fake_x86 *cpu, struct vmcb *state)
{
    state->control.exitcode =
        cpu->profile->short_invalid ? UINT32_MAX : VMEXIT_INVALID;
    state->control.exitinfo1 = 0;
    state->control.exitinfo2 = 0;
    state->control.exitintinfo = 0;
    cpu->svm.cached_pa = 0;
    cpu->exited = true;
    if (cpu->source != NULL)
        cpu->source->result.exits++;
}

static bool enter(struct fake_x86 *cpu, struct vmcb *state, uint64_t vmcb)
{
    cpu->svm.vmcb_pa = vmcb;
    cpu->delivering = 0;
    if (!svm_check_host(cpu, vmcb))
        return false;
    cpu->svm.memory = memory_phys_to_virt(hpa(vmcb));
    if (cpu->svm.memory != state) {
        violation(RULE_SVM_VMCB_ADDRESS, "VMCB 0x%llx is not at %p",
                  (unsigned long long)vmcb, (void *)state);
        return false;
    }
    load_guest(cpu);
    if (!svm_check_guest(cpu))
        return false;
    svm_adjust_guest(cpu);
    return true;
}

/*
 * TLB_CONTROL (section 15.16). What processors remember is the way from linear
 * to host-physical addresses: a flush of what is not global may leave, for
 * global pages, what was in the nested tables. So it is no flush of those.
 */
static void control_tlb(struct fake_x86 *cpu)
{
    struct cpu_tag tag = {.id = cpu->svm.control.guest_asid};

    cpu->nested_tag.id = cpu->linear_tag.id = tag.id;
    switch (cpu->svm.control.tlb_control) {
    case TLB_CONTROL_FLUSH_ALL: cpu_tlb_flush_all(cpu); break;
    case TLB_CONTROL_FLUSH_GUEST:
        cpu_tlb_flush_linear(cpu, tag, true);
        cpu_tlb_flush_nested(cpu, tag);
        break;
    case TLB_CONTROL_FLUSH_GUEST_NONGLOBAL:
        cpu_tlb_flush_linear(cpu, tag, false);
        break;
    default: break;
    }
}

void x86_svm_run_impl(struct x86_regs *regs, struct vmcb *state, hpa_t vmcb)
{
    struct fake_x86 *cpu = fake_x86_current();

    cpu->regs = regs;
    cpu->exited = false;
    clock_advance_ticks(FAKE_X86_OP_TICKS);
    if (!enter(cpu, state, vmcb.raw)) {
        fail_entry(cpu, state);
        return;
    }
    control_tlb(cpu);
    cpu_settle(cpu, cpu->svm.control.eventinj);
    svm_inject(cpu);
    cpu_run(cpu);
}

/*
 * A guest may bring itself into any state that VMRUN accepts, by whatever
 * instructions. What the hypervisor has not let it have stays as it is: EFER
 * and CR4 keep the bits that are not the guest's, which it would be told of by
 * the exit.
 */
void svm_set_state(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    struct vmcb_save *save = &cpu->state;
    uint64_t efer = save->efer, cr4 = save->cr4;
    unsigned offset = op->number % SAVE_USED;
    unsigned width = op->width;

    if (width > SAVE_USED - offset)
        width = (unsigned)SAVE_USED - offset;
    memcpy((uint8_t *)save + offset, &op->value, width);
    if ((cpu->svm.control.intercept_cr_write & BIT(4)) != 0)
        save->cr4 = cr4;
    if (vmcb_intercepts(&cpu->svm.control, INTERCEPT_MSR))
        save->efer = efer;
    if (!svm_repair_guest(cpu))
        violation(RULE_VMCB_UNMODELLED, "no legal state at offset 0x%x",
                  offset);
    svm_adjust_guest(cpu);
    cpu_tlb_flush_guest(cpu, true);
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}
