/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves between XMM registers, general registers and memory (Intel SDM volume
 * 2: MOVUPS, MOVSS, MOVLPS, MOVHPS, MOVD/MOVQ and their relatives). Legacy SSE
 * leaves the upper parts of YMM and ZMM registers alone.
 *
 * Not here: MMX registers; loading one changes the state of the x87 too.
 */
#include "arch/x86_64/emulate/internal.h"
#include "lib/string.h"

#define XMM_SIZE 16
#define XMM_HALF 8

/* SDM volume 2, table 2-21 "Type 4 Class Exception Conditions", of what may
 * raise them before an access. */
static enum x86_result check_enabled(const struct x86_emulation *em)
{
    const struct x86_control *control = &em->cpu->control;

    if ((control->cr0 & X86_CR0_EM) != 0 ||
        (control->cr4 & X86_CR4_OSFXSR) == 0)
        return x86_raise(em->cpu, X86_VECTOR_UD, em->outcome);
    if ((control->cr0 & X86_CR0_TS) != 0)
        return x86_raise(em->cpu, X86_VECTOR_NM, em->outcome);
    return X86_DONE;
}

static bool is_high_half(enum x86_op op)
{
    return op == X86_OP_movhps || op == X86_OP_movhpd;
}

/* Whether the rest of the destination register stays; else it is cleared. */
static bool is_merging(const struct x86_insn *insn)
{
    switch (insn->op) {
    case X86_OP_movlps:
    case X86_OP_movlpd:
    case X86_OP_movhps:
    case X86_OP_movhpd: return true;
    case X86_OP_movss:
    case X86_OP_movsd: return insn->operand[1].kind == X86_OPERAND_XMM;
    default: return false;
    }
}

static enum x86_result load(const struct x86_emulation *em,
                            const struct x86_ref *from, uint8_t *bytes)
{
    uint8_t xmm[XMM_SIZE];
    uint64_t value;

    if (from->operand->kind == X86_OPERAND_MEMORY)
        return x86_read(em, &from->memory, bytes);
    if (from->operand->kind == X86_OPERAND_GPR) {
        TRY(x86_load(em, from, &value));
        memcpy(bytes, &value, sizeof(value));
        return X86_DONE;
    }
    em->ops->read_xmm(em->context, from->operand->reg, xmm);
    if (is_high_half(em->insn->op))
        memcpy(bytes, xmm + XMM_HALF, XMM_HALF);
    else
        memcpy(bytes, xmm, XMM_SIZE);
    return X86_DONE;
}

static enum x86_result store(const struct x86_emulation *em,
                             const struct x86_ref *to, const uint8_t *bytes,
                             unsigned size)
{
    uint8_t xmm[XMM_SIZE] = {0};
    uint64_t value = 0;

    if (to->operand->kind == X86_OPERAND_MEMORY)
        return x86_write(em, &to->memory, bytes);
    if (to->operand->kind == X86_OPERAND_GPR) {
        memcpy(&value, bytes, size);
        return x86_store(em, to, value);
    }
    if (is_merging(em->insn))
        em->ops->read_xmm(em->context, to->operand->reg, xmm);
    memcpy(xmm + (is_high_half(em->insn->op) ? XMM_HALF : 0), bytes, size);
    em->ops->write_xmm(em->context, to->operand->reg, xmm);
    return X86_DONE;
}

enum x86_result x86_do_vector(struct x86_emulation *em)
{
    const struct x86_operand *operand = em->insn->operand;
    uint8_t bytes[XMM_SIZE] = {0};
    struct x86_ref to, from;
    unsigned size;

    if (operand[0].kind == X86_OPERAND_MMX ||
        operand[1].kind == X86_OPERAND_MMX)
        return X86_UNSUPPORTED;
    TRY(check_enabled(em));
    TRY(x86_open(em, 1, X86_ACCESS_READ, &from));
    TRY(x86_open(em, 0, X86_ACCESS_WRITE, &to));
    TRY(load(em, &from, bytes));
    size =
        operand[0].size < operand[1].size ? operand[0].size : operand[1].size;
    return store(em, &to, bytes, size);
}
