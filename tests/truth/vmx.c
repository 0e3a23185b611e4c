/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries by VMLAUNCH. A field's number is its encoding; a field of the host's
 * is what is changed in the host's own, bit by bit, so that a list is the same
 * for every host.
 *
 * An answer has what an exit defines: fields of information that it leaves as
 * they were are 0.
 */
#include "api/memory.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/vmx/exit.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "lib/string.h"
#include "tests/truth/run.h"

#define EPT_RWX UINT64_C(7)
#define EPT_R   BIT(0)
#define EPT_W   BIT(1)
#define EPT_X   BIT(2)
#define EPT_WB  UINT64_C(0x30)

#define GPR(name)                                   \
    {                                               \
        TRUTH_GPR + X86_GPR_##name, 8, "gpr." #name \
    }
#define BYTES(encoding) \
    (((encoding) >> 13) == 0 ? 2 : ((encoding) >> 13) == 2 ? 4 : 8)

static const struct truth_field fields[] = {
#define X(name, encoding, condition) {encoding, BYTES(encoding), #name},
    VMCS_FIELDS(X)
#undef X
        GPR(RAX),
    GPR(RCX),
    GPR(RDX),
    GPR(RBX),
    GPR(RBP),
    GPR(RSI),
    GPR(RDI),
    {TRUTH_CR2, 8, "cr2"},
};

/* Those of the VMCS; the next of the values is CR2. */
#define FIELDS (ARRAY_SIZE(fields) - 8)

static const uint8_t conditions[FIELDS] = {
#define X(name, encoding, condition) VMCS_IF_##condition,
    VMCS_FIELDS(X)
#undef X
};

/* Which of them the processor has. */
static bool exists[FIELDS];

/* What may be 1 in each word of controls. */
static uint64_t allowed[VMX_WORD_COUNT];

static uint64_t may_be_1(uint32_t msr)
{
    return x86_hw_read_msr(msr) >> 32;
}

static void read_capabilities(void)
{
    allowed[VMX_WORD_PIN] = may_be_1(X86_MSR_VMX_PINBASED_CTLS);
    allowed[VMX_WORD_CPU] = may_be_1(X86_MSR_VMX_PROCBASED_CTLS);
    allowed[VMX_WORD_EXIT] = may_be_1(X86_MSR_VMX_EXIT_CTLS);
    allowed[VMX_WORD_ENTRY] = may_be_1(X86_MSR_VMX_ENTRY_CTLS);
    if ((allowed[VMX_WORD_CPU] & VMX_CPU_SECONDARY_CONTROLS) != 0)
        allowed[VMX_WORD_CPU2] = may_be_1(X86_MSR_VMX_PROCBASED_CTLS2);
    if ((allowed[VMX_WORD_CPU] & VMX_CPU_TERTIARY_CONTROLS) != 0)
        allowed[VMX_WORD_CPU3] = x86_hw_read_msr(X86_MSR_VMX_PROCBASED_CTLS3);
    if ((allowed[VMX_WORD_CPU2] & VMX_CPU2_VM_FUNCTIONS) != 0)
        allowed[VMX_WORD_FUNCTION] = x86_hw_read_msr(X86_MSR_VMX_VMFUNC);
    if ((allowed[VMX_WORD_EXIT] & VMX_EXIT_SECONDARY_CONTROLS) != 0)
        allowed[VMX_WORD_EXIT2] = x86_hw_read_msr(X86_MSR_VMX_EXIT_CTLS2);
}

