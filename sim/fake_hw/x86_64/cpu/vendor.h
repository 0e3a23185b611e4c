/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a fake x86_64 CPU the vendor decides: what exits, and with what; how
 * a guest-physical address is translated; what the host's MSRs are. The CPU's
 * profile says whose it is.
 */
#ifndef SIM_FAKE_HW_X86_64_CPU_VENDOR_H
#define SIM_FAKE_HW_X86_64_CPU_VENDOR_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/fake_hw/violation.h"

struct fake_x86;
struct cpu_translation;
enum cpu_access;
enum cpu_place;

struct fake_x86_vendor {
    const char *name;         /* "svm" */
    uint64_t exceptions;      /* vectors that not all vendors have */
    uint32_t signature;       /* CPUID: family, model, stepping */
    const char *cpuid_vendor; /* EBX, EDX, ECX of leaf 0 */
    uint32_t hypercall;       /* the instruction, its bytes as in memory */
    bool pushes_first;        /* in real mode, before the vector is read */
    /* Violations: a nested translation, and a tag that was given to another
     * guest, that were not flushed. */
    enum violation_rule stale_nested, stale_tag;

    /* Power-on of a CPU whose state is all 0. */
    void (*reset)(struct fake_x86 *cpu);

    /* --- The host's --- */

    /* An MSR that is the vendor's; NULL: none of them. */
    uint64_t *(*host_msr)(struct fake_x86 *cpu, uint32_t msr);
    /* Whether the host may write it. */
    bool (*msr_takes)(const struct fake_x86 *cpu, uint32_t msr, uint64_t value);

    /* --- Exits of the operation in flight: true, it was one --- */

    /* For what it is, once it has not faulted before. */
    bool (*op_exits)(struct fake_x86 *cpu);
    /* For the control register that it reads, or writes `value` to: moves,
     * LMSW, SMSW, CLTS. */
    bool (*read_cr_exits)(struct fake_x86 *cpu, unsigned number);
    bool (*write_cr_exits)(struct fake_x86 *cpu, unsigned number,
                           uint64_t value);
    bool (*dr_exits)(struct fake_x86 *cpu, unsigned number, bool write);
    bool (*msr_exits)(struct fake_x86 *cpu, uint32_t msr, bool write);
    /* An MSR, whose access does not exit, that has a place of its own: true,
     * the operation is done. */
    bool (*msr_answers)(struct fake_x86 *cpu, uint32_t msr, bool write);
    /* For its port and width. */
    bool (*port_exits)(struct fake_x86 *cpu);
    bool (*task_switch_exits)(struct fake_x86 *cpu, uint64_t selector);
    /* For an x87 exception that is signalled by FERR#. */
    bool (*ferr_exits)(struct fake_x86 *cpu);
    /* OP_RAW_EXIT. */
    void (*raw_exit)(struct fake_x86 *cpu);

    /* --- Others, of an operation or of an event on its way --- */

    bool (*exception_exits)(struct fake_x86 *cpu, unsigned vector,
                            uint64_t error, uint64_t cr2);
    /* A translation that is `nested` and not ok. */
    void (*nested_fault)(struct fake_x86 *cpu, uint64_t linear,
                         const struct cpu_translation *translation);
    /* A triple fault: an exit, or the end of the CPU. */
    void (*shutdown)(struct fake_x86 *cpu);
    /* Takes the most urgent interrupt, if there is one. */
    void (*interrupt)(struct fake_x86 *cpu);
    /* There is no operation: an exit as if interrupted for no reason that
     * anybody will find. Whoever runs the CPUs looks at source->starved. */
    void (*starve)(struct fake_x86 *cpu);

    /* --- What the guest has and sees --- */

    /* Whether an instruction of one vendor's is this one's. */
    bool (*has_op)(unsigned kind);
    uint64_t (*read_cr)(const struct fake_x86 *cpu, unsigned number);
    /* What the register becomes when the guest writes `value`. */
    uint64_t (*merge_cr)(const struct fake_x86 *cpu, unsigned number,
                         uint64_t value);
    /* Whether the processor takes it, besides what holds for all of them. */
    bool (*takes_cr)(const struct fake_x86 *cpu, unsigned number,
                     uint64_t value);
    /* The instruction that did so is complete. */
    void (*wrote_cr)(struct fake_x86 *cpu, unsigned number, uint64_t value);
    void (*wrote_msr)(struct fake_x86 *cpu, uint32_t msr, uint64_t value);
    uint64_t (*read_tpr)(const struct fake_x86 *cpu);
    void (*write_tpr)(struct fake_x86 *cpu, uint64_t value);
    /* IRET is complete. */
    void (*returned)(struct fake_x86 *cpu);
    /* OP_X86_STATE. */
    void (*set_state)(struct fake_x86 *cpu);

    /* Translates a guest-physical address. */
    struct cpu_translation (*translate)(struct fake_x86 *cpu, uint64_t gpa,
                                        enum cpu_access access,
                                        enum cpu_place place);
};

extern const struct fake_x86_vendor svm_fake_vendor, vmx_fake_vendor;

#endif
