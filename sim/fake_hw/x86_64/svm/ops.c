/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each guest operation does, and that instruction intercepts come before
 * it: APM volume 2, sections 15.7, 15.9 to 15.14; volume 3. A row per
 * operation; those with more to them are in memory.c and system.c.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/x86_64/svm/cpu.h"

#define XMM_AT 160 /* in the XSAVE area; 16 bytes each */

uint64_t *svm_gpr(struct fake_svm *cpu, unsigned reg)
{
    reg %= X86_GPR_COUNT;
    if (reg == X86_GPR_RAX)
        return &cpu->guest.save.rax;
    if (reg == X86_GPR_RSP)
        return &cpu->guest.save.rsp;
    return &cpu->regs->gpr[reg];
}

static uint64_t pair(uint64_t low, uint64_t high)
{
    return (low & UINT32_MAX) | high << 32;
}

/* What the operation left in its registers. */
static void collect_values(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    struct guest_result *result = &cpu->source->result;
    uint64_t rax = cpu->guest.save.rax;
    uint64_t rbx = *svm_gpr(cpu, X86_GPR_RBX);
    uint64_t rcx = *svm_gpr(cpu, X86_GPR_RCX);
    uint64_t rdx = *svm_gpr(cpu, X86_GPR_RDX);

    switch (op->kind) {
    case OP_X86_CPUID:
        result->value = pair(rax, rbx);
        result->value1 = pair(rcx, rdx);
        break;
    case OP_ECALL:
    case OP_X86_VMMCALL:
        result->value = rax;
        result->value1 = rbx;
        break;
    case OP_X86_RDMSR:
    case OP_X86_RDTSC:
    case OP_X86_RDTSCP:
    case OP_X86_RDPMC: result->value = pair(rax, rdx); break;
    case OP_X86_IN: result->value = zero_extend(rax, op->width * 8u); break;
    case OP_FP_READ:
        memcpy(&result->value, &cpu->fpu.bytes[XMM_AT + op->reg % 16 * 16],
               sizeof(result->value));
        break;
    default: result->value = *svm_gpr(cpu, op->reg); break;
    }
}

void svm_op_finish(struct fake_svm *cpu, enum guest_outcome outcome)
{
    struct trap_source *source = cpu->source;
    struct guest_result result;

    collect_values(cpu);
    source->result.outcome = outcome;
    result = source->result;
    source->result = (struct guest_result){.outcome = OUTCOME_PENDING};
    source->op_exited = false;
    if (source->done != NULL)
        source->done(source, &result);
    source->op = NULL;
}

/* RIP moves past the instruction, and the interrupt shadow ends. */
static void advance(struct fake_svm *cpu)
{
    uint8_t bytes[SVM_INSN_MAX];

    cpu->guest.save.rip += svm_encode(cpu, svm_op(cpu), bytes);
    cpu->guest.save.rflags &= ~X86_RFLAGS_RF;
    cpu->guest.control.interrupt_shadow &= ~SHADOW_INTERRUPT;
}

void svm_retire(struct fake_svm *cpu)
{
    advance(cpu);
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

bool svm_not_allowed(struct fake_svm *cpu)
{
    if (cpu->guest.save.cpl == 0)
        return false;
    svm_exception(cpu, X86_VECTOR_GP, 0, 0);
    return true;
}

static void set_pair(struct fake_svm *cpu, uint64_t value)
{
    cpu->guest.save.rax = value & UINT32_MAX;
    *svm_gpr(cpu, X86_GPR_RDX) = value >> 32;
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

    set_pair(cpu, svm_tsc() + cpu->guest.control.tsc_offset);
    if (is_rdtscp)
        *svm_gpr(cpu, X86_GPR_RCX) = cpu->tsc_aux & UINT32_MAX;
    svm_retire(cpu);
}

static void do_rdpmc(struct fake_svm *cpu)
{
    set_pair(cpu, 0);
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

    if ((cpu->guest.save.cr4 & X86_CR4_OSXSAVE) == 0) {
        do_undefined(cpu);
    } else if (op->number != 0 || !svm_xcr0_is_legal(cpu, op->value)) {
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

    svm_retire(cpu);
    svm_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_SOFT) | vector);
}

/* #BP and ICEBP's #DB are traps: the guest finds RIP behind the instruction,
 * the hypervisor at it. */
