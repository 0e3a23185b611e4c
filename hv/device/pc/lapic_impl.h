/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a local APIC, for the files that make it up: lapic.c is what
 * interrupts do in it, lapic_regs.c how a guest sees it, lapic_lend.c what a
 * processor has of it, lapic_timer.c its timer, lapics.c all of a VM and what
 * they are wired to.
 */
#ifndef DEVICE_PC_LAPIC_IMPL_H
#define DEVICE_PC_LAPIC_IMPL_H

#include <stdatomic.h>

#include "device/pc/alarm.h"
#include "device/pc/lapic.h"
#include "lib/bits.h"

#define MSR_APIC_BASE    0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800
#define X2APIC_MSRS      0x100

/* IA32_APIC_BASE. */
#define BASE_BSP  BIT(8)
#define BASE_EXTD BIT(10)
#define BASE_EN   BIT(11)

/* SVR. */
#define SVR_VECTOR       UINT32_C(0xff)
#define SVR_ENABLE       UINT32_C(0x100)
#define SVR_SUPPRESS_EOI UINT32_C(0x1000)

/* ESR: table 11-? "Error Status Register". */
#define ESR_SEND_ILLEGAL_VECTOR    UINT32_C(0x20)
#define ESR_RECEIVE_ILLEGAL_VECTOR UINT32_C(0x40)
#define ESR_ILLEGAL_REGISTER       UINT32_C(0x80)

/* ICR, as the page has its halves. */
#define ICR_WRITABLE  UINT32_C(0xccfff)
#define ICR2_WRITABLE UINT32_C(0xff000000)

/* An entry of the local vector table. */
#define LVT_VECTOR     UINT32_C(0xff)
#define LVT_MODE       UINT32_C(0x700)
#define LVT_POLARITY   UINT32_C(0x2000)
#define LVT_REMOTE_IRR UINT32_C(0x4000)
#define LVT_LEVEL      UINT32_C(0x8000)
#define LVT_MASKED     UINT32_C(0x10000)
#define LVT_TIMER_MODE UINT32_C(0x60000)

enum lvt {
    LVT_CMCI,
    LVT_TIMER,
    LVT_THERMAL,
    LVT_PMC,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
    LVT_COUNT
};

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };

#define LINTS        2
#define FIRST_VECTOR 16 /* those below are the processor's own */
#define VECTOR_CLASS 0xf0
#define VECTOR_WORDS LAPIC_VECTOR_WORDS
#define NO_VECTOR    (-1)
#define DFR_FLAT     UINT32_C(0xffffffff)
#define NO_EXPIRY    UINT64_C(0)

/* Where registers are in the page, in units of 16 bytes; their MSRs in x2APIC
 * mode, less 0x800. */
#define REG_TPR  0x08
#define REG_ISR  0x10
#define REG_TMR  0x18
#define REG_IRR  0x20
#define REG_ICR2 0x31
#define REG_LVT0 0x35 /* LINT0's */

/* A set of vectors. */
struct vectors {
    uint64_t words[VECTOR_WORDS];
};

static inline bool vectors_has(const struct vectors *set, uint8_t vector)
{
    return (set->words[vector / 64] >> vector % 64 & 1) != 0;
}

/* Or NO_VECTOR. */
int vectors_highest(const struct vectors *set);

struct lapic {
    struct spinlock lock; /* guards all that follows but `attention` */
    _Atomic uint32_t attention;
    struct lapics *all;
    vcpu_id id; /* its APIC ID, too */
    uint64_t base;
    struct vectors irr, isr, tmr;
    uint32_t tpr, ldr, dfr, svr;
    uint32_t esr;    /* as last latched */
    uint32_t errors; /* since then */
    uint64_t icr;    /* the destination where x2APIC mode has it */
    uint32_t lvt[LVT_COUNT];
    bool lint[LINTS];
    uint32_t latched; /* LAPIC_NMI, INIT, SIPI, EXTINT by message */
    bool waits;       /* the vCPU waits for a SIPI */
    uint8_t sipi_vector;
    bool is_lent; /* see lapic_lend.c, for these four */
    bool is_told;
    struct vectors posted;
    const struct lapic_processor *processor; /* NULL: none */

