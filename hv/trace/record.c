/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder: see record.h. */
#include "trace/record.h"

#include "api/time.h"
#include "lib/check.h"
#include "lib/spinlock.h"
#include "trace/start.h"
#include "vm/vm.h"

/* Between two COSTS events. */
#define COSTS_INTERVAL 65536

#define NO_OWNER UINT32_MAX

struct trace_recorder {
    struct spinlock lock; /* held while a step is made */
    struct trace_encoder *encoder;
    const struct trace_arch *arch;
    unsigned time_shift;
    uint32_t owner; /* the CPU that is in a step, or NO_OWNER */
    uint64_t events;
    struct trace_cost costs[EXIT_KIND_COUNT];

    /* The step that is being made. */
    struct trace_event event;
    struct vcpu *exited;
    uint32_t exited_vm, exited_id;
    uint64_t before[TRACE_MAX_FIELDS];

    struct trace_shadow shadows[TRACE_SHADOWS];
};

#define ENCODER_OFFSET ((sizeof(struct trace_recorder) + 63) / 64 * 64)

struct trace_recorder *_Atomic trace_recorder;

static struct trace_recorder *current(void)
{
    return atomic_load_explicit(&trace_recorder, memory_order_relaxed);
}

size_t trace_recorder_size(void)
{
    return ENCODER_OFFSET + trace_encoder_size();
}

void trace_start(void *memory, const struct trace_machine *machine,
                 const struct vmm_boot *boot, const struct trace_sink *sink)
{
    struct trace_recorder *recorder = memory;

    CHECK(current() == NULL);
    CHECK(machine->arch->field_count <= TRACE_MAX_FIELDS);
    memset(recorder, 0, sizeof(*recorder));
    recorder->encoder =
        trace_encoder_init((uint8_t *)memory + ENCODER_OFFSET, sink);
    recorder->arch = machine->arch;
    recorder->owner = NO_OWNER;
    recorder->time_shift = trace_time_shift(machine->time_frequency);
    trace_write_start(recorder->encoder, machine, boot);
    atomic_store(&trace_recorder, recorder);
}

static uint64_t field_of(const struct vcpu *vcpu,
                         const struct trace_field *field)
{
    return *(const uint64_t *)(const void *)((const char *)vcpu +
                                             field->offset);
}

static void read_fields(const struct trace_arch *arch, const struct vcpu *vcpu,
                        uint64_t *values)
{
    for (unsigned i = 0; i < arch->field_count; i++)
        values[i] = field_of(vcpu, &arch->fields[i]);
}

/* Begins an event; the rest of its head is 0. */
static struct trace_event *new_event(struct trace_recorder *recorder,
                                     enum trace_event_kind kind, uint32_t cpu)
{
    struct trace_event *event = &recorder->event;

    event->kind = kind;
    event->cpu = cpu;
    event->time = time_ticks_impl() >> recorder->time_shift;
    event->vcpu = 0;
    return event;
}

/* A step begins: what the exit brought, if there was one. */
static void begin_step(struct trace_recorder *recorder, uint32_t cpu)
{
    struct vcpu *vcpu = vmm_current_vcpu(cpu);
    struct trace_event *event = new_event(
        recorder, vcpu != NULL ? TRACE_EVENT_EXIT : TRACE_EVENT_WAKE, cpu);

    recorder->exited = vcpu;
    if (vcpu != NULL) {
        recorder->exited_vm = vcpu->config.vm_id;
        recorder->exited_id = vcpu->config.id;
        event->vcpu = trace_vcpu_name(recorder->exited_vm, recorder->exited_id);
        event->mask = recorder->arch->exit_fields(vcpu);
        read_fields(recorder->arch, vcpu, event->fields);
        memcpy(recorder->before, event->fields, sizeof(recorder->before));
    }
    trace_encode_head(recorder->encoder, event);
}

/* Whether the vCPU that exited still exists: its VM may have been ended. */
static bool exited_is_alive(const struct trace_recorder *recorder)
{
    const struct vm *vm = vmm_find_vm(recorder->exited_vm);

    return vm != NULL && recorder->exited_id < vm->config.cpu_num &&
           vm->vcpus[recorder->exited_id] == recorder->exited;
}

static struct trace_shadow *shadow_of(struct trace_recorder *recorder,
                                      uint64_t name)
{
    return &recorder->shadows[trace_shadow_index(name)];
}

/* What the step has done to the vCPU that exited. */
static void note_outputs(struct trace_recorder *recorder)
{
    struct trace_event *event = &recorder->event;
    unsigned count = recorder->arch->field_count;

    event->changed = 0;
    event->exit_kind = EXIT_NOTHING;
    if (!exited_is_alive(recorder))
        return;
    event->exit_kind = recorder->exited->exit_kind;
    read_fields(recorder->arch, recorder->exited, event->outputs);
    for (unsigned i = 0; i < count; i++) {
        if (event->outputs[i] != recorder->before[i])
            event->changed |= BIT(i);
    }
}

/* The vCPU that exited is left: remembers what with. */
static void note_leave(struct trace_recorder *recorder)
{
    const struct trace_event *event = &recorder->event;
    struct trace_shadow *shadow = shadow_of(recorder, event->vcpu);

    if (!exited_is_alive(recorder))
        return;
    shadow->vcpu = event->vcpu;
    memcpy(shadow->fields, event->outputs, sizeof(shadow->fields));
}

