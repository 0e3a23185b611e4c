/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that access devices. The one access of a plain move is made by
 * hv/vm, as on every architecture; whatever else an instruction does is the
 * emulator's, which finds memory and devices by their addresses here. What is
 * neither reads as ones and takes no notice of a write: on a PC nobody answers
 * there.
 */
#include "addrspace/aspace.h"
#include "arch/x86_64/emulate/disassemble.h"
#include "arch/x86_64/x86.h"
#include "device/device.h"
#include "lib/format.h"
#include "lib/string.h"
#include "vcpu/boot.h"

/* Plain moves ------------------------------------------------------------ */

static bool is_plain_move(const struct x86_insn *insn)
{
    switch ((enum x86_op)insn->op) {
    case X86_OP_mov:
    case X86_OP_movabs:
    case X86_OP_movzx:
    case X86_OP_movsx:
    case X86_OP_movsxd:
    case X86_OP_movnti:
        return insn->mode == X86_MODE_64 && insn->segment != X86_FS &&
               insn->segment != X86_GS;
    default: return false;
    }
}

static bool sign_extends(const struct x86_insn *insn)
{
    return insn->op == X86_OP_movsx || insn->op == X86_OP_movsxd;
}

/* In 64-bit mode, in a segment that begins at 0. */
static uint64_t linear_address(const struct x86_vcpu *v,
                               const struct x86_insn *insn)
{
    uint64_t address = (uint64_t)insn->displacement;

    if (insn->base == X86_RIP)
        address += *v->rip + insn->length;
    else if (insn->base != X86_NO_REG)
        address += x86_hw_read_gpr(&v->regs, insn->base);
    if (insn->index != X86_NO_REG)
        address += x86_hw_read_gpr(&v->regs, insn->index) * insn->scale;
    return zero_extend(address, 8 * insn->address_size);
}

/* The value that a store hands over. False: it is no plain one. */
static bool store_value(const struct x86_vcpu *v, const struct x86_insn *insn,
                        uint64_t *value)
{
    const struct x86_operand *from = &insn->operand[1];

    if (from->kind == X86_OPERAND_IMMEDIATE)
        *value = insn->immediate;
    else if (from->kind == X86_OPERAND_GPR)
        *value = x86_hw_read_gpr(&v->regs, from->reg);
    else
        return false;
    *value = zero_extend(*value, 8 * from->size);
    return true;
}

static err_t describe(const struct x86_vcpu *v, const struct x86_insn *insn,
                      gpa_t at, struct device_access *access)
{
    const struct x86_operand *to = &insn->operand[0];
    const struct x86_operand *from = &insn->operand[1];
    bool write = to->kind == X86_OPERAND_MEMORY;

    *access = (struct device_access){
        .address = at.raw,
        .width = write ? to->size : from->size,
        .reg = to->reg,
        .reg_width = to->size,
        .insn_len = insn->length,
        .write = write,
        .sign_extend = sign_extends(insn),
    };
    if (write ? !store_value(v, insn, &access->data)
              : from->kind != X86_OPERAND_MEMORY || to->kind != X86_OPERAND_GPR)
        return ERR_UNSUPPORTED;
    /* The fault is at the access, not at the page that it goes on in. */
    if (((linear_address(v, insn) ^ at.raw) & (PAGE_SIZE - 1)) != 0 ||
        (at.raw & (PAGE_SIZE - 1)) + access->width > PAGE_SIZE ||
        !is_aligned(at.raw, access->width))
        return ERR_UNSUPPORTED;
    return OK;
}

EXIT_PATH err_t x86_decode_mmio(struct vcpu *vcpu, const struct vm_exit *fault,
                                struct device_access *access)
{
    struct x86_vcpu *v = to_x86(vcpu);
    const struct x86_insn *insn;

    if (unlikely(fault->fault.access == ACCESS_EXECUTE ||
                 v->vendor->walks_tables(v) || x86_has_event(v)))
        return ERR_UNSUPPORTED;
    insn = x86_code_find(v);
    if (insn == NULL || !is_plain_move(insn))
        return ERR_UNSUPPORTED;
    return describe(v, insn, fault->fault.gpa, access);
}

