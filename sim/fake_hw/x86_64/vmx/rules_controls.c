/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the VMX controls (section 29.2.1); see rules.h. */
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

#define PAGE_OFFSET BIT_MASK(11, 0)

#define HLATP_RESERVED_BITS (BIT_MASK(11, 5) | BIT_MASK(2, 0))

#define VTPR_AT 0x80 /* in the virtual-APIC page */

static void clear(uint64_t *controls, uint64_t control)
{
    *controls &= ~control;
}

static uint64_t cr3_targets(const struct vmx_check *c)
{
    return FIELD_GET(VMX_MISC_CR3_TARGETS, c->profile->misc);
}

/* Of the virtual-APIC page, as TPR thresholds have it. */
uint64_t vmx_vtpr(const struct vmx_check *c)
{
    return vmx_memory(F(VIRTUAL_APIC_ADDRESS) + VTPR_AT, 1) >> 4 & 0xf;
}

static bool ept_memory_type_exists(const struct vmx_profile *profile,
                                   uint64_t eptp)
{
    uint64_t type = eptp & VMX_EPTP_MEMORY_TYPE;

    return (type == VMX_MEMORY_UC &&
            has_all(profile->ept_vpid, VMX_EPT_CAP_UC)) ||
           (type == VMX_MEMORY_WB &&
            has_all(profile->ept_vpid, VMX_EPT_CAP_WB));
}

static bool ept_walk_exists(const struct vmx_profile *profile, uint64_t eptp)
{
    uint64_t walk = FIELD_GET(VMX_EPTP_WALK, eptp);

    return (walk == 3 && has_all(profile->ept_vpid, VMX_EPT_CAP_WALK_4)) ||
           (walk == 4 && has_all(profile->ept_vpid, VMX_EPT_CAP_WALK_5));
}

static bool ept_ad_exists(const struct vmx_profile *profile, uint64_t eptp)
{
    return !has_all(eptp, VMX_EPTP_AD) ||
           has_all(profile->ept_vpid, VMX_EPT_CAP_AD);
}

static uint64_t eptp_reserved(const struct vmx_profile *profile)
{
    bool has = has_all(profile->ept_vpid, VMX_EPT_CAP_SHADOW_STACK);

    return VMX_EPTP_RESERVED | (has ? 0 : VMX_EPTP_SHADOW_STACK);
}

bool vmx_eptp_is_legal(const struct vmx_profile *profile, uint64_t eptp)
{
    return ept_memory_type_exists(profile, eptp) &&
           ept_walk_exists(profile, eptp) && ept_ad_exists(profile, eptp) &&
           !has_any(eptp, eptp_reserved(profile)) &&
           eptp >> profile->phys_bits == 0;
}

/* Whether an area of so many entries ends below the highest address. */
static bool area_fits(const struct vmx_check *c, uint64_t address,
                      uint64_t count)
{
    return count == 0 || has_any(address, above(c)) ||
           !has_any(address + count * sizeof(struct vmx_msr_entry) - 1,
                    above(c));
}

RULE(PIN_FIXED1, has_all(F(PIN_CONTROLS), c->profile->pin.fixed1),
     F(PIN_CONTROLS) |= c->profile->pin.fixed1)
RULE(PIN_ALLOWED1,
     !has_any(F(PIN_CONTROLS), ~(uint64_t)c->profile->pin.allowed1),
     F(PIN_CONTROLS) &= c->profile->pin.allowed1)
RULE(PRIMARY_FIXED1, has_all(F(PRIMARY_CONTROLS), c->profile->cpu.fixed1),
     F(PRIMARY_CONTROLS) |= c->profile->cpu.fixed1)
RULE(PRIMARY_ALLOWED1,
     !has_any(F(PRIMARY_CONTROLS), ~(uint64_t)c->profile->cpu.allowed1),
     F(PRIMARY_CONTROLS) &= c->profile->cpu.allowed1)
RULE(SECONDARY_ALLOWED1, !has_any(cpu2(c), ~(uint64_t)c->profile->cpu2),
     F(SECONDARY_CONTROLS) &= c->profile->cpu2)
RULE(TERTIARY_ALLOWED1, !has_any(cpu3(c), ~c->profile->cpu3),
     F(TERTIARY_CONTROLS) &= c->profile->cpu3)
