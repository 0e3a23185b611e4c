/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task switches: Intel SDM volume 3, chapter 8, for processors that leave them
 * to the hypervisor (section 26.4.2). Those have looked at privileges, at the
 * gate, and at the new TSS's descriptor before: if that is another one by now,
 * the guest tries again.
 *
 * All that can fault in the old task comes first: reading both TSSs, as writes
 * where they will be written to. Then the old task is saved, and what follows
 * are the new one's faults, from the loads of its segments on. One that could
 * not be loaded is unusable then, and CS an empty one.
 *
 * Not done: breakpoints, and shadow stacks, which guests do not have. The busy
 * and accessed bits are written with their byte, and not locked.
 */
#include "addrspace/aspace.h"
#include "arch/x86_64/descriptor.h"
#include "arch/x86_64/x86.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vcpu/boot.h"

/* --- Layouts --- */

/* Where a TSS has what; registers follow each other in the order of their
 * numbers. Section 8.2.1, and 8.6 for that of 16 bits. */
struct tss_format {
    uint8_t size, word; /* bytes: of all, of each register */
    uint8_t cr3, eip, eflags, gprs, segments, ldtr, trap; /* 0: it has none */
    uint8_t segment_count;
};

#define TSS_LINK     0
#define TSS_SIZE_MAX 104
#define TSS_GPRS     8

static const struct tss_format tss_16 = {44, 2, 0, 14, 16, 18, 34, 42, 0, 4};
static const struct tss_format tss_32 = {TSS_SIZE_MAX, 4,  28, 32,  36,
                                         40,           72, 96, 100, 6};

/* What EFLAGS can hold. */
#define FLAGS UINT32_C(0x3f7fd5)
/* Of DR7, breakpoints of the old task alone; of DR6, the T flag's trap. */
#define DR7_LOCAL UINT64_C(0x155)
#define DR6_BT    BIT(15)

/* --- The switch --- */

struct descriptor {
    struct x86_segment segment;
    uint64_t access; /* where its byte is */
};

struct tss {
    struct descriptor descriptor;
    const struct tss_format *format;
    uint8_t bytes[TSS_SIZE_MAX];
};

struct task_switch {
    struct x86_vcpu *v;
    enum x86_task_source source;
    uint8_t length; /* of the instruction; 0: an event's */
    bool has_event; /* that is delivered by it: */
    struct x86_event event;
    struct x86_cpu cpu; /* the old task's registers, then the new one's */
    struct x86_segment segment[X86_ENTRY_SEGMENT_COUNT]; /* the new task's */
    struct x86_entry_table gdtr;
    struct tss old, new;
    struct x86_cpu view; /* whose accesses to memory they are */
    struct x86_memory_context memory;
    struct x86_exception fault; /* of X86_EXCEPTION */
};

typedef enum x86_result (*step)(struct task_switch *t);

static bool is_nested(const struct task_switch *t)
{
    return t->source == X86_TASK_CALL || t->source == X86_TASK_GATE;
}

/* Bit 0 says that no instruction of the guest is to blame. */
static enum x86_result fault(struct task_switch *t, uint8_t vector,
                             uint16_t selector)
{
    t->fault = (struct x86_exception){
        .vector = vector,
        .has_error = true,
        .error = (selector & ~(uint32_t)X86_SELECTOR_RPL) | t->has_event};
    return X86_EXCEPTION;
}

/* --- Memory --- */

/* Accesses from now on: by the processor itself, or by code at CPL 3. */
static void set_view(struct task_switch *t, uint8_t cpl)
{
    t->view = t->cpu;
    t->view.cpl = cpl;
    t->view.rflags &= ~X86_RFLAGS_AC;
    t->memory = (struct x86_memory_context){.v = t->v, .cpu = &t->view};
}

/* Writes to what is read-only have no effect. */
static enum x86_result copy(struct task_switch *t, uint64_t linear, void *bytes,
                            size_t size, enum x86_access access)
{
    struct aspace *memory = t->v->base.config.memory;

    for (size_t done = 0, piece; done < size; done += piece) {
        uint64_t at = (uint32_t)(linear + done);
        uint64_t room = PAGE_SIZE - at % PAGE_SIZE;
        enum x86_result result;
        gpa_t address;
        err_t error;

        piece = size - done < room ? size - done : room;
        result =
            x86_translate_linear(&t->memory, at, access, &address, &t->fault);
        if (result != X86_DONE)
            return result;
        error = access == X86_ACCESS_WRITE
                    ? aspace_write(memory, address, (char *)bytes + done, piece)
                    : aspace_read(memory, address, (char *)bytes + done, piece);
        if (error != OK && error != ERR_DENIED)
            return X86_UNSUPPORTED;
    }
    return X86_DONE;
}

