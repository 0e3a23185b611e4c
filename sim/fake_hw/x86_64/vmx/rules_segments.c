/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the guest's segments (section 29.3.1.2); see rules.h. */
#include "sim/fake_hw/x86_64/vmx/rules_internal.h"

#define RPL UINT64_C(3)
#define TI  BIT(2)

#define V86_LIMIT  UINT64_C(0xffff)
#define V86_RIGHTS UINT64_C(0xf3)

/* Types, with S and without. */
#define TYPE_DATA       3  /* read/write, accessed, expand-up */
#define TYPE_STACK_DOWN 7  /* the same, expand-down */
#define TYPE_CODE       11 /* readable, accessed */
#define TYPE_CODE_BITS  9  /* any code that is accessed */
#define TYPE_CONFORMING 4
#define TYPE_ACCESSED   1
#define TYPE_READABLE   2
#define TYPE_IS_CODE    8
#define TYPE_LDT        2
#define TYPE_TSS_16     3
#define TYPE_TSS        11

#define LIMIT_LOW  BIT_MASK(11, 0)
#define LIMIT_HIGH BIT_MASK(31, 20)

/* Of a segment: its access rights, and a part of them. */
#define RIGHTS(seg) F(GUEST_##seg##_ACCESS_RIGHTS)
#define TYPE(seg)   (RIGHTS(seg) & VMX_AR_TYPE)
#define DPL(seg)    FIELD_GET(VMX_AR_DPL, RIGHTS(seg))
#define USABLE(seg) (!has_all(RIGHTS(seg), VMX_AR_UNUSABLE))

#define SELECTOR(seg) F(GUEST_##seg##_SELECTOR)
#define BASE(seg)     F(GUEST_##seg##_BASE)
#define LIMIT(seg)    F(GUEST_##seg##_LIMIT)

/* "The guest will be virtual-8086." */
static bool is_v86(const struct vmx_check *c)
{
    return has_all(F(GUEST_RFLAGS), X86_RFLAGS_VM);
}

static void set(uint64_t *rights, uint64_t part, uint64_t value)
{
    *rights = (*rights & ~part) | FIELD_PUT(part, value);
}

static bool is_real(const struct vmx_check *c)
{
    return !has_all(F(GUEST_CR0), X86_CR0_PE);
}

RULE(GUEST_TR_TI, !has_any(SELECTOR(TR), TI), SELECTOR(TR) &= ~TI)
RULE(GUEST_LDTR_TI, !USABLE(LDTR) || !has_any(SELECTOR(LDTR), TI),
     SELECTOR(LDTR) &= ~TI)
RULE(GUEST_SS_RPL,
     is_v86(c) || unrestricted(c) ||
         (SELECTOR(SS) & RPL) == (SELECTOR(CS) & RPL),
     SELECTOR(SS) = (SELECTOR(SS) & ~RPL) | (SELECTOR(CS) & RPL))

#define V86_RULES(seg)                                                         \
    RULE(GUEST_##seg##_V86_BASE,                                               \
         implies(is_v86(c), BASE(seg) == SELECTOR(seg) << 4),                  \
         BASE(seg) = SELECTOR(seg) << 4)                                       \
    RULE(GUEST_##seg##_V86_LIMIT, implies(is_v86(c), LIMIT(seg) == V86_LIMIT), \
         LIMIT(seg) = V86_LIMIT)                                               \
    RULE(GUEST_##seg##_V86_RIGHTS,                                             \
         implies(is_v86(c), RIGHTS(seg) == V86_RIGHTS),                        \
         RIGHTS(seg) = V86_RIGHTS)

V86_RULES(CS)
V86_RULES(SS)
V86_RULES(DS)
V86_RULES(ES)
V86_RULES(FS)
V86_RULES(GS)

