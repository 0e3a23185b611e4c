/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the rules of the guest's segments. */
#include "rig.h"

#define HIGH     BIT(32)
#define HOLE     BIT(47)
#define HOLE_END UINT64_C(0xffff800000000000)

#define RIGHTS(seg, bits)    OR(GUEST_##seg##_ACCESS_RIGHTS, bits)
#define NO_RIGHTS(seg, bits) CLEAR(GUEST_##seg##_ACCESS_RIGHTS, bits)
#define UNUSABLE(seg)        RIGHTS(seg, VMX_AR_UNUSABLE)
#define USABLE_LDTR          SET(GUEST_LDTR_ACCESS_RIGHTS, 0x82)
#define UNRESTRICTED         OR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)

#define V86_ROWS(seg)                                                         \
    {RULE_VMX_GUEST_##seg##_V86_BASE, .mode = VMX_GUEST_V86,                  \
     .breaks = {OR(GUEST_##seg##_BASE, 1)}},                                  \
        {RULE_VMX_GUEST_##seg##_V86_LIMIT, .mode = VMX_GUEST_V86,             \
         .breaks = {SET(GUEST_##seg##_LIMIT, 0xfffff)}},                      \
    {                                                                         \
        RULE_VMX_GUEST_##seg##_V86_RIGHTS, .mode = VMX_GUEST_V86, .breaks = { \
            RIGHTS(seg, VMX_AR_AVL)                                           \
        }                                                                     \
    }

/* A base whose high half is checked if the segment is usable. */
#define BASE_ROW(seg)                                               \
    {                                                               \
        RULE_VMX_GUEST_##seg##_BASE,                                \
            .given = {OR(GUEST_##seg##_BASE, HIGH), UNUSABLE(seg)}, \
            .breaks = {                                             \
                NO_RIGHTS(seg, VMX_AR_UNUSABLE)                     \
            }                                                       \
    }
#define CANONICAL_ROW(seg, ...)                                        \
    {                                                                  \
        RULE_VMX_GUEST_##seg##_BASE,                                   \
            .given = {SET(GUEST_##seg##_BASE, HOLE_END), __VA_ARGS__}, \
            .breaks = {                                                \
                SET(GUEST_##seg##_BASE, HOLE)                          \
            }                                                          \
    }

#define DATA_ROWS(seg)                                                      \
    {RULE_VMX_GUEST_##seg##_ACCESSED, .breaks = {NO_RIGHTS(seg, 1)}},       \
        {RULE_VMX_GUEST_##seg##_READABLE, .given = {RIGHTS(seg, 8)},        \
         .breaks = {NO_RIGHTS(seg, 2)}},                                    \
        {RULE_VMX_GUEST_##seg##_DPL,                                        \
         .given = {OR(GUEST_##seg##_SELECTOR, 3), RIGHTS(seg, VMX_AR_DPL)}, \
         .breaks = {NO_RIGHTS(seg, BIT(5))}},                               \
        {RULE_VMX_GUEST_##seg##_DPL,                                        \
         .given = {OR(GUEST_##seg##_SELECTOR, 3), RIGHTS(seg, 0xc)},        \
         .breaks = {NO_RIGHTS(seg, 4)}},                                    \
    {                                                                       \
        RULE_VMX_GUEST_##seg##_DPL,                                         \
            .given = {OR(GUEST_##seg##_SELECTOR, 1), UNRESTRICTED},         \
            .breaks = {                                                     \
                CLEAR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)      \
            }                                                               \
    }

/* Those of all segments; `...`: what makes it usable. */
#define RIGHTS_ROWS(seg, ...)                                         \
    {RULE_VMX_GUEST_##seg##_P, .given = {__VA_ARGS__},                \
     .breaks = {NO_RIGHTS(seg, VMX_AR_P)}},                           \
        {RULE_VMX_GUEST_##seg##_RESERVED, .given = {__VA_ARGS__},     \
         .breaks = {RIGHTS(seg, BIT(8))}},                            \
        {RULE_VMX_GUEST_##seg##_RESERVED, .given = {__VA_ARGS__},     \
         .breaks = {RIGHTS(seg, BIT(31))}},                           \
        {RULE_VMX_GUEST_##seg##_G_0,                                  \
         .given = {__VA_ARGS__, SET(GUEST_##seg##_LIMIT, 0xfffff),    \
                   RIGHTS(seg, VMX_AR_G)},                            \
         .breaks = {SET(GUEST_##seg##_LIMIT, 0xffffe)}},              \
    {                                                                 \
        RULE_VMX_GUEST_##seg##_G_1,                                   \
            .given = {__VA_ARGS__, SET(GUEST_##seg##_LIMIT, 0xfffff), \
                      NO_RIGHTS(seg, VMX_AR_G)},                      \
            .breaks = {                                               \
                SET(GUEST_##seg##_LIMIT, 0x1fffff)                    \
            }                                                         \
    }

#define SEGMENT_ROWS(seg)                                             \
    {RULE_VMX_GUEST_##seg##_S, .breaks = {NO_RIGHTS(seg, VMX_AR_S)}}, \
        RIGHTS_ROWS(seg, RIGHTS(seg, VMX_AR_AVL))

/* What an unusable segment may have. */
#define UNUSABLE_ROWS(seg)                                                     \
    {RULE_VMX_GUEST_##seg##_S,                                                 \
     .given = {UNUSABLE(seg), NO_RIGHTS(seg, VMX_AR_S)},                       \
     .breaks = {NO_RIGHTS(seg, VMX_AR_UNUSABLE)}},                             \
    {                                                                          \
        RULE_VMX_GUEST_##seg##_G_0,                                            \
            .given = {UNUSABLE(seg), SET(GUEST_##seg##_LIMIT, 0)}, .breaks = { \
                NO_RIGHTS(seg, VMX_AR_UNUSABLE)                                \
            }                                                                  \
    }

static const struct rule_row rows[] = {
    {RULE_VMX_GUEST_TR_TI, .breaks = {OR(GUEST_TR_SELECTOR, 4)}},
    {RULE_VMX_GUEST_LDTR_TI, .given = {OR(GUEST_LDTR_SELECTOR, 4)},
     .breaks = {USABLE_LDTR}},
    {RULE_VMX_GUEST_SS_RPL, .given = {UNRESTRICTED, OR(GUEST_SS_SELECTOR, 3)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)}},
    V86_ROWS(CS),
    V86_ROWS(SS),
    V86_ROWS(DS),
    V86_ROWS(ES),
    V86_ROWS(FS),
    V86_ROWS(GS),
    CANONICAL_ROW(TR, ),
    CANONICAL_ROW(FS, ),
    CANONICAL_ROW(GS, ),
    CANONICAL_ROW(LDTR, USABLE_LDTR),
    {RULE_VMX_GUEST_LDTR_BASE, .given = {SET(GUEST_LDTR_BASE, HOLE)},
     .breaks = {USABLE_LDTR}},
    {RULE_VMX_GUEST_CS_BASE, .given = {SET(GUEST_CS_BASE, UINT32_MAX)},
     .breaks = {SET(GUEST_CS_BASE, HIGH)}},
    BASE_ROW(SS),
    BASE_ROW(DS),
    BASE_ROW(ES),
    {RULE_VMX_GUEST_CS_TYPE, .given = {NO_RIGHTS(CS, 2)},
     .breaks = {NO_RIGHTS(CS, 1)}},
    {RULE_VMX_GUEST_CS_TYPE, .mode = VMX_GUEST_PROTECTED,
     .given = {UNRESTRICTED, NO_RIGHTS(CS, 8)},
     .breaks = {CLEAR(SECONDARY_CONTROLS, VMX_CPU2_UNRESTRICTED_GUEST)}},
    {RULE_VMX_GUEST_CS_TYPE_UNRESTRICTED, .mode = VMX_GUEST_REAL,
     .given = {NO_RIGHTS(CS, 8)}, .breaks = {NO_RIGHTS(CS, 2)}},
    {RULE_VMX_GUEST_SS_TYPE, .given = {RIGHTS(SS, 4)},
     .breaks = {NO_RIGHTS(SS, 2)}},
    {RULE_VMX_GUEST_SS_TYPE, .breaks = {RIGHTS(SS, 8)}},
    DATA_ROWS(DS),
    DATA_ROWS(ES),
    DATA_ROWS(FS),
    DATA_ROWS(GS),
    {RULE_VMX_GUEST_CS_DPL_DATA, .mode = VMX_GUEST_REAL,
     .given = {NO_RIGHTS(CS, 8)}, .breaks = {RIGHTS(CS, VMX_AR_DPL)}},
    {RULE_VMX_GUEST_CS_DPL, .breaks = {RIGHTS(CS, VMX_AR_DPL)}},
    {RULE_VMX_GUEST_CS_DPL, .mode = VMX_GUEST_PROTECTED,
     .given = {UNRESTRICTED, RIGHTS(CS, VMX_AR_DPL), RIGHTS(SS, VMX_AR_DPL)},
     .breaks = {NO_RIGHTS(CS, VMX_AR_DPL)}},
    {RULE_VMX_GUEST_CS_DPL_CONFORMING, .given = {RIGHTS(CS, 4)},
     .breaks = {RIGHTS(CS, BIT(5))}},
    {RULE_VMX_GUEST_SS_DPL_RPL, .given = {RIGHTS(CS, 4)},
     .breaks = {RIGHTS(SS, BIT(5))}},
    {RULE_VMX_GUEST_SS_DPL_REAL, .mode = VMX_GUEST_REAL,
     .breaks = {RIGHTS(CS, VMX_AR_DPL), RIGHTS(SS, VMX_AR_DPL)}},
    {RULE_VMX_GUEST_SS_DPL_REAL, .mode = VMX_GUEST_PROTECTED,
     .given = {UNRESTRICTED, NO_RIGHTS(CS, 8)},
     .breaks = {RIGHTS(SS, VMX_AR_DPL)}},
    SEGMENT_ROWS(CS),
    SEGMENT_ROWS(SS),
    SEGMENT_ROWS(DS),
    SEGMENT_ROWS(ES),
    SEGMENT_ROWS(FS),
    SEGMENT_ROWS(GS),
    UNUSABLE_ROWS(SS),
    UNUSABLE_ROWS(DS),
    UNUSABLE_ROWS(ES),
    UNUSABLE_ROWS(FS),
    UNUSABLE_ROWS(GS),
    {RULE_VMX_GUEST_CS_DB,
     .given = {NO_RIGHTS(CS, VMX_AR_L), RIGHTS(CS, VMX_AR_DB)},
     .breaks = {RIGHTS(CS, VMX_AR_L)}},
    {RULE_VMX_GUEST_TR_TYPE, .mode = VMX_GUEST_PROTECTED,
     .given = {NO_RIGHTS(TR, 8)}, .breaks = {NO_RIGHTS(TR, 2)}},
    {RULE_VMX_GUEST_TR_TYPE_LONG, .breaks = {NO_RIGHTS(TR, 8)}},
    {RULE_VMX_GUEST_TR_S, .breaks = {RIGHTS(TR, VMX_AR_S)}},
    RIGHTS_ROWS(TR, RIGHTS(TR, VMX_AR_AVL)),
    {RULE_VMX_GUEST_TR_UNUSABLE, .breaks = {UNUSABLE(TR)}},
    {RULE_VMX_GUEST_LDTR_TYPE, .given = {USABLE_LDTR},
     .breaks = {RIGHTS(LDTR, 1)}},
    {RULE_VMX_GUEST_LDTR_S, .given = {USABLE_LDTR},
     .breaks = {RIGHTS(LDTR, VMX_AR_S)}},
    RIGHTS_ROWS(LDTR, USABLE_LDTR),
};

const struct rule_table segment_rows = {rows, ARRAY_SIZE(rows)};
