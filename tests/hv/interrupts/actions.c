/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may happen to interrupts, as a table: see actions.h. Injection is of
 * software interrupts; an injected external interrupt would mix with the
 * controller's line, and with Sstc a timer's has no owner.
 */
#include "hv/interrupts/actions.h"

#include <stdio.h>

#include "arch/riscv64/sbi.h"
#include "sim/sim.h"
#include "support/machine.h"

/* Sources that no device has; at the edges of words. The UART's is a device's
 * and has an action of its own. */
static const uint8_t sources[] = {2, 3, 31, 32, 33, 63, 64, 65, 95, 96};

#define UART_IER      1
#define UART_IER_THRI 2

/* ---- the guest's accesses to the interrupt controller ------------------- */

#define PLIC_ENABLE(hart, word) \
    (SPEC_PLIC + 0x2000 + 0x80 * (2 * (uint64_t)(hart) + 1) + 4 * (word))
#define PLIC_THRESHOLD(hart) \
    (SPEC_PLIC + 0x200000 + 0x1000 * (2 * (uint64_t)(hart) + 1))
#define PLIC_CLAIM(hart) (PLIC_THRESHOLD(hart) + 4)

static bool store(struct who who, uint64_t address, uint32_t value)
{
    return world_do(who, OP_STORE_OF(address, 4, value), NULL);
}

/* A load that must give `expected`. */
static bool load(struct who who, uint64_t address, uint32_t expected)
{
    struct guest_result result;

    if (!world_do(who, OP_LOAD_OF(address, 4), &result))
        return false;
    if ((uint32_t)result.value != expected)
        return world_fail(who.world,
                          "VM %u hart %u reads %#x at %#llx, must be %#x",
                          WORLD_VM_ID(who.vm), who.hart, (uint32_t)result.value,
                          (unsigned long long)address, expected);
    return true;
}

/* A context of the VM, chosen by `number`. */
static uint32_t context(struct who who, uint32_t number)
{
    return number % who_vm(who)->harts;
}

static bool do_priority(struct who who, const struct action *action)
{
    if (!store(who, SPEC_PLIC + 4 * action->a, action->b))
        return false;
    model_set_priority(who_vm(who), action->a, action->b);
    return load(who, SPEC_PLIC + 4 * action->a, action->b & 7);
}

static bool do_enable(struct who who, const struct action *action)
{
    uint32_t hart = context(who, action->a / 4);
    uint32_t word = action->a % 4;

    if (!store(who, PLIC_ENABLE(hart, word), action->b))
        return false;
    model_set_enable(who_vm(who), hart, word, action->b);
    return load(who, PLIC_ENABLE(hart, word),
                model_read_enable(who_vm(who), hart, word));
}

static bool do_threshold(struct who who, const struct action *action)
{
    uint32_t hart = context(who, action->a);

    if (!store(who, PLIC_THRESHOLD(hart), action->b))
        return false;
    model_set_threshold(who_vm(who), hart, action->b);
    return true;
}

static bool do_pending(struct who who, const struct action *action)
{
    uint32_t word = action->a % 4;

    return load(who, SPEC_PLIC + 0x1000 + 4 * (uint64_t)word,
                model_read_pending(who_vm(who), word));
}

/* What the model claims, the guest must. */
static bool claim(struct who who, uint32_t hart, uint32_t *source)
{
    *source = model_claim(who_vm(who), hart);
    return load(who, PLIC_CLAIM(hart), *source);
}

static bool complete(struct who who, uint32_t hart, uint32_t source)
{
    if (!store(who, PLIC_CLAIM(hart), source))
        return false;
    model_complete(who_vm(who), hart, source);
    return true;
}

static bool do_claim(struct who who, const struct action *action)
{
    uint32_t source;

    return claim(who, context(who, action->a), &source);
}

