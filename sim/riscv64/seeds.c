/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of riscv64 as seeds of fuzz_exits and fuzz_mmio. */
#include "arch/riscv64/csr.h"
#include "arch/riscv64/riscv.h"
#include "sim/report_seeds.h"
#include "sim/riscv64/arch.h"

/* fuzz/fuzz_exits.c: what an input's bytes mean. */
#define EXITS_CALL      0xc0 /* then: how, and a7, a6, a0 to a4 */
#define EXITS_CALL_ANY  0xf0 /* how: a7 follows as a number */
#define EXITS_SET       0xc1 /* then: register, number */
#define EXITS_INTERRUPT 0x80 /* + its number */
/* fuzz/fuzz_mmio.c. */
#define MMIO_READ  0
#define MMIO_WRITE 1

/* fuzz/fuzz_mmio.c's devices: the start of each, its size, and its number. */
static const struct {
    uint64_t base, size;
} mmio_devices[] = {
    {0x10000000, 0x100},  {0x0c000000, 0x4000000}, {0x10001000, 0x1000},
    {0x10002000, 0x1000}, {0x10003000, 0x1000},    {0x00100000, 0x1000},
};

static void add_call(const struct seed_exit *exit, struct seed *seed)
{
    static const char *const args[] = {"a7", "a6", "a0", "a1",
                                       "a2", "a3", "a4"};

    seed_put(seed, EXITS_CALL, 1);
    seed_put(seed, EXITS_CALL_ANY, 1);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        seed_put_number(seed, seed_field(exit, args[i]));
}

/* Whether the instruction that made the exit, where that is known, may read
 * the register: as rs1 or rs2. */
static bool is_read(const struct riscv_vcpu *v, unsigned reg)
{
    uint64_t insn = v->regs.htinst != 0 ? v->regs.htinst : v->regs.stval;

    return reg == (insn >> 15 & 31) || reg == (insn >> 20 & 31);
}

/* The general registers that matter and that the seed has not set before, then
 * the exit itself. */
static void add_raw(const struct seed_exit *exit, struct seed *seed)
{
    const struct riscv_vcpu *v = to_riscv_const(exit->scratch);
    uint64_t cause = exit->event->fields[TRACE_FIELD_CAUSE];

    for (unsigned reg = 1; reg < REG_COUNT; reg++) {
        if (!is_read(v, reg) || v->regs.gpr[reg] == seed->gpr[reg])
            continue;
        seed->gpr[reg] = v->regs.gpr[reg];
        seed_put(seed, EXITS_SET, 1);
        seed_put(seed, reg, 1);
        seed_put_number(seed, v->regs.gpr[reg]);
    }
    seed_put(seed,
             (cause & CAUSE_INTERRUPT) != 0 ? EXITS_INTERRUPT + (cause & 0x3f)
                                            : cause & 0x7f,
             1);
    seed_put_number(seed, v->regs.stval);
    seed_put_number(seed, v->regs.htval);
    seed_put_number(seed, v->regs.htinst);
    seed_put_number(seed, 0);
}

static uint64_t add_exit(const struct seed_exit *exit, struct seed *seed)
{
    uint64_t cause = exit->event->fields[TRACE_FIELD_CAUSE];
    uint64_t sort = codec_mix(cause, exit->event->exit_kind);

    if (cause == CAUSE_ECALL_VS) {
        add_call(exit, seed);
        sort = codec_mix(sort, seed_field(exit, "a7"));
        return codec_mix(sort, seed_field(exit, "a6"));
    }
    add_raw(exit, seed);
    sort = codec_mix(sort, seed_field(exit, "htinst"));
    if (cause == CAUSE_VIRTUAL_INSN)
        sort = codec_mix(sort, seed_field(exit, "stval"));
    return exit->about->device != NULL ? codec_mix(sort, exit->about->gpa)
                                       : sort;
}

static unsigned width_code(uint64_t htinst)
{
    static const uint8_t codes[] = {1, 3, 0, 2}; /* of 1, 2, 4, 8 bytes */

    return codes[htinst >> 12 & 3];
}

static bool add_mmio(const struct seed_exit *exit, struct seed *seed,
                     uint64_t *sort)
{
    const struct riscv_vcpu *v = to_riscv_const(exit->scratch);
    bool is_write = exit->about->is_write;
    uint64_t htinst = v->regs.htinst;

    for (unsigned i = 0; i < ARRAY_SIZE(mmio_devices); i++) {
        uint64_t offset = exit->about->gpa - mmio_devices[i].base;

        if (offset >= mmio_devices[i].size)
            continue;
        seed_put(seed, is_write ? MMIO_WRITE : MMIO_READ, 1);
        seed_put(seed, width_code(htinst), 1);
        seed_put(seed, i, 1);
        seed_put_number(seed, offset);
        if (is_write)
            seed_put_number(seed, v->regs.gpr[htinst >> 20 & 31]);
        *sort = codec_mix(codec_mix(i, offset), is_write + 2u);
        return true;
    }
    return false;
}

const struct seed_format riscv64_seeds = {
    .exits = "exits",
    .mmio = "mmio",
    .add_exit = add_exit,
    .add_mmio = add_mmio,
};
