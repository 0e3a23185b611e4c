/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is interrupted by. One event goes with an entry; in the order of
 * their priorities (APM volume 2, section 8.5) these are: what an exit has cut
 * short, an exception, an NMI, an interrupt. Whatever the guest does not take
 * yet asks for an exit, a "window", when it will.
 *
 * Interrupts come from the local APIC (device/pc/lapic.h), which is asked at
 * the moment of delivery, so that priorities are right; those of `injected`
 * come before. A processor that delivers those of the local APIC by itself
 * (LAPIC_LENT_INTERRUPT) is told of them, and no window is asked for.
 */
#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"
#include "lib/bits.h"

/* Exceptions by what they make of a second one: APM volume 2, section 8.2.9;
 * SDM volume 3, tables 6-4 and 6-5. */
enum kind { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT, KINDS };

static enum kind kind_of(uint8_t vector)
{
    switch (vector) {
    case X86_VECTOR_DE:
    case X86_VECTOR_TS:
    case X86_VECTOR_NP:
    case X86_VECTOR_SS:
    case X86_VECTOR_GP:
    case X86_VECTOR_CP: return CONTRIBUTORY;
    case X86_VECTOR_PF: return PAGE_FAULT;
    case X86_VECTOR_DF: return DOUBLE_FAULT;
    default: return BENIGN;
    }
}

/* What comes of a second exception while the first is being delivered. Where
 * the second simply takes its place, the first comes again by itself. */
enum combination { SECOND, DOUBLE, SHUTDOWN };

static const uint8_t combinations[KINDS][KINDS] = {
    [CONTRIBUTORY] = {[CONTRIBUTORY] = DOUBLE},
    [PAGE_FAULT] = {[CONTRIBUTORY] = DOUBLE, [PAGE_FAULT] = DOUBLE},
    [DOUBLE_FAULT] = {[CONTRIBUTORY] = SHUTDOWN,
                      [PAGE_FAULT] = SHUTDOWN,
                      [DOUBLE_FAULT] = SHUTDOWN},
};

static enum combination combine(uint8_t first, uint8_t second)
{
    return combinations[kind_of(first)][kind_of(second)];
}

static void add_injected(struct x86_vcpu *v, uint8_t vector)
{
    atomic_fetch_or(&v->injected[vector / 64], BIT(vector % 64));
    vcpu_request(&v->base, VCPU_REQUEST_INTERRUPT);
}

/* Back to where it came from: it is delivered after what takes its place.
 * Exceptions come again by themselves. */
static void put_back(struct x86_vcpu *v, const struct x86_event *event)
{
    if (event->type == X86_EVENT_INTERRUPT) {
        add_injected(v, event->vector);
        return;
    }
    atomic_store(&v->nmi, true);
    vcpu_request(&v->base, VCPU_REQUEST_INTERRUPT);
}

/* Real mode has no error codes. */
static struct x86_event make_exception(const struct x86_vcpu *v, uint8_t vector,
                                       bool has_error, uint32_t error)
{
    if ((v->vendor->get(v, X86_REG_CR0) & X86_CR0_PE) == 0)
        has_error = false;
    return (struct x86_event){X86_EVENT_EXCEPTION, vector, has_error,
                              has_error ? error : 0};
}

bool x86_get_event(const struct x86_vcpu *v, struct x86_event *event)
{
    uint64_t packed = *v->event;
    uint64_t type = FIELD_GET(X86_EVENT_TYPE, packed);

    if (!x86_has_event(v))
        return false;
    *event = (struct x86_event){
        .type = type == X86_EVENT_INTERRUPT || type == X86_EVENT_NMI
                    ? (enum x86_event_type)type
                    : X86_EVENT_EXCEPTION,
        .vector = (uint8_t)FIELD_GET(X86_EVENT_VECTOR, packed),
        .has_error = (packed & X86_EVENT_HAS_ERROR) != 0,
        .error = (uint32_t)FIELD_GET(X86_EVENT_ERROR_CODE, packed),
    };
    return true;
}

