/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operations exit by, and what the exits say. APM volume 2, sections 15.7
 * to 15.14, 15.21.2 (CR8 with V_INTR_MASKING). The permission maps are read in
 * memory.
 */
#include "sim/fake_hw/x86_64/svm/svm.h"

/* EXITINFO2 of VMEXIT_TASK_SWITCH (section 15.14.1). */
#define TASK_SWITCH_JMP BIT(38)

/* Instruction intercepts, plus one; 0: the operation has none. */
#define BY(intercept) (uint8_t)(INTERCEPT_##intercept + 1)
#define X86(op)       [OP_X86_##op - OP_X86_FIRST]

static const uint8_t intercepts[OP_X86_END - OP_X86_FIRST] = {
    X86(CPUID) = BY(CPUID),     X86(HLT) = BY(HLT),
    X86(INVLPG) = BY(INVLPG),   X86(VMMCALL) = BY(VMMCALL),
    X86(PAUSE) = BY(PAUSE),     X86(MONITOR) = BY(MONITOR),
    X86(MWAIT) = BY(MWAIT),     X86(XSETBV) = BY(XSETBV),
    X86(RDTSC) = BY(RDTSC),     X86(RDTSCP) = BY(RDTSCP),
    X86(RDPMC) = BY(RDPMC),     X86(INT) = BY(SWINT),
    X86(ICEBP) = BY(ICEBP),     X86(IRET) = BY(IRET),
    X86(INVD) = BY(INVD),       X86(WBINVD) = BY(WBINVD),
    X86(LGDT) = BY(GDTR_WRITE), X86(LIDT) = BY(IDTR_WRITE),
    X86(SGDT) = BY(GDTR_READ),  X86(SIDT) = BY(IDTR_READ),
    X86(LLDT) = BY(LDTR_WRITE), X86(LTR) = BY(TR_WRITE),
    X86(SLDT) = BY(LDTR_READ),  X86(STR) = BY(TR_READ),
    X86(PUSHF) = BY(PUSHF),     X86(POPF) = BY(POPF),
    X86(RSM) = BY(RSM),         X86(RDPRU) = BY(RDPRU),
    X86(INVPCID) = BY(INVPCID), X86(VMRUN) = BY(VMRUN),
    X86(VMLOAD) = BY(VMLOAD),   X86(VMSAVE) = BY(VMSAVE),
    X86(STGI) = BY(STGI),       X86(CLGI) = BY(CLGI),
    X86(SKINIT) = BY(SKINIT),   X86(INVLPGA) = BY(INVLPGA),
};

static unsigned intercept_of(unsigned kind)
{
    if (kind >= OP_X86_FIRST && kind < OP_X86_END)
        return intercepts[kind - OP_X86_FIRST];
    return kind == OP_ECALL ? BY(VMMCALL) : kind == OP_WFI ? BY(HLT) : 0;
}

