/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of hv/vmm share: the one object that holds all of the
 * hypervisor's state.
 *
 * Lock order: a device's lock, an interrupt controller's, vmm->lock; the
 * console's lock is taken with any of them held, and nothing under it. The
 * address space's lock is never held while taking one of these.
 */
#ifndef VMM_INTERNAL_H
#define VMM_INTERNAL_H

#include "vm/vm.h"
#include "vmm/vmm.h"

/* How long a vCPU runs while another one waits for its CPU. */
#define SLICE_NS UINT64_C(10000000)

/* Where the scheduler has put a vCPU: vcpu->place. */
enum place {
    PLACE_OFF,     /* powered off */
    PLACE_QUEUED,  /* in vmm->queue */
    PLACE_ON_CPU,  /* bound to a CPU */
    PLACE_BLOCKED, /* waits for an interrupt */
    PLACE_PARKED,  /* could run, but its VM does not */
};

struct vmm_cpu {
    struct vcpu *current; /* bound to this CPU */
    uint32_t index;
    bool idle; /* waits; the next one to queue a vCPU kicks it */
    bool slice_armed;
    bool slice_over;
} ALIGNED(64);

#define CONSOLE_LINE  120
#define CONSOLE_INPUT 1024
#define CONSOLE_HELD  2048

/* One device's end of the console. */
struct console_port {
    struct chardev chardev;
    struct vm *vm;
    struct console_port *next;
    bool is_main; /* the VM's console: input goes here */
    unsigned line_used;
    char line[CONSOLE_LINE]; /* output of a VM that is not in focus */
    char label[VM_NAME_SIZE + 32];
    unsigned input_head, input_tail;
    uint8_t input[CONSOLE_INPUT];
};

struct console {
    struct spinlock lock;
    struct console_port *ports;
    struct vm *focus; /* its output is shown as it comes, input is its */
    bool mid_line;    /* the focus VM has begun a line */
    bool escape;      /* the last input byte was the escape key */

    /* What waits for the end of that line: lines, and the VMs, a bit for each,
     * whose exit counters are to be shown behind them. */
    atomic_bool is_behind; /* something waits */
    uint64_t stats_due;
    size_t held_used;
    char held[CONSOLE_HELD];
};

struct vmm {
    struct arena arena;
    const struct vcpu_ops *arch;
    uint32_t cpu_count;
    bool power_off_when_done;
    struct vmm_cpu *cpus;
    struct vm *vms[VMM_MAX_VMS]; /* by id */
    struct console console;

    struct spinlock lock; /* the scheduler's: the queue, places, VM states */
    struct list queue;    /* vCPUs that could run, the longest waiting first */
    uint32_t ending;      /* VMs that have stopped and are reported, or reset */
};

/* NULL before vmm_init() and after vmm_fini(). */
extern struct vmm *vmm;

extern const struct vm_host vmm_vm_host;

/* console.c */
void console_print(const char *format, ...) PRINTF_LIKE(1, 2);
/* Takes the host's input; calls no function with the scheduler's lock held. */
void console_poll(void);
/* A VM has gone: ends the lines that it has begun. */
void console_flush(const struct vm *vm);
void console_report_stats(const struct vm *vm);
/* The VM in focus will not end its line soon: shows what waits for that. */
void console_release(void);

/* sched.c */
struct vcpu *sched_next(struct vmm_cpu *cpu);
void sched_settle(struct vmm_cpu *cpu, struct vcpu *vcpu, enum verdict verdict);
/* Interrupts or the like of `vcpu` have changed. */
void sched_notify(struct vcpu *vcpu);
err_t sched_power_on(struct vcpu *vcpu,
                     const struct vcpu_setup *setup) MUST_CHECK;

/* With vmm->lock held: lets a vCPU run as soon as it may; ends its wait, for
 * good. */
void sched_enqueue(struct vcpu *vcpu);
void sched_end_wait(struct vcpu *vcpu);

/* Lets go of what `cpu` works on, for vmm_abandon_cpu(). */
void sched_abandon(struct vmm_cpu *cpu);

/* lifecycle.c: the VM's transitions of vm/vm.h that the scheduler makes. */
err_t vmm_start_vm(struct vm *vm) MUST_CHECK;
err_t vmm_pause_vm(struct vm *vm) MUST_CHECK;
err_t vmm_resume_vm(struct vm *vm) MUST_CHECK;
/* Harmless for a VM that is stopping or has stopped. The VM's own request, if
 * it made one, stands against `stop` and `why`. */
err_t vmm_stop_vm(struct vm *vm, enum vm_stop stop, const char *why) MUST_CHECK;
/* Resets and starts a VM, after stopping it if it runs; then, whether that
 * succeeds is seen later, and also if another CPU is at resetting it. What goes
 * wrong is reported. */
err_t vmm_restart_vm(struct vm *vm) MUST_CHECK;
/* The last vCPU of a VM that is pausing or stopping has left its CPU. */
void vmm_finish_stop(struct vm *vm);

/* Ends and destroys a VM that no CPU works on. */
err_t vmm_retire_vm(struct vm *vm) MUST_CHECK;

#endif
