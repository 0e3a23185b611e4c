/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions and interrupts: whether they are exits or the guest's, and which
 * of several comes first. SDM volume 3: the section on other causes of VM exits
 * of the chapter on VMX non-root operation; event injection, and pending debug
 * exceptions, of the chapter on VM entries; vectored events of the chapter on
 * VM exits.
 */
#include "sim/clock.h"
#include "sim/fake_hw/x86_64/vmx/guest.h"

/* Debug exceptions that the guest is to take, rather than know of. */
#define PENDING_DELIVERED (VMX_PENDING_ENABLED | VMX_PENDING_BS)

static bool in_op(const struct fake_x86 *cpu)
{
    return cpu_in_op(cpu);
}

static void take_exit(struct fake_x86 *cpu, const struct fake_vmx_exit *exit)
{
    if (in_op(cpu))
        fake_vmx_op_exit(cpu, exit);
    else
        fake_vmx_exit(cpu, exit);
}

/* The bit of the exception bitmap, which page faults may turn round. */
static bool is_in_bitmap(const struct fake_x86 *cpu, unsigned vector,
                         uint64_t error)
{
    bool is_set = (VMCS(cpu, EXCEPTION_BITMAP) >> vector & 1) != 0;
    bool matches = (error & VMCS(cpu, PAGE_FAULT_ERROR_CODE_MASK)) ==
                   VMCS(cpu, PAGE_FAULT_ERROR_CODE_MATCH);

    return vector == X86_VECTOR_PF && !matches ? !is_set : is_set;
}

/* INT3 and INT1 raise theirs in ways of their own. */
static enum vmx_event_type type_of(const struct fake_x86 *cpu, unsigned vector)
{
    unsigned kind = in_op(cpu) ? cpu_op(cpu)->kind : OP_RAW_EXIT;

    if (vector == X86_VECTOR_BP && (kind == OP_X86_INT3 || kind == OP_EBREAK))
        return VMX_EVENT_SOFTWARE_EXCEPTION;
    if (vector == X86_VECTOR_DB && kind == OP_X86_ICEBP)
        return VMX_EVENT_PRIVILEGED_EXCEPTION;
    return VMX_EVENT_EXCEPTION;
}

bool fake_vmx_exception_exits(struct fake_x86 *cpu, unsigned vector,
                              uint64_t error, uint64_t cr2)
{
    enum vmx_event_type type = type_of(cpu, vector);
    bool is_trap = vector == X86_VECTOR_DB || type != VMX_EVENT_EXCEPTION;
    struct fake_vmx_exit exit = {
        .reason = VMX_REASON_EXCEPTION_NMI,
        .rf = is_trap ? VMX_RF_KEPT : VMX_RF_SET,
        .interruption = (uint32_t)(VMX_EVENT_VALID | vector |
                                   FIELD_PUT(VMX_EVENT_TYPE, type)),
        .has_length = type != VMX_EVENT_EXCEPTION,
    };

    if (!is_in_bitmap(cpu, vector, error))
        return false;
    /* A trap behind an IRET is no fault of the IRET. */
    if (vector == X86_VECTOR_DB)
        cpu->vmx_guest.nmi_unblocked = false;
    if ((X86_ERROR_CODE_VECTORS & BIT(vector)) != 0 && !cpu_real_mode(cpu)) {
        exit.interruption |= (uint32_t)VMX_EVENT_ERROR_CODE;
        exit.error = (uint32_t)error;
    }
    if (vector == X86_VECTOR_PF)
        exit.qualification = cr2;
    if (vector == X86_VECTOR_DB)
        exit.qualification = cpu->debug_cause;
    /* What two exceptions have become is no exit on the way of the first. */
    if (vector == X86_VECTOR_DF && cpu->delivering != 0) {
        cpu->delivering = 0;
        fake_vmx_exit(cpu, &exit);
    } else {
        take_exit(cpu, &exit);
    }
    return true;
}

void fake_vmx_shutdown(struct fake_x86 *cpu)
{
    take_exit(cpu, &(struct fake_vmx_exit){.reason = VMX_REASON_TRIPLE_FAULT});
}

/* --- Entries --- */

static void take_debug(struct fake_x86 *cpu)
{
    uint64_t pending = cpu->vmx_guest.pending_debug;

    cpu->vmx_guest.pending_debug = 0;
    cpu->debug_cause = pending & (VMX_PENDING_B | VMX_PENDING_BS);
    cpu_exception(cpu, X86_VECTOR_DB, 0, 0);
}

static bool debug_is_due(const struct fake_x86 *cpu)
{
    return (cpu->vmx_guest.pending_debug & PENDING_DELIVERED) != 0 &&
           (cpu->shadow & VMX_BLOCKING_MOV_SS) == 0;
}

