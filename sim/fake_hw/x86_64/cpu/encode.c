/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest operations as instructions: APM volume 3. The least encoding that does
 * it in the guest's present mode; memory is addressed through a register.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/cpu/cpu.h"

#define PREFIX_OPERAND 0x66
#define PREFIX_ADDRESS 0x67
#define PREFIX_REP     0xf3
#define REX            0x40
#define REX_W          0x48
#define REX_R          0x44
#define REX_B          0x41

/* An instruction on its way. */
struct code {
    uint8_t *bytes;
    unsigned length;
};

static void emit(struct code *code, unsigned byte)
{
    code->bytes[code->length++] = (uint8_t)byte;
}

/* Operations that are always the same bytes. */
static const struct {
    uint8_t length, bytes[3];
} plain[OP_X86_END - OP_X86_FIRST] = {
#define PLAIN(op, ...) \
    [(op)-OP_X86_FIRST] = {sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}}
    PLAIN(OP_X86_CPUID, 0x0f, 0xa2),
    PLAIN(OP_X86_HLT, 0xf4),
    PLAIN(OP_X86_RDMSR, 0x0f, 0x32),
    PLAIN(OP_X86_WRMSR, 0x0f, 0x30),
    PLAIN(OP_X86_PAUSE, 0xf3, 0x90),
    PLAIN(OP_X86_MONITOR, 0x0f, 0x01, 0xc8),
    PLAIN(OP_X86_MWAIT, 0x0f, 0x01, 0xc9),
    PLAIN(OP_X86_XSETBV, 0x0f, 0x01, 0xd1),
    PLAIN(OP_X86_RDTSC, 0x0f, 0x31),
    PLAIN(OP_X86_RDTSCP, 0x0f, 0x01, 0xf9),
    PLAIN(OP_X86_RDPMC, 0x0f, 0x33),
    PLAIN(OP_X86_INT3, 0xcc),
    PLAIN(OP_X86_ICEBP, 0xf1),
    PLAIN(OP_X86_RAISE, 0x0f, 0x0b),
    PLAIN(OP_X86_STI, 0xfb),
    PLAIN(OP_X86_CLI, 0xfa),
    PLAIN(OP_X86_INVD, 0x0f, 0x08),
    PLAIN(OP_X86_WBINVD, 0x0f, 0x09),
    PLAIN(OP_X86_CLTS, 0x0f, 0x06),
    PLAIN(OP_X86_PUSHF, 0x9c),
    PLAIN(OP_X86_POPF, 0x9d),
    PLAIN(OP_X86_RSM, 0x0f, 0xaa),
    PLAIN(OP_X86_FWAIT, 0x9b),
    PLAIN(OP_X86_RDPRU, 0x0f, 0x01, 0xfd),
    PLAIN(OP_X86_VMRUN, 0x0f, 0x01, 0xd8),
    PLAIN(OP_X86_VMLOAD, 0x0f, 0x01, 0xda),
    PLAIN(OP_X86_VMSAVE, 0x0f, 0x01, 0xdb),
    PLAIN(OP_X86_STGI, 0x0f, 0x01, 0xdc),
    PLAIN(OP_X86_CLGI, 0x0f, 0x01, 0xdd),
    PLAIN(OP_X86_SKINIT, 0x0f, 0x01, 0xde),
    PLAIN(OP_X86_INVLPGA, 0x0f, 0x01, 0xdf),
    PLAIN(OP_X86_GETSEC, 0x0f, 0x37),
    PLAIN(OP_X86_VMLAUNCH, 0x0f, 0x01, 0xc2),
    PLAIN(OP_X86_VMRESUME, 0x0f, 0x01, 0xc3),
    PLAIN(OP_X86_VMXOFF, 0x0f, 0x01, 0xc4),
#undef PLAIN
};

unsigned cpu_address_reg(const struct guest_op *op)
{
    return (op->reg & 15) == X86_GPR_RBX ? X86_GPR_RSI : X86_GPR_RBX;
}

static bool is_16bit(const struct fake_x86 *cpu)
{
    return !cpu_64bit(cpu) && (cpu->state.cs.attrib & VMCB_ATTRIB_D) == 0;
}

/* Prefixes of an instruction on `width` bytes in register `reg`. */
static void emit_prefixes(const struct fake_x86 *cpu, struct code *code,
                          const struct guest_op *op, bool has_memory)
{
    unsigned width = op->width;
    unsigned rex = 0;

    if (has_memory && is_16bit(cpu))
        emit(code, PREFIX_ADDRESS);
    if (width == 2 ? !is_16bit(cpu) : width == 4 && is_16bit(cpu))
        emit(code, PREFIX_OPERAND);
    if (!cpu_64bit(cpu))
        return;
    if (width == 8)
        rex |= REX_W;
    if ((op->reg & 8) != 0)
        rex |= REX_R;
    if (width == 1 && (op->reg & 15) >= X86_GPR_RSP)
        rex |= REX; /* SPL and so on, not AH */
    if (rex != 0)
        emit(code, rex);
}

