/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a guest takes an exception or interrupt, and returns from it: through its
 * interrupt vector table or IDT, onto the stack that it is on. APM volume 2,
 * sections 8.6, 8.7, 8.9. Not modelled: task gates, stacks of the TSS, and the
 * checks of a gate's privilege and of its code segment.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"

#define GATE_PRESENT   BIT(47)
#define GATE_TYPE      BIT_MASK(43, 40)
#define GATE_INTERRUPT UINT64_C(14)
#define GATE_TRAP      1  /* in its lowest bit: RFLAGS.IF stays */
#define GATE_MAX       16 /* bytes */

/* What delivery finds in the IDT. */
struct handler {
    uint64_t rip;
    uint16_t cs;
    bool keeps_if;
};

/* Bytes of a gate, and of what is pushed at a time. */
static unsigned gate_size(const struct fake_x86 *cpu)
{
    return cpu_real_mode(cpu) ? 4 : cpu_long_mode(cpu) ? 16 : 8;
}

static unsigned slot_size(const struct fake_x86 *cpu)
{
    return cpu_real_mode(cpu) ? 2 : cpu_long_mode(cpu) ? 8 : 4;
}

/* Words of a frame: RIP, CS, RFLAGS, and in long mode RSP, SS. */
static unsigned frame_words(const struct fake_x86 *cpu)
{
    return cpu_long_mode(cpu) ? 5 : 3;
}

static uint64_t stack_base(const struct fake_x86 *cpu)
{
    return cpu_64bit(cpu) ? 0 : cpu->state.ss.base;
}

static void decode_gate(const struct fake_x86 *cpu, const uint64_t *gate,
                        struct handler *handler)
{
    if (cpu_real_mode(cpu)) {
        handler->rip = gate[0] & 0xffff;
        handler->cs = (uint16_t)(gate[0] >> 16);
        return;
    }
    handler->rip = (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000);
    if (cpu_long_mode(cpu))
        handler->rip |= gate[1] << 32;
    handler->cs = (uint16_t)(gate[0] >> 16);
    handler->keeps_if = (FIELD_GET(GATE_TYPE, gate[0]) & GATE_TRAP) != 0;
}

/* The error code that names the gate of the event on its way. */
static uint64_t gate_error(const struct fake_x86 *cpu, unsigned vector)
{
    bool is_external =
        FIELD_GET(EVENT_TYPE, cpu->delivering) != EVENT_TYPE_SOFT;

    return (uint64_t)vector << 3 | 2 | (is_external ? 1 : 0);
}

/* Whether the table has a gate, or else an exception has come of it. */
static bool find_gate(struct fake_x86 *cpu, unsigned vector)
{
    unsigned size = gate_size(cpu);

    if ((uint64_t)vector * size + size - 1 <= cpu->state.idtr.limit)
        return true;
    cpu_exception(cpu, X86_VECTOR_GP, gate_error(cpu, vector), 0);
    return false;
}

/* False: an exit or an exception has come of it. */
static bool read_gate(struct fake_x86 *cpu, unsigned vector,
                      struct handler *handler)
{
    unsigned size = gate_size(cpu);
    uint64_t at = cpu->state.idtr.base + (uint64_t)vector * size;
    uint64_t gate[2] = {0};

    if (!cpu_copy(cpu, at, gate, size, CPU_READ, 0))
        return false;
    if (!cpu_real_mode(cpu) && (gate[0] & GATE_PRESENT) == 0) {
        cpu_exception(cpu, X86_VECTOR_NP, gate_error(cpu, vector), 0);
        return false;
    }
    decode_gate(cpu, gate, handler);
    if (cpu_is_canonical(handler->rip))
        return true;
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
    return false;
}