uint64_t fake_vmx_event(const struct fake_x86 *cpu)
{
    uint64_t info = VMCS(cpu, ENTRY_INTERRUPTION_INFO);

    if ((info & VMX_EVENT_VALID) == 0 ||
        FIELD_GET(VMX_EVENT_TYPE, info) == VMX_EVENT_OTHER)
        return 0;
    if ((info & VMX_EVENT_ERROR_CODE) == 0)
        return info;
    return info |
           FIELD_PUT(EVENT_ERRORCODE, VMCS(cpu, ENTRY_EXCEPTION_ERROR_CODE));
}

/* Whether the guest forgets debug exceptions that were pending: section
 * 29.7.3. */
static bool forgets_debug(const struct fake_x86 *cpu, bool vectors,
                          unsigned type)
{
    if (!vectors)
        return cpu->vmx_guest.activity == VMX_ACTIVITY_SHUTDOWN ||
               cpu->vmx_guest.activity == VMX_ACTIVITY_WAIT_FOR_SIPI;
    return (type != VMX_EVENT_SOFTWARE_INTERRUPT &&
            type != VMX_EVENT_SOFTWARE_EXCEPTION) ||
           (cpu->shadow & VMX_BLOCKING_MOV_SS) == 0;
}

/* Events of software return behind their instruction, whose length the entry
 * says. */
void fake_vmx_inject(struct fake_x86 *cpu)
{
    uint64_t info = VMCS(cpu, ENTRY_INTERRUPTION_INFO);
    unsigned type = (unsigned)FIELD_GET(VMX_EVENT_TYPE, info);
    bool is_valid = (info & VMX_EVENT_VALID) != 0;
    bool vectors = is_valid && type != VMX_EVENT_OTHER;

    if (forgets_debug(cpu, vectors, type))
        cpu->vmx_guest.pending_debug = 0;
    if (is_valid && !vectors)
        cpu->vmx_guest.mtf_pending = true;
    if (!vectors)
        return;
    cpu->vmx_guest.activity = VMX_ACTIVITY_ACTIVE;
    cpu->shadow = 0;
    /* Blocked even if it cannot be delivered. */
    if (type == VMX_EVENT_NMI)
        cpu->nmi_blocked = true;
    cpu_deliver_by(cpu, fake_vmx_event(cpu),
                   type >= VMX_EVENT_SOFTWARE_INTERRUPT
                       ? (uint8_t)VMCS(cpu, ENTRY_INSTRUCTION_LENGTH)
                       : 0);
    cpu->vmx_guest.mtf_pending = vmx_cpu(cpu, VMX_CPU_MONITOR_TRAP_FLAG);
}

/* --- Instruction boundaries --- */

static void exit_by(struct fake_x86 *cpu, enum vmx_reason reason)
{
    fake_vmx_exit(cpu, &(struct fake_vmx_exit){.reason = reason});
}

/* With "virtual NMIs" the guest's blocking is its own; with NMI exiting alone
 * nothing of the guest's changes by IRET. */
void fake_vmx_unblock_nmi(struct fake_x86 *cpu)
{
    bool keeps = vmx_pin(cpu, VMX_PIN_NMI_EXITING) &&
                 !vmx_pin(cpu, VMX_PIN_VIRTUAL_NMIS);

    cpu->vmx_guest.nmi_unblocked = cpu->nmi_blocked && !keeps;
    if (!keeps)
        cpu->nmi_blocked = false;
}

static bool timer_is_due(const struct fake_x86 *cpu)
{
    uint64_t rate = FIELD_GET(VMX_MISC_TIMER_RATE, cpu->profile->vmx->misc);

    return vmx_pin(cpu, VMX_PIN_PREEMPTION_TIMER) &&
           (cpu_tsc() >> rate) - (cpu->vmx_guest.timer_start >> rate) >=
               VMCS(cpu, PREEMPTION_TIMER_VALUE);
}

/* STI and MOV SS block NMIs too: the manual lets processors do so. */
static bool nmi_window_is_open(const struct fake_x86 *cpu)
{
    return !cpu->nmi_blocked && cpu->shadow == 0;
}

static bool interrupt_window_is_open(const struct fake_x86 *cpu)
{
    return (cpu->state.rflags & X86_RFLAGS_IF) != 0 && cpu->shadow == 0;
}

/* An NMI that exits is blocked by what blocks the host's, or the guest's if
 * that is all there is. */