RULE(CR3_TARGETS, F(CR3_TARGET_COUNT) <= cr3_targets(c),
     F(CR3_TARGET_COUNT) = cr3_targets(c))

/* An address of a page that a control makes use of. */
#define PAGE_RULES(id, used, name)                                  \
    RULE(id##_ALIGN, implies(used, !has_any(F(name), PAGE_OFFSET)), \
         clear(&F(name), PAGE_OFFSET))                              \
    RULE(id##_WIDTH, implies(used, !has_any(F(name), above(c))),    \
         clear(&F(name), above(c)))

PAGE_RULES(IO_BITMAP_A, cpu_has(c, VMX_CPU_IO_BITMAPS), IO_BITMAP_A)
PAGE_RULES(IO_BITMAP_B, cpu_has(c, VMX_CPU_IO_BITMAPS), IO_BITMAP_B)
PAGE_RULES(MSR_BITMAPS, cpu_has(c, VMX_CPU_MSR_BITMAPS), MSR_BITMAPS)
PAGE_RULES(VIRTUAL_APIC, cpu_has(c, VMX_CPU_TPR_SHADOW), VIRTUAL_APIC_ADDRESS)
PAGE_RULES(APIC_ACCESS, cpu2_has(c, VMX_CPU2_APIC_ACCESSES),
           APIC_ACCESS_ADDRESS)
PAGE_RULES(PML, cpu2_has(c, VMX_CPU2_PML), PML_ADDRESS)
PAGE_RULES(SPP_TABLE, cpu2_has(c, VMX_CPU2_SUB_PAGE_WRITE_PERMISSIONS),
           SPP_TABLE_POINTER)
PAGE_RULES(EPTP_LIST,
           cpu2_has(c, VMX_CPU2_VM_FUNCTIONS) &&
               has_all(F(VM_FUNCTION_CONTROLS), VMX_FUNCTION_EPTP_SWITCHING),
           EPTP_LIST_ADDRESS)
PAGE_RULES(VMREAD_BITMAP, cpu2_has(c, VMX_CPU2_VMCS_SHADOWING), VMREAD_BITMAP)
PAGE_RULES(VMWRITE_BITMAP, cpu2_has(c, VMX_CPU2_VMCS_SHADOWING), VMWRITE_BITMAP)
PAGE_RULES(VE_INFORMATION, cpu2_has(c, VMX_CPU2_EPT_VIOLATION_VE),
           VE_INFORMATION_ADDRESS)
PAGE_RULES(LOW_PASID, cpu2_has(c, VMX_CPU2_PASID_TRANSLATION),
           LOW_PASID_DIRECTORY)
PAGE_RULES(HIGH_PASID, cpu2_has(c, VMX_CPU2_PASID_TRANSLATION),
           HIGH_PASID_DIRECTORY)

RULE(TPR_THRESHOLD_HIGH,
     implies(cpu_has(c, VMX_CPU_TPR_SHADOW) &&
                 !cpu2_has(c, VMX_CPU2_VIRTUAL_INTERRUPTS),
             F(TPR_THRESHOLD) <= 0xf),
     F(TPR_THRESHOLD) &= 0xf)
RULE(TPR_THRESHOLD_VTPR,
     implies(cpu_has(c, VMX_CPU_TPR_SHADOW) &&
                 !has_any(cpu2(c),
                          VMX_CPU2_APIC_ACCESSES | VMX_CPU2_VIRTUAL_INTERRUPTS),
             (F(TPR_THRESHOLD) & 0xf) == 0 ||
                 (F(TPR_THRESHOLD) & 0xf) <= vmx_vtpr(c)),
     F(TPR_THRESHOLD) = vmx_vtpr(c))
RULE(VIRTUAL_NMIS,
     implies(pin_has(c, VMX_PIN_VIRTUAL_NMIS), pin_has(c, VMX_PIN_NMI_EXITING)),
     F(PIN_CONTROLS) |= VMX_PIN_NMI_EXITING)
RULE(NMI_WINDOW,
     implies(cpu_has(c, VMX_CPU_NMI_WINDOW_EXITING),
             pin_has(c, VMX_PIN_VIRTUAL_NMIS)),
     clear(&F(PRIMARY_CONTROLS), VMX_CPU_NMI_WINDOW_EXITING))

