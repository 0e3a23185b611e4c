/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of MSRs that entries load, and that exits store and load: SDM volume 3,
 * the sections on loading and saving MSRs of the chapters on VM entries and VM
 * exits. What an entry may not load are the rules' (rules_msr.c); an MSR that
 * only they know is loaded into nothing.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"
#include "sim/ram.h"

/* The list at `address`; NULL: it is empty, or not in memory. */
static struct vmx_msr_entry *list(const struct fake_x86 *cpu, uint64_t address,
                                  uint64_t count)
{
    return count == 0 ? NULL
                      : cpu_host_memory(cpu, address,
                                        count * sizeof(struct vmx_msr_entry));
}

void fake_vmx_load_msrs(struct fake_x86 *cpu)
{
    uint64_t count = VMCS(cpu, ENTRY_MSR_LOAD_COUNT);
    const struct vmx_msr_entry *entries =
        list(cpu, VMCS(cpu, ENTRY_MSR_LOAD_ADDRESS), count);

    for (uint64_t i = 0; entries != NULL && i < count; i++) {
        uint64_t *msr = cpu_guest_msr(cpu, entries[i].index);

        if (msr != NULL)
            *msr = entries[i].data;
    }
}

void fake_vmx_store_msrs(struct fake_x86 *cpu)
{
    uint64_t count = VMCS(cpu, EXIT_MSR_STORE_COUNT);
    uint64_t address = VMCS(cpu, EXIT_MSR_STORE_ADDRESS);
    struct vmx_msr_entry *entries = list(cpu, address, count);

    if (entries == NULL)
        return;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t *msr = cpu_guest_msr(cpu, entries[i].index);

        if (msr == NULL) {
            violation(RULE_VMX_ABORT, "the exit cannot store MSR 0x%x",
                      entries[i].index);
            return;
        }
        entries[i].data = *msr;
    }
    ram_note_write(hpa(address), count * sizeof(*entries));
}

void fake_vmx_load_host_msrs(struct fake_x86 *cpu)
{
    uint64_t count = VMCS(cpu, EXIT_MSR_LOAD_COUNT);
    const struct vmx_msr_entry *entries =
        list(cpu, VMCS(cpu, EXIT_MSR_LOAD_ADDRESS), count);

    for (uint64_t i = 0; entries != NULL && i < count; i++) {
        uint64_t *msr = cpu_host_msr(cpu, entries[i].index);

        if (msr == NULL) {
            violation(RULE_VMX_ABORT, "the exit cannot load MSR 0x%x",
                      entries[i].index);
            return;
        }
        *msr = entries[i].data;
    }
}
