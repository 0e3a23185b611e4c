/* SPDX-License-Identifier: Apache-2.0 */
/* The library of the tiny guests on x86_64. */
#include "machine.h"

uint64_t guest_first_tsc;
uint32_t guest_boot_info;

/* Printing -----------------------------------------------------------------*/

void guest_put_uart(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((in8(COM1_LSR) & LSR_THRE) == 0)
            ;
        out8(COM1, (uint8_t)*text);
    }
}

void guest_put(const char *text)
{
    guest_put_uart(text);
}

/* Power --------------------------------------------------------------------*/

/* PM1a control of Twinax's PC, and of QEMU's under its own firmware. */
#define PM1_CONTROL      0xb004
#define QEMU_PM1_CONTROL 0x604
#define SLP_EN           0x2000 /* with SLP_TYP 0: S5 */
#define RESET_CONTROL    0xcf9
#define RESET_HARD       0x02
#define RESET_CPU        0x04

static _Noreturn void stop(const char *why)
{
    guest_put(why);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void guest_power_off(void)
{
    out16(PM1_CONTROL, SLP_EN);
    out16(QEMU_PM1_CONTROL, SLP_EN);
    stop("guest: the power is still on\n");
}

void guest_reboot(void)
{
    out8(RESET_CONTROL, RESET_HARD);
    out8(RESET_CONTROL, RESET_HARD | RESET_CPU);
    stop("guest: there was no reset\n");
}

/* Traps --------------------------------------------------------------------*/

#define VECTORS        256
#define FIRST_IRQ      32
#define CODE64         0x10
#define INTERRUPT_GATE UINT64_C(0x8e00)
#define STUB_SIZE      16

extern const uint8_t guest_vectors[];

struct gate {
    uint64_t low, high;
};

static struct gate idt[VECTORS] __attribute__((aligned(16)));

struct __attribute__((packed)) idt_pointer {
    uint16_t limit;
    uint64_t base;
};
extern const struct idt_pointer guest_idt_pointer;
const struct idt_pointer guest_idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};

static void fill_idt(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)(guest_vectors + (uint64_t)i * STUB_SIZE);

        idt[i].low = (stub & 0xffff) | (uint64_t)CODE64 << 16 |
                     INTERRUPT_GATE << 32 | (stub & 0xffff0000) << 32;
        idt[i].high = stub >> 32;
    }
}

static uint64_t read_cr2(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

__attribute__((weak)) void guest_trap(struct guest_frame *frame)
{
    if (frame->vector >= FIRST_IRQ) {
        lapic_put(LAPIC_EOI, 0);
        return;
    }
    guest_put("guest: exception ");
    guest_put_dec(frame->vector);
    guest_put(" error ");
    guest_put_hex(frame->error);
    guest_put(" rip ");
    guest_put_hex(frame->rip);
    guest_put(" cr2 ");
    guest_put_hex(read_cr2());
    guest_put("\nguest: FAILED\n");
    guest_power_off();
}

/* ACPI: who the processors are. ACPI 6.5, sections 5.2.5 to 5.2.12 ---------*/

#define RSDP_FIRST UINT64_C(0xe0000)
#define RSDP_LAST  UINT64_C(0xffff0)
#define RSDP_STEP  16

struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
};

struct __attribute__((packed)) table {
    char signature[4];
    uint32_t length;
    uint8_t more[28];
    uint8_t contents[];
};

#define MADT_FIRST   8 /* in its contents: where the structures begin */
#define MADT_LAPIC   0
#define LAPIC_ACTIVE 1

static bool same(const void *one, const void *two, unsigned size)
{
    const uint8_t *a = one, *b = two;

    while (size > 0 && a[size - 1] == b[size - 1])
        size--;
    return size == 0;
}

static const struct rsdp *find_rsdp(void)
{
    for (uint64_t at = RSDP_FIRST; at <= RSDP_LAST; at += RSDP_STEP) {
        if (same((const void *)at, "RSD PTR ", 8))
            return (const void *)at;
    }
    return NULL;
}