/* A secondary control that is of use with the TPR shadow only. */
#define SHADOW_RULE(id, control)                                            \
    RULE(id, implies(cpu2_has(c, control), cpu_has(c, VMX_CPU_TPR_SHADOW)), \
         clear(&F(SECONDARY_CONTROLS), control))

SHADOW_RULE(X2APIC_SHADOW, VMX_CPU2_X2APIC_MODE)
SHADOW_RULE(APIC_REGISTERS_SHADOW, VMX_CPU2_APIC_REGISTERS)
SHADOW_RULE(VIRTUAL_INTERRUPTS_SHADOW, VMX_CPU2_VIRTUAL_INTERRUPTS)
RULE(IPI_SHADOW,
     implies(cpu3_has(c, VMX_CPU3_IPI_VIRTUALIZATION),
             cpu_has(c, VMX_CPU_TPR_SHADOW)),
     clear(&F(TERTIARY_CONTROLS), VMX_CPU3_IPI_VIRTUALIZATION))
RULE(X2APIC_ACCESSES,
     !cpu2_has(c, VMX_CPU2_X2APIC_MODE | VMX_CPU2_APIC_ACCESSES),
     clear(&F(SECONDARY_CONTROLS), VMX_CPU2_X2APIC_MODE))
RULE(VIRTUAL_INTERRUPTS_EXITING,
     implies(cpu2_has(c, VMX_CPU2_VIRTUAL_INTERRUPTS),
             pin_has(c, VMX_PIN_EXTERNAL_INTERRUPT_EXITING)),
     F(PIN_CONTROLS) |= VMX_PIN_EXTERNAL_INTERRUPT_EXITING)

#define POSTED pin_has(c, VMX_PIN_POSTED_INTERRUPTS)

RULE(POSTED_DELIVERY, implies(POSTED, cpu2_has(c, VMX_CPU2_VIRTUAL_INTERRUPTS)),
     clear(&F(PIN_CONTROLS), VMX_PIN_POSTED_INTERRUPTS))
RULE(POSTED_ACKNOWLEDGE,
     implies(POSTED, exit_has(c, VMX_EXIT_ACKNOWLEDGE_INTERRUPT)),
     F(EXIT_CONTROLS) |= VMX_EXIT_ACKNOWLEDGE_INTERRUPT)
RULE(POSTED_VECTOR, implies(POSTED, F(POSTED_INTERRUPT_VECTOR) <= UINT8_MAX),
     F(POSTED_INTERRUPT_VECTOR) &= UINT8_MAX)
RULE(POSTED_ALIGN,
     implies(POSTED, is_aligned(F(POSTED_INTERRUPT_DESCRIPTOR), 64)),
     clear(&F(POSTED_INTERRUPT_DESCRIPTOR), 63))
RULE(POSTED_WIDTH,
     implies(POSTED, !has_any(F(POSTED_INTERRUPT_DESCRIPTOR), above(c))),
     clear(&F(POSTED_INTERRUPT_DESCRIPTOR), above(c)))

#define IPI_VIRTUAL cpu3_has(c, VMX_CPU3_IPI_VIRTUALIZATION)

RULE(IPI_ALIGN, implies(IPI_VIRTUAL, is_aligned(F(PID_POINTER_TABLE), 8)),
     clear(&F(PID_POINTER_TABLE), 7))
RULE(IPI_WIDTH, implies(IPI_VIRTUAL, !has_any(F(PID_POINTER_TABLE), above(c))),
     clear(&F(PID_POINTER_TABLE), above(c)))
RULE(IPI_LAST,
     implies(IPI_VIRTUAL,
             has_any(F(PID_POINTER_TABLE), above(c)) ||
                 !has_any(F(PID_POINTER_TABLE) + F(LAST_PID_POINTER_INDEX) * 8,
                          above(c))),
     F(LAST_PID_POINTER_INDEX) = 0)
RULE(VPID, implies(cpu2_has(c, VMX_CPU2_VPID), F(VPID) != 0), F(VPID) = 1)

#define EPT cpu2_has(c, VMX_CPU2_EPT)

