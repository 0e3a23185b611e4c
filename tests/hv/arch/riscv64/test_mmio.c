/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses to devices: from a page fault to what the device sees, and from
 * what it answers to the guest's register. */
#include "rig.h"
#include "support/rows.h"

#define DEVICE UINT64_C(0x10000000)

static err_t decode_access(struct riscv_vcpu *v, uint64_t scause,
                           uint64_t address, uint64_t htinst,
                           struct device_access *access)
{
    struct vm_exit exit = rig_decode(v, scause, address, address >> 2, htinst);

    cr_assert_eq(exit.kind, EXIT_NESTED_PAGE_FAULT);
    return riscv_vcpu_ops.decode_mmio(&v->base, &exit, access);
}

#define LOAD  CAUSE_LOAD_GUEST_PAGE_FAULT
#define STORE CAUSE_STORE_GUEST_PAGE_FAULT

/* htinst of a load to, or store from, register 10. */
#define HT_LOAD(funct3)  ((funct3) << 12 | 10 << 7 | 0x03)
#define HT_STORE(funct3) ((funct3) << 12 | 10 << 20 | 0x23)

Test(mmio, an_access_that_the_hardware_describes)
{
    static const struct {
        uint64_t scause, address, htinst;
        err_t error;
        uint8_t width, length;
        uint64_t data;
    } rows[] = {
        {LOAD, DEVICE, HT_LOAD(0), OK, 1, 4, 0},
        {LOAD, DEVICE + 3, HT_LOAD(4), OK, 1, 4, 0},
        {LOAD, DEVICE + 2, HT_LOAD(1), OK, 2, 4, 0},
        {LOAD, DEVICE + 4, HT_LOAD(2), OK, 4, 4, 0},
        {LOAD, DEVICE + 4, HT_LOAD(2) & ~2, OK, 4, 2, 0},
        {LOAD, DEVICE + 8, HT_LOAD(3), OK, 8, 4, 0},
        {STORE, DEVICE, HT_STORE(0), OK, 1, 4, 0x88},
        {STORE, DEVICE, HT_STORE(1), OK, 2, 4, 0x7788},
        {STORE, DEVICE, HT_STORE(2), OK, 4, 4, 0x55667788},
        {STORE, DEVICE, HT_STORE(3), OK, 8, 4, 0x1122334455667788},
        {STORE, DEVICE, HT_STORE(3) & ~2, OK, 8, 2, 0x1122334455667788},
        /* Misaligned: the bus refuses it. */
        {LOAD, DEVICE + 1, HT_LOAD(1), OK, 2, 4, 0},
        {STORE, DEVICE + 4, HT_STORE(3), OK, 8, 4, 0x1122334455667788},
        /* Its second part, behind a page's end. */
        {LOAD, DEVICE, HT_LOAD(2) | 2 << 15, ERR_UNSUPPORTED, 0, 0, 0},
        {STORE, DEVICE, HT_STORE(3) | 4 << 15, ERR_UNSUPPORTED, 0, 0, 0},
        /* Not loads or stores. */
        {STORE, DEVICE, 0x00a5202f, ERR_UNSUPPORTED, 0, 0, 0}, /* AMO */
        {LOAD, DEVICE, 0x1000252f, ERR_UNSUPPORTED, 0, 0, 0},  /* LR */
        {LOAD, DEVICE, 0x3000, ERR_UNSUPPORTED, 0, 0, 0},
        {LOAD, DEVICE, 0x3020, ERR_UNSUPPORTED, 0, 0, 0},
        /* The syndrome contradicts itself. */
        {LOAD, DEVICE, HT_STORE(2), ERR_UNSUPPORTED, 0, 0, 0},
        {STORE, DEVICE, HT_LOAD(2), ERR_UNSUPPORTED, 0, 0, 0},
        {CAUSE_INSN_GUEST_PAGE_FAULT, DEVICE, HT_LOAD(2), ERR_UNSUPPORTED, 0, 0,
         0},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        struct device_access access;
        err_t error;

        v->regs.gpr[REG_A0] = UINT64_C(0x1122334455667788);
        error = decode_access(v, rows[i].scause, rows[i].address,
                              rows[i].htinst, &access);
        cr_expect_eq(error, rows[i].error, "row %zu: %s", i, error_text(error));
        if (error != OK)
            continue;
        cr_expect_eq(access.write, rows[i].scause == STORE, "row %zu", i);
        cr_expect_eq(access.insn_len, rows[i].length, "row %zu", i);
        cr_expect_eq(access.address, rows[i].address);
        cr_expect_eq(access.width, rows[i].width, "row %zu", i);
        cr_expect_eq(access.data, rows[i].data, "row %zu", i);
        cr_expect_eq(access.reg, 10);
    }
    rig_stop();
}

