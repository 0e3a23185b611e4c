/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libFuzzer looks for besides edges: states, as counters of its own. A
 * new combination of what a guest did and what came of it is worth keeping,
 * even where no new line of code was needed for it.
 */
#ifndef FUZZ_FEATURES_H
#define FUZZ_FEATURES_H

#include "sim/fake_hw/op.h"
#include "sim/fake_hw/violation.h"
#include "vm/vm.h"

/* An operation of a vCPU is over: the kind of exit it made, if any, and its
 * outcome; what operations get which exception; of an SBI call, which
 * extension answered with which error. */
void features_of_operation(vm_id vm, vcpu_id vcpu, const struct guest_op *op,
                           bool exited, const struct guest_result *result);

/* A state that the mutator has made, and a rule that it broke. */
void features_of_rule(enum violation_rule rule);

/* The run is over: the last exit of each vCPU, where the scheduler has put it,
 * the state of its VM, and why it stopped. */
void features_of_end(vm_id vm);

#endif
