/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches instructions: for processors that do not offer their bytes with an
 * exit, or not all of them. The bytes are copied once, and the copy is decoded.
 */
#include "arch/x86_64/emulate/internal.h"

/* Bytes at `offset` in the code segment, to the end of their page. */
static enum x86_result fetch_page(const struct x86_cpu *cpu,
                                  const struct x86_emulate_ops *ops,
                                  void *context, uint64_t offset,
                                  struct x86_outcome *outcome)
{
    unsigned room = X86_INSN_MAX - outcome->length, window;
    uint64_t linear, left;
    gpa_t address;

    window = x86_code_window(cpu, offset, room, &linear);
    if (window == 0)
        return x86_raise(cpu, X86_VECTOR_GP, outcome);
    left = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    if (window > left)
        window = (unsigned)left;
    TRY(ops->translate(context, linear, X86_ACCESS_FETCH, &address,
                       &outcome->exception));
    TRY(ops->fetch(context, address, outcome->bytes + outcome->length, window));
    outcome->length = (uint8_t)(outcome->length + window);
    return X86_DONE;
}

enum x86_result x86_fetch_insn(const struct x86_cpu *cpu,
                               const struct x86_emulate_ops *ops, void *context,
                               struct x86_insn *insn,
                               struct x86_outcome *outcome)
{
    enum x86_decoded decoded;

    *outcome = (struct x86_outcome){0};
    do {
        TRY(fetch_page(cpu, ops, context, cpu->rip + outcome->length, outcome));
        decoded = x86_decode_insn(outcome->bytes, outcome->length,
                                  x86_mode_of(cpu), insn);
    } while (decoded == X86_DECODE_TRUNCATED);
    switch (decoded) {
    case X86_DECODED: outcome->length = insn->length; return X86_DONE;
    case X86_DECODE_INVALID: return x86_raise(cpu, X86_VECTOR_UD, outcome);
    case X86_DECODE_TOO_LONG: return x86_raise(cpu, X86_VECTOR_GP, outcome);
    default: return X86_UNSUPPORTED;
    }
}

enum x86_result x86_emulate(struct x86_cpu *cpu,
                            const struct x86_emulate_ops *ops, void *context,
                            struct x86_outcome *outcome)
{
    struct x86_insn insn;

    TRY(x86_fetch_insn(cpu, ops, context, &insn, outcome));
    return x86_emulate_insn(cpu, &insn, ops, context, outcome);
}
