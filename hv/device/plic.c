/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RISC-V Platform-Level Interrupt Controller: RISC-V PLIC specification
 * 1.0.0, wholly virtual. Its gateways take levels and edges from devices; it
 * drives the external interrupt of each vCPU.
 *
 *   0x000000 + 4 * source             priority, 0 (never) to 7
 *   0x001000 + 4 * word               pending, read-only
 *   0x002000 + 0x80 * context + 4 * word   enable
 *   0x200000 + 0x1000 * context       threshold
 *   0x200004 + 0x1000 * context       claim (read), complete (write)
 *
 * Contexts are numbered as on QEMU's `virt` board, so that a guest which knows
 * that board without a device tree finds its own: of vCPU n, context 2n is the
 * machine mode's, which a guest does not have, and 2n + 1 the supervisor's.
 * The former are "not present" (-1 in interrupts-extended, as the device-tree
 * binding has it): they read as 0 and ignore writes, like sources and contexts
 * that do not exist. Registers are accessed 32 bits at a time.
 *
 * Priorities and thresholds are WARL of three bits, as on that board. Linux
 * masks a context by threshold 7, so there may not be a higher priority.
 *
 * A gateway holds one request at a time. A level request that has been
 * accepted stays pending when the level falls, until it is claimed. While a
 * source is in service, from claim to completion, an edge is remembered and a
 * level looked at again at the completion; so no edge is lost, and edges that
 * come before a claim are one request.
 *
 * Sources are sets of bits, 64 to a word. above[p] holds those of a priority
 * over p, so that "is there an interrupt for this context" is one AND per
 * word that has something pending, and "which is the best" at most 8 per such
 * word. targets[] says which vCPUs have a source enabled: a change of a source
 * looks at no others.
 */
#include <libfdt.h>

#include "device/device.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"
#include "memory/arena.h"

#define PLIC_MAX_SOURCES     1023
#define PLIC_DEFAULT_SOURCES 96 /* QEMU's virt */
#define PLIC_MAX_PRIORITY    7

/* The memory map, and what is in a context's block. */
#define PLIC_PENDING        0x1000
#define PLIC_PENDING_SIZE   0x80
#define PLIC_ENABLE         0x2000
#define PLIC_ENABLE_STRIDE  0x80
#define PLIC_CONTEXT        0x200000
#define PLIC_CONTEXT_STRIDE 0x1000
#define PLIC_THRESHOLD      0x0
#define PLIC_CLAIM          0x4

#define CONTEXTS_PER_VCPU  2
#define SUPERVISOR_CONTEXT 1

/* The supervisor's external interrupt at a hart's local controller. */
#define RISCV_IRQ_S_EXT    9
#define RISCV_NO_INTERRUPT 0xffffffff

#define SOURCE_BITS  64
#define SOURCE_WORDS ((PLIC_MAX_SOURCES + 1) / SOURCE_BITS)

/* A set of sources. */
typedef uint64_t source_set[SOURCE_WORDS];

/* All that a reset clears. */
struct plic_state {
    uint8_t priority[PLIC_MAX_SOURCES + 1];
    uint8_t threshold[MAX_VCPU_NUM];
    uint32_t pending_words; /* bit n: word n of pending is not 0 */
    source_set pending;
    source_set active;                   /* claimed, and not completed */
    source_set edge;                     /* came while active */
    source_set above[PLIC_MAX_PRIORITY]; /* [p]: of a priority over p */
    source_set enable[MAX_VCPU_NUM];
    vcpu_set targets[PLIC_MAX_SOURCES + 1]; /* enable, by source */
};

struct plic {
    struct device device; /* whose lock guards all that follows */
    struct irq_chip chip;
    vm_id vm;
    interrupt_vector vector; /* of a vCPU: what the outputs drive */
    uint32_t vcpu_count;
    uint32_t source_count; /* sources 1 to source_count exist */
    vcpu_set outputs;      /* vCPUs whose line is high */
    source_set line;       /* inputs that are high */
    struct plic_state state;
};

