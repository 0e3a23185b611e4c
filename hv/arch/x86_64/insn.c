/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that the hypervisor answers: CPUID, XSETBV, writes of CR0 and
 * CR4, accesses to CR8, and what is left of an access to the local APIC that
 * the processor has begun. AMD APM volumes 2 and 3, Intel SDM volume 2.
 */
#include "arch/x86_64/guest_control.h"
#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"

static enum verdict advance(struct x86_vcpu *v, const struct vm_exit *exit)
{
    x86_advance(&v->base, exit);
    return VERDICT_RESUME;
}

/* What CPUID's answer depends on; most leaves' on none of it. */
static void find_facts(const struct x86_vcpu *v, uint32_t leaf,
                       struct x86_vcpu_facts *facts)
{
    facts->apic_id = v->base.config.id;
    if (leaf == X86_CPUID_FEATURES || leaf == X86_CPUID_EXT_FEATURES) {
        facts->apic_enabled = v->lapic != NULL && lapic_is_enabled(v->lapic);
        facts->cr4 = v->vendor->get(v, X86_REG_CR4);
    }
    if (leaf == X86_CPUID_XSTATE)
        facts->xcr0 = x86_read_xcr0(v);
}

/* Writes to EAX, EBX, ECX and EDX clear the upper halves. */
static void put_cpuid(struct x86_vcpu *v, const struct x86_cpuid *cpuid)
{
    v->regs.gpr[X86_GPR_RAX] = cpuid->eax;
    v->regs.gpr[X86_GPR_RBX] = cpuid->ebx;
    v->regs.gpr[X86_GPR_RCX] = cpuid->ecx;
    v->regs.gpr[X86_GPR_RDX] = cpuid->edx;
}

static NOINLINE enum verdict do_own_cpuid(struct x86_vcpu *v,
                                          const struct vm_exit *exit)
{
    uint32_t leaf = (uint32_t)v->regs.gpr[X86_GPR_RAX];
    struct x86_vcpu_facts facts = {0};
    struct x86_cpuid cpuid;

    find_facts(v, leaf, &facts);
    x86_guest_cpuid(v->cpuid, &facts, leaf, (uint32_t)v->regs.gpr[X86_GPR_RCX],
                    &cpuid);
    put_cpuid(v, &cpuid);
    return advance(v, exit);
}

static ALWAYS_INLINE enum verdict do_cpuid(struct x86_vcpu *v,
                                           const struct vm_exit *exit)
{
    const struct x86_cpuid *plain =
        x86_guest_plain_cpuid(v->cpuid, (uint32_t)v->regs.gpr[X86_GPR_RAX]);

    if (unlikely(plain == NULL))
        return do_own_cpuid(v, exit);
    put_cpuid(v, plain);
    return advance(v, exit);
}

uint64_t x86_edx_eax(const struct x86_vcpu *v)
{
    return v->regs.gpr[X86_GPR_RDX] << 32 | (uint32_t)v->regs.gpr[X86_GPR_RAX];
}

/* The processor has checked CPL and CR4.OSXSAVE before it intercepts. */
static enum verdict do_xsetbv(struct x86_vcpu *v, const struct vm_exit *exit)
{
    uint64_t value = x86_edx_eax(v);

    if ((uint32_t)v->regs.gpr[X86_GPR_RCX] != 0 ||
        !x86_xcr0_is_valid(value, x86_guest_xcr0_bits(v->cpuid))) {
        x86_inject_gp(v);
        return VERDICT_RESUME;
    }
    v->xcr0 = value;
    x86_hw_write_xcr0(value);
    return advance(v, exit);
}

/* Caches are coherent, and hold nothing that the guest may drop. */
static enum verdict do_cache(struct x86_vcpu *v, const struct vm_exit *exit)
{
    return advance(v, exit);
}

/* A trap: the guest finds RIP behind it. */
static enum verdict do_icebp(struct x86_vcpu *v, const struct vm_exit *exit)
{
    x86_advance(&v->base, exit);
    x86_inject_exception(v, &(struct x86_exception){.vector = X86_VECTOR_DB});
    return VERDICT_RESUME;
}

static enum verdict do_ud(struct x86_vcpu *v, const struct vm_exit *exit)
{
    x86_inject_ud(v);
    return VERDICT_RESUME;
}

static enum verdict do_gp(struct x86_vcpu *v, const struct vm_exit *exit)
{
    x86_inject_gp(v);
    return VERDICT_RESUME;
}

/* Control registers ------------------------------------------------------ */

/* Changes of these drop the translations: SDM volume 3, section 5.10.4.1. */
#define CR4_FLUSHING                                                          \
    (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP | \
     X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)

/* Changes of these load the PDPTEs: section 5.4.1. */
#define CR4_PDPTES (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP)
#define CR0_PDPTES (X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)