static bool take_nmi(struct fake_x86 *cpu)
{
    bool exits = vmx_pin(cpu, VMX_PIN_NMI_EXITING);
    bool blocked = vmx_pin(cpu, VMX_PIN_VIRTUAL_NMIS)
                       ? (cpu->shadow & VMX_BLOCKING_MOV_SS) != 0
                       : !nmi_window_is_open(cpu);

    if (!cpu->nmi_pending || blocked)
        return false;
    cpu->nmi_pending = false;
    cpu->vmx_guest.activity =
        exits ? cpu->vmx_guest.activity : VMX_ACTIVITY_ACTIVE;
    if (exits)
        fake_vmx_exit(
            cpu, &(struct fake_vmx_exit){
                     .reason = VMX_REASON_EXCEPTION_NMI,
                     .interruption =
                         (uint32_t)(VMX_EVENT_VALID | X86_VECTOR_NMI |
                                    FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_NMI))});
    else
        cpu_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_NMI) |
                             X86_VECTOR_NMI);
    return true;
}

/* What "acknowledge interrupt on exit" tells. */
static void exit_by_interrupt(struct fake_x86 *cpu)
{
    struct fake_vmx_exit exit = {.reason = VMX_REASON_EXTERNAL_INTERRUPT};

    if (vmx_exit_control(cpu, VMX_EXIT_ACKNOWLEDGE_INTERRUPT))
        exit.interruption =
            (uint32_t)(VMX_EVENT_VALID | FAKE_VMX_HOST_VECTOR |
                       FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_INTERRUPT));
    fake_vmx_exit(cpu, &exit);
}

/* Without external-interrupt exiting the guest would have to take it. */
static bool take_host_interrupt(struct fake_x86 *cpu)
{
    if (!vmx_pin(cpu, VMX_PIN_EXTERNAL_INTERRUPT_EXITING) ||
        !cpu_host_interrupt(cpu))
        return false;
    exit_by_interrupt(cpu);
    return true;
}

/* The guest's, one of them, in the order in which they come. */
static void take_one(struct fake_x86 *cpu)
{
    struct vmx_guest *vmx = &cpu->vmx_guest;

    if (vmx->activity == VMX_ACTIVITY_WAIT_FOR_SIPI)
        return;
    if (cpu->init_pending) {
        cpu->init_pending = false;
        exit_by(cpu, VMX_REASON_INIT);
    } else if (vmx->mtf_pending) {
        vmx->mtf_pending = false;
        exit_by(cpu, VMX_REASON_MONITOR_TRAP_FLAG);
    } else if (debug_is_due(cpu)) {
        take_debug(cpu);
    } else if (timer_is_due(cpu)) {
        exit_by(cpu, VMX_REASON_PREEMPTION_TIMER);
    } else if (vmx_cpu(cpu, VMX_CPU_NMI_WINDOW_EXITING) &&
               nmi_window_is_open(cpu)) {
        exit_by(cpu, VMX_REASON_NMI_WINDOW);
    } else if (take_nmi(cpu)) {
        return;
    } else if (vmx_cpu(cpu, VMX_CPU_INTERRUPT_WINDOW_EXITING) &&
               vmx->activity != VMX_ACTIVITY_SHUTDOWN &&
               interrupt_window_is_open(cpu)) {
        exit_by(cpu, VMX_REASON_INTERRUPT_WINDOW);
    } else if (vmx->virtual_interrupt &&
               vmx->activity != VMX_ACTIVITY_SHUTDOWN &&
               interrupt_window_is_open(cpu)) {
        fake_vmx_deliver_virtual(cpu);
    } else {
        (void)take_host_interrupt(cpu);
    }
}

/* A guest that is not active waits: time goes on to what is next, if the CPU
 * knows of something. */
static void pass_time(struct fake_x86 *cpu)
{
    uint64_t until = clock_next_deadline(cpu->index);

    if (until == UINT64_MAX) {
        if (cpu->source != NULL)
            cpu->source->starved = true;
        fake_vmx_starve(cpu);
        return;
    }
    clock_set_nanos(until);
}

void fake_vmx_interrupt(struct fake_x86 *cpu)
{
    cpu->smi_pending = false;
    cpu->vmx_guest.nmi_unblocked = false;
    if (cpu->vmx_guest.apic_written != 0)
        fake_vmx_finish_write(cpu);
    do {
        if (!cpu->exited)
            take_one(cpu);
        if (cpu->exited || cpu->vmx_guest.activity == VMX_ACTIVITY_ACTIVE)
            break;
        pass_time(cpu);
    } while (!cpu->exited);
    if (vmx_cpu(cpu, VMX_CPU_MONITOR_TRAP_FLAG))
        cpu->vmx_guest.mtf_pending = !cpu->exited;
}

void fake_vmx_starve(struct fake_x86 *cpu)
{
    exit_by_interrupt(cpu);
}