/* Packs words of the frame, lowest address first, into `bytes`. */
static unsigned make_frame(const struct fake_x86 *cpu, uint64_t event,
                           uint8_t *bytes)
{
    const struct vmcb_save *save = &cpu->state;
    const uint64_t words[] = {FIELD_GET(EVENT_ERRORCODE, event),
                              save->rip + cpu->soft_length,
                              save->cs.selector,
                              save->rflags,
                              save->rsp,
                              save->ss.selector};
    unsigned slot = slot_size(cpu);
    bool has_error = (event & EVENT_EV) != 0 && !cpu_real_mode(cpu);
    unsigned size = 0;

    for (unsigned i = has_error ? 0 : 1; i <= frame_words(cpu); i++) {
        memcpy(bytes + size, &words[i], slot);
        size += slot;
    }
    return size;
}

/* Word by word, downwards: the first that cannot be pushed is what faults. What
 * RSP becomes is `*top`. */
static bool push_frame(struct fake_x86 *cpu, uint64_t event, uint64_t *top)
{
    uint8_t bytes[6 * 8];
    unsigned size = make_frame(cpu, event, bytes);
    unsigned slot = slot_size(cpu);
    uint64_t rsp = cpu->state.rsp;

    if (cpu_long_mode(cpu))
        rsp = align_down(rsp, 16);
    rsp -= size;
    if (cpu_real_mode(cpu))
        rsp &= UINT16_MAX;
    else if (!cpu_long_mode(cpu))
        rsp &= UINT32_MAX;
    for (unsigned at = size; at > 0; at -= slot) {
        if (!cpu_copy(cpu, stack_base(cpu) + rsp + at - slot, bytes + at - slot,
                      slot, CPU_WRITE, 0))
            return false;
    }
    if (cpu_real_mode(cpu))
        rsp |= cpu->state.rsp & ~(uint64_t)UINT16_MAX;
    *top = rsp;
    return true;
}

/* Real mode leaves NT alone, and clears AC. */
#define CLEARED_BY_EVENTS \
    (X86_RFLAGS_TF | X86_RFLAGS_NT | X86_RFLAGS_RF | X86_RFLAGS_VM)
#define CLEARED_IN_REAL_MODE (X86_RFLAGS_TF | X86_RFLAGS_RF | X86_RFLAGS_AC)

static void enter_handler(struct fake_x86 *cpu, const struct handler *handler)
{
    struct vmcb_save *save = &cpu->state;

    save->rflags &=
        cpu_real_mode(cpu) ? ~CLEARED_IN_REAL_MODE : ~CLEARED_BY_EVENTS;
    if (!handler->keeps_if)
        save->rflags &= ~X86_RFLAGS_IF;
    save->cs.selector = handler->cs;
    if (cpu_real_mode(cpu))
        save->cs.base = (uint64_t)handler->cs << 4;
    save->rip = handler->rip;
    cpu_set_cpl(cpu, 0);
}

static void note_vector(struct fake_x86 *cpu, uint64_t event)
{
    uint64_t vector = FIELD_GET(EVENT_VECTOR, event);

    if (cpu->source != NULL && FIELD_GET(EVENT_TYPE, event) <= EVENT_TYPE_NMI)
        cpu->source->result.vectors[vector / 64] |= BIT(vector % 64);
}

/* In real mode, vendors do not agree on what comes first. */
static bool begin_handler(struct fake_x86 *cpu, uint64_t event,
                          struct handler *handler, uint64_t *top)
{
    unsigned vector = (unsigned)FIELD_GET(EVENT_VECTOR, event);

    if (!find_gate(cpu, vector))
        return false;
    if (cpu_real_mode(cpu) && cpu->vendor->pushes_first)
        return push_frame(cpu, event, top) && read_gate(cpu, vector, handler);
    return read_gate(cpu, vector, handler) && push_frame(cpu, event, top);
}

static void deliver(struct fake_x86 *cpu, uint64_t event)
{
    struct handler handler = {0};
    uint64_t top;

    cpu->delivering = event;
    if (!begin_handler(cpu, event, &handler, &top))
        return;
    cpu->delivering = 0;
    cpu->state.rsp = top;
    if (FIELD_GET(EVENT_TYPE, event) == EVENT_TYPE_NMI)
        cpu->nmi_blocked = true;
    cpu->shadow = 0;
    enter_handler(cpu, &handler);
    note_vector(cpu, event);
}

