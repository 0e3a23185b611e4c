/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String instructions: MOVS, STOS, LODS, CMPS, SCAS, INS and OUTS, and the
 * prefixes that repeat them (Intel SDM volume 2, "REP/REPE/REPZ/REPNE/REPNZ").
 *
 * Each iteration is done whole or not at all, and the registers say how far
 * the instruction is, as if an interrupt had come between two.
 */
#include "arch/x86_64/emulate/alu.h"
#include "arch/x86_64/emulate/internal.h"

static uint16_t port_of(const struct x86_emulation *em)
{
    return (uint16_t)em->cpu->gpr[X86_GPR_RDX];
}

static enum x86_result input(struct x86_emulation *em)
{
    struct x86_ref to;
    uint32_t value = 0;

    TRY(x86_open(em, 0, X86_ACCESS_WRITE, &to));
    TRY(em->ops->port_read(em->context, port_of(em), &value, to.operand->size));
    return x86_store(em, &to, value);
}

static enum x86_result output(struct x86_emulation *em)
{
    struct x86_ref from;
    uint64_t value;

    TRY(x86_open(em, 1, X86_ACCESS_READ, &from));
    TRY(x86_load(em, &from, &value));
    return em->ops->port_write(em->context, port_of(em), (uint32_t)value,
                               from.operand->size);
}

static enum x86_result transfer(struct x86_emulation *em)
{
    switch (em->insn->op) {
    case X86_OP_cmps:
    case X86_OP_scas: return x86_do_compare(em);
    case X86_OP_ins: return input(em);
    case X86_OP_outs: return output(em);
    default: return x86_do_mov(em); /* MOVS, STOS, LODS */
    }
}

/* Registers used as an address or a count change in the address size. */
static void add_to(struct x86_emulation *em, unsigned reg, uint64_t value)
{
    x86_gpr_write(em->cpu, reg, em->insn->address_size,
                  em->cpu->gpr[reg] + value);
}

static void advance(struct x86_emulation *em)
{
    bool down = (em->cpu->rflags & X86_RFLAGS_DF) != 0;

    for (unsigned i = 0; i < 2; i++) {
        const struct x86_operand *operand = &em->insn->operand[i];
        uint64_t step = down ? 0 - (uint64_t)operand->size : operand->size;

        if (operand->kind == X86_OPERAND_SI)
            add_to(em, X86_GPR_RSI, step);
        if (operand->kind == X86_OPERAND_DI)
            add_to(em, X86_GPR_RDI, step);
    }
}

static uint64_t count_of(const struct x86_emulation *em)
{
    return x86_gpr_read(em->cpu, X86_GPR_RCX, em->insn->address_size);
}

/* Whether the iteration just done was the last one. */
static bool is_last(const struct x86_emulation *em)
{
    bool is_zero = (em->cpu->rflags & X86_RFLAGS_ZF) != 0;

    if (count_of(em) == 0)
        return true;
    if (em->insn->op != X86_OP_cmps && em->insn->op != X86_OP_scas)
        return false;
    return is_zero == (em->insn->repeat == X86_REPEAT_REPNE);
}

static enum x86_result repeat(struct x86_emulation *em)
{
    if (count_of(em) == 0)
        return X86_DONE;
    for (unsigned i = 0; i < X86_STRING_CHUNK; i++) {
        TRY(transfer(em));
        advance(em);
        add_to(em, X86_GPR_RCX, UINT64_MAX);
        if (is_last(em))
            return X86_DONE;
        if ((em->cpu->rflags & X86_RFLAGS_TF) != 0) {
            em->outcome->single_step = true;
            break;
        }
    }
    /* As an interrupt between iterations leaves it (SDM volume 3, section
     * 18.3.1.1): an instruction breakpoint is not met again. */
    em->cpu->rflags |= X86_RFLAGS_RF;
    return X86_RETRY;
}

/* A fault leaves the flags as they were before the instruction (SDM volume 2,
 * "REP"). */
enum x86_result x86_do_string(struct x86_emulation *em)
{
    uint64_t rflags = em->cpu->rflags;
    enum x86_result result;

    if (em->insn->repeat != X86_REPEAT_NONE) {
        result = repeat(em);
    } else {
        result = transfer(em);
        if (result == X86_DONE)
            advance(em);
    }
    if (result == X86_EXCEPTION)
        em->cpu->rflags = rflags;
    return result;
}
