/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each guest operation does on the fake CPU, V=1. Manual: "Trap and
 * Interrupt Behaviour", "Virtual-Instruction Exceptions", and the sections of
 * the instructions.
 */
#include <string.h>

#include "sim/clock.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/ram.h"
#include "vcpu/exit.h"

/* Pseudoinstructions in htinst: the walker's own access to a 64-bit entry. */
#define HTINST_PTE_READ  0x3000
#define HTINST_PTE_WRITE 0x3020

static const struct guest_op *op_of(const struct fake_riscv *cpu)
{
    return cpu->source->op;
}

static uint64_t *gpr(struct fake_riscv *cpu)
{
    return &cpu->regs->gpr[op_of(cpu)->reg % REG_COUNT];
}

static void set_gpr(struct fake_riscv *cpu, uint64_t value)
{
    if (op_of(cpu)->reg % REG_COUNT != REG_ZERO)
        *gpr(cpu) = value;
}

static bool is_fp(const struct guest_op *op)
{
    return (op->flags & OP_FP_REG) != 0;
}

static uint64_t *fpr(struct fake_riscv *cpu)
{
    return &cpu->fp.f[op_of(cpu)->reg % 32];
}

/* The first 8 bytes of the operation's vector register. */
static uint8_t *vreg(struct fake_riscv *cpu)
{
    size_t reg = op_of(cpu)->reg % 32;

    return &cpu->vector.v[reg * cpu->profile->vlenb];
}

/* What the operation left in its register(s). */
static void collect_values(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);
    struct guest_result *result = &cpu->source->result;

    if (op->kind == OP_ECALL) {
        result->value = cpu->regs->gpr[REG_A0];
        result->value1 = cpu->regs->gpr[REG_A1];
    } else if (op->kind == OP_VECTOR_READ) {
        memcpy(&result->value, vreg(cpu), sizeof(result->value));
    } else if (is_fp(op) || op->kind == OP_FP_READ) {
        result->value = *fpr(cpu);
    } else {
        result->value = *gpr(cpu);
    }
}

void op_finish(struct fake_riscv *cpu, enum guest_outcome outcome)
{
    struct trap_source *source = cpu->source;
    struct guest_result result;

    collect_values(cpu);
    source->result.outcome = outcome;
    if (outcome == OUTCOME_RETIRED)
        cpu->instret++;
    result = source->result;
    source->result = (struct guest_result){.outcome = OUTCOME_PENDING};
    source->op_exited = false;
    if (source->done != NULL)
        source->done(source, &result);
    source->op = NULL;
}

static void retire(struct fake_riscv *cpu)
{
    unsigned length;

    (void)encode_op(op_of(cpu), &length);
    cpu->regs->pc += length;
    op_finish(cpu, OUTCOME_RETIRED);
}

/* The operation is not legal here, or not for a guest. */
static void op_fault(struct fake_riscv *cpu, enum fake_fault fault)
{
    unsigned length;
    uint32_t insn = encode_op(op_of(cpu), &length);
    struct fake_trap trap = {.cause = fault == FAULT_VIRTUAL
                                          ? CAUSE_VIRTUAL_INSN
                                          : CAUSE_ILLEGAL_INSN};

    if (cpu->profile->stval_insn)
        trap.tval = insn;
    trap_exception(cpu, &trap);
}

static uint32_t fault_htinst(const struct fake_riscv *cpu,
                             const struct translation *translation)
{
    unsigned length;

    if (translation->implicit)
        return translation->access == ACCESS_WRITE ? HTINST_PTE_WRITE
                                                   : HTINST_PTE_READ;
    if (!cpu->profile->htinst || op_of(cpu)->kind == OP_FETCH)
        return 0;
    return encode_transformed(encode_op(op_of(cpu), &length));
}

static bool is_guest_page_fault(uint32_t cause)
{
    return cause == CAUSE_INSN_GUEST_PAGE_FAULT ||
           cause == CAUSE_LOAD_GUEST_PAGE_FAULT ||
           cause == CAUSE_STORE_GUEST_PAGE_FAULT;
}