static uint32_t get(const struct tss *tss, unsigned at, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, tss->bytes + at, size);
    return value;
}

static void put(struct tss *tss, unsigned at, uint64_t value, unsigned size)
{
    memcpy(tss->bytes + at, &value, size);
}

/* What no table has is #TS. */
static enum x86_result read_descriptor(struct task_switch *t, uint16_t selector,
                                       enum x86_access access,
                                       struct descriptor *found)
{
    const struct x86_segment *ldtr = &t->segment[X86_ENTRY_LDTR];
    bool is_local = (selector & X86_SELECTOR_LDT) != 0;
    uint64_t base = is_local ? ldtr->base : t->gdtr.base;
    uint32_t limit = is_local ? ldtr->limit : t->gdtr.limit;
    uint32_t offset = selector & X86_SELECTOR_INDEX;
    enum x86_result result;
    uint64_t bits = 0;

    if ((is_local && (ldtr->attributes & X86_SEG_PRESENT) == 0) ||
        offset + sizeof(bits) - 1 > limit)
        return fault(t, X86_VECTOR_TS, selector);
    result = copy(t, base + offset, &bits, sizeof(bits), access);
    x86_decode_descriptor(bits, &found->segment);
    found->segment.selector = selector;
    found->access = base + offset + X86_DESCRIPTOR_ACCESS;
    return result;
}

/* Its type, or that it has been accessed. */
static enum x86_result mark(struct task_switch *t, struct descriptor *d,
                            unsigned set, unsigned clear)
{
    uint8_t access = (uint8_t)((d->segment.attributes | set) & ~clear);
    bool is_new = access != (uint8_t)d->segment.attributes;

    d->segment.attributes = (uint16_t)((d->segment.attributes | set) & ~clear);
    return is_new ? copy(t, d->access, &access, 1, X86_ACCESS_WRITE) : X86_DONE;
}

/* --- What can fault in the old task --- */

static const struct tss_format *format_of(const struct x86_segment *segment)
{
    return (segment->attributes & X86_TYPE_TSS_32) != 0 ? &tss_32 : &tss_16;
}

/* JMP and IRET make the old task available; the others come back to it. */
static enum x86_result find_old(struct task_switch *t)
{
    struct x86_segment tr = t->v->vendor->get_segment(t->v, X86_ENTRY_TR);
    enum x86_result result = X86_DONE;

    if (!is_nested(t))
        result = read_descriptor(t, tr.selector, X86_ACCESS_MODIFY,
                                 &t->old.descriptor);
    t->old.descriptor.segment = tr;
    t->old.format = format_of(&tr);
    if (result == X86_DONE && tr.limit < t->old.format->size - 1u)
        return fault(t, X86_VECTOR_TS, tr.selector);
    return result;
}

static enum x86_result find_new(struct task_switch *t)
{
    struct x86_segment *segment = &t->new.descriptor.segment;
    bool is_return = t->source == X86_TASK_IRET;
    enum x86_result result = read_descriptor(
        t, segment->selector, is_return ? X86_ACCESS_READ : X86_ACCESS_MODIFY,
        &t->new.descriptor);
    uint32_t type = X86_TYPE_TSS | (is_return ? X86_TYPE_TSS_BUSY : 0);

    if (result != X86_DONE)
        return result;
    t->new.format = format_of(segment);
    if ((segment->selector & X86_SELECTOR_LDT) != 0 ||
        (segment->attributes & X86_SEG_PRESENT) == 0 ||
        (segment->attributes & X86_SEG_TYPE & ~X86_TYPE_TSS_32) != type ||
        segment->limit < t->new.format->size - 1u)
        return X86_RETRY;
    return X86_DONE;
}

static enum x86_result read_old(struct task_switch *t)
{
    return copy(t, t->old.descriptor.segment.base, t->old.bytes,
                t->old.format->size, X86_ACCESS_MODIFY);
}

