/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI 2.0: which function an ECALL names, and the extensions of a few lines:
 * Base, TIME, IPI, SRST, PMU. None of it is ever passed on to the host's
 * firmware. An extension that is not here (SUSP, CPPC, NACL, STA, vendor and
 * firmware ones) does not exist: SBI_ERR_NOT_SUPPORTED.
 *
 * PMU has no counter: the host's are not multiplexed between guests. Every
 * function is there and answers as the specification has it for a set of
 * counters that is empty, so that a guest need not know.
 */
#include "arch/riscv64/sbi.h"

#include "api/time.h"

/* Base, chapter 4. Implementation ids below 0x100 are assigned to others. */
#define SBI_SPEC_VERSION 0x02000000 /* 2.0 */
#define SBI_IMPL_ID      0x54574e58 /* "TWNX" */
#define SBI_IMPL_VERSION 1

static bool exists(uint64_t eid);

static enum verdict not_supported(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
}

static enum verdict invalid_param(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
}

static enum verdict get_spec_version(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, SBI_SPEC_VERSION);
}

static enum verdict get_impl_id(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, SBI_IMPL_ID);
}

static enum verdict get_impl_version(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, SBI_IMPL_VERSION);
}

static enum verdict probe_extension(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, exists(sbi_arg(v, 0)));
}

/* mvendorid, marchid, mimpid: 0 is the CSRs' value for "not implemented". */
static enum verdict get_machine_id(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, 0);
}

static const struct sbi_function base_functions[] = {
    {get_spec_version, NULL}, {get_impl_id, NULL},    {get_impl_version, NULL},
    {probe_extension, NULL},  {get_machine_id, NULL}, {get_machine_id, NULL},
    {get_machine_id, NULL},
};

/*
 * TIME, chapter 6. With Sstc the guest has a comparator of its own. Without
 * it, a host timer makes VSTIP pending.
 */
static void on_timer(void *context, uint64_t now_ns)
{
    uint64_t name = (uint64_t)(uintptr_t)context;
    /* The VM may be gone: then there is nobody to tell. */
    err_t ignored = vmm_notify_vcpu_timer_expired(
        (vm_id)(name / MAX_VCPU_NUM), (vcpu_id)(name % MAX_VCPU_NUM));
    (void)ignored;
}

/* A timer may outlive its vCPU by an instant, so it names it. */
static void *timer_context(const struct riscv_vcpu *v)
{
    return (void *)(uintptr_t)((uint64_t)v->base.config.vm_id * MAX_VCPU_NUM +
                               v->base.config.id);
}

/* The first nanosecond at which the counter has reached `ticks`. */
static uint64_t deadline_nanos(uint64_t ticks)
{
    uint64_t nanos = time_ticks_to_nanos(ticks);

    return nanos == UINT64_MAX ? nanos : nanos + 1;
}

void riscv_cancel_timer(struct riscv_vcpu *v)
{
    if (v->timer == TIMER_NONE)
        return;
    /* One that has fired already is dropped by riscv_sync_interrupts(). */
    err_t ignored = time_cancel_timer(v->timer);
    (void)ignored;
    v->timer = TIMER_NONE;
}

static bool set_host_timer(struct riscv_vcpu *v, uint64_t deadline)
{
    riscv_cancel_timer(v);
    v->timer_deadline = deadline;
    riscv_hw_clear_hvip(HVIP_VSTIP);
    /* All ones is how a guest says never. */
    if (deadline == UINT64_MAX)
        return true;
    v->timer = time_register_timer(deadline_nanos(deadline), on_timer,
                                   timer_context(v));
    return v->timer != TIMER_NONE;
}

bool sbi_set_timer(struct riscv_vcpu *v, uint64_t deadline)
{
    if ((v->features & RISCV_FEATURE_SSTC) == 0)
        return set_host_timer(v, deadline);
    riscv_hw_write_vstimecmp(deadline);
    return true;
}

/* Without Sstc, the host timer wakes the vCPU by itself. */
uint64_t riscv_wakeup_deadline(struct vcpu *vcpu)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    if ((v->features & RISCV_FEATURE_SSTC) == 0 ||
        (riscv_hw_read_hie() & HVIP_VSTIP) == 0)
        return UINT64_MAX;
    return deadline_nanos(riscv_hw_read_vstimecmp());
}

static enum verdict set_timer(struct riscv_vcpu *v)
{
    bool set = sbi_set_timer(v, sbi_arg(v, 0));

    return sbi_return(v, set ? SBI_SUCCESS : SBI_ERR_FAILED, 0);
}

static const struct sbi_function time_functions[] = {{set_timer, NULL}};

/* IPI, chapter 7. */
bool sbi_harts(const struct riscv_vcpu *v, uint64_t mask, uint64_t base,
               vcpu_set *harts)
{
    const struct vcpu_config *config = &v->base.config;

    *harts = vcpu_set_first((uint32_t)config->peer_count);
    if (base == UINT64_MAX)
        return true;
    harts->bits = 0;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        uint64_t bit = config->peers[i]->config.hw_id - base;

        if (bit < 64 && (mask & BIT(bit)) != 0) {
            mask &= ~BIT(bit);
            harts->bits |= BIT(i);
        }
    }
    return mask == 0;
}

