/* SPDX-License-Identifier: Apache-2.0 */
/* Control registers on the fake VMX CPU: masks, shadows, fixed bits, targets.
 */
#include "rig.h"

TestSuite(registers, .init = rig_setup);

static void load(void)
{
    rig_setup();
    rig_idt();
}

/* Masks and shadows: what exits, what the guest reads, what it changes. */
Test(registers, of_masked_bits)
{
    static const struct {
        struct guest_op op;
        uint64_t mask, shadow;
        bool exits;
        uint64_t qualification;
        uint64_t cr0; /* bits of PE to TS afterwards, if it does not exit */
    } moves[] = {
        {{.kind = OP_X86_WRITE_CR, .value = 0x31}, 0, 0, false, 0, 1},
        {{.kind = OP_X86_WRITE_CR, .value = 0x39}, 0, 0, false, 0, 9},
        {{.kind = OP_X86_WRITE_CR, .value = 0x39}, 8, 0, true, 0, 0},
        {{.kind = OP_X86_WRITE_CR, .value = 0x39}, 8, 8, false, 0, 1},
        {{.kind = OP_X86_WRITE_CR, .value = 0x31, .reg = 6},
         8,
         8,
         true,
         0x600,
         0},
        {{.kind = OP_X86_CLTS}, 0, 0, false, 0, 1},
        {{.kind = OP_X86_CLTS}, 8, 8, true, 0x20, 0},
        {{.kind = OP_X86_CLTS}, 8, 0, false, 0, 1},
        {{.kind = OP_X86_LMSW, .value = 0xf}, 0, 0, false, 0, 0xf},
        {{.kind = OP_X86_LMSW, .value = 0xf}, 4, 0, true, 0xf0030, 0},
        {{.kind = OP_X86_LMSW, .value = 0xf}, 4, 4, false, 0, 0xb},
        /* PE cannot be cleared, and so does not exit. */
        {{.kind = OP_X86_LMSW, .value = 0}, 1, 1, false, 0, 1},
        {{.kind = OP_X86_LMSW, .value = 1}, 1, 0, true, 0x10030, 0},
        {{.kind = OP_X86_LMSW, .value = 1}, 1, 1, false, 0, 1},
    };

    for_each_row (i, moves) {
        load();
        FIELD(CR0_GUEST_HOST_MASK) = moves[i].mask;
        FIELD(CR0_READ_SHADOW) = moves[i].shadow;
        rig_one(&moves[i].op);
        cr_assert_eq(rig.done, moves[i].exits ? 0 : 1, "row %zu", i);
        if (moves[i].exits) {
            cr_assert_eq(rig_reason(), VMX_REASON_CR_ACCESS, "row %zu", i);
            cr_assert_eq(FIELD(EXIT_QUALIFICATION), moves[i].qualification,
                         "row %zu: 0x%llx", i,
                         (unsigned long long)FIELD(EXIT_QUALIFICATION));
        } else {
            cr_assert_eq(FIELD(GUEST_CR0) & 0xf, moves[i].cr0,
                         "row %zu: 0x%llx", i,
                         (unsigned long long)FIELD(GUEST_CR0));
        }
    }
}

Test(registers, shadows_are_read)
{
    static const struct {
        struct guest_op op;
        uint64_t value;
    } reads[] = {
        {{.kind = OP_X86_READ_CR, .number = 0}, 0x8},
        {{.kind = OP_X86_SMSW}, 0x8},
        {{.kind = OP_X86_READ_CR, .number = 4}, 0x200},
    };

    for_each_row (i, reads) {
        load();
        FIELD(CR0_GUEST_HOST_MASK) = FIELD(CR4_GUEST_HOST_MASK) = UINT64_MAX;
        FIELD(CR0_READ_SHADOW) = 0x8;
        FIELD(CR4_READ_SHADOW) = 0x200;
        rig_one(&reads[i].op);
        cr_assert_eq(rig.last.value, reads[i].value, "row %zu: 0x%llx", i,
                     (unsigned long long)rig.last.value);
    }
}

/* Bits that are fixed in VMX operation raise #GP. */
Test(registers, fixed_bits)
{
    static const struct {
        struct guest_op op;
        bool takes;
    } moves[] = {
        {{.kind = OP_X86_WRITE_CR, .number = 0, .value = 0x31}, true},
        {{.kind = OP_X86_WRITE_CR, .number = 0, .value = 0x11}, false}, /* NE */
        {{.kind = OP_X86_WRITE_CR, .number = 0, .value = 0x30}, true},  /* PE */
        {{.kind = OP_X86_WRITE_CR, .number = 4, .value = 0x2020}, true},
        {{.kind = OP_X86_WRITE_CR, .number = 4, .value = 0x20}, false},
    };

    for_each_row (i, moves) {
        load();
        rig_one(&moves[i].op);
        cr_assert_eq(rig.last.outcome,
                     moves[i].takes ? OUTCOME_RETIRED : OUTCOME_EXCEPTION,
                     "row %zu", i);
    }
}

Test(registers, cr3_targets)
{
    static const struct guest_op op = {
        .kind = OP_X86_WRITE_CR, .number = 3, .value = 0x7000};
    static const struct {
        uint64_t count, value;
        bool exits;
    } targets[] = {{0, 0x7000, true}, {1, 0x7000, false}, {1, 0x8000, true}};

    for_each_row (i, targets) {
        load();
        FIELD(PRIMARY_CONTROLS) |= VMX_CPU_CR3_LOAD_EXITING;
        FIELD(CR3_TARGET_COUNT) = targets[i].count;
        FIELD(CR3_TARGET_VALUE0) = targets[i].value;
        rig_one(&op);
        cr_assert_eq(rig.done, targets[i].exits ? 0 : 1, "row %zu", i);
    }
}