/* A register of 4 bytes clears the upper half, of 1 and 2 leaves the rest. */
EXIT_PATH void x86_finish_read(struct vcpu *vcpu,
                               const struct device_access *access,
                               uint64_t value)
{
    uint64_t *reg = &to_x86(vcpu)->regs.gpr[access->reg];
    unsigned bits = 8 * access->width;
    uint64_t mask = BIT_MASK(8 * access->reg_width - 1, 0);

    value = access->sign_extend ? (uint64_t)sign_extend(value, bits)
                                : zero_extend(value, bits);
    if (access->reg_width >= 4)
        *reg = value & mask;
    else
        *reg = (*reg & ~mask) | (value & mask);
    x86_step_over(to_x86(vcpu), access->insn_len);
}

EXIT_PATH void x86_finish_write(struct vcpu *vcpu,
                                const struct device_access *access)
{
    x86_step_over(to_x86(vcpu), access->insn_len);
}

/* Everything else -------------------------------------------------------- */

static struct x86_vcpu *vcpu_of(void *context)
{
    return ((struct x86_memory_context *)context)->v;
}

static bool is_memory(struct x86_vcpu *v, gpa_t address)
{
    uint8_t byte;

    return aspace_read(v->base.config.memory, address, &byte, 1) !=
           ERR_NOT_FOUND;
}

/* Devices take what is aligned to its size. */
static unsigned span(void *context, gpa_t address, unsigned bytes)
{
    unsigned piece = 1;

    if (likely(is_power_of_two(bytes) && is_aligned(address.raw, bytes)))
        return bytes;
    if (is_memory(vcpu_of(context), address))
        return bytes;
    while (2 * piece <= bytes && is_aligned(address.raw, 2 * piece))
        piece *= 2;
    return piece;
}

/* What a device says to an access. */
static enum x86_result answer(err_t error)
{
    return error == ERR_BUSY ? X86_RETRY : X86_DONE;
}

/* What memory says. A write to what is read-only has no effect. */
static enum x86_result answer_of_memory(void *context, err_t error)
{
    struct x86_memory_context *at = context;

    if (likely(error != ERR_NO_MEMORY))
        return X86_DONE;
    at->no_memory = true;
    return X86_UNSUPPORTED;
}

static enum x86_result read(void *context, gpa_t address, void *to,
                            unsigned bytes)
{
    struct x86_vcpu *v = vcpu_of(context);
    const struct vcpu_config *config = &v->base.config;
    uint64_t value = ~UINT64_C(0);
    err_t error;

    memcpy(to, &value, bytes);
    error = aspace_read(config->memory, address, to, bytes);
    if (error != ERR_NOT_FOUND)
        return answer_of_memory(context, error);
    error =
        config->devices->read(config->vm, BUS_MMIO, address.raw, bytes, &value);
    if (error != OK)
        value = ~UINT64_C(0);
    memcpy(to, &value, bytes);
    return answer(error);
}

static enum x86_result write(void *context, gpa_t address, const void *from,
                             unsigned bytes)
{
    struct x86_vcpu *v = vcpu_of(context);
    const struct vcpu_config *config = &v->base.config;
    err_t error = aspace_write(config->memory, address, from, bytes);
    uint64_t value = 0;

    if (error != ERR_NOT_FOUND)
        return answer_of_memory(context, error);
    memcpy(&value, from, bytes);
    return answer(config->devices->write(config->vm, BUS_MMIO, address.raw,
                                         bytes, value));
}

static enum x86_result port_read(void *context, uint16_t port, uint32_t *value,
                                 unsigned bytes)
{
    const struct vcpu_config *config = &vcpu_of(context)->base.config;
    uint64_t found;
    err_t error =
        config->devices->read(config->vm, BUS_PORT, port, bytes, &found);

    *value = error == OK ? (uint32_t)found : UINT32_MAX;
    return answer(error);
}

static enum x86_result port_write(void *context, uint16_t port, uint32_t value,
                                  unsigned bytes)
{
    const struct vcpu_config *config = &vcpu_of(context)->base.config;

    return answer(
        config->devices->write(config->vm, BUS_PORT, port, bytes, value));
}

static void read_xmm(void *context, unsigned number, uint8_t *to)
{
    for (unsigned half = 0; half < 2; half++) {
        uint64_t value = x86_hw_read_xmm(number, half);

        memcpy(to + half * sizeof(value), &value, sizeof(value));
    }
}

