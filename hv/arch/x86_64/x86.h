/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86_64 vCPU, as far as it is the same on every vendor's processor. Its
 * files:
 *   vcpu.c       registers, start-up by INIT and SIPI, waits
 *   dispatch.c   to the vendor
 *   code.c       instructions that guests exit at, found quickly
 *   events.c     exceptions, interrupts, NMIs: what is delivered next
 *   memory.c     guest-linear memory, instruction fetch
 *   mmio.c       device accesses: the simple ones, and the emulator's
 *   insn.c       instructions that the hypervisor answers: CPUID, XSETBV, ...
 *   msr.c        RDMSR and WRMSR
 *   descriptor.c segment descriptors
 *   task.c       task switches, where the processor does not make them
 *   guest_*.c    what guests are told: CPUID and MSR policy
 *   emulate/     the instruction emulator
 *   boot/        boot protocols
 *   svm/, vmx/   what AMD's SVM and Intel's VMX have of their own: the rest of
 *                struct vcpu_ops
 *
 * Chapters and sections of Intel's SDM, volume 3, are those of the edition of
 * December 2023 here and in hv/host and hv/device.
 */
#ifndef ARCH_X86_64_X86_H
#define ARCH_X86_64_X86_H

#include <stdatomic.h>

#include "arch/x86_64/boot/entry.h"
#include "arch/x86_64/code.h"
#include "arch/x86_64/emulate/emulate.h"
#include "arch/x86_64/emulate/walk.h"
#include "arch/x86_64/guest_msr.h"
#include "arch/x86_64/hw.h"
#include "vcpu/vcpu.h"

struct lapic;
struct x86_vcpu;

/* A CPU number that is none. */
#define X86_NO_CPU 0xff

enum x86_event_type {
    X86_EVENT_INTERRUPT = 0,
    X86_EVENT_NMI = 2,
    X86_EVENT_EXCEPTION = 3,
};

/* What is delivered through the guest's IDT at the next entry; packed as both
 * SVM's EVENTINJ and VMX's interruption information are, with the error code in
 * the upper half. */
#define X86_EVENT_VECTOR     BIT_MASK(7, 0)
#define X86_EVENT_TYPE       BIT_MASK(10, 8)
#define X86_EVENT_HAS_ERROR  BIT(11)
#define X86_EVENT_VALID      BIT(31)
#define X86_EVENT_ERROR_CODE BIT_MASK(63, 32)

struct x86_event {
    enum x86_event_type type;
    uint8_t vector;
    bool has_error;
    uint32_t error;
};

/* A data segment that 64-bit mode looks at nothing of but the base. */
#define X86_FLAT_DATA \
    (X86_SEG_PRESENT | X86_SEG_WRITABLE | X86_SEG_ACCESSED | X86_SEG_BIG)

/* Registers that a vendor's control block holds, or its processor. */
enum x86_register {
    X86_REG_RFLAGS,
    X86_REG_CR0,
    X86_REG_CR2,
    X86_REG_CR3,
    X86_REG_CR4,
    X86_REG_EFER,
    X86_REG_PAT,
    X86_REG_DR6,
    X86_REG_DR7,
    X86_REG_COUNT
};

/* What a vendor provides, of a vCPU that is bound. */
struct x86_vendor {
    bool reserves_bit_8; /* of paging entries above a page directory's */

    /* All but the general registers. */
    void (*get_cpu)(const struct x86_vcpu *v, struct x86_cpu *cpu);
    /* Where the code is at which it has exited, and CR3. False: it is not in
     * 64-bit mode. */
    bool (*get_code)(const struct x86_vcpu *v, uint64_t *linear, uint64_t *cr3);
    uint64_t (*get)(const struct x86_vcpu *v, enum x86_register reg);
    /* Values that the hardware takes. Translations are not flushed. */
    void (*set)(struct x86_vcpu *v, enum x86_register reg, uint64_t value);
    /* Of processors that keep the PDPTEs of PAE paging in registers, or NULL:
     * loads them as `control` says, which uses PAE paging. False: a reserved
     * bit is set in one, and they are what they were. */
    bool (*load_pdptes)(struct x86_vcpu *v, const struct x86_control *control);
    /* The offset has changed. */
    void (*set_tsc_offset)(struct x86_vcpu *v, uint64_t offset);
    /* All registers, of a vCPU that need not be bound. */
    void (*enter_at)(struct x86_vcpu *v, const struct x86_entry *entry);
    /* The guest's translations are dropped before it is entered again. */
    void (*flush)(struct x86_vcpu *v);
    /* What the hardware said of the instruction: how many bytes of it. */
    unsigned (*insn_bytes)(const struct x86_vcpu *v,
                           uint8_t bytes[X86_INSN_MAX]);

