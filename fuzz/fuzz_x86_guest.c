/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_64 guests: the vCPUs of two VMs on two CPUs, doing what guests can do,
 * and nothing that hardware would not let them: the fake processors decide what
 * exits. Interrupts and typed characters come in between. A third VM is a
 * bystander that must not notice.
 */
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void describe(struct machine_spec *spec)
{
    fuzz_x86_describe_guests(spec, &x86_64_sim_arch);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, fuzz_x86_decode_guest, true);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_guests(data, size, describe, fuzz_x86_decode_guest,
                           FUZZ_X86_BYSTANDER);
}
