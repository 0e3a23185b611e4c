/* SPDX-License-Identifier: Apache-2.0 */
/* A processor with VMX alone; see rig.h. */
#include <string.h>

#include "api/memory.h"
#include "rig.h"
#include "sim/sim.h"

struct rig rig;

void rig_poke(uint64_t at, uint64_t value, unsigned size)
{
    memcpy(memory_phys_to_virt(hpa(at)), &value, size);
}

void rig_profile(const struct vmx_profile *profile)
{
    uint32_t revision = (uint32_t)(profile->basic & VMX_BASIC_REVISION);

    vmx_reset(&rig.vmx, profile, 0);
    rig.vmx.cr0 = profile->cr0_fixed0;
    rig.vmx.cr4 = profile->cr4_fixed0;
    rig.vmx.efer = X86_EFER_LMA | X86_EFER_LME;
    rig.vmx.feature_control = VMX_FEATURE_LOCK | VMX_FEATURE_OUTSIDE_SMX;
    rig_poke(RIG_VMXON, revision, 4);
    rig_poke(RIG_VMCS, revision, 4);
    cr_assert_eq(vmx_vmxon(&rig.vmx, RIG_VMXON), VMX_SUCCEED);
    cr_assert_eq(vmx_vmclear(&rig.vmx, RIG_VMCS), VMX_SUCCEED);
    cr_assert_eq(vmx_vmptrld(&rig.vmx, RIG_VMCS), VMX_SUCCEED);
}

void rig_setup(void)
{
    sim_reset(1);
    ram_reset(UINT64_C(1) << 20);
    cr_assert_eq(memory_alloc_contiguous(RIG_PAGES, 0).raw, RIG_PAGE(0));
    violations_reset();
    violations_set_print(false);
    vmx_set_rule_mode(RULES_REJECT);
    vmx_rule_listener = NULL;
    rig_profile(&vmx_profiles[0]);
}

void rig_apply(const struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t *field = &rig.vmx.vmcs->field[changes[i].at];

        switch (changes[i].kind) {
        case CHANGE_NONE: break;
        case CHANGE_SET: *field = changes[i].value; break;
        case CHANGE_OR: *field |= changes[i].value; break;
        case CHANGE_CLEAR: *field &= ~changes[i].value; break;
        }
    }
}

void rig_given(const struct rule_row *row)
{
    struct vmx_check check;

    rig_profile(row->profile == NULL ? &vmx_profiles[0]
                                     : vmx_profile_find(row->profile));
    memset(memory_phys_to_virt(hpa(RIG_LINKED)), 0, RIG_FREE - RIG_LINKED);
    for (size_t i = 0; i < ARRAY_SIZE(row->pokes); i++) {
        if (row->pokes[i].at != 0)
            rig_poke(row->pokes[i].at, row->pokes[i].value, 8);
    }
    if (row->host_32)
        rig.vmx.efer = 0;
    rig.vmx.rtit_ctl = row->tracing;
    check = vmx_check_of(&rig.vmx);
    vmx_make_legal(&check, row->mode);
    rig_apply(row->given, CHANGES);
}
