/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local APIC as its vCPU sees it: the page of registers of xAPIC mode and
 * the MSRs of x2APIC mode, SDM volume 3A, sections 11.4.1 and 11.12. A register
 * has one number in both: its offset in the page is 16 times that, its MSR is
 * 0x800 more.
 *
 * In the page, registers are written 32 bits at a time at their offset, and
 * may be read by parts; reserved bits are ignored. As MSRs, reserved bits, and
 * registers that do not exist or have no such access, are #GP. Outside its
 * mode neither is there: the page reads as all ones.
 *
 * The page does not move: another base than the usual one in IA32_APIC_BASE is
 * #GP. The APIC ID is the vCPU's number, and read-only.
 */
#include "device/pc/lapic_impl.h"

/* Version 0x14, seven entries in the local vector table, and broadcasts of
 * EOIs can be suppressed. */
#define APIC_VERSION (0x14 | (LVT_COUNT - 1) << 16 | 1 << 24)

#define REGISTER_COUNT 0x40
#define REGISTER_SHIFT 4
#define ICR_HIGH_BYTE  24 /* where xAPIC mode has the destination */

/* Access, by mode. */
enum { XR = 1, XW = 2, MR = 4, MW = 8, XRW = XR | XW, MRW = MR | MW };

enum kind {
    NONE,
    ID,
    VERSION,
    TPR,
    ZERO, /* APR and RRD: not since the Pentium III */
    PPR,
    EOI,
    LDR,
    DFR,
    SVR,
    ISR,
    TMR,
    IRR,
    ESR,
    LVT,
    ICR,
    ICR2,
    INITIAL_COUNT,
    CURRENT_COUNT,
    DIVIDE,
    SELF_IPI
};

#define LVT_BASIC (LVT_VECTOR | LVT_MASKED)
#define LVT_MODES (LVT_BASIC | LVT_MODE)
#define LVT_PINS  (LVT_MODES | LVT_POLARITY | LVT_REMOTE_IRR | LVT_LEVEL)

#define EIGHT(kind)                                                          \
    {kind, XR | MR, 0, 0}, {kind, XR | MR, 1, 0}, {kind, XR | MR, 2, 0},     \
        {kind, XR | MR, 3, 0}, {kind, XR | MR, 4, 0}, {kind, XR | MR, 5, 0}, \
        {kind, XR | MR, 6, 0},                                               \
    {                                                                        \
        kind, XR | MR, 7, 0                                                  \
    }

static const struct apic_register {
    uint8_t kind;
    uint8_t access;
    uint8_t index;     /* which of its kind */
    uint32_t writable; /* bits; others are reserved */
} registers[REGISTER_COUNT] = {
    [0x02] = {ID, XR | MR, 0, 0},
    [0x03] = {VERSION, XR | MR, 0, 0},
    [0x08] = {TPR, XRW | MRW, 0, 0xff},
    [0x09] = {ZERO, XR, 0, 0},
    [0x0a] = {PPR, XR | MR, 0, 0},
    [0x0b] = {EOI, XW | MW, 0, 0},
    [0x0c] = {ZERO, XR, 0, 0},
    [0x0d] = {LDR, XRW | MR, 0, 0xff000000},
    [0x0e] = {DFR, XRW, 0, 0xf0000000},
    [0x0f] = {SVR, XRW | MRW, 0, SVR_VECTOR | SVR_ENABLE | SVR_SUPPRESS_EOI},
    [0x10] = EIGHT(ISR),
    [0x18] = EIGHT(TMR),
    [0x20] = EIGHT(IRR),
    [0x28] = {ESR, XRW | MRW, 0, 0},
    [0x2f] = {LVT, XRW | MRW, LVT_CMCI, LVT_MODES},
    [0x30] = {ICR, XRW | MRW, 0, ICR_WRITABLE},
    [0x31] = {ICR2, XRW, 0, ICR2_WRITABLE},
    [0x32] = {LVT, XRW | MRW, LVT_TIMER, LVT_BASIC | LVT_TIMER_MODE},
    [0x33] = {LVT, XRW | MRW, LVT_THERMAL, LVT_MODES},
    [0x34] = {LVT, XRW | MRW, LVT_PMC, LVT_MODES},
    [0x35] = {LVT, XRW | MRW, LVT_LINT0, LVT_PINS},
    [0x36] = {LVT, XRW | MRW, LVT_LINT1, LVT_PINS},
    [0x37] = {LVT, XRW | MRW, LVT_ERROR, LVT_BASIC},
    [0x38] = {INITIAL_COUNT, XRW | MRW, 0, 0xffffffff},
    [0x39] = {CURRENT_COUNT, XR | MR, 0, 0},
    [0x3e] = {DIVIDE, XRW | MRW, 0, 0xb},
    [0x3f] = {SELF_IPI, MW, 0, 0xff},
};

