/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is interrupted by: exceptions (Privileged Architecture 1.12,
 * "Trap Entry") and virtual interrupts ("Hypervisor Interrupt Registers").
 *
 * Each bit of hvip has one owner. VSSIP is set here and cleared by the guest,
 * in sip; VSEIP follows its source's line; VSTIP is the SBI timer's, and with
 * Sstc nobody's, since then the guest's comparator is visible in hip beside
 * it. So bits are set and cleared one by one, never written as a whole.
 */
#include "api/time.h"
#include "arch/riscv64/sbi.h"

#define VECTOR_MODE BIT_MASK(1, 0) /* of vstvec: exceptions go to the base */

void riscv_inject_exception(struct riscv_vcpu *v, uint64_t number,
                            uint64_t value)
{
    uint64_t status = riscv_hw_read_vsstatus();
    uint64_t spie = (status & STATUS_SIE) != 0 ? STATUS_SPIE : 0;
    uint64_t spp = riscv_hw_read_spp() ? STATUS_SPP : 0;

    status &= ~(STATUS_SPP | STATUS_SPIE | STATUS_SIE);
    riscv_hw_write_vsstatus(status | spie | spp);
    riscv_hw_write_vsepc(v->regs.pc);
    riscv_hw_write_vscause(number);
    riscv_hw_write_vstval(value);
    riscv_hw_write_spp(true);
    v->regs.pc = riscv_hw_read_vstvec() & ~VECTOR_MODE;
}

static void inject_illegal(struct riscv_vcpu *v, const struct vm_exit *exit)
{
    bool described = v->regs.scause < CAUSE_COUNT &&
                     (RISCV_FAULT_CAUSES & BIT(v->regs.scause)) != 0;

    riscv_inject_exception(v, CAUSE_ILLEGAL_INSN,
                           described ? v->regs.stval : 0);
}

static void inject_decoded(struct riscv_vcpu *v, const struct vm_exit *exit)
{
    riscv_inject_exception(v, exit->exception.number, exit->exception.value);
}

/* The access fault of what the instruction wanted, also where it was an
 * access to a page table that failed. */
static void inject_access_fault(struct riscv_vcpu *v,
                                const struct vm_exit *exit)
{
    uint64_t number = CAUSE_LOAD_ACCESS;

    if (v->regs.scause == CAUSE_INSN_GUEST_PAGE_FAULT)
        number = CAUSE_INSN_ACCESS;
    else if (v->regs.scause == CAUSE_STORE_GUEST_PAGE_FAULT)
        number = CAUSE_STORE_ACCESS;
    riscv_inject_exception(v, number, v->regs.stval);
}

/* A call raises no exception: it returns an error. */
static void inject_call_failed(struct riscv_vcpu *v, const struct vm_exit *exit)
{
    (void)sbi_return(v, SBI_ERR_FAILED, 0);
}

bool riscv_inject_fault(struct vcpu *vcpu, const struct vm_exit *exit)
{
    uint64_t pc = to_riscv(vcpu)->regs.pc;
    typedef void (*injector)(struct riscv_vcpu * v, const struct vm_exit *exit);
    static const injector injectors[EXIT_KIND_COUNT] = {
        [EXIT_EXCEPTION] = inject_decoded,
        [EXIT_NESTED_PAGE_FAULT] = inject_access_fault,
        [EXIT_MMIO_READ] = inject_access_fault,
        [EXIT_MMIO_WRITE] = inject_access_fault,
        [EXIT_HYPERCALL] = inject_call_failed,
        [EXIT_FIRMWARE_CALL] = inject_call_failed,
        [EXIT_CPU_UP] = inject_call_failed,
        [EXIT_CPU_DOWN] = inject_call_failed,
        [EXIT_HALT] = inject_call_failed,
        [EXIT_SYSTEM_DOWN] = inject_call_failed,
        [EXIT_SEND_IPI] = inject_call_failed,
    };
    injector inject =
        (unsigned)exit->kind < EXIT_KIND_COUNT ? injectors[exit->kind] : NULL;

    (inject != NULL ? inject : inject_illegal)(to_riscv(vcpu), exit);
    return to_riscv(vcpu)->regs.pc != pc;
}

/* The bit of hvip for a vector, or 0. */
static uint64_t vector_bit(interrupt_vector vector)
{
    return vector < 64 ? BIT(vector) & HVIP_ALL : 0;
}

/* An interrupt's trigger is whose call it was: one that is injected is
 * pending once, whatever its source calls it. */
err_t riscv_inject_interrupt(struct vcpu *vcpu, interrupt_vector vector,
                             enum trigger trigger)
{
    uint64_t bit = vector_bit(vector);

    if (bit == 0)
        return ERR_INVALID_INPUT;
    if (trigger == TRIGGER_LEVEL)
        return riscv_set_interrupt_line(vcpu, vector, true);
    atomic_fetch_or(&to_riscv(vcpu)->edges, bit);
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return OK;
}

err_t riscv_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                               bool high)
{
    struct riscv_vcpu *v = to_riscv(vcpu);
    uint64_t bit = vector_bit(vector);

    if (bit == 0)
        return ERR_INVALID_INPUT;
    if (high) {
        atomic_fetch_or(&v->lines, bit);
    } else {
        atomic_fetch_and(&v->lines, ~bit);
        atomic_fetch_or(&v->lowered, bit);
    }
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return OK;
}

/*
 * A timer's edge that was on its way while the guest set another deadline is
 * not the new deadline's.
 */
static uint64_t drop_stale_timer(const struct riscv_vcpu *v, uint64_t edges)
{
    bool stale = (edges & HVIP_VSTIP) != 0 &&
                 (v->features & RISCV_FEATURE_SSTC) == 0 &&
                 time_ticks() < v->timer_deadline;

    return stale ? edges & ~HVIP_VSTIP : edges;
}

/* `lowered` is read first: a line that rises again later is seen high, and one
 * that falls later asks for another look. */
void riscv_sync_interrupts(struct riscv_vcpu *v)
{
    uint64_t lowered = atomic_exchange(&v->lowered, 0);
    uint64_t edges = atomic_exchange(&v->edges, 0);
    uint64_t set = drop_stale_timer(v, edges) | atomic_load(&v->lines);

    if ((lowered & ~set) != 0)
        riscv_hw_clear_hvip(lowered & ~set);
    if (set != 0)
        riscv_hw_set_hvip(set);
}

/* WFI ends for what is pending and enabled, whether the guest takes
 * interrupts at the moment or not. */
bool riscv_has_wakeup(struct vcpu *vcpu)
{
    riscv_sync_interrupts(to_riscv(vcpu));
    return (riscv_hw_read_hip() & riscv_hw_read_hie() & HVIP_ALL) != 0;
}
