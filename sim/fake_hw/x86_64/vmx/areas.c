/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest-state area, to and from the processor, and the host-state area. SDM
 * volume 3: the sections on loading and saving of state of the chapters on VM
 * entries and VM exits.
 */
#include <string.h>

#include "api/host.h"
#include "sim/clock.h"
#include "sim/fake_hw/x86_64/vmx/guest.h"

/* In struct vmcb_save: attributes without the gap that access rights have. The
 * mark of unusable segments is above all of them. */
#define ATTRIB_LOW      BIT_MASK(7, 0)
#define ATTRIB_HIGH     BIT_MASK(11, 8)
#define ATTRIB_UNUSABLE BIT(15)
#define AR_GAP          4

/* Segments, in the order of the VMCS: where they are in struct vmcb_save. */
#define SEGMENT(name) offsetof(struct vmcb_save, name)
static const uint16_t segments[] = {
    SEGMENT(es), SEGMENT(cs), SEGMENT(ss),   SEGMENT(ds),
    SEGMENT(fs), SEGMENT(gs), SEGMENT(ldtr), SEGMENT(tr),
};

/* Registers that are moved as they are. */
static const struct {
    uint16_t register_at;
    uint8_t field; /* enum vmcs_at */
} registers[] = {
#define REGISTER(name, field)                                   \
    {                                                           \
        offsetof(struct vmcb_save, name), VMCS_AT_GUEST_##field \
    }
    REGISTER(gdtr.base, GDTR_BASE),
    REGISTER(idtr.base, IDTR_BASE),
    REGISTER(cr3, CR3),
    REGISTER(cr4, CR4),
    REGISTER(rip, RIP),
    REGISTER(rsp, RSP),
    REGISTER(rflags, RFLAGS),
    REGISTER(sysenter_cs, IA32_SYSENTER_CS),
    REGISTER(sysenter_esp, IA32_SYSENTER_ESP),
    REGISTER(sysenter_eip, IA32_SYSENTER_EIP),
#undef REGISTER
};

_Static_assert(VMCS_FIELD_COUNT <= UINT8_MAX, "");

/* Bits of CR0 that an entry leaves as they are. */
#define CR0_KEPT                                                       \
    (BIT_MASK(63, 32) | BIT_MASK(28, 19) | BIT(17) | BIT_MASK(15, 6) | \
     X86_CR0_CD | X86_CR0_NW | X86_CR0_ET)

/* The TSSs of the host's CPUs, one behind the other. */
#define HOST_TSS UINT64_C(0xffffffff80000000)

static uint16_t attrib_of(uint64_t rights)
{
    return (uint16_t)((rights & ATTRIB_LOW) | (rights >> AR_GAP & ATTRIB_HIGH) |
                      ((rights & VMX_AR_UNUSABLE) != 0 ? ATTRIB_UNUSABLE : 0));
}

/* A segment that is not present is one that was loaded with a null selector. */
static uint64_t rights_of(uint64_t attrib)
{
    uint64_t rights = (attrib & ATTRIB_LOW) | (attrib & ATTRIB_HIGH) << AR_GAP;

    if ((attrib & ATTRIB_UNUSABLE) != 0 || (attrib & VMCB_ATTRIB_P) == 0)
        rights |= VMX_AR_UNUSABLE;
    return rights;
}

static void load_segments(struct fake_x86 *cpu)
{
    const uint64_t *field = cpu->vmx.vmcs->field;
    uint8_t *state = (uint8_t *)&cpu->state;

    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) {
        struct vmcb_segment segment = {
            .selector = (uint16_t)field[VMCS_AT_GUEST_ES_SELECTOR + i],
            .attrib = attrib_of(field[VMCS_AT_GUEST_ES_ACCESS_RIGHTS + i]),
            .limit = (uint32_t)field[VMCS_AT_GUEST_ES_LIMIT + i],
            .base = field[VMCS_AT_GUEST_ES_BASE + i],
        };

        memcpy(state + segments[i], &segment, sizeof(segment));
    }
    cpu->state.gdtr.limit = (uint32_t)VMCS(cpu, GUEST_GDTR_LIMIT);
    cpu->state.idtr.limit = (uint32_t)VMCS(cpu, GUEST_IDTR_LIMIT);
    cpu->state.cpl =
        (uint8_t)FIELD_GET(VMX_AR_DPL, VMCS(cpu, GUEST_SS_ACCESS_RIGHTS));
}

