/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86 instruction emulator: the input is a mode, a few registers, and an
 * instruction at the end of a page or not. On memory, devices, and addresses
 * of nothing (tests/hv/arch/x86_64/rig.h) it must come to an end, and an
 * exception must have left everything as it was.
 */
#include <string.h>

#include "fuzz/harness.h"
#include "tests/hv/arch/x86_64/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGISTERS 6

static struct rig rig;

/* A number that is often an address of something. */
static uint64_t take_value(struct fuzz_input *input)
{
    static const uint64_t bases[] = {
        RIG_MEMORY, RIG_DEVICES,  RIG_DEVICE, RIG_READ_ONLY,
        RIG_ABSENT, RIG_DEVICE_2, RIG_CODE,   0};
    uint64_t base = bases[fuzz_pick(input, 8)];

    return base + fuzz_number(input);
}

static void take_state(struct fuzz_input *input)
{
    unsigned how = (unsigned)fuzz_take(input, 2);

    if ((how & 3) == 3)
        rig_init_real(&rig);
    else
        rig_init(&rig, (enum x86_mode)(how & 3));
    rig.cpu.cpl = (how & 4) != 0 ? 3 : 0;
    rig.cpu.rflags |= (how & 8) != 0 ? X86_RFLAGS_DF : 0;
    rig.cpu.rflags |= (how & 16) != 0 ? X86_RFLAGS_AC : 0;
    rig.cpu.rflags |= (how & 32) != 0 ? X86_RFLAGS_TF : 0;
    rig.cpu.rflags |= (how & 64) != 0 ? X86_RFLAGS_CF : 0;
    rig.cpu.control.cr0 |= (how & 128) != 0 ? X86_CR0_AM : 0;
    rig.cpu.control.cr4 |= (how & 256) != 0 ? X86_CR4_LA57 : 0;
    if ((how & 512) != 0) {
        struct x86_segment *segment =
            &rig.cpu.segment[fuzz_pick(input, X86_SEGMENTS)];

        segment->base = fuzz_number(input);
        segment->limit = (uint32_t)fuzz_number(input);
        segment->attributes ^=
            (uint16_t)fuzz_number(input) &
            (X86_SEG_DOWN | X86_SEG_WRITABLE | X86_SEG_PRESENT | X86_SEG_BIG);
    }
    for (unsigned i = 0; i < REGISTERS; i++)
        rig.cpu.gpr[fuzz_pick(input, X86_GPR_COUNT)] = take_value(input);
}

/* Repeats change registers before a later iteration faults. */
static void check_exception(const struct x86_cpu *before,
                            const struct x86_insn *insn, bool decoded)
{
    struct x86_cpu expected = *before;

    if (decoded && insn->repeat != X86_REPEAT_NONE) {
        expected.gpr[X86_GPR_RCX] = rig.cpu.gpr[X86_GPR_RCX];
        expected.gpr[X86_GPR_RSI] = rig.cpu.gpr[X86_GPR_RSI];
        expected.gpr[X86_GPR_RDI] = rig.cpu.gpr[X86_GPR_RDI];
        expected.gpr[X86_GPR_RAX] = rig.cpu.gpr[X86_GPR_RAX]; /* LODS */
    }
    fuzz_need(memcmp(&expected, &rig.cpu, offsetof(struct x86_cpu, cpl)) == 0,
              "an exception has changed registers");
}

static void check(enum x86_result result, const struct x86_cpu *before)
{
    struct x86_insn insn;
    bool decoded = x86_decode_insn(rig.outcome.bytes, X86_INSN_MAX,
                                   x86_mode_of(before), &insn) == X86_DECODED;

    if (result == X86_EXCEPTION)
        check_exception(before, &insn, decoded);
    if (result == X86_RETRY)
        fuzz_need(insn.repeat != X86_REPEAT_NONE && rig.cpu.rip == before->rip,
                  "what does not repeat wants another try");
    if (result == X86_DONE)
        fuzz_need((uint32_t)(rig.cpu.rip - before->rip) == rig.outcome.length,
                  "RIP is not behind the instruction");
    fuzz_need(rig.outcome.length <= X86_INSN_MAX, "an instruction is too long");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    struct x86_cpu before;
    char bytes[X86_INSN_MAX];

    take_state(&input);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)fuzz_take(&input, 1);
    before = rig.cpu;
    before.rip = RIG_CODE - rig.cpu.segment[X86_CS].base;
    check(rig_run(&rig, bytes, sizeof(bytes)), &before);
    return 0;
}
