/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each guest operation does, and that instruction intercepts come before
 * it: APM volume 2, sections 15.7, 15.9 to 15.14; volume 3. A row per
 * operation; those with more to them are in memory.c and system.c.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/x86_64/svm/cpu.h"

bool svm_umip_denies(struct fake_svm *cpu)
{
    if ((cpu->guest.save.cr4 & X86_CR4_UMIP) == 0)
        return false;
    return svm_not_allowed(cpu);
}

bool svm_not_allowed(struct fake_svm *cpu)
{
    if (cpu->guest.save.cpl == 0)
        return false;
    svm_exception(cpu, X86_VECTOR_GP, 0, 0);
    return true;
}

static void do_undefined(struct fake_svm *cpu)
{
    svm_exception(cpu, X86_VECTOR_UD, 0, 0);
}

static void do_cpuid(struct fake_svm *cpu)
{
    struct x86_cpuid result;

    svm_cpuid(cpu, (uint32_t)cpu->guest.save.rax,
              (uint32_t)*svm_gpr(cpu, X86_GPR_RCX), &result);
    cpu->guest.save.rax = result.eax;
    *svm_gpr(cpu, X86_GPR_RBX) = result.ebx;
    *svm_gpr(cpu, X86_GPR_RCX) = result.ecx;
    *svm_gpr(cpu, X86_GPR_RDX) = result.edx;
    svm_retire(cpu);
}

/* A HLT that does not exit: the CPU sleeps until something is due. */
static void do_hlt(struct fake_svm *cpu)
{
    uint64_t until = clock_next_deadline(cpu->index);

    if (until != UINT64_MAX)
        clock_set_nanos(until);
    svm_retire(cpu);
}

static void do_rdtsc(struct fake_svm *cpu)
{
    bool is_rdtscp = svm_op(cpu)->kind == OP_X86_RDTSCP;

    svm_set_pair(cpu, svm_tsc() + cpu->guest.control.tsc_offset);
    if (is_rdtscp)
        *svm_gpr(cpu, X86_GPR_RCX) = cpu->tsc_aux & UINT32_MAX;
    svm_retire(cpu);
}

static void do_rdpmc(struct fake_svm *cpu)
{
    svm_set_pair(cpu, 0);
    svm_retire(cpu);
}

static void do_monitor(struct fake_svm *cpu)
{
    cpu->monitor_armed = true;
    svm_retire(cpu);
}

static void do_mwait(struct fake_svm *cpu)
{
    bool was_armed = cpu->monitor_armed;

    if (was_armed &&
        vmcb_intercepts(&cpu->guest.control, INTERCEPT_MWAIT_CONDITIONAL)) {
        svm_op_exit(cpu, VMEXIT_MWAIT_CONDITIONAL, 0, 0);
        return;
    }
    cpu->monitor_armed = false;
    svm_retire(cpu);
}

static void do_xsetbv(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);

    if (op->number != 0 || !svm_xcr0_is_legal(cpu, op->value)) {
        svm_exception(cpu, X86_VECTOR_GP, 0, 0);
    } else {
        cpu->xcr0 = op->value;
        svm_retire(cpu);
    }
}

static void do_invlpg(struct fake_svm *cpu)
{
    svm_tlb_flush_page(cpu, svm_op(cpu)->address,
                       cpu->guest.control.guest_asid);
    svm_retire(cpu);
}

static void do_int(struct fake_svm *cpu)
{
    uint64_t vector = svm_op(cpu)->number & 0xff;

    svm_deliver_soft(cpu,
                     EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_SOFT) | vector,
                     OUTCOME_RETIRED);
}

/* #BP and ICEBP's #DB are traps: the guest finds RIP behind the instruction,
 * the hypervisor at it. */
static void do_trap(struct fake_svm *cpu)
{
    bool is_int3 = svm_op(cpu)->kind != OP_X86_ICEBP;
    unsigned vector = is_int3 ? X86_VECTOR_BP : X86_VECTOR_DB;

    if ((cpu->guest.control.intercept_exceptions & BIT(vector)) != 0) {
        svm_exception(cpu, vector, 0, 0);
        return;
    }
    cpu->source->result.cause = vector;
    svm_deliver_soft(
        cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_EXCEPTION) | vector,
        OUTCOME_EXCEPTION);
}

static void do_raise(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    unsigned vector = op->number % X86_EXCEPTIONS;

    if (!svm_is_exception(cpu, vector)) {
        do_undefined(cpu);
        return;
    }
    if (vector == X86_VECTOR_DB)
        cpu->guest.save.dr6 |= X86_DR6_BS;
    svm_exception(cpu, vector, op->value, op->address);
}

