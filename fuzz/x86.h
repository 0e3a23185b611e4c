/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of whole x86_64 machines share. */
#ifndef FUZZ_X86_H
#define FUZZ_X86_H

#include "fuzz/harness.h"

/* The usual VM of x86_64, but small. */
void fuzz_x86_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/* An operation of a guest: what instructions and arrivals there are, on what
 * matters to them. Takes its bytes from the input. */
void fuzz_x86_operation(struct fuzz_input *input, struct guest_op *op);

/* Something that a guest accesses: a device's registers, its tables, memory. */
uint64_t fuzz_x86_address(struct fuzz_input *input);
uint32_t fuzz_x86_port(struct fuzz_input *input);

#endif
