/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's part for VMX: VMCSs in every mode, what may be changed in
 * them, and the rules that VM entries check: those of the fake processor, by
 * its own functions (sim/fake_hw/x86_64/vmx/rules.h).
 *
 * A host field is what is changed in the host's: here, in one that is legal.
 * Left out is what fake processors do not model: is_modelled() has it.
 */
#include <string.h>

#include "arch/x86_64/msr.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "tests/truth/host.h"
#include "tests/truth/ops.h"

#define ALL UINT64_MAX

/* The state that the machine is set up with, as the rules look at it. */
static uint64_t values[VMCS_FIELD_COUNT];

#define V(name) (values[VMCS_AT_##name])

static const struct vmx_profile *profile_here(void)
{
    return fake_x86_current()->profile->vmx;
}

static struct vmx_check check_of(const struct truth_machine *machine)
{
    return (struct vmx_check){
        .field = values,
        .profile = profile_here(),
        .current = machine->control_pa.raw,
        .host_long = true,
    };
}

static bool is_host(unsigned at)
{
    return vmcs_type(vmcs_fields[at].encoding) == VMCS_TYPE_HOST;
}

/* From the machine; a legal host, but for what is changed in it. */
static struct vmx_check load(const struct truth_machine *machine)
{
    const uint64_t *state = machine->control;
    struct vmx_check check = check_of(machine);

    vmx_make_legal(&check, VMX_GUEST_LONG);
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
        values[i] = is_host(i) ? values[i] ^ state[i] : state[i];
    return check;
}

static void store(struct truth_machine *machine)
{
    uint64_t *state = machine->control;

    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
        state[i] = is_host(i) ? 0 : values[i];
}

/* States ------------------------------------------------------------------ */

static const struct {
    enum vmx_guest_mode mode;
    bool unpaged, compatibility, user;
    uint64_t cr3, idt, gdt;
} states[] = {
    {VMX_GUEST_LONG, false, false, false, LAYOUT_PML4, LAYOUT_IDT64,
     LAYOUT_GDT64},
    {VMX_GUEST_LONG, false, true, false, LAYOUT_PML4, LAYOUT_IDT64,
     LAYOUT_GDT64},
    {VMX_GUEST_LONG, false, false, true, LAYOUT_PML4, LAYOUT_IDT64,
     LAYOUT_GDT64},
    {VMX_GUEST_PROTECTED, false, false, false, LAYOUT_PD32, LAYOUT_IDT32,
     LAYOUT_GDT32},
    {VMX_GUEST_PROTECTED, true, false, false, 0, LAYOUT_IDT32, LAYOUT_GDT32},
    {VMX_GUEST_PROTECTED, false, false, true, LAYOUT_PD32, LAYOUT_IDT32,
     LAYOUT_GDT32},
    {VMX_GUEST_PAE, false, false, false, LAYOUT_PDPT_PAE, LAYOUT_IDT32,
     LAYOUT_GDT32},
    {VMX_GUEST_V86, false, false, false, LAYOUT_PD32, LAYOUT_IDT32,
     LAYOUT_GDT32},
    {VMX_GUEST_REAL, true, false, false, 0, LAYOUT_IVT, LAYOUT_GDT32},
};

static void make_user(void)
{
    static const uint16_t rights[] = {
        VMCS_AT_GUEST_CS_ACCESS_RIGHTS, VMCS_AT_GUEST_SS_ACCESS_RIGHTS,
        VMCS_AT_GUEST_DS_ACCESS_RIGHTS, VMCS_AT_GUEST_ES_ACCESS_RIGHTS,
        VMCS_AT_GUEST_FS_ACCESS_RIGHTS, VMCS_AT_GUEST_GS_ACCESS_RIGHTS};

    for (unsigned i = 0; i < ARRAY_SIZE(rights); i++)
        values[rights[i]] |= VMX_AR_DPL;
    V(GUEST_CS_SELECTOR) |= 3;
    V(GUEST_SS_SELECTOR) |= 3;
}