static bool set_has(const source_set set, uint32_t source)
{
    return (set[source / SOURCE_BITS] >> source % SOURCE_BITS & 1) != 0;
}

static void set_put(source_set set, uint32_t source, bool member)
{
    uint64_t bit = BIT(source % SOURCE_BITS);

    if (member)
        set[source / SOURCE_BITS] |= bit;
    else
        set[source / SOURCE_BITS] &= ~bit;
}

/* Half of a word, as a guest sees it. */
static uint32_t set_read(const source_set set, uint32_t half)
{
    return (uint32_t)(set[half / 2] >> half % 2 * 32);
}

static bool plic_has_source(const struct plic *plic, uint32_t source)
{
    return source != 0 && source <= plic->source_count;
}

/* Whether the context has an interrupt over its threshold. */
static bool plic_wants(const struct plic *plic, vcpu_id vcpu)
{
    const struct plic_state *state = &plic->state;
    uint32_t threshold = state->threshold[vcpu];

    if (threshold >= PLIC_MAX_PRIORITY)
        return false;
    for (uint64_t left = state->pending_words; left != 0; left &= left - 1) {
        unsigned word = bit_lowest(left);

        if ((state->pending[word] & state->enable[vcpu][word] &
             state->above[threshold][word]) != 0)
            return true;
    }
    return false;
}

/*
 * The pending source of the highest priority that the context has enabled, of
 * those the lowest; 0: none. The threshold plays no part.
 */
static uint32_t plic_best(const struct plic *plic, vcpu_id vcpu)
{
    const struct plic_state *state = &plic->state;
    uint32_t best = 0;
    uint32_t priority = 0;

    for (uint64_t left = state->pending_words; left != 0; left &= left - 1) {
        unsigned word = bit_lowest(left);
        uint64_t found = state->pending[word] & state->enable[vcpu][word];

        while (priority < PLIC_MAX_PRIORITY) {
            found &= state->above[priority][word];
            if (found == 0)
                break;
            best = word * SOURCE_BITS + bit_lowest(found);
            priority++;
        }
    }
    return best;
}

/* A line that could not be driven is driven again with the next change. */
static void plic_drive(struct plic *plic, vcpu_id vcpu, bool high)
{
    if (vcpu_set_has(plic->outputs, vcpu) == high)
        return;
    if (vmm_set_interrupt_line(plic->vm, vcpu, plic->vector, high) == OK)
        plic->outputs.bits ^= BIT(vcpu);
}

static void plic_update(struct plic *plic, vcpu_id vcpu)
{
    plic_drive(plic, vcpu, plic_wants(plic, vcpu));
}

static void plic_update_all(struct plic *plic, vcpu_set vcpus)
{
    while (vcpus.bits != 0)
        plic_update(plic, vcpu_set_take(&vcpus));
}

/* Another request can only raise lines, and only of those who enabled it. */
static void plic_set_pending(struct plic *plic, uint32_t source)
{
    struct plic_state *state = &plic->state;
    vcpu_set low = {state->targets[source].bits & ~plic->outputs.bits};

    set_put(state->pending, source, true);
    state->pending_words |= 1U << source / SOURCE_BITS;
    while (low.bits != 0) {
        vcpu_id vcpu = vcpu_set_take(&low);

        if (state->priority[source] > state->threshold[vcpu])
            plic_drive(plic, vcpu, true);
    }
}

/* A request less can only lower lines, and only of those who enabled it. */
static void plic_clear_pending(struct plic *plic, uint32_t source)
{
    struct plic_state *state = &plic->state;
    vcpu_set high = {state->targets[source].bits & plic->outputs.bits};
    uint32_t word = source / SOURCE_BITS;

    set_put(state->pending, source, false);
    if (state->pending[word] == 0)
        state->pending_words &= ~(1U << word);
    plic_update_all(plic, high);
}

