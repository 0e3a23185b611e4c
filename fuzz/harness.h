/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets of the whole machine share: a simulated machine that
 * is made once and put back for each input, and vCPUs that do what the input
 * says.
 *
 * A finding is a CHECK that fails, a sanitizer's report, a violation of the
 * fake hardware's rules, machines that are no longer apart, a frame that has
 * leaked, or a bystander who got stuck.
 */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include "fuzz/input.h"
#include "fuzz/mutate.h"
#include "sim/machine.h"
#include "sim/spec.h"

/* Makes the slow checks after each input, not only now and then. */
extern bool fuzz_is_thorough;

/* The profile of the machine's processors; NULL: their default. */
extern const char *fuzz_profile;

/* Ends the process, as a finding. */
_Noreturn void fuzz_fail(const char *what);

/* Does so unless `ok`. Inline: targets ask it for each byte. */
static inline void fuzz_need(bool ok, const char *what)
{
    if (unlikely(!ok))
        fuzz_fail(what);
}

/*
 * The usual VM, but small, and one that ends without a table of its exits, and
 * does not start again by itself: what a reset has to copy, text that nobody
 * reads, and a reboot to load, bound how many inputs are tried.
 */
#define FUZZ_MEMORY (UINT64_C(2) << 20)
void fuzz_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);
/* Makes it so of another architecture's usual VM. */
void fuzz_small_vm(struct spec_vm *vm);

/* What one step of the input comes to: one operation, or a few. */
#define FUZZ_SCRIPT 32
struct fuzz_script {
    unsigned count;
    struct guest_op ops[FUZZ_SCRIPT];
};

/* The next operation of a script, to be filled in. A script that is full gives
 * its last one again. */
struct guest_op *fuzz_add(struct fuzz_script *script);

/* What is no operation of a guest, but happens to it from outside, as the kind
 * of a guest_op. It happens when the vCPU would do its next operation. */
enum fuzz_event {
    FUZZ_INJECT = OP_KIND_COUNT, /* interrupt `number` becomes pending */
    FUZZ_TYPE,                   /* `width` bytes of `value` are typed */
};

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

/* Who does what: a vCPU, and a VM that must not notice any of it. */
struct fuzz_actor {
    vm_id vm;
    vcpu_id vcpu;
};

struct fuzz_setup {
    void (*describe)(struct machine_spec *spec);
    fuzz_decode decode;
    uint32_t cpus;
    unsigned actor_count; /* FUZZ_ACTORS at most */
    const struct fuzz_actor *actors;
    /* A VM of one vCPU, none of the actors', which runs in one of a few inputs:
     * in the end of these it must still run, and find its memory as it was. 0:
     * there is none. */
    vm_id bystander;
};

/*
 * The same with several vCPUs. The input's first byte seeds the order of the
 * CPUs; each step begins with a byte that says which actor's it is. Of a
 * mutator, the skip function is fuzz_skip_step().
 */
#define FUZZ_ACTORS 8
int fuzz_run_setup(const uint8_t *data, size_t size,
                   const struct fuzz_setup *setup);

/* The same of the two vCPUs of VMs 1 and 2 each, on two CPUs. */
int fuzz_run_guests(const uint8_t *data, size_t size,
                    void (*describe)(struct machine_spec *spec),
                    fuzz_decode decode, vm_id bystander);

/* Takes a step of fuzz_run() or, with actors, of the others. */
void fuzz_skip_step(struct fuzz_input *input, fuzz_decode decode, bool actors);

#endif
