/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of fake VMX share: memory, and processors with VMX on. */
#ifndef FUZZ_VMX_H
#define FUZZ_VMX_H

#include "fuzz/harness.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "sim/fake_hw/x86_64/vmx/vmx.h"

/* Pages of fake RAM, which each input finds zeroed: their addresses, and the
 * memory of one, for whoever writes to it. */
#define VMX_PAGES 10
uint64_t fuzz_vmx_page(unsigned i);
void *fuzz_vmx_memory(unsigned i);

/* Makes a page a VMXON or VMCS region, or gives it another revision. */
void fuzz_vmx_region(unsigned i, uint32_t revision);

/* Zeroed memory, rules that reject, violations that nobody counts. */
void fuzz_vmx_begin(void);

/* Which kind of processor. */
const struct vmx_profile *fuzz_vmx_profile(struct fuzz_input *input);

/* A processor that can do VMXON. */
void fuzz_vmx_power_on(struct fake_vmx *vmx, const struct vmx_profile *profile,
                       unsigned index);

#endif
