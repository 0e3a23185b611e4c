/* SPDX-License-Identifier: Apache-2.0 */
/* The reference: see model.h. Everything is looked up anew each time. */
#include "model.h"

#include <string.h>

/* ---- the interrupt controller ------------------------------------------ */

static bool has_source(uint32_t source)
{
    return source >= 1 && source <= MODEL_SOURCES;
}

/* Whether the controller interrupts the hart. */
static bool external(const struct model_vm *vm, uint32_t hart)
{
    const struct model_plic *plic = &vm->plic;

    for (uint32_t s = 1; s <= MODEL_SOURCES; s++) {
        if (plic->pending[s] && plic->enable[hart][s] &&
            plic->priority[s] > plic->threshold[hart])
            return true;
    }
    return false;
}

static void look_at_harts(const struct model_vm *vm, bool *high)
{
    for (uint32_t h = 0; h < vm->harts; h++)
        high[h] = external(vm, h);
}

/* A hart whose interrupt has changed is told, whatever it makes of it. */
static void tell_harts(struct model_vm *vm, const bool *before)
{
    for (uint32_t h = 0; h < vm->harts; h++)
        vm->hart[h].notified |= external(vm, h) != before[h];
}

/* A gateway forwards one request at a time. */
static void request(struct model_plic *plic, uint32_t source)
{
    if (!plic->in_service[source])
        plic->pending[source] = true;
}

#define CHANGE(vm, change)            \
    do {                              \
        bool before_[MODEL_HARTS];    \
        look_at_harts((vm), before_); \
        change;                       \
        tell_harts((vm), before_);    \
    } while (0)

static void set_line(struct model_plic *plic, uint32_t source, bool high)
{
    plic->line[source] = high;
    if (high)
        request(plic, source);
}

void model_set_line(struct model_vm *vm, uint32_t source, bool high)
{
    CHANGE(vm, set_line(&vm->plic, source, high));
}

static void pulse(struct model_plic *plic, uint32_t source)
{
    if (plic->in_service[source])
        plic->edge[source] = true;
    request(plic, source);
}

void model_pulse(struct model_vm *vm, uint32_t source)
{
    CHANGE(vm, pulse(&vm->plic, source));
}

void model_set_priority(struct model_vm *vm, uint32_t source, uint32_t value)
{
    if (has_source(source))
        CHANGE(vm, vm->plic.priority[source] = value & 7);
}

void model_set_threshold(struct model_vm *vm, uint32_t hart, uint32_t value)
{
    CHANGE(vm, vm->plic.threshold[hart] = value & 7);
}

static void set_enable(bool *enable, uint32_t word, uint32_t value)
{
    for (uint32_t bit = 0; bit < 32; bit++) {
        if (has_source(word * 32 + bit))
            enable[word * 32 + bit] = (value >> bit & 1) != 0;
    }
}

void model_set_enable(struct model_vm *vm, uint32_t hart, uint32_t word,
                      uint32_t value)
{
    CHANGE(vm, set_enable(vm->plic.enable[hart], word, value));
}

/* The highest priority wins, then the lowest number; 0 is never. */
static uint32_t best(const struct model_plic *plic, uint32_t hart)
{
    uint32_t found = 0;

    for (uint32_t s = 1; s <= MODEL_SOURCES; s++) {
        if (plic->pending[s] && plic->enable[hart][s] &&
            plic->priority[s] > (found != 0 ? plic->priority[found] : 0))
            found = s;
    }
    return found;
}

uint32_t model_claim(struct model_vm *vm, uint32_t hart)
{
    uint32_t source = best(&vm->plic, hart);

    if (source == 0)
        return 0;
    CHANGE(vm, vm->plic.pending[source] = false);
    vm->plic.in_service[source] = true;
    return source;
}

static void complete(struct model_plic *plic, uint32_t source)
{
    plic->in_service[source] = false;
    if (plic->line[source] || plic->edge[source])
        request(plic, source);
    plic->edge[source] = false;
}

void model_complete(struct model_vm *vm, uint32_t hart, uint32_t source)
{
    if (has_source(source) && vm->plic.enable[hart][source] &&
        vm->plic.in_service[source])
        CHANGE(vm, complete(&vm->plic, source));
}

uint32_t model_read_pending(const struct model_vm *vm, uint32_t word)
{
    uint32_t value = 0;

    for (uint32_t bit = 0; bit < 32; bit++) {
        if (has_source(word * 32 + bit) && vm->plic.pending[word * 32 + bit])
            value |= 1U << bit;
    }
    return value;
}

