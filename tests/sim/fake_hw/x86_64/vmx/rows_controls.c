/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the rules of VMX controls. */
#include "rig.h"

#define WIDE BIT(46) /* no physical address has it */

/* A control of any word, and one that lets it be of use. */
#define CPU(control)  OR(PRIMARY_CONTROLS, VMX_CPU_##control)
#define CPU2(control) OR(SECONDARY_CONTROLS, VMX_CPU2_##control)
#define CPU3(control)                                \
    OR(PRIMARY_CONTROLS, VMX_CPU_TERTIARY_CONTROLS), \
        OR(TERTIARY_CONTROLS, VMX_CPU3_##control)
#define PIN(control)   OR(PIN_CONTROLS, VMX_PIN_##control)
#define EXIT(control)  OR(EXIT_CONTROLS, VMX_EXIT_##control)
#define ENTRY(control) OR(ENTRY_CONTROLS, VMX_ENTRY_##control)

/* A TPR shadow whose threshold memory has nothing to do with. */
#define SHADOW CPU(TPR_SHADOW), SET(VIRTUAL_APIC_ADDRESS, RIG_APIC)

#define POSTED                                                     \
    SHADOW, CPU2(VIRTUAL_INTERRUPTS), EXIT(ACKNOWLEDGE_INTERRUPT), \
        PIN(POSTED_INTERRUPTS)

/* An address of a page, which is used with `...`. */
#define PAGE_ROWS(id, name, ...)                                   \
    {RULE_VMX_##id##_ALIGN, .given = {__VA_ARGS__},                \
     .breaks = {OR(name, 0x800)}},                                 \
    {                                                              \
        RULE_VMX_##id##_WIDTH, .given = {__VA_ARGS__}, .breaks = { \
            OR(name, WIDE)                                         \
        }                                                          \
    }

