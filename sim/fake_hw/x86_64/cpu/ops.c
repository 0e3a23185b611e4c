/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each guest operation does, and that a vendor's exit comes before it: APM
 * volume 3. A row per operation; those with more to them are in memory.c,
 * segment.c and system.c.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"

bool cpu_umip_denies(struct fake_x86 *cpu)
{
    if ((cpu->state.cr4 & X86_CR4_UMIP) == 0)
        return false;
    return cpu_not_allowed(cpu);
}

bool cpu_not_allowed(struct fake_x86 *cpu)
{
    if (cpu->state.cpl == 0)
        return false;
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
    return true;
}

static void do_undefined(struct fake_x86 *cpu)
{
    cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
}

static void do_cpuid(struct fake_x86 *cpu)
{
    struct x86_cpuid result;

    cpu_cpuid(cpu, (uint32_t)cpu->state.rax,
              (uint32_t)*cpu_gpr(cpu, X86_GPR_RCX), &result);
    cpu->state.rax = result.eax;
    *cpu_gpr(cpu, X86_GPR_RBX) = result.ebx;
    *cpu_gpr(cpu, X86_GPR_RCX) = result.ecx;
    *cpu_gpr(cpu, X86_GPR_RDX) = result.edx;
    cpu_retire(cpu);
}

/* A HLT that does not exit: the CPU sleeps until something is due. */
static void do_hlt(struct fake_x86 *cpu)
{
    uint64_t until = clock_next_deadline(cpu->index);

    if (until != UINT64_MAX)
        clock_set_nanos(until);
    cpu_retire(cpu);
}

static void do_rdtsc(struct fake_x86 *cpu)
{
    bool is_rdtscp = cpu_op(cpu)->kind == OP_X86_RDTSCP;

    cpu_set_pair(cpu, cpu_tsc() + cpu->tsc_offset);
    if (is_rdtscp)
        *cpu_gpr(cpu, X86_GPR_RCX) = cpu->tsc_aux & UINT32_MAX;
    cpu_retire(cpu);
}

static void do_rdpmc(struct fake_x86 *cpu)
{
    cpu_set_pair(cpu, 0);
    cpu_retire(cpu);
}

static void do_monitor(struct fake_x86 *cpu)
{
    cpu->monitor_armed = true;
    cpu_retire(cpu);
}

static void do_mwait(struct fake_x86 *cpu)
{
    cpu->monitor_armed = false;
    cpu_retire(cpu);
}

static void do_xsetbv(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

    if (op->number != 0 || !cpu_xcr0_is_legal(cpu, op->value)) {
        cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
    } else {
        cpu->xcr0 = op->value;
        cpu_retire(cpu);
    }
}

static void do_invlpg(struct fake_x86 *cpu)
{
    cpu_tlb_flush_page(cpu, cpu_op(cpu)->address, cpu->linear_tag);
    cpu_retire(cpu);
}

static void do_int(struct fake_x86 *cpu)
{
    uint64_t vector = cpu_op(cpu)->number & 0xff;

    cpu_deliver_soft(cpu,
                     EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_SOFT) | vector,
                     OUTCOME_RETIRED);
}

/* #BP and ICEBP's #DB are traps: the guest finds RIP behind the instruction,
 * the hypervisor at it. */
static void do_trap(struct fake_x86 *cpu)
{
    bool is_int3 = cpu_op(cpu)->kind != OP_X86_ICEBP;
    unsigned vector = is_int3 ? X86_VECTOR_BP : X86_VECTOR_DB;

    cpu->debug_cause = 0;
    if (cpu->vendor->exception_exits(cpu, vector, 0, 0))
        return;
    cpu->source->result.cause = vector;
    cpu_deliver_soft(
        cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_EXCEPTION) | vector,
        OUTCOME_EXCEPTION);
}

static void do_raise(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    unsigned vector = op->number % X86_EXCEPTIONS;

    if (!cpu_is_exception(cpu, vector)) {
        do_undefined(cpu);
        return;
    }
    cpu->debug_cause = vector == X86_VECTOR_DB ? X86_DR6_BS : 0;
    cpu_exception(cpu, vector, op->value & UINT16_MAX, op->address);
}

