/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PC on fake processors of either vendor: one VM with local APICs, an IOAPIC,
 * the pair of 8259, and a device that remembers what is done to it. Its guests
 * are brought into any mode, and do operations, or access memory with an
 * instruction that the fake processor does not know. What is here is said of
 * the guest; svm/rig.h and vmx/rig.h have what only one vendor has.
 */
#ifndef TESTS_HV_ARCH_X86_64_VCPU_RIG_H
#define TESTS_HV_ARCH_X86_64_VCPU_RIG_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/x86.h"
#include "device/pc/lapic.h"
#include "sim/arch.h"
#include "sim/fake_hw/x86_64/cpu/cpu.h"
#include "sim/fake_hw/x86_64/profile.h"
#include "support/machine.h"
#include "support/rows.h"
#include "vm/vm.h"

/* Guest-physical, and linear, too: all modes map it to itself. */
#define RIG_IDT     UINT64_C(0x2000)
#define RIG_STACK   UINT64_C(0x7000) /* grows down; 0x6000 is mapped, too */
#define RIG_CODE    UINT64_C(0x10000)
#define RIG_TABLES  UINT64_C(0x20000) /* X86_ENTRY_TABLE_PAGES */
#define RIG_HANDLER UINT64_C(0x9000)  /* + 16 * vector: where gates lead */
#define RIG_DATA    UINT64_C(0x40000)
#define RIG_SPARE   UINT64_C(0x60000) /* for a test's own page tables */
#define RIG_RAM     UINT64_C(0x80000) /* bytes from 0 on */
#define RIG_ROM     UINT64_C(0x100000)
#define RIG_DEVICE  UINT64_C(0x400000) /* two, a page each, side by side */
#define RIG_DEVICES 2
#define RIG_NARROW  UINT64_C(0x403000) /* takes 4 bytes at a time */
#define RIG_HOLE    UINT64_C(0x500000)
#define RIG_PORT    0x600 /* 16 ports of a third device */
#define RIG_LAPIC   UINT64_C(0xfee00000)

/* What a device was asked for. */
struct rig_access {
    uint64_t address, value;
    unsigned width;
    bool write;
};

#define RIG_LOG 64

struct rig {
    uint8_t bytes[RIG_DEVICES * 4096 + 4096 + 16]; /* what devices hold */
    struct rig_access log[RIG_LOG];
    unsigned accesses;
    struct vm *vm;
};

extern struct rig rig;

/* The profiles to test on, NULL behind the last. Those of VMX begin with
 * RIG_VMX. */
#define RIG_VMX "vmx-"
extern const char *const rig_profiles[];
/* One of each vendor. */
extern const char *const rig_vendors[];

const struct x86_profile *rig_profile(const char *name);

/* A test whose body runs once on each vendor's processors, on `profile`. */
#define EACH_VENDOR(suite, name)                                   \
    static void suite##_##name(const char *profile);               \
    Test(suite, name)                                              \
    {                                                              \
        for (unsigned each = 0; rig_vendors[each] != NULL; each++) \
            suite##_##name(rig_vendors[each]);                     \
    }                                                              \
    static void suite##_##name(const char *profile)

/* What the rig has to know of a vendor. */
struct rig_vendor {
    const struct sim_arch *arch;
    uint64_t (*get)(vcpu_id id, enum x86_register reg);
    uint64_t (*get_rsp)(vcpu_id id);
    struct x86_segment (*get_cs)(vcpu_id id);
    /* The last exit becomes one of an access at RIP. */
    void (*make_access)(vcpu_id id, uint64_t gpa, bool write, uint8_t length);
};

extern const struct rig_vendor rig_svm_vendor, rig_vmx_vendor;

/* A machine of `cpus` processors called `profile`, whose VM 1 has `vcpus`. */
void rig_start(const char *profile, uint32_t cpus, uint32_t vcpus);
/* The same without any device but the test's own. */
void rig_start_bare(const char *profile, uint32_t vcpus);
/* Tries to, and ends it again. Whether an allocation has failed that the test
 * has armed. */
bool rig_try_start(const char *profile, uint32_t cpus, uint32_t vcpus);
/* Ends it: nothing has leaked, no rule was broken. */
void rig_stop(void);
/* The same where rules were to be broken. */
void rig_stop_violated(void);

