/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor; see emulate.h. A function per kind of instruction: it opens
 * the operands, which is where faults are, loads them, stores to memory, and
 * only then to registers and flags.
 */
#include "arch/x86_64/emulate/alu.h"
#include "arch/x86_64/emulate/internal.h"
#include "lib/string.h"

#define LINEAR_32 BIT_MASK(31, 0)

static enum x86_result x86_do_none(struct x86_emulation *em)
{
    return X86_UNSUPPORTED;
}

static enum x86_result x86_do_nop(struct x86_emulation *em)
{
    return X86_DONE;
}

static enum x86_result x86_do_alu(struct x86_emulation *em)
{
    struct x86_pair pair;
    uint64_t result, flags = em->cpu->rflags;

    TRY(x86_load_pair(em, X86_ACCESS_MODIFY, &pair));
    result =
        x86_alu(em->insn->op, pair.to.operand->size, pair.a, pair.b, &flags);
    TRY(x86_store(em, &pair.to, result));
    em->cpu->rflags = flags;
    return X86_DONE;
}

enum x86_result x86_do_compare(struct x86_emulation *em)
{
    struct x86_pair pair;

    TRY(x86_load_pair(em, X86_ACCESS_READ, &pair));
    (void)x86_alu(em->insn->op, pair.to.operand->size, pair.a, pair.b,
                  &em->cpu->rflags);
    return X86_DONE;
}

static enum x86_result x86_do_unary(struct x86_emulation *em)
{
    struct x86_ref to;
    uint64_t a, result, flags = em->cpu->rflags;

    TRY(x86_open(em, 0, X86_ACCESS_MODIFY, &to));
    TRY(x86_load(em, &to, &a));
    result = x86_alu(em->insn->op, to.operand->size, a, 0, &flags);
    TRY(x86_store(em, &to, result));
    em->cpu->rflags = flags;
    return X86_DONE;
}

/* A bit number in a register reaches beyond the operand, in memory: it is
 * signed, and counts from the operand's lowest bit (SDM, "BT"). */
static enum x86_result open_bits(struct x86_emulation *em,
                                 enum x86_access access, struct x86_ref *to)
{
    const struct x86_insn *insn = em->insn;
    const struct x86_operand *number = &insn->operand[1];
    unsigned bits = 8 * insn->operand[0].size;
    int64_t offset;

    if (insn->operand[0].kind != X86_OPERAND_MEMORY ||
        number->kind != X86_OPERAND_GPR)
        return x86_open(em, 0, access, to);
    to->operand = &insn->operand[0];
    offset = sign_extend(em->cpu->gpr[number->reg], bits);
    offset = (offset - (int64_t)((uint64_t)offset % bits)) / 8;
    return x86_locate(em, insn->segment,
                      x86_effective_address(em) + (uint64_t)offset, bits / 8,
                      access, &to->memory);
}

static enum x86_result x86_do_bit(struct x86_emulation *em)
{
    bool writes = em->insn->op != X86_OP_bt;
    struct x86_ref to, from;
    uint64_t a, b, result, flags = em->cpu->rflags;

    TRY(open_bits(em, writes ? X86_ACCESS_MODIFY : X86_ACCESS_READ, &to));
    TRY(x86_open(em, 1, X86_ACCESS_READ, &from));
    TRY(x86_load(em, &to, &a));
    TRY(x86_load(em, &from, &b));
    result = x86_alu(em->insn->op, to.operand->size, a, b, &flags);
    if (writes)
        TRY(x86_store(em, &to, result));
    em->cpu->rflags = flags;
    return X86_DONE;
}

/* What moves have in common: the source comes first, with its faults. */
static enum x86_result load_source(struct x86_emulation *em, struct x86_ref *to,
                                   uint64_t *value)
{
    struct x86_ref from;

    TRY(x86_open(em, 1, X86_ACCESS_READ, &from));
    TRY(x86_open(em, 0, X86_ACCESS_WRITE, to));
    return x86_load(em, &from, value);
}

/* MOV, MOVZX, MOVNTI, and an iteration of MOVS, STOS and LODS: loading has
 * extended the value with zeros. */
enum x86_result x86_do_mov(struct x86_emulation *em)
{
    struct x86_ref to;
    uint64_t value;

