/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `twinax bench` measures of riscv64. Decoding: the exit registers of an
 * MMIO access, with the hardware's description of the instruction, to the
 * access.
 */
#include "sim/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/riscv64/riscv.h"
#include "sim/riscv64/arch.h"
#include "sim/sim.h"
#include "sim/spec.h"

#define UART_LSR       5
#define PLIC_PRIORITY1 4
#define SBI_BASE       0x10
#define SBI_TIME       0x54494d45

#define READ(at, bytes)                                           \
    {                                                             \
        .kind = OP_LOAD, .width = (bytes), .reg = OP_DEFAULT_REG, \
        .address = (at)                                           \
    }
#define CALL(extension)                                 \
    {                                                   \
        .kind = OP_ECALL, .args = { [7] = (extension) } \
    }

static const struct guest_op null_calls[] = {CALL(SBI_BASE)};
static const struct guest_op mmio_reads[] = {READ(SPEC_UART + UART_LSR, 1)};
static const struct guest_op mixed[] = {
    CALL(SBI_BASE),
    READ(SPEC_UART + UART_LSR, 1),
    READ(SPEC_PLIC + PLIC_PRIORITY1, 4),
    READ(SPEC_VIRTIO, 4),
    {.kind = OP_ECALL, .args = {[0] = ~UINT64_C(0), [7] = SBI_TIME}},
    {.kind = OP_STORE,
     .width = 4,
     .reg = OP_DEFAULT_REG,
     .flags = OP_HAS_VALUE,
     .address = SPEC_PLIC + PLIC_PRIORITY1,
     .value = 1},
};

/* Of which the host knows nothing when it is asked. */
static const struct guest_op interrupts[] = {
    {.kind = OP_RAW_EXIT, .args = {CAUSE_INTERRUPT | IRQ_S_EXT}},
};

static const struct bench_exits exits[] = {
    {"inject_exits_per_second",
     "injected exits handled, SBI calls and MMIO mixed", mixed,
     ARRAY_SIZE(mixed)},
    {"inject_calls_per_second", "SBI calls that do nothing", null_calls,
     ARRAY_SIZE(null_calls)},
    {"inject_mmio_per_second", "reads of the serial port's LSR", mmio_reads,
     ARRAY_SIZE(mmio_reads)},
    {"inject_interrupts_per_second",
     "host interrupts: exit and entry, and little else", interrupts,
     ARRAY_SIZE(interrupts)},
};

#define BATCH         1000000
#define OPCODE_STORES UINT32_C(0x20)

/* Loads and stores as htinst has them: lbu, lw, ld, sw, sd, c.lw, c.sw. */
static const uint32_t transformed[] = {
    0x00004783, 0x00002783, 0x00003783, 0x00f02023,
    0x00f03023, 0x00002781, 0x00f02021,
};

static double measure_batch(struct riscv_vcpu *vcpu)
{
    double start = bench_seconds();
    struct device_access access;
    struct vm_exit exit;

    for (unsigned i = 0; i < BATCH; i++) {
        uint32_t insn = transformed[i % ARRAY_SIZE(transformed)];

        vcpu->regs.htinst = insn;
        vcpu->regs.scause = (insn & OPCODE_STORES) != 0
                                ? CAUSE_STORE_GUEST_PAGE_FAULT
                                : CAUSE_LOAD_GUEST_PAGE_FAULT;
        riscv_decode(&vcpu->base, &exit);
        if (riscv_decode_mmio(&vcpu->base, &exit, &access) != OK)
            return -1;
    }
    return (bench_seconds() - start) / BATCH;
}

static bool decode(const struct bench_options *options,
                   struct bench_report *report)
{
    struct riscv_vcpu *vcpu = calloc(1, sizeof(*vcpu));
    double least = 1, spent = 0;

    if (vcpu == NULL) {
        fprintf(stderr, "twinax bench: no memory left\n");
        return false;
    }
    sim_reset(1);
    vcpu->regs.htval = 0x10000000 >> 2;
    while (spent < options->seconds && least > 0) {
        double batch = measure_batch(vcpu);

        least = batch < least ? batch : least;
        spent += batch * BATCH;
    }
    free(vcpu);
    if (least < 0) {
        fprintf(stderr, "twinax bench: an access does not decode\n");
        return false;
    }
    bench_add(report, "decode_ns", least * 1e9,
              "an MMIO exit's registers to the access");
    return true;
}

const struct sim_bench riscv64_bench = {
    .exits = exits,
    .exits_count = ARRAY_SIZE(exits),
    .decode = decode,
};
