/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The architectures of the process: a table each (sim/<arch>/arch.c), of all
 * in which they differ for a machine, its traces and its scenarios.
 */
#ifndef SIM_ARCH_H
#define SIM_ARCH_H

#include "sim/fake_hw/op.h"
#include "sim/fake_hw/profile.h"
#include "trace/fields.h"
#include "vcpu/vcpu.h"

struct scenario_language;
struct seed_format;
struct sim_bench;
struct spec_vm;

struct sim_arch {
    const char *name; /* "riscv64", also in traces */
    const struct vcpu_ops *ops;
    const struct trace_arch *trace;

    /* --- Fake hardware --- */

    /* The processors that can be faked, the default first; NULL behind the
     * last. */
    const struct fake_profile *(*profile)(unsigned index);
    /* Power-on: CPUs of `profile` (NULL: the default), no sources. */
    void (*reset)(const struct fake_profile *profile, uint32_t cpus);
    /* What the host does before the hypervisor runs; and afterwards. */
    err_t (*power_on)(uint32_t cpus) MUST_CHECK;
    void (*power_off)(uint32_t cpus);
    /* Where a CPU takes its guest's operations from; NULL: nowhere. */
    void (*set_source)(uint32_t cpu, struct trap_source *source);
    /* The state of the fake CPUs, and what the hypervisor keeps of CPUs
     * outside of RAM. TLBs come back empty, as they may at any time; sources
     * do not come back. The memory begins at a page. */
    size_t (*snapshot_size)(uint32_t cpus);
    void (*save)(void *snapshot, uint32_t cpus);
    void (*restore)(const void *snapshot, uint32_t cpus);

    /* --- Traces --- */

    /* Makes a zeroed vCPU one on which exits can be decoded by their registers
     * alone; may be NULL. */
    void (*init_scratch)(struct vcpu *vcpu);
    /* The instruction that made the vCPU exit, as text; false when its
     * registers do not say. */
    bool (*instruction)(const struct vcpu *vcpu, char *text, size_t size);
    /* A value that `field` of a difference names, if it is an instruction;
     * false when it is none. */
    bool (*format_value)(const char *field, uint64_t value, char *text,
                         size_t size);

    const struct seed_format *seeds;

    /* --- Machines described by a struct spec_vm, and scenarios --- */

    /* What most tests want; see spec.h. */
    void (*usual_vm)(struct spec_vm *vm, uint32_t id, uint32_t vcpus);
    /* Adds what the architecture's guests cannot start without; may be NULL. */
    void (*complete_vm)(struct spec_vm *vm);

    const struct scenario_language *language;

    const struct sim_bench *bench; /* what is measured: sim/bench.h */
};

extern const struct sim_arch riscv64_sim_arch;
extern const struct sim_arch x86_64_sim_arch;     /* with SVM */
extern const struct sim_arch x86_64_vmx_sim_arch; /* with VMX */

/* All of them, the default first; NULL behind the last. */
extern const struct sim_arch *const sim_archs[];

/* The one with these operations. */
const struct sim_arch *sim_arch_of(const struct vcpu_ops *ops);

/* NULL when there is none of that name. */
const struct sim_arch *sim_arch_find(const char *name);
const struct fake_profile *sim_profile_find(const struct sim_arch *arch,
                                            const char *name);

#endif
