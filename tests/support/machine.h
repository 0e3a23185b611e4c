/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated machine for tests, and guests that keep busy. */
#ifndef TESTS_SUPPORT_MACHINE_H
#define TESTS_SUPPORT_MACHINE_H

#include <criterion/criterion.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/sim.h"
#include "sim/spec.h"

/* The machine of the running test. */
extern struct machine *machine;

/* VMs `vms` (ids from 1) of `vcpus` vCPUs each, on `cpus` CPUs. */
void make_machine(uint32_t cpus, unsigned vms, uint32_t vcpus);
/* The same from a specification. */
void make_machine_of(uint32_t cpus, const struct machine_spec *spec);
/* Ends it; nothing must have leaked. */
void end_machine(void);

/* One operation of a vCPU, which must get done. Returns its result. */
struct guest_result run_op(vm_id vm, vcpu_id vcpu, struct guest_op op);

#define OP_ECALL_OF(eid, fid, ...)       \
    ((struct guest_op){.kind = OP_ECALL, \
                       .args = {__VA_ARGS__, [6] = (fid), [7] = (eid)}})
#define OP_LOAD_OF(where, bytes)              \
    ((struct guest_op){.kind = OP_LOAD,       \
                       .width = (bytes),      \
                       .reg = OP_DEFAULT_REG, \
                       .address = (where)})
#define OP_STORE_OF(where, bytes, what)       \
    ((struct guest_op){.kind = OP_STORE,      \
                       .width = (bytes),      \
                       .reg = OP_DEFAULT_REG, \
                       .flags = OP_HAS_VALUE, \
                       .address = (where),    \
                       .value = (what)})

#define OP_CSR_OF(operation, csr, what)       \
    ((struct guest_op){.kind = (operation),   \
                       .number = (csr),       \
                       .reg = OP_DEFAULT_REG, \
                       .flags = OP_HAS_VALUE, \
                       .value = (what)})

/* SBI calls that the tests make. */
#define SBI_BASE 0x10
#define SBI_IPI  0x735049
#define SBI_HSM  0x48534d
#define SBI_SRST 0x53525354

/* A vCPU that makes the same SBI call over and over, and counts. */
struct busy_guest {
    struct trap_source source;
    struct guest_op op;
    uint64_t done;
};

void busy_guest_start(struct busy_guest *guest, vm_id vm, vcpu_id vcpu);

#endif
