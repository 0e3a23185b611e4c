/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about each kind of exit. The table at the end is total: a kind
 * that no guest of an architecture can cause there is answered as one that
 * nobody knows, by stopping the VM with the reason.
 */
#include "api/time.h"
#include "vm/internal.h"

/*
 * How often in a row a vCPU may leave its guest at one place for nothing. A
 * few are normal: two vCPUs that fault on one page at the same time.
 */
#define MAX_STALLS 64

/* Counts an exit after which nothing had changed. */
static NOINLINE enum verdict resume_stalled(struct vm *vm, struct vcpu *vcpu,
                                            enum exit_kind kind, uint64_t where)
{
    uint64_t at = where ^ vcpu->ops->get_pc(vcpu);

    vcpu->stalls = vcpu->stall_at == at ? vcpu->stalls + 1 : 0;
    vcpu->stall_at = at;
    if (vcpu->stalls < MAX_STALLS)
        return VERDICT_RESUME;
    vm_request_stop(vm, VM_STOP_FAULT,
                    "vCPU %u makes no progress: %s again and again at pc 0x%llx"
                    " (0x%llx)",
                    vcpu->config.id, exit_kind_name(kind),
                    (unsigned long long)vcpu->ops->get_pc(vcpu),
                    (unsigned long long)where);
    return VERDICT_STOP_VM;
}

static enum verdict advance(struct vcpu *vcpu, const struct vm_exit *exit)
{
    VCPU_OP(vcpu, advance)(vcpu, exit);
    return VERDICT_RESUME;
}

static enum verdict on_nothing(struct vm *vm, struct vcpu *vcpu,
                               struct vm_exit *exit)
{
    return resume_stalled(vm, vcpu, exit->kind, 0);
}

/* The scheduler lets the host handle it before anything runs again. The guest
 * may take by now what it did not when it was entered. */
static enum verdict on_external_interrupt(struct vm *vm, struct vcpu *vcpu,
                                          struct vm_exit *exit)
{
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return VERDICT_YIELD;
}

/* No hypercall is assigned: every number gets an error in its result. */
static enum verdict on_hypercall(struct vm *vm, struct vcpu *vcpu,
                                 struct vm_exit *exit)
{
    VCPU_OP(vcpu, advance)(vcpu, exit);
    vcpu_set_return_value(vcpu, ~UINT64_C(0));
    return VERDICT_RESUME;
}

static ALWAYS_INLINE enum verdict
on_firmware_call(struct vm *vm, struct vcpu *vcpu, struct vm_exit *exit)
{
    return VCPU_OP(vcpu, firmware_call)(vcpu, exit);
}

static enum verdict on_sysreg(struct vm *vm, struct vcpu *vcpu,
                              struct vm_exit *exit)
{
    return vcpu->ops->sysreg(vcpu, exit);
}

static enum verdict on_lazy_state(struct vm *vm, struct vcpu *vcpu,
                                  struct vm_exit *exit)
{
    return vcpu->ops->lazy_state(vcpu, exit);
}

/* It always has an answer. */
static ALWAYS_INLINE enum verdict on_cpuid(struct vcpu *vcpu,
                                           struct vm_exit *exit)
{
    return VCPU_OP(vcpu, instruction)(vcpu, exit, NULL);
}

/* After an instruction that the architecture has made: it says why, if the VM
 * must stop, or a device has asked for the VM's end. */
static NOINLINE enum verdict after_emulation(struct vm *vm,
                                             const struct vcpu *vcpu,
                                             enum verdict verdict,
                                             const char *why)
{
    if (verdict == VERDICT_STOP_VM)
        vm_request_stop(vm, VM_STOP_FAULT, "vCPU %u: %s", vcpu->config.id, why);
    return vm->stop == VM_STOP_NONE ? verdict : VERDICT_STOP_VM;
}

static enum verdict on_instruction(struct vm *vm, struct vcpu *vcpu,
                                   struct vm_exit *exit)
{
    char what[VM_REASON_SIZE];
    enum verdict verdict = vcpu->ops->instruction(vcpu, exit, what);

    return likely(verdict == VERDICT_RESUME && vm->stop == VM_STOP_NONE)
               ? VERDICT_RESUME
               : after_emulation(vm, vcpu, verdict, what);
}

/* A device may have asked for the VM's end. */
static ALWAYS_INLINE enum verdict after_device(const struct vm *vm)
{
    return likely(vm->stop == VM_STOP_NONE) ? VERDICT_RESUME : VERDICT_STOP_VM;
}

/*
 * The pc moves only after the device has answered: a guest that gets an
 * exception instead finds it at the access. A device that is busy has done a
 * part of its work; the guest makes the access again, and host and other
 * vCPUs get their turn in between.
 */