/* A source in service, the `number`th, or one that is not. */
static uint32_t source_to_complete(struct who who, uint32_t number)
{
    const struct model_plic *plic = &who_vm(who)->plic;
    uint32_t found[MODEL_SOURCES], count = 0;

    for (uint32_t s = 1; s <= MODEL_SOURCES; s++) {
        if (plic->in_service[s])
            found[count++] = s;
    }
    return count != 0 && number % 8 != 0 ? found[number / 8 % count]
                                         : number % (MODEL_SOURCES + 2);
}

static bool do_complete(struct who who, const struct action *action)
{
    return complete(who, context(who, action->a),
                    source_to_complete(who, action->b));
}

/* As an interrupt handler does. */
static bool do_handle(struct who who, const struct action *action)
{
    uint32_t source;

    return claim(who, who.hart, &source) && complete(who, who.hart, source);
}

static bool do_uart(struct who who, const struct action *action)
{
    uint32_t value = action->a % 2 != 0 ? UART_IER_THRI : 0;

    if (!world_do(who, OP_STORE_OF(SPEC_UART + UART_IER, 1, value), NULL))
        return false;
    model_set_line(who_vm(who), SPEC_UART_IRQ, value != 0);
    return true;
}

/* ---- the guest's CSRs and SBI calls ------------------------------------- */

static bool csr(struct who who, uint8_t kind, uint32_t number, uint64_t value)
{
    return world_do(who, OP_CSR_OF(kind, number, value), NULL);
}

static bool do_sie(struct who who, const struct action *action)
{
    static const uint64_t bits[] = {SIP_SSIP, SIP_STIP, SIP_SEIP};
    uint64_t value = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
        if ((action->a >> i & 1) != 0 || action->a >= 32)
            value |= bits[i];
    }
    if (!csr(who, OP_CSR_WRITE, CSR_sie, value))
        return false;
    who_hart(who)->sie = value;
    return true;
}

static bool do_enable_interrupts(struct who who, const struct action *action)
{
    bool on = action->a % 4 != 0;

    if (!csr(who, on ? OP_CSR_SET : OP_CSR_CLEAR, CSR_sstatus, STATUS_SIE))
        return false;
    who_hart(who)->enabled = on;
    return true;
}

static bool do_ssip(struct who who, const struct action *action)
{
    bool set = action->a % 4 == 0;

    if (!csr(who, set ? OP_CSR_SET : OP_CSR_CLEAR, CSR_sip, SIP_SSIP))
        return false;
    who_hart(who)->ssip = set ? SIP_SSIP : 0;
    return true;
}

/* An SBI call that returns `error`, and `value` if that is 0. */
static bool call(struct who who, struct guest_op op, int64_t error,
                 uint64_t value)
{
    struct guest_result result;

    if (!world_do(who, op, &result))
        return false;
    if ((int64_t)result.value != error ||
        (error == SBI_SUCCESS && result.value1 != value))
        return world_fail(
            who.world,
            "VM %u hart %u: call %#llx.%llu returns %lld, %lld;"
            " must be %lld, %lld",
            WORLD_VM_ID(who.vm), who.hart, (unsigned long long)op.args[7],
            (unsigned long long)op.args[6], (long long)result.value,
            (long long)result.value1, (long long)error, (long long)value);
    return true;
}

static bool do_ipi(struct who who, const struct action *action)
{
    struct model_vm *vm = who_vm(who);
    uint64_t mask = action->a & ((1U << vm->harts) - 1);

    if (!call(who, OP_ECALL_OF(SBI_EID_IPI, 0, mask, 0), SBI_SUCCESS, 0))
        return false;
    for (uint32_t h = 0; h < vm->harts; h++) {
        if ((mask >> h & 1) != 0)
            model_inject_soft(vm, h);
    }
    return true;
}

