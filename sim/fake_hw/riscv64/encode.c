/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest operations as instructions: what the hypervisor sees when it fetches
 * at the guest's pc, and what hardware writes to htinst. Manual: Volume I,
 * chapter "RV32/64G Instruction Set Listings", "C" extension; Volume II,
 * "Transformed Instruction or Pseudoinstruction for mtinst or htinst".
 *
 * Loads and stores address through t1 with offset 0: where an address came
 * from is of no interest to anybody.
 */
#include "sim/fake_hw/riscv64/cpu.h"

/* Major opcodes, and the fields that instructions share. */
#define OPCODE_LOAD     0x03
#define OPCODE_LOAD_FP  0x07
#define OPCODE_STORE    0x23
#define OPCODE_STORE_FP 0x27
#define OPCODE_AMO      0x2f
#define OPCODE_OP_FP    0x53
#define OPCODE_SYSTEM   0x73

#define OPCODE_MASK UINT32_C(0x7f)
#define RD(reg)     ((uint32_t)(reg) << 7)
#define FUNCT3(f)   ((uint32_t)(f) << 12)
#define RS1(reg)    ((uint32_t)(reg) << 15)
#define RS2(reg)    ((uint32_t)(reg) << 20)
#define FUNCT7(f)   ((uint32_t)(f) << 25)
#define RS1_MASK    RS1(31)
#define IMM_I_MASK  (UINT32_C(0xfff) << 20)
#define IMM_S_MASK  (FUNCT7(0x7f) | RD(31))

#define ADDRESS_REG REG_T1
/* The registers x8 to x15, which compressed loads and stores reach. */
#define COMPRESSED_ADDRESS_REG REG_S1
#define COMPRESSED_REG(reg)    ((uint32_t)(reg)-REG_S0)
#define IS_COMPRESSED(insn)    (((insn)&3) != 3)

#define INSN_ECALL       UINT32_C(0x00000073)
#define INSN_EBREAK      UINT32_C(0x00100073)
#define INSN_SRET        UINT32_C(0x10200073)
#define INSN_WFI         UINT32_C(0x10500073)
#define INSN_SFENCE_VMA  UINT32_C(0x12000073)
#define INSN_HFENCE_GVMA UINT32_C(0x62000073)
#define INSN_FENCE_I     UINT32_C(0x0000100f)

#define FUNCT3_CSRRW    1
#define FUNCT3_CSRRS    2
#define FUNCT3_CSRRC    3
#define FUNCT3_UNSIGNED 4
#define FUNCT7_LR       (0x02 << 2)
#define FUNCT7_SC       (0x03 << 2)
#define FUNCT7_AMOSWAP  (0x01 << 2)
#define FUNCT7_FMV_D_X  0x79
#define FUNCT7_FMV_X_D  0x71
#define INSN_VMV_V_X    UINT32_C(0x5e004057)
#define INSN_VMV_X_S    UINT32_C(0x42002057)

/* log2 of an access's width. */
static uint32_t width_code(unsigned width)
{
    return (uint32_t)__builtin_ctz(width | 8);
}

static uint32_t encode_load(const struct guest_op *op)
{
    bool is_fp = (op->flags & OP_FP_REG) != 0;
    bool is_unsigned = !is_fp && (op->flags & OP_SIGNED) == 0 && op->width < 8;

    return (is_fp ? OPCODE_LOAD_FP : OPCODE_LOAD) | RD(op->reg) |
           FUNCT3(width_code(op->width) | (is_unsigned ? FUNCT3_UNSIGNED : 0)) |
           RS1(ADDRESS_REG);
}

static uint32_t encode_store(const struct guest_op *op)
{
    return ((op->flags & OP_FP_REG) != 0 ? OPCODE_STORE_FP : OPCODE_STORE) |
           FUNCT3(width_code(op->width)) | RS1(ADDRESS_REG) | RS2(op->reg);
}

/* C.LW, C.LD, C.FLD, C.SW, C.SD, C.FSD with offset 0; 0: there is none. */
static uint32_t encode_compressed(const struct guest_op *op)
{
    bool is_fp = (op->flags & OP_FP_REG) != 0;
    bool is_load = op->kind == OP_LOAD;
    uint32_t funct3;

    if ((op->flags & OP_COMPRESSED) == 0 || op->reg < REG_S0 ||
        op->reg > REG_A5)
        return 0;
    if (op->width == 8)
        funct3 = is_fp ? 1 : 3;
    else if (op->width == 4 && !is_fp &&
             (!is_load || (op->flags & OP_SIGNED) != 0))
        funct3 = 2;
    else
        return 0;
    return (funct3 | (is_load ? 0 : 4)) << 13 |
           COMPRESSED_REG(COMPRESSED_ADDRESS_REG) << 7 |
           COMPRESSED_REG(op->reg) << 2;
}

