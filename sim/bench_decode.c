/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decoding costs: the exit registers of an MMIO access, with and without
 * the hardware's description of the instruction, to the access.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/riscv64/riscv.h"
#include "sim/bench.h"
#include "sim/sim.h"

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

bool bench_decode(const struct bench_options *options,
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
