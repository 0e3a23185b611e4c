/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From exit registers to struct vm_exit. Privileged Architecture 1.12, section
 * "Trap Cause Codes" and chapter "Hypervisor Extension". No effect but on the
 * struct vm_exit; where the hardware does not say which instruction it was,
 * guest memory is read for it.
 *
 * A misaligned access to a device gets an access fault, not an
 * address-misaligned exception: the latter asks the guest's software to make
 * the access in pieces, which a device register does not mean.
 */
#include "arch/riscv64/insn.h"
#include "arch/riscv64/riscv.h"
#include "arch/riscv64/sbi.h"

/* SYSTEM instructions; the fields that they share with all are in insn.h. */
#define OPCODE_SYSTEM 0x73
#define INSN_WFI      0x10500073
#define INSN_CSR      BIT_MASK(31, 20)
#define CSR_OP        BIT_MASK(1, 0) /* of funct3 */
#define CSR_OP_WRITE  1              /* CSRRW; 2 sets, 3 clears bits */
#define CSR_OP_IMM    BIT(2)         /* of funct3: rs1 is the operand itself */

/* Host interrupts that a guest's CPU is left for. */
#define HOST_IRQS (BIT(IRQ_S_SOFT) | BIT(IRQ_S_TIMER) | BIT(IRQ_S_EXT))

static void decode_unknown(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    exit->kind = EXIT_UNKNOWN;
    exit->insn_len = 0;
    exit->unknown.reason = v->regs.scause;
}

static void decode_interrupt(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    uint64_t irq = v->regs.scause & ~CAUSE_INTERRUPT;

    if (irq >= 64 || (HOST_IRQS & BIT(irq)) == 0) {
        decode_unknown(v, exit);
        return;
    }
    exit->kind = EXIT_EXTERNAL_INTERRUPT;
    exit->insn_len = 0;
    exit->interrupt.vector = (uint8_t)irq;
}

static void set_exception(struct vm_exit *exit, uint32_t number, uint64_t value)
{
    exit->kind = EXIT_EXCEPTION;
    exit->insn_len = 0;
    exit->exception.number = number;
    exit->exception.value = value;
}

/* An exception of the guest's own, which this processor does not delegate. */
static void decode_exception(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    bool described = (RISCV_FAULT_CAUSES & BIT(v->regs.scause)) != 0;

    set_exception(exit, (uint32_t)v->regs.scause,
                  described ? v->regs.stval : 0);
}

static void decode_illegal(const struct riscv_vcpu *v, struct vm_exit *exit)
{
    uint8_t missing = v->units & (uint8_t)~v->live;

    if ((riscv_units_needed(v->regs.stval) & missing) == 0) {
        decode_exception(v, exit);
        return;
    }
    exit->kind = EXIT_LAZY_STATE;
    exit->insn_len = 0;
}

static ALWAYS_INLINE void set_page_fault(const struct riscv_vcpu *v,
                                         struct vm_exit *exit,
                                         enum access access)
{
    const struct riscv_regs *regs = &v->regs;

    exit->kind = EXIT_NESTED_PAGE_FAULT;
    exit->insn_len = 0;
    exit->fault.gva = gva(regs->stval);
    if (unlikely(regs->htinst != 0) && riscv_htinst_is_implicit(regs->htinst)) {
        /* htval is a page-table entry's address; stval is another one's. */
        exit->fault.gpa = gpa(regs->htval << 2);
        exit->fault.access = riscv_htinst_is_implicit_write(regs->htinst)
                                 ? ACCESS_WRITE
                                 : ACCESS_READ;
        return;
    }
    exit->fault.gpa = gpa(regs->htval << 2 | (regs->stval & 3));
    exit->fault.access = access;
}

static void decode_insn_page_fault(const struct riscv_vcpu *v,
                                   struct vm_exit *exit)
{
    set_page_fault(v, exit, ACCESS_EXECUTE);
}