static enum x86_result read_new(struct task_switch *t)
{
    return copy(t, t->new.descriptor.segment.base, t->new.bytes,
                t->new.format->size,
                is_nested(t) ? X86_ACCESS_MODIFY : X86_ACCESS_READ);
}

/* --- The old task's end --- */

static enum x86_result save_old(struct task_switch *t)
{
    const struct tss_format *format = t->old.format;
    uint64_t flags = t->cpu.rflags;

    if (t->source == X86_TASK_IRET)
        flags &= ~X86_RFLAGS_NT;
    put(&t->old, format->eip, t->cpu.rip + t->length, format->word);
    put(&t->old, format->eflags, flags, format->word);
    for (unsigned i = 0; i < TSS_GPRS; i++)
        put(&t->old, format->gprs + i * format->word, t->cpu.gpr[i],
            format->word);
    for (unsigned i = 0; i < format->segment_count; i++)
        put(&t->old, format->segments + i * format->word,
            t->cpu.segment[i].selector, 2);
    return copy(t, t->old.descriptor.segment.base + format->eip,
                t->old.bytes + format->eip, format->ldtr - (size_t)format->eip,
                X86_ACCESS_WRITE);
}

static enum x86_result mark_tasks(struct task_switch *t)
{
    uint16_t link = t->old.descriptor.segment.selector;
    enum x86_result result = X86_DONE;

    if (!is_nested(t))
        result = mark(t, &t->old.descriptor, 0, X86_TYPE_TSS_BUSY);
    if (result == X86_DONE)
        result = t->source == X86_TASK_IRET
                     ? X86_DONE
                     : mark(t, &t->new.descriptor, X86_TYPE_TSS_BUSY, 0);
    if (result == X86_DONE && is_nested(t))
        result = copy(t, t->new.descriptor.segment.base + TSS_LINK, &link,
                      sizeof(link), X86_ACCESS_WRITE);
    return result;
}

/* --- The new task --- */

static void load_gprs(struct task_switch *t)
{
    const struct tss_format *format = t->new.format;

    /* Upper halves that a TSS of 16 bits does not have are ones. */
    for (unsigned i = 0; i < TSS_GPRS; i++)
        t->cpu.gpr[i] =
            get(&t->new, format->gprs + i * format->word, format->word) |
            (format->word == 2 ? UINT32_C(0xffff0000) : 0);
}

/* Each segment as it is until it is loaded; for virtual-8086 mode, as it is
 * then. */
static void load_selectors(struct task_switch *t)
{
    const struct tss_format *format = t->new.format;
    bool is_v86 = (t->cpu.rflags & X86_RFLAGS_VM) != 0;

    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        uint16_t selector = 0;

        if (i < format->segment_count)
            selector =
                (uint16_t)get(&t->new, format->segments + i * format->word, 2);
        if (i == X86_CS)
            t->cpu.cpl = is_v86 ? 3 : selector & X86_SELECTOR_RPL;
        t->segment[i] = (struct x86_segment){.selector = selector};
    }
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        uint16_t data =
            (uint16_t)(X86_SEG_NO_SYSTEM | X86_SEG_WRITABLE | X86_SEG_ACCESSED |
                       FIELD_PUT(X86_SEG_DPL, t->cpu.cpl));

        t->segment[i].attributes = data;
        if (i == X86_CS && !is_v86)
            t->segment[i].attributes |= X86_SEG_PRESENT | X86_SEG_CODE;
        if (!is_v86)
            continue;
        t->segment[i].attributes |= X86_SEG_PRESENT;
        t->segment[i].base = (uint64_t)t->segment[i].selector << 4;
        t->segment[i].limit = UINT16_MAX;
    }
    t->segment[X86_ENTRY_LDTR] = (struct x86_segment){
        .selector = (uint16_t)get(&t->new, format->ldtr, 2)};
    t->segment[X86_ENTRY_TR] = t->new.descriptor.segment;
}

