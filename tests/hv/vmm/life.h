/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest of VM 1 does in its life, for the sweep of failures. */
#ifndef TESTS_HV_VMM_LIFE_H
#define TESTS_HV_VMM_LIFE_H

#include "support/machine.h"

enum life_need {
    LIFE_ANYTHING,
    LIFE_SUCCESS,  /* its value is 0, or the next step has nothing to go on */
    LIFE_MAY_WAIT, /* for what a failure has kept from coming */
};

struct life_step {
    vcpu_id vcpu;
    struct guest_op op;
    enum life_need need;
};

struct life {
    const struct sim_arch *arch;
    const char *profiles[2];
    unsigned vms;
    /* Adds to the usual VMs 1, of two vCPUs, and 2; may be NULL. */
    void (*describe)(struct machine_spec *spec);
    const struct life_step *steps;
    size_t count;
    struct guest_op reboot; /* in the end */
};

extern const struct life life_riscv64, life_x86_64, life_x86_64_vmx;

/* Pages that nobody has touched, for the guests' lives. */
#define FRESH(page) (SPEC_MEMORY + 0x200000 + (page)*UINT64_C(0x1000))

/* The disk's registers and a request to read a sector: virtio 1.2, 4.2.2,
 * 2.7.5 and 5.2.6. */
#define DISK(offset, value)                                               \
    {                                                                     \
        0, OP_STORE_OF(SPEC_VIRTIO + (offset), 4, (value)), LIFE_ANYTHING \
    }
#define RING(address, value)                                 \
    {                                                        \
        0, OP_STORE_OF((address), 8, (value)), LIFE_ANYTHING \
    }
#define DESCRIPTOR(n, at, size, flags, next) \
    RING(FRESH(0) + 16 * (n), (at)),         \
        RING(FRESH(0) + 16 * (n) + 8,        \
             (size) | (uint64_t)(flags) << 32 | (uint64_t)(next) << 48)
#define READS_A_SECTOR                                                        \
    DISK(0x70, 0), DISK(0x70, 3), DISK(0x24, 1), DISK(0x20, 1),               \
        DISK(0x70, 0xb), DISK(0x30, 0), DISK(0x38, 8), DISK(0x80, FRESH(0)),  \
        DISK(0x90, FRESH(1)), DISK(0xa0, FRESH(2)), DISK(0x44, 1),            \
        DISK(0x70, 0xf), DESCRIPTOR(0, FRESH(3), 16, 1, 1),                   \
        DESCRIPTOR(1, FRESH(4), 512, 3, 2), DESCRIPTOR(2, FRESH(5), 1, 2, 0), \
        RING(FRESH(1), 1 << 16), DISK(0x50, 0)

#endif
