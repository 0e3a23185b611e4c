/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest on the fake riscv64 CPU without a hypervisor above it: what exits,
 * with which registers, and what does not.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/bits.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/sim.h"
#include "support/rows.h"

#define HEDELEG_USUAL                                                          \
    (BIT(CAUSE_BREAKPOINT) | BIT(CAUSE_ECALL_U) | BIT(CAUSE_LOAD_MISALIGNED) | \
     BIT(CAUSE_LOAD_PAGE_FAULT))
#define ENTRY 0x80001000

/* Gives a list of operations, and keeps the last result. */
struct list_source {
    struct trap_source source;
    const struct guest_op *ops;
    unsigned count, next, done;
    struct guest_result last;
};

static struct fake_riscv *cpu;
static struct riscv_regs regs;
static struct list_source list;
static hpa_t root;

static const struct guest_op *list_next(struct trap_source *source)
{
    return list.next < list.count ? &list.ops[list.next++] : NULL;
}

static void list_done(struct trap_source *source,
                      const struct guest_result *result)
{
    list.last = *result;
    list.done++;
}

static void load_profile(const char *name)
{
    fake_riscv_reset(riscv_profile_find(name), 1);
    cpu->hstatus = HSTATUS_SPV | HSTATUS_VTW;
    cpu->sstatus = STATUS_SPP;
    cpu->hideleg = HVIP_ALL;
    cpu->hedeleg = HEDELEG_USUAL;
    csr_write(cpu, CSR_hgatp, UINT64_C(8) << 60 | root.raw >> PAGE_SHIFT);
    cpu->vstvec = 0x9000;
    fake_riscv_set_source(0, &list.source);
}

static void setup(void)
{
    sim_reset(1);
    violations_set_print(false);
    cpu = fake_riscv_current();
    root = memory_alloc_contiguous(4, 16384);
    load_profile("virt");
    memset(&regs, 0, sizeof(regs));
    regs.pc = ENTRY;
    list =
        (struct list_source){.source = {.next = list_next, .done = list_done}};
}

TestSuite(run, .init = setup);

static void give(const struct guest_op *ops, unsigned count)
{
    list.ops = ops;
    list.count = count;
    list.next = 0;
    list.done = 0;
}

/* Has the guest do one operation, until it is done or exits. */
static void enter_with(const struct guest_op *op)
{
    give(op, 1);
    list.source.op = NULL;
    regs.pc = ENTRY;
    riscv_hw_run(&regs);
}

Test(run, operations_that_exit)
{
    static const struct {
        struct guest_op op;
        uint64_t scause, stval, htval, htinst;
    } rows[] = {
        {{.kind = OP_LOAD, .width = 4, .reg = 15, .address = 0x10000004},
         CAUSE_LOAD_GUEST_PAGE_FAULT,
         0x10000004,
         0x4000001,
         0x6783},
        {{.kind = OP_LOAD, .width = 1, .reg = 1, .flags = OP_SIGNED},
         CAUSE_LOAD_GUEST_PAGE_FAULT,
         0,
         0,
         0x0083},
        {{.kind = OP_LOAD, .width = 8, .reg = 10, .address = 8},
         CAUSE_LOAD_GUEST_PAGE_FAULT,
         8,
         2,
         0x3503},
        {{.kind = OP_STORE, .width = 2, .reg = 15, .address = 2},
         CAUSE_STORE_GUEST_PAGE_FAULT,
         2,
         0,
         0xf01023},
        {{.kind = OP_STORE,
          .width = 8,
          .reg = 15,
          .address = 16,
          .flags = OP_COMPRESSED},
         CAUSE_STORE_GUEST_PAGE_FAULT,
         16,
         4,
         0xf03021},
        {{.kind = OP_LOAD,
          .width = 4,
          .reg = 8,
          .address = 16,
          .flags = OP_COMPRESSED | OP_SIGNED},
         CAUSE_LOAD_GUEST_PAGE_FAULT,
         16,
         4,
         0x2401},
        {{.kind = OP_AMO, .width = 4, .reg = 15, .address = 16},
         CAUSE_STORE_GUEST_PAGE_FAULT,
         16,
         4,
         0x08f027af},
        {{.kind = OP_LR, .width = 8, .reg = 15, .address = 16},
         CAUSE_LOAD_GUEST_PAGE_FAULT,
         16,
         4,
         0x100037af},
        {{.kind = OP_FETCH, .address = 0x1000},
         CAUSE_INSN_GUEST_PAGE_FAULT,
         0x1000,
         0x400,
         0},
        {{.kind = OP_WFI}, CAUSE_VIRTUAL_INSN, 0x10500073, 0, 0},
        {{.kind = OP_CSR_READ, .reg = 15, .number = CSR_hstatus},
         CAUSE_VIRTUAL_INSN,
         0x600027f3,
         0,
         0},
        {{.kind = OP_CSR_WRITE, .reg = 15, .number = CSR_hgatp},
         CAUSE_VIRTUAL_INSN,
         0x680797f3,
         0,
         0},
        {{.kind = OP_HYPERVISOR}, CAUSE_VIRTUAL_INSN, 0x62000073, 0, 0},
        {{.kind = OP_INSN, .number = 0xdeadbeef},
         CAUSE_ILLEGAL_INSN,
         0xdeadbeef,
         0,
         0},
        {{.kind = OP_FP, .reg = 1}, CAUSE_ILLEGAL_INSN, 0xf20300d3, 0, 0},
        {{.kind = OP_RAW_EXIT, .args = {23, 1, 2, 3}}, 23, 1, 2, 3},
    };

    for_each_row (i, rows) {
        enter_with(&rows[i].op);
        cr_assert_eq(regs.scause, rows[i].scause, "row %zu: %llu", i,
                     (unsigned long long)regs.scause);
        cr_assert_eq(regs.stval, rows[i].stval, "row %zu: 0x%llx", i,
                     (unsigned long long)regs.stval);
        cr_assert_eq(regs.htval, rows[i].htval, "row %zu: 0x%llx", i,
                     (unsigned long long)regs.htval);
        cr_assert_eq(regs.htinst, rows[i].htinst, "row %zu: 0x%llx", i,
                     (unsigned long long)regs.htinst);
        cr_assert_eq(regs.pc, ENTRY, "row %zu", i);
        cr_assert_eq(list.done, 0, "row %zu", i);
    }
    cr_assert_eq(violations_count(), 0);
}

