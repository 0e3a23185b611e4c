/* SPDX-License-Identifier: Apache-2.0 */
/* Guest operations on memory and on ports. APM volume 2, section 15.10. */
#include <string.h>

#include "sim/fake_hw/x86_64/svm/cpu.h"
#include "sim/ram.h"

/* A value into a register: 32 bits clear the high half, fewer leave the rest.
 */
static void set_reg(struct fake_svm *cpu, unsigned reg, uint64_t value,
                    unsigned width)
{
    uint64_t *gpr = svm_gpr(cpu, reg);

    if (width < 4)
        value = (*gpr & ~(BIT(width * 8) - 1)) | zero_extend(value, width * 8);
    else if (width == 4)
        value &= UINT32_MAX;
    *gpr = value;
}

/* Where the operation goes; x86 has no limit to alignment. */
static bool copy(struct fake_svm *cpu, uint64_t *value, enum svm_access access)
{
    const struct guest_op *op = svm_op(cpu);

    return svm_copy(cpu, op->address, value, op->width, access,
                    cpu->guest.save.cpl);
}

void svm_op_load(struct fake_svm *cpu)
{
    uint64_t value = 0;

    if (!copy(cpu, &value, SVM_READ))
        return;
    set_reg(cpu, svm_op(cpu)->reg, value, svm_op(cpu)->width);
    svm_retire(cpu);
}

void svm_op_store(struct fake_svm *cpu)
{
    uint64_t value = *svm_gpr(cpu, svm_op(cpu)->reg);

    if (copy(cpu, &value, SVM_WRITE))
        svm_retire(cpu);
}

/* XCHG: its read faults as a write. */
void svm_op_swap(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t value = *svm_gpr(cpu, op->reg);
    struct svm_translation translation =
        mmu_linear(cpu, op->address, SVM_WRITE, cpu->guest.save.cpl);
    uint64_t old = 0;

    if (!translation.ok) {
        svm_memory_fault(cpu, op->address, &translation);
        return;
    }
    if (!copy(cpu, &old, SVM_READ) || !copy(cpu, &value, SVM_WRITE))
        return;
    set_reg(cpu, op->reg, old, op->width);
    svm_retire(cpu);
}

/* An instruction fetch: nothing but its translation is of interest. */
void svm_op_fetch(struct fake_svm *cpu)
{
    uint64_t address = svm_op(cpu)->address;
    struct svm_translation translation =
        mmu_linear(cpu, address, SVM_FETCH, cpu->guest.save.cpl);

    if (translation.ok)
        svm_op_finish(cpu, OUTCOME_RETIRED);
    else
        svm_memory_fault(cpu, address, &translation);
}

void svm_put_code(uint64_t hpa_raw, void *host, const void *bytes, size_t size)
{
    size_t room = PAGE_SIZE - (hpa_raw & (PAGE_SIZE - 1));

    if (size > room)
        size = room;
    if (memcmp(host, bytes, size) == 0)
        return;
    memcpy(host, bytes, size);
    ram_note_write(hpa(hpa_raw), size);
}

static bool is_string(const struct guest_op *op)
{
    return op->kind == OP_X86_INS || op->kind == OP_X86_OUTS;
}

/* Whether the operation is repeated RCX times. */
static bool is_repeated(const struct guest_op *op)
{
    return is_string(op) && op->value != 0;
}

/* Of string instructions, those of INS's segment ES, and of OUTS's DS. */
#define SEGMENT_ES UINT64_C(0)
#define SEGMENT_DS UINT64_C(3)

static uint64_t string_info(const struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t info = IOIO_STR | (is_repeated(op) ? IOIO_REP : 0);

    if (svm_has(cpu, SVM_FEATURE_DECODE_ASSISTS))
        info |= FIELD_PUT(IOIO_SEG,
                          op->kind == OP_X86_INS ? SEGMENT_ES : SEGMENT_DS);
    return info;
}

