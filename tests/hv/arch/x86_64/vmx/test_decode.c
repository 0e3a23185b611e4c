/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM exit to struct vm_exit: every basic exit reason of the manual, by what the
 * hypervisor does about it.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/x86_64/vmx/vmx.h"
#include "support/rows.h"

/* What becomes of a reason: of those that no control of ours asks for, nothing
 * but the VM's end. */
#define IMPOSSIBLE EXIT_UNKNOWN

static const uint8_t kinds[VMX_REASON_MAX] = {
    [VMX_REASON_EXCEPTION_NMI] = EXIT_EXTERNAL_INTERRUPT, /* an NMI, here */
    [VMX_REASON_EXTERNAL_INTERRUPT] = EXIT_EXTERNAL_INTERRUPT,
    [VMX_REASON_TRIPLE_FAULT] = EXIT_SYSTEM_DOWN,
    [VMX_REASON_INIT] = EXIT_EXTERNAL_INTERRUPT,
    [VMX_REASON_SIPI] = IMPOSSIBLE,
    [VMX_REASON_IO_SMI] = IMPOSSIBLE,
    [VMX_REASON_OTHER_SMI] = IMPOSSIBLE,
    [VMX_REASON_INTERRUPT_WINDOW] = EXIT_INTERRUPT_WINDOW,
    [VMX_REASON_NMI_WINDOW] = EXIT_INTERRUPT_WINDOW,
    [VMX_REASON_TASK_SWITCH] = EXIT_INSTRUCTION,
    [VMX_REASON_CPUID] = EXIT_CPUID,
    [VMX_REASON_GETSEC] = EXIT_INSTRUCTION,
    [VMX_REASON_HLT] = EXIT_HALT,
    [VMX_REASON_INVD] = EXIT_INSTRUCTION,
    [VMX_REASON_INVLPG] = IMPOSSIBLE,
    [VMX_REASON_RDPMC] = EXIT_INSTRUCTION,
    [VMX_REASON_RDTSC] = IMPOSSIBLE,
    [VMX_REASON_RSM] = IMPOSSIBLE,
    [VMX_REASON_VMCALL] = EXIT_HYPERCALL,
    [VMX_REASON_VMCLEAR] = EXIT_INSTRUCTION,
    [VMX_REASON_VMLAUNCH] = EXIT_INSTRUCTION,
    [VMX_REASON_VMPTRLD] = EXIT_INSTRUCTION,
    [VMX_REASON_VMPTRST] = EXIT_INSTRUCTION,
    [VMX_REASON_VMREAD] = EXIT_INSTRUCTION,
    [VMX_REASON_VMRESUME] = EXIT_INSTRUCTION,
    [VMX_REASON_VMWRITE] = EXIT_INSTRUCTION,
    [VMX_REASON_VMXOFF] = EXIT_INSTRUCTION,
    [VMX_REASON_VMXON] = EXIT_INSTRUCTION,
    [VMX_REASON_CR_ACCESS] = EXIT_INSTRUCTION,
    [VMX_REASON_MOV_DR] = IMPOSSIBLE,
    [VMX_REASON_IO_INSTRUCTION] = EXIT_IO_WRITE, /* OUT, of one byte, here */
    [VMX_REASON_RDMSR] = EXIT_SYSREG_READ,
    [VMX_REASON_WRMSR] = EXIT_SYSREG_WRITE,
    [VMX_REASON_ENTRY_GUEST_STATE] = EXIT_FAIL_ENTRY,
    [VMX_REASON_ENTRY_MSR_LOADING] = EXIT_FAIL_ENTRY,
    [VMX_REASON_MWAIT] = EXIT_INSTRUCTION,
    [VMX_REASON_MONITOR_TRAP_FLAG] = IMPOSSIBLE,
    [VMX_REASON_MONITOR] = EXIT_INSTRUCTION,
    [VMX_REASON_PAUSE] = IMPOSSIBLE,
    [VMX_REASON_ENTRY_MACHINE_CHECK] = EXIT_FAIL_ENTRY,
    [VMX_REASON_TPR_BELOW_THRESHOLD] = EXIT_INTERRUPT_WINDOW,
    [VMX_REASON_APIC_ACCESS] = EXIT_NESTED_PAGE_FAULT,
    [VMX_REASON_VIRTUALIZED_EOI] = EXIT_INSTRUCTION,
    [VMX_REASON_GDTR_IDTR_ACCESS] = IMPOSSIBLE,
    [VMX_REASON_LDTR_TR_ACCESS] = IMPOSSIBLE,
    [VMX_REASON_EPT_VIOLATION] = EXIT_NESTED_PAGE_FAULT,
    [VMX_REASON_EPT_MISCONFIGURATION] = IMPOSSIBLE,
    [VMX_REASON_INVEPT] = EXIT_INSTRUCTION,
    [VMX_REASON_RDTSCP] = IMPOSSIBLE,
    [VMX_REASON_PREEMPTION_TIMER] = EXIT_PREEMPTION_TIMER,
    [VMX_REASON_INVVPID] = EXIT_INSTRUCTION,
    [VMX_REASON_WBINVD] = EXIT_INSTRUCTION,
    [VMX_REASON_XSETBV] = EXIT_INSTRUCTION,
    [VMX_REASON_APIC_WRITE] = EXIT_INSTRUCTION,
    [VMX_REASON_RDRAND] = IMPOSSIBLE,
    [VMX_REASON_INVPCID] = IMPOSSIBLE,
    [VMX_REASON_VMFUNC] = EXIT_INSTRUCTION,
    [VMX_REASON_ENCLS] = EXIT_INSTRUCTION,
    [VMX_REASON_RDSEED] = IMPOSSIBLE,
    [VMX_REASON_PML_FULL] = IMPOSSIBLE,
    [VMX_REASON_XSAVES] = IMPOSSIBLE,
    [VMX_REASON_XRSTORS] = IMPOSSIBLE,
    [VMX_REASON_PCONFIG] = IMPOSSIBLE,
    [VMX_REASON_SPP_EVENT] = IMPOSSIBLE,
    [VMX_REASON_UMWAIT] = IMPOSSIBLE,
    [VMX_REASON_TPAUSE] = IMPOSSIBLE,
    [VMX_REASON_LOADIWKEY] = IMPOSSIBLE,
    [VMX_REASON_ENCLV] = EXIT_INSTRUCTION,
    [VMX_REASON_ENQCMD] = IMPOSSIBLE,
    [VMX_REASON_ENQCMDS] = IMPOSSIBLE,
    [VMX_REASON_BUS_LOCK] = IMPOSSIBLE,
    [VMX_REASON_INSTRUCTION_TIMEOUT] = IMPOSSIBLE,
    [VMX_REASON_SEAMCALL] = EXIT_INSTRUCTION,
    [VMX_REASON_TDCALL] = EXIT_INSTRUCTION,
    [VMX_REASON_RDMSRLIST] = IMPOSSIBLE,
    [VMX_REASON_WRMSRLIST] = IMPOSSIBLE,
    [VMX_REASON_URDMSR] = IMPOSSIBLE,
    [VMX_REASON_UWRMSR] = IMPOSSIBLE,
};