static void decode_csr(const struct riscv_vcpu *v, struct vm_exit *exit,
                       uint32_t insn)
{
    uint64_t funct3 = FIELD_GET(INSN_FUNCT3, insn);
    uint64_t rs1 = FIELD_GET(INSN_RS1, insn);
    bool writes = (funct3 & CSR_OP) == CSR_OP_WRITE || rs1 != 0;

    exit->kind = writes ? EXIT_SYSREG_WRITE : EXIT_SYSREG_READ;
    exit->insn_len = 4;
    exit->sysreg.addr = (uint32_t)FIELD_GET(INSN_CSR, insn);
    exit->sysreg.reg = (uint8_t)FIELD_GET(INSN_RD, insn);
    exit->sysreg.value = (funct3 & CSR_OP_IMM) != 0 ? rs1 : v->regs.gpr[rs1];
}

/*
 * What VS-mode could do if it were HS-mode, or VU-mode if it were VS-mode. A
 * guest that has no H extension knows none of it but WFI and counters: it
 * gets an illegal instruction, as the manual has the hypervisor do.
 */
static void decode_virtual_insn(const struct riscv_vcpu *v,
                                struct vm_exit *exit)
{
    uint64_t fetched = v->regs.stval == 0 ? riscv_hw_fetch_insn(v->regs.pc) : 0;
    uint32_t insn = (uint32_t)(v->regs.stval | fetched);

    if (fetched == RISCV_NO_INSN) {
        exit->kind = EXIT_NOTHING;
        exit->insn_len = 0;
    } else if (insn == INSN_WFI && riscv_hw_read_spp()) {
        exit->kind = EXIT_IDLE;
        exit->insn_len = 4;
    } else if ((insn & INSN_OPCODE) == OPCODE_SYSTEM &&
               (FIELD_GET(INSN_FUNCT3, insn) & CSR_OP) != 0) {
        decode_csr(v, exit, insn);
    } else {
        set_exception(exit, CAUSE_ILLEGAL_INSN, insn);
    }
}

typedef void (*decoder)(const struct riscv_vcpu *v, struct vm_exit *exit);

/* Without those that riscv_decode() looks at first. */
static const decoder decoders[CAUSE_COUNT] = {
    [CAUSE_INSN_MISALIGNED] = decode_exception,
    [CAUSE_INSN_ACCESS] = decode_exception,
    [CAUSE_ILLEGAL_INSN] = decode_illegal,
    [CAUSE_BREAKPOINT] = decode_exception,
    [CAUSE_LOAD_MISALIGNED] = decode_exception,
    [CAUSE_LOAD_ACCESS] = decode_exception,
    [CAUSE_STORE_MISALIGNED] = decode_exception,
    [CAUSE_STORE_ACCESS] = decode_exception,
    [CAUSE_ECALL_U] = decode_exception,
    [CAUSE_ECALL_HS] = decode_unknown,
    [CAUSE_ECALL_M] = decode_unknown,
    [CAUSE_INSN_PAGE_FAULT] = decode_exception,
    [CAUSE_LOAD_PAGE_FAULT] = decode_exception,
    [14] = decode_unknown,
    [CAUSE_STORE_PAGE_FAULT] = decode_exception,
    [16] = decode_unknown,
    [17] = decode_unknown,
    [18] = decode_unknown,
    [19] = decode_unknown,
    [CAUSE_INSN_GUEST_PAGE_FAULT] = decode_insn_page_fault,
    [CAUSE_VIRTUAL_INSN] = decode_virtual_insn,
};

static NOINLINE struct vm_exit decode_other(const struct riscv_vcpu *v)
{
    uint64_t cause = v->regs.scause;
    struct vm_exit exit;

    if (cause < CAUSE_COUNT)
        decoders[cause](v, &exit);
    else if ((cause & CAUSE_INTERRUPT) != 0)
        decode_interrupt(v, &exit);
    else
        decode_unknown(v, &exit);
    return exit;
}

/* The hot paths of every guest come first, and without a call. */
EXIT_PATH void riscv_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    const struct riscv_vcpu *v = to_riscv_const(vcpu);
    uint64_t cause = v->regs.scause;

    if (likely(cause == CAUSE_ECALL_VS))
        sbi_decode(v, exit);
    else if (likely(cause == CAUSE_LOAD_GUEST_PAGE_FAULT))
        set_page_fault(v, exit, ACCESS_READ);
    else if (likely(cause == CAUSE_STORE_GUEST_PAGE_FAULT))
        set_page_fault(v, exit, ACCESS_WRITE);
    else
        *exit = decode_other(v);
}

