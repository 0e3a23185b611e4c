/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's part for SVM: VMCBs in every mode, what may be changed in
 * them, and the rules that VMRUN checks: those of the fake processor, by its
 * own functions (sim/fake_hw/x86_64/svm/rules.c).
 *
 * Left out is what fake processors do not model, and what ends a machine:
 * is_modelled() and what it calls.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/svm/svm.h"
#include "tests/truth/host.h"
#include "tests/truth/ops.h"

#define DATA_ATTRIB   0xc93 /* as VMCB attributes */
#define CODE32_ATTRIB 0xc9b
#define CODE64_ATTRIB 0xa9b
#define CODE16_ATTRIB 0x09b
#define DATA16_ATTRIB 0x093
#define TSS_ATTRIB    0x08b
#define LDT_ATTRIB    0x082
#define DPL3          0x060

#define LONG_BITS     (X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE)
#define LONG_EFER     (X86_EFER_SVME | LONG_BITS)
#define PAGED_CR0     (X86_CR0_PE | X86_CR0_ET | X86_CR0_PG | X86_CR0_WP)
#define NON_CANONICAL UINT64_C(0x0000900000001000)

static struct vmcb *vmcb_of(struct truth_machine *machine)
{
    return machine->control;
}

/* States ------------------------------------------------------------------ */

struct state {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint16_t code, data; /* attributes */
    uint8_t cpl;
    uint32_t idt, gdt;
    uint16_t idt_limit;
};

enum {
    REAL,
    PROTECTED,
    PAGED,
    PAE,
    LONG,
    COMPATIBILITY,
    USER,
    USER32,
    VM86,
    PAGED_REAL
};

static const struct state states[] = {
    [REAL] = {X86_CR0_ET, 0, 0, X86_EFER_SVME, 0, CODE16_ATTRIB, DATA16_ATTRIB,
              0, LAYOUT_IVT, LAYOUT_GDT32, 0x3ff},
    [PROTECTED] = {X86_CR0_PE | X86_CR0_ET, 0, 0, X86_EFER_SVME, 0,
                   CODE32_ATTRIB, DATA_ATTRIB, 0, LAYOUT_IDT32, LAYOUT_GDT32,
                   0x7ff},
    [PAGED] = {PAGED_CR0, LAYOUT_PD32, X86_CR4_PSE, X86_EFER_SVME, 0,
               CODE32_ATTRIB, DATA_ATTRIB, 0, LAYOUT_IDT32, LAYOUT_GDT32,
               0x7ff},
    [PAE] = {PAGED_CR0, LAYOUT_PDPT_PAE, X86_CR4_PAE,
             X86_EFER_SVME | X86_EFER_NXE, 0, CODE32_ATTRIB, DATA_ATTRIB, 0,
             LAYOUT_IDT32, LAYOUT_GDT32, 0x7ff},
    [LONG] = {PAGED_CR0, LAYOUT_PML4, X86_CR4_PAE, LONG_EFER, 0, CODE64_ATTRIB,
              DATA_ATTRIB, 0, LAYOUT_IDT64, LAYOUT_GDT64, 0xfff},
    [COMPATIBILITY] = {PAGED_CR0, LAYOUT_PML4, X86_CR4_PAE, LONG_EFER, 0,
                       CODE32_ATTRIB, DATA_ATTRIB, 0, LAYOUT_IDT64,
                       LAYOUT_GDT64, 0xfff},
    [USER] = {PAGED_CR0, LAYOUT_PML4, X86_CR4_PAE, LONG_EFER, X86_RFLAGS_IF,
              CODE64_ATTRIB | DPL3, DATA_ATTRIB | DPL3, 3, LAYOUT_IDT64,
              LAYOUT_GDT64, 0xfff},
    [USER32] = {PAGED_CR0, LAYOUT_PD32, X86_CR4_PSE, X86_EFER_SVME,
                X86_RFLAGS_IF, CODE32_ATTRIB | DPL3, DATA_ATTRIB | DPL3, 3,
                LAYOUT_IDT32, LAYOUT_GDT32, 0x7ff},
    [VM86] = {PAGED_CR0, LAYOUT_PD32, X86_CR4_PSE, X86_EFER_SVME,
              X86_RFLAGS_IF | X86_RFLAGS_VM, 0x0fb, 0x0f3, 3, LAYOUT_IDT32,
              LAYOUT_GDT32, 0x7ff},
    [PAGED_REAL] = {X86_CR0_ET | X86_CR0_PG, LAYOUT_PD32, X86_CR4_PSE,
                    X86_EFER_SVME, 0, CODE16_ATTRIB, DATA16_ATTRIB, 0,
                    LAYOUT_IVT, LAYOUT_GDT32, 0x3ff},
};

