/* SPDX-License-Identifier: Apache-2.0 */
/* VMX instructions in VMX root operation; see vmx.h. */
#include <stddef.h>
#include <string.h>

#include "api/memory.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "lib/check.h"
#include "lib/compiler.h"
#include "sim/fake_hw/x86_64/vmx/vmx.h"
#include "sim/ram.h"

#define REGION_SIZE 4096

/* Makes the mark of a region that VMCLEAR knows different for each address, so
 * that a copy of the region has none. */
#define MARK UINT32_C(0x766d6373)

#define RTIT_CTL_TRACE_EN BIT(0)

static uint32_t mark_of(uint64_t address)
{
    return MARK ^ (uint32_t)(address / REGION_SIZE);
}

/* A pointer to a region that there can be: aligned, and not too wide. */
static bool is_pointer(const struct fake_vmx *vmx, uint64_t address)
{
    return is_aligned(address, REGION_SIZE) &&
           address >> vmx->profile->phys_bits == 0;
}

/* A region, or NULL after reporting a violation. */
static struct fake_vmcs *region(const struct fake_vmx *vmx, uint64_t address)
{
    if (likely(ram_is_allocated(hpa(address), REGION_SIZE)))
        return memory_phys_to_virt(hpa(address));
    violation(RULE_VMX_ADDRESS, "0x%llx on CPU %u", (unsigned long long)address,
              vmx->index);
    return NULL;
}

static void note_write(uint64_t address)
{
    ram_note_write(hpa(address), sizeof(struct fake_vmcs));
}

static bool revision_is(const struct fake_vmx *vmx, uint32_t revision)
{
    return (revision & VMCS_REVISION) ==
           (vmx->profile->basic & VMX_BASIC_REVISION);
}

static enum vmx_outcome fail(struct fake_vmx *vmx, enum vmx_error error)
{
    if (vmx->vmcs == NULL)
        return VMX_FAIL_INVALID;
    vmx->vmcs->field[VMCS_AT_VM_INSTRUCTION_ERROR] = error;
    return VMX_FAIL_VALID;
}

static void forget_current(struct fake_vmx *vmx)
{
    vmx->current = VMCS_NO_ADDRESS;
    vmx->vmcs = NULL;
}

void vmx_reset(struct fake_vmx *vmx, const struct vmx_profile *profile,
               uint32_t index)
{
    memset(vmx, 0, offsetof(struct fake_vmx, active));
    for (unsigned i = 0; i < VMX_ACTIVE; i++)
        vmx->active[i].address = 0;
    for (unsigned i = 0; i < VMX_LEGAL; i++)
        vmx->legal[i].check.profile = NULL;
    vmx->profile = profile;
    vmx->index = index;
    vmx->vmxon = VMCS_NO_ADDRESS;
    forget_current(vmx);
}

void vmx_restore(struct fake_vmx *vmx, const struct fake_vmx *then)
{
    memcpy(vmx, then, offsetof(struct fake_vmx, active));
    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (then->active[i].address != 0)
            vmx->active[i] = then->active[i];
        else
            vmx->active[i].address = 0;
    }
}

/* The copy of an active VMCS, or NULL. */
static struct vmx_active *find_active(struct fake_vmx *vmx, uint64_t address)
{
    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (vmx->active[i].address == address && address != 0)
            return &vmx->active[i];
    }
    return NULL;
}

/* The copy goes to memory, where it has the region's first doublewords. */
static void write_back(struct fake_vmx *vmx, struct vmx_active *active)
{
    struct fake_vmcs *memory = region(vmx, active->address);

    if (memory != NULL) {
        active->vmcs.revision = memory->revision;
        active->vmcs.abort = memory->abort;
        *memory = active->vmcs;
        note_write(active->address);
    }
    active->address = 0;
}

/* Room for a copy: the one that has not been current for the longest time goes
 * to memory. */
static struct vmx_active *make_room(struct fake_vmx *vmx)
{
    struct vmx_active *oldest = &vmx->active[0];

    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (vmx->active[i].address == 0)
            return &vmx->active[i];
        if (vmx->active[i].used < oldest->used)
            oldest = &vmx->active[i];
    }
    write_back(vmx, oldest);
    return oldest;
}

/* Fields have no more bits than VMWRITE would give them. */
static void narrow(struct fake_vmcs *vmcs)
{
    for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
        vmcs->field[i] =
            zero_extend(vmcs->field[i], vmcs_bits(vmcs_fields[i].encoding));
}