/* EXITINFO1 of an instruction intercept. */
static uint64_t intercept_info(const struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

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
static bool pause_is_filtered(struct fake_x86 *cpu)
{
    if (!svm_has(cpu, SVM_FEATURE_PAUSE_FILTER) ||
        cpu_op(cpu)->kind != OP_X86_PAUSE || cpu->svm.pause_left == 0)
        return false;
    cpu->svm.pause_left--;
    return true;
}

static uint64_t code_of(enum svm_intercept intercept)
{
    return intercept < INTERCEPT_INVLPGB
               ? (uint64_t)VMEXIT_INTR + intercept
               : (uint64_t)VMEXIT_INVLPGB + intercept - INTERCEPT_INVLPGB;
}

/* An MWAIT whose monitor is armed has an intercept more. */
static bool armed_mwait_exits(struct fake_x86 *cpu)
{
    if (cpu_op(cpu)->kind != OP_X86_MWAIT || !cpu->monitor_armed ||
        !vmcb_intercepts(&cpu->svm.control, INTERCEPT_MWAIT_CONDITIONAL))
        return false;
    svm_op_exit(cpu, VMEXIT_MWAIT_CONDITIONAL, 0, 0);
    return true;
}

bool svm_op_exits(struct fake_x86 *cpu)
{
    unsigned row = intercept_of(cpu_op(cpu)->kind);
    enum svm_intercept intercept = (enum svm_intercept)(row - 1);

    if (row == 0)
        return false;
    if (!vmcb_intercepts(&cpu->svm.control, intercept) ||
        pause_is_filtered(cpu))
        return armed_mwait_exits(cpu);
    svm_op_exit(cpu, code_of(intercept), intercept_info(cpu),
                cpu_op(cpu)->kind == OP_X86_INVPCID ? cpu_op(cpu)->value : 0);
    return true;
}

bool svm_has_op(unsigned kind)
{
    return kind >= OP_X86_VMRUN && kind <= OP_X86_INVLPGA;
}

/* args: EXITCODE, EXITINFO1, EXITINFO2, EXITINTINFO. */
void svm_raw_exit(struct fake_x86 *cpu)
{
    const uint64_t *args = cpu_op(cpu)->args;

    cpu->delivering = args[3];
    svm_op_exit(cpu, args[0], args[1], args[2]);
}

/* Bits `bit` and up, `count` of them, 8 at most; a map that is not in memory
 * has them all set. */
static unsigned map_bits(const struct fake_x86 *cpu, uint64_t map, uint64_t bit,
                         unsigned count)
{
    uint64_t at = align_down(map, PAGE_SIZE) + bit / 8;
    const uint8_t *bytes = cpu_host_memory(cpu, at, 2);

    if (bytes == NULL)
        return (1u << count) - 1;
    return (bytes[0] | (unsigned)bytes[1] << 8) >> (bit % 8) &
           ((1u << count) - 1);
}

static bool intercepts_msr(const struct fake_x86 *cpu, uint32_t msr, bool write)
{
    static const struct {
        uint32_t first, at;
    } ranges[] = {
#define X(first, at) {first, at},
        MSRPM_RANGES(X)
#undef X
    };
    const struct vmcb_control *control = &cpu->svm.control;

    if (!vmcb_intercepts(control, INTERCEPT_MSR))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        uint32_t offset = msr - ranges[i].first;

        if (offset < MSRPM_RANGE)
            return map_bits(cpu, control->msrpm_base_pa,
                            ranges[i].at * 8u + offset * 2u + write, 1) != 0;
    }
    return true;
}

bool svm_msr_exits(struct fake_x86 *cpu, uint32_t msr, bool write)
{
    if (!intercepts_msr(cpu, msr, write))
        return false;
    svm_op_exit(cpu, VMEXIT_MSR, write ? MSR_EXIT_WRITE : 0, 0);
    return true;
}

void svm_wrote_msr(struct fake_x86 *cpu, uint32_t msr, uint64_t value)
{
    if ((enum x86_msr)msr == X86_MSR_EFER &&
        vmcb_intercepts(&cpu->svm.control, INTERCEPT_EFER_WRITE_TRAP))
        svm_exit(cpu, VMEXIT_EFER_WRITE_TRAP, value, 0);
}

/* Of string instructions, those of INS's segment ES, and of OUTS's DS. */
#define SEGMENT_ES UINT64_C(0)
#define SEGMENT_DS UINT64_C(3)

static uint64_t string_info(const struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t info = IOIO_STR | (op->value != 0 ? IOIO_REP : 0);

    if (svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS))
        info |= FIELD_PUT(IOIO_SEG,
                          op->kind == OP_X86_INS ? SEGMENT_ES : SEGMENT_DS);
    return info;
}

static uint64_t port_info(const struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t info = FIELD_PUT(IOIO_PORT, op->number & 0xffff) |
                    (cpu_op_is_string(op) ? string_info(cpu) : 0);

    info |= op->width == 1 ? IOIO_SZ8 : op->width == 2 ? IOIO_SZ16 : IOIO_SZ32;
    info |= cpu_64bit(cpu)                                ? IOIO_A64
            : (cpu->state.cs.attrib & VMCB_ATTRIB_D) != 0 ? IOIO_A32
                                                          : IOIO_A16;
    return op->kind == OP_X86_IN || op->kind == OP_X86_INS ? info | IOIO_TYPE_IN
                                                           : info;
}