static void do_iret(struct fake_x86 *cpu)
{
    if (!cpu_return(cpu))
        return;
    cpu->shadow = 0;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

/* CLI and STI; what CR4.VME and CR4.PVI make of them is not modelled. */
static bool iopl_denies(struct fake_x86 *cpu)
{
    uint64_t iopl = FIELD_GET(X86_RFLAGS_IOPL, cpu->state.rflags);

    if (cpu_real_mode(cpu) || cpu->state.cpl <= iopl)
        return false;
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
    return true;
}

/* The shadow is that of an STI which has enabled interrupts. */
static void do_sti(struct fake_x86 *cpu)
{
    bool were_on = (cpu->state.rflags & X86_RFLAGS_IF) != 0;

    cpu->state.rflags |= X86_RFLAGS_IF;
    cpu_advance(cpu);
    if (!were_on)
        cpu->shadow |= SHADOW_INTERRUPT;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_cli(struct fake_x86 *cpu)
{
    cpu->state.rflags &= ~X86_RFLAGS_IF;
    cpu_retire(cpu);
}

/* A vendor's own instruction, which a guest must not have: without an exit it
 * acts on the processor. */
static void do_vendor(struct fake_x86 *cpu)
{
    violation(RULE_REACHES_HOST, "a guest has executed %s on CPU %u",
              guest_op_name(cpu_op(cpu)->kind), cpu->index);
    cpu_retire(cpu);
}

/* An unmasked exception of the x87 unit, in the way of before the 486: FERR#
 * goes to an interrupt controller, and nobody answers. */
static void do_fwait(struct fake_x86 *cpu)
{
    if ((cpu->state.cr0 & X86_CR0_NE) != 0)
        cpu_exception(cpu, X86_VECTOR_MF, 0, 0);
    else if (!cpu->vendor->ferr_exits(cpu))
        cpu_retire(cpu);
}

static void do_rdpru(struct fake_x86 *cpu)
{
    cpu_set_pair(cpu, cpu_tsc());
    cpu_retire(cpu);
}

/* Never the same number, and never an unforeseen one. */
static void do_random(struct fake_x86 *cpu)
{
    *cpu_gpr(cpu, cpu_op(cpu)->reg) = cpu_tsc() * UINT64_C(0x9e3779b97f4a7c15);
    cpu->state.rflags |= X86_RFLAGS_CF;
    cpu_retire(cpu);
}

static void do_invpcid(struct fake_x86 *cpu)
{
    cpu_tlb_flush_guest(cpu, true);
    cpu_retire(cpu);
}

static void do_arrival(struct fake_x86 *cpu)
{
    cpu->nmi_pending |= cpu_op(cpu)->kind == OP_X86_NMI;
    cpu->smi_pending |= cpu_op(cpu)->kind == OP_X86_SMI;
    cpu->init_pending |= cpu_op(cpu)->kind == OP_X86_INIT;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static bool fp_is_usable(struct fake_x86 *cpu)
{
    const struct vmcb_save *save = &cpu->state;

    if ((save->cr0 & X86_CR0_EM) != 0 || (save->cr4 & X86_CR4_OSFXSR) == 0)
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
    else if ((save->cr0 & X86_CR0_TS) != 0)
        cpu_exception(cpu, X86_VECTOR_NM, 0, 0);
    else
        return true;
    return false;
}

static void do_fp(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

    if (!fp_is_usable(cpu))
        return;
    if (op->kind == OP_FP)
        memcpy(&cpu->fpu.bytes[CPU_XMM_AT + op->reg % 16 * 16], &op->value,
               sizeof(op->value));
    cpu_retire(cpu);
}

static void do_set_reg(struct fake_x86 *cpu)
{
    *cpu_gpr(cpu, cpu_op(cpu)->reg) = cpu_op(cpu)->value;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_set_pc(struct fake_x86 *cpu)
{
    cpu->state.rip = (uint64_t)sign_extend(
        cpu_address(cpu, cpu_op(cpu)->address), CPU_LINEAR_BITS);
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_mode(struct fake_x86 *cpu)
{
    bool is_user = cpu_op(cpu)->kind == OP_USER_MODE && !cpu_real_mode(cpu);

    cpu_set_cpl(cpu, is_user ? 3 : 0);
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

/* Time passes; an interrupt is noticed before the next operation. */
static void do_delay(struct fake_x86 *cpu)
{
    clock_set_nanos(clock_nanos() + cpu_op(cpu)->value);
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static void do_raw_exit(struct fake_x86 *cpu)
{
    cpu->vendor->raw_exit(cpu);
}

static void do_state(struct fake_x86 *cpu)
{
    cpu->vendor->set_state(cpu);
}

/* What comes before an intercept: whether the instruction has faulted. */

static bool tsd_denies(struct fake_x86 *cpu)
{
    if ((cpu->state.cr4 & X86_CR4_TSD) == 0)
        return false;
    return cpu_not_allowed(cpu);
}

static bool pce_denies(struct fake_x86 *cpu)
{
    if ((cpu->state.cr4 & X86_CR4_PCE) != 0)
        return false;
    return cpu_not_allowed(cpu);
}

static bool osxsave_denies(struct fake_x86 *cpu)
{
    if ((cpu->state.cr4 & X86_CR4_OSXSAVE) != 0)
        return cpu_not_allowed(cpu);
    do_undefined(cpu);
    return true;
}

static bool is_absent(struct fake_x86 *cpu, bool exists)
{
    if (!exists)
        do_undefined(cpu);
    return !exists;
}

static bool rdpru_is_absent(struct fake_x86 *cpu)
{
    return is_absent(cpu, cpu->profile->rdpru);
}

static bool invpcid_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, cpu->profile->invpcid) || cpu_not_allowed(cpu);
}

/* Programs do not have MONITOR and MWAIT. */
static bool monitor_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, cpu->state.cpl == 0);
}

/* Instructions that real mode does not have. */
static bool has_selectors(const struct fake_x86 *cpu)
{
    return !cpu_real_mode(cpu) && (cpu->state.rflags & X86_RFLAGS_VM) == 0;
}

static bool protected_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, has_selectors(cpu)) || cpu_not_allowed(cpu);
}

static bool protected_umip_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, has_selectors(cpu)) || cpu_umip_denies(cpu);
}

