/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses. Guest-physical, host-physical and guest-virtual addresses are
 * distinct types, so that handing one where another belongs does not compile.
 */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (UINT64_C(1) << PAGE_SHIFT)

typedef struct {
    uint64_t raw;
} gpa_t; /* guest-physical */

typedef struct {
    uint64_t raw;
} hpa_t; /* host-physical */

typedef struct {
    uint64_t raw;
} gva_t; /* guest-virtual */

/* No host frame: physical page 0 is never handed out. */
#define HPA_NONE ((hpa_t){0})

static inline gpa_t gpa(uint64_t raw)
{
    return (gpa_t){raw};
}

static inline hpa_t hpa(uint64_t raw)
{
    return (hpa_t){raw};
}

static inline gva_t gva(uint64_t raw)
{
    return (gva_t){raw};
}

static inline gpa_t gpa_add(gpa_t base, uint64_t bytes)
{
    return gpa(base.raw + bytes);
}

static inline hpa_t hpa_add(hpa_t base, uint64_t bytes)
{
    return hpa(base.raw + bytes);
}

static inline bool hpa_is_none(hpa_t address)
{
    return address.raw == 0;
}

#endif
