/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which VMCSs may be in a list. Left out is what fake processors do not model
 * (sim/fake_hw/x86_64/cpu/cpu.h, sim/fake_hw/x86_64/vmx/guest.h), and what
 * Bochs does not survive.
 */
#include "arch/x86_64/vmx/capability.h"
#include "tests/truth/make_vmx.h"

static const uint64_t *fields_of(const struct truth_machine *machine)
{
    return machine->control;
}

/* Legal states ------------------------------------------------------------ */

/* Controls that do nothing to what guests do here, or what is modelled. */
#define FREE_PIN (VMX_PIN_VIRTUAL_NMIS | VMX_PIN_PREEMPTION_TIMER)
#define FREE_CPU                                                              \
    (VMX_CPU_INTERRUPT_WINDOW_EXITING | VMX_CPU_NMI_WINDOW_EXITING |          \
     VMX_CPU_MONITOR_TRAP_FLAG | VMX_CPU_TSC_OFFSETTING |                     \
     VMX_CPU_INVLPG_EXITING | VMX_CPU_MWAIT_EXITING | VMX_CPU_RDPMC_EXITING | \
     VMX_CPU_CR3_LOAD_EXITING | VMX_CPU_CR3_STORE_EXITING |                   \
     VMX_CPU_IO_BITMAPS | VMX_CPU_MSR_BITMAPS | VMX_CPU_MONITOR_EXITING |     \
     VMX_CPU_PAUSE_EXITING)
#define FREE_CPU2                                                          \
    (VMX_CPU2_DESCRIPTOR_TABLE_EXITING | VMX_CPU2_RDTSCP | VMX_CPU2_VPID | \
     VMX_CPU2_WBINVD_EXITING | VMX_CPU2_PAUSE_LOOP_EXITING |               \
     VMX_CPU2_RDRAND_EXITING | VMX_CPU2_INVPCID | VMX_CPU2_VM_FUNCTIONS |  \
     VMX_CPU2_RDSEED_EXITING | VMX_CPU2_XSAVES)
#define FREE_EXIT \
    (VMX_EXIT_SAVE_DEBUG_CONTROLS | VMX_EXIT_SAVE_PAT | VMX_EXIT_SAVE_EFER)
#define FREE_ENTRY (VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_CET)
#define FREE_CR0   (X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_AM)
#define FREE_CR4                                                             \
    (X86_CR4_DE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | \
     X86_CR4_OSXMMEXCPT | X86_CR4_UMIP | X86_CR4_FSGSBASE | X86_CR4_OSXSAVE)

/* Fields that are the mode's, but for some bits. */
static const struct {
    uint16_t at;
    uint64_t free;
} fixed[] = {
    {VMCS_AT_PIN_CONTROLS, FREE_PIN},
    {VMCS_AT_PRIMARY_CONTROLS, FREE_CPU},
    {VMCS_AT_SECONDARY_CONTROLS, FREE_CPU2},
    {VMCS_AT_EXIT_CONTROLS, FREE_EXIT},
    {VMCS_AT_ENTRY_CONTROLS, FREE_ENTRY},
    {VMCS_AT_GUEST_CR0, FREE_CR0},
    {VMCS_AT_GUEST_CR3, 0},
    {VMCS_AT_GUEST_CR4, FREE_CR4},
    {VMCS_AT_GUEST_CS_BASE, 0},
    {VMCS_AT_GUEST_CS_LIMIT, 0},
    {VMCS_AT_GUEST_CS_ACCESS_RIGHTS, 0},
    {VMCS_AT_GUEST_SS_ACCESS_RIGHTS, 0},
    {VMCS_AT_EPTP, 0},
    {VMCS_AT_GUEST_PDPTE0, 0},
    {VMCS_AT_IO_BITMAP_A, 0},
    {VMCS_AT_IO_BITMAP_B, 0},
    {VMCS_AT_MSR_BITMAPS, 0},
    {VMCS_AT_EXIT_MSR_STORE_ADDRESS, 0},
    {VMCS_AT_EXIT_MSR_LOAD_ADDRESS, 0},
    {VMCS_AT_PREEMPTION_TIMER_VALUE, 0},
    {VMCS_AT_LINK_POINTER, 0},
};

