/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings without ineffective prefixes; see plain.h. */
#include "plain.h"

#include <string.h>

static bool is_sse_opcode(unsigned opcode)
{
    static const unsigned opcodes[] = {
        0x0f10, 0x0f11, 0x0f12, 0x0f13,   0x0f16,  0x0f17, 0x0f28,
        0x0f29, 0x0f2b, 0x0f6e, 0x0f6f,   0x0f7e,  0x0f7f, 0x0fc3,
        0x0fd6, 0x0fe7, 0x0ff0, 0x0f382a, 0x0f3882};

    for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
        if (opcode == opcodes[i])
            return true;
    return false;
}

/* Whether F2 and F3 mean something before an opcode that is not SSE's. */
static bool is_repeated(unsigned opcode)
{
    return (opcode >= 0x6c && opcode <= 0x6f) ||
           (opcode >= 0xa4 && opcode <= 0xa7) ||
           (opcode >= 0xaa && opcode <= 0xaf) || opcode == 0x90 ||
           opcode == 0x0f38f0 || opcode == 0x0f38f1;
}

static unsigned parse_prefixes(struct plain *plain, const uint8_t *bytes,
                               uint8_t *segment, uint8_t *address)
{
    bool is_64 = plain->mode == X86_MODE_64;
    unsigned at;

    for (at = 0; at < X86_INSN_MAX; at++) {
        uint8_t byte = bytes[at];
        uint8_t rex = 0;

        if (byte == 0x66)
            plain->operand = byte;
        else if (byte == 0x67)
            *address = byte;
        else if (byte == 0xf0)
            plain->lock = true;
        else if (byte == 0xf2 || byte == 0xf3)
            plain->repeat = byte;
        else if (byte == 0x64 || byte == 0x65)
            *segment = byte;
        else if ((byte & 0xe7) == 0x26)
            *segment = is_64 ? *segment : byte;
        else if (is_64 && (byte & 0xf0) == 0x40)
            rex = byte;
        else
            break;
        plain->rex = rex;
    }
    return at;
}

/* REX.W is ignored where no general register is an operand, where the size is
 * 64 bits anyway, and where it is 32 at most (SDM volume 2, section 2.2.1.2
 * and the instructions' descriptions). */
static bool is_w_ignored(const struct plain *plain, uint8_t modrm)
{
    unsigned opcode = plain->opcode;

    if (plain->is_sse)
        return opcode != 0x0f6e && opcode != 0x0fc3 &&
               (opcode != 0x0f7e || plain->repeat != 0);
    return (opcode >= 0x50 && opcode <= 0x5f) ||
           (opcode >= 0x6c && opcode <= 0x6f) || opcode == 0x68 ||
           opcode == 0x6a || opcode == 0x8f || opcode == 0xe5 ||
           opcode == 0xe7 || opcode == 0xed || opcode == 0xef ||
           (opcode == 0x90 && plain->repeat != 0) ||
           (opcode == 0xff && (modrm >> 3 & 7) == 6);
}

static void drop_ineffective(struct plain *plain, uint8_t modrm)
{
    bool is_xchg = plain->opcode == 0x90 && (plain->rex & 1) != 0;

    if (!plain->is_sse && (is_xchg || !is_repeated(plain->opcode)))
        plain->repeat = 0;
    /* "If a 66H prefix is used with REX.W = 1, 66H is ignored." */
    if (!plain->is_sse && (plain->rex & 8) != 0)
        plain->operand = 0;
    if (plain->repeat != 0 && (plain->is_sse || plain->opcode == 0x90))
        plain->operand = 0;
    if (is_w_ignored(plain, modrm))
        plain->rex &= (uint8_t)~8U;
}

static unsigned parse_opcode(const uint8_t *bytes)
{
    if (bytes[0] != 0x0f)
        return bytes[0];
    if (bytes[1] != 0x38)
        return 0x0f00U | bytes[1];
    return 0x0f3800U | bytes[2];
}

void make_plain(struct plain *plain, enum x86_mode mode,
                const uint8_t bytes[X86_INSN_MAX])
{
    uint8_t segment = 0, address = 0;
    uint8_t padded[X86_INSN_MAX + 4] = {0};
    unsigned from, to = 0;

    *plain = (struct plain){.mode = mode};
    memcpy(padded, bytes, X86_INSN_MAX);
    from = parse_prefixes(plain, bytes, &segment, &address);
    plain->opcode = parse_opcode(padded + from);
    plain->is_sse = is_sse_opcode(plain->opcode);
    drop_ineffective(plain, padded[from + 1]);
    /* SSE instructions are the same in 16- and 32-bit code but for addresses,
     * MOVBE and CRC32 but for sizes too; Capstone takes their prefixes for
     * something else in 16-bit code. */
    if (mode == X86_MODE_16 && (plain->is_sse || plain->opcode == 0x0f38f0 ||
                                plain->opcode == 0x0f38f1)) {
        plain->mode = X86_MODE_32;
        address ^= 0x67;
        plain->operand ^= plain->is_sse ? 0 : 0x66;
    }
    if (plain->opcode == 0x90)
        segment = address = 0;
    if (segment != 0)
        plain->bytes[to++] = segment;
    if (address != 0)
        plain->bytes[to++] = address;
    if (plain->lock)
        plain->bytes[to++] = 0xf0;
    if (plain->repeat != 0 && plain->opcode < 0x0f00 && plain->opcode != 0x90)
        plain->bytes[to++] = plain->repeat;
    if (plain->operand != 0)
        plain->bytes[to++] = plain->operand;
    if (plain->repeat != 0 &&
        (plain->opcode >= 0x0f00 || plain->opcode == 0x90))
        plain->bytes[to++] = plain->repeat;
    if (plain->rex != 0)
        plain->bytes[to++] = plain->rex;
    plain->dropped = from - to;
    memcpy(plain->bytes + to, bytes + from, X86_INSN_MAX - from);
}