static void save_segments(struct fake_x86 *cpu)
{
    uint64_t *field = cpu->vmx.vmcs->field;
    const uint8_t *state = (const uint8_t *)&cpu->state;

    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++) {
        struct vmcb_segment segment;

        memcpy(&segment, state + segments[i], sizeof(segment));
        field[VMCS_AT_GUEST_ES_SELECTOR + i] = segment.selector;
        field[VMCS_AT_GUEST_ES_ACCESS_RIGHTS + i] = rights_of(segment.attrib);
        field[VMCS_AT_GUEST_ES_LIMIT + i] = segment.limit;
        field[VMCS_AT_GUEST_ES_BASE + i] = segment.base;
    }
    VMCS(cpu, GUEST_GDTR_LIMIT) = cpu->state.gdtr.limit;
    VMCS(cpu, GUEST_IDTR_LIMIT) = cpu->state.idtr.limit;
}

uint64_t fake_vmx_efer(uint64_t efer, bool is_long)
{
    efer &= ~(X86_EFER_LMA | X86_EFER_LME);
    return is_long ? efer | X86_EFER_LMA | X86_EFER_LME : efer;
}

static void load_controlled(struct fake_x86 *cpu)
{
    struct vmcb_save *state = &cpu->state;

    state->efer = fake_vmx_efer(
        cpu->efer, vmx_entry_control(cpu, VMX_ENTRY_IA32E_MODE_GUEST));
    if (vmx_entry_control(cpu, VMX_ENTRY_LOAD_EFER))
        state->efer = VMCS(cpu, GUEST_IA32_EFER);
    state->g_pat = vmx_entry_control(cpu, VMX_ENTRY_LOAD_PAT)
                       ? VMCS(cpu, GUEST_IA32_PAT)
                       : cpu->pat;
    state->dbgctl = 0;
    state->dr7 = X86_DR7_RESET;
    if (vmx_entry_control(cpu, VMX_ENTRY_LOAD_DEBUG_CONTROLS)) {
        state->dbgctl = VMCS(cpu, GUEST_IA32_DEBUGCTL);
        state->dr7 = VMCS(cpu, GUEST_DR7);
    }
}

/* Shadow stacks are not modelled: their registers are there, and do nothing. */
static void load_cet(struct fake_x86 *cpu)
{
    cpu->state.s_cet = cpu->loaded.s_cet;
    cpu->state.ssp = cpu->loaded.ssp;
    cpu->state.isst_addr = cpu->loaded.isst_addr;
    if (!vmx_entry_control(cpu, VMX_ENTRY_LOAD_CET))
        return;
    cpu->state.s_cet = VMCS(cpu, GUEST_IA32_S_CET);
    cpu->state.ssp = VMCS(cpu, GUEST_SSP);
    cpu->state.isst_addr = VMCS(cpu, GUEST_IA32_SSP_TABLE_ADDRESS);
}

/* Whatever the controls, if the processor could load them. */
static void save_cet(struct fake_x86 *cpu)
{
    if ((cpu->profile->vmx->entry.allowed1 & VMX_ENTRY_LOAD_CET) == 0)
        return;
    VMCS(cpu, GUEST_IA32_S_CET) = cpu->state.s_cet;
    VMCS(cpu, GUEST_SSP) = cpu->state.ssp;
    VMCS(cpu, GUEST_IA32_SSP_TABLE_ADDRESS) = cpu->state.isst_addr;
}