static enum verdict device_refused(err_t error)
{
    return error == ERR_BUSY ? VERDICT_RESUME : VERDICT_INJECT;
}

static ALWAYS_INLINE enum verdict
access_slot(struct vm *vm, struct vcpu *vcpu,
            const struct device_access *access, const struct bus_slot *slot)
{
    uint64_t value = access->data;
    err_t error =
        access->write
            ? bus_slot_write(slot, access->address, access->width, value)
            : bus_slot_read(slot, access->address, access->width, &value);

    if (unlikely(error != OK))
        return device_refused(error);
    if (access->write)
        VCPU_OP(vcpu, finish_write)(vcpu, access);
    else
        VCPU_OP(vcpu, finish_read)(vcpu, access, value);
    return after_device(vm);
}

/*
 * What neither memory nor a simple access answers: the architecture makes the
 * whole instruction, if it can.
 */
static NOINLINE enum verdict emulate(struct vm *vm, struct vcpu *vcpu,
                                     struct vm_exit exit)
{
    char what[VM_REASON_SIZE];
    enum verdict verdict;

    if (vcpu->ops->emulate == NULL)
        return VERDICT_INJECT;
    verdict = vcpu->ops->emulate(vcpu, &exit, what);
    return after_emulation(vm, vcpu, verdict, what);
}

/* An access to a device's range: find out what it is, and make it. What the
 * device refuses may still have an answer on the architecture's bus. */
static ALWAYS_INLINE enum verdict access_device(struct vm *vm,
                                                struct vcpu *vcpu,
                                                struct vm_exit *exit,
                                                const struct bus_slot *slot)
{
    struct device_access access;
    enum verdict verdict;
    err_t error;

    error = VCPU_OP(vcpu, decode_mmio)(vcpu, exit, &access);
    if (unlikely(error == ERR_BUSY))
        return resume_stalled(vm, vcpu, exit->kind, exit->fault.gpa.raw);
    if (unlikely(error != OK))
        return emulate(vm, vcpu, *exit);
    exit->kind = access.write ? EXIT_MMIO_WRITE : EXIT_MMIO_READ;
    verdict = access_slot(vm, vcpu, &access, slot);
    return unlikely(verdict == VERDICT_INJECT) ? emulate(vm, vcpu, *exit)
                                               : verdict;
}

/* Of an architecture whose hardware says what was accessed. */
static enum verdict on_mmio(struct vm *vm, struct vcpu *vcpu,
                            struct vm_exit *exit)
{
    const struct bus_slot *slot =
        bus_find(&vm->devices.buses[BUS_MMIO], exit->access.address);

    return slot != NULL ? access_slot(vm, vcpu, &exit->access, slot)
                        : VERDICT_INJECT;
}

/* Memory that is not mapped, or not for this access. */
static NOINLINE enum verdict resolve_fault(struct vm *vm, struct vcpu *vcpu,
                                           struct vm_exit exit)
{
    gpa_t where = exit.fault.gpa;
    bool resolved = false;
    err_t error =
        aspace_handle_fault(&vm->aspace, where, exit.fault.access, &resolved);

    if (error == ERR_NO_MEMORY) {
        vm_request_stop(vm, VM_STOP_FAULT,
                        "no memory left for the page at 0x%llx",
                        (unsigned long long)where.raw);
        return VERDICT_STOP_VM;
    }
    if (error != OK)
        return emulate(vm, vcpu, exit);
    if (likely(resolved))
        return VERDICT_RESUME;
    /* Another vCPU was first, and this CPU may still hold the old entry: the
     * privileged architecture allows to keep even one that was not valid. */
    vcpu_request(vcpu, VCPU_REQUEST_FLUSH);
    return resume_stalled(vm, vcpu, EXIT_NESTED_PAGE_FAULT, where.raw);
}

static ALWAYS_INLINE enum verdict
on_nested_page_fault(struct vm *vm, struct vcpu *vcpu, struct vm_exit *exit)
{
    gpa_t where = exit->fault.gpa;
    const struct bus_slot *slot =
        bus_find(&vm->devices.buses[BUS_MMIO], where.raw);

    return slot != NULL ? access_device(vm, vcpu, exit, slot)
                        : resolve_fault(vm, vcpu, *exit);
}

/* A port that nobody drives floats high, and takes no notice of a write. */
static enum verdict on_io_read(struct vm *vm, struct vcpu *vcpu,
                               struct vm_exit *exit)
{
    uint64_t value;

    if (bus_read(&vm->devices.buses[BUS_PORT], exit->access.address,
                 exit->access.width, &value) != OK)
        value = ~UINT64_C(0);
    VCPU_OP(vcpu, finish_read)(vcpu, &exit->access, value);
    return after_device(vm);
}