/* By SBI, or in its own comparator. A deadline in the past, near, or never. */
static bool do_timer(struct who who, const struct action *action)
{
    static const uint64_t delays[] = {3, 20, 400, 60000, 2000000};
    uint64_t deadline = clock_ticks() + delays[action->a % 5];
    bool done;

    if (action->b % 8 == 0)
        deadline = MODEL_NEVER;
    else if (action->b % 8 == 1)
        deadline = 1;
    done =
        who.world->model.sstc && action->b % 16 < 8
            ? csr(who, OP_CSR_WRITE, CSR_stimecmp, deadline)
            : call(who, OP_ECALL_OF(SBI_EID_TIME, 0, deadline), SBI_SUCCESS, 0);
    if (done)
        model_set_timer(&who.world->model, who_hart(who), deadline);
    return done;
}

static bool do_wait(struct who who, const struct action *action)
{
    bool suspend = action->a % 4 == 0;

    return world_wait(who,
                      suspend ? OP_ECALL_OF(SBI_EID_HSM, 3, 0)
                              : (struct guest_op){.kind = OP_WFI},
                      suspend);
}

static bool do_start(struct who who, const struct action *action)
{
    uint32_t target = context(who, action->a);
    bool was_on = who_vm(who)->hart[target].on;

    if (!call(who, OP_ECALL_OF(SBI_EID_HSM, 0, target, SPEC_MEMORY, 0),
              was_on ? SBI_ERR_ALREADY_AVAILABLE : SBI_SUCCESS, 0))
        return false;
    if (!was_on)
        model_start(who_vm(who), target);
    return true;
}

static bool do_stop(struct who who, const struct action *action)
{
    return world_stop(who, OP_ECALL_OF(SBI_EID_HSM, 1, 0));
}

/* A hart that is about to wake up may be seen in either state. */
static bool do_status(struct who who, const struct action *action)
{
    uint32_t target = context(who, action->a);
    const struct model_hart *hart = &who_vm(who)->hart[target];
    enum hsm_state state = !hart->on         ? HSM_STOPPED
                           : hart->suspended ? HSM_SUSPENDED
                                             : HSM_STARTED;
    struct guest_result result;

    if (!world_do(who, OP_ECALL_OF(SBI_EID_HSM, 2, target), &result))
        return false;
    if (result.value == SBI_SUCCESS &&
        (result.value1 == state ||
         (result.value1 == HSM_STARTED && hart->notified)))
        return true;
    return world_fail(who.world,
                      "VM %u hart %u sees hart %u in state %lld,"
                      " not %d",
                      WORLD_VM_ID(who.vm), who.hart, target,
                      (long long)result.value1, (int)state);
}

static bool do_reboot(struct who who, const struct action *action)
{
    const struct guest_op op = OP_ECALL_OF(SBI_EID_SRST, 0, 1, 0);

    return world_reset(who, &op);
}

/* ---- what comes from outside -------------------------------------------- */

/* As the host's interrupt handlers see it. */
struct outside {
    struct who who;
    const struct action *action;
};

static void drive_line(void *context_)
{
    const struct outside *outside = context_;
    struct vm *vm = vmm_find_vm(WORLD_VM_ID(outside->who.vm));
    uint32_t source = outside->action->a;
    bool high = outside->action->b % 2 != 0;

    vm->irq_chip->set_level(vm->irq_chip, source, high);
    model_set_line(who_vm(outside->who), source, high);
}

static void pulse_line(void *context_)
{
    const struct outside *outside = context_;
    struct vm *vm = vmm_find_vm(WORLD_VM_ID(outside->who.vm));

    vm->irq_chip->pulse(vm->irq_chip, outside->action->a);
    model_pulse(who_vm(outside->who), outside->action->a);
}

static void inject_one(void *context_)
{
    const struct outside *outside = context_;
    struct who who = outside->who;

    cr_assert_eq(
        vmm_inject_interrupt(WORLD_VM_ID(who.vm), who.hart, IRQ_VS_SOFT), OK);
    model_inject_soft(who_vm(who), who.hart);
}

