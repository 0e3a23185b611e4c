/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake x86_64 CPU, seen from the hypervisor: its host state, and the guest
 * that runs on it, as far as both do not depend on the vendor. It implements
 * what hv/arch/x86_64/hw.h has for all; svm/ has the rest, behind
 * struct fake_x86_vendor (vendor.h). Source: AMD64 Architecture Programmer's
 * Manual, volume 2, chapters 2 to 8, and volume 3.
 *
 *   run.c        a guest's time on the CPU
 *   step.c       a guest operation, from its fetch to what it leaves
 *   ops.c        what each does; the rest of it in memory.c, segment.c,
 *                system.c
 *   encode.c     guest operations as instructions
 *   event.c      exceptions, double and triple faults
 *   deliver.c    how the guest takes an event, through its IDT and its stack
 *   mmu.c        the guest's page tables, and who may access what
 *   tlb.c        what of them, and of nested tables, is remembered
 *   cpuid.c      what CPUID says
 *   hw.c         the functions of the seam
 *
 * An operation's instruction is put into guest memory at RIP before it is
 * executed, once it could be fetched there: a hypervisor that must look at the
 * instruction finds it.
 *
 * Not modelled: host mode's own translation, debug breakpoints, task switches,
 * segment limits of the guest's accesses, and stack switches through a TSS.
 */
#ifndef SIM_FAKE_HW_X86_64_CPU_CPU_H
#define SIM_FAKE_HW_X86_64_CPU_CPU_H

#include "api/host.h"
#include "arch/x86_64/hw.h"
#include "sim/fake_hw/op.h"
#include "sim/fake_hw/violation.h"
#include "sim/fake_hw/x86_64/cpu/vendor.h"
#include "sim/fake_hw/x86_64/profile.h"
#include "sim/fake_hw/x86_64/svm/state.h"
#include "sim/fake_hw/x86_64/vmx/state.h"
#include "sim/fake_hw/x86_64/vmx/vmx.h"

#define CPU_INSN_MAX 15 /* bytes */

#define CPU_XMM_AT 160 /* in the XSAVE area; 16 bytes each */

#define CPU_TLB_BITS    6
#define CPU_TLB_ENTRIES (1 << CPU_TLB_BITS) /* of each kind */

/* Whose translation it is: an ASID, or what else the vendor has; 0 where it has
 * none. */
struct cpu_tag {
    uint64_t tables; /* which nested tables */
    uint32_t id;
};

/* Of what is flushed. */
#define CPU_ANY_TABLES UINT64_MAX
#define CPU_ANY_ID     UINT32_MAX

/* A remembered translation of a 4 KiB page, if `generation` is the TLB's. */
struct cpu_tlb_entry {
    uint64_t generation;
    uint64_t page;                   /* page number that was looked up */
    uint64_t to;                     /* page number it translates to */
    const struct trap_source *guest; /* whose access brought it in */
    struct cpu_tag tag;
    uint8_t rights; /* CPU_CAN_... */
};

enum cpu_rights {
    CPU_CAN_READ = 1,
    CPU_CAN_WRITE = 2,
    CPU_CAN_EXECUTE = 4,
    CPU_CAN_USER = 8,
    CPU_CAN_GLOBAL = 16,
};

/*
 * What a walk of nested tables has found, and where: as long as all of it is
 * still there, another walk would find the same.
 */
#define CPU_WALK_LEVELS 5
struct cpu_walk {
    uint64_t root;  /* the vendor's, which says where the tables are */
    uint64_t frees; /* ram_frees(): whether the tables are still allocated */
    uint8_t levels, flagged; /* accesses whose flags are set in the entries */
    struct {
        const uint64_t *at;
        uint64_t value;
    } entry[CPU_WALK_LEVELS];
};

struct cpu_tlb {
    uint64_t generation;
    struct cpu_tlb_entry nested[CPU_TLB_ENTRIES]; /* GPA to HPA */
    struct cpu_walk walks[CPU_TLB_ENTRIES];       /* those of `nested` */
    struct cpu_tlb_entry linear[CPU_TLB_ENTRIES]; /* guest-linear to GPA */
};

enum cpu_access {
    CPU_READ = CPU_CAN_READ,
    CPU_WRITE = CPU_CAN_WRITE,
    CPU_FETCH = CPU_CAN_EXECUTE,
};

/* What a guest-physical address is accessed for. */
enum cpu_place {
    CPU_FINAL, /* the address that the guest means */
    CPU_TABLE, /* its page tables */
};

/* How an access ended. */
struct cpu_translation {
    bool ok;
    bool nested; /* a nested page fault, or else a #PF of the guest's */
    enum cpu_place place;
    uint64_t hpa;  /* ok */
    uint64_t info; /* #PF's error code; of a nested one, the vendor's */
    uint64_t gpa;  /* of a nested page fault */
};

