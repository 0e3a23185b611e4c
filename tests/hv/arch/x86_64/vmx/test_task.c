/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task switches (hv/arch/x86_64/task.c), which VMX leaves to the hypervisor:
 * what each source does to both tasks, what is loaded, and which exception
 * comes, in which task. images/guests/tasks does the same on processors that
 * make them by themselves.
 */
#include "arch/x86_64/descriptor.h"
#include "hv/arch/x86_64/vmx/rig.h"

#define GDT      RIG_DATA
#define LDT      (RIG_DATA + 0x800)
#define OLD_TSS  (RIG_DATA + 0x1000)
#define NEW_TSS  (RIG_DATA + 0x2fc0) /* over the end of a page */
#define NEW_CODE 0x12000
#define NEW_SP   0x17000
#define LIMIT    0xffff

enum {
    CODE = 0x08,
    DATA = 0x10,
    OLD = 0x18,
    NEW = 0x20,
    NEW_LDT = 0x28,
    ODD = 0x30, /* a test's own */
    USER_DATA = 0x3b,
    LOCAL = 0x04,
};

#define CALL_LENGTH 7

static void poke_descriptor(uint64_t at, uint64_t base, uint32_t limit,
                            unsigned attributes)
{
    rig_poke(at,
             (limit & 0xffff) | (base & 0xffffff) << 16 |
                 (uint64_t)(attributes & 0xff) << 40 |
                 (uint64_t)(limit >> 16 & 0xf) << 48 |
                 (uint64_t)(attributes >> 8) << 52 | (base >> 24) << 56,
             8);
}

static unsigned access_of(unsigned selector)
{
    return (unsigned)rig_peek(GDT + (selector & 0xfff8) + 5, 1);
}

static struct x86_segment segment(unsigned number)
{
    cpus_set_current(rig_vcpu(0)->base.cpu);
    return vmx_get_segment(rig_vcpu(0), number);
}

/* The new task's, in the one format or the other. */
static void write_new_tss(bool wide)
{
    unsigned word = wide ? 4 : 2, gpr = wide ? 40 : 18, seg = wide ? 72 : 34;

    poke_descriptor(GDT + NEW, NEW_TSS, wide ? 103 : 43, wide ? 0x89 : 0x81);
    if (wide)
        rig_poke(NEW_TSS + 28, rig_get(0, X86_REG_CR3), 4);
    /* Of 16 bits, EIP must do for the handler. */
    rig_poke(NEW_TSS + (wide ? 32 : 14), wide ? NEW_CODE : 0x2000, word);
    rig_poke(NEW_TSS + (wide ? 36 : 16), X86_RFLAGS_FIXED | X86_RFLAGS_CF,
             word);
    for (unsigned i = 0; i < 8; i++)
        rig_poke(NEW_TSS + gpr + i * word,
                 i == X86_GPR_RSP ? (wide ? NEW_SP : 0x7000) : 0x1010 + i,
                 word);
    for (unsigned i = 0; i < (wide ? 6 : 4); i++)
        rig_poke(NEW_TSS + seg + i * word, i == X86_CS ? CODE : DATA, word);
    rig_poke(NEW_TSS + (wide ? 96 : 42), 0, word);
}

static void start_in(enum rig_mode mode, const char *profile, bool wide)
{
    static const uint64_t nothing[16] = {0};

    rig_start(profile, 1, 1);
    rig_mode(0, mode);
    rig_write(OLD_TSS, nothing, 104);
    rig_write(NEW_TSS, nothing, 104);
    poke_descriptor(GDT + CODE, 0, 0xfffff, 0xc9b);
    poke_descriptor(GDT + DATA, 0, 0xfffff, 0xc93);
    poke_descriptor(GDT + OLD, OLD_TSS, 103, 0x89);
    poke_descriptor(GDT + NEW_LDT, LDT, 15, 0x82);
    poke_descriptor(GDT + (USER_DATA & ~3), 0, 0xfffff, 0xcf3);
    poke_descriptor(LDT, 0, 0xfffff, 0xc92);
    write_new_tss(wide);
    rig_do(0, (struct guest_op){
                  .kind = OP_X86_LGDT, .address = GDT, .number = 0x7f});
    rig_do(0, (struct guest_op){
                  .kind = OP_X86_LTR, .reg = X86_GPR_RCX, .value = OLD});
    rig_poke(GDT + OLD + 5, 0x8b, 1);
    for (unsigned i = 0; i < 8; i++) {
        if (i != X86_GPR_RSP)
            rig_set_gpr(0, i, 0x20200 + i);
    }
}