static enum verdict on_io_write(struct vm *vm, struct vcpu *vcpu,
                                struct vm_exit *exit)
{
    err_t error = bus_write(&vm->devices.buses[BUS_PORT], exit->access.address,
                            exit->access.width, exit->access.data);

    if (error == ERR_BUSY)
        return VERDICT_RESUME;
    VCPU_OP(vcpu, finish_write)(vcpu, &exit->access);
    return after_device(vm);
}

static err_t read_bus(struct vm *vm, unsigned bus, uint64_t address,
                      unsigned width, uint64_t *value)
{
    return bus_read(&vm->devices.buses[bus], address, width, value);
}

static err_t write_bus(struct vm *vm, unsigned bus, uint64_t address,
                       unsigned width, uint64_t value)
{
    return bus_write(&vm->devices.buses[bus], address, width, value);
}

const struct vcpu_devices vm_vcpu_devices = {read_bus, write_bus};

static enum verdict on_wait(struct vm *vm, struct vcpu *vcpu,
                            struct vm_exit *exit)
{
    VCPU_OP(vcpu, advance)(vcpu, exit);
    return VERDICT_BLOCK;
}

/* Sets up and starts another vCPU of the VM, which must be off. */
static err_t start_vcpu(struct vm *vm, const struct vm_exit *exit)
{
    struct vcpu *target = vm_find_vcpu(vm, exit->cpu_up.target);

    if (target == NULL)
        return ERR_INVALID_INPUT;
    return vmm_start_vcpu(vm->config.id, target->config.id, exit->cpu_up.entry,
                          exit->cpu_up.arg);
}

static enum verdict on_cpu_up(struct vm *vm, struct vcpu *vcpu,
                              struct vm_exit *exit)
{
    vcpu->ops->set_cpu_up_result(vcpu, start_vcpu(vm, exit));
    return advance(vcpu, exit);
}

static enum verdict on_cpu_down(struct vm *vm, struct vcpu *vcpu,
                                struct vm_exit *exit)
{
    return VERDICT_POWER_OFF;
}

static enum verdict on_system_down(struct vm *vm, struct vcpu *vcpu,
                                   struct vm_exit *exit)
{
    vm_request_stop(
        vm, exit->system_down.reboot ? VM_STOP_REBOOT : VM_STOP_POWER_OFF,
        "the guest asked for it, reason %u", exit->system_down.reason);
    return VERDICT_STOP_VM;
}

static enum verdict on_send_ipi(struct vm *vm, struct vcpu *vcpu,
                                struct vm_exit *exit)
{
    vcpu_set targets = {exit->ipi.targets};

    if (vmm_inject_interrupt_to_vcpus(vm->config.id, targets,
                                      exit->ipi.vector) != OK)
        return VERDICT_INJECT;
    return advance(vcpu, exit);
}

static enum verdict on_interrupt_end(struct vm *vm, struct vcpu *vcpu,
                                     struct vm_exit *exit)
{
    interrupt_vector vector;

    (void)vcpu_handle_eoi(vcpu, &vector);
    return advance(vcpu, exit);
}

/* The vCPU looks what it can deliver now. */
static enum verdict on_interrupt_window(struct vm *vm, struct vcpu *vcpu,
                                        struct vm_exit *exit)
{
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return VERDICT_RESUME;
}

static enum verdict on_exception(struct vm *vm, struct vcpu *vcpu,
                                 struct vm_exit *exit)
{
    return VERDICT_INJECT;
}

/* ": name" of the hardware's reason, if it has one. */
static const char *reason_name(const struct vcpu *vcpu, uint64_t reason,
                               const char **colon)
{
    const char *name =
        vcpu->ops->reason_name != NULL ? vcpu->ops->reason_name(reason) : NULL;

    *colon = name != NULL ? ": " : "";
    return name != NULL ? name : "";
}

static enum verdict on_fail_entry(struct vm *vm, struct vcpu *vcpu,
                                  struct vm_exit *exit)
{
    const char *colon;
    const char *name = reason_name(vcpu, exit->fail_entry.reason, &colon);

    vm_request_stop(vm, VM_STOP_FAULT,
                    "the hardware refuses to enter vCPU %u: reason 0x%llx%s%s",
                    vcpu->config.id,
                    (unsigned long long)exit->fail_entry.reason, colon, name);
    return VERDICT_STOP_VM;
}

static enum verdict on_unknown(struct vm *vm, struct vcpu *vcpu,
                               struct vm_exit *exit)
{
    const char *colon;
    const char *name = reason_name(vcpu, exit->unknown.reason, &colon);