    uint32_t initial_count;
    uint32_t divide;       /* as the register has it */
    uint64_t expiry_ns;    /* when the count is 0; NO_EXPIRY: it is stopped */
    uint64_t tsc_deadline; /* 0: disarmed */
    uint64_t tsc_offset;
    struct alarm alarm;
};

struct lapics {
    struct device device;
    struct irq_chip chip; /* the global system interrupts */
    struct pc_ioapic ioapic;
    struct pc_pic pic;
    vm_id vm;
    uint32_t count;
    bool virtual_wire;
    _Atomic uint32_t turn; /* who was chosen last, of equal priorities */
    struct lapic *lapics;
};

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
    return (lapic->base & BASE_EXTD) != 0;
}

/* Whether IRR and ISR are the processor's. */
static inline bool lapic_is_delivered(const struct lapic *lapic)
{
    return lapic->is_lent && lapic->processor->delivers;
}

/* What follows is called with the lapic's lock held. */

/* lapic_lend.c: what the processor has is known here, too. */
void lapic_fetch(struct lapic *lapic);
/* And is this local APIC's own, to be changed, until it is lent again. */
void lapic_take_back(struct lapic *lapic);
/* The guest sees what has changed of a set, or of a register, by its number:
 * lapic_regs.c. */
void lapic_show_vectors(struct lapic *lapic, unsigned first,
                        const struct vectors *set);
void lapic_show(struct lapic *lapic, unsigned number);
void lapic_show_all(struct lapic *lapic);

/* The state after power-on, or INIT, which keeps IA32_APIC_BASE. */
void lapic_power_on(struct lapic *lapic);
void lapic_clear(struct lapic *lapic);
/* `attention` follows what has changed; the vCPU hears of what is new. */
void lapic_update(struct lapic *lapic);
/* Of bits of ESR. */
void lapic_error(struct lapic *lapic, uint32_t error);
/* An interrupt of the local vector table occurs. */
void lapic_raise_local(struct lapic *lapic, enum lvt entry);
/* A message arrives. False: it is not accepted. */
bool lapic_accept(struct lapic *lapic, const struct apic_message *message);
void lapic_set_lint(struct lapic *lapic, unsigned pin, bool high);
/* LINT0 or LINT1 was reconfigured: what is asserted is seen. */
void lapic_check_lint(struct lapic *lapic, unsigned pin);
/* The end of the interrupt in service, and of one that is no more: the vector
 * whose end is to be broadcast, or NO_VECTOR. */
int lapic_end_of_interrupt(struct lapic *lapic);
int lapic_end_vector(struct lapic *lapic, uint8_t vector);
uint8_t lapic_ppr(const struct lapic *lapic);
bool lapic_matches(const struct lapic *lapic,
                   const struct apic_message *message);
uint32_t lapic_ldr(const struct lapic *lapic);

enum timer_mode lapic_timer_mode(const struct lapic *lapic);
void lapic_timer_stop(struct lapic *lapic);
void lapic_timer_set_mode(struct lapic *lapic, uint32_t old_lvt);
void lapic_timer_start(struct lapic *lapic, uint32_t count);
void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide);
void lapic_timer_set_deadline(struct lapic *lapic, uint64_t deadline);
uint32_t lapic_timer_count(const struct lapic *lapic);

/* The alarm's function: takes the lock. */
void lapic_on_alarm(void *context, uint64_t now_ns);

/* Without any lock held: an IPI of `sender`, by the value of its ICR. */
void lapics_send_ipi(struct lapic *sender, uint64_t icr, bool wide);
void lapics_broadcast_eoi(struct lapics *lapics, uint8_t vector);

#endif
