/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the neutral part of the host asks of the machine it runs on. Each
 * architecture's folder (hv/host/<arch>) implements all of it.
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct host_cpu;
struct trace_arch;
struct vcpu;
struct vcpu_ops;

/* "riscv64" */
extern const char machine_name[];
/* What the vCPUs of this image are. */
const struct vcpu_ops *machine_vcpu_ops(void);
/* Its part of the traces. */
const struct trace_arch *machine_trace_arch(void);

/* The CPU this is called on. */
struct host_cpu *machine_this_cpu(void);

/* The monotonic counter, and how often it counts in a second. */
uint64_t machine_ticks(void);
uint64_t machine_frequency(void);
/* This CPU's cycle counter. */
uint64_t machine_cycles(void);
/* Makes this CPU's timer interrupt pending from `ticks` on, and not before;
 * UINT64_MAX: never. */
void machine_set_alarm(uint64_t ticks);

/* Makes an IPI pending on `cpu`, which may be this one. */
void machine_send_ipi(struct host_cpu *cpu);
/* Takes this CPU's most urgent interrupt, an enum host_irq; the IPI and the
 * alarm are no longer pending then. */
uint32_t machine_take_irq(void);
/* Whether an IPI is pending on this CPU. */
bool machine_has_ipi(void);
/*
 * Waits until this CPU has an interrupt to take. May return early. Interrupts
 * that this or machine_take_irq() has taken from the hardware do not end a
 * guest: after either, no guest is entered before machine_take_irq() has
 * returned HOST_IRQ_NONE.
 */
void machine_wait(void);

/*
 * Enters the guest of `vcpu` and returns it when it has exited: what its
 * ops->world_switch does, inlined where the CPU loop calls it, and nowhere
 * else.
 */
struct vcpu *machine_enter_guest(struct vcpu *vcpu);

/* Starts the CPUs other than the boot CPU; each calls host_cpu_main(). */
void machine_start_cpus(void);

enum machine_end { MACHINE_POWER_OFF, MACHINE_REBOOT, MACHINE_FAILURE };

/* Ends the machine, with what its firmware offers for that. */
_Noreturn void machine_end(enum machine_end how);
/* Stops this CPU for good. */
_Noreturn void machine_park(void);

/* A register of 1, 2 or 4 bytes of a device, whose address is what the machine
 * has for such devices: memory, or I/O ports. */
uint32_t machine_read_device(uint64_t address, unsigned width);
void machine_write_device(uint64_t address, unsigned width, uint32_t value);

/* Whether `address` lies in the image's code, right behind a call. */
bool machine_is_return_address(uint64_t address);

/* Clears whole pages. */
void machine_clear_pages(uint64_t address, uint64_t pages);

/* The console of last resort: the firmware's, slow. */
void machine_put_byte(uint8_t byte);
/* -1: there is no input. */
int machine_get_byte(void);

#endif
