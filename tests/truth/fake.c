/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's processor performs cases: its guest does the case's operation
 * where its code is, and HLT anywhere else, where the guest's memory is full of
 * them.
 */
#include <stdlib.h>
#include <string.h>

#include "api/memory.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/sim.h"
#include "tests/truth/host.h"
#include "tests/truth/ops.h"

/* Operations until a case is given up: none needs more than two. */
#define MAX_OPS 8

static struct {
    struct trap_source source;
    struct guest_op code, hlt;
    uint32_t code_at;
    unsigned left;
} guest;

static const struct x86_profile *profile;

/* All modes of paging map the code to itself. */
static const struct guest_op *next_op(struct trap_source *source)
{
    const struct fake_x86 *cpu = fake_x86_current();
    const struct vmcb_save *save = &cpu->state;
    uint64_t linear = save->rip;

    if (!cpu_64bit(cpu))
        linear = (linear + save->cs.base) & UINT32_MAX;
    if (guest.left == 0)
        return NULL;
    guest.left--;
    return linear == guest.code_at ? &guest.code : &guest.hlt;
}

bool truth_set_profile(enum truth_cpu cpu, const char *name)
{
    profile =
        cpu == TRUTH_SVM ? x86_profile_find(name) : x86_vmx_profile_find(name);
    if (profile == NULL)
        return false;
    sim_reset(1);
    violations_set_print(false);
    fake_x86_reset(profile, 1);
    return true;
}

static void switch_on_vmx(hpa_t region)
{
    struct fake_x86 *cpu = fake_x86_current();
    uint32_t revision = (uint32_t)profile->vmx->basic;

    memcpy(memory_phys_to_virt(region), &revision, sizeof(revision));
    cpu->vmx.cr0 = profile->vmx->cr0_fixed0;
    cpu->vmx.cr4 = profile->vmx->cr4_fixed0;
    cpu->vmx.feature_control = 5;
    if (vmx_vmxon(&cpu->vmx, region.raw) != VMX_SUCCEED)
        abort();
}

/* As the image's host does at boot. */
static void switch_on(hpa_t host_page)
{
    fake_x86_reset(profile, 1);
    fake_x86_set_source(0, &guest.source);
    if (profile->vmx != NULL) {
        switch_on_vmx(host_page);
        return;
    }
    x86_hw_write_msr(X86_MSR_EFER,
                     x86_hw_read_msr(X86_MSR_EFER) | X86_EFER_SVME);
    x86_hw_write_msr(X86_MSR_VM_HSAVE_PA, host_page.raw);
}

void truth_run_fake(struct truth_machine *machine, const struct truth_case *one,
                    bool checks, struct truth_answer *answer)
{
    guest.source = (struct trap_source){.next = next_op};
    guest.code = truth_ops[one->op % truth_op_count].op;
    guest.code.flags |= OP_NO_FETCH;
    guest.hlt = (struct guest_op){.kind = OP_X86_HLT, .flags = OP_NO_FETCH};
    guest.code_at = one->code_at;
    guest.left = MAX_OPS;
    violations_reset();
    switch_on(hpa(machine->base.raw + TRUTH_OWN(machine->vendor->host_page)));
    fake_svm_set_rule_mode(checks ? RULES_REJECT : RULES_LABEL);
    vmx_set_rule_mode(checks ? RULES_REJECT : RULES_LABEL);
    truth_run(machine, one, answer);
}
