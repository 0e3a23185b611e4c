/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest may load into control registers, given what its CPUID has: the
 * rules whose violation is #GP. They are also what keeps state away from it
 * that nobody switches: struct x86_xsave holds x87, SSE and AVX, so no other
 * component can be enabled.
 */
#ifndef ARCH_X86_64_GUEST_CONTROL_H
#define ARCH_X86_64_GUEST_CONTROL_H

#include "arch/x86_64/guest_cpuid.h"
#include "lib/compiler.h"
#include "lib/error.h"

/* The bits of CR4 and EFER that the guest may set, and XCR0's: CPUID.0DH. */
uint64_t x86_guest_cr4_bits(const struct x86_guest_cpuid *cpuid);
uint64_t x86_guest_efer_bits(const struct x86_guest_cpuid *cpuid);
uint64_t x86_guest_xcr0_bits(const struct x86_guest_cpuid *cpuid);

/* Whether XSETBV takes the value for XCR0, of which `supported` are bits:
 * SDM volume 1, section 13.3. CPL, the index, and CR4.OSXSAVE are the
 * caller's. */
bool x86_xcr0_is_valid(uint64_t value, uint64_t supported);

/*
 * WRMSR of EFER, whose value has been `old`: what it is then, with LMA as it
 * was, since that is CR0.PG's. ERR_OUT_OF_RANGE is #GP.
 */
err_t x86_efer_write(const struct x86_guest_cpuid *cpuid, uint64_t cr0,
                     uint64_t old, uint64_t value, uint64_t *efer) MUST_CHECK;

#endif
