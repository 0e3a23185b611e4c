/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riscv64 vCPU's operations. Privileged Architecture 1.12, chapter
 * "Hypervisor Extension"; Sstc.
 *
 * Time is one for all VMs, and the host's: htimedelta is 0. A guest's deadline
 * and a host timer's are the same number then, and traces of several VMs have
 * one clock.
 */
#include "arch/riscv64/boot.h"
#include "arch/riscv64/sbi.h"
#include "lib/check.h"
#include "lib/string.h"
#include "memory/arena.h"

/* The guest is in VS-mode of 64 bits, and leaves it by WFI: its CPU is then
 * free for another guest. Not set: VTVM and VTSR (satp, SFENCE and SRET are
 * the guest's own), HU, VGEIN, VSBE. */
#define HSTATUS_GUEST \
    (HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VTW | FIELD_PUT(HSTATUS_VSXL, XL_64))

/* The guest's interrupts are delivered to it without an exit. */
#define HIDELEG_GUEST HVIP_ALL

/* The guest reads cycle, time and instret; the other counters trap. */
#define HCOUNTEREN_GUEST (COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR)

/*
 * CBIE, CBCFE and CBZE are off: the guest's device tree names no cache block
 * operations. (CBO.INVAL could bring back what was in memory before a frame
 * was cleared for the guest; it must never be more than a flush.)
 */
static uint64_t guest_henvcfg(const struct riscv_vcpu *v)
{
    uint64_t value = 0;

    if (v->features & RISCV_FEATURE_SSTC)
        value |= HENVCFG_STCE;
    if (v->features & RISCV_FEATURE_SVPBMT)
        value |= HENVCFG_PBMTE;
    return value;
}

static uint64_t guest_hgatp(const struct riscv_vcpu *v)
{
    const struct stage2_root *stage2 = &v->base.boot.stage2;

    return FIELD_PUT(HGATP_MODE, stage2->mode) |
           FIELD_PUT(HGATP_VMID, v->vmid.number) |
           FIELD_PUT(HGATP_PPN, stage2->root.raw >> PAGE_SHIFT);
}

/* What the source of a line holds stays pending across a reset. */
static void clear_state(struct riscv_vcpu *v)
{
    riscv_cancel_timer(v);
    v->timer_deadline = 0;
    v->vmid.cpu = RISCV_NO_CPU;
    atomic_store(&v->edges, 0);
    atomic_store(&v->lowered, 0);
    atomic_store(&v->fences, 0);
    atomic_store(&v->suspended, false);
    memset(&v->regs, 0, sizeof(v->regs));
    memset(&v->vs, 0, sizeof(v->vs));
    riscv_reset_units(v);
}

static void find_features(struct riscv_vcpu *v)
{
    v->features = (uint32_t)riscv_hw_features();
    if (riscv_hw_vlenb() > RISCV_MAX_VLENB)
        v->features &= ~(uint32_t)RISCV_FEATURE_V;
    if (v->features & RISCV_FEATURE_FD)
        v->units |= (uint8_t)BIT(UNIT_FP);
    if (v->features & RISCV_FEATURE_V)
        v->units |= (uint8_t)BIT(UNIT_VECTOR);
    v->vmid_bits = (uint8_t)riscv_hw_vmid_bits();
}

static err_t init(struct vcpu *vcpu, struct arena *arena)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    find_features(v);
    if (v->features & RISCV_FEATURE_V) {
        v->vector = arena_new(arena, struct riscv_vector_state);
        if (v->vector == NULL)
            return ERR_NO_MEMORY;
    }
    clear_state(v);
    return OK;
}

static void fini(struct vcpu *vcpu)
{
    riscv_cancel_timer(to_riscv(vcpu));
}

static err_t reset(struct vcpu *vcpu)
{
    clear_state(to_riscv(vcpu));
    return OK;
}

/* There is no bit 0 of a pc. */
static void set_pc(struct vcpu *vcpu, uint64_t pc)
{
    to_riscv(vcpu)->regs.pc = pc & ~UINT64_C(1);
}

/* A hart starts as SBI 2.0, table 17, says: in S-mode, without translation
 * and with interrupts off; its number in a0, an argument in a1. */
static err_t setup(struct vcpu *vcpu)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    clear_state(v);
    set_pc(vcpu, vcpu->boot.entry.raw);
    v->regs.gpr[REG_A0] = vcpu->config.hw_id;
    v->regs.gpr[REG_A1] = vcpu->boot.arg;
    v->vs.hstatus = HSTATUS_GUEST;
    v->vs.sstatus = STATUS_SPP;
    v->vs.vsstatus = FIELD_PUT(STATUS_UXL, XL_64);
    v->vs.vstimecmp = UINT64_MAX;
    /* Lines may be high. */
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return OK;
}

/*
 * On a new VMID, nothing that this CPU holds may be taken for the guest's:
 * not what an earlier user of the number left of its own page tables, nor
 * instructions that the guest has overwritten elsewhere since.
 */
static void load_translation(struct riscv_vcpu *v, uint32_t cpu)
{
    bool fresh = riscv_assign_vmid(v, cpu);

    riscv_hw_write_hgatp(guest_hgatp(v));
    if (fresh) {
        riscv_hw_hfence_vvma_all();
        riscv_hw_fence_i();
    }
}

