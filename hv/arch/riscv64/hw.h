/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riscv64 hardware seam: every privileged access of the hypervisor. The
 * image implements it in assembly (hv/host/riscv64/hw.c), the process by fake
 * hardware (sim/fake_hw/riscv64). How a row reads: api/api.h.
 */
#ifndef ARCH_RISCV64_HW_H
#define ARCH_RISCV64_HW_H

#include "api/api.h"
#include "arch/riscv64/csr.h"
#include "arch/riscv64/regs.h"

/*
 * Exits that write stval, htval and htinst to struct riscv_regs: the
 * exceptions that describe themselves in stval. All but five of them are
 * delegated to the guest; they are here for a processor whose hedeleg does not
 * take every bit.
 */
#define RISCV_FAULT_CAUSES                                            \
    (BIT_MASK(CAUSE_STORE_ACCESS, CAUSE_INSN_MISALIGNED) |            \
     BIT(CAUSE_INSN_PAGE_FAULT) | BIT(CAUSE_LOAD_PAGE_FAULT) |        \
     BIT(CAUSE_STORE_PAGE_FAULT) | BIT(CAUSE_INSN_GUEST_PAGE_FAULT) | \
     BIT(CAUSE_LOAD_GUEST_PAGE_FAULT) | BIT(CAUSE_VIRTUAL_INSN) |     \
     BIT(CAUSE_STORE_GUEST_PAGE_FAULT))

/* What the processor can do, as found at boot: the least of all CPUs. */
enum riscv_feature {
    RISCV_FEATURE_SSTC = 1 << 0,
    RISCV_FEATURE_FD = 1 << 1, /* F and D */
    RISCV_FEATURE_V = 1 << 2,
    RISCV_FEATURE_SVPBMT = 1 << 3,
    RISCV_FEATURE_ZICBOM = 1 << 4,
    RISCV_FEATURE_ZICBOZ = 1 << 5,
};

/* No instruction: it has no such bits. */
#define RISCV_NO_INSN UINT64_MAX

