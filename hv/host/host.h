/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare-metal host: what the image has in place of an operating system. It
 * implements hv/api on one machine, which it knows from the firmware alone.
 *
 * machine.h is the line between what is the same on every architecture (this
 * folder) and what is not (hv/host/<arch>).
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdatomic.h>

#include "api/host.h"
#include "lib/compiler.h"
#include "lib/spinlock.h"
#include "lib/timer_queue.h"

struct board;
struct vmm_boot;

/* Timers of one CPU that can wait at a time. */
#define HOST_TIMERS 256

/* A CPU. Its stack ends where this structure begins: see HOST_STACK_PAGES. */
struct host_cpu {
    uint64_t hw_id; /* what the hardware calls it; first, for entry.S */
    uint32_t id;    /* 0 to host_cpu_count() - 1 */
    _Atomic uint32_t kicked;     /* 1: an IPI is on its way */
    _Atomic uint32_t kicks_done; /* IPIs taken */
    _Atomic bool online;
    _Atomic bool outside; /* while recording: not in a guest */

    /* Free frames that this CPU has taken out of the allocator's bitmap: bit n
     * is the frame at frame_base + n pages. */
    uint64_t frame_mask;
    uint64_t frame_base;

    uint64_t alarm; /* what the timer hardware was told last, in ticks */
    struct timer_queue timers;
    struct timer_slot timer_slots[HOST_TIMERS];
};

/*
 * A CPU's memory: a guard page that is not mapped, the stack, which grows down
 * towards it, and its struct host_cpu.
 */
#define HOST_GUARD_PAGES 1
#define HOST_STACK_PAGES 4
#define HOST_CPU_PAGES   ((sizeof(struct host_cpu) + PAGE_SIZE - 1) / PAGE_SIZE)
#define HOST_CPU_OFFSET  ((HOST_GUARD_PAGES + HOST_STACK_PAGES) * PAGE_SIZE)
#define HOST_CPU_BLOCK   (HOST_CPU_OFFSET + HOST_CPU_PAGES * PAGE_SIZE)

/* The image's layout, in whole pages: images/<arch>/twinax.ld. */
extern char image_start[], image_text_end[], image_rodata_end[], image_end[];

/* The CPUs by number, the boot CPU first. */
extern struct host_cpu *host_cpus[MAX_CPU_NUM];

/*
 * Prepares the structure of a CPU that is about to start, in `memory` (one
 * HOST_CPU_BLOCK). It gets the next number; host_add_cpu() makes it count.
 */
struct host_cpu *host_cpu_init(void *memory, uint64_t hw_id);
void host_add_cpu(struct host_cpu *cpu);
/* Whether `cpu`, which has been started, shows itself in time. */
bool host_wait_until_online(const struct host_cpu *cpu);
/* This CPU has taken an IPI. */
void host_take_kick(void);

/* The boot CPU, once the machine is set up: makes the VMs, runs them. */
_Noreturn void host_main(const struct board *board);

/* recording.c: whether the boot arguments ask for what happens to be
 * recorded. */
bool host_is_recorded(const struct board *board);
void host_start_recording(const struct board *board,
                          const struct vmm_boot *boot);
/* The machine ends: so does the recording, if there is one. */
void host_end_recording(bool reboot);
/* The same when the hypervisor fails: the trace just ends. */
void host_cut_recording(void);

/* Any other CPU, once it is set up. */
_Noreturn void host_cpu_main(void);
/* Runs vCPUs for ever. */
_Noreturn void host_loop(void);

/* frames.c: hands the RAM of `board` between `start` and `end`, which can be
 * accessed, to the frame allocator. */
void frames_init(const struct board *board, uint64_t start, uint64_t end);
uint64_t frames_free_count(void);
/* The RAM it manages, piece by piece. */
void frames_for_each_zone(void (*visit)(uint64_t start, uint64_t size));

/* console.c */
void console_init(const struct board *board);
/* Takes what the device has received. True: there is input to read. */
bool console_handle_irq(void);
/* For the panic path: no lock is waited for from now on. */
void console_break_lock(void);
/* Prints a line of the host's own. "\n" becomes "\r\n". */
void host_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* time.c: before a CPU starts; and when its alarm has gone off. */
void time_init_cpu(struct host_cpu *cpu);
void time_handle_alarm(void);

/* paging.c: makes the hypervisor's page tables, which map the allocator's RAM,
 * the image and the bundle; maps memory that devices or firmware have, whole
 * pages of it; takes pages out, for this CPU and those that start later. The
 * root is what is made first. */
void paging_init(const struct board *board);
void paging_map(uint64_t start, uint64_t size, uint64_t flags);
void paging_remove(uint64_t start, uint64_t size);
extern uint64_t *paging_root;

/* panic.c */

/* The machine cannot be used: prints "twinax: ..." and ends it as a failure. */
_Noreturn void host_refuse(const char *format, ...) PRINTF_LIKE(1, 2);
/* False while no CPU has panicked; otherwise this CPU must park. */
bool host_has_panicked(void);
/* A panic begins on this CPU. Only the first CPU gets back; what happens on
 * it from now on ends with a minimal line. */
void panic_begin(void);
/* The CPU whose stack `stack` points into, or NULL. */
const struct host_cpu *panic_stack_owner(uint64_t stack);
/* In a guard page, the page below a CPU's stack: it has overflowed. */
bool panic_is_in_guard(uint64_t address);
/* Prints what looks like a return address from `stack` to the end of the
 * stack that it points into. */
void panic_print_calls(uint64_t stack);
/* Ends the machine. */
_Noreturn void panic_end(void);

#endif