static err_t bind(struct vcpu *vcpu)
{
    struct riscv_vcpu *v = to_riscv(vcpu);
    uint32_t cpu = host_current_cpu();

    load_translation(v, cpu);
    /* First the controls: without hideleg, vsie's bits do not exist. */
    riscv_hw_write_hideleg(HIDELEG_GUEST);
    riscv_hw_write_hcounteren(HCOUNTEREN_GUEST);
    riscv_hw_write_henvcfg(guest_henvcfg(v));
    riscv_hw_write_htimedelta(0);
    riscv_hw_load_vs(&v->vs);
    riscv_bind_units(v, cpu);
    atomic_store(&v->suspended, false);
    return OK;
}

static err_t unbind(struct vcpu *vcpu)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    riscv_unbind_units(v);
    riscv_hw_save_vs(&v->vs);
    return OK;
}

static err_t prepare(struct vcpu *vcpu, uint32_t requests)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    if (requests & VCPU_REQUEST_INTERRUPT)
        riscv_sync_interrupts(v);
    if (requests & VCPU_REQUEST_FLUSH)
        riscv_hw_hfence_gvma_vmid(v->vmid.number);
    if (requests & VCPU_REQUEST_ARCH)
        riscv_do_fences(v);
    return OK;
}

static void world_switch(struct vcpu *vcpu)
{
    riscv_hw_run(&to_riscv(vcpu)->regs);
}

EXIT_PATH void riscv_advance(struct vcpu *vcpu, const struct vm_exit *exit)
{
    struct riscv_vcpu *v = to_riscv(vcpu);

    v->regs.pc += exit->insn_len;
    if (unlikely(exit->kind == EXIT_SEND_IPI)) {
        v->regs.gpr[REG_A0] = SBI_SUCCESS;
        v->regs.gpr[REG_A1] = 0;
    } else if (unlikely(exit->kind == EXIT_HALT)) {
        riscv_suspend(v);
    } else if (unlikely(exit->kind == EXIT_IDLE)) {
        /* A suspension before it may have ended without a wait. */
        atomic_store(&v->suspended, false);
    }
}

static uint64_t get_pc(const struct vcpu *vcpu)
{
    return to_riscv_const(vcpu)->regs.pc;
}

static uint64_t get_gpr(const struct vcpu *vcpu, unsigned reg)
{
    CHECK(reg < REG_COUNT);
    return to_riscv_const(vcpu)->regs.gpr[reg];
}

static void set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
    CHECK(reg < REG_COUNT);
    riscv_write_gpr(to_riscv(vcpu), reg, value);
}

/* A hypercall is an SBI call that has succeeded. */
static void set_return_value(struct vcpu *vcpu, uint64_t value)
{
    riscv_write_gpr(to_riscv(vcpu), REG_A0, SBI_SUCCESS);
    riscv_write_gpr(to_riscv(vcpu), REG_A1, value);
}

/* The guest ends interrupts at its interrupt controller, a device. */
static bool handle_eoi(struct vcpu *vcpu, interrupt_vector *vector)
{
    return false;
}

/* No exit is of a kind that leads here: the image calls it by name. */
enum verdict riscv_instruction(struct vcpu *vcpu, struct vm_exit *exit,
                               char *what)
{
    return VERDICT_INJECT;
}

const struct vcpu_ops riscv_vcpu_ops = {
    .name = "riscv64",
    .size = sizeof(struct riscv_vcpu),
    .align = 64,
    .reset_machine = riscv_reset_machine,
    .init = init,
    .fini = fini,
    .setup = setup,
    .reset = reset,
    .bind = bind,
    .unbind = unbind,
    .prepare = prepare,
    .world_switch = world_switch,
    .decode = riscv_decode,
    .decode_mmio = riscv_decode_mmio,
    .finish_read = riscv_finish_read,
    .finish_write = riscv_finish_write,
    .advance = riscv_advance,
    .inject_fault = riscv_inject_fault,
    .stage2_format = riscv_stage2_format,
    .place_kernel = riscv_place_kernel,
    .describe_cpu = riscv_describe_cpu,
    .describe_cpus = riscv_describe_cpus,
    .firmware_call = riscv_firmware_call,
    .sysreg = riscv_sysreg,
    .lazy_state = riscv_lazy_state,
    .instruction = riscv_instruction,
    .set_cpu_up_result = riscv_set_cpu_up_result,
    .get_pc = get_pc,
    .set_pc = set_pc,
    .get_gpr = get_gpr,
    .set_gpr = set_gpr,
    .gpr_count = REG_COUNT,
    .set_return_value = set_return_value,
    .inject_interrupt = riscv_inject_interrupt,
    .set_interrupt_line = riscv_set_interrupt_line,
    .handle_eoi = handle_eoi,
    .timer_vector = IRQ_VS_TIMER,
    .external_vector = IRQ_VS_EXT,
    .has_wakeup = riscv_has_wakeup,
    .wakeup_deadline = riscv_wakeup_deadline,
};
