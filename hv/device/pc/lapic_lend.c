/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a processor has of a local APIC while the guest is in: see struct
 * lapic_processor. Intel's SDM volume 3C, chapter "APIC Virtualization and
 * Virtual Interrupts".
 *
 * Two flags say whose the registers are:
 *   is_lent  the processor's: they are fetched before anybody decides by them,
 *            and taken back to be changed
 *   is_told  the processor has heard of all that it must know; else there is
 *            LAPIC_NEWS, and the vCPU lends before it enters its guest
 * To take back leaves no news behind that the processor does not hear of.
 *
 * A request that comes while IRR is the processor's is `posted`: who accepts
 * it may be on another CPU than the guest that has IRR.
 */
#include "device/pc/lapic_impl.h"
#include "lib/string.h"

_Static_assert(sizeof(struct vectors) ==
                   sizeof(((struct lapic_held *)NULL)->requested),
               "sets of vectors");

static void copy_set(struct vectors *to, const uint64_t *from)
{
    memcpy(to->words, from, sizeof(to->words));
}

/* One that software has disabled accepts no interrupts: processors do not know
 * of that. */
static enum lapic_mode mode_of(const struct lapic *lapic)
{
    if ((lapic->base & BASE_EN) == 0 || (lapic->svr & SVR_ENABLE) == 0)
        return LAPIC_OFF;
    return lapic_is_x2apic(lapic) ? LAPIC_X2APIC : LAPIC_XAPIC;
}

void lapic_fetch(struct lapic *lapic)
{
    struct lapic_held held;

    if (!lapic->is_lent)
        return;
    lapic->processor->fetch(lapic->processor, &held);
    /* The threshold follows from it. */
    if (held.tpr != lapic->tpr && !lapic->processor->delivers)
        lapic->is_told = false;
    lapic->tpr = held.tpr;
    if (mode_of(lapic) == LAPIC_XAPIC)
        lapic->icr = (uint64_t)FIELD_GET(ICR2_WRITABLE, held.icr_high) << 32 |
                     (held.icr_low & ICR_WRITABLE);
    if (lapic->processor->delivers) {
        copy_set(&lapic->irr, held.requested);
        copy_set(&lapic->isr, held.served);
    }
}

/* Without a processor that delivers, `posted` is empty. */
static void accept_posted(struct lapic *lapic)
{
    for (unsigned i = 0; i < VECTOR_WORDS; i++)
        lapic->irr.words[i] |= lapic->posted.words[i];
    memset(&lapic->posted, 0, sizeof(lapic->posted));
}

void lapic_take_back(struct lapic *lapic)
{
    if (lapic->processor == NULL)
        return;
    lapic_fetch(lapic);
    accept_posted(lapic);
    lapic->is_lent = lapic->is_told = false;
}

void lapic_attach(struct lapic *lapic, const struct lapic_processor *processor)
{
    spin_lock(&lapic->lock);
    lapic->processor = processor;
    lapic_show_all(lapic);
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
}

void lapic_refresh(struct lapic *lapic)
{
    spin_lock(&lapic->lock);
    if (lapic->is_lent) {
        lapic_fetch(lapic);
        lapic_update(lapic);
    }
    spin_unlock(&lapic->lock);
}

static uint8_t highest_or_0(const struct vectors *set)
{
    int vector = vectors_highest(set);

    return vector != NO_VECTOR ? (uint8_t)vector : 0;
}

/* Of a request that the task's priority alone holds back. */
static uint8_t threshold_of(const struct lapic *lapic)
{
    unsigned requested = highest_or_0(&lapic->irr) & VECTOR_CLASS;
    unsigned served = highest_or_0(&lapic->isr) & VECTOR_CLASS;

    if (requested <= served || requested > (lapic->tpr & VECTOR_CLASS))
        return 0;
    return (uint8_t)(requested >> 4);
}

void lapic_lend(struct lapic *lapic, struct lapic_lent *lent)
{
    spin_lock(&lapic->lock);
    lapic_take_back(lapic);
    *lent = (struct lapic_lent){
        .mode = mode_of(lapic),
        .requested = highest_or_0(&lapic->irr),
        .served = highest_or_0(&lapic->isr),
        .threshold = threshold_of(lapic),
    };
    memcpy(lent->level, lapic->tmr.words, sizeof(lent->level));
    lapic_show(lapic, REG_TPR);
    lapic_show_vectors(lapic, REG_ISR, &lapic->isr);
    lapic_show_vectors(lapic, REG_IRR, &lapic->irr);
    lapic->is_lent = lent->mode != LAPIC_OFF;
    lapic->is_told = true;
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
}

void lapic_end_level(struct lapic *lapic, uint8_t vector)
{
    int broadcast;

    spin_lock(&lapic->lock);
    lapic_fetch(lapic);
    broadcast = lapic_end_vector(lapic, vector);
    lapic_update(lapic);
    spin_unlock(&lapic->lock);
    if (broadcast != NO_VECTOR)
        lapics_broadcast_eoi(lapic->all, (uint8_t)broadcast);
}
