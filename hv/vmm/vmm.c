/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's one step, its start and its end. */
#include "vmm/vmm.h"

#include <libfdt.h>

#include "api/host.h"
#include "lib/check.h"
#include "lib/format.h"
#include "vmm/internal.h"

struct vmm *vmm;

/* Everything but the return to the same guest without anything to look at. */
static NOINLINE struct vcpu *
leave_fast_path(struct vmm_cpu *cpu, struct vcpu *vcpu, enum verdict verdict)
{
    if (verdict == VERDICT_RESUME && vcpu_commit(vcpu) == OK)
        return vcpu;
    sched_settle(cpu, vcpu, verdict);
    return sched_next(cpu);
}

EXIT_PATH struct vcpu *vmm_leave_guest(uint32_t cpu, struct vcpu *vcpu)
{
    enum verdict verdict = vm_handle_exit(vcpu->config.vm, vcpu);

    if (likely(verdict == VERDICT_RESUME) && likely(vcpu_commit_entry(vcpu)))
        return vcpu;
    return leave_fast_path(&vmm->cpus[cpu], vcpu, verdict);
}

struct vcpu *vmm_step(uint32_t cpu)
{
    struct vcpu *vcpu = vmm->cpus[cpu].current;

    return vcpu != NULL ? vmm_leave_guest(cpu, vcpu)
                        : sched_next(&vmm->cpus[cpu]);
}

struct vcpu *vmm_current_vcpu(uint32_t cpu)
{
    return vmm->cpus[cpu].current;
}

struct vm *vmm_find_vm(vm_id id)
{
    return vmm != NULL && id < VMM_MAX_VMS ? vmm->vms[id] : NULL;
}

uint32_t vmm_running_count(void)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < VMM_MAX_VMS; i++) {
        const struct vm *vm = vmm->vms[i];
        if (vm != NULL && vm->state != VM_CREATED && vm->state != VM_READY &&
            vm->state != VM_STOPPED && vm->state != VM_FAILED)
            count++;
    }
    return count;
}

/* Makes one VM of the configuration; what is wrong with it is reported. */
static void make_vm(const struct vmm_boot *boot, int node)
{
    char what[VM_REASON_SIZE] = "";
    struct vm_config config;
    struct vm *vm = NULL;
    err_t error = vm_config_parse(&config, boot->config, node, boot->images,
                                  boot->images_size, what);

    if (error == OK && (config.id >= VMM_MAX_VMS || vmm->vms[config.id])) {
        (void)format_text(what, sizeof(what), "id %u is taken, or not below %d",
                          config.id, VMM_MAX_VMS);
        error = ERR_ALREADY_EXISTS;
    }
    if (error == OK)
        error = vm_create(&config, boot->arch, &vmm_vm_host, &vm, what);
    if (error != OK) {
        console_print("VM %s is left out: %s",
                      fdt_get_name(boot->config, node, NULL), what);
        return;
    }
    vmm->vms[config.id] = vm;
    if (vmm->console.focus == NULL)
        vmm->console.focus = vm;
    error = vm_load(vm, what);
    if (error != OK)
        console_print("VM %u (%s) cannot be loaded: %s", config.id, config.name,
                      what);
}

static void start_vms(void)
{
    for (unsigned i = 0; i < VMM_MAX_VMS; i++) {
        struct vm *vm = vmm->vms[i];

        if (vm == NULL || !vm->config.autostart)
            continue;
        if (vmm_start_vm(vm) == OK)
            console_print("VM %u (%s) starts: %u vCPUs", vm->config.id,
                          vm->config.name, vm->config.cpu_num);
    }
}

static err_t make_vmm(const struct vmm_boot *boot)
{
    struct arena arena = ARENA_INIT;
    struct vmm *made = arena_new(&arena, struct vmm);

    if (made == NULL)
        return ERR_NO_MEMORY;
    made->cpu_count = host_cpu_count();
    made->cpus = arena_new_array(&arena, struct vmm_cpu, made->cpu_count);
    made->arena = arena;
    if (made->cpus == NULL) {
        arena_free_all(&arena);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < made->cpu_count; i++)
        made->cpus[i].index = i;
    made->arch = boot->arch;
    made->power_off_when_done = boot->power_off_when_done;
    list_init(&made->queue);
    vmm = made;
    return OK;
}

err_t vmm_init(const struct vmm_boot *boot)
{
    int vms = fdt_check_header(boot->config) == 0
                  ? fdt_path_offset(boot->config, "/vms")
                  : -1;
    err_t error;
    int node;

    if (vms < 0)
        return ERR_INVALID_INPUT;
    error = make_vmm(boot);
    if (error != OK)
        return error;
    boot->arch->reset_machine();
    fdt_for_each_subnode(node, boot->config, vms) make_vm(boot, node);
    start_vms();
    return OK;
}

void vmm_abandon_cpu(uint32_t cpu)
{
    if (vmm != NULL)
        sched_abandon(&vmm->cpus[cpu]);
}

void vmm_fini(void)
{
    struct arena arena;

    if (vmm == NULL)
        return;
    for (unsigned i = 0; i < VMM_MAX_VMS; i++) {
        if (vmm->vms[i] != NULL) {
            err_t error = vmm_retire_vm(vmm->vms[i]);
            CHECK(error == OK);
        }
    }
    arena = vmm->arena; /* the VMM itself lies in it */
    vmm = NULL;
    arena_free_all(&arena);
}