static void load_registers(struct task_switch *t)
{
    const struct tss_format *format = t->new.format;

    t->cpu.rip = get(&t->new, format->eip, format->word);
    t->cpu.rflags = (get(&t->new, format->eflags, format->word) & FLAGS) |
                    X86_RFLAGS_FIXED | (is_nested(t) ? X86_RFLAGS_NT : 0);
    if (format->cr3 != 0 && (t->cpu.control.cr0 & X86_CR0_PG) != 0)
        t->cpu.control.cr3 = get(&t->new, format->cr3, 4);
    t->cpu.control.cr0 |= X86_CR0_TS;
    load_gprs(t);
    load_selectors(t);
}

static uint8_t absence_of(unsigned number)
{
    return number == X86_ENTRY_LDTR ? X86_VECTOR_TS
           : number == X86_SS       ? X86_VECTOR_SS
                                    : X86_VECTOR_NP;
}

static enum x86_result load_segment(struct task_switch *t, unsigned number)
{
    uint16_t selector = t->segment[number].selector;
    struct descriptor d;
    enum x86_result result;

    if (x86_selector_is_null(selector))
        return number == X86_CS || number == X86_SS
                   ? fault(t, X86_VECTOR_TS, selector)
                   : X86_DONE;
    result = read_descriptor(t, selector, X86_ACCESS_READ, &d);
    if (result != X86_DONE)
        return result;
    if (!x86_task_may_load(number, &d.segment, t->cpu.cpl))
        return fault(t, X86_VECTOR_TS, selector);
    if ((d.segment.attributes & X86_SEG_PRESENT) == 0)
        return fault(t, absence_of(number), selector);
    if (number != X86_ENTRY_LDTR)
        result = mark(t, &d, X86_SEG_ACCESSED, 0);
    t->segment[number] = d.segment;
    return result;
}

static enum x86_result load_segments(struct task_switch *t)
{
    static const uint8_t numbers[] = {X86_ENTRY_LDTR, X86_CS, X86_SS, X86_DS,
                                      X86_ES,         X86_FS, X86_GS};
    bool is_v86 = (t->cpu.rflags & X86_RFLAGS_VM) != 0;
    enum x86_result result = X86_DONE;

    for (unsigned i = 0; i < (is_v86 ? 1 : ARRAY_SIZE(numbers)); i++) {
        result = load_segment(t, numbers[i]);
        if (result != X86_DONE)
            break;
    }
    return result;
}

/* An exception's, as wide as the TSS, on the new task's stack. */
static enum x86_result push_error(struct task_switch *t)
{
    const struct x86_segment *ss = &t->segment[X86_SS];
    uint64_t mask = (ss->attributes & X86_SEG_BIG) != 0 ? UINT32_MAX : 0xffff;
    uint64_t *rsp = &t->cpu.gpr[X86_GPR_RSP];
    unsigned size = t->new.format->word;
    uint64_t to = (*rsp - size) & mask;
    bool is_below = to + size - 1 <= ss->limit;
    enum x86_result result;

    if (!t->has_event || !t->event.has_error)
        return X86_DONE;
    if ((ss->attributes & X86_SEG_DOWN) != 0 ? to <= ss->limit : !is_below)
        return fault(t, X86_VECTOR_SS, 0);
    set_view(t, t->cpu.cpl);
    result = copy(t, ss->base + to, &t->event.error, size, X86_ACCESS_WRITE);
    if (result == X86_DONE)
        *rsp = (*rsp & ~mask) | to;
    return result;
}

static enum x86_result check_eip(struct task_switch *t)
{
    return t->cpu.rip > t->segment[X86_CS].limit ? fault(t, X86_VECTOR_GP, 0)
                                                 : X86_DONE;
}

/* Of PAE paging, whose pointers CR3 loads. */
static enum x86_result load_tables(struct task_switch *t)
{
    if (t->cpu.control.cr3 == t->v->vendor->get(t->v, X86_REG_CR3) ||
        x86_load_pdptes(t->v, &t->cpu.control))
        return X86_DONE;
    return fault(t, X86_VECTOR_TS, 0);
}

static enum x86_result run(struct task_switch *t, const step *steps,
                           unsigned count)
{
    enum x86_result result = X86_DONE;

    for (unsigned i = 0; i < count && result == X86_DONE; i++)
        result = steps[i](t);
    return result;
}

/* --- The vCPU --- */

