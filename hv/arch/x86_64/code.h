/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction that a vCPU has exited at, found quickly. A guest exits at
 * few places over and over: how their addresses were translated, and what their
 * bytes were decoded to, is remembered, and checked before it is used again.
 *
 * A translation still holds if the entries of the guest's page tables that it
 * went through hold what they held, and nothing has been unmapped from the
 * guest meanwhile (aspace_generation()). What bytes decode to never changes.
 */
#ifndef ARCH_X86_64_CODE_H
#define ARCH_X86_64_CODE_H

#include "api/memory.h"
#include "arch/x86_64/emulate/cpu.h"
#include "lib/addr.h"

struct x86_vcpu;

#define X86_CODE_LEVELS 5  /* of page tables */
#define X86_CODE_PAGES  8  /* remembered translations */
#define X86_CODE_INSNS  32 /* remembered instructions */
#define X86_CODE_WORDS  3  /* aligned ones, in which an instruction lies */

/*
 * Of code in 64-bit mode: there, CR3 alone says which tables an address goes
 * through, and whether the access is allowed, the processor has checked when
 * it fetched.
 */
struct x86_code_page {
    uint64_t linear; /* of the page */
    uint64_t cr3;
    uint64_t generation;
    hpa_t frame;
    unsigned levels; /* 0: there is nothing here */
    struct memory_word path[X86_CODE_LEVELS];
};

struct x86_code_insn {
    struct memory_word words[X86_CODE_WORDS]; /* nowhere: the exit had them */
    struct x86_insn insn; /* of length 0: there is nothing here */
};

/* Pages by their number; instructions by their address, whose low bits say
 * where in the words they begin. */
struct x86_code {
    struct x86_code_page pages[X86_CODE_PAGES];
    struct x86_code_insn insns[X86_CODE_INSNS];
};

/*
 * The instruction that the vCPU has exited at; it stays until the next call.
 * NULL: it is not found this way, or no instruction that is known.
 */
const struct x86_insn *x86_code_find(struct x86_vcpu *v);

#endif