    vm_request_stop(vm, VM_STOP_FAULT,
                    "vCPU %u left its guest for a reason nobody knows: %s"
                    " 0x%llx at pc 0x%llx%s%s",
                    vcpu->config.id, exit_kind_name(exit->kind),
                    (unsigned long long)exit->unknown.reason,
                    (unsigned long long)vcpu->ops->get_pc(vcpu), colon, name);
    return VERDICT_STOP_VM;
}

const exit_handler vm_exit_handlers[EXIT_KIND_COUNT] = {
    [EXIT_NOTHING] = on_nothing,
    [EXIT_EXTERNAL_INTERRUPT] = on_external_interrupt,
    [EXIT_HYPERCALL] = on_hypercall,
    [EXIT_FIRMWARE_CALL] = on_firmware_call,
    [EXIT_MMIO_READ] = on_mmio,
    [EXIT_MMIO_WRITE] = on_mmio,
    [EXIT_IO_READ] = on_io_read,
    [EXIT_IO_WRITE] = on_io_write,
    [EXIT_SYSREG_READ] = on_sysreg,
    [EXIT_SYSREG_WRITE] = on_sysreg,
    [EXIT_CPUID] = on_instruction,
    [EXIT_INSTRUCTION] = on_instruction,
    [EXIT_NESTED_PAGE_FAULT] = on_nested_page_fault,
    [EXIT_HALT] = on_wait,
    [EXIT_IDLE] = on_wait,
    [EXIT_CPU_UP] = on_cpu_up,
    [EXIT_CPU_DOWN] = on_cpu_down,
    [EXIT_SYSTEM_DOWN] = on_system_down,
    [EXIT_SEND_IPI] = on_send_ipi,
    [EXIT_PREEMPTION_TIMER] = on_external_interrupt,
    [EXIT_INTERRUPT_END] = on_interrupt_end,
    [EXIT_INTERRUPT_WINDOW] = on_interrupt_window,
    [EXIT_EXCEPTION] = on_exception,
    [EXIT_LAZY_STATE] = on_lazy_state,
    [EXIT_FAIL_ENTRY] = on_fail_entry,
    [EXIT_UNKNOWN] = on_unknown,
};

/*
 * Gives the guest the exception that its exit deserves. One whose trap vector
 * is where it just failed would take it for ever.
 */
static NOINLINE enum verdict inject(struct vm *vm, struct vcpu *vcpu,
                                    struct vm_exit exit)
{
    return vcpu->ops->inject_fault(vcpu, &exit)
               ? VERDICT_RESUME
               : resume_stalled(vm, vcpu, exit.kind, vcpu->ops->get_pc(vcpu));
}

static NOINLINE enum verdict handle_other(struct vm *vm, struct vcpu *vcpu,
                                          struct vm_exit exit)
{
    return vm_exit_handlers[exit.kind](vm, vcpu, &exit);
}

/*
 * The table, with its most frequent rows where the compiler can join them with
 * the decoding. What is rare gets the exit by value: one that has no address
 * is kept in registers.
 */
static ALWAYS_INLINE enum verdict handle(struct vm *vm, struct vcpu *vcpu,
                                         struct vm_exit *exit)
{
    if (likely(exit->kind == EXIT_FIRMWARE_CALL))
        return on_firmware_call(vm, vcpu, exit);
    if (likely(exit->kind == EXIT_NESTED_PAGE_FAULT))
        return on_nested_page_fault(vm, vcpu, exit);
    if (VCPU_HAS_PORTS && exit->kind == EXIT_IO_READ)
        return on_io_read(vm, vcpu, exit);
    if (VCPU_HAS_PORTS && exit->kind == EXIT_CPUID)
        return on_cpuid(vcpu, exit);
    if (VCPU_HAS_PORTS && exit->kind == EXIT_HYPERCALL)
        return on_hypercall(vm, vcpu, exit);
    return handle_other(vm, vcpu, *exit);
}

EXIT_PATH enum verdict vm_handle_exit(struct vm *vm, struct vcpu *vcpu)
{
    uint64_t start = time_cycles();
    enum verdict verdict;
    struct vm_exit exit;

    atomic_store_explicit(&vcpu->in_guest, false, memory_order_relaxed);
    VCPU_OP(vcpu, decode)(vcpu, &exit);
    verdict = handle(vm, vcpu, &exit);
    if (unlikely(verdict == VERDICT_INJECT))
        verdict = inject(vm, vcpu, exit);
    vcpu->exit_kind = (uint8_t)exit.kind;
    exit_stats_add(vcpu->stats, exit.kind, time_cycles() - start);
    return verdict;
}
