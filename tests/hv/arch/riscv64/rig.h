/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few riscv64 vCPUs of one VM on fake hardware, without a VMM: for tests of
 * the architecture's own code.
 */
#ifndef TESTS_ARCH_RISCV64_RIG_H
#define TESTS_ARCH_RISCV64_RIG_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "addrspace/aspace.h"
#include "arch/riscv64/riscv.h"
#include "arch/riscv64/sbi.h"
#include "device/device.h"
#include "memory/arena.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "sim/sim.h"

#define RIG_VCPUS   4
#define RIG_CPUS    4
#define RIG_ENTRY   UINT64_C(0x80200000)
#define RIG_ARG     UINT64_C(0x88000000)
#define RIG_MEMORY  UINT64_C(0x80000000) /* guest-physical, RIG_SIZE bytes */
#define RIG_SIZE    UINT64_C(0x400000)
#define RIG_VECTOR  UINT64_C(0x80001000) /* where guests' vstvec points */
#define RIG_CONSOLE 1024

struct rig {
    struct arena arena;
    struct aspace memory;
    struct vcpu *peers[RIG_VCPUS];
    struct chardev console;
    char output[RIG_CONSOLE];
    size_t written;
    const char *input;
};

extern struct rig rig;

/* Four vCPUs with hart ids 10, 11, 12 and 13, set up, none of them bound, all
 * powered on, on processors called `profile`. */
#define RIG_HART 10
void rig_start(const char *profile);

/* Ends them, and checks that nothing has leaked and no rule was broken. */
void rig_stop(void);

struct riscv_vcpu *rig_vcpu(unsigned id);

/* The calling thread becomes `cpu`, and loads or unloads vCPU `id` there. */
struct riscv_vcpu *rig_bind(unsigned id, uint32_t cpu);
void rig_unbind(unsigned id);

/* The exit that registers as these decode to. */
struct vm_exit rig_decode(struct riscv_vcpu *v, uint64_t scause, uint64_t stval,
                          uint64_t htval, uint64_t htinst);

/*
 * Has the guest make an SBI call and performs it, if it is the architecture's
 * own; the verdict otherwise is VERDICT_COUNT. Arguments not given are 0.
 */
struct rig_call {
    uint64_t eid, fid, args[6];
};
struct rig_answer {
    struct vm_exit exit;
    enum verdict verdict;
    int64_t error;  /* a0 */
    uint64_t value; /* a1 */
    uint64_t moved; /* by how much the pc has */
};
struct rig_answer rig_call(struct riscv_vcpu *v, struct rig_call call);

/*
 * Has the guest of `v`, bound, do operations until it has done `op`, or made
 * an exit that is not the architecture's own. Fails the test after 16 exits.
 */
struct guest_result rig_do(struct riscv_vcpu *v, struct guest_op op);

#endif