Test(run, a_processor_that_describes_nothing)
{
    static const struct guest_op load = {.kind = OP_LOAD,
                                         .width = 4,
                                         .reg = 9,
                                         .flags = OP_COMPRESSED | OP_SIGNED};
    static const struct guest_op hidden = {
        .kind = OP_LOAD, .width = 4, .flags = OP_NO_FETCH};
    static const struct guest_op wait = {.kind = OP_WFI};

    load_profile("plain");
    enter_with(&load);
    cr_assert_eq(regs.htinst, 0);
    cr_assert_eq(riscv_hw_fetch_insn(ENTRY), 0x4084, "c.lw s1, 0(s1)");
    enter_with(&wait);
    cr_assert_eq(regs.stval, 0);
    cr_assert_eq(riscv_hw_fetch_insn(ENTRY), 0x10500073);
    enter_with(&hidden);
    cr_assert_eq(riscv_hw_fetch_insn(ENTRY), RISCV_NO_INSN);
}

Test(run, an_ecall_exits_with_its_arguments)
{
    static const struct guest_op call = {
        .kind = OP_ECALL, .args = {10, 11, 12, 13, 14, 15, 16, 17}};

    regs.stval = 0x1234;
    enter_with(&call);
    cr_assert_eq(regs.scause, CAUSE_ECALL_VS);
    cr_assert_eq(regs.stval, 0x1234, "not written by this cause");
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(regs.gpr[REG_A0 + i], 10 + i);
    regs.gpr[REG_A0] = 5;
    regs.gpr[REG_A1] = 6;
    regs.pc += 4;
    riscv_hw_run(&regs);
    cr_assert_eq(list.done, 1);
    cr_assert_eq(list.last.outcome, OUTCOME_RETIRED);
    cr_assert_eq(list.last.value, 5);
    cr_assert_eq(list.last.value1, 6);
    cr_assert_eq(list.last.exits, 1);
}

Test(run, delegated_exceptions_stay_in_the_guest)
{
    static const struct guest_op ops[] = {
        {.kind = OP_EBREAK},
        {.kind = OP_LOAD, .width = 8, .reg = 15, .address = 0xfff},
    };

    give(ops, 2);
    csr_write(cpu, CSR_vsstatus, STATUS_SIE);
    riscv_hw_run(&regs);
    cr_assert_eq(list.done, 2);
    cr_assert_eq(list.last.outcome, OUTCOME_EXCEPTION);
    cr_assert_eq(list.last.cause, CAUSE_LOAD_MISALIGNED);
    cr_assert_eq(list.last.tval, 0xfff);
    cr_assert_eq(list.last.exits, 0);
    cr_assert_eq(regs.pc, 0x9000);
    cr_assert_eq(cpu->vsepc, 0x9000, "where the second one was");
    cr_assert_eq(cpu->vsstatus & (STATUS_SIE | STATUS_SPP), STATUS_SPP);
    cr_assert(list.source.starved);
}