Test(mmio, an_access_that_must_be_fetched)
{
    static const struct {
        uint32_t insn;
        uint64_t scause;
        err_t error;
        uint8_t length, reg;
    } rows[] = {
        {0x0005a503, LOAD, OK, 4, 10},              /* lw a0, 0(a1) */
        {0x00a5a023, STORE, OK, 4, 10},             /* sw a0, 0(a1) */
        {0x00004188, LOAD, OK, 2, 10},              /* c.lw a0, 0(a1) */
        {0x0000c188, STORE, OK, 2, 10},             /* c.sw a0, 0(a1) */
        {0x1005a52f, LOAD, ERR_UNSUPPORTED, 0, 0},  /* lr.w */
        {0x00a5a52f, STORE, ERR_UNSUPPORTED, 0, 0}, /* amoadd.w */
        {0x0205f507, LOAD, ERR_UNSUPPORTED, 0, 0},  /* vle64.v */
        {0x00a5a023, LOAD, ERR_UNSUPPORTED, 0, 0},  /* changed meanwhile */
        {0x00000000, LOAD, ERR_UNSUPPORTED, 0, 0},
    };

    rig_start("plain");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        /* Once in a page, once across two. */
        for (unsigned across = 0; across < 2; across++) {
            struct device_access access;
            err_t error;

            v->regs.pc = RIG_MEMORY + PAGE_SIZE - 2 * across;
            cr_assert_eq(aspace_write(&rig.memory, gpa(v->regs.pc),
                                      &rows[i].insn, sizeof(rows[i].insn)),
                         OK);
            error = decode_access(v, rows[i].scause, DEVICE, 0, &access);
            cr_expect_eq(error, rows[i].error, "row %zu: %s", i,
                         error_text(error));
            if (error != OK)
                continue;
            cr_expect_eq(access.insn_len, rows[i].length);
            cr_expect_eq(access.reg, rows[i].reg);
            cr_expect_eq(access.width, 4);
        }
    }
    rig_stop();
}

Test(mmio, an_instruction_that_cannot_be_read_is_tried_again)
{
    const uint32_t lw = 0x0005a503;
    struct device_access access;

    rig_start("plain");
    struct riscv_vcpu *v = rig_bind(0, 0);
    v->regs.pc = RIG_MEMORY + RIG_SIZE;
    cr_expect_eq(decode_access(v, LOAD, DEVICE, 0, &access), ERR_BUSY);
    /* Its second half is missing. */
    v->regs.pc = RIG_MEMORY + RIG_SIZE - 2;
    cr_assert_eq(aspace_write(&rig.memory, gpa(v->regs.pc), &lw, 2), OK);
    cr_expect_eq(decode_access(v, LOAD, DEVICE, 0, &access), ERR_BUSY);
    /* What was read may not be the guest's any more. */
    v->regs.pc = RIG_MEMORY;
    cr_assert_eq(aspace_write(&rig.memory, gpa(v->regs.pc), &lw, 4), OK);
    cr_expect_eq(decode_access(v, LOAD, DEVICE, 0, &access), OK);
    vcpu_request(&v->base, VCPU_REQUEST_FLUSH);
    cr_expect_eq(decode_access(v, LOAD, DEVICE, 0, &access), ERR_BUSY);
    rig_stop();
}

