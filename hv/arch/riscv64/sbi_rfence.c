/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI 2.0, chapter 8: fences on other harts. The hypervisor carries them out
 * itself: the calling vCPU's at once; another vCPU's before its next entry, and
 * when the call returns that vCPU is not in its guest with what the fence is
 * about. A hart number never reaches the host's firmware.
 *
 * HFENCE calls are for guests with the H extension, which ours have not.
 */
#include "arch/riscv64/sbi.h"

#define ASID_MASK BIT_MASK(15, 0)

static bool is_everything(const struct sbi_fence *fence)
{
    return (fence->start == 0 && fence->size == 0) || fence->size == UINT64_MAX;
}

static void fence_self(const struct sbi_fence *fence)
{
    uint64_t asid = fence->asid & ASID_MASK;

    if (fence->kind == RISCV_FENCE_I)
        riscv_hw_fence_i();
    else if (fence->one_asid && is_everything(fence))
        riscv_hw_hfence_vvma_asid(asid);
    else if (fence->one_asid)
        riscv_hw_hfence_vvma_asid_range(asid, fence->start, fence->size);
    else if (is_everything(fence))
        riscv_hw_hfence_vvma_all();
    else
        riscv_hw_hfence_vvma_range(fence->start, fence->size);
}

/*
 * The request comes before the look at in_guest, and the target sets in_guest
 * before it looks at its requests: one of the two sees the other. A CPU number
 * that is out of date is no harm: since then the target has acted.
 */
static void fence_other(struct riscv_vcpu *target,
                        const struct sbi_fence *fence)
{
    atomic_fetch_or(&target->fences, (uint32_t)fence->kind);
    vcpu_request(&target->base, VCPU_REQUEST_ARCH);
    if (atomic_load(&target->base.in_guest))
        host_kick_cpu_and_wait(target->base.cpu);
}

enum sbi_error sbi_fence(struct riscv_vcpu *v, vcpu_set targets,
                         const struct sbi_fence *fence)
{
    /* The last byte of the range, if it has one, is not below its first. */
    if (fence->size != 0 && fence->size != UINT64_MAX &&
        fence->start + fence->size - 1 < fence->start)
        return SBI_ERR_INVALID_ADDRESS;
    while (targets.bits != 0) {
        struct vcpu *target = v->base.config.peers[vcpu_set_take(&targets)];

        if (target == &v->base)
            fence_self(fence);
        else
            fence_other(to_riscv(target), fence);
    }
    return SBI_SUCCESS;
}

/* Fences asked for by others are not told apart: all of the guest's own
 * translations go. */
void riscv_do_fences(struct riscv_vcpu *v)
{
    uint32_t fences = atomic_exchange(&v->fences, 0);

    if (fences & RISCV_FENCE_I)
        riscv_hw_fence_i();
    if (fences & RISCV_FENCE_VVMA)
        riscv_hw_hfence_vvma_all();
}

static enum verdict remote_fence(struct riscv_vcpu *v,
                                 const struct sbi_fence *fence)
{
    vcpu_set harts;
    enum sbi_error error = sbi_harts(v, sbi_arg(v, 0), sbi_arg(v, 1), &harts)
                               ? sbi_fence(v, harts, fence)
                               : SBI_ERR_INVALID_PARAM;

    return sbi_return(v, error, 0);
}

static enum verdict remote_fence_i(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_I};

    return remote_fence(v, &fence);
}

static enum verdict remote_sfence_vma(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_VVMA,
                                    .start = sbi_arg(v, 2),
                                    .size = sbi_arg(v, 3)};

    return remote_fence(v, &fence);
}

static enum verdict remote_sfence_vma_asid(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_VVMA,
                                    .start = sbi_arg(v, 2),
                                    .size = sbi_arg(v, 3),
                                    .one_asid = true,
                                    .asid = sbi_arg(v, 4)};

    return remote_fence(v, &fence);
}

static enum verdict remote_hfence(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
}

const struct sbi_function sbi_rfence_functions[SBI_RFENCE_COUNT] = {
    {remote_fence_i, NULL},         {remote_sfence_vma, NULL},
    {remote_sfence_vma_asid, NULL}, {remote_hfence, NULL}, /* gvma_vmid */
    {remote_hfence, NULL},                                 /* gvma */
    {remote_hfence, NULL},                                 /* vvma_asid */
    {remote_hfence, NULL},                                 /* vvma */
};
