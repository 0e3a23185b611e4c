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

#include "arch/x86_64/emulate/cpu.h"
#include "lib/addr.h"

struct x86_vcpu;

#define X86_CODE_LEVELS 5  /* of page tables */
#define X86_CODE_PAGES  8  /* remembered translations */
#define X86_CODE_INSNS  16 /* remembered instructions */
#define X86_CODE_WORDS  3  /* aligned ones, in which an instruction lies */

/* Where code is, and by which registers it is found there. */
struct x86_code_at {
    uint64_t linear;
    struct x86_control control;
    uint8_t cpl;
    uint8_t mode; /* enum x86_mode */
};

struct x86_code_page {
    uint64_t linear; /* of the page */
    struct x86_control control;
    uint8_t cpl;
    uint8_t levels; /* 0: there is nothing here */
    uint64_t generation;
    struct {
        hpa_t at;
        uint64_t entry;
    } path[X86_CODE_LEVELS];
    hpa_t frame;
};

struct x86_code_insn {
    uint64_t words[X86_CODE_WORDS];
    uint8_t skew;         /* where in the first one it begins */
    struct x86_insn insn; /* of length 0: there is nothing here */
};

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