void x86_set_event(struct x86_vcpu *v, const struct x86_event *event)
{
    uint64_t packed = X86_EVENT_VALID |
                      FIELD_PUT(X86_EVENT_VECTOR, event->vector) |
                      FIELD_PUT(X86_EVENT_TYPE, event->type);

    if (event->has_error)
        packed |=
            X86_EVENT_HAS_ERROR | FIELD_PUT(X86_EVENT_ERROR_CODE, event->error);
    *v->event = packed;
    v->vendor->sets_event(v, event);
}

void x86_inject_exception(struct x86_vcpu *v,
                          const struct x86_exception *exception)
{
    struct x86_event event = make_exception(
        v, exception->vector, exception->has_error, exception->error);
    struct x86_event waiting;

    if (x86_get_event(v, &waiting)) {
        if (waiting.type != X86_EVENT_EXCEPTION)
            put_back(v, &waiting);
        else if (combine(waiting.vector, event.vector) == DOUBLE)
            event = make_exception(v, X86_VECTOR_DF, true, 0);
        else if (combine(waiting.vector, event.vector) == SHUTDOWN)
            v->wait = X86_IS_DOWN;
    }
    if (exception->vector == X86_VECTOR_PF)
        v->vendor->set(v, X86_REG_CR2, exception->address);
    x86_set_event(v, &event);
}

void x86_inject_gp(struct x86_vcpu *v)
{
    x86_inject_exception(
        v, &(struct x86_exception){.vector = X86_VECTOR_GP, .has_error = true});
}

void x86_inject_ud(struct x86_vcpu *v)
{
    x86_inject_exception(v, &(struct x86_exception){.vector = X86_VECTOR_UD});
}

void x86_inject_single_step(struct x86_vcpu *v)
{
    v->vendor->set(v, X86_REG_DR6, v->vendor->get(v, X86_REG_DR6) | X86_DR6_BS);
    x86_inject_exception(v, &(struct x86_exception){.vector = X86_VECTOR_DB});
}

/* The guest's own exceptions, and those that its instructions deserve. */
bool x86_inject_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct x86_vcpu *v = to_x86(vcpu);

    switch (exit->kind) {
    case EXIT_EXCEPTION: {
        uint8_t vector = (uint8_t)exit->exception.number;

        v->vendor->take_exception(v, vector);
        x86_inject_exception(
            v, &(struct x86_exception){
                   .vector = vector,
                   .has_error = (X86_ERROR_CODE_VECTORS & BIT(vector)) != 0,
                   .error = (uint32_t)exit->exception.value});
        break;
    }
    case EXIT_SYSREG_READ:
    case EXIT_SYSREG_WRITE: x86_inject_gp(v); break;
    default: x86_inject_ud(v); break;
    }
    return true;
}

/* Delivery --------------------------------------------------------------- */

static bool find_injected(const struct x86_vcpu *v, uint8_t *vector)
{
    for (unsigned i = ARRAY_SIZE(v->injected); i-- > 0;) {
        uint64_t word = atomic_load(&v->injected[i]);

        if (word != 0) {
            *vector = (uint8_t)(i * 64 + bit_highest(word));
            return true;
        }
    }
    return false;
}

static bool has_interrupt(const struct x86_vcpu *v)
{
    uint8_t vector;

    if (v->lapic != NULL &&
        (lapic_attention(v->lapic) & (LAPIC_INTERRUPT | LAPIC_EXTINT)) != 0)
        return true;
    return find_injected(v, &vector);
}

static uint8_t take_interrupt(struct x86_vcpu *v)
{
    uint8_t vector;

    if (!find_injected(v, &vector))
        return lapic_acknowledge(v->lapic);
    atomic_fetch_and(&v->injected[vector / 64], ~BIT(vector % 64));
    return vector;
}