static bool has_16bit_segments(const struct state *state)
{
    return (state->code & VMCB_ATTRIB_G) == 0;
}

static void make_segments(struct vmcb_save *save, const struct state *state)
{
    bool is_16bit = has_16bit_segments(state);
    uint16_t cpl = is_16bit ? 0 : state->cpl;
    uint32_t limit = is_16bit ? 0xffff : UINT32_MAX;
    const struct vmcb_segment data = {
        .selector = is_16bit ? 0 : (uint16_t)(LAYOUT_SELECTOR_DATA | cpl),
        .attrib = state->data,
        .limit = limit};

    save->es = save->ss = save->ds = save->fs = save->gs = data;
    save->cs = (struct vmcb_segment){
        .selector = is_16bit ? 0 : (uint16_t)(LAYOUT_SELECTOR_CODE | cpl),
        .attrib = state->code,
        .limit = limit};
    save->ldtr = (struct vmcb_segment){.attrib = LDT_ATTRIB, .limit = 0xffff};
    save->tr = (struct vmcb_segment){
        .attrib = TSS_ATTRIB, .limit = 0x67, .base = LAYOUT_TSS};
    save->gdtr = (struct vmcb_segment){.limit = 0x1f, .base = state->gdt};
    save->idtr =
        (struct vmcb_segment){.limit = state->idt_limit, .base = state->idt};
}

static void force_control(struct vmcb_control *control)
{
    static const uint8_t always[] = {INTERCEPT_INTR, INTERCEPT_NMI,
                                     INTERCEPT_SMI,  INTERCEPT_INIT,
                                     INTERCEPT_HLT,  INTERCEPT_SHUTDOWN};

    for (unsigned i = 0; i < ARRAY_SIZE(always); i++)
        vmcb_set_intercept(control, always[i], true);
    control->intercept_exceptions = UINT32_MAX;
}

static void svm_make_state(struct truth_machine *machine, unsigned number)
{
    const struct state *state = &states[number];
    struct vmcb_control *control = &vmcb_of(machine)->control;
    struct vmcb_save *save = &vmcb_of(machine)->save;
    uint64_t base = machine->base.raw;

    force_control(control);
    vmcb_set_intercept(control, INTERCEPT_VMRUN, true);
    control->iopm_base_pa = base + TRUTH_OWN(TRUTH_SVM_IOPM);
    control->msrpm_base_pa = base + TRUTH_OWN(TRUTH_SVM_MSRPM);
    control->n_cr3 = base + TRUTH_OWN(TRUTH_SVM_NPT);
    control->np_enable = 1;
    control->guest_asid = 1;
    control->tlb_control = TLB_CONTROL_FLUSH_ALL;
    control->vintr = VINTR_V_INTR_MASKING;
    make_segments(save, state);
    save->cpl = state->cpl;
    save->efer = state->efer;
    save->cr0 = state->cr0;
    save->cr3 = state->cr3;
    save->cr4 = state->cr4;
    save->rflags = state->rflags | X86_RFLAGS_FIXED;
    save->dr6 = X86_DR6_RESET;
    save->dr7 = X86_DR7_RESET;
    save->g_pat = X86_PAT_RESET;
    save->rip = LAYOUT_CODE;
    save->rsp = LAYOUT_STACK;
}

