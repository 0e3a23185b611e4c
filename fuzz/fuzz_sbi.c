/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI: calls of four vCPUs to their firmware, in any order: harts that start,
 * stop, suspend and interrupt each other, remote fences, the console. Between
 * calls a guest waits, takes interrupts, and touches what fences are about.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VCPUS     4
#define BYSTANDER 2

/* A step's first byte: below these, a call of the extension that it picks. */
enum { KIND_START = 0x80, KIND_OTHER = 0xa0 };

static void describe(struct machine_spec *spec)
{
    spec->vm_count = 2;
    fuzz_usual_vm(&spec->vms[0], 1, VCPUS);
    spec->vms[1] = (struct spec_vm){
        .id = BYSTANDER,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

/* An argument: a number, or an address in the guest's memory. */
static uint64_t take_argument(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t number;

    if (how < 0x40)
        return how;
    number = fuzz_number(input);
    return how < 0xa0 ? number : SPEC_MEMORY + number;
}

static void decode_call(struct fuzz_input *input, unsigned kind,
                        struct guest_op *op)
{
    static const uint64_t extensions[] = {
        0x10,     0x54494d45, 0x735049,   0x52464e43, 0x48534d, 0x53525354,
        0x504d55, 0x4442434e, 0x485643,   0,          1,        2,
        3,        4,          5,          6,          7,        8,
        0x735049, 0x52464e43, 0x52464e43, 0x48534d,   0x48534d, 0x4442434e,
    };
    unsigned count = sizeof(extensions) / sizeof(extensions[0]);

    op->kind = OP_ECALL;
    op->args[7] =
        kind % 32 < count ? extensions[kind % 32] : fuzz_number(input);
    op->args[6] = fuzz_number(input);
    for (unsigned i = 0; i < 5; i++)
        op->args[i] = take_argument(input);
}

/* Another hart is started where it can go on. */
static void decode_start(struct fuzz_input *input, unsigned kind,
                         struct guest_op *op)
{
    op->kind = OP_ECALL;
    op->args[7] = 0x48534d;
    op->args[0] = kind % VCPUS;
    op->args[1] = SPEC_MEMORY + (fuzz_number(input) & ~UINT64_C(1));
    op->args[2] = fuzz_number(input);
}

static void decode_other(struct fuzz_input *input, unsigned kind,
                         struct guest_op *op)
{
    static const uint8_t kinds[] = {
        OP_WFI,   OP_DELAY, OP_CSR_SET, OP_CSR_CLEAR, OP_CSR_WRITE, OP_LOAD,
        OP_STORE, OP_SRET,  FUZZ_TYPE,  FUZZ_INJECT,  OP_SFENCE,    OP_CSR_READ,
    };
    static const uint16_t csrs[] = {CSR_sie, CSR_sstatus, CSR_sip, CSR_stvec,
                                    CSR_satp};

    op->kind = kinds[kind % sizeof(kinds)];
    op->number = op->kind == FUZZ_INJECT
                     ? 9
                     : csrs[fuzz_pick(input, sizeof(csrs) / sizeof(csrs[0]))];
    op->flags = OP_HAS_VALUE;
    op->width = 8;
    op->value = fuzz_number(input) & UINT64_C(0x1fffffffffffff);
    op->address = SPEC_MEMORY + fuzz_number(input);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    unsigned kind = (unsigned)fuzz_take(input, 1);
    struct guest_op *op = fuzz_add(script);

    if (kind < KIND_START)
        decode_call(input, kind, op);
    else if (kind < KIND_OTHER)
        decode_start(input, kind, op);
    else
        decode_other(input, kind, op);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, true);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fuzz_actor actors[VCPUS] = {
        {1, 0}, {1, 1}, {1, 2}, {1, 3}};
    static const struct fuzz_setup setup = {.describe = describe,
                                            .decode = decode,
                                            .cpus = 2,
                                            .actor_count = VCPUS,
                                            .actors = actors,
                                            .bystander = BYSTANDER};

    return fuzz_run_setup(data, size, &setup);
}