static const struct {
    uint8_t reason;
    const char *name;
} reasons[] = {
#define X(number, name, text) {(number), (text)},
    VMX_REASONS(X)
#undef X
};

/* Of a vCPU that nobody has made: decoding looks at nothing else. */
static struct vmx_vcpu vcpu;

static struct vm_exit decode(struct vmx_exit fields)
{
    struct vm_exit exit;

    memset(&exit, 0xa5, sizeof(exit));
    vcpu.exit = fields;
    vmx_decode(&vcpu.x86.base, &exit);
    return exit;
}

static bool is_entry_failure(unsigned reason)
{
    return reason == VMX_REASON_ENTRY_GUEST_STATE ||
           reason == VMX_REASON_ENTRY_MSR_LOADING ||
           reason == VMX_REASON_ENTRY_MACHINE_CHECK;
}

Test(vmx_decode, every_reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        unsigned reason = reasons[i].reason;
        uint64_t number = reason;
        struct vm_exit exit;

        if (is_entry_failure(reason))
            number |= VMX_REASON_ENTRY_FAILURE;
        exit = decode((struct vmx_exit){
            .reason = number,
            .length = 3,
            .interruption = VMX_EVENT_VALID | X86_VECTOR_NMI |
                            FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_NMI)});
        cr_assert_eq(exit.kind, kinds[reason], "%s: %s", reasons[i].name,
                     exit_kind_name(exit.kind));
        if (exit.kind == EXIT_UNKNOWN || exit.kind == EXIT_FAIL_ENTRY)
            cr_assert_eq(exit.unknown.reason, number, "%s", reasons[i].name);
        cr_assert_str_eq(vmx_reason_name(number), reasons[i].name);
    }
}

