/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual machines described by a C structure, and the bundle that they make
 * (docs/configuration.md): for tests, fuzz targets and scenarios, which have
 * no files.
 */
#ifndef SIM_SPEC_H
#define SIM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/vmm.h"
#include "lib/error.h"
#include "sim/arch.h"
#include "sim/bundle.h"

#define SPEC_MAX_VMS        8
#define SPEC_MAX_MEMORY     8
#define SPEC_MAX_DEVICES    16
#define SPEC_MAX_PROPERTIES 6
#define SPEC_TEXT           32

enum spec_type { SPEC_FLAG, SPEC_U32, SPEC_U64, SPEC_STRING };

/* A property of a node, as it is. */
struct spec_property {
    char name[SPEC_TEXT];
    enum spec_type type;
    uint64_t value;
    char text[SPEC_TEXT];
};

struct spec_memory {
    uint64_t base, size;
    bool read_only, no_execute, populate;
};

struct spec_device {
    char compatible[SPEC_TEXT];
    uint64_t base, size; /* a size of 0: the model knows its place */
    uint32_t irq;        /* 0: none */
    unsigned property_count;
    struct spec_property properties[SPEC_MAX_PROPERTIES];
};

struct spec_vm {
    uint32_t id;
    uint32_t vcpus;                  /* 0 counts as 1 */
    uint64_t affinity[MAX_VCPU_NUM]; /* all 0: any CPU */
    unsigned memory_count;
    struct spec_memory memory[SPEC_MAX_MEMORY];
    bool no_autostart, stop_on_reboot, no_statistics;
    char protocol[SPEC_TEXT]; /* boot-protocol; "": the usual one */
    /* The kernel's bytes, at the start of memory, or where the boot protocol
     * puts them. NULL: a page of zeros. */
    const void *kernel;
    size_t kernel_size;
    bool kernel_by_header;
    /* Likewise; NULL: none. At `initrd_load`, or below the device tree if that
     * is 0. */
    const void *initrd;
    size_t initrd_size;
    uint64_t initrd_load;
    unsigned device_count;
    struct spec_device devices[SPEC_MAX_DEVICES]; /* only those there are */
};

struct machine_spec {
    const struct sim_arch *arch; /* NULL: the default */
    unsigned vm_count;
    struct spec_vm vms[SPEC_MAX_VMS];
};

/*
 * Makes the bundle, for bundle_free(). ERR_NO_MEMORY; ERR_OUT_OF_RANGE when
 * the tree is too big.
 */
err_t spec_build(const struct machine_spec *spec,
                 struct bundle *bundle) MUST_CHECK;

/* The configuration's model for a short name of a device ("uart"), and its
 * usual size; NULL for a name that is none. */
const char *spec_device_model(const char *name, uint64_t *size);

/* A VM of vCPUs and nothing else. Devices that are not there are not written:
 * they are most of it. */
void spec_init_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/*
 * A VM with what most tests of riscv64 want: `vcpus` vCPUs, 4 MiB of memory at
 * SPEC_MEMORY, and an interrupt controller, a serial port, a disk and the
 * finisher where QEMU's virt machine has them.
 */
#define SPEC_MEMORY     UINT64_C(0x80000000)
#define SPEC_PLIC       UINT64_C(0x0c000000)
#define SPEC_UART       UINT64_C(0x10000000)
#define SPEC_VIRTIO     UINT64_C(0x10001000)
#define SPEC_FINISHER   UINT64_C(0x00100000)
#define SPEC_UART_IRQ   10
#define SPEC_VIRTIO_IRQ 1
void spec_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/* Adds a device by its short name; false when there is no room, or no such
 * name. */
bool spec_add_device(struct spec_vm *vm, const char *name, uint64_t base,
                     uint32_t irq);

#endif
