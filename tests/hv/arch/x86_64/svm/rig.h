/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PC on fake SVM processors: one VM with local APICs, an IOAPIC, the pair of
 * 8259, and a device that remembers what is done to it. Its guests are brought
 * into any mode, and do operations, or exit with an instruction that the
 * fake processor does not know.
 */
#ifndef TESTS_HV_ARCH_X86_64_SVM_RIG_H
#define TESTS_HV_ARCH_X86_64_SVM_RIG_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/svm/svm.h"
#include "device/pc/lapic.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
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

/* The profiles to test on, NULL behind the last. */
extern const char *const rig_profiles[];

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

struct svm_vcpu *rig_vcpu(vcpu_id id);
static inline struct vmcb *rig_vmcb(vcpu_id id)
{
    return &rig_vcpu(id)->vmcb;
}
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
/* What is on the stack, 8 bytes each. */
uint64_t rig_stacked(vcpu_id id, unsigned index);

/*
 * An exit that the test makes up: the instruction of these bytes, at RIP,
 * exits with this code, as a processor of the profile says it. The hypervisor
 * handles it, and the guest is entered, at whatever it finds.
 */
struct rig_exit {
    uint64_t code, info1, info2;
    uint8_t length;
    uint8_t bytes[X86_INSN_MAX];
    uint64_t event; /* that it has cut short, as EXITINTINFO has it */
    bool is_there;  /* in memory already: `bytes` do not count */
};
enum verdict rig_exit(vcpu_id id, const struct rig_exit *exit);
/* The same of an instruction that accesses the guest-physical address. */
enum verdict rig_access(vcpu_id id, uint64_t gpa, bool write, uint8_t length,
                        const uint8_t *bytes);

/* Of `v`, in `regs` and in the VMCB. */
uint64_t rig_gpr(vcpu_id id, unsigned reg);
void rig_set_gpr(vcpu_id id, unsigned reg, uint64_t value);

#endif