/* Everything that a guest could do to the machine exits. */
static void force_controls(void)
{
    V(PIN_CONTROLS) |= VMX_PIN_EXTERNAL_INTERRUPT_EXITING | VMX_PIN_NMI_EXITING;
    V(PRIMARY_CONTROLS) |= VMX_CPU_HLT_EXITING | VMX_CPU_RDTSC_EXITING |
                           VMX_CPU_UNCONDITIONAL_IO_EXITING |
                           VMX_CPU_MOV_DR_EXITING | VMX_CPU_CR8_LOAD_EXITING |
                           VMX_CPU_CR8_STORE_EXITING;
    V(PRIMARY_CONTROLS) &=
        ~(VMX_CPU_MONITOR_TRAP_FLAG | VMX_CPU_INTERRUPT_WINDOW_EXITING);
    V(EXCEPTION_BITMAP) = UINT32_MAX;
    V(CR0_GUEST_HOST_MASK) = ALL;
    V(CR4_GUEST_HOST_MASK) = ALL;
}

static void make_addresses(uint64_t base)
{
    V(EPTP) = (base + TRUTH_OWN(TRUTH_VMX_EPT)) | VMX_MEMORY_WB |
              FIELD_PUT(VMX_EPTP_WALK, 3);
    V(IO_BITMAP_A) = base + TRUTH_OWN(TRUTH_VMX_IO);
    V(IO_BITMAP_B) = base + TRUTH_OWN(TRUTH_VMX_IO + 1);
    V(MSR_BITMAPS) = base + TRUTH_OWN(TRUTH_VMX_MSR);
    V(VIRTUAL_APIC_ADDRESS) = base + TRUTH_OWN(TRUTH_VMX_APIC);
    V(APIC_ACCESS_ADDRESS) = base + TRUTH_OWN(TRUTH_VMX_APIC);
    V(ENTRY_MSR_LOAD_ADDRESS) = base + TRUTH_OWN(TRUTH_VMX_MSRS);
    V(EXIT_MSR_LOAD_ADDRESS) = base + TRUTH_OWN(TRUTH_VMX_MSRS);
    V(EXIT_MSR_STORE_ADDRESS) = base + TRUTH_OWN(TRUTH_VMX_MSRS) + 16;
}

static void vmx_make_state(struct truth_machine *machine, unsigned number)
{
    struct vmx_check check = check_of(machine);

    vmx_make_legal(&check, states[number].mode);
    make_addresses(machine->base.raw);
    force_controls();
    if (!states[number].user || states[number].mode == VMX_GUEST_LONG)
        V(SECONDARY_CONTROLS) |=
            VMX_CPU2_UNRESTRICTED_GUEST & profile_here()->cpu2;
    V(EXIT_CONTROLS) |= (VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER) &
                        profile_here()->exit.allowed1;
    V(ENTRY_CONTROLS) |= VMX_ENTRY_LOAD_EFER & profile_here()->entry.allowed1;
    V(GUEST_CR3) = states[number].cr3;
    V(GUEST_GDTR_BASE) = states[number].gdt;
    V(GUEST_IDTR_BASE) = states[number].idt;
    V(GUEST_TR_BASE) = LAYOUT_TSS;
    V(GUEST_RIP) = LAYOUT_CODE;
    V(GUEST_RSP) = LAYOUT_STACK;
    V(GUEST_PDPTE0) = (LAYOUT_PML4 + 0x2000) | 1;
    if (states[number].unpaged)
        V(GUEST_CR0) &= ~X86_CR0_PG;
    if (states[number].compatibility)
        V(GUEST_CS_ACCESS_RIGHTS) ^= VMX_AR_L | VMX_AR_DB;
    if (states[number].user)
        make_user();
    if (states[number].mode == VMX_GUEST_V86)
        V(GUEST_RIP) = LAYOUT_CODE - V(GUEST_CS_BASE);
    if (number % 2 != 0) {
        V(GUEST_RFLAGS) |= X86_RFLAGS_IF;
        V(LINK_POINTER) = machine->base.raw + TRUTH_OWN(TRUTH_VMX_LINKED);
    }
    store(machine);
}

/* Changes ----------------------------------------------------------------- */

#define BITS(name, bits)      \
    {                         \
        VMCS_##name, bits, 0, \
        {                     \
            0                 \
        }                     \
    }
#define VALUES(name, bits, ...)                                   \
    {                                                             \
        VMCS_##name, bits,                                        \
            sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), \
        {                                                         \
            __VA_ARGS__                                           \
        }                                                         \
    }
#define EVENT(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, type) | (vector))
#define WIDE          BIT(40)
#define HOLE          BIT(47)
#define LAST          (WIDE - 16) /* room for one entry of a list */
#define NON_CANONICAL UINT64_C(0x0000900000001000)

/* In a host's address, whichever it is. */
#define HOST_HOLE BIT(50)