/* MOV or, of `opcode`, another instruction between `reg` and memory. */
static void encode_memory(const struct fake_x86 *cpu, struct code *code,
                          const struct guest_op *op, unsigned opcode)
{
    emit_prefixes(cpu, code, op, true);
    emit(code, op->width == 1 ? opcode : opcode | 1);
    emit(code, (op->reg & 7u) << 3 | cpu_address_reg(op));
}

static void encode_port(const struct fake_x86 *cpu, struct code *code,
                        const struct guest_op *op, unsigned opcode)
{
    if (op->width == (is_16bit(cpu) ? 4 : 2))
        emit(code, PREFIX_OPERAND);
    emit(code, op->width == 1 ? opcode : opcode | 1);
}

/* MOV to or from a control or debug register. */
static void encode_control(const struct fake_x86 *cpu, struct code *code,
                           const struct guest_op *op, unsigned opcode)
{
    unsigned rex = ((op->number & 8) != 0 ? REX_R : 0u) |
                   ((op->reg & 8) != 0 ? REX_B : 0u);

    if (rex != 0 && cpu_64bit(cpu))
        emit(code, rex);
    emit(code, 0x0f);
    emit(code, opcode);
    emit(code, 0xc0 | (op->number & 7u) << 3 | (op->reg & 7u));
}

/* 0F OPCODE /EXTENSION: of a register, or of memory through one. */
struct group {
    bool exists;
    uint8_t opcode, extension;
    bool is_memory;
};

static const struct group groups[OP_X86_END - OP_X86_FIRST] = {
#define GROUP(op, ...) [(op)-OP_X86_FIRST] = {true, __VA_ARGS__}
    GROUP(OP_X86_SLDT, 0x00, 0, false),   GROUP(OP_X86_STR, 0x00, 1, false),
    GROUP(OP_X86_LLDT, 0x00, 2, false),   GROUP(OP_X86_LTR, 0x00, 3, false),
    GROUP(OP_X86_SGDT, 0x01, 0, true),    GROUP(OP_X86_SIDT, 0x01, 1, true),
    GROUP(OP_X86_LGDT, 0x01, 2, true),    GROUP(OP_X86_LIDT, 0x01, 3, true),
    GROUP(OP_X86_SMSW, 0x01, 4, false),   GROUP(OP_X86_LMSW, 0x01, 6, false),
    GROUP(OP_X86_INVLPG, 0x01, 7, true),  GROUP(OP_X86_RDRAND, 0xc7, 6, false),
    GROUP(OP_X86_RDSEED, 0xc7, 7, false), GROUP(OP_X86_VMPTRLD, 0xc7, 6, true),
    GROUP(OP_X86_VMPTRST, 0xc7, 7, true),
#undef GROUP
};

static void encode_group(const struct fake_x86 *cpu, struct code *code,
                         const struct guest_op *op)
{
    const struct group *group = &groups[op->kind - OP_X86_FIRST];
    unsigned extension = (unsigned)group->extension << 3;

    if (group->is_memory && is_16bit(cpu))
        emit(code, PREFIX_ADDRESS);
    if (!group->is_memory && (op->reg & 8) != 0 && cpu_64bit(cpu))
        emit(code, REX_B);
    emit(code, 0x0f);
    emit(code, group->opcode);
    if (group->is_memory)
        emit(code, extension | cpu_address_reg(op));
    else
        emit(code, 0xc0 | extension | (op->reg & 7u));
}

static void encode_bytes(struct code *code, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        emit(code, (unsigned)(value >> 8 * i) & 0xff);
}

/* JMP ptr16:16 or ptr16:32. 64-bit mode has it only through memory, where this
 * is JMP m16:32 through a register. */
static void encode_jump(const struct fake_x86 *cpu, struct code *code,
                        const struct guest_op *op)
{
    if (cpu_64bit(cpu)) {
        emit(code, 0xff);
        emit(code, 5u << 3 | cpu_address_reg(op));
        return;
    }
    emit(code, 0xea);
    encode_bytes(code, op->address, is_16bit(cpu) ? 2 : 4);
    encode_bytes(code, op->number, 2);
}

/* INVPCID, INVEPT, INVVPID r, m128. */
static void encode_invalidation(const struct fake_x86 *cpu, struct code *code,
                                const struct guest_op *op, unsigned opcode)
{
    if (is_16bit(cpu))
        emit(code, PREFIX_ADDRESS);
    emit(code, PREFIX_OPERAND);
    if ((op->reg & 8) != 0 && cpu_64bit(cpu))
        emit(code, REX_R);
    emit(code, 0x0f);
    emit(code, 0x38);
    emit(code, opcode);
    emit(code, (op->reg & 7u) << 3 | cpu_address_reg(op));
}