static void start(const char *profile, bool wide)
{
    start_in(RIG_TWO_LEVEL, profile, wide);
}

/* The guest's segments are as struct x86_entry has made them: in the TSS there
 * are their selectors. */
static void switch_task(enum x86_task_source source, uint64_t vectoring)
{
    struct guest_op op = {.kind = OP_RAW_EXIT,
                          .args = {VMX_REASON_TASK_SWITCH}};

    op.args[1] = NEW | FIELD_PUT(VMX_TASK_SOURCE, source);
    op.args[3] = vectoring;
    op.args[4] = CALL_LENGTH;
    rig_do(0, op);
}

#define EVENT(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_##type) | (vector))
#define WITH_ERROR(event, error) \
    ((event) | VMX_EVENT_ERROR_CODE | (uint64_t)(error) << 32)

/* Both tasks ------------------------------------------------------------- */

/* What becomes of busy bits, NT and the link. */
Test(vmx_task, sources)
{
    static const struct {
        enum x86_task_source source;
        unsigned old_type, new_type, found_type;
        bool old_nt, new_nt, saved_nt;
        unsigned link;
    } rows[] = {
        {X86_TASK_CALL, 0x8b, 0x8b, 0x89, false, true, false, OLD},
        {X86_TASK_GATE, 0x8b, 0x8b, 0x89, true, true, true, OLD},
        {X86_TASK_JMP, 0x89, 0x8b, 0x89, true, false, true, 0},
        {X86_TASK_IRET, 0x89, 0x8b, 0x8b, true, false, false, 0},
    };

    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        for_each_row (i, rows) {
            uint64_t rip, saved;

            start(rig_vmx_profiles[p], true);
            rig_poke(GDT + NEW + 5, rows[i].found_type, 1);
            rig_set_flags(0, rows[i].old_nt ? X86_RFLAGS_NT : 0, 0);
            rip = rig_rip(0);
            switch_task(rows[i].source, 0);
            cr_expect_eq(access_of(OLD), rows[i].old_type, "row %zu", i);
            cr_expect_eq(access_of(NEW), rows[i].new_type, "row %zu", i);
            cr_expect_eq(rig_peek(NEW_TSS, 2), rows[i].link, "row %zu", i);
            cr_expect_eq(rig_peek(OLD_TSS + 32, 4), rip + CALL_LENGTH);
            saved = rig_peek(OLD_TSS + 36, 4);
            cr_expect_eq((saved & X86_RFLAGS_NT) != 0, rows[i].saved_nt,
                         "row %zu", i);
            cr_expect_eq(rig_rip(0), NEW_CODE, "%s, row %zu: 0x%llx",
                         rig_vmx_profiles[p], i,
                         (unsigned long long)rig_rip(0));
            cr_expect_eq(*rig_vcpu(0)->rflags,
                         X86_RFLAGS_FIXED | X86_RFLAGS_CF |
                             (rows[i].new_nt ? X86_RFLAGS_NT : 0),
                         "row %zu", i);
            cr_expect_eq(segment(X86_ENTRY_TR).selector, NEW);
            cr_expect_eq(segment(X86_ENTRY_TR).attributes, 0x8b);
            cr_expect_neq(rig_get(0, X86_REG_CR0) & X86_CR0_TS, 0);
            rig_stop();
        }
    }
}