/* Other registers than `cpu`'s are the same in all tasks. */
static void become(struct task_switch *t)
{
    struct x86_vcpu *v = t->v;
    const struct x86_vendor *vendor = v->vendor;

    for (unsigned i = 0; i < X86_ENTRY_SEGMENT_COUNT; i++)
        vendor->set_segment(v, i, &t->segment[i]);
    memcpy(v->regs.gpr, t->cpu.gpr, sizeof(t->cpu.gpr));
    *v->rip = t->cpu.rip;
    *v->rflags = t->cpu.rflags;
    vendor->set(v, X86_REG_CR0, t->cpu.control.cr0);
    if (t->cpu.control.cr3 != vendor->get(v, X86_REG_CR3)) {
        vendor->set(v, X86_REG_CR3, t->cpu.control.cr3);
        vendor->flush(v);
    }
    vendor->set(v, X86_REG_DR7, vendor->get(v, X86_REG_DR7) & ~DR7_LOCAL);
    x86_end_shadow(v);
    if (t->source == X86_TASK_IRET)
        vendor->block_nmi(v, false);
    if (t->has_event && t->event.type == X86_EVENT_NMI)
        vendor->block_nmi(v, true);
}

/* The event is delivered with the switch, unless the new task's first act is an
 * exception that goes together with it. */
static enum x86_result enter_new(struct task_switch *t)
{
    static const step steps[] = {load_tables, load_segments, push_error,
                                 check_eip};
    enum x86_result result;

    load_registers(t);
    set_view(t, 0);
    result = run(t, steps, ARRAY_SIZE(steps));
    become(t);
    if (t->has_event &&
        (result == X86_DONE || t->event.type != X86_EVENT_EXCEPTION))
        *t->v->event = 0;
    if (result == X86_DONE && t->new.format->trap != 0 &&
        (get(&t->new, t->new.format->trap, 1) & 1) != 0) {
        t->v->vendor->set(t->v, X86_REG_DR6,
                          t->v->vendor->get(t->v, X86_REG_DR6) | DR6_BT);
        x86_inject_exception(t->v,
                             &(struct x86_exception){.vector = X86_VECTOR_DB});
    }
    return result == X86_RETRY ? X86_UNSUPPORTED : result;
}

static enum x86_result leave_old(struct task_switch *t)
{
    static const step steps[] = {find_old, find_new, read_old,
                                 read_new, save_old, mark_tasks};

    set_view(t, 0);
    return run(t, steps, ARRAY_SIZE(steps));
}

/* An event that waits is what has found a task gate. If there is none, INT n or
 * its like has, as CALL, JMP and IRET find theirs: RIP is saved behind it. */
static void begin(struct task_switch *t, const struct vm_exit *exit)
{
    t->source =
        (enum x86_task_source)FIELD_GET(X86_TASK_SOURCE, exit->insn.operand);
    t->new.descriptor.segment.selector =
        (uint16_t)FIELD_GET(X86_TASK_SELECTOR, exit->insn.operand);
    t->has_event = t->source == X86_TASK_GATE && x86_get_event(t->v, &t->event);
    t->length = t->has_event ? 0 : exit->insn_len;
    t->v->vendor->get_cpu(t->v, &t->cpu);
    x86_get_gprs(t->v, &t->cpu);
    t->gdtr = t->v->vendor->get_gdtr(t->v);
}

static enum verdict stop(const struct task_switch *t, char *what)
{
    (void)format_text(
        what, VM_REASON_SIZE, "cannot switch to task 0x%x at rip 0x%llx",
        t->new.descriptor.segment.selector, (unsigned long long)*t->v->rip);
    return VERDICT_STOP_VM;
}

enum verdict x86_switch_task(struct x86_vcpu *v, const struct vm_exit *exit,
                             char *what)
{
    struct task_switch t = {.v = v};
    enum x86_result result;

    begin(&t, exit);
    /* No processor makes that exit in other modes. */
    if ((t.cpu.control.cr0 & X86_CR0_PE) == 0 ||
        (t.cpu.control.efer & X86_EFER_LMA) != 0)
        return stop(&t, what);
    result = leave_old(&t);
    if (result == X86_DONE)
        result = enter_new(&t);
    if (result == X86_UNSUPPORTED)
        return stop(&t, what);
    if (result == X86_EXCEPTION)
        x86_inject_exception(v, &t.fault);
    return VERDICT_RESUME;
}
