/* SPDX-License-Identifier: Apache-2.0 */
/* The fake riscv64 CPU's CSRs: what sticks, what is an alias, who may. */
#include <criterion/criterion.h>

#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/sim.h"
#include "support/rows.h"

#define ALL (~UINT64_C(0))

static struct fake_riscv *cpu;

static void setup(void)
{
    sim_reset(1);
    violations_set_print(false);
    fake_riscv_reset(riscv_profile_find("full"), 1);
    cpu = fake_riscv_current();
}

static void setup_profile(const char *name)
{
    fake_riscv_reset(riscv_profile_find(name), 1);
}

TestSuite(csr, .init = setup);

Test(csr, bits_that_can_be_written)
{
    static const struct {
        unsigned csr;
        uint64_t ones, zeros; /* what reads back of all ones, of 0 */
    } rows[] = {
        {CSR_hedeleg, 0xb1ff, 0},
        {CSR_hideleg, 0x444, 0},
        {CSR_hie, 0x444, 0},
        {CSR_hvip, 0x444, 0},
        {CSR_hcounteren, 0xffffffff, 0},
        {CSR_scounteren, 0xffffffff, 0},
        {CSR_htimedelta, ALL, 0},
        {CSR_hgeie, 0, 0},
        {CSR_hgeip, 0, 0},
        /* VSXL is 64 bits; VTSR, VTW, VTVM, HU, SPVP, SPV, GVA. */
        {CSR_hstatus, 0x2007003c0, 0x200000000},
        /* STCE, PBMTE, CBZE, CBCFE, CBIE, FIOM. */
        {CSR_henvcfg, 0xc0000000000000f1, 0},
        {CSR_senvcfg, 0xf1, 0},
        /* SD, UXL, MXR, SUM, FS, VS, SPP, SPIE, SIE. */
        {CSR_vsstatus, 0x80000002000c6722, 0x200000000},
        {CSR_vstvec, ALL & ~UINT64_C(3), 0},
        {CSR_vsscratch, ALL, 0},
        {CSR_vsepc, ALL - 1, 0},
        {CSR_vscause, ALL, 0},
        {CSR_vstval, ALL, 0},
        {CSR_vstimecmp, ALL, 0},
        {CSR_fcsr, 0xff, 0},
        {CSR_frm, 7, 0},
        {CSR_fflags, 0x1f, 0},
        {CSR_vcsr, 7, 0},
    };

    for_each_row (i, rows) {
        csr_write(cpu, rows[i].csr, ALL);
        cr_assert_eq(csr_read(cpu, rows[i].csr), rows[i].ones,
                     "CSR 0x%03x: 0x%llx", rows[i].csr,
                     (unsigned long long)csr_read(cpu, rows[i].csr));
        csr_write(cpu, rows[i].csr, 0);
        cr_assert_eq(csr_read(cpu, rows[i].csr), rows[i].zeros,
                     "CSR 0x%03x: 0x%llx", rows[i].csr,
                     (unsigned long long)csr_read(cpu, rows[i].csr));
    }
}

Test(csr, bits_that_a_lesser_processor_lacks)
{
    static const struct {
        const char *profile;
        unsigned csr;
        uint64_t ones;
    } rows[] = {
        {"plain", CSR_henvcfg, 1},
        {"virt", CSR_henvcfg, 0x8000000000000001},
        {"plain", CSR_senvcfg, 1},
        {"virt", CSR_vsstatus, 0x80000002000c6122},
    };

    for_each_row (i, rows) {
        setup_profile(rows[i].profile);
        csr_write(cpu, rows[i].csr, ALL);
        cr_assert_eq(csr_read(cpu, rows[i].csr), rows[i].ones,
                     "row %zu: 0x%llx", i,
                     (unsigned long long)csr_read(cpu, rows[i].csr));
    }
}

Test(csr, reserved_values)
{
    csr_write(cpu, CSR_henvcfg, 2 << 4);
    cr_assert_eq(csr_read(cpu, CSR_henvcfg), 0, "CBIE 2 is reserved");
    csr_write(cpu, CSR_vstvec, 0x1001);
    cr_assert_eq(csr_read(cpu, CSR_vstvec), 0x1001, "vectored");
    csr_write(cpu, CSR_vstvec, 0x1002);
    cr_assert_eq(csr_read(cpu, CSR_vstvec) & 2, 0, "mode 2 is reserved");
}