static void do_trap(struct fake_svm *cpu)
{
    bool is_int3 = svm_op(cpu)->kind != OP_X86_ICEBP;
    unsigned vector = is_int3 ? X86_VECTOR_BP : X86_VECTOR_DB;

    if ((cpu->guest.control.intercept_exceptions & BIT(vector)) == 0)
        advance(cpu);
    svm_exception(cpu, vector, 0, 0);
}

static void do_raise(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    unsigned vector = op->number % X86_EXCEPTIONS;

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
    advance(cpu);
    if (!were_on)
        cpu->guest.control.interrupt_shadow |= SHADOW_INTERRUPT;
    svm_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_cli(struct fake_svm *cpu)
{
    cpu->guest.save.rflags &= ~X86_RFLAGS_IF;
    svm_retire(cpu);
}

static void do_lidt(struct fake_svm *cpu)
{
    cpu->guest.save.idtr.base = svm_op(cpu)->address;
    cpu->guest.save.idtr.limit = svm_op(cpu)->number & 0xffff;
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
        memcpy(&cpu->fpu.bytes[XMM_AT + op->reg % 16 * 16], &op->value,
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

/* An operation: its intercept, plus one; whether CPL must be 0. */
struct op_row {
    void (*execute)(struct fake_svm *cpu);
    uint8_t intercept; /* enum svm_intercept plus 1; 0: none */
    bool privileged;
};

#define BY(intercept) (uint8_t)(INTERCEPT_##intercept + 1)

static const struct op_row common[OP_KIND_COUNT] = {
    [OP_LOAD] = {svm_op_load},
    [OP_STORE] = {svm_op_store},
    [OP_AMO] = {svm_op_swap},
    [OP_FETCH] = {svm_op_fetch},
    [OP_ECALL] = {do_undefined, BY(VMMCALL)},
    [OP_WFI] = {do_hlt, BY(HLT), true},
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
    X86(HLT) = {do_hlt, BY(HLT), true},
    X86(RDMSR) = {svm_op_rdmsr, 0, true},
    X86(WRMSR) = {svm_op_wrmsr, 0, true},
    X86(IN) = {svm_op_in},
    X86(OUT) = {svm_op_out},
    X86(READ_CR) = {svm_op_read_cr, 0, true},
    X86(WRITE_CR) = {svm_op_write_cr, 0, true},
    X86(READ_DR) = {svm_op_read_dr, 0, true},
    X86(WRITE_DR) = {svm_op_write_dr, 0, true},
    X86(INVLPG) = {do_invlpg, BY(INVLPG), true},
    X86(VMMCALL) = {do_undefined, BY(VMMCALL)},
    X86(PAUSE) = {svm_retire, BY(PAUSE)},
    X86(MONITOR) = {do_monitor, BY(MONITOR), true},
    X86(MWAIT) = {do_mwait, BY(MWAIT), true},
    X86(XSETBV) = {do_xsetbv, BY(XSETBV), true},
    X86(RDTSC) = {do_rdtsc, BY(RDTSC)},
    X86(RDTSCP) = {do_rdtsc, BY(RDTSCP)},
    X86(RDPMC) = {do_rdpmc, BY(RDPMC), true},
    X86(INT) = {do_int, BY(SWINT)},
    X86(INT3) = {do_trap},
    X86(ICEBP) = {do_trap, BY(ICEBP)},
    X86(RAISE) = {do_raise},
    X86(IRET) = {do_iret, BY(IRET)},
    X86(STI) = {do_sti, 0, true},
    X86(CLI) = {do_cli, 0, true},
    X86(INVD) = {svm_retire, BY(INVD), true},
    X86(WBINVD) = {svm_retire, BY(WBINVD), true},
    X86(LIDT) = {do_lidt, BY(IDTR_WRITE), true},
    X86(VMRUN) = {do_svm, BY(VMRUN), true},
    X86(VMLOAD) = {do_svm, BY(VMLOAD), true},
    X86(VMSAVE) = {do_svm, BY(VMSAVE), true},
    X86(STGI) = {do_svm, BY(STGI), true},
    X86(CLGI) = {do_svm, BY(CLGI), true},
    X86(SKINIT) = {do_svm, BY(SKINIT), true},
    X86(INVLPGA) = {do_svm, BY(INVLPGA), true},
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

static void execute_row(struct fake_svm *cpu, const struct op_row *row)
{
    if (row->privileged && svm_not_allowed(cpu))
        return;
    if (row->intercept != 0 &&
        vmcb_intercepts(&cpu->guest.control,
                        (enum svm_intercept)(row->intercept - 1)) &&
        !pause_is_filtered(cpu))
        svm_op_exit(cpu, (uint64_t)VMEXIT_INTR + row->intercept - 1,
                    intercept_info(cpu), 0);
    else
        row->execute(cpu);
}

/* Values that the instructions before have put into registers. */
static void load_operands(struct fake_svm *cpu)
{
    static const uint8_t call_regs[] = {X86_GPR_RAX, X86_GPR_RBX, X86_GPR_RCX,
                                        X86_GPR_RDX, X86_GPR_RSI, X86_GPR_RDI};
    const struct guest_op *op = svm_op(cpu);
    uint64_t ds = svm_64bit(cpu) ? 0 : cpu->guest.save.ds.base;

    switch (op->kind) {
    case OP_ECALL:
    case OP_X86_VMMCALL:
        for (unsigned i = 0; i < ARRAY_SIZE(call_regs); i++)
            *svm_gpr(cpu, call_regs[i]) = op->args[i];
        break;
    case OP_X86_CPUID:
        cpu->guest.save.rax = op->args[0];
        *svm_gpr(cpu, X86_GPR_RCX) = op->args[1];
        break;
    case OP_X86_WRMSR:
    case OP_X86_XSETBV: set_pair(cpu, op->value); /* fallthrough */
    case OP_X86_RDMSR:
    case OP_X86_RDPMC: *svm_gpr(cpu, X86_GPR_RCX) = op->number; break;
    case OP_X86_OUT: cpu->guest.save.rax = op->value; /* fallthrough */
    case OP_X86_IN: *svm_gpr(cpu, X86_GPR_RDX) = op->number; break;
    case OP_X86_WRITE_CR:
    case OP_X86_WRITE_DR: *svm_gpr(cpu, op->reg) = op->value; break;
    case OP_LOAD:
    case OP_STORE:
    case OP_AMO:
        if ((op->flags & OP_HAS_VALUE) != 0)
            *svm_gpr(cpu, op->reg) = op->value; /* fallthrough */
    case OP_X86_INVLPG:
    case OP_X86_LIDT:
        *svm_gpr(cpu, svm_address_reg(op)) = op->address - ds;
        break;
    default: break;
    }
}

/*
 * Fetches the operation's instruction, which has been in the guest's memory all
 * the time. False: the fetch has faulted.
 */
static bool place_code(struct fake_svm *cpu)
{
    const struct vmcb_save *save = &cpu->guest.save;
    uint64_t at = (svm_64bit(cpu) ? 0 : save->cs.base) + save->rip;
    uint8_t bytes[SVM_INSN_MAX];
    unsigned length = svm_encode(cpu, svm_op(cpu), bytes);

    for (unsigned i = 0; i < length; i++) {
        struct svm_translation translation;
        uint8_t *host;

        if (i > 0 && !is_aligned(at + i, PAGE_SIZE))
            continue;
        translation = mmu_linear(cpu, at + i, SVM_FETCH, save->cpl);
        if (!translation.ok) {
            svm_memory_fault(cpu, at + i, &translation);
            return false;
        }
        host = svm_host_memory(cpu, translation.hpa, 1);
        if (host != NULL && (svm_op(cpu)->flags & OP_NO_FETCH) == 0)
            svm_put_code(translation.hpa, host, bytes + i, length - i);
    }
    return true;
}

void svm_op_execute(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    const struct op_row *row = NULL;

    cpu->source->op_pc = cpu->guest.save.rip;
    load_operands(cpu);
    if (!place_code(cpu))
        return;
    if (op->kind >= OP_X86_FIRST && op->kind < OP_X86_END)
        row = &rows[op->kind - OP_X86_FIRST];
    else if (op->kind < OP_KIND_COUNT && common[op->kind].execute != NULL)
        row = &common[op->kind];
    if (row != NULL)
        execute_row(cpu, row);
    else
        do_undefined(cpu);
}
