/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest operation from its operands and its fetch to what it left: what is
 * the same for all of them. ops.c has what each does.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"

uint64_t *cpu_gpr(struct fake_x86 *cpu, unsigned reg)
{
    reg %= X86_GPR_COUNT;
    if (reg == X86_GPR_RAX)
        return &cpu->state.rax;
    if (reg == X86_GPR_RSP)
        return &cpu->state.rsp;
    return &cpu->regs->gpr[reg];
}

static uint64_t pair(uint64_t low, uint64_t high)
{
    return (low & UINT32_MAX) | high << 32;
}

/* What the operation left in its registers. */
static void collect_values(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    struct guest_result *result = &cpu->source->result;
    uint64_t rax = cpu->state.rax;
    uint64_t rbx = *cpu_gpr(cpu, X86_GPR_RBX);
    uint64_t rcx = *cpu_gpr(cpu, X86_GPR_RCX);
    uint64_t rdx = *cpu_gpr(cpu, X86_GPR_RDX);

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
        memcpy(&result->value, &cpu->fpu.bytes[CPU_XMM_AT + op->reg % 16 * 16],
               sizeof(result->value));
        break;
    default: result->value = *cpu_gpr(cpu, op->reg); break;
    }
}

/* Whether RFLAGS.TF traps behind it: INT n has cleared that. */
static bool is_stepped(const struct fake_x86 *cpu)
{
    return cpu_op(cpu)->kind != OP_X86_INT && cpu->source->op_length != 0;
}

void cpu_op_finish(struct fake_x86 *cpu, enum guest_outcome outcome)
{
    struct trap_source *source = cpu->source;
    struct guest_result result;

    collect_values(cpu);
    source->result.outcome = outcome;
    cpu->stepped = outcome == OUTCOME_RETIRED && is_stepped(cpu);
    result = source->result;
    source->result = (struct guest_result){.outcome = OUTCOME_PENDING};
    source->op_exited = false;
    if (source->done != NULL)
        source->done(source, &result);
    source->op = NULL;
}

void cpu_advance(struct fake_x86 *cpu)
{
    cpu->state.rip = cpu_address(cpu, cpu->state.rip + cpu->source->op_length);
    cpu->state.rflags &= ~X86_RFLAGS_RF;
    cpu->shadow = 0;
}

