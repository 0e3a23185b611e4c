/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of fake VMX share: see vmx.h. */
#include <string.h>

#include "api/memory.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/vmx/capability.h"
#include "fuzz/vmx.h"
#include "sim/ram.h"

static uint64_t first_page;
static size_t used[VMX_PAGES]; /* bytes that are not as they were zeroed */

uint64_t fuzz_vmx_page(unsigned i)
{
    return first_page + i * PAGE_SIZE;
}

static void *use(unsigned i, size_t size)
{
    if (used[i] < size)
        used[i] = size;
    return memory_phys_to_virt(hpa(fuzz_vmx_page(i)));
}

void *fuzz_vmx_memory(unsigned i)
{
    return use(i, PAGE_SIZE);
}

void fuzz_vmx_region(unsigned i, uint32_t revision)
{
    struct fake_vmcs *region = use(i, sizeof(*region));

    region->revision = revision;
}

void fuzz_vmx_begin(void)
{
    if (first_page == 0) {
        ram_reset(UINT64_C(1) << 20);
        first_page = memory_alloc_contiguous_impl(VMX_PAGES, PAGE_SIZE).raw;
        violations_set_ignored(true);
    }
    for (unsigned i = 0; i < VMX_PAGES; i++) {
        if (used[i] != 0)
            memset(use(i, 0), 0, used[i]);
        used[i] = 0;
    }
    vmx_set_rule_mode(RULES_REJECT);
}

const struct vmx_profile *fuzz_vmx_profile(struct fuzz_input *input)
{
    unsigned count = 0;

    do {
        count++;
    } while (vmx_profiles[count].base.name != NULL);
    return &vmx_profiles[fuzz_pick(input, count)];
}

void fuzz_vmx_power_on(struct fake_vmx *vmx, const struct vmx_profile *profile,
                       unsigned index)
{
    vmx_reset(vmx, profile, index);
    vmx->cr0 = profile->cr0_fixed0;
    vmx->cr4 = profile->cr4_fixed0;
    vmx->efer = X86_EFER_LMA | X86_EFER_LME;
    vmx->feature_control = VMX_FEATURE_LOCK | VMX_FEATURE_OUTSIDE_SMX;
}
