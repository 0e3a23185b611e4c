/* SPDX-License-Identifier: Apache-2.0 */
/* Making, loading, resetting and destroying a VM. */
#include "vm/vm.h"

#include "api/host.h"
#include "api/memory.h"
#include "lib/check.h"
#include "lib/format.h"
#include "vm/internal.h"

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[VM_STATE_COUNT] = {
#define X(state, name) [state] = (name),
        VM_STATES(X)
#undef X
    };
    return (unsigned)state < VM_STATE_COUNT ? names[state] : "?";
}

const char *vm_stop_name(enum vm_stop stop)
{
    static const char *const names[VM_STOP_COUNT] = {
#define X(stop, name) [stop] = (name),
        VM_STOPS(X)
#undef X
    };
    return (unsigned)stop < VM_STOP_COUNT ? names[stop] : "?";
}

void vm_request_stop(struct vm *vm, enum vm_stop stop, const char *format, ...)
{
    va_list args;

    spin_lock(&vm->stop_lock);
    if (vm->stop == VM_STOP_NONE) {
        vm->stop = stop;
        va_start(args, format);
        (void)format_args(vm->reason, sizeof(vm->reason), format, args);
        va_end(args);
    }
    spin_unlock(&vm->stop_lock);
}

struct vcpu *vm_find_vcpu(struct vm *vm, uint64_t hw_id)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        if (vm->vcpus[i]->config.hw_id == hw_id)
            return vm->vcpus[i];
    }
    return NULL;
}

/*
 * Stage-2 translations have changed: every vCPU drops its own before its next
 * entry, and none is still in its guest when this returns.
 */
static void flush_vcpus(void *context, gpa_t start, uint64_t size)
{
    struct vm *vm = context;

    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        struct vcpu *vcpu = vm->vcpus[i];

        if (vcpu == NULL)
            continue;
        vcpu_request(vcpu, VCPU_REQUEST_FLUSH);
        if (atomic_load(&vcpu->in_guest))
            host_kick_cpu_and_wait(vcpu->cpu);
    }
}

/* The first guest-physical address behind everything that is configured. */
static uint64_t memory_top(const struct vm_config *config)
{
    uint64_t top = 0;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        uint64_t end = config->memory[i].base.raw + config->memory[i].size;
        top = end > top ? end : top;
    }
    return top;
}

static err_t make_aspace(struct vm *vm, char *what)
{
    const struct aspace_flusher flusher = {flush_vcpus, vm};
    uint64_t top = memory_top(&vm->config);
    const struct s2_format *format = vm->arch->stage2_format(top);

    if (format == NULL) {
        (void)format_text(what, VM_REASON_SIZE,
                          "memory: the hardware translates no addresses up to"
                          " 0x%llx",
                          (unsigned long long)top);
        return ERR_UNSUPPORTED;
    }
    return aspace_init(&vm->aspace, format, &flusher);
}

static err_t map_memory(struct vm *vm, char *what)
{
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        const struct vm_memory *memory = &vm->config.memory[i];
        err_t error = aspace_map_lazy(&vm->aspace, memory->base, memory->size,
                                      memory->flags, memory->populate);

        if (error != OK) {
            (void)format_text(
                what, VM_REASON_SIZE, "memory: 0x%llx bytes at 0x%llx: %s",
                (unsigned long long)memory->size,
                (unsigned long long)memory->base.raw, error_text(error));
            return error;
        }
    }
    return OK;
}

static err_t make_vcpus(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        const struct vcpu_config config = {
            .vm = vm,
            .vm_id = vm->config.id,
            .id = i,
            .hw_id = i,
            .affinity = vm->config.affinity[i],
            .peers = vm->vcpus,
            .peer_count = vm->config.cpu_num,
            .memory = &vm->aspace,
            .console = vm->console,
            .irq_chip = vm->irq_chip,
            .devices = &vm_vcpu_devices,
        };
        err_t error = vcpu_new(vm->arch, &config, &vm->arena, &vm->vcpus[i]);

        if (error != OK)
            return error;
    }
    return OK;
}

/* Gives back all of a VM, whatever of it has been made. */
static void release(struct vm *vm)
{
    struct arena arena;

    vm->host->close_console(vm);
    device_set_release(&vm->devices);
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        vcpu_destroy(vm->vcpus[i]);
        vm->vcpus[i] = NULL;
    }
    aspace_fini(&vm->aspace);
    arena = vm->arena; /* the VM itself lies in it */
    arena_free_all(&arena);
}