/* All registers, in the formats of 32 and of 16 bits. */
Test(vmx_task, registers)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        unsigned old_gpr = 40, old_seg = 72;

        start(RIG_VMX "full", wide != 0);
        rig_do(0, (struct guest_op){.kind = OP_X86_WRITE_DR,
                                    .number = 7,
                                    .reg = X86_GPR_RDI,
                                    .value = 0x7ff});
        rig_set_gpr(0, X86_GPR_RDI, 0x20200 + X86_GPR_RDI);
        if (wide)
            rig_poke(NEW_TSS + 96, NEW_LDT, 2);
        rig_poke(NEW_TSS + (wide ? 84 : 40), wide ? LOCAL : USER_DATA, 2);
        switch_task(X86_TASK_CALL, 0);
        for (unsigned i = 0; i < 8; i++) {
            uint64_t low = i != X86_GPR_RSP ? 0x1010 + i
                           : wide           ? NEW_SP
                                            : 0x7000;

            cr_expect_eq(rig_vcpu(0)->regs.gpr[i],
                         wide ? low : low | 0xffff0000, "GPR %u: 0x%llx", i,
                         (unsigned long long)rig_vcpu(0)->regs.gpr[i]);
            if (i != X86_GPR_RSP)
                cr_expect_eq(rig_peek(OLD_TSS + old_gpr + 4 * i, 4),
                             0x20200 + i);
        }
        cr_expect_eq(rig_rip(0), wide ? NEW_CODE : 0x2000);
        cr_expect_eq(segment(X86_CS).selector, CODE);
        cr_expect_eq(segment(X86_CS).attributes, 0xc9b);
        cr_expect_eq(segment(X86_CS).limit, UINT32_MAX);
        cr_expect_eq(segment(X86_DS).selector, wide ? LOCAL : USER_DATA);
        cr_expect_eq(segment(X86_FS).selector, wide ? DATA : 0);
        cr_expect_eq(segment(X86_FS).attributes, wide ? 0xc93 : 0);
        cr_expect_eq(segment(X86_ENTRY_LDTR).attributes, wide ? 0x82 : 0);
        cr_expect_eq(rig_peek(LDT + 5, 1), wide ? 0x93 : 0x92, "accessed");
        cr_expect_eq(rig_get(0, X86_REG_DR7), 0x7ff & ~UINT64_C(0x155));
        cr_expect_eq(rig_peek(OLD_TSS + old_seg + 4 * X86_FS + 2, 2), 0,
                     "selectors have 16 bits");
        rig_stop();
    }
}

/* CR3: the new task's memory is another one's. */
Test(vmx_task, address_space)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        struct guest_op load = {
            .kind = OP_LOAD, .width = 4, .address = RIG_DATA + 0x4000};
        const uint64_t tables = RIG_SPARE;

        start(rig_vmx_profiles[p], true);
        rig_poke(RIG_DATA + 0x4000, 1, 4);
        rig_poke(RIG_DATA + 0x5000, 2, 4);
        cr_expect_eq(rig_do(0, load).value, 1);
        rig_poke(tables, (tables + PAGE_SIZE) | 7, 4);
        for (unsigned i = 0; i < 1024; i++)
            rig_poke(tables + PAGE_SIZE + 4 * i, (uint64_t)i << 12 | 7, 4);
        rig_poke(tables + PAGE_SIZE + (RIG_DATA + 0x4000) / 1024,
                 (RIG_DATA + 0x5000) | 7, 4);
        rig_poke(NEW_TSS + 28, tables, 4);
        switch_task(X86_TASK_CALL, 0);
        cr_expect_eq(rig_get(0, X86_REG_CR3), tables);
        cr_expect_eq(rig_do(0, load).value, 2, "%s", rig_vmx_profiles[p]);
        rig_stop();
    }
}

/* With PAE paging, CR3 brings four pointers along. */
Test(vmx_task, pae_pointers)
{
    for (unsigned is_legal = 0; is_legal < 2; is_legal++) {
        const uint64_t pointer = RIG_TABLES | 1;

        start_in(RIG_PAE, RIG_VMX "full", true);
        rig_poke(RIG_SPARE, rig_peek(rig_get(0, X86_REG_CR3), 8), 8);
        rig_poke(RIG_SPARE + 24, is_legal != 0 ? pointer : pointer | BIT(1), 8);
        rig_poke(NEW_TSS + 28, RIG_SPARE, 4);
        switch_task(X86_TASK_CALL, 0);
        cr_expect_eq(rig_get(0, X86_REG_CR3), RIG_SPARE);
        cr_expect_eq(rig_handler(0), is_legal != 0 ? -1 : X86_VECTOR_TS);
        cr_expect_eq(rig_field(0, VMCS_AT_GUEST_PDPTE3) == pointer,
                     is_legal != 0);
        rig_stop();
    }
}