void cpu_retire(struct fake_x86 *cpu)
{
    cpu_advance(cpu);
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

void cpu_set_pair(struct fake_x86 *cpu, uint64_t value)
{
    cpu->state.rax = value & UINT32_MAX;
    *cpu_gpr(cpu, X86_GPR_RDX) = value >> 32;
}

/* What INS and OUTS find in their registers; `base` is of their segment. */
static void load_string(struct fake_x86 *cpu, unsigned reg, uint64_t base)
{
    const struct guest_op *op = cpu_op(cpu);

    *cpu_gpr(cpu, X86_GPR_RDX) = op->number;
    *cpu_gpr(cpu, X86_GPR_RCX) = op->value;
    *cpu_gpr(cpu, reg) = op->address - (cpu_64bit(cpu) ? 0 : base);
}

/* Values that the instructions before have put into registers. */
static void load_operands(struct fake_x86 *cpu)
{
    static const uint8_t call_regs[] = {X86_GPR_RAX, X86_GPR_RDI, X86_GPR_RSI,
                                        X86_GPR_RDX, X86_GPR_R10, X86_GPR_R8,
                                        X86_GPR_R9};
    const struct guest_op *op = cpu_op(cpu);
    uint64_t ds = cpu_64bit(cpu) ? 0 : cpu->state.ds.base;

    switch (op->kind) {
    case OP_ECALL:
    case OP_X86_VMMCALL:
        for (unsigned i = 0; i < ARRAY_SIZE(call_regs); i++)
            *cpu_gpr(cpu, call_regs[i]) = op->args[i];
        break;
    case OP_X86_CPUID:
        cpu->state.rax = op->args[0];
        *cpu_gpr(cpu, X86_GPR_RCX) = op->args[1];
        break;
    case OP_X86_WRMSR:
    case OP_X86_XSETBV: cpu_set_pair(cpu, op->value); /* fallthrough */
    case OP_X86_RDMSR:
    case OP_X86_RDPRU:
    case OP_X86_RDPMC: *cpu_gpr(cpu, X86_GPR_RCX) = op->number; break;
    case OP_X86_OUT: cpu->state.rax = op->value; /* fallthrough */
    case OP_X86_IN: *cpu_gpr(cpu, X86_GPR_RDX) = op->number; break;
    case OP_X86_INS: load_string(cpu, X86_GPR_RDI, cpu->state.es.base); break;
    case OP_X86_OUTS: load_string(cpu, X86_GPR_RSI, ds); break;
    case OP_X86_LMSW:
    case OP_X86_LLDT:
    case OP_X86_LTR:
    case OP_X86_WRITE_CR:
    case OP_X86_WRITE_DR: *cpu_gpr(cpu, op->reg) = op->value; break;
    case OP_LOAD:
    case OP_STORE:
    case OP_AMO:
        if ((op->flags & OP_HAS_VALUE) != 0)
            *cpu_gpr(cpu, op->reg) = op->value; /* fallthrough */
    case OP_X86_INVLPG:
    case OP_X86_LGDT:
    case OP_X86_LIDT:
    case OP_X86_SGDT:
    case OP_X86_SIDT:
        *cpu_gpr(cpu, cpu_address_reg(op)) = op->address - ds;
        break;
    case OP_X86_INVPCID: *cpu_gpr(cpu, op->reg) = op->value; /* fallthrough */
    case OP_X86_JMP_FAR:
        *cpu_gpr(cpu, cpu_address_reg(op)) = op->address - ds;
        break;
    default: break;
    }
}

/* Up to the end of the page, or 15 in all. */
static void note_fetched(struct fake_x86 *cpu, uint64_t at, const uint8_t *host)
{
    unsigned count = cpu->fetched_count;
    uint64_t room = PAGE_SIZE - (at & (PAGE_SIZE - 1));

    if (room > CPU_INSN_MAX - count)
        room = CPU_INSN_MAX - count;
    memcpy(cpu->fetched + count, host, room);
    cpu->fetched_count = (uint8_t)(count + room);
}

/* What of it is in the page of `at`. */
static bool place_part(struct fake_x86 *cpu, uint64_t at, const uint8_t *bytes,
                       unsigned length)
{
    const struct cpu_translation translation =
        mmu_linear(cpu, at, CPU_FETCH, cpu->state.cpl);
    uint8_t *host;

    if (!translation.ok) {
        cpu_memory_fault(cpu, at, &translation);
        return false;
    }
    host = cpu_host_memory(cpu, translation.hpa, 1);
    if (host == NULL)
        return true;
    if ((cpu_op(cpu)->flags & OP_NO_FETCH) == 0)
        cpu_put_code(translation.hpa, host, bytes, length);
    note_fetched(cpu, at, host);
    return true;
}

/*
 * Fetches the operation's instruction, which has been in the guest's memory all
 * the time. False: the fetch has faulted.
 */
static bool place_code(struct fake_x86 *cpu)
{
    const struct vmcb_save *save = &cpu->state;
    uint64_t at =
        cpu_64bit(cpu) ? save->rip : (save->cs.base + save->rip) & UINT32_MAX;
    uint8_t bytes[CPU_INSN_MAX];
    unsigned length = cpu_encode(cpu, cpu_op(cpu), bytes);

    cpu->source->op_length = (uint8_t)length;
    cpu->fetched_count = 0;
    for (unsigned i = 0; i < length; i++) {
        if (i > 0 && !is_aligned(at + i, PAGE_SIZE))
            continue;
        if (!place_part(cpu, at + i, bytes + i, length - i))
            return false;
    }
    return true;
}

void cpu_op_execute(struct fake_x86 *cpu)
{
    cpu->source->op_pc = cpu->state.rip;
    if (!cpu->source->op_begun)
        load_operands(cpu);
    cpu->source->op_begun = true;
    if (place_code(cpu))
        cpu_op_do(cpu);
}