static bool is_known(const struct fake_vmcs *memory, uint64_t address)
{
    return memory->known == mark_of(address);
}

static void check_other(const struct fake_vmx *vmx,
                        const struct fake_vmcs *memory, uint64_t address)
{
    if (is_known(memory, address) && memory->active_on != 0 &&
        memory->active_on != vmx->index + 1)
        violation(RULE_VMX_TWO_PROCESSORS, "VMCS 0x%llx on CPU %u and %u",
                  (unsigned long long)address, memory->active_on - 1,
                  vmx->index);
}

/* A region becomes active, with a copy of what memory has. */
static struct vmx_active *activate(struct fake_vmx *vmx, uint64_t address,
                                   struct fake_vmcs *memory)
{
    struct vmx_active *active = make_room(vmx);

    check_other(vmx, memory, address);
    active->address = address;
    active->vmcs = *memory;
    active->vmcs.active_on = vmx->index + 1;
    if (!is_known(memory, address)) {
        /* Nobody has cleared it: what its launch state is, is not known. */
        active->vmcs.known = mark_of(address);
        active->vmcs.launch = VMCS_LAUNCHED;
        narrow(&active->vmcs);
    }
    memory->known = active->vmcs.known;
    memory->active_on = active->vmcs.active_on;
    note_write(address);
    return active;
}

static bool cr_is_supported(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (fixed0 & ~value) == 0 && (value & ~fixed1) == 0;
}

enum vmx_outcome vmx_vmxon(struct fake_vmx *vmx, uint64_t address)
{
    const struct vmx_profile *profile = vmx->profile;
    const struct fake_vmcs *memory;

    if ((vmx->cr0 & X86_CR0_PE) == 0 || (vmx->cr4 & X86_CR4_VMXE) == 0)
        return VMX_UD;
    if (vmx->on)
        return fail(vmx, VMX_ERROR_VMXON_IN_ROOT);
    if (!cr_is_supported(vmx->cr0, profile->cr0_fixed0, profile->cr0_fixed1) ||
        !cr_is_supported(vmx->cr4, profile->cr4_fixed0, profile->cr4_fixed1) ||
        (vmx->feature_control & VMX_FEATURE_LOCK) == 0 ||
        (vmx->feature_control & VMX_FEATURE_OUTSIDE_SMX) == 0)
        return VMX_GP;
    if (!is_pointer(vmx, address))
        return VMX_FAIL_INVALID;
    memory = region(vmx, address);
    if (memory == NULL || !revision_is(vmx, memory->revision) ||
        (memory->revision & VMCS_SHADOW) != 0)
        return VMX_FAIL_INVALID;
    vmx->on = true;
    vmx->vmxon = address;
    forget_current(vmx);
    return VMX_SUCCEED;
}

/* A copy is lost; memory keeps that the VMCS was launched. */
static void drop(struct fake_vmx *vmx, struct vmx_active *active)
{
    struct fake_vmcs *memory = region(vmx, active->address);

    if (memory != NULL) {
        memory->active_on = 0;
        if (active->vmcs.launch == VMCS_LAUNCHED)
            memory->launch = VMCS_LAUNCHED_BEFORE_VMXOFF;
        note_write(active->address);
    }
    active->address = 0;
}

enum vmx_outcome vmx_vmxoff(struct fake_vmx *vmx)
{
    if (!vmx->on)
        return VMX_UD;
    for (unsigned i = 0; i < VMX_ACTIVE; i++) {
        if (vmx->active[i].address != 0)
            drop(vmx, &vmx->active[i]);
    }
    vmx->on = false;
    vmx->vmxon = VMCS_NO_ADDRESS;
    forget_current(vmx);
    return VMX_SUCCEED;
}

/* In memory, of a VMCS that is not active here. */
static void clear_memory(const struct fake_vmx *vmx, struct fake_vmcs *memory,
                         uint64_t address)
{
    check_other(vmx, memory, address);
    if (!is_known(memory, address)) {
        memory->known = mark_of(address);
        memory->active_on = 0;
        narrow(memory);
    }
    if (memory->active_on == vmx->index + 1)
        memory->active_on = 0;
    memory->launch = VMCS_CLEAR;
    note_write(address);
}

enum vmx_outcome vmx_vmclear(struct fake_vmx *vmx, uint64_t address)
{
    struct vmx_active *active;
    struct fake_vmcs *memory;

