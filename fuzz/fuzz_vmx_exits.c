/* SPDX-License-Identifier: Apache-2.0 */
/* Raw exits of VMX: any reason with any information; see x86.h. The bytes say
 * the same as those of fuzz_x86_exits.c, with reasons for codes. */
#include "arch/x86_64/hw.h"
#include "arch/x86_64/vmx/exit.h"
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t reasons[] = {
    VMX_REASON_EXCEPTION_NMI,
    VMX_REASON_EXTERNAL_INTERRUPT,
    VMX_REASON_TRIPLE_FAULT,
    VMX_REASON_INIT,
    VMX_REASON_INTERRUPT_WINDOW,
    VMX_REASON_NMI_WINDOW,
    VMX_REASON_TASK_SWITCH,
    VMX_REASON_CPUID,
    VMX_REASON_HLT,
    VMX_REASON_INVD,
    VMX_REASON_RDPMC,
    VMX_REASON_VMCALL,
    VMX_REASON_VMREAD,
    VMX_REASON_CR_ACCESS,
    VMX_REASON_CR_ACCESS,
    VMX_REASON_RDMSR,
    VMX_REASON_WRMSR,
    VMX_REASON_MONITOR,
    VMX_REASON_WBINVD,
    VMX_REASON_XSETBV,
};

static const struct fuzz_x86_exits exits = {
    .codes = reasons,
    .count = ARRAY_SIZE(reasons),
    .nested = VMX_REASON_EPT_VIOLATION,
    .nested_info = {VMX_EPT_LINEAR | VMX_EPT_FINAL, VMX_EPT_LINEAR},
    .io = VMX_REASON_IO_INSTRUCTION,
    .event = VMX_REASON_EXTERNAL_INTERRUPT,
};

static void describe(struct machine_spec *spec)
{
    fuzz_x86_pair(spec, &x86_64_vmx_sim_arch, 2);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    fuzz_x86_decode_exit(input, script, &exits);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, false);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, describe, decode);
}
