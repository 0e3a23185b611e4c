/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of whole x86_64 machines share. */
#ifndef FUZZ_X86_H
#define FUZZ_X86_H

#include "fuzz/harness.h"

/* The usual VM of x86_64, but small. */
void fuzz_x86_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/* A VM of so many vCPUs that does something; VM 2 is there to be left alone. */
void fuzz_x86_pair(struct machine_spec *spec, const struct sim_arch *arch,
                   uint32_t vcpus);

/* An operation of a guest: what instructions and arrivals there are, on what
 * matters to them. Takes its bytes from the input. */
void fuzz_x86_operation(struct fuzz_input *input, struct guest_op *op);

/* Something that a guest accesses: a device's registers, its tables, memory. */
uint64_t fuzz_x86_address(struct fuzz_input *input);
uint32_t fuzz_x86_port(struct fuzz_input *input);

/* --- Guests: VMs 1 and 2 of two vCPUs each, and a bystander --- */

void fuzz_x86_describe_guests(struct machine_spec *spec,
                              const struct sim_arch *arch);

/* What a guest can do, or something that happens from outside. */
void fuzz_x86_decode_guest(struct fuzz_input *input,
                           struct fuzz_script *script);

/* To fuzz_run_guests(). */
#define FUZZ_X86_BYSTANDER 3

/* --- Raw exits --- */

/* What exits are of a vendor's. */
struct fuzz_x86_exits {
    /* Codes that the hypervisor's controls allow. */
    const uint16_t *codes;
    unsigned count;
    /* From `gap` on there are none for so many codes. */
    uint16_t gap, gap_size;
    /* A fault of nested tables, and what is set in its information: of the
     * address that was meant, and of the guest's tables. */
    uint16_t nested;
    uint64_t nested_info[2];
    uint16_t io;
    /* Exits up to this code say which event it was; less than 0: none do. */
    int event;
};

/*
 * An operation: a byte that says which, and numbers (input.c); what is left out
 * is 0. Most bytes are a raw exit of any code with any information, also such
 * as no processor gives, in any register state; the others, what a guest can do
 * in between.
 */
void fuzz_x86_decode_exit(struct fuzz_input *input, struct fuzz_script *script,
                          const struct fuzz_x86_exits *exits);

#endif
