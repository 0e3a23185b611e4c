/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake riscv64 CPU with the hypervisor extension, seen from the hypervisor
 * in HS-mode. It implements hv/arch/riscv64/hw.h. Sources: The RISC-V
 * Instruction Set Manual, Volume II, 1.12, chapters "Supervisor-Level ISA" and
 * "Hypervisor Extension"; Sstc 1.0.
 *
 *   csr.c        the CSRs: which bits exist, what they may hold, aliases
 *   mmu.c        two-stage address translation
 *   tlb.c        what of it is remembered, and whether rightly so
 *   encode.c     guest operations as instructions; htinst
 *   trap.c       exceptions and interrupts: to VS-mode, or an exit
 *   ops.c        what each guest operation does
 *   run.c        guest entry, the loop, exit
 *   entry.c      the rules an entry's state must obey
 *   hw.c         the functions of the seam
 *
 * Not modelled: M-mode (firmware has delegated everything to HS-mode), HS-mode
 * translation, external interrupts of guests (hgeie), debug, and endianness
 * other than little.
 */
#ifndef SIM_FAKE_HW_RISCV64_CPU_H
#define SIM_FAKE_HW_RISCV64_CPU_H

#include "api/host.h"
#include "arch/riscv64/hw.h"
#include "sim/fake_hw/op.h"
#include "sim/fake_hw/riscv64/profile.h"
#include "sim/fake_hw/violation.h"

#define TLB_BITS    6
#define TLB_ENTRIES (1 << TLB_BITS) /* of each stage */

/* A remembered translation of a 4 KiB page. Valid while `generation` is its
 * stage's. */
struct tlb_entry {
    uint64_t generation;
    uint64_t page;                   /* page number that was looked up */
    uint64_t to;                     /* page number it translates to */
    const struct trap_source *guest; /* whose access brought it in */
    uint16_t vmid;
    uint16_t asid;
    uint8_t access; /* enum access bits; VS-stage: TLB_USER, TLB_GLOBAL too */
};

#define TLB_USER   8
#define TLB_GLOBAL 16

struct tlb {
    /* More of one forgets all of its stage; from 1. */
    uint64_t generation, vs_generation;
    struct tlb_entry g[TLB_ENTRIES];  /* guest-physical to host-physical */
    struct tlb_entry vs[TLB_ENTRIES]; /* guest-virtual to guest-physical */
};

struct fake_riscv {
    const struct riscv_profile *profile;
    uint32_t index;

    /* The CSRs with state of their own; others are aliases. */
    uint64_t sstatus, scounteren, senvcfg;
    uint64_t hstatus, hedeleg, hideleg, hie, htimedelta, hcounteren, henvcfg;
    uint64_t htval, htinst, hvip, hgatp;
    uint64_t vsstatus, vstvec, vsscratch, vsepc, vscause, vstval, vsatp;
    uint64_t vstimecmp;
    uint64_t stval;
    uint64_t fcsr;
    uint64_t instret;
    uint64_t zero; /* registers that are always 0 */

    struct riscv_fp_state fp;
    struct riscv_vector_state vector;
    struct tlb tlb;

    /* While a guest is in. */
    struct riscv_regs *regs;
    struct trap_source *source;
    bool user; /* VU-mode */
    bool exited;
};

/* The CPUs of the machine; those from host_cpu_count() on do not exist. */
extern struct fake_riscv fake_riscv_cpus[MAX_CPU_NUM];

struct fake_riscv *fake_riscv_current(void);

/* Power-on: all CPUs are of `profile` (NULL: the default), CSRs as firmware
 * leaves them, no sources. */
void fake_riscv_reset(const struct riscv_profile *profile, uint32_t cpus);

/* Where CPU `cpu` takes its guest's operations from; NULL: nowhere. */
void fake_riscv_set_source(uint32_t cpu, struct trap_source *source);

/* How illegal entry states are treated; RULES_REJECT by default. */
void fake_riscv_set_rule_mode(enum rule_mode mode);

/* How much virtual time an entry takes, and each operation, in ticks. */
#define FAKE_RISCV_OP_TICKS 1

/* csr.c ------------------------------------------------------------------- */

/* What an access to a CSR, or an instruction, gets. */
enum fake_fault { FAULT_NONE, FAULT_ILLEGAL, FAULT_VIRTUAL };