/* Virtual-8086 mode: selectors are what they are in real mode. */
Test(vmx_task, virtual_8086_mode)
{
    for (unsigned p = 0; rig_vmx_profiles[p] != NULL; p++) {
        start(rig_vmx_profiles[p], true);
        rig_poke(NEW_TSS + 36, X86_RFLAGS_FIXED | X86_RFLAGS_VM, 4);
        rig_poke(NEW_TSS + 32, 0x100, 4);
        for (unsigned i = 0; i < 6; i++)
            rig_poke(NEW_TSS + 72 + 4 * i, 0x1000 + 0x100 * i, 4);
        switch_task(X86_TASK_CALL, 0);
        for (unsigned i = 0; i < 6; i++) {
            cr_expect_eq(segment(i).selector, 0x1000 + 0x100 * i);
            cr_expect_eq(segment(i).base, 0x10000 + 0x1000 * i);
            cr_expect_eq(segment(i).limit, 0xffff);
            cr_expect_eq(segment(i).attributes, 0xf3);
        }
        cr_expect_eq(*rig_vcpu(0)->rflags & X86_RFLAGS_VM, X86_RFLAGS_VM);
        rig_stop();
    }
}

/* Events through a task gate --------------------------------------------- */

/* RIP of the old task, and what is on the stack of the new one. */
Test(vmx_task, events)
{
    static const struct {
        const char *name;
        uint64_t event;
        unsigned length;
        uint32_t error; /* on the stack, if there is one */
        bool is_nmi;
    } rows[] = {
        {"interrupt", EVENT(INTERRUPT, 0x41), 0, 0, false},
        {"nmi", EVENT(NMI, 2), 0, 0, true},
        {"#UD", EVENT(EXCEPTION, X86_VECTOR_UD), 0, 0, false},
        {"#GP", WITH_ERROR(EVENT(EXCEPTION, X86_VECTOR_GP), 0x1234), 0, 0x1234,
         false},
        {"#DF", WITH_ERROR(EVENT(EXCEPTION, X86_VECTOR_DF), 0), 0, 0, false},
        {"int n", EVENT(SOFTWARE_INTERRUPT, 0x80), CALL_LENGTH, 0, false},
        {"int3", EVENT(SOFTWARE_EXCEPTION, 3), CALL_LENGTH, 0, false},
    };

    for (unsigned wide = 0; wide < 2; wide++) {
        for_each_row (i, rows) {
            uint64_t sp = wide ? NEW_SP : 0x7000, rip, rsp;
            unsigned size = wide ? 4 : 2;

            start(RIG_VMX "full", wide != 0);
            rig_enable_apic(0);
            rig_set_flags(0, X86_RFLAGS_IF, 0);
            if (!wide) /* a stack of 16 bits, too */
                poke_descriptor(GDT + DATA, 0, LIMIT, 0x093);
            rig_poke(sp - 4, 0xaaaaaaaa, 4);
            rip = rig_rip(0);
            switch_task(X86_TASK_GATE, rows[i].event);
            cr_expect_eq(rig_peek(OLD_TSS + 32, 4), rip + rows[i].length, "%s",
                         rows[i].name);
            rsp = rig_vcpu(0)->regs.gpr[X86_GPR_RSP] & 0xffff;
            if ((rows[i].event & VMX_EVENT_ERROR_CODE) != 0) {
                cr_expect_eq(rsp, (sp - size) & 0xffff, "%s", rows[i].name);
                cr_expect_eq(rig_peek(sp - size, size), rows[i].error);
            } else {
                cr_expect_eq(rsp, sp & 0xffff, "%s", rows[i].name);
                cr_expect_eq(rig_peek(sp - 4, 4), 0xaaaaaaaa);
            }
            cr_expect_eq(rig_rip(0), wide ? NEW_CODE : 0x2000, "%s: 0x%llx",
                         rows[i].name, (unsigned long long)rig_rip(0));
            rig_set_gpr(0, X86_GPR_RSP, sp);
            rig_nmi(0);
            rig_go_on(0);
            cr_expect_eq(rig_handler(0), rows[i].is_nmi ? -1 : X86_VECTOR_NMI,
                         "%s: %d", rows[i].name, rig_handler(0));
            rig_stop();
        }
    }
}