static void decode_send_ipi(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    vcpu_set harts;

    if (!sbi_harts(v, sbi_arg(v, 0), sbi_arg(v, 1), &harts))
        return;
    exit->kind = EXIT_SEND_IPI;
    exit->ipi.targets = harts.bits;
    exit->ipi.vector = IRQ_VS_SOFT;
}

static const struct sbi_function ipi_functions[] = {
    {invalid_param, decode_send_ipi},
};

/* SRST, chapter 10: shut down, cold reboot, warm reboot; for no reason, or
 * for a system failure, or one of the software's own. */
#define SRST_TYPE_SHUTDOWN   0
#define SRST_TYPE_LAST       2
#define SRST_REASON_LAST     1
#define SRST_REASON_SOFTWARE 0xe0000000

static void decode_system_reset(const struct riscv_vcpu *v,
                                struct vm_exit *exit)
{
    uint32_t type = (uint32_t)sbi_arg(v, 0);
    uint32_t reason = (uint32_t)sbi_arg(v, 1);

    if (type > SRST_TYPE_LAST ||
        (reason > SRST_REASON_LAST && reason < SRST_REASON_SOFTWARE))
        return;
    exit->kind = EXIT_SYSTEM_DOWN;
    exit->system_down.reboot = type != SRST_TYPE_SHUTDOWN;
    exit->system_down.reason = reason;
}

static const struct sbi_function srst_functions[] = {
    {invalid_param, decode_system_reset},
};

/* PMU, chapter 11. */
static enum verdict pmu_num_counters(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_SUCCESS, 0);
}

/* counter_idx_base, counter_idx_mask: only the empty set has no counter that
 * does not exist. */
static enum verdict pmu_config_matching(struct riscv_vcpu *v)
{
    return sbi_arg(v, 1) == 0 ? not_supported(v) : invalid_param(v);
}

static enum verdict pmu_start_or_stop(struct riscv_vcpu *v)
{
    return sbi_return(
        v, sbi_arg(v, 1) == 0 ? SBI_SUCCESS : SBI_ERR_INVALID_PARAM, 0);
}

static const struct sbi_function pmu_functions[] = {
    {pmu_num_counters, NULL},    {invalid_param, NULL}, /* counter_get_info */
    {pmu_config_matching, NULL}, {pmu_start_or_stop, NULL},
    {pmu_start_or_stop, NULL},   {invalid_param, NULL}, /* counter_fw_read */
    {invalid_param, NULL},                              /* counter_fw_read_hi */
    {not_supported, NULL},                              /* snapshot_set_shmem */
};

/* This hypervisor's own calls: any function number. */
static void decode_hypercall(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_HYPERCALL;
    exit->hypercall.nr = v->regs.gpr[REG_A6];
}

static const struct sbi_function hypercall_function = {NULL, decode_hypercall};
static const struct sbi_function unknown_function = {not_supported, NULL};

/* Two extensions in one slot would be one designator twice, which does not
 * compile. */
#define ROW(id, table) [SBI_SLOT(id)] = {(id), ARRAY_SIZE(table), (table)}

const struct sbi_extension sbi_extensions[1 << SBI_SLOT_BITS] = {
    ROW(SBI_EID_BASE, base_functions),
    ROW(SBI_EID_TIME, time_functions),
    ROW(SBI_EID_IPI, ipi_functions),
    ROW(SBI_EID_RFENCE, sbi_rfence_functions),
    ROW(SBI_EID_HSM, sbi_hsm_functions),
    ROW(SBI_EID_SRST, srst_functions),
    ROW(SBI_EID_DBCN, sbi_dbcn_functions),
    ROW(SBI_EID_PMU, pmu_functions),
};

NOINLINE const struct sbi_function *sbi_find_plain(uint64_t eid)
{
    if (eid == SBI_EID_HYPERCALL)
        return &hypercall_function;
    return eid < SBI_LEGACY_COUNT ? &sbi_legacy_functions[eid]
                                  : &unknown_function;
}

NOINLINE struct vm_exit sbi_decode_call(const struct riscv_vcpu *v,
                                        struct vm_exit exit,
                                        const struct sbi_function *function)
{
    function->decode(v, &exit);
    return exit;
}

/* Free slots hold the id 0, a legacy one, which exists. */
static bool exists(uint64_t eid)
{
    return sbi_extensions[SBI_SLOT(eid)].eid == eid ||
           sbi_find_plain(eid) != &unknown_function;
}

EXIT_PATH enum verdict riscv_firmware_call(struct vcpu *vcpu,
                                           struct vm_exit *exit)
{
    const struct sbi_function *function = exit->firmware.row;

    return function->handler(to_riscv(vcpu));
}
