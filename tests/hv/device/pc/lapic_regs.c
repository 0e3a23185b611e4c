/* SPDX-License-Identifier: Apache-2.0 */
/* A local APIC's registers, in both modes, against the SDM's tables. */
#include "pc.h"

#define RESERVED_XAPIC 1 /* does not exist in the page */
#define NO_MSR         2 /* in x2APIC mode */
#define RO             4
#define WO             8

/* SDM tables 11-1 and 11-6: what a register is after reset, which bits can be
 * written, and how it may be accessed. */
static const struct {
    uint32_t number;
    unsigned flags;
    uint32_t reset, writable;
} rows[] = {
    {0x00, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x01, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x02, RO, 0, 0},
    {0x03, RO, 0x01060014, 0},
    {0x04, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x07, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x08, 0, 0, 0xff},
    {0x09, NO_MSR | RO, 0, 0},
    {0x0a, RO, 0, 0},
    {0x0b, WO, 0, 0},
    {0x0c, NO_MSR | RO, 0, 0},
    {0x0e, NO_MSR, 0xffffffff, 0xf0000000},
    {0x0f, 0, 0xff, 0x11ff},
    {0x10, RO, 0, 0},
    {0x17, RO, 0, 0},
    {0x18, RO, 0, 0},
    {0x20, RO, 0, 0},
    {0x27, RO, 0, 0},
    {0x28, 0, 0, 0},
    {0x29, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x2e, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x2f, 0, 0x10000, 0x107ff},
    {0x31, NO_MSR, 0, 0xff000000},
    {0x32, 0, 0x10000, 0x700ff},
    {0x33, 0, 0x10000, 0x107ff},
    {0x34, 0, 0x10000, 0x107ff},
    {0x35, 0, 0x10000, 0x1a7ff},
    {0x36, 0, 0x10000, 0x1a7ff},
    {0x37, 0, 0x10000, 0x100ff},
    {0x38, 0, 0, 0xffffffff},
    {0x39, RO, 0, 0},
    {0x3a, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x3d, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0x3e, 0, 0, 0xb},
    {0x3f, RESERVED_XAPIC | WO, 0, 0xff},
    {0x40, RESERVED_XAPIC | NO_MSR, 0, 0},
    {0xff, RESERVED_XAPIC | NO_MSR, 0, 0},
};

/* What stays when all ones are written. A disabled APIC's entries stay
 * masked, so it is enabled; the timer is given no mode that stops it. */
Test(lapic_regs, page)
{
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t at = rows[i].number * 16;
        bool exists = (rows[i].flags & RESERVED_XAPIC) == 0;
        uint32_t kept = rows[i].writable | (rows[i].reset & ~rows[i].writable);

        if (at == APIC_DFR)
            kept = 0xffffffff;
        pc_make(&pc, 1, NULL);
        if (at != APIC_SVR)
            cr_expect_eq(pc_get(&pc, 0, at), rows[i].reset, "0x%x",
                         rows[i].number);
        pc_put(&pc, 0, at, 0xffffffff);
        if (rows[i].flags & (RO | WO | RESERVED_XAPIC) || at == APIC_ESR)
            kept = rows[i].reset;
        cr_expect_eq(pc_get(&pc, 0, at), kept, "0x%x", rows[i].number);
        pc_put(&pc, 0, at, 0);
        if (exists && (rows[i].flags & (RO | WO)) == 0)
            cr_expect_eq(pc_get(&pc, 0, at), at == APIC_DFR ? 0x0fffffff : 0,
                         "0x%x", rows[i].number);
        /* What does not exist is an error. */
        pc_put(&pc, 0, APIC_ESR, 0);
        cr_expect_eq(pc_get(&pc, 0, APIC_ESR), exists ? 0 : 0x80, "0x%x",
                     rows[i].number);
        pc_end(&pc);
    }
}

static err_t read_msr(struct pc *pc, uint32_t msr)
{
    uint64_t value;

    return lapic_read_msr(pc_apic(pc, 0), msr, &value);
}

static err_t write_msr(struct pc *pc, uint32_t msr, uint64_t value)
{
    return lapic_write_msr(pc_apic(pc, 0), msr, value);
}