/* IRET ends an NMI, by a task switch, too. */
Test(vmx_task, iret_of_an_nmi)
{
    for (unsigned nested = 0; nested < 2; nested++) {
        start(RIG_VMX "full", true);
        rig_enable_apic(0);
        rig_nmi(0);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), X86_VECTOR_NMI);
        rig_poke(GDT + NEW + 5, nested ? 0x8b : 0x89, 1);
        switch_task(nested ? X86_TASK_IRET : X86_TASK_JMP, 0);
        rig_nmi(0);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), nested ? X86_VECTOR_NMI : -1);
        rig_stop();
    }
}

/* Exceptions ------------------------------------------------------------- */

/* Segments of the new task: `number` is `selector`, and a descriptor of those
 * attributes is at ODD. */
Test(vmx_task, segments)
{
    enum { NONE = -1 };
    static const struct {
        unsigned number, selector, attributes;
        int vector;
    } rows[] = {
        {X86_CS, 0, 0, X86_VECTOR_TS},
        {X86_CS, ODD, 0xc9b, NONE},
        {X86_CS, ODD, 0xc9d, NONE},          /* conforming */
        {X86_CS, ODD, 0xcfb, X86_VECTOR_TS}, /* of CPL 3 */
        {X86_CS, ODD, 0xc93, X86_VECTOR_TS}, /* data */
        {X86_CS, ODD, 0x089, X86_VECTOR_TS}, /* a TSS */
        {X86_CS, ODD, 0xc1b, X86_VECTOR_NP},
        {X86_CS, 0x78 + 8, 0, X86_VECTOR_TS}, /* behind the GDT */
        {X86_SS, 0, 0, X86_VECTOR_TS},
        {X86_SS, 3, 0, X86_VECTOR_TS},
        {X86_SS, ODD, 0xc93, NONE},
        {X86_SS, ODD, 0xc97, NONE},          /* expands down */
        {X86_SS, ODD, 0xc91, X86_VECTOR_TS}, /* cannot be written */
        {X86_SS, ODD, 0xc9b, X86_VECTOR_TS},
        {X86_SS, ODD, 0xcf3, X86_VECTOR_TS},
        {X86_SS, ODD | 3, 0xc93, X86_VECTOR_TS},
        {X86_SS, ODD, 0xc13, X86_VECTOR_SS},
        {X86_DS, 0, 0, NONE},
        {X86_DS, 3, 0, NONE},
        {X86_DS, ODD, 0xc91, NONE},
        {X86_DS, ODD, 0xcf3, NONE},
        {X86_DS, ODD, 0xc9b, NONE},
        {X86_DS, ODD, 0xc99, X86_VECTOR_TS}, /* cannot be read */
        {X86_DS, ODD | 3, 0xc93, X86_VECTOR_TS},
        {X86_DS, ODD | 3, 0xc9f, NONE},
        {X86_ES, ODD, 0xc13, X86_VECTOR_NP},
        {X86_FS, ODD, 0x082, X86_VECTOR_TS},
        {X86_GS, ODD | 4, 0xc93, X86_VECTOR_TS}, /* there is no LDT */
        {X86_ENTRY_LDTR, 0, 0, NONE},
        {X86_ENTRY_LDTR, ODD, 0x082, NONE},
        {X86_ENTRY_LDTR, ODD, 0xc93, X86_VECTOR_TS},
        {X86_ENTRY_LDTR, ODD, 0x002, X86_VECTOR_TS},
        {X86_ENTRY_LDTR, ODD | 4, 0x082, X86_VECTOR_TS},
    };

    for_each_row (i, rows) {
        unsigned at =
            rows[i].number == X86_ENTRY_LDTR ? 96 : 72 + 4 * rows[i].number;

        start(RIG_VMX "full", true);
        poke_descriptor(GDT + ODD, 0, 0xfffff, rows[i].attributes);
        rig_poke(NEW_TSS + at, rows[i].selector, 2);
        switch_task(X86_TASK_CALL, 0);
        cr_expect_eq(rig_handler(0), rows[i].vector, "row %zu: %d, %s", i,
                     rig_handler(0), rig.vm->reason);
        cr_expect_eq(segment(X86_ENTRY_TR).selector, NEW, "row %zu", i);
        if (rows[i].vector == NONE) {
            cr_expect_eq(rig_rip(0), NEW_CODE, "row %zu", i);
            cr_expect_eq(segment(rows[i].number).selector, rows[i].selector);
        } else {
            cr_expect_eq(rig_peek(rig_rsp(0), 4), rows[i].selector & 0xfffc,
                         "row %zu", i);
            cr_expect_eq(rig_peek(rig_rsp(0) + 4, 4), NEW_CODE, "row %zu", i);
        }
        rig_stop();
    }
}

