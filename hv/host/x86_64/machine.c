/* SPDX-License-Identifier: Apache-2.0 */
/* The x86_64 machine, as the neutral part of the host sees it: machine.h. */
#include "host/machine.h"

#include "api/arch.h"
#include "arch/x86_64/x86.h"
#include "host/x86_64/processor.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/pause.h"
#include "vcpu/vcpu.h"

#define COM1         0x3f8
#define COM1_DLL     (COM1 + 0)
#define COM1_DLM     (COM1 + 1)
#define COM1_LCR     (COM1 + 3)
#define COM1_LSR     (COM1 + 5)
#define LCR_8N1      3
#define LCR_DLAB     0x80
#define LSR_EMPTY    0x20
#define DIVISOR_115K 1

/* PM1 control (ACPI 6.5, section 4.8.3.2). */
#define PM1_SCI_EN  BIT(0)
#define PM1_SLP_TYP BIT_MASK(12, 10)
#define PM1_SLP_EN  BIT(13)

/* The chipset's reset control, and the keyboard controller's. */
#define RESET_CONTROL 0xcf9
#define RESET_SYSTEM  0x02
#define RESET_CPU     0x04
#define KBC_COMMAND   0x64
#define KBC_RESET     0xfe

#define END_WAIT_US 100000

const char machine_name[] = "x86_64";

static struct {
    uint64_t frequency;
    struct x86_power power;
} machine;

/* Whatever the firmware has left of the console's settings. */
void machine_init_console(void)
{
    port_write8(COM1_LCR, LCR_DLAB);
    port_write8(COM1_DLL, DIVISOR_115K);
    port_write8(COM1_DLM, 0);
    port_write8(COM1_LCR, LCR_8N1);
}

void machine_init(const struct x86_board *x86, uint64_t frequency)
{
    machine.power = x86->power;
    machine.frequency = frequency;
}

struct host_cpu *machine_this_cpu(void)
{
    return &x86_this_block()->host;
}

uint64_t machine_ticks(void)
{
    return tsc_read();
}

uint64_t machine_frequency(void)
{
    return machine.frequency;
}

uint64_t machine_cycles(void)
{
    return tsc_read();
}

/* The timer may come early, and what it was set to before may still come: that
 * is for take_alarm() to tell. */
void machine_set_alarm(uint64_t ticks)
{
    x86_this_host_cpu()->alarm = ticks;
    apic_set_timer(ticks);
}

void machine_send_ipi(struct host_cpu *cpu)
{
    apic_send((uint32_t)cpu->hw_id, VECTOR_IPI);
}

/* The hypervisor has taken all there was before it enters a guest. */
bool machine_has_ipi(void)
{
    return apic_is_requested(VECTOR_IPI);
}

/*
 * Interrupts are on for one instruction: those that wait are taken by
 * x86_trap(), one after the other, which notes them down. The hypervisor's own
 * polling needs the processor's only for this.
 */
static void take_pending(struct x86_host_cpu *cpu)
{
    if (cpu->pending == 0)
        __asm__ volatile("sti; nop; cli" : : : "memory");
}

static bool take(struct x86_host_cpu *cpu, enum pending what)
{
    bool is_there = (cpu->pending & what) != 0;

    cpu->pending &= ~(uint32_t)what;
    return is_there;
}

/* Whether it is time; otherwise the timer is set again. */
static bool take_alarm(struct x86_host_cpu *cpu)
{
    if (!take(cpu, PENDING_TIMER))
        return false;
    if (tsc_read() < cpu->alarm) {
        machine_set_alarm(cpu->alarm);
        return false;
    }
    cpu->alarm = UINT64_MAX;
    return true;
}

uint32_t machine_take_irq(void)
{
    struct x86_host_cpu *cpu = x86_this_host_cpu();

    take_pending(cpu);
    if (take(cpu, PENDING_IPI))
        return HOST_IRQ_IPI;
    if (take_alarm(cpu))
        return HOST_IRQ_TIMER;
    if (take(cpu, PENDING_CONSOLE)) {
        bool has_input = console_handle_irq();
        /* Not before the device has been served: its line may be a level. */
        apic_end_interrupt();
        return has_input ? HOST_IRQ_CONSOLE : HOST_IRQ_OTHER;
    }
    return HOST_IRQ_NONE;
}

/* STI lets no interrupt in before HLT waits for one. */
void machine_wait(void)
{
    struct x86_host_cpu *cpu = x86_this_host_cpu();

    if (cpu->pending == 0)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
}

struct vcpu *machine_enter_guest(struct vcpu *vcpu)
{
    x86_world_switch(vcpu);
    return vcpu;
}

uint32_t machine_read_device(uint64_t address, unsigned width)
{
    uint16_t port = (uint16_t)address;

    switch (width) {
    case 1: return port_read8(port);
    case 2: return port_read16(port);
    default: return port_read32(port);
    }
}

void machine_write_device(uint64_t address, unsigned width, uint32_t value)
{
    uint16_t port = (uint16_t)address;

    switch (width) {
    case 1: port_write8(port, (uint8_t)value); break;
    case 2: port_write16(port, (uint16_t)value); break;
    default: port_write32(port, value); break;
    }
}

static void spin(void)
{
    uint64_t end = tsc_read() + END_WAIT_US * (machine.frequency / 1000000);

    while (tsc_read() < end)
        cpu_pause();
}

static void sleep_by(uint16_t control, uint8_t type)
{
    uint16_t value;

    if (control == 0)
        return;
    value = port_read16(control) & (uint16_t)~PM1_SLP_TYP;
    value |= (uint16_t)(FIELD_PUT(PM1_SLP_TYP, type) | PM1_SLP_EN);
    port_write16(control, value);
}

static void power_off(const struct x86_power *power)
{
    if (!power->has_s5)
        return;
    if (power->smi_command != 0 && power->pm1a_control != 0 &&
        (port_read16(power->pm1a_control) & PM1_SCI_EN) == 0) {
        port_write8(power->smi_command, power->acpi_enable);
        spin();
    }
    sleep_by(power->pm1a_control, power->s5_type_a);
    sleep_by(power->pm1b_control, power->s5_type_b);
    spin();
}

static void reset(const struct x86_power *power)
{
    if (power->reset_port != 0) {
        port_write8(power->reset_port, power->reset_value);
        spin();
    }
    port_write8(RESET_CONTROL, RESET_SYSTEM);
    port_write8(RESET_CONTROL, RESET_SYSTEM | RESET_CPU);
    spin();
    port_write8(KBC_COMMAND, KBC_RESET);
    spin();
}

/* A failure has no way to the outside but the console. */
void machine_end(enum machine_end how)
{
    if (how == MACHINE_REBOOT)
        reset(&machine.power);
    else
        power_off(&machine.power);
    host_print("twinax: this machine cannot be ended: stopped\n");
    machine_park();
}

/* NMIs end a HLT, too. */
void machine_park(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

void machine_clear_pages(uint64_t address, uint64_t pages)
{
    uint64_t words = pages * (PAGE_SIZE / sizeof(uint64_t));

    __asm__ volatile("rep stosq"
                     : "+D"(address), "+c"(words)
                     : "a"(UINT64_C(0))
                     : "memory");
}

void machine_put_byte(uint8_t byte)
{
    while ((port_read8(COM1_LSR) & LSR_EMPTY) == 0)
        cpu_pause();
    port_write8(COM1, byte);
}

int machine_get_byte(void)
{
    return -1;
}
