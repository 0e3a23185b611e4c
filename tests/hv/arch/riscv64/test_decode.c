/* SPDX-License-Identifier: Apache-2.0 */
/* From exit registers to exits: every cause, and what is in none. */
#include "rig.h"
#include "support/rows.h"

Test(decode, every_exception_has_its_kind)
{
    static const struct {
        uint64_t scause;
        enum exit_kind kind;
    } rows[] = {
        {CAUSE_INSN_MISALIGNED, EXIT_EXCEPTION},
        {CAUSE_INSN_ACCESS, EXIT_EXCEPTION},
        {CAUSE_BREAKPOINT, EXIT_EXCEPTION},
        {CAUSE_LOAD_MISALIGNED, EXIT_EXCEPTION},
        {CAUSE_LOAD_ACCESS, EXIT_EXCEPTION},
        {CAUSE_STORE_MISALIGNED, EXIT_EXCEPTION},
        {CAUSE_STORE_ACCESS, EXIT_EXCEPTION},
        {CAUSE_INSN_PAGE_FAULT, EXIT_EXCEPTION},
        {CAUSE_LOAD_PAGE_FAULT, EXIT_EXCEPTION},
        {CAUSE_STORE_PAGE_FAULT, EXIT_EXCEPTION},
        {CAUSE_ECALL_HS, EXIT_UNKNOWN},
        {CAUSE_ECALL_M, EXIT_UNKNOWN},
        {14, EXIT_UNKNOWN},
        {16, EXIT_UNKNOWN},
        {17, EXIT_UNKNOWN},
        {18, EXIT_UNKNOWN},
        {19, EXIT_UNKNOWN},
        {CAUSE_COUNT, EXIT_UNKNOWN},
        {63, EXIT_UNKNOWN},
        {64, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT - 1, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | IRQ_S_SOFT, EXIT_EXTERNAL_INTERRUPT},
        {CAUSE_INTERRUPT | IRQ_S_TIMER, EXIT_EXTERNAL_INTERRUPT},
        {CAUSE_INTERRUPT | IRQ_S_EXT, EXIT_EXTERNAL_INTERRUPT},
        /* Delegated: they cannot come. */
        {CAUSE_INTERRUPT | IRQ_VS_SOFT, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | IRQ_VS_TIMER, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | IRQ_VS_EXT, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | IRQ_S_GUEST_EXT, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | 63, EXIT_UNKNOWN},
        {CAUSE_INTERRUPT | 64, EXIT_UNKNOWN},
        {UINT64_MAX, EXIT_UNKNOWN},
    };

    rig_start("virt");
    for_each_row (i, rows) {
        struct riscv_vcpu *v = rig_vcpu(0);
        struct vm_exit exit = rig_decode(v, rows[i].scause, 0x1234, 0x5678, 0);

        cr_expect_eq(exit.kind, rows[i].kind, "scause 0x%llx: %s",
                     (unsigned long long)rows[i].scause,
                     exit_kind_name(exit.kind));
        cr_expect_eq(exit.insn_len, 0);
        if (exit.kind == EXIT_UNKNOWN)
            cr_expect_eq(exit.unknown.reason, rows[i].scause);
        if (exit.kind == EXIT_EXTERNAL_INTERRUPT)
            cr_expect_eq(exit.interrupt.vector,
                         rows[i].scause & ~CAUSE_INTERRUPT);
        if (exit.kind == EXIT_EXCEPTION) {
            cr_expect_eq(exit.exception.number, rows[i].scause);
            cr_expect_eq(exit.exception.value, 0x1234);
        }
    }
    rig_stop();
}

/* stval is stale after an exit that does not write it. */
Test(decode, a_call_from_user_mode_has_no_value)
{
    rig_start("virt");
    struct vm_exit exit = rig_decode(rig_vcpu(0), CAUSE_ECALL_U, 0x1234, 0, 0);

    cr_expect_eq(exit.kind, EXIT_EXCEPTION);
    cr_expect_eq(exit.exception.number, CAUSE_ECALL_U);
    cr_expect_eq(exit.exception.value, 0);
    rig_stop();
}