/* What delivery of an event looks at besides. */
static const uint16_t of_delivery[] = {
    VMCS_AT_GUEST_CS_SELECTOR, VMCS_AT_GUEST_SS_SELECTOR, VMCS_AT_GUEST_SS_BASE,
    VMCS_AT_GUEST_SS_LIMIT,    VMCS_AT_GUEST_GDTR_BASE,
};

static bool is_alike(const struct truth_machine *machine, const uint64_t *state)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
        uint64_t differs = fields_of(machine)[fixed[i].at] ^ state[fixed[i].at];

        if ((differs & ~fixed[i].free) != 0)
            return false;
    }
    return true;
}

/* The state that it has the mode of; -1: none. */
static int state_of(const struct truth_machine *machine)
{
    for (unsigned n = 0; n < make_vmx_state_count; n++) {
        if (vmx_mode_exists(make_vmx_profile(), make_vmx_states[n].mode) &&
            is_alike(machine, make_vmx_state(machine, n)))
            return (int)n;
    }
    return -1;
}

/* The tables of the mode, or none at all. */
static bool has_idt(const struct truth_machine *machine, const uint64_t *state)
{
    uint64_t base = fields_of(machine)[VMCS_AT_GUEST_IDTR_BASE];

    return base == state[VMCS_AT_GUEST_IDTR_BASE] ||
           base == LAYOUT_NESTED_ABSENT ||
           (base == LAYOUT_ABSENT &&
            (state[VMCS_AT_GUEST_CR0] & X86_CR0_PG) != 0);
}

/* In IA-32e mode, whose descriptors have a page of their own, a frame must fit:
 * fake processors do not look at the descriptor before they push it. */
static bool has_stack(void)
{
    uint64_t rsp = V(GUEST_RSP);

    return (V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) == 0 ||
           (rsp > LAYOUT_STACK - PAGE_SIZE / 2 && rsp <= LAYOUT_STACK);
}

/* Events are modelled as far as no stack is switched, and no code segment is
 * loaded that is another. */
static bool takes_events(const struct truth_machine *machine)
{
    const uint64_t *state;
    int n = state_of(machine);

    if (n < 0 || make_vmx_states[n].user || make_vmx_states[n].compatibility ||
        make_vmx_states[n].mode == VMX_GUEST_V86)
        return false;
    state = make_vmx_state(machine, (unsigned)n);
    for (unsigned i = 0; i < ARRAY_SIZE(of_delivery); i++) {
        if (fields_of(machine)[of_delivery[i]] != state[of_delivery[i]])
            return false;
    }
    return has_idt(machine, state) && has_stack() &&
           fields_of(machine)[VMCS_AT_GUEST_GDTR_LIMIT] >=
               state[VMCS_AT_GUEST_GDTR_LIMIT];
}

static bool injects(void)
{
    return (V(ENTRY_INTERRUPTION_INFO) & VMX_EVENT_VALID) != 0;
}

/* It goes on where there are no instructions, or other ones than HLT. */
static bool runs_off(void)
{
    uint64_t at = V(GUEST_RIP);

    if ((V(GUEST_CS_ACCESS_RIGHTS) & VMX_AR_L) == 0) {
        if (at + TRUTH_MAX_CODE > V(GUEST_CS_LIMIT))
            return true;
        at = (at + V(GUEST_CS_BASE)) & UINT32_MAX;
    }
    return !cpu_is_canonical(at) || at < LAYOUT_CODE ||
           (at >= LAYOUT_STACK - PAGE_SIZE && at < LAYOUT_HANDLERS + 0x100) ||
           (at > LAYOUT_GDT64 - TRUTH_MAX_CODE && at < LAYOUT_GDT64 + 0x20);
}

/* Something wakes a guest that is not active: there are no interrupts, and
 * Bochs makes it wait for windows, too. */
