/* SPDX-License-Identifier: Apache-2.0 */
/* A local APIC's timer: SDM volume 3A, section 11.5.4. It counts at 1 GHz. */
#include "pc.h"

#include "sim/clock.h"

#define VECTOR   0x40
#define ONE_SHOT 0
#define PERIODIC 0x20000
#define DEADLINE 0x40000
#define RESERVED 0x60000
#define MASKED   0x10000

/* Takes the interrupt, if there is one. */
static bool interrupted(struct pc *pc)
{
    if ((lapic_attention(pc_apic(pc, 0)) & LAPIC_INTERRUPT) == 0)
        return false;
    cr_assert_eq(lapic_acknowledge(pc_apic(pc, 0)), VECTOR);
    pc_put(pc, 0, APIC_EOI, 0);
    return true;
}

Test(lapic_timer, divisors)
{
    static const unsigned divisors[16] = {
        [0x0] = 2,  [0x1] = 4,  [0x2] = 8,   [0x3] = 16,
        [0x8] = 32, [0x9] = 64, [0xa] = 128, [0xb] = 1,
    };
    struct pc pc;

    for (uint32_t divide = 0; divide < 16; divide++) {
        uint64_t divisor = divisors[divide];

        if (divisor == 0)
            continue;
        pc_make(&pc, 1, NULL);
        pc_put(&pc, 0, APIC_DIVIDE, divide);
        pc_put(&pc, 0, APIC_TIMER, VECTOR);
        pc_put(&pc, 0, APIC_INITIAL, 1000);
        cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 1000);
        pc_run(400 * divisor);
        cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 600);
        pc_run(600 * divisor - 1);
        cr_expect_not(interrupted(&pc));
        pc_run(1);
        cr_expect(interrupted(&pc));
        cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 0);
        cr_expect_eq(pc_get(&pc, 0, APIC_INITIAL), 1000);
        pc_run(5000 * divisor);
        cr_expect_not(interrupted(&pc));
        pc_end(&pc);
    }
}

Test(lapic_timer, periodic)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_DIVIDE, 0xb);
    pc_put(&pc, 0, APIC_TIMER, VECTOR | PERIODIC);
    pc_put(&pc, 0, APIC_INITIAL, 1000000);
    for (unsigned i = 0; i < 5; i++) {
        pc_run(999999);
        cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 1);
        cr_expect_not(interrupted(&pc));
        pc_run(1);
        cr_expect(interrupted(&pc));
        cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 1000000);
    }
    /* The host is late: missed periods are one, and the phase is kept. */
    clock_set_nanos(clock_nanos() + 3700000);
    cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 300000);
    pc_run(0);
    cr_expect(interrupted(&pc));
    pc_run(299999);
    cr_expect_not(interrupted(&pc));
    pc_run(1);
    cr_expect(interrupted(&pc));
    /* A count of 0 stops it. */
    pc_put(&pc, 0, APIC_INITIAL, 0);
    pc_run(10000000);
    cr_expect_not(interrupted(&pc));
    cr_expect_eq(clock_timer_count(), 0);
    pc_end(&pc);
}

/* A period that no guest can follow does not keep the host busy. */
Test(lapic_timer, fast_period_is_bounded)
{
    unsigned count = 0;
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_DIVIDE, 0xb);
    pc_put(&pc, 0, APIC_TIMER, VECTOR | PERIODIC);
    pc_put(&pc, 0, APIC_INITIAL, 1);
    for (unsigned i = 0; i < 1000; i++) {
        pc_run(10000);
        count += interrupted(&pc);
    }
    cr_expect(count >= 90 && count <= 101, "%u in 10 ms", count);
    pc_end(&pc);
}

/* A masked timer counts, and says nothing; and goes on when unmasked. */
Test(lapic_timer, masked)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_DIVIDE, 0xb);
    pc_put(&pc, 0, APIC_TIMER, VECTOR | PERIODIC | MASKED);
    pc_put(&pc, 0, APIC_INITIAL, 1000000);
    pc_run(1500000);
    cr_expect_not(interrupted(&pc));
    cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 500000);
    pc_put(&pc, 0, APIC_TIMER, VECTOR | PERIODIC);
    pc_run(500000);
    cr_expect(interrupted(&pc));
    pc_end(&pc);
}