    TRY(load_source(em, &to, &value));
    return x86_store(em, &to, value);
}

static enum x86_result x86_do_movsx(struct x86_emulation *em)
{
    unsigned size = em->insn->operand[1].size;
    struct x86_ref to;
    uint64_t value;

    TRY(load_source(em, &to, &value));
    return x86_store(em, &to, (uint64_t)sign_extend(value, 8 * size));
}

static enum x86_result x86_do_movbe(struct x86_emulation *em)
{
    unsigned size = em->insn->operand[1].size;
    struct x86_ref to;
    uint64_t value;

    TRY(load_source(em, &to, &value));
    return x86_store(em, &to, __builtin_bswap64(value) >> (64 - 8 * size));
}

static enum x86_result x86_do_xchg(struct x86_emulation *em)
{
    struct x86_ref a, b;
    uint64_t old_a, old_b;

    TRY(x86_open(em, 0, X86_ACCESS_MODIFY, &a));
    TRY(x86_open(em, 1, X86_ACCESS_MODIFY, &b));
    TRY(x86_load(em, &a, &old_a));
    TRY(x86_load(em, &b, &old_b));
    TRY(x86_store(em, &a, old_b));
    return x86_store(em, &b, old_a);
}

/* The source is a register. It gets its value before the destination does,
 * which may be the same one; a destination in memory goes first, as that may
 * still fail. */
static enum x86_result x86_do_xadd(struct x86_emulation *em)
{
    struct x86_pair pair;
    const struct x86_operand *to;
    uint64_t sum, flags = em->cpu->rflags;

    TRY(x86_load_pair(em, X86_ACCESS_MODIFY, &pair));
    to = pair.to.operand;
    sum = x86_alu(X86_OP_xadd, to->size, pair.a, pair.b, &flags);
    if (to->kind == X86_OPERAND_MEMORY)
        TRY(x86_store(em, &pair.to, sum));
    TRY(x86_store(em, &pair.from, pair.a));
    if (to->kind != X86_OPERAND_MEMORY)
        TRY(x86_store(em, &pair.to, sum));
    em->cpu->rflags = flags;
    return X86_DONE;
}

/* A destination in memory is written in any case (SDM, "CMPXCHG"), the
 * accumulator only if it was not equal. Of a register, the upper half stays
 * then: so do AMD's processors. */
static enum x86_result x86_do_cmpxchg(struct x86_emulation *em)
{
    struct x86_cpu *cpu = em->cpu;
    struct x86_pair pair;
    uint64_t old, expected, flags = cpu->rflags;
    unsigned size;

    TRY(x86_load_pair(em, X86_ACCESS_MODIFY, &pair));
    old = pair.a;
    size = pair.to.operand->size;
    expected = x86_gpr_read(cpu, X86_GPR_RAX, size);
    (void)x86_alu(X86_OP_cmp, size, expected, old, &flags);
    if (expected == old || pair.to.operand->kind == X86_OPERAND_MEMORY)
        TRY(x86_store(em, &pair.to, expected == old ? pair.b : old));
    if (expected != old)
        x86_gpr_write(cpu, X86_GPR_RAX, size, old);
    cpu->rflags = flags;
    return X86_DONE;
}

/* CMPXCHG8B and CMPXCHG16B: halves in two registers each. */
static enum x86_result x86_do_cmpxchg_pair(struct x86_emulation *em)
{
    struct x86_cpu *cpu = em->cpu;
    unsigned half = em->insn->operand[0].size / 2;
    uint8_t old[16], expected[16], new[16];
    struct x86_ref to;
    bool equal;

    TRY(x86_open(em, 0, X86_ACCESS_MODIFY, &to));
    TRY(x86_read(em, &to.memory, old));
    memcpy(expected, &cpu->gpr[X86_GPR_RAX], half);
    memcpy(expected + half, &cpu->gpr[X86_GPR_RDX], half);
    memcpy(new, &cpu->gpr[X86_GPR_RBX], half);
    memcpy(new + half, &cpu->gpr[X86_GPR_RCX], half);
    equal = memcmp(old, expected, 2 * half) == 0;
    TRY(x86_write(em, &to.memory, equal ? new : old));
    if (equal) {
        cpu->rflags |= X86_RFLAGS_ZF;
        return X86_DONE;
    }
    cpu->rflags &= ~X86_RFLAGS_ZF;
    cpu->gpr[X86_GPR_RAX] = cpu->gpr[X86_GPR_RDX] = 0;
    memcpy(&cpu->gpr[X86_GPR_RAX], old, half);
    memcpy(&cpu->gpr[X86_GPR_RDX], old + half, half);
    return X86_DONE;
}

