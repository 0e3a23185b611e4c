/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables, segments, flags: instructions that load and store them.
 * APM volume 2, sections 4.6 to 4.8, 12.2 (task switches); volume 3. Not
 * modelled: call gates, the checks of a code segment's privilege, and what a
 * task switch does; the guest goes on behind one that is not intercepted.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"

/* A descriptor of 8 bytes. */
#define DESCRIPTOR_LIMIT_LOW  BIT_MASK(15, 0)
#define DESCRIPTOR_BASE_LOW   BIT_MASK(39, 16)
#define DESCRIPTOR_ATTRIB_LOW BIT_MASK(47, 40)
#define DESCRIPTOR_LIMIT_HIGH BIT_MASK(51, 48)
#define DESCRIPTOR_ATTRIB_TOP BIT_MASK(55, 52)
#define DESCRIPTOR_BASE_HIGH  BIT_MASK(63, 56)

#define TYPE_ACCESSED   1 /* with S */
#define TYPE_CONFORMING 4 /* of code */
#define TYPE_CODE       8
#define TYPE_LDT        2 /* without S */
#define TYPE_TSS        9 /* available */
#define TYPE_BUSY       2 /* of a TSS */

static void decode_descriptor(struct vmcb_segment *segment, uint64_t bits)
{
    uint32_t limit = (uint32_t)(FIELD_GET(DESCRIPTOR_LIMIT_LOW, bits) |
                                FIELD_GET(DESCRIPTOR_LIMIT_HIGH, bits) << 16);

    segment->attrib = (uint16_t)(FIELD_GET(DESCRIPTOR_ATTRIB_LOW, bits) |
                                 FIELD_GET(DESCRIPTOR_ATTRIB_TOP, bits) << 8);
    segment->base = FIELD_GET(DESCRIPTOR_BASE_LOW, bits) |
                    FIELD_GET(DESCRIPTOR_BASE_HIGH, bits) << 24;
    segment->limit =
        (segment->attrib & VMCB_ATTRIB_G) != 0 ? limit << 12 | 0xfff : limit;
}

static bool is_type(const struct vmcb_segment *segment, bool is_system,
                    unsigned type)
{
    return ((segment->attrib & VMCB_ATTRIB_S) == 0) == is_system &&
           (segment->attrib & VMCB_ATTRIB_TYPE & type) == type;
}

static uint64_t selector_error(uint64_t selector)
{
    return selector & 0xfffc;
}

/* Reads what `selector` names in the GDT. False: an exit or an exception has
 * come of it. */
static bool read_descriptor(struct fake_x86 *cpu, uint64_t selector,
                            struct vmcb_segment *segment)
{
    const struct vmcb_segment *gdtr = &cpu->state.gdtr;
    uint64_t offset = selector & 0xfff8;
    uint64_t bits;

    if (offset == 0 || (selector & 4) != 0 || offset + 7 > gdtr->limit) {
        cpu_exception(cpu, X86_VECTOR_GP, selector_error(selector), 0);
        return false;
    }
    if (!cpu_copy(cpu, gdtr->base + offset, &bits, sizeof(bits), CPU_READ, 0))
        return false;
    decode_descriptor(segment, bits);
    segment->selector = (uint16_t)selector;
    if ((segment->attrib & VMCB_ATTRIB_P) != 0)
        return true;
    cpu_exception(cpu, X86_VECTOR_NP, selector_error(selector), 0);
    return false;
}

