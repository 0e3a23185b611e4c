/* SPDX-License-Identifier: Apache-2.0 */
/* Tests with guests: the world switch, and CPUs that interrupt each other. */
#include "api/arch.h"
#include "api/memory.h"
#include "api/time.h"
#include "lib/bits.h"
#include "tests/image/selftest.h"

/* CPUs that have nothing to do in a test wait. */
static bool rest(void)
{
    selftest_take_irqs();
    return false;
}

static bool step_count(struct vcpu *v)
{
    EXPECT(selftest_has_called(v));
    if (likely(selftest_take_call(v) == CALL_NOTHING))
        return true;
    host_print("selftest: 1000 calls: %llu instructions\n",
               (unsigned long long)selftest_result(v));
    selftest_pass();
}

static bool step_registers(struct vcpu *v)
{
    if (host_current_cpu() != 0)
        return rest();
    if (selftest_was_interrupted(v)) {
        selftest_take_irqs();
        return true;
    }
    EXPECT(selftest_has_called(v));
    if (selftest_take_call(v) == CALL_BUMP) {
        selftest_bump(v);
        return true;
    }
    EXPECT(selftest_result(v) == 0);
    selftest_pass();
}

/* The same through the function that the table of operations has. */
static bool step_registers_again(struct vcpu *v)
{
    if (host_current_cpu() != 0)
        return rest();
    while (selftest_take_call(v) == CALL_BUMP) {
        selftest_bump(v);
        v->ops->world_switch(v);
        EXPECT(selftest_has_called(v));
    }
    EXPECT(selftest_result(v) == 0);
    selftest_pass();
}

/*
 * Every CPU that is kicked out of its guest kicks all the others, and waits
 * for each. When all CPUs have done so often enough, nothing hangs.
 */
#define KICK_ROUNDS 300
static _Atomic uint32_t rounds[MAX_CPU_NUM];

static void kick_others(uint32_t self)
{
    for (uint32_t cpu = 0; cpu < host_cpu_count(); cpu++) {
        if (cpu != self)
            host_kick_cpu_and_wait(cpu);
    }
}

static bool step_kicks(struct vcpu *v)
{
    uint32_t self = host_current_cpu(), cpu;

    EXPECT(selftest_was_interrupted(v));
    selftest_take_irqs();
    kick_others(self);
    atomic_fetch_add(&rounds[self], 1);
    for (cpu = 0; cpu < host_cpu_count(); cpu++) {
        if (atomic_load(&rounds[cpu]) < KICK_ROUNDS)
            return true;
    }
    if (self != 0) {
        host_kick_cpu(0);
        return true;
    }
    selftest_pass();
}

/* Two CPUs can take each other's kicks while they wait, and are both in their
 * guests then, which is no fault: CPU 0's timer gets it out, and so all. */
static void start_kicks(void)
{
    EXPECT(host_cpu_count() > 1);
    selftest_start_timer();
}

/* A CPU that kicks itself does not get into the guest: not one instruction
 * of it is executed. */
static unsigned self_kicks;

static bool step_self(struct vcpu *v)
{
    if (host_current_cpu() != 0)
        return rest();
    if (self_kicks == 100)
        selftest_pass();
    if (self_kicks++ != 0) {
        EXPECT(selftest_was_interrupted(v));
        EXPECT(selftest_pc(v) == (uint64_t)(uintptr_t)guest_registers);
        EXPECT(arch_fetch_irq() == HOST_IRQ_IPI);
        EXPECT(arch_fetch_irq() == HOST_IRQ_NONE);
    }
    selftest_set_pc(v, guest_registers);
    host_kick_cpu_and_wait(0);
    return true;
}

/* A timer ends a guest that never exits by itself; and a CPU's wait. */
static unsigned ticks;

static void on_tick(void *context, uint64_t now_ns)
{
    EXPECT(host_current_cpu() == 0);
    if (++ticks == 5)
        selftest_pass();
    EXPECT(time_register_timer(now_ns + 1000000, on_tick, NULL) != TIMER_NONE);
}

static void start_ticks(void)
{
    EXPECT(time_register_timer(0, on_tick, NULL) != TIMER_NONE);
}

static bool step_ticks(struct vcpu *v)
{
    selftest_take_irqs();
    return ticks % 2 == 0;
}

/* CPU 1 writes words of equal bytes to guest memory, and CPU 0 never reads
 * one whose bytes differ. */
static hpa_t shared_word;

static void make_shared_word(void)
{
    shared_word = memory_alloc_frame();
    EXPECT(!hpa_is_none(shared_word));
}

static _Noreturn void write_words(size_t size)
{
    for (uint64_t word = 0;; word = ~word)
        memory_write_guest(shared_word, &word, size);
}

static void read_words(size_t size)
{
    uint64_t word = 0, before = 0;

    for (unsigned changes = 0; changes < 1000; before = word) {
        (void)memory_read_guest(shared_word, &word, size);
        EXPECT(word == 0 ||
               word == zero_extend(UINT64_MAX, (unsigned)size * 8));
        changes += word != before;
    }
    selftest_pass();
}

#define STEP_WORDS(bits)                          \
    static bool step_words_##bits(struct vcpu *v) \
    {                                             \
        if (host_current_cpu() != 0)              \
            write_words((bits) / 8);              \
        read_words((bits) / 8);                   \
        return false;                             \
    }
STEP_WORDS(16)
STEP_WORDS(32)
STEP_WORDS(64)

#define WORDS_TEST(bits)                                     \
    {                                                        \
        .name = "words-" #bits, .init = make_shared_word,    \
        .guest = guest_registers, .step = step_words_##bits, \
    }

const struct selftest guest_tests[] = {
    {.name = "count", .guest = guest_count, .step = step_count},
    {.name = "registers", .guest = guest_registers, .step = step_registers},
    {.name = "registers-again",
     .guest = guest_registers,
     .step = step_registers_again},
    {.name = "kicks",
     .init = start_kicks,
     .guest = guest_spin,
     .step = step_kicks},
    {.name = "self-kicks", .guest = guest_registers, .step = step_self},
    {.name = "ticks",
     .init = start_ticks,
     .guest = guest_spin,
     .step = step_ticks},
    WORDS_TEST(16),
    WORDS_TEST(32),
    WORDS_TEST(64),
    {.name = NULL},
};
