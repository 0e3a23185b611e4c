/* SPDX-License-Identifier: Apache-2.0 */
/* A life on x86_64: see life.h. */
#include <stdio.h>

#include "arch/x86_64/msr.h"
#include "arch/x86_64/regs.h"
#include "hv/vmm/life.h"

#define LAPIC(offset, value)                                         \
    {                                                                \
        0, OP_STORE_OF(UINT64_C(0xfee00000) + (offset), 4, (value)), \
            LIFE_ANYTHING                                            \
    }
#define IOAPIC(index, value)                                            \
    {0, OP_STORE_OF(UINT64_C(0xfec00000), 4, (index)), LIFE_ANYTHING},  \
    {                                                                   \
        0, OP_STORE_OF(UINT64_C(0xfec00010), 4, (value)), LIFE_ANYTHING \
    }
#define DOES(...)                       \
    {                                   \
        0, {__VA_ARGS__}, LIFE_ANYTHING \
    }
#define OUT(port, what)                                    \
    DOES(.kind = OP_X86_OUT, .width = 1, .number = (port), \
         .flags = OP_HAS_VALUE, .value = (what))
#define WAITS                                  \
    {                                          \
        0, {.kind = OP_X86_HLT}, LIFE_MAY_WAIT \
    }

#define IDT          (SPEC_MEMORY + 0x10000)
#define ALL_THE_REST 0xc0000 /* an IPI's destination */

static const struct life_step steps[] = {
    {0, OP_STORE_OF(FRESH(8), 8, 1), LIFE_ANYTHING},
    {0, OP_LOAD_OF(FRESH(9), 8), LIFE_ANYTHING},
    DOES(.kind = OP_X86_TRAPS, .address = IDT),
    /* The local APIC's timer, and a wait for it; then the TSC deadline. */
    LAPIC(0xf0, 0x1ff),
    LAPIC(0x3e0, 0xb),
    LAPIC(0x320, 0x41),
    LAPIC(0x380, 1 << 20),
    DOES(.kind = OP_X86_STI),
    WAITS,
    LAPIC(0xb0, 0),
    LAPIC(0x320, 0x40041),
    DOES(.kind = OP_X86_WRMSR, .number = X86_MSR_TSC_DEADLINE, .value = 1),
    DOES(.kind = OP_X86_STI),
    {0, {.kind = OP_X86_PAUSE}, LIFE_ANYTHING},
    LAPIC(0xb0, 0),
    /* The other timers. */
    OUT(0x43, 0x34),
    OUT(0x40, 0x10),
    OUT(0x40, 0x10),
    OUT(0x70, 0x0b),
    OUT(0x71, 0x42),
    DOES(.kind = OP_X86_CPUID),
    DOES(.kind = OP_X86_WRITE_CR, .number = 4, .reg = X86_GPR_RCX,
         .value = 0x620),
    /* The emulator, across two pages. */
    DOES(.kind = OP_X86_INS, .width = 1, .number = 0x80,
         .address = FRESH(12) - 1, .value = 2),
    /* A second processor. */
    LAPIC(0x300, ALL_THE_REST | 0x4500),
    LAPIC(0x300, ALL_THE_REST | 0x4606),
    {1,
     {.kind = OP_LOAD, .width = 4, .reg = X86_GPR_RCX, .address = 0x9000},
     LIFE_MAY_WAIT},
    /* Devices, one of which touches memory for the guest. */
    {0, OP_STORE_OF(SPEC_UART, 1, 'x'), LIFE_ANYTHING},
    IOAPIC(0x27, 0),
    IOAPIC(0x26, 0x42),
    READS_A_SECTOR,
    {0, OP_LOAD_OF(UINT64_C(0xfee00220), 4), LIFE_ANYTHING},
};

/* VM 3 is of firmware, which finds ACPI tables in fw_cfg. */
static void describe(struct machine_spec *spec)
{
    static const uint8_t flash[PAGE_SIZE];
    struct spec_vm *vm = &spec->vms[spec->vm_count++];

    x86_64_sim_arch.usual_vm(vm, 3, 1);
    (void)snprintf(vm->protocol, sizeof(vm->protocol), "firmware");
    vm->kernel = flash;
    vm->kernel_size = sizeof(flash);
    cr_assert(spec_add_device(vm, "fw-cfg", 0, 0));
}

#define REBOOT                                                                 \
    {                                                                          \
        .kind = OP_X86_OUT, .width = 1, .number = 0x64, .flags = OP_HAS_VALUE, \
        .value = 0xfe,                                                         \
    }

const struct life life_x86_64 = {
    .arch = &x86_64_sim_arch,
    .profiles = {"full", "qemu"},
    .vms = 3,
    .describe = describe,
    .steps = steps,
    .count = ARRAY_SIZE(steps),
    .reboot = REBOOT,
};

const struct life life_x86_64_vmx = {
    .arch = &x86_64_vmx_sim_arch,
    .profiles = {"full", "haswell"},
    .vms = 3,
    .describe = describe,
    .steps = steps,
    .count = ARRAY_SIZE(steps),
    .reboot = REBOOT,
};