struct fake_x86 {
    const struct x86_profile *profile;
    const struct fake_x86_vendor *vendor;
    uint32_t index;

    /* The host's, or whoever's was loaded last. */
    uint64_t efer, pat, tsc_aux, xcr0, cr2, dr6;
    uint64_t dr[4];
    struct vmcb_save loaded; /* segments and MSRs that VMRUN leaves alone */
    struct x86_xsave fpu;

    /*
     * The guest's registers, all but those in `regs`: while it is in, and what
     * the last exit left of them. SVM's save area has a place for each, and for
     * the hidden parts of segments, so this is the form for all vendors.
     */
    struct vmcb_save state;
    uint64_t shadow; /* enum cpu_shadow */
    uint64_t tsc_offset;
    struct cpu_tag nested_tag, linear_tag;
    enum cpu_access table_access; /* what walks ask of nested tables */
    struct fake_svm svm;
    struct fake_vmx vmx;
    struct vmx_guest vmx_guest;

    struct cpu_tlb tlb;

    /* While a guest is in. */
    struct x86_regs *regs;
    struct trap_source *source;
    uint64_t delivering; /* the event on its way, EVENT_...; 0: none */
    /* The length of the instruction that it comes of, INT n say, where the
     * guest returns to behind it; 0: RIP says where. */
    uint8_t soft_length;
    bool exited;
    uint64_t debug_cause; /* bits of DR6 that the #DB on its way sets */
    bool stepped; /* the operation is done, and traps if TF was set before */
    /* What was fetched with the operation: its bytes, and some behind. */
    uint8_t fetched_count, fetched[CPU_INSN_MAX];

    /* Of the processor; a guest does not lose them by an exit. */
    bool monitor_armed;
    bool nmi_blocked, nmi_pending, smi_pending, init_pending;
};

/* Why the guest takes no interrupts after the instruction. */
enum cpu_shadow {
    CPU_SHADOW_STI = 1,
    CPU_SHADOW_MOV_SS = 2, /* where the vendor tells them apart */
};

/* The CPUs of the machine; those from host_cpu_count() on do not exist. */
extern struct fake_x86 fake_x86_cpus[MAX_CPU_NUM];

struct fake_x86 *fake_x86_current(void);

/* Power-on: all CPUs are of `profile` (NULL: the default), no sources. */
void fake_x86_reset(const struct x86_profile *profile, uint32_t cpus);

/* Where CPU `cpu` takes its guest's operations from; NULL: nowhere. */
void fake_x86_set_source(uint32_t cpu, struct trap_source *source);

/* How much virtual time an entry takes, and each operation, in ticks. */
#define FAKE_X86_OP_TICKS 1

static inline bool cpu_long_mode(const struct fake_x86 *cpu)
{
    return (cpu->state.efer & X86_EFER_LMA) != 0;
}

static inline bool cpu_64bit(const struct fake_x86 *cpu)
{
    return cpu_long_mode(cpu) && (cpu->state.cs.attrib & VMCB_ATTRIB_L) != 0;
}

static inline bool cpu_real_mode(const struct fake_x86 *cpu)
{
    return (cpu->state.cr0 & X86_CR0_PE) == 0;
}

/* An address as the guest's mode has it: of 32 bits, or all of them. */
static inline uint64_t cpu_address(const struct fake_x86 *cpu, uint64_t address)
{
    return cpu_64bit(cpu) ? address : address & UINT32_MAX;
}

#define CPU_LINEAR_BITS 48

static inline bool cpu_is_canonical(uint64_t address)
{
    return (uint64_t)sign_extend(address, CPU_LINEAR_BITS) == address;
}

/* A new privilege level, which the descriptors of CS and SS have too. */
static inline void cpu_set_cpl(struct fake_x86 *cpu, unsigned cpl)
{
    struct vmcb_save *state = &cpu->state;
    uint16_t dpl = (uint16_t)FIELD_PUT(VMCB_ATTRIB_DPL, cpl);

    state->cpl = (uint8_t)cpl;
    state->cs.attrib = (uint16_t)((state->cs.attrib & ~VMCB_ATTRIB_DPL) | dpl);
    state->ss.attrib = (uint16_t)((state->ss.attrib & ~VMCB_ATTRIB_DPL) | dpl);
}

/* Of RFLAGS: what can be set at all. */
#define CPU_RFLAGS UINT64_C(0x3d7fd7)

/* run.c ------------------------------------------------------------------- */

/* Settles the operation in flight, if it has been with the hypervisor, which
 * has the guest take `event` (EVENT_...; 0: none). */