Test(decode, a_guest_page_fault_says_where_and_what)
{
    static const struct {
        uint64_t scause, stval, htval, htinst;
        uint64_t gpa;
        enum access access;
    } rows[] = {
        {CAUSE_LOAD_GUEST_PAGE_FAULT, 0x40001003, 0x10000400, 0x2003,
         0x40001003, ACCESS_READ},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0xfff, 0x3ff, 0, 0xfff, ACCESS_WRITE},
        {CAUSE_INSN_GUEST_PAGE_FAULT, 0x40001002, 0x10000400, 0, 0x40001002,
         ACCESS_EXECUTE},
        /* htval is the address of the page-table entry, not stval's. */
        {CAUSE_LOAD_GUEST_PAGE_FAULT, 0x40001003, 0x20000002, 0x3000,
         0x80000008, ACCESS_READ},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0x40001003, 0x20000002, 0x3000,
         0x80000008, ACCESS_READ},
        {CAUSE_INSN_GUEST_PAGE_FAULT, 0x40001003, 0x20000002, 0x3020,
         0x80000008, ACCESS_WRITE},
        /* The widest guest-physical address there is. */
        {CAUSE_LOAD_GUEST_PAGE_FAULT, 0x7, UINT64_C(0x1ffffffffffffff), 0x2003,
         UINT64_C(0x7ffffffffffffff), ACCESS_READ},
    };

    rig_start("virt");
    for_each_row (i, rows) {
        struct vm_exit exit =
            rig_decode(rig_vcpu(0), rows[i].scause, rows[i].stval,
                       rows[i].htval, rows[i].htinst);

        cr_expect_eq(exit.kind, EXIT_NESTED_PAGE_FAULT, "row %zu", i);
        cr_expect_eq(exit.insn_len, 0);
        cr_expect_eq(exit.fault.gpa.raw, rows[i].gpa, "row %zu", i);
        cr_expect_eq(exit.fault.gva.raw, rows[i].stval);
        cr_expect_eq(exit.fault.access, rows[i].access, "row %zu", i);
    }
    rig_stop();
}

#define WFI    0x10500073
#define SRET   0x10200073
#define HFENCE 0x62000073 /* hfence.gvma */
#define SFENCE 0x12000073
#define HLV_W  0x6800c0f3 /* hlv.w ra, (ra) */

#define CSR_INSN(op, rd, csr, rs1) \
    (UINT32_C(csr) << 20 | (rs1) << 15 | (op) << 12 | (rd) << 7 | 0x73u)
#define CSRRW(rd, csr, rs1)  CSR_INSN(1, rd, csr, rs1)
#define CSRRS(rd, csr, rs1)  CSR_INSN(2, rd, csr, rs1)
#define CSRRC(rd, csr, rs1)  CSR_INSN(3, rd, csr, rs1)
#define CSRRWI(rd, csr, imm) CSR_INSN(5, rd, csr, imm)
#define CSRRSI(rd, csr, imm) CSR_INSN(6, rd, csr, imm)
#define CSRRCI(rd, csr, imm) CSR_INSN(7, rd, csr, imm)

