/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control and status registers, and the fields of them that the hypervisor
 * uses. Names and numbers: RISC-V Privileged Architecture 1.12 (chapters
 * "Supervisor-Level ISA" and "Hypervisor Extension"), Sstc, Ssstateen.
 */
#ifndef ARCH_RISCV64_CSR_H
#define ARCH_RISCV64_CSR_H

#include "lib/bits.h"

/* X(name, number): every CSR the hypervisor or the fake hardware knows. */
/* clang-format off */
#define RISCV_CSRS(X)                                                          \
    X(fflags,     0x001) X(frm,        0x002) X(fcsr,       0x003)             \
    X(vstart,     0x008) X(vxsat,      0x009) X(vxrm,       0x00a)             \
    X(vcsr,       0x00f) X(seed,       0x015)                                  \
    X(sstatus,    0x100) X(sie,        0x104) X(stvec,      0x105)             \
    X(scounteren, 0x106) X(senvcfg,    0x10a) X(sscratch,   0x140)             \
    X(sepc,       0x141) X(scause,     0x142) X(stval,      0x143)             \
    X(sip,        0x144) X(stimecmp,   0x14d) X(satp,       0x180)             \
    X(vsstatus,   0x200) X(vsie,       0x204) X(vstvec,     0x205)             \
    X(vsscratch,  0x240) X(vsepc,      0x241) X(vscause,    0x242)             \
    X(vstval,     0x243) X(vsip,       0x244) X(vstimecmp,  0x24d)             \
    X(vsatp,      0x280)                                                       \
    X(hstatus,    0x600) X(hedeleg,    0x602) X(hideleg,    0x603)             \
    X(hie,        0x604) X(htimedelta, 0x605) X(hcounteren, 0x606)             \
    X(hgeie,      0x607) X(henvcfg,    0x60a) X(htval,      0x643)             \
    X(hip,        0x644) X(hvip,       0x645) X(htinst,     0x64a)             \
    X(hgatp,      0x680) X(hgeip,      0xe12)                                  \
    X(cycle,      0xc00) X(time,       0xc01) X(instret,    0xc02)             \
    X(vl,         0xc20) X(vtype,      0xc21) X(vlenb,      0xc22)
/* clang-format on */

enum riscv_csr {
#define X(name, number) CSR_##name = (number),
    RISCV_CSRS(X)
#undef X
};

/* scause: exceptions. */
enum riscv_cause {
    CAUSE_INSN_MISALIGNED = 0,
    CAUSE_INSN_ACCESS = 1,
    CAUSE_ILLEGAL_INSN = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8,
    CAUSE_ECALL_HS = 9,
    CAUSE_ECALL_VS = 10,
    CAUSE_ECALL_M = 11,
    CAUSE_INSN_PAGE_FAULT = 12,
    CAUSE_LOAD_PAGE_FAULT = 13,
    CAUSE_STORE_PAGE_FAULT = 15,
    CAUSE_INSN_GUEST_PAGE_FAULT = 20,
    CAUSE_LOAD_GUEST_PAGE_FAULT = 21,
    CAUSE_VIRTUAL_INSN = 22,
    CAUSE_STORE_GUEST_PAGE_FAULT = 23,
    CAUSE_COUNT = 24,
};

/* scause: interrupts, and the bit numbers of sip, hip, hvip and their like. */
#define CAUSE_INTERRUPT BIT(63)
enum riscv_irq {
    IRQ_S_SOFT = 1,
    IRQ_VS_SOFT = 2,
    IRQ_S_TIMER = 5,
    IRQ_VS_TIMER = 6,
    IRQ_S_EXT = 9,
    IRQ_VS_EXT = 10,
    IRQ_S_GUEST_EXT = 12,
};

#define HVIP_VSSIP BIT(IRQ_VS_SOFT)
#define HVIP_VSTIP BIT(IRQ_VS_TIMER)
#define HVIP_VSEIP BIT(IRQ_VS_EXT)
#define HVIP_ALL   (HVIP_VSSIP | HVIP_VSTIP | HVIP_VSEIP)

/* sstatus, vsstatus */
#define STATUS_SIE  BIT(1)
#define STATUS_SPIE BIT(5)
#define STATUS_UBE  BIT(6)
#define STATUS_SPP  BIT(8)
#define STATUS_VS   BIT_MASK(10, 9)
#define STATUS_FS   BIT_MASK(14, 13)
#define STATUS_XS   BIT_MASK(16, 15)
#define STATUS_SUM  BIT(18)
#define STATUS_MXR  BIT(19)
#define STATUS_UXL  BIT_MASK(33, 32)
#define STATUS_SD   BIT(63)

/* Values of STATUS_FS and STATUS_VS. */
enum riscv_ext_status { EXT_OFF, EXT_INITIAL, EXT_CLEAN, EXT_DIRTY };

/* hstatus */
#define HSTATUS_VSBE  BIT(5)
#define HSTATUS_GVA   BIT(6)
#define HSTATUS_SPV   BIT(7)
#define HSTATUS_SPVP  BIT(8)
#define HSTATUS_HU    BIT(9)
#define HSTATUS_VGEIN BIT_MASK(17, 12)
#define HSTATUS_VTVM  BIT(20)
#define HSTATUS_VTW   BIT(21)
#define HSTATUS_VTSR  BIT(22)
#define HSTATUS_VSXL  BIT_MASK(33, 32)
#define XL_64         2

/* hgatp */
#define HGATP_MODE BIT_MASK(63, 60)
#define HGATP_VMID BIT_MASK(57, 44)
#define HGATP_PPN  BIT_MASK(43, 0)
enum { HGATP_BARE = 0, HGATP_SV39X4 = 8, HGATP_SV48X4 = 9, HGATP_SV57X4 = 10 };

/* henvcfg */
#define HENVCFG_FIOM  BIT(0)
#define HENVCFG_CBIE  BIT_MASK(5, 4)
#define HENVCFG_CBCFE BIT(6)
#define HENVCFG_CBZE  BIT(7)
#define HENVCFG_PBMTE BIT(62)
#define HENVCFG_STCE  BIT(63)

/* hcounteren, scounteren */
#define COUNTEREN_CY BIT(0)
#define COUNTEREN_TM BIT(1)
#define COUNTEREN_IR BIT(2)

#endif