/* The stack's address size is its own (SDM volume 1, section 6.2.3). */
static unsigned stack_size(const struct x86_emulation *em)
{
    if (em->insn->mode == X86_MODE_64)
        return 8;
    return (em->cpu->segment[X86_SS].attributes & X86_SEG_BIG) != 0 ? 4 : 2;
}

/* PUSH and POP have addresses of two sizes: that of their operand, and that of
 * the stack. */
static enum x86_result locate_stack(const struct x86_emulation *em,
                                    uint64_t pointer, enum x86_access access,
                                    struct x86_memory *memory)
{
    struct x86_emulation stack = *em;
    struct x86_insn insn = *em->insn;

    insn.address_size = (uint8_t)stack_size(em);
    stack.insn = &insn;
    return x86_locate(&stack, X86_SS, pointer, insn.operand_size, access,
                      memory);
}

static enum x86_result x86_do_push(struct x86_emulation *em)
{
    struct x86_cpu *cpu = em->cpu;
    uint64_t pointer = cpu->gpr[X86_GPR_RSP] - em->insn->operand_size;
    struct x86_memory stack;
    struct x86_ref from;
    uint64_t value;

    TRY(x86_open(em, 0, X86_ACCESS_READ, &from));
    TRY(locate_stack(em, pointer, X86_ACCESS_WRITE, &stack));
    TRY(x86_load(em, &from, &value));
    TRY(x86_write(em, &stack, &value));
    x86_gpr_write(cpu, X86_GPR_RSP, stack_size(em), pointer);
    return X86_DONE;
}

/* An address that RSP is the base of is computed after POP has incremented it
 * (SDM, "POP"). */
static enum x86_result pop(struct x86_emulation *em,
                           const struct x86_memory *stack)
{
    uint64_t value = 0;
    struct x86_ref to;

    TRY(x86_open(em, 0, X86_ACCESS_WRITE, &to));
    TRY(x86_read(em, stack, &value));
    return x86_store(em, &to, value);
}

static enum x86_result x86_do_pop(struct x86_emulation *em)
{
    struct x86_cpu *cpu = em->cpu;
    uint64_t old = cpu->gpr[X86_GPR_RSP];
    struct x86_memory stack;
    enum x86_result result;

    TRY(locate_stack(em, old, X86_ACCESS_READ, &stack));
    x86_gpr_write(cpu, X86_GPR_RSP, stack_size(em),
                  old + em->insn->operand_size);
    result = pop(em, &stack);
    if (result != X86_DONE)
        cpu->gpr[X86_GPR_RSP] = old;
    return result;
}

static enum x86_result (*const handlers[])(struct x86_emulation *em) = {
#define X(name, function) [X86_OP_##name] = x86_do_##function,
    X86_OPS(X)
#undef X
};

/* RF is for the instruction that it was set for (SDM volume 3, section
 * 18.3.1.1). */
static void complete(struct x86_emulation *em)
{
    struct x86_cpu *cpu = em->cpu;

    cpu->rip += em->insn->length;
    if (em->insn->mode != X86_MODE_64)
        cpu->rip &= LINEAR_32;
    cpu->rflags &= ~X86_RFLAGS_RF;
    em->outcome->single_step = (cpu->rflags & X86_RFLAGS_TF) != 0;
}

enum x86_result x86_emulate_insn(struct x86_cpu *cpu,
                                 const struct x86_insn *insn,
                                 const struct x86_emulate_ops *ops,
                                 void *context, struct x86_outcome *outcome)
{
    struct x86_emulation em = {cpu, insn, ops, context, outcome};
    enum x86_result result;

    outcome->single_step = false;
    result = handlers[insn->op](&em);
    if (result == X86_DONE)
        complete(&em);
    return result;
}
