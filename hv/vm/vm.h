/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine: vCPUs, an address space, devices, and a configuration.
 *
 *   from                       call     to
 *   -------------------------  -------  ------------------------------------
 *   -                          create   Ready, or the error and nothing
 *   Ready                      start    Running
 *   Running                    pause    Paused, once every vCPU is out
 *   Paused                     resume   Running
 *   Ready, Running, Paused     stop     Stopped, once every vCPU is out;
 *                                       Stopping until then
 *   Stopped, Failed            reset    Ready: memory cleared, images loaded
 *                                       anew; Failed if that fails
 *   Ready, Stopped, Failed     destroy  gone
 *
 * Another call returns ERR_BAD_STATE and changes nothing. stop is idempotent.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "addrspace/aspace.h"
#include "device/bus.h"
#include "memory/arena.h"
#include "vcpu/vcpu.h"

enum vm_state {
    VM_READY,
    VM_RUNNING,
    VM_PAUSED,
    VM_STOPPING,
    VM_STOPPED,
    VM_FAILED,
};

const char *vm_state_name(enum vm_state state);

/* Why a VM stopped. */
enum vm_stop {
    VM_STOP_NONE,
    VM_STOP_POWER_OFF, /* the guest asked for it */
    VM_STOP_REBOOT,    /* the guest asked for it: reset and start again */
    VM_STOP_FORCED,    /* somebody else did */
    VM_STOP_FAULT,     /* the guest did what cannot be answered */
};

#define VM_NAME_SIZE   32
#define VM_REASON_SIZE 160

/* Where an image lies in the bundle, and where it goes. */
struct vm_image {
    hpa_t data;
    uint64_t size; /* 0: there is none */
    gpa_t load;
    bool has_load; /* otherwise the boot protocol chooses */
};

struct vm_memory {
    gpa_t base;
    uint64_t size;
    unsigned flags; /* enum mem_flags */
    bool populate;  /* allocate it all when the VM is created */
};

#define VM_MAX_MEMORY 8

struct vm_config {
    vm_id id;
    char name[VM_NAME_SIZE];
    uint32_t cpu_num;
    uint64_t affinity[MAX_VCPU_NUM]; /* 0: any CPU */
    uint32_t memory_count;
    struct vm_memory memory[VM_MAX_MEMORY]; /* the first holds the images */
    struct vm_image kernel, initrd;
    const char *cmdline; /* in the configuration tree */
    bool autostart;
    bool restart_on_reboot;
    const void *fdt; /* the tree, and the VM's node in it */
    int node;
    hpa_t images; /* the bundle's image area */
    uint64_t images_size;
};

struct vm {
    struct vm_config config;
    const struct vcpu_ops *arch;
    struct device_set devices;
    struct aspace aspace;
    struct arena arena;
    struct vcpu *vcpus[MAX_VCPU_NUM];
    struct irq_chip *irq_chip;
    struct chardev console; /* its functions are the VMM's */

    struct spinlock lock; /* guards what follows */
    enum vm_state state;
    enum vm_stop stop;
    char reason[VM_REASON_SIZE]; /* the stop, in words */
    uint32_t online;             /* vCPUs that are in or near their guest */
    bool stop_wanted, pause_wanted;
    gpa_t entry;
    gpa_t boot_arg;
};

/*
 * Reads VM `node` of a configuration tree. On an error, `what` (of
 * VM_REASON_SIZE bytes) names the property and what is wrong with it.
 */
err_t vm_config_parse(struct vm_config *config, const void *fdt, int node,
                      hpa_t images, uint64_t images_size,
                      char *what) MUST_CHECK;

/*
 * Makes a VM, all of it, or nothing. On an error, `what` says why.
 */
err_t vm_create(const struct vm_config *config, const struct vcpu_ops *arch,
                const struct chardev *console, struct vm **vm,
                char *what) MUST_CHECK;
/* Loads the images, writes the device tree, sets up the boot vCPU. */
err_t vm_load(struct vm *vm, char *what) MUST_CHECK;
/* Resets vCPUs and devices, clears memory, and loads again. */
err_t vm_reset(struct vm *vm, char *what) MUST_CHECK;
err_t vm_destroy(struct vm *vm) MUST_CHECK;

/*
 * Handles the exit that `vcpu` has just made: decodes it, acts on it, counts
 * it. Returns what becomes of the vCPU. Never fails: what cannot be answered
 * is VERDICT_STOP_VM, with the reason recorded by vm_fault().
 */
enum verdict vm_handle_exit(struct vm *vm, struct vcpu *vcpu);

/* Records why `vm` must stop. The first reason stands. */
void vm_fault(struct vm *vm, const char *format, ...) PRINTF_LIKE(2, 3);
void vm_request_stop(struct vm *vm, enum vm_stop stop);

/* The vCPU that the guest knows as `hw_id`, or NULL. */
struct vcpu *vm_find_vcpu(struct vm *vm, uint64_t hw_id);

#endif
