/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_64 instructions as text, for reports: those that make a guest exit, in
 * the syntax of the manuals, with numbers in hexadecimal.
 */
#ifndef SIM_X86_64_INSN_H
#define SIM_X86_64_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmcb;
struct x86_insn;

/*
 * The instruction that the VMCB's exit is of. False when neither its code says
 * nor the bytes that a processor with decode assists stores.
 */
bool x86_64_insn(const struct vmcb *vmcb, char *text, size_t size);

/* One that x86_decode_insn() knows. */
void x86_64_format_insn(const struct x86_insn *insn, char *text, size_t size);

/* IN, OUT, INS, OUTS, as an exit tells of them. */
struct x86_64_port {
    uint16_t port;
    uint8_t width; /* bytes */
    bool is_in, is_string, repeats;
};
void x86_64_format_port(const struct x86_64_port *io, char *text, size_t size);

/* The name of an exit code, "npf" or "cpuid"; NULL: it has none. */
const char *x86_64_exit_name(uint64_t code);
/* The code of a name; false: there is none. */
bool x86_64_exit_code(const char *name, uint64_t *code);

/* The same of VMX: what its exit reason and exit qualification tell, and the
 * reason of a name. */
bool x86_64_vmx_insn(uint64_t reason, uint64_t qualification, char *text,
                     size_t size);
bool x86_64_vmx_exit_code(const char *name, uint64_t *code);

#endif