Test(run, an_exit_tells_the_guests_privilege)
{
    static const struct guest_op ops[] = {
        {.kind = OP_USER_MODE},
        {.kind = OP_CSR_READ, .reg = 15, .number = CSR_sstatus},
    };

    give(ops, 2);
    riscv_hw_run(&regs);
    cr_assert_eq(regs.scause, CAUSE_VIRTUAL_INSN);
    cr_assert(!riscv_hw_read_spp());
    cr_assert_eq(cpu->hstatus & (HSTATUS_SPV | HSTATUS_SPVP), HSTATUS_SPV);
}

Test(run, an_operation_is_tried_again_until_it_gets_on)
{
    static const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .reg = 15, .address = 0x10000000};

    enter_with(&load);
    riscv_hw_run(&regs);
    riscv_hw_run(&regs);
    cr_assert_eq(list.done, 0);
    cr_assert_eq(regs.scause, CAUSE_LOAD_GUEST_PAGE_FAULT);
    regs.gpr[15] = 77;
    regs.pc += 4;
    riscv_hw_run(&regs);
    cr_assert_eq(list.last.outcome, OUTCOME_RETIRED);
    cr_assert_eq(list.last.value, 77);
    cr_assert_eq(list.last.exits, 3);
}

Test(run, an_injected_exception_is_an_operations_end)
{
    static const struct guest_op load = {
        .kind = OP_LOAD, .width = 4, .reg = 15, .address = 0x10000000};

    enter_with(&load);
    riscv_hw_write_vsepc(regs.pc);
    riscv_hw_write_vscause(CAUSE_LOAD_ACCESS);
    riscv_hw_write_vstval(0x10000000);
    regs.pc = riscv_hw_read_vstvec();
    riscv_hw_run(&regs);
    cr_assert_eq(list.last.outcome, OUTCOME_EXCEPTION);
    cr_assert_eq(list.last.cause, CAUSE_LOAD_ACCESS);
    cr_assert_eq(list.last.tval, 0x10000000);
    enter_with(&load);
    regs.pc = 0x4000;
    riscv_hw_run(&regs);
    cr_assert_eq(list.last.outcome, OUTCOME_REDIRECTED);
}

Test(run, interrupts_and_where_they_go)
{
    static const struct {
        uint64_t hvip, hie, hideleg, vsstatus;
        bool kick;
        uint64_t scause; /* of an exit; 0: there was none */
        uint64_t vscause;
    } rows[] = {
        {0, 0, 0x444, 0, true, CAUSE_INTERRUPT | IRQ_S_SOFT, 0},
        {0x4, 0x4, 0x444, STATUS_SIE, true, CAUSE_INTERRUPT | IRQ_S_SOFT, 0},
        {0x4, 0x4, 0x444, STATUS_SIE, false, 0, CAUSE_INTERRUPT | 1},
        {0x4, 0x4, 0x444, 0, false, 0, 0},
        {0x4, 0, 0x444, STATUS_SIE, false, 0, 0},
        {0x4, 0x4, 0x440, 0, false, CAUSE_INTERRUPT | 2, 0},
        {0x444, 0x444, 0x444, STATUS_SIE, false, 0, CAUSE_INTERRUPT | 9},
        {0x044, 0x444, 0x444, STATUS_SIE, false, 0, CAUSE_INTERRUPT | 1},
        {0x040, 0x444, 0x444, STATUS_SIE, false, 0, CAUSE_INTERRUPT | 5},
    };
    static const struct guest_op nothing = {.kind = OP_FENCE_I};

    for_each_row (i, rows) {
        cpu->hvip = rows[i].hvip;
        cpu->hie = rows[i].hie;
        cpu->hideleg = rows[i].hideleg;
        cpu->vsstatus = rows[i].vsstatus;
        cpu->vscause = 0;
        cpu->sstatus = STATUS_SPP;
        if (rows[i].kick)
            host_kick_cpu(0);
        enter_with(&nothing);
        (void)cpus_take_kick(0);
        if (rows[i].scause != 0) {
            cr_assert_eq(regs.scause, rows[i].scause, "row %zu", i);
            cr_assert_eq(list.done, 0, "row %zu", i);
        } else {
            cr_assert_eq(list.done, 1, "row %zu", i);
            cr_assert_eq(cpu->vscause, rows[i].vscause, "row %zu", i);
        }
    }
}

