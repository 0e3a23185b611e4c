/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtualization of the local APIC: SDM volume 3C, chapter "APIC Virtualization
 * and Virtual Interrupts": which accesses go to the virtual-APIC page, what
 * follows from a write there, and virtual-interrupt delivery. Accesses to the
 * APIC-access page by others than plain loads and stores exit, as processors
 * may have it of most of them.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"
#include "sim/ram.h"

/* Registers, by their offset in the page. */
#define VTPR   0x080
#define VPPR   0x0a0
#define VEOI   0x0b0
#define VISR   0x100
#define VIRR   0x200
#define VICR   0x300
#define VICR2  0x310
#define VSELF  0x3f0
#define STRIDE 0x10

#define PRIORITY 0xf0u /* of a vector, or a task */

/* Sets of registers, by offset / STRIDE. */
#define ONE(number)    BIT(number)
#define UPTO(from, to) BIT_MASK(to, from)

#define WRITES_BASIC    ONE(0x08)
#define WRITES_DELIVERY (WRITES_BASIC | ONE(0x0b) | ONE(0x30))
#define WRITES_REGISTERS                                                      \
    (WRITES_DELIVERY | ONE(0x02) | UPTO(0x0d, 0x0f) | ONE(0x28) | ONE(0x31) | \
     UPTO(0x32, 0x37) | ONE(0x38) | ONE(0x3e))
#define READS_BASIC     ONE(0x08)
#define READS_REGISTERS (WRITES_REGISTERS | ONE(0x03) | UPTO(0x10, 0x27))

#define X2APIC_FIRST 0x800u
#define X2APIC_COUNT 0x100u
#define X2APIC_TPR   0x808u
#define X2APIC_EOI   0x80bu
#define X2APIC_SELF  0x83fu

static bool delivers(const struct fake_x86 *cpu)
{
    return vmx_cpu2(cpu, VMX_CPU2_VIRTUAL_INTERRUPTS);
}

/* Bytes of the virtual-APIC page, which is there: entries check it. */
static void *find(const struct fake_x86 *cpu, uint32_t offset, unsigned size)
{
    static uint64_t nothing;
    uint64_t at = VMCS(cpu, VIRTUAL_APIC_ADDRESS) + offset;
    void *host = cpu_host_memory(cpu, at, size);

    if (host == NULL)
        return &nothing;
    ram_note_write(hpa(at), size);
    return host;
}

static uint32_t *find_register(const struct fake_x86 *cpu, uint32_t offset)
{
    return find(cpu, offset, sizeof(uint32_t));
}

/* Interrupts -------------------------------------------------------------- */

static unsigned requested(const struct fake_x86 *cpu)
{
    return (unsigned)FIELD_GET(VMX_STATUS_RVI,
                               VMCS(cpu, GUEST_INTERRUPT_STATUS));
}

static unsigned served(const struct fake_x86 *cpu)
{
    return (unsigned)FIELD_GET(VMX_STATUS_SVI,
                               VMCS(cpu, GUEST_INTERRUPT_STATUS));
}

static void set_status(struct fake_x86 *cpu, unsigned rvi, unsigned svi)
{
    VMCS(cpu, GUEST_INTERRUPT_STATUS) =
        FIELD_PUT(VMX_STATUS_RVI, rvi) | FIELD_PUT(VMX_STATUS_SVI, svi);
}

static void put_vector(const struct fake_x86 *cpu, uint32_t set,
                       unsigned vector, bool member)
{
    uint32_t *word = find_register(cpu, set + vector / 32 * STRIDE);
    uint32_t bit = 1u << vector % 32;

    *word = member ? *word | bit : *word & ~bit;
}

/* The highest of a set; 0: it is empty. */
static unsigned highest(const struct fake_x86 *cpu, uint32_t set)
{
    for (unsigned i = 8; i-- > 0;) {
        uint32_t word = *find_register(cpu, set + i * STRIDE);

        if (word != 0)
            return i * 32 + bit_highest(word);
    }
    return 0;
}

static void virtualize_ppr(const struct fake_x86 *cpu)
{
    uint32_t tpr = *find_register(cpu, VTPR) & 0xff;
    uint32_t in_service = served(cpu) & PRIORITY;

    *find_register(cpu, VPPR) =
        (tpr & PRIORITY) >= in_service ? tpr : in_service;
}

static void evaluate(struct fake_x86 *cpu)
{
    cpu->vmx_guest.virtual_interrupt =
        (requested(cpu) & PRIORITY) > (*find_register(cpu, VPPR) & PRIORITY);
}

