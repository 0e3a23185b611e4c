/* SPDX-License-Identifier: Apache-2.0 */
/* Performs the entries of a list: see run.h. */
#include "tests/truth/run.h"

#include "api/memory.h"
#include "lib/string.h"

const struct truth_vendor *truth_vendor_of(const struct truth_list *list)
{
    static const struct truth_vendor *const vendors[] = {&truth_svm,
                                                         &truth_vmx};

    for (unsigned i = 0; i < ARRAY_SIZE(vendors); i++) {
        if (vendors[i]->cpu == list->header.cpu)
            return vendors[i];
    }
    return NULL;
}

/* The tables are in the order of their numbers. */
const struct truth_field *truth_field(const struct truth_vendor *vendor,
                                      uint16_t number)
{
    uint32_t low = 0, high = vendor->field_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (vendor->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < vendor->field_count && vendor->fields[low].number == number
               ? &vendor->fields[low]
               : NULL;
}

bool truth_prepare(struct truth_machine *machine, const struct truth_list *list)
{
    const struct truth_vendor *vendor = truth_vendor_of(list);
    uint64_t pages = TRUTH_MAX_PAGES + vendor->pages;

    machine->vendor = vendor;
    machine->list = list;
    machine->base = memory_alloc_contiguous(pages + TRUTH_MAX_PAGES, PAGE_SIZE);
    if (hpa_is_none(machine->base))
        return false;
    machine->memory = memory_phys_to_virt(machine->base);
    machine->fresh = machine->memory + pages * PAGE_SIZE;
    memset(machine->fresh, TRUTH_HLT, TRUTH_MAX_PAGES * PAGE_SIZE);
    for (uint32_t i = 0; i < list->header.pieces; i++)
        memcpy(machine->fresh + list->pieces[i].at, list->pieces[i].bytes,
               list->pieces[i].size);
    vendor->prepare(machine);
    return true;
}

void truth_put(struct truth_machine *machine,
               const struct truth_entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        struct truth_entry entry = truth_entry(entries, i);
        const struct truth_field *field = truth_field(
            machine->vendor, entry.field & (uint16_t)~TRUTH_RELATIVE);

        if (field == NULL)
            continue;
        if ((entry.field & TRUTH_RELATIVE) != 0)
            entry.value += machine->base.raw;
        machine->vendor->put(machine, field, entry.value);
    }
}

void truth_set_up(struct truth_machine *machine, const struct truth_case *one)
{
    const struct truth_list *list = machine->list;

    memcpy(machine->memory, machine->fresh,
           (size_t)list->header.pages * PAGE_SIZE);
    memcpy(machine->memory + one->code_at, one->code, one->code_size);
    memset(&machine->regs, 0, sizeof(machine->regs));
    machine->fail = 0;
    machine->one = one;
    machine->vendor->clear(machine);
    truth_put(machine, &list->states[one->state]);
    truth_put(machine, &one->entries);
}

static void note(struct truth_answer *answer, uint16_t field, uint64_t value)
{
    if (answer->count < TRUTH_MAX_CHANGES)
        answer->changes[answer->count++] =
            (struct truth_entry){.field = field, .value = value};
}

/* Pages that are not as the case has found them. */
static void note_pages(const struct truth_machine *machine,
                       const struct truth_case *one,
                       struct truth_answer *answer)
{
    static uint8_t expected[PAGE_SIZE];

    for (uint32_t page = 0; page < machine->list->header.pages; page++) {
        const uint8_t *now = machine->memory + page * PAGE_SIZE;
        uint32_t code = one->code_at - page * (uint32_t)PAGE_SIZE;

        memcpy(expected, machine->fresh + page * PAGE_SIZE, PAGE_SIZE);
        if (code < PAGE_SIZE)
            memcpy(expected + code, one->code, one->code_size);
        if (memcmp(now, expected, PAGE_SIZE) != 0)
            note(answer, (uint16_t)(TRUTH_PAGE + page),
                 truth_checksum(0, now, PAGE_SIZE));
    }
}

void truth_run(struct truth_machine *machine, const struct truth_case *one,
               struct truth_answer *answer)
{
    static uint64_t before[TRUTH_MAX_CHANGES];
    const struct truth_vendor *vendor = machine->vendor;

    answer->count = 0;
    truth_set_up(machine, one);
    for (uint32_t i = 0; i < vendor->field_count; i++)
        before[i] = vendor->get(machine, &vendor->fields[i]);
    if (machine->before_entry != NULL)
        machine->before_entry(machine);
    for (uint32_t i = 0; i < vendor->field_count; i++) {
        if (!vendor->is_output(vendor->fields[i].number))
            before[i] = vendor->get(machine, &vendor->fields[i]);
    }
    vendor->enter(machine);
    if (machine->fail != 0)
        note(answer, TRUTH_FAIL, machine->fail);
    for (uint32_t i = 0; i < vendor->field_count; i++) {
        uint64_t now = vendor->get(machine, &vendor->fields[i]);

        if (now != before[i])
            note(answer, vendor->fields[i].number, now);
    }
    note_pages(machine, one, answer);
}
