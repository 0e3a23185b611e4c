/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM-exit instruction information: SDM volume 3, chapter on VM exits, the
 * tables on instruction information. Memory operands are [register] in DS here.
 */
#include "sim/fake_hw/x86_64/vmx/guest.h"

#define SEGMENT_ES 0
#define SEGMENT_DS 3

/* 0: 16 bits, 1: 32, 2: 64. */
static uint32_t address_size(const struct fake_x86 *cpu)
{
    if (cpu_64bit(cpu))
        return 2;
    return (cpu->state.cs.attrib & VMCB_ATTRIB_D) != 0 ? 1 : 0;
}

/* cpu_encode() has an address prefix for memory operands in 16-bit code. */
static uint32_t memory_info(const struct fake_x86 *cpu)
{
    uint32_t size = cpu_64bit(cpu) ? 2 : 1;

    return (uint32_t)(FIELD_PUT(VMX_INSN_ADDRESS_SIZE, size) |
                      FIELD_PUT(VMX_INSN_SEGMENT, SEGMENT_DS) |
                      VMX_INSN_NO_INDEX |
                      FIELD_PUT(VMX_INSN_BASE, cpu_address_reg(cpu_op(cpu))));
}

static uint32_t table_info(const struct fake_x86 *cpu,
                           enum vmx_table_insn identity)
{
    uint32_t operand =
        address_size(cpu) == 0 ? 0 : (uint32_t)VMX_INSN_OPERAND_SIZE;

    return memory_info(cpu) | operand |
           (uint32_t)FIELD_PUT(VMX_INSN_TABLE, identity);
}

static uint32_t register_info(const struct fake_x86 *cpu,
                              enum vmx_table_insn identity)
{
    return (uint32_t)(FIELD_PUT(VMX_INSN_REG1, cpu_op(cpu)->reg & 15u) |
                      VMX_INSN_REGISTER | FIELD_PUT(VMX_INSN_TABLE, identity));
}

/* INS and OUTS, where IA32_VMX_BASIC says so. */
static uint32_t string_info(const struct fake_x86 *cpu, uint32_t segment)
{
    if ((cpu->profile->vmx->basic & VMX_BASIC_INS_OUTS) == 0)
        return 0;
    return (uint32_t)(FIELD_PUT(VMX_INSN_ADDRESS_SIZE, address_size(cpu)) |
                      FIELD_PUT(VMX_INSN_SEGMENT, segment));
}

uint32_t fake_vmx_insn_info(const struct fake_x86 *cpu)
{
    switch (cpu_op(cpu)->kind) {
    case OP_X86_SGDT: return table_info(cpu, VMX_INSN_SGDT);
    case OP_X86_SIDT: return table_info(cpu, VMX_INSN_SIDT);
    case OP_X86_LGDT: return table_info(cpu, VMX_INSN_LGDT);
    case OP_X86_LIDT: return table_info(cpu, VMX_INSN_LIDT);
    case OP_X86_SLDT: return register_info(cpu, VMX_INSN_SLDT);
    case OP_X86_STR: return register_info(cpu, VMX_INSN_STR);
    case OP_X86_LLDT: return register_info(cpu, VMX_INSN_LLDT);
    case OP_X86_LTR: return register_info(cpu, VMX_INSN_LTR);
    case OP_X86_INS: return string_info(cpu, SEGMENT_ES);
    case OP_X86_OUTS: return string_info(cpu, SEGMENT_DS);
    case OP_X86_INVPCID:
    case OP_X86_INVEPT:
    case OP_X86_INVVPID:
        return memory_info(cpu) |
               (uint32_t)FIELD_PUT(VMX_INSN_REG2, cpu_op(cpu)->reg & 15u);
    case OP_X86_VMCLEAR:
    case OP_X86_VMPTRLD:
    case OP_X86_VMPTRST:
    case OP_X86_VMXON: return memory_info(cpu);
    case OP_X86_VMREAD:
    case OP_X86_VMWRITE:
    case OP_X86_RDRAND:
    case OP_X86_RDSEED: return register_info(cpu, 0);
    default: return 0;
    }
}