static void load_host_cet(struct fake_x86 *cpu)
{
    bool loads = vmx_exit_control(cpu, VMX_EXIT_LOAD_CET);

    cpu->loaded.s_cet = loads ? VMCS(cpu, HOST_IA32_S_CET) : cpu->state.s_cet;
    cpu->loaded.ssp = loads ? VMCS(cpu, HOST_SSP) : cpu->state.ssp;
    cpu->loaded.isst_addr =
        loads ? VMCS(cpu, HOST_IA32_SSP_TABLE_ADDRESS) : cpu->state.isst_addr;
}

/* What VMX does not switch. */
static void load_unswitched(struct fake_x86 *cpu)
{
    cpu->state.rax = cpu->regs->gpr[X86_GPR_RAX];
    cpu->state.cr2 = cpu->cr2;
    cpu->state.dr6 = cpu->dr6;
    cpu->state.star = cpu->loaded.star;
    cpu->state.lstar = cpu->loaded.lstar;
    cpu->state.cstar = cpu->loaded.cstar;
    cpu->state.sfmask = cpu->loaded.sfmask;
    cpu->state.kernel_gs_base = cpu->loaded.kernel_gs_base;
}

static void save_unswitched(struct fake_x86 *cpu)
{
    cpu->regs->gpr[X86_GPR_RAX] = cpu->state.rax;
    cpu->cr2 = cpu->state.cr2;
    cpu->dr6 = cpu->state.dr6;
    cpu->loaded.star = cpu->state.star;
    cpu->loaded.lstar = cpu->state.lstar;
    cpu->loaded.cstar = cpu->state.cstar;
    cpu->loaded.sfmask = cpu->state.sfmask;
    cpu->loaded.kernel_gs_base = cpu->state.kernel_gs_base;
}

static void load_non_registers(struct fake_x86 *cpu)
{
    uint64_t blocking = VMCS(cpu, GUEST_INTERRUPTIBILITY_STATE);

    cpu->shadow = blocking & (VMX_BLOCKING_STI | VMX_BLOCKING_MOV_SS);
    cpu->nmi_blocked = (blocking & VMX_BLOCKING_NMI) != 0;
    cpu->vmx_guest.activity = (uint8_t)VMCS(cpu, GUEST_ACTIVITY_STATE);
    cpu->vmx_guest.pending_debug = VMCS(cpu, GUEST_PENDING_DEBUG_EXCEPTIONS);
    cpu->tsc_offset =
        vmx_cpu(cpu, VMX_CPU_TSC_OFFSETTING) ? VMCS(cpu, TSC_OFFSET) : 0;
    cpu->vmx_guest.timer_start = cpu_tsc();
    cpu->vmx_guest.mtf_pending = false;
    cpu->vmx_guest.pauses = 0;
}

void fake_vmx_load_guest(struct fake_x86 *cpu)
{
    uint8_t *state = (uint8_t *)&cpu->state;

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
        memcpy(state + registers[i].register_at,
               &cpu->vmx.vmcs->field[registers[i].field], sizeof(uint64_t));
    cpu->state.cr0 = (VMCS(cpu, GUEST_CR0) & ~CR0_KEPT) | X86_CR0_ET;
    load_segments(cpu);
    load_controlled(cpu);
    load_cet(cpu);
    load_unswitched(cpu);
    load_non_registers(cpu);
}

/* The preemption timer counts down as a bit of the TSC changes. */
static void save_timer(struct fake_x86 *cpu)
{
    uint64_t rate = FIELD_GET(VMX_MISC_TIMER_RATE, cpu->profile->vmx->misc);
    uint64_t gone = (cpu_tsc() >> rate) - (cpu->vmx_guest.timer_start >> rate);
    uint64_t *left = &VMCS(cpu, PREEMPTION_TIMER_VALUE);

    if (!vmx_exit_control(cpu, VMX_EXIT_SAVE_PREEMPTION_TIMER))
        return;
    *left = gone < *left ? *left - gone : 0;
}

