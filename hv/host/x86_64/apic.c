/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt controllers: local APICs, by memory or, with x2APIC, by MSRs (AMD
 * APM volume 2, chapter 16; Intel SDM volume 3, chapter 11); the IOAPIC for the
 * console (Intel 82093AA); the 8259 pair, which is masked for good.
 */
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/pause.h"

enum apic_register {
    APIC_ID = 0x020,
    APIC_VERSION = 0x030,
    APIC_TPR = 0x080,
    APIC_EOI = 0x0b0,
    APIC_SVR = 0x0f0,
    APIC_IRR = 0x200,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define SVR_ENABLE       (uint32_t) BIT(8)
#define LVT_MASKED       (uint32_t) BIT(16)
#define LVT_NMI          (uint32_t) FIELD_PUT(BIT_MASK(10, 8), 4)
#define LVT_TSC_DEADLINE (uint32_t) FIELD_PUT(BIT_MASK(18, 17), 2)
#define MAX_LVT          BIT_MASK(23, 16) /* of the version */
#define ICR_PENDING      (uint32_t) BIT(12)
#define DIVIDE_BY_1      0xb

#define APIC_BASE_EXTD   BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_MASK   BIT_MASK(51, 12)

#define FEATURE_X2APIC       BIT(21) /* Fn0000_0001 ECX */
#define FEATURE_TSC_DEADLINE BIT(24)

#define X2APIC_MSR(reg) (0x800u + (uint32_t)(reg) / 16)

#define IOAPIC_SELECT      0
#define IOAPIC_WINDOW      0x10
#define IOAPIC_VERSION     1
#define IOAPIC_ENTRY(n)    (0x10 + 2 * (n))
#define IOAPIC_LAST_ENTRY  BIT_MASK(23, 16)
#define IOAPIC_LOW         (uint32_t) BIT(13)
#define IOAPIC_LEVEL       (uint32_t) BIT(15)
#define IOAPIC_MASKED      (uint32_t) BIT(16)
#define IOAPIC_DESTINATION BIT_MASK(31, 24) /* of the upper half */

#define XAPIC_IDS 255 /* what an IOAPIC can name */

#define PIC1_COMMAND 0x20
#define PIC2_COMMAND 0xa0

/* Timers are not set further ahead than what 32 bits count, and no further
 * than this: who asked for more, asks again. */
#define MAX_TIMER_TICKS   (UINT64_C(1) << 32)
#define TIMER_SCALE_SHIFT 30

static struct {
    uint64_t address; /* 0: by MSRs */
    bool has_deadline;
    uint64_t timer_scale; /* timer counts per tick of time, shifted */
} apic;

static uint32_t apic_read(enum apic_register reg)
{
    if (apic.address == 0)
        return (uint32_t)msr_read(X2APIC_MSR(reg));
    return *(volatile uint32_t *)(uintptr_t)(apic.address + reg);
}

static void apic_write(enum apic_register reg, uint32_t value)
{
    if (apic.address == 0)
        msr_write(X2APIC_MSR(reg), value);
    else
        *(volatile uint32_t *)(uintptr_t)(apic.address + reg) = value;
}

/* One bit for each vector, in registers of 32. */
bool apic_is_requested(uint8_t vector)
{
    enum apic_register reg = APIC_IRR + vector / 32 * 16u;

    return (apic_read(reg) >> vector % 32 & 1) != 0;
}

void apic_end_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}

uint32_t apic_id(void)
{
    return apic.address == 0 ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_send(uint32_t id, uint32_t command)
{
    if (apic.address == 0) {
        /* What was written before the IPI shall be seen by who takes it. */
        __asm__ volatile("mfence; lfence" : : : "memory");
        msr_write(X2APIC_MSR(APIC_ICR), (uint64_t)id << 32 | command);
        return;
    }
    while ((apic_read(APIC_ICR) & ICR_PENDING) != 0)
        cpu_pause();
    apic_write(APIC_ICR_HIGH, id << 24);
    apic_write(APIC_ICR, command);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_TIMER_CURRENT);
}

void apic_set_timer_count(uint32_t count)
{
    apic_write(APIC_TIMER_INITIAL, count);
}

bool apic_has_deadline(void)
{
    return apic.has_deadline;
}

void apic_set_timer_scale(uint64_t timer_hz, uint64_t time_hz)
{
    apic.timer_scale = (timer_hz << TIMER_SCALE_SHIFT) / time_hz;
}

