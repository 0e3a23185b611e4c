/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual CPU that all architectures share: its states, its pending
 * requests, its exit counters, and the table of operations that an
 * architecture fills in.
 *
 *   call     from      to        if the architecture's operation fails
 *   -------  --------  --------  -------------------------------------
 *   new      -         Created   the error is returned, nothing is made
 *   setup    Created   Free      Invalid
 *   bind     Free      Ready     Invalid
 *   enter    Ready     Running   Invalid
 *   leave    Running   Ready     Invalid
 *   unbind   Ready     Free      Invalid
 *   block    Free      Blocked   -
 *   wake     Blocked   Free      -
 *   reset    Free, Blocked  Created  Invalid
 *
 * run is enter, the world switch, leave, and decoding the exit. enter returns
 * ERR_BUSY, and the vCPU stays Ready, when VCPU_REQUEST_YIELD asks to look
 * first who shall run. A call in another state returns
 * ERR_BAD_STATE and changes nothing. Nothing leads out of Invalid but destroy.
 *
 * One CPU works on a vCPU at a time: the one it is bound to, or the one that
 * holds its scheduler lock. Only `requests`, `in_guest`, and what
 * vcpu_inject_interrupt() and vcpu_set_interrupt_line() write may be touched
 * from any CPU at any time.
 */
#ifndef VCPU_VCPU_H
#define VCPU_VCPU_H

#include <stdatomic.h>

#include "api/host.h"
#include "api/vmm.h"
#include "lib/list.h"
#include "vcpu/exit.h"
#include "vcpu/stats.h"

struct arena;
struct aspace;
struct irq_chip;
struct s2_format;
struct vm;
struct vm_boot;

enum vcpu_state {
    VCPU_INVALID = 0,
    VCPU_CREATED = 1,
    VCPU_FREE = 2,
    VCPU_READY = 3,
    VCPU_RUNNING = 4,
    VCPU_BLOCKED = 5,
};

const char *vcpu_state_name(enum vcpu_state state);

/* What another CPU wants from a vCPU before it enters its guest again. */
enum vcpu_request {
    VCPU_REQUEST_INTERRUPT = 1 << 0, /* pending interrupts have changed */
    VCPU_REQUEST_FLUSH = 1 << 1,     /* stage-2 tables have changed */
    VCPU_REQUEST_ARCH = 1 << 2,      /* the architecture's own word says */
    VCPU_REQUEST_YIELD = 1 << 3,     /* let the scheduler look */
};

/* What place_kernel() is shown of a kernel. */
#define VCPU_KERNEL_HEADER 64

enum trigger { TRIGGER_EDGE, TRIGGER_LEVEL };

/*
 * How an instruction that an architecture makes by itself reaches the VM's
 * devices: accesses to a bus, naturally aligned, of 1, 2, 4 or 8 bytes.
 * ERR_NOT_FOUND where no device is; else the device's answer.
 */
struct vcpu_devices {
    err_t (*read)(struct vm *vm, unsigned bus, uint64_t address, unsigned width,
                  uint64_t *value);
    err_t (*write)(struct vm *vm, unsigned bus, uint64_t address,
                   unsigned width, uint64_t value);
};

/* What is fixed when a vCPU is made. */
struct vcpu_config {
    struct vm *vm; /* its owner, opaque here */
    vm_id vm_id;
    vcpu_id id;
    uint64_t hw_id;          /* the id the guest knows it by (hart id, MPIDR) */
    uint64_t affinity;       /* bit n: may run on host CPU n; 0: any */
    struct vcpu **peers;     /* all vCPUs of the VM, by id */
    size_t peer_count;       /* 8 bytes, so that the structure has no padding */
    struct aspace *memory;   /* the VM's, for reads and writes */
    struct chardev *console; /* for the firmware's console calls, or NULL */
    struct irq_chip *irq_chip; /* the VM's first; NULL: it has none */
    const struct vcpu_devices *devices;
};

/* Where the guest's stage-2 tables are; see hv/addrspace/format.h. */
struct stage2_root {
    hpa_t root;
    uint32_t mode;     /* the hardware's encoding of the table format */
    uint32_t gpa_bits; /* width of a guest-physical address */
};