void cpu_settle(struct fake_x86 *cpu, uint64_t event);

/* The guest goes on until it exits. */
void cpu_run(struct fake_x86 *cpu);

/* step.c ------------------------------------------------------------------ */

static inline const struct guest_op *cpu_op(const struct fake_x86 *cpu)
{
    return cpu->source->op;
}

/* Whether what happens is of an operation's, rather than of an event's on its
 * way. */
static inline bool cpu_in_op(const struct fake_x86 *cpu)
{
    return cpu->delivering == 0 && cpu->source != NULL &&
           cpu->source->op != NULL;
}

static inline bool cpu_op_is_string(const struct guest_op *op)
{
    return op->kind == OP_X86_INS || op->kind == OP_X86_OUTS;
}

/* The guest's general register, wherever it is kept. */
uint64_t *cpu_gpr(struct fake_x86 *cpu, unsigned reg);

/* Executes the operation in flight: it retires, faults, or exits. */
void cpu_op_execute(struct fake_x86 *cpu);

/* The operation is over: tells its source. */
void cpu_op_finish(struct fake_x86 *cpu, enum guest_outcome outcome);
void cpu_retire(struct fake_x86 *cpu);
/* RIP moves past the instruction, and the interrupt shadow ends. */
void cpu_advance(struct fake_x86 *cpu);
/* EAX and EDX, the high half. */
void cpu_set_pair(struct fake_x86 *cpu, uint64_t value);

/* encode.c ---------------------------------------------------------------- */

/* The instruction that `op` is in the guest's present mode; returns its length:
 * 0 for operations that are none. */
unsigned cpu_encode(const struct fake_x86 *cpu, const struct guest_op *op,
                    uint8_t bytes[CPU_INSN_MAX]);

/* The register through which a memory operation has its address. */
unsigned cpu_address_reg(const struct guest_op *op);

/* event.c, deliver.c ------------------------------------------------------ */

/* An exception: an exit if the vendor says so, else the guest takes it. */
void cpu_exception(struct fake_x86 *cpu, unsigned vector, uint64_t error,
                   uint64_t cr2);

/* What a translation that is not ok leads to. */
void cpu_memory_fault(struct fake_x86 *cpu, uint64_t linear,
                      const struct cpu_translation *translation);

/* A triple fault. */
void cpu_shutdown(struct fake_x86 *cpu);

/* Whether the host has an interrupt. */
bool cpu_host_interrupt(const struct fake_x86 *cpu);

/* Whether the processor has an exception of that vector. */
bool cpu_is_exception(const struct fake_x86 *cpu, uint64_t vector);

/* The guest takes the event: `event` as in EVENTINJ. */
void cpu_deliver(struct fake_x86 *cpu, uint64_t event);

/* The same where it returns `length` bytes behind RIP. */
void cpu_deliver_by(struct fake_x86 *cpu, uint64_t event, uint8_t length);

/* The same of an instruction that raises it, the operation in flight. RIP stays
 * at it until the guest has taken the event: an exit in between finds it
 * there, and the guest makes the instruction again. */
void cpu_deliver_soft(struct fake_x86 *cpu, uint64_t event,
                      enum guest_outcome outcome);

/* IRET in the frame that cpu_deliver() has made. False: it has faulted. */
bool cpu_return(struct fake_x86 *cpu);

/* mmu.c ------------------------------------------------------------------- */

/* Translates a guest-linear address, at privilege level `cpl`. */
struct cpu_translation mmu_linear(struct fake_x86 *cpu, uint64_t linear,
                                  enum cpu_access access, unsigned cpl);

/* A pointer to allocated host memory, or NULL after reporting a violation. */
void *cpu_host_memory(const struct fake_x86 *cpu, uint64_t hpa, uint64_t size);

/*
 * Copies `size` bytes to (CPU_WRITE) or from guest-linear memory. False: an
 * exit or an exception of the guest has come of it.
 */
bool cpu_copy(struct fake_x86 *cpu, uint64_t linear, void *bytes, size_t size,
              enum cpu_access access, unsigned cpl);

/* tlb.c ------------------------------------------------------------------- */

/* By the tags of the guest that is in. */
struct cpu_tlb_entry *cpu_tlb_find_nested(struct fake_x86 *cpu, uint64_t page);
struct cpu_tlb_entry *cpu_tlb_find_linear(struct fake_x86 *cpu, uint64_t page);
/* `walk` is how the tables have told; `levels` of its entries. */
void cpu_tlb_put_nested(struct fake_x86 *cpu, uint64_t page, uint64_t to,
                        unsigned rights, const struct cpu_walk *walk);