static err_t make_boot_state(struct vm *vm)
{
    if (vm->arch->load == NULL)
        return OK;
    vm->boot_state =
        arena_alloc_array(&vm->arena, 1, vm->arch->boot_state_size);
    return vm->boot_state != NULL ? OK : ERR_NO_MEMORY;
}

static err_t make_parts(struct vm *vm, char *what)
{
    err_t error = make_aspace(vm, what);

    vm->console = vm->host->open_console(vm, NULL);
    if (error == OK && vm->console == NULL)
        error = ERR_NO_MEMORY;
    if (error == OK)
        error = make_boot_state(vm);
    if (error == OK)
        error = vm_make_devices(vm, what);
    if (error == OK)
        error = make_vcpus(vm);
    if (error == OK)
        error = map_memory(vm, what);
    return error;
}

err_t vm_create(const struct vm_config *config, const struct vcpu_ops *arch,
                const struct vm_host *host, struct vm **vm, char *what)
{
    struct arena arena = ARENA_INIT;
    struct vm *made = arena_new(&arena, struct vm);
    err_t error;

    (void)format_text(what, VM_REASON_SIZE, "out of memory");
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->arena = arena;
    made->config = *config;
    made->arch = arch;
    made->host = host;
    error = make_parts(made, what);
    if (error != OK) {
        release(made);
        return error;
    }
    *vm = made;
    return OK;
}

/* vCPU 0, and the others if the architecture starts them by itself. */
static err_t power_on_vcpus(struct vm *vm, char *what)
{
    struct vcpu_setup setup = {
        .entry = vm->entry,
        .arg = vm->boot_arg.raw,
        .state = vm->boot_state,
        .stage2 = {.root = vm->aspace.root,
                   .mode = vm->aspace.format->mode,
                   .gpa_bits = vm->aspace.format->gpa_bits},
    };
    uint32_t count = vm->arch->load != NULL ? vm->config.cpu_num : 1;

    for (uint32_t i = 0; i < count; i++) {
        err_t error = vcpu_setup(vm->vcpus[i], &setup);

        if (error != OK) {
            (void)format_text(what, VM_REASON_SIZE, "vCPU %u: %s", i,
                              error_text(error));
            return error;
        }
        atomic_store(&vm->vcpus[i]->powered, true);
        setup.state = NULL;
    }
    return OK;
}

err_t vm_load(struct vm *vm, char *what)
{
    err_t error;

    if (vm->state != VM_CREATED)
        return ERR_BAD_STATE;
    error = vm_load_images(vm, what);
    if (error != OK)
        return error;
    error = power_on_vcpus(vm, what);
    if (error == OK)
        vm->state = VM_READY;
    return error;
}

static err_t reset_vcpus(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.cpu_num; i++) {
        struct vcpu *vcpu = vm->vcpus[i];
        err_t error = vcpu->state == VCPU_CREATED ? OK : vcpu_reset(vcpu);

        if (error != OK)
            return error;
        atomic_store(&vcpu->powered, false);
    }
    return OK;
}

/* A region's frames are freed, so that no byte of the old guest is left. */
static err_t reset_memory(struct vm *vm, char *what)
{
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        err_t error = aspace_unmap(&vm->aspace, vm->config.memory[i].base,
                                   vm->config.memory[i].size);
        if (error != OK)
            return error;
    }
    return map_memory(vm, what);
}

err_t vm_reset(struct vm *vm, char *what)
{
    err_t error;

    if (vm->state != VM_STOPPED && vm->state != VM_FAILED)
        return ERR_BAD_STATE;
    (void)format_text(what, VM_REASON_SIZE, "out of memory");
    error = reset_vcpus(vm);
    if (error == OK)
        error = reset_memory(vm, what);
    if (error == OK) {
        device_set_reset(&vm->devices);
        vm->state = VM_CREATED;
        error = vm_load(vm, what);
    }
    vm->stop = VM_STOP_NONE;
    vm->reason[0] = '\0';
    if (error != OK) {
        vm->state = VM_FAILED;
        vm_request_stop(vm, VM_STOP_FAULT, "reset: %s", what);
    }
    return error;
}

err_t vm_destroy(struct vm *vm)
{
    if (vm->state == VM_RUNNING || vm->state == VM_PAUSING ||
        vm->state == VM_STOPPING)
        return ERR_BAD_STATE;
    release(vm);
    return OK;
}