Test(decode, a_virtual_instruction_is_a_wait_a_csr_or_illegal)
{
    static const struct {
        uint32_t insn;
        bool user;
        enum exit_kind kind;
    } rows[] = {
        {WFI, false, EXIT_IDLE},
        {WFI, true, EXIT_EXCEPTION},
        {SRET, false, EXIT_EXCEPTION},
        {SRET, true, EXIT_EXCEPTION},
        {SFENCE, true, EXIT_EXCEPTION},
        {HFENCE, false, EXIT_EXCEPTION},
        {HLV_W, false, EXIT_EXCEPTION},
        {0x0000100f, false, EXIT_EXCEPTION}, /* fence.i, for the unlikely */
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for_each_row (i, rows) {
        riscv_hw_write_spp_impl(!rows[i].user);
        struct vm_exit exit =
            rig_decode(v, CAUSE_VIRTUAL_INSN, rows[i].insn, 0, 0);

        cr_expect_eq(exit.kind, rows[i].kind, "0x%x: %s", rows[i].insn,
                     exit_kind_name(exit.kind));
        if (exit.kind == EXIT_IDLE) {
            cr_expect_eq(exit.insn_len, 4);
        } else {
            cr_expect_eq(exit.exception.number, CAUSE_ILLEGAL_INSN);
            cr_expect_eq(exit.exception.value, rows[i].insn);
        }
    }
    rig_stop();
}

Test(decode, a_csr_access_says_which_and_what)
{
    static const struct {
        uint32_t insn;
        enum exit_kind kind;
        uint32_t csr;
        uint8_t reg;
        uint64_t value;
    } rows[] = {
        {CSRRW(5, 0xc03, 6), EXIT_SYSREG_WRITE, 0xc03, 5, 600},
        {CSRRW(0, 0x600, 0), EXIT_SYSREG_WRITE, 0x600, 0, 0},
        {CSRRS(5, 0xc03, 0), EXIT_SYSREG_READ, 0xc03, 5, 0},
        {CSRRS(31, 0xc1f, 7), EXIT_SYSREG_WRITE, 0xc1f, 31, 700},
        {CSRRC(5, 0xc03, 0), EXIT_SYSREG_READ, 0xc03, 5, 0},
        {CSRRC(5, 0xc03, 31), EXIT_SYSREG_WRITE, 0xc03, 5, 3100},
        {CSRRWI(5, 0xfff, 31), EXIT_SYSREG_WRITE, 0xfff, 5, 31},
        {CSRRSI(5, 0x015, 0), EXIT_SYSREG_READ, 0x015, 5, 0},
        {CSRRSI(5, 0x015, 1), EXIT_SYSREG_WRITE, 0x015, 5, 1},
        {CSRRCI(5, 0x015, 2), EXIT_SYSREG_WRITE, 0x015, 5, 2},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_bind(0, 0);
    for (unsigned reg = 1; reg < REG_COUNT; reg++)
        v->regs.gpr[reg] = 100 * reg;
    for_each_row (i, rows) {
        struct vm_exit exit =
            rig_decode(v, CAUSE_VIRTUAL_INSN, rows[i].insn, 0, 0);

        cr_expect_eq(exit.kind, rows[i].kind, "row %zu", i);
        cr_expect_eq(exit.insn_len, 4);
        cr_expect_eq(exit.sysreg.addr, rows[i].csr, "row %zu", i);
        cr_expect_eq(exit.sysreg.reg, rows[i].reg, "row %zu", i);
        cr_expect_eq(exit.sysreg.value, rows[i].value, "row %zu", i);
    }
    rig_stop();
}

/* A processor may leave stval 0: then guest memory is asked. */
Test(decode, an_instruction_without_stval_is_fetched)
{
    static const uint32_t wfi = WFI;

    rig_start("plain");
    struct riscv_vcpu *v = rig_bind(0, 0);
    /* The instruction lies across a page's end. */
    v->regs.pc = RIG_MEMORY + PAGE_SIZE - 2;
    cr_assert_eq(aspace_write(&rig.memory, gpa(v->regs.pc), &wfi, sizeof(wfi)),
                 OK);
    cr_expect_eq(rig_decode(v, CAUSE_VIRTUAL_INSN, 0, 0, 0).kind, EXIT_IDLE);
    /* Nothing is there: the guest tries again, and faults. */
    v->regs.pc = RIG_MEMORY + RIG_SIZE;
    cr_expect_eq(rig_decode(v, CAUSE_VIRTUAL_INSN, 0, 0, 0).kind, EXIT_NOTHING);
    rig_stop();
}