/* Of the other vendor's instructions a processor knows nothing. */
static bool vendor_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, cpu->vendor->has_op(cpu_op(cpu)->kind)) ||
           protected_denies(cpu);
}

/* VMX's exit before the privilege level counts. */
static bool vmx_denies(struct fake_x86 *cpu)
{
    bool is_compatible = cpu_long_mode(cpu) && !cpu_64bit(cpu);

    return is_absent(cpu, cpu->vendor->has_op(cpu_op(cpu)->kind) &&
                              !cpu_real_mode(cpu) && !is_compatible);
}

static bool smx_denies(struct fake_x86 *cpu)
{
    return is_absent(cpu, (cpu->state.cr4 & X86_CR4_SMXE) != 0);
}

static bool random_is_absent(struct fake_x86 *cpu)
{
    return is_absent(cpu, cpu->profile->random);
}

/* An operation, and what is looked at before it and before its exit. */
struct op_row {
    void (*execute)(struct fake_x86 *cpu);
    bool (*denies)(struct fake_x86 *cpu);
};

static const struct op_row common[OP_KIND_COUNT] = {
    [OP_LOAD] = {cpu_op_load},   [OP_STORE] = {cpu_op_store},
    [OP_AMO] = {cpu_op_swap},    [OP_FETCH] = {cpu_op_fetch},
    [OP_ECALL] = {do_undefined}, [OP_WFI] = {do_hlt, cpu_not_allowed},
    [OP_EBREAK] = {do_trap},     [OP_INSN] = {do_undefined},
    [OP_FP] = {do_fp},           [OP_FP_READ] = {do_fp},
    [OP_SET_REG] = {do_set_reg}, [OP_SET_PC] = {do_set_pc},
    [OP_USER_MODE] = {do_mode},  [OP_SUPERVISOR_MODE] = {do_mode},
    [OP_DELAY] = {do_delay},     [OP_RAW_EXIT] = {do_raw_exit},
};

#define X86(op) [OP_X86_##op - OP_X86_FIRST]

