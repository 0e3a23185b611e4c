/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_64 guests for tests: a kernel that nobody executes, in the format of
 * Linux (Documentation/arch/x86/boot.rst), so that the guest begins in 64-bit
 * mode with its memory mapped to itself.
 */
#include <stdio.h>
#include <string.h>

#include "sim/x86_64/arch.h"

#define LOW_MEMORY   (UINT64_C(1) << 20)
#define SECTOR_SIZE  512
#define PAYLOAD_SIZE 0x1000

#define VIRTIO_IRQ 11

static void put(uint8_t *image, unsigned at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        image[at + i] = (uint8_t)(value >> 8 * i);
}

/* One sector of setup, which is not looked at but for its header, and the
 * kernel. Entered at 200h of the latter. */
static const uint8_t *linux_kernel(size_t *size)
{
    static uint8_t image[2 * SECTOR_SIZE + PAYLOAD_SIZE];

    *size = sizeof(image);
    put(image, 0x1f1, 1, 1);                 /* setup_sects */
    put(image, 0x1f4, PAYLOAD_SIZE / 16, 4); /* syssize */
    put(image, 0x1fe, 0xaa55, 2);            /* boot_flag */
    put(image, 0x200, 0x66eb, 2);            /* jump: the header's end */
    put(image, 0x202, 0x53726448, 4);        /* header: "HdrS" */
    put(image, 0x206, 0x20f, 2);             /* version */
    put(image, 0x211, 1, 1);                 /* loadflags: LOADED_HIGH */
    put(image, 0x22c, 0x7fffffff, 4);        /* initrd_addr_max */
    put(image, 0x230, 0x1000, 4);            /* kernel_alignment */
    put(image, 0x234, 1, 1);                 /* relocatable_kernel */
    put(image, 0x236, 1, 2);                 /* xloadflags: XLF_KERNEL_64 */
    put(image, 0x238, 255, 4);               /* cmdline_size */
    put(image, 0x258, SPEC_MEMORY, 8);       /* pref_address */
    put(image, 0x260, PAYLOAD_SIZE, 4);      /* init_size */
    return image;
}

static bool has_low_memory(const struct spec_vm *vm)
{
    for (unsigned i = 0; i < vm->memory_count; i++) {
        if (vm->memory[i].base == 0)
            return true;
    }
    return false;
}

void x86_64_complete_vm(struct spec_vm *vm)
{
    if (!has_low_memory(vm) && vm->memory_count < SPEC_MAX_MEMORY)
        vm->memory[vm->memory_count++] =
            (struct spec_memory){.base = 0, .size = LOW_MEMORY};
    vm->kernel_by_header = true;
    if (vm->kernel == NULL && strcmp(vm->protocol, "flat") != 0)
        vm->kernel = linux_kernel(&vm->kernel_size);
}

void x86_64_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    static const char *const fixed[] = {"lapic", "ioapic", "pic",    "pit",
                                        "rtc",   "i8042",  "acpi-pm"};

    spec_usual_vm(vm, id, vcpus);
    for (unsigned i = 0; i < vm->device_count; i++) {
        struct spec_device *device = &vm->devices[i];

        if (device->base == SPEC_VIRTIO)
            device->irq = VIRTIO_IRQ;
        if (device->base == SPEC_PLIC)
            *device = vm->devices[--vm->device_count];
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        (void)spec_add_device(vm, fixed[i], 0, 0);
    vm->memory[vm->memory_count++] =
        (struct spec_memory){.base = 0, .size = LOW_MEMORY};
}