static void plic_set_level(struct irq_chip *chip, uint32_t source, bool high)
{
    struct plic *plic = container_of(chip, struct plic, chip);

    if (!plic_has_source(plic, source))
        return;
    spin_lock(&plic->device.lock);
    set_put(plic->line, source, high);
    if (high && !set_has(plic->state.active, source) &&
        !set_has(plic->state.pending, source))
        plic_set_pending(plic, source);
    spin_unlock(&plic->device.lock);
}

static void plic_pulse(struct irq_chip *chip, uint32_t source)
{
    struct plic *plic = container_of(chip, struct plic, chip);

    if (!plic_has_source(plic, source))
        return;
    spin_lock(&plic->device.lock);
    if (set_has(plic->state.active, source))
        set_put(plic->state.edge, source, true);
    else if (!set_has(plic->state.pending, source))
        plic_set_pending(plic, source);
    spin_unlock(&plic->device.lock);
}

static uint32_t plic_claim(struct plic *plic, vcpu_id vcpu)
{
    uint32_t source = plic_best(plic, vcpu);

    if (source != 0) {
        set_put(plic->state.active, source, true);
        plic_clear_pending(plic, source);
    }
    return source;
}

/* A completion by a context that has not enabled the source is ignored, and
 * so is one of a source that nobody has claimed. */
static void plic_complete(struct plic *plic, vcpu_id vcpu, uint32_t source)
{
    struct plic_state *state = &plic->state;

    if (!plic_has_source(plic, source) ||
        !set_has(state->enable[vcpu], source) ||
        !set_has(state->active, source))
        return;
    set_put(state->active, source, false);
    if (set_has(state->edge, source) || set_has(plic->line, source)) {
        set_put(state->edge, source, false);
        plic_set_pending(plic, source);
    }
}

static void plic_write_priority(struct plic *plic, uint32_t source,
                                uint32_t value)
{
    struct plic_state *state = &plic->state;
    uint8_t priority = value & PLIC_MAX_PRIORITY;

    if (!plic_has_source(plic, source) || state->priority[source] == priority)
        return;
    state->priority[source] = priority;
    for (uint8_t p = 0; p < PLIC_MAX_PRIORITY; p++)
        set_put(state->above[p], source, priority > p);
    if (set_has(state->pending, source))
        plic_update_all(plic, state->targets[source]);
}

/* Bits of the sources that exist in half `half` of a set. */
static uint32_t plic_existing(const struct plic *plic, uint32_t half)
{
    uint32_t first = half * 32;
    uint32_t end = plic->source_count + 1;
    uint32_t bits = end >= first + 32 ? ~0U
                    : end > first     ? (1U << (end - first)) - 1
                                      : 0;

    return half == 0 ? bits & ~1U : bits;
}

static void plic_write_enable(struct plic *plic, vcpu_id vcpu, uint32_t half,
                              uint32_t value)
{
    struct plic_state *state = &plic->state;
    uint64_t changed = (set_read(state->enable[vcpu], half) ^ value) &
                       plic_existing(plic, half);

    if (changed == 0)
        return;
    state->enable[vcpu][half / 2] ^= changed << half % 2 * 32;
    for (uint64_t left = changed; left != 0; left &= left - 1)
        state->targets[half * 32 + bit_lowest(left)].bits ^= BIT(vcpu);
    plic_update(plic, vcpu);
}

/* Which register an offset from PLIC_PENDING on is. */
enum plic_kind { REG_NONE, REG_PENDING, REG_ENABLE, REG_THRESHOLD, REG_CLAIM };

struct plic_register {
    enum plic_kind kind;
    vcpu_id vcpu;
    uint32_t half; /* of a source_set */
};