/* What a vCPU is entered with, where it is not what it was left with. */
static void note_entry(struct trace_recorder *recorder,
                       const struct vcpu *entered)
{
    struct trace_event *event = &recorder->event;
    const struct trace_shadow *shadow = shadow_of(recorder, event->entered);

    event->rewritten = 0;
    read_fields(recorder->arch, entered, event->entries);
    for (unsigned i = 0; i < recorder->arch->field_count; i++) {
        if (event->entries[i] != trace_shadow_field(shadow, event->entered, i))
            event->rewritten |= BIT(i);
    }
}

static void end_step(struct trace_recorder *recorder,
                     const struct vcpu *entered)
{
    struct trace_event *event = &recorder->event;

    if (recorder->exited != NULL)
        note_outputs(recorder);
    event->entered = 0;
    if (entered != NULL)
        event->entered =
            trace_vcpu_name(entered->config.vm_id, entered->config.id);
    if (event->entered != event->vcpu) {
        if (recorder->exited != NULL)
            note_leave(recorder);
        if (entered != NULL)
            note_entry(recorder, entered);
    }
    trace_encode_tail(recorder->encoder, event);
    recorder->events++;
}

/* COSTS or END. */
static void encode_costs(struct trace_recorder *recorder,
                         enum trace_event_kind kind, enum trace_end why)
{
    struct trace_event *event = new_event(recorder, kind, 0);

    event->end = why;
    event->events = recorder->events;
    event->cost_count = EXIT_KIND_COUNT;
    memcpy(event->costs, recorder->costs, sizeof(event->costs));
    trace_encode_head(recorder->encoder, event);
    trace_encode_end(recorder->encoder);
}

/* The step took `cycles`, among them those of recording it. */
static void note_cost(struct trace_recorder *recorder, uint64_t cycles)
{
    struct trace_cost *cost;

    if (recorder->exited == NULL)
        return;
    cost = &recorder->costs[recorder->event.exit_kind];
    if (cost->count == 0 || cycles < cost->least)
        cost->least = cycles;
    if (cycles > cost->most)
        cost->most = cycles;
    cost->count++;
    cost->sum += cycles;
}

/*
 * Takes the lock for a step of CPU `cpu`. False, without the lock, when the
 * recording has ended meanwhile.
 */
static bool enter(struct trace_recorder *recorder, uint32_t cpu)
{
    spin_lock(&recorder->lock);
    if (current() == recorder) {
        recorder->owner = cpu;
        return true;
    }
    spin_unlock(&recorder->lock);
    return false;
}

static void leave(struct trace_recorder *recorder)
{
    recorder->owner = NO_OWNER;
    spin_unlock(&recorder->lock);
}

static struct vcpu *recorded_step(struct trace_recorder *recorder, uint32_t cpu)
{
    struct vcpu *vcpu;
    uint64_t start;

    if (!enter(recorder, cpu))
        return vmm_step(cpu);
    begin_step(recorder, cpu);
    start = time_cycles();
    vcpu = vmm_step(cpu);
    if (current() == recorder) {
        start = time_cycles() - start;
        end_step(recorder, vcpu);
        note_cost(recorder, start);
        if (recorder->events % COSTS_INTERVAL == 0)
            encode_costs(recorder, TRACE_EVENT_COSTS, TRACE_END_COUNT);
    }
    leave(recorder);
    return vcpu;
}

struct vcpu *trace_step(uint32_t cpu)
{
    struct trace_recorder *recorder = current();

    if (likely(recorder == NULL))
        return vmm_step(cpu);
    if (unlikely(trace_encoder_is_refused(recorder->encoder)))
        trace_stop(TRACE_END_STOPPED);
    return recorded_step(recorder, cpu);
}

err_t trace_init(const struct vmm_boot *boot)
{
    struct trace_recorder *recorder = current();
    err_t error;

    if (likely(recorder == NULL) || !enter(recorder, host_current_cpu_impl()))
        return vmm_init(boot);
    trace_encode_head(recorder->encoder,
                      new_event(recorder, TRACE_EVENT_INIT, recorder->owner));
    error = vmm_init(boot);
    if (current() == recorder) {
        recorder->event.result = error;
        trace_encode_tail(recorder->encoder, &recorder->event);
        recorder->events++;
    }
    leave(recorder);
    return error;
}

void trace_stop(enum trace_end why)
{
    struct trace_recorder *recorder = current();
    bool cut;

    if (recorder == NULL)
        return;
    cut = recorder->owner == host_current_cpu_impl();
    if (!cut && !enter(recorder, NO_OWNER))
        return;
    if (cut)
        trace_encode_cut(recorder->encoder);
    encode_costs(recorder, TRACE_EVENT_END, why);
    atomic_store(&trace_recorder, NULL);
    if (!cut)
        leave(recorder);
}

void trace_fn(unsigned row, const uint64_t *args, unsigned count,
              uint64_t result)
{
    trace_encode_fn(current()->encoder, row, args, count, result);
}

void trace_proc(unsigned row, const uint64_t *args, unsigned count)
{
    trace_encode_proc(current()->encoder, row, args, count);
}

void trace_get(unsigned row, const uint64_t *args, unsigned count,
               const void *bytes, size_t filled)
{
    trace_encode_bytes(current()->encoder, row, args, count, bytes, filled);
}

void trace_put(unsigned row, const uint64_t *args, unsigned count,
               const void *bytes, size_t size)
{
    trace_encode_bytes(current()->encoder, row, args, count, bytes, size);
}

void trace_timer(timer_token token, uint64_t now_ns)
{
    const uint64_t args[] = {token, now_ns};

    trace_encode_proc(current()->encoder, ROW_TIMER, args, ARRAY_SIZE(args));
}