static bool is_woken(void)
{
    if (V(GUEST_ACTIVITY_STATE) == VMX_ACTIVITY_ACTIVE || injects())
        return true;
    return V(GUEST_ACTIVITY_STATE) != VMX_ACTIVITY_WAIT_FOR_SIPI &&
           V(GUEST_PENDING_DEBUG_EXCEPTIONS) == 0 &&
           (V(PIN_CONTROLS) & VMX_PIN_PREEMPTION_TIMER) != 0;
}

/* But for a field that nobody loads. */
static bool is_host_changed(const struct truth_machine *machine)
{
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
        if (make_vmx_is_host(i) && fields_of(machine)[i] != 0 &&
            i != VMCS_AT_HOST_IA32_PERF_GLOBAL_CTRL)
            return true;
    }
    return false;
}

/* What a legal state must be besides, so that the guest's first instruction is
 * the case's, and nothing happens but what it does. */
static bool is_modelled(const struct truth_machine *machine)
{
    if (is_host_changed(machine) || runs_off() || !is_woken())
        return false;
    return injects() ? takes_events(machine) : state_of(machine) >= 0;
}

/* Rules ------------------------------------------------------------------- */

/* An event of type 7, which Bochs does not know without monitor trap flag, and
 * IA-32e mode without protection, which it loads before it refuses it. */
static bool ends_bochs(void)
{
    uint64_t event = V(ENTRY_INTERRUPTION_INFO);
    bool has_mtf =
        (make_vmx_profile()->cpu.allowed1 & VMX_CPU_MONITOR_TRAP_FLAG) != 0;

    return (!has_mtf && injects() &&
            FIELD_GET(VMX_EVENT_TYPE, event) == VMX_EVENT_OTHER) ||
           ((V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) != 0 &&
            ((V(GUEST_CR0) & X86_CR0_PE) == 0 ||
             (V(GUEST_RFLAGS) & X86_RFLAGS_VM) != 0));
}

/* All rules; a rule's place among them. */
static const struct vmx_rule *all[TRUTH_MAX_RULES];

static unsigned place_of(enum violation_rule rule)
{
    if (all[0] == NULL) {
        for (unsigned i = 0; vmx_rule(i) != NULL; i++)
            all[i] = vmx_rule(i);
    }
    return (unsigned)rule - (unsigned)all[0]->rule;
}

static const struct vmx_rule *rule_of(enum violation_rule rule)
{
    return all[place_of(rule)];
}

/* Rules that no state breaks without breaking the other of the row, too: it is
 * not held against them. */
static const struct {
    enum violation_rule rule, other;
} brings[] = {
    {RULE_VMX_HOST_SS_NULL, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_HOST_GUEST_64_SIZE_32, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_HOST_PCIDE, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_HOST_RIP_HIGH, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_HOST_S_CET_HIGH, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_HOST_SSP_HIGH, RULE_VMX_HOST_SIZE_32_FROM_64},
    {RULE_VMX_GUEST_BLOCKING_ENCLAVE, RULE_VMX_GUEST_BLOCKING_SGX},
    {RULE_VMX_GUEST_PENDING_RTM, RULE_VMX_GUEST_PENDING_RTM_ABSENT},
    {RULE_VMX_GUEST_PENDING_RTM_MOV_SS, RULE_VMX_GUEST_PENDING_RTM_ABSENT},
};