void cpu_tlb_put_linear(struct fake_x86 *cpu, uint64_t page, uint64_t to,
                        unsigned rights);
void cpu_tlb_flush_all(struct fake_x86 *cpu);
/*
 * What is remembered of a guest-physical page, if it allows the access, and a
 * fresh walk from `root` would say the same, and set no flag. NULL: walk.
 */
const struct cpu_tlb_entry *cpu_tlb_recall(struct fake_x86 *cpu, uint64_t page,
                                           enum cpu_access access,
                                           uint64_t root);
/*
 * Whether what is remembered of a guest-physical page may be used, given what a
 * fresh walk says: `ok`, and which page with which rights. If it allows more
 * than the tables do, the hypervisor has left out a flush: a violation.
 */
bool cpu_tlb_is_right(struct fake_x86 *cpu, uint64_t page,
                      enum cpu_access access, bool ok, unsigned rights,
                      uint64_t to);
/* By a tag with CPU_ANY_... in it. */
void cpu_tlb_flush_nested(struct fake_x86 *cpu, struct cpu_tag tag);
void cpu_tlb_flush_linear(struct fake_x86 *cpu, struct cpu_tag tag,
                          bool globals_too);
/* MOV to CR3 and the like: of the guest's own translations. */
void cpu_tlb_flush_guest(struct fake_x86 *cpu, bool globals_too);
/* One page of an ID, whatever the tables. */
void cpu_tlb_flush_address(struct fake_x86 *cpu, uint64_t address, uint32_t id);
/* INVLPG and the like. */
void cpu_tlb_flush_page(struct fake_x86 *cpu, uint64_t address,
                        struct cpu_tag tag);

/* ops.c, memory.c, segment.c, system.c, deliver.c ------------------------- */

/* What the operation in flight is, exits and all. */
void cpu_op_do(struct fake_x86 *cpu);

/* An instruction for privilege level 0 only: whether it has faulted. */
bool cpu_not_allowed(struct fake_x86 *cpu);
/* The same of one that CR4.UMIP keeps from programs. */
bool cpu_umip_denies(struct fake_x86 *cpu);

/* Puts an instruction's bytes where its fetch finds them, as far as the page
 * goes. */
void cpu_put_code(uint64_t hpa, void *host, const void *bytes, size_t size);

void cpu_op_load(struct fake_x86 *cpu);
void cpu_op_store(struct fake_x86 *cpu);
void cpu_op_swap(struct fake_x86 *cpu);
void cpu_op_fetch(struct fake_x86 *cpu);
void cpu_op_in(struct fake_x86 *cpu);
void cpu_op_out(struct fake_x86 *cpu);
void cpu_op_read_cr(struct fake_x86 *cpu);
void cpu_op_write_cr(struct fake_x86 *cpu);
void cpu_op_read_dr(struct fake_x86 *cpu);
void cpu_op_write_dr(struct fake_x86 *cpu);
void cpu_op_rdmsr(struct fake_x86 *cpu);
void cpu_op_wrmsr(struct fake_x86 *cpu);
void cpu_op_ins(struct fake_x86 *cpu);
void cpu_op_outs(struct fake_x86 *cpu);
void cpu_op_lmsw(struct fake_x86 *cpu);
void cpu_op_smsw(struct fake_x86 *cpu);
void cpu_op_clts(struct fake_x86 *cpu);
void cpu_op_jmp_far(struct fake_x86 *cpu);
void cpu_op_load_table(struct fake_x86 *cpu);
void cpu_op_store_table(struct fake_x86 *cpu);
void cpu_op_load_selector(struct fake_x86 *cpu);
void cpu_op_store_selector(struct fake_x86 *cpu);
void cpu_op_traps(struct fake_x86 *cpu);
void cpu_op_pushf(struct fake_x86 *cpu);
void cpu_op_popf(struct fake_x86 *cpu);

/* MSRs: the guest's, and the host's; NULL: no such MSR. */
uint64_t *cpu_guest_msr(struct fake_x86 *cpu, uint32_t msr);
uint64_t *cpu_host_msr(struct fake_x86 *cpu, uint32_t msr);

/* What the control register holds. */
uint64_t cpu_cr(const struct fake_x86 *cpu, unsigned number);

/* EFER.LMA is the processor's: it follows EFER.LME and CR0.PG. */
void cpu_update_lma(struct vmcb_save *state);

/* cpuid.c, hw.c ----------------------------------------------------------- */

void cpu_cpuid(const struct fake_x86 *cpu, uint32_t leaf, uint32_t subleaf,
               struct x86_cpuid *result);
bool cpu_xcr0_is_legal(const struct fake_x86 *cpu, uint64_t value);
uint64_t cpu_tsc(void);

#endif
