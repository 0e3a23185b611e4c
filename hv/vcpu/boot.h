/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM boots with, as its configuration has it: for an architecture that
 * has boot protocols of its own (`load` of struct vcpu_ops).
 */
#ifndef VCPU_BOOT_H
#define VCPU_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

struct arena;
struct aspace;
struct device;
struct vcpu;

/* Where an image lies in host memory, and where it goes. */
struct vm_image {
    hpa_t data;
    uint64_t size; /* 0: there is none */
    gpa_t load;
    bool has_load;       /* otherwise the boot protocol chooses */
    const char *cmdline; /* of its own; NULL: none */
};

struct vm_memory {
    gpa_t base;
    uint64_t size;
    unsigned flags; /* enum mem_flags */
    bool populate;  /* allocate it all when the VM is loaded */
};

/* Room for a sentence that says what is wrong. */
#define VM_REASON_SIZE 160

struct vm_boot {
    const char *protocol; /* NULL: the architecture's usual one */
    const struct vm_image *kernel, *initrd, *modules;
    unsigned module_count;
    const char *cmdline; /* the kernel's: "" if there is none */
    const struct vm_memory *memory;
    unsigned memory_count;
    struct vcpu *const *vcpus; /* by id */
    unsigned vcpu_count;
    struct device *const *devices;
    unsigned device_count;
    struct aspace *aspace;
    struct arena *arena; /* the VM's: what is taken stays until it ends */
};

#endif
