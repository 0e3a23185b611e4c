/* SPDX-License-Identifier: Apache-2.0 */
/* Raw exits of SVM: any code with any information; see x86.h. */
#include "arch/x86_64/hw.h"
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t codes[] = {
    VMEXIT_CR0_READ + 8,
    VMEXIT_CR0_WRITE + 4,
    VMEXIT_CR0_WRITE + 8,
    VMEXIT_EXCP0 + X86_VECTOR_DB,
    VMEXIT_EXCP0 + X86_VECTOR_AC,
    VMEXIT_INTR,
    VMEXIT_NMI,
    VMEXIT_VINTR,
    VMEXIT_RDPMC,
    VMEXIT_CPUID,
    VMEXIT_IRET,
    VMEXIT_INVD,
    VMEXIT_HLT,
    VMEXIT_MSR,
    VMEXIT_SHUTDOWN,
    VMEXIT_VMMCALL,
    VMEXIT_WBINVD,
    VMEXIT_XSETBV,
};

/* From 0x40 on there are those of exceptions, few of which exit: the bytes are
 * of what comes behind. */
static const struct fuzz_x86_exits exits = {
    .codes = codes,
    .count = ARRAY_SIZE(codes),
    .gap = 0x40,
    .gap_size = 0x20,
    .nested = VMEXIT_NPF,
    .nested_info = {NPF_FINAL, NPF_TABLE},
    .io = VMEXIT_IOIO,
    .event = -1,
};

static void describe(struct machine_spec *spec)
{
    fuzz_x86_pair(spec, &x86_64_sim_arch, 2);
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