static ALWAYS_INLINE struct device_access
make_access(uint64_t address, const struct riscv_access *insn, uint64_t data)
{
    return (struct device_access){
        .address = address,
        .data = data,
        .width = insn->width,
        .reg = insn->reg,
        .reg_width = sizeof(uint64_t),
        .insn_len = insn->length,
        .write = insn->store,
        .sign_extend = insn->sign_extend,
        .reg_is_fp = insn->is_fp,
    };
}

/*
 * The general case; a width of 0: it is no such access. A guest may have
 * changed the instruction since it ran.
 */
static NOINLINE struct device_access decode_any_mmio(const struct riscv_vcpu *v,
                                                     uint64_t address,
                                                     enum access wanted,
                                                     uint64_t htinst)
{
    struct riscv_access insn;
    uint64_t data = 0;

    if (!riscv_decode_htinst(htinst, &insn) ||
        wanted != (insn.store ? ACCESS_WRITE : ACCESS_READ))
        return (struct device_access){.width = 0};
    if (insn.store)
        data = insn.is_fp ? riscv_read_fpr(v, insn.reg) : v->regs.gpr[insn.reg];
    return make_access(address, &insn, zero_extend(data, 8u * insn.width));
}

/*
 * The hardware does not say which instruction it was: it is fetched, through
 * this CPU's translations. Should those have become stale meanwhile, the frame
 * may no longer be the guest's: then what was read is not looked at.
 *
 * Nearly all are integer accesses by an instruction of 32 bits.
 */
static ALWAYS_INLINE err_t decode_fetched_mmio(const struct riscv_vcpu *v,
                                               uint64_t address,
                                               enum access wanted,
                                               struct device_access *access)
{
    uint64_t bits = riscv_hw_fetch_insn(v->regs.pc);
    bool store = wanted == ACCESS_WRITE;
    struct riscv_access insn;

    atomic_thread_fence(memory_order_acquire);
    if (unlikely(bits == RISCV_NO_INSN) ||
        unlikely(
            (atomic_load_explicit(&v->base.requests, memory_order_relaxed) &
             VCPU_REQUEST_FLUSH) != 0))
        return ERR_BUSY;
    if (likely(riscv_decode_integer_insn(bits, store, &insn)))
        *access = make_access(
            address, &insn,
            store ? zero_extend(v->regs.gpr[insn.reg], 8u * insn.width) : 0);
    else
        *access = decode_any_mmio(v, address, wanted,
                                  riscv_transform_insn(bits, store));
    return likely(access->width != 0) ? OK : ERR_UNSUPPORTED;
}

EXIT_PATH err_t riscv_decode_mmio(struct vcpu *vcpu,
                                  const struct vm_exit *fault,
                                  struct device_access *access)
{
    const struct riscv_vcpu *v = to_riscv(vcpu);
    uint64_t address = fault->fault.gpa.raw;

    if (unlikely(v->regs.htinst != 0)) {
        *access =
            decode_any_mmio(v, address, fault->fault.access, v->regs.htinst);
        return access->width != 0 ? OK : ERR_UNSUPPORTED;
    }
    if (likely(fault->fault.access == ACCESS_READ))
        return decode_fetched_mmio(v, address, ACCESS_READ, access);
    if (likely(fault->fault.access == ACCESS_WRITE))
        return decode_fetched_mmio(v, address, ACCESS_WRITE, access);
    return ERR_UNSUPPORTED;
}

EXIT_PATH void riscv_finish_read(struct vcpu *vcpu,
                                 const struct device_access *access,
                                 uint64_t value)
{
    struct riscv_vcpu *v = to_riscv(vcpu);
    unsigned unused = (0 - 8u * access->width) % 64;
    uint64_t top = value << unused;

    v->regs.pc += access->insn_len;
    /* A narrow floating-point value is NaN-boxed: all ones above it. */
    if (unlikely(access->reg_is_fp))
        riscv_write_fpr(v, access->reg, ~(~top >> unused));
    else if (access->sign_extend)
        riscv_write_gpr(v, access->reg, (uint64_t)((int64_t)top >> unused));
    else
        riscv_write_gpr(v, access->reg, top >> unused);
}

EXIT_PATH void riscv_finish_write(struct vcpu *vcpu,
                                  const struct device_access *access)
{
    to_riscv(vcpu)->regs.pc += access->insn_len;
}