/* VMCLEAR and VMXON m64, by their prefix. */
static void encode_vmcs_region(const struct fake_x86 *cpu, struct code *code,
                               const struct guest_op *op, unsigned prefix)
{
    if (is_16bit(cpu))
        emit(code, PREFIX_ADDRESS);
    emit(code, prefix);
    emit(code, 0x0f);
    emit(code, 0xc7);
    emit(code, 6u << 3 | cpu_address_reg(op));
}

/* VMREAD and VMWRITE between RAX and the field that `reg` names. */
static void encode_vmcs_field(const struct fake_x86 *cpu, struct code *code,
                              const struct guest_op *op, unsigned opcode)
{
    if ((op->reg & 8) != 0 && cpu_64bit(cpu))
        emit(code, opcode == 0x78 ? REX_R : REX_B);
    emit(code, 0x0f);
    emit(code, opcode);
    emit(code, 0xc0 | (op->reg & 7u) << (opcode == 0x78 ? 3 : 0));
}

static void encode_string(const struct fake_x86 *cpu, struct code *code,
                          const struct guest_op *op, unsigned opcode)
{
    if (op->value != 0)
        emit(code, PREFIX_REP);
    encode_port(cpu, code, op, opcode);
}

/* OP_INSN's number, its bytes in the order of memory. */
static void encode_number(struct code *code, uint32_t number)
{
    do {
        emit(code, number & 0xff);
        number >>= 8;
    } while (number != 0);
}

static void encode_x86(const struct fake_x86 *cpu, struct code *code,
                       const struct guest_op *op)
{
    unsigned at = op->kind - OP_X86_FIRST;

    switch ((enum x86_guest_op_kind)op->kind) {
    case OP_X86_IN: encode_port(cpu, code, op, 0xec); return;
    case OP_X86_OUT: encode_port(cpu, code, op, 0xee); return;
    case OP_X86_READ_CR: encode_control(cpu, code, op, 0x20); return;
    case OP_X86_WRITE_CR: encode_control(cpu, code, op, 0x22); return;
    case OP_X86_READ_DR: encode_control(cpu, code, op, 0x21); return;
    case OP_X86_WRITE_DR: encode_control(cpu, code, op, 0x23); return;
    case OP_X86_INT:
        emit(code, 0xcd);
        emit(code, op->number);
        return;
    case OP_X86_VMMCALL: encode_number(code, cpu->vendor->hypercall); return;
    case OP_X86_INS: encode_string(cpu, code, op, 0x6c); return;
    case OP_X86_OUTS: encode_string(cpu, code, op, 0x6e); return;
    case OP_X86_JMP_FAR: encode_jump(cpu, code, op); return;
    case OP_X86_INVPCID: encode_invalidation(cpu, code, op, 0x82); return;
    case OP_X86_INVEPT: encode_invalidation(cpu, code, op, 0x80); return;
    case OP_X86_INVVPID: encode_invalidation(cpu, code, op, 0x81); return;
    case OP_X86_VMCLEAR: encode_vmcs_region(cpu, code, op, 0x66); return;
    case OP_X86_VMXON: encode_vmcs_region(cpu, code, op, 0xf3); return;
    case OP_X86_VMREAD: encode_vmcs_field(cpu, code, op, 0x78); return;
    case OP_X86_VMWRITE: encode_vmcs_field(cpu, code, op, 0x79); return;
    case OP_X86_IRET:
        if (cpu_64bit(cpu))
            emit(code, REX_W);
        emit(code, 0xcf);
        return;
    default: break;
    }
    if (groups[at].exists) {
        encode_group(cpu, code, op);
        return;
    }
    memcpy(code->bytes, plain[at].bytes, plain[at].length);
    code->length = plain[at].length;
}

unsigned cpu_encode(const struct fake_x86 *cpu, const struct guest_op *op,
                    uint8_t bytes[CPU_INSN_MAX])
{
    struct code code = {.bytes = bytes};

    if (op->kind >= OP_X86_FIRST && op->kind < OP_X86_END) {
        encode_x86(cpu, &code, op);
        return code.length;
    }
    switch (op->kind) {
    case OP_LOAD: encode_memory(cpu, &code, op, 0x8a); break;
    case OP_STORE: encode_memory(cpu, &code, op, 0x88); break;
    case OP_AMO: encode_memory(cpu, &code, op, 0x86); break;
    case OP_INSN: encode_number(&code, op->number); break;
    case OP_RAW_EXIT:
        if (op->number != 0)
            encode_number(&code, op->number);
        break;
    case OP_ECALL: encode_number(&code, cpu->vendor->hypercall); break;
    case OP_WFI: encode_number(&code, 0xf4); break;    /* HLT */
    case OP_EBREAK: encode_number(&code, 0xcc); break; /* INT3 */
    default: break;
    }
    return code.length;
}