/* Delivery status: read-only, idle in the page; of an MSR it is not reserved,
 * for guests that were written for the page set it. */
#define ICR_STATUS UINT32_C(0x1000)

/* What a write comes to once the lock is free. */
struct effect {
    int eoi; /* broadcast of this vector, or NO_VECTOR */
    bool sends, wide;
    uint64_t icr;
};

static uint32_t part_of(const struct vectors *set, unsigned index)
{
    return (uint32_t)(set->words[index / 2] >> index % 2 * 32);
}

static uint64_t read_id(const struct lapic *lapic)
{
    return lapic_is_x2apic(lapic) ? lapic->id : lapic->id << 24;
}

static uint64_t read_icr(const struct lapic *lapic)
{
    return lapic_is_x2apic(lapic) ? lapic->icr : (uint32_t)lapic->icr;
}

/* With what the processor has of it. */
static struct lapic *fetched(struct lapic *lapic)
{
    lapic_fetch(lapic);
    return lapic;
}

static uint64_t read_register(struct lapic *lapic,
                              const struct apic_register *reg)
{
    switch ((enum kind)reg->kind) {
    case ID: return read_id(lapic);
    case VERSION: return APIC_VERSION;
    case TPR: return fetched(lapic)->tpr;
    case PPR: return lapic_ppr(fetched(lapic));
    case LDR: return lapic_ldr(lapic);
    case DFR: return lapic->dfr;
    case SVR: return lapic->svr;
    case ISR: return part_of(&fetched(lapic)->isr, reg->index);
    case TMR: return part_of(&lapic->tmr, reg->index);
    case IRR: return part_of(&fetched(lapic)->irr, reg->index);
    case ESR: return lapic->esr;
    case LVT: return lapic->lvt[reg->index];
    case ICR: return read_icr(fetched(lapic));
    case ICR2: return fetched(lapic)->icr >> 32 << ICR_HIGH_BYTE;
    case INITIAL_COUNT: return lapic->initial_count;
    case CURRENT_COUNT: return lapic_timer_count(lapic);
    case DIVIDE: return lapic->divide;
    case NONE:
    case ZERO:
    case EOI:
    case SELF_IPI: break;
    }
    return 0;
}

/* 11.4.7.2: of a disabled APIC, all entries are masked and stay so. */
static void write_svr(struct lapic *lapic, uint32_t value)
{
    if ((lapic->svr ^ value) & SVR_ENABLE)
        lapic_take_back(lapic);
    lapic->svr = value;
    if (value & SVR_ENABLE)
        return;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        lapic->lvt[i] |= LVT_MASKED;
}

static void write_lvt(struct lapic *lapic, unsigned index, uint32_t value)
{
    uint32_t old = lapic->lvt[index];

    value = (value & ~LVT_REMOTE_IRR) | (old & LVT_REMOTE_IRR);
    if ((lapic->svr & SVR_ENABLE) == 0)
        value |= LVT_MASKED;
    lapic->lvt[index] = value;
    if (index == LVT_TIMER)
        lapic_timer_set_mode(lapic, old);
    if (index == LVT_LINT0 || index == LVT_LINT1)
        lapic_check_lint(lapic, index - LVT_LINT0);
}

static void write_icr(struct lapic *lapic, uint64_t value,
                      struct effect *effect)
{
    bool wide = lapic_is_x2apic(lapic);

    value &= ~(uint64_t)ICR_STATUS;
    lapic_take_back(lapic);
    lapic->icr = wide ? value : (lapic->icr >> 32 << 32) | (uint32_t)value;
    *effect = (struct effect){NO_VECTOR, true, wide, lapic->icr};
}

/* Shorthand "self", fixed. */
#define ICR_TO_SELF UINT64_C(0x40000)