/* A change of the divisor goes on from the count. */
Test(lapic_timer, divisor_changes)
{
    struct pc pc;

    pc_make(&pc, 1, NULL);
    pc_put(&pc, 0, APIC_DIVIDE, 0xb);
    pc_put(&pc, 0, APIC_TIMER, VECTOR);
    pc_put(&pc, 0, APIC_INITIAL, 1000);
    pc_run(400);
    pc_put(&pc, 0, APIC_DIVIDE, 0x2); /* 8 */
    cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 600);
    pc_run(600 * 8 - 1);
    cr_expect_not(interrupted(&pc));
    pc_run(1);
    cr_expect(interrupted(&pc));
    pc_end(&pc);
}

Test(lapic_timer, tsc_deadline)
{
    struct pc pc;
    uint64_t now;

    pc_make(&pc, 1, NULL);
    clock_set_nanos(5000000);
    now = clock_ticks();
    /* Outside its mode, the MSR is nothing. */
    pc_wrmsr(&pc, 0, MSR_DEADLINE, now + 100);
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_DEADLINE), 0);
    pc_put(&pc, 0, APIC_TIMER, VECTOR | DEADLINE);
    pc_wrmsr(&pc, 0, MSR_DEADLINE, now + 100);
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_DEADLINE), now + 100);
    /* In it, the counts are nothing. */
    pc_put(&pc, 0, APIC_INITIAL, 10);
    cr_expect_eq(pc_get(&pc, 0, APIC_INITIAL), 0);
    cr_expect_eq(pc_get(&pc, 0, APIC_CURRENT), 0);
    pc_run(99);
    cr_expect_not(interrupted(&pc));
    pc_run(2);
    cr_expect(interrupted(&pc));
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_DEADLINE), 0);
    /* The past is now; 0 disarms. */
    pc_wrmsr(&pc, 0, MSR_DEADLINE, 1);
    cr_expect(interrupted(&pc));
    cr_expect_eq(pc_rdmsr(&pc, 0, MSR_DEADLINE), 0);
    pc_wrmsr(&pc, 0, MSR_DEADLINE, clock_ticks() + 100);
    pc_wrmsr(&pc, 0, MSR_DEADLINE, 0);
    pc_run(1000);
    cr_expect_not(interrupted(&pc));
    /* Never. */
    pc_wrmsr(&pc, 0, MSR_DEADLINE, UINT64_MAX);
    pc_run(1000000);
    cr_expect_not(interrupted(&pc));
    /* A TSC of its own. */
    lapic_set_tsc_offset(pc_apic(&pc, 0), 1000000);
    pc_wrmsr(&pc, 0, MSR_DEADLINE, clock_ticks() + 1000100);
    pc_run(99);
    cr_expect_not(interrupted(&pc));
    pc_run(2);
    cr_expect(interrupted(&pc));
    /* A TSC that jumps over the deadline. */
    pc_wrmsr(&pc, 0, MSR_DEADLINE, clock_ticks() + 2000000);
    lapic_set_tsc_offset(pc_apic(&pc, 0), 3000000);
    cr_expect(interrupted(&pc));
    pc_end(&pc);
}

/* To and from TSC-deadline mode, and the reserved one, it is disarmed; one
 * that is reserved never fires, and breaks nothing. */
Test(lapic_timer, mode_changes)
{
    static const uint32_t modes[] = {ONE_SHOT, PERIODIC, DEADLINE, RESERVED};
    struct pc pc;

    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4; to++) {
            bool goes_on = from == to ? from != 3 : from < 2 && to < 2;

            pc_make(&pc, 1, NULL);
            pc_put(&pc, 0, APIC_DIVIDE, 0xb);
            pc_put(&pc, 0, APIC_TIMER, VECTOR | modes[from]);
            pc_put(&pc, 0, APIC_INITIAL, 500000);
            pc_wrmsr(&pc, 0, MSR_DEADLINE, clock_ticks() + 500000);
            pc_put(&pc, 0, APIC_TIMER, VECTOR | modes[to]);
            (void)pc_get(&pc, 0, APIC_CURRENT);
            pc_run(600000);
            cr_expect_eq(interrupted(&pc), goes_on, "%u to %u", from, to);
            pc_end(&pc);
        }
    }
}