/* What a vCPU starts with. */
struct vcpu_setup {
    gpa_t entry;
    struct stage2_root stage2;
    uint64_t arg; /* the boot protocol's argument: the device tree's address */
    /* Of an architecture with a `load`, what that has made, for vCPU 0; it
     * stays until the VM is loaded again. NULL: the vCPU waits for a guest's
     * call that starts it. */
    const void *state;
};

struct vcpu {
    /* Touched on every exit: one cache line. */
    const struct vcpu_ops *ops;
    _Atomic uint32_t requests;
    _Atomic bool in_guest; /* a CPU has decided to enter, and not yet left */
    uint8_t state;
    uint8_t cpu; /* the CPU it is bound to, or was last */
    uint8_t id;
    uint32_t stalls;   /* exits in a row without progress */
    uint8_t exit_kind; /* of its last exit, as it was handled; for traces */
    uint64_t stall_at; /* where */
    struct exit_stats *stats;

    struct vcpu_config config;
    struct vcpu_setup boot;

    /* The scheduler's, under its lock. */
    struct list run_link;
    _Atomic bool powered; /* on, in the sense of PSCI and SBI HSM */
    bool wake_pending;    /* woken between its decision to block and Blocked */
    uint8_t place;        /* where the scheduler has put it */
    uint64_t wake_timer;  /* token of the timer that ends its wait */
};

/*
 * What an architecture provides. The process holds several architectures, so
 * the functions are reached through this table and nothing else.
 */
struct vcpu_ops {
    const char *name;
    /* Of the architecture's structure, a struct vcpu first. */
    size_t size, align;

    /* Forgets what the CPUs hold of vCPUs that are no more. Called before the
     * first vCPU of a machine is made; may be NULL. */
    void (*reset_machine)(void);

    /* Prepares the zeroed structure; takes what memory it needs in `arena`. */
    err_t (*init)(struct vcpu *vcpu, struct arena *arena);
    /* Gives back what it holds outside the arena. */
    void (*fini)(struct vcpu *vcpu);
    /* Reset state, entry point, stage-2 root, from vcpu->boot. */
    err_t (*setup)(struct vcpu *vcpu);

    /* Back to what init left. */
    err_t (*reset)(struct vcpu *vcpu);

    /* Loads the guest's state into the current CPU; saves it again. In bind,
     * vcpu->cpu still is the CPU it was bound to before. */
    err_t (*bind)(struct vcpu *vcpu);
    err_t (*unbind)(struct vcpu *vcpu);
    /* Acts on `requests` (what vcpu->requests held) before an entry. */
    err_t (*prepare)(struct vcpu *vcpu, uint32_t requests);
    /* Enters the guest and returns when it has exited. */
    void (*world_switch)(struct vcpu *vcpu);
    /* What that does after an exit, beside bringing its registers: for a
     * replay, which makes no world switch. May be NULL. */
    void (*exited)(struct vcpu *vcpu);

    /* Says why the guest exited; no effect but on `exit`. */
    void (*decode)(const struct vcpu *vcpu, struct vm_exit *exit);
    /* What the manual calls the reason of an EXIT_FAIL_ENTRY or EXIT_UNKNOWN.
     * NULL, also as a result: it is a number and no more. */
    const char *(*reason_name)(uint64_t reason);
    /* Says which access a nested page fault at a device's address is, reading
     * the instruction from guest memory when the hardware does not describe
     * it. ERR_UNSUPPORTED for an instruction no device access is made with,
     * and for a fetch; ERR_BUSY when it could not be read, and the guest shall
     * retry. */
    err_t (*decode_mmio)(struct vcpu *vcpu, const struct vm_exit *fault,
                         struct device_access *access);
    /* Finishes an access that a device has answered: the pc moves; a read's
     * value is extended, and written to the destination. */
    void (*finish_read)(struct vcpu *vcpu, const struct device_access *access,
                        uint64_t value);
    void (*finish_write)(struct vcpu *vcpu, const struct device_access *access);
    /* Moves the pc past the instruction that caused `exit`; for EXIT_SEND_IPI
     * and EXIT_HALT it also stores the call's success. */
    void (*advance)(struct vcpu *vcpu, const struct vm_exit *exit);
    /* Gives the guest the exception that bare hardware would raise. False: it
     * takes it where it is, and will for ever. */
    bool (*inject_fault)(struct vcpu *vcpu, const struct vm_exit *exit);
    /* Makes all of the instruction that has caused a nested page fault which
     * neither memory nor decode_mmio() answers: a verdict, with the reason in
     * `what` (VM_REASON_SIZE bytes) if that is VERDICT_STOP_VM. NULL: the fault
     * is injected. */
    enum verdict (*emulate)(struct vcpu *vcpu, const struct vm_exit *fault,
                            char *what);

