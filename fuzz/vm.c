/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machine that targets start from: see harness.h. */
#include "fuzz/harness.h"

void fuzz_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus)
{
    spec_usual_vm(vm, id, vcpus);
    fuzz_small_vm(vm);
}

void fuzz_small_vm(struct spec_vm *vm)
{
    vm->stop_on_reboot = true;
    vm->no_statistics = true;
    vm->memory[0].size = FUZZ_MEMORY;
    for (unsigned i = 0; i < vm->device_count; i++) {
        struct spec_device *device = &vm->devices[i];

        if (device->property_count != 0) /* the disk's size */
            device->properties[0].value = PAGE_SIZE;
    }
}
