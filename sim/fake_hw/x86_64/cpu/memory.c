/* SPDX-License-Identifier: Apache-2.0 */
/* Guest operations on memory and on ports. APM volume 2, section 15.10. */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/ram.h"

/* A value into a register: 32 bits clear the high half, fewer leave the rest.
 */
static void set_reg(struct fake_x86 *cpu, unsigned reg, uint64_t value,
                    unsigned width)
{
    uint64_t *gpr = cpu_gpr(cpu, reg);

    if (width < 4)
        value = (*gpr & ~(BIT(width * 8) - 1)) | zero_extend(value, width * 8);
    else if (width == 4)
        value &= UINT32_MAX;
    *gpr = value;
}

/* Where the operation goes; x86 has no limit to alignment. */
static bool copy(struct fake_x86 *cpu, uint64_t *value, enum cpu_access access)
{
    const struct guest_op *op = cpu_op(cpu);

    return cpu_copy(cpu, op->address, value, op->width, access, cpu->state.cpl);
}

void cpu_op_load(struct fake_x86 *cpu)
{
    uint64_t value = 0;

    if (!copy(cpu, &value, CPU_READ))
        return;
    set_reg(cpu, cpu_op(cpu)->reg, value, cpu_op(cpu)->width);
    cpu_retire(cpu);
}

void cpu_op_store(struct fake_x86 *cpu)
{
    uint64_t value = *cpu_gpr(cpu, cpu_op(cpu)->reg);

    if (copy(cpu, &value, CPU_WRITE))
        cpu_retire(cpu);
}

/* XCHG: its read faults as a write. */
void cpu_op_swap(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t value = *cpu_gpr(cpu, op->reg);
    struct cpu_translation translation =
        mmu_linear(cpu, op->address, CPU_WRITE, cpu->state.cpl);
    uint64_t old = 0;

    if (!translation.ok) {
        cpu_memory_fault(cpu, op->address, &translation);
        return;
    }
    if (!copy(cpu, &old, CPU_READ) || !copy(cpu, &value, CPU_WRITE))
        return;
    set_reg(cpu, op->reg, old, op->width);
    cpu_retire(cpu);
}

/* An instruction fetch: nothing but its translation is of interest. */
void cpu_op_fetch(struct fake_x86 *cpu)
{
    uint64_t address = cpu_op(cpu)->address;
    struct cpu_translation translation =
        mmu_linear(cpu, address, CPU_FETCH, cpu->state.cpl);

    if (translation.ok)
        cpu_op_finish(cpu, OUTCOME_RETIRED);
    else
        cpu_memory_fault(cpu, address, &translation);
}

void cpu_put_code(uint64_t hpa_raw, void *host, const void *bytes, size_t size)
{
    size_t room = PAGE_SIZE - (hpa_raw & (PAGE_SIZE - 1));

    if (size > room)
        size = room;
    if (memcmp(host, bytes, size) == 0)
        return;
    memcpy(host, bytes, size);
    ram_note_write(hpa(hpa_raw), size);
}

/* Whether the operation is repeated RCX times. */
static bool is_repeated(const struct guest_op *op)
{
    return cpu_op_is_string(op) && op->value != 0;
}

/* Whether IOPL, or an intercept, is in the way. What the TSS's bit map allows a
 * program is not modelled: it may use no port. */
static bool port_is_denied(struct fake_x86 *cpu)
{
    uint64_t iopl = FIELD_GET(X86_RFLAGS_IOPL, cpu->state.rflags);

    if (cpu_real_mode(cpu) || cpu->state.cpl <= iopl)
        return cpu->vendor->port_exits(cpu);
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
    return true;
}

/* A port that does not exit is the machine's: nothing answers. */
void cpu_op_in(struct fake_x86 *cpu)
{
    if (port_is_denied(cpu))
        return;
    set_reg(cpu, X86_GPR_RAX, ~UINT64_C(0), cpu_op(cpu)->width);
    cpu_retire(cpu);
}

void cpu_op_out(struct fake_x86 *cpu)
{
    if (!port_is_denied(cpu))
        cpu_retire(cpu);
}

/* One item of a string instruction: RDI or RSI moves on, and RCX. */
static void step_string(struct fake_x86 *cpu, unsigned reg)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t step = op->width;

    if ((cpu->state.rflags & X86_RFLAGS_DF) != 0)
        step = -step;
    *cpu_gpr(cpu, reg) += step;
    if (is_repeated(op))
        --*cpu_gpr(cpu, X86_GPR_RCX);
}

static uint64_t string_at(struct fake_x86 *cpu, unsigned reg)
{
    const struct vmcb_save *save = &cpu->state;
    uint64_t base = reg == X86_GPR_RDI ? save->es.base : save->ds.base;

    return *cpu_gpr(cpu, reg) + (cpu_64bit(cpu) ? 0 : base);
}

/* All items that are left. False: an exit or an exception has come of one. */
static bool move_string(struct fake_x86 *cpu, unsigned reg,
                        enum cpu_access access)
{
    const struct guest_op *op = cpu_op(cpu);
    uint64_t left = is_repeated(op) ? *cpu_gpr(cpu, X86_GPR_RCX) : 1;

    while (left-- != 0) {
        uint64_t item = ~UINT64_C(0);

        if (!cpu_copy(cpu, string_at(cpu, reg), &item, op->width, access,
                      cpu->state.cpl))
            return false;
        step_string(cpu, reg);
    }
    return true;
}

static void port_string(struct fake_x86 *cpu, unsigned reg,
                        enum cpu_access access)
{
    bool is_empty = is_repeated(cpu_op(cpu)) && *cpu_gpr(cpu, X86_GPR_RCX) == 0;

    if (is_empty || (!port_is_denied(cpu) && move_string(cpu, reg, access)))
        cpu_retire(cpu);
}

void cpu_op_ins(struct fake_x86 *cpu)
{
    port_string(cpu, X86_GPR_RDI, CPU_WRITE);
}

void cpu_op_outs(struct fake_x86 *cpu)
{
    port_string(cpu, X86_GPR_RSI, CPU_READ);
}