/* A task at CPL 3: its code, its stack, and what comes of a stack that it may
 * not have, or not write to: all pages are the supervisor's. */
Test(vmx_task, at_cpl_3)
{
    const uint64_t alignment = WITH_ERROR(EVENT(EXCEPTION, X86_VECTOR_AC), 0);
    const struct {
        unsigned code, stack;
        uint64_t event;
        int vector;
        uint32_t error;
    } rows[] = {
        {0xcfb, USER_DATA, 0, -1, 0},
        {0xc9f, USER_DATA, 0, -1, 0}, /* conforming */
        {0xc9b, USER_DATA, 0, X86_VECTOR_TS, ODD},
        {0xcfb, DATA, 0, X86_VECTOR_TS, DATA},
        {0xcfb, USER_DATA, alignment, X86_VECTOR_PF,
         X86_FAULT_P | X86_FAULT_RW | X86_FAULT_US},
    };

    for_each_row (i, rows) {
        start(RIG_VMX "full", true);
        poke_descriptor(GDT + ODD, 0, 0xfffff, rows[i].code);
        for (unsigned s = 0; s < X86_SEGMENTS; s++)
            rig_poke(NEW_TSS + 72 + 4 * s, s == X86_CS ? ODD | 3 : 0, 2);
        rig_poke(NEW_TSS + 72 + 4 * X86_SS, rows[i].stack, 2);
        switch_task(X86_TASK_GATE, rows[i].event);
        cr_expect_eq(rig_handler(0), rows[i].vector, "row %zu: %d", i,
                     rig_handler(0));
        if (rows[i].vector >= 0)
            cr_expect_eq(rig_peek(rig_rsp(0), 4), rows[i].error, "row %zu", i);
        else
            cr_expect_eq(FIELD_GET(X86_SEG_DPL, segment(X86_SS).attributes), 3);
        rig_stop();
    }
}

/* Others of the new task's. */
Test(vmx_task, what_the_new_task_begins_with)
{
    start(RIG_VMX "full", true);
    poke_descriptor(GDT + ODD, 0, LIMIT, 0x49b);
    rig_poke(NEW_TSS + 72 + 4 * X86_CS, ODD, 2);
    switch_task(X86_TASK_CALL, 0);
    cr_expect_eq(rig_handler(0), X86_VECTOR_GP, "EIP is beyond the limit");
    cr_expect_eq(rig_peek(rig_rsp(0), 4), 0);
    rig_stop();

    start(RIG_VMX "full", true);
    rig_poke(NEW_TSS + 100, 1, 2);
    switch_task(X86_TASK_CALL, 0);
    cr_expect_eq(rig_handler(0), X86_VECTOR_DB, "T");
    cr_expect_eq(rig_get(0, X86_REG_DR6) & ~X86_DR6_RESET, BIT(15));
    cr_expect_eq(rig_peek(rig_rsp(0), 4), NEW_CODE);
    rig_stop();

    start(RIG_VMX "full", true);
    poke_descriptor(GDT + ODD, 0, 0x100, 0x493);
    rig_poke(NEW_TSS + 72 + 4 * X86_SS, ODD, 2);
    switch_task(X86_TASK_GATE, EVENT(EXCEPTION, X86_VECTOR_UD));
    cr_expect_eq(rig_rip(0), NEW_CODE, "nothing is pushed");
    rig_stop();
}

