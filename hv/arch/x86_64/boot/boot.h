/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How guests are started: a loader per boot protocol, which puts the images,
 * and what else the protocol asks for, into guest memory, and says with which
 * registers the guest is entered. They know nothing of vCPUs.
 *
 * Images come from whoever wrote the guest: every offset and size in them is
 * checked, and nothing outside them is read. Nothing that is placed overlaps
 * anything else; all of it lies in RAM, as the memory map has it, and below
 * 4 GiB.
 */
#ifndef ARCH_X86_64_BOOT_BOOT_H
#define ARCH_X86_64_BOOT_BOOT_H

#include "addrspace/aspace.h"
#include "arch/x86_64/boot/e820.h"
#include "arch/x86_64/boot/entry.h"
#include "lib/compiler.h"
#include "lib/error.h"

/* The protocols, and what configurations call them. */
#define X86_BOOT_PROTOCOLS(X)          \
    X(X86_BOOT_LINUX, "linux")         \
    X(X86_BOOT_PVH, "pvh")             \
    X(X86_BOOT_MULTIBOOT, "multiboot") \
    X(X86_BOOT_FLAT, "flat")           \
    X(X86_BOOT_FIRMWARE, "firmware")

enum x86_boot_protocol {
#define X(protocol, name) protocol,
    X86_BOOT_PROTOCOLS(X)
#undef X
        X86_BOOT_PROTOCOL_COUNT
};

const char *x86_boot_name(enum x86_boot_protocol protocol);

/* A file in host memory. */
struct x86_boot_file {
    hpa_t data;
    uint64_t size;
    const char *cmdline; /* NULL: none */
};

#define X86_BOOT_MAX_MODULES 16

/*
 * The kernel, or firmware, and what goes with it: for Linux, its initrd, and
 * no more; for PVH and multiboot, the modules; for firmware, the flash with its
 * variables, and no more.
 */
struct x86_boot_image {
    struct x86_boot_file kernel;
    unsigned module_count;
    struct x86_boot_file modules[X86_BOOT_MAX_MODULES];
};

struct x86_boot_machine {
    const struct e820 *map;
    gpa_t rsdp;         /* of its ACPI tables; 0: it has none */
    uint32_t signature; /* CPUID leaf 1, EAX: it is in EDX after a reset */
};

/* A buffer for what is wrong, in words. */
#define X86_BOOT_WHAT_SIZE 160

/*
 * Loads `image` into `memory`, and fills in `entry`. On an error, `what` (of
 * X86_BOOT_WHAT_SIZE bytes) says why: ERR_INVALID_INPUT or ERR_UNSUPPORTED for
 * an image that is wrong, that the machine has no room for, or that asks for
 * what there is not; then `memory` has not been touched. Otherwise, the error
 * of the address space.
 */
err_t x86_boot_load(enum x86_boot_protocol protocol,
                    const struct x86_boot_image *image,
                    const struct x86_boot_machine *machine,
                    struct aspace *memory, struct x86_entry *entry,
                    char *what) MUST_CHECK;

#endif