RULE(EPTP_MEMORY_TYPE,
     implies(EPT, ept_memory_type_exists(c->profile, F(EPTP))),
     F(EPTP) = (F(EPTP) & ~VMX_EPTP_MEMORY_TYPE) | VMX_MEMORY_WB)
RULE(EPTP_WALK, implies(EPT, ept_walk_exists(c->profile, F(EPTP))),
     F(EPTP) = (F(EPTP) & ~VMX_EPTP_WALK) | FIELD_PUT(VMX_EPTP_WALK, 3))
RULE(EPTP_AD, implies(EPT, ept_ad_exists(c->profile, F(EPTP))),
     clear(&F(EPTP), VMX_EPTP_AD))
RULE(EPTP_RESERVED, implies(EPT, !has_any(F(EPTP), eptp_reserved(c->profile))),
     clear(&F(EPTP), eptp_reserved(c->profile)))
RULE(EPTP_WIDTH, implies(EPT, !has_any(F(EPTP), above(c))),
     clear(&F(EPTP), above(c)))

#define NEEDS_EPT(id, control)                   \
    RULE(id, implies(cpu2_has(c, control), EPT), \
         clear(&F(SECONDARY_CONTROLS), control))
#define NEEDS_EPT_TOO(id, control)               \
    RULE(id, implies(cpu3_has(c, control), EPT), \
         clear(&F(TERTIARY_CONTROLS), control))

NEEDS_EPT(PML_EPT, VMX_CPU2_PML)
NEEDS_EPT(UNRESTRICTED_EPT, VMX_CPU2_UNRESTRICTED_GUEST)
NEEDS_EPT(MODE_BASED_EPT, VMX_CPU2_MODE_BASED_EXECUTE)
NEEDS_EPT(SPP_EPT, VMX_CPU2_SUB_PAGE_WRITE_PERMISSIONS)
NEEDS_EPT(PT_EPT, VMX_CPU2_PT_GUEST_PHYSICAL)
NEEDS_EPT_TOO(HLAT_EPT, VMX_CPU3_HLAT)
NEEDS_EPT_TOO(PAGING_WRITE_EPT, VMX_CPU3_PAGING_WRITE)
NEEDS_EPT_TOO(GUEST_PAGING_EPT, VMX_CPU3_GUEST_PAGING)

RULE(FUNCTION_ALLOWED1,
     implies(cpu2_has(c, VMX_CPU2_VM_FUNCTIONS),
             !has_any(F(VM_FUNCTION_CONTROLS), ~c->profile->function)),
     F(VM_FUNCTION_CONTROLS) &= c->profile->function)
RULE(EPTP_SWITCHING_EPT,
     implies(cpu2_has(c, VMX_CPU2_VM_FUNCTIONS) &&
                 has_all(F(VM_FUNCTION_CONTROLS), VMX_FUNCTION_EPTP_SWITCHING),
             EPT),
     clear(&F(VM_FUNCTION_CONTROLS), VMX_FUNCTION_EPTP_SWITCHING))
RULE(PT_TRACING, implies(c->tracing, !entry_has(c, VMX_ENTRY_LOAD_RTIT_CTL)),
     clear(&F(ENTRY_CONTROLS), VMX_ENTRY_LOAD_RTIT_CTL))
RULE(PT_LOAD,
     implies(cpu2_has(c, VMX_CPU2_PT_GUEST_PHYSICAL),
             entry_has(c, VMX_ENTRY_LOAD_RTIT_CTL)),
     clear(&F(SECONDARY_CONTROLS), VMX_CPU2_PT_GUEST_PHYSICAL))
RULE(PT_CLEAR,
     implies(cpu2_has(c, VMX_CPU2_PT_GUEST_PHYSICAL),
             exit_has(c, VMX_EXIT_CLEAR_RTIT_CTL)),
     clear(&F(SECONDARY_CONTROLS), VMX_CPU2_PT_GUEST_PHYSICAL))
RULE(TSC_MULTIPLIER,
     implies(cpu2_has(c, VMX_CPU2_TSC_SCALING), F(TSC_MULTIPLIER) != 0),
     F(TSC_MULTIPLIER) = BIT(48))
RULE(HLATP_RESERVED,
     implies(cpu3_has(c, VMX_CPU3_HLAT),
             !has_any(F(HLATP), HLATP_RESERVED_BITS)),
     clear(&F(HLATP), HLATP_RESERVED_BITS))
