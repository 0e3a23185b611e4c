/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of states: see features.h. */
#include "fuzz/features.h"

#include "arch/riscv64/sbi.h"
#include "vmm/internal.h"

#define EXITS      (EXIT_KIND_COUNT + 1) /* the last: there was none */
#define OUTCOMES   5
#define EXCEPTIONS 1024 /* places for pairs of an operation and a cause */
#define SLOTS      (1 << SBI_SLOT_BITS)
#define SBI_ERRORS 16
#define PLACES     8

/* libFuzzer clears them before each input, and takes each byte for one of its
 * own counters. */
static struct {
    uint8_t exits[EXITS][OUTCOMES];
    uint8_t exceptions[EXCEPTIONS];
    uint8_t calls[SLOTS][SBI_ERRORS];
    uint8_t ends[EXITS][PLACES];
    uint8_t stops[VM_STATE_COUNT][VM_STOP_COUNT];
} features __attribute__((section("__libfuzzer_extra_counters"), used));

static void count(uint8_t *counter)
{
    *counter = (uint8_t)(*counter + (*counter != UINT8_MAX));
}

/* There are more pairs than occur: libFuzzer looks at each place after each
 * input. */
static unsigned place_of(unsigned kind, uint64_t cause)
{
    return (unsigned)(kind * 37 + cause) % EXCEPTIONS;
}

static void count_call(const struct guest_op *op,
                       const struct guest_result *result)
{
    int64_t error = -(int64_t)result->value;

    if (error < 0 || error >= SBI_ERRORS)
        error = SBI_ERRORS - 1;
    count(&features.calls[SBI_SLOT(op->args[7])][error]);
}

void features_of_operation(vm_id vm_number, vcpu_id vcpu,
                           const struct guest_op *op, bool exited,
                           const struct guest_result *result)
{
    const struct vm *vm = vmm_find_vm(vm_number);
    unsigned kind = EXIT_KIND_COUNT;

    if (exited && vm != NULL)
        kind = vm->vcpus[vcpu]->exit_kind;
    count(&features.exits[kind][result->outcome]);
    if (result->outcome == OUTCOME_EXCEPTION)
        count(&features.exceptions[place_of(op->kind, result->cause)]);
    if (op->kind == OP_ECALL && result->outcome == OUTCOME_RETIRED)
        count_call(op, result);
}

void features_of_end(vm_id vm_number)
{
    const struct vm *vm = vmm_find_vm(vm_number);

    if (vm == NULL)
        return;
    for (uint32_t i = 0; i < vm->config.cpu_num; i++)
        count(&features.ends[vm->vcpus[i]->exit_kind]
                            [vm->vcpus[i]->place % PLACES]);
    count(&features.stops[vm->state][vm->stop]);
}
