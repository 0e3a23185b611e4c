/* SPDX-License-Identifier: Apache-2.0 */
/* Where machines are known to depart from the manual: which have a table. */
#include <string.h>

#include "tests/truth/departures.h"

#define PTE_A 0x20

bool truth_is_pdpte_accessed(const struct truth_difference *difference)
{
    static uint8_t page[PAGE_SIZE];
    const struct vmcb *vmcb = difference->machine->control;
    uint64_t cr3 = vmcb->save.cr3 & X86_CR3_PAE;
    uint64_t number = cr3 / PAGE_SIZE;

    if ((vmcb->save.cr4 & X86_CR4_PAE) == 0 ||
        (vmcb->save.efer & X86_EFER_LMA) != 0 ||
        difference->field != TRUTH_PAGE + number || difference->expected != 0 ||
        number >= difference->machine->list->header.pages)
        return false;
    memcpy(page, difference->machine->memory + number * PAGE_SIZE, PAGE_SIZE);
    page[cr3 % PAGE_SIZE] |= PTE_A;
    return difference->found == truth_checksum(0, page, PAGE_SIZE);
}

bool truth_rflags_are_pushed(const struct truth_difference *difference)
{
    return difference->field == TRUTH_PAGE + (LAYOUT_STACK - 1) / PAGE_SIZE &&
           difference->found != 0 && difference->expected != 0 &&
           (truth_before(difference, SVM_SAVE(rflags)) & RFLAGS_RESERVED_LOW) !=
               0;
}

bool truth_is_of_walks(const struct truth_difference *difference)
{
    uint64_t page = (uint64_t)(difference->field - TRUTH_PAGE) * PAGE_SIZE;

    return difference->field >= TRUTH_PAGE && page >= LAYOUT_PML4 &&
           page < LAYOUT_TSS;
}

bool truth_is_late_accessed(const struct truth_difference *difference)
{
    return truth_is_of_walks(difference) && difference->found == 0;
}

const struct truth_departures *truth_departures_of(const char *machine,
                                                   uint32_t cpu)
{
    static struct truth_departures tables[] = {
        {"qemu", TRUTH_SVM, truth_svm_qemu, 0},
        {"bochs", TRUTH_SVM, truth_svm_bochs, 0},
        {"bochs", TRUTH_VMX, truth_vmx_bochs, 0},
    };

    tables[0].count = truth_svm_qemu_count;
    tables[1].count = truth_svm_bochs_count;
    tables[2].count = truth_vmx_bochs_count;
    /* A name may go on with the processor's. */
    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        size_t size = strlen(tables[i].machine);

        if (strncmp(tables[i].machine, machine, size) == 0 &&
            (machine[size] == '\0' || machine[size] == '-') &&
            tables[i].cpu == cpu)
            return &tables[i];
    }
    return NULL;
}