#define ADDRESS(name) VALUES(name, 0xfff, 0x800, WIDE, BIT(63), 1)
#define SEGMENT(seg)                                                          \
    BITS(GUEST_##seg##_SELECTOR, 7),                                          \
        BITS(GUEST_##seg##_ACCESS_RIGHTS, 0xf0ff),                            \
        BITS(GUEST_##seg##_ACCESS_RIGHTS, BIT(8) | BIT(16) | BIT(31)),        \
        BITS(GUEST_##seg##_ACCESS_RIGHTS, VMX_AR_TYPE),                       \
        VALUES(GUEST_##seg##_LIMIT, 0, 0, 0xffff, 0xfffff, 0xffffe, 0x1fffff, \
               UINT32_MAX, 0xfffffffe),                                       \
        VALUES(GUEST_##seg##_BASE, 0, 0, 0x10, BIT(32), HOLE, NON_CANONICAL)
#define LIST(name)                                                   \
    VALUES(name##_COUNT, 0, 1, 2), BITS(name##_ADDRESS, 0xf | WIDE), \
        VALUES(name##_ADDRESS, 0xf | WIDE, LAST)
#define HOST_BASE(name) VALUES(HOST_##name, 0, HOST_HOLE)

static const struct truth_mutation mutations[] = {
    BITS(PIN_CONTROLS, 0x1ff),
    BITS(PRIMARY_CONTROLS, UINT32_MAX),
    BITS(PRIMARY_CONTROLS, VMX_CPU_TPR_SHADOW | VMX_CPU_IO_BITMAPS |
                               VMX_CPU_MSR_BITMAPS |
                               VMX_CPU_SECONDARY_CONTROLS),
    BITS(SECONDARY_CONTROLS, UINT32_MAX),
    BITS(SECONDARY_CONTROLS, 0x7fff),
    BITS(EXIT_CONTROLS, UINT32_MAX),
    BITS(ENTRY_CONTROLS, 0xffffff),
    BITS(VM_FUNCTION_CONTROLS, ALL),
    VALUES(CR3_TARGET_COUNT, 0, 3, 4, 5),
    VALUES(VPID, 0xffff, 0),
    ADDRESS(IO_BITMAP_A),
    ADDRESS(IO_BITMAP_B),
    ADDRESS(MSR_BITMAPS),
    ADDRESS(VIRTUAL_APIC_ADDRESS),
    ADDRESS(APIC_ACCESS_ADDRESS),
    ADDRESS(PML_ADDRESS),
    ADDRESS(EPTP_LIST_ADDRESS),
    ADDRESS(VMREAD_BITMAP),
    ADDRESS(VMWRITE_BITMAP),
    ADDRESS(VE_INFORMATION_ADDRESS),
    BITS(EPTP, 0xfff),
    BITS(EPTP, 0xff | WIDE),
    VALUES(TPR_THRESHOLD, 0, 0, 1, 15, 16, BIT(31)),
    VALUES(TSC_MULTIPLIER, 0, 0, BIT(48)),
    LIST(EXIT_MSR_STORE),
    LIST(EXIT_MSR_LOAD),
    LIST(ENTRY_MSR_LOAD),
    VALUES(ENTRY_INTERRUPTION_INFO, 0, EVENT(0, 0x20), EVENT(2, 2), EVENT(3, 6),
           EVENT(3, 13), EVENT(3, 13) | VMX_EVENT_ERROR_CODE,
           EVENT(3, 6) | VMX_EVENT_ERROR_CODE, EVENT(1, 0), EVENT(2, 3),
           EVENT(3, 32), EVENT(4, 0x30), EVENT(4, 0x30) | VMX_EVENT_ERROR_CODE),
    VALUES(ENTRY_INTERRUPTION_INFO, 0, EVENT(0, 13) | VMX_EVENT_ERROR_CODE,
           EVENT(0, 0x20), EVENT(2, 2)),
    BITS(ENTRY_INTERRUPTION_INFO, UINT32_MAX),
    VALUES(ENTRY_EXCEPTION_ERROR_CODE, 0, 0, 0xffff, 0x10000),
    VALUES(ENTRY_INSTRUCTION_LENGTH, 0, 0, 1, 15, 16),
    /* The host, bit by bit. */
    BITS(HOST_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_PG | BIT(32)),
    BITS(HOST_CR4, X86_CR4_VMXE | X86_CR4_PAE | BIT(31) | BIT(63)),
    VALUES(HOST_CR3, 0, WIDE, BIT(63)),
    BITS(HOST_ES_SELECTOR, 7),
    BITS(HOST_CS_SELECTOR, 7),
    VALUES(HOST_CS_SELECTOR, 0, 0x08),
    BITS(HOST_SS_SELECTOR, 7),
    BITS(HOST_DS_SELECTOR, 7),
    BITS(HOST_FS_SELECTOR, 7),
    BITS(HOST_GS_SELECTOR, 7),
    BITS(HOST_TR_SELECTOR, 7),
    HOST_BASE(FS_BASE),
    HOST_BASE(GS_BASE),
    HOST_BASE(TR_BASE),
    HOST_BASE(GDTR_BASE),
    HOST_BASE(IDTR_BASE),
    HOST_BASE(RIP),
    HOST_BASE(IA32_SYSENTER_ESP),
    HOST_BASE(IA32_SYSENTER_EIP),
    BITS(HOST_IA32_EFER, X86_EFER_LMA | X86_EFER_LME | BIT(1) | BIT(63)),
    BITS(HOST_IA32_PAT, UINT64_C(0xf8f8f8f8f8f8f8f8)),
    /* The guest. */
    BITS(GUEST_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_PG | X86_CR0_WP |
                        X86_CR0_CD | X86_CR0_NW | BIT(32)),
    BITS(GUEST_CR4, ALL),
    BITS(GUEST_CR4, 0x3fffff),
    VALUES(GUEST_CR3, 0, WIDE, BIT(63)),
    BITS(GUEST_IA32_EFER, ALL),
    BITS(GUEST_IA32_EFER, X86_EFER_LMA | X86_EFER_LME | X86_EFER_NXE),
    BITS(GUEST_IA32_PAT, ALL),
    BITS(GUEST_IA32_DEBUGCTL, 0xffff),
    VALUES(GUEST_DR7, UINT32_MAX, BIT(32)),
    VALUES(GUEST_IA32_SYSENTER_ESP, 0xffff, HOLE, NON_CANONICAL),
    VALUES(GUEST_IA32_SYSENTER_EIP, 0xffff, HOLE, NON_CANONICAL),
    SEGMENT(ES),
    SEGMENT(CS),
    SEGMENT(SS),
    SEGMENT(DS),
    SEGMENT(FS),
    SEGMENT(GS),
    SEGMENT(LDTR),
    SEGMENT(TR),
    VALUES(GUEST_LDTR_ACCESS_RIGHTS, 0xffff, 0x82),
    VALUES(GUEST_GDTR_BASE, 0, HOLE, NON_CANONICAL),
    VALUES(GUEST_IDTR_BASE, 0, HOLE, NON_CANONICAL),
    BITS(GUEST_GDTR_LIMIT, 0x1ffff),
    BITS(GUEST_IDTR_LIMIT, 0x1ffff),
    VALUES(GUEST_RIP, 0, LAYOUT_CODE, BIT(32), BIT(48), NON_CANONICAL),
    VALUES(GUEST_RSP, ALL, 0, LAYOUT_STACK, NON_CANONICAL),
    BITS(GUEST_RFLAGS, ALL),
    BITS(GUEST_RFLAGS, 0x3f7fd7),
    VALUES(GUEST_ACTIVITY_STATE, 0, 1, 2, 3, 4),
    BITS(GUEST_INTERRUPTIBILITY_STATE, 0x3f),
    BITS(GUEST_INTERRUPTIBILITY_STATE, 3),
    BITS(GUEST_PENDING_DEBUG_EXCEPTIONS, 0x3ffff),
    VALUES(LINK_POINTER, BIT(12) | BIT(13), 0x800, WIDE),
    BITS(GUEST_PDPTE0, 0x1ff),
    BITS(GUEST_PDPTE1, 0x1ff | WIDE),
    BITS(GUEST_PDPTE2, 0x1ff),
    BITS(GUEST_PDPTE3, 0x1ff),
};

static bool vmx_is_address(uint16_t field)
{
    switch (field) {
    case VMCS_EPTP:
    case VMCS_IO_BITMAP_A:
    case VMCS_IO_BITMAP_B:
    case VMCS_MSR_BITMAPS:
    case VMCS_VIRTUAL_APIC_ADDRESS:
    case VMCS_APIC_ACCESS_ADDRESS:
    case VMCS_ENTRY_MSR_LOAD_ADDRESS:
    case VMCS_EXIT_MSR_LOAD_ADDRESS:
    case VMCS_EXIT_MSR_STORE_ADDRESS:
    case VMCS_LINK_POINTER: return true;
    default: return false;
    }
}

/* Rules ------------------------------------------------------------------- */

static unsigned vmx_rules_here(void)
{
    unsigned count = 0;

    while (vmx_rule(count) != NULL)
        count++;
    return count;
}

static const char *vmx_rule_name(unsigned rule)
{
    return vmx_rule(rule)->name;
}

/* What a legal state must be besides, so that the guest's first instruction is
 * the case's, and nothing happens but what it does. */
static bool is_modelled(const struct truth_machine *machine)
{
    static uint64_t state[VMCS_FIELD_COUNT];
    static const uint16_t same[] = {VMCS_AT_GUEST_CR0,
                                    VMCS_AT_GUEST_CR3,
                                    VMCS_AT_GUEST_CR4,
                                    VMCS_AT_GUEST_CS_BASE,
                                    VMCS_AT_GUEST_CS_LIMIT,
                                    VMCS_AT_GUEST_CS_ACCESS_RIGHTS,
                                    VMCS_AT_GUEST_SS_ACCESS_RIGHTS,
                                    VMCS_AT_GUEST_RIP,
                                    VMCS_AT_ENTRY_CONTROLS,
                                    VMCS_AT_EXIT_CONTROLS,
                                    VMCS_AT_PIN_CONTROLS,
                                    VMCS_AT_PRIMARY_CONTROLS,
                                    VMCS_AT_SECONDARY_CONTROLS,
                                    VMCS_AT_EPTP,
                                    VMCS_AT_GUEST_ACTIVITY_STATE,
                                    VMCS_AT_GUEST_INTERRUPTIBILITY_STATE,
                                    VMCS_AT_GUEST_PENDING_DEBUG_EXCEPTIONS,
                                    VMCS_AT_GUEST_PDPTE0,
                                    VMCS_AT_EXIT_MSR_STORE_COUNT,
                                    VMCS_AT_EXIT_MSR_LOAD_COUNT,
                                    VMCS_AT_ENTRY_MSR_LOAD_COUNT,
                                    VMCS_AT_LINK_POINTER};
    struct truth_machine other = *machine;
    bool modelled = false;

    if ((V(ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID) != 0 ||
        (V(GUEST_RFLAGS) & X86_RFLAGS_TF) != 0)
        return false;
    other.control = state;
    for (unsigned n = 0; n < ARRAY_SIZE(states) && !modelled; n++) {
        if (!vmx_mode_exists(profile_here(), states[n].mode))
            continue;
        vmx_make_state(&other, n);
        modelled = true;
        for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
            modelled =
                modelled &&
                state[same[i]] == ((const uint64_t *)machine->control)[same[i]];
    }
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
        if (is_host(i) && ((const uint64_t *)machine->control)[i] != 0)
            return false;
    }
    return modelled;
}

/* What ends Bochs: an event of type 7, which it does not know without monitor
 * trap flag, and IA-32e mode without protection, which it loads before it
 * refuses it. */
static bool ends_bochs(void)
{
    uint64_t event = V(ENTRY_INTERRUPTION_INFO);

    return ((event & VMX_EVENT_VALID) != 0 &&
            FIELD_GET(VMX_EVENT_TYPE, event) == VMX_EVENT_OTHER) ||
           ((V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) != 0 &&
            ((V(GUEST_CR0) & X86_CR0_PE) == 0 ||
             (V(GUEST_RFLAGS) & X86_RFLAGS_VM) != 0));
}

/* Where nothing could be is no content that breaks rules of its own. */
static bool is_of_content(const struct vmx_rule *first,
                          const struct vmx_rule *rule)
{
    switch (first->rule) {
    case RULE_VMX_ENTRY_LOAD_ALIGN:
    case RULE_VMX_ENTRY_LOAD_WIDTH:
    case RULE_VMX_ENTRY_LOAD_LAST: return rule->failure == VMX_FAILS_MSR;
    case RULE_VMX_GUEST_LINK_ALIGN:
    case RULE_VMX_GUEST_LINK_WIDTH:
        return rule->failure == VMX_FAILS_LINK && rule != first;
    default: return false;
    }
}

static unsigned vmx_broken(const struct truth_machine *machine, uint16_t *rules,
                           unsigned max)
{
    struct vmx_check check = load(machine);
    unsigned count = 0;

    if (ends_bochs()) {
        rules[0] = TRUTH_NO_RULE;
        return 1;
    }
    if (vmx_first_broken(&check) == NULL) {
        rules[0] = TRUTH_NO_RULE;
        return is_modelled(machine) ? 0 : 1;
    }
    /* Bochs delivers the event, and fake processors load no code segments. */
    if (vmx_first_broken(&check)->rule == RULE_VMX_GUEST_ACTIVITY_HLT_EVENT &&
        (V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) != 0 &&
        (V(GUEST_CS_ACCESS_RIGHTS) & VMX_AR_L) == 0) {
        rules[0] = TRUTH_NO_RULE;
        return 1;
    }
    /* Nobody would wake a guest that Bochs, which does not check pending debug
     * exceptions, has let in. */
    if (V(GUEST_ACTIVITY_STATE) != VMX_ACTIVITY_ACTIVE &&
        vmx_first_broken(&check)->rule >= RULE_VMX_GUEST_PENDING) {
        rules[0] = TRUTH_NO_RULE;
        return 1;
    }
    for (unsigned i = 0; vmx_rule(i) != NULL && count < max; i++) {
        if (!vmx_rule(i)->holds(&check) &&
            !is_of_content(vmx_first_broken(&check), vmx_rule(i)))
            rules[count++] = (uint16_t)i;
    }
    return count;
}

static bool vmx_repair_state(struct truth_machine *machine)
{
    struct vmx_check check = load(machine);

    vmx_repair(&check);
    store(machine);
    return true;
}

/* Operations -------------------------------------------------------------- */

/* Those that always exit with the controls that cases have. */
static bool always_exits(unsigned kind)
{
    switch (kind) {
    case OP_X86_HLT:
    case OP_X86_CPUID:
    case OP_X86_INVD:
    case OP_X86_RDTSC:
    case OP_X86_IN:
    case OP_X86_OUT:
    case OP_X86_RDMSR:
    case OP_X86_WRMSR:
    case OP_X86_XSETBV: return true;
    default: return false;
    }
}

static bool is_io(unsigned kind)
{
    return kind == OP_X86_IN || kind == OP_X86_OUT;
}

/* Without the TSS, which fake processors do not model. */
static bool may_do_io(const struct truth_machine *machine)
{
    uint64_t rflags, iopl, cpl;

    (void)load(machine);
    rflags = V(GUEST_RFLAGS);
    iopl = FIELD_GET(X86_RFLAGS_IOPL, rflags);
    cpl = (V(GUEST_CS_SELECTOR) & 3) |
          FIELD_GET(VMX_AR_DPL, V(GUEST_SS_ACCESS_RIGHTS));
    return (rflags & X86_RFLAGS_VM) == 0 && cpl <= iopl;
}

static bool vmx_settle(struct truth_machine *machine, unsigned number,
                       struct truth_random *random)
{
    const struct truth_op *op = &truth_ops[number];

    if (!always_exits(op->op.kind) ||
        (is_io(op->op.kind) && !may_do_io(machine)))
        return false;
    for (unsigned i = 0; i < op->reg_count; i++)
        machine->regs.gpr[op->regs[i].reg] = op->regs[i].value;
    return true;
}

/* The processor in the guest's mode, as far as encodings depend on it. */
static unsigned vmx_encode_op(const struct truth_machine *machine, unsigned op,
                              uint8_t *code)
{
    static struct fake_x86 cpu;

    (void)load(machine);
    cpu.profile = fake_x86_current()->profile;
    cpu.vendor = fake_x86_current()->vendor;
    cpu.state.cr0 = V(GUEST_CR0);
    cpu.state.efer = (V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) != 0
                         ? X86_EFER_LMA | X86_EFER_LME
                         : 0;
    cpu.state.rflags = V(GUEST_RFLAGS);
    cpu.state.cs.attrib = (uint16_t)((V(GUEST_CS_ACCESS_RIGHTS) & 0xff) |
                                     (V(GUEST_CS_ACCESS_RIGHTS) >> 4 & 0xf00));
    return cpu_encode(&cpu, &truth_ops[op].op, code);
}

const struct truth_maker truth_maker_vmx = {
    .vendor = &truth_vmx,
    .state_count = ARRAY_SIZE(states),
    .make_state = vmx_make_state,
    .rule_count = vmx_rules_here,
    .rule_name = vmx_rule_name,
    .mutations = mutations,
    .mutation_count = ARRAY_SIZE(mutations),
    .is_address = vmx_is_address,
    .broken = vmx_broken,
    .repair = vmx_repair_state,
    .settle = vmx_settle,
    .encode = vmx_encode_op,
};