/* A list of MSRs. */
#define AREA_ROWS(id, name, last_legal)                                   \
    {RULE_VMX_##id##_ALIGN, .given = {SET(name##_COUNT, last_legal)},     \
     .breaks = {OR(name##_ADDRESS, 8), SET(name##_COUNT, 1)}},            \
        {RULE_VMX_##id##_WIDTH, .given = {SET(name##_COUNT, last_legal)}, \
         .breaks = {OR(name##_ADDRESS, WIDE), SET(name##_COUNT, 1)}},     \
    {                                                                     \
        RULE_VMX_##id##_LAST,                                             \
            .given = {SET(name##_ADDRESS, WIDE - 16),                     \
                      SET(name##_COUNT, last_legal)},                     \
            .breaks = {                                                   \
                SET(name##_COUNT, 2)                                      \
            }                                                             \
    }

#define EVENT(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_##type) | (vector))
#define INFO(value) SET(ENTRY_INTERRUPTION_INFO, value)

/* Needs EPT, and nothing else does. */
#define NO_EPT CLEAR(SECONDARY_CONTROLS, VMX_CPU2_EPT)

static const struct rule_row rows[] = {
    {RULE_VMX_PIN_FIXED1, .breaks = {CLEAR(PIN_CONTROLS, BIT(1))}},
    {RULE_VMX_PIN_FIXED1, .breaks = {CLEAR(PIN_CONTROLS, BIT(4))}},
    {RULE_VMX_PIN_ALLOWED1, .breaks = {OR(PIN_CONTROLS, BIT(8))}},
    {RULE_VMX_PIN_ALLOWED1, .profile = "penryn",
     .breaks = {PIN(PREEMPTION_TIMER)}},
    {RULE_VMX_PRIMARY_FIXED1, .breaks = {CLEAR(PRIMARY_CONTROLS, BIT(26))}},
    {RULE_VMX_PRIMARY_ALLOWED1, .breaks = {OR(PRIMARY_CONTROLS, BIT(0))}},
    {RULE_VMX_PRIMARY_ALLOWED1, .profile = "haswell",
     .breaks = {CPU(TERTIARY_CONTROLS)}},
    {RULE_VMX_SECONDARY_ALLOWED1, .breaks = {OR(SECONDARY_CONTROLS, BIT(29))}},
    {RULE_VMX_SECONDARY_ALLOWED1, .profile = "lynnfield",
     .breaks = {CPU2(UNRESTRICTED_GUEST)}},
    {RULE_VMX_SECONDARY_ALLOWED1, .profile = "haswell", .breaks = {CPU2(PML)}},
    {RULE_VMX_TERTIARY_ALLOWED1, .given = {OR(TERTIARY_CONTROLS, BIT(63))},
     .breaks = {CPU(TERTIARY_CONTROLS)}},
    {RULE_VMX_CR3_TARGETS, .given = {SET(CR3_TARGET_COUNT, 4)},
     .breaks = {SET(CR3_TARGET_COUNT, 5)}},
    PAGE_ROWS(IO_BITMAP_A, IO_BITMAP_A, CPU(IO_BITMAPS)),
    PAGE_ROWS(IO_BITMAP_B, IO_BITMAP_B, CPU(IO_BITMAPS)),
    PAGE_ROWS(MSR_BITMAPS, MSR_BITMAPS, CPU(MSR_BITMAPS)),
    PAGE_ROWS(VIRTUAL_APIC, VIRTUAL_APIC_ADDRESS, SHADOW),
    PAGE_ROWS(APIC_ACCESS, APIC_ACCESS_ADDRESS, CPU2(APIC_ACCESSES)),
    PAGE_ROWS(PML, PML_ADDRESS, CPU2(PML)),
    PAGE_ROWS(SPP_TABLE, SPP_TABLE_POINTER, CPU2(SUB_PAGE_WRITE_PERMISSIONS)),
    PAGE_ROWS(EPTP_LIST, EPTP_LIST_ADDRESS, CPU2(VM_FUNCTIONS),
              SET(VM_FUNCTION_CONTROLS, 1)),
    PAGE_ROWS(VMREAD_BITMAP, VMREAD_BITMAP, CPU2(VMCS_SHADOWING)),
    PAGE_ROWS(VMWRITE_BITMAP, VMWRITE_BITMAP, CPU2(VMCS_SHADOWING)),
    PAGE_ROWS(VE_INFORMATION, VE_INFORMATION_ADDRESS, CPU2(EPT_VIOLATION_VE)),
    PAGE_ROWS(LOW_PASID, LOW_PASID_DIRECTORY, CPU2(PASID_TRANSLATION)),
    PAGE_ROWS(HIGH_PASID, HIGH_PASID_DIRECTORY, CPU2(PASID_TRANSLATION)),
    {RULE_VMX_TPR_THRESHOLD_HIGH,
     .given = {SHADOW, CPU2(APIC_ACCESSES), SET(TPR_THRESHOLD, 15)},
     .breaks = {SET(TPR_THRESHOLD, 16)}},
    {RULE_VMX_TPR_THRESHOLD_HIGH,
     .given = {SHADOW, CPU2(VIRTUAL_INTERRUPTS), SET(TPR_THRESHOLD, 16)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_VIRTUAL_INTERRUPTS)}},
    {RULE_VMX_TPR_THRESHOLD_VTPR, .pokes = {{RIG_APIC + 0x80, 0x4f}},
     .given = {SHADOW, SET(TPR_THRESHOLD, 4)},
     .breaks = {SET(TPR_THRESHOLD, 5)}},
    {RULE_VMX_TPR_THRESHOLD_VTPR,
     .given = {SHADOW, SET(TPR_THRESHOLD, 15), CPU2(APIC_ACCESSES)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_APIC_ACCESSES)}},
    {RULE_VMX_VIRTUAL_NMIS, .given = {PIN(NMI_EXITING), PIN(VIRTUAL_NMIS)},
     .breaks = {CLEAR(PIN_CONTROLS, VMX_PIN_NMI_EXITING)}},
    {RULE_VMX_NMI_WINDOW,
     .given = {PIN(NMI_EXITING), PIN(VIRTUAL_NMIS), CPU(NMI_WINDOW_EXITING)},
     .breaks = {CLEAR(PIN_CONTROLS, VMX_PIN_VIRTUAL_NMIS)}},
    {RULE_VMX_X2APIC_SHADOW, .given = {SHADOW, CPU2(X2APIC_MODE)},
     .breaks = {CLEAR(PRIMARY_CONTROLS, VMX_CPU_TPR_SHADOW)}},
    {RULE_VMX_APIC_REGISTERS_SHADOW, .given = {SHADOW, CPU2(APIC_REGISTERS)},
     .breaks = {CLEAR(PRIMARY_CONTROLS, VMX_CPU_TPR_SHADOW)}},
    {RULE_VMX_VIRTUAL_INTERRUPTS_SHADOW,
     .given = {SHADOW, CPU2(VIRTUAL_INTERRUPTS)},
     .breaks = {CLEAR(PRIMARY_CONTROLS, VMX_CPU_TPR_SHADOW)}},
    {RULE_VMX_IPI_SHADOW, .given = {SHADOW, CPU3(IPI_VIRTUALIZATION)},
     .breaks = {CLEAR(PRIMARY_CONTROLS, VMX_CPU_TPR_SHADOW)}},
    {RULE_VMX_X2APIC_ACCESSES, .given = {SHADOW, CPU2(X2APIC_MODE)},
     .breaks = {CPU2(APIC_ACCESSES)}},
    {RULE_VMX_VIRTUAL_INTERRUPTS_EXITING,
     .given = {SHADOW, CPU2(VIRTUAL_INTERRUPTS)},
     .breaks = {CLEAR(PIN_CONTROLS, VMX_PIN_EXTERNAL_INTERRUPT_EXITING)}},
    {RULE_VMX_POSTED_DELIVERY, .given = {POSTED},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_VIRTUAL_INTERRUPTS)}},
    {RULE_VMX_POSTED_ACKNOWLEDGE, .given = {POSTED},
     .breaks = {CLEAR(EXIT_CONTROLS, VMX_EXIT_ACKNOWLEDGE_INTERRUPT)}},
    {RULE_VMX_POSTED_VECTOR,
     .given = {POSTED, SET(POSTED_INTERRUPT_VECTOR, 0xff)},
     .breaks = {SET(POSTED_INTERRUPT_VECTOR, 0x100)}},
    {RULE_VMX_POSTED_ALIGN,
     .given = {POSTED, SET(POSTED_INTERRUPT_DESCRIPTOR, 0x40)},
     .breaks = {SET(POSTED_INTERRUPT_DESCRIPTOR, 0x20)}},
    {RULE_VMX_POSTED_WIDTH, .given = {POSTED},
     .breaks = {OR(POSTED_INTERRUPT_DESCRIPTOR, WIDE)}},
    {RULE_VMX_IPI_ALIGN,
     .given = {SHADOW, CPU3(IPI_VIRTUALIZATION), SET(PID_POINTER_TABLE, 8)},
     .breaks = {SET(PID_POINTER_TABLE, 4)}},
    {RULE_VMX_IPI_WIDTH, .given = {SHADOW, CPU3(IPI_VIRTUALIZATION)},
     .breaks = {OR(PID_POINTER_TABLE, WIDE)}},
    {RULE_VMX_IPI_LAST,
     .given = {SHADOW, CPU3(IPI_VIRTUALIZATION),
               SET(PID_POINTER_TABLE, WIDE - 16),
               SET(LAST_PID_POINTER_INDEX, 1)},
     .breaks = {SET(LAST_PID_POINTER_INDEX, 2)}},
    {RULE_VMX_VPID, .breaks = {SET(VPID, 0)}},
    {RULE_VMX_EPTP_MEMORY_TYPE, .given = {CLEAR(EPTP, VMX_EPTP_MEMORY_TYPE)},
     .breaks = {OR(EPTP, 1)}},
    {RULE_VMX_EPTP_WALK, .breaks = {CLEAR(EPTP, 8)}},
    {RULE_VMX_EPTP_AD, .profile = "lynnfield", .breaks = {OR(EPTP, BIT(6))}},
    {RULE_VMX_EPTP_RESERVED, .given = {OR(EPTP, BIT(6))},
     .breaks = {OR(EPTP, BIT(7))}},
    {RULE_VMX_EPTP_RESERVED, .breaks = {OR(EPTP, BIT(11))}},
    {RULE_VMX_EPTP_RESERVED, .profile = "tigerlake",
     .given = {OR(EPTP, BIT(7))}, .breaks = {OR(EPTP, BIT(8))}},
    {RULE_VMX_EPTP_WIDTH, .breaks = {OR(EPTP, WIDE)}},
    {RULE_VMX_PML_EPT, .given = {CPU2(PML)}, .breaks = {NO_EPT}},
    {RULE_VMX_UNRESTRICTED_EPT, .given = {CPU2(UNRESTRICTED_GUEST)},
     .breaks = {NO_EPT}},
    {RULE_VMX_MODE_BASED_EPT, .given = {CPU2(MODE_BASED_EXECUTE)},
     .breaks = {NO_EPT}},
    {RULE_VMX_SPP_EPT, .given = {CPU2(SUB_PAGE_WRITE_PERMISSIONS)},
     .breaks = {NO_EPT}},
    {RULE_VMX_PT_EPT,
     .given = {CPU2(PT_GUEST_PHYSICAL), ENTRY(LOAD_RTIT_CTL),
               EXIT(CLEAR_RTIT_CTL)},
     .breaks = {NO_EPT}},
    {RULE_VMX_HLAT_EPT, .given = {CPU3(HLAT)}, .breaks = {NO_EPT}},
    {RULE_VMX_PAGING_WRITE_EPT, .given = {CPU3(PAGING_WRITE)},
     .breaks = {NO_EPT}},
    {RULE_VMX_GUEST_PAGING_EPT, .given = {CPU3(GUEST_PAGING)},
     .breaks = {NO_EPT}},
    {RULE_VMX_FUNCTION_ALLOWED1, .given = {SET(VM_FUNCTION_CONTROLS, 2)},
     .breaks = {CPU2(VM_FUNCTIONS)}},
    {RULE_VMX_EPTP_SWITCHING_EPT,
     .given = {CPU2(VM_FUNCTIONS), SET(VM_FUNCTION_CONTROLS, 1)},
     .breaks = {NO_EPT}},
    {RULE_VMX_PT_TRACING, .tracing = true, .breaks = {ENTRY(LOAD_RTIT_CTL)}},
    {RULE_VMX_PT_LOAD,
     .given = {CPU2(PT_GUEST_PHYSICAL), ENTRY(LOAD_RTIT_CTL),
               EXIT(CLEAR_RTIT_CTL)},
     .breaks = {CLEAR(ENTRY_CONTROLS, VMX_ENTRY_LOAD_RTIT_CTL)}},
    {RULE_VMX_PT_CLEAR,
     .given = {CPU2(PT_GUEST_PHYSICAL), ENTRY(LOAD_RTIT_CTL),
               EXIT(CLEAR_RTIT_CTL)},
     .breaks = {CLEAR(EXIT_CONTROLS, VMX_EXIT_CLEAR_RTIT_CTL)}},
    {RULE_VMX_TSC_MULTIPLIER, .given = {CPU2(TSC_SCALING)},
     .breaks = {SET(TSC_MULTIPLIER, 0)}},
    {RULE_VMX_HLATP_RESERVED, .given = {CPU3(HLAT), OR(HLATP, 0x18)},
     .breaks = {OR(HLATP, 1)}},
    {RULE_VMX_HLATP_RESERVED, .given = {CPU3(HLAT)},
     .breaks = {OR(HLATP, BIT(5))}},
    {RULE_VMX_HLATP_WIDTH, .given = {CPU3(HLAT)}, .breaks = {OR(HLATP, WIDE)}},
    {RULE_VMX_EXIT_FIXED1, .breaks = {CLEAR(EXIT_CONTROLS, BIT(10))}},
    {RULE_VMX_EXIT_ALLOWED1, .profile = "haswell",
     .breaks = {OR(EXIT_CONTROLS, BIT(23))}},
    {RULE_VMX_EXIT2_ALLOWED1, .given = {SET(SECONDARY_EXIT_CONTROLS, 1)},
     .breaks = {EXIT(SECONDARY_CONTROLS)}},
    {RULE_VMX_SAVE_TIMER,
     .given = {PIN(PREEMPTION_TIMER), EXIT(SAVE_PREEMPTION_TIMER)},
     .breaks = {CLEAR(PIN_CONTROLS, VMX_PIN_PREEMPTION_TIMER)}},
    AREA_ROWS(EXIT_STORE, EXIT_MSR_STORE, 1),
    AREA_ROWS(EXIT_LOAD, EXIT_MSR_LOAD, 1),
    {RULE_VMX_ENTRY_FIXED1, .breaks = {CLEAR(ENTRY_CONTROLS, BIT(12))}},
    {RULE_VMX_ENTRY_ALLOWED1, .breaks = {OR(ENTRY_CONTROLS, BIT(23))}},
    {RULE_VMX_EVENT_TYPE, .given = {INFO(EVENT(EXCEPTION, 3))},
     .breaks = {INFO(VMX_EVENT_VALID | 0x103)}},
    {RULE_VMX_EVENT_TYPE, .given = {INFO(0x103)},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, VMX_EVENT_VALID)}},
    {RULE_VMX_EVENT_OTHER, .profile = "haswell",
     .breaks = {INFO(EVENT(OTHER, 0))}},
    {RULE_VMX_EVENT_NMI_VECTOR, .given = {INFO(EVENT(NMI, 2))},
     .breaks = {INFO(EVENT(NMI, 3))}},
    {RULE_VMX_EVENT_EXCEPTION_VECTOR, .given = {INFO(EVENT(EXCEPTION, 31))},
     .breaks = {INFO(EVENT(EXCEPTION, 32))}},
    {RULE_VMX_EVENT_OTHER_VECTOR, .given = {INFO(EVENT(OTHER, 0))},
     .breaks = {INFO(EVENT(OTHER, 1))}},
    {RULE_VMX_EVENT_ERROR_MISSING, .profile = "haswell",
     .given = {INFO(EVENT(EXCEPTION, 13) | VMX_EVENT_ERROR_CODE)},
     .breaks = {INFO(EVENT(EXCEPTION, 13))}},
    {RULE_VMX_EVENT_ERROR_MISSING, .profile = "haswell", .mode = VMX_GUEST_REAL,
     .given = {INFO(EVENT(EXCEPTION, 14))},
     .breaks = {OR(GUEST_CR0, X86_CR0_PE)}},
    {RULE_VMX_EVENT_ERROR_TYPE, .given = {INFO(EVENT(SOFTWARE_INTERRUPT, 13))},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, VMX_EVENT_ERROR_CODE)}},
    {RULE_VMX_EVENT_ERROR_REAL, .mode = VMX_GUEST_REAL,
     .given = {INFO(EVENT(EXCEPTION, 13))},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, VMX_EVENT_ERROR_CODE)}},
    {RULE_VMX_EVENT_ERROR_VECTOR, .profile = "haswell",
     .given = {INFO(EVENT(EXCEPTION, 6))},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, VMX_EVENT_ERROR_CODE)}},
    {RULE_VMX_EVENT_RESERVED, .given = {INFO(EVENT(EXCEPTION, 6))},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, BIT(12))}},
    {RULE_VMX_EVENT_RESERVED, .given = {INFO(EVENT(EXCEPTION, 6))},
     .breaks = {OR(ENTRY_INTERRUPTION_INFO, BIT(30))}},
    {RULE_VMX_EVENT_ERROR_HIGH,
     .given = {INFO(EVENT(EXCEPTION, 13) | VMX_EVENT_ERROR_CODE),
               SET(ENTRY_EXCEPTION_ERROR_CODE, 0xffff)},
     .breaks = {SET(ENTRY_EXCEPTION_ERROR_CODE, 0x10000)}},
    {RULE_VMX_EVENT_LENGTH,
     .given = {INFO(EVENT(SOFTWARE_INTERRUPT, 13)),
               SET(ENTRY_INSTRUCTION_LENGTH, 15)},
     .breaks = {SET(ENTRY_INSTRUCTION_LENGTH, 16)}},
    {RULE_VMX_EVENT_LENGTH,
     .given = {INFO(EVENT(SOFTWARE_EXCEPTION, 3)),
               SET(ENTRY_INSTRUCTION_LENGTH, 0)},
     .breaks = {SET(ENTRY_INSTRUCTION_LENGTH, 16)}},
    {RULE_VMX_EVENT_LENGTH_ZERO, .profile = "haswell",
     .given = {INFO(EVENT(PRIVILEGED_EXCEPTION, 1)),
               SET(ENTRY_INSTRUCTION_LENGTH, 1)},
     .breaks = {SET(ENTRY_INSTRUCTION_LENGTH, 0)}},
    AREA_ROWS(ENTRY_LOAD, ENTRY_MSR_LOAD, 0),
    {RULE_VMX_ENTRY_SMM, .breaks = {ENTRY(TO_SMM)}},
    {RULE_VMX_ENTRY_DUAL_MONITOR, .breaks = {ENTRY(DEACTIVATE_DUAL_MONITOR)}},
};

const struct rule_table control_rows = {rows, ARRAY_SIZE(rows)};
