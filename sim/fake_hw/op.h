/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests do: the operations that fake processors execute, and the trap
 * sources that they take them from.
 *
 * An operation is one instruction of the guest, described by what it does
 * rather than by its encoding; fake hardware decides, by the controls that the
 * hypervisor programmed, whether it exits at all and with what syndrome. An
 * OP_RAW_EXIT is the exception: it exits as it says, however absurd.
 *
 * The operation is executed at the guest's current pc, and is the instruction
 * there when the hypervisor fetches it. The guest's memory at the pc is not
 * looked at; OP_FETCH is the operation that does.
 */
#ifndef SIM_FAKE_HW_OP_H
#define SIM_FAKE_HW_OP_H

#include <stdbool.h>
#include <stdint.h>

/* X(kind, name in scenarios) */
/* clang-format off */
#define GUEST_OPS(X)                                                           \
    X(OP_LOAD,      "load")      /* reg = width bytes at address */            \
    X(OP_STORE,     "store")     /* width bytes at address = reg */            \
    X(OP_LR,        "lr")        /* load-reserved */                           \
    X(OP_SC,        "sc")        /* store-conditional; it succeeds */          \
    X(OP_AMO,       "amo")       /* atomic swap */                             \
    X(OP_FETCH,     "fetch")     /* an instruction fetch at address */         \
    X(OP_CSR_READ,  "csrr")      /* reg = CSR number */                        \
    X(OP_CSR_WRITE, "csrw")      /* CSR number = value; reg = the old one */   \
    X(OP_CSR_SET,   "csrs")                                                    \
    X(OP_CSR_CLEAR, "csrc")                                                    \
    X(OP_ECALL,     "ecall")     /* with args in a0 to a7 */                   \
    X(OP_WFI,       "wfi")                                                     \
    X(OP_EBREAK,    "ebreak")                                                  \
    X(OP_SRET,      "sret")                                                    \
    X(OP_SFENCE,    "sfence")    /* sfence.vma of everything */                \
    X(OP_FENCE_I,   "fence.i")                                                 \
    X(OP_FP,        "fp")        /* f[reg] = value, as fmv.d.x would */        \
    X(OP_VECTOR,    "vector")    /* v[reg]'s bytes = value's low one */        \
    X(OP_FP_READ,   "fpread")    /* value of f[reg] */                         \
    X(OP_VECTOR_READ, "vread")   /* first 8 bytes of v[reg] */                 \
    X(OP_INSN,      "insn")      /* an instruction nobody knows: number */     \
    X(OP_HYPERVISOR, "hypervisor") /* hfence.gvma: not for guests */           \
    X(OP_SET_REG,   "set")       /* reg = value, no instruction */             \
    X(OP_SET_PC,    "pc")        /* pc = address, no instruction */            \
    X(OP_USER_MODE, "user")      /* the guest is in its user mode now */       \
    X(OP_SUPERVISOR_MODE, "supervisor")                                        \
    X(OP_DELAY,     "delay")     /* computes for value ns */                   \
    /* args: scause, stval, htval, htinst; of x86, EXITCODE, EXITINFO1 and 2,  \
     * EXITINTINFO, and by how much nRIP is beyond RIP, if not 0; number: the  \
     * instruction, or 0 */                                                    \
    X(OP_RAW_EXIT,  "exit")
/* clang-format on */

enum guest_op_kind {
#define X(kind, name) kind,
    GUEST_OPS(X)
#undef X
        OP_KIND_COUNT
};

/*
 * What only x86 has. `reg` is a general register by its number in instructions;
 * values that an instruction takes in a register of its own (ECX of RDMSR) are
 * put there first.
 */