/* Exceptions in the new task, while an event is delivered by the switch: of two
 * exceptions comes what comes of two; an interrupt has been delivered. */
Test(vmx_task, exceptions_on_the_way_of_events)
{
    static const struct {
        uint64_t event;
        unsigned stack; /* of what attributes */
        int vector;
        uint32_t error;
    } rows[] = {
        {EVENT(INTERRUPT, 0x41), 0xc91, X86_VECTOR_TS, ODD | 1},
        {EVENT(NMI, 2), 0xc13, X86_VECTOR_SS, ODD | 1},
        {EVENT(SOFTWARE_INTERRUPT, 0x80), 0xc91, X86_VECTOR_TS, ODD},
        {EVENT(EXCEPTION, X86_VECTOR_UD), 0xc91, X86_VECTOR_TS, ODD | 1},
        {WITH_ERROR(EVENT(EXCEPTION, X86_VECTOR_GP), 0), 0xc91, X86_VECTOR_DF,
         0},
        /* The error code does not fit: no expand-down segment is below. */
        {WITH_ERROR(EVENT(EXCEPTION, X86_VECTOR_AC), 0), 0xc97, X86_VECTOR_SS,
         1},
    };

    for_each_row (i, rows) {
        start(RIG_VMX "full", true);
        rig_enable_apic(0);
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        poke_descriptor(GDT + ODD, 0, 0xfffff, rows[i].stack);
        rig_poke(NEW_TSS + 72 + 4 * X86_SS, ODD, 2);
        switch_task(X86_TASK_GATE, rows[i].event);
        cr_expect_eq(rig_handler(0), rows[i].vector, "row %zu: %d", i,
                     rig_handler(0));
        cr_expect_eq(rig_peek(rig_rsp(0), 4), rows[i].error, "row %zu", i);
        cr_expect_eq(segment(X86_ENTRY_TR).selector, NEW);
        rig_set_flags(0, X86_RFLAGS_IF, 0);
        rig_go_on(0);
        cr_expect_eq(rig_handler(0), rows[i].vector, "row %zu: it came again",
                     i);
        rig_stop();
    }
}

/* In the old task, of which nothing has changed: a page of either TSS is not
 * there, or cannot be written. */