/* APM volume 2, section 3.1.3 and 5.1; what is reserved, or not the guest's,
 * is #GP. */
static bool cr4_is_valid(const struct x86_vcpu *v, uint64_t old, uint64_t value)
{
    uint64_t changed = old ^ value;
    bool is_long = (v->vendor->get(v, X86_REG_EFER) & X86_EFER_LMA) != 0;

    if ((value & ~x86_guest_cr4_bits(v->cpuid)) != 0)
        return false;
    if (is_long && (value & X86_CR4_PAE) == 0)
        return false;
    return (changed & value & X86_CR4_PCIDE) == 0 ||
           (is_long && (v->vendor->get(v, X86_REG_CR3) & BIT_MASK(11, 0)) == 0);
}

static bool write_cr4(struct x86_vcpu *v, uint64_t value)
{
    uint64_t old = v->vendor->get(v, X86_REG_CR4);
    struct x86_control control = {.cr0 = v->vendor->get(v, X86_REG_CR0),
                                  .cr3 = v->vendor->get(v, X86_REG_CR3),
                                  .cr4 = value,
                                  .efer = v->vendor->get(v, X86_REG_EFER)};

    if (!cr4_is_valid(v, old, value))
        return false;
    if (((old ^ value) & CR4_PDPTES) != 0 && !x86_load_pdptes(v, &control))
        return false;
    v->vendor->set(v, X86_REG_CR4, value);
    if (((old ^ value) & CR4_FLUSHING) != 0)
        v->vendor->flush(v);
    return true;
}

/* Changes of these drop the translations, too. */
#define CR0_FLUSHING (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)