/* Changes ----------------------------------------------------------------- */

#define AT_CONTROL(field) offsetof(struct vmcb_control, field)
#define AT_SAVE(field)    offsetof(struct vmcb, save.field)

#define COUNT(...) (sizeof((uint64_t[]){__VA_ARGS__}) / 8)
#define BITS(field, mask)  \
    {                      \
        field, mask, 0, {} \
    }
#define VALUES(field, mask, ...)         \
    {                                    \
        field, mask, COUNT(__VA_ARGS__), \
        {                                \
            __VA_ARGS__                  \
        }                                \
    }

#define EVENT(type, vector) (EVENT_V | FIELD_PUT(EVENT_TYPE, type) | (vector))
#define ERROR(code)         (EVENT_EV | FIELD_PUT(EVENT_ERRORCODE, code))
#define ALL                 UINT64_MAX
#define CANONICAL_HIGH      UINT64_C(0xffff800000000000)

#define SEGMENT(name)                                                        \
    BITS(AT_SAVE(name.selector), 0xffff), BITS(AT_SAVE(name.attrib), 0xfff), \
        BITS(AT_SAVE(name.limit), ALL),                                      \
        VALUES(AT_SAVE(name.base), ALL, 0, 0x1000, 0xfffff000, BIT(47),      \
               CANONICAL_HIGH, NON_CANONICAL)