    if (!vmx->on)
        return VMX_UD;
    if (!is_pointer(vmx, address))
        return fail(vmx, VMX_ERROR_VMCLEAR_ADDRESS);
    if (address == vmx->vmxon)
        return fail(vmx, VMX_ERROR_VMCLEAR_VMXON);
    active = find_active(vmx, address);
    if (active != NULL) {
        active->vmcs.launch = VMCS_CLEAR;
        active->vmcs.active_on = 0;
        write_back(vmx, active);
    } else {
        memory = region(vmx, address);
        if (memory != NULL)
            clear_memory(vmx, memory, address);
    }
    if (address == vmx->current)
        forget_current(vmx);
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_vmptrld(struct fake_vmx *vmx, uint64_t address)
{
    struct vmx_active *active;
    struct fake_vmcs *memory;

    if (!vmx->on)
        return VMX_UD;
    if (!is_pointer(vmx, address))
        return fail(vmx, VMX_ERROR_VMPTRLD_ADDRESS);
    if (address == vmx->vmxon)
        return fail(vmx, VMX_ERROR_VMPTRLD_VMXON);
    memory = region(vmx, address);
    if (memory == NULL || !revision_is(vmx, memory->revision) ||
        ((memory->revision & VMCS_SHADOW) != 0 &&
         (vmx->profile->cpu2 & VMX_CPU2_VMCS_SHADOWING) == 0))
        return fail(vmx, VMX_ERROR_VMPTRLD_REVISION);
    active = find_active(vmx, address);
    if (active == NULL)
        active = activate(vmx, address, memory);
    active->used = ++vmx->loads;
    active->vmcs.revision = memory->revision;
    vmx->current = address;
    vmx->vmcs = &active->vmcs;
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_vmptrst(struct fake_vmx *vmx, uint64_t *address)
{
    if (!vmx->on)
        return VMX_UD;
    *address = vmx->current;
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_vmread(struct fake_vmx *vmx, uint64_t encoding,
                            uint64_t *value)
{
    enum vmcs_at at;

    if (!vmx->on)
        return VMX_UD;
    if (vmx->vmcs == NULL)
        return VMX_FAIL_INVALID;
    at = vmcs_find(vmx->profile, encoding);
    if (at == VMCS_FIELD_COUNT)
        return fail(vmx, VMX_ERROR_UNSUPPORTED_FIELD);
    *value = vmcs_read(vmx->vmcs, at, encoding);
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_vmwrite(struct fake_vmx *vmx, uint64_t encoding,
                             uint64_t value)
{
    enum vmcs_at at;

    if (!vmx->on)
        return VMX_UD;
    if (vmx->vmcs == NULL)
        return VMX_FAIL_INVALID;
    at = vmcs_find(vmx->profile, encoding);
    if (at == VMCS_FIELD_COUNT)
        return fail(vmx, VMX_ERROR_UNSUPPORTED_FIELD);
    if (vmcs_type(encoding) == VMCS_TYPE_READ_ONLY &&
        (vmx->profile->misc & VMX_MISC_WRITE_ANY) == 0)
        return fail(vmx, VMX_ERROR_VMWRITE_READ_ONLY);
    vmcs_write(vmx->vmcs, at, encoding, value);
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_vmcall(struct fake_vmx *vmx)
{
    return vmx->on ? fail(vmx, VMX_ERROR_VMCALL_IN_ROOT) : VMX_UD;
}

enum vmx_outcome vmx_invept(struct fake_vmx *vmx, uint64_t type,
                            const uint64_t descriptor[2])
{
    uint64_t has = vmx->profile->ept_vpid;
    bool legal;

    if (!vmx->on || (has & VMX_EPT_CAP_INVEPT) == 0)
        return VMX_UD;
    switch (type) {
    case VMX_INVEPT_SINGLE_CONTEXT:
        legal = (has & VMX_EPT_CAP_INVEPT_SINGLE) != 0 &&
                vmx_eptp_is_legal(vmx->profile, descriptor[0]);
        break;
    case VMX_INVEPT_ALL_CONTEXTS:
        legal = (has & VMX_EPT_CAP_INVEPT_ALL) != 0;
        break;
    default: legal = false; break;
    }
    if (!legal || descriptor[1] != 0)
        return fail(vmx, VMX_ERROR_INVALIDATION_OPERAND);
    return VMX_SUCCEED;
}

enum vmx_outcome vmx_invvpid(struct fake_vmx *vmx, uint64_t type,
                             const uint64_t descriptor[2])
{
    uint64_t has = vmx->profile->ept_vpid;
    uint64_t address = descriptor[1];
    bool legal;

    if (!vmx->on || (has & VMX_VPID_CAP_INVVPID) == 0)
        return VMX_UD;
    legal = type <= VMX_INVVPID_RETAINING_GLOBALS &&
            (has & VMX_VPID_CAP_ADDRESS << type) != 0 &&
            descriptor[0] <= UINT16_MAX;
    if (legal && type != VMX_INVVPID_ALL_CONTEXTS)
        legal = descriptor[0] != 0;
    if (legal && type == VMX_INVVPID_ADDRESS)
        legal = (uint64_t)sign_extend(address, vmx->profile->linear_bits) ==
                address;
    if (!legal)
        return fail(vmx, VMX_ERROR_INVALIDATION_OPERAND);
    return VMX_SUCCEED;
}

struct vmx_check vmx_check_of(struct fake_vmx *vmx)
{
    return (struct vmx_check){
        .field = vmx->vmcs->field,
        .profile = vmx->profile,
        .current = vmx->current,
        .host_long = (vmx->efer & X86_EFER_LMA) != 0,
        .tracing = (vmx->rtit_ctl & RTIT_CTL_TRACE_EN) != 0,
    };
}

struct vmx_legal *vmx_legal_of(struct fake_vmx *vmx)
{
    return &vmx->legal[vmx->current / REGION_SIZE % VMX_LEGAL];
}

/* Section 29.8. */
static enum vmx_outcome fail_late(struct fake_vmx *vmx, enum vmx_reason reason,
                                  uint64_t qualification)
{
    vmx->vmcs->field[VMCS_AT_EXIT_REASON] = reason | VMX_REASON_ENTRY_FAILURE;
    vmx->vmcs->field[VMCS_AT_EXIT_QUALIFICATION] = qualification;
    return VMX_EXIT;
}

static enum vmx_outcome fail_by_rule(struct fake_vmx *vmx,
                                     const struct vmx_check *check,
                                     const struct vmx_rule *rule)
{
    switch (rule->failure) {
    case VMX_FAILS_CONTROLS: return fail(vmx, VMX_ERROR_ENTRY_CONTROLS);
    case VMX_FAILS_HOST: return fail(vmx, VMX_ERROR_ENTRY_HOST_STATE);
    case VMX_FAILS_GUEST:
        return fail_late(vmx, VMX_REASON_ENTRY_GUEST_STATE, 0);
    case VMX_FAILS_PDPTES:
        return fail_late(vmx, VMX_REASON_ENTRY_GUEST_STATE,
                         VMX_ENTRY_FAILURE_PDPTES);
    case VMX_FAILS_NMI:
        return fail_late(vmx, VMX_REASON_ENTRY_GUEST_STATE,
                         VMX_ENTRY_FAILURE_NMI);
    case VMX_FAILS_LINK:
        return fail_late(vmx, VMX_REASON_ENTRY_GUEST_STATE,
                         VMX_ENTRY_FAILURE_LINK_POINTER);
    case VMX_FAILS_MSR: break;
    }
    return fail_late(vmx, VMX_REASON_ENTRY_MSR_LOADING, vmx_msr_broken(check));
}

/* Section 29.1, from the third check on: what VMfail there is, or 0. */
static enum vmx_error basic_error(const struct fake_vmx *vmx, bool launch)
{
    uint64_t state = vmx->vmcs->launch;

    if (vmx->mov_ss)
        return VMX_ERROR_ENTRY_MOV_SS;
    if (launch)
        return state == VMCS_CLEAR ? 0 : VMX_ERROR_VMLAUNCH_NOT_CLEAR;
    if (state == VMCS_LAUNCHED_BEFORE_VMXOFF)
        return VMX_ERROR_VMRESUME_AFTER_VMXOFF;
    return state == VMCS_LAUNCHED ? 0 : VMX_ERROR_VMRESUME_NOT_LAUNCHED;
}

enum vmx_outcome vmx_enter(struct fake_vmx *vmx, bool launch)
{
    const struct vmx_rule *rule;
    struct vmx_check check;
    enum vmx_error error;

    if (!vmx->on)
        return VMX_UD;
    if (vmx->vmcs == NULL || (vmx->vmcs->revision & VMCS_SHADOW) != 0)
        return VMX_FAIL_INVALID;
    error = basic_error(vmx, launch);
    if (error != 0)
        return fail(vmx, error);
    check = vmx_check_of(vmx);
    rule = vmx_check_entry(&check, vmx_legal_of(vmx));
    if (unlikely(rule != NULL))
        return fail_by_rule(vmx, &check, rule);
    vmx->vmcs->launch = VMCS_LAUNCHED;
    return VMX_SUCCEED;
}