#define CANONICAL_RULE(seg, used)                                       \
    RULE(GUEST_##seg##_BASE, implies(used, is_canonical(c, BASE(seg))), \
         BASE(seg) = canonical(c, BASE(seg)))
#define LOW_BASE_RULE(seg, used)                                     \
    RULE(GUEST_##seg##_BASE, implies(used, BASE(seg) <= UINT32_MAX), \
         BASE(seg) &= UINT32_MAX)

CANONICAL_RULE(TR, true)
CANONICAL_RULE(FS, true)
CANONICAL_RULE(GS, true)
CANONICAL_RULE(LDTR, USABLE(LDTR))
LOW_BASE_RULE(CS, true)
LOW_BASE_RULE(SS, USABLE(SS))
LOW_BASE_RULE(DS, USABLE(DS))
LOW_BASE_RULE(ES, USABLE(ES))

/* Whether the type is of code that has been accessed. */
static bool is_code(uint64_t type)
{
    return has_all(type, TYPE_CODE_BITS);
}

RULE(GUEST_CS_TYPE, is_v86(c) || unrestricted(c) || is_code(TYPE(CS)),
     set(&RIGHTS(CS), VMX_AR_TYPE, TYPE_CODE))
RULE(GUEST_CS_TYPE_UNRESTRICTED,
     is_v86(c) || !unrestricted(c) || is_code(TYPE(CS)) ||
         TYPE(CS) == TYPE_DATA,
     set(&RIGHTS(CS), VMX_AR_TYPE, TYPE_CODE))
RULE(GUEST_SS_TYPE,
     is_v86(c) || !USABLE(SS) || TYPE(SS) == TYPE_DATA ||
         TYPE(SS) == TYPE_STACK_DOWN,
     set(&RIGHTS(SS), VMX_AR_TYPE, TYPE_DATA))

#define DATA_RULES(seg)                                                    \
    RULE(GUEST_##seg##_ACCESSED,                                           \
         is_v86(c) || !USABLE(seg) || has_all(TYPE(seg), TYPE_ACCESSED),   \
         RIGHTS(seg) |= TYPE_ACCESSED)                                     \
    RULE(GUEST_##seg##_READABLE,                                           \
         is_v86(c) || !USABLE(seg) || !has_all(TYPE(seg), TYPE_IS_CODE) || \
             has_all(TYPE(seg), TYPE_READABLE),                            \
         RIGHTS(seg) |= TYPE_READABLE)                                     \
    RULE(GUEST_##seg##_DPL,                                                \
         is_v86(c) || unrestricted(c) || !USABLE(seg) ||                   \
             TYPE(seg) > TYPE_CODE || DPL(seg) >= (SELECTOR(seg) & RPL),   \
         set(&RIGHTS(seg), VMX_AR_DPL, SELECTOR(seg) & RPL))

DATA_RULES(DS)
DATA_RULES(ES)
DATA_RULES(FS)
DATA_RULES(GS)

RULE(GUEST_CS_DPL_DATA, is_v86(c) || TYPE(CS) != TYPE_DATA || DPL(CS) == 0,
     set(&RIGHTS(CS), VMX_AR_DPL, 0))
RULE(GUEST_CS_DPL,
     is_v86(c) || !is_code(TYPE(CS)) || has_all(TYPE(CS), TYPE_CONFORMING) ||
         DPL(CS) == DPL(SS),
     set(&RIGHTS(CS), VMX_AR_DPL, DPL(SS)))
RULE(GUEST_CS_DPL_CONFORMING,
     is_v86(c) || !has_all(TYPE(CS), TYPE_CODE_BITS | TYPE_CONFORMING) ||
         DPL(CS) <= DPL(SS),
     set(&RIGHTS(CS), VMX_AR_DPL, DPL(SS)))
RULE(GUEST_SS_DPL_RPL,
     is_v86(c) || unrestricted(c) || DPL(SS) == (SELECTOR(SS) & RPL),
     set(&RIGHTS(SS), VMX_AR_DPL, SELECTOR(SS) & RPL))
