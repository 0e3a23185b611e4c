/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bugs of the hypervisor: each ends the machine with a report, and none of
 * these functions returns.
 */
#include "api/memory.h"
#include "lib/check.h"
#include "lib/string.h"
#include "tests/image/selftest.h"

#define UNMAPPED 16

/* The compiler shall not know where these point. */
static volatile uint32_t *volatile pointer;

static void store_to(uintptr_t address)
{
    pointer = (volatile uint32_t *)address;
    *pointer = 1;
}

static void bug_check(void)
{
    CHECK(host_cpu_count() == 0);
}

static void bug_pointer(void)
{
    store_to(UNMAPPED);
}

static void bug_text(void)
{
    store_to((uintptr_t)guest_spin);
}

static void bug_rodata(void)
{
    store_to((uintptr_t)machine_name);
}

static void bug_execute(void)
{
    static uint32_t code[4];
    void (*volatile function)(void) = (void (*)(void))(uintptr_t)code;

    function();
}

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
    volatile unsigned frame[32] = {depth};

    return depth == 0 ? 0 : recurse(depth + 1) + frame[depth % 32];
}

static void bug_stack(void)
{
    EXPECT(recurse(1) == 0);
}

static void bug_double_free(void)
{
    hpa_t frame = memory_alloc_frame();

    memory_free_frame(frame);
    memory_free_frame(frame);
}

static void bug_bad_free(void)
{
    memory_free_frame(hpa((uint64_t)(uintptr_t)guest_spin & ~(PAGE_SIZE - 1)));
}

/* The report itself fails: it does not find the CPUs. */
static void bug_nested(void)
{
    memset(host_cpus, 0x5a, sizeof(host_cpus));
    store_to(UNMAPPED);
}

/* On another CPU than the first; the others are in their guests. */
static bool step_bug(struct vcpu *v)
{
    if (host_current_cpu() == host_cpu_count() - 1)
        store_to(UNMAPPED);
    return true;
}

static void start_bug(void)
{
    EXPECT(host_cpu_count() > 2);
    selftest_start_timer();
}

/* Until all of them are in their guests, a kick may be taken before. */
static bool step_pass_on(struct vcpu *v)
{
    uint32_t next = host_current_cpu() + 1;

    selftest_take_irqs();
    if (next == host_cpu_count())
        return step_bug(v);
    host_kick_cpu(next);
    return true;
}

const struct selftest panic_tests[] = {
    {.name = "bug-check", .init = bug_check},
    {.name = "bug-pointer", .init = bug_pointer},
    {.name = "bug-text", .init = bug_text},
    {.name = "bug-rodata", .init = bug_rodata},
    {.name = "bug-execute", .init = bug_execute},
    {.name = "bug-stack", .init = bug_stack},
    {.name = "bug-double-free", .init = bug_double_free},
    {.name = "bug-bad-free", .init = bug_bad_free},
    {.name = "bug-nested", .init = bug_nested},
    {.name = "bug-elsewhere",
     .init = start_bug,
     .guest = guest_spin,
     .step = step_pass_on},
    {.name = NULL},
};