static void inject_set(void *context_)
{
    const struct outside *outside = context_;
    struct model_vm *vm = who_vm(outside->who);
    vcpu_set set = {outside->action->a & ((1U << vm->harts) - 1)};

    cr_assert_eq(vmm_inject_interrupt_to_vcpus(WORLD_VM_ID(outside->who.vm),
                                               set, IRQ_VS_SOFT),
                 OK);
    while (set.bits != 0)
        model_inject_soft(vm, vcpu_set_take(&set));
}

static void expire_timer(void *context_)
{
    const struct outside *outside = context_;
    struct who who = outside->who;

    cr_assert_eq(vmm_notify_vcpu_timer_expired(WORLD_VM_ID(who.vm), who.hart),
                 OK);
    model_inject_timer(&who.world->model, who_vm(who), who.hart);
}

static bool outside(struct who who, const struct action *action,
                    void (*call_)(void *))
{
    struct outside context_ = {who, action};

    return world_host_call(who.world, action->cpu % who.world->cpus, call_,
                           &context_);
}

static bool do_line(struct who who, const struct action *action)
{
    return outside(who, action, drive_line);
}

static bool do_pulse(struct who who, const struct action *action)
{
    return outside(who, action, pulse_line);
}

static bool do_inject(struct who who, const struct action *action)
{
    return outside(who, action, inject_one);
}

static bool do_inject_set(struct who who, const struct action *action)
{
    return outside(who, action, inject_set);
}

static bool do_expire(struct who who, const struct action *action)
{
    return who.world->model.sstc || outside(who, action, expire_timer);
}

static bool do_restart(struct who who, const struct action *action)
{
    return world_reset(who, NULL);
}

static bool do_time(struct who who, const struct action *action)
{
    static const uint64_t delays[] = {100, 5000, 1000000, 20000000};

    world_pass_time(who.world, delays[action->a % ARRAY_SIZE(delays)]);
    return true;
}

static bool do_settle(struct who who, const struct action *action)
{
    return world_settle(who.world);
}

static bool do_look(struct who who, const struct action *action)
{
    return world_look(who);
}

/* ---- the table ---------------------------------------------------------- */

enum domain { NUMBER, SOURCE, BITS };

static const struct kind {
    const char *name;
    bool (*run)(struct who who, const struct action *action);
    uint8_t weight;
    bool by_guest; /* by a hart that is on and does not wait */
    uint8_t a, b;  /* enum domain */
} kinds[] = {
    {"priority", do_priority, 8, true, SOURCE, NUMBER},
    {"enable", do_enable, 8, true, NUMBER, BITS},
    {"threshold", do_threshold, 3, true, NUMBER, NUMBER},
    {"read-pending", do_pending, 3, true, NUMBER, NUMBER},
    {"claim", do_claim, 6, true, NUMBER, NUMBER},
    {"complete", do_complete, 7, true, NUMBER, NUMBER},
    {"handle", do_handle, 6, true, NUMBER, NUMBER},
    {"uart", do_uart, 3, true, NUMBER, NUMBER},
    {"sie", do_sie, 7, true, NUMBER, NUMBER},
    {"interrupts", do_enable_interrupts, 16, true, NUMBER, NUMBER},
    {"ssip", do_ssip, 8, true, NUMBER, NUMBER},
    {"ipi", do_ipi, 8, true, NUMBER, NUMBER},
    {"timer", do_timer, 8, true, NUMBER, NUMBER},
    {"wait", do_wait, 12, true, NUMBER, NUMBER},
    {"start", do_start, 5, true, NUMBER, NUMBER},
    {"stop", do_stop, 1, true, NUMBER, NUMBER},
    {"status", do_status, 2, true, NUMBER, NUMBER},
    {"reboot", do_reboot, 1, true, NUMBER, NUMBER},
    {"line", do_line, 14, false, SOURCE, NUMBER},
    {"pulse", do_pulse, 8, false, SOURCE, NUMBER},
    {"inject", do_inject, 6, false, NUMBER, NUMBER},
    {"inject-set", do_inject_set, 4, false, NUMBER, NUMBER},
    {"expire-timer", do_expire, 2, false, NUMBER, NUMBER},
    {"restart", do_restart, 1, false, NUMBER, NUMBER},
    {"time", do_time, 4, false, NUMBER, NUMBER},
    {"settle", do_settle, 4, false, NUMBER, NUMBER},
    {"look", do_look, 24, false, NUMBER, NUMBER},
};

