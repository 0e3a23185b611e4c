/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local APIC, as Intel's SDM volume 3A, chapter "Advanced Programmable
 * Interrupt Controller (APIC)", has it: what interrupts do in it.
 *
 * A fixed interrupt is requested (IRR), accepted by the vCPU when its class is
 * over the processor's priority (ISR), and ended (EOI). The processor's
 * priority is the higher of the task's and that of what is in service.
 *
 * SMIs are accepted and come to nothing: a guest has no SMM. Bus arbitration,
 * remote reads and focus processors are of processors long gone, and absent.
 */
#include "device/pc/lapic_impl.h"
#include "lib/string.h"

static void vectors_put(struct vectors *set, uint8_t vector, bool member)
{
    uint64_t bit = BIT(vector % 64);

    if (member)
        set->words[vector / 64] |= bit;
    else
        set->words[vector / 64] &= ~bit;
}

int vectors_highest(const struct vectors *set)
{
    for (int word = VECTOR_WORDS - 1; word >= 0; word--) {
        if (set->words[word] != 0)
            return word * 64 + (int)bit_highest(set->words[word]);
    }
    return NO_VECTOR;
}

static bool is_software_enabled(const struct lapic *lapic)
{
    return (lapic->svr & SVR_ENABLE) != 0;
}

/* 11.8.3.1: of equal classes, the task's priority with its subclass. */
uint8_t lapic_ppr(const struct lapic *lapic)
{
    int vector = vectors_highest(&lapic->isr);
    uint32_t served = vector != NO_VECTOR ? (uint32_t)vector & VECTOR_CLASS : 0;

    return (uint8_t)((lapic->tpr & VECTOR_CLASS) >= served ? lapic->tpr
                                                           : served);
}

/* The highest request over the processor's priority, or NO_VECTOR. */
static int deliverable(const struct lapic *lapic)
{
    int vector = vectors_highest(&lapic->irr);

    if (unlikely(lapic_is_delivered(lapic))) {
        int posted = vectors_highest(&lapic->posted);

        vector = posted > vector ? posted : vector;
    }
    if (vector == NO_VECTOR ||
        (vector & VECTOR_CLASS) <= (lapic_ppr(lapic) & VECTOR_CLASS))
        return NO_VECTOR;
    return vector;
}

static enum apic_mode lvt_mode(uint32_t entry)
{
    return (enum apic_mode)FIELD_GET(LVT_MODE, entry);
}

/* The pin's level, in the sense that its entry says. */
static bool is_asserted(const struct lapic *lapic, unsigned pin)
{
    bool is_low_active = (lapic->lvt[LVT_LINT0 + pin] & LVT_POLARITY) != 0;

    return lapic->lint[pin] != is_low_active;
}

/* LINT0 lets the 8259 through: 11.4.3, a disabled APIC is not there, and the
 * pin is INTR. */
static bool wants_extint(const struct lapic *lapic)
{
    uint32_t entry = lapic->lvt[LVT_LINT0];

    if ((lapic->base & BASE_EN) == 0)
        return lapic->lint[0];
    return is_asserted(lapic, 0) && (entry & LVT_MASKED) == 0 &&
           lvt_mode(entry) == APIC_EXTINT;
}

void lapic_update(struct lapic *lapic)
{
    uint32_t before =
        atomic_load_explicit(&lapic->attention, memory_order_relaxed);
    uint32_t now = lapic->latched;

    if (deliverable(lapic) != NO_VECTOR)
        now |=
            lapic_is_delivered(lapic) ? LAPIC_LENT_INTERRUPT : LAPIC_INTERRUPT;
    if (lapic->processor != NULL && !lapic->is_told)
        now |= LAPIC_NEWS;
    if (wants_extint(lapic))
        now |= LAPIC_EXTINT;
    if (now == before)
        return;
    atomic_store(&lapic->attention, now);
    if ((now & ~before) != 0) {
        /* A vCPU that is not there has nobody to tell. */
        err_t ignored = vmm_wake_vcpu(lapic->all->vm, lapic->id);
        (void)ignored;
    }
}

/* 11.5.3: the interrupt comes once until ESR is written. */
void lapic_error(struct lapic *lapic, uint32_t error)
{
    bool is_armed = lapic->errors == 0;

    lapic->errors |= error;
    if (is_armed)
        lapic_raise_local(lapic, LVT_ERROR);
}

