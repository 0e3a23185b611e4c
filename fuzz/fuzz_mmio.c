/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MMIO: the instruction decoder, the bus, and every device. The input is a
 * sequence of steps: accesses to the devices' registers, words that go to the
 * guest's memory, exits with instructions that nobody has made sense of yet;
 * and, because no fuzzer finds that by itself, what a virtio driver does: it
 * sets a device up, puts a chain of descriptors into a queue, and notifies.
 */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"
#include "fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VIRTIO_DISK    UINT64_C(0x10001000)
#define VIRTIO_CONSOLE UINT64_C(0x10002000)
#define VIRTIO_RNG     UINT64_C(0x10003000)

/* A page of memory that is there, and has all queues, one over the other. */
#define PAGE          (SPEC_MEMORY + 0x1000)
#define DESC          PAGE
#define AVAIL         (PAGE + 0x400)
#define USED          (PAGE + 0x800)
#define BUFFERS       (PAGE + 0xc00)
#define BUFFERS_SIZE  0x400
#define BUFFER_SIZE   16
#define DESCS         8 /* entries of a queue */
#define DESC_FLAGS    7
#define DESC_ANYWHERE 8 /* of a byte of input: `next` is in it */
#define DESC_NEXT     1

/* Registers of virtio-mmio (virtio 1.2, table 4.1). */
enum {
    FEATURES = 0x20,
    FEATURES_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    STATUS = 0x70,
    QUEUE_DESC = 0x80,
    QUEUE_AVAIL = 0x90,
    QUEUE_USED = 0xa0,
};

enum {
    KIND_READ,
    KIND_WRITE,
    KIND_MEMORY,
    KIND_INSN,
    KIND_HTINST,
    KIND_FP_ON,
    KIND_DRIVER,
    KIND_CHAIN,
    KIND_NOTIFY,
    KIND_COUNT
};

static void describe(struct machine_spec *spec)
{
    struct spec_vm *vm = &spec->vms[0];

    spec->vm_count = 1;
    fuzz_usual_vm(vm, 1, 1);
    (void)spec_add_device(vm, "vconsole", VIRTIO_CONSOLE, 2);
    (void)spec_add_device(vm, "rng", VIRTIO_RNG, 3);
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

static void add_store(struct fuzz_script *script, unsigned width,
                      uint64_t address, uint64_t value)
{
    struct guest_op *op = fuzz_add(script);

    op->kind = OP_STORE;
    op->width = (uint8_t)width;
    op->flags = OP_HAS_VALUE;
    op->address = address;
    op->value = value;
}

/* A number that is often an address in the page of queues, of a buffer most of
 * all. */
static uint64_t fuzz_address(struct fuzz_input *input)
{
    uint64_t number = fuzz_number(input);

    if (number < BUFFERS_SIZE / BUFFER_SIZE)
        return BUFFERS + BUFFER_SIZE * number;
    return number < PAGE_SIZE ? PAGE + number : number;
}

static void decode_memory(struct fuzz_input *input, struct fuzz_script *script)
{
    uint64_t at = PAGE + (fuzz_take(input, 2) & (PAGE_SIZE - 8));

    add_store(script, 8, at, fuzz_address(input));
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

static uint64_t pick_virtio(struct fuzz_input *input)
{
    return VIRTIO_DISK + 0x1000 * (uint64_t)fuzz_pick(input, 3);
}

/* The initialisation that virtio 1.2, section 3.1.1, prescribes, for a device
 * and one of its queues, with a number here and there that is the input's. */
static void decode_driver(struct fuzz_input *input, struct fuzz_script *script)
{
    uint64_t device = pick_virtio(input);
    unsigned how = (unsigned)fuzz_take(input, 1);
    const struct {
        uint16_t reg;
        uint64_t value;
    } steps[] = {
        {STATUS, 0},
        {STATUS, 1},
        {STATUS, 3},
        {FEATURES_SEL, 1},
        {FEATURES, 1 | ((how & 0x80) != 0 ? fuzz_number(input) : 0)},
        {FEATURES_SEL, 0},
        {FEATURES, (how & 0x40) != 0 ? fuzz_number(input) : 0},
        {STATUS, 0x0b},
        {QUEUE_SEL, how & 3},
        {QUEUE_NUM, (how & 0x20) != 0 ? fuzz_number(input) : DESCS},
        {QUEUE_DESC, (how & 0x10) != 0 ? fuzz_address(input) : DESC},
        {QUEUE_AVAIL, (how & 0x08) != 0 ? fuzz_address(input) : AVAIL},
        {QUEUE_USED, (how & 0x04) != 0 ? fuzz_address(input) : USED},
        {QUEUE_READY, 1},
        {STATUS, 0x0f},
    };

    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        add_store(script, 4, device + steps[i].reg, steps[i].value);
}

/* A chain of one to four descriptors, which the ring then has as its next
 * entry; it may go round in circles, or anywhere. */
static void decode_chain(struct fuzz_input *input, struct fuzz_script *script)
{
    unsigned first = fuzz_pick(input, DESCS);
    unsigned length = 1 + fuzz_pick(input, 4);
    uint64_t index = fuzz_take(input, 1);

    for (unsigned i = 0; i < length; i++) {
        uint64_t at = DESC + 16 * (uint64_t)((first + i) % DESCS);
        uint64_t address = fuzz_address(input);
        uint64_t size = fuzz_number(input) & UINT32_MAX;
        uint64_t how = fuzz_take(input, 1);
        uint64_t flags = (how & DESC_FLAGS) | (i + 1 < length ? DESC_NEXT : 0);
        uint64_t next = (how & DESC_ANYWHERE) != 0 ? how >> 4 & (DESCS - 1)
                                                   : (first + i + 1) % DESCS;

        add_store(script, 8, at, address);
        add_store(script, 8, at + 8, size | flags << 32 | next << 48);
    }
    /* What a disk's request begins with: its type, and a sector. */
    add_store(script, 8, BUFFERS, fuzz_number(input));
    add_store(script, 8, BUFFERS + 8, fuzz_number(input));
    add_store(script, 2, AVAIL + 4 + 2 * (index % DESCS), first);
    add_store(script, 2, AVAIL + 2, index + 1);
}

static void decode_notify(struct fuzz_input *input, struct fuzz_script *script)
{
    uint64_t device = pick_virtio(input);

    add_store(script, 4, device + QUEUE_NOTIFY, fuzz_number(input));
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    unsigned kind = fuzz_pick(input, KIND_COUNT);

    switch (kind) {
    case KIND_READ: decode_access(input, OP_LOAD, fuzz_add(script)); break;
    case KIND_WRITE: decode_access(input, OP_STORE, fuzz_add(script)); break;
    case KIND_MEMORY: decode_memory(input, script); break;
    case KIND_INSN: decode_exit(input, false, fuzz_add(script)); break;
    case KIND_HTINST: decode_exit(input, true, fuzz_add(script)); break;
    case KIND_DRIVER: decode_driver(input, script); break;
    case KIND_CHAIN: decode_chain(input, script); break;
    case KIND_NOTIFY: decode_notify(input, script); break;
    default:
        *fuzz_add(script) = (struct guest_op){.kind = OP_CSR_SET,
                                              .reg = OP_DEFAULT_REG,
                                              .flags = OP_HAS_VALUE,
                                              .number = CSR_sstatus,
                                              .value = STATUS_FS};
    }
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