/* HS-mode's access to CSR `number`; reads of absent ones are 0. */
uint64_t csr_read(struct fake_riscv *cpu, unsigned number);
void csr_write(struct fake_riscv *cpu, unsigned number, uint64_t value);

/* The guest's access, in its present mode. `*old` is set by an access without
 * a fault; `value` is written if `writes`. */
enum fake_fault csr_guest_read(struct fake_riscv *cpu, unsigned number,
                               bool writes, uint64_t *old);
void csr_guest_write(struct fake_riscv *cpu, unsigned number, uint64_t value);

/* hip: what is pending, hvip and the guest's timer. */
uint64_t csr_hip(const struct fake_riscv *cpu);

/* Whether guest instructions of the unit are legal now. */
bool csr_fp_is_on(const struct fake_riscv *cpu);
bool csr_vector_is_on(const struct fake_riscv *cpu);
void csr_set_dirty(struct fake_riscv *cpu, uint64_t unit);

/* mmu.c ------------------------------------------------------------------- */

/* How an access ended. */
struct translation {
    bool ok;
    bool implicit;  /* the fault is of a VS-stage table access */
    uint8_t access; /* what the implicit access wanted */
    uint32_t cause; /* a fault's exception */
    uint64_t gpa;   /* where: of a guest page fault, or the result */
    uint64_t hpa;   /* the result */
};

/* Translates guest-virtual `address` for one enum access, as the guest's mode
 * `user` would; for hlvx, ACCESS_EXECUTE. */
struct translation mmu_translate(struct fake_riscv *cpu, uint64_t address,
                                 unsigned access, bool user);

/* The fresh walks, which remember nothing. False: there is no translation.
 * `*allows` are enum access bits. */
bool mmu_walk_g(const struct fake_riscv *cpu, uint64_t address, uint64_t *to,
                unsigned *allows);

/* A pointer to allocated host memory, or NULL after reporting a violation. */
void *mmu_host_memory(const struct fake_riscv *cpu, uint64_t hpa,
                      uint64_t size);

/* tlb.c ------------------------------------------------------------------- */

/* Looks a page up, and puts one in. The caller compares what it found with a
 * fresh walk. */
struct tlb_entry *tlb_find_g(struct fake_riscv *cpu, uint64_t page);
struct tlb_entry *tlb_find_vs(struct fake_riscv *cpu, uint64_t page);
void tlb_put_g(struct fake_riscv *cpu, uint64_t page, uint64_t to,
               unsigned access);
void tlb_put_vs(struct fake_riscv *cpu, uint64_t page, uint64_t to,
                unsigned access);

#define TLB_ANY UINT64_MAX /* any VMID, ASID, or the whole address space */
void tlb_reset(struct fake_riscv *cpu);
void tlb_flush_g(struct fake_riscv *cpu, uint64_t vmid, uint64_t start,
                 uint64_t size);
void tlb_flush_vs(struct fake_riscv *cpu, uint64_t asid, uint64_t start,
                  uint64_t size);

/* encode.c ---------------------------------------------------------------- */

/* The instruction that `op` is, and its length in bytes: 0 for operations
 * that are none. */
uint32_t encode_op(const struct guest_op *op, unsigned *length);

/* htinst for a guest page fault of that instruction; 0: not transformed. */
uint32_t encode_transformed(uint32_t insn);

/* trap.c ------------------------------------------------------------------ */

/* What goes with an exception. */
struct fake_trap {
    uint32_t cause;
    bool gva; /* tval is a guest-virtual address */
    uint64_t tval, htval, htinst;
};

/* The exception goes to VS-mode or, if hedeleg does not say so, is an exit. */
void trap_exception(struct fake_riscv *cpu, const struct fake_trap *trap);

/* The operation in flight is the hypervisor's now. */
void trap_op_exits(struct trap_source *source);

/* An exit with any cause. */
void trap_exit(struct fake_riscv *cpu, uint64_t scause,
               const struct fake_trap *trap);

/* Takes the most urgent interrupt, if there is one. True: it was an exit. */
bool trap_interrupt(struct fake_riscv *cpu);

/* ops.c ------------------------------------------------------------------- */

/* Executes the operation in flight: it retires, traps, or exits. */
void op_execute(struct fake_riscv *cpu);

/* The operation is over: tells its source. */
void op_finish(struct fake_riscv *cpu, enum guest_outcome outcome);

/* entry.c ----------------------------------------------------------------- */

/* Whether the entry's state is legal, or was made so. */
bool entry_check(struct fake_riscv *cpu);

#endif
