/* SPDX-License-Identifier: Apache-2.0 */
/* Operands: registers, immediates, memory; see internal.h. */
#include "arch/x86_64/emulate/internal.h"
#include "lib/string.h"

#define HIGH_MASK BIT_MASK(15, 8) /* AH, CH, DH, BH */

uint64_t x86_gpr_read(const struct x86_cpu *cpu, unsigned reg, unsigned bytes)
{
    return zero_extend(cpu->gpr[reg], 8 * bytes);
}

void x86_gpr_write(struct x86_cpu *cpu, unsigned reg, unsigned bytes,
                   uint64_t value)
{
    uint64_t mask = BIT_MASK(8 * bytes - 1, 0);

    if (bytes < 4)
        cpu->gpr[reg] = (cpu->gpr[reg] & ~mask) | (value & mask);
    else
        cpu->gpr[reg] = value & mask;
}

static uint64_t base_of(const struct x86_emulation *em)
{
    switch (em->insn->base) {
    case X86_NO_REG: return 0;
    case X86_RIP: return em->cpu->rip + em->insn->length;
    default: return em->cpu->gpr[em->insn->base];
    }
}

uint64_t x86_effective_address(const struct x86_emulation *em)
{
    uint64_t address = base_of(em) + (uint64_t)em->insn->displacement;

    if (em->insn->index != X86_NO_REG)
        address += em->cpu->gpr[em->insn->index] * em->insn->scale;
    return address;
}

enum x86_result x86_open(const struct x86_emulation *em, unsigned number,
                         enum x86_access access, struct x86_ref *ref)
{
    const struct x86_insn *insn = em->insn;
    const struct x86_cpu *cpu = em->cpu;

    ref->operand = &insn->operand[number];
    switch (ref->operand->kind) {
    case X86_OPERAND_MEMORY:
        return x86_locate(em, insn->segment, x86_effective_address(em),
                          ref->operand->size, access, &ref->memory);
    case X86_OPERAND_SI:
        return x86_locate(em, insn->segment, cpu->gpr[X86_GPR_RSI],
                          ref->operand->size, access, &ref->memory);
    case X86_OPERAND_DI:
        return x86_locate(em, X86_ES, cpu->gpr[X86_GPR_RDI], ref->operand->size,
                          access, &ref->memory);
    default: return X86_DONE;
    }
}

enum x86_result x86_load(const struct x86_emulation *em,
                         const struct x86_ref *ref, uint64_t *value)
{
    const struct x86_operand *operand = ref->operand;
    const struct x86_cpu *cpu = em->cpu;

    *value = 0;
    switch (operand->kind) {
    case X86_OPERAND_GPR:
        *value = x86_gpr_read(cpu, operand->reg, operand->size);
        return X86_DONE;
    case X86_OPERAND_HIGH:
        *value = FIELD_GET(HIGH_MASK, cpu->gpr[operand->reg]);
        return X86_DONE;
    case X86_OPERAND_IMMEDIATE:
        *value = zero_extend(em->insn->immediate, 8 * operand->size);
        return X86_DONE;
    case X86_OPERAND_SEGMENT:
        *value = cpu->segment[operand->reg].selector;
        return X86_DONE;
    default: return x86_read(em, &ref->memory, value);
    }
}

enum x86_result x86_store(const struct x86_emulation *em,
                          const struct x86_ref *ref, uint64_t value)
{
    const struct x86_operand *operand = ref->operand;
    struct x86_cpu *cpu = em->cpu;

    switch (operand->kind) {
    case X86_OPERAND_GPR:
        x86_gpr_write(cpu, operand->reg, operand->size, value);
        return X86_DONE;
    case X86_OPERAND_HIGH:
        cpu->gpr[operand->reg] =
            (cpu->gpr[operand->reg] & ~HIGH_MASK) | FIELD_PUT(HIGH_MASK, value);
        return X86_DONE;
    default: return x86_write(em, &ref->memory, &value);
    }
}

enum x86_result x86_load_pair(const struct x86_emulation *em,
                              enum x86_access access, struct x86_pair *pair)
{
    TRY(x86_open(em, 0, access, &pair->to));
    TRY(x86_open(em, 1, X86_ACCESS_READ, &pair->from));
    TRY(x86_load(em, &pair->to, &pair->a));
    return x86_load(em, &pair->from, &pair->b);
}