    /* The stage-2 format for guest-physical addresses below `top`. NULL: the
     * hardware has none so wide. */
    const struct s2_format *(*stage2_format)(uint64_t top);

    /* Boot by protocols of its own: puts all that `boot` names, and what else
     * the protocol asks for, into guest memory, and fills in what vCPU 0
     * starts with, its setup's `state`, of `boot_state_size` bytes. On an error
     * `what`, of VM_REASON_SIZE bytes, says why. All vCPUs are powered on with
     * the VM then: those but the first wait for the guest to start them. */
    err_t (*load)(const struct vm_boot *boot, void *state, char *what);
    size_t boot_state_size;
    /* Or, where `load` is NULL, by hv/vm with a device tree: where in memory
     * at `base` a kernel goes, judged by its first VCPU_KERNEL_HEADER bytes;
     * the properties of the vCPU's node in the tree, and those of the node
     * around them (libfdt error codes). */
    gpa_t (*place_kernel)(const void *header, gpa_t base);
    int (*describe_cpu)(const struct vcpu *vcpu, void *fdt);
    int (*describe_cpus)(const struct vcpu *bsp, void *fdt);

    /* Kinds whose handling is the architecture's own, the pc included.
     * VERDICT_INJECT asks for inject_fault(). */
    enum verdict (*firmware_call)(struct vcpu *vcpu, struct vm_exit *exit);
    enum verdict (*sysreg)(struct vcpu *vcpu, struct vm_exit *exit);
    enum verdict (*lazy_state)(struct vcpu *vcpu, struct vm_exit *exit);
    /* `what` as above; NULL for EXIT_CPUID. */
    enum verdict (*instruction)(struct vcpu *vcpu, struct vm_exit *exit,
                                char *what);
    /* The result of EXIT_CPU_UP, in the firmware interface's own code. */
    void (*set_cpu_up_result)(struct vcpu *vcpu, err_t result);

    uint64_t (*get_pc)(const struct vcpu *vcpu);
    void (*set_pc)(struct vcpu *vcpu, uint64_t pc);
    uint64_t (*get_gpr)(const struct vcpu *vcpu, unsigned reg);
    void (*set_gpr)(struct vcpu *vcpu, unsigned reg, uint64_t value);
    unsigned gpr_count;
    /* The register(s) in which a hypercall returns. */
    void (*set_return_value)(struct vcpu *vcpu, uint64_t value);

    /* From any CPU. ERR_INVALID_INPUT for a vector it does not have. */
    err_t (*inject_interrupt)(struct vcpu *vcpu, interrupt_vector vector,
                              enum trigger trigger);
    err_t (*set_interrupt_line)(struct vcpu *vcpu, interrupt_vector vector,
                                bool high);
    /* The guest ended its current interrupt. False when there was none;
     * otherwise `vector` says which, so that a level source may assert it
     * again. */
    bool (*handle_eoi)(struct vcpu *vcpu, interrupt_vector *vector);
    interrupt_vector timer_vector;
    /* What an interrupt controller's line drives; 0: there is no such line. */
    interrupt_vector external_vector;
    /* On the vCPU's CPU, bound: whether an interrupt would end its wait. */
    bool (*has_wakeup)(struct vcpu *vcpu);
    /* The time (ns) at which its own timer ends a wait; UINT64_MAX: never. */
    uint64_t (*wakeup_deadline)(struct vcpu *vcpu);
};

/*
 * How the exit path calls an operation of a vCPU: through its table, or, in a
 * build that has one architecture and names it (VCPU_ARCH), directly, so that
 * the compiler can join it with what calls it. Such a build also says whether
 * its guests have ports, CPUID, and hypercalls that are no firmware calls,
 * whose exits are frequent then (VCPU_HAS_PORTS).
 */