/* How much the timer has to count for the TSC to get there; 0: never. */
static uint32_t timer_count(uint64_t until)
{
    uint64_t now = tsc_read();
    uint64_t ticks = until > now ? until - now : 0;
    __uint128_t count;

    if (until == UINT64_MAX)
        return 0;
    if (ticks > MAX_TIMER_TICKS)
        ticks = MAX_TIMER_TICKS;
    count = ((__uint128_t)ticks * apic.timer_scale >> TIMER_SCALE_SHIFT) + 1;
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

void apic_set_timer(uint64_t until)
{
    if (!apic.has_deadline)
        apic_write(APIC_TIMER_INITIAL, timer_count(until));
    else if (until == UINT64_MAX)
        msr_write(X86_MSR_TSC_DEADLINE, 0);
    else /* 0 would be none */
        msr_write(X86_MSR_TSC_DEADLINE, until != 0 ? until : 1);
}

static void mask_pics(void)
{
    /* Initialised, so that a spurious interrupt is no exception's vector; then
     * all lines are off. */
    static const uint8_t words[] = {0x11, 0x20, 0x04, 0x01, 0xff};

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        port_write8(PIC1_COMMAND + (i != 0), words[i]);
        port_write8(PIC2_COMMAND + (i != 0),
                    i == 1 ? 0x28 : (i == 2 ? 0x02 : words[i]));
    }
}

void apic_init(const struct x86_board *x86)
{
    uint32_t features = cpuid(X86_CPUID_FEATURES, 0).ecx;

    mask_pics();
    apic.has_deadline = (features & FEATURE_TSC_DEADLINE) != 0;
    apic.address = (features & FEATURE_X2APIC) != 0 ? 0 : x86->lapic;
}

/* Firmware may have had other plans. */
static void mask_lvts(void)
{
    uint64_t last = FIELD_GET(MAX_LVT, apic_read(APIC_VERSION));

    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    if (last >= 4)
        apic_write(APIC_LVT_PERFORMANCE, LVT_MASKED);
    if (last >= 5)
        apic_write(APIC_LVT_THERMAL, LVT_MASKED);
}

void apic_init_cpu(void)
{
    uint64_t base = msr_read(X86_MSR_APIC_BASE);

    if (apic.address == 0)
        base |= APIC_BASE_ENABLE | APIC_BASE_EXTD;
    else
        base = (base & ~APIC_BASE_MASK) | apic.address | APIC_BASE_ENABLE;
    msr_write(X86_MSR_APIC_BASE, base);
    apic_write(APIC_TPR, 0);
    mask_lvts();
    /* As long as it is off, the entries below stay masked. */
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER,
               VECTOR_TIMER | (apic.has_deadline ? LVT_TSC_DEADLINE : 0));
    /* By memory, the mode is set before the first deadline. */
    __asm__ volatile("mfence" : : : "memory");
}

static volatile uint32_t *ioapic_register(uint64_t ioapic, uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(ioapic + offset);
}

static uint32_t ioapic_read(uint64_t ioapic, uint32_t reg)
{
    *ioapic_register(ioapic, IOAPIC_SELECT) = reg;
    return *ioapic_register(ioapic, IOAPIC_WINDOW);
}

static void ioapic_write(uint64_t ioapic, uint32_t reg, uint32_t value)
{
    *ioapic_register(ioapic, IOAPIC_SELECT) = reg;
    *ioapic_register(ioapic, IOAPIC_WINDOW) = value;
}

static void route(uint64_t ioapic, uint32_t entry, const struct x86_irq *irq)
{
    uint32_t low = VECTOR_CONSOLE;

    low |= irq->is_low ? IOAPIC_LOW : 0;
    low |= irq->is_level ? IOAPIC_LEVEL : 0;
    ioapic_write(ioapic, IOAPIC_ENTRY(entry) + 1,
                 (uint32_t)FIELD_PUT(IOAPIC_DESTINATION, apic_id()));
    ioapic_write(ioapic, IOAPIC_ENTRY(entry), low);
}

void ioapic_init(const struct x86_board *x86)
{
    const struct x86_irq *irq = &x86->com1_irq;

    for (uint32_t i = 0; i < x86->ioapic_count; i++) {
        const struct x86_ioapic *ioapic = &x86->ioapics[i];
        uint32_t last = (uint32_t)FIELD_GET(
            IOAPIC_LAST_ENTRY, ioapic_read(ioapic->address, IOAPIC_VERSION));
        for (uint32_t entry = 0; entry <= last; entry++)
            ioapic_write(ioapic->address, IOAPIC_ENTRY(entry), IOAPIC_MASKED);
        if (irq->gsi >= ioapic->first_gsi &&
            irq->gsi - ioapic->first_gsi <= last && apic_id() < XAPIC_IDS)
            route(ioapic->address, irq->gsi - ioapic->first_gsi, irq);
    }
}