/* What is in service and requested, unless the processor has it. */
static void show_all_vectors(struct lapic *lapic)
{
    lapic_show_vectors(lapic, REG_TMR, &lapic->tmr);
    if (lapic_is_delivered(lapic))
        return;
    lapic_show_vectors(lapic, REG_ISR, &lapic->isr);
    lapic_show_vectors(lapic, REG_IRR, &lapic->irr);
}

/* False: nobody hears it. */
static bool request(struct lapic *lapic, uint8_t vector, bool level)
{
    if (!is_software_enabled(lapic))
        return false;
    if (vector < FIRST_VECTOR) {
        lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
        return false;
    }
    vectors_put(lapic_is_delivered(lapic) ? &lapic->posted : &lapic->irr,
                vector, true);
    vectors_put(&lapic->tmr, vector, level);
    if (lapic->processor != NULL) {
        lapic->is_told = false;
        show_all_vectors(lapic);
    }
    return true;
}

/* INIT forgets a SIPI that came before, and lets one come after. */
static void latch_init(struct lapic *lapic)
{
    lapic->latched &= ~(uint32_t)LAPIC_SIPI;
    lapic->latched |= LAPIC_INIT;
}

static void latch_sipi(struct lapic *lapic, uint8_t vector)
{
    bool init_comes_first = (lapic->latched & LAPIC_INIT) != 0;

    if (init_comes_first ? (lapic->base & BASE_BSP) != 0 : !lapic->waits)
        return;
    if (lapic->latched & LAPIC_SIPI)
        return;
    lapic->latched |= LAPIC_SIPI;
    lapic->sipi_vector = vector;
}

void lapic_raise_local(struct lapic *lapic, enum lvt entry)
{
    uint32_t lvt = lapic->lvt[entry];

    if (lvt & LVT_MASKED)
        return;
    switch (lvt_mode(lvt)) {
    case APIC_FIXED: (void)request(lapic, (uint8_t)lvt, false); break;
    case APIC_NMI: lapic->latched |= LAPIC_NMI; break;
    case APIC_INIT: latch_init(lapic); break;
    case APIC_EXTINT: /* as long as LINT0 is asserted: lapic_update() */
    case APIC_SMI:
    case APIC_LOWEST_PRIORITY:
    case APIC_RESERVED:
    case APIC_SIPI: break;
    }
}

bool lapic_accept(struct lapic *lapic, const struct apic_message *message)
{
    bool accepted = true;

    if ((lapic->base & BASE_EN) == 0)
        return false;
    switch (message->mode) {
    case APIC_FIXED:
    case APIC_LOWEST_PRIORITY:
        accepted = request(lapic, message->vector, message->level);
        break;
    case APIC_NMI: lapic->latched |= LAPIC_NMI; break;
    case APIC_INIT: latch_init(lapic); break;
    case APIC_SIPI: latch_sipi(lapic, message->vector); break;
    case APIC_EXTINT: lapic->latched |= LAPIC_EXTINT; break;
    case APIC_SMI:
    case APIC_RESERVED: accepted = false; break;
    }
    lapic_update(lapic);
    return accepted;
}

/* 11.5.1: LINT0 alone knows levels, for fixed interrupts. */
static bool is_level(const struct lapic *lapic, unsigned pin)
{
    uint32_t entry = lapic->lvt[LVT_LINT0 + pin];

    return pin == 0 && (entry & LVT_LEVEL) && lvt_mode(entry) == APIC_FIXED;
}

void lapic_check_lint(struct lapic *lapic, unsigned pin)
{
    uint32_t *entry = &lapic->lvt[LVT_LINT0 + pin];

    if (!is_level(lapic, pin)) {
        *entry &= ~LVT_REMOTE_IRR;
        return;
    }
    if (!is_asserted(lapic, pin) || (*entry & (LVT_MASKED | LVT_REMOTE_IRR)))
        return;
    if (request(lapic, (uint8_t)*entry, true))
        *entry |= LVT_REMOTE_IRR;
    lapic_show(lapic, REG_LVT0);
}

/* 11.4.3: of a disabled APIC, LINT1 is NMI. */
void lapic_set_lint(struct lapic *lapic, unsigned pin, bool high)
{
    bool was_asserted = is_asserted(lapic, pin);

    lapic->lint[pin] = high;
    if (is_asserted(lapic, pin) && !was_asserted) {
        if ((lapic->base & BASE_EN) == 0)
            lapic->latched |= pin == 1 ? LAPIC_NMI : 0;
        else if (is_level(lapic, pin))
            lapic_check_lint(lapic, pin);
        else
            lapic_raise_local(lapic, (enum lvt)(LVT_LINT0 + pin));
    }
    lapic_update(lapic);
}