static bool condition_holds(unsigned condition)
{
    static const struct {
        uint8_t word, other_word;
        uint64_t control, other;
    } rows[] = {
#define X(name, word, control, other_word, other) \
    {VMX_WORD_##word, VMX_WORD_##other_word, control, other},
        VMCS_CONDITIONS(X)
#undef X
    };

    return condition == VMCS_IF_ALWAYS ||
           (allowed[rows[condition].word] & rows[condition].control) != 0 ||
           (allowed[rows[condition].other_word] & rows[condition].other) != 0;
}

/* The guest sees its memory, and nothing else. */
static void make_ept(struct truth_machine *machine)
{
    uint64_t *tables = (uint64_t *)(machine->memory + TRUTH_OWN(TRUTH_VMX_EPT));
    uint64_t base = machine->base.raw;

    for (unsigned level = 0; level < 3; level++)
        tables[level * 512] =
            (base + TRUTH_OWN(TRUTH_VMX_EPT + level + 1)) | EPT_RWX;
    for (uint32_t page = 0; page < machine->list->header.pages; page++) {
        uint8_t rights = machine->list->rights[page];

        if ((rights & TRUTH_READ) != 0)
            tables[3 * 512 + page] =
                (base + page * PAGE_SIZE) | EPT_WB | EPT_R |
                ((rights & TRUTH_WRITE) != 0 ? EPT_W : 0) |
                ((rights & TRUTH_EXECUTE) != 0 ? EPT_X : 0);
    }
}

#define NOT_CANONICAL UINT64_C(0x0000900000001000)
#define PAT_WRONG     UINT64_C(0x0202020202020202)

/* MSRs that SDM volume 4 has, and no guest. */
#define MSR_PLATFORM_ID    0x17
#define MSR_BIOS_UPDT_TRIG 0x79
#define MSR_SMBASE         0x9e
#define MSR_X2APIC_TPR     0x808

/* Lists of MSRs, which a case has a part of. */
static const struct {
    uint16_t at;
    struct vmx_msr_entry entry;
} msrs[] = {
    {0x000, {X86_MSR_SYSENTER_CS, 0, 0x58}},
    {0x010, {X86_MSR_SYSENTER_ESP, 0, 0x1234}},
    {0x020, {X86_MSR_FS_BASE, 0, 0}},
    {0x030, {X86_MSR_SYSENTER_CS, 0, 0x68}},
    {0x040, {MSR_X2APIC_TPR, 0, 0}},
    {0x050, {MSR_BIOS_UPDT_TRIG, 0, 0}},
    {0x060, {X86_MSR_GS_BASE, 0, 0}},
    {0x070, {X86_MSR_SYSENTER_ESP, 0, 0x5678}},
    {0x080, {MSR_SMBASE, 0, 0}},
    {0x090, {X86_MSR_PAT, 0, PAT_WRONG}},
    {0x0a0, {X86_MSR_SYSENTER_EIP, 0, NOT_CANONICAL}},
    {0x0b0, {X86_MSR_SYSENTER_EIP, 0, 0x1234}},
    {0x0c0, {X86_MSR_EFER, 0, X86_EFER_SCE | BIT(63)}},
    {0x0d0, {X86_MSR_STAR, 0, 0}},
    {0x0e0, {X86_MSR_SYSENTER_EIP, 0, 0x5678}},
    {0x0f0, {X86_MSR_PAT, 0, PAT_WRONG}},
    {0x100, {MSR_PLATFORM_ID, 0, 0}},
    {0x110, {X86_MSR_SYSENTER_CS, 1, 0}},
    {0x120, {X86_MSR_LSTAR, 0, NOT_CANONICAL}},
    {0x130, {X86_MSR_SYSENTER_CS, 0, 0}},
    {0x140,
     {X86_MSR_EFER, 0,
      X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE}},
    {0x150, {X86_MSR_SYSENTER_CS, 0, 0}},
    {0x180, {X86_MSR_EFER, 0, X86_EFER_NXE}},
    {0x190, {X86_MSR_SYSENTER_CS, 0, 0}},
    {TRUTH_MSRS_TO_STORE, {X86_MSR_SYSENTER_CS, 0, 0}},
    {TRUTH_MSRS_TO_STORE + 0x10, {X86_MSR_SYSENTER_EIP, 0, 0}},
    {TRUTH_MSRS_TO_LOAD, {X86_MSR_SYSENTER_CS, 0, 0}},
    {TRUTH_MSRS_TO_LOAD + 0x10, {X86_MSR_SYSENTER_ESP, 0, 0}},
};

static void make_msrs(uint8_t *page)
{
    const struct vmx_msr_entry entry = {.index = X86_MSR_SYSENTER_CS};

    for (unsigned at = 0; at < PAGE_SIZE; at += sizeof(entry))
        memcpy(page + at, &entry, sizeof(entry));
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
        memcpy(page + msrs[i].at, &msrs[i].entry, sizeof(msrs[i].entry));
}

static void vmx_prepare(struct truth_machine *machine)
{
    static uint64_t values[FIELDS + 1];
    uint32_t revision = (uint32_t)x86_hw_read_msr(X86_MSR_VMX_BASIC);

    memset(machine->memory + TRUTH_OWN(0), 0, TRUTH_VMX_PAGES * PAGE_SIZE);
    memset(machine->memory + TRUTH_OWN(TRUTH_VMX_IO), 0xff, 3 * PAGE_SIZE);
    memcpy(machine->memory + TRUTH_OWN(TRUTH_VMX_VMCS), &revision, 4);
    memcpy(machine->memory + TRUTH_OWN(TRUTH_VMX_LINKED), &revision, 4);
    memcpy(machine->memory + TRUTH_OWN(TRUTH_VMX_VMXON), &revision, 4);
    make_msrs(machine->memory + TRUTH_OWN(TRUTH_VMX_MSRS));
    make_ept(machine);
    read_capabilities();
    for (unsigned i = 0; i < FIELDS; i++)
        exists[i] = condition_holds(conditions[i]);
    machine->control = values;
    machine->control_pa = hpa(machine->base.raw + TRUTH_OWN(TRUTH_VMX_VMCS));
}

static void vmx_clear(struct truth_machine *machine)
{
    memset(machine->control, 0, (FIELDS + 1) * sizeof(uint64_t));
}

static uint64_t *place(const struct truth_machine *machine,
                       const struct truth_field *field)
{
    if (field->number == TRUTH_CR2)
        return (uint64_t *)machine->control + FIELDS;
    if (field->number >= TRUTH_GPR)
        return (uint64_t *)&machine->regs.gpr[field->number - TRUTH_GPR];
    return (uint64_t *)machine->control + (field - fields);
}

static void vmx_put(struct truth_machine *machine,
                    const struct truth_field *field, uint64_t value)
{
    *place(machine, field) = zero_extend(value, field->size * 8u);
}

static uint64_t vmx_get(const struct truth_machine *machine,
                        const struct truth_field *field)
{
    return *place(machine, field);
}

static uint64_t *value_of(struct truth_machine *machine, uint32_t encoding)
{
    return place(machine, truth_field(machine->vendor, (uint16_t)encoding));
}

/* The host's own fields, but for what the case changes in them. */
static void write_host(struct truth_machine *machine)
{
    const uint64_t *values = machine->control;

    for (unsigned i = 0; i < FIELDS; i++) {
        if (exists[i] && vmcs_type(fields[i].number) == VMCS_TYPE_HOST)
            x86_vmx_vmwrite(fields[i].number, 0);
    }
    x86_vmx_set_host_state();
    for (unsigned i = 0; i < FIELDS; i++) {
        if (values[i] != 0 && exists[i] &&
            vmcs_type(fields[i].number) == VMCS_TYPE_HOST)
            x86_vmx_vmwrite(fields[i].number,
                            x86_vmx_vmread(fields[i].number) ^ values[i]);
    }
}

static bool is_written(enum vmcs_type type)
{
    return type == VMCS_TYPE_CONTROL || type == VMCS_TYPE_GUEST;
}

static void write_state(struct truth_machine *machine)
{
    const uint64_t *values = machine->control;

    x86_vmx_vmclear(machine->control_pa);
    x86_vmx_vmptrld(machine->control_pa);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (exists[i] && is_written(vmcs_type(fields[i].number)))
            x86_vmx_vmwrite(fields[i].number, values[i]);
    }
    write_host(machine);
}