static bool is_brought(const struct vmx_check *check, enum violation_rule rule)
{
    for (unsigned i = 0; i < ARRAY_SIZE(brings); i++) {
        if (brings[i].other == rule && !rule_of(brings[i].rule)->holds(check))
            return true;
    }
    return false;
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

/* Something comes before the guest's first instruction. */
static bool has_event(void)
{
    return injects() || V(GUEST_PENDING_DEBUG_EXCEPTIONS) != 0 ||
           (V(PIN_CONTROLS) & VMX_PIN_PREEMPTION_TIMER) != 0 ||
           (V(PRIMARY_CONTROLS) &
            (VMX_CPU_INTERRUPT_WINDOW_EXITING | VMX_CPU_NMI_WINDOW_EXITING |
             VMX_CPU_MONITOR_TRAP_FLAG)) != 0;
}

/* What Bochs does not check it enters: then the event must be one that fake
 * processors model, too, and the list of MSRs have nothing else. */
static bool is_entered_wrongly(const struct truth_machine *machine,
                               enum violation_rule rule)
{
    switch (rule) {
    case RULE_VMX_EVENT_ERROR_TYPE:
    case RULE_VMX_EVENT_ERROR_REAL:
        return (make_vmx_profile()->basic & VMX_BASIC_ANY_ERROR) != 0 &&
               !takes_events(machine);
    case RULE_VMX_GUEST_ACTIVITY_HLT_EVENT:
    case RULE_VMX_GUEST_BLOCKING_NMI:
    case RULE_VMX_GUEST_DEBUGCTL:
    case RULE_VMX_GUEST_PERF_GLOBAL_CTRL:
    case RULE_VMX_HOST_PERF_GLOBAL_CTRL:
    case RULE_VMX_GUEST_PENDING_BS:
    case RULE_VMX_GUEST_PENDING_NO_BS:
        return injects() && !takes_events(machine);
    case RULE_VMX_MSR_X2APIC:
    case RULE_VMX_MSR_SMM:
    case RULE_VMX_MSR_MODEL:
        return (injects() && !takes_events(machine)) ||
               V(ENTRY_MSR_LOAD_COUNT) != 1;
    case RULE_VMX_GUEST_CS_DPL:
    case RULE_VMX_GUEST_LONG_PG: return injects();
    case RULE_VMX_GUEST_RIP:
    case RULE_VMX_GUEST_RFLAGS_VM: return has_event();
    default: return false;
    }
}

static bool is_left_out(const struct truth_machine *machine,
                        const struct vmx_rule *first)
{
    /* Nobody would wake a guest that Bochs, which does not check pending debug
     * exceptions, has let in. */
    if (V(GUEST_ACTIVITY_STATE) != VMX_ACTIVITY_ACTIVE &&
        first->rule >= RULE_VMX_GUEST_PENDING)
        return true;
    /* What comes to an exit goes on in that host. */
    if (is_host_changed(machine) &&
        (first->failure != VMX_FAILS_HOST ||
         first->rule == RULE_VMX_HOST_PERF_GLOBAL_CTRL))
        return true;
    return is_entered_wrongly(machine, first->rule);
}

unsigned make_vmx_broken(const struct truth_machine *machine, uint16_t *rules,
                         unsigned max)
{
    struct vmx_check check = make_vmx_load(machine);
    const struct vmx_rule *first;
    unsigned count = 0;

    rules[0] = TRUTH_NO_RULE;
    if (ends_bochs())
        return 1;
    first = vmx_first_broken(&check);
    if (first == NULL)
        return is_modelled(machine) ? 0 : 1;
    if (is_left_out(machine, first))
        return 1;
    for (unsigned i = place_of(first->rule); all[i] != NULL && count < max;
         i++) {
        if (!all[i]->holds(&check) && !is_of_content(first, all[i]) &&
            !is_brought(&check, all[i]->rule))
            rules[count++] = (uint16_t)i;
    }
    return count;
}

/* Bochs does not unblock virtual NMIs when an entry says so: once they are
 * blocked, all that have them do. */
bool make_vmx_comes_last(const struct truth_machine *machine)
{
    const uint64_t *field = fields_of(machine);
    uint64_t event = field[VMCS_AT_ENTRY_INTERRUPTION_INFO];
    bool is_nmi = (event & VMX_EVENT_VALID) != 0 &&
                  FIELD_GET(VMX_EVENT_TYPE, event) == VMX_EVENT_NMI;

    return (field[VMCS_AT_PIN_CONTROLS] & VMX_PIN_VIRTUAL_NMIS) != 0 &&
           (is_nmi || (field[VMCS_AT_GUEST_INTERRUPTIBILITY_STATE] &
                       VMX_BLOCKING_NMI) != 0);
}
