/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emulates what guests do to devices, one instruction at a time, on a virtual
 * CPU's registers. Intel SDM volume 2, AMD APM volume 3; each instruction does
 * what its description's "Operation" says.
 *
 * Nothing architectural changes before everything that can fault has been
 * done: translations first, then reads, then the write to memory, then the
 * registers. String instructions with a repeat prefix make progress iteration
 * by iteration.
 *
 * Not emulated, and answered X86_UNSUPPORTED: loads of segment registers, MMX
 * registers, AVX, x87, and everything that tables.c does not know. Left to the
 * caller: data breakpoints; the interrupt shadow, which ends with
 * an instruction that is done. A locked access is one read and one write:
 * atomic for a device, which answers one access at a time, not for memory that
 * other CPUs write to meanwhile.
 */
#ifndef ARCH_X86_64_EMULATE_EMULATE_H
#define ARCH_X86_64_EMULATE_EMULATE_H

#include "arch/x86_64/emulate/cpu.h"
#include "lib/addr.h"

enum x86_result {
    X86_DONE,
    /* The guest is to be entered again as its registers are now: a chunk of a
     * repeated string instruction is done, or the caller's answer was this. */
    X86_RETRY,
    X86_EXCEPTION,   /* to be injected; RIP is at the instruction */
    X86_UNSUPPORTED, /* not known here, or to whom an access went */
};

enum x86_access {
    X86_ACCESS_READ,
    X86_ACCESS_WRITE,
    X86_ACCESS_MODIFY, /* a read that a write follows: faults as a write */
    X86_ACCESS_FETCH,
};

/* The most bytes that are read or written at once. */
#define X86_ACCESS_MAX 8

/*
 * What the caller provides. `context` is the one given to x86_emulate(). A
 * function answers X86_DONE, or what the emulation then ends with; of an
 * exception it fills in `fault`. Once an access has been made in an
 * instruction or an iteration, X86_RETRY would repeat it.
 */
struct x86_emulate_ops {
    /* The guest-physical address behind a linear one, for an access that stays
     * within its page; with the checks of `access` at the CPU's CPL. */
    enum x86_result (*translate)(void *context, uint64_t linear,
                                 enum x86_access access, gpa_t *address,
                                 struct x86_exception *fault);
    /* How many of the `bytes` at `address` one device, or memory, answers: 1
     * at least. They are within a page. NULL: always all. */
    unsigned (*span)(void *context, gpa_t address, unsigned bytes);
    /* Reads, writes up to X86_ACCESS_MAX bytes within one span. */
    enum x86_result (*read)(void *context, gpa_t address, void *to,
                            unsigned bytes);
    enum x86_result (*write)(void *context, gpa_t address, const void *from,
                             unsigned bytes);
    /* Reads `bytes`, within a page, of an instruction: memory only. */
    enum x86_result (*fetch)(void *context, gpa_t address, void *to,
                             unsigned bytes);
    /* INS, OUTS; `bytes` are 1, 2 or 4. That the guest may access the port, by
     * IOPL or the TSS's bit map, the processor checks before it intercepts. */
    enum x86_result (*port_read)(void *context, uint16_t port, uint32_t *value,
                                 unsigned bytes);
    enum x86_result (*port_write)(void *context, uint16_t port, uint32_t value,
                                  unsigned bytes);
    /* The 16 bytes of XMM register `number`. */
    void (*read_xmm)(void *context, unsigned number, uint8_t *to);
    void (*write_xmm)(void *context, unsigned number, const uint8_t *from);
};

struct x86_outcome {
    struct x86_exception exception; /* of X86_EXCEPTION */
    /* TF was set, and an instruction or iteration has been completed: #DB with
     * DR6.BS comes next. */
    bool single_step;
    /* The instruction, as far as it is known, for a report. */
    uint8_t length;
    uint8_t bytes[X86_INSN_MAX];
};

/* The most iterations that one call makes. */
#define X86_STRING_CHUNK 64

/*
 * Emulates `insn`, which is at `cpu`'s RIP. Its mode must be x86_mode_of(cpu).
 * Of `outcome` it
 * writes `exception` and `single_step`.
 */
enum x86_result x86_emulate_insn(struct x86_cpu *cpu,
                                 const struct x86_insn *insn,
                                 const struct x86_emulate_ops *ops,
                                 void *context,
                                 struct x86_outcome *outcome) MUST_CHECK;

/*
 * Fetches and decodes the instruction at `cpu`'s RIP, from a second page only
 * if it goes on there. The outcome has its bytes.
 */
enum x86_result x86_fetch_insn(const struct x86_cpu *cpu,
                               const struct x86_emulate_ops *ops, void *context,
                               struct x86_insn *insn,
                               struct x86_outcome *outcome) MUST_CHECK;

/* Both. */
enum x86_result x86_emulate(struct x86_cpu *cpu,
                            const struct x86_emulate_ops *ops, void *context,
                            struct x86_outcome *outcome) MUST_CHECK;

#endif
