/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine: vCPUs, an address space, devices, and a configuration.
 *
 *   from                   call     to
 *   ---------------------  -------  ----------------------------------------
 *   -                      create   Created, or the error and nothing
 *   Created                load     Ready: images in memory, boot vCPU set up
 *   Ready                  start    Running
 *   Running                pause    Paused, once every vCPU is off its CPU
 *   Paused                 resume   Running
 *   Ready, Running, Paused stop     Stopped, with a reason, once every vCPU
 *                                   is off its CPU; Stopping until then
 *   Stopped, Failed        reset    Ready, images loaded anew; Failed, with a
 *                                   reason, if that fails
 *   all but Running,       destroy  gone
 *   Pausing and Stopping
 *
 * Another call returns ERR_BAD_STATE and changes nothing; stop is idempotent.
 * start, pause, resume and stop are the scheduler's (hv/vmm/lifecycle.c), which
 * knows where the vCPUs are; the rest is here.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "addrspace/aspace.h"
#include "device/bus.h"
#include "memory/arena.h"
#include "vcpu/boot.h"
#include "vcpu/vcpu.h"

#define VM_STATES(X)           \
    X(VM_CREATED, "created")   \
    X(VM_READY, "ready")       \
    X(VM_RUNNING, "running")   \
    X(VM_PAUSING, "pausing")   \
    X(VM_PAUSED, "paused")     \
    X(VM_STOPPING, "stopping") \
    X(VM_STOPPED, "stopped")   \
    X(VM_FAILED, "failed")

enum vm_state {
#define X(state, name) state,
    VM_STATES(X)
#undef X
        VM_STATE_COUNT
};

const char *vm_state_name(enum vm_state state);

/* Why a VM stopped. */
#define VM_STOPS(X)                                                     \
    X(VM_STOP_NONE, "none")                                             \
    X(VM_STOP_POWER_OFF, "power-off") /* the guest asked for it */      \
    X(VM_STOP_REBOOT, "reboot")       /* the guest asked for it */      \
    X(VM_STOP_FORCED, "forced")       /* somebody else did */           \
    X(VM_STOP_RESTART, "restart")     /* likewise, to start it again */ \
    X(VM_STOP_FAULT, "fault") /* the guest did what cannot be answered */

enum vm_stop {
#define X(stop, name) stop,
    VM_STOPS(X)
#undef X
        VM_STOP_COUNT
};

const char *vm_stop_name(enum vm_stop stop);

#define VM_NAME_SIZE 32

#define VM_MAX_MEMORY  8
#define VM_MAX_MODULES 16 /* the initrd among them */

struct vm_config {
    vm_id id;
    char name[VM_NAME_SIZE];
    uint32_t cpu_num;
    uint64_t affinity[MAX_VCPU_NUM]; /* 0: any CPU */
    uint32_t memory_count;
    struct vm_memory memory[VM_MAX_MEMORY]; /* the first holds the images */
    const char *protocol; /* to boot by; NULL: the architecture's usual one */
    struct vm_image kernel, initrd;
    uint32_t module_count;
    struct vm_image modules[VM_MAX_MODULES];
    const char *cmdline; /* this and `protocol` are in the configuration tree */
    bool autostart;
    bool restart_on_reboot;
    bool report_statistics; /* when it stops */
    const void *fdt;        /* the tree, and the VM's node in it */
    int node;
    hpa_t images; /* the bundle's image area */
    uint64_t images_size;
};

/*
 * Reads VM `node` of a configuration tree. On an error, `what` (of
 * VM_REASON_SIZE bytes) names the property and what is wrong with it.
 */
err_t vm_config_parse(struct vm_config *config, const void *fdt, int node,
                      hpa_t images, uint64_t images_size,
                      char *what) MUST_CHECK;

/* What a VM needs from whoever runs it. */
struct vm_host {
    /* The VM's console, for its firmware and its first device with a stream,
     * or, where `device` is not NULL, a stream for that device. NULL: out of
     * memory. */
    struct chardev *(*open_console)(struct vm *vm, const char *device);
    /* The VM is going: forgets its streams. */
    void (*close_console)(struct vm *vm);
};

struct vm {
    /* A stop that an exit's handler asked for; the scheduler carries it out.
     * The first reason stands. */
    enum vm_stop stop;
    struct spinlock stop_lock;   /* nothing is taken under it */
    char reason[VM_REASON_SIZE]; /* in words */

    struct device_set devices;
    struct vm_config config;
    const struct vcpu_ops *arch;
    const struct vm_host *host;
    struct aspace aspace;
    struct arena arena;
    struct vcpu *vcpus[MAX_VCPU_NUM];
    struct irq_chip *irq_chip;
    struct chardev *console; /* its device, if any, is the guest's stdout */

    /* How vCPU 0 starts: by entry and argument, or what `load` of an
     * architecture that has one has made. */
    gpa_t entry, boot_arg;
    void *boot_state;
    gpa_t initrd_start, initrd_end;

    /* The scheduler's, under its lock. */
    enum vm_state state;
    bool resets;     /* a CPU has taken it upon itself to reset the VM */
    uint32_t on_cpu; /* vCPUs that a CPU works on */
};

/*
 * Makes a VM, all of it, or nothing: on an error, `what` says why.
 */
err_t vm_create(const struct vm_config *config, const struct vcpu_ops *arch,
                const struct vm_host *host, struct vm **vm,
                char *what) MUST_CHECK;
/* Loads the images, writes the device tree, sets up the boot vCPU. */
err_t vm_load(struct vm *vm, char *what) MUST_CHECK;
/* Resets vCPUs, devices and memory to what create left, and loads. */
err_t vm_reset(struct vm *vm, char *what) MUST_CHECK;
/* Gives everything back. */
err_t vm_destroy(struct vm *vm) MUST_CHECK;

/*
 * Handles the exit that `vcpu` has just made: decodes it, acts on it, counts
 * it. Returns what becomes of the vCPU; never VERDICT_INJECT, which has been
 * carried out. What cannot be answered is VERDICT_STOP_VM, its reason
 * recorded.
 */
enum verdict vm_handle_exit(struct vm *vm, struct vcpu *vcpu);

/* Records why `vm` must stop. */
void vm_request_stop(struct vm *vm, enum vm_stop stop, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The vCPU that the guest knows as `hw_id`, or NULL. */
struct vcpu *vm_find_vcpu(struct vm *vm, uint64_t hw_id);

#endif