static void virtualize_tpr(struct fake_x86 *cpu)
{
    if (!delivers(cpu)) {
        (void)fake_vmx_check_tpr(cpu);
        return;
    }
    virtualize_ppr(cpu);
    evaluate(cpu);
}

static bool reports_eoi(const struct fake_x86 *cpu, unsigned vector)
{
    return (cpu->vmx.vmcs->field[VMCS_AT_EOI_EXIT0 + vector / 64] >>
                vector % 64 &
            1) != 0;
}

static void virtualize_eoi(struct fake_x86 *cpu)
{
    unsigned vector = served(cpu);

    put_vector(cpu, VISR, vector, false);
    set_status(cpu, requested(cpu), highest(cpu, VISR));
    virtualize_ppr(cpu);
    if (reports_eoi(cpu, vector))
        fake_vmx_exit(
            cpu, &(struct fake_vmx_exit){.reason = VMX_REASON_VIRTUALIZED_EOI,
                                         .qualification = vector});
    else
        evaluate(cpu);
}

static void virtualize_self_ipi(struct fake_x86 *cpu, unsigned vector)
{
    put_vector(cpu, VIRR, vector, true);
    set_status(cpu, vector > requested(cpu) ? vector : requested(cpu),
               served(cpu));
    evaluate(cpu);
}

void fake_vmx_enter_apic(struct fake_x86 *cpu)
{
    cpu->vmx_guest.apic_written = 0;
    cpu->vmx_guest.virtual_interrupt = false;
    if (!delivers(cpu))
        return;
    virtualize_ppr(cpu);
    evaluate(cpu);
}

void fake_vmx_deliver_virtual(struct fake_x86 *cpu)
{
    unsigned vector = requested(cpu);

    put_vector(cpu, VISR, vector, true);
    put_vector(cpu, VIRR, vector, false);
    set_status(cpu, highest(cpu, VIRR), vector);
    *find_register(cpu, VPPR) = vector & PRIORITY;
    cpu->vmx_guest.virtual_interrupt = false;
    cpu->vmx_guest.activity = VMX_ACTIVITY_ACTIVE;
    cpu_deliver(cpu, EVENT_V | FIELD_PUT(EVENT_TYPE, EVENT_TYPE_INTR) | vector);
}

/* The task's priority ----------------------------------------------------- */

uint64_t fake_vmx_read_tpr(const struct fake_x86 *cpu)
{
    return vmx_cpu(cpu, VMX_CPU_TPR_SHADOW)
               ? *find_register(cpu, VTPR) >> 4 & 0xf
               : 0;
}

void fake_vmx_write_tpr(struct fake_x86 *cpu, uint64_t value)
{
    if (vmx_cpu(cpu, VMX_CPU_TPR_SHADOW))
        *find_register(cpu, VTPR) = (uint32_t)value << 4;
    else
        violation(RULE_REACHES_HOST, "a guest has written CR8 of CPU %u",
                  cpu->index);
}

void fake_vmx_wrote_cr(struct fake_x86 *cpu, unsigned number, uint64_t value)
{
    if (number == 8 && vmx_cpu(cpu, VMX_CPU_TPR_SHADOW))
        virtualize_tpr(cpu);
}

bool fake_vmx_check_tpr(struct fake_x86 *cpu)
{
    if (!vmx_cpu(cpu, VMX_CPU_TPR_SHADOW) || delivers(cpu) ||
        fake_vmx_read_tpr(cpu) >= (VMCS(cpu, TPR_THRESHOLD) & 0xf))
        return false;
    fake_vmx_exit(
        cpu, &(struct fake_vmx_exit){.reason = VMX_REASON_TPR_BELOW_THRESHOLD});
    return true;
}

/* The APIC-access page ---------------------------------------------------- */

static uint64_t virtualized(const struct fake_x86 *cpu, bool write)
{
    if (vmx_cpu2(cpu, VMX_CPU2_APIC_REGISTERS))
        return write ? WRITES_REGISTERS : READS_REGISTERS;
    if (!write)
        return READS_BASIC;
    return delivers(cpu) ? WRITES_DELIVERY : WRITES_BASIC;
}

bool fake_vmx_virtualizes(const struct fake_x86 *cpu, uint32_t offset,
                          enum cpu_access access)
{
    unsigned kind = access == CPU_WRITE ? OP_STORE : OP_LOAD;

