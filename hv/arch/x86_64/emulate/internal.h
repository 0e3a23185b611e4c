/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the executor's files share: the instruction in hand, its operands, and
 * memory as far as it is known to be accessible.
 */
#ifndef ARCH_X86_64_EMULATE_INTERNAL_H
#define ARCH_X86_64_EMULATE_INTERNAL_H

#include "arch/x86_64/emulate/emulate.h"

struct x86_emulation {
    struct x86_cpu *cpu;
    const struct x86_insn *insn;
    const struct x86_emulate_ops *ops;
    void *context;
    struct x86_outcome *outcome;
};

/* Leaves the function unless `call` is done. */
#define TRY(call)                       \
    do {                                \
        enum x86_result try_ = (call);  \
        if (unlikely(try_ != X86_DONE)) \
            return try_;                \
    } while (0)

/* The exception `vector` with an error code of 0, where it has one. */
enum x86_result x86_raise(const struct x86_cpu *cpu, unsigned vector,
                          struct x86_outcome *outcome);

/* Memory that has been checked and translated: one page, or two. */
struct x86_memory {
    gpa_t part[2];
    uint8_t bytes[2]; /* of each; the second's may be 0 */
};

/*
 * Checks an access to `bytes` at segment:offset against the segment, the
 * alignment, and the page tables. `offset` is truncated to the address size.
 */
enum x86_result x86_locate(const struct x86_emulation *em, unsigned segment,
                           uint64_t offset, unsigned bytes,
                           enum x86_access access,
                           struct x86_memory *memory) MUST_CHECK;
enum x86_result x86_read(const struct x86_emulation *em,
                         const struct x86_memory *memory, void *to) MUST_CHECK;
enum x86_result x86_write(const struct x86_emulation *em,
                          const struct x86_memory *memory,
                          const void *from) MUST_CHECK;

/* The linear address of the code at `offset`; how many bytes of it may be
 * fetched there, at most `bytes`: 0 if none. */
unsigned x86_code_window(const struct x86_cpu *cpu, uint64_t offset,
                         unsigned bytes, uint64_t *linear);

/* The low `bytes` of a register; writes as processors do: 4 bytes clear the
 * upper half, 1 and 2 leave the rest. */
uint64_t x86_gpr_read(const struct x86_cpu *cpu, unsigned reg, unsigned bytes);
void x86_gpr_write(struct x86_cpu *cpu, unsigned reg, unsigned bytes,
                   uint64_t value);

/* An operand on which everything is checked that can fault. */
struct x86_ref {
    const struct x86_operand *operand;
    struct x86_memory memory; /* of a memory operand */
};

/* The offset in its segment of the instruction's memory operand. */
uint64_t x86_effective_address(const struct x86_emulation *em);

enum x86_result x86_open(const struct x86_emulation *em, unsigned number,
                         enum x86_access access,
                         struct x86_ref *ref) MUST_CHECK;
/* Values of up to eight bytes, zero-extended. */
enum x86_result x86_load(const struct x86_emulation *em,
                         const struct x86_ref *ref, uint64_t *value) MUST_CHECK;
enum x86_result x86_store(const struct x86_emulation *em,
                          const struct x86_ref *ref, uint64_t value) MUST_CHECK;

/* The first two operands, both opened, and what was in them. */
struct x86_pair {
    struct x86_ref to, from;
    uint64_t a, b;
};

/* Opens the first for `access` and the second for reading, and loads both. */
enum x86_result x86_load_pair(const struct x86_emulation *em,
                              enum x86_access access,
                              struct x86_pair *pair) MUST_CHECK;

enum x86_result x86_do_mov(struct x86_emulation *em);
enum x86_result x86_do_compare(struct x86_emulation *em);
enum x86_result x86_do_string(struct x86_emulation *em);
enum x86_result x86_do_vector(struct x86_emulation *em);

#endif