static void write_xmm(void *context, unsigned number, const uint8_t *from)
{
    for (unsigned half = 0; half < 2; half++) {
        uint64_t value;

        memcpy(&value, from + half * sizeof(value), sizeof(value));
        x86_hw_write_xmm(number, half, value);
    }
}

static const struct x86_emulate_ops emulate_ops = {
    .translate = x86_translate_linear,
    .span = span,
    .read = read,
    .write = write,
    .fetch = x86_fetch_bytes,
    .port_read = port_read,
    .port_write = port_write,
    .read_xmm = read_xmm,
    .write_xmm = write_xmm,
};

/* What the emulator has done to the registers becomes the guest's: it changes
 * no others. */
static void finish_emulation(struct x86_vcpu *v, const struct x86_cpu *cpu,
                             const struct x86_outcome *outcome,
                             enum x86_result result)
{
    memcpy(v->regs.gpr, cpu->gpr, sizeof(cpu->gpr));
    *v->rip = cpu->rip;
    *v->rflags = cpu->rflags;
    if (result == X86_DONE)
        x86_end_shadow(v);
    if (result == X86_EXCEPTION)
        x86_inject_exception(v, &outcome->exception);
    else if (outcome->single_step)
        x86_inject_single_step(v);
}

/* The instruction as text and in bytes. */
static enum verdict refuse(const struct x86_cpu *cpu,
                           const struct x86_outcome *outcome, char *what)
{
    char text[X86_DISASSEMBLY_SIZE];
    size_t used;

    (void)x86_disassemble(text, sizeof(text), outcome->bytes, outcome->length,
                          x86_mode_of(cpu));
    used = format_text(what, VM_REASON_SIZE,
                       "cannot emulate %s at rip 0x%llx:", text,
                       (unsigned long long)cpu->rip);
    for (unsigned i = 0; i < outcome->length && used < VM_REASON_SIZE; i++)
        used += format_text(what + used, VM_REASON_SIZE - used, " %02x",
                            outcome->bytes[i]);
    return VERDICT_STOP_VM;
}

static enum verdict stop_without_memory(const struct x86_cpu *cpu, char *what)
{
    (void)format_text(what, VM_REASON_SIZE,
                      "no memory left for what is accessed at rip 0x%llx",
                      (unsigned long long)cpu->rip);
    return VERDICT_STOP_VM;
}

void x86_get_gprs(const struct x86_vcpu *v, struct x86_cpu *cpu)
{
    for (unsigned reg = 0; reg < X86_GPR_COUNT; reg++)
        cpu->gpr[reg] = x86_hw_read_gpr(&v->regs, reg);
}

static enum verdict emulate(struct x86_vcpu *v, char *what)
{
    struct x86_outcome outcome;
    struct x86_insn insn;
    struct x86_cpu cpu;
    struct x86_memory_context context = {.v = v, .cpu = &cpu};
    enum x86_result result;

    v->vendor->get_cpu(v, &cpu);
    x86_get_gprs(v, &cpu);
    result = x86_fetch(v, &cpu, &insn, &outcome);
    if (result == X86_DONE)
        result =
            x86_emulate_insn(&cpu, &insn, &emulate_ops, &context, &outcome);
    if (unlikely(context.no_memory))
        return stop_without_memory(&cpu, what);
    if (result == X86_UNSUPPORTED)
        return refuse(&cpu, &outcome, what);
    finish_emulation(v, &cpu, &outcome, result);
    return VERDICT_RESUME;
}

static enum verdict stop(char *what, const char *why, gpa_t where)
{
    (void)format_text(what, VM_REASON_SIZE, "%s at 0x%llx, where no memory is",
                      why, (unsigned long long)where.raw);
    return VERDICT_STOP_VM;
}

/* Where nobody answers, a fetch reads ones, which are no instruction. */
enum verdict x86_emulate_access(struct vcpu *vcpu, const struct vm_exit *fault,
                                char *what)
{
    struct x86_vcpu *v = to_x86(vcpu);

    if (fault->fault.access == ACCESS_EXECUTE) {
        x86_inject_ud(v);
        return VERDICT_RESUME;
    }
    if (x86_has_event(v))
        return stop(what, "an event is delivered through memory",
                    fault->fault.gpa);
    if (v->vendor->walks_tables(v))
        return stop(what, "there are page tables", fault->fault.gpa);
    return emulate(v, what);
}

enum verdict x86_emulate_string_io(struct x86_vcpu *v, char *what)
{
    return emulate(v, what);
}