Test(mmio, an_answer_reaches_the_register)
{
    static const struct {
        uint64_t htinst, answer, expected;
    } rows[] = {
        {HT_LOAD(0), 0xffffffffffffff80, 0xffffffffffffff80},
        {HT_LOAD(0), 0x7f, 0x7f},
        {HT_LOAD(4), 0x80, 0x80},
        {HT_LOAD(4), 0xffffffffffffffff, 0xff},
        {HT_LOAD(1), 0x8000, 0xffffffffffff8000},
        {HT_LOAD(5), 0x8000, 0x8000},
        {HT_LOAD(2), 0x80000000, 0xffffffff80000000},
        {HT_LOAD(6), 0x80000000, 0x80000000},
        {HT_LOAD(3), 0x8000000000000000, 0x8000000000000000},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        struct device_access access;
        uint64_t pc = v->regs.pc;

        cr_assert_eq(decode_access(v, LOAD, DEVICE, rows[i].htinst, &access),
                     OK);
        riscv_vcpu_ops.finish_read(&v->base, &access, rows[i].answer);
        cr_expect_eq(v->regs.gpr[REG_A0], rows[i].expected, "row %zu", i);
        cr_expect_eq(v->regs.pc, pc + 4);
    }
    rig_stop();
}

Test(mmio, a_read_into_x0_changes_nothing)
{
    struct device_access access;

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    cr_assert_eq(decode_access(v, LOAD, DEVICE, 0x2003, &access), OK);
    riscv_vcpu_ops.finish_read(&v->base, &access, 0x1234);
    cr_expect_eq(v->regs.gpr[REG_ZERO], 0);
    rig_stop();
}

/* FLW f10 and FSW f10, FLD and FSD. */
#define HT_FLW (2 << 12 | 10 << 7 | 0x07)
#define HT_FLD (3 << 12 | 10 << 7 | 0x07)
#define HT_FSW (2 << 12 | 10 << 20 | 0x27)
#define HT_FSD (3 << 12 | 10 << 20 | 0x27)

static void access_fp_registers(struct riscv_vcpu *v)
{
    const struct guest_op read_f10 = {.kind = OP_FP_READ, .reg = 10};
    struct device_access access;

    cr_assert_eq(decode_access(v, LOAD, DEVICE, HT_FLW, &access), OK);
    cr_expect(access.reg_is_fp);
    riscv_vcpu_ops.finish_read(&v->base, &access, 0x3f800000);
    /* Its state must reach the guest's kernel at the next task switch. */
    cr_expect_eq(FIELD_GET(STATUS_FS, riscv_hw_read_vsstatus_impl()),
                 EXT_DIRTY);
    cr_expect_eq(rig_do(v, read_f10).value, UINT64_C(0xffffffff3f800000));

    cr_assert_eq(decode_access(v, LOAD, DEVICE, HT_FLD, &access), OK);
    riscv_vcpu_ops.finish_read(&v->base, &access, UINT64_C(0x3ff0000000000000));
    cr_expect_eq(rig_do(v, read_f10).value, UINT64_C(0x3ff0000000000000));

    cr_assert_eq(decode_access(v, STORE, DEVICE, HT_FSD, &access), OK);
    cr_expect_eq(access.data, UINT64_C(0x3ff0000000000000));
    cr_assert_eq(decode_access(v, STORE, DEVICE, HT_FSW, &access), OK);
    cr_expect_eq(access.data, 0);
}

/* Whether the CPU holds the registers (they were used before) or not. */
Test(mmio, floating_point_registers_are_found_where_they_are)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    riscv_hw_write_vsstatus_impl(FIELD_PUT(STATUS_FS, EXT_INITIAL));
    access_fp_registers(v);
    rig_unbind(0);
    v = rig_bind(0, 1);
    access_fp_registers(v);
    access_fp_registers(v);
    rig_stop();
}
