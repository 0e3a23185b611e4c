/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a random run. A sequence is made whole before it runs, and each
 * step means something, or nothing, whatever went before: so that one may be
 * left out.
 */
#ifndef TESTS_HV_INTERRUPTS_ACTIONS_H
#define TESTS_HV_INTERRUPTS_ACTIONS_H

#include <stddef.h>

#include "hv/interrupts/world.h"

struct action {
    uint8_t kind; /* the table's row */
    uint8_t vm, hart, cpu;
    uint32_t a, b; /* what they are depends on the kind */
};

/* Fills in a sequence; the same for the same seed. */
void actions_draw(struct action *actions, size_t count, uint64_t seed);

/* Carries one out, in world and model, and compares. */
bool action_run(struct world *world, const struct action *action);

/* "VM 1 hart 2: claim 3 ..." */
void action_print(const struct action *action, char *text, size_t size);

#endif
