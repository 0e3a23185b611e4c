/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual machine control block: its layout, the bits of its fields, exit
 * codes. AMD APM volume 2, chapter 15, appendix B (layout) and appendix C (exit
 * codes), whose names are used. Left out are fields of SEV and of later
 * extensions, which this hypervisor does not use: they are in the reserved
 * ranges.
 */
#ifndef ARCH_X86_64_SVM_VMCB_H
#define ARCH_X86_64_SVM_VMCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"
#include "lib/compiler.h"

struct vmcb_segment {
    uint16_t selector;
    uint16_t attrib; /* bits 55:52 and 47:40 of a descriptor, packed */
    uint32_t limit;  /* of bytes */
    uint64_t base;
};

#define VMCB_ATTRIB_TYPE BIT_MASK(3, 0)
#define VMCB_ATTRIB_S    BIT(4)
#define VMCB_ATTRIB_DPL  BIT_MASK(6, 5)
#define VMCB_ATTRIB_P    BIT(7)
#define VMCB_ATTRIB_AVL  BIT(8)
#define VMCB_ATTRIB_L    BIT(9)
#define VMCB_ATTRIB_D    BIT(10)
#define VMCB_ATTRIB_G    BIT(11)

struct vmcb_control {
    uint16_t intercept_cr_read, intercept_cr_write; /* bit n: CRn */
    uint16_t intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions; /* bit n: vector n */
    uint32_t intercept[3];         /* enum svm_intercept */
    uint8_t reserved_018[0x24];
    uint16_t pause_filter_threshold, pause_filter_count;
    uint64_t iopm_base_pa, msrpm_base_pa;
    uint64_t tsc_offset;
    uint32_t guest_asid;
    uint8_t tlb_control; /* enum svm_tlb_control */
    uint8_t reserved_05d[3];
    uint64_t vintr;            /* VINTR_... */
    uint64_t interrupt_shadow; /* SHADOW_... */
    uint64_t exitcode, exitinfo1, exitinfo2;
    uint64_t exitintinfo; /* EVENT_... */
    uint64_t np_enable;   /* bit 0 */
    uint64_t avic_apic_bar, ghcb_pa;
    uint64_t eventinj; /* EVENT_... */
    uint64_t n_cr3;
    uint64_t lbr_virtualization_enable;
    uint32_t clean; /* CLEAN_... */
    uint32_t reserved_0c4;
    uint64_t nrip;
    uint8_t bytes_fetched; /* how many of `instruction_bytes` */
    uint8_t instruction_bytes[15];
    uint64_t avic_backing_page;
    uint64_t reserved_0e8;
    uint64_t avic_logical_table, avic_physical_table;
    uint8_t reserved_100[0x300];
};

struct vmcb_save {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_0a0[0x2b];
    uint8_t cpl;
    uint32_t reserved_0cc;
    uint64_t efer;
    uint8_t reserved_0d8[0x70];
    uint64_t cr4, cr3, cr0;
    uint64_t dr7, dr6;
    uint64_t rflags, rip;
    uint8_t reserved_180[0x58];
    uint64_t rsp;
    uint64_t s_cet, ssp, isst_addr;
    uint64_t rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_248[0x20];
    uint64_t g_pat;
    uint64_t dbgctl, br_from, br_to, lastexcpfrom, lastexcpto;
    uint8_t reserved_298[0x968];
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
} ALIGNED(4096);

_Static_assert(sizeof(struct vmcb_control) == 0x400, "");
_Static_assert(sizeof(struct vmcb) == 4096, "");

