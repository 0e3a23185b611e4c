/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that the hypervisor answers: CPUID, XSETBV, writes of CR4,
 * accesses to CR8. AMD APM volumes 2 and 3, Intel SDM volume 2.
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

static enum verdict do_cpuid(struct x86_vcpu *v, const struct vm_exit *exit)
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

/* Changes of these drop the translations: SDM volume 3, section 4.10.4.1. */
#define CR4_FLUSHING                                                          \
    (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP | \
     X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)

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

    if (!cr4_is_valid(v, old, value))
        return false;
    v->vendor->set(v, X86_REG_CR4, value);
    if (((old ^ value) & CR4_FLUSHING) != 0)
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

/* The operand size is the mode's, whatever prefixes say. */
static unsigned control_width(const struct x86_insn *insn)
{
    return insn->mode == X86_MODE_64 ? 64 : 32;
}

/* Whether it is the access that has exited; its memory may have changed. */
static bool accesses(const struct x86_insn *insn, uint64_t control)
{
    bool write = (control & X86_MOV_CR_WRITE) != 0;
    const struct x86_operand *operand = &insn->operand[write ? 0 : 1];

    return insn->op == X86_OP_mov_control &&
           operand->kind == X86_OPERAND_CONTROL &&
           operand->reg == (control & ~(uint64_t)X86_MOV_CR_WRITE);
}

static bool write_control(struct x86_vcpu *v, const struct x86_insn *insn)
{
    uint64_t value =
        zero_extend(v->regs.gpr[insn->operand[1].reg], control_width(insn));

    return insn->operand[0].reg == 8 ? write_cr8(v, value)
                                     : write_cr4(v, value);
}

/* MOV from CR8, MOV to CR4 or CR8: nothing else is intercepted. What has been
 * overwritten meanwhile is tried again. */
static enum verdict do_mov_cr(struct x86_vcpu *v, const struct vm_exit *exit)
{
    struct x86_outcome outcome;
    struct x86_insn insn;
    struct x86_cpu cpu;

    v->vendor->get_cpu(v, &cpu);
    if (x86_fetch(v, &cpu, &insn, &outcome) != X86_DONE ||
        !accesses(&insn, exit->insn.operand))
        return VERDICT_RESUME;
    if (insn.operand[0].kind != X86_OPERAND_CONTROL)
        v->regs.gpr[insn.operand[0].reg] = read_cr8(v);
    else if (!write_control(v, &insn))
        return do_gp(v, exit);
    x86_step_over(v, insn.length);
    return VERDICT_RESUME;
}

enum verdict x86_instruction(struct vcpu *vcpu, struct vm_exit *exit,
                             char *what)
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
    };
    struct x86_vcpu *v = to_x86(vcpu);

    if (likely(exit->kind == EXIT_CPUID))
        return do_cpuid(v, exit);
    if (exit->insn.number == X86_INTERCEPTED_STRING_IO)
        return x86_emulate_string_io(v, what);
    return handlers[exit->insn.number](v, exit);
}