static void end_lint0(struct lapic *lapic, uint8_t vector)
{
    uint32_t *entry = &lapic->lvt[LVT_LINT0];

    if ((*entry & LVT_REMOTE_IRR) && (uint8_t)*entry == vector) {
        *entry &= ~LVT_REMOTE_IRR;
        lapic_check_lint(lapic, 0);
        lapic_show(lapic, REG_LVT0);
    }
}

int lapic_end_vector(struct lapic *lapic, uint8_t vector)
{
    bool level = vectors_has(&lapic->tmr, vector);

    if (level)
        end_lint0(lapic, vector);
    return level && (lapic->svr & SVR_SUPPRESS_EOI) == 0 ? vector : NO_VECTOR;
}

int lapic_end_of_interrupt(struct lapic *lapic)
{
    int vector;

    lapic_take_back(lapic);
    vector = vectors_highest(&lapic->isr);
    if (vector == NO_VECTOR)
        return NO_VECTOR;
    vectors_put(&lapic->isr, (uint8_t)vector, false);
    show_all_vectors(lapic);
    return lapic_end_vector(lapic, (uint8_t)vector);
}

uint32_t lapic_ldr(const struct lapic *lapic)
{
    if (!lapic_is_x2apic(lapic))
        return lapic->ldr;
    return lapic->id / 16 << 16 | 1U << lapic->id % 16;
}

/* 11.6.2.2: models "flat" and "cluster"; others match nobody. */
static bool matches_logical(const struct lapic *lapic, uint32_t destination)
{
    uint32_t ldr = lapic_ldr(lapic);

    if (lapic_is_x2apic(lapic))
        return destination >> 16 == ldr >> 16 &&
               (destination & ldr & 0xffff) != 0;
    ldr >>= 24;
    switch (lapic->dfr >> 28) {
    case 0xf: return (destination & ldr) != 0;
    case 0x0:
        return (destination & VECTOR_CLASS) == (ldr & VECTOR_CLASS) &&
               (destination & ldr & 0xf) != 0;
    default: return false;
    }
}

bool lapic_matches(const struct lapic *lapic,
                   const struct apic_message *message)
{
    uint32_t everybody = message->wide ? UINT32_MAX : UINT8_MAX;

    if (message->destination == everybody)
        return true;
    /* Nobody in xAPIC mode has a destination of more than 8 bits. */
    if (!lapic_is_x2apic(lapic) && message->destination > UINT8_MAX)
        return false;
    return message->logical ? matches_logical(lapic, message->destination)
                            : message->destination == lapic->id;
}

/* 11.4.7.1 and 11.4.7.3: all but IA32_APIC_BASE, and what is outside. */
void lapic_clear(struct lapic *lapic)
{
    lapic_timer_stop(lapic);
    lapic->is_lent = lapic->is_told = false;
    memset(&lapic->posted, 0, sizeof(lapic->posted));
    memset(&lapic->irr, 0, sizeof(lapic->irr));
    memset(&lapic->isr, 0, sizeof(lapic->isr));
    memset(&lapic->tmr, 0, sizeof(lapic->tmr));
    lapic->tpr = 0;
    lapic->ldr = 0;
    lapic->dfr = DFR_FLAT;
    lapic->svr = SVR_VECTOR;
    lapic->esr = 0;
    lapic->errors = 0;
    lapic->icr = 0;
    lapic->initial_count = 0;
    lapic->divide = 0;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        lapic->lvt[i] = LVT_MASKED;
    lapic_show_all(lapic);
}

/* As firmware leaves it: MP specification 1.4, 3.6.2.2, the 8259 is wired
 * through the boot processor's local APIC. */
static void set_virtual_wire(struct lapic *lapic)
{
    lapic->svr |= SVR_ENABLE;
    lapic->lvt[LVT_LINT0] = (uint32_t)FIELD_PUT(LVT_MODE, APIC_EXTINT);
    lapic->lvt[LVT_LINT1] = (uint32_t)FIELD_PUT(LVT_MODE, APIC_NMI);
}