Test(vmx_decode, numbers_without_a_name)
{
    const uint64_t numbers[] = {35, 38, 42, 71, 82, 127, 128, 0xffff, BIT(27)};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct vm_exit exit = decode((struct vmx_exit){.reason = numbers[i]});

        cr_assert_eq(exit.kind, EXIT_UNKNOWN);
        cr_assert_eq(exit.unknown.reason, numbers[i]);
    }
    cr_assert_null(vmx_reason_name(35));
    cr_assert_null(vmx_reason_name(0xffff));
}

/* VMfailInvalid, VMfailValid. */
Test(vmx_decode, refused_entries)
{
    uint64_t controls = VMX_ENTRY_REFUSED | VMX_ERROR_ENTRY_CONTROLS;
    struct vm_exit exit = decode((struct vmx_exit){.reason = controls});

    cr_assert_eq(exit.kind, EXIT_FAIL_ENTRY);
    cr_assert_eq(exit.fail_entry.reason, controls);
    cr_assert_str_eq(vmx_reason_name(controls),
                     "VM entry with invalid control fields");
    exit = decode((struct vmx_exit){.reason = VMX_ENTRY_REFUSED});
    cr_assert_eq(exit.kind, EXIT_FAIL_ENTRY);
    cr_assert_str_eq(vmx_reason_name(VMX_ENTRY_REFUSED), "VMfailInvalid");
    cr_assert_null(vmx_reason_name(VMX_ENTRY_REFUSED | 0xfff));
}

/* What is left to do of accesses to the local APIC. */
Test(vmx_decode, apic)
{
    static const struct {
        uint64_t qualification;
        enum access access;
        uint32_t offset;
    } rows[] = {
        {0x0390, ACCESS_READ, 0x390},   {0x1b0c, ACCESS_WRITE, 0xb0c},
        {0x2020, ACCESS_EXECUTE, 0x20}, {0x3ff0, ACCESS_READ, 0xff0},
        {0xf020, ACCESS_READ, 0x20},
    };
    struct vm_exit exit;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        exit =
            decode((struct vmx_exit){.reason = VMX_REASON_APIC_ACCESS,
                                     .qualification = rows[i].qualification});
        cr_assert_eq(exit.fault.gpa.raw, APIC_PAGE + rows[i].offset);
        cr_assert_eq(exit.fault.access, rows[i].access, "row %zu", i);
        cr_assert_eq(vmx_walks_tables(&vcpu.x86),
                     rows[i].qualification >> 12 == VMX_APIC_PHYSICAL);
    }
    exit = decode((struct vmx_exit){
        .reason = VMX_REASON_APIC_WRITE, .qualification = 0x300, .length = 7});
    cr_assert_eq(exit.insn.number, X86_INTERCEPTED_APIC_WRITE);
    cr_assert_eq(exit.insn.operand, 0x300);
    cr_assert_eq(exit.insn_len, 0, "it is complete");
    exit = decode((struct vmx_exit){.reason = VMX_REASON_VIRTUALIZED_EOI,
                                    .qualification = 0x51});
    cr_assert_eq(exit.insn.number, X86_INTERCEPTED_APIC_EOI);
    cr_assert_eq(exit.insn.operand, 0x51);
}