static uint64_t take(struct truth_machine *machine, uint32_t encoding)
{
    uint64_t *value = value_of(machine, encoding);

    *value = x86_vmx_vmread(encoding);
    return *value;
}

/* An event, and its error code. */
static void take_event(struct truth_machine *machine, uint32_t info,
                       uint32_t error)
{
    uint64_t event = take(machine, info);

    if ((event & VMX_EVENT_VALID) == 0) {
        *value_of(machine, info) = 0;
        return;
    }
    if ((event & VMX_EVENT_ERROR_CODE) != 0)
        take(machine, error);
    if (FIELD_GET(VMX_EVENT_TYPE, event) >= VMX_EVENT_SOFTWARE_INTERRUPT)
        take(machine, VMCS_EXIT_INSTRUCTION_LENGTH);
}

static bool has_length(uint64_t reason)
{
    switch (reason) {
    case VMX_REASON_CPUID:
    case VMX_REASON_HLT:
    case VMX_REASON_INVD:
    case VMX_REASON_RDTSC:
    case VMX_REASON_VMCALL:
    case VMX_REASON_CR_ACCESS:
    case VMX_REASON_MOV_DR:
    case VMX_REASON_IO_INSTRUCTION:
    case VMX_REASON_RDMSR:
    case VMX_REASON_WRMSR:
    case VMX_REASON_PAUSE:
    case VMX_REASON_WBINVD:
    case VMX_REASON_XSETBV: return true;
    default: return false;
    }
}

