/* SPDX-License-Identifier: Apache-2.0 */
/* The riscv64 machine, as the neutral part of the host sees it: machine.h. */
#include "host/machine.h"

#include "api/arch.h"
#include "arch/riscv64/riscv.h"
#include "arch/riscv64/trace.h"
#include "host/riscv64/csr_access.h"
#include "host/riscv64/riscv_host.h"
#include "host/riscv64/sbi.h"
#include "host/riscv64/world_switch.h"
#include "lib/bits.h"

#define HOST_IRQS (BIT(IRQ_S_SOFT) | BIT(IRQ_S_TIMER) | BIT(IRQ_S_EXT))

/* The finisher's register: fail, with the exit status in the upper half. */
#define FINISHER_FAIL (UINT32_C(1) << 16 | 0x3333)

const char machine_name[] = "riscv64";

static struct {
    uint64_t frequency;
    uint64_t finisher; /* its address, or 0 */
} machine;

void machine_init(const struct riscv_board *board)
{
    machine.frequency = board->timebase;
    machine.finisher = board->finisher.start;
}

void machine_init_cpu(void)
{
    csr_write(stvec, (uintptr_t)riscv_vector);
    csr_write(sscratch, 0);
    csr_clear(sstatus,
              STATUS_SIE | STATUS_SUM | STATUS_MXR | STATUS_FS | STATUS_VS);
    csr_write(sie, HOST_IRQS);
}

const struct vcpu_ops *machine_vcpu_ops(void)
{
    return &riscv_vcpu_ops;
}

const struct trace_arch *machine_trace_arch(void)
{
    return &riscv_trace_arch;
}

struct host_cpu *machine_this_cpu(void)
{
    struct host_cpu *cpu;

    __asm__("mv %0, tp" : "=r"(cpu));
    return cpu;
}

uint64_t machine_ticks(void)
{
    return csr_read(time);
}

uint64_t machine_frequency(void)
{
    return machine.frequency;
}

uint64_t machine_cycles(void)
{
    return csr_read(cycle);
}

void machine_set_alarm(uint64_t ticks)
{
    if ((riscv_hw_features_impl() & RISCV_FEATURE_SSTC) != 0)
        csr_write(stimecmp, ticks);
    else
        sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, ticks, 0, 0);
}

/* To itself, a CPU needs no firmware. */
void machine_send_ipi(struct host_cpu *cpu)
{
    if (cpu == machine_this_cpu())
        csr_set(sip, BIT(IRQ_S_SOFT));
    else
        sbi_call(SBI_IPI, SBI_IPI_SEND, 1, cpu->hw_id, 0);
}

bool machine_has_ipi(void)
{
    return (csr_read(sip) & BIT(IRQ_S_SOFT)) != 0;
}

uint32_t machine_take_irq(void)
{
    uint64_t pending = csr_read(sip);

    if ((pending & BIT(IRQ_S_SOFT)) != 0) {
        csr_clear(sip, BIT(IRQ_S_SOFT));
        return HOST_IRQ_IPI;
    }
    if ((pending & BIT(IRQ_S_TIMER)) != 0) {
        machine_set_alarm(UINT64_MAX);
        return HOST_IRQ_TIMER;
    }
    if ((pending & BIT(IRQ_S_EXT)) != 0)
        return plic_take_irq();
    return HOST_IRQ_NONE;
}

/* WFI ends when an interrupt of sie is pending, though sstatus.SIE is 0. */
void machine_wait(void)
{
    __asm__ volatile("wfi" : : : "memory");
}

uint32_t machine_read_device(uint64_t address, unsigned width)
{
    uintptr_t at = (uintptr_t)address;

    switch (width) {
    case 1: return *(volatile uint8_t *)at;
    case 2: return *(volatile uint16_t *)at;
    default: return *(volatile uint32_t *)at;
    }
}

void machine_write_device(uint64_t address, unsigned width, uint32_t value)
{
    uintptr_t at = (uintptr_t)address;

    switch (width) {
    case 1: *(volatile uint8_t *)at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
    default: *(volatile uint32_t *)at = value; break;
    }
}

/* No register survives but the one that says whose registers these are. */
struct vcpu *machine_enter_guest(struct vcpu *vcpu)
{
    struct riscv_regs *regs = &to_riscv(vcpu)->regs;

    world_switch(regs, "riscv_vector");
    return &container_of(regs, struct riscv_vcpu, regs)->base;
}

/*
 * A failure is told to whoever started the machine, where there is a way: the
 * SiFive test finisher makes QEMU's exit status 1. Everything else, the
 * firmware does.
 */
void machine_end(enum machine_end how)
{
    uint64_t type =
        how == MACHINE_REBOOT ? SBI_RESET_COLD_REBOOT : SBI_RESET_SHUTDOWN;
    uint64_t reason =
        how == MACHINE_FAILURE ? SBI_REASON_FAILURE : SBI_REASON_NONE;

    if (how == MACHINE_FAILURE && machine.finisher != 0)
        *(volatile uint32_t *)(uintptr_t)machine.finisher = FINISHER_FAIL;
    sbi_call(SBI_SRST, SBI_SRST_RESET, type, reason, 0);
    sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0);
    host_print("twinax: the firmware cannot end this machine: stopped\n");
    machine_park();
}

void machine_park(void)
{
    csr_write(sie, 0);
    for (;;)
        machine_wait();
}

/*
 * 64 stores to a turn: clearing is most of what a frame costs.
 */
void machine_clear_pages(uint64_t address, uint64_t pages)
{
    uint64_t end = address + pages * PAGE_SIZE;

    __asm__ volatile("1:\n"
                     ".set ws_offset, 0\n"
                     ".rept 64\n"
                     "sd zero, ws_offset(%0)\n"
                     ".set ws_offset, ws_offset + 8\n"
                     ".endr\n"
                     "addi %0, %0, 512\n"
                     "bltu %0, %1, 1b\n"
                     : "+&r"(address)
                     : "r"(end)
                     : "memory");
}

void machine_put_byte(uint8_t byte)
{
    sbi_call(SBI_LEGACY_PUTCHAR, 0, byte, 0, 0);
}

int machine_get_byte(void)
{
    return (int)sbi_call(SBI_LEGACY_GETCHAR, 0, 0, 0, 0).error;
}