bool svm_port_exits(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);

    if (!vmcb_intercepts(&cpu->svm.control, INTERCEPT_IOIO) ||
        map_bits(cpu, cpu->svm.control.iopm_base_pa, op->number & 0xffff,
                 op->width) == 0)
        return false;
    svm_op_exit(cpu, VMEXIT_IOIO, port_info(cpu),
                cpu->state.rip + cpu->source->op_length);
    return true;
}

/* EXITINFO1 of an access to a control register; LMSW, SMSW and CLTS are no
 * MOV. */
static uint64_t cr_info(const struct fake_x86 *cpu)
{
    unsigned kind = cpu_op(cpu)->kind;

    if (!svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS) ||
        (kind != OP_X86_READ_CR && kind != OP_X86_WRITE_CR))
        return 0;
    return CR_EXIT_MOV | FIELD_PUT(CR_EXIT_GPR, cpu_op(cpu)->reg & 15u);
}

bool svm_read_cr_exits(struct fake_x86 *cpu, unsigned number)
{
    if ((cpu->svm.control.intercept_cr_read & BIT(number)) == 0)
        return false;
    svm_op_exit(cpu, VMEXIT_CR0_READ + number, cr_info(cpu), 0);
    return true;
}

/* The selective intercept of CR0 looks at what changes. */
bool svm_write_cr_exits(struct fake_x86 *cpu, unsigned number, uint64_t value)
{
    const struct vmcb_control *control = &cpu->svm.control;
    uint64_t changed = cpu->state.cr0 ^ value;

    if ((control->intercept_cr_write & BIT(number)) != 0) {
        svm_op_exit(cpu, VMEXIT_CR0_WRITE + number, cr_info(cpu), 0);
        return true;
    }
    if (number != 0 || (changed & ~(X86_CR0_TS | X86_CR0_MP)) == 0 ||
        !vmcb_intercepts(control, INTERCEPT_CR0_SEL_WRITE))
        return false;
    svm_op_exit(cpu, VMEXIT_CR0_SEL_WRITE, cr_info(cpu), 0);
    return true;
}

/* A trap: the register has its value, and the instruction is behind. */
void svm_wrote_cr(struct fake_x86 *cpu, unsigned number, uint64_t value)
{
    unsigned trap = INTERCEPT_CR_WRITE_TRAP + number;

    if (vmcb_intercepts(&cpu->svm.control, (enum svm_intercept)trap))
        svm_exit(cpu, (uint64_t)VMEXIT_INTR + trap, value, 0);
}

bool svm_dr_exits(struct fake_x86 *cpu, unsigned number, bool write)
{
    const struct vmcb_control *control = &cpu->svm.control;
    unsigned intercepted =
        write ? control->intercept_dr_write : control->intercept_dr_read;

    if ((intercepted & BIT(number)) == 0)
        return false;
    svm_op_exit(cpu, (write ? VMEXIT_DR0_WRITE : VMEXIT_DR0_READ) + number,
                svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS)
                    ? FIELD_PUT(CR_EXIT_GPR, cpu_op(cpu)->reg & 15u)
                    : 0,
                0);
    return true;
}

bool svm_task_switch_exits(struct fake_x86 *cpu, uint64_t selector)
{
    if (!vmcb_intercepts(&cpu->svm.control, INTERCEPT_TASK_SWITCH))
        return false;
    svm_op_exit(cpu, VMEXIT_TASK_SWITCH, selector & 0xffff, TASK_SWITCH_JMP);
    return true;
}

bool svm_ferr_exits(struct fake_x86 *cpu)
{
    if (!vmcb_intercepts(&cpu->svm.control, INTERCEPT_FERR_FREEZE))
        return false;
    svm_op_exit(cpu, VMEXIT_FERR_FREEZE, 0, 0);
    return true;
}