static const struct truth_mutation mutations[] = {
    BITS(AT_CONTROL(intercept_cr_read), 0xffff),
    BITS(AT_CONTROL(intercept_cr_write), 0xffff),
    BITS(AT_CONTROL(intercept_dr_read), 0xffff),
    BITS(AT_CONTROL(intercept_dr_write), 0xffff),
    BITS(AT_CONTROL(intercept[0]), ALL),
    BITS(AT_CONTROL(intercept[1]), 0x7fff),
    VALUES(AT_CONTROL(intercept[1]), 0x7fff, 0, 1),
    BITS(AT_CONTROL(pause_filter_count), 0xffff),
    VALUES(AT_CONTROL(iopm_base_pa), 0xfff, BIT(40) - 0x1000, BIT(40) - 0x2000,
           BIT(40) - 0x3000, BIT(40), BIT(52), ALL),
    VALUES(AT_CONTROL(msrpm_base_pa), 0xfff, BIT(40) - 0x1000, BIT(40) - 0x2000,
           BIT(40) - 0x3000, BIT(40), BIT(52), ALL),
    BITS(AT_CONTROL(tsc_offset), ALL),
    VALUES(AT_CONTROL(guest_asid), 0xf, 0, 1, 2, 15, 16, 63, 64, 32767, 32768,
           UINT32_MAX),
    VALUES(AT_CONTROL(tlb_control), 0xff, 0, 1, 2, 3, 4, 5, 7),
    VALUES(AT_CONTROL(vintr),
           VINTR_V_TPR | VINTR_V_IRQ | VINTR_V_INTR_PRIO | VINTR_V_IGN_TPR |
               VINTR_V_INTR_VECTOR,
           VINTR_V_INTR_MASKING,
           VINTR_V_INTR_MASKING | VINTR_V_IRQ |
               FIELD_PUT(VINTR_V_INTR_PRIO, 4) |
               FIELD_PUT(VINTR_V_INTR_VECTOR, 0x40),
           VINTR_V_INTR_MASKING | VINTR_V_IRQ | VINTR_V_IGN_TPR |
               FIELD_PUT(VINTR_V_INTR_VECTOR, 0x41)),
    BITS(AT_CONTROL(interrupt_shadow), 1),
    BITS(AT_CONTROL(exitcode), ALL),
    BITS(AT_CONTROL(exitinfo1), ALL),
    BITS(AT_CONTROL(exitinfo2), ALL),
    BITS(AT_CONTROL(exitintinfo), ALL),
    BITS(AT_CONTROL(nrip), ALL),
    VALUES(AT_CONTROL(eventinj), ALL, EVENT(EVENT_TYPE_INTR, 0x20),
           EVENT(EVENT_TYPE_NMI, 2), EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_UD),
           EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_GP) | ERROR(0x18),
           EVENT(EVENT_TYPE_EXCEPTION, X86_VECTOR_PF) | ERROR(2),
           EVENT(EVENT_TYPE_SOFT, 0x80), EVENT(1, 0x20), EVENT(5, 0x20),
           EVENT(7, 3), EVENT(EVENT_TYPE_EXCEPTION, 2),
           EVENT(EVENT_TYPE_EXCEPTION, 32), EVENT(EVENT_TYPE_EXCEPTION, 9)),
    BITS(AT_CONTROL(eventinj), EVENT_VECTOR | EVENT_TYPE | EVENT_EV | EVENT_V),
    VALUES(AT_CONTROL(n_cr3), 0xfff, BIT(40), BIT(51), BIT(63)),
    SEGMENT(es),
    SEGMENT(cs),
    SEGMENT(ss),
    SEGMENT(ds),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(ldtr),
    BITS(AT_SAVE(tr.selector), 0xffff),
    BITS(AT_SAVE(tr.limit), ALL),
    VALUES(AT_SAVE(tr.base), ALL, 0, 0x1000, CANONICAL_HIGH, NON_CANONICAL),
    BITS(AT_SAVE(gdtr.limit), 0xffff),
    VALUES(AT_SAVE(gdtr.base), ALL, LAYOUT_GDT32, LAYOUT_GDT64, NON_CANONICAL),
    VALUES(AT_SAVE(idtr.limit), 0xffff, 0, 0x7ff, 0xfff),
    VALUES(AT_SAVE(idtr.base), ALL, LAYOUT_NESTED_ABSENT, LAYOUT_ABSENT,
           NON_CANONICAL),
    BITS(AT_SAVE(cpl), 3),
    BITS(AT_SAVE(efer), ALL),
    BITS(AT_SAVE(efer), 0xfd01),
    BITS(AT_SAVE(cr4), ALL),
    BITS(AT_SAVE(cr4), 0x3717ff),
    VALUES(AT_SAVE(cr3), ALL, LAYOUT_PML4, LAYOUT_PD32, LAYOUT_PDPT_PAE,
           LAYOUT_PML4 | 0x18, LAYOUT_NESTED_ABSENT, BIT(40), BIT(52)),
    BITS(AT_SAVE(cr0), ALL),
    BITS(AT_SAVE(cr0), 0xe005003f),
    BITS(AT_SAVE(cr0), X86_CR0_NW | X86_CR0_CD),
    BITS(AT_SAVE(dr7), ALL),
    BITS(AT_SAVE(dr7), UINT32_MAX),
    BITS(AT_SAVE(dr6), ALL),
    BITS(AT_SAVE(dr6), UINT32_MAX),
    BITS(AT_SAVE(rflags), ALL),
    BITS(AT_SAVE(rflags), 0x3f7fd5),
    VALUES(AT_SAVE(rip), 0, LAYOUT_CODE, LAYOUT_DATA, LAYOUT_HANDLERS + 0x400,
           LAYOUT_NESTED_ABSENT, LAYOUT_NESTED_NX, LAYOUT_NESTED_READ_ONLY,
           LAYOUT_SUPERVISOR, LAYOUT_NX, LAYOUT_ABSENT, 0x18000, 0xfffff000,
           NON_CANONICAL),
    VALUES(AT_SAVE(rsp), ALL, LAYOUT_STACK, LAYOUT_STACK - 3,
           LAYOUT_NESTED_READ_ONLY + 0x800, LAYOUT_READ_ONLY + 0x800,
           LAYOUT_ABSENT + 0x800, 0, NON_CANONICAL),
    BITS(AT_SAVE(rax), ALL),
    BITS(AT_SAVE(star), ALL),
    BITS(AT_SAVE(lstar), ALL),
    BITS(AT_SAVE(cstar), ALL),
    BITS(AT_SAVE(sfmask), ALL),
    BITS(AT_SAVE(kernel_gs_base), ALL),
    BITS(AT_SAVE(sysenter_cs), ALL),
    BITS(AT_SAVE(sysenter_esp), ALL),
    BITS(AT_SAVE(sysenter_eip), ALL),
    BITS(AT_SAVE(cr2), ALL),
    BITS(AT_SAVE(g_pat), ALL),
    BITS(AT_SAVE(g_pat), UINT64_C(0x0707070707070707)),
};