uint32_t model_read_enable(const struct model_vm *vm, uint32_t hart,
                           uint32_t word)
{
    uint32_t value = 0;

    for (uint32_t bit = 0; bit < 32; bit++) {
        if (has_source(word * 32 + bit) &&
            vm->plic.enable[hart][word * 32 + bit])
            value |= 1U << bit;
    }
    return value;
}

/* ---- harts -------------------------------------------------------------- */

void model_inject_soft(struct model_vm *vm, uint32_t hart)
{
    vm->hart[hart].ssip = SIP_SSIP;
    vm->hart[hart].notified = true;
}

/* The firmware's timer expires without a deadline of the guest's: where the
 * guest has set one, it is not this, and nothing may come of it. */
void model_inject_timer(const struct model *model, struct model_vm *vm,
                        uint32_t hart)
{
    vm->hart[hart].timer_forced |= !vm->hart[hart].timer_set;
    vm->hart[hart].notified = true;
}

void model_set_timer(const struct model *model, struct model_hart *hart,
                     uint64_t deadline)
{
    hart->timer_set = true;
    hart->timer_sure = false;
    hart->timer_forced = false;
    hart->deadline = deadline;
}

void model_start(struct model_vm *vm, uint32_t hart)
{
    vm->hart[hart] = (struct model_hart){.on = true, .deadline = MODEL_NEVER};
}

void model_stop(struct model_vm *vm, uint32_t hart)
{
    vm->hart[hart] = (struct model_hart){.on = false};
}

/* The lines are their devices': what is high requests anew. */
static void reset_plic(struct model_plic *plic)
{
    bool line[MODEL_SOURCES + 1];

    memcpy(line, plic->line, sizeof(line));
    *plic = (struct model_plic){0};
    for (uint32_t s = 1; s <= MODEL_SOURCES; s++)
        set_line(plic, s, line[s]);
}

void model_reset(struct model_vm *vm)
{
    for (uint32_t h = 0; h < vm->harts; h++)
        model_stop(vm, h);
    reset_plic(&vm->plic);
    model_start(vm, 0);
}

void model_init(struct model *model, bool sstc, const uint32_t *harts)
{
    *model = (struct model){.sstc = sstc};
    for (unsigned i = 0; i < MODEL_VMS; i++) {
        model->vm[i].harts = harts[i];
        model_reset(&model->vm[i]);
    }
}

/* ---- what is pending ---------------------------------------------------- */

static bool has_expired(const struct model *model,
                        const struct model_hart *hart)
{
    return hart->deadline != MODEL_NEVER && model->now >= hart->deadline;
}

/* A comparator of its own is exact; a host timer comes when it comes. */
static bool timer_must(const struct model *model, const struct model_hart *hart)
{
    if (model->sstc)
        return has_expired(model, hart);
    return hart->timer_forced || hart->timer_sure;
}

static bool timer_may(const struct model *model, const struct model_hart *hart)
{
    return hart->timer_forced || has_expired(model, hart);
}

static uint64_t pending(const struct model_vm *vm, uint32_t hart, bool timer)
{
    return vm->hart[hart].ssip | (timer ? SIP_STIP : 0) |
           (external(vm, hart) ? SIP_SEIP : 0);
}

uint64_t model_must_pend(const struct model *model, const struct model_vm *vm,
                         uint32_t hart)
{
    return pending(vm, hart, timer_must(model, &vm->hart[hart]));
}

uint64_t model_may_pend(const struct model *model, const struct model_vm *vm,
                        uint32_t hart)
{
    return pending(vm, hart, timer_may(model, &vm->hart[hart]));
}

/* A host timer counts nanoseconds, and is due at the tick after. */
#define TIMER_SLACK 2

static void pass_time_of(struct model *model, struct model_vm *vm, uint32_t h,
                         bool settled)
{
    struct model_hart *hart = &vm->hart[h];
    uint64_t enabled = model_may_pend(model, vm, h) & hart->sie;

    if (!hart->on)
        return;
    if (hart->enabled)
        hart->may_take |= enabled;
    /* A host timer's interrupt wakes even one that has it disabled. */
    if (enabled != 0 ||
        (!model->sstc && !hart->timer_sure && has_expired(model, hart)))
        hart->notified = true;
    if (settled && has_expired(model, hart) &&
        model->now - hart->deadline >= TIMER_SLACK)
        hart->timer_sure = true;
}

void model_pass_time(struct model *model, uint64_t now, bool settled)
{
    model->now = now;
    for (unsigned i = 0; i < MODEL_VMS; i++) {
        for (uint32_t h = 0; h < model->vm[i].harts; h++)
            pass_time_of(model, &model->vm[i], h, settled);
    }
}
