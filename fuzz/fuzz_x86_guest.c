/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_64 guests: the vCPUs of two VMs on two CPUs, doing what guests can do,
 * and nothing that hardware would not let them: the fake processors decide what
 * exits. Interrupts and typed characters come in between. A third VM is a
 * bystander that must not notice.
 */
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYSTANDER 3

static void describe(struct machine_spec *spec)
{
    spec->arch = &x86_64_sim_arch;
    spec->vm_count = 3;
    fuzz_x86_vm(&spec->vms[0], 1, 2);
    fuzz_x86_vm(&spec->vms[1], 2, 2);
    spec->vms[2] = (struct spec_vm){
        .id = BYSTANDER,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

/* From outside: an interrupt, or something is typed. */
static void decode_event(struct fuzz_input *input, struct guest_op *op)
{
    if (fuzz_pick(input, 2) == 0) {
        op->kind = FUZZ_INJECT;
        op->number = (uint32_t)fuzz_take(input, 1);
        return;
    }
    op->kind = FUZZ_TYPE;
    op->width = (uint8_t)fuzz_pick(input, 9);
    op->value = fuzz_number(input);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    struct guest_op *op = fuzz_add(script);

    if (fuzz_take(input, 1) < 0x10)
        decode_event(input, op);
    else
        fuzz_x86_operation(input, op);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, true);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_guests(data, size, describe, decode, BYSTANDER);
}