    /* Whether its last exit was an access of the processor to the guest's page
     * tables. */
    bool (*walks_tables)(const struct x86_vcpu *v);

    /* An exception of the guest has been intercepted, which it shall have:
     * what the processor does to registers before, and has not yet. */
    void (*take_exception)(struct x86_vcpu *v, uint8_t vector);
    /* An event now waits for the next entry: what goes with it. */
    void (*sets_event)(struct x86_vcpu *v, const struct x86_event *event);
    /* Whether the guest would take it now, if no event waits. */
    bool (*takes_interrupt)(const struct x86_vcpu *v);
    bool (*takes_nmi)(const struct x86_vcpu *v);
    /* An exit as soon as the guest takes interrupts, or NMIs. */
    void (*set_windows)(struct x86_vcpu *v, bool interrupt, bool nmi);

    /* For task switches; NULL where the processor makes them. Segments are of
     * those that instructions name, LDTR and TR. */
    struct x86_segment (*get_segment)(const struct x86_vcpu *v,
                                      unsigned number);
    void (*set_segment)(struct x86_vcpu *v, unsigned number,
                        const struct x86_segment *segment);
    struct x86_entry_table (*get_gdtr)(const struct x86_vcpu *v);
    void (*block_nmi)(struct x86_vcpu *v, bool on);

    /* Of a vendor whose processors may have registers of the local APIC
     * (struct lapic_processor), or NULL: gives them what has changed; and what
     * the guest has written there, at an offset in the page. */
    void (*lend_apic)(struct x86_vcpu *v);
    uint32_t (*read_apic)(const struct x86_vcpu *v, uint32_t offset);
};

/* A vCPU that is not in its guest, whoever enters it. */
enum x86_wait {
    X86_RUNS,
    X86_HALTS, /* until an event that it takes */
    X86_WAITS_FOR_SIPI,
    X86_IS_DOWN, /* by a triple fault: its exit resets the VM */
};

struct x86_vcpu {
    struct vcpu base;
    struct x86_regs regs;
    const struct x86_vendor *vendor;
    /* Where the vendor keeps them while the guest is out. The interrupt
     * shadow's low two bits say that there is one. Likewise the one event that
     * waits for the next entry, packed; not valid: there is none. */
    uint64_t *rip, *rflags, *shadow, *event;
    struct x86_code *code;
    struct x86_guest_cpuid *cpuid;     /* one for all vCPUs of the VM */
    struct lapic *lapic;               /* NULL: the VM has none */
    uint8_t wait;                      /* enum x86_wait */
    bool interrupt_window, nmi_window; /* asked for */
    bool has_tsc_aux;
    bool has_insn_bytes; /* the processor may give them with an exit */

    /* Vectors from elsewhere than the local APIC: injected by the host into a
     * VM without one, or taken back from a delivery that did not happen. */
    _Atomic uint64_t injected[4];
    _Atomic bool nmi;

    uint8_t physical_bits; /* of the guest's addresses */
    bool has_gigabyte_pages;

    uint64_t tsc_offset, tsc_adjust;
    struct x86_msr_state msrs;
    uint64_t xcr0;
    uint64_t host_xcr0; /* components that are switched */
    uint64_t tsc_aux;
    struct x86_debug_state debug;

    struct x86_xsave xsave;
};

static inline struct x86_vcpu *to_x86(struct vcpu *vcpu)
{
    return container_of(vcpu, struct x86_vcpu, base);
}

static inline const struct x86_vcpu *to_x86_const(const struct vcpu *vcpu)
{
    return container_of(vcpu, const struct x86_vcpu, base);
}

static inline bool x86_uses_pae(const struct x86_control *control)
{
    return (control->cr0 & X86_CR0_PG) != 0 &&
           (control->cr4 & X86_CR4_PAE) != 0 &&
           (control->efer & X86_EFER_LMA) == 0;
}

/* What a change of control registers does that loads the PDPTEs if PAE paging
 * is used then. False: an exception, and nothing has changed. */
static inline bool x86_load_pdptes(struct x86_vcpu *v,
                                   const struct x86_control *control)
{
    return v->vendor->load_pdptes == NULL || !x86_uses_pae(control) ||
           v->vendor->load_pdptes(v, control);
}

static inline bool x86_has_event(const struct x86_vcpu *v)
{
    return (*v->event & X86_EVENT_VALID) != 0;
}

static inline void x86_end_shadow(struct x86_vcpu *v)
{
    *v->shadow &= ~UINT64_C(3);
}

/* --- vcpu.c --- */

/* What few instructions ask for at their end. */
NOINLINE void x86_end_rarely(struct x86_vcpu *v, unsigned length);