static bool svm_is_address(uint16_t field)
{
    return field == AT_CONTROL(iopm_base_pa) ||
           field == AT_CONTROL(msrpm_base_pa) || field == AT_CONTROL(n_cr3);
}

/* Rules ------------------------------------------------------------------- */

/* The processor with the state as its guest. */
static struct fake_x86 *with_guest(const struct truth_machine *machine)
{
    static struct fake_x86 cpu;
    const struct vmcb *vmcb = machine->control;

    cpu.profile = fake_x86_current()->profile;
    cpu.vendor = fake_x86_current()->vendor;
    cpu.svm.control = vmcb->control;
    cpu.state = vmcb->save;
    return &cpu;
}

static unsigned svm_rules_here(void)
{
    return svm_rule_count;
}

static const char *svm_rule_name(unsigned rule)
{
    return violation_rule_name(svm_rules[rule].rule);
}

static bool has_flat_code(const struct vmcb_save *save)
{
    bool is_64bit = (save->efer & X86_EFER_LMA) != 0 &&
                    (save->cs.attrib & VMCB_ATTRIB_L) != 0;

    return save->cs.limit >= 0xffff &&
           (is_64bit ||
            (save->rip & UINT32_MAX) + TRUTH_MAX_CODE <= save->cs.limit);
}

/* Where the guest's memory is not HLTs. */
static bool runs_tables(const struct vmcb_save *save)
{
    bool is_64bit = (save->efer & X86_EFER_LMA) != 0 &&
                    (save->cs.attrib & VMCB_ATTRIB_L) != 0;
    uint64_t at =
        is_64bit ? save->rip : (save->cs.base + save->rip) & UINT32_MAX;

    return at < LAYOUT_CODE ||
           (at >= LAYOUT_STACK - PAGE_SIZE && at < LAYOUT_HANDLERS + 0x100) ||
           (at > LAYOUT_GDT64 - TRUTH_MAX_CODE && at < LAYOUT_GDT64 + 0x20);
}

/* Reserved bits of the four entries of legacy PAE are not modelled. */
static bool has_pae_root(const struct vmcb_save *save)
{
    return (save->efer & X86_EFER_LMA) != 0 || (save->cr0 & X86_CR0_PG) == 0 ||
           (save->cr4 & X86_CR4_PAE) == 0 ||
           (save->cr3 & X86_CR3_PAE) == LAYOUT_PDPT_PAE;
}

/* Modes that have a privilege level of their own: the stack's is the same. */
static bool has_true_level(const struct vmcb_save *save)
{
    uint64_t dpl = FIELD_GET(VMCB_ATTRIB_DPL, save->ss.attrib);

    if ((save->cr0 & X86_CR0_PE) == 0)
        return dpl == 0 && save->cpl == 0;
    return (save->rflags & X86_RFLAGS_VM) == 0 || (dpl == 3 && save->cpl == 3);
}