/* Reserved bits, one by one, and accesses that there are not, are #GP. */
Test(lapic_regs, msrs)
{
    struct pc pc;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t msr = 0x800 + rows[i].number;
        bool exists = (rows[i].flags & NO_MSR) == 0;
        bool readable = exists && (rows[i].flags & WO) == 0;
        bool writable = exists && (rows[i].flags & RO) == 0;

        pc_make(&pc, 1, NULL);
        /* Not in this mode. */
        cr_expect_eq(read_msr(&pc, msr), ERR_OUT_OF_RANGE);
        cr_expect_eq(write_msr(&pc, msr, 0), ERR_OUT_OF_RANGE);
        pc_wrmsr(&pc, 0, MSR_BASE, BASE_X2APIC | BASE_BSP);
        cr_expect_eq(read_msr(&pc, msr), readable ? OK : ERR_OUT_OF_RANGE,
                     "read of 0x%x", msr);
        cr_expect_eq(write_msr(&pc, msr, 0), writable ? OK : ERR_OUT_OF_RANGE,
                     "write of 0x%x", msr);
        for (unsigned bit = 0; bit < 64; bit++) {
            bool is_lint = rows[i].number == 0x35 || rows[i].number == 0x36;
            /* Remote IRR is read-only, not reserved: it is written back. */
            bool is_known = (bit < 32 && (rows[i].writable >> bit & 1)) ||
                            (is_lint && bit == 14);

            cr_expect_eq(write_msr(&pc, msr, UINT64_C(1) << bit),
                         writable && is_known ? OK : ERR_OUT_OF_RANGE,
                         "bit %u of 0x%x", bit, msr);
        }
        pc_end(&pc);
    }
}

Test(lapic_regs, icr_of_x2apic)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_wrmsr(&pc, 0, MSR_BASE, BASE_X2APIC | BASE_BSP);
    /* Nobody has this destination. */
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = 0x123400000033 | UINT64_C(1) << bit;
        bool reserved =
            bit == 13 || bit == 16 || bit == 17 || (bit >= 20 && bit < 32);

        cr_expect_eq(write_msr(&pc, 0x830, value),
                     reserved ? ERR_OUT_OF_RANGE : OK, "bit %u", bit);
        if (!reserved)
            cr_expect_eq(pc_rdmsr(&pc, 0, 0x830), value & ~(UINT64_C(1) << 12),
                         "bit %u", bit);
    }
    pc_end(&pc);
}

/* Parts and wrong widths: reads give the part, writes are nothing. */
Test(lapic_regs, widths)
{
    static const struct {
        uint64_t offset;
        unsigned width;
        uint64_t value;
    } reads[] = {
        {0x30, 4, 0x01060014}, {0x30, 1, 0x14},   {0x31, 1, 0x00},
        {0x32, 1, 0x06},       {0x32, 2, 0x0106}, {0x30, 8, 0x01060014},
        {0x34, 4, 0},          {0x38, 8, 0},
    };
    struct pc pc;

    pc_make(&pc, 1, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
        cr_expect_eq(
            lapic_read(pc_apic(&pc, 0), reads[i].offset, reads[i].width),
            reads[i].value, "row %zu", i);
    lapic_write(pc_apic(&pc, 0), APIC_TPR, 1, 0x50);
    lapic_write(pc_apic(&pc, 0), APIC_TPR, 2, 0x50);
    lapic_write(pc_apic(&pc, 0), APIC_TPR, 8, 0x50);
    lapic_write(pc_apic(&pc, 0), APIC_TPR + 4, 4, 0x50);
    lapic_write(pc_apic(&pc, 0), APIC_TPR + 1, 4, 0x50);
    cr_expect_eq(pc_get(&pc, 0, APIC_TPR), 0);
    pc_end(&pc);
}

/* Modes: off, xAPIC, x2APIC, and which changes are #GP. */
Test(lapic_regs, base_transitions)
{
    enum { OFF, X1, X2, BAD, MODES };
    static const uint64_t values[MODES] = {BASE_OFF, BASE_XAPIC, BASE_X2APIC,
                                           UINT64_C(0xfee00400)};
    static const bool legal[3][MODES] = {
        [OFF] = {[OFF] = true, [X1] = true},
        [X1] = {[OFF] = true, [X1] = true, [X2] = true},
        [X2] = {[OFF] = true, [X2] = true},
    };
    struct pc pc;

    for (unsigned from = OFF; from <= X2; from++) {
        for (unsigned to = OFF; to < MODES; to++) {
            pc_make(&pc, 1, NULL);
            pc_wrmsr(&pc, 0, MSR_BASE, values[from]);
            cr_expect_eq(write_msr(&pc, MSR_BASE, values[to]),
                         legal[from][to] ? OK : ERR_OUT_OF_RANGE, "%u to %u",
                         from, to);
            cr_expect_eq(pc_rdmsr(&pc, 0, MSR_BASE),
                         values[legal[from][to] ? to : from]);
            pc_end(&pc);
        }
    }
}

Test(lapic_regs, base_reserved_bits)
{
    struct pc pc;

    pc_make(&pc, 2, NULL);
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_BASE), BASE_XAPIC | BASE_BSP);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_BASE), BASE_XAPIC);
    for (unsigned bit = 0; bit < 64; bit++) {
        /* BSP and EXTD may be set; the address's and EN are, and EN may not
         * be flipped here. */
        uint64_t value = (BASE_XAPIC | BASE_BSP) ^ UINT64_C(1) << bit;

        if (bit == 8 || bit == 10 || bit == 11)
            continue;
        cr_expect_eq(write_msr(&pc, MSR_BASE, value), ERR_OUT_OF_RANGE,
                     "bit %u", bit);
    }
    pc_end(&pc);
}