/* The instruction at RIP, of so many bytes, has been completed. */
static ALWAYS_INLINE void x86_step_over(struct x86_vcpu *v, unsigned length)
{
    *v->rip += length;
    x86_end_shadow(v);
    if (unlikely((uint32_t)*v->rip < length ||
                 (*v->rflags & (X86_RFLAGS_TF | X86_RFLAGS_RF)) != 0))
        x86_end_rarely(v, length);
}

err_t x86_init(struct x86_vcpu *v, const struct x86_vendor *vendor,
               struct arena *arena) MUST_CHECK;
/* The first vCPU of the VM, which makes what all share; it may be this one. */
struct x86_vcpu *x86_first(struct x86_vcpu *v);
/* The state after power-on, or, for other vCPUs than the first of a PC, that
 * of waiting for a SIPI. */
void x86_setup(struct x86_vcpu *v);
void x86_clear(struct x86_vcpu *v);
/* Of the guest's TSC and its deadlines. */
void x86_set_tsc_offset(struct x86_vcpu *v, uint64_t offset);
/* The registers that no control block holds, to and from the CPU. */
void x86_bind(struct x86_vcpu *v);
void x86_unbind(struct x86_vcpu *v);
uint64_t x86_read_xcr0(const struct x86_vcpu *v);

void x86_advance(struct vcpu *vcpu, const struct vm_exit *exit);
uint64_t x86_get_pc(const struct vcpu *vcpu);
void x86_set_pc(struct vcpu *vcpu, uint64_t pc);
uint64_t x86_get_gpr(const struct vcpu *vcpu, unsigned reg);
void x86_set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value);
void x86_set_return_value(struct vcpu *vcpu, uint64_t value);
void x86_set_cpu_up_result(struct vcpu *vcpu, err_t result);
bool x86_has_wakeup(struct vcpu *vcpu);
uint64_t x86_wakeup_deadline(struct vcpu *vcpu);

/* INIT and SIPI that the local APIC has accepted. */
void x86_take_startup(struct x86_vcpu *v);

/* The exit of a vCPU that was not entered, because it waits. */
void x86_decode_wait(const struct x86_vcpu *v, struct vm_exit *exit);
/* The exit by a triple fault. */
void x86_decode_shutdown(struct vm_exit *exit);

/* --- dispatch.c --- */

void x86_world_switch(struct vcpu *vcpu);
void x86_decode(const struct vcpu *vcpu, struct vm_exit *exit);
enum verdict x86_firmware_call(struct vcpu *vcpu, struct vm_exit *exit);

/* --- events.c --- */

/* Brings INIT, SIPI, NMIs and interrupts to the guest, or asks for an exit
 * when it will take them; on the vCPU's CPU, bound. */
void x86_sync_events(struct x86_vcpu *v);
/* The event that waits; false: there is none. */
bool x86_get_event(const struct x86_vcpu *v, struct x86_event *event);
/* No other one waits, or it is replaced. */
void x86_set_event(struct x86_vcpu *v, const struct x86_event *event);
/* The guest takes exception `vector` at its next entry. */
void x86_inject_exception(struct x86_vcpu *v,
                          const struct x86_exception *exception);
void x86_inject_gp(struct x86_vcpu *v);
void x86_inject_ud(struct x86_vcpu *v);
/* An instruction is complete whose RFLAGS.TF was set. */
void x86_inject_single_step(struct x86_vcpu *v);
bool x86_inject_fault(struct vcpu *vcpu, const struct vm_exit *exit);
err_t x86_inject_interrupt(struct vcpu *vcpu, interrupt_vector vector,
                           enum trigger trigger);
err_t x86_set_interrupt_line(struct vcpu *vcpu, interrupt_vector vector,
                             bool high);
bool x86_handle_eoi(struct vcpu *vcpu, interrupt_vector *vector);

/* --- memory.c --- */

/*
 * What the functions below are given as `context` by the emulator, for one
 * instruction. Of each sort of access it remembers the last page, as a TLB
 * does: a string instruction repeats on the same pages, and each walk reads up
 * to four entries.
 */
struct x86_memory_context {
    struct x86_vcpu *v;
    const struct x86_cpu *cpu;
    bool no_memory; /* why an access was X86_UNSUPPORTED */
    struct {
        bool is_known;
        uint64_t linear;
        gpa_t address;
    } pages[X86_ACCESS_FETCH + 1];
};

enum x86_result x86_translate_linear(void *context, uint64_t linear,
                                     enum x86_access access, gpa_t *address,
                                     struct x86_exception *fault);
enum x86_result x86_fetch_bytes(void *context, gpa_t address, void *to,
                                unsigned bytes);

/* Fetches and decodes the instruction at RIP. */
enum x86_result x86_fetch(struct x86_vcpu *v, const struct x86_cpu *cpu,
                          struct x86_insn *insn,
                          struct x86_outcome *outcome) MUST_CHECK;