static void set_windows(struct x86_vcpu *v, bool interrupt, bool nmi)
{
    if (v->interrupt_window == interrupt && !v->nmi_window && !nmi)
        return;
    v->interrupt_window = interrupt;
    v->nmi_window = nmi;
    v->vendor->set_windows(v, interrupt, nmi);
}

/* Several NMIs before one is taken are one. */
static void sync_nmi(struct x86_vcpu *v)
{
    if (v->lapic != NULL && (lapic_attention(v->lapic) & LAPIC_NMI) != 0 &&
        lapic_take_nmi(v->lapic))
        atomic_store(&v->nmi, true);
    if (atomic_load(&v->nmi) && !x86_has_event(v) && v->vendor->takes_nmi(v)) {
        atomic_store(&v->nmi, false);
        x86_set_event(
            v, &(struct x86_event){X86_EVENT_NMI, X86_VECTOR_NMI, false, 0});
    }
}

static void sync_interrupt(struct x86_vcpu *v)
{
    if (has_interrupt(v) && !x86_has_event(v) && v->vendor->takes_interrupt(v))
        x86_set_event(v, &(struct x86_event){X86_EVENT_INTERRUPT,
                                             take_interrupt(v), false, 0});
}

/* A guest that halts goes on by an interrupt, too, which its processor is going
 * to deliver. */
static bool is_woken(const struct x86_vcpu *v)
{
    return v->wait == X86_HALTS && v->lapic != NULL &&
           (lapic_attention(v->lapic) & LAPIC_LENT_INTERRUPT) != 0 &&
           v->vendor->takes_interrupt(v);
}

static void lend_apic(struct x86_vcpu *v)
{
    if (v->lapic != NULL && (lapic_attention(v->lapic) & LAPIC_NEWS) != 0)
        v->vendor->lend_apic(v);
}

void x86_sync_events(struct x86_vcpu *v)
{
    if (v->lapic != NULL && v->vendor->lend_apic != NULL)
        lapic_refresh(v->lapic);
    if (v->lapic != NULL &&
        (lapic_attention(v->lapic) & (LAPIC_INIT | LAPIC_SIPI)) != 0)
        x86_take_startup(v);
    if (v->wait == X86_WAITS_FOR_SIPI || v->wait == X86_IS_DOWN)
        return;
    sync_nmi(v);
    sync_interrupt(v);
    lend_apic(v);
    set_windows(v, has_interrupt(v), atomic_load(&v->nmi));
    if (x86_has_event(v) || is_woken(v))
        v->wait = X86_RUNS;
}

/* From elsewhere --------------------------------------------------------- */

#define FIRST_VECTOR 16 /* local APICs accept no other */

static err_t inject_by_lapic(struct x86_vcpu *v, uint8_t vector,
                             enum trigger trigger)
{
    const struct apic_message message = {
        .destination = v->base.config.id,
        .wide = true,
        .level = trigger == TRIGGER_LEVEL,
        .vector = vector,
        .mode = APIC_FIXED,
    };
    struct lapics *lapics = lapics_of_chip(v->base.config.irq_chip);

    (void)lapics_deliver(lapics, &message);
    return OK;
}

err_t x86_inject_interrupt(struct vcpu *vcpu, interrupt_vector vector,
                           enum trigger trigger)
{
    struct x86_vcpu *v = to_x86(vcpu);

    if (vector < FIRST_VECTOR)
        return ERR_INVALID_INPUT;
    if (v->lapic != NULL)
        return inject_by_lapic(v, vector, trigger);
    add_injected(v, vector);
    return OK;
}

/* A processor has no lines with a vector: a rise is an interrupt. */
err_t x86_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                             bool high)
{
    if (high)
        return x86_inject_interrupt(vcpu, vector, TRIGGER_EDGE);
    return vector < FIRST_VECTOR ? ERR_INVALID_INPUT : OK;
}

/* Guests end their interrupts at the local APIC, a device. */
bool x86_handle_eoi(struct vcpu *vcpu, interrupt_vector *vector)
{
    return false;
}
