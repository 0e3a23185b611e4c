/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MMIO: the instruction decoder, the bus, and every device. The input is a
 * sequence of accesses to the devices' registers, of words that go to the
 * guest's memory (where virtqueues look), and of exits with instructions that
 * nobody has made sense of yet.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VIRTIO_DISK    UINT64_C(0x10001000)
#define VIRTIO_CONSOLE UINT64_C(0x10002000)
#define VIRTIO_RNG     UINT64_C(0x10003000)
#define QUEUES         (SPEC_MEMORY + 0x1000) /* memory that is there */

enum {
    KIND_READ,
    KIND_WRITE,
    KIND_MEMORY,
    KIND_INSN,
    KIND_HTINST,
    KIND_CSR,
    KIND_COUNT
};

static void add(struct spec_vm *vm, const char *name, uint64_t base,
                uint32_t irq)
{
    (void)spec_add_device(vm, name, base, irq);
}

static void describe(struct machine_spec *spec)
{
    struct spec_vm *vm = &spec->vms[0];

    spec->vm_count = 1;
    fuzz_usual_vm(vm, 1, 1);
    add(vm, "vconsole", VIRTIO_CONSOLE, 2);
    add(vm, "rng", VIRTIO_RNG, 3);
}

/* An address in a device: its base, and a number. */
static uint64_t device_address(struct fuzz_input *input)
{
    static const uint64_t bases[] = {
        SPEC_UART,  SPEC_PLIC,     VIRTIO_DISK,        VIRTIO_CONSOLE,
        VIRTIO_RNG, SPEC_FINISHER, SPEC_PLIC + 0x2000, SPEC_PLIC + 0x200000,
    };
    uint64_t base = bases[fuzz_pick(input, sizeof(bases) / sizeof(bases[0]))];

    return base + fuzz_number(input);
}

static void decode_access(struct fuzz_input *input, enum guest_op_kind kind,
                          struct guest_op *op)
{
    static const uint8_t widths[] = {4, 1, 8, 2};
    unsigned how = (unsigned)fuzz_take(input, 1);

    op->kind = (uint8_t)kind;
    op->width = widths[how & 3];
    op->flags = (uint8_t)((how >> 2) & (OP_SIGNED | OP_FP_REG | OP_COMPRESSED));
    op->address = device_address(input);
    if (kind == OP_STORE) {
        op->flags |= OP_HAS_VALUE;
        op->value = fuzz_number(input);
    }
}

/* A word of the guest's memory: descriptors, rings, requests. */
static void decode_memory(struct fuzz_input *input, struct guest_op *op)
{
    op->kind = OP_STORE;
    op->width = 8;
    op->flags = OP_HAS_VALUE;
    op->address = QUEUES + (fuzz_take(input, 2) & 0xff8);
    op->value = fuzz_number(input);
    if (op->value < 0x1000)
        op->value += QUEUES;
}

/* An exit of an access to a device by this instruction. */
static void decode_exit(struct fuzz_input *input, bool described,
                        struct guest_op *op)
{
    uint64_t address = device_address(input);
    uint32_t insn = (uint32_t)fuzz_take(input, 4);

    op->kind = OP_RAW_EXIT;
    op->args[0] = fuzz_pick(input, 2) != 0 ? CAUSE_STORE_GUEST_PAGE_FAULT
                                           : CAUSE_LOAD_GUEST_PAGE_FAULT;
    op->args[1] = address;
    op->args[2] = address >> 2;
    op->args[3] = described ? insn : 0;
    op->number = described ? 0 : insn;
}

static bool decode(struct fuzz_input *input, struct guest_op *op)
{
    switch (fuzz_pick(input, KIND_COUNT)) {
    case KIND_READ: decode_access(input, OP_LOAD, op); break;
    case KIND_WRITE: decode_access(input, OP_STORE, op); break;
    case KIND_MEMORY: decode_memory(input, op); break;
    case KIND_INSN: decode_exit(input, false, op); break;
    case KIND_HTINST: decode_exit(input, true, op); break;
    default:
        op->kind = OP_CSR_SET;
        op->number = CSR_sstatus;
        op->flags = OP_HAS_VALUE;
        op->value = STATUS_FS;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, describe, decode);
}
