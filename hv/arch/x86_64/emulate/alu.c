/* SPDX-License-Identifier: Apache-2.0 */
/* Integer operations and their flags; see alu.h. */
#include "arch/x86_64/emulate/alu.h"

#include "arch/x86_64/emulate/cpu.h"
#include "lib/bits.h"

#define PF_BITS UINT64_C(0xff) /* PF is of the lowest byte */
#define AF_BIT  BIT(4)         /* where the carry out of bit 3 arrives */

static uint64_t flag_if(uint64_t flag, uint64_t condition)
{
    return condition != 0 ? flag : 0;
}

/* What every arithmetic result says of itself. */
static uint64_t result_flags(uint64_t result, uint64_t sign)
{
    return flag_if(X86_RFLAGS_SF, result & sign) |
           flag_if(X86_RFLAGS_ZF, result == 0) |
           flag_if(X86_RFLAGS_PF, bit_count(result & PF_BITS) % 2 == 0);
}

/* Carries out of each bit of a sum a + b + carry. */
static uint64_t sum_flags(uint64_t a, uint64_t b, uint64_t sum, uint64_t sign)
{
    uint64_t carries = (a & b) | ((a | b) & ~sum);

    return result_flags(sum, sign) | flag_if(X86_RFLAGS_CF, carries & sign) |
           flag_if(X86_RFLAGS_AF, (a ^ b ^ sum) & AF_BIT) |
           flag_if(X86_RFLAGS_OF, (a ^ sum) & (b ^ sum) & sign);
}

/* Borrows likewise, of a - b - carry. */
static uint64_t difference_flags(uint64_t a, uint64_t b, uint64_t difference,
                                 uint64_t sign)
{
    uint64_t borrows = (~a & b) | ((~a | b) & difference);

    return result_flags(difference, sign) |
           flag_if(X86_RFLAGS_CF, borrows & sign) |
           flag_if(X86_RFLAGS_AF, (a ^ b ^ difference) & AF_BIT) |
           flag_if(X86_RFLAGS_OF, (a ^ b) & (a ^ difference) & sign);
}

static void set_flags(uint64_t *flags, uint64_t which, uint64_t value)
{
    *flags = (*flags & ~which) | (value & which);
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, uint64_t mask,
                    uint64_t which, uint64_t *flags)
{
    uint64_t sum = (a + b + carry) & mask;

    set_flags(flags, which, sum_flags(a, b, sum, mask ^ mask >> 1));
    return sum;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, uint64_t mask,
                         uint64_t which, uint64_t *flags)
{
    uint64_t difference = (a - b - borrow) & mask;

    set_flags(flags, which,
              difference_flags(a, b, difference, mask ^ mask >> 1));
    return difference;
}

static uint64_t logic(uint64_t result, uint64_t mask, uint64_t *flags)
{
    set_flags(flags, X86_RFLAGS_STATUS, result_flags(result, mask ^ mask >> 1));
    return result;
}

static uint64_t bit(enum x86_op op, unsigned size, uint64_t a, uint64_t number,
                    uint64_t *flags)
{
    uint64_t mask = BIT(number % (8 * size));

    set_flags(flags, X86_RFLAGS_CF, flag_if(X86_RFLAGS_CF, a & mask));
    switch (op) {
    case X86_OP_bts: return a | mask;
    case X86_OP_btr: return a & ~mask;
    case X86_OP_btc: return a ^ mask;
    default: return a;
    }
}

uint64_t x86_alu(enum x86_op op, unsigned size, uint64_t a, uint64_t b,
                 uint64_t *flags)
{
    const uint64_t all = X86_RFLAGS_STATUS;
    uint64_t mask = BIT_MASK(8 * size - 1, 0);
    uint64_t carry = *flags & X86_RFLAGS_CF; /* bit 0: also a number */

    a &= mask;
    b &= mask;
    switch (op) {
    case X86_OP_add:
    case X86_OP_xadd: return add(a, b, 0, mask, all, flags);
    case X86_OP_adc: return add(a, b, carry, mask, all, flags);
    case X86_OP_sub:
    case X86_OP_cmp:
    case X86_OP_cmps:
    case X86_OP_scas: return subtract(a, b, 0, mask, all, flags);
    case X86_OP_sbb: return subtract(a, b, carry, mask, all, flags);
    case X86_OP_and:
    case X86_OP_test: return logic(a & b, mask, flags);
    case X86_OP_or: return logic(a | b, mask, flags);
    case X86_OP_xor: return logic(a ^ b, mask, flags);
    case X86_OP_inc: return add(a, 1, 0, mask, all & ~X86_RFLAGS_CF, flags);
    case X86_OP_dec:
        return subtract(a, 1, 0, mask, all & ~X86_RFLAGS_CF, flags);
    case X86_OP_neg: return subtract(0, a, 0, mask, all, flags);
    case X86_OP_not: return ~a & mask;
    default: return bit(op, size, a, b, flags);
    }
}
