/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator's part for VMX: VMCSs in every mode, and the rules that VM
 * entries check: those of the fake processor, by its own functions
 * (sim/fake_hw/x86_64/vmx/rules.h).
 *
 * A host field is what is changed in the host's: here, in one that is legal.
 */
#include <string.h>

#include "arch/x86_64/msr.h"
#include "tests/truth/make_vmx.h"

#define ALL UINT64_MAX

/* Of the image's host: what rules look at, and is not as in any other. */
#define HOST_RIP 0x1000
#define HOST_TR  0x20

uint64_t make_vmx_values[VMCS_FIELD_COUNT];

static struct vmx_check check_of(const struct truth_machine *machine)
{
    return (struct vmx_check){
        .field = make_vmx_values,
        .profile = make_vmx_profile(),
        .current = machine->control_pa.raw,
        .host_long = true,
    };
}

struct vmx_check make_vmx_load(const struct truth_machine *machine)
{
    const uint64_t *state = machine->control;
    struct vmx_check check = check_of(machine);

    vmx_make_legal(&check, VMX_GUEST_LONG);
    V(HOST_RIP) = HOST_RIP;
    V(HOST_TR_SELECTOR) = HOST_TR;
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
        make_vmx_values[i] =
            make_vmx_is_host(i) ? make_vmx_values[i] ^ state[i] : state[i];
    return check;
}

static void store(uint64_t *state)
{
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
        state[i] = make_vmx_is_host(i) ? 0 : make_vmx_values[i];
}

/* States ------------------------------------------------------------------ */

const struct make_vmx_state make_vmx_states[] = {
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

const unsigned make_vmx_state_count = ARRAY_SIZE(make_vmx_states);

static void make_user(void)
{
    static const uint16_t rights[] = {
        VMCS_AT_GUEST_CS_ACCESS_RIGHTS, VMCS_AT_GUEST_SS_ACCESS_RIGHTS,
        VMCS_AT_GUEST_DS_ACCESS_RIGHTS, VMCS_AT_GUEST_ES_ACCESS_RIGHTS,
        VMCS_AT_GUEST_FS_ACCESS_RIGHTS, VMCS_AT_GUEST_GS_ACCESS_RIGHTS};

    for (unsigned i = 0; i < ARRAY_SIZE(rights); i++)
        make_vmx_values[rights[i]] |= VMX_AR_DPL;
    V(GUEST_CS_SELECTOR) |= 3;
    V(GUEST_SS_SELECTOR) |= 3;
}

/* Everything that a guest could do to the machine exits, and nothing that it
 * loads stays. */
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
    V(EXIT_MSR_LOAD_ADDRESS) =
        base + TRUTH_OWN(TRUTH_VMX_MSRS) + TRUTH_MSRS_TO_LOAD;
    V(EXIT_MSR_STORE_ADDRESS) =
        base + TRUTH_OWN(TRUTH_VMX_MSRS) + TRUTH_MSRS_TO_STORE;
}

static void make_state(const struct truth_machine *machine, unsigned number,
                       uint64_t *values)
{
    const struct make_vmx_state *state = &make_vmx_states[number];
    struct vmx_check check = check_of(machine);

    vmx_make_legal(&check, state->mode);
    make_addresses(machine->base.raw);
    force_controls();
    if (!state->user || state->mode == VMX_GUEST_LONG)
        V(SECONDARY_CONTROLS) |=
            VMX_CPU2_UNRESTRICTED_GUEST & make_vmx_profile()->cpu2;
    V(EXIT_CONTROLS) |= (VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER |
                         VMX_EXIT_LOAD_PAT | VMX_EXIT_LOAD_CET) &
                        make_vmx_profile()->exit.allowed1;
    V(ENTRY_CONTROLS) |=
        VMX_ENTRY_LOAD_EFER & make_vmx_profile()->entry.allowed1;
    V(GUEST_CR3) = state->cr3;
    V(GUEST_GDTR_BASE) = state->gdt;
    V(GUEST_IDTR_BASE) = state->idt;
    V(GUEST_TR_BASE) = LAYOUT_TSS;
    V(GUEST_RIP) = LAYOUT_CODE;
    V(GUEST_RSP) = LAYOUT_STACK;
    V(GUEST_PDPTE0) = (LAYOUT_PML4 + 0x2000) | 1;
    if (state->unpaged)
        V(GUEST_CR0) &= ~X86_CR0_PG;
    if (state->compatibility)
        V(GUEST_CS_ACCESS_RIGHTS) ^= VMX_AR_L | VMX_AR_DB;
    if (state->user)
        make_user();
    if (state->mode == VMX_GUEST_V86) {
        V(GUEST_CS_SELECTOR) = LAYOUT_CODE >> 4;
        V(GUEST_CS_BASE) = LAYOUT_CODE;
        V(GUEST_RIP) = 0;
    }
    if (number % 2 != 0) {
        V(GUEST_RFLAGS) |= X86_RFLAGS_IF;
        V(LINK_POINTER) = machine->base.raw + TRUTH_OWN(TRUTH_VMX_LINKED);
    }
    store(values);
}