/* `value` has no reserved bits. */
static void write_register(struct lapic *lapic, const struct apic_register *reg,
                           uint64_t value, struct effect *effect)
{
    uint32_t low = (uint32_t)value;

    switch ((enum kind)reg->kind) {
    case TPR:
        lapic_take_back(lapic);
        lapic->tpr = low;
        break;
    case EOI: effect->eoi = lapic_end_of_interrupt(lapic); break;
    case LDR: lapic->ldr = low; break;
    case DFR: lapic->dfr = low | ~reg->writable; break;
    case SVR: write_svr(lapic, low); break;
    case ESR:
        lapic->esr = lapic->errors;
        lapic->errors = 0;
        break;
    case LVT: write_lvt(lapic, reg->index, low); break;
    case ICR: write_icr(lapic, value, effect); break;
    case ICR2:
        lapic_take_back(lapic);
        lapic->icr = value >> ICR_HIGH_BYTE << 32 | (uint32_t)lapic->icr;
        break;
    case INITIAL_COUNT: lapic_timer_start(lapic, low); break;
    case DIVIDE: lapic_timer_set_divide(lapic, low); break;
    case SELF_IPI:
        *effect = (struct effect){NO_VECTOR, true, true, ICR_TO_SELF | low};
        break;
    case NONE:
    case ID:
    case VERSION:
    case ZERO:
    case PPR:
    case ISR:
    case TMR:
    case IRR:
    case CURRENT_COUNT: break;
    }
}

/* The page that a processor shows ------------------------------------------*/

/* Not those whose value is not kept. What is written to EOI does not stay. */
static bool is_shown(const struct apic_register *reg)
{
    switch ((enum kind)reg->kind) {
    case NONE:
    case ZERO:
    case PPR:
    case CURRENT_COUNT:
    case SELF_IPI: return false;
    default: return true;
    }
}

bool lapic_shows_msr(uint32_t msr)
{
    uint32_t number = msr - MSR_X2APIC;

    return number < REGISTER_COUNT && is_shown(&registers[number]) &&
           (registers[number].access & MR) != 0;
}

/* The guest may be reading it. */
static void show_word(struct lapic *lapic, unsigned number, unsigned word,
                      uint32_t value)
{
    uint32_t *at = lapic->processor->page +
                   ((number << REGISTER_SHIFT) / sizeof(*at)) + word;

    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

void lapic_show_vectors(struct lapic *lapic, unsigned first,
                        const struct vectors *set)
{
    if (lapic->processor == NULL)
        return;
    for (unsigned i = 0; i < 2 * VECTOR_WORDS; i++)
        show_word(lapic, first + i, 0, part_of(set, i));
}

/* The page has registers of 32 bits; ICR has 64 as an MSR. */
void lapic_show(struct lapic *lapic, unsigned number)
{
    const struct apic_register *reg = &registers[number];
    uint64_t value;

    if (lapic->processor == NULL || !is_shown(reg))
        return;
    value = read_register(lapic, reg);
    show_word(lapic, number, 0, (uint32_t)value);
    if (reg->kind == ICR)
        show_word(lapic, number, 1, (uint32_t)(value >> 32));
}

void lapic_show_all(struct lapic *lapic)
{
    if (lapic->processor == NULL)
        return;
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        lapic_show(lapic, i);
}

/* What a write may have changed. The processor may have put the written value
 * there, whatever the register takes of it. */
static void show_written(struct lapic *lapic, const struct apic_register *reg)
{
    unsigned written = (unsigned)(reg - registers);

    if (lapic->processor == NULL)
        return;
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        if (i == written || registers[i].kind == LVT ||
            registers[i].kind == INITIAL_COUNT)
            lapic_show(lapic, i);
    }
}

static void carry_out(struct lapic *lapic, const struct effect *effect)
{
    if (effect->eoi != NO_VECTOR)
        lapics_broadcast_eoi(lapic->all, (uint8_t)effect->eoi);
    if (effect->sends)
        lapics_send_ipi(lapic, effect->icr, effect->wide);
}

/* The page --------------------------------------------------------------*/

/* Mode xAPIC: the page is there. */
static bool has_page(const struct lapic *lapic)
{
    return (lapic->base & BASE_EN) != 0 && !lapic_is_x2apic(lapic);
}

static const struct apic_register *register_at(uint64_t offset)
{
    uint64_t number = offset >> REGISTER_SHIFT;

    /* The first one does not exist. */
    return &registers[number < REGISTER_COUNT ? number : 0];
}

static void report_illegal_register(struct lapic *lapic)
{
    lapic_error(lapic, ESR_ILLEGAL_REGISTER);
    lapic_update(lapic);
}

uint64_t lapic_read(struct lapic *lapic, uint64_t offset, unsigned width)
{
    const struct apic_register *reg = register_at(offset);
    unsigned byte = offset % (1 << REGISTER_SHIFT);
    uint64_t value = 0;

    spin_lock(&lapic->lock);
    if (!has_page(lapic))
        value = UINT64_MAX;
    else if ((reg->access & (XR | XW)) == 0)
        report_illegal_register(lapic);
    else if (byte < sizeof(uint32_t))
        value = (uint32_t)read_register(lapic, reg) >> byte * 8;
    spin_unlock(&lapic->lock);
    return zero_extend(value, width * 8);
}

