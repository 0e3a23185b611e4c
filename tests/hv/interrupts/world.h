/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real machine beside the model: guests that do one operation at a time,
 * and the comparison of what they see with what they must. Between operations
 * vCPUs stay where they are: in their guest, in the scheduler's queue, blocked.
 *
 * Functions return false when the two have come apart; `failure` says how.
 */
#ifndef TESTS_HV_INTERRUPTS_WORLD_H
#define TESTS_HV_INTERRUPTS_WORLD_H

#include "hv/interrupts/model.h"
#include "sim/machine.h"

/* A hart's guest. */
struct hart {
    struct trap_source source;
    struct guest_op op;
    bool busy; /* with `op` */
    struct guest_result result;
    uint64_t must_take; /* interrupts that it must take before `op` */
    uint8_t cpu;        /* that it was on last */
};

struct world {
    struct machine *machine;
    uint32_t cpus;
    struct model model;
    struct hart hart[MODEL_VMS][MODEL_HARTS];
    char failure[256];
    /* That something happened at all. */
    uint64_t operations, taken, woken, migrations;
};

/* Who does something. */
struct who {
    struct world *world;
    unsigned vm; /* from 0: the VM's id is one more */
    uint32_t hart;
};

#define WORLD_VM_ID(vm) ((vm_id)(vm) + 1)

/* From a machine whose VMs have just started; `seed` orders the CPUs' turns. */
void world_begin(struct world *world, struct machine *machine, uint32_t cpus,
                 bool sstc, uint64_t seed);
bool world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct model_vm *who_vm(struct who who);
struct model_hart *who_hart(struct who who);

/* The hart does `op`, and gets done with it. `result` may be NULL. */
bool world_do(struct who who, struct guest_op op, struct guest_result *result);
/* It does `op`, after which it waits, unless it has a reason not to. */
bool world_wait(struct who who, struct guest_op op, bool suspended);
/* It does `op`, after which it is off. */
bool world_stop(struct who who, struct guest_op op);
/* The VM is to be reset, by `op` of the hart, or by this call where it is
 * NULL; and it is. */
bool world_reset(struct who who, const struct guest_op *op);

/* Has `call(context)` called on a CPU, between two guests or in the middle of
 * one, as a device's back end would be by an interrupt of the host's. */
bool world_host_call(struct world *world, uint32_t cpu, void (*call)(void *),
                     void *context);

/* Lets every CPU see to what it was kicked for, and fire its timers. */
bool world_settle(struct world *world);
void world_pass_time(struct world *world, uint64_t nanos);

/* Compares: what can be seen at any time, and what a hart sees. */
bool world_check(struct world *world);
bool world_look(struct who who);

#endif
