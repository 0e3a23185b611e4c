/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory operands: segmentation (Intel SDM volume 3, sections 5.3 to 5.5; AMD
 * APM volume 2, sections 4.7 to 4.12), canonical addresses, alignment; then
 * accesses in order, split where a page ends or another device begins.
 */
#include "arch/x86_64/emulate/internal.h"

#define LINEAR_BITS      48
#define LINEAR_BITS_LA57 57
#define LINEAR_32        BIT_MASK(31, 0)
#define PAGE_OFFSET      (PAGE_SIZE - 1)

enum x86_result x86_raise(const struct x86_cpu *cpu, unsigned vector,
                          struct x86_outcome *outcome)
{
    bool has_error = vector == X86_VECTOR_SS || vector == X86_VECTOR_GP ||
                     vector == X86_VECTOR_PF || vector == X86_VECTOR_AC;

    outcome->exception = (struct x86_exception){
        .vector = (uint8_t)vector,
        .has_error = has_error && (cpu->control.cr0 & X86_CR0_PE) != 0,
    };
    return X86_EXCEPTION;
}

static bool is_canonical(const struct x86_cpu *cpu, uint64_t linear)
{
    unsigned bits =
        (cpu->control.cr4 & X86_CR4_LA57) != 0 ? LINEAR_BITS_LA57 : LINEAR_BITS;

    return (uint64_t)sign_extend(linear, bits) == linear;
}

static bool is_within_limit(const struct x86_segment *segment, uint64_t offset,
                            unsigned bytes)
{
    const uint16_t down = X86_SEG_CODE | X86_SEG_DOWN;
    uint64_t last = offset + bytes - 1;

    if ((segment->attributes & down) != X86_SEG_DOWN)
        return last <= segment->limit;
    return offset > segment->limit &&
           last <= ((segment->attributes & X86_SEG_BIG) != 0 ? UINT32_MAX
                                                             : UINT16_MAX);
}

/* What the segment's type allows; real mode does not ask. */
static bool is_allowed(const struct x86_segment *segment, bool write)
{
    bool is_code = (segment->attributes & X86_SEG_CODE) != 0;
    bool bit = (segment->attributes & X86_SEG_WRITABLE) != 0;

    if ((segment->attributes & X86_SEG_PRESENT) == 0)
        return false;
    return write ? !is_code && bit : !is_code || bit;
}

/* False: the access violates the segment. */
static bool to_linear_legacy(const struct x86_cpu *cpu, unsigned number,
                             uint64_t offset, unsigned bytes, bool write,
                             uint64_t *linear)
{
    const struct x86_segment *segment = &cpu->segment[number];

    *linear = (segment->base + offset) & LINEAR_32;
    return is_within_limit(segment, offset, bytes) &&
           (!x86_is_protected(cpu) || is_allowed(segment, write));
}

static bool to_linear_64(const struct x86_cpu *cpu, unsigned number,
                         uint64_t offset, unsigned bytes, uint64_t *linear)
{
    uint64_t base = number >= X86_FS ? cpu->segment[number].base : 0;

    *linear = base + offset;
    return is_canonical(cpu, *linear) && is_canonical(cpu, *linear + bytes - 1);
}

/* Unaligned vector moves are exempt: that is the processor's choice (SDM volume
 * 3, section 6.15 "Interrupt 17"). */
static bool is_alignment_checked(const struct x86_emulation *em)
{
    return em->cpu->cpl == 3 && (em->cpu->control.cr0 & X86_CR0_AM) != 0 &&
           (em->cpu->rflags & X86_RFLAGS_AC) != 0 && !em->insn->is_vector;
}

static enum x86_result translate(const struct x86_emulation *em,
                                 uint64_t linear, unsigned bytes,
                                 enum x86_access access,
                                 struct x86_memory *memory)
{
    uint64_t left = PAGE_SIZE - (linear & PAGE_OFFSET);
    uint64_t next = linear + left;

