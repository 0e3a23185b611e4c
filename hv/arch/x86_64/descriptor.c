/* SPDX-License-Identifier: Apache-2.0 */
/* Segment descriptors; see descriptor.h. */
#include "arch/x86_64/descriptor.h"

#define LIMIT_LOW       BIT_MASK(15, 0)
#define BASE_LOW        BIT_MASK(39, 16)
#define ATTRIBUTES_LOW  BIT_MASK(47, 40)
#define LIMIT_HIGH      BIT_MASK(51, 48)
#define ATTRIBUTES_HIGH BIT_MASK(55, 52)
#define BASE_HIGH       BIT_MASK(63, 56)

void x86_decode_descriptor(uint64_t bits, struct x86_segment *segment)
{
    uint32_t limit = (uint32_t)(FIELD_GET(LIMIT_LOW, bits) |
                                FIELD_GET(LIMIT_HIGH, bits) << 16);

    segment->base = FIELD_GET(BASE_LOW, bits) | FIELD_GET(BASE_HIGH, bits)
                                                    << 24;
    segment->attributes = (uint16_t)(FIELD_GET(ATTRIBUTES_LOW, bits) |
                                     FIELD_GET(ATTRIBUTES_HIGH, bits) << 8);
    segment->limit = (segment->attributes & X86_SEG_GRANULAR) != 0
                         ? limit << 12 | 0xfff
                         : limit;
}

static bool is_conforming(uint16_t attributes)
{
    const uint64_t both = X86_SEG_CODE | X86_SEG_CONFORMING;

    return (attributes & both) == both;
}

static bool is_readable(uint16_t attributes)
{
    return (attributes & X86_SEG_CODE) == 0 ||
           (attributes & X86_SEG_READABLE) != 0;
}

static bool is_writable(uint16_t attributes)
{
    return (attributes & X86_SEG_CODE) == 0 &&
           (attributes & X86_SEG_WRITABLE) != 0;
}

bool x86_task_may_load(unsigned number, const struct x86_segment *segment,
                       unsigned cpl)
{
    uint16_t attributes = segment->attributes;
    unsigned dpl = (unsigned)FIELD_GET(X86_SEG_DPL, attributes);
    unsigned rpl = segment->selector & X86_SELECTOR_RPL;

    if (number == X86_ENTRY_LDTR)
        return (attributes & X86_SEG_TYPE) == X86_TYPE_LDT;
    if ((attributes & X86_SEG_NO_SYSTEM) == 0)
        return false;
    switch (number) {
    case X86_CS:
        return (attributes & X86_SEG_CODE) != 0 &&
               (is_conforming(attributes) ? dpl <= cpl : dpl == cpl);
    case X86_SS: return is_writable(attributes) && dpl == cpl && rpl == cpl;
    default:
        return is_readable(attributes) &&
               (is_conforming(attributes) || (dpl >= cpl && dpl >= rpl));
    }
}