void lapic_write(struct lapic *lapic, uint64_t offset, unsigned width,
                 uint64_t value)
{
    const struct apic_register *reg = register_at(offset);
    struct effect effect = {.eoi = NO_VECTOR};

    if (width != sizeof(uint32_t) || !is_aligned(offset, 1 << REGISTER_SHIFT))
        return;
    spin_lock(&lapic->lock);
    if (has_page(lapic)) {
        if ((reg->access & (XR | XW)) == 0)
            report_illegal_register(lapic);
        else if (reg->access & XW)
            write_register(lapic, reg, value & reg->writable, &effect);
        show_written(lapic, reg);
        lapic_update(lapic);
    }
    spin_unlock(&lapic->lock);
    carry_out(lapic, &effect);
}

/* The MSRs --------------------------------------------------------------*/

/* Table 11-5: from xAPIC mode to x2APIC mode, from both to off, and from off
 * to xAPIC mode only. */
static bool is_legal_base(const struct lapic *lapic, uint64_t value)
{
    uint64_t known = APIC_PAGE | BASE_BSP | BASE_EXTD | BASE_EN;
    bool enables = (value & BASE_EN) != 0;
    bool extends = (value & BASE_EXTD) != 0;

    if ((value & ~known) != 0 || (value & APIC_PAGE) != APIC_PAGE)
        return false;
    if (extends)
        return enables && (lapic->base & BASE_EN) != 0;
    return !(enables && lapic_is_x2apic(lapic));
}

/* 11.12.5.1: a change to x2APIC mode keeps all but the ICR's destination; one
 * that is off has lost everything. */
static err_t write_base(struct lapic *lapic, uint64_t value)
{
    uint64_t changed = lapic->base ^ value;

    if (!is_legal_base(lapic, value))
        return ERR_OUT_OF_RANGE;
    lapic_take_back(lapic);
    lapic->base = value;
    if (changed & BASE_EN)
        lapic_clear(lapic);
    if (changed & BASE_EXTD)
        lapic->icr = (uint32_t)lapic->icr;
    lapic_show_all(lapic);
    return OK;
}

/* The register that an MSR is with that access, or NULL. */
static const struct apic_register *register_of_msr(const struct lapic *lapic,
                                                   uint32_t msr, uint8_t access)
{
    uint32_t number = msr - MSR_X2APIC;

    if (!lapic_is_x2apic(lapic) || number >= REGISTER_COUNT ||
        (registers[number].access & access) == 0)
        return NULL;
    return &registers[number];
}

static err_t read_x2apic(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
    const struct apic_register *reg = register_of_msr(lapic, msr, MR);

    if (reg == NULL)
        return ERR_OUT_OF_RANGE;
    *value = read_register(lapic, reg);
    return OK;
}

/* The ICR's upper half is its destination. */
static err_t write_x2apic(struct lapic *lapic, uint32_t msr, uint64_t value,
                          struct effect *effect)
{
    const struct apic_register *reg = register_of_msr(lapic, msr, MW);
    uint64_t allowed;

    if (reg == NULL)
        return ERR_OUT_OF_RANGE;
    allowed = reg->writable;
    if (reg->kind == ICR)
        allowed |= ICR_STATUS | BIT_MASK(63, 32);
    if ((value & ~allowed) != 0)
        return ERR_OUT_OF_RANGE;
    write_register(lapic, reg, value, effect);
    show_written(lapic, reg);
    return OK;
}

err_t lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
    err_t error = OK;

    spin_lock(&lapic->lock);
    switch (msr) {
    case MSR_APIC_BASE: *value = lapic->base; break;
    case MSR_TSC_DEADLINE: *value = lapic->tsc_deadline; break;
    default: error = read_x2apic(lapic, msr, value); break;
    }
    spin_unlock(&lapic->lock);
    return error;
}

err_t lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value)
{
    struct effect effect = {.eoi = NO_VECTOR};
    err_t error = OK;

    spin_lock(&lapic->lock);
    switch (msr) {
    case MSR_APIC_BASE: error = write_base(lapic, value); break;
    case MSR_TSC_DEADLINE: lapic_timer_set_deadline(lapic, value); break;
    default: error = write_x2apic(lapic, msr, value, &effect); break;
    }
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
    carry_out(lapic, &effect);
    return error;
}