/* clang-format off */
#define X86_GUEST_OPS(X)                                                       \
    X(OP_X86_CPUID,    "cpuid")     /* args: EAX, ECX */                       \
    X(OP_X86_HLT,      "hlt")                                                  \
    X(OP_X86_RDMSR,    "rdmsr")     /* number: the MSR */                      \
    X(OP_X86_WRMSR,    "wrmsr")     /* and value */                            \
    X(OP_X86_IN,       "in")        /* RAX's low width bytes; number: port */  \
    X(OP_X86_OUT,      "out")       /* and value */                            \
    X(OP_X86_READ_CR,  "mov-from-cr") /* reg; number: the register */          \
    X(OP_X86_WRITE_CR, "mov-to-cr") /* through reg, of value */                \
    X(OP_X86_READ_DR,  "mov-from-dr")                                          \
    X(OP_X86_WRITE_DR, "mov-to-dr")                                            \
    X(OP_X86_INVLPG,   "invlpg")    /* address */                              \
    /* The vendor's hypercall. args: RAX, RDI, RSI, RDX, R10, R8, R9 */        \
    X(OP_X86_VMMCALL,  "vmmcall")                                              \
    X(OP_X86_PAUSE,    "pause")                                                \
    X(OP_X86_MONITOR,  "monitor")                                              \
    X(OP_X86_MWAIT,    "mwait")                                                \
    X(OP_X86_XSETBV,   "xsetbv")    /* number: ECX, value */                   \
    X(OP_X86_RDTSC,    "rdtsc")                                                \
    X(OP_X86_RDTSCP,   "rdtscp")                                               \
    X(OP_X86_RDPMC,    "rdpmc")     /* number: ECX */                          \
    X(OP_X86_INT,      "int")       /* INT number */                           \
    X(OP_X86_INT3,     "int3")                                                 \
    X(OP_X86_ICEBP,    "icebp")                                                \
    X(OP_X86_RAISE,    "raise")     /* exception number, error code value */   \
    X(OP_X86_IRET,     "iret")                                                 \
    X(OP_X86_STI,      "sti")                                                  \
    X(OP_X86_CLI,      "cli")                                                  \
    X(OP_X86_INVD,     "invd")                                                 \
    X(OP_X86_WBINVD,   "wbinvd")                                               \
    X(OP_X86_INS,      "ins")       /* to address; number: port. With value */ \
    X(OP_X86_OUTS,     "outs")      /* not 0, so often (REP); from address */  \
    X(OP_X86_LMSW,     "lmsw")      /* through reg, of value */                \
    X(OP_X86_SMSW,     "smsw")      /* reg */                                  \
    X(OP_X86_CLTS,     "clts")                                                 \
    X(OP_X86_LGDT,     "lgdt")      /* base address, limit number */           \
    X(OP_X86_LIDT,     "lidt")                                                 \
    X(OP_X86_SGDT,     "sgdt")      /* to address */                           \
    X(OP_X86_SIDT,     "sidt")                                                 \
    X(OP_X86_LLDT,     "lldt")      /* through reg, selector value */          \
    X(OP_X86_LTR,      "ltr")                                                  \
    X(OP_X86_SLDT,     "sldt")      /* reg */                                  \
    X(OP_X86_STR,      "str")                                                  \
    X(OP_X86_JMP_FAR,  "jmp-far")   /* selector number, to address */          \
    X(OP_X86_PUSHF,    "pushf")                                                \
    X(OP_X86_POPF,     "popf")                                                 \
    X(OP_X86_RSM,      "rsm")                                                  \
    X(OP_X86_FWAIT,    "fwait")     /* an x87 exception is pending */          \
    X(OP_X86_RDPRU,    "rdpru")     /* number: ECX */                          \
    X(OP_X86_INVPCID,  "invpcid")   /* through reg, of value; address */       \
    X(OP_X86_VMRUN,    "vmrun")     /* SVM's own: #UD for these guests */      \
    X(OP_X86_VMLOAD,   "vmload")                                               \
    X(OP_X86_VMSAVE,   "vmsave")                                               \
    X(OP_X86_STGI,     "stgi")                                                 \
    X(OP_X86_CLGI,     "clgi")                                                 \
    X(OP_X86_SKINIT,   "skinit")                                               \
    X(OP_X86_INVLPGA,  "invlpga")                                              \
    /* No instruction: width bytes at offset number of the VMCB's save area, or\
     * the VMCS's field of encoding number, are value, and what then is no     \
     * legal state is made one. */                                             \
    X(OP_X86_STATE,    "state")                                                \
    /* No instruction: an IDT at address whose gates lead to the next page,    \
     * plus their vector; the stack ends with the page behind that. */         \
    X(OP_X86_TRAPS,    "traps")                                                \
    X(OP_X86_SHUTDOWN, "shutdown")  /* what a triple fault leads to */         \
    X(OP_X86_NMI,      "nmi")       /* arrives at the CPU, as the others */    \
    X(OP_X86_SMI,      "smi")                                                  \
    X(OP_X86_INIT,     "init")                                                 \
    X(OP_X86_RDRAND,   "rdrand")    /* reg */                                  \
    X(OP_X86_RDSEED,   "rdseed")                                               \
    X(OP_X86_GETSEC,   "getsec")    /* SMX's */                                \
    X(OP_X86_VMCLEAR,  "vmclear")   /* VMX's own: #UD for these guests; of */  \
    X(OP_X86_VMLAUNCH, "vmlaunch")  /* address, or of the field in reg */      \
    X(OP_X86_VMPTRLD,  "vmptrld")                                              \
    X(OP_X86_VMPTRST,  "vmptrst")                                              \
    X(OP_X86_VMREAD,   "vmread")                                               \
    X(OP_X86_VMRESUME, "vmresume")                                             \
    X(OP_X86_VMWRITE,  "vmwrite")                                              \
    X(OP_X86_VMXOFF,   "vmxoff")                                               \
    X(OP_X86_VMXON,    "vmxon")                                                \
    X(OP_X86_INVEPT,   "invept")                                               \
    X(OP_X86_INVVPID,  "invvpid")
