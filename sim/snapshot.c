/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of a simulated machine: fake RAM, in which all of the hypervisor's
 * state lies but for the pointer to it and what it knows of the CPUs; the fake
 * CPUs, the clock, the console.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/machine_internal.h"
#include "sim/put_back.h"
#include "sim/sim.h"
#include "vmm/internal.h"

struct snapshot {
    struct vmm *vmm;
    struct clock *clock;
    struct console_mark console;
    uint64_t kicked;
    struct machine machine;
    struct guest *guests[VMM_MAX_VMS];
    uint32_t guest_count[VMM_MAX_VMS];
    void *hardware; /* the architecture's, page-aligned */
};

void snapshot_drop(struct machine *machine)
{
    struct snapshot *snapshot = machine->snapshot;

    if (snapshot == NULL)
        return;
    for (unsigned vm = 0; vm < VMM_MAX_VMS; vm++)
        free(snapshot->guests[vm]);
    free(snapshot->clock);
    free(snapshot->hardware);
    free(snapshot);
    machine->snapshot = NULL;
    ram_snapshot_drop();
}

/* The guests of a VM; false: out of memory. */
static bool save_guests(struct snapshot *snapshot,
                        const struct machine *machine, vm_id id)
{
    const struct vm *vm = vmm_find_vm(id);
    size_t size;

    if (vm == NULL || machine->guests[id] == NULL)
        return true;
    size = vm->config.cpu_num * sizeof(struct guest);
    snapshot->guests[id] = malloc(size);
    if (snapshot->guests[id] == NULL)
        return false;
    memcpy(snapshot->guests[id], machine->guests[id], size);
    snapshot->guest_count[id] = vm->config.cpu_num;
    return true;
}

static void restore_guests(const struct snapshot *snapshot,
                           struct machine *machine, vm_id id)
{
    for (uint32_t i = 0; i < snapshot->guest_count[id]; i++) {
        struct guest *guest = &machine->guests[id][i];
        struct trap_source *source = guest->source;

        put_back(guest, &snapshot->guests[id][i], sizeof(*guest));
        guest->source = source;
    }
}

/*
 * Frames of guests' RAM, which only the API and fake hardware write. The
 * walk asks the hypervisor, page by page.
 */
static void track_guest_memory(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        const struct vm_memory *memory = &vm->config.memory[i];

        for (uint64_t at = 0; at < memory->size; at += PAGE_SIZE) {
            hpa_t to;

            if (aspace_translate((struct aspace *)(uintptr_t)&vm->aspace,
                                 gpa_add(memory->base, at), &to, NULL,
                                 NULL) == OK &&
                ram_is_allocated(to, PAGE_SIZE))
                ram_track(to, PAGE_SIZE);
        }
    }
}

static void track_memory(const struct machine *machine)
{
    ram_track(machine->bundle, machine->bundle_frames * PAGE_SIZE);
    for (vm_id id = 0; id < VMM_MAX_VMS; id++) {
        if (vmm_find_vm(id) != NULL)
            track_guest_memory(vmm_find_vm(id));
    }
}

static bool save(struct snapshot *snapshot, const struct machine *machine)
{
    snapshot->vmm = vmm;
    console_save(&snapshot->console);
    snapshot->kicked = cpus_state.kicked;
    snapshot->machine = *machine;
    snapshot->hardware = aligned_alloc(
        PAGE_SIZE,
        align_up(machine->arch->snapshot_size(machine->cpus), PAGE_SIZE));
    if (snapshot->hardware == NULL)
        return false;
    machine->arch->save(snapshot->hardware, machine->cpus);
    for (vm_id id = 0; id < VMM_MAX_VMS; id++) {
        if (!save_guests(snapshot, machine, id))
            return false;
    }
    snapshot->clock = clock_save();
    return snapshot->clock != NULL;
}

err_t machine_snapshot(struct machine *machine)
{
    struct snapshot *snapshot;

    snapshot_drop(machine);
    snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return ERR_NO_MEMORY;
    machine->snapshot = snapshot;
    if (!save(snapshot, machine) || ram_snapshot_take() != OK) {
        snapshot_drop(machine);
        return ERR_NO_MEMORY;
    }
    snapshot->machine.snapshot = snapshot;
    track_memory(machine);
    return OK;
}

void machine_reset(struct machine *machine)
{
    const struct snapshot *snapshot = machine->snapshot;

    ram_snapshot_restore();
    vmm = snapshot->vmm;
    clock_restore(snapshot->clock);
    console_rewind(&snapshot->console);
    cpus_reset(machine->cpus);
    cpus_state.kicked = snapshot->kicked;
    put_back(machine, &snapshot->machine, offsetof(struct machine, guests));
    for (vm_id id = 0; id < VMM_MAX_VMS; id++)
        restore_guests(snapshot, machine, id);
    machine->arch->restore(snapshot->hardware, machine->cpus);
    for (uint32_t cpu = 0; cpu < machine->cpus; cpu++) {
        if (machine->cpu[cpu].guest != NULL)
            machine->arch->set_source(cpu, machine->cpu[cpu].guest->source);
    }
    shim_fail_never();
    violations_reset();
}
