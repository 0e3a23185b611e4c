/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share: bytes taken from the input one by one, and a
 * simulated machine that is made once and put back for each input.
 *
 * A finding is a CHECK that fails, a sanitizer's report, a violation of the
 * fake hardware's rules, machines that are no longer apart, or a frame that
 * has leaked.
 */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include "sim/machine.h"
#include "sim/spec.h"

/* Makes the slow checks after each input, not only now and then. */
extern bool fuzz_is_thorough;

/* The input; what is behind its end reads as 0. */
struct fuzz_input {
    const uint8_t *at, *end;
};

static inline bool fuzz_is_empty(const struct fuzz_input *input)
{
    return input->at == input->end;
}

/* The next `bytes` (8 at most) as a little-endian number. */
uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes);

/* One of `count`, by one byte. */
static inline unsigned fuzz_pick(struct fuzz_input *input, unsigned count)
{
    return (unsigned)fuzz_take(input, 1) % count;
}

/* A number that is small, near a power of two, or anything: one to nine bytes
 * of the input. */
uint64_t fuzz_number(struct fuzz_input *input);

/*
 * The usual VM, but small, and one that does not start again by itself: what a
 * reset has to copy, and a reboot to load, bounds how many inputs are tried.
 */
#define FUZZ_MEMORY (UINT64_C(2) << 20)
void fuzz_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/* What one step of the input comes to: one operation, or a few. */
#define FUZZ_SCRIPT 32
struct fuzz_script {
    unsigned count;
    struct guest_op ops[FUZZ_SCRIPT];
};

/* The next operation of a script, to be filled in. A script that is full gives
 * its last one again. */
struct guest_op *fuzz_add(struct fuzz_script *script);

/* Makes a script of the next step; called while there is input left. */
typedef void (*fuzz_decode)(struct fuzz_input *input,
                            struct fuzz_script *script);

/*
 * Has vCPU 0 of VM 1 do what `decode` makes of the input, at most
 * FUZZ_OPERATIONS operations, on the machine that `describe` made. Returns 0,
 * as a fuzz target does.
 */
#define FUZZ_OPERATIONS 192
int fuzz_run(const uint8_t *data, size_t size,
             void (*describe)(struct machine_spec *spec), fuzz_decode decode);

#endif