RULE(GUEST_SS_DPL_REAL,
     is_v86(c) || DPL(SS) == 0 || (TYPE(CS) != TYPE_DATA && !is_real(c)),
     set(&RIGHTS(SS), VMX_AR_DPL, 0))

/* G says whether the limit counts pages: then its low bits are ones. */
#define COMMON_RULES(seg, used)                                          \
    RULE(GUEST_##seg##_P, implies(used, has_all(RIGHTS(seg), VMX_AR_P)), \
         RIGHTS(seg) |= VMX_AR_P)                                        \
    RULE(GUEST_##seg##_RESERVED,                                         \
         implies(used, !has_any(RIGHTS(seg), VMX_AR_RESERVED)),          \
         RIGHTS(seg) &= ~VMX_AR_RESERVED)                                \
    RULE(GUEST_##seg##_G_0,                                              \
         implies(used, has_all(LIMIT(seg), LIMIT_LOW) ||                 \
                           !has_all(RIGHTS(seg), VMX_AR_G)),             \
         RIGHTS(seg) &= ~VMX_AR_G)                                       \
    RULE(GUEST_##seg##_G_1,                                              \
         implies(used, !has_any(LIMIT(seg), LIMIT_HIGH) ||               \
                           has_all(RIGHTS(seg), VMX_AR_G)),              \
         LIMIT(seg) |= LIMIT_LOW;                                        \
         RIGHTS(seg) |= VMX_AR_G)

#define SEGMENT_RULES(seg, used)                                         \
    RULE(GUEST_##seg##_S, implies(used, has_all(RIGHTS(seg), VMX_AR_S)), \
         RIGHTS(seg) |= VMX_AR_S)                                        \
    COMMON_RULES(seg, used)

SEGMENT_RULES(CS, !is_v86(c))
SEGMENT_RULES(SS, !is_v86(c) && USABLE(SS))
SEGMENT_RULES(DS, !is_v86(c) && USABLE(DS))
SEGMENT_RULES(ES, !is_v86(c) && USABLE(ES))
SEGMENT_RULES(FS, !is_v86(c) && USABLE(FS))
SEGMENT_RULES(GS, !is_v86(c) && USABLE(GS))

RULE(GUEST_CS_DB,
     is_v86(c) || !guest_long(c) || !has_all(RIGHTS(CS), VMX_AR_L | VMX_AR_DB),
     RIGHTS(CS) &= ~VMX_AR_DB)

/* Of system segments S is 0. */
#define SYSTEM_RULES(seg, used)                                           \
    RULE(GUEST_##seg##_S, implies(used, !has_all(RIGHTS(seg), VMX_AR_S)), \
         RIGHTS(seg) &= ~VMX_AR_S)                                        \
    COMMON_RULES(seg, used)

RULE(GUEST_TR_TYPE,
     guest_long(c) || TYPE(TR) == TYPE_TSS_16 || TYPE(TR) == TYPE_TSS,
     set(&RIGHTS(TR), VMX_AR_TYPE, TYPE_TSS))
RULE(GUEST_TR_TYPE_LONG, implies(guest_long(c), TYPE(TR) == TYPE_TSS),
     set(&RIGHTS(TR), VMX_AR_TYPE, TYPE_TSS))
SYSTEM_RULES(TR, true)
RULE(GUEST_TR_UNUSABLE, USABLE(TR), RIGHTS(TR) &= ~VMX_AR_UNUSABLE)
RULE(GUEST_LDTR_TYPE, !USABLE(LDTR) || TYPE(LDTR) == TYPE_LDT,
     set(&RIGHTS(LDTR), VMX_AR_TYPE, TYPE_LDT))
SYSTEM_RULES(LDTR, USABLE(LDTR))

STABLE_RULE_GROUP(segments, VMX_RULES_SEGMENTS)