static void memory_fault(struct fake_riscv *cpu,
                         const struct translation *translation)
{
    struct fake_trap trap = {
        .cause = translation->cause, .gva = true, .tval = op_of(cpu)->address};

    if (is_guest_page_fault(trap.cause)) {
        trap.htval = translation->gpa >> 2;
        trap.htinst = fault_htinst(cpu, translation);
    }
    trap_exception(cpu, &trap);
}

static void simple_trap(struct fake_riscv *cpu, uint32_t cause, uint64_t tval)
{
    struct fake_trap trap = {.cause = cause, .gva = true, .tval = tval};

    trap_exception(cpu, &trap);
}

/* An access of this width that the hardware does not split: over a page's end,
 * or atomic and misaligned. */
static bool is_misaligned(const struct guest_op *op)
{
    uint64_t last = op->address + op->width - 1;

    if (op->kind != OP_LOAD && op->kind != OP_STORE)
        return op->address % op->width != 0;
    return op->address >> PAGE_SHIFT != last >> PAGE_SHIFT;
}

/* The memory that the operation accesses; NULL: it has trapped. */
static void *op_memory(struct fake_riscv *cpu, unsigned access)
{
    const struct guest_op *op = op_of(cpu);
    struct translation translation;
    void *memory;

    if (is_misaligned(op)) {
        simple_trap(cpu,
                    access == ACCESS_WRITE ? CAUSE_STORE_MISALIGNED
                                           : CAUSE_LOAD_MISALIGNED,
                    op->address);
        return NULL;
    }
    translation = mmu_translate(cpu, op->address, access, cpu->user);
    if (!translation.ok) {
        memory_fault(cpu, &translation);
        return NULL;
    }
    memory = mmu_host_memory(cpu, translation.hpa, op->width);
    if (memory != NULL && access == ACCESS_WRITE)
        ram_note_write(hpa(translation.hpa), op->width);
    if (memory == NULL)
        simple_trap(cpu,
                    access == ACCESS_WRITE ? CAUSE_STORE_ACCESS
                                           : CAUSE_LOAD_ACCESS,
                    op->address);
    return memory;
}

static uint64_t extend(const struct guest_op *op, uint64_t value)
{
    if ((op->flags & OP_SIGNED) != 0)
        return (uint64_t)sign_extend(value, op->width * 8u);
    return value;
}

static uint64_t load_bytes(const struct guest_op *op, const void *memory)
{
    uint64_t value = 0;

    memcpy(&value, memory, op->width);
    return value;
}

/* A narrower value in an FP register is NaN-boxed. */
static uint64_t box(const struct guest_op *op, uint64_t value)
{
    return op->width == 4 ? value | ~UINT64_C(0) << 32 : value;
}

static void do_load(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);
    const void *memory;

    if (is_fp(op) && !csr_fp_is_on(cpu)) {
        op_fault(cpu, FAULT_ILLEGAL);
        return;
    }
    memory = op_memory(cpu, ACCESS_READ);
    if (memory == NULL)
        return;
    if (is_fp(op)) {
        *fpr(cpu) = box(op, load_bytes(op, memory));
        csr_set_dirty(cpu, STATUS_FS);
    } else {
        set_gpr(cpu, extend(op, load_bytes(op, memory)));
    }
    retire(cpu);
}

static void do_store(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);
    void *memory;

    if (is_fp(op) && !csr_fp_is_on(cpu)) {
        op_fault(cpu, FAULT_ILLEGAL);
        return;
    }
    memory = op_memory(cpu, ACCESS_WRITE);
    if (memory == NULL)
        return;
    memcpy(memory, is_fp(op) ? fpr(cpu) : gpr(cpu), op->width);
    retire(cpu);
}

static void do_lr(struct fake_riscv *cpu)
{
    const void *memory = op_memory(cpu, ACCESS_READ);

    if (memory == NULL)
        return;
    set_gpr(cpu, extend(op_of(cpu), load_bytes(op_of(cpu), memory)));
    retire(cpu);
}

