/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hv/vm share. */
#ifndef VM_INTERNAL_H
#define VM_INTERNAL_H

#include "vm/vm.h"

/* The largest device tree a guest is given, in bytes. */
#define VM_TREE_SIZE (16 * PAGE_SIZE)

/* Writes the guest's device tree. ERR_NO_MEMORY: `size` is too small. */
err_t vm_write_guest_tree(const struct vm *vm, void *buffer, size_t size,
                          size_t *used) MUST_CHECK;

/* Puts kernel, initrd and what else the VM boots with into its memory, and
 * fills in how it starts. */
err_t vm_load_images(struct vm *vm, char *what) MUST_CHECK;

/* Makes the devices of the configuration and adds them to the VM's buses. */
err_t vm_make_devices(struct vm *vm, char *what) MUST_CHECK;

/* The VM's devices, for instructions that an architecture makes. */
extern const struct vcpu_devices vm_vcpu_devices;

/* The table of exit handlers, by kind. */
typedef enum verdict (*exit_handler)(struct vm *vm, struct vcpu *vcpu,
                                     struct vm_exit *exit);
extern const exit_handler vm_exit_handlers[EXIT_KIND_COUNT];

#endif