Test(vmx_task, page_faults)
{
    static const struct {
        enum x86_task_source source;
        uint64_t page;
        unsigned entry; /* of the page table */
        uint64_t address;
        int error; /* -1: there is no fault */
    } rows[] = {
        {X86_TASK_CALL, OLD_TSS, 0, OLD_TSS, 2},
        {X86_TASK_CALL, OLD_TSS, 5, OLD_TSS, 3},
        {X86_TASK_CALL, NEW_TSS, 5, NEW_TSS, 3},
        {X86_TASK_JMP, NEW_TSS, 0, NEW_TSS, 0},
        {X86_TASK_JMP, NEW_TSS, 5, 0, -1}, /* it is only read */
        {X86_TASK_JMP, NEW_TSS + 0x40, 0, NEW_TSS + 0x40, 0},
        {X86_TASK_CALL, GDT, 5, GDT + NEW, 3},
    };

    for_each_row (i, rows) {
        const uint64_t tables = RIG_SPARE;
        uint64_t rip;

        start(RIG_VMX "full", true);
        rig_poke(tables, (tables + PAGE_SIZE) | 7, 4);
        for (unsigned page = 0; page < 1024; page++)
            rig_poke(tables + PAGE_SIZE + 4 * page,
                     page == rows[i].page >> 12 && rows[i].entry == 0
                         ? 0
                         : (uint64_t)page << 12 |
                               (page == rows[i].page >> 12 ? rows[i].entry : 7),
                     4);
        rig_do(0, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 0,
                                    .reg = X86_GPR_RDI,
                                    .value = X86_CR0_PE | X86_CR0_PG |
                                             X86_CR0_WP | X86_CR0_ET});
        rig_do(0, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                    .number = 3,
                                    .reg = X86_GPR_RDI,
                                    .value = tables});
        rip = rig_rip(0);
        switch_task(rows[i].source, 0);
        if (rows[i].error < 0) {
            cr_expect_eq(rig_rip(0), NEW_CODE, "row %zu", i);
        } else {
            cr_expect_eq(rig_handler(0), X86_VECTOR_PF, "row %zu: %d", i,
                         rig_handler(0));
            cr_expect_eq(rig_peek(rig_rsp(0), 4), (unsigned)rows[i].error,
                         "row %zu: %llu", i,
                         (unsigned long long)rig_peek(rig_rsp(0), 4));
            cr_expect_eq(rig_peek(rig_rsp(0) + 4, 4), rip, "row %zu", i);
            cr_expect_eq(rig_get(0, X86_REG_CR2), rows[i].address, "row %zu",
                         i);
            cr_expect_eq(segment(X86_ENTRY_TR).selector, OLD);
            cr_expect_eq(access_of(NEW), 0x89, "row %zu", i);
            cr_expect_eq(access_of(OLD), 0x8b, "row %zu", i);
            cr_expect_eq(rig_peek(OLD_TSS + 32, 4), 0, "row %zu", i);
        }
        rig_stop();
    }
}

/* The old TSS is too small to be saved to. */
Test(vmx_task, a_small_old_tss)
{
    start(RIG_VMX "full", true);
    poke_descriptor(GDT + OLD, OLD_TSS, 102, 0x89);
    rig_do(0, (struct guest_op){
                  .kind = OP_X86_LTR, .reg = X86_GPR_RCX, .value = OLD});
    switch_task(X86_TASK_CALL, 0);
    cr_expect_eq(rig_handler(0), X86_VECTOR_TS);
    cr_expect_eq(rig_peek(rig_rsp(0), 4), OLD);
    cr_expect_eq(access_of(NEW), 0x89);
    rig_stop();
}

/* What the processor has seen is not there any more: the guest tries again. */
Test(vmx_task, a_descriptor_that_has_changed)
{
    static const struct {
        enum x86_task_source source;
        unsigned limit, attributes;
    } rows[] = {
        {X86_TASK_CALL, 103, 0x8b}, {X86_TASK_CALL, 103, 0x09},
        {X86_TASK_CALL, 102, 0x89}, {X86_TASK_CALL, 103, 0x93},
        {X86_TASK_IRET, 103, 0x89}, {X86_TASK_GATE, 103, 0x8b},
    };

    for_each_row (i, rows) {
        uint64_t rip;

        start(RIG_VMX "full", true);
        poke_descriptor(GDT + NEW, NEW_TSS, rows[i].limit, rows[i].attributes);
        rip = rig_rip(0);
        switch_task(rows[i].source, 0);
        cr_expect_eq(rig.vm->state, VM_RUNNING);
        cr_expect_eq(rig_rip(0), rip, "row %zu", i);
        cr_expect_eq(segment(X86_ENTRY_TR).selector, OLD, "row %zu", i);
        rig_stop();
    }
}

/* There is no memory, or no processor would make that exit. */
Test(vmx_task, what_stops_the_vm)
{
    for (unsigned i = 0; i < 2; i++) {
        start(RIG_VMX "full", true);
        if (i == 0)
            poke_descriptor(GDT + NEW, RIG_HOLE, 103, 0x89);
        else
            rig_mode(0, RIG_LONG);
        switch_task(X86_TASK_CALL, 0);
        cr_expect_eq(rig.vm->state, VM_STOPPED, "%u", i);
        cr_expect_not_null(strstr(rig.vm->reason, "cannot switch to task 0x20"),
                           "%s", rig.vm->reason);
        rig_stop();
    }
}