    *memory = (struct x86_memory){.bytes = {(uint8_t)bytes, 0}};
    TRY(em->ops->translate(em->context, linear, access, &memory->part[0],
                           &em->outcome->exception));
    if (likely(bytes <= left))
        return X86_DONE;
    memory->bytes[0] = (uint8_t)left;
    memory->bytes[1] = (uint8_t)(bytes - left);
    if (em->insn->mode != X86_MODE_64)
        next &= LINEAR_32;
    return em->ops->translate(em->context, next, access, &memory->part[1],
                              &em->outcome->exception);
}

enum x86_result x86_locate(const struct x86_emulation *em, unsigned segment,
                           uint64_t offset, unsigned bytes,
                           enum x86_access access, struct x86_memory *memory)
{
    const struct x86_cpu *cpu = em->cpu;
    uint64_t linear;
    bool ok;

    offset = zero_extend(offset, 8 * em->insn->address_size);
    if (em->insn->mode == X86_MODE_64)
        ok = to_linear_64(cpu, segment, offset, bytes, &linear);
    else
        ok = to_linear_legacy(cpu, segment, offset, bytes,
                              access != X86_ACCESS_READ, &linear);
    if (!ok)
        return x86_raise(cpu, segment == X86_SS ? X86_VECTOR_SS : X86_VECTOR_GP,
                         em->outcome);
    if (!is_aligned(linear, bytes)) {
        if (em->insn->is_aligned)
            return x86_raise(cpu, X86_VECTOR_GP, em->outcome);
        if (is_alignment_checked(em))
            return x86_raise(cpu, X86_VECTOR_AC, em->outcome);
    }
    return translate(em, linear, bytes, access, memory);
}

unsigned x86_code_window(const struct x86_cpu *cpu, uint64_t offset,
                         unsigned bytes, uint64_t *linear)
{
    const struct x86_segment *cs = &cpu->segment[X86_CS];
    uint64_t left;

    if (x86_mode_of(cpu) == X86_MODE_64) {
        *linear = offset;
        return is_canonical(cpu, offset) ? bytes : 0;
    }
    offset &= LINEAR_32;
    *linear = (cs->base + offset) & LINEAR_32;
    if (offset > cs->limit)
        return 0;
    left = cs->limit - offset + 1;
    return left < bytes ? (unsigned)left : bytes;
}

/* A part of an access that is made at once. */
struct piece {
    gpa_t address;
    unsigned bytes;
};

/* The piece that comes after the first `done` bytes; false: there is none. */
static bool next_piece(const struct x86_emulation *em,
                       const struct x86_memory *memory, unsigned done,
                       struct piece *piece)
{
    unsigned i = done < memory->bytes[0] ? 0 : 1;

    if (i == 1)
        done -= memory->bytes[0];
    piece->address = gpa_add(memory->part[i], done);
    piece->bytes = memory->bytes[i] - done;
    if (piece->bytes > X86_ACCESS_MAX)
        piece->bytes = X86_ACCESS_MAX;
    if (piece->bytes != 0 && em->ops->span != NULL)
        piece->bytes = em->ops->span(em->context, piece->address, piece->bytes);
    return piece->bytes != 0;
}

enum x86_result x86_read(const struct x86_emulation *em,
                         const struct x86_memory *memory, void *to)
{
    uint8_t *at = to;
    struct piece piece;

    for (unsigned done = 0; next_piece(em, memory, done, &piece);
         done += piece.bytes)
        TRY(em->ops->read(em->context, piece.address, at + done, piece.bytes));
    return X86_DONE;
}

enum x86_result x86_write(const struct x86_emulation *em,
                          const struct x86_memory *memory, const void *from)
{
    const uint8_t *at = from;
    struct piece piece;

    for (unsigned done = 0; next_piece(em, memory, done, &piece);
         done += piece.bytes)
        TRY(em->ops->write(em->context, piece.address, at + done, piece.bytes));
    return X86_DONE;
}
