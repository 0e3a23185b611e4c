/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty tracking in scenarios, from outside: whoever migrates a VM asks for it.
 * It comes through no seam, so a trace cannot hold it.
 */
#include "sim/scenario_internal.h"
#include "sim/sim.h"

/* The VM and the address that words[at] and the next one say; NULL: none. */
static struct vm *take_place(struct scenario *s, const struct words *words,
                             unsigned at, gpa_t *address)
{
    uint64_t id, number;
    struct vm *vm;

    if (need_machine(s) == NULL || !need_number(s, words->at[at], &id) ||
        !need_number(s, words->at[at + 1], &number))
        return NULL;
    if (s->options->record != NULL) {
        scenario_bad(s, "dirty tracking: cannot be recorded");
        return NULL;
    }
    vm = id < VMM_MAX_VMS ? vmm_find_vm((vm_id)id) : NULL;
    if (vm == NULL)
        scenario_bad(s, "there is no VM %.40s", words->at[at]);
    *address = gpa(number);
    return vm;
}

/* track VM ADDRESS on|off */
void scenario_track(struct scenario *s, const struct words *words)
{
    struct vm *vm;
    gpa_t at;
    err_t error;
    bool on;

    if (words->count != 4 ||
        (!is_word(words->at[3], "on") && !is_word(words->at[3], "off"))) {
        scenario_bad(s, "usage: track VM ADDRESS on|off");
        return;
    }
    vm = take_place(s, words, 1, &at);
    if (vm == NULL)
        return;
    on = is_word(words->at[3], "on");
    error = on ? aspace_dirty_start(&vm->aspace, at)
               : aspace_dirty_stop(&vm->aspace, at);
    if (error != OK)
        scenario_fail(s, "track: %s", error_text(error));
}

/* expect dirty VM ADDRESS PAGES BITMAP */
void scenario_expect_dirty(struct scenario *s, const struct words *words)
{
    uint64_t pages, expected, marks = 0;
    struct vm *vm;
    gpa_t at;
    err_t error;

    if (words->count != 6) {
        scenario_bad(s, "usage: expect dirty VM ADDRESS PAGES BITMAP");
        return;
    }
    vm = take_place(s, words, 2, &at);
    if (vm == NULL || !need_number(s, words->at[4], &pages) ||
        !need_number(s, words->at[5], &expected))
        return;
    if (pages == 0 || pages > 64) {
        scenario_bad(s, "expect dirty: 1 to 64 pages");
        return;
    }
    error = aspace_dirty_collect(&vm->aspace, at, pages * PAGE_SIZE, &marks);
    if (error != OK)
        scenario_fail(s, "dirty: %s", error_text(error));
    else if (marks != expected)
        scenario_fail(s, "expected dirty 0x%llx, got 0x%llx",
                      (unsigned long long)expected, (unsigned long long)marks);
}
