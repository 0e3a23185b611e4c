/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests do once they are in: the instruction of each is in the list, and
 * fake processors, which do not read code, find its operation here by the
 * number that the case has. The order is part of the lists' format.
 */
#ifndef TESTS_TRUTH_OPS_H
#define TESTS_TRUTH_OPS_H

#include "sim/fake_hw/op.h"

struct truth_op {
    struct guest_op op;
    /* What it needs in registers, by their number: as the fake processor would
     * put it there. */
    struct {
        uint8_t reg;
        uint64_t value;
    } regs[3];
    uint8_t reg_count;
};

extern const struct truth_op truth_ops[];
extern const unsigned truth_op_count;

#endif
