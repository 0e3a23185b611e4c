/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's local APICs, for those who talk to them: the vCPUs' cores, interrupt
 * controllers, and devices that send messages.
 *
 * They are made together, by the device "intel,lapic", which answers for the
 * vCPU that makes an access. It is the first of a PC's controllers: its
 * irq_chip is the PC's global system interrupts, to which the IOAPIC and the
 * pair of 8259 attach themselves.
 *
 * Locks: each local APIC has its own, taken after those of devices and of the
 * other controllers, and before the scheduler's. No two are ever held. So any
 * CPU may call any of these functions.
 */
#ifndef DEVICE_PC_LAPIC_H
#define DEVICE_PC_LAPIC_H

#include "device/device.h"

/* Delivery modes: Intel SDM 3A, section 11.6.1. */
enum apic_mode {
    APIC_FIXED,
    APIC_LOWEST_PRIORITY,
    APIC_SMI,
    APIC_RESERVED,
    APIC_NMI,
    APIC_INIT,
    APIC_SIPI,
    APIC_EXTINT
};

/* An interrupt message on its way to local APICs. */
struct apic_message {
    uint32_t destination;
    bool wide;    /* the destination has 32 bits, not 8 */
    bool logical; /* it is a logical one */
    bool level;   /* level-triggered: its EOI is broadcast */
    uint8_t vector;
    enum apic_mode mode;
};

struct lapic;
struct lapics;

/* Where the page of registers is. */
#define APIC_PAGE      UINT64_C(0xfee00000)
#define APIC_PAGE_SIZE UINT64_C(0x1000)

/* What IA32_APIC_BASE says, and SVR. */
enum lapic_mode { LAPIC_OFF, LAPIC_XAPIC, LAPIC_X2APIC };

#define LAPIC_VECTOR_WORDS 4 /* a set of vectors: bit n % 64 of word n / 64 */

/* The local APICs whose irq_chip this is; NULL: it is somebody else's. */
struct lapics *lapics_of_chip(struct irq_chip *chip);
/* That of a vCPU, which exists. */
struct lapic *lapics_get(struct lapics *lapics, vcpu_id vcpu);

/* Delivers to all whom the message is for. False: nobody accepted it. */
bool lapics_deliver(struct lapics *lapics, const struct apic_message *message);
/* A message-signalled interrupt: what a device writes, and where. An address
 * that is not a local APIC's is ignored. */
void lapics_deliver_msi(struct lapics *lapics, uint64_t address, uint32_t data);
/* Pin LINT0 or LINT1 (0, 1) of all local APICs, which share the wires. */
void lapics_set_lint(struct lapics *lapics, unsigned pin, bool high);

/*
 * Who stands behind the global system interrupts. GSI n is pin n of the
 * IOAPIC; GSIs 1 to 15 but 2 are inputs of the 8259 of the same number, too,
 * and GSI 2 is its input 0, as ACPI's interrupt source override says.
 */
struct pc_ioapic {
    struct irq_chip *chip;
    /* A level-triggered interrupt of that vector has ended. */
    void (*eoi)(struct irq_chip *chip, uint8_t vector);
};
struct pc_pic {
    struct irq_chip *chip;
    /* The interrupt acknowledge cycle: the vector. */
    uint8_t (*acknowledge)(struct irq_chip *chip);
};
void lapics_attach_ioapic(struct lapics *lapics,
                          const struct pc_ioapic *ioapic);
void lapics_attach_pic(struct lapics *lapics, const struct pc_pic *pic);
/* The 8259's output: LINT0 of all, and pin 0 of the IOAPIC. */
void lapics_set_intr(struct lapics *lapics, bool high);

/*
 * For the core of a vCPU. When one of these bits is new, vmm_wake_vcpu() has
 * been called; the core looks after it has announced its entry.
 */
enum lapic_attention {
    LAPIC_INTERRUPT = 1, /* over the processor priority; masked by IF */
    LAPIC_EXTINT = 2,    /* from the 8259; masked by IF */
    LAPIC_NMI = 4,
    LAPIC_INIT = 8,
    LAPIC_SIPI = 16, /* after INIT, if both are set */
    /* Of a local APIC that is attached to a processor, see below: */
    LAPIC_LENT_INTERRUPT = 32, /* as the first; the processor delivers it */
    LAPIC_NEWS = 64            /* lapic_lend() has something to tell */
};
uint32_t lapic_attention(struct lapic *lapic);

/* The vector that lapic_acknowledge() would give of LAPIC_INTERRUPT. False:
 * there is none over the processor priority. */