#ifdef VCPU_ARCH
#define VCPU_JOIN_(arch, op) arch##_##op
#define VCPU_JOIN(arch, op)  VCPU_JOIN_(arch, op)
#define VCPU_OP(vcpu, op)    VCPU_JOIN(VCPU_ARCH, op)
#define VCPU_DECLARE(op) \
    __typeof__(*((const struct vcpu_ops *)NULL)->op) VCPU_OP(, op);
VCPU_DECLARE(decode)
VCPU_DECLARE(decode_mmio)
VCPU_DECLARE(finish_read)
VCPU_DECLARE(finish_write)
VCPU_DECLARE(advance)
VCPU_DECLARE(firmware_call)
VCPU_DECLARE(instruction)
#else
#define VCPU_OP(vcpu, op) ((vcpu)->ops->op)
#define VCPU_HAS_PORTS    1
#endif

/*
 * Makes a vCPU of architecture `ops` in `arena`. ERR_INVALID_INPUT for an id
 * or peer count beyond MAX_VCPU_NUM, ERR_NO_MEMORY.
 */
err_t vcpu_new(const struct vcpu_ops *ops, const struct vcpu_config *config,
               struct arena *arena, struct vcpu **vcpu) MUST_CHECK;
/*
 * Ends a vCPU that is not bound: gives back what it holds outside the arena
 * (timers, CPU state). NULL is allowed.
 */
void vcpu_destroy(struct vcpu *vcpu);

/* The transitions of the table above. */
err_t vcpu_setup(struct vcpu *vcpu, const struct vcpu_setup *setup) MUST_CHECK;
err_t vcpu_bind(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_unbind(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_enter(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_leave(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_run(struct vcpu *vcpu, struct vm_exit *exit) MUST_CHECK;
err_t vcpu_block(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_wake(struct vcpu *vcpu) MUST_CHECK;
err_t vcpu_reset(struct vcpu *vcpu) MUST_CHECK;

/* A new entry point, for a vCPU that is Created or Free. */
err_t vcpu_set_entry(struct vcpu *vcpu, gpa_t entry) MUST_CHECK;
/* ERR_INVALID_INPUT for a register the architecture does not have. */
err_t vcpu_set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value) MUST_CHECK;
err_t vcpu_get_gpr(const struct vcpu *vcpu, unsigned reg,
                   uint64_t *value) MUST_CHECK;
void vcpu_set_return_value(struct vcpu *vcpu, uint64_t value);

/* From any CPU; the vCPU is not woken or kicked: vmm_inject_interrupt() is. */
err_t vcpu_inject_interrupt(struct vcpu *vcpu,
                            interrupt_vector vector) MUST_CHECK;
err_t vcpu_inject_interrupt_with_trigger(struct vcpu *vcpu,
                                         interrupt_vector vector,
                                         enum trigger trigger) MUST_CHECK;
err_t vcpu_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                              bool high) MUST_CHECK;
bool vcpu_handle_eoi(struct vcpu *vcpu, interrupt_vector *vector);

/* The boot processor is vCPU 0. */
static inline bool vcpu_is_bsp(const struct vcpu *vcpu)
{
    return vcpu->config.id == 0;
}

static inline bool vcpu_may_run_on(const struct vcpu *vcpu, uint32_t cpu)
{
    return vcpu->config.affinity == 0 ||
           (cpu < 64 && (vcpu->config.affinity & BIT(cpu)) != 0);
}

/* Adds to what the vCPU must look at before its next entry. */
static inline void vcpu_request(struct vcpu *vcpu, uint32_t requests)
{
    atomic_fetch_or_explicit(&vcpu->requests, requests, memory_order_seq_cst);
}

/*
 * The decision to enter: from here on, whoever adds a request must kick. False
 * when there is a request to act on first; the vCPU then is not in the guest.
 */
static inline bool vcpu_commit_entry(struct vcpu *vcpu)
{
    atomic_store_explicit(&vcpu->in_guest, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (likely(atomic_load_explicit(&vcpu->requests, memory_order_relaxed) ==
               0))
        return true;
    atomic_store_explicit(&vcpu->in_guest, false, memory_order_relaxed);
    return false;
}

/*
 * The same, acting on requests until there is none left. ERR_BUSY: a request
 * to yield, which is for whoever schedules; otherwise what the architecture
 * says. On an error the vCPU is not in the guest.
 */
err_t vcpu_commit(struct vcpu *vcpu) MUST_CHECK;

#endif