Test(csr, hgatp)
{
    static const struct {
        const char *profile;
        uint64_t write, read;
        enum violation_rule rule; /* RULE_COUNT: none */
    } rows[] = {
        {"virt", 0x8000000000080000, 0x8000000000080000, RULE_COUNT},
        {"virt", 0x8000000000080003, 0x8000000000080000, RULE_HGATP_ALIGN},
        {"virt", 0x83fff00000080000, 0x83fff00000080000, RULE_COUNT},
        {"full", 0x8007f00000080000, 0x8007f00000080000, RULE_COUNT},
        {"full", 0x8008000000080000, 0x8000000000080000, RULE_HGATP_VMID},
        {"plain", 0x8000100000080000, 0x8000000000080000, RULE_HGATP_VMID},
        {"plain", 0x9000000000080000, 0x80000, RULE_HGATP_MODE},
        {"virt", 0xf000000000080000, 0x80000, RULE_HGATP_MODE},
        {"virt", 0xa000000000080000, 0xa000000000080000, RULE_COUNT},
    };

    for_each_row (i, rows) {
        setup_profile(rows[i].profile);
        violations_reset();
        csr_write(cpu, CSR_hgatp, rows[i].write);
        cr_assert_eq(csr_read(cpu, CSR_hgatp), rows[i].read, "row %zu: 0x%llx",
                     i, (unsigned long long)csr_read(cpu, CSR_hgatp));
        cr_assert_eq(violations_count(), rows[i].rule != RULE_COUNT, "row %zu",
                     i);
        if (rows[i].rule != RULE_COUNT)
            cr_assert_eq(violations_of(rows[i].rule), 1, "row %zu", i);
    }
}

Test(csr, vsie_and_vsip_are_hie_and_hip_where_delegated)
{
    csr_write(cpu, CSR_hideleg, 0x404);
    csr_write(cpu, CSR_vsie, ALL);
    cr_assert_eq(csr_read(cpu, CSR_vsie), 0x202);
    cr_assert_eq(csr_read(cpu, CSR_hie), 0x404);
    csr_write(cpu, CSR_hvip, 0x444);
    cr_assert_eq(csr_read(cpu, CSR_hip), 0x444);
    cr_assert_eq(csr_read(cpu, CSR_vsip), 0x202);
    csr_write(cpu, CSR_vsip, 0);
    cr_assert_eq(csr_read(cpu, CSR_hvip), 0x440, "only SSIP can be written");
    csr_write(cpu, CSR_hideleg, 0);
    csr_write(cpu, CSR_vsie, ALL);
    cr_assert_eq(csr_read(cpu, CSR_vsie), 0);
    cr_assert_eq(csr_read(cpu, CSR_hie), 0x404, "is not touched");
}

Test(csr, the_guests_timer_is_pending_from_its_deadline_on)
{
    csr_write(cpu, CSR_vstimecmp, 1000);
    clock_advance_ticks(1000);
    cr_assert_eq(csr_read(cpu, CSR_hip), 0, "not without STCE");
    csr_write(cpu, CSR_henvcfg, HENVCFG_STCE);
    cr_assert_eq(csr_read(cpu, CSR_hip), HVIP_VSTIP);
    csr_write(cpu, CSR_vstimecmp, 1001);
    cr_assert_eq(csr_read(cpu, CSR_hip), 0);
    csr_write(cpu, CSR_htimedelta, 1);
    cr_assert_eq(csr_read(cpu, CSR_hip), HVIP_VSTIP);
    csr_write(cpu, CSR_vstimecmp, ALL);
    csr_write(cpu, CSR_hvip, HVIP_VSTIP);
    cr_assert_eq(csr_read(cpu, CSR_hip), HVIP_VSTIP, "or hvip says so");
}

/* What a guest gets. */
#define NO   FAULT_NONE
#define ILL  FAULT_ILLEGAL
#define VIRT FAULT_VIRTUAL