/* The tables of the mode, or none at all. */
static bool has_tables(const struct vmcb_save *save)
{
    bool is_long = (save->efer & X86_EFER_LMA) != 0;
    uint64_t idt = is_long                         ? LAYOUT_IDT64
                   : (save->cr0 & X86_CR0_PE) != 0 ? LAYOUT_IDT32
                                                   : LAYOUT_IVT;

    return save->gdtr.limit >= 0x1f &&
           save->gdtr.base == (is_long ? LAYOUT_GDT64 : LAYOUT_GDT32) &&
           (save->idtr.base == idt ||
            (save->idtr.base == LAYOUT_ABSENT &&
             (save->cr0 & X86_CR0_PG) != 0) ||
            save->idtr.base == LAYOUT_NESTED_ABSENT);
}

/* Events are modelled as far as no stack is switched, and no code segment is
 * loaded that is another: at privilege level 0, in the segments that the
 * descriptor table has. */
static bool takes_events(const struct vmcb_save *save)
{
    uint16_t code = save->cs.attrib, data = save->ss.attrib;

    if ((save->efer & X86_EFER_LMA) != 0 && code != CODE64_ATTRIB)
        return false;
    return save->cpl == 0 && (save->rflags & X86_RFLAGS_VM) == 0 &&
           has_tables(save) &&
           (code == CODE64_ATTRIB || code == CODE32_ATTRIB ||
            code == CODE16_ATTRIB) &&
           (data == DATA_ATTRIB || data == DATA16_ATTRIB) &&
           save->cs.base == 0 && save->ss.base == 0 &&
           save->cs.limit == (code == CODE16_ATTRIB ? 0xffff : UINT32_MAX) &&
           save->ss.limit == (data == DATA16_ATTRIB ? 0xffff : UINT32_MAX);
}

/* EFER.LMA is no choice of the hypervisor's. */
static bool has_true_lma(const struct vmcb_save *save)
{
    bool lma =
        (save->efer & X86_EFER_LME) != 0 && (save->cr0 & X86_CR0_PG) != 0;

    /* Refused, whatever it is. */
    if (lma && (save->cr0 & X86_CR0_PE) == 0)
        return true;

    return ((save->efer & X86_EFER_LMA) != 0) == lma;
}

/* QEMU loads the host's CR0 with the guest's EFER and CR4 in place, finds that
 * PAE is missing for long mode, and goes on without paging. */
static bool ends_qemu(const struct vmcb_save *save)
{
    return (save->efer & X86_EFER_LME) != 0 && (save->cr0 & X86_CR0_PG) == 0 &&
           (save->cr4 & X86_CR4_PAE) == 0;
}

/* Without paging, QEMU goes on with translations of the host's if they are not
 * flushed, and finds memory where nested tables have none. */
static bool is_safe_unpaged(const struct vmcb *vmcb)
{
    return vmcb->control.tlb_control == TLB_CONTROL_FLUSH_ALL &&
           vmcb->save.cs.base < LAYOUT_PAGES * PAGE_SIZE &&
           vmcb->save.cs.base + vmcb->save.rip < LAYOUT_PAGES * PAGE_SIZE;
}

/* What the fake processor leaves out (cpu.h, deliver.c, mmu.c), and what no
 * case may do to the machine that it runs on. */
static bool is_modelled(const struct vmcb *vmcb)
{
    const struct vmcb_control *control = &vmcb->control;
    const struct vmcb_save *save = &vmcb->save;
    bool has_event = (control->eventinj & EVENT_V) != 0 ||
                     ((control->vintr & VINTR_V_IRQ) != 0 &&
                      !vmcb_intercepts(control, INTERCEPT_VINTR));

    if (has_event && !takes_events(save))
        return false;
    return has_flat_code(save) && !runs_tables(save) && has_true_lma(save) &&
           has_true_level(save) && !ends_qemu(save) && has_pae_root(save) &&
           cpu_is_canonical(save->rip) && cpu_is_canonical(save->rsp) &&
           (save->rflags & X86_RFLAGS_TF) == 0 &&
           ((save->cr0 & X86_CR0_PG) != 0 || is_safe_unpaged(vmcb));
}

