/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions as text, for people who have to find out what a guest did. */
#ifndef ARCH_X86_64_EMULATE_DISASSEMBLE_H
#define ARCH_X86_64_EMULATE_DISASSEMBLE_H

#include <stddef.h>

#include "arch/x86_64/emulate/decode.h"

/* The text's most bytes, with the NUL. */
#define X86_DISASSEMBLY_SIZE 80

/*
 * Writes the instruction at the start of `bytes`, of which `available` are
 * known, in Intel's syntax; of one that the decoder does not know, which
 * extension it belongs to. As format_text(): `size` bytes at most, and the
 * text's length is returned.
 */
size_t x86_disassemble(char *to, size_t size, const uint8_t *bytes,
                       unsigned available, enum x86_mode mode);

/* The name of a register as an operand of `bytes`, in lower case: of those of
 * an operand's kind, X86_OPERAND_GPR to X86_OPERAND_MMX. */
const char *x86_register_name(const struct x86_operand *operand);

#endif
