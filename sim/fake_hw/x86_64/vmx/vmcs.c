/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a VMCS; see vmcs.h. */
#include "sim/fake_hw/x86_64/vmx/vmcs.h"

const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT] = {
#define X(name, encoding, condition) {encoding, VMCS_IF_##condition, #name},
    VMCS_FIELDS(X)
#undef X
};

/* An encoding without its lowest and its reserved bits: width, type, index. */
#define INDEX_BITS 6
#define SLOT(encoding)                            \
    (((encoding) >> 13 & 3) << (INDEX_BITS + 2) | \
     ((encoding) >> 10 & 3) << INDEX_BITS |       \
     ((encoding) >> 1 & ((1 << INDEX_BITS) - 1)))

/* Every index has a place. */
#define X(name, encoding, condition)                                           \
    _Static_assert(FIELD_GET(VMCS_ENCODING_INDEX, encoding) < 1 << INDEX_BITS, \
                   #name);
VMCS_FIELDS(X)
#undef X

/* A field's place, plus 1. */
static const uint8_t places[1 << (INDEX_BITS + 4)] = {
#define X(name, encoding, condition) [SLOT(encoding)] = VMCS_AT_##name + 1,
    VMCS_FIELDS(X)
#undef X
};

_Static_assert(VMCS_FIELD_COUNT < UINT8_MAX, "");

enum vmcs_at vmcs_find(const struct vmx_profile *profile, uint64_t encoding)
{
    bool high = (encoding & VMCS_ENCODING_HIGH) != 0;
    enum vmcs_condition condition;
    unsigned place;

    if ((encoding & VMCS_ENCODING_RESERVED) != 0 ||
        (high && vmcs_width(encoding) != VMCS_WIDTH_64) ||
        FIELD_GET(VMCS_ENCODING_INDEX, encoding) >> INDEX_BITS != 0)
        return VMCS_FIELD_COUNT;
    place = places[SLOT(encoding)];
    if (place == 0)
        return VMCS_FIELD_COUNT;
    condition = vmcs_fields[place - 1].condition;
    if (condition != VMCS_IF_ALWAYS && !vmx_condition_holds(profile, condition))
        return VMCS_FIELD_COUNT;
    return place - 1;
}

uint64_t vmcs_read(const struct fake_vmcs *vmcs, enum vmcs_at at,
                   uint64_t encoding)
{
    if ((encoding & VMCS_ENCODING_HIGH) != 0)
        return vmcs->field[at] >> 32;
    return vmcs->field[at];
}

void vmcs_write(struct fake_vmcs *vmcs, enum vmcs_at at, uint64_t encoding,
                uint64_t value)
{
    value = zero_extend(value, vmcs_bits(encoding));
    if ((encoding & VMCS_ENCODING_HIGH) != 0)
        value = value << 32 | (uint32_t)vmcs->field[at];
    vmcs->field[at] = value;
}
