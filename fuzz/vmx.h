/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of fake VMX share: memory, and processors with VMX on. */
#ifndef FUZZ_VMX_H
#define FUZZ_VMX_H

#include "fuzz/harness.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "sim/fake_hw/x86_64/vmx/vmx.h"

/* Pages of fake RAM. Each input finds them zeroed, those that it has asked for
 * one by one. */
#define VMX_PAGES 10

uint64_t fuzz_vmx_page(unsigned i);
void *fuzz_vmx_memory(unsigned i);

/* Zeroed memory, no violations, rules that reject. */
void fuzz_vmx_begin(void);

/* Which kind of processor. */
const struct vmx_profile *fuzz_vmx_profile(struct fuzz_input *input);

/* A processor that can do VMXON. */
void fuzz_vmx_power_on(struct fake_vmx *vmx, const struct vmx_profile *profile,
                       unsigned index);

#endif