RULE(HLATP_WIDTH,
     implies(cpu3_has(c, VMX_CPU3_HLAT), !has_any(F(HLATP), above(c))),
     clear(&F(HLATP), above(c)))

STABLE_RULE_GROUP(execution, VMX_RULES_EXECUTION)

RULE(EXIT_FIXED1, has_all(F(EXIT_CONTROLS), c->profile->exit.fixed1),
     F(EXIT_CONTROLS) |= c->profile->exit.fixed1)
RULE(EXIT_ALLOWED1,
     !has_any(F(EXIT_CONTROLS), ~(uint64_t)c->profile->exit.allowed1),
     F(EXIT_CONTROLS) &= c->profile->exit.allowed1)
RULE(EXIT2_ALLOWED1,
     implies(exit_has(c, VMX_EXIT_SECONDARY_CONTROLS),
             !has_any(F(SECONDARY_EXIT_CONTROLS), ~c->profile->exit2)),
     F(SECONDARY_EXIT_CONTROLS) &= c->profile->exit2)
RULE(SAVE_TIMER,
     implies(exit_has(c, VMX_EXIT_SAVE_PREEMPTION_TIMER),
             pin_has(c, VMX_PIN_PREEMPTION_TIMER)),
     clear(&F(EXIT_CONTROLS), VMX_EXIT_SAVE_PREEMPTION_TIMER))