struct x86_vcpu *rig_vcpu(vcpu_id id);
bool rig_is_vmx(void);
struct lapic *rig_lapic(vcpu_id id);
/* Guest memory. */
void rig_write(uint64_t gpa, const void *bytes, size_t size);
void rig_read(uint64_t gpa, void *bytes, size_t size);
uint64_t rig_peek(uint64_t gpa, unsigned size);
void rig_poke(uint64_t gpa, uint64_t value, unsigned size);
/* Bytes of the device at a guest-physical address. */
uint8_t *rig_device(uint64_t gpa);

enum rig_mode {
    RIG_REAL,
    RIG_PROTECTED, /* 32 bits, no paging */
    RIG_TWO_LEVEL,
    RIG_PAE,
    RIG_LONG,
    RIG_MODES
};
extern const char *const rig_mode_names[RIG_MODES];

/* vCPU `id` is in that mode, at RIG_CODE, with an IDT whose gates lead to
 * RIG_HANDLER, and interrupts off. It has run, and waits for operations. */
void rig_mode(vcpu_id id, enum rig_mode mode);
/* RFLAGS from the next entry on. */
void rig_set_flags(vcpu_id id, uint64_t set, uint64_t clear);

/* One operation, which must get done. */
struct guest_result rig_do(vcpu_id id, struct guest_op op);
/* Operations one behind the other, so that nothing but they make it exit. */
void rig_do_series(vcpu_id id, const struct guest_op *ops, size_t count);
/* In the tables of the guest, in long mode, the page at `absent` is not there
 * any more; those around it are as they were. */
void rig_unmap_page(vcpu_id id, uint64_t absent);
/* A MOV to a control register. */
static inline struct guest_op rig_write_cr(unsigned number, uint64_t value)
{
    return (struct guest_op){.kind = OP_X86_WRITE_CR,
                             .number = number,
                             .reg = X86_GPR_RDI,
                             .value = value};
}
/* Let the machine run until there is nothing to do. */
void rig_run(void);
/* The vector whose handler vCPU `id` is at, or -1. */
int rig_handler(vcpu_id id);

/* Interrupts: what the guest enables its local APIC for, and what arrives from
 * outside, wherever the vCPU is. */
void rig_enable_apic(vcpu_id id);
void rig_interrupt(vcpu_id id, uint8_t vector);
void rig_nmi(vcpu_id id);
/* The guest goes on, without an instruction. The vectors it takes. */
struct guest_result rig_go_on(vcpu_id id);
/* Whether the result says so. */
bool rig_took(const struct guest_result *result, uint8_t vector);
/* RSP. */
void rig_set_stack(vcpu_id id, uint64_t rsp);
/* What is on the stack, 8 bytes each. */
uint64_t rig_stacked(vcpu_id id, unsigned index);

/* A machine of one CPU, whose guest is in long mode, with these of RFLAGS and
 * an APIC that is on, and has no exit to make. */
void rig_start_events(const char *profile, uint64_t flags);
/* The same in an NMI's handler, in which another one has come, and which has
 * come to its IRET, at RIP; it returns to RIG_RETURNS_TO. Nothing makes the
 * guest exit by itself. */
#define RIG_RETURNS_TO (RIG_CODE + 2)
void rig_start_at_iret(const char *profile, uint64_t flags);

/* An exit that the test makes up: the instruction of these bytes, at RIP,
 * accesses the guest-physical address, as a processor of the profile says it.
 * The hypervisor handles it, and the guest is entered, at whatever it finds. */
enum verdict rig_access(vcpu_id id, uint64_t gpa, bool write, uint8_t length,
                        const uint8_t *bytes);
/* The hypervisor handles the exit that has been made up, and the guest is
 * entered. */
enum verdict rig_handle(vcpu_id id);

/* Registers of the guest, wherever they are. */
uint64_t rig_get(vcpu_id id, enum x86_register reg);
uint64_t rig_rip(vcpu_id id);
void rig_set_rip(vcpu_id id, uint64_t rip);
uint64_t rig_linear_rip(vcpu_id id);
uint64_t rig_rsp(vcpu_id id);
struct x86_segment rig_cs(vcpu_id id);
uint64_t rig_gpr(vcpu_id id, unsigned reg);
void rig_set_gpr(vcpu_id id, unsigned reg, uint64_t value);

#endif