static void do_iret(struct fake_svm *cpu)
{
    if (!svm_return(cpu))
        return;
    cpu->guest.control.interrupt_shadow &= ~SHADOW_INTERRUPT;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

/* The shadow is that of an STI which has enabled interrupts. */
static void do_sti(struct fake_svm *cpu)
{
    bool were_on = (cpu->guest.save.rflags & X86_RFLAGS_IF) != 0;

    cpu->guest.save.rflags |= X86_RFLAGS_IF;
    svm_advance(cpu);
    if (!were_on)
        cpu->guest.control.interrupt_shadow |= SHADOW_INTERRUPT;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_cli(struct fake_svm *cpu)
{
    cpu->guest.save.rflags &= ~X86_RFLAGS_IF;
    svm_retire(cpu);
}

/* SVM's instructions, which a guest must not have: without an intercept they
 * act on the processor. */
static void do_svm(struct fake_svm *cpu)
{
    violation(RULE_REACHES_HOST, "a guest has executed %s on CPU %u",
              guest_op_name(svm_op(cpu)->kind), cpu->index);
    svm_retire(cpu);
}

/* An unmasked exception of the x87 unit, in the way of before the 486: FERR#
 * goes to an interrupt controller, and nobody answers. */
static void do_fwait(struct fake_svm *cpu)
{
    if ((cpu->guest.save.cr0 & X86_CR0_NE) != 0)
        svm_exception(cpu, X86_VECTOR_MF, 0, 0);
    else if (vmcb_intercepts(&cpu->guest.control, INTERCEPT_FERR_FREEZE))
        svm_op_exit(cpu, VMEXIT_FERR_FREEZE, 0, 0);
    else
        svm_retire(cpu);
}

static void do_rdpru(struct fake_svm *cpu)
{
    svm_set_pair(cpu, svm_tsc());
    svm_retire(cpu);
}

static void do_invpcid(struct fake_svm *cpu)
{
    svm_tlb_flush_guest(cpu, true);
    svm_retire(cpu);
}

static void do_arrival(struct fake_svm *cpu)
{
    cpu->nmi_pending |= svm_op(cpu)->kind == OP_X86_NMI;
    cpu->smi_pending |= svm_op(cpu)->kind == OP_X86_SMI;
    cpu->init_pending |= svm_op(cpu)->kind == OP_X86_INIT;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

static bool fp_is_usable(struct fake_svm *cpu)
{
    const struct vmcb_save *save = &cpu->guest.save;

    if ((save->cr0 & X86_CR0_EM) != 0 || (save->cr4 & X86_CR4_OSFXSR) == 0)
        svm_exception(cpu, X86_VECTOR_UD, 0, 0);
    else if ((save->cr0 & X86_CR0_TS) != 0)
        svm_exception(cpu, X86_VECTOR_NM, 0, 0);
    else
        return true;
    return false;
}

static void do_fp(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);

    if (!fp_is_usable(cpu))
        return;
    if (op->kind == OP_FP)
        memcpy(&cpu->fpu.bytes[SVM_XMM_AT + op->reg % 16 * 16], &op->value,
               sizeof(op->value));
    svm_retire(cpu);
}

static void do_set_reg(struct fake_svm *cpu)
{
    *svm_gpr(cpu, svm_op(cpu)->reg) = svm_op(cpu)->value;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_set_pc(struct fake_svm *cpu)
{
    cpu->guest.save.rip = svm_op(cpu)->address;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_mode(struct fake_svm *cpu)
{
    cpu->guest.save.cpl = svm_op(cpu)->kind == OP_USER_MODE ? 3 : 0;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

/* Time passes; an interrupt is noticed before the next operation. */
static void do_delay(struct fake_svm *cpu)
{
    clock_set_nanos(clock_nanos() + svm_op(cpu)->value);
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

/* args: EXITCODE, EXITINFO1, EXITINFO2, EXITINTINFO. */
static void do_raw_exit(struct fake_svm *cpu)
{
    const uint64_t *args = svm_op(cpu)->args;

    cpu->delivering = args[3];
    svm_op_exit(cpu, args[0], args[1], args[2]);
}

/* What comes before an intercept: whether the instruction has faulted. */

static bool tsd_denies(struct fake_svm *cpu)
{
    if ((cpu->guest.save.cr4 & X86_CR4_TSD) == 0)
        return false;
    return svm_not_allowed(cpu);
}

static bool pce_denies(struct fake_svm *cpu)
{
    if ((cpu->guest.save.cr4 & X86_CR4_PCE) != 0)
        return false;
    return svm_not_allowed(cpu);
}

static bool osxsave_denies(struct fake_svm *cpu)
{
    if ((cpu->guest.save.cr4 & X86_CR4_OSXSAVE) != 0)
        return svm_not_allowed(cpu);
    do_undefined(cpu);
    return true;
}

static bool is_absent(struct fake_svm *cpu, bool exists)
{
    if (!exists)
        do_undefined(cpu);
    return !exists;
}

static bool rdpru_is_absent(struct fake_svm *cpu)
{
    return is_absent(cpu, cpu->profile->rdpru);
}

static bool invpcid_denies(struct fake_svm *cpu)
{
    return is_absent(cpu, cpu->profile->invpcid) || svm_not_allowed(cpu);
}

/* Instructions that real mode does not have. */
static bool protected_denies(struct fake_svm *cpu)
{
    return is_absent(cpu, !svm_real_mode(cpu)) || svm_not_allowed(cpu);
}

static bool protected_umip_denies(struct fake_svm *cpu)
{
    return is_absent(cpu, !svm_real_mode(cpu)) || svm_umip_denies(cpu);
}

/* An operation: its intercept, plus one, and what is looked at before it. */
struct op_row {
    void (*execute)(struct fake_svm *cpu);
    uint8_t intercept; /* enum svm_intercept plus 1; 0: none */
    bool (*denies)(struct fake_svm *cpu);
};

#define BY(intercept) (uint8_t)(INTERCEPT_##intercept + 1)

static const struct op_row common[OP_KIND_COUNT] = {
    [OP_LOAD] = {svm_op_load},
    [OP_STORE] = {svm_op_store},
    [OP_AMO] = {svm_op_swap},
    [OP_FETCH] = {svm_op_fetch},
    [OP_ECALL] = {do_undefined, BY(VMMCALL)},
    [OP_WFI] = {do_hlt, BY(HLT), svm_not_allowed},
    [OP_EBREAK] = {do_trap},
    [OP_INSN] = {do_undefined},
    [OP_FP] = {do_fp},
    [OP_FP_READ] = {do_fp},
    [OP_SET_REG] = {do_set_reg},
    [OP_SET_PC] = {do_set_pc},
    [OP_USER_MODE] = {do_mode},
    [OP_SUPERVISOR_MODE] = {do_mode},
    [OP_DELAY] = {do_delay},
    [OP_RAW_EXIT] = {do_raw_exit},
};

#define X86(op) [OP_X86_##op - OP_X86_FIRST]

static const struct op_row rows[OP_X86_END - OP_X86_FIRST] = {
    X86(CPUID) = {do_cpuid, BY(CPUID)},
    X86(HLT) = {do_hlt, BY(HLT), svm_not_allowed},
    X86(RDMSR) = {svm_op_rdmsr, 0, svm_not_allowed},
    X86(WRMSR) = {svm_op_wrmsr, 0, svm_not_allowed},
    X86(IN) = {svm_op_in},
    X86(OUT) = {svm_op_out},
    X86(READ_CR) = {svm_op_read_cr, 0, svm_not_allowed},
    X86(WRITE_CR) = {svm_op_write_cr, 0, svm_not_allowed},
    X86(READ_DR) = {svm_op_read_dr, 0, svm_not_allowed},
    X86(WRITE_DR) = {svm_op_write_dr, 0, svm_not_allowed},
    X86(INVLPG) = {do_invlpg, BY(INVLPG), svm_not_allowed},
    X86(VMMCALL) = {do_undefined, BY(VMMCALL)},
    X86(PAUSE) = {svm_retire, BY(PAUSE)},
    X86(MONITOR) = {do_monitor, BY(MONITOR), svm_not_allowed},
    X86(MWAIT) = {do_mwait, BY(MWAIT), svm_not_allowed},
    X86(XSETBV) = {do_xsetbv, BY(XSETBV), osxsave_denies},
    X86(RDTSC) = {do_rdtsc, BY(RDTSC), tsd_denies},
    X86(RDTSCP) = {do_rdtsc, BY(RDTSCP), tsd_denies},
    X86(RDPMC) = {do_rdpmc, BY(RDPMC), pce_denies},
    X86(INT) = {do_int, BY(SWINT)},
    X86(INT3) = {do_trap},
    X86(ICEBP) = {do_trap, BY(ICEBP)},
    X86(RAISE) = {do_raise},
    X86(IRET) = {do_iret, BY(IRET)},
    X86(STI) = {do_sti, 0, svm_not_allowed},
    X86(CLI) = {do_cli, 0, svm_not_allowed},
    X86(INVD) = {svm_retire, BY(INVD), svm_not_allowed},
    X86(WBINVD) = {svm_retire, BY(WBINVD), svm_not_allowed},
    X86(INS) = {svm_op_ins},
    X86(OUTS) = {svm_op_outs},
    X86(LMSW) = {svm_op_lmsw, 0, svm_not_allowed},
    X86(SMSW) = {svm_op_smsw, 0, svm_umip_denies},
    X86(CLTS) = {svm_op_clts, 0, svm_not_allowed},
    X86(LGDT) = {svm_op_load_table, BY(GDTR_WRITE), svm_not_allowed},
    X86(LIDT) = {svm_op_load_table, BY(IDTR_WRITE), svm_not_allowed},
    X86(SGDT) = {svm_op_store_table, BY(GDTR_READ), svm_umip_denies},
    X86(SIDT) = {svm_op_store_table, BY(IDTR_READ), svm_umip_denies},
    X86(LLDT) = {svm_op_load_selector, BY(LDTR_WRITE), protected_denies},
    X86(LTR) = {svm_op_load_selector, BY(TR_WRITE), protected_denies},
    X86(SLDT) = {svm_op_store_selector, BY(LDTR_READ), protected_umip_denies},
    X86(STR) = {svm_op_store_selector, BY(TR_READ), protected_umip_denies},
    X86(JMP_FAR) = {svm_op_jmp_far},
    X86(PUSHF) = {svm_op_pushf, BY(PUSHF)},
    X86(POPF) = {svm_op_popf, BY(POPF)},
    X86(RSM) = {do_undefined, BY(RSM)},
    X86(FWAIT) = {do_fwait},
    X86(RDPRU) = {do_rdpru, BY(RDPRU), rdpru_is_absent},
    X86(INVPCID) = {do_invpcid, BY(INVPCID), invpcid_denies},
    X86(VMRUN) = {do_svm, BY(VMRUN), protected_denies},
    X86(VMLOAD) = {do_svm, BY(VMLOAD), protected_denies},
    X86(VMSAVE) = {do_svm, BY(VMSAVE), protected_denies},
    X86(STGI) = {do_svm, BY(STGI), protected_denies},
    X86(CLGI) = {do_svm, BY(CLGI), protected_denies},
    X86(SKINIT) = {do_svm, BY(SKINIT), protected_denies},
    X86(INVLPGA) = {do_svm, BY(INVLPGA), protected_denies},
    X86(STATE) = {svm_op_state},
    X86(TRAPS) = {svm_op_traps},
    X86(SHUTDOWN) = {svm_shutdown},
    X86(NMI) = {do_arrival},
    X86(SMI) = {do_arrival},
    X86(INIT) = {do_arrival},
};

/* EXITINFO1 of an instruction intercept. */
static uint64_t intercept_info(const struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);

    if (op->kind == OP_X86_MWAIT)
        return cpu->monitor_armed;
    if (op->kind == OP_X86_INVPCID)
        return op->address;
    if (!svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS))
        return 0;
    if (op->kind == OP_X86_INVLPG)
        return op->address;
    return op->kind == OP_X86_INT ? op->number & 0xff : 0;
}

/* The pause filter swallows as many as it counts. */
static bool pause_is_filtered(struct fake_svm *cpu)
{
    if (!svm_has(cpu, SVM_FEATURE_PAUSE_FILTER) ||
        svm_op(cpu)->kind != OP_X86_PAUSE || cpu->pause_left == 0)
        return false;
    cpu->pause_left--;
    return true;
}

static uint64_t code_of(enum svm_intercept intercept)
{
    return intercept < INTERCEPT_INVLPGB
               ? (uint64_t)VMEXIT_INTR + intercept
               : (uint64_t)VMEXIT_INVLPGB + intercept - INTERCEPT_INVLPGB;
}

static void execute_row(struct fake_svm *cpu, const struct op_row *row)
{
    enum svm_intercept intercept = (enum svm_intercept)(row->intercept - 1);

    if (row->denies != NULL && row->denies(cpu))
        return;
    if (row->intercept != 0 &&
        vmcb_intercepts(&cpu->guest.control, intercept) &&
        !pause_is_filtered(cpu))
        svm_op_exit(cpu, code_of(intercept), intercept_info(cpu),
                    svm_op(cpu)->kind == OP_X86_INVPCID ? svm_op(cpu)->value
                                                        : 0);
    else
        row->execute(cpu);
}

void svm_op_do(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    const struct op_row *row = NULL;

    if (op->kind >= OP_X86_FIRST && op->kind < OP_X86_END)
        row = &rows[op->kind - OP_X86_FIRST];
    else if (op->kind < OP_KIND_COUNT && common[op->kind].execute != NULL)
        row = &common[op->kind];
    if (row != NULL)
        execute_row(cpu, row);
    else
        do_undefined(cpu);
}
