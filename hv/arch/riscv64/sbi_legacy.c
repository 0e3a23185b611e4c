/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI 2.0, chapter 5: the legacy extensions, one function each. They return
 * in a0 alone. Hart masks lie in guest memory at a virtual address; the
 * specification has a trap that is taken while one is read handed to the guest;
 * here the call returns an error, which a caller can tell from success.
 */
#include "arch/riscv64/sbi.h"
#include "device/device.h"

static enum verdict fail(struct riscv_vcpu *v, enum sbi_error error)
{
    return sbi_return_legacy(v, (uint64_t)(int64_t)error);
}

static enum verdict set_timer(struct riscv_vcpu *v)
{
    return sbi_set_timer(v, sbi_arg(v, 0)) ? sbi_return_legacy(v, 0)
                                           : fail(v, SBI_ERR_FAILED);
}

static enum verdict console_putchar(struct riscv_vcpu *v)
{
    struct chardev *console = v->base.config.console;
    uint8_t byte = (uint8_t)sbi_arg(v, 0);

    if (console == NULL)
        return fail(v, SBI_ERR_FAILED);
    console->write(console, &byte, 1);
    return sbi_return_legacy(v, 0);
}

/* All ones: there is no byte. */
static enum verdict console_getchar(struct riscv_vcpu *v)
{
    struct chardev *console = v->base.config.console;
    uint8_t byte;

    if (console == NULL || console->read(console, &byte, 1) != 1)
        return fail(v, SBI_ERR_FAILED);
    return sbi_return_legacy(v, byte);
}

/* Whether there was one to clear. */
static enum verdict clear_ipi(struct riscv_vcpu *v)
{
    bool pending;

    riscv_sync_interrupts(v);
    pending = (riscv_hw_read_hip() & HVIP_VSSIP) != 0;
    riscv_hw_clear_hvip(HVIP_VSSIP);
    return sbi_return_legacy(v, pending);
}

/*
 * The vCPUs of the mask that a0 points to; all of them for NULL. False when
 * this CPU's translations have just become stale, so that what was read may no
 * longer be the guest's: the guest then makes the call again.
 */
static bool read_harts(struct riscv_vcpu *v, vcpu_set *harts,
                       enum sbi_error *error)
{
    uint64_t address = sbi_arg(v, 0);
    uint64_t mask = 0;
    size_t size;

    *error = SBI_SUCCESS;
    if (address == 0)
        return sbi_harts(v, 0, UINT64_MAX, harts);
    size = riscv_hw_read_guest_virtual(address, &mask, sizeof(mask));
    if (size != sizeof(mask))
        *error = SBI_ERR_INVALID_ADDRESS;
    else if (!sbi_harts(v, mask, 0, harts))
        *error = SBI_ERR_INVALID_PARAM;
    return (atomic_load(&v->base.requests) & VCPU_REQUEST_FLUSH) == 0;
}

static enum verdict send_ipi(struct riscv_vcpu *v)
{
    vcpu_set harts;
    enum sbi_error error;

    if (!read_harts(v, &harts, &error))
        return VERDICT_RESUME;
    if (error == SBI_SUCCESS &&
        vmm_inject_interrupt_to_vcpus(v->base.config.vm_id, harts,
                                      IRQ_VS_SOFT) != OK)
        error = SBI_ERR_FAILED;
    return fail(v, error);
}

static enum verdict remote_fence(struct riscv_vcpu *v,
                                 const struct sbi_fence *fence)
{
    vcpu_set harts;
    enum sbi_error error;

    if (!read_harts(v, &harts, &error))
        return VERDICT_RESUME;
    return fail(v, error == SBI_SUCCESS ? sbi_fence(v, harts, fence) : error);
}

static enum verdict remote_fence_i(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_I};

    return remote_fence(v, &fence);
}

static enum verdict remote_sfence_vma(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_VVMA,
                                    .start = sbi_arg(v, 1),
                                    .size = sbi_arg(v, 2)};

    return remote_fence(v, &fence);
}

static enum verdict remote_sfence_vma_asid(struct riscv_vcpu *v)
{
    const struct sbi_fence fence = {.kind = RISCV_FENCE_VVMA,
                                    .start = sbi_arg(v, 1),
                                    .size = sbi_arg(v, 2),
                                    .one_asid = true,
                                    .asid = sbi_arg(v, 3)};

    return remote_fence(v, &fence);
}

static void decode_shutdown(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_SYSTEM_DOWN;
    exit->system_down.reboot = false;
    exit->system_down.reason = 0;
}

/* By extension id. */
const struct sbi_function sbi_legacy_functions[SBI_LEGACY_COUNT] = {
    {set_timer, NULL},         {console_putchar, NULL},
    {console_getchar, NULL},   {clear_ipi, NULL},
    {send_ipi, NULL},          {remote_fence_i, NULL},
    {remote_sfence_vma, NULL}, {remote_sfence_vma_asid, NULL},
    {NULL, decode_shutdown},
};