static struct plic_register plic_of_context(const struct plic *plic,
                                            enum plic_kind kind,
                                            uint32_t context, uint32_t half)
{
    vcpu_id vcpu = context / CONTEXTS_PER_VCPU;

    if (context % CONTEXTS_PER_VCPU != SUPERVISOR_CONTEXT ||
        vcpu >= plic->vcpu_count)
        kind = REG_NONE;
    return (struct plic_register){kind, vcpu, half};
}

static struct plic_register plic_locate(const struct plic *plic, uint64_t at)
{
    uint32_t offset = (uint32_t)at;

    if (at >= PLIC_CONTEXT) {
        uint64_t context = (at - PLIC_CONTEXT) / PLIC_CONTEXT_STRIDE;
        uint32_t within = offset % PLIC_CONTEXT_STRIDE;
        enum plic_kind kind = within == PLIC_CLAIM       ? REG_CLAIM
                              : within == PLIC_THRESHOLD ? REG_THRESHOLD
                                                         : REG_NONE;
        if (context >= (uint64_t)plic->vcpu_count * CONTEXTS_PER_VCPU)
            kind = REG_NONE;
        return plic_of_context(plic, kind, (uint32_t)context, 0);
    }
    if (offset >= PLIC_ENABLE)
        return plic_of_context(plic, REG_ENABLE,
                               (offset - PLIC_ENABLE) / PLIC_ENABLE_STRIDE,
                               offset % PLIC_ENABLE_STRIDE / 4);
    if (offset < PLIC_PENDING + PLIC_PENDING_SIZE)
        return (struct plic_register){REG_PENDING, 0,
                                      (offset - PLIC_PENDING) / 4};
    return (struct plic_register){REG_NONE, 0, 0};
}

static NOINLINE err_t plic_read_other(struct plic *plic, uint64_t offset,
                                      uint64_t *value)
{
    const struct plic_state *state = &plic->state;
    struct plic_register reg = plic_locate(plic, offset);

    *value = 0;
    switch (reg.kind) {
    case REG_PENDING: *value = set_read(state->pending, reg.half); break;
    case REG_ENABLE:
        *value = set_read(state->enable[reg.vcpu], reg.half);
        break;
    case REG_THRESHOLD: *value = state->threshold[reg.vcpu]; break;
    case REG_CLAIM: *value = plic_claim(plic, reg.vcpu); break;
    case REG_NONE: break;
    }
    return OK;
}

/* Priorities are read most: without what the other registers need. */
static err_t plic_read(struct device *device, unsigned range, uint64_t offset,
                       unsigned width, uint64_t *value)
{
    struct plic *plic = container_of(device, struct plic, device);

    if (unlikely(offset >= PLIC_PENDING))
        return plic_read_other(plic, offset, value);
    *value = plic->state.priority[offset / 4];
    return OK;
}

static err_t plic_write(struct device *device, unsigned range, uint64_t offset,
                        unsigned width, uint64_t value)
{
    struct plic *plic = container_of(device, struct plic, device);
    struct plic_register reg;

    if (offset < PLIC_PENDING) {
        plic_write_priority(plic, (uint32_t)offset / 4, (uint32_t)value);
        return OK;
    }
    reg = plic_locate(plic, offset);
    switch (reg.kind) {
    case REG_ENABLE:
        plic_write_enable(plic, reg.vcpu, reg.half, (uint32_t)value);
        break;
    case REG_THRESHOLD:
        plic->state.threshold[reg.vcpu] = value & PLIC_MAX_PRIORITY;
        plic_update(plic, reg.vcpu);
        break;
    case REG_CLAIM: plic_complete(plic, reg.vcpu, (uint32_t)value); break;
    case REG_PENDING:
    case REG_NONE: break;
    }
    return OK;
}

/* The inputs are their devices': what is high is requested anew. */
static void plic_reset(struct device *device)
{
    struct plic *plic = container_of(device, struct plic, device);

    memset(&plic->state, 0, sizeof(plic->state));
    plic_update_all(plic, plic->outputs);
    for (uint32_t word = 0; word < SOURCE_WORDS; word++) {
        plic->state.pending[word] = plic->line[word];
        plic->state.pending_words |= (uint32_t)(plic->line[word] != 0) << word;
    }
}