static void save_controlled(struct fake_x86 *cpu)
{
    const struct vmcb_save *state = &cpu->state;
    uint64_t *entry = &VMCS(cpu, ENTRY_CONTROLS);

    if (vmx_exit_control(cpu, VMX_EXIT_SAVE_DEBUG_CONTROLS)) {
        VMCS(cpu, GUEST_IA32_DEBUGCTL) = state->dbgctl;
        VMCS(cpu, GUEST_DR7) = state->dr7;
    }
    if (vmx_exit_control(cpu, VMX_EXIT_SAVE_PAT))
        VMCS(cpu, GUEST_IA32_PAT) = state->g_pat;
    if (vmx_exit_control(cpu, VMX_EXIT_SAVE_EFER))
        VMCS(cpu, GUEST_IA32_EFER) = state->efer;
    if (vmx_pin(cpu, VMX_PIN_PREEMPTION_TIMER))
        save_timer(cpu);
    if ((cpu->profile->vmx->misc & VMX_MISC_STORE_LMA) == 0)
        return;
    *entry &= ~VMX_ENTRY_IA32E_MODE_GUEST;
    if ((state->efer & X86_EFER_LMA) != 0)
        *entry |= VMX_ENTRY_IA32E_MODE_GUEST;
}

/* Exits that leave debug exceptions pending, whether the guest could take them
 * or not. */
static bool keeps_pending(uint64_t reason)
{
    return reason == VMX_REASON_INIT || reason == VMX_REASON_OTHER_SMI ||
           reason == VMX_REASON_TPR_BELOW_THRESHOLD ||
           reason == VMX_REASON_VIRTUALIZED_EOI ||
           reason == VMX_REASON_APIC_WRITE ||
           reason == VMX_REASON_MONITOR_TRAP_FLAG;
}

/* What is still pending: section 30.3.4. A single step whose trap a shadow
 * holds back is saved as entries want it. */
static uint64_t pending_debug(const struct fake_x86 *cpu)
{
    uint64_t pending = cpu->vmx_guest.pending_debug;
    bool is_blocked = (cpu->shadow & VMX_BLOCKING_MOV_SS) != 0;

    if (!is_blocked && !keeps_pending(VMCS(cpu, EXIT_REASON)))
        pending = 0;
    if (cpu->shadow == 0)
        return pending;
    return (pending & ~VMX_PENDING_BS) |
           ((cpu->state.rflags & X86_RFLAGS_TF) != 0 ? VMX_PENDING_BS : 0);
}

void fake_vmx_save_guest(struct fake_x86 *cpu)
{
    const uint8_t *state = (const uint8_t *)&cpu->state;

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
        memcpy(&cpu->vmx.vmcs->field[registers[i].field],
               state + registers[i].register_at, sizeof(uint64_t));
    VMCS(cpu, GUEST_CR0) = cpu->state.cr0;
    save_segments(cpu);
    save_controlled(cpu);
    save_cet(cpu);
    save_unswitched(cpu);
    VMCS(cpu, GUEST_INTERRUPTIBILITY_STATE) =
        cpu->shadow | (cpu->nmi_blocked ? VMX_BLOCKING_NMI : 0);
    VMCS(cpu, GUEST_ACTIVITY_STATE) = cpu->vmx_guest.activity;
    VMCS(cpu, GUEST_PENDING_DEBUG_EXCEPTIONS) = pending_debug(cpu);
}

/* Each CPU of the host has its own, as interrupts and faults need it. */
static uint64_t host_tss(unsigned cpu)
{
    return HOST_TSS + (uint64_t)cpu * PAGE_SIZE;
}

/* Host-state areas that somebody else has filled in name none of them. */
static void check_host(const struct fake_x86 *cpu)
{
    uint64_t tss = VMCS(cpu, HOST_TR_BASE);

    if (tss >= host_tss(0) && tss < host_tss(MAX_CPU_NUM) &&
        tss != host_tss(cpu->index))
        violation(RULE_VMX_OTHER_HOST, "CPU %u has the TSS of CPU %u",
                  cpu->index, (unsigned)((tss - HOST_TSS) / PAGE_SIZE));
}