/* By the XSDT's addresses of 8 bytes, or the RSDT's of 4. */
static const struct table *find_madt(void)
{
    const struct rsdp *rsdp = find_rsdp();
    bool wide;
    const struct table *all;

    if (rsdp == NULL)
        return NULL;
    wide = rsdp->revision >= 2;
    all = (const void *)(wide ? rsdp->xsdt : rsdp->rsdt);
    for (const uint8_t *at = all->contents;
         at < (const uint8_t *)all + all->length; at += wide ? 8 : 4) {
        const struct table *table =
            (const void *)(wide ? *(const uint64_t *)at
                                : *(const uint32_t *)at);
        if (same(table->signature, "APIC", 4))
            return table;
    }
    return NULL;
}

/* Other processors: Intel SDM 3A, section 9.4 ------------------------------*/

#define AP_BASE    0x8000
#define STACK_SIZE 4096
#define MAX_CPUS   64

#define ICR_INIT    0x4500
#define ICR_SIPI    (0x4600 | AP_BASE >> 12)
#define SVR_ENABLE  0x1ff
#define ID_SHIFT    24
#define DELAY_TICKS 2000000
#define PATIENCE    UINT64_C(20000000000)

extern const uint8_t guest_ap_start[], guest_ap_end[];
void guest_ap_begin(void);

uint32_t guest_ap_stack;
static uint8_t stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));
static void (*to_run)(void);
static _Atomic unsigned done;

void guest_ap_begin(void)
{
    to_run();
    done++;
}

static void delay(void)
{
    uint64_t end = read_tsc() + DELAY_TICKS;

    while (read_tsc() < end)
        __asm__ volatile("pause");
}

static void send(uint32_t id, uint32_t what)
{
    lapic_put(LAPIC_ICR2, id << ID_SHIFT);
    lapic_put(LAPIC_ICR, what);
}

static void start(uint32_t id, unsigned number)
{
    uint64_t end;

    guest_ap_stack = (uint32_t)(uint64_t)stacks[number] + STACK_SIZE;
    send(id, ICR_INIT);
    delay();
    send(id, ICR_SIPI);
    end = read_tsc() + PATIENCE;
    while (done != number && read_tsc() < end)
        __asm__ volatile("pause");
    if (done != number)
        stop("guest: a CPU has not started: FAILED\n");
}

unsigned guest_for_each_other_cpu(void (*function)(void))
{
    const struct table *madt = find_madt();
    uint32_t self = lapic_get(LAPIC_ID) >> ID_SHIFT;
    unsigned count = 0;

    if (madt == NULL)
        return 1;
    for (unsigned i = 0; guest_ap_start + i != guest_ap_end; i++)
        ((volatile uint8_t *)AP_BASE)[i] = guest_ap_start[i];
    lapic_put(LAPIC_SVR, SVR_ENABLE);
    to_run = function;
    done = 0;
    for (const uint8_t *at = madt->contents + MADT_FIRST;
         at < (const uint8_t *)madt + madt->length; at += at[1]) {
        if (at[0] == MADT_LAPIC && (at[4] & LAPIC_ACTIVE) != 0 &&
            at[3] != self && count + 1 < MAX_CPUS)
            start(at[3], ++count);
    }
    return count + 1;
}

/* Time ---------------------------------------------------------------------*/

#define PM_TIMER      0xb008
#define PM_TIMER_HZ   3579545
#define TIMER_VECTOR  0x40
#define LVTT_PERIODIC 0x20000
#define DIVIDE_BY_1   0xb
#define PERIOD        10000000

void guest_sleep(unsigned seconds)
{
    uint32_t begin = in32(PM_TIMER);

    lapic_put(LAPIC_SVR, SVR_ENABLE);
    lapic_put(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_put(LAPIC_LVTT, LVTT_PERIODIC | TIMER_VECTOR);
    lapic_put(LAPIC_TIMER, PERIOD);
    while (in32(PM_TIMER) - begin < seconds * PM_TIMER_HZ)
        __asm__ volatile("sti; hlt; cli");
    lapic_put(LAPIC_TIMER, 0);
}

/* The beginning ------------------------------------------------------------*/

void guest_begin(void);

void guest_begin(void)
{
    fill_idt();
    guest_main();
    guest_power_off();
}
