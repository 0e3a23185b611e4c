/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests: the vCPUs of two VMs on two CPUs, doing what guests can do, and
 * nothing that hardware would not let them: the fake processors decide what
 * exits. Interrupts and typed characters come in between. A third VM is a
 * bystander that must not notice.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    KIND_LOAD,
    KIND_STORE,
    KIND_MEMORY,
    KIND_CSR,
    KIND_CALL,
    KIND_WAIT,
    KIND_TABLES,
    KIND_GUEST,
    KIND_UNIT,
    KIND_EVENT,
    KIND_COUNT
};

#define BYSTANDER 3

/* Where a guest has its page tables, if it has some: roots, one per vCPU. */
#define TABLES      (SPEC_MEMORY + 0x100000)
#define TABLES_SIZE 0x10000
#define PTE_SIZE    8
#define SATP_SV39   (UINT64_C(8) << 60)

static void describe(struct machine_spec *spec)
{
    spec->vm_count = 3;
    fuzz_usual_vm(&spec->vms[0], 1, 2);
    fuzz_usual_vm(&spec->vms[1], 2, 2);
    spec->vms[2] = (struct spec_vm){
        .id = BYSTANDER,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

static unsigned take_width(struct fuzz_input *input)
{
    return 1U << fuzz_pick(input, 4);
}

/* A device's register, or memory; in its VM's addresses or, where the guest
 * has turned its own translation on, what that makes of them. */
static uint64_t take_address(struct fuzz_input *input)
{
    static const uint64_t bases[] = {
        SPEC_MEMORY, SPEC_MEMORY + 0x1000,          SPEC_UART,     SPEC_PLIC,
        SPEC_VIRTIO, SPEC_PLIC + 0x200000,          TABLES,        0,
        SPEC_UART,   SPEC_MEMORY + FUZZ_MEMORY - 8, SPEC_FINISHER, 0x2000000,
    };

    return bases[fuzz_pick(input, sizeof(bases) / sizeof(bases[0]))] +
           fuzz_number(input);
}

static void decode_access(struct fuzz_input *input, enum guest_op_kind kind,
                          struct guest_op *op)
{
    op->kind = (uint8_t)kind;
    op->width = (uint8_t)take_width(input);
    op->address = take_address(input);
    if (kind != OP_STORE)
        return;
    op->flags = OP_HAS_VALUE;
    op->value = fuzz_number(input);
}

/* Accesses that are not plain, with any register. */
static void decode_memory(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = (uint8_t)(OP_LOAD + fuzz_pick(input, OP_FETCH - OP_LOAD + 1));
    op->width = (uint8_t)take_width(input);
    op->reg = (uint8_t)fuzz_pick(input, REG_COUNT);
    op->flags = (uint8_t)(fuzz_take(input, 1) & 0x1f);
    if (op->kind >= OP_LR && op->kind <= OP_AMO && op->width < 4)
        op->width = 4;
    op->address = take_address(input);
    op->value = fuzz_number(input);
}

static void decode_csr(struct fuzz_input *input, struct guest_op *op)
{
    static const uint16_t numbers[] = {
        CSR_sstatus, CSR_sie, CSR_stvec, CSR_sscratch, CSR_sepc,
        CSR_scause,  CSR_sip, CSR_satp,  CSR_stval,    CSR_scounteren,
    };
    unsigned which = fuzz_pick(input, 16);

    op->kind = (uint8_t)(OP_CSR_READ + fuzz_pick(input, 4));
    op->number = which < sizeof(numbers) / sizeof(numbers[0])
                     ? numbers[which]
                     : (uint32_t)fuzz_take(input, 2) % 4096;
    op->flags = OP_HAS_VALUE;
    op->value = fuzz_number(input);
}

static void decode_call(struct fuzz_input *input, struct guest_op *op)
{
    static const uint64_t extensions[] = {
        0x10,     0x54494d45, 0x735049,   0x52464e43,
        0x48534d, 0x53525354, 0x4442434e, 0,
    };

    op->kind = OP_ECALL;
    op->args[7] = extensions[fuzz_pick(input, 8)];
    op->args[6] = fuzz_number(input);
    for (unsigned i = 0; i < 4; i++)
        op->args[i] = fuzz_number(input);
}

/* Half a day at most: a few centuries, and the host's clock would wrap. */
#define DELAY_BITS 45

static void decode_wait(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = fuzz_pick(input, 2) != 0 ? OP_WFI : OP_DELAY;
    op->value = fuzz_number(input) & ((UINT64_C(1) << DELAY_BITS) - 1);
}

/* An entry of the guest's own page tables, or satp pointing there. */
static void decode_tables(struct fuzz_input *input, struct guest_op *op)
{
    unsigned how = (unsigned)fuzz_take(input, 1);
    uint64_t where = fuzz_take(input, 2) * PTE_SIZE % TABLES_SIZE;

    op->flags = OP_HAS_VALUE;
    if (how < 0x40) {
        op->kind = OP_CSR_WRITE;
        op->number = CSR_satp;
        op->value = SATP_SV39 | (TABLES + (where & ~(PAGE_SIZE - 1))) >> 12;
        return;
    }
    op->kind = OP_STORE;
    op->width = PTE_SIZE;
    op->address = TABLES + where;
    op->value = how < 0x80 ? (fuzz_number(input) << 10 | (how & 0xff))
                           : ((SPEC_MEMORY + fuzz_number(input)) >> 12 << 10 |
                              0xc0 | (how & 0x3f));
}

/* What an instruction does to the guest's own state, or that makes no sense. */
static void decode_guest(struct fuzz_input *input, struct guest_op *op)
{
    static const uint8_t kinds[] = {
        OP_SET_PC,  OP_USER_MODE, OP_SUPERVISOR_MODE, OP_SRET, OP_SFENCE,
        OP_FENCE_I, OP_EBREAK,    OP_HYPERVISOR,      OP_INSN, OP_SET_REG,
    };

    op->kind = kinds[fuzz_pick(input, sizeof(kinds))];
    op->number = (uint32_t)fuzz_take(input, 2);
    op->address = SPEC_MEMORY + (fuzz_number(input) & ~UINT64_C(1));
    op->value = op->address;
}

static void decode_unit(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = (uint8_t)(OP_FP + fuzz_pick(input, 4));
    op->reg = (uint8_t)fuzz_pick(input, 32);
    op->value = fuzz_number(input);
}

static void decode_event(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = fuzz_pick(input, 2) != 0 ? FUZZ_TYPE : FUZZ_INJECT;
    op->number = (uint32_t)fuzz_take(input, 1) % 64;
    op->width = (uint8_t)(op->number % 9);
    op->value = fuzz_number(input);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    struct guest_op *op = fuzz_add(script);

    switch (fuzz_pick(input, KIND_COUNT)) {
    case KIND_LOAD: decode_access(input, OP_LOAD, op); break;
    case KIND_STORE: decode_access(input, OP_STORE, op); break;
    case KIND_MEMORY: decode_memory(input, op); break;
    case KIND_CSR: decode_csr(input, op); break;
    case KIND_CALL: decode_call(input, op); break;
    case KIND_WAIT: decode_wait(input, op); break;
    case KIND_TABLES: decode_tables(input, op); break;
    case KIND_GUEST: decode_guest(input, op); break;
    case KIND_UNIT: decode_unit(input, op); break;
    default: decode_event(input, op); break;
    }
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, true);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_guests(data, size, describe, decode, BYSTANDER);
}
