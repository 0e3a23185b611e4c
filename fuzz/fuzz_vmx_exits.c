/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw exits of VMX: any reason with any information, also such as no processor
 * gives, in any register state, with what the guest can do in between. The
 * input is a sequence of operations, each of them a byte that says which, and
 * numbers (input.c); what is left out is 0. The bytes say the same as those of
 * fuzz_x86_exits.c, with reasons for codes.
 */
#include "arch/x86_64/hw.h"
#include "arch/x86_64/vmx/exit.h"
#include "fuzz/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an operation's first byte says; below these, it is a raw exit: of the
 * reason that it is. */
enum {
    KIND_KNOWN = 0x70,
    KIND_EPT = 0xa0,
    KIND_IO = 0xb8,
    KIND_ANY = 0xc8,
    KIND_GUEST = 0xd0,
};

/* A second machine is there to be left alone. */
static void describe(struct machine_spec *spec)
{
    spec->arch = &x86_64_vmx_sim_arch;
    spec->vm_count = 2;
    fuzz_x86_vm(&spec->vms[0], 1, 2);
    spec->vms[1] = (struct spec_vm){
        .id = 2,
        .memory_count = 1,
        .memory = {{.base = SPEC_MEMORY, .size = FUZZ_MEMORY}}};
}

/* Reasons that the hypervisor's controls allow are much the most frequent: any
 * other ends the machine, and with it what can be found out by this input. */
static uint64_t take_reason(struct fuzz_input *input, unsigned kind)
{
    static const uint8_t reasons[] = {
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

    if (kind < KIND_KNOWN)
        return kind;
    if (kind < KIND_EPT)
        return reasons[kind % ARRAY_SIZE(reasons)];
    return fuzz_number(input);
}

static void decode_raw(struct fuzz_input *input, unsigned kind,
                       struct guest_op *op)
{
    op->kind = OP_RAW_EXIT;
    if (kind >= KIND_EPT && kind < KIND_IO) {
        op->args[0] = VMX_REASON_EPT_VIOLATION;
        op->args[1] = fuzz_take(input, 1) | VMX_EPT_LINEAR |
                      (kind & 1 ? 0 : VMX_EPT_FINAL);
        op->args[2] = fuzz_x86_address(input);
    } else if (kind >= KIND_IO && kind < KIND_ANY) {
        op->args[0] = VMX_REASON_IO_INSTRUCTION;
        op->args[1] = (uint64_t)fuzz_x86_port(input) << 16 |
                      (fuzz_take(input, 2) & 0xffff);
        op->args[2] = fuzz_number(input);
    } else {
        op->args[0] = take_reason(input, kind);
        op->args[1] = fuzz_number(input);
        op->args[2] = fuzz_number(input);
    }
    op->args[3] =
        fuzz_take(input, 1) < 8 ? fuzz_number(input) | VMX_EVENT_VALID : 0;
    op->args[4] = fuzz_take(input, 1) & 15;
    op->number = (uint32_t)fuzz_number(input);
    if (op->args[0] <= VMX_REASON_EXTERNAL_INTERRUPT)
        op->args[5] = fuzz_number(input) | VMX_EVENT_VALID;
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
