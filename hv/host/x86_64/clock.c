/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast this processor's clocks are: the time-stamp counter, which is the
 * hypervisor's time, and the local APIC's timer. The TSCs of all CPUs are taken
 * to agree, and to count at a constant rate, as those of processors with
 * nested paging do.
 *
 * CPUID knows at times (leaf 15h: Intel SDM volume 2; leaf 40000010h, in
 * virtual machines). Otherwise both clocks are measured by channel 2 of the
 * 8254, whose gate and output are at port 61h.
 */
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/pause.h"

#define CPUID_TSC       0x15
#define CPUID_VM_TIMING 0x40000010 /* EAX: TSC in kHz */
#define FEATURE_VM      BIT(31)    /* Fn0000_0001 ECX */

#define PIT_HZ         1193182
#define PIT_CHANNEL2   0x42
#define PIT_COMMAND    0x43
#define PIT_MODE0      0xb0 /* channel 2, both bytes, one count */
#define PIT_LATCH      0x80 /* channel 2 */
#define PORT_B         0x61
#define PORT_B_GATE    BIT(0)
#define PORT_B_SPEAKER BIT(1)

#define MEASURED   (PIT_HZ / 50) /* counts: 20 ms */
#define SAMPLES    8
#define MAX_SPINS  10000000
#define US_PER_SEC 1000000

/* The three clocks at one moment. */
struct moment {
    uint64_t tsc;
    uint32_t apic; /* both count down */
    uint16_t pit;
};

static uint16_t pit_read(void)
{
    uint16_t low = port_read8(PIT_CHANNEL2);

    return (uint16_t)(low | port_read8(PIT_CHANNEL2) << 8);
}

/* Of several samples the one that was taken fastest: between others, whatever
 * runs this machine may have been elsewhere. */
static struct moment take_moment(void)
{
    struct moment best = {0};
    uint64_t best_span = UINT64_MAX;

    for (unsigned i = 0; i < SAMPLES; i++) {
        struct moment now;
        uint64_t span = tsc_read();

        port_write8(PIT_COMMAND, PIT_LATCH);
        now.tsc = tsc_read();
        now.apic = apic_timer_count();
        span = tsc_read() - span;
        now.pit = pit_read();
        if (span < best_span) {
            best_span = span;
            best = now;
        }
    }
    return best;
}

static void pit_start(void)
{
    uint8_t port_b = port_read8(PORT_B);

    port_b &= (uint8_t)~PORT_B_SPEAKER;
    port_write8(PORT_B, (uint8_t)(port_b | PORT_B_GATE));
    port_write8(PIT_COMMAND, PIT_MODE0);
    port_write8(PIT_CHANNEL2, 0xff);
    port_write8(PIT_CHANNEL2, 0xff);
    apic_set_timer_count(UINT32_MAX);
}

static uint64_t per_second(uint64_t counts, uint64_t pit_counts)
{
    return counts * PIT_HZ / pit_counts;
}

static uint64_t measure(uint64_t *apic_hz)
{
    struct moment first, last;
    unsigned spins = 0;
    uint16_t counts;

    pit_start();
    first = take_moment();
    do {
        last = take_moment();
        counts = (uint16_t)(first.pit - last.pit);
    } while (counts < MEASURED && ++spins < MAX_SPINS);
    apic_set_timer_count(0);
    if (counts < MEASURED)
        host_refuse("the 8254's channel 2 does not count");
    *apic_hz = per_second(first.apic - last.apic, counts);
    return per_second(last.tsc - first.tsc, counts);
}

/* What CPUID says, or 0. */
static uint64_t ask_processor(void)
{
    struct x86_cpuid leaf;

    if (cpuid(X86_CPUID_VENDOR, 0).eax >= CPUID_TSC) {
        leaf = cpuid(CPUID_TSC, 0);
        if (leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0)
            return (uint64_t)leaf.ecx * leaf.ebx / leaf.eax;
    }
    if ((cpuid(X86_CPUID_FEATURES, 0).ecx & FEATURE_VM) != 0) {
        uint32_t last = cpuid(X86_CPUID_HYPERVISOR, 0).eax;
        if (last >= CPUID_VM_TIMING && last < CPUID_VM_TIMING + 0x100)
            return cpuid(CPUID_VM_TIMING, 0).eax * UINT64_C(1000);
    }
    return 0;
}

uint64_t clock_calibrate(void)
{
    uint64_t apic_hz = 0;
    uint64_t hz = ask_processor();

    if (hz == 0 || !apic_has_deadline()) {
        uint64_t measured = measure(&apic_hz);
        if (hz == 0)
            hz = measured;
    }
    apic_set_timer_scale(apic_hz, hz);
    return hz;
}

void clock_wait_us(uint64_t us)
{
    uint64_t end = tsc_read() + us * machine_frequency() / US_PER_SEC;

    while (tsc_read() < end)
        cpu_pause();
}
