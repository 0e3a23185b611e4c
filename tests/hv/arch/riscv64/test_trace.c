/* SPDX-License-Identifier: Apache-2.0 */
/* Which registers an exit brings into a trace. */
#include "arch/riscv64/trace.h"
#include "rig.h"
#include "support/rows.h"

static const struct trace_field *find(const char *name, unsigned *number)
{
    for (unsigned i = 0; i < riscv_trace_arch.field_count; i++) {
        *number = i;
        if (strcmp(riscv_trace_arch.fields[i].name, name) == 0)
            return &riscv_trace_arch.fields[i];
    }
    return NULL;
}

static uint64_t bit_of(const char *name)
{
    unsigned number = 0;

    cr_assert_not_null(find(name, &number), "%s", name);
    return BIT(number);
}

Test(trace, fields_are_the_registers)
{
    static const struct {
        const char *name;
        unsigned index; /* in struct riscv_regs, in words */
    } rows[] = {
        {"ra", 1},     {"sp", 2},     {"a0", 10},     {"a7", 17},
        {"s2", 18},    {"t6", 31},    {"pc", 32},     {"scause", 33},
        {"stval", 34}, {"htval", 35}, {"htinst", 36},
    };

    for_each_row (i, rows) {
        unsigned number = 0;
        const struct trace_field *field = find(rows[i].name, &number);

        cr_assert_not_null(field, "%s", rows[i].name);
        cr_expect_eq(field->offset,
                     offsetof(struct riscv_vcpu, regs) + 8 * rows[i].index);
    }
    cr_expect_eq(bit_of("pc"), BIT(TRACE_FIELD_PC));
    cr_expect_eq(bit_of("scause"), BIT(TRACE_FIELD_CAUSE));
    cr_expect_eq(riscv_trace_arch.field_count, 36);
}

Test(trace, what_an_exit_brings)
{
    static const char *const faults[] = {"stval", "htval", "htinst"};
    static const struct {
        uint64_t scause, stval, htinst;
        const char *first, *last; /* registers besides */
        bool fault;
    } rows[] = {
        {CAUSE_ECALL_VS, 0, 0, "a0", "a7", false},
        {CAUSE_ECALL_U, 0, 0, NULL, NULL, false},
        {CAUSE_INTERRUPT | IRQ_S_TIMER, 0, 0, NULL, NULL, false},
        {CAUSE_ILLEGAL_INSN, 0, 0, NULL, NULL, true},
        {CAUSE_LOAD_GUEST_PAGE_FAULT, 0, 0, NULL, NULL, true},
        {CAUSE_LOAD_GUEST_PAGE_FAULT, 0, 0x2503, NULL, NULL, true},
        {CAUSE_INSN_GUEST_PAGE_FAULT, 0, 0, NULL, NULL, true},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0, 0, "ra", "t6", true},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0, 0x00c02023, "a2", "a2", true},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0, 0x00002023, NULL, NULL, true},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0, 0x00c02027, NULL, NULL, true},
        {CAUSE_STORE_GUEST_PAGE_FAULT, 0, 0x3020, NULL, NULL, true},
        {CAUSE_VIRTUAL_INSN, 0xc0369573, 0, "a3", "a3", true},
        {CAUSE_VIRTUAL_INSN, 0x10500073, 0, NULL, NULL, true},
        {CAUSE_VIRTUAL_INSN, 0, 0, "ra", "t6", true},
        {UINT64_MAX, 0, 0, NULL, NULL, false},
        {31, 0, 0, NULL, NULL, false},
    };

    rig_start("virt");
    struct riscv_vcpu *v = rig_vcpu(0);
    for_each_row (i, rows) {
        uint64_t expected = bit_of("pc") | bit_of("scause");

        if (rows[i].first != NULL)
            expected |= BIT_MASK(bit_highest(bit_of(rows[i].last)),
                                 bit_highest(bit_of(rows[i].first)));
        for (size_t f = 0; rows[i].fault && f < ARRAY_SIZE(faults); f++)
            expected |= bit_of(faults[f]);
        v->regs.scause = rows[i].scause;
        v->regs.stval = rows[i].stval;
        v->regs.htinst = rows[i].htinst;
        cr_expect_eq(riscv_trace_arch.exit_fields(&v->base), expected,
                     "row %zu", i);
    }
    rig_stop();
}
