/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PC around the devices under test: its controllers wired as on a board, or
 * one device whose interrupt line is recorded; accessed as a guest does. Time
 * is the simulator's, and stands still but for pc_run().
 */
#ifndef TESTS_PC_H
#define TESTS_PC_H

#include <criterion/criterion.h>

#include "device/bus.h"
#include "device/parse.h"
#include "device/pc/lapic.h"
#include "memory/arena.h"

/* Registers of a local APIC, by offset; MSRs. */
#define APIC_ID      0x20
#define APIC_VERSION 0x30
#define APIC_TPR     0x80
#define APIC_PPR     0xa0
#define APIC_EOI     0xb0
#define APIC_LDR     0xd0
#define APIC_DFR     0xe0
#define APIC_SVR     0xf0
#define APIC_ISR     0x100
#define APIC_TMR     0x180
#define APIC_IRR     0x200
#define APIC_ESR     0x280
#define APIC_CMCI    0x2f0
#define APIC_ICR     0x300
#define APIC_ICR2    0x310
#define APIC_TIMER   0x320
#define APIC_LINT0   0x350
#define APIC_LINT1   0x360
#define APIC_ERROR   0x370
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE  0x3e0
#define MSR_OF(reg)  (0x800 + (reg) / 16)
#define MSR_BASE     0x1b
#define MSR_DEADLINE 0x6e0

#define BASE_XAPIC  UINT64_C(0xfee00800)
#define BASE_X2APIC UINT64_C(0xfee00c00)
#define BASE_OFF    UINT64_C(0xfee00000)
#define BASE_BSP    UINT64_C(0x100)

#define IOAPIC_SELECT 0xfec00000
#define IOAPIC_WINDOW 0xfec00010
#define IOAPIC_EOI    0xfec00040

/* A property: of one or two cells, or none. */
struct pc_property {
    const char *name; /* NULL ends a list */
    unsigned cells;
    uint64_t value;
};

/* A line, as its device drives it. */
struct pc_line {
    bool high;
    unsigned rises; /* pulses are some, too */
};

struct pc {
    struct arena arena;
    struct device_set set;
    struct device_context context;
    struct irq_chip recorder;
    struct pc_line lines[24];
    struct lapics *lapics;
    struct irq_chip *gsi;
    char tree[2048];
};

/* A board with its local APICs, IOAPIC and 8259s, all local APICs enabled by
 * software. NULL properties: none; they are the local APICs'. */
void pc_make(struct pc *pc, uint32_t vcpus,
             const struct pc_property *properties);
/* A board of nothing, whose interrupt lines are recorded. */
void pc_make_bare(struct pc *pc);
void pc_end(struct pc *pc);

/* Adds a device, or says why not. */
err_t pc_try(struct pc *pc, const char *compatible,
             const struct pc_property *properties, const char **what);
struct device *pc_add(struct pc *pc, const char *compatible,
                      const struct pc_property *properties);

uint8_t pc_in(struct pc *pc, uint64_t port);
void pc_out(struct pc *pc, uint64_t port, uint8_t value);
uint64_t pc_load(struct pc *pc, uint64_t address, unsigned width);
void pc_store(struct pc *pc, uint64_t address, unsigned width, uint64_t value);

struct lapic *pc_apic(struct pc *pc, vcpu_id vcpu);
uint32_t pc_get(struct pc *pc, vcpu_id vcpu, uint64_t reg);
void pc_put(struct pc *pc, vcpu_id vcpu, uint64_t reg, uint32_t value);
/* Bit `vector` of the 256 bits from `reg` on. */
bool pc_has(struct pc *pc, vcpu_id vcpu, uint64_t reg, uint8_t vector);
/* MSRs that are not #GP. */
uint64_t pc_rdmsr(struct pc *pc, vcpu_id vcpu, uint32_t msr);
void pc_wrmsr(struct pc *pc, vcpu_id vcpu, uint32_t msr, uint64_t value);

/* IOAPIC registers. */
uint32_t pc_ioapic_get(struct pc *pc, uint8_t reg);
void pc_ioapic_put(struct pc *pc, uint8_t reg, uint32_t value);
/* A redirection entry. */
void pc_route(struct pc *pc, uint32_t pin, uint64_t entry);
uint64_t pc_entry(struct pc *pc, uint32_t pin);

/* Lets time pass, timer by timer. */
void pc_run(uint64_t nanos);

/* A number below `limit`, from `state`. */
uint64_t pc_random(uint64_t *state, uint64_t limit);

#endif