/* Stores the register's value; it gets the old one, or SC's 0. */
static void do_amo(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);
    void *memory = op_memory(cpu, ACCESS_WRITE);
    uint64_t old;

    if (memory == NULL)
        return;
    old = load_bytes(op, memory);
    memcpy(memory, gpr(cpu), op->width);
    set_gpr(cpu, op->kind == OP_SC ? 0 : extend(op, old));
    retire(cpu);
}

/* An instruction fetch: nothing but its translation is of interest. */
static void do_fetch(struct fake_riscv *cpu)
{
    struct translation translation =
        mmu_translate(cpu, op_of(cpu)->address, ACCESS_EXECUTE, cpu->user);

    if (translation.ok)
        op_finish(cpu, OUTCOME_RETIRED);
    else
        memory_fault(cpu, &translation);
}

/* A read-modify-write of a CSR, as CSRRW, CSRRS and CSRRC are; a read is a
 * CSRRS with x0. */
static void do_csr(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);
    bool writes = op->kind != OP_CSR_READ && op->reg % REG_COUNT != REG_ZERO;
    uint64_t operand = *gpr(cpu);
    uint64_t old = 0;
    enum fake_fault fault;

    writes |= op->kind == OP_CSR_WRITE;
    fault = csr_guest_read(cpu, op->number, writes, &old);
    if (fault != FAULT_NONE) {
        op_fault(cpu, fault);
        return;
    }
    if (op->kind == OP_CSR_SET)
        operand = old | operand;
    else if (op->kind == OP_CSR_CLEAR)
        operand = old & ~operand;
    if (writes)
        csr_guest_write(cpu, op->number, operand);
    set_gpr(cpu, old);
    retire(cpu);
}

static void do_ecall(struct fake_riscv *cpu)
{
    simple_trap(cpu, cpu->user ? CAUSE_ECALL_U : CAUSE_ECALL_VS, 0);
}

static void do_ebreak(struct fake_riscv *cpu)
{
    simple_trap(cpu, CAUSE_BREAKPOINT, cpu->regs->pc);
}

/* A WFI that does not trap: the CPU sleeps until something is due. */
static void sleep_until_event(struct fake_riscv *cpu)
{
    uint64_t until = clock_next_deadline(cpu->index);

    if ((cpu->henvcfg & HENVCFG_STCE) != 0) {
        uint64_t timer = time_ticks_to_nanos(cpu->vstimecmp - cpu->htimedelta);

        if (timer < until)
            until = timer;
    }
    if (until != UINT64_MAX)
        clock_set_nanos(until);
}

/*
 * WFI completes at once when an interrupt is pending, enabled or not by
 * sstatus.SIE. VU-mode may not wait at all, VS-mode not when hstatus.VTW.
 */
static void do_wfi(struct fake_riscv *cpu)
{
    if ((csr_hip(cpu) & cpu->hie) != 0) {
        retire(cpu);
    } else if (cpu->user || (cpu->hstatus & HSTATUS_VTW) != 0) {
        op_fault(cpu, FAULT_VIRTUAL);
    } else {
        sleep_until_event(cpu);
        retire(cpu);
    }
}

/* Returns from the guest's trap handler. */
static void do_sret(struct fake_riscv *cpu)
{
    uint64_t status = cpu->vsstatus;

    if (cpu->user || (cpu->hstatus & HSTATUS_VTSR) != 0) {
        op_fault(cpu, FAULT_VIRTUAL);
        return;
    }
    cpu->user = (status & STATUS_SPP) == 0;
    status &= ~(STATUS_SIE | STATUS_SPP);
    if ((status & STATUS_SPIE) != 0)
        status |= STATUS_SIE;
    cpu->vsstatus = status | STATUS_SPIE;
    cpu->regs->pc = cpu->vsepc;
    op_finish(cpu, OUTCOME_RETIRED);
}

static void do_sfence(struct fake_riscv *cpu)
{
    if (cpu->user || (cpu->hstatus & HSTATUS_VTVM) != 0) {
        op_fault(cpu, FAULT_VIRTUAL);
        return;
    }
    tlb_flush_vs(cpu, TLB_ANY, 0, TLB_ANY);
    retire(cpu);
}