bool lapic_peek(struct lapic *lapic, uint8_t *vector);

/*
 * The vCPU takes an interrupt: the 8259's if that has one, else the highest
 * requested one, which is now in service; when it is gone meanwhile, the
 * spurious one, as hardware has it.
 */
uint8_t lapic_acknowledge(struct lapic *lapic);

/* Takes a pending NMI: false, there is none. */
bool lapic_take_nmi(struct lapic *lapic);
/*
 * Takes a pending INIT, and puts this local APIC into the state that follows
 * it; `*bsp`: the vCPU goes on at the reset vector, rather than wait for a
 * SIPI. False: there is none.
 */
bool lapic_take_init(struct lapic *lapic, bool *bsp);
/* Takes a pending SIPI: the vCPU begins at `*vector` * 4096, in real mode.
 * One that comes while the vCPU does not wait for it is none. */
bool lapic_take_sipi(struct lapic *lapic, uint8_t *vector);

/* An NMI from elsewhere. */
void lapic_send_nmi(struct lapic *lapic);

/* The task priority as CR8 has it: 0 to 15. */
uint8_t lapic_cr8(struct lapic *lapic);
void lapic_set_cr8(struct lapic *lapic, uint8_t value);

/* What the guest's TSC is ahead of time_ticks(): 0 after reset. */
void lapic_set_tsc_offset(struct lapic *lapic, uint64_t offset);

/* Whether CPUID.1:EDX.APIC is set: IA32_APIC_BASE.EN. */
bool lapic_is_enabled(struct lapic *lapic);

/*
 * A processor that has registers of a local APIC itself while the guest is in,
 * and lets the guest access them without an exit: SDM volume 3C, chapter "APIC
 * Virtualization and Virtual Interrupts".
 *
 * `page` is what the guest reads; the local APIC keeps it so, with all that
 * lapic_shows_msr() says, from lapic_attach() on. From lapic_lend() on, the
 * task priority and, in xAPIC mode, ICR are the processor's; and if it delivers
 * interrupts, so is what is requested and what is in service. The vCPU's core,
 * and its accesses, fetch them. Who sends a message meanwhile goes by what was
 * fetched last.
 */
struct lapic_held {
    uint8_t tpr;
    uint32_t icr_low, icr_high; /* as the page of xAPIC mode has them */
    uint64_t requested[LAPIC_VECTOR_WORDS], served[LAPIC_VECTOR_WORDS];
};

struct lapic_processor {
    uint32_t *page;
    bool delivers;
    void (*fetch)(const struct lapic_processor *processor,
                  struct lapic_held *held);
};

/* What the processor is told, beside the page. */
struct lapic_lent {
    enum lapic_mode mode; /* LAPIC_OFF: it has nothing */
    /* The highest vectors that are requested and in service; 0: none. */
    uint8_t requested, served;
    /* A task priority, as CR8 has it, below which an interrupt could be
     * delivered that cannot be now; 0: there is none. */
    uint8_t threshold;
    /* Vectors whose end lapic_end_level() is to hear of. */
    uint64_t level[LAPIC_VECTOR_WORDS];
};

/* For good, before the vCPU runs. */
void lapic_attach(struct lapic *lapic, const struct lapic_processor *processor);
/* Brings what the processor has up to date here, and `attention` with it. */
void lapic_refresh(struct lapic *lapic);
/* The same the other way round, before the guest is entered. */
void lapic_lend(struct lapic *lapic, struct lapic_lent *lent);
/* The processor has ended a level-triggered interrupt. */
void lapic_end_level(struct lapic *lapic, uint8_t vector);
/* Whether RDMSR of a register in x2APIC mode is a look at the page: its 8
 * bytes at 16 times the MSR's number, less 0x800. */
bool lapic_shows_msr(uint32_t msr);

/*
 * The accesses of its own vCPU, as the device makes them; offsets in the page,
 * widths of 1 to 8 bytes. Of the MSRs (IA32_APIC_BASE, IA32_TSC_DEADLINE and
 * those of x2APIC mode), ERR_OUT_OF_RANGE is #GP.
 */
uint64_t lapic_read(struct lapic *lapic, uint64_t offset, unsigned width);
void lapic_write(struct lapic *lapic, uint64_t offset, unsigned width,
                 uint64_t value);
err_t lapic_read_msr(struct lapic *lapic, uint32_t msr,
                     uint64_t *value) MUST_CHECK;
err_t lapic_write_msr(struct lapic *lapic, uint32_t msr,
                      uint64_t value) MUST_CHECK;

#endif
