/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions as text. That operands are the right ones test_decode.c tells;
 * here it is how they look. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "arch/x86_64/emulate/disassemble.h"
#include "lib/compiler.h"

#define M16 X86_MODE_16
#define M32 X86_MODE_32
#define M64 X86_MODE_64

static const struct {
    const char *bytes;
    unsigned count;
    enum x86_mode mode;
    const char *text;
} rows[] = {
#define ROW(bytes, mode, text)               \
    {                                        \
        bytes, sizeof(bytes) - 1, mode, text \
    }
    /* Operands' sizes, registers of each kind. */
    ROW("\x88\x20", M64, "mov byte ptr [rax], ah"),
    ROW("\x40\x88\x20", M64, "mov byte ptr [rax], spl"),
    ROW("\x89\x08", M16, "mov word ptr [bx + si], cx"),
    ROW("\x89\x08", M32, "mov dword ptr [eax], ecx"),
    ROW("\x4d\x89\x08", M64, "mov qword ptr [r8], r9"),
    ROW("\x44\x0f\x20\xc0", M64, "mov rax, cr8"),
    ROW("\x0f\x23\xf8", M64, "mov dr7, rax"),
    ROW("\x8c\xd8", M64, "mov eax, ds"),
    ROW("\x8e\x18", M64, "mov ds, word ptr [rax]"),
    ROW("\x45\x0f\x10\x3f", M64, "movups xmm15, xmmword ptr [r15]"),
    ROW("\x0f\x6f\x08", M64, "movq mm1, qword ptr [rax]"),
    ROW("\x0f\x01\x3f", M64, "invlpg [rdi]"),
    /* Addresses. */
    ROW("\x8b\x05\xf0\xff\xff\xff", M64, "mov eax, dword ptr [rip - 0x10]"),
    ROW("\x67\x8b\x05\x09\x00\x00\x00", M64, "mov eax, dword ptr [eip + 9]"),
    ROW("\x8b\x05\xf0\xff\xff\xff", M32, "mov eax, dword ptr [0xfffffff0]"),
    ROW("\x8b\x44\x24\x10", M64, "mov eax, dword ptr [rsp + 0x10]"),
    ROW("\x36\x8b\x00", M32, "mov eax, dword ptr ss:[eax]"),
    ROW("\x65\x42\x8b\x44\xa0\x80", M64,
        "mov eax, dword ptr gs:[rax + r12*4 - 0x80]"),
    ROW("\x8b\x04\xad\x10\x00\x00\x00", M64,
        "mov eax, dword ptr [rbp*4 + 0x10]"),
    ROW("\xa0\x01\x02\x03\x04\x05\x06\x07\x08", M64,
        "mov al, byte ptr [0x807060504030201]"),
    /* Immediates. */
    ROW("\x83\x00\xff", M16, "add word ptr [bx + si], 0xffff"),
    ROW("\x48\xc7\x00\x05\x00\x00\x00", M64, "mov qword ptr [rax], 5"),
    ROW("\xe4\x71", M32, "in al, 0x71"),
    /* Prefixes that do something. */
    ROW("\xf0\x48\x0f\xc7\x0f", M64, "lock cmpxchg16b xmmword ptr [rdi]"),
    ROW("\xf3\x48\xa5", M64, "rep movsq qword ptr [rdi], qword ptr [rsi]"),
    ROW("\x64\xa4", M32, "movsb byte ptr es:[edi], byte ptr fs:[esi]"),
    ROW("\xf3\xa6", M64, "repe cmpsb byte ptr [rsi], byte ptr [rdi]"),
    ROW("\xf2\xaf", M64, "repne scasd eax, dword ptr [rdi]"),
    ROW("\xf3\x6e", M64, "rep outsb dx, byte ptr [rsi]"),
    ROW("\xf2\x0f\xa2", M64, "cpuid"),
    /* Names with a size. */
    ROW("\x9c", M64, "pushfq"),
    ROW("\x66\x9d", M64, "popf"),
    ROW("\xcf", M32, "iretd"),
    ROW("\x48\xcf", M64, "iretq"),
    /* What the decoder does not know. */
    ROW("\xc5\xf8\x10\x00", M64, "an AVX instruction"),
    ROW("\x66\xc4\xe2\x7d\x18\x00", M32, "an AVX instruction"),
    ROW("\xc5\x10", M32, "an instruction"), /* LDS */
    ROW("\x62\xf1\x7c\x48\x10\x00", M64, "an AVX-512 instruction"),
    ROW("\x62\x00", M32, "an instruction"), /* BOUND */
    ROW("\x48\xdd\x00", M64, "an x87 instruction"),
    ROW("\x2e\xdf\x28", M16, "an x87 instruction"),
    ROW("\x0f\x0b", M64, "an instruction"),
    ROW("\x66", M64, "an instruction"),
    ROW("", M64, "an instruction"),
#undef ROW
};

Test(x86_disassemble, chosen_instructions)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[X86_DISASSEMBLY_SIZE];
        size_t used =
            x86_disassemble(text, sizeof(text), (const uint8_t *)rows[i].bytes,
                            rows[i].count, rows[i].mode);

        cr_expect_str_eq(text, rows[i].text, "row %u: %s", i, text);
        cr_expect_eq(used, strlen(rows[i].text), "row %u", i);
    }
}

/* What does not fit is left out, and its length returned nevertheless. */
Test(x86_disassemble, short_buffers)
{
    static const uint8_t bytes[] = {0xf0, 0x48, 0x0f, 0xc7, 0x0f};
    static const char whole[] = "lock cmpxchg16b xmmword ptr [rdi]";
    char text[sizeof(whole)];

    for (size_t size = 0; size <= sizeof(whole); size++) {
        memset(text, '#', sizeof(text));
        cr_expect_eq(
            x86_disassemble(text, size, bytes, sizeof(bytes), X86_MODE_64),
            strlen(whole));
        if (size == 0) {
            cr_expect_eq(text[0], '#');
            continue;
        }
        cr_expect_eq(strlen(text), size - 1, "size %zu: %s", size, text);
        cr_expect_eq(strncmp(text, whole, size - 1), 0, "size %zu", size);
    }
}