/* A list for this profile is performed on Bochs. */
static bool is_on_bochs(const struct fake_x86 *cpu)
{
    return strcmp(cpu->profile->base.name, "ryzen") == 0;
}

/* Bochs refuses an entry when it has loaded all of it, and then is in a mode
 * that it does not believe in. */
static bool ends_bochs(const struct vmcb_save *save)
{
    return (save->rflags & (X86_RFLAGS_VM | X86_RFLAGS_TF)) != 0 ||
           ((save->efer & X86_EFER_LMA) != 0 && (save->cr0 & X86_CR0_PE) == 0);
}

static bool is_segment(const struct vmcb_segment *segment)
{
    return (segment->attrib & VMCB_ATTRIB_P) != 0 &&
           (segment->attrib & VMCB_ATTRIB_S) != 0;
}

/* What Bochs can do with a state: it cannot leave virtual-8086 mode by an exit,
 * keeps nothing of a segment that is not present, and walks nested tables by
 * bits 47:0 of an address, whatever the others are. */
static bool bochs_has(const struct vmcb_save *save)
{
    return (save->rflags & X86_RFLAGS_VM) == 0 &&
           (save->cr3 & BIT_MASK(51, 48)) == 0 && is_segment(&save->es) &&
           is_segment(&save->cs) && is_segment(&save->ss) &&
           is_segment(&save->ds) && is_segment(&save->fs) &&
           is_segment(&save->gs) &&
           (save->ldtr.attrib & ~VMCB_ATTRIB_L) == LDT_ATTRIB;
}

static unsigned svm_broken(const struct truth_machine *machine, uint16_t *rules,
                           unsigned max)
{
    const struct fake_x86 *cpu = with_guest(machine);
    unsigned count = 0;

    if (!is_modelled(machine->control) ||
        (is_on_bochs(cpu) && !bochs_has(&cpu->state))) {
        rules[0] = TRUTH_NO_RULE;
        return 1;
    }
    for (unsigned i = 0; i < svm_rule_count && count < max; i++) {
        if (svm_rules[i].holds(cpu))
            continue;
        if (svm_rules[i].section[0] == '\0') {
            rules[0] = TRUTH_NO_RULE;
            return max;
        }
        rules[count++] = (uint16_t)i;
    }
    if (count > 0 && is_on_bochs(cpu) && ends_bochs(&cpu->state))
        rules[0] = TRUTH_NO_RULE;
    return count;
}

static bool svm_repair(struct truth_machine *machine)
{
    struct fake_x86 *cpu = with_guest(machine);
    bool done = svm_repair_guest(cpu);

    vmcb_of(machine)->control = cpu->svm.control;
    vmcb_of(machine)->save = cpu->state;
    return done;
}

/* Operations -------------------------------------------------------------- */

/* The intercept without which an operation's outcome is not the same
 * everywhere; those without a row may do as they like. */