static uint32_t encode_access(const struct guest_op *op)
{
    uint32_t insn = encode_compressed(op);

    if (insn != 0)
        return insn;
    return op->kind == OP_LOAD ? encode_load(op) : encode_store(op);
}

static uint32_t encode_atomic(const struct guest_op *op)
{
    uint32_t funct7 = op->kind == OP_LR   ? FUNCT7_LR
                      : op->kind == OP_SC ? FUNCT7_SC
                                          : FUNCT7_AMOSWAP;

    return OPCODE_AMO | RD(op->reg) | FUNCT3(width_code(op->width)) |
           RS1(ADDRESS_REG) | (op->kind == OP_LR ? 0 : RS2(op->reg)) |
           FUNCT7(funct7);
}

/* A read is CSRRS with x0; a write's old value goes to `reg`, too. */
static uint32_t encode_csr(const struct guest_op *op)
{
    static const uint8_t funct3[OP_KIND_COUNT] = {
        [OP_CSR_READ] = FUNCT3_CSRRS,
        [OP_CSR_WRITE] = FUNCT3_CSRRW,
        [OP_CSR_SET] = FUNCT3_CSRRS,
        [OP_CSR_CLEAR] = FUNCT3_CSRRC,
    };
    uint32_t source = op->kind == OP_CSR_READ ? REG_ZERO : op->reg;

    return OPCODE_SYSTEM | RD(op->reg) | FUNCT3(funct3[op->kind]) |
           RS1(source) | op->number << 20;
}

static uint32_t encode(const struct guest_op *op)
{
    switch ((enum guest_op_kind)op->kind) {
    case OP_LOAD:
    case OP_STORE: return encode_access(op);
    case OP_LR:
    case OP_SC:
    case OP_AMO: return encode_atomic(op);
    case OP_CSR_READ:
    case OP_CSR_WRITE:
    case OP_CSR_SET:
    case OP_CSR_CLEAR: return encode_csr(op);
    case OP_ECALL: return INSN_ECALL;
    case OP_WFI: return INSN_WFI;
    case OP_EBREAK: return INSN_EBREAK;
    case OP_SRET: return INSN_SRET;
    case OP_SFENCE: return INSN_SFENCE_VMA;
    case OP_FENCE_I: return INSN_FENCE_I;
    case OP_HYPERVISOR: return INSN_HFENCE_GVMA;
    case OP_FP:
        return OPCODE_OP_FP | FUNCT7(FUNCT7_FMV_D_X) | RD(op->reg) |
               RS1(ADDRESS_REG);
    case OP_FP_READ:
        return OPCODE_OP_FP | FUNCT7(FUNCT7_FMV_X_D) | RS1(op->reg) |
               RD(ADDRESS_REG);
    case OP_VECTOR: return INSN_VMV_V_X | RD(op->reg) | RS1(ADDRESS_REG);
    case OP_VECTOR_READ: return INSN_VMV_X_S | RS2(op->reg) | RD(ADDRESS_REG);
    case OP_INSN:
    case OP_RAW_EXIT: return op->number;
    default: return 0;
    }
}

uint32_t encode_op(const struct guest_op *op, unsigned *length)
{
    uint32_t insn = encode(op);

    if (insn == 0 && op->kind != OP_INSN)
        *length = 0;
    else
        *length = IS_COMPRESSED(insn) ? 2 : 4;
    return insn;
}

/* A compressed load or store as the 32-bit instruction it stands for. */
static uint32_t expand(uint32_t insn)
{
    static const uint8_t opcodes[8] = {
        0, OPCODE_LOAD_FP,  OPCODE_LOAD,  OPCODE_LOAD,
        0, OPCODE_STORE_FP, OPCODE_STORE, OPCODE_STORE};
    uint32_t funct3 = (insn >> 13) & 7;
    uint32_t reg = ((insn >> 2) & 7) + REG_S0;
    uint32_t width = (funct3 & 3) == 2 ? 2 : 3;
    uint32_t is_store = funct3 & 4;

    return opcodes[funct3] | FUNCT3(width) | (is_store ? RS2(reg) : RD(reg));
}

/*
 * The immediate goes, rs1 becomes the offset of the faulting address from the
 * access's first byte, which is 0 here, and bit 1 tells that the instruction
 * was a compressed one by being clear.
 */
uint32_t encode_transformed(uint32_t insn)
{
    if (IS_COMPRESSED(insn))
        return expand(insn) & ~UINT32_C(2);
    switch (insn & OPCODE_MASK) {
    case OPCODE_LOAD:
    case OPCODE_LOAD_FP: return insn & ~(IMM_I_MASK | RS1_MASK);
    case OPCODE_STORE:
    case OPCODE_STORE_FP: return insn & ~(IMM_S_MASK | RS1_MASK);
    case OPCODE_AMO: return insn & ~RS1_MASK;
    default: return 0;
    }
}