    if (!vmx_cpu(cpu, VMX_CPU_TPR_SHADOW) || access == CPU_FETCH ||
        !cpu_in_op(cpu) || cpu_op(cpu)->kind != kind ||
        offset % STRIDE + cpu_op(cpu)->width > sizeof(uint32_t))
        return false;
    return offset / STRIDE < 64 &&
           (virtualized(cpu, access == CPU_WRITE) >> offset / STRIDE & 1) != 0;
}

/* Of an interrupt command, what may be set in one that is a self-IPI. */
#define ICR_VECTOR 0xffu
#define ICR_SELF   0x40000u
#define ICR_ANY    0x4800u /* destination mode, level */

static bool is_self_ipi(uint32_t icr)
{
    return (icr & ~(ICR_VECTOR | ICR_ANY)) == ICR_SELF && (icr & PRIORITY) != 0;
}

static void exit_by_write(struct fake_x86 *cpu, uint32_t offset)
{
    fake_vmx_exit(cpu, &(struct fake_vmx_exit){.reason = VMX_REASON_APIC_WRITE,
                                               .qualification = offset});
}

static void finish_icr(struct fake_x86 *cpu)
{
    uint32_t icr = *find_register(cpu, VICR);

    if (delivers(cpu) && is_self_ipi(icr))
        virtualize_self_ipi(cpu, icr & ICR_VECTOR);
    else
        exit_by_write(cpu, VICR);
}

static void finish_eoi(struct fake_x86 *cpu)
{
    if (!delivers(cpu)) {
        exit_by_write(cpu, VEOI);
        return;
    }
    *find_register(cpu, VEOI) = 0;
    virtualize_eoi(cpu);
}

void fake_vmx_finish_write(struct fake_x86 *cpu)
{
    uint32_t offset = cpu->vmx_guest.apic_written;

    cpu->vmx_guest.apic_written = 0;
    switch (offset & ~(STRIDE - 1u)) {
    case 0: break;
    case VTPR:
        *find_register(cpu, VTPR) &= 0xff;
        virtualize_tpr(cpu);
        break;
    case VEOI: finish_eoi(cpu); break;
    case VICR: finish_icr(cpu); break;
    case VICR2: *find_register(cpu, VICR2) &= 0xff000000; break;
    default: exit_by_write(cpu, offset); break;
    }
}

/* MSRs of x2APIC mode ------------------------------------------------------ */

static void protection_fault(struct fake_x86 *cpu)
{
    cpu_exception(cpu, X86_VECTOR_GP, 0, 0);
}

/* A value of more than a byte has reserved bits; that of EOI is 0. */
static void write_x2apic(struct fake_x86 *cpu, uint32_t msr, uint64_t value)
{
    if (value > (msr == X2APIC_EOI ? 0u : UINT8_MAX)) {
        protection_fault(cpu);
        return;
    }
    *find_register(cpu, (msr - X2APIC_FIRST) * STRIDE) = (uint32_t)value;
    cpu_retire(cpu);
    if (msr == X2APIC_TPR)
        virtualize_tpr(cpu);
    else if (msr == X2APIC_EOI)
        virtualize_eoi(cpu);
    else if ((value & PRIORITY) != 0)
        virtualize_self_ipi(cpu, (unsigned)value);
    else
        exit_by_write(cpu, VSELF);
}

static void read_x2apic(struct fake_x86 *cpu, uint32_t msr)
{
    cpu_set_pair(
        cpu, *(const uint64_t *)find(cpu, (msr - X2APIC_FIRST) * STRIDE, 8));
    cpu_retire(cpu);
}

static bool has_msr(const struct fake_x86 *cpu, uint32_t msr, bool write)
{
    if (!vmx_cpu2(cpu, VMX_CPU2_X2APIC_MODE))
        return false;
    if (msr == X2APIC_TPR)
        return true;
    return write ? delivers(cpu) && (msr == X2APIC_EOI || msr == X2APIC_SELF)
                 : vmx_cpu2(cpu, VMX_CPU2_APIC_REGISTERS);
}

bool fake_vmx_msr_answers(struct fake_x86 *cpu, uint32_t msr, bool write)
{
    if (msr - X2APIC_FIRST >= X2APIC_COUNT)
        return false;
    if (!has_msr(cpu, msr, write)) {
        violation(RULE_REACHES_HOST, "a guest accesses MSR 0x%x of CPU %u", msr,
                  cpu->index);
        return false;
    }
    if (write)
        write_x2apic(cpu, msr, cpu_op(cpu)->value);
    else
        read_x2apic(cpu, msr);
    return true;
}
