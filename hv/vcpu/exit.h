/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a vCPU left its guest, in words that all architectures share.
 *
 * An architecture's decoder turns exit registers into a struct vm_exit and has
 * no other effect; a handler acts on it, does no decoding, and answers with a
 * verdict. Every kind has a handler (hv/vm/exits.c), so adding a kind is
 * adding a row here and a row there.
 */
#ifndef VCPU_EXIT_H
#define VCPU_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

/* clang-format off */
#define EXIT_KINDS(X)                                                          \
    X(EXIT_NOTHING,            "nothing")            /* go on */               \
    X(EXIT_EXTERNAL_INTERRUPT, "external-interrupt") /* for the host */        \
    X(EXIT_HYPERCALL,          "hypercall")                                    \
    X(EXIT_FIRMWARE_CALL,      "firmware-call")      /* SBI, PSCI */           \
    X(EXIT_MMIO_READ,          "mmio-read")                                    \
    X(EXIT_MMIO_WRITE,         "mmio-write")                                   \
    X(EXIT_IO_READ,            "io-read")            /* x86 ports */           \
    X(EXIT_IO_WRITE,           "io-write")                                     \
    X(EXIT_SYSREG_READ,        "sysreg-read")        /* CSR, MSR, sysreg */    \
    X(EXIT_SYSREG_WRITE,       "sysreg-write")                                 \
    X(EXIT_CPUID,              "cpuid")                                        \
    X(EXIT_INSTRUCTION,        "instruction")        /* made for the guest */  \
    X(EXIT_NESTED_PAGE_FAULT,  "nested-page-fault")                            \
    X(EXIT_HALT,               "halt")               /* wait for interrupt */  \
    X(EXIT_IDLE,               "idle")               /* the same, retryable */ \
    X(EXIT_CPU_UP,             "cpu-up")                                       \
    X(EXIT_CPU_DOWN,           "cpu-down")                                     \
    X(EXIT_SYSTEM_DOWN,        "system-down")                                  \
    X(EXIT_SEND_IPI,           "send-ipi")                                     \
    X(EXIT_PREEMPTION_TIMER,   "preemption-timer")                             \
    X(EXIT_INTERRUPT_END,      "interrupt-end")      /* EOI of a level irq */  \
    X(EXIT_INTERRUPT_WINDOW,   "interrupt-window")   /* the guest takes one */ \
    X(EXIT_EXCEPTION,          "exception")          /* the guest's own */     \
    X(EXIT_LAZY_STATE,         "lazy-state")         /* FP, vector: load it */ \
    X(EXIT_FAIL_ENTRY,         "fail-entry")         /* entry refused */       \
    X(EXIT_UNKNOWN,            "unknown")            /* no rule decodes it */
/* clang-format on */

enum exit_kind {
#define X(kind, name) kind,
    EXIT_KINDS(X)
#undef X
        EXIT_KIND_COUNT
};

/* "mmio-read" and so on; "?" for a value that is no kind. */
const char *exit_kind_name(enum exit_kind kind);

/* What an access wanted to do. */
enum access {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_EXECUTE = 4,
};

/* What happens to the vCPU after its exit. */
enum verdict {
    VERDICT_RESUME,    /* enters the guest again */
    VERDICT_INJECT,    /* the same, with the exception the exit deserves */
    VERDICT_YIELD,     /* the scheduler looks who runs next */
    VERDICT_BLOCK,     /* waits for an interrupt or a wake-up */
    VERDICT_POWER_OFF, /* this vCPU is off until another starts it */
    VERDICT_STOP_VM,   /* the VM stops; its stop reason is recorded */
    VERDICT_COUNT
};

/* An access that a device answers. */
struct device_access {
    uint64_t address;  /* guest-physical, or a port */
    uint64_t data;     /* a write's value, zero-extended */
    uint8_t width;     /* bytes: 1, 2, 4 or 8 */
    uint8_t reg;       /* a read's destination register */
    uint8_t reg_width; /* bytes of the destination that are written */
    uint8_t insn_len;  /* of the instruction that makes it */
    bool write;
    bool sign_extend; /* a read's value is extended with its sign */
    bool reg_is_fp;   /* the destination is a floating-point register */
};

struct vm_exit {
    enum exit_kind kind;
    uint8_t insn_len; /* bytes by which an answered exit advances the pc */
    union {
        struct {
            uint64_t nr;
        } hypercall;
        struct {
            const void *row; /* the architecture's table row */
        } firmware;
        struct device_access access; /* memory-mapped, or of a port */
        struct {
            uint32_t addr;
            uint8_t reg;
            uint64_t value;
        } sysreg;
        struct {
            uint32_t number; /* the architecture's, of EXIT_INSTRUCTION */
            uint64_t operand;
        } insn;
        struct {
            gpa_t gpa;
            gva_t gva;
            enum access access;
        } fault;
        struct {
            uint8_t vector;
        } interrupt;
        struct {
            uint64_t target; /* the id by which the guest knows the CPU */
            gpa_t entry;
            uint64_t arg;
        } cpu_up;
        struct {
            bool reboot;
            uint32_t reason;
        } system_down;
        struct {
            uint64_t targets; /* bit n is vCPU n */
            uint8_t vector;
        } ipi;
        struct {
            uint32_t number; /* the architecture's exception number */
            uint64_t value;  /* what goes with it (stval, error code, ...) */
        } exception;
        struct {
            uint64_t reason; /* the hardware's own number */
        } fail_entry, unknown;
    };
};

#endif
