/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of hv/host/x86_64 share.
 *
 * With SVM, from vCPU to vCPU, VMLOAD leaves FS, GS, TR and LDTR to the guest:
 * while one is bound to a CPU, they are not the hypervisor's. (With VMX, each
 * exit gives them back, and the double fault's stack is always in use.) So no
 * code of the host uses FS or GS; it finds its CPU by the stack pointer, since
 * each stack lies in an aligned block. And while TR is a guest's, no entry of
 * the IDT names a stack (IST), which the processor would take from wherever the
 * guest's TR points. Traps are taken on the stack in use, for which the image
 * is compiled without a red zone. What that means:
 *
 *  - an NMI may come anywhere but between CLGI and STGI, and finds a good
 *    stack, since RSP always is one of ours while the hypervisor runs;
 *  - so does a machine check, which is the end;
 *  - an exception on a stack that has overflowed cannot be delivered, and
 *    becomes a double fault. That has a stack of its own while no guest is
 *    bound: in the CPU's emergency stack it is reported. With a guest bound it
 *    ends in a shutdown, and the machine is reset: nothing is corrupted.
 */
#ifndef HOST_X86_64_X86_HOST_H
#define HOST_X86_64_X86_HOST_H

#include "api/memory.h"
#include "arch/x86_64/regs.h"
#include "arch/x86_64/svm/vmcb.h"
#include "host/host.h"
#include "host/machine.h"
#include "host/x86_64/entry.h"
#include "host/x86_64/x86_board.h"

#define X86_GDT_ENTRIES 6

/* Task state segment (APM volume 2, section 12.2.5). */
struct x86_tss {
    uint32_t reserved_00;
    uint32_t rsp[6];
    uint32_t reserved_1c[2];
    uint32_t ist[14]; /* IST1 is the first pair */
    uint32_t reserved_5c[2];
    uint16_t reserved_64;
    uint16_t io_map;
};
_Static_assert(sizeof(struct x86_tss) == 104, "");

/* What a CPU has beyond its struct host_cpu. */
struct x86_host_cpu {
    struct vmcb host_state;       /* FS, GS, TR, ...: as VMSAVE stores them */
    uint8_t virt_page[PAGE_SIZE]; /* VM_HSAVE_PA, or the VMXON region */
    uint8_t emergency_stack[PAGE_SIZE];
    uint64_t gdt[X86_GDT_ENTRIES];
    struct x86_tss tss;
    const struct x86_host_cpu *self; /* by which stacks are told from others */
    uint64_t alarm;                  /* machine_set_alarm()'s */
    uint32_t pending; /* interrupts taken, not yet handed out: PENDING_... */
    uint32_t nmis;
} ALIGNED(4096);

/* A CPU's memory: that of host.h, then its struct x86_host_cpu. */
struct x86_block {
    uint8_t guard_and_stack[HOST_CPU_OFFSET];
    struct host_cpu host;
    struct x86_host_cpu x86;
};
#define X86_BLOCK_ALIGN 65536
_Static_assert(offsetof(struct x86_block, host) == HOST_CPU_OFFSET, "layout");
_Static_assert(sizeof(struct x86_block) <= X86_BLOCK_ALIGN, "layout");

static inline struct x86_block *x86_block_of(uint64_t stack)
{
    return (struct x86_block *)(uintptr_t)align_down(stack, X86_BLOCK_ALIGN);
}

static inline struct x86_block *x86_this_block(void)
{
    uint64_t stack;

    __asm__("mov %%rsp, %0" : "=r"(stack));
    return x86_block_of(stack);
}

static inline struct x86_host_cpu *x86_this_host_cpu(void)
{
    return &x86_this_block()->x86;
}

static inline struct x86_host_cpu *x86_host_cpu_of(struct host_cpu *cpu)
{
    return &container_of(cpu, struct x86_block, host)->x86;
}

/* The boot CPU's. */
extern struct x86_block x86_boot_block;
extern struct host_cpu *const x86_boot_cpu; /* for entry.S */
/* Where the stack of a CPU that is being started ends, or NULL. */
extern struct host_cpu *_Atomic x86_starting;
/* CR3 of all CPUs. */
extern uint32_t x86_root;

/* entry.S */
extern const char x86_trampoline[], x86_trampoline_end[];
extern const uint64_t x86_gdt[], x86_gdt_end[];
_Noreturn void x86_boot(uint32_t protocol, uint64_t info);
_Noreturn void x86_boot_other(void);

/* apic.c */
void apic_init(const struct x86_board *x86);
/* What each CPU needs. */
void apic_init_cpu(void);
uint32_t apic_id(void);
/* Sends an IPI to the CPU with APIC id `id`: a vector, or one of these. */
#define APIC_INIT          0x4500u
#define APIC_STARTUP(page) (0x4600u | (page))
void apic_send(uint32_t id, uint32_t command);
/* Whether `vector` waits for this CPU to take it. */
bool apic_is_requested(uint8_t vector);
void apic_end_interrupt(void);
/* The timer's interrupt, when the TSC gets to `until`, or earlier; UINT64_MAX:
 * never. */
void apic_set_timer(uint64_t until);
/* Whether it goes by the time-stamp counter. Otherwise it counts for itself,
 * downwards; apic_set_timer() needs to know how fast. */
bool apic_has_deadline(void);
uint32_t apic_timer_count(void);
void apic_set_timer_count(uint32_t count);
void apic_set_timer_scale(uint64_t timer_hz, uint64_t time_hz);
/* Leads the console's interrupt to this CPU. */
void ioapic_init(const struct x86_board *x86);

/* clock.c: how fast the TSC counts, Hz; sees to the timer's frequency. */
uint64_t clock_calibrate(void);
void clock_wait_us(uint64_t us);

/* smp.c: where the trampoline goes; before the page tables. */
void smp_place_trampoline(const struct x86_board *x86);

/* cpu.c: descriptor tables, control registers. */
void cpu_init(struct x86_host_cpu *cpu);
/* Double faults get a stack of their own, or not: see above. */
void cpu_use_emergency_stack(bool on);

/* virt.c: gets the processor's virtualization ready, or refuses it. */
void virt_init_cpu(struct x86_host_cpu *cpu);
/* hw.c: counts in what this CPU can do. */
void hw_add_cpu(void);

/* machine.c */
void machine_init_console(void);
void machine_init(const struct x86_board *x86, uint64_t frequency);

enum pending {
    PENDING_IPI = 1 << 0,
    PENDING_TIMER = 1 << 1,
    PENDING_CONSOLE = 1 << 2,
};

/* trap.S */
struct x86_trap_frame {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
extern const char x86_trap_stubs[];
#define X86_TRAP_STUB_SIZE 16
void x86_trap(const struct x86_trap_frame *frame);
/* Notes down an interrupt that this CPU has taken. */
void x86_take_interrupt(uint64_t vector);
_Noreturn void x86_report(const struct x86_trap_frame *frame);
_Noreturn void x86_report_on(void *stack, const struct x86_trap_frame *frame);

/* shim.c: lets the shims report what crosses them. Before paging. */
void shim_enable_recording(void);

#endif