/* clang-format off */
#define RISCV_HW_API(FN, PROC, GET, PUT)                                       \
    /* Loads `regs`, enters the guest of the current vCPU, and returns when it \
     * has trapped into HS-mode. What the exit brought is recorded by the      \
     * caller of vmm_step(). */                                                \
    PROC(riscv_hw_run, (struct riscv_regs *regs), (regs), (0), QUIET)          \
    /* enum riscv_feature bits; VMID bits that exist; bytes of a vector        \
     * register; the stage-2 modes that hgatp takes, bit n for mode n. */      \
    FN(uint64_t, riscv_hw_features, (void), (), (0), FEED, NEVER_FAILS)        \
    FN(uint64_t, riscv_hw_vmid_bits, (void), (), (0), FEED, NEVER_FAILS)       \
    FN(uint64_t, riscv_hw_vlenb, (void), (), (0), FEED, NEVER_FAILS)           \
    FN(uint64_t, riscv_hw_stage2_modes, (void), (), (0), FEED, NEVER_FAILS)    \
    /* The guest's VS-level state, as a block: bytes that the hypervisor       \
     * moves and does not decide by. Of sstatus only SPP is loaded and saved.  \
     * vstimecmp is left alone without Sstc. */                                \
    PROC(riscv_hw_load_vs, (const struct riscv_vs_state *vs), (vs), (0),       \
         QUIET)                                                                \
    PROC(riscv_hw_save_vs, (struct riscv_vs_state *vs), (vs), (0), QUIET)      \
    /* Controls of the guest that runs on this CPU. */                         \
    PROC(riscv_hw_write_hgatp, (uint64_t value), (value), (value), FEED)       \
    PROC(riscv_hw_write_hedeleg, (uint64_t value), (value), (value), FEED)     \
    PROC(riscv_hw_write_hideleg, (uint64_t value), (value), (value), FEED)     \
    PROC(riscv_hw_write_hcounteren, (uint64_t value), (value), (value), FEED)  \
    PROC(riscv_hw_write_henvcfg, (uint64_t value), (value), (value), FEED)     \
    PROC(riscv_hw_write_htimedelta, (uint64_t value), (value), (value), FEED)  \
    /* Virtual interrupts: hvip's bits, and what is pending and enabled in     \
     * hip and hie (the guest's own timer included). */                        \
    PROC(riscv_hw_set_hvip, (uint64_t bits), (bits), (bits), FEED)             \
    PROC(riscv_hw_clear_hvip, (uint64_t bits), (bits), (bits), FEED)           \
    FN(uint64_t, riscv_hw_read_hip, (void), (), (0), FEED, NEVER_FAILS)        \
    FN(uint64_t, riscv_hw_read_hie, (void), (), (0), FEED, NEVER_FAILS)        \
    FN(uint64_t, riscv_hw_read_vstimecmp, (void), (), (0), FEED, NEVER_FAILS)  \
    PROC(riscv_hw_write_vstimecmp, (uint64_t value), (value), (value), FEED)   \
    /* What an injected exception and an emulated instruction need. */         \
    FN(uint64_t, riscv_hw_read_scounteren, (void), (), (0), FEED, NEVER_FAILS) \
    FN(uint64_t, riscv_hw_read_vsstatus, (void), (), (0), FEED, NEVER_FAILS)   \
    PROC(riscv_hw_write_vsstatus, (uint64_t value), (value), (value), FEED)    \
    FN(uint64_t, riscv_hw_read_vstvec, (void), (), (0), FEED, NEVER_FAILS)     \
    PROC(riscv_hw_write_vsepc, (uint64_t value), (value), (value), FEED)       \
    PROC(riscv_hw_write_vscause, (uint64_t value), (value), (value), FEED)     \
    PROC(riscv_hw_write_vstval, (uint64_t value), (value), (value), FEED)      \
    /* The privilege the guest was in (true: VS), and will be entered with. */ \
    FN(bool, riscv_hw_read_spp, (void), (), (0), FEED, NEVER_FAILS)            \
    PROC(riscv_hw_write_spp, (bool vs_mode), (vs_mode), (vs_mode), FEED)       \
    /* HS-level sstatus.FS and VS, enum riscv_ext_status: whether the guest's  \
     * use of the unit traps, and whether it has changed its state. */         \
    FN(uint64_t, riscv_hw_read_fs, (void), (), (0), FEED, NEVER_FAILS)         \
    PROC(riscv_hw_write_fs, (uint64_t status), (status), (status), FEED)       \
    FN(uint64_t, riscv_hw_read_vs, (void), (), (0), FEED, NEVER_FAILS)         \
    PROC(riscv_hw_write_vs, (uint64_t status), (status), (status), FEED)       \
    /* The register files. The unit's status must not be Off. */               \
    PROC(riscv_hw_load_fp, (const struct riscv_fp_state *fp), (fp), (0),       \
         QUIET)                                                                \
    PROC(riscv_hw_save_fp, (struct riscv_fp_state *fp), (fp), (0), QUIET)      \
    FN(uint64_t, riscv_hw_read_fpr, (uint32_t reg), (reg), (reg), FEED,        \
       NEVER_FAILS)                                                            \
    PROC(riscv_hw_write_fpr, (uint32_t reg, uint64_t value), (reg, value),     \
         (reg, value), FEED)                                                   \
    PROC(riscv_hw_load_vector, (const struct riscv_vector_state *state),       \
         (state), (0), QUIET)                                                  \
    PROC(riscv_hw_save_vector, (struct riscv_vector_state *state), (state),    \
         (0), QUIET)                                                           \
    /* This CPU's translations: of one VMID and all; the G-stage, or the       \
     * VS-stage of the VMID in hgatp. Ranges are in bytes, from any address,   \
     * and a wide one may go as a whole. FENCE.I. */                           \
    PROC(riscv_hw_hfence_gvma_vmid, (uint64_t vmid), (vmid), (vmid), FEED)     \
    PROC(riscv_hw_hfence_gvma_range,                                           \
         (uint64_t vmid, uint64_t start, uint64_t size), (vmid, start, size),  \
         (vmid, start, size), FEED)                                            \
    PROC(riscv_hw_hfence_gvma_all, (void), (), (0), FEED)                      \
    PROC(riscv_hw_hfence_vvma_all, (void), (), (0), FEED)                      \
    PROC(riscv_hw_hfence_vvma_range, (uint64_t start, uint64_t size),          \
         (start, size), (start, size), FEED)                                   \
    PROC(riscv_hw_hfence_vvma_asid, (uint64_t asid), (asid), (asid), FEED)     \
    PROC(riscv_hw_hfence_vvma_asid_range,                                      \
         (uint64_t asid, uint64_t start, uint64_t size), (asid, start, size),  \
         (asid, start, size), FEED)                                            \
    PROC(riscv_hw_fence_i, (void), (), (0), FEED)                              \
    /* The instruction at guest-virtual `pc`, fetched with the guest's own     \
     * rights (HLVX); the upper half of a compressed one may be anything.      \
     * RISCV_NO_INSN when the fetch faults. */                                 \
    FN(uint64_t, riscv_hw_fetch_insn, (uint64_t pc), (pc), (pc), FEED,         \
       RISCV_NO_INSN)                                                          \
    /* Loads from the guest through its own translation, as a VS-mode load     \
     * would (HLV.BU): DBCN and legacy calls pass virtual addresses. Returns   \
     * how many bytes could be read. */                                        \
    GET(riscv_hw_read_guest_virtual,                                           \
        (uint64_t address, void *bytes, size_t size), (address, bytes, size),  \
        (address), bytes, size)
/* clang-format on */

API_DECLARE(RISCV_HW_API)

#endif