static const struct device_ops plic_ops = {
    .read = plic_read,
    .write = plic_write,
    .reset = plic_reset,
};

/* Its own configuration: riscv,ndev, the number of sources. */
static err_t plic_create(const struct device_context *context,
                         struct device **device, const char **what)
{
    uint32_t contexts = context->vcpu_count * CONTEXTS_PER_VCPU;
    uint32_t sources = PLIC_DEFAULT_SOURCES;
    uint64_t base, size;
    struct plic *plic;
    err_t error = device_parse_cell(context, "riscv,ndev", 1, PLIC_MAX_SOURCES,
                                    &sources, what);

    CHECK(context->vcpu_count <= MAX_VCPU_NUM);
    if (error == OK)
        error = device_parse_reg(context, &base, &size, what);
    if (error != OK)
        return error;
    if (size < PLIC_CONTEXT + (uint64_t)contexts * PLIC_CONTEXT_STRIDE) {
        *what = "reg";
        return ERR_INVALID_INPUT;
    }
    if (context->external_vector == 0) {
        *what = "compatible";
        return ERR_UNSUPPORTED;
    }
    plic = arena_new(context->arena, struct plic);
    if (plic == NULL)
        return ERR_NO_MEMORY;
    plic->device.ops = &plic_ops;
    plic->device.ranges[0].widths = WIDTH_4;
    plic->chip = (struct irq_chip){
        .set_level = plic_set_level,
        .pulse = plic_pulse,
        .irq_count = sources + 1,
    };
    plic->vm = context->vm;
    plic->vector = context->external_vector;
    plic->vcpu_count = context->vcpu_count;
    plic->source_count = sources;
    *device = &plic->device;
    return OK;
}

static struct irq_chip *plic_irq_chip(struct device *device)
{
    return &container_of(device, struct plic, device)->chip;
}

static int plic_describe_contexts(const struct plic *plic, void *fdt)
{
    fdt32_t cells[MAX_VCPU_NUM * CONTEXTS_PER_VCPU * 2];
    fdt32_t *next = cells;

    for (vcpu_id vcpu = 0; vcpu < plic->vcpu_count; vcpu++) {
        *next++ = cpu_to_fdt32(DEVICE_PHANDLE_CPU(vcpu));
        *next++ = cpu_to_fdt32(RISCV_NO_INTERRUPT);
        *next++ = cpu_to_fdt32(DEVICE_PHANDLE_CPU(vcpu));
        *next++ = cpu_to_fdt32(RISCV_IRQ_S_EXT);
    }
    return fdt_property(fdt, "interrupts-extended", cells,
                        (int)((size_t)(next - cells) * sizeof(cells[0])));
}

static int plic_describe(const struct device *device, void *fdt)
{
    const struct plic *plic = container_of(device, const struct plic, device);
    int error = fdt_property(fdt, "interrupt-controller", NULL, 0);

    if (error == 0)
        error = fdt_property_u32(fdt, "#interrupt-cells", 1);
    if (error == 0)
        error = fdt_property_u32(fdt, "#address-cells", 0);
    if (error == 0)
        error = fdt_property_u32(fdt, "riscv,ndev", plic->source_count);
    return error != 0 ? error : plic_describe_contexts(plic, fdt);
}

static const char plic_compatible[] = "sifive,plic-1.0.0\0riscv,plic0";

static const struct device_model plic_model = {
    .compatible = "sifive,plic-1.0.0",
    .guest_compatible = plic_compatible,
    .guest_compatible_size = sizeof(plic_compatible),
    .is_irq_chip = true,
    .create = plic_create,
    .describe = plic_describe,
    .irq_chip = plic_irq_chip,
};

DEVICE_MODEL(plic_model);
