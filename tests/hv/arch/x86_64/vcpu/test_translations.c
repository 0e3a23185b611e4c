/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translations of stage 2, on the vCPU's CPU and on the one where it was
 * before: the fake processor's TLB forgets nothing by itself.
 */
#include "hv/arch/x86_64/vcpu/own.h"

static const struct guest_op load = {
    .kind = OP_LOAD, .width = 8, .address = RIG_DATA};

Test(translations, nested_tables_change)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        own_take(rig_profiles[p]);
        own_bind(1);
        for (unsigned i = 1; i < 100; i++) {
            own_replace_page(i);
            cr_expect_eq(own_run(&load).value, i, "%s", rig_profiles[p]);
        }
        own_unbind();
        own_give_back();
        rig_stop();
    }
}

/* The test's own test: without the request, the old page is seen. */
Test(translations, a_missing_flush_shows)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        own_take(rig_profiles[p]);
        own_bind(1);
        own_replace_page(1);
        own_run(&load);
        own_replace_page(2);
        atomic_store(&rig.vm->vcpus[1]->requests, 0);
        own_run(&load);
        cr_expect_gt(
            violations_of(rig_is_vmx() ? RULE_STALE_EPT : RULE_STALE_NPT), 0,
            "%s", rig_profiles[p]);
        own_unbind();
        own_give_back();
        rig_stop_violated();
    }
}

/* While the vCPU is on one CPU, and back on the other. */
Test(translations, migration)
{
    for (unsigned p = 0; rig_profiles[p] != NULL; p++) {
        own_take(rig_profiles[p]);
        for (unsigned i = 1; i < 100; i++) {
            own_replace_page(i);
            cr_expect_eq(own_run_once(&load, 1 + i % 2).value, i, "%s, %u",
                         rig_profiles[p], i);
            cr_expect_eq(own_run_once(&load, 1 + i % 3 / 2).value, i, "%s, %u",
                         rig_profiles[p], i);
        }
        own_give_back();
        rig_stop();
    }
}
