/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that need no guest: memory, time, the console. */
#include "api/arch.h"
#include "api/console.h"
#include "api/memory.h"
#include "api/time.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "tests/image/selftest.h"

static bool is_clear(hpa_t frame, uint64_t frames)
{
    const uint64_t *word = memory_phys_to_virt(frame);

    for (uint64_t i = 0; i < frames * PAGE_SIZE / sizeof(*word); i++) {
        if (word[i] != 0)
            return false;
    }
    return true;
}

static uint64_t *words_of(hpa_t frame)
{
    return memory_phys_to_virt(frame);
}

/* Takes every frame there is; each is written, and links to the one before. */
static uint64_t take_all(hpa_t *last)
{
    uint64_t count = 0;
    hpa_t frame;

    *last = HPA_NONE;
    while (!hpa_is_none(frame = memory_alloc_frame())) {
        EXPECT(is_aligned(frame.raw, PAGE_SIZE) && is_clear(frame, 1));
        memset(words_of(frame), 0xa5, PAGE_SIZE);
        words_of(frame)[0] = last->raw;
        *last = frame;
        count++;
    }
    return count;
}

static void test_frames(void)
{
    hpa_t last, again, run;
    uint64_t count = take_all(&last);

    EXPECT(count > 4000 && hpa_is_none(memory_alloc_contiguous(1, 0)));
    for (uint64_t i = 0; i < count; i++) {
        hpa_t frame = last;
        last = hpa(words_of(frame)[0]);
        memory_free_frame(frame);
    }
    EXPECT(hpa_is_none(last));

    /* A run, aligned; its frames freed one by one; all of memory is back. */
    run = memory_alloc_contiguous(513, BIT(21));
    EXPECT(!hpa_is_none(run) && is_aligned(run.raw, BIT(21)));
    EXPECT(is_clear(run, 513));
    again = memory_alloc_contiguous(513, BIT(21));
    EXPECT(!hpa_is_none(again) && (again.raw >= run.raw + 513 * PAGE_SIZE ||
                                   run.raw >= again.raw + 513 * PAGE_SIZE));
    for (uint64_t i = 0; i < 513; i++)
        memory_free_frame(hpa_add(run, i * PAGE_SIZE));
    memory_free_contiguous(again, 513);
    EXPECT(take_all(&last) == count);
}

static void test_no_run(void)
{
    EXPECT(hpa_is_none(memory_alloc_contiguous(0, PAGE_SIZE)));
    EXPECT(hpa_is_none(memory_alloc_contiguous(1, 3 * PAGE_SIZE)));
    EXPECT(hpa_is_none(memory_alloc_contiguous(BIT(40), PAGE_SIZE)));
    EXPECT(hpa_is_none(memory_alloc_contiguous(SIZE_MAX, PAGE_SIZE)));
    EXPECT(hpa_is_none(memory_alloc_contiguous(1, BIT(63))));
}

/* Lets timers fire until `count` have, or an interrupt is overdue. */
static unsigned fired;
static uintptr_t fire_order[4];

static void on_timer(void *context, uint64_t now_ns)
{
    EXPECT(now_ns <= time_nanos() && fired < ARRAY_SIZE(fire_order));
    fire_order[fired++] = (uintptr_t)context;
}

static void wait_for_timers(unsigned count)
{
    uint64_t deadline = time_nanos() + UINT64_C(2000000000);

    while (fired < count) {
        uint32_t irq = arch_fetch_irq();
        if (irq == HOST_IRQ_NONE)
            machine_wait();
        arch_handle_irq(irq);
        EXPECT(time_nanos() < deadline);
    }
}

static uint64_t set_timer(uint64_t at_ns, uintptr_t number)
{
    uint64_t token = time_register_timer(at_ns, on_timer, (void *)number);

    EXPECT(token != TIMER_NONE);
    return token;
}

static void test_timers(void)
{
    uint64_t cancelled;
    uint64_t start = time_nanos();

    set_timer(start + UINT64_C(20000000), 3);
    cancelled = set_timer(start + UINT64_C(1000000), 9);
    set_timer(start + UINT64_C(10000000), 2);
    set_timer(start, 1);
    EXPECT(time_cancel_timer(cancelled) == OK);
    EXPECT(time_cancel_timer(cancelled) == ERR_NOT_FOUND);
    EXPECT(time_cancel_timer(TIMER_NONE) == ERR_NOT_FOUND);
    EXPECT(time_cancel_timer(UINT64_MAX) == ERR_NOT_FOUND);
    EXPECT(fired == 0); /* never from within the call */
    wait_for_timers(3);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(fire_order[i] == i + 1);
    EXPECT(time_nanos() - start >= UINT64_C(20000000));
    EXPECT(arch_fetch_irq() == HOST_IRQ_NONE);
}

static void test_conversions(void)
{
    uint64_t hz = time_frequency();

    EXPECT(time_ticks_to_nanos(hz) == UINT64_C(1000000000));
    EXPECT(time_nanos_to_ticks(UINT64_C(1000000000)) == hz);
    EXPECT(time_ticks_at(1) <= time_ticks_at(hz) / hz);
    EXPECT(time_ticks_to_nanos(0) == 0 && time_nanos_to_ticks(0) == 0);
    EXPECT(time_nanos_to_ticks(1) == UINT64_C(1) * hz / 1000000000);
    EXPECT((hz <= UINT64_C(1000000000)
                ? time_ticks_to_nanos(UINT64_MAX)
                : time_nanos_to_ticks(UINT64_MAX)) == UINT64_MAX);
    EXPECT(time_ticks_to_nanos(hz * 12345 + 1) ==
           UINT64_C(12345000000000) + 1000000000 / hz);
}

/* The functions of bitops.S, which the compiler calls for these. */
static void test_bits(void)
{
    volatile uint64_t noise = UINT64_C(0x9e3779b97f4a7c15);

    for (unsigned n = 0; n < 64; n++) {
        uint64_t above = noise << n | BIT(n);
        uint64_t below = noise >> (63 - n) | BIT(n);
        unsigned count = 0;

        EXPECT(bit_lowest(above) == n &&
               bit_highest(below & (BIT(n) * 2 - 1)) == n);
        for (unsigned i = 0; i < 64; i++)
            count += (above >> i & 1) != 0;
        EXPECT(bit_count(above) == count);
        noise = noise * UINT64_C(6364136223846793005) + 1;
    }
}

/* What is typed arrives by interrupt. */
static void test_input(void)
{
    char text[32];
    size_t size = 0;

    while (size == 0 || text[size - 1] != '\n') {
        uint32_t irq = arch_fetch_irq();
        if (irq == HOST_IRQ_NONE)
            machine_wait();
        if (irq == HOST_IRQ_CONSOLE)
            size += console_read(text + size, sizeof(text) - size);
        EXPECT(size < sizeof(text));
    }
    EXPECT(size == 5 && memcmp(text, "ping\n", 5) == 0);
    EXPECT(console_read(text, sizeof(text)) == 0);
}

static void test_reboot(void)
{
    host_print("selftest: reboot: ok\n");
    host_power_off(true);
}

const struct selftest host_tests[] = {
    {.name = "frames", .init = test_frames},
    {.name = "no-run", .init = test_no_run},
    {.name = "timers", .init = test_timers},
    {.name = "conversions", .init = test_conversions},
    {.name = "bits", .init = test_bits},
    {.name = "input", .init = test_input},
    {.name = "reboot", .init = test_reboot},
    {.name = NULL},
};
