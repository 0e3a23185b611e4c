/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Performs the entries of a list, through the hardware seam: in the image on a
 * real processor, or what takes its part, in the process on fake hardware.
 *
 * The runner has one piece of memory: the guest's, from its start on, then what
 * the vendor needs, at fixed places, so that states can name it
 * (TRUTH_RELATIVE). The guest's memory is full of HLT, but for the list's
 * pieces and a case's code. Every case finds it so.
 */
#ifndef TESTS_TRUTH_RUN_H
#define TESTS_TRUTH_RUN_H

#include "arch/x86_64/hw.h"
#include "lib/addr.h"
#include "tests/truth/list.h"

#define TRUTH_HLT 0xf4

struct truth_field {
    uint16_t number;
    uint8_t size; /* bytes */
    const char *name;
};

/* What an entry has changed. */
#define TRUTH_MAX_CHANGES 512
struct truth_answer {
    uint32_t count;
    struct truth_entry changes[TRUTH_MAX_CHANGES];
};

struct truth_machine {
    const struct truth_vendor *vendor;
    const struct truth_list *list;
    const struct truth_case *one; /* that is set up */
    hpa_t base;                   /* of the memory */
    uint8_t *memory;              /* the same */
    uint8_t *fresh;               /* the guest's memory as cases find it */
    uint64_t fail;                /* TRUTH_FAIL: 0 if the entry was begun */
    /* Called when the state is set up, if it is not NULL. */
    void (*before_entry)(struct truth_machine *machine);

    /* The state, where the vendor's functions put it. */
    struct x86_regs regs;
    void *control;
    hpa_t control_pa;
};

struct truth_vendor {
    const char *name;
    enum truth_cpu cpu;
    uint32_t pages;     /* behind TRUTH_MAX_PAGES of the guest's */
    uint32_t host_page; /* of them the process's VM_HSAVE_PA or VMXON region */
    const struct truth_field *fields;
    uint32_t field_count;
    /* Makes what lies behind the guest's memory. */
    void (*prepare)(struct truth_machine *machine);
    /* Every field is 0. */
    void (*clear)(struct truth_machine *machine);
    void (*put)(struct truth_machine *machine, const struct truth_field *field,
                uint64_t value);
    uint64_t (*get)(const struct truth_machine *machine,
                    const struct truth_field *field);
    void (*enter)(struct truth_machine *machine);
    /* Whether an entry or an exit ever writes the field of that number. */
    bool (*is_output)(uint16_t number);
};

extern const struct truth_vendor truth_svm, truth_vmx;

/* The vendor of the list, or NULL: not in this body. */
const struct truth_vendor *truth_vendor_of(const struct truth_list *list);

const struct truth_field *truth_field(const struct truth_vendor *vendor,
                                      uint16_t number);

/* Takes memory, which it keeps. False: there is none. */
bool truth_prepare(struct truth_machine *machine,
                   const struct truth_list *list);

/* Applies the entries; fields that nobody has are left out. */
void truth_put(struct truth_machine *machine,
               const struct truth_entries *entries);

/* Brings the state of a case about. */
void truth_set_up(struct truth_machine *machine, const struct truth_case *one);

/* The same, and enters. */
void truth_run(struct truth_machine *machine, const struct truth_case *one,
               struct truth_answer *answer);

/* Where the vendor's part of the memory begins, and where fields that name it
 * point. */
#define TRUTH_OWN(page) (((uint64_t)TRUTH_MAX_PAGES + (page)) * 4096)

/* SVM: nested tables (PML4 to page table), permission maps, the VMCB. */
enum truth_svm_page {
    TRUTH_SVM_NPT = 0,
    TRUTH_SVM_IOPM = 4,
    TRUTH_SVM_MSRPM = 7,
    TRUTH_SVM_VMCB = 9,
    TRUTH_SVM_HSAVE = 10, /* of the process; the image has its own */
    TRUTH_SVM_PAGES = 11,
};

/* VMX: EPT (PML4 to page table), I/O bitmaps and MSR bitmaps, the virtual-APIC
 * page, the VMCS, one to link, the VMXON region of the process, lists of MSRs.
 */
enum truth_vmx_page {
    TRUTH_VMX_EPT = 0,
    TRUTH_VMX_IO = 4,
    TRUTH_VMX_MSR = 6,
    TRUTH_VMX_APIC = 7,
    TRUTH_VMX_VMCS = 8,
    TRUTH_VMX_LINKED = 9,
    TRUTH_VMX_VMXON = 10,
    TRUTH_VMX_MSRS = 11,
    TRUTH_VMX_PAGES = 12,
};

/* In TRUTH_VMX_MSRS: entries load what is at its start. */
#define TRUTH_MSRS_TO_STORE 0x800
#define TRUTH_MSRS_TO_LOAD  0xc00 /* by exits */

#endif
