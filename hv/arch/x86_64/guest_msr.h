/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which model-specific registers a guest has, and what it may write to them:
 * one table (guest_msr.c). An MSR that is not in it is #GP to read and to
 * write, as on a processor without it; nothing reaches the host's that is not
 * marked X86_MSR_DIRECT. From those the permission maps are made.
 *
 * An access is: find the row; for a write, let the row accept the value; then
 * do it where the row's home is.
 */
#ifndef ARCH_X86_64_GUEST_MSR_H
#define ARCH_X86_64_GUEST_MSR_H

#include <stddef.h>

#include "arch/x86_64/guest_cpuid.h"
#include "arch/x86_64/msr.h"

enum x86_msr_home {
    /* Of the guest's processor state, switched with it: STAR, LSTAR, CSTAR,
     * SFMASK, FS_BASE, GS_BASE, KERNEL_GS_BASE, SYSENTER_CS, _ESP, _EIP. The
     * guest accesses it without an exit. */
    X86_MSR_DIRECT,
    /* The vCPU has it, and to write it takes more than to store it: EFER
     * (x86_efer_write()), PAT, TSC_AUX; TSC and TSC_ADJUST, of which one
     * changes with the other (SDM volume 3B, section 18.17.3). */
    X86_MSR_CORE,
    X86_MSR_LAPIC, /* lapic_read_msr(), lapic_write_msr(): they check it */
    X86_MSR_STATE, /* x86_msr_load(), x86_msr_store() */
};

#define X86_MTRR_RANGES 8

/* Values of the MSRs of X86_MSR_STATE that can change, of one vCPU. INIT
 * changes none of them (SDM volume 3A, table 10-1). */
struct x86_msr_state {
    uint64_t mtrr_def_type;
    uint64_t mtrr_variable[2 * X86_MTRR_RANGES]; /* base, mask, base, ... */
    uint64_t mtrr_fix64k, mtrr_fix16k[2], mtrr_fix4k[8];
    uint64_t mcg_status, misc_enable, hwcr, nb_cfg;
};

struct x86_msr_row {
    uint32_t first, last;
    enum x86_msr_home home;
    enum x86_feature needs;
    size_t at; /* in struct x86_msr_state, or X86_MSR_CONSTANT */
    uint64_t reset;
    /* Bits that a write changes; and that it may have set without effect. Any
     * other one is #GP, and so is what `is_valid` refuses, if there is one. */
    uint64_t writable, ignored;
    bool (*is_valid)(const struct x86_guest_cpuid *cpuid, uint64_t value);
};

#define X86_MSR_CONSTANT SIZE_MAX

/* The row of the MSR; NULL: the guest does not have it. */
const struct x86_msr_row *x86_msr_find(const struct x86_guest_cpuid *cpuid,
                                       uint32_t msr);

/* Whether WRMSR may write `value`; false is #GP. */
bool x86_msr_accepts(const struct x86_guest_cpuid *cpuid,
                     const struct x86_msr_row *row, uint64_t value);

/* The MSRs that live in X86_MSR_STATE: `msr` is one of the row, the value one
 * that it accepts. */
uint64_t x86_msr_load(const struct x86_msr_state *state,
                      const struct x86_msr_row *row, uint32_t msr);
void x86_msr_store(struct x86_msr_state *state, const struct x86_msr_row *row,
                   uint32_t msr, uint64_t value);

/* After power-on. */
void x86_msr_reset(struct x86_msr_state *state);
/*
 * What firmware makes of the MTRRs, for guests that are started without: memory
 * is write-back; display memory, and [`devices`, 4 GiB) are uncached, from a
 * multiple of 64 MiB on; 0 is nothing. Linux leaves PAT alone if MTRRs are off,
 * and complains when vCPUs differ.
 */
void x86_msr_set_mtrrs(struct x86_msr_state *state,
                       const struct x86_guest_cpuid *cpuid, uint64_t devices);

/* Calls `pass` for each MSR that the guest may read and write without an
 * exit. */
void x86_msr_for_each_direct(const struct x86_guest_cpuid *cpuid,
                             void (*pass)(void *context, uint32_t msr),
                             void *context);

#endif
