/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake x86_64 CPU with SVM and nested paging, seen from the hypervisor. It
 * implements hv/arch/x86_64/hw.h. Source: AMD64 Architecture Programmer's
 * Manual, volume 2, chapters 5, 8 and 15, appendices B and C.
 *
 *   vmrun.c      VMRUN: clean bits, what an entry loads, the loop, #VMEXIT
 *   rules.c      what VMRUN checks
 *   event.c      exceptions and interrupts: to the guest, or an exit
 *   deliver.c    how the guest takes one, through its IDT and its stack
 *   mmu.c        the guest's page tables, and who may access what
 *   npt.c        nested tables, through the TLB
 *   tlb.c        what of both is remembered, and whether rightly so
 *   intercept.c  permission maps
 *   encode.c     guest operations as instructions
 *   step.c       a guest operation, from its fetch to what it leaves
 *   ops.c        what each does; the rest of it in memory.c, segment.c,
 *                system.c
 *   cpuid.c      what CPUID says
 *   hw.c         the functions of the seam
 *
 * An operation's instruction is put into guest memory at RIP before it is
 * executed, once it could be fetched there: a hypervisor that must look at the
 * instruction finds it.
 *
 * Not modelled: host mode's own translation, GIF (x86_svm_run holds it), SMM,
 * AVIC, SEV, LBR virtualisation, debug breakpoints, task switches, segment
 * limits of the guest's accesses, and stack switches through a TSS.
 */
#ifndef SIM_FAKE_HW_X86_64_SVM_CPU_H
#define SIM_FAKE_HW_X86_64_SVM_CPU_H

#include "api/host.h"
#include "arch/x86_64/hw.h"
#include "sim/fake_hw/op.h"
#include "sim/fake_hw/violation.h"
#include "sim/fake_hw/x86_64/profile.h"

#define SVM_INSN_MAX 15 /* bytes */

#define SVM_XMM_AT 160 /* in the XSAVE area; 16 bytes each */

#define SVM_TLB_BITS    6
#define SVM_TLB_ENTRIES (1 << SVM_TLB_BITS) /* of each kind */

/* A remembered translation of a 4 KiB page, if `generation` is the TLB's. */
struct svm_tlb_entry {
    uint64_t generation;
    uint64_t page;                   /* page number that was looked up */
    uint64_t to;                     /* page number it translates to */
    const struct trap_source *guest; /* whose access brought it in */
    uint32_t asid;
    uint8_t rights; /* SVM_CAN_... */
};

enum svm_rights {
    SVM_CAN_READ = 1,
    SVM_CAN_WRITE = 2,
    SVM_CAN_EXECUTE = 4,
    SVM_CAN_USER = 8,
    SVM_CAN_GLOBAL = 16,
};

struct svm_tlb {
    uint64_t generation;
    struct svm_tlb_entry nested[SVM_TLB_ENTRIES]; /* GPA to HPA */
    struct svm_tlb_entry linear[SVM_TLB_ENTRIES]; /* guest-linear to GPA */
};

struct fake_svm {
    const struct x86_profile *profile;
    uint32_t index;

    /* The host's, or whoever's was loaded last. */
    uint64_t efer, vm_hsave_pa, vm_cr, pat, tsc_aux, xcr0, cr2;
    uint64_t dr[4];
    struct vmcb_save loaded; /* what VMLOAD loads */
    struct x86_xsave fpu;

    /*
     * The guest, as the processor knows it: while it is in, and after an exit
     * what is remembered of the VMCB at `cached_pa`.
     */
    struct vmcb guest;
    uint64_t cached_pa; /* 0: none */
    struct svm_tlb tlb;