/* The length of the instruction at RIP. 0: it cannot be read any more. */
uint8_t x86_insn_length(struct x86_vcpu *v);
/* How the guest's processor walks its page tables, and what it is for: of enum
 * x86_walk_access. */
unsigned x86_walk_access(enum x86_access access, unsigned cpl);
struct x86_paging x86_paging_of(const struct x86_vcpu *v,
                                const struct x86_control *control,
                                uint64_t rflags);

/* --- mmio.c --- */

err_t x86_decode_mmio(struct vcpu *vcpu, const struct vm_exit *fault,
                      struct device_access *access);
void x86_finish_read(struct vcpu *vcpu, const struct device_access *access,
                     uint64_t value);
void x86_finish_write(struct vcpu *vcpu, const struct device_access *access);
enum verdict x86_emulate_access(struct vcpu *vcpu, const struct vm_exit *fault,
                                char *what);
/* INS and OUTS, whatever they access. */
enum verdict x86_emulate_string_io(struct x86_vcpu *v, char *what);

/* The general registers, wherever they are. */
void x86_get_gprs(const struct x86_vcpu *v, struct x86_cpu *cpu);

/* --- insn.c --- */

/* What EXIT_INSTRUCTION's number says. */
enum x86_intercepted {
    X86_INTERCEPTED_XSETBV,
    X86_INTERCEPTED_CACHE,     /* INVD, WBINVD */
    X86_INTERCEPTED_STRING_IO, /* INS, OUTS */
    X86_INTERCEPTED_MOV_CR,    /* its operand says of which */
    X86_INTERCEPTED_ICEBP,
    X86_INTERCEPTED_UD, /* raises #UD */
    X86_INTERCEPTED_GP, /* raises #GP(0) */
    X86_INTERCEPTED_TASK_SWITCH,
    /* Complete, and what follows from it is not: a write to the register of
     * the local APIC at the offset that the operand is; the end of a
     * level-triggered interrupt, whose vector that is. */
    X86_INTERCEPTED_APIC_WRITE,
    X86_INTERCEPTED_APIC_EOI,
    X86_INTERCEPTED_COUNT
};

/* The operand of X86_INTERCEPTED_MOV_CR: the control register's number, this,
 * and, if the hardware says so, the general register's number. */
#define X86_MOV_CR_WRITE   0x10
#define X86_MOV_CR_GPR     BIT_MASK(11, 8)
#define X86_MOV_CR_DECODED BIT(12)

/* The operand of X86_INTERCEPTED_TASK_SWITCH: the new TSS, and what has led
 * there. */
#define X86_TASK_SELECTOR BIT_MASK(15, 0)
#define X86_TASK_SOURCE   BIT_MASK(17, 16)

enum x86_task_source {
    X86_TASK_CALL,
    X86_TASK_IRET,
    X86_TASK_JMP,
    X86_TASK_GATE, /* in the IDT */
};

/* The value of WRMSR and XSETBV. */
uint64_t x86_edx_eax(const struct x86_vcpu *v);
enum verdict x86_instruction(struct vcpu *vcpu, struct vm_exit *exit,
                             char *what);

/* --- msr.c --- */

enum verdict x86_sysreg(struct vcpu *vcpu, struct vm_exit *exit);

/* --- task.c --- */

/* Of a guest that is in protected mode, and not in long mode; else, and where
 * there is no memory, the VM stops. */
enum verdict x86_switch_task(struct x86_vcpu *v, const struct vm_exit *exit,
                             char *what);

/* --- The rows of struct vcpu_ops that are the same for all vendors --- */

#define X86_VCPU_OPS                                                      \
    .name = "x86_64", .align = PAGE_SIZE, .decode_mmio = x86_decode_mmio, \
    .finish_read = x86_finish_read, .finish_write = x86_finish_write,     \
    .advance = x86_advance, .inject_fault = x86_inject_fault,             \
    .emulate = x86_emulate_access, .load = x86_boot_vm,                   \
    .boot_state_size = sizeof(struct x86_entry),                          \
    .firmware_call = x86_firmware_call, .sysreg = x86_sysreg,             \
    .instruction = x86_instruction,                                       \
    .set_cpu_up_result = x86_set_cpu_up_result, .get_pc = x86_get_pc,     \
    .set_pc = x86_set_pc, .get_gpr = x86_get_gpr, .set_gpr = x86_set_gpr, \
    .gpr_count = X86_GPR_COUNT, .set_return_value = x86_set_return_value, \
    .inject_interrupt = x86_inject_interrupt,                             \
    .set_interrupt_line = x86_set_interrupt_line,                         \
    .handle_eoi = x86_handle_eoi, .has_wakeup = x86_has_wakeup,           \
    .wakeup_deadline = x86_wakeup_deadline

#endif
