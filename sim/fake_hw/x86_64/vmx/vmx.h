/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMX of a fake processor: what VMXON to VMWRITE do in VMX root operation,
 * and how far an entry gets. Intel SDM volume 3: chapters on VMX instructions
 * and on VM entries (section 1, and what rules.h has).
 *
 *   capability.c    what the processor has
 *   vmcs.c          the fields of a VMCS
 *   instructions.c  the instructions
 *   rules*.c        what VM entries check
 *
 * A processor works on a copy of each VMCS that is active on it. Memory has it
 * after VMCLEAR, so that a VMCS that goes to another processor without is what
 * it was before.
 *
 * Whoever calls is at CPL 0 in IA-32e or protected mode: the faults of other
 * modes are not modelled. Nor are SMM, with its two monitors, and SMX.
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_VMX_H
#define SIM_FAKE_HW_X86_64_VMX_VMX_H

#include "sim/fake_hw/x86_64/vmx/rules.h"

#define VMX_ACTIVE 4 /* VMCSs that a processor has copies of */
#define VMX_LEGAL  8 /* entries that it remembers, each of another VMCS */

struct vmx_active {
    uint64_t address; /* 0: none */
    uint64_t used;    /* when it was current, by a count of VMPTRLDs */
    struct fake_vmcs vmcs;
};

struct fake_vmx {
    const struct vmx_profile *profile;
    uint32_t index; /* of the processor */

    /* The host's registers, kept by whoever executes them. */
    uint64_t cr0, cr4, efer, feature_control, rtit_ctl;
    bool mov_ss; /* the instruction before was a MOV to SS */

    bool on;                 /* in VMX operation */
    uint64_t vmxon, current; /* pointers; VMCS_NO_ADDRESS */
    struct fake_vmcs *vmcs;  /* the copy of the current one */
    uint64_t loads;          /* VMPTRLDs so far */
    struct vmx_active active[VMX_ACTIVE];
    /* What was legal at entries with VMCSs, by their addresses. */
    struct vmx_legal legal[VMX_LEGAL];
};

/* What an instruction does to the flags, or instead of it. */
enum vmx_outcome {
    VMX_SUCCEED,
    VMX_FAIL_INVALID, /* CF */
    VMX_FAIL_VALID,   /* ZF; the error is in the current VMCS */
    VMX_UD,           /* #UD */
    VMX_GP,           /* #GP(0) */
    VMX_EXIT,         /* an entry that failed late, as a VM exit does */
};

/* Power-on. */
void vmx_reset(struct fake_vmx *vmx, const struct vmx_profile *profile,
               uint32_t index);

/* Puts back what the processor was when it was copied to `then`. It remembers
 * which entries were legal, as that does not depend on when they are. */
void vmx_restore(struct fake_vmx *vmx, const struct fake_vmx *then);

enum vmx_outcome vmx_vmxon(struct fake_vmx *vmx, uint64_t address);
enum vmx_outcome vmx_vmxoff(struct fake_vmx *vmx);
enum vmx_outcome vmx_vmclear(struct fake_vmx *vmx, uint64_t address);
enum vmx_outcome vmx_vmptrld(struct fake_vmx *vmx, uint64_t address);
enum vmx_outcome vmx_vmptrst(struct fake_vmx *vmx, uint64_t *address);
enum vmx_outcome vmx_vmread(struct fake_vmx *vmx, uint64_t encoding,
                            uint64_t *value);
enum vmx_outcome vmx_vmwrite(struct fake_vmx *vmx, uint64_t encoding,
                             uint64_t value);
enum vmx_outcome vmx_vmcall(struct fake_vmx *vmx);

/* Checks only: what they invalidate is the translations' business. */
enum vmx_outcome vmx_invept(struct fake_vmx *vmx, uint64_t type,
                            const uint64_t descriptor[2]);
enum vmx_outcome vmx_invvpid(struct fake_vmx *vmx, uint64_t type,
                             const uint64_t descriptor[2]);

/*
 * VMLAUNCH and VMRESUME up to where the guest's state is loaded: VMX_SUCCEED
 * says that the entry goes on, with the state of `vmx->vmcs`, and that the VMCS
 * is launched. VMX_EXIT says that it failed with what exit reason and exit
 * qualification now say, and that the host's state is to be loaded.
 */
enum vmx_outcome vmx_enter(struct fake_vmx *vmx, bool launch);

/* What the check of an entry with the current VMCS looks at, and what it was
 * when it was legal. */
struct vmx_check vmx_check_of(struct fake_vmx *vmx);
struct vmx_legal *vmx_legal_of(struct fake_vmx *vmx);

#endif