    /* While a guest is in. */
    struct x86_regs *regs;
    struct vmcb *memory;
    struct trap_source *source;
    uint64_t vmcb_pa;
    uint32_t pause_left; /* PAUSEs until one exits */
    uint64_t delivering; /* the event on its way, EVENT_...; 0: none */
    /* The length of the instruction that it comes of, INT n say, where the
     * guest returns to behind it; 0: RIP says where. */
    uint8_t soft_length;
    bool exited;
    /* What was fetched with the operation: its bytes, and some behind. */
    uint8_t fetched_count, fetched[SVM_INSN_MAX];

    /* Of the processor; a guest does not lose them by an exit. */
    bool monitor_armed;
    bool nmi_blocked, nmi_pending, smi_pending, init_pending;
};

/* The CPUs of the machine; those from host_cpu_count() on do not exist. */
extern struct fake_svm fake_svm_cpus[MAX_CPU_NUM];

struct fake_svm *fake_svm_current(void);

/* Power-on: all CPUs are of `profile` (NULL: the default), no sources. */
void fake_svm_reset(const struct x86_profile *profile, uint32_t cpus);

/* Where CPU `cpu` takes its guest's operations from; NULL: nowhere. */
void fake_svm_set_source(uint32_t cpu, struct trap_source *source);

/* How illegal VMCBs are treated; RULES_REJECT by default. */
void fake_svm_set_rule_mode(enum rule_mode mode);

/* How much virtual time an entry takes, and each operation, in ticks. */
#define FAKE_SVM_OP_TICKS 1

static inline bool svm_has(const struct fake_svm *cpu, enum svm_feature feature)
{
    return (cpu->profile->svm & (uint64_t)feature) != 0;
}

static inline bool svm_long_mode(const struct fake_svm *cpu)
{
    return (cpu->guest.save.efer & X86_EFER_LMA) != 0;
}

static inline bool svm_64bit(const struct fake_svm *cpu)
{
    return svm_long_mode(cpu) &&
           (cpu->guest.save.cs.attrib & VMCB_ATTRIB_L) != 0;
}

static inline bool svm_real_mode(const struct fake_svm *cpu)
{
    return (cpu->guest.save.cr0 & X86_CR0_PE) == 0;
}

/* The guest's general register, wherever it is kept. */
uint64_t *svm_gpr(struct fake_svm *cpu, unsigned reg);

/* vmrun.c ----------------------------------------------------------------- */

/* #VMEXIT: the guest's state goes to the VMCB. */
void svm_exit(struct fake_svm *cpu, uint64_t code, uint64_t info1,
              uint64_t info2);

/* The same because of the operation in flight, at its RIP. */
void svm_op_exit(struct fake_svm *cpu, uint64_t code, uint64_t info1,
                 uint64_t info2);

/* What VMRUN leaves as VMLOAD, or a guest, has put it. */
void svm_move_loaded(struct vmcb_save *to, const struct vmcb_save *from);

/* rules.c ----------------------------------------------------------------- */

struct svm_rule {
    enum violation_rule rule; /* name and text */
    const char *section;      /* of APM volume 2; "": none, but a bad idea */
    bool (*holds)(const struct fake_svm *cpu);
    void (*repair)(struct fake_svm *cpu); /* NULL: nothing can */
};

/* On the state that VMRUN has loaded, in the order of checking. */
extern const struct svm_rule svm_rules[];
extern const unsigned svm_rule_count;

/* Whether the guest's state is legal, or was made so. */
bool svm_check_guest(struct fake_svm *cpu);

/* Makes it legal as far as can be, whatever the mode. Who listens hears of the
 * rules that were broken. */
bool svm_repair_guest(struct fake_svm *cpu);
extern void (*svm_rule_listener)(enum violation_rule rule);

/* What VMRUN makes of a state that it does not refuse. */
void svm_adjust_guest(struct vmcb_save *save);

/* Whether the processor has an exception of that vector. */
bool svm_is_exception(const struct fake_svm *cpu, uint64_t vector);