static void take_information(struct truth_machine *machine)
{
    uint64_t reason = take(machine, VMCS_EXIT_REASON);
    uint64_t qualification = take(machine, VMCS_EXIT_QUALIFICATION);

    if ((reason & VMX_REASON_ENTRY_FAILURE) != 0)
        return;
    take_event(machine, VMCS_EXIT_INTERRUPTION_INFO,
               VMCS_EXIT_INTERRUPTION_ERROR_CODE);
    take_event(machine, VMCS_IDT_VECTORING_INFO, VMCS_IDT_VECTORING_ERROR_CODE);
    if (has_length(reason))
        take(machine, VMCS_EXIT_INSTRUCTION_LENGTH);
    if (reason == VMX_REASON_EPT_VIOLATION ||
        reason == VMX_REASON_EPT_MISCONFIGURATION)
        take(machine, VMCS_GUEST_PHYSICAL_ADDRESS);
    if (reason == VMX_REASON_EPT_VIOLATION &&
        (qualification & VMX_EPT_LINEAR) != 0)
        take(machine, VMCS_GUEST_LINEAR_ADDRESS);
}

static void take_state(struct truth_machine *machine)
{
    for (unsigned i = 0; i < FIELDS; i++) {
        if (exists[i] && vmcs_type(fields[i].number) == VMCS_TYPE_GUEST)
            take(machine, fields[i].number);
    }
    take(machine, VMCS_ENTRY_INTERRUPTION_INFO);
}

/* NMIs that the guest has blocked are the host's to unblock: its own would
 * never come, and the next case would find them blocked. */
static void unblock_nmi(struct truth_machine *machine)
{
    uint64_t blocking = *value_of(machine, VMCS_GUEST_INTERRUPTIBILITY_STATE);

    if ((blocking & VMX_BLOCKING_NMI) != 0)
        x86_vmx_host_event((uint32_t)(VMX_EVENT_VALID |
                                      FIELD_PUT(VMX_EVENT_TYPE, VMX_EVENT_NMI) |
                                      X86_VECTOR_NMI));
}

static void vmx_enter(struct truth_machine *machine)
{
    uint64_t *cr2 = value_of(machine, TRUTH_CR2);
    struct x86_vmx_state state = {.cr2 = *cr2};
    uint32_t result;

    write_state(machine);
    if ((allowed[VMX_WORD_CPU2] & VMX_CPU2_EPT) != 0)
        x86_vmx_invept(VMX_INVEPT_ALL_CONTEXTS, 0);
    if ((allowed[VMX_WORD_CPU2] & VMX_CPU2_VPID) != 0)
        x86_vmx_invvpid(VMX_INVVPID_ALL_CONTEXTS, 0, 0);
    x86_vmx_load_state(&state);
    result = x86_vmx_enter(&machine->regs, false);
    x86_vmx_save_state(&state);
    if (result == X86_VMX_ENTERED) {
        *cr2 = state.cr2;
        take_information(machine);
        take_state(machine);
        unblock_nmi(machine);
    } else {
        machine->fail = result == X86_VMX_FAIL_INVALID
                            ? UINT64_MAX
                            : x86_vmx_vmread(VMCS_VM_INSTRUCTION_ERROR);
    }
    x86_vmx_vmclear(machine->control_pa);
}

static bool vmx_is_output(uint16_t number)
{
    return number >= TRUTH_GPR || number == VMCS_ENTRY_INTERRUPTION_INFO ||
           vmcs_type(number) != VMCS_TYPE_CONTROL;
}

const struct truth_vendor truth_vmx = {
    .name = "vmx",
    .cpu = TRUTH_VMX,
    .pages = TRUTH_VMX_PAGES,
    .host_page = TRUTH_VMX_VMXON,
    .fields = fields,
    .field_count = ARRAY_SIZE(fields),
    .prepare = vmx_prepare,
    .clear = vmx_clear,
    .put = vmx_put,
    .get = vmx_get,
    .enter = vmx_enter,
    .is_output = vmx_is_output,
};