void fake_vmx_load_host(struct fake_x86 *cpu)
{
    struct vmcb_save *loaded = &cpu->loaded;

    check_host(cpu);
    cpu->efer =
        fake_vmx_efer(cpu->state.efer, vmx_exit_control(cpu, VMX_EXIT_HOST_64));
    if (vmx_exit_control(cpu, VMX_EXIT_LOAD_EFER))
        cpu->efer = VMCS(cpu, HOST_IA32_EFER);
    cpu->pat = vmx_exit_control(cpu, VMX_EXIT_LOAD_PAT)
                   ? VMCS(cpu, HOST_IA32_PAT)
                   : cpu->state.g_pat;
    load_host_cet(cpu);
    loaded->fs.base = VMCS(cpu, HOST_FS_BASE);
    loaded->gs.base = VMCS(cpu, HOST_GS_BASE);
    loaded->sysenter_cs = VMCS(cpu, HOST_IA32_SYSENTER_CS);
    loaded->sysenter_esp = VMCS(cpu, HOST_IA32_SYSENTER_ESP);
    loaded->sysenter_eip = VMCS(cpu, HOST_IA32_SYSENTER_EIP);
}

void fake_vmx_set_host_state(struct fake_x86 *cpu)
{
    const struct vmx_profile *profile = cpu->profile->vmx;

    VMCS(cpu, HOST_CR0) = profile->cr0_fixed0 | X86_CR0_ET | X86_CR0_WP;
    VMCS(cpu, HOST_CR3) = 0;
    VMCS(cpu, HOST_CR4) = profile->cr4_fixed0 | X86_CR4_PAE;
    VMCS(cpu, HOST_CS_SELECTOR) = 0x08;
    VMCS(cpu, HOST_SS_SELECTOR) = VMCS(cpu, HOST_DS_SELECTOR) =
        VMCS(cpu, HOST_ES_SELECTOR) = 0x10;
    VMCS(cpu, HOST_TR_SELECTOR) = 0x20;
    VMCS(cpu, HOST_TR_BASE) = host_tss(cpu->index);
    VMCS(cpu, HOST_FS_BASE) = cpu->loaded.fs.base;
    VMCS(cpu, HOST_GS_BASE) = cpu->loaded.gs.base;
    VMCS(cpu, HOST_IA32_EFER) = cpu->efer;
    VMCS(cpu, HOST_IA32_PAT) = cpu->pat;
}

/*
 * A guest may bring itself into any state that VM entries accept, by whatever
 * instructions, but for what the hypervisor keeps: EFER, and bits of CR0 and
 * CR4 that are in a mask.
 */
void fake_vmx_set_state(struct fake_x86 *cpu)
{
    const struct guest_op *op = cpu_op(cpu);
    enum vmcs_at at = vmcs_find(cpu->profile->vmx, op->number);
    struct vmx_check check;

    if (at != VMCS_FIELD_COUNT && vmcs_type(op->number) == VMCS_TYPE_GUEST &&
        at != VMCS_AT_GUEST_IA32_EFER && at != VMCS_AT_LINK_POINTER) {
        fake_vmx_save_guest(cpu);
        vmcs_write(cpu->vmx.vmcs, at, op->number, op->value);
        VMCS(cpu, GUEST_CR0) = fake_vmx_merge_cr(cpu, 0, VMCS(cpu, GUEST_CR0));
        VMCS(cpu, GUEST_CR4) = fake_vmx_merge_cr(cpu, 4, VMCS(cpu, GUEST_CR4));
        check = vmx_check_of(&cpu->vmx);
        vmx_repair(&check);
        fake_vmx_load_guest(cpu);
        cpu_tlb_flush_guest(cpu, true);
    }
    cpu_op_finish(cpu, OUTCOME_RETIRED);
}