const uint64_t *make_vmx_state(const struct truth_machine *machine,
                               unsigned number)
{
    static struct {
        const struct vmx_profile *profile;
        uint64_t base;
        uint64_t values[VMCS_FIELD_COUNT];
    } made[ARRAY_SIZE(make_vmx_states)];

    if (made[number].profile != make_vmx_profile() ||
        made[number].base != machine->base.raw) {
        make_state(machine, number, made[number].values);
        made[number].profile = make_vmx_profile();
        made[number].base = machine->base.raw;
    }
    return made[number].values;
}

static void vmx_make_state(struct truth_machine *machine, unsigned number)
{
    memcpy(machine->control, make_vmx_state(machine, number),
           sizeof(make_vmx_values));
}

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

static bool vmx_repair_state(struct truth_machine *machine)
{
    struct vmx_check check = make_vmx_load(machine);

    vmx_repair(&check);
    store(machine->control);
    return true;
}

/* Operations -------------------------------------------------------------- */

/* Those that always exit with the controls that cases have. */
static bool always_exits(const struct guest_op *op)
{
    switch (op->kind) {
    case OP_X86_HLT:
    case OP_X86_CPUID:
    case OP_X86_INVD:
    case OP_X86_RDTSC:
    case OP_X86_IN:
    case OP_X86_OUT:
    case OP_X86_RDMSR:
    case OP_X86_WRMSR:
    case OP_X86_XSETBV:
    case OP_X86_VMMCALL:
    case OP_X86_READ_DR:
    case OP_X86_WRITE_DR:
    case OP_X86_LMSW: return true;
    case OP_X86_WRITE_CR: return op->number != 3;
    case OP_X86_READ_CR: return op->number == 8;
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

    (void)make_vmx_load(machine);
    rflags = V(GUEST_RFLAGS);
    iopl = FIELD_GET(X86_RFLAGS_IOPL, rflags);
    cpl = (V(GUEST_CS_SELECTOR) & 3) |
          FIELD_GET(VMX_AR_DPL, V(GUEST_SS_ACCESS_RIGHTS));
    return (rflags & X86_RFLAGS_VM) == 0 && cpl <= iopl;
}

/* Where CR8 is. */
static bool is_64bit(const struct truth_machine *machine)
{
    (void)make_vmx_load(machine);
    return (V(ENTRY_CONTROLS) & VMX_ENTRY_IA32E_MODE_GUEST) != 0 &&
           (V(GUEST_CS_ACCESS_RIGHTS) & VMX_AR_L) != 0;
}

static bool vmx_settle(struct truth_machine *machine, unsigned number,
                       struct truth_random *random)
{
    const struct truth_op *op = &truth_ops[number];

    if (!always_exits(&op->op) || (is_io(op->op.kind) && !may_do_io(machine)) ||
        (op->op.number == 8 && !is_64bit(machine)))
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

    (void)make_vmx_load(machine);
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
    .state_count = ARRAY_SIZE(make_vmx_states),
    .make_state = vmx_make_state,
    .rule_count = vmx_rules_here,
    .rule_name = vmx_rule_name,
    .gives_up = true,
    .changes = &make_vmx_changes,
    .is_address = vmx_is_address,
    .broken = make_vmx_broken,
    .comes_last = make_vmx_comes_last,
    .repair = vmx_repair_state,
    .settle = vmx_settle,
    .encode = vmx_encode_op,
};