#define EVENT(type, vector) \
    (VMX_EVENT_VALID | FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_##type) | (vector))

Test(vmx_decode, exceptions)
{
    static const struct {
        uint64_t interruption, error_code;
        enum exit_kind kind;
        uint32_t number;
        uint64_t value;
    } rows[] = {
        {EVENT(EXCEPTION, X86_VECTOR_DB), 9, EXIT_EXCEPTION, 1, 0},
        {EVENT(EXCEPTION, X86_VECTOR_AC) | VMX_EVENT_ERROR_CODE, 0,
         EXIT_EXCEPTION, 17, 0},
        {EVENT(EXCEPTION, X86_VECTOR_AC) | VMX_EVENT_ERROR_CODE, 5,
         EXIT_EXCEPTION, 17, 5},
        {EVENT(EXCEPTION, X86_VECTOR_MC), 0, EXIT_UNKNOWN, 0, 0},
        {EVENT(EXCEPTION, X86_VECTOR_PF), 0, EXIT_UNKNOWN, 0, 0},
        {EVENT(NMI, X86_VECTOR_NMI), 0, EXIT_EXTERNAL_INTERRUPT, 0, 0},
        {EVENT(PRIVILEGED_EXCEPTION, X86_VECTOR_DB), 0, EXIT_INSTRUCTION,
         X86_INTERCEPTED_ICEBP, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vm_exit exit =
            decode((struct vmx_exit){.reason = VMX_REASON_EXCEPTION_NMI,
                                     .interruption = rows[i].interruption,
                                     .error_code = rows[i].error_code,
                                     .length = 1});

        cr_assert_eq(exit.kind, rows[i].kind, "row %zu", i);
        if (exit.kind == EXIT_EXCEPTION) {
            cr_assert_eq(exit.exception.number, rows[i].number, "row %zu", i);
            cr_assert_eq(exit.exception.value, rows[i].value, "row %zu", i);
        }
        if (exit.kind == EXIT_INSTRUCTION) {
            cr_assert_eq(exit.insn.number, rows[i].number, "row %zu", i);
            cr_assert_eq(exit.insn_len, 1, "row %zu", i);
        }
    }
}

/* What the instruction does, and what it raises. */
Test(vmx_decode, instructions)
{
    static const struct {
        uint8_t reason;
        enum x86_intercepted number;
    } rows[] = {
        {VMX_REASON_INVD, X86_INTERCEPTED_CACHE},
        {VMX_REASON_WBINVD, X86_INTERCEPTED_CACHE},
        {VMX_REASON_XSETBV, X86_INTERCEPTED_XSETBV},
        {VMX_REASON_RDPMC, X86_INTERCEPTED_GP},
        {VMX_REASON_GETSEC, X86_INTERCEPTED_UD},
        {VMX_REASON_VMXON, X86_INTERCEPTED_UD},
        {VMX_REASON_MWAIT, X86_INTERCEPTED_UD},
        {VMX_REASON_ENCLS, X86_INTERCEPTED_UD},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vm_exit exit =
            decode((struct vmx_exit){.reason = rows[i].reason, .length = 7});

        cr_assert_eq(exit.kind, EXIT_INSTRUCTION, "row %zu", i);
        cr_assert_eq(exit.insn.number, rows[i].number, "row %zu", i);
        cr_assert_eq(exit.insn_len, 7, "row %zu", i);
    }
}

Test(vmx_decode, control_registers)
{
    static const struct {
        uint64_t qualification;
        enum exit_kind kind;
        uint64_t operand;
    } rows[] = {
        {0x300, EXIT_INSTRUCTION, X86_MOV_CR_WRITE | 0x300 | 0},
        {0xf04, EXIT_INSTRUCTION, X86_MOV_CR_WRITE | 0xf00 | 4},
        {0x018, EXIT_INSTRUCTION, 8},
        {0x020, EXIT_UNKNOWN, 0}, /* CLTS */
        {0x030, EXIT_UNKNOWN, 0}, /* LMSW */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vm_exit exit =
            decode((struct vmx_exit){.reason = VMX_REASON_CR_ACCESS,
                                     .qualification = rows[i].qualification});

        cr_assert_eq(exit.kind, rows[i].kind, "row %zu", i);
        if (exit.kind == EXIT_INSTRUCTION)
            cr_assert_eq(exit.insn.operand,
                         rows[i].operand | X86_MOV_CR_DECODED, "row %zu", i);
    }
}

Test(vmx_decode, ports)
{
    static const struct {
        uint64_t qualification;
        enum exit_kind kind;
        uint8_t width;
        uint64_t data;
    } rows[] = {
        {0x03f80000, EXIT_IO_WRITE, 1, 0x88},
        {0x03f80001, EXIT_IO_WRITE, 2, 0x7788},
        {0x03f80003, EXIT_IO_WRITE, 4, 0x55667788},
        {0x03f80008, EXIT_IO_READ, 1, 0},
        {0x03f8000b, EXIT_IO_READ, 4, 0},
        {0x03f80048, EXIT_IO_READ, 1, 0},     /* the port in the instruction */
        {0x03f80010, EXIT_INSTRUCTION, 0, 0}, /* OUTS */
        {0x03f80002, EXIT_UNKNOWN, 0, 0},     /* of three bytes */
    };

    vcpu.x86.regs.gpr[X86_GPR_RAX] = 0x1122334455667788;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vm_exit exit =
            decode((struct vmx_exit){.reason = VMX_REASON_IO_INSTRUCTION,
                                     .qualification = rows[i].qualification,
                                     .length = 2});

        cr_assert_eq(exit.kind, rows[i].kind, "row %zu", i);
        if (exit.kind != EXIT_IO_READ && exit.kind != EXIT_IO_WRITE)
            continue;
        cr_assert_eq(exit.access.address, 0x3f8, "row %zu", i);
        cr_assert_eq(exit.access.width, rows[i].width, "row %zu", i);
        cr_assert_eq(exit.access.data, rows[i].data, "row %zu", i);
        cr_assert_eq(exit.access.insn_len, 2, "row %zu", i);
    }
}

Test(vmx_decode, ept_violations)
{
    static const struct {
        uint64_t qualification;
        enum access access;
        bool walks_tables;
    } rows[] = {
        {VMX_EPT_READ | VMX_EPT_LINEAR | VMX_EPT_FINAL, ACCESS_READ, false},
        {VMX_EPT_WRITE | VMX_EPT_LINEAR | VMX_EPT_FINAL, ACCESS_WRITE, false},
        {VMX_EPT_READ | VMX_EPT_WRITE | VMX_EPT_LINEAR | VMX_EPT_FINAL,
         ACCESS_WRITE, false},
        {VMX_EPT_FETCH | VMX_EPT_LINEAR | VMX_EPT_FINAL, ACCESS_EXECUTE, false},
        {VMX_EPT_READ | VMX_EPT_LINEAR, ACCESS_READ, true},
        {VMX_EPT_READ | VMX_EPT_WRITE | VMX_EPT_LINEAR, ACCESS_WRITE, true},
        {VMX_EPT_READ, ACCESS_READ, false}, /* loading PDPTEs */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vm_exit exit =
            decode((struct vmx_exit){.reason = VMX_REASON_EPT_VIOLATION,
                                     .qualification = rows[i].qualification,
                                     .guest_physical = 0xfee00030});

        cr_assert_eq(exit.kind, EXIT_NESTED_PAGE_FAULT, "row %zu", i);
        cr_assert_eq(exit.fault.gpa.raw, 0xfee00030, "row %zu", i);
        cr_assert_eq(exit.fault.access, rows[i].access, "row %zu", i);
        cr_assert_eq(vmx_walks_tables(&vcpu.x86), rows[i].walks_tables,
                     "row %zu", i);
    }
}

/* One that waits was not in its guest. */
Test(vmx_decode, waits)
{
    struct vm_exit exit;

    vcpu.x86.wait = X86_HALTS;
    exit = decode((struct vmx_exit){.reason = VMX_REASON_HLT, .length = 1});
    cr_assert_eq(exit.kind, EXIT_HALT);
    cr_assert_eq(exit.insn_len, 0);
    vcpu.x86.wait = X86_RUNS;
    exit = decode((struct vmx_exit){.reason = VMX_REASON_HLT, .length = 1});
    cr_assert_eq(exit.kind, EXIT_HALT);
    cr_assert_eq(exit.insn_len, 1);
}
