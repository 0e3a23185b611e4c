/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86_64 hardware seam: every privileged access of the hypervisor. The
 * image implements it in assembly, the process by fake hardware
 * (sim/fake_hw/x86_64). How a row reads: api/api.h.
 *
 * Guest memory is not here: it goes through the address space. Neither are
 * STGI and CLGI, which x86_svm_run does where it must.
 */
#ifndef ARCH_X86_64_HW_H
#define ARCH_X86_64_HW_H

#include "api/api.h"
#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/vmcb.h"

/* The area of XSAVE, in its standard format: APM volume 2, section 11.5. */
#define X86_XSAVE_HEADER 512 /* XSTATE_BV is its first word */
#define X86_XSAVE_AVX    576
#define X86_XSAVE_SIZE   832 /* with x87, SSE and AVX state */

struct x86_xsave {
    uint8_t bytes[X86_XSAVE_SIZE];
} ALIGNED(64);

/* How VMX instructions end: SDM volume 3, section 31.2. VMfailValid leaves its
 * number in the VM-instruction error field of the current VMCS. */
enum x86_vmx_result {
    X86_VMX_ENTERED, /* VMsucceed */
    X86_VMX_FAIL_INVALID,
    X86_VMX_FAIL_VALID,
};

/* clang-format off */
#define X86_HW_API(FN, PROC, GET, PUT)                                         \
    /* CPUID on this CPU. */                                                   \
    GET(x86_hw_cpuid,                                                          \
        (uint32_t leaf, uint32_t subleaf, struct x86_cpuid *cpuid),            \
        (leaf, subleaf, cpuid), (leaf, subleaf), cpuid, sizeof(*cpuid))        \
    /* MSRs that this CPU has, with values that they may hold. EFER.SVME and   \
     * VM_HSAVE_PA are set by them before the first VMRUN. */                  \
    FN(uint64_t, x86_hw_read_msr, (uint32_t msr), (msr), (msr), FEED,          \
       NEVER_FAILS)                                                            \
    PROC(x86_hw_write_msr, (uint32_t msr, uint64_t value), (msr, value),       \
         (msr, value), FEED)                                                   \
    /* The guest's, which no VMCB or VMCS holds while another guest runs. */   \
    FN(uint64_t, x86_hw_read_xcr0, (void), (), (0), FEED, NEVER_FAILS)         \
    PROC(x86_hw_write_xcr0, (uint64_t value), (value), (value), FEED)          \
    PROC(x86_hw_load_debug, (const struct x86_debug_state *state), (state),    \
         (0), QUIET)                                                           \
    PROC(x86_hw_save_debug, (struct x86_debug_state *state), (state), (0),     \
         QUIET)                                                                \
    /* x87, SSE and AVX state: the components of `mask` that XCR0 allows, to   \
     * and from an area whose bytes the hypervisor moves and does not decide   \
     * by, but for single XMM registers (0 to 15), which it emulates with:     \
     * half 0 is bits 63:0. */                                                 \
    PROC(x86_hw_xsave, (struct x86_xsave *area, uint64_t mask), (area, mask),  \
         (0), QUIET)                                                           \
    PROC(x86_hw_xrstor, (const struct x86_xsave *area, uint64_t mask),         \
         (area, mask), (0), QUIET)                                             \
    FN(uint64_t, x86_hw_read_xmm, (uint32_t reg, uint32_t half), (reg, half),  \
       (reg, half), FEED, NEVER_FAILS)                                         \
    PROC(x86_hw_write_xmm, (uint32_t reg, uint32_t half, uint64_t value),      \
         (reg, half, value), (reg, half, value), FEED)                         \
    /* A general register of the guest, enum x86_gpr, as its exit left it: of  \
     * an instruction that had to be read to know which it needs, so that the  \
     * exit itself need not bring all of them into a trace. */                 \
    FN(uint64_t, x86_hw_read_gpr, (const struct x86_regs *regs, uint32_t reg), \
       (regs, reg), (reg), FEED, NEVER_FAILS)                                  \
    /* Of VMX, which does not switch them: the guest's while it is bound. */   \
    FN(uint64_t, x86_hw_read_cr2, (void), (), (0), FEED, NEVER_FAILS)          \
    PROC(x86_hw_write_cr2, (uint64_t value), (value), (value), FEED)           \
    FN(uint64_t, x86_hw_read_dr6, (void), (), (0), FEED, NEVER_FAILS)          \
    PROC(x86_hw_write_dr6, (uint64_t value), (value), (value), FEED)           \
    /* enum svm_feature bits, and how many ASIDs there are, ASID 0 included:   \
     * the least of all CPUs. */                                               \
    FN(uint64_t, x86_svm_features, (void), (), (0), FEED, NEVER_FAILS)         \
    FN(uint64_t, x86_svm_asids, (void), (), (0), FEED, NEVER_FAILS)            \
    /* Loads the general registers, enters the guest of the VMCB at `vmcb`,    \
     * which is the one that `state` points to, and returns when it has        \
     * exited. Interrupts of the host that are pending then stay so. What the  \
     * exit brought is recorded by the caller of vmm_step(). */                \
    PROC(x86_svm_run, (struct x86_regs *regs, struct vmcb *state, hpa_t vmcb), \
         (regs, state, vmcb), (0), QUIET)                                      \
    /* FS, GS, TR, LDTR with what is hidden, KernelGsBase, STAR, LSTAR, CSTAR, \
     * SFMASK, SYSENTER_...: from and to the VMCB. VMRUN leaves them alone. */ \
    PROC(x86_svm_vmload, (hpa_t vmcb), (vmcb), (0), QUIET)                     \
    PROC(x86_svm_vmsave, (hpa_t vmcb), (vmcb), (0), QUIET)                     \
    /* VMX. The CPU is in VMX operation; its capability MSRs are read by       \
     * x86_hw_read_msr(). An instruction that fails here is the hypervisor's   \
     * own fault, and stops it: all but the entry have no way to fail.         \
     *                                                                         \
     * VMCLEAR, VMPTRLD of a VMCS region that begins with the revision id. */  \
    PROC(x86_vmx_vmclear, (hpa_t vmcs), (vmcs), (vmcs.raw), FEED)              \
    PROC(x86_vmx_vmptrld, (hpa_t vmcs), (vmcs), (vmcs.raw), FEED)              \
    /* Fields of the current VMCS, by their encodings (vmx/vmcs.h): in a step  \
     * of the hypervisor by the first two; in a world switch, which a replay   \
     * does not make, by the others. */                                        \
    FN(uint64_t, x86_vmx_vmread, (uint32_t field), (field), (field), FEED,     \
       NEVER_FAILS)                                                            \
    PROC(x86_vmx_vmwrite, (uint32_t field, uint64_t value), (field, value),    \
         (field, value), FEED)                                                 \
    FN(uint64_t, x86_vmx_get, (uint32_t field), (field), (0), QUIET,           \
       NEVER_FAILS)                                                            \
    PROC(x86_vmx_put, (uint32_t field, uint64_t value), (field, value), (0),   \
         QUIET)                                                                \
    /* Fills in the host-state area of the current VMCS: that of this CPU. */  \
    PROC(x86_vmx_set_host_state, (void), (), (0), FEED)                        \
    /* Loads the general registers, but for RSP, which is the VMCS's; VMLAUNCH \
     * or VMRESUME of the current VMCS; returns when the guest has exited, with\
     * X86_VMX_ENTERED, or, if it was not entered, with enum x86_vmx_result. */\
    FN(uint32_t, x86_vmx_enter, (struct x86_regs *regs, bool launched),        \
       (regs, launched), (0), QUIET, NEVER_FAILS)                              \
    /* An interrupt of the host that the exit has acknowledged, or its NMI, by \
     * the exit's interruption information. */                                 \
    PROC(x86_vmx_host_event, (uint32_t info), (info), (0), QUIET)              \
    /* What VMX does not switch and no row above does. */                      \
    PROC(x86_vmx_load_state, (const struct x86_vmx_state *state), (state),     \
         (0), QUIET)                                                           \
    PROC(x86_vmx_save_state, (struct x86_vmx_state *state), (state), (0),      \
         QUIET)                                                                \
    /* INVEPT and INVVPID of this CPU; `type` is enum vmx_invept, enum         \
     * vmx_invvpid. */                                                         \
    PROC(x86_vmx_invept, (uint64_t type, uint64_t eptp), (type, eptp),         \
         (type, eptp), FEED)                                                   \
    PROC(x86_vmx_invvpid, (uint64_t type, uint16_t vpid, uint64_t address),    \
         (type, vpid, address), (type, vpid, address), FEED)                   \
    /* A register of a virtual-APIC page, by its offset in bytes, as the guest \
     * has left it, whose accesses to it do not exit. */                       \
    FN(uint64_t, x86_vmx_read_apic, (const uint32_t *page, uint32_t offset),   \
       (page, offset), (offset), FEED, NEVER_FAILS)
/* clang-format on */

API_DECLARE(X86_HW_API)

#endif