static void jump(struct fake_x86 *cpu)
{
    cpu->state.rip = (uint64_t)sign_extend(
        cpu_address(cpu, cpu_op(cpu)->address), CPU_LINEAR_BITS);
    cpu->shadow = 0;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

static void switch_task(struct fake_x86 *cpu, uint64_t selector)
{
    if (cpu_long_mode(cpu))
        cpu_exception(cpu, X86_VECTOR_GP, selector_error(selector), 0);
    else if (!cpu->vendor->task_switch_exits(cpu, selector))
        cpu_retire(cpu);
}

/* Whether the guest may run code of that segment. */
static bool takes_code(const struct fake_x86 *cpu,
                       const struct vmcb_segment *segment)
{
    unsigned dpl = (unsigned)FIELD_GET(VMCB_ATTRIB_DPL, segment->attrib);

    if (cpu_long_mode(cpu) && (segment->attrib & VMCB_ATTRIB_L) != 0 &&
        (segment->attrib & VMCB_ATTRIB_D) != 0)
        return false;
    return (segment->attrib & TYPE_CONFORMING) != 0 ? dpl <= cpu->state.cpl
                                                    : dpl == cpu->state.cpl;
}

void cpu_op_jmp_far(struct fake_x86 *cpu)
{
    struct vmcb_segment *cs = &cpu->state.cs;
    uint64_t selector = cpu_op(cpu)->number & 0xffff;
    struct vmcb_segment to;

    if (cpu_real_mode(cpu)) {
        cs->selector = (uint16_t)selector;
        cs->base = selector << 4;
        jump(cpu);
        return;
    }
    if (!read_descriptor(cpu, selector, &to))
        return;
    if (is_type(&to, true, TYPE_TSS)) {
        switch_task(cpu, selector);
    } else if (is_type(&to, false, TYPE_CODE) && takes_code(cpu, &to)) {
        *cs = to;
        cs->attrib |= TYPE_ACCESSED;
        cs->selector = (uint16_t)((selector & ~UINT64_C(3)) | cpu->state.cpl);
        jump(cpu);
    } else {
        cpu_exception(cpu, X86_VECTOR_GP, selector_error(selector), 0);
    }
}

static struct vmcb_segment *table_of(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;

    switch ((enum x86_guest_op_kind)cpu_op(cpu)->kind) {
    case OP_X86_LGDT:
    case OP_X86_SGDT: return &save->gdtr;
    case OP_X86_LIDT:
    case OP_X86_SIDT: return &save->idtr;
    case OP_X86_LLDT:
    case OP_X86_SLDT: return &save->ldtr;
    default: return &save->tr;
    }
}

/* LGDT and LIDT: what they load is not read from memory. */
void cpu_op_load_table(struct fake_x86 *cpu)
{
    struct vmcb_segment *table = table_of(cpu);

    if (cpu_64bit(cpu) && !cpu_is_canonical(cpu_op(cpu)->address)) {
        cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
        return;
    }
    table->base = cpu_address(cpu, cpu_op(cpu)->address);
    table->limit = cpu_op(cpu)->number & 0xffff;
    cpu_retire(cpu);
}

void cpu_op_store_table(struct fake_x86 *cpu)
{
    const struct vmcb_segment *table = table_of(cpu);
    unsigned base_size = cpu_64bit(cpu) ? 8 : 4;
    uint8_t bytes[10];

    memcpy(bytes, &table->limit, 2);
    memcpy(bytes + 2, &table->base, base_size);
    if (cpu_copy(cpu, cpu_op(cpu)->address, bytes, 2 + base_size, CPU_WRITE,
                 cpu->state.cpl))
        cpu_retire(cpu);
}

/* LLDT and LTR. */
void cpu_op_load_selector(struct fake_x86 *cpu)
{
    uint64_t selector = *cpu_gpr(cpu, cpu_op(cpu)->reg) & 0xffff;
    struct vmcb_segment *table = table_of(cpu);
    struct vmcb_segment to = {0};
    bool is_null = (selector & 0xfffc) == 0;
    unsigned type = cpu_op(cpu)->kind == OP_X86_LTR ? TYPE_TSS : TYPE_LDT;

    if (is_null && cpu_op(cpu)->kind == OP_X86_LTR) {
        cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
        return;
    }
    if (!is_null && !read_descriptor(cpu, selector, &to))
        return;
    if (!is_null && (to.attrib & (VMCB_ATTRIB_TYPE | VMCB_ATTRIB_S)) != type) {
        cpu_exception(cpu, X86_VECTOR_GP, selector_error(selector), 0);
        return;
    }
    if (type == TYPE_TSS)
        to.attrib |= TYPE_BUSY;
    *table = to;
    cpu_retire(cpu);
}

/* SLDT and STR. */
void cpu_op_store_selector(struct fake_x86 *cpu)
{
    *cpu_gpr(cpu, cpu_op(cpu)->reg) = table_of(cpu)->selector;
    cpu_retire(cpu);
}

/* What PUSHF and POPF move. */
static unsigned flags_size(const struct fake_x86 *cpu)
{
    if (cpu_64bit(cpu))
        return 8;
    return (cpu->state.cs.attrib & VMCB_ATTRIB_D) != 0 ? 4 : 2;
}

static uint64_t stack_at(const struct fake_x86 *cpu, uint64_t rsp)
{
    return (cpu_64bit(cpu) ? 0 : cpu->state.ss.base) + rsp;
}

void cpu_op_pushf(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;
    unsigned size = flags_size(cpu);
    uint64_t flags = save->rflags & ~(X86_RFLAGS_VM | X86_RFLAGS_RF);

    if (!cpu_copy(cpu, stack_at(cpu, save->rsp - size), &flags, size, CPU_WRITE,
                  save->cpl))
        return;
    save->rsp -= size;
    cpu_retire(cpu);
}

/* Programs keep IF and IOPL, everybody VM and RF. */
void cpu_op_popf(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;
    unsigned size = flags_size(cpu);
    uint64_t kept = X86_RFLAGS_VM | X86_RFLAGS_RF;
    uint64_t flags = 0;

    if (!cpu_copy(cpu, stack_at(cpu, save->rsp), &flags, size, CPU_READ,
                  save->cpl))
        return;
    if (save->cpl != 0)
        kept |= X86_RFLAGS_IF | X86_RFLAGS_IOPL;
    if (size == 2)
        kept |= ~UINT64_C(0xffff);
    save->rflags =
        (save->rflags & kept) | (flags & ~kept & CPU_RFLAGS) | X86_RFLAGS_FIXED;
    save->rsp += size;
    cpu_retire(cpu);
}
