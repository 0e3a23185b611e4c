/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether virtual machines are apart: a walk over all stage-2 tables that
 * marks, for each frame of the fake RAM, who reaches it. Independent of the
 * hypervisor's own walker, it uses the format's description of entries only.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/machine_internal.h"
#include "sim/ram.h"

/* Marks of a frame: nobody's, a table, or reached by VM n. */
#define OWNER_NONE  0
#define OWNER_TABLE 1
#define OWNER_VM(n) ((uint8_t)((n) + 2))

struct survey {
    uint8_t *owner; /* by frame */
    vm_id vm;       /* whose tables are walked */
    const struct s2_format *format;
    bool failed;
    char text[160];
};

static struct survey survey;

static const char *owner_name(uint8_t owner)
{
    static char name[24];

    if (owner == OWNER_TABLE)
        return "a page table";
    snprintf(name, sizeof(name), "VM %u", owner - OWNER_VM(0));
    return name;
}

static void wrong(hpa_t frame, const char *what)
{
    if (survey.failed)
        return;
    survey.failed = true;
    snprintf(survey.text, sizeof(survey.text),
             "VM %u: the frame at HPA 0x%llx is %s", survey.vm,
             (unsigned long long)frame.raw, what);
}

static void mark_frame(hpa_t frame, uint8_t owner)
{
    uint8_t *mark;

    if (!ram_is_allocated(frame, PAGE_SIZE)) {
        wrong(frame, "not allocated");
        return;
    }
    mark = &survey.owner[(frame.raw - ram_base()) / PAGE_SIZE];
    if (*mark != OWNER_NONE && (*mark != owner || owner == OWNER_TABLE)) {
        char what[64];

        snprintf(what, sizeof(what), "also %s's", owner_name(*mark));
        wrong(frame, what);
    }
    *mark = owner;
}

static void mark_leaf(hpa_t start, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += PAGE_SIZE)
        mark_frame(hpa_add(start, at), OWNER_VM(survey.vm));
}

static void walk_table(hpa_t table, unsigned level, unsigned index_bits)
{
    const struct s2_format *format = survey.format;
    uint64_t size = (UINT64_C(1) << index_bits) * sizeof(pte_t);
    const pte_t *entries;

    for (uint64_t at = 0; at < size; at += PAGE_SIZE)
        mark_frame(hpa_add(table, at), OWNER_TABLE);
    if (survey.failed)
        return;
    entries = memory_phys_to_virt(table);
    for (uint64_t i = 0; i < size / sizeof(pte_t); i++) {
        pte_t entry = entries[i];

        if (entry == 0 || !format->is_attached(entry, level))
            continue;
        if (level == 0 || format->is_leaf(entry, level))
            mark_leaf(format->address(entry, level), s2_level_size(level));
        else
            walk_table(format->address(entry, level), level - 1, S2_INDEX_BITS);
    }
}

const char *machine_check_isolation(struct machine *machine)
{
    (void)machine;
    survey = (struct survey){.owner = calloc(ram_size() / PAGE_SIZE, 1)};
    if (survey.owner == NULL)
        return "no memory left to check the VMs' isolation";
    for (vm_id id = 0; id < VMM_MAX_VMS && !survey.failed; id++) {
        const struct vm *vm = vmm_find_vm(id);

        if (vm == NULL)
            continue;
        survey.vm = id;
        survey.format = vm->aspace.format;
        walk_table(vm->aspace.root, survey.format->levels - 1u,
                   survey.format->root_index_bits);
    }
    free(survey.owner);
    return survey.failed ? survey.text : NULL;
}
