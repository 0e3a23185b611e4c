/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw exits of SVM: any code with any information, also such as no processor
 * gives, in any register state, with what the guest can do in between. The
 * input is a sequence of operations, each of them a byte that says which, and
 * numbers (input.c); what is left out is 0.
 */
#include "arch/x86_64/hw.h"
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an operation's first byte says; below these, it is a raw exit: of the
 * code that it is, if there is one. */
enum {
    KIND_KNOWN = 0x70,
    KIND_NPF = 0xa0,
    KIND_IOIO = 0xb8,
    KIND_ANY = 0xc8,
    KIND_GUEST = 0xd0,
};

/* A second machine is there to be left alone. */
static void describe(struct machine_spec *spec)
{
    spec->arch = &x86_64_sim_arch;
    spec->vm_count = 2;
    fuzz_x86_vm(&spec->vms[0], 1, 2);
    spec->vms[1] = (struct spec_vm){
        .id = 2,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

/* Codes that the hypervisor's controls allow are much the most frequent: any
 * other ends the machine, and with it what can be found out by this input. */
static uint64_t take_code(struct fuzz_input *input, unsigned kind)
{
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

    if (kind < KIND_KNOWN)
        return kind + (kind >= 0x40 ? 0x20u : 0);
    if (kind < KIND_NPF)
        return codes[kind % ARRAY_SIZE(codes)];
    return fuzz_number(input);
}

static void decode_raw(struct fuzz_input *input, unsigned kind,
                       struct guest_op *op)
{
    op->kind = OP_RAW_EXIT;
    if (kind >= KIND_NPF && kind < KIND_IOIO) {
        op->args[0] = VMEXIT_NPF;
        op->args[1] = fuzz_take(input, 1) | (kind & 1 ? NPF_TABLE : NPF_FINAL);
        op->args[2] = fuzz_x86_address(input);
    } else if (kind >= KIND_IOIO && kind < KIND_ANY) {
        op->args[0] = VMEXIT_IOIO;
        op->args[1] = (uint64_t)fuzz_x86_port(input) << 16 |
                      (fuzz_take(input, 2) & 0xffff);
        op->args[2] = fuzz_number(input);
    } else {
        op->args[0] = take_code(input, kind);
        op->args[1] = fuzz_number(input);
        op->args[2] = fuzz_number(input);
    }
    op->args[3] = fuzz_take(input, 1) < 8 ? fuzz_number(input) | EVENT_V : 0;
    op->args[4] = fuzz_take(input, 1) & 15;
    op->number = (uint32_t)fuzz_number(input);
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    unsigned kind = (unsigned)fuzz_take(input, 1);
    struct guest_op *op = fuzz_add(script);

    if (kind < KIND_GUEST)
        decode_raw(input, kind, op);
    else
        fuzz_x86_operation(input, op);
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