static bool is_able(struct who who)
{
    return who_hart(who)->on && !who_hart(who)->waiting;
}

/* The hart, or for what guests do the next one that can. */
static bool choose_hart(struct who *who, const struct kind *kind)
{
    uint32_t harts = who_vm(*who)->harts;

    who->hart %= harts;
    for (uint32_t i = 0; i < harts; i++) {
        if (!kind->by_guest || is_able(*who))
            return true;
        who->hart = (who->hart + 1) % harts;
    }
    return false;
}

bool action_run(struct world *world, const struct action *action)
{
    const struct kind *kind = &kinds[action->kind];
    struct who who = {world, action->vm, action->hart};

    if (!choose_hart(&who, kind))
        return true;
    return kind->run(who, action) && world_check(world);
}

void action_print(const struct action *action, char *text, size_t size)
{
    const struct kind *kind = &kinds[action->kind];

    snprintf(text, size, "VM %u hart %u%s: %s %#x %#x", WORLD_VM_ID(action->vm),
             action->hart, kind->by_guest ? "" : " from outside", kind->name,
             action->a, action->b);
}

/* ---- drawing ------------------------------------------------------------ */

/* splitmix64. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t draw_in(uint64_t *state, enum domain domain)
{
    uint32_t number = (uint32_t)draw(state);

    switch (domain) {
    case SOURCE: return sources[number % ARRAY_SIZE(sources)];
    case BITS: return number % 4 == 0 ? ~0U : number;
    case NUMBER: break;
    }
    return number % 64;
}

static uint8_t draw_kind(uint64_t *state)
{
    unsigned total = 0, at;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
        total += kinds[i].weight;
    at = (unsigned)(draw(state) % total);
    for (unsigned i = 0;; i++) {
        if (at < kinds[i].weight)
            return (uint8_t)i;
        at -= kinds[i].weight;
    }
}

static uint8_t find_kind(bool (*run)(struct who, const struct action *))
{
    uint8_t kind = 0;

    while (kinds[kind].run != run)
        kind++;
    return kind;
}

static void draw_action(struct action *action, uint8_t kind, uint64_t *state)
{
    action->kind = kind;
    action->vm = draw(state) % 8 == 0;
    action->hart = (uint8_t)(draw(state) % MODEL_HARTS);
    action->cpu = (uint8_t)draw(state);
    action->a = draw_in(state, kinds[kind].a);
    action->b = draw_in(state, kinds[kind].b);
}

/* Without a beginning like this, it would take long until an interrupt gets
 * through. */
static size_t draw_beginning(struct action *actions, size_t room,
                             uint64_t *state)
{
    static bool (*const runs[])(struct who, const struct action *) = {
        do_start,    do_start,  do_start,  do_priority, do_priority,
        do_priority, do_enable, do_enable, do_sie,      do_enable_interrupts};
    size_t count = 4 * ARRAY_SIZE(runs);

    for (size_t i = 0; i < count && i < room; i++) {
        draw_action(&actions[i], find_kind(runs[i / 4]), state);
        actions[i].vm = i % 4 == 3 && i / 4 >= 3;
        actions[i].hart = i % 4;
    }
    return count < room ? count : room;
}

void actions_draw(struct action *actions, size_t count, uint64_t seed)
{
    uint64_t state = seed;

    for (size_t i = draw_beginning(actions, count, &state); i < count; i++)
        draw_action(&actions[i], draw_kind(&state), &state);
}