static const struct op_row rows[OP_X86_END - OP_X86_FIRST] = {
    X86(CPUID) = {do_cpuid},
    X86(HLT) = {do_hlt, cpu_not_allowed},
    X86(RDMSR) = {cpu_op_rdmsr, cpu_not_allowed},
    X86(WRMSR) = {cpu_op_wrmsr, cpu_not_allowed},
    X86(IN) = {cpu_op_in},
    X86(OUT) = {cpu_op_out},
    X86(READ_CR) = {cpu_op_read_cr, cpu_not_allowed},
    X86(WRITE_CR) = {cpu_op_write_cr, cpu_not_allowed},
    X86(READ_DR) = {cpu_op_read_dr, cpu_not_allowed},
    X86(WRITE_DR) = {cpu_op_write_dr, cpu_not_allowed},
    X86(INVLPG) = {do_invlpg, cpu_not_allowed},
    X86(VMMCALL) = {do_undefined},
    X86(PAUSE) = {cpu_retire},
    X86(MONITOR) = {do_monitor, monitor_denies},
    X86(MWAIT) = {do_mwait, monitor_denies},
    X86(XSETBV) = {do_xsetbv, osxsave_denies},
    X86(RDTSC) = {do_rdtsc, tsd_denies},
    X86(RDTSCP) = {do_rdtsc, tsd_denies},
    X86(RDPMC) = {do_rdpmc, pce_denies},
    X86(INT) = {do_int},
    X86(INT3) = {do_trap},
    X86(ICEBP) = {do_trap},
    X86(RAISE) = {do_raise},
    X86(IRET) = {do_iret},
    X86(STI) = {do_sti, iopl_denies},
    X86(CLI) = {do_cli, iopl_denies},
    X86(INVD) = {cpu_retire, cpu_not_allowed},
    X86(WBINVD) = {cpu_retire, cpu_not_allowed},
    X86(INS) = {cpu_op_ins},
    X86(OUTS) = {cpu_op_outs},
    X86(LMSW) = {cpu_op_lmsw, cpu_not_allowed},
    X86(SMSW) = {cpu_op_smsw, cpu_umip_denies},
    X86(CLTS) = {cpu_op_clts, cpu_not_allowed},
    X86(LGDT) = {cpu_op_load_table, cpu_not_allowed},
    X86(LIDT) = {cpu_op_load_table, cpu_not_allowed},
    X86(SGDT) = {cpu_op_store_table, cpu_umip_denies},
    X86(SIDT) = {cpu_op_store_table, cpu_umip_denies},
    X86(LLDT) = {cpu_op_load_selector, protected_denies},
    X86(LTR) = {cpu_op_load_selector, protected_denies},
    X86(SLDT) = {cpu_op_store_selector, protected_umip_denies},
    X86(STR) = {cpu_op_store_selector, protected_umip_denies},
    X86(JMP_FAR) = {cpu_op_jmp_far},
    X86(PUSHF) = {cpu_op_pushf},
    X86(POPF) = {cpu_op_popf},
    X86(RSM) = {do_undefined},
    X86(FWAIT) = {do_fwait},
    X86(RDPRU) = {do_rdpru, rdpru_is_absent},
    X86(INVPCID) = {do_invpcid, invpcid_denies},
    X86(VMRUN) = {do_vendor, vendor_denies},
    X86(VMLOAD) = {do_vendor, vendor_denies},
    X86(VMSAVE) = {do_vendor, vendor_denies},
    X86(STGI) = {do_vendor, vendor_denies},
    X86(CLGI) = {do_vendor, vendor_denies},
    X86(SKINIT) = {do_vendor, vendor_denies},
    X86(INVLPGA) = {do_vendor, vendor_denies},
    X86(STATE) = {do_state},
    X86(TRAPS) = {cpu_op_traps},
    X86(SHUTDOWN) = {cpu_shutdown},
    X86(NMI) = {do_arrival},
    X86(SMI) = {do_arrival},
    X86(INIT) = {do_arrival},
    X86(RDRAND) = {do_random, random_is_absent},
    X86(RDSEED) = {do_random, random_is_absent},
    X86(GETSEC) = {do_undefined, smx_denies},
    X86(VMCLEAR) = {do_vendor, vmx_denies},
    X86(VMLAUNCH) = {do_vendor, vmx_denies},
    X86(VMPTRLD) = {do_vendor, vmx_denies},
    X86(VMPTRST) = {do_vendor, vmx_denies},
    X86(VMREAD) = {do_vendor, vmx_denies},
    X86(VMRESUME) = {do_vendor, vmx_denies},
    X86(VMWRITE) = {do_vendor, vmx_denies},
    X86(VMXOFF) = {do_vendor, vmx_denies},
    X86(VMXON) = {do_vendor, vmx_denies},
    X86(INVEPT) = {do_vendor, vmx_denies},
    X86(INVVPID) = {do_vendor, vmx_denies},
};

static void execute_row(struct fake_x86 *cpu, const struct op_row *row)
{
    if (row->denies != NULL && row->denies(cpu))
        return;
    if (!cpu->vendor->op_exits(cpu))
        row->execute(cpu);
}

void cpu_op_do(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
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
