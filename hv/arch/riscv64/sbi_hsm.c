/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBI 2.0, chapter 9: hart state management. Starting and stopping is the
 * VMM's; here are the arguments, the answers, and suspension.
 *
 * A hart is never seen in a pending state: starting and stopping are complete
 * when the call that asks for them is.
 */
#include "addrspace/aspace.h"
#include "arch/riscv64/sbi.h"

/* Suspend types, table 21; all others are reserved or a platform's. */
#define SUSPEND_RETENTIVE     0x00000000
#define SUSPEND_NON_RETENTIVE 0x80000000

/* No instruction begins at an odd address. */
static bool is_entry(uint64_t address)
{
    return is_aligned(address, sizeof(uint16_t));
}

static void decode_start(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    if (!is_entry(sbi_arg(v, 1)))
        return;
    exit->kind = EXIT_CPU_UP;
    exit->cpu_up.target = sbi_arg(v, 0);
    exit->cpu_up.entry = gpa(sbi_arg(v, 1));
    exit->cpu_up.arg = sbi_arg(v, 2);
}

static enum verdict refuse_start(struct riscv_vcpu *v)
{
    return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
}

void riscv_set_cpu_up_result(struct vcpu *vcpu, err_t result)
{
    static const int8_t errors[ERROR_COUNT] = {
        [OK] = SBI_SUCCESS,
        [ERR_INVALID_INPUT] = SBI_ERR_INVALID_PARAM,
        [ERR_NOT_FOUND] = SBI_ERR_INVALID_PARAM,
        [ERR_BAD_STATE] = SBI_ERR_ALREADY_AVAILABLE,
        [ERR_ALREADY_EXISTS] = SBI_ERR_ALREADY_AVAILABLE,
        [ERR_OUT_OF_RANGE] = SBI_ERR_INVALID_ADDRESS,
        [ERR_DENIED] = SBI_ERR_INVALID_ADDRESS,
    };
    struct riscv_vcpu *v = to_riscv(vcpu);
    int64_t error = (unsigned)result < ERROR_COUNT ? errors[result] : 0;

    if (error == SBI_SUCCESS && result != OK)
        error = SBI_ERR_FAILED;
    v->regs.gpr[REG_A0] = (uint64_t)error;
    v->regs.gpr[REG_A1] = 0;
}

static void decode_stop(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_CPU_DOWN;
}

static const struct vcpu *find_hart(const struct riscv_vcpu *v, uint64_t hart)
{
    const struct vcpu_config *config = &v->base.config;

    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i]->config.hw_id == hart)
            return config->peers[i];
    }
    return NULL;
}

/* `state` is another CPU's to change; only Blocked is told from the rest, and
 * a caller that asks while it changes may get either answer. */
static bool is_suspended(const struct vcpu *hart)
{
    return atomic_load(&to_riscv_const(hart)->suspended) &&
           hart->state == VCPU_BLOCKED;
}

static enum verdict get_status(struct riscv_vcpu *v)
{
    const struct vcpu *hart = find_hart(v, sbi_arg(v, 0));
    enum hsm_state state = HSM_STARTED;

    if (hart == NULL)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (!atomic_load(&hart->powered))
        state = HSM_STOPPED;
    else if (is_suspended(hart))
        state = HSM_SUSPENDED;
    return sbi_return(v, SBI_SUCCESS, state);
}

/* Suspension that keeps the hart's state is a wait like any other. */
static void decode_suspend(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    if ((uint32_t)sbi_arg(v, 0) == SUSPEND_RETENTIVE)
        exit->kind = EXIT_HALT;
}

void riscv_suspend(struct riscv_vcpu *v)
{
    v->regs.gpr[REG_A0] = (uint64_t)SBI_SUCCESS;
    v->regs.gpr[REG_A1] = 0;
    atomic_store(&v->suspended, true);
}

/*
 * The hart goes on at `resume`, with address translation and interrupts off,
 * its own number in a0 and the guest's argument in a1 (table 20).
 */
static enum verdict suspend_until_resume(struct riscv_vcpu *v)
{
    uint64_t resume = sbi_arg(v, 1);
    uint64_t opaque = sbi_arg(v, 2);
    uint16_t insn;

    if (!is_entry(resume) || aspace_read(v->base.config.memory, gpa(resume),
                                         &insn, sizeof(insn)) != OK)
        return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
    atomic_store(&v->suspended, true);
    riscv_hw_save_vs(&v->vs);
    v->vs.vsatp = 0;
    v->vs.vsstatus &= ~STATUS_SIE;
    riscv_hw_load_vs(&v->vs);
    v->regs.pc = resume;
    v->regs.gpr[REG_A0] = v->base.config.hw_id;
    v->regs.gpr[REG_A1] = opaque;
    return VERDICT_BLOCK;
}

static enum verdict suspend(struct riscv_vcpu *v)
{
    if ((uint32_t)sbi_arg(v, 0) == SUSPEND_NON_RETENTIVE)
        return suspend_until_resume(v);
    return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
}

const struct sbi_function sbi_hsm_functions[SBI_HSM_COUNT] = {
    {refuse_start, decode_start},
    {NULL, decode_stop},
    {get_status, NULL},
    {suspend, decode_suspend},
};