/* Whether VMRUN, VMLOAD, VMSAVE may be executed with the VMCB at `vmcb`. */
bool svm_check_host(const struct fake_svm *cpu, uint64_t vmcb);

/* npt.c, mmu.c ------------------------------------------------------------ */

enum svm_access {
    SVM_READ = SVM_CAN_READ,
    SVM_WRITE = SVM_CAN_WRITE,
    SVM_FETCH = SVM_CAN_EXECUTE,
};

/* How an access ended. */
struct svm_translation {
    bool ok;
    bool nested;   /* a nested page fault, or else a #PF of the guest's */
    uint64_t hpa;  /* ok */
    uint64_t info; /* EXITINFO1; error code */
    uint64_t gpa;  /* of a nested page fault */
};

/* Translates a guest-physical address; `place` is NPF_FINAL or NPF_TABLE. */
struct svm_translation npt_translate(struct fake_svm *cpu, uint64_t gpa,
                                     enum svm_access access, uint64_t place);

/* Translates a guest-linear one, at privilege level `cpl`. */
struct svm_translation mmu_linear(struct fake_svm *cpu, uint64_t linear,
                                  enum svm_access access, unsigned cpl);

/* A pointer to allocated host memory, or NULL after reporting a violation. */
void *svm_host_memory(const struct fake_svm *cpu, uint64_t hpa, uint64_t size);

/*
 * Copies `size` bytes to (SVM_WRITE) or from guest-linear memory. False: an
 * exit or an exception of the guest has come of it.
 */
bool svm_copy(struct fake_svm *cpu, uint64_t linear, void *bytes, size_t size,
              enum svm_access access, unsigned cpl);

/* tlb.c ------------------------------------------------------------------- */

struct svm_tlb_entry *svm_tlb_find_nested(struct fake_svm *cpu, uint64_t page);
struct svm_tlb_entry *svm_tlb_find_linear(struct fake_svm *cpu, uint64_t page);
void svm_tlb_put_nested(struct fake_svm *cpu, uint64_t page, uint64_t to,
                        unsigned rights);
void svm_tlb_put_linear(struct fake_svm *cpu, uint64_t page, uint64_t to,
                        unsigned rights);
void svm_tlb_flush_all(struct fake_svm *cpu);
/* TLB_CONTROL. */
void svm_tlb_control(struct fake_svm *cpu);
/* MOV to CR3 and the like: of the guest's own translations. */
void svm_tlb_flush_guest(struct fake_svm *cpu, bool globals_too);
/* INVLPG, INVLPGA. */
void svm_tlb_flush_page(struct fake_svm *cpu, uint64_t address, uint32_t asid);

/* intercept.c ------------------------------------------------------------- */

/* Whether the permission maps have the access exit. */
bool svm_intercepts_msr(const struct fake_svm *cpu, uint32_t msr, bool write);
bool svm_intercepts_port(const struct fake_svm *cpu, uint32_t port,
                         unsigned width);

/* encode.c ---------------------------------------------------------------- */

/* The instruction that `op` is in the guest's present mode; returns its length:
 * 0 for operations that are none. */
unsigned svm_encode(const struct fake_svm *cpu, const struct guest_op *op,
                    uint8_t bytes[SVM_INSN_MAX]);

/* The register through which a memory operation has its address. */
unsigned svm_address_reg(const struct guest_op *op);

/* event.c, deliver.c ------------------------------------------------------ */

/* An exception: an exit if it is intercepted, else the guest takes it. */
void svm_exception(struct fake_svm *cpu, unsigned vector, uint64_t error,
                   uint64_t cr2);

/* EVENTINJ at an entry. */
void svm_inject(struct fake_svm *cpu);

/* Takes the most urgent interrupt, if there is one. */
void svm_interrupt(struct fake_svm *cpu);

/* What a translation that is not ok leads to. */
void svm_memory_fault(struct fake_svm *cpu, uint64_t linear,
                      const struct svm_translation *translation);