void lapic_power_on(struct lapic *lapic)
{
    bool bsp = lapic->id == 0;

    lapic->base = APIC_PAGE | BASE_EN | (bsp ? BASE_BSP : 0);
    lapic->latched = 0;
    lapic->waits = !bsp;
    lapic->tsc_offset = 0;
    lapic_clear(lapic);
    if (bsp && lapic->all->virtual_wire)
        set_virtual_wire(lapic);
    lapic_show_all(lapic);
    lapic_update(lapic);
}

/* For the core of the vCPU --------------------------------------------------*/

uint32_t lapic_attention(struct lapic *lapic)
{
    return atomic_load(&lapic->attention);
}

bool lapic_peek(struct lapic *lapic, uint8_t *vector)
{
    int found;

    spin_lock(&lapic->lock);
    found = deliverable(lapic);
    spin_unlock(&lapic->lock);
    *vector = (uint8_t)found;
    return found != NO_VECTOR;
}

/* Takes one of the latched events. */
static bool take(struct lapic *lapic, uint32_t event)
{
    bool found = (lapic->latched & event) != 0;

    lapic->latched &= ~event;
    if (found)
        lapic_update(lapic);
    return found;
}

/* SDM 11.9: the spurious vector does not get into service. What the processor
 * delivers is not to be had here. */
static uint8_t accept_highest(struct lapic *lapic)
{
    int vector = lapic_is_delivered(lapic) ? NO_VECTOR : deliverable(lapic);

    if (vector == NO_VECTOR)
        return (uint8_t)(lapic->svr & SVR_VECTOR);
    vectors_put(&lapic->irr, (uint8_t)vector, false);
    vectors_put(&lapic->isr, (uint8_t)vector, true);
    show_all_vectors(lapic);
    lapic->is_told = false;
    lapic_update(lapic);
    return (uint8_t)vector;
}

uint8_t lapic_acknowledge(struct lapic *lapic)
{
    const struct pc_pic *pic = &lapic->all->pic;
    uint8_t vector = 0;
    bool from_pic;

    spin_lock(&lapic->lock);
    from_pic =
        (take(lapic, LAPIC_EXTINT) || wants_extint(lapic)) && pic->chip != NULL;
    if (!from_pic)
        vector = accept_highest(lapic);
    spin_unlock(&lapic->lock);
    return from_pic ? pic->acknowledge(pic->chip) : vector;
}

bool lapic_take_nmi(struct lapic *lapic)
{
    bool found;

    spin_lock(&lapic->lock);
    found = take(lapic, LAPIC_NMI);
    spin_unlock(&lapic->lock);
    return found;
}

/* A SIPI that has come since stays, an NMI that came before does not. */
bool lapic_take_init(struct lapic *lapic, bool *bsp)
{
    bool found;

    spin_lock(&lapic->lock);
    found = take(lapic, LAPIC_INIT);
    *bsp = (lapic->base & BASE_BSP) != 0;
    if (found) {
        lapic->latched &= LAPIC_SIPI;
        lapic->waits = !*bsp;
        lapic_clear(lapic);
        lapic_update(lapic);
    }
    spin_unlock(&lapic->lock);
    return found;
}

bool lapic_take_sipi(struct lapic *lapic, uint8_t *vector)
{
    bool found;

    spin_lock(&lapic->lock);
    found = (lapic->latched & LAPIC_INIT) == 0 && take(lapic, LAPIC_SIPI);
    if (found)
        lapic->waits = false;
    *vector = lapic->sipi_vector;
    spin_unlock(&lapic->lock);
    return found;
}

void lapic_send_nmi(struct lapic *lapic)
{
    spin_lock(&lapic->lock);
    lapic->latched |= LAPIC_NMI;
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
}

uint8_t lapic_cr8(struct lapic *lapic)
{
    uint8_t tpr;

    spin_lock(&lapic->lock);
    lapic_fetch(lapic);
    tpr = (uint8_t)lapic->tpr;
    spin_unlock(&lapic->lock);
    return tpr >> 4;
}

void lapic_set_cr8(struct lapic *lapic, uint8_t value)
{
    spin_lock(&lapic->lock);
    lapic_take_back(lapic);
    lapic->tpr = (uint32_t)(value & 0xf) << 4;
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
}

bool lapic_is_enabled(struct lapic *lapic)
{
    bool enabled;

    spin_lock(&lapic->lock);
    enabled = (lapic->base & BASE_EN) != 0;
    spin_unlock(&lapic->lock);
    return enabled;
}
