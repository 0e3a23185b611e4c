/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold when the hypervisor enters a guest. The architecture has no
 * failing entry, as VT-x and SVM have: an SRET with this state would go wrong
 * in its own way, which is worse. Each rule is a row: when it is broken, and
 * what the nearest legal state is.
 */
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/ram.h"

#define ROOT_SIZE (4 * PAGE_SIZE)

static enum rule_mode rule_mode;

struct entry_rule {
    enum violation_rule rule;
    bool (*holds)(const struct fake_riscv *cpu);
    void (*repair)(struct fake_riscv *cpu); /* NULL: nothing can */
};

static bool spv_holds(const struct fake_riscv *cpu)
{
    return (cpu->hstatus & HSTATUS_SPV) != 0;
}

static void spv_repair(struct fake_riscv *cpu)
{
    cpu->hstatus |= HSTATUS_SPV;
}

static bool mode_holds(const struct fake_riscv *cpu)
{
    return FIELD_GET(HGATP_MODE, cpu->hgatp) != HGATP_BARE;
}

static bool root_holds(const struct fake_riscv *cpu)
{
    uint64_t root = FIELD_GET(HGATP_PPN, cpu->hgatp) << PAGE_SHIFT;

    return !mode_holds(cpu) || ram_is_allocated(hpa(root), ROOT_SIZE);
}

static bool zero_holds(const struct fake_riscv *cpu)
{
    return cpu->regs->gpr[REG_ZERO] == 0;
}

static void zero_repair(struct fake_riscv *cpu)
{
    cpu->regs->gpr[REG_ZERO] = 0;
}

/* sepc's bit 0 is always 0: hardware drops it, and the pc is another one than
 * the hypervisor believes. */
static bool pc_holds(const struct fake_riscv *cpu)
{
    return (cpu->regs->pc & 1) == 0;
}

static void pc_repair(struct fake_riscv *cpu)
{
    cpu->regs->pc &= ~UINT64_C(1);
}

static const struct entry_rule entry_rules[] = {
    {RULE_ENTRY_SPV, spv_holds, spv_repair},
    {RULE_ENTRY_HGATP_BARE, mode_holds, NULL},
    {RULE_ENTRY_HGATP_ROOT, root_holds, NULL},
    {RULE_ENTRY_ZERO, zero_holds, zero_repair},
    {RULE_ENTRY_PC, pc_holds, pc_repair},
};

void fake_riscv_set_rule_mode(enum rule_mode mode)
{
    rule_mode = mode;
}

/* A rule is broken: whether the entry goes on. */
static bool rule_broken(struct fake_riscv *cpu, const struct entry_rule *rule)
{
    if (rule_mode == RULES_REPAIR && rule->repair != NULL) {
        rule->repair(cpu);
        return true;
    }
    violation(rule->rule, "pc 0x%llx, hgatp 0x%llx, hstatus 0x%llx on CPU %u",
              (unsigned long long)cpu->regs->pc, (unsigned long long)cpu->hgatp,
              (unsigned long long)cpu->hstatus, cpu->index);
    return rule_mode == RULES_LABEL;
}

bool entry_check(struct fake_riscv *cpu)
{
    for (unsigned i = 0; i < ARRAY_SIZE(entry_rules); i++) {
        if (unlikely(!entry_rules[i].holds(cpu)) &&
            !rule_broken(cpu, &entry_rules[i]))
            return false;
    }
    return true;
}