/* The guest takes the event: `event` as in EVENTINJ. */
void svm_deliver(struct fake_svm *cpu, uint64_t event);

/* A triple fault: an exit, or the end of the CPU. */
void svm_shutdown(struct fake_svm *cpu);

/* The same of an instruction that raises it, the operation in flight. RIP stays
 * at it until the guest has taken the event: an exit in between finds it
 * there, and the guest makes the instruction again. */
void svm_deliver_soft(struct fake_svm *cpu, uint64_t event,
                      enum guest_outcome outcome);

/* IRET in the frame that svm_deliver() has made. False: it has faulted. */
bool svm_return(struct fake_svm *cpu);

/* step.c, ops.c, memory.c, segment.c, system.c ----------------------------- */

static inline const struct guest_op *svm_op(const struct fake_svm *cpu)
{
    return cpu->source->op;
}

/* Executes the operation in flight: it retires, faults, or exits. */
void svm_op_execute(struct fake_svm *cpu);

/* The operation is over: tells its source. */
void svm_op_finish(struct fake_svm *cpu, enum guest_outcome outcome);
void svm_retire(struct fake_svm *cpu);
/* RIP moves past the instruction, and the interrupt shadow ends. */
void svm_advance(struct fake_svm *cpu);
/* EAX and EDX, the high half. */
void svm_set_pair(struct fake_svm *cpu, uint64_t value);
/* What the operation is, intercepts and all. */
void svm_op_do(struct fake_svm *cpu);

/* An instruction for privilege level 0 only: whether it has faulted. */
bool svm_not_allowed(struct fake_svm *cpu);
/* The same of one that CR4.UMIP keeps from programs. */
bool svm_umip_denies(struct fake_svm *cpu);

/* Puts an instruction's bytes where its fetch finds them, as far as the page
 * goes. */
void svm_put_code(uint64_t hpa, void *host, const void *bytes, size_t size);

void svm_op_load(struct fake_svm *cpu);
void svm_op_store(struct fake_svm *cpu);
void svm_op_swap(struct fake_svm *cpu);
void svm_op_fetch(struct fake_svm *cpu);
void svm_op_in(struct fake_svm *cpu);
void svm_op_out(struct fake_svm *cpu);
void svm_op_read_cr(struct fake_svm *cpu);
void svm_op_write_cr(struct fake_svm *cpu);
void svm_op_read_dr(struct fake_svm *cpu);
void svm_op_write_dr(struct fake_svm *cpu);
void svm_op_rdmsr(struct fake_svm *cpu);
void svm_op_wrmsr(struct fake_svm *cpu);
void svm_op_ins(struct fake_svm *cpu);
void svm_op_outs(struct fake_svm *cpu);
void svm_op_lmsw(struct fake_svm *cpu);
void svm_op_smsw(struct fake_svm *cpu);
void svm_op_clts(struct fake_svm *cpu);
void svm_op_jmp_far(struct fake_svm *cpu);
void svm_op_load_table(struct fake_svm *cpu);
void svm_op_store_table(struct fake_svm *cpu);
void svm_op_load_selector(struct fake_svm *cpu);
void svm_op_store_selector(struct fake_svm *cpu);
void svm_op_state(struct fake_svm *cpu);
void svm_op_traps(struct fake_svm *cpu);
void svm_op_pushf(struct fake_svm *cpu);
void svm_op_popf(struct fake_svm *cpu);

/* EFER.LMA is the processor's: it follows EFER.LME and CR0.PG. */
void svm_update_lma(struct vmcb_save *save);

/* cpuid.c, hw.c ----------------------------------------------------------- */

void svm_cpuid(const struct fake_svm *cpu, uint32_t leaf, uint32_t subleaf,
               struct x86_cpuid *result);
bool svm_xcr0_is_legal(const struct fake_svm *cpu, uint64_t value);
uint64_t svm_tsc(void);

#endif