static const struct {
    uint8_t kind;
    uint8_t intercept;
} needs[] = {
    {OP_X86_CPUID, INTERCEPT_CPUID},     {OP_X86_VMMCALL, INTERCEPT_VMMCALL},
    {OP_X86_IRET, INTERCEPT_IRET},       {OP_X86_INVD, INTERCEPT_INVD},
    {OP_X86_WBINVD, INTERCEPT_WBINVD},   {OP_X86_RDTSC, INTERCEPT_RDTSC},
    {OP_X86_RDPMC, INTERCEPT_RDPMC},     {OP_X86_IN, INTERCEPT_IOIO},
    {OP_X86_OUT, INTERCEPT_IOIO},        {OP_X86_RDMSR, INTERCEPT_MSR},
    {OP_X86_WRMSR, INTERCEPT_MSR},       {OP_X86_XSETBV, INTERCEPT_XSETBV},
    {OP_X86_LLDT, INTERCEPT_LDTR_WRITE}, {OP_X86_SLDT, INTERCEPT_LDTR_READ},
    {OP_X86_STR, INTERCEPT_TR_READ},     {OP_X86_PUSHF, INTERCEPT_PUSHF},
    {OP_X86_POPF, INTERCEPT_POPF},       {OP_X86_RSM, INTERCEPT_RSM},
    {OP_X86_VMLOAD, INTERCEPT_VMLOAD},   {OP_X86_VMSAVE, INTERCEPT_VMSAVE},
    {OP_X86_STGI, INTERCEPT_STGI},       {OP_X86_CLGI, INTERCEPT_CLGI},
    {OP_X86_INT, INTERCEPT_SWINT},       {OP_X86_ICEBP, INTERCEPT_ICEBP},
};

static void settle_intercept(struct vmcb_control *control,
                             const struct guest_op *op)
{
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
        if (needs[i].kind == op->kind)
            vmcb_set_intercept(control, needs[i].intercept, true);
    }
    if (op->kind == OP_X86_WRITE_CR)
        control->intercept_cr_write |= (uint16_t)(1u << op->number);
    if (op->kind == OP_X86_LMSW || op->kind == OP_X86_CLTS)
        control->intercept_cr_write |= 1;
    if (op->kind == OP_X86_WRITE_DR)
        control->intercept_dr_write |= (uint16_t)(1u << op->number);
}

static bool svm_settle(struct truth_machine *machine, unsigned number,
                       struct truth_random *random)
{
    const struct truth_op *op = &truth_ops[number];
    struct vmcb *vmcb = vmcb_of(machine);

    force_control(&vmcb->control);
    if (op->op.kind != OP_X86_VMRUN)
        settle_intercept(&vmcb->control, &op->op);
    for (unsigned i = 0; i < op->reg_count; i++) {
        if (op->regs[i].reg == X86_GPR_RAX)
            vmcb->save.rax = op->regs[i].value;
        else
            machine->regs.gpr[op->regs[i].reg] = op->regs[i].value;
    }
    /* Whether INT n exits first, or IOPL has it fault, no manual says. */
    if (op->op.kind == OP_X86_INT && (vmcb->save.rflags & X86_RFLAGS_VM) != 0)
        return false;
    /* General detect is not modelled. */
    if ((op->op.kind == OP_X86_READ_DR || op->op.kind == OP_X86_WRITE_DR) &&
        (vmcb->save.dr7 & X86_DR7_GD) != 0)
        return false;
    /* A program's ports are a matter of its TSS, which is not modelled. */
    if ((op->op.kind == OP_X86_IN || op->op.kind == OP_X86_OUT) &&
        vmcb->save.cpl != 0)
        return false;
    /* CR8 is there in 64-bit mode alone. */
    return op->op.number < 8 || cpu_64bit(with_guest(machine)) ||
           (op->op.kind != OP_X86_READ_CR && op->op.kind != OP_X86_WRITE_CR);
}

static unsigned svm_encode_op(const struct truth_machine *machine, unsigned op,
                              uint8_t *code)
{
    return cpu_encode(with_guest(machine), &truth_ops[op].op, code);
}

static const struct truth_changes changes = {
    .mutations = mutations, .mutation_count = ARRAY_SIZE(mutations)};

const struct truth_maker truth_maker_svm = {
    .vendor = &truth_svm,
    .state_count = ARRAY_SIZE(states),
    .make_state = svm_make_state,
    .rule_count = svm_rules_here,
    .rule_name = svm_rule_name,
    .changes = &changes,
    .is_address = svm_is_address,
    .broken = svm_broken,
    .repair = svm_repair,
    .settle = svm_settle,
    .encode = svm_encode_op,
};
