/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hv/host/riscv64 share. */
#ifndef HOST_RISCV64_RISCV_HOST_H
#define HOST_RISCV64_RISCV_HOST_H

#include "arch/riscv64/regs.h"
#include "host/devicetree.h"
#include "host/host.h"
#include "host/machine.h"

/* riscv_cpu.features, beside enum riscv_feature: the hypervisor extension. */
#define CPU_FEATURE_H (1u << 31)

struct riscv_hart {
    uint64_t hw_id;
    uint32_t intc; /* phandle of its interrupt controller's node */
    uint32_t features;
    bool usable;
};

struct riscv_plic {
    struct range reg;
    const void *contexts; /* interrupts-extended */
    uint32_t contexts_size;
    uint32_t sources;
};

/* What the device tree says of a RISC-V machine. */
struct riscv_board {
    struct devicetree tree;
    struct riscv_plic plic;
    struct range finisher; /* sifive,test0; size 0: there is none */
    uint64_t timebase;     /* Hz */
    uint32_t cpu_count;
    struct riscv_hart cpus[MAX_CPU_NUM];
};

/* entry.S */
extern char riscv_start_other[];
/* Where the others find the page tables: SATP's value. */
extern uint64_t riscv_satp;
/* The CPU that is being started, or NULL. */
extern struct host_cpu *_Atomic riscv_starting;
_Static_assert(offsetof(struct host_cpu, hw_id) == 0, "as entry.S has it");

/* The trap vectors: ends of world switches. */
extern char riscv_vector[];     /* of the CPU loop's */
extern char riscv_run_vector[]; /* of riscv_hw_run()'s */

/* The boot CPU's memory: host.h says what is where. */
struct boot_block {
    uint8_t guard_and_stack[HOST_CPU_OFFSET];
    struct host_cpu cpu;
};
_Static_assert(offsetof(struct boot_block, cpu) == HOST_CPU_OFFSET, "layout");
extern struct boot_block boot_block;
extern struct host_cpu *const boot_cpu;

/* trap.S saves a trap of the hypervisor's own as this, and calls. */
struct riscv_trap_frame {
    uint64_t gpr[REG_COUNT];
};
_Noreturn void riscv_report_trap(const struct riscv_trap_frame *frame);

/* guest.S */
void hw_load_fp(const struct riscv_fp_state *fp);
void hw_save_fp(struct riscv_fp_state *fp);
uint64_t hw_read_fpr(uint32_t reg);
void hw_write_fpr(uint32_t reg, uint64_t value);
void hw_load_vector(const void *registers, uint64_t vlenb);
void hw_save_vector(void *registers, uint64_t vlenb);
void hw_set_vl(uint64_t vl, uint64_t vtype);
int64_t hw_load_guest(uint64_t address);
int64_t hw_probe_cycle(void);

/* hw.c: finds out what the processor can do; of `features`, by the device
 * tree, what the firmware lets us use stays. */
void riscv_hw_probe(uint64_t features);

/* plic.c: the machine's interrupt controller, for this CPU. */
void plic_init(const struct riscv_board *board, const struct riscv_hart *cpu);
/* Takes its most urgent interrupt and handles it: an enum host_irq. */
uint32_t plic_take_irq(void);

/* machine.c */
void machine_init(const struct riscv_board *board);
/* What each CPU needs before it may take traps. */
void machine_init_cpu(void);

/* shim.c: lets the shims report what crosses them. Before paging_init(). */
void shim_enable_recording(void);

#endif
