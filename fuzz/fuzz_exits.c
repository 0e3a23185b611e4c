/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw exits: any cause with any syndrome, also such as no hardware gives, in
 * any register state. The input is a sequence of operations, each of them a
 * byte that says which and numbers (harness.c); what is left out is 0.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an operation's first byte says; below these, it is a raw exit: of the
 * cause that it is, if there is one. */
enum {
    KIND_INTERRUPT = 0x80,
    KIND_ANY_CAUSE = 0xbc,
    KIND_CALL = 0xc0,
    KIND_SET = 0xd0,
    KIND_CSR = 0xd8,
    KIND_TOUCH = 0xe8,
    KIND_GUEST = 0xf8,
};

/* A second machine is there to be left alone. */
static void describe(struct machine_spec *spec)
{
    spec->vm_count = 2;
    fuzz_usual_vm(&spec->vms[0], 1, 2);
    spec->vms[1] = (struct spec_vm){
        .id = 2,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

/* A call with its number and arguments. */
static void decode_call(struct fuzz_input *input, struct guest_op *op)
{
    static const uint64_t extensions[] = {
        0x10,     0x54494d45, 0x735049, 0x52464e43, 0x48534d, 0x53525354,
        0x504d55, 0x4442434e, 0x485643, 0,          1,        8,
    };
    unsigned how = (unsigned)fuzz_take(input, 1);

    op->kind = OP_ECALL;
    op->args[7] =
        how < 0xf0
            ? extensions[how % (sizeof(extensions) / sizeof(extensions[0]))]
            : fuzz_number(input);
    op->args[6] = fuzz_number(input);
    for (unsigned i = 0; i < 5; i++)
        op->args[i] = fuzz_number(input);
}

/*
 * Causes that mean something are much the most frequent: one that nobody knows
 * ends the machine, and with it what can be found out by this input.
 */
static uint64_t decode_cause(struct fuzz_input *input, unsigned kind)
{
    static const uint8_t causes[] = {
        CAUSE_INSN_GUEST_PAGE_FAULT,
        CAUSE_LOAD_GUEST_PAGE_FAULT,
        CAUSE_STORE_GUEST_PAGE_FAULT,
        CAUSE_VIRTUAL_INSN,
        CAUSE_ILLEGAL_INSN,
        CAUSE_ECALL_VS,
        CAUSE_LOAD_GUEST_PAGE_FAULT,
        CAUSE_STORE_GUEST_PAGE_FAULT,
        CAUSE_VIRTUAL_INSN,
        CAUSE_INSN_MISALIGNED,
        CAUSE_INSN_ACCESS,
        CAUSE_BREAKPOINT,
        CAUSE_LOAD_MISALIGNED,
        CAUSE_LOAD_ACCESS,
        CAUSE_STORE_MISALIGNED,
        CAUSE_STORE_ACCESS,
        CAUSE_ECALL_U,
        CAUSE_INSN_PAGE_FAULT,
        CAUSE_LOAD_PAGE_FAULT,
        CAUSE_STORE_PAGE_FAULT,
    };
    static const uint8_t interrupts[] = {IRQ_S_SOFT, IRQ_S_TIMER, IRQ_S_EXT};

    if (kind <= CAUSE_STORE_GUEST_PAGE_FAULT)
        return kind;
    if (kind < KIND_INTERRUPT)
        return causes[kind % sizeof(causes)];
    if (kind < KIND_INTERRUPT + 16)
        return CAUSE_INTERRUPT | (kind - KIND_INTERRUPT);
    if (kind < KIND_ANY_CAUSE)
        return CAUSE_INTERRUPT | interrupts[kind % sizeof(interrupts)];
    return fuzz_number(input) | (uint64_t)(kind & 1) << 63;
}

static void decode_raw(struct fuzz_input *input, unsigned kind,
                       struct guest_op *op)
{
    op->kind = OP_RAW_EXIT;
    op->args[0] = decode_cause(input, kind);
    op->args[1] = fuzz_number(input);
    op->args[2] = fuzz_number(input);
    op->args[3] = fuzz_number(input);
    op->number = (uint32_t)fuzz_number(input);
}

/* CSRs that change what exits mean: satp, sie, sstatus, stvec, ... */
static void decode_csr(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = (uint8_t)(OP_CSR_READ + fuzz_pick(input, 4));
    op->number = (uint32_t)fuzz_take(input, 2) % 4096;
    op->flags = OP_HAS_VALUE;
    op->value = fuzz_number(input);
}

static void decode_touch(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t widths[] = {1, 2, 4, 8};

    op->kind = (uint8_t)(OP_LOAD + fuzz_pick(input, OP_FETCH - OP_LOAD + 1));
    op->width = widths[fuzz_pick(input, 4)];
    op->reg = (uint8_t)fuzz_pick(input, REG_COUNT);
    op->flags = (uint8_t)(fuzz_take(input, 1) & 0x17);
    if (op->kind >= OP_LR && op->kind <= OP_AMO && op->width < 4)
        op->width = 4;
    op->address = SPEC_MEMORY + fuzz_number(input);
}

/* The guest's own doings: its pc, its mode, time, and waits. */
static void decode_guest(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {OP_SET_PC, OP_USER_MODE,      OP_DELAY,
                                    OP_WFI,    OP_SRET,           OP_SFENCE,
                                    OP_FP,     OP_SUPERVISOR_MODE};

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->address = SPEC_MEMORY + fuzz_number(input);
    op->value = fuzz_take(input, 3);
}

static void decode_set(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = OP_SET_REG;
    op->reg = (uint8_t)fuzz_pick(input, REG_COUNT);
    op->value = fuzz_number(input);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    unsigned kind = (unsigned)fuzz_take(input, 1);
    struct guest_op *op = fuzz_add(script);

    if (kind < KIND_CALL)
        decode_raw(input, kind, op);
    else if (kind < KIND_SET)
        decode_call(input, op);
    else if (kind < KIND_CSR)
        decode_set(input, op);
    else if (kind < KIND_TOUCH)
        decode_csr(input, op);
    else if (kind < KIND_GUEST)
        decode_touch(input, op);
    else
        decode_guest(input, op);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, false);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, describe, decode);
}