Test(run, a_vectored_handler)
{
    static const struct guest_op nothing = {.kind = OP_FENCE_I};

    csr_write(cpu, CSR_vstvec, 0x9001);
    cpu->hvip = cpu->hie = HVIP_VSEIP;
    cpu->vsstatus = STATUS_SIE;
    enter_with(&nothing);
    cr_assert_eq(cpu->vsepc, ENTRY);
    cr_assert_eq(regs.pc, 0x9000 + 4 * 9 + 4, "and the operation after it");
}

Test(run, wfi_that_does_not_trap_sleeps)
{
    static const struct guest_op wait = {.kind = OP_WFI};

    cpu->hstatus = HSTATUS_SPV;
    cpu->henvcfg = HENVCFG_STCE;
    cpu->vstimecmp = 5000;
    enter_with(&wait);
    cr_assert_eq(list.done, 1);
    cr_assert_geq(clock_ticks(), 5000);
    cpu->hstatus = HSTATUS_SPV | HSTATUS_VTW;
    cpu->hie = HVIP_VSTIP;
    enter_with(&wait);
    cr_assert_eq(list.done, 1, "something is pending: it does not wait");
}

/* The entry rules: what breaks each, and what repairs it. */
static void break_spv(void)
{
    cpu->hstatus = 0;
}

static void break_mode(void)
{
    cpu->hgatp = 0;
}

static void break_root(void)
{
    cpu->hgatp = UINT64_C(8) << 60 | (root.raw + 0x4000) >> PAGE_SHIFT;
}

static void break_zero(void)
{
    regs.gpr[REG_ZERO] = 1;
}

static void break_pc(void)
{
    regs.pc = ENTRY + 1;
}

Test(run, entry_rules)
{
    static const struct {
        void (*violate)(void);
        enum violation_rule rule;
        bool can_repair;
    } rows[] = {
        {break_spv, RULE_ENTRY_SPV, true},
        {break_mode, RULE_ENTRY_HGATP_BARE, false},
        {break_root, RULE_ENTRY_HGATP_ROOT, false},
        {break_zero, RULE_ENTRY_ZERO, true},
        {break_pc, RULE_ENTRY_PC, true},
    };
    static const struct guest_op nothing = {.kind = OP_FENCE_I};

    for_each_row (i, rows) {
        for (unsigned mode = RULES_REJECT; mode <= RULES_LABEL; mode++) {
            bool repaired = mode == RULES_REPAIR && rows[i].can_repair;
            bool enters = repaired || mode == RULES_LABEL;

            load_profile("virt");
            memset(&regs, 0, sizeof(regs));
            regs.pc = ENTRY;
            give(&nothing, 1);
            list.source.op = NULL;
            violations_reset();
            rows[i].violate();
            fake_riscv_set_rule_mode((enum rule_mode)mode);
            riscv_hw_run(&regs);
            cr_assert_eq(list.done, enters, "row %zu mode %u", i, mode);
            cr_assert_eq(violations_of(rows[i].rule), !repaired,
                         "row %zu mode %u", i, mode);
            if (!enters)
                cr_assert_eq(regs.scause, CAUSE_INSN_ACCESS);
        }
    }
    fake_riscv_set_rule_mode(RULES_REJECT);
}

Test(run, floating_point_makes_both_states_dirty)
{
    static const struct guest_op ops[] = {
        {.kind = OP_FP, .reg = 3, .value = 9},
        {.kind = OP_FP_READ, .reg = 3},
    };

    csr_write(cpu, CSR_vsstatus, FIELD_PUT(STATUS_FS, EXT_INITIAL));
    riscv_hw_write_fs(EXT_CLEAN);
    give(ops, 1);
    riscv_hw_run(&regs);
    cr_assert_eq(riscv_hw_read_fs(), EXT_DIRTY);
    cr_assert_eq(FIELD_GET(STATUS_FS, csr_read(cpu, CSR_vsstatus)), EXT_DIRTY);
    riscv_hw_write_fs(EXT_CLEAN);
    give(ops + 1, 1);
    riscv_hw_run(&regs);
    cr_assert_eq(list.last.value, 9);
    cr_assert_eq(riscv_hw_read_fs(), EXT_CLEAN, "reading changes nothing");
}