Test(csr, what_guests_may)
{
    static const struct {
        unsigned csr;
        enum fake_fault vs_read, vs_write, vu_read;
    } rows[] = {
        {CSR_sstatus, NO, NO, VIRT},      {CSR_sie, NO, NO, VIRT},
        {CSR_stvec, NO, NO, VIRT},        {CSR_sscratch, NO, NO, VIRT},
        {CSR_satp, NO, NO, VIRT},         {CSR_scounteren, NO, NO, VIRT},
        {CSR_senvcfg, NO, NO, VIRT},      {CSR_stimecmp, VIRT, VIRT, VIRT},
        {CSR_vsstatus, VIRT, VIRT, VIRT}, {CSR_vsatp, VIRT, VIRT, VIRT},
        {CSR_hstatus, VIRT, VIRT, VIRT},  {CSR_hgatp, VIRT, VIRT, VIRT},
        {CSR_hgeip, VIRT, ILL, VIRT},     {CSR_hip, VIRT, VIRT, VIRT},
        {CSR_cycle, VIRT, ILL, VIRT},     {CSR_time, VIRT, ILL, VIRT},
        {0xc1f, VIRT, ILL, VIRT},         {0x300, ILL, ILL, ILL},
        {0x7c0, ILL, ILL, ILL},           {0x1ff, ILL, ILL, ILL},
        {CSR_seed, ILL, ILL, ILL},        {CSR_fcsr, ILL, ILL, ILL},
        {CSR_vl, ILL, ILL, ILL},          {0xf11, ILL, ILL, ILL},
    };

    for_each_row (i, rows) {
        uint64_t old;

        cpu->user = false;
        cr_assert_eq(csr_guest_read(cpu, rows[i].csr, false, &old),
                     rows[i].vs_read, "read of 0x%03x", rows[i].csr);
        cr_assert_eq(csr_guest_read(cpu, rows[i].csr, true, &old),
                     rows[i].vs_write, "write to 0x%03x", rows[i].csr);
        cpu->user = true;
        cr_assert_eq(csr_guest_read(cpu, rows[i].csr, false, &old),
                     rows[i].vu_read, "user's read of 0x%03x", rows[i].csr);
    }
}

Test(csr, what_the_hypervisor_grants)
{
    uint64_t old = 0;

    csr_write(cpu, CSR_hcounteren, COUNTEREN_TM);
    cr_assert_eq(csr_guest_read(cpu, CSR_time, false, &old), NO);
    cr_assert_eq(csr_guest_read(cpu, CSR_cycle, false, &old), VIRT);
    cpu->user = true;
    cr_assert_eq(csr_guest_read(cpu, CSR_time, false, &old), VIRT);
    csr_write(cpu, CSR_scounteren, COUNTEREN_TM);
    cr_assert_eq(csr_guest_read(cpu, CSR_time, false, &old), NO);
    cpu->user = false;
    csr_write(cpu, CSR_henvcfg, HENVCFG_STCE);
    cr_assert_eq(csr_guest_read(cpu, CSR_stimecmp, true, &old), NO);
    csr_write(cpu, CSR_hstatus, HSTATUS_VTVM);
    cr_assert_eq(csr_guest_read(cpu, CSR_satp, false, &old), VIRT);
    csr_write(cpu, CSR_vsstatus, STATUS_FS);
    cr_assert_eq(csr_guest_read(cpu, CSR_fcsr, false, &old), ILL,
                 "the host has it off");
    csr_write(cpu, CSR_sstatus, STATUS_FS);
    cr_assert_eq(csr_guest_read(cpu, CSR_fcsr, false, &old), NO);
    csr_write(cpu, CSR_vsstatus, 0);
    cr_assert_eq(csr_guest_read(cpu, CSR_fcsr, false, &old), ILL,
                 "the guest has it off");
}

Test(csr, a_guests_satp_with_a_mode_that_does_not_exist)
{
    csr_guest_write(cpu, CSR_satp, 0x8000000000012345);
    csr_guest_write(cpu, CSR_satp, 0x3000000000054321);
    cr_assert_eq(csr_read(cpu, CSR_vsatp), 0x8000000000012345, "ignored");
    csr_write(cpu, CSR_vsatp, 0x3000000000054321);
    cr_assert_eq(csr_read(cpu, CSR_vsatp), 0x8000000000054321,
                 "from HS-mode, only the mode is");
}

Test(csr, registers_that_do_not_exist_are_violations)
{
    setup_profile("plain");
    cr_assert_eq(csr_read(cpu, CSR_vstimecmp), 0);
    csr_write(cpu, CSR_vl, 1);
    csr_write(cpu, 0x123, 1);
    cr_assert_eq(violations_of(RULE_UNIT_ABSENT), 3);
}

Test(csr, units_that_are_off_are_not_touched)
{
    struct riscv_fp_state fp = {.f = {[1] = 5}, .fcsr = 0x1e1};
    static struct riscv_vector_state vector;

    riscv_hw_load_fp(&fp);
    cr_assert_eq(riscv_hw_read_fpr(1), 0);
    riscv_hw_load_vector(&vector);
    cr_assert_eq(violations_of(RULE_UNIT_OFF), 3);
    riscv_hw_write_fs(EXT_INITIAL);
    riscv_hw_load_fp(&fp);
    cr_assert_eq(riscv_hw_read_fs(), EXT_DIRTY, "a write makes it dirty");
    cr_assert_eq(riscv_hw_read_fpr(1), 5);
    riscv_hw_write_fpr(2, 7);
    riscv_hw_save_fp(&fp);
    cr_assert_eq(fp.f[2], 7);
    cr_assert_eq(fp.fcsr, 0xe1);
    cr_assert_eq(violations_count(), 3);
}