/* Off, everything is lost; x2APIC mode keeps what there is. */
Test(lapic_regs, what_a_transition_keeps)
{
    struct pc pc;

    pc_make(&pc, 2, NULL);
    pc_put(&pc, 1, APIC_TPR, 0x40);
    pc_put(&pc, 1, APIC_LDR, 0x02000000);
    cr_expect_eq(pc_get(&pc, 1, APIC_ID), 0x01000000);
    pc_wrmsr(&pc, 1, MSR_BASE, BASE_X2APIC);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_TPR)), 0x40);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_SVR)), 0x1ff);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_ID)), 1);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_LDR)), 2);
    /* The page is gone. */
    cr_expect_eq(pc_get(&pc, 1, APIC_TPR), 0xffffffff);
    pc_put(&pc, 1, APIC_TPR, 0);
    cr_expect_eq(pc_rdmsr(&pc, 1, MSR_OF(APIC_TPR)), 0x40);
    pc_wrmsr(&pc, 1, MSR_BASE, BASE_OFF);
    cr_expect_not(lapic_is_enabled(pc_apic(&pc, 1)));
    cr_expect_eq(pc_get(&pc, 1, APIC_TPR), 0xffffffff);
    pc_wrmsr(&pc, 1, MSR_BASE, BASE_XAPIC);
    cr_expect(lapic_is_enabled(pc_apic(&pc, 1)));
    cr_expect_eq(pc_get(&pc, 1, APIC_TPR), 0);
    cr_expect_eq(pc_get(&pc, 1, APIC_LDR), 0);
    cr_expect_eq(pc_get(&pc, 1, APIC_SVR), 0xff);
    pc_end(&pc);
}

/* Disabled by software: entries are masked, and cannot be unmasked. */
Test(lapic_regs, software_disabled)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_ERROR, 0x40);
    pc_put(&pc, 0, APIC_SVR, 0xff);
    cr_expect_eq(pc_get(&pc, 0, APIC_ERROR), 0x10040);
    pc_put(&pc, 0, APIC_ERROR, 0x41);
    cr_expect_eq(pc_get(&pc, 0, APIC_ERROR), 0x10041);
    pc_put(&pc, 0, APIC_SVR, 0x1ff);
    cr_expect_eq(pc_get(&pc, 0, APIC_ERROR), 0x10041);
    pc_put(&pc, 0, APIC_ERROR, 0x41);
    cr_expect_eq(pc_get(&pc, 0, APIC_ERROR), 0x41);
    pc_end(&pc);
}

/* x2APIC's LDR: cluster and bit follow from the ID. */
Test(lapic_regs, x2apic_ldr)
{
    struct pc pc;

    pc_make(&pc, 64, NULL);
    for (vcpu_id id = 0; id < 64; id++) {
        pc_wrmsr(&pc, id, MSR_BASE, BASE_X2APIC);
        cr_expect_eq(pc_rdmsr(&pc, id, MSR_OF(APIC_LDR)),
                     (uint64_t)(id >> 4) << 16 | 1U << (id & 15));
    }
    pc_end(&pc);
}