#define VMCB_AT(field, at) \
    _Static_assert(offsetof(struct vmcb, field) == (at), #field)
VMCB_AT(control.intercept_cr_read, 0x000);
VMCB_AT(control.intercept_dr_read, 0x004);
VMCB_AT(control.intercept_exceptions, 0x008);
VMCB_AT(control.intercept, 0x00c);
VMCB_AT(control.pause_filter_threshold, 0x03c);
VMCB_AT(control.iopm_base_pa, 0x040);
VMCB_AT(control.tsc_offset, 0x050);
VMCB_AT(control.guest_asid, 0x058);
VMCB_AT(control.tlb_control, 0x05c);
VMCB_AT(control.vintr, 0x060);
VMCB_AT(control.interrupt_shadow, 0x068);
VMCB_AT(control.exitcode, 0x070);
VMCB_AT(control.exitintinfo, 0x088);
VMCB_AT(control.np_enable, 0x090);
VMCB_AT(control.avic_apic_bar, 0x098);
VMCB_AT(control.eventinj, 0x0a8);
VMCB_AT(control.n_cr3, 0x0b0);
VMCB_AT(control.clean, 0x0c0);
VMCB_AT(control.nrip, 0x0c8);
VMCB_AT(control.bytes_fetched, 0x0d0);
VMCB_AT(control.avic_backing_page, 0x0e0);
VMCB_AT(control.avic_logical_table, 0x0f0);
VMCB_AT(save.es, 0x400);
VMCB_AT(save.tr, 0x490);
VMCB_AT(save.cpl, 0x4cb);
VMCB_AT(save.efer, 0x4d0);
VMCB_AT(save.cr4, 0x548);
VMCB_AT(save.dr7, 0x560);
VMCB_AT(save.rip, 0x578);
VMCB_AT(save.rsp, 0x5d8);
VMCB_AT(save.rax, 0x5f8);
VMCB_AT(save.kernel_gs_base, 0x620);
VMCB_AT(save.cr2, 0x640);
VMCB_AT(save.g_pat, 0x668);
VMCB_AT(save.lastexcpto, 0x690);

/*
 * Intercepts of the three words from offset 00Ch on, numbered through. Each
 * one of the first two words has an exit code: VMEXIT_INTR plus its number, up
 * to INTERCEPT_EFER_WRITE_TRAP.
 */
enum svm_intercept {
    INTERCEPT_INTR,
    INTERCEPT_NMI,
    INTERCEPT_SMI,
    INTERCEPT_INIT,
    INTERCEPT_VINTR,
    INTERCEPT_CR0_SEL_WRITE, /* changes other bits than TS and MP */
    INTERCEPT_IDTR_READ,
    INTERCEPT_GDTR_READ,
    INTERCEPT_LDTR_READ,
    INTERCEPT_TR_READ,
    INTERCEPT_IDTR_WRITE,
    INTERCEPT_GDTR_WRITE,
    INTERCEPT_LDTR_WRITE,
    INTERCEPT_TR_WRITE,
    INTERCEPT_RDTSC,
    INTERCEPT_RDPMC,
    INTERCEPT_PUSHF,
    INTERCEPT_POPF,
    INTERCEPT_CPUID,
    INTERCEPT_RSM,
    INTERCEPT_IRET,
    INTERCEPT_SWINT, /* INT n */
    INTERCEPT_INVD,
    INTERCEPT_PAUSE,
    INTERCEPT_HLT,
    INTERCEPT_INVLPG,
    INTERCEPT_INVLPGA,
    INTERCEPT_IOIO,
    INTERCEPT_MSR,
    INTERCEPT_TASK_SWITCH,
    INTERCEPT_FERR_FREEZE,
    INTERCEPT_SHUTDOWN,
    INTERCEPT_VMRUN,
    INTERCEPT_VMMCALL,
    INTERCEPT_VMLOAD,
    INTERCEPT_VMSAVE,
    INTERCEPT_STGI,
    INTERCEPT_CLGI,
    INTERCEPT_SKINIT,
    INTERCEPT_RDTSCP,
    INTERCEPT_ICEBP,
    INTERCEPT_WBINVD,
    INTERCEPT_MONITOR,
    INTERCEPT_MWAIT,
    INTERCEPT_MWAIT_CONDITIONAL, /* only if the monitor is armed */
    INTERCEPT_XSETBV,
    INTERCEPT_RDPRU,
    INTERCEPT_EFER_WRITE_TRAP,
    INTERCEPT_CR_WRITE_TRAP, /* and 15 more: after MOV CRn */
    INTERCEPT_INVLPGB = 64,
    INTERCEPT_INVLPGB_ILLEGAL,
    INTERCEPT_INVPCID,
    INTERCEPT_MCOMMIT,
    INTERCEPT_TLBSYNC,
    INTERCEPT_BUSLOCK,
    INTERCEPT_IDLE_HLT,
};

static inline bool vmcb_intercepts(const struct vmcb_control *control,
                                   enum svm_intercept intercept)
{
    return (control->intercept[intercept / 32] >> (intercept % 32) & 1) != 0;
}

static inline void vmcb_set_intercept(struct vmcb_control *control,
                                      enum svm_intercept intercept, bool on)
{
    uint32_t bit = UINT32_C(1) << (intercept % 32);

    if (on)
        control->intercept[intercept / 32] |= bit;
    else
        control->intercept[intercept / 32] &= ~bit;
}

/* Exit codes (appendix C). */
enum svm_exitcode {
    VMEXIT_CR0_READ = 0x000,
    VMEXIT_CR0_WRITE = 0x010,
    VMEXIT_DR0_READ = 0x020,
    VMEXIT_DR0_WRITE = 0x030,
    VMEXIT_EXCP0 = 0x040,
    VMEXIT_INTR = 0x060,
    VMEXIT_NMI = 0x061,
    VMEXIT_SMI = 0x062,
    VMEXIT_INIT = 0x063,
    VMEXIT_VINTR = 0x064,
    VMEXIT_CR0_SEL_WRITE = 0x065,
    VMEXIT_IDTR_READ = 0x066,
    VMEXIT_GDTR_READ = 0x067,
    VMEXIT_LDTR_READ = 0x068,
    VMEXIT_TR_READ = 0x069,
    VMEXIT_IDTR_WRITE = 0x06a,
    VMEXIT_GDTR_WRITE = 0x06b,
    VMEXIT_LDTR_WRITE = 0x06c,
    VMEXIT_TR_WRITE = 0x06d,
    VMEXIT_RDTSC = 0x06e,
    VMEXIT_RDPMC = 0x06f,
    VMEXIT_PUSHF = 0x070,
    VMEXIT_POPF = 0x071,
    VMEXIT_CPUID = 0x072,
    VMEXIT_RSM = 0x073,
    VMEXIT_IRET = 0x074,
    VMEXIT_SWINT = 0x075,
    VMEXIT_INVD = 0x076,
    VMEXIT_PAUSE = 0x077,
    VMEXIT_HLT = 0x078,
    VMEXIT_INVLPG = 0x079,
    VMEXIT_INVLPGA = 0x07a,
    VMEXIT_IOIO = 0x07b,
    VMEXIT_MSR = 0x07c,
    VMEXIT_TASK_SWITCH = 0x07d,
    VMEXIT_FERR_FREEZE = 0x07e,
    VMEXIT_SHUTDOWN = 0x07f,
    VMEXIT_VMRUN = 0x080,
    VMEXIT_VMMCALL = 0x081,
    VMEXIT_VMLOAD = 0x082,
    VMEXIT_VMSAVE = 0x083,
    VMEXIT_STGI = 0x084,
    VMEXIT_CLGI = 0x085,
    VMEXIT_SKINIT = 0x086,
    VMEXIT_RDTSCP = 0x087,
    VMEXIT_ICEBP = 0x088,
    VMEXIT_WBINVD = 0x089,
    VMEXIT_MONITOR = 0x08a,
    VMEXIT_MWAIT = 0x08b,
    VMEXIT_MWAIT_CONDITIONAL = 0x08c,
    VMEXIT_XSETBV = 0x08d,
    VMEXIT_RDPRU = 0x08e,
    VMEXIT_EFER_WRITE_TRAP = 0x08f,
    VMEXIT_CR0_WRITE_TRAP = 0x090,
    VMEXIT_INVLPGB = 0x0a0,
    VMEXIT_INVLPGB_ILLEGAL = 0x0a1,
    VMEXIT_INVPCID = 0x0a2,
    VMEXIT_MCOMMIT = 0x0a3,
    VMEXIT_TLBSYNC = 0x0a4,
    VMEXIT_BUSLOCK = 0x0a5,
    VMEXIT_IDLE_HLT = 0x0a6,
    VMEXIT_NPF = 0x400,
    VMEXIT_AVIC_INCOMPLETE_IPI = 0x401,
    VMEXIT_AVIC_NOACCEL = 0x402,
    VMEXIT_VMGEXIT = 0x403,
};

#define VMEXIT_INVALID UINT64_MAX /* the low half of it, on QEMU */

enum svm_tlb_control {
    TLB_CONTROL_NOTHING = 0,
    TLB_CONTROL_FLUSH_ALL = 1,
    TLB_CONTROL_FLUSH_GUEST = 3,           /* with FlushByAsid */
    TLB_CONTROL_FLUSH_GUEST_NONGLOBAL = 7, /* with FlushByAsid */
};

/* Offset 060h. */
#define VINTR_V_TPR          BIT_MASK(7, 0)
#define VINTR_V_IRQ          BIT(8)
#define VINTR_VGIF           BIT(9)
#define VINTR_V_NMI          BIT(11)
#define VINTR_V_NMI_MASK     BIT(12)
#define VINTR_V_INTR_PRIO    BIT_MASK(19, 16)
#define VINTR_V_IGN_TPR      BIT(20)
#define VINTR_V_INTR_MASKING BIT(24)
#define VINTR_VGIF_ENABLE    BIT(25)
#define VINTR_V_NMI_ENABLE   BIT(26)
#define VINTR_X2AVIC_ENABLE  BIT(30)
#define VINTR_AVIC_ENABLE    BIT(31)
#define VINTR_V_INTR_VECTOR  BIT_MASK(39, 32)

#define SHADOW_INTERRUPT  BIT(0)
#define SHADOW_GUEST_MASK BIT(1) /* RFLAGS.IF of an SEV-ES guest */

/* EVENTINJ and EXITINTINFO (sections 15.20, 15.7.2). */
#define EVENT_VECTOR    BIT_MASK(7, 0)
#define EVENT_TYPE      BIT_MASK(10, 8)
#define EVENT_EV        BIT(11) /* there is an error code */
#define EVENT_V         BIT(31)
#define EVENT_ERRORCODE BIT_MASK(63, 32)

enum svm_event_type {
    EVENT_TYPE_INTR = 0,
    EVENT_TYPE_NMI = 2,
    EVENT_TYPE_EXCEPTION = 3,
    EVENT_TYPE_SOFT = 4, /* INT n */
};

/*
 * Clean bits (section 15.15): set, the processor may use what it remembers of
 * the fields from the last VMRUN of the VMCB instead of looking at them.
 */
#define CLEAN_I    BIT(0) /* intercepts, TSC offset, pause filter */
#define CLEAN_IOPM BIT(1) /* IOPM_BASE_PA, MSRPM_BASE_PA */
#define CLEAN_ASID BIT(2)
#define CLEAN_TPR  BIT(3) /* offset 060h */
#define CLEAN_NP   BIT(4) /* NP_ENABLE, N_CR3, G_PAT */
#define CLEAN_CRX  BIT(5) /* CR0, CR3, CR4, EFER */
#define CLEAN_DRX  BIT(6) /* DR6, DR7 */
#define CLEAN_DT   BIT(7) /* GDTR, IDTR */
#define CLEAN_SEG  BIT(8) /* CS, DS, SS, ES, CPL */
#define CLEAN_CR2  BIT(9)
#define CLEAN_LBR  BIT(10) /* DBGCTL and the LBR registers */
#define CLEAN_AVIC BIT(11)
#define CLEAN_CET  BIT(12) /* S_CET, SSP, ISST_ADDR */
#define CLEAN_ALL  BIT_MASK(12, 0)

/* EXITINFO1 of VMEXIT_IOIO (section 15.10.2); EXITINFO2 is the next RIP. */
#define IOIO_TYPE_IN BIT(0)
#define IOIO_STR     BIT(2)
#define IOIO_REP     BIT(3)
#define IOIO_SZ8     BIT(4)
#define IOIO_SZ16    BIT(5)
#define IOIO_SZ32    BIT(6)
#define IOIO_A16     BIT(7)
#define IOIO_A32     BIT(8)
#define IOIO_A64     BIT(9)
#define IOIO_SEG     BIT_MASK(12, 10)
#define IOIO_PORT    BIT_MASK(31, 16)

/* EXITINFO1 of VMEXIT_MSR: 0 is RDMSR. */
#define MSR_EXIT_WRITE 1

/* EXITINFO1 of VMEXIT_NPF, besides X86_FAULT_... (section 15.25.6). */
#define NPF_FINAL BIT(32) /* translating the guest's physical address */
#define NPF_TABLE BIT(33) /* walking the guest's page tables */

/* EXITINFO1 of control register accesses, with decode assists. */
#define CR_EXIT_MOV BIT(63)
#define CR_EXIT_GPR BIT_MASK(3, 0)

/*
 * Permission maps (sections 15.10, 15.11). IOPM: a bit per port, three pages
 * so that an access at the last one has its bits. MSRPM: two bits per MSR, read
 * and write, of three ranges of 2000h; all other MSRs exit.
 */
#define IOPM_SIZE  0x3000
#define MSRPM_SIZE 0x2000

#define MSRPM_RANGE 0x2000 /* MSRs of a range; 800h bytes */

/* X(first MSR, byte in the map) */
#define MSRPM_RANGES(X)   \
    X(0x00000000u, 0x000) \
    X(0xc0000000u, 0x800) \
    X(0xc0010000u, 0x1000)

/* N_CR3 and nested tables: the format is that of long mode's. */
#define NPT_P  BIT(0)
#define NPT_RW BIT(1)
#define NPT_US BIT(2)
#define NPT_A  BIT(5)
#define NPT_D  BIT(6)
#define NPT_PS BIT(7)
#define NPT_NX BIT(63)

#define NPT_ADDRESS BIT_MASK(51, 12)

#endif