/* A list of MSRs. */
#define AREA_RULES(id, name)                                                   \
    RULE(id##_ALIGN,                                                           \
         implies(F(name##_COUNT) != 0, is_aligned(F(name##_ADDRESS), 16)),     \
         clear(&F(name##_ADDRESS), 15))                                        \
    RULE(id##_WIDTH,                                                           \
         implies(F(name##_COUNT) != 0, !has_any(F(name##_ADDRESS), above(c))), \
         clear(&F(name##_ADDRESS), above(c)))                                  \
    RULE(id##_LAST, area_fits(c, F(name##_ADDRESS), F(name##_COUNT)),          \
         F(name##_COUNT) = 1)

AREA_RULES(EXIT_STORE, EXIT_MSR_STORE)
AREA_RULES(EXIT_LOAD, EXIT_MSR_LOAD)

STABLE_RULE_GROUP(exit, VMX_RULES_EXIT)

RULE(ENTRY_FIXED1, has_all(F(ENTRY_CONTROLS), c->profile->entry.fixed1),
     F(ENTRY_CONTROLS) |= c->profile->entry.fixed1)
RULE(ENTRY_ALLOWED1,
     !has_any(F(ENTRY_CONTROLS), ~(uint64_t)c->profile->entry.allowed1),
     F(ENTRY_CONTROLS) &= c->profile->entry.allowed1)

STABLE_RULE_GROUP(entry, VMX_RULES_ENTRY)

/* Puts `value` into a part of the interruption information. */
static void set_event(struct vmx_check *c, uint64_t part, uint64_t value)
{
    F(ENTRY_INTERRUPTION_INFO) =
        (F(ENTRY_INTERRUPTION_INFO) & ~part) | FIELD_PUT(part, value);
}

static bool event_has_error(const struct vmx_check *c)
{
    return event_type(c) >= 0 &&
           has_all(F(ENTRY_INTERRUPTION_INFO), VMX_EVENT_ERROR_CODE);
}

/* Of exceptions with an error code; #CP's may be there or not. */
#define ERROR_VECTORS (X86_ERROR_CODE_VECTORS & ~BIT(X86_VECTOR_CP))

/* Whether the processor tells exceptions with an error code from others. */
static bool errors_are_checked(const struct vmx_check *c)
{
    return !has_all(c->profile->basic, VMX_BASIC_ANY_ERROR);
}

static bool event_is_real(const struct vmx_check *c)
{
    return unrestricted(c) && !has_all(F(GUEST_CR0), X86_CR0_PE);
}

/* An event whose instruction length counts. */
static bool event_is_software(const struct vmx_check *c)
{
    int type = event_type(c);

    return type >= VMX_EVENT_SOFTWARE_INTERRUPT &&
           type <= VMX_EVENT_SOFTWARE_EXCEPTION;
}

RULE(EVENT_TYPE, event_type(c) != 1,
     set_event(c, VMX_EVENT_TYPE, VMX_EVENT_EXCEPTION))
RULE(EVENT_OTHER,
     implies(event_type(c) == VMX_EVENT_OTHER,
             has_all(c->profile->cpu.allowed1, VMX_CPU_MONITOR_TRAP_FLAG)),
     set_event(c, VMX_EVENT_TYPE, VMX_EVENT_EXCEPTION))
RULE(EVENT_NMI_VECTOR,
     implies(event_type(c) == VMX_EVENT_NMI, event_vector(c) == X86_VECTOR_NMI),
     set_event(c, VMX_EVENT_VECTOR, X86_VECTOR_NMI))
RULE(EVENT_EXCEPTION_VECTOR,
     implies(event_type(c) == VMX_EVENT_EXCEPTION,
             event_vector(c) < X86_EXCEPTIONS),
     set_event(c, VMX_EVENT_VECTOR, event_vector(c) % X86_EXCEPTIONS))
RULE(EVENT_OTHER_VECTOR,
     implies(event_type(c) == VMX_EVENT_OTHER, event_vector(c) == 0),
     set_event(c, VMX_EVENT_VECTOR, 0))
RULE(EVENT_ERROR_MISSING,
     implies(errors_are_checked(c) && event_type(c) == VMX_EVENT_EXCEPTION &&
                 !event_is_real(c) && event_vector(c) < X86_EXCEPTIONS &&
                 has_any(BIT(event_vector(c) % X86_EXCEPTIONS), ERROR_VECTORS),
             event_has_error(c)),
     set_event(c, VMX_EVENT_ERROR_CODE, 1))
RULE(EVENT_ERROR_TYPE,
     implies(event_has_error(c), event_type(c) == VMX_EVENT_EXCEPTION),
     set_event(c, VMX_EVENT_ERROR_CODE, 0))
RULE(EVENT_ERROR_REAL, implies(event_has_error(c), !event_is_real(c)),
     set_event(c, VMX_EVENT_ERROR_CODE, 0))
RULE(EVENT_ERROR_VECTOR,
     implies(errors_are_checked(c) && event_has_error(c),
             event_vector(c) < X86_EXCEPTIONS &&
                 has_any(BIT(event_vector(c) % X86_EXCEPTIONS), ERROR_VECTORS)),
     set_event(c, VMX_EVENT_ERROR_CODE, 0))
RULE(EVENT_RESERVED,
     implies(event_type(c) >= 0,
             !has_any(F(ENTRY_INTERRUPTION_INFO), VMX_EVENT_RESERVED)),
     clear(&F(ENTRY_INTERRUPTION_INFO), VMX_EVENT_RESERVED))
RULE(EVENT_ERROR_HIGH,
     implies(event_has_error(c), F(ENTRY_EXCEPTION_ERROR_CODE) <= UINT16_MAX),
     F(ENTRY_EXCEPTION_ERROR_CODE) &= UINT16_MAX)
RULE(EVENT_LENGTH,
     implies(event_is_software(c), F(ENTRY_INSTRUCTION_LENGTH) <= 15),
     F(ENTRY_INSTRUCTION_LENGTH) = 15)
RULE(EVENT_LENGTH_ZERO,
     implies(event_is_software(c) &&
                 !has_all(c->profile->misc, VMX_MISC_INJECT_ANY),
             F(ENTRY_INSTRUCTION_LENGTH) != 0),
     F(ENTRY_INSTRUCTION_LENGTH) = 1)

RULE_GROUP(event, VMX_RULES_EVENT)

AREA_RULES(ENTRY_LOAD, ENTRY_MSR_LOAD)

RULE(ENTRY_SMM, !entry_has(c, VMX_ENTRY_TO_SMM),
     clear(&F(ENTRY_CONTROLS), VMX_ENTRY_TO_SMM))
RULE(ENTRY_DUAL_MONITOR, !entry_has(c, VMX_ENTRY_DEACTIVATE_DUAL_MONITOR),
     clear(&F(ENTRY_CONTROLS), VMX_ENTRY_DEACTIVATE_DUAL_MONITOR))

STABLE_RULE_GROUP(entry_load, VMX_RULES_ENTRY_LOAD)
