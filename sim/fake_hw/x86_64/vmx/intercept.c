/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operations exit by: SDM volume 3, chapter on VMX non-root operation, the
 * sections on instructions that cause VM exits and on changes to instruction
 * behaviour. Bit maps are read in memory.
 */
#include "sim/clock.h"
#include "sim/fake_hw/x86_64/vmx/guest.h"

#define CR3_TARGETS 4

#define LMSW_REST (X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

/* By which control an instruction exits; without a word, by none: it does. */
struct row {
    bool exits;
    uint8_t reason; /* enum vmx_reason */
    uint8_t word;   /* enum vmx_word */
    uint64_t control;
};

#define X86(op) [OP_X86_##op - OP_X86_FIRST]
#define ALWAYS(reason)                              \
    {                                               \
        true, VMX_REASON_##reason, VMX_WORD_NONE, 0 \
    }
#define BY(reason, word, control)                                          \
    {                                                                      \
        true, VMX_REASON_##reason, VMX_WORD_##word, VMX_##word##_##control \
    }

static const struct row rows[OP_X86_END - OP_X86_FIRST] = {
    X86(CPUID) = ALWAYS(CPUID),
    X86(INVD) = ALWAYS(INVD),
    X86(XSETBV) = ALWAYS(XSETBV),
    X86(VMMCALL) = ALWAYS(VMCALL),
    X86(GETSEC) = ALWAYS(GETSEC),
    X86(VMCLEAR) = ALWAYS(VMCLEAR),
    X86(VMLAUNCH) = ALWAYS(VMLAUNCH),
    X86(VMPTRLD) = ALWAYS(VMPTRLD),
    X86(VMPTRST) = ALWAYS(VMPTRST),
    X86(VMREAD) = ALWAYS(VMREAD),
    X86(VMRESUME) = ALWAYS(VMRESUME),
    X86(VMWRITE) = ALWAYS(VMWRITE),
    X86(VMXOFF) = ALWAYS(VMXOFF),
    X86(VMXON) = ALWAYS(VMXON),
    X86(INVEPT) = ALWAYS(INVEPT),
    X86(INVVPID) = ALWAYS(INVVPID),
    X86(HLT) = BY(HLT, CPU, HLT_EXITING),
    X86(INVLPG) = BY(INVLPG, CPU, INVLPG_EXITING),
    X86(INVPCID) = BY(INVPCID, CPU, INVLPG_EXITING),
    X86(RDPMC) = BY(RDPMC, CPU, RDPMC_EXITING),
    X86(RDTSC) = BY(RDTSC, CPU, RDTSC_EXITING),
    X86(RDTSCP) = BY(RDTSCP, CPU, RDTSC_EXITING),
    X86(MONITOR) = BY(MONITOR, CPU, MONITOR_EXITING),
    X86(MWAIT) = BY(MWAIT, CPU, MWAIT_EXITING),
    X86(PAUSE) = BY(PAUSE, CPU, PAUSE_EXITING),
    X86(WBINVD) = BY(WBINVD, CPU2, WBINVD_EXITING),
    X86(LGDT) = BY(GDTR_IDTR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(LIDT) = BY(GDTR_IDTR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(SGDT) = BY(GDTR_IDTR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(SIDT) = BY(GDTR_IDTR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(LLDT) = BY(LDTR_TR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(LTR) = BY(LDTR_TR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(SLDT) = BY(LDTR_TR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(STR) = BY(LDTR_TR_ACCESS, CPU2, DESCRIPTOR_TABLE_EXITING),
    X86(RDRAND) = BY(RDRAND, CPU2, RDRAND_EXITING),
    X86(RDSEED) = BY(RDSEED, CPU2, RDSEED_EXITING),
};

static const struct row *row_of(unsigned kind)
{
    if (kind == OP_ECALL)
        kind = OP_X86_VMMCALL;
    if (kind == OP_WFI)
        kind = OP_X86_HLT;
    return kind >= OP_X86_FIRST && kind < OP_X86_END
               ? &rows[kind - OP_X86_FIRST]
               : NULL;
}

static bool row_exits(const struct fake_x86 *cpu, const struct row *row)
{
    switch (row->word) {
    case VMX_WORD_CPU: return vmx_cpu(cpu, row->control);
    case VMX_WORD_CPU2: return vmx_cpu2(cpu, row->control);
    default: return row->exits;
    }
}

/* Instructions that a control turns on: without it they raise #UD. */
static bool is_turned_off(const struct fake_x86 *cpu, unsigned kind)
{
    switch (kind) {
    case OP_X86_RDTSCP: return !vmx_cpu2(cpu, VMX_CPU2_RDTSCP);
    case OP_X86_INVPCID: return !vmx_cpu2(cpu, VMX_CPU2_INVPCID);
    default: return false;
    }
}

/* A loop of PAUSEs, each within PLE_GAP of the one before, that goes on for
 * PLE_WINDOW; only at privilege level 0. */
static bool pause_loops(struct fake_x86 *cpu)
{
    struct vmx_guest *vmx = &cpu->vmx_guest;
    uint64_t now = cpu_tsc();

    if (!vmx_cpu2(cpu, VMX_CPU2_PAUSE_LOOP_EXITING) || cpu->state.cpl != 0)
        return false;
    if (vmx->pauses == 0 || now - vmx->pause_last > VMCS(cpu, PLE_GAP)) {
        vmx->pauses = 0;
        vmx->pause_first = now;
    }
    vmx->pauses++;
    vmx->pause_last = now;
    if (now - vmx->pause_first <= VMCS(cpu, PLE_WINDOW))
        return false;
    vmx->pauses = 0;
    return true;
}

static uint64_t qualification_of(const struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

    switch (op->kind) {
    case OP_X86_MWAIT: return cpu->monitor_armed;
    case OP_X86_INVLPG: return op->address;
    default: return 0; /* memory operands have no displacement here */
    }
}

bool fake_vmx_op_exits(struct fake_x86 *cpu)
{
    unsigned kind = cpu_op(cpu)->kind;
    const struct row *row = row_of(kind);

    /* It unblocks NMIs before it may fault. */
    if (kind == OP_X86_IRET)
        fake_vmx_unblock_nmi(cpu);
    if (row == NULL)
        return false;
    if (is_turned_off(cpu, kind)) {
        cpu_exception(cpu, X86_VECTOR_UD, 0, 0);
        return true;
    }
    if (!row_exits(cpu, row) && (kind != OP_X86_PAUSE || !pause_loops(cpu)))
        return false;
    fake_vmx_insn_exit(cpu, (enum vmx_reason)row->reason,
                       qualification_of(cpu));
    return true;
}

bool fake_vmx_has_op(unsigned kind)
{
    return kind >= OP_X86_VMCLEAR && kind <= OP_X86_INVVPID;
}

/* --- Control and debug registers --- */

static uint64_t mask_of(const struct fake_x86 *cpu, unsigned number)
{
    return number == 0   ? VMCS(cpu, CR0_GUEST_HOST_MASK)
           : number == 4 ? VMCS(cpu, CR4_GUEST_HOST_MASK)
                         : 0;
}

static uint64_t shadow_of(const struct fake_x86 *cpu, unsigned number)
{
    return number == 0 ? VMCS(cpu, CR0_READ_SHADOW)
                       : VMCS(cpu, CR4_READ_SHADOW);
}

static void cr_exit(struct fake_x86 *cpu, unsigned number,
                    enum vmx_cr_type type)
{
    fake_vmx_insn_exit(cpu, VMX_REASON_CR_ACCESS,
                       number | FIELD_PUT(VMX_CR_TYPE, type) |
                           FIELD_PUT(VMX_CR_GPR, cpu_op(cpu)->reg & 15u));
}

bool fake_vmx_read_cr_exits(struct fake_x86 *cpu, unsigned number)
{
    if ((number != 3 || !vmx_cpu(cpu, VMX_CPU_CR3_STORE_EXITING)) &&
        (number != 8 || !vmx_cpu(cpu, VMX_CPU_CR8_STORE_EXITING)))
        return false;
    cr_exit(cpu, number, VMX_CR_FROM);
    return true;
}

static bool is_cr3_target(const struct fake_x86 *cpu, uint64_t value)
{
    for (unsigned i = 0; i < CR3_TARGETS && i < VMCS(cpu, CR3_TARGET_COUNT);
         i++) {
        if (cpu->vmx.vmcs->field[VMCS_AT_CR3_TARGET_VALUE0 + i] == value)
            return true;
    }
    return false;
}

static bool move_exits(const struct fake_x86 *cpu, unsigned number,
                       uint64_t value)
{
    switch (number) {
    case 0:
    case 4:
        return ((value ^ shadow_of(cpu, number)) & mask_of(cpu, number)) != 0;
    case 3:
        return vmx_cpu(cpu, VMX_CPU_CR3_LOAD_EXITING) &&
               !is_cr3_target(cpu, value);
    case 8: return vmx_cpu(cpu, VMX_CPU_CR8_LOAD_EXITING);
    default: return false;
    }
}

/* LMSW cannot clear PE, so clearing it is no reason to exit. */
static bool lmsw_exits(struct fake_x86 *cpu)
{
    uint64_t msw = *cpu_gpr(cpu, cpu_op(cpu)->reg) & UINT16_MAX;
    uint64_t mask = mask_of(cpu, 0), shadow = shadow_of(cpu, 0);

    if ((msw & mask & ~shadow & X86_CR0_PE) == 0 &&
        ((msw ^ shadow) & mask & LMSW_REST) == 0)
        return false;
    fake_vmx_insn_exit(cpu, VMX_REASON_CR_ACCESS,
                       FIELD_PUT(VMX_CR_TYPE, VMX_CR_LMSW) |
                           FIELD_PUT(VMX_CR_LMSW_OPERAND, msw));
    return true;
}

static bool clts_exits(struct fake_x86 *cpu)
{
    if ((mask_of(cpu, 0) & shadow_of(cpu, 0) & X86_CR0_TS) == 0)
        return false;
    fake_vmx_insn_exit(cpu, VMX_REASON_CR_ACCESS,
                       FIELD_PUT(VMX_CR_TYPE, VMX_CR_CLTS));
    return true;
}

bool fake_vmx_write_cr_exits(struct fake_x86 *cpu, unsigned number,
                             uint64_t value)
{
    switch (cpu_op(cpu)->kind) {
    case OP_X86_LMSW: return lmsw_exits(cpu);
    case OP_X86_CLTS: return clts_exits(cpu);
    default: break;
    }
    if (!move_exits(cpu, number, value))
        return false;
    cr_exit(cpu, number, VMX_CR_TO);
    return true;
}

uint64_t fake_vmx_read_cr(const struct fake_x86 *cpu, unsigned number)
{
    uint64_t mask = mask_of(cpu, number);

    return mask == 0 ? cpu_cr(cpu, number)
                     : (cpu_cr(cpu, number) & ~mask) |
                           (shadow_of(cpu, number) & mask);
}

uint64_t fake_vmx_merge_cr(const struct fake_x86 *cpu, unsigned number,
                           uint64_t value)
{
    uint64_t mask = mask_of(cpu, number);

    return mask == 0 ? value : (cpu_cr(cpu, number) & mask) | (value & ~mask);
}

/* Bits that are fixed in VMX operation; CR0.PE and CR0.PG are not with
 * "unrestricted guest". */
bool fake_vmx_takes_cr(const struct fake_x86 *cpu, unsigned number,
                       uint64_t value)
{
    const struct vmx_profile *profile = cpu->profile->vmx;
    uint64_t fixed0 = profile->cr0_fixed0;

    if (number == 4)
        return (value & profile->cr4_fixed0) == profile->cr4_fixed0 &&
               (value & ~profile->cr4_fixed1) == 0;
    if (number != 0)
        return true;
    if (vmx_cpu2(cpu, VMX_CPU2_UNRESTRICTED_GUEST))
        fixed0 &= ~(X86_CR0_PE | X86_CR0_PG);
    return (value & fixed0) == fixed0 && (value & ~profile->cr0_fixed1) == 0;
}

/* MOV DR exits whether or not there is the register. */
bool fake_vmx_dr_exits(struct fake_x86 *cpu, unsigned number, bool write)
{
    if (!vmx_cpu(cpu, VMX_CPU_MOV_DR_EXITING))
        return false;
    fake_vmx_insn_exit(cpu, VMX_REASON_MOV_DR,
                       number | (write ? 0 : VMX_DR_FROM) |
                           FIELD_PUT(VMX_DR_GPR, cpu_op(cpu)->reg & 15u));
    return true;
}

/* --- MSRs and ports --- */

/* A bit of a map, or more of them, 8 at most; a map that is not in memory has
 * them all set. */
static bool map_has(const struct fake_x86 *cpu, uint64_t map, uint64_t bit)
{
    const uint8_t *byte = cpu_host_memory(cpu, map + bit / 8, 1);

    return byte == NULL || (*byte >> bit % 8 & 1) != 0;
}

/* Four maps of 1 KiB: reads of MSRs from 0 on and from C0000000h on, writes. */
#define MSR_RANGE   0x2000u
#define MSR_HIGH    0xc0000000u
#define MSR_HIGH_AT 0x2000u /* bits */
#define MSR_WRITES  0x4000u

static bool intercepts_msr(const struct fake_x86 *cpu, uint32_t msr, bool write)
{
    uint64_t map = VMCS(cpu, MSR_BITMAPS);
    uint64_t first = write ? MSR_WRITES : 0;

    if (!vmx_cpu(cpu, VMX_CPU_MSR_BITMAPS))
        return true;
    if (msr < MSR_RANGE)
        return map_has(cpu, map, first + msr);
    if (msr - MSR_HIGH < MSR_RANGE)
        return map_has(cpu, map, first + MSR_HIGH_AT + (msr - MSR_HIGH));
    return true;
}

bool fake_vmx_msr_exits(struct fake_x86 *cpu, uint32_t msr, bool write)
{
    if (!intercepts_msr(cpu, msr, write))
        return false;
    fake_vmx_insn_exit(cpu, write ? VMX_REASON_WRMSR : VMX_REASON_RDMSR, 0);
    return true;
}

/* Each port of the access is looked at; one that wraps around exits. */
static bool intercepts_port(const struct fake_x86 *cpu, unsigned port,
                            unsigned width)
{
    if (!vmx_cpu(cpu, VMX_CPU_IO_BITMAPS))
        return vmx_cpu(cpu, VMX_CPU_UNCONDITIONAL_IO_EXITING);
    if (port + width > 0x10000)
        return true;
    for (unsigned i = port; i < port + width; i++) {
        uint64_t map =
            i < 0x8000 ? VMCS(cpu, IO_BITMAP_A) : VMCS(cpu, IO_BITMAP_B);

        if (map_has(cpu, map, i & 0x7fff))
            return true;
    }
    return false;
}

static uint64_t port_qualification(const struct guest_op *op)
{
    uint64_t qualification =
        (op->width - 1u) | FIELD_PUT(VMX_IO_PORT, op->number & 0xffff);

    if (op->kind == OP_X86_IN || op->kind == OP_X86_INS)
        qualification |= VMX_IO_IN;
    if (cpu_op_is_string(op))
        qualification |= VMX_IO_STRING | (op->value != 0 ? VMX_IO_REP : 0);
    return qualification;
}

bool fake_vmx_port_exits(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

    if (!intercepts_port(cpu, op->number & 0xffff, op->width))
        return false;
    if (cpu_op_is_string(op)) {
        bool is_in = op->kind == OP_X86_INS;
        uint64_t base = is_in ? cpu->state.es.base : cpu->state.ds.base;

        VMCS(cpu, GUEST_LINEAR_ADDRESS) =
            *cpu_gpr(cpu, is_in ? X86_GPR_RDI : X86_GPR_RSI) +
            (cpu_64bit(cpu) ? 0 : base);
    }
    fake_vmx_insn_exit(cpu, VMX_REASON_IO_INSTRUCTION, port_qualification(op));
    return true;
}

bool fake_vmx_task_switch_exits(struct fake_x86 *cpu, uint64_t selector)
{
    fake_vmx_op_exit(
        cpu, &(struct fake_vmx_exit){
                 .reason = VMX_REASON_TASK_SWITCH,
                 .qualification = (selector & VMX_TASK_SELECTOR) |
                                  FIELD_PUT(VMX_TASK_SOURCE, VMX_TASK_JMP),
                 .has_length = true});
    return true;
}

/* args: exit reason, exit qualification, guest-physical address,
 * IDT-vectoring information, instruction length, interruption information,
 * its error code. */
void fake_vmx_raw_exit(struct fake_x86 *cpu)
{
    const uint64_t *args = cpu_op(cpu)->args;

    cpu->delivering = args[3];
    VMCS(cpu, GUEST_PHYSICAL_ADDRESS) = args[2];
    fake_vmx_op_exit(cpu,
                     &(struct fake_vmx_exit){.reason = (uint32_t)args[0],
                                             .qualification = args[1],
                                             .interruption = (uint32_t)args[5],
                                             .error = (uint32_t)args[6],
                                             .has_length = true,
                                             .length = (uint8_t)args[4]});
}