static uint64_t port_info(const struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t info = FIELD_PUT(IOIO_PORT, op->number & 0xffff) |
                    (is_string(op) ? string_info(cpu) : 0);

    info |= op->width == 1 ? IOIO_SZ8 : op->width == 2 ? IOIO_SZ16 : IOIO_SZ32;
    info |= svm_64bit(cpu)                                     ? IOIO_A64
            : (cpu->guest.save.cs.attrib & VMCB_ATTRIB_D) != 0 ? IOIO_A32
                                                               : IOIO_A16;
    return op->kind == OP_X86_IN || op->kind == OP_X86_INS ? info | IOIO_TYPE_IN
                                                           : info;
}

/* Whether IOPL, or an intercept, is in the way. What the TSS's bit map allows a
 * program is not modelled: it may use no port. */
static bool port_is_denied(struct fake_svm *cpu)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t iopl = FIELD_GET(X86_RFLAGS_IOPL, cpu->guest.save.rflags);
    uint8_t bytes[SVM_INSN_MAX];

    if (!svm_real_mode(cpu) && cpu->guest.save.cpl > iopl) {
        svm_exception(cpu, X86_VECTOR_GP, 0, 0);
        return true;
    }
    if (!svm_intercepts_port(cpu, op->number & 0xffff, op->width))
        return false;
    svm_op_exit(cpu, VMEXIT_IOIO, port_info(cpu),
                cpu->guest.save.rip + svm_encode(cpu, op, bytes));
    return true;
}

/* A port that does not exit is the machine's: nothing answers. */
void svm_op_in(struct fake_svm *cpu)
{
    if (port_is_denied(cpu))
        return;
    set_reg(cpu, X86_GPR_RAX, ~UINT64_C(0), svm_op(cpu)->width);
    svm_retire(cpu);
}

void svm_op_out(struct fake_svm *cpu)
{
    if (!port_is_denied(cpu))
        svm_retire(cpu);
}

/* One item of a string instruction: RDI or RSI moves on, and RCX. */
static void step_string(struct fake_svm *cpu, unsigned reg)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t step = op->width;

    if ((cpu->guest.save.rflags & X86_RFLAGS_DF) != 0)
        step = -step;
    *svm_gpr(cpu, reg) += step;
    if (is_repeated(op))
        --*svm_gpr(cpu, X86_GPR_RCX);
}

static uint64_t string_at(struct fake_svm *cpu, unsigned reg)
{
    const struct vmcb_save *save = &cpu->guest.save;
    uint64_t base = reg == X86_GPR_RDI ? save->es.base : save->ds.base;

    return *svm_gpr(cpu, reg) + (svm_64bit(cpu) ? 0 : base);
}

/* All items that are left. False: an exit or an exception has come of one. */
static bool move_string(struct fake_svm *cpu, unsigned reg,
                        enum svm_access access)
{
    const struct guest_op *op = svm_op(cpu);
    uint64_t left = is_repeated(op) ? *svm_gpr(cpu, X86_GPR_RCX) : 1;

    while (left-- != 0) {
        uint64_t item = ~UINT64_C(0);

        if (!svm_copy(cpu, string_at(cpu, reg), &item, op->width, access,
                      cpu->guest.save.cpl))
            return false;
        step_string(cpu, reg);
    }
    return true;
}

static void port_string(struct fake_svm *cpu, unsigned reg,
                        enum svm_access access)
{
    bool is_empty = is_repeated(svm_op(cpu)) && *svm_gpr(cpu, X86_GPR_RCX) == 0;

    if (is_empty || (!port_is_denied(cpu) && move_string(cpu, reg, access)))
        svm_retire(cpu);
}

void svm_op_ins(struct fake_svm *cpu)
{
    port_string(cpu, X86_GPR_RDI, SVM_WRITE);
}

void svm_op_outs(struct fake_svm *cpu)
{
    port_string(cpu, X86_GPR_RSI, SVM_READ);
}
