/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_64 guests on VMX: the vCPUs of two VMs on two CPUs, doing what guests can
 * do, as in fuzz_x86_guest.c, whose bytes say the same. The processors are as
 * those that there are, which have less than what fuzz_vmx_exits.c runs on.
 */
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void describe(struct machine_spec *spec)
{
    fuzz_x86_describe_guests(spec, &x86_64_vmx_sim_arch);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, fuzz_x86_decode_guest, true);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_profile = "haswell";
    return fuzz_run_guests(data, size, describe, fuzz_x86_decode_guest,
                           FUZZ_X86_BYSTANDER);
}