/* clang-format on */

#define OP_X86_FIRST 128

enum x86_guest_op_kind {
    OP_X86_BEFORE = OP_X86_FIRST - 1,
#define X(kind, name) kind,
    X86_GUEST_OPS(X)
#undef X
        OP_X86_END
};

enum guest_op_flags {
    OP_SIGNED = 1 << 0,     /* a load extends with the sign */
    OP_FP_REG = 1 << 1,     /* `reg` is a floating-point register */
    OP_COMPRESSED = 1 << 2, /* 16-bit encoding, where there is one */
    OP_HAS_VALUE = 1 << 3,  /* `value` goes to `reg` first, by an li */
    OP_NO_FETCH = 1 << 4,   /* the hypervisor cannot fetch the instruction */
};

struct guest_op {
    uint8_t kind;
    uint8_t width; /* bytes: 1, 2, 4 or 8 */
    uint8_t reg;
    uint8_t flags;
    uint32_t number;
    uint64_t address; /* guest-virtual */
    uint64_t value;
    uint64_t args[8];
};

/* The register that OP_LOAD and its like use when nobody chose one: a5, which
 * compressed instructions reach too. */
#define OP_DEFAULT_REG 15

/* What became of an operation, as the guest sees it. */
enum guest_outcome {
    OUTCOME_PENDING,    /* not done yet */
    OUTCOME_RETIRED,    /* done, and the pc is behind it */
    OUTCOME_EXCEPTION,  /* the guest is at its trap vector */
    OUTCOME_REDIRECTED, /* the pc is somewhere else: a reset vCPU, say */
    OUTCOME_RESUMED,    /* a raw exit, and the pc has not moved */
};

/* The name of a kind, x86's included; "?" if there is none. */
const char *guest_op_name(unsigned kind);
const char *guest_outcome_name(enum guest_outcome outcome);

struct guest_result {
    enum guest_outcome outcome;
    uint32_t exits;      /* how often it left the guest */
    uint64_t value;      /* of `reg` (ecall: a0) */
    uint64_t value1;     /* ecall: a1 */
    uint64_t cause;      /* OUTCOME_EXCEPTION: cause register; vector */
    uint64_t tval;       /* and what goes with it; CR2, or the error code */
    uint64_t error;      /* of x86: the error code */
    uint64_t interrupts; /* causes of interrupts it took before, as bits */
    uint64_t vectors[4]; /* the same of x86: its 256 vectors */
};

/*
 * Where a virtual CPU's operations come from: a script, fuzz bytes. Fake
 * hardware asks `next` for one when the one before is done, and keeps the
 * pointer until it calls `done`. NULL: there is none left, at present.
 */
struct trap_source {
    const struct guest_op *(*next)(struct trap_source *source);
    void (*done)(struct trap_source *source, const struct guest_result *result);

    /* Fake hardware's: the operation in flight. */
    const struct guest_op *op;
    uint64_t op_pc;
    /* Bytes of its instruction, where the processor has encoded one. */
    uint8_t op_length;
    bool op_begun;    /* it has its operands, or some of its work is done */
    bool op_exited;   /* the hypervisor has it, or has had it */
    bool op_injected; /* and has made the guest take an exception for it */
    struct guest_result result;
    bool starved; /* `next` had none when it was asked last */
};

#endif