/* HFENCE and the like: for HS-mode only. */
static void do_hypervisor(struct fake_riscv *cpu)
{
    op_fault(cpu, FAULT_VIRTUAL);
}

static void do_insn(struct fake_riscv *cpu)
{
    op_fault(cpu, FAULT_ILLEGAL);
}

static void do_fp(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);

    if (!csr_fp_is_on(cpu)) {
        op_fault(cpu, FAULT_ILLEGAL);
        return;
    }
    if (op->kind == OP_FP) {
        *fpr(cpu) = op->value;
        csr_set_dirty(cpu, STATUS_FS);
    }
    retire(cpu);
}

static void do_vector(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);

    if (!csr_vector_is_on(cpu)) {
        op_fault(cpu, FAULT_ILLEGAL);
        return;
    }
    if (op->kind == OP_VECTOR) {
        memset(vreg(cpu), (int)(op->value & 0xff), cpu->profile->vlenb);
        csr_set_dirty(cpu, STATUS_VS);
    }
    retire(cpu);
}

static void do_set_reg(struct fake_riscv *cpu)
{
    set_gpr(cpu, op_of(cpu)->value);
    retire(cpu);
}

static void do_set_pc(struct fake_riscv *cpu)
{
    cpu->regs->pc = op_of(cpu)->address & ~UINT64_C(1);
    op_finish(cpu, OUTCOME_RETIRED);
}

static void do_mode(struct fake_riscv *cpu)
{
    cpu->user = op_of(cpu)->kind == OP_USER_MODE;
    retire(cpu);
}

/* Time passes; an interrupt is noticed before the next operation. */
static void do_delay(struct fake_riscv *cpu)
{
    clock_set_nanos(clock_nanos() + op_of(cpu)->value);
    retire(cpu);
}

static void do_raw_exit(struct fake_riscv *cpu)
{
    const uint64_t *args = op_of(cpu)->args;
    struct fake_trap trap = {
        .gva = true, .tval = args[1], .htval = args[2], .htinst = args[3]};

    trap_op_exits(cpu->source);
    trap_exit(cpu, args[0], &trap);
}

static void (*const op_functions[OP_KIND_COUNT])(struct fake_riscv *cpu) = {
    [OP_LOAD] = do_load,       [OP_STORE] = do_store,
    [OP_LR] = do_lr,           [OP_SC] = do_amo,
    [OP_AMO] = do_amo,         [OP_FETCH] = do_fetch,
    [OP_CSR_READ] = do_csr,    [OP_CSR_WRITE] = do_csr,
    [OP_CSR_SET] = do_csr,     [OP_CSR_CLEAR] = do_csr,
    [OP_ECALL] = do_ecall,     [OP_WFI] = do_wfi,
    [OP_EBREAK] = do_ebreak,   [OP_SRET] = do_sret,
    [OP_SFENCE] = do_sfence,   [OP_FENCE_I] = retire,
    [OP_FP] = do_fp,           [OP_VECTOR] = do_vector,
    [OP_FP_READ] = do_fp,      [OP_VECTOR_READ] = do_vector,
    [OP_INSN] = do_insn,       [OP_HYPERVISOR] = do_hypervisor,
    [OP_SET_REG] = do_set_reg, [OP_SET_PC] = do_set_pc,
    [OP_USER_MODE] = do_mode,  [OP_SUPERVISOR_MODE] = do_mode,
    [OP_DELAY] = do_delay,     [OP_RAW_EXIT] = do_raw_exit,
};

/* What the instructions before the operation put into its registers. */
static void load_operands(struct fake_riscv *cpu)
{
    const struct guest_op *op = op_of(cpu);

    if (op->kind == OP_ECALL) {
        memcpy(&cpu->regs->gpr[REG_A0], op->args, sizeof(op->args));
    } else if ((op->flags & OP_HAS_VALUE) != 0) {
        if (is_fp(op))
            *fpr(cpu) = op->value;
        else
            set_gpr(cpu, op->value);
    }
}

void op_execute(struct fake_riscv *cpu)
{
    cpu->source->op_pc = cpu->regs->pc;
    load_operands(cpu);
    op_functions[op_of(cpu)->kind](cpu);
}