/* The others are reserved, and writes of them ignored. */
#define CR0_BITS                                                      \
    (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_NE | \
     X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* SDM volume 2, MOV to control registers. */
static bool cr0_is_valid(const struct x86_cpu *cpu, uint64_t value)
{
    uint64_t changed = cpu->control.cr0 ^ value;
    bool is_64_bit = (cpu->segment[X86_CS].attributes & X86_SEG_LONG) != 0;

    if (value >> 32 != 0)
        return false;
    if ((value & (X86_CR0_PG | X86_CR0_PE)) == X86_CR0_PG ||
        (value & (X86_CR0_NW | X86_CR0_CD)) == X86_CR0_NW)
        return false;
    if ((changed & X86_CR0_PG) == 0)
        return true;
    if ((value & X86_CR0_PG) == 0)
        return (cpu->control.cr4 & X86_CR4_PCIDE) == 0 &&
               x86_mode_of(cpu) != X86_MODE_64;
    return (cpu->control.efer & X86_EFER_LME) == 0 ||
           ((cpu->control.cr4 & X86_CR4_PAE) != 0 && !is_64_bit);
}

/* PG switches long mode on and off, if EFER.LME asks for it. */
static bool write_cr0(struct x86_vcpu *v, uint64_t value)
{
    struct x86_cpu cpu;
    struct x86_control control;
    uint64_t changed;

    v->vendor->get_cpu(v, &cpu);
    if (!cr0_is_valid(&cpu, value))
        return false;
    control = cpu.control;
    control.cr0 = (value & CR0_BITS) | X86_CR0_ET;
    control.efer &= ~X86_EFER_LMA;
    if ((value & X86_CR0_PG) != 0 && (control.efer & X86_EFER_LME) != 0)
        control.efer |= X86_EFER_LMA;
    changed = cpu.control.cr0 ^ control.cr0;
    if ((changed & CR0_PDPTES) != 0 && !x86_load_pdptes(v, &control))
        return false;
    if (control.efer != cpu.control.efer)
        v->vendor->set(v, X86_REG_EFER, control.efer);
    v->vendor->set(v, X86_REG_CR0, control.cr0);
    if ((changed & CR0_FLUSHING) != 0)
        v->vendor->flush(v);
    return true;
}

#define CR8_TPR BIT_MASK(3, 0)

static bool write_cr8(struct x86_vcpu *v, uint64_t value)
{
    if ((value & ~CR8_TPR) != 0)
        return false;
    if (v->lapic != NULL)
        lapic_set_cr8(v->lapic, (uint8_t)value);
    return true;
}

static uint64_t read_cr8(struct x86_vcpu *v)
{
    return v->lapic != NULL ? lapic_cr8(v->lapic) : 0;
}

/* A MOV from or to a control register. */
struct mov_cr {
    unsigned control, gpr;
    bool write;
    unsigned bits; /* the mode's operand size, whatever prefixes say */
    uint8_t length;
};

/* As the hardware says. */
static void take_mov_cr(const struct x86_vcpu *v, const struct vm_exit *exit,
                        struct mov_cr *mov)
{
    uint64_t linear, cr3;

    mov->gpr = (unsigned)FIELD_GET(X86_MOV_CR_GPR, exit->insn.operand);
    mov->bits = v->vendor->get_code(v, &linear, &cr3) ? 64 : 32;
    mov->length = exit->insn_len;
}

/* As memory says, which may have changed: false if it is another instruction
 * by now. */
static bool fetch_mov_cr(struct x86_vcpu *v, struct x86_cpu *cpu,
                         struct mov_cr *mov)
{
    const struct x86_operand *control, *gpr;
    struct x86_outcome outcome;
    struct x86_insn insn;

    if (x86_fetch(v, cpu, &insn, &outcome) != X86_DONE)
        return false;
    control = &insn.operand[mov->write ? 0 : 1];
    gpr = &insn.operand[mov->write ? 1 : 0];
    mov->gpr = gpr->reg;
    mov->bits = insn.mode == X86_MODE_64 ? 64 : 32;
    mov->length = insn.length;
    return insn.op == X86_OP_mov_control &&
           control->kind == X86_OPERAND_CONTROL && control->reg == mov->control;
}

static bool write_control(struct x86_vcpu *v, const struct mov_cr *mov)
{
    uint64_t value = zero_extend(v->regs.gpr[mov->gpr], mov->bits);

    switch (mov->control) {
    case 0: return write_cr0(v, value);
    case 8: return write_cr8(v, value);
    default: return write_cr4(v, value);
    }
}

/* MOV from CR8, MOV to CR0, CR4 or CR8: nothing else is intercepted. What has
 * been overwritten meanwhile is tried again. */
static enum verdict do_mov_cr(struct x86_vcpu *v, const struct vm_exit *exit)
{
    uint64_t operand = exit->insn.operand;
    struct mov_cr mov = {.control = operand & BIT_MASK(3, 0),
                         .write = (operand & X86_MOV_CR_WRITE) != 0};
    struct x86_cpu cpu;

    /* Processors look at the level before they exit. It is looked at again
     * because no entry takes what a MOV to CR0 would make of another one. */
    v->vendor->get_cpu(v, &cpu);
    if (cpu.cpl != 0)
        return do_gp(v, exit);
    if ((operand & X86_MOV_CR_DECODED) != 0)
        take_mov_cr(v, exit, &mov);
    else if (!fetch_mov_cr(v, &cpu, &mov))
        return VERDICT_RESUME;
    if (!mov.write)
        v->regs.gpr[mov.gpr] = read_cr8(v);
    else if (!write_control(v, &mov))
        return do_gp(v, exit);
    x86_step_over(v, mov.length);
    return VERDICT_RESUME;
}

/* The page has the register at the first 4 of 16 bytes. */
#define APIC_REGISTER_OFFSET BIT_MASK(11, 4)

static enum verdict do_apic_write(struct x86_vcpu *v,
                                  const struct vm_exit *exit)
{
    uint32_t offset = exit->insn.operand & APIC_REGISTER_OFFSET;

    if (v->lapic != NULL)
        lapic_write(v->lapic, offset, sizeof(uint32_t),
                    v->vendor->read_apic(v, offset));
    return VERDICT_RESUME;
}

static enum verdict do_apic_eoi(struct x86_vcpu *v, const struct vm_exit *exit)
{
    if (v->lapic != NULL)
        lapic_end_level(v->lapic, (uint8_t)exit->insn.operand);
    return VERDICT_RESUME;
}

static NOINLINE enum verdict make_other(struct x86_vcpu *v,
                                        const struct vm_exit *exit, char *what)
{
    typedef enum verdict (*handler)(struct x86_vcpu * v,
                                    const struct vm_exit *exit);
    static const handler handlers[X86_INTERCEPTED_COUNT] = {
        [X86_INTERCEPTED_XSETBV] = do_xsetbv,
        [X86_INTERCEPTED_CACHE] = do_cache,
        [X86_INTERCEPTED_MOV_CR] = do_mov_cr,
        [X86_INTERCEPTED_ICEBP] = do_icebp,
        [X86_INTERCEPTED_UD] = do_ud,
        [X86_INTERCEPTED_GP] = do_gp,
        [X86_INTERCEPTED_APIC_WRITE] = do_apic_write,
        [X86_INTERCEPTED_APIC_EOI] = do_apic_eoi,
    };

    if (exit->insn.number == X86_INTERCEPTED_STRING_IO)
        return x86_emulate_string_io(v, what);
    if (exit->insn.number == X86_INTERCEPTED_TASK_SWITCH)
        return x86_switch_task(v, exit, what);
    return handlers[exit->insn.number](v, exit);
}

EXIT_PATH enum verdict x86_instruction(struct vcpu *vcpu, struct vm_exit *exit,
                                       char *what)
{
    return likely(exit->kind == EXIT_CPUID)
               ? do_cpuid(to_x86(vcpu), exit)
               : make_other(to_x86(vcpu), exit, what);
}