/* An interrupt gate to `rip`, in the code segment that the guest is in. */
static void make_gate(const struct fake_x86 *cpu, uint64_t rip,
                      uint64_t gate[2])
{
    uint64_t cs = cpu->state.cs.selector;

    if (cpu_real_mode(cpu)) {
        gate[0] = (rip & 0xffff) | cs << 16;
        return;
    }
    gate[0] = (rip & 0xffff) | cs << 16 | GATE_PRESENT |
              FIELD_PUT(GATE_TYPE, GATE_INTERRUPT) | (rip & 0xffff0000) << 32;
    gate[1] = rip >> 32;
}

/* The whole table in one go: it is one or two pages, and an exit for either
 * has the guest make the operation again. */
void cpu_op_traps(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;
    uint64_t at = (uint64_t)sign_extend(cpu_address(cpu, cpu_op(cpu)->address),
                                        CPU_LINEAR_BITS);
    unsigned size = gate_size(cpu);
    uint8_t table[256 * GATE_MAX];

    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t gate[2] = {0};

        /* Where gates are shorter, the next one takes the place of the rest. */
        make_gate(cpu, at + PAGE_SIZE + vector, gate);
        memcpy(table + (size_t)vector * size, gate, sizeof(gate));
    }
    if (!cpu_copy(cpu, at, table, (size_t)256 * size, CPU_WRITE, 0))
        return;
    save->idtr.base = at;
    save->idtr.limit = 256 * size - 1;
    save->rsp = at + 3 * PAGE_SIZE;
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}

/* An event takes the place of one on its way: it is not that one's
 * instruction any more that it returns behind. */
void cpu_deliver(struct fake_x86 *cpu, uint64_t event)
{
    cpu->soft_length = 0;
    deliver(cpu, event);
}

void cpu_deliver_by(struct fake_x86 *cpu, uint64_t event, uint8_t length)
{
    cpu->soft_length = length;
    deliver(cpu, event);
    cpu->soft_length = 0;
}

void cpu_deliver_soft(struct fake_x86 *cpu, uint64_t event,
                      enum guest_outcome outcome)
{
    cpu->state.rflags &= ~X86_RFLAGS_RF;
    cpu->soft_length = cpu->source->op_length;
    deliver(cpu, event);
    cpu->soft_length = 0;
    if (cpu->exited)
        cpu->source->op_exited = true;
    else
        cpu_op_finish(cpu, outcome);
}

bool cpu_return(struct fake_x86 *cpu)
{
    struct vmcb_save *save = &cpu->state;
    unsigned slot = slot_size(cpu);
    unsigned size = frame_words(cpu) * slot;
    uint8_t bytes[5 * 8] = {0};
    uint64_t words[5] = {0};

    if (!cpu_copy(cpu, stack_base(cpu) + save->rsp, bytes, size, CPU_READ,
                  save->cpl))
        return false;
    for (unsigned i = 0; i < frame_words(cpu); i++)
        memcpy(&words[i], bytes + (size_t)i * slot, slot);
    if (cpu_64bit(cpu) && !cpu_is_canonical(words[0])) {
        cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
        return false;
    }
    save->rip = cpu_address(cpu, words[0]);
    save->cs.selector = (uint16_t)words[1];
    if (cpu_real_mode(cpu))
        save->cs.base = words[1] << 4;
    else
        cpu_set_cpl(cpu, words[1] & 3);
    save->rflags = (words[2] & CPU_RFLAGS) | X86_RFLAGS_FIXED;
    save->rsp = cpu_long_mode(cpu) ? words[3] : save->rsp + size;
    if (cpu_long_mode(cpu))
        save->ss.selector = (uint16_t)words[4];
    cpu->vendor->returned(cpu);
    return true;
}
