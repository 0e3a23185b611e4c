/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines and vCPUs, for the components below hv/vmm, which
 * implements this module. It lies above the seams, so nothing of it is
 * recorded. Nothing here panics: a bad identifier, or a call outside a VM's
 * context, is an error.
 */
#ifndef API_VMM_H
#define API_VMM_H

#include "api/api.h"
#include "lib/bits.h"

typedef uint32_t vm_id;
typedef uint32_t vcpu_id; /* 0 to MAX_VCPU_NUM - 1 within its VM */

/* An interrupt as the guest's architecture numbers it. */
typedef uint8_t interrupt_vector;

#define MAX_VCPU_NUM 64

/* A set of vCPUs of one VM: bit n is vCPU n. */
typedef struct {
    uint64_t bits;
} vcpu_set;

static inline vcpu_set vcpu_set_of(vcpu_id id)
{
    return (vcpu_set){id < MAX_VCPU_NUM ? BIT(id) : 0};
}

/* vCPUs 0 to count - 1. */
static inline vcpu_set vcpu_set_first(uint32_t count)
{
    if (count == 0)
        return (vcpu_set){0};
    return (vcpu_set){count >= MAX_VCPU_NUM ? ~UINT64_C(0) : BIT(count) - 1};
}

static inline bool vcpu_set_has(vcpu_set set, vcpu_id id)
{
    return id < MAX_VCPU_NUM && (set.bits & BIT(id)) != 0;
}

/* Takes the lowest member out of `*set` and returns it; the set has one. */
static inline vcpu_id vcpu_set_take(vcpu_set *set)
{
    vcpu_id lowest = bit_lowest(set->bits);

    set->bits &= set->bits - 1;
    return lowest;
}

/* clang-format off */
#define VMM_API(FN, PROC, GET, PUT)                                            \
    /* The VM, the vCPU whose exit this CPU is handling. ERR_BAD_STATE outside \
     * a VM's context; nothing is stored then. */                              \
    FN(err_t, vmm_current_vm_id, (vm_id *id), (id), (0), QUIET,                \
       ERR_BAD_STATE)                                                          \
    FN(err_t, vmm_current_vcpu_id, (vcpu_id *id), (id), (0), QUIET,            \
       ERR_BAD_STATE)                                                          \
    /* How many vCPUs VM `vm` has. ERR_NOT_FOUND. */                           \
    FN(err_t, vmm_vcpu_num, (vm_id vm, uint32_t *count), (vm, count), (vm),    \
       QUIET, ERR_NOT_FOUND)                                                   \
    /* Those of them that are powered on. ERR_NOT_FOUND. */                    \
    FN(err_t, vmm_active_vcpus, (vm_id vm, vcpu_set *set), (vm, set), (vm),    \
       QUIET, ERR_NOT_FOUND)                                                   \
    /* Makes interrupt `vector` pending (edge) in any vCPU of any VM, from any \
     * CPU, and wakes it. ERR_NOT_FOUND for the VM or vCPU,                    \
     * ERR_INVALID_INPUT for a vector its architecture does not have. */       \
    FN(err_t, vmm_inject_interrupt,                                            \
       (vm_id vm, vcpu_id vcpu, interrupt_vector vector),                      \
       (vm, vcpu, vector), (vm, vcpu, vector), QUIET, ERR_BUSY)                \
    /* The same for each member of `set`. All of them must exist, or none is   \
     * injected. */                                                            \
    FN(err_t, vmm_inject_interrupt_to_vcpus,                                   \
       (vm_id vm, vcpu_set set, interrupt_vector vector),                      \
       (vm, set, vector), (vm, set.bits, vector), QUIET, ERR_BUSY)             \
    /* Drives the level of interrupt `vector` of a vCPU: pending while `high`. \
     * Errors as above. */                                                     \
    FN(err_t, vmm_set_interrupt_line,                                          \
       (vm_id vm, vcpu_id vcpu, interrupt_vector vector, bool high),           \
       (vm, vcpu, vector, high), (vm, vcpu, vector, high), QUIET, ERR_BUSY)    \
    /* The vCPU's timer has expired: its timer interrupt becomes pending.      \
     * Errors as above. */                                                     \
    FN(err_t, vmm_notify_vcpu_timer_expired, (vm_id vm, vcpu_id vcpu),         \
       (vm, vcpu), (vm, vcpu), QUIET, ERR_BUSY)                                \
    /* Powers a vCPU on: it begins at `entry` with argument `arg`.             \
     * ERR_BAD_STATE when it is on. */                                         \
    FN(err_t, vmm_start_vcpu,                                                  \
       (vm_id vm, vcpu_id vcpu, gpa_t entry, uint64_t arg),                    \
       (vm, vcpu, entry, arg), (vm, vcpu, entry.raw, arg), QUIET, ERR_BUSY)    \
    /* The vCPU, blocked in a wait, has a reason to run: looks again. */       \
    FN(err_t, vmm_wake_vcpu, (vm_id vm, vcpu_id vcpu), (vm, vcpu), (vm, vcpu), \
       QUIET, ERR_BUSY)
/* clang-format on */

API_DECLARE(VMM_API)

#endif
