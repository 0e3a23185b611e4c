/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of x86_64 as seeds of fuzz_x86_exits and fuzz_vmx_exits. */
#include "arch/x86_64/svm/svm.h"
#include "arch/x86_64/vmx/exit.h"
#include "sim/report_seeds.h"
#include "sim/x86_64/arch.h"

/* fuzz/fuzz_x86_exits.c: a raw exit of any code, then numbers: code, two of
 * information; a byte that says there is no event on its way; the length of the
 * instruction; its bytes. */
#define EXITS_ANY      0xc8
#define EXITS_NO_EVENT 8
/* A register is set: an operation of fuzz/x86.c, of decode_state(). */
#define EXITS_GUEST   0xd0
#define GUEST_STATE   5
#define GUEST_SET_REG 0

/* Registers that the exit has brought, and that the seed has not set before. */
static void add_registers(const struct seed_exit *exit, struct seed *seed)
{
    static const char *const names[X86_GPR_COUNT] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    for (unsigned reg = 0; reg < X86_GPR_COUNT; reg++) {
        uint64_t value = seed_field(exit, names[reg]);

        if (value == seed->gpr[reg] || reg == X86_GPR_RSP)
            continue;
        seed->gpr[reg] = value;
        seed_put(seed, EXITS_GUEST, 1);
        seed_put(seed, GUEST_STATE, 1);
        seed_put(seed, GUEST_SET_REG, 1);
        seed_put(seed, reg, 1);
        seed_put_number(seed, value);
    }
}

static uint64_t add_exit(const struct seed_exit *exit, struct seed *seed)
{
    uint64_t code = exit->event->fields[TRACE_FIELD_CAUSE];
    uint64_t info1 = seed_field(exit, "exitinfo1");
    uint64_t info2 = seed_field(exit, "exitinfo2");
    uint64_t nrip = seed_field(exit, "nrip");
    uint64_t rip = exit->event->fields[TRACE_FIELD_PC];
    uint64_t sort = codec_mix(code, exit->event->exit_kind);

    /* An access needs more than a seed may have of registers. */
    if (code != VMEXIT_NPF)
        add_registers(exit, seed);
    seed_put(seed, EXITS_ANY, 1);
    seed_put_number(seed, code);
    seed_put_number(seed, info1);
    seed_put_number(seed, info2);
    seed_put(seed, EXITS_NO_EVENT, 1);
    seed_put(seed, nrip > rip && nrip - rip < 16 ? nrip - rip : 0, 1);
    seed_put_number(seed, seed_field(exit, "bytes") >> 8 & UINT32_MAX);
    sort =
        codec_mix(sort, code == VMEXIT_MSR ? seed_field(exit, "rcx") : info1);
    return exit->about->device != NULL ? codec_mix(sort, exit->about->gpa)
                                       : sort;
}

const struct seed_format x86_64_seeds = {
    .exits = "x86_exits",
    .add_exit = add_exit,
};

/* The same on VMX: fuzz/fuzz_vmx_exits.c has the same steps. Its numbers are
 * the reason, qualification and guest-physical address. */
static uint64_t add_vmx_exit(const struct seed_exit *exit, struct seed *seed)
{
    uint64_t reason = exit->event->fields[TRACE_FIELD_CAUSE];
    uint64_t qualification = seed_field(exit, "qualification");
    uint64_t length = seed_field(exit, "length");
    uint64_t sort = codec_mix(reason, exit->event->exit_kind);

    if (reason != VMX_REASON_EPT_VIOLATION)
        add_registers(exit, seed);
    seed_put(seed, EXITS_ANY, 1);
    seed_put_number(seed, reason);
    seed_put_number(seed, qualification);
    seed_put_number(seed, seed_field(exit, "guest_physical"));
    seed_put(seed, EXITS_NO_EVENT, 1);
    seed_put(seed, length < 16 ? length : 0, 1);
    seed_put_number(seed, 0);
    sort =
        codec_mix(sort, reason == VMX_REASON_RDMSR || reason == VMX_REASON_WRMSR
                            ? seed_field(exit, "rcx")
                            : qualification);
    return exit->about->device != NULL ? codec_mix(sort, exit->about->gpa)
                                       : sort;
}

const struct seed_format x86_64_vmx_seeds = {
    .exits = "vmx_exits",
    .add_exit = add_vmx_exit,
};
