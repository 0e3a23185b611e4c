/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the check of a VM entry costs: all rules, on a VMCS that obeys them and
 * has the controls of a hypervisor that uses what the processor has.
 */
#include <stdio.h>

#include "arch/x86_64/regs.h"
#include "sim/bench.h"
#include "sim/fake_hw/x86_64/vmx/legal.h"
#include "sim/sim.h"

#define BATCH 100000

static uint64_t fields[VMCS_FIELD_COUNT];

static struct vmx_check make_vmcs(void)
{
    struct vmx_check check = {
        .field = fields, .profile = &vmx_profiles[0], .host_long = true};

    vmx_make_legal(&check, VMX_GUEST_LONG);
    fields[VMCS_AT_PIN_CONTROLS] |=
        VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS | VMX_PIN_PREEMPTION_TIMER;
    fields[VMCS_AT_PRIMARY_CONTROLS] |=
        VMX_CPU_HLT_EXITING | VMX_CPU_IO_BITMAPS | VMX_CPU_MSR_BITMAPS;
    fields[VMCS_AT_SECONDARY_CONTROLS] |= VMX_CPU2_UNRESTRICTED_GUEST;
    fields[VMCS_AT_EXIT_CONTROLS] |= VMX_EXIT_LOAD_PAT | VMX_EXIT_LOAD_EFER;
    fields[VMCS_AT_ENTRY_CONTROLS] |= VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER;
    return check;
}

bool bench_entry_check(const struct bench_options *options,
                       struct bench_report *report)
{
    struct vmx_check check;
    double least = 1, spent = 0;

    sim_reset(1);
    check = make_vmcs();
    if (vmx_first_broken(&check) != NULL) {
        fprintf(stderr, "twinax bench: the VMCS is not legal\n");
        return false;
    }
    while (spent < options->seconds) {
        double start = bench_seconds(), batch;

        for (unsigned i = 0; i < BATCH; i++) {
            fields[VMCS_AT_GUEST_RIP] = i;
            if (vmx_first_broken(&check) != NULL)
                return false;
        }
        batch = bench_seconds() - start;
        least = batch / BATCH < least ? batch / BATCH : least;
        spent += batch;
    }
    bench_add(report, "vm_entry_check", least * 1e9,
              "ns for all rules of VM entries, on a legal VMCS");
    return true;
}
