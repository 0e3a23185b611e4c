/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake processor's VMCS: which fields it has, and a VMCS region in memory.
 * Intel SDM volume 3, chapter on the VMCS, whose section on VMREAD, VMWRITE and
 * encodings says what an access to each field does.
 *
 * The format behind the region's first two doublewords is this file's own: the
 * fields, in the order of the table, and what the processor knows besides them.
 */
#ifndef SIM_FAKE_HW_X86_64_VMX_VMCS_H
#define SIM_FAKE_HW_X86_64_VMX_VMCS_H

#include "sim/fake_hw/x86_64/vmx/capability.h"

/* Where a field is in tables and in a VMCS. */
enum vmcs_at {
#define X(name, encoding, condition) VMCS_AT_##name,
    VMCS_FIELDS(X)
#undef X
        VMCS_FIELD_COUNT
};

struct vmcs_field_info {
    uint16_t encoding;
    uint8_t condition; /* enum vmcs_condition */
    const char *name;
};

extern const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT];

enum vmcs_launch_state {
    VMCS_CLEAR,
    VMCS_LAUNCHED,
    VMCS_LAUNCHED_BEFORE_VMXOFF,
};

/* A VMCS, in memory and on a processor. */
struct fake_vmcs {
    uint32_t revision; /* bit 31: a shadow VMCS */
    uint32_t abort;
    uint32_t known;     /* says that VMCLEAR was here; see instructions.c */
    uint32_t active_on; /* the processor where it is active, plus 1 */
    uint64_t launch;    /* enum vmcs_launch_state */
    uint64_t field[VMCS_FIELD_COUNT];
};

_Static_assert(sizeof(struct fake_vmcs) <= 4096, "");

/* Where the field of an encoding is, or its half if the encoding is of the
 * high half; VMCS_FIELD_COUNT: `profile` has no such field. */
enum vmcs_at vmcs_find(const struct vmx_profile *profile, uint64_t encoding);

/* What VMREAD and VMWRITE do with the field of an encoding that was found. */
uint64_t vmcs_read(const struct fake_vmcs *vmcs, enum vmcs_at at,
                   uint64_t encoding);
void vmcs_write(struct fake_vmcs *vmcs, enum vmcs_at at, uint64_t encoding,
                uint64_t value);

#endif
