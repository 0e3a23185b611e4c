/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hardware seam of riscv64 (arch/riscv64/hw.h) on the hardware itself: one
 * instruction or a few per row.
 */
#include "arch/riscv64/hw.h"
#include "arch/riscv64/insn.h"

#include "host/riscv64/csr_access.h"
#include "host/riscv64/riscv_host.h"
#include "host/riscv64/world_switch.h"
#include "lib/bits.h"
#include "lib/string.h"

/*
 * Guest translations of more pages than this are forgotten all at once: a
 * fence per page then costs more than fetching the others again.
 */
#define MAX_FENCED_PAGES 16

/* What probing has found: written at boot only. */
static struct {
    uint64_t features;
    uint64_t vmid_bits;
    uint64_t stage2_modes;
    uint64_t vlenb;
} hw;

/*
 * The general form of machine_enter_guest(): its end is another vector. The
 * CPU loop's is not left to the compiler to copy.
 */
__attribute__((noinline)) void riscv_hw_run_impl(struct riscv_regs *regs)
{
    csr_write(stvec, (uintptr_t)riscv_run_vector);
    world_switch(regs, "riscv_run_vector");
    csr_write(stvec, (uintptr_t)riscv_vector);
}

static uint64_t probe_hgatp(uint64_t value)
{
    csr_write(hgatp, value);
    return csr_read(hgatp);
}

static uint64_t probe_stage2_modes(void)
{
    uint64_t modes = 0;

    for (unsigned mode = HGATP_SV39X4; mode <= HGATP_SV57X4; mode++) {
        uint64_t value = FIELD_PUT(HGATP_MODE, mode);
        if (FIELD_GET(HGATP_MODE, probe_hgatp(value)) == mode)
            modes |= BIT(mode);
    }
    return modes;
}

/* Features whose bit in henvcfg is there only if the firmware allows them. */
static uint64_t probe_henvcfg(void)
{
    static const struct {
        uint64_t bits, feature;
    } controls[] = {
        {HENVCFG_STCE, RISCV_FEATURE_SSTC},
        {HENVCFG_PBMTE, RISCV_FEATURE_SVPBMT},
        {HENVCFG_CBCFE, RISCV_FEATURE_ZICBOM},
        {HENVCFG_CBZE, RISCV_FEATURE_ZICBOZ},
    };
    uint64_t features = 0, value;

    csr_write(henvcfg, ~UINT64_C(0));
    value = csr_read(henvcfg);
    csr_write(henvcfg, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(controls); i++) {
        if ((value & controls[i].bits) == controls[i].bits)
            features |= controls[i].feature;
    }
    return features;
}

static uint64_t probe_vlenb(void)
{
    uint64_t vlenb;

    csr_set(sstatus, FIELD_PUT(STATUS_VS, EXT_INITIAL));
    vlenb = csr_read(vlenb);
    csr_clear(sstatus, STATUS_VS);
    return vlenb;
}

void riscv_hw_probe(uint64_t features)
{
    const uint64_t controlled = RISCV_FEATURE_SSTC | RISCV_FEATURE_SVPBMT |
                                RISCV_FEATURE_ZICBOM | RISCV_FEATURE_ZICBOZ;

    hw.features = features & (~controlled | probe_henvcfg());
    hw.vmid_bits = bit_count(FIELD_GET(HGATP_VMID, probe_hgatp(HGATP_VMID)));
    hw.stage2_modes = probe_stage2_modes();
    csr_write(hgatp, 0);
    riscv_hw_hfence_gvma_all_impl();
    if ((hw.features & RISCV_FEATURE_V) != 0)
        hw.vlenb = probe_vlenb();
    if (hw.vlenb > RISCV_MAX_VLENB)
        hw.features &= ~(uint64_t)RISCV_FEATURE_V;
}

uint64_t riscv_hw_features_impl(void)
{
    return hw.features;
}

uint64_t riscv_hw_vmid_bits_impl(void)
{
    return hw.vmid_bits;
}

uint64_t riscv_hw_vlenb_impl(void)
{
    return hw.vlenb;
}

uint64_t riscv_hw_stage2_modes_impl(void)
{
    return hw.stage2_modes;
}

void riscv_hw_load_vs_impl(const struct riscv_vs_state *vs)
{
    csr_write(hstatus, vs->hstatus);
    riscv_hw_write_spp_impl((vs->sstatus & STATUS_SPP) != 0);
    csr_write(vsstatus, vs->vsstatus);
    csr_write(vsie, vs->vsie);
    csr_write(vstvec, vs->vstvec);
    csr_write(vsscratch, vs->vsscratch);
    csr_write(vsepc, vs->vsepc);
    csr_write(vscause, vs->vscause);
    csr_write(vstval, vs->vstval);
    csr_write(vsatp, vs->vsatp);
    if ((hw.features & RISCV_FEATURE_SSTC) != 0)
        csr_write(vstimecmp, vs->vstimecmp);
    csr_write(scounteren, vs->scounteren);
    csr_write(senvcfg, vs->senvcfg);
    csr_write(hvip, vs->hvip);
}

void riscv_hw_save_vs_impl(struct riscv_vs_state *vs)
{
    vs->hstatus = csr_read(hstatus);
    vs->sstatus = csr_read(sstatus) & STATUS_SPP;
    vs->vsstatus = csr_read(vsstatus);
    vs->vsie = csr_read(vsie);
    vs->vstvec = csr_read(vstvec);
    vs->vsscratch = csr_read(vsscratch);
    vs->vsepc = csr_read(vsepc);
    vs->vscause = csr_read(vscause);
    vs->vstval = csr_read(vstval);
    vs->vsatp = csr_read(vsatp);
    if ((hw.features & RISCV_FEATURE_SSTC) != 0)
        vs->vstimecmp = csr_read(vstimecmp);
    vs->scounteren = csr_read(scounteren);
    vs->senvcfg = csr_read(senvcfg);
    vs->hvip = csr_read(hvip);
}

/* Rows that read or write one CSR. */
#define READ_ROW(name, csr)               \
    uint64_t riscv_hw_##name##_impl(void) \
    {                                     \
        return csr_read(csr);             \
    }
#define WRITE_ROW(name, csr)                    \
    void riscv_hw_##name##_impl(uint64_t value) \
    {                                           \
        csr_write(csr, value);                  \
    }

WRITE_ROW(write_hgatp, hgatp)
WRITE_ROW(write_hedeleg, hedeleg)
WRITE_ROW(write_hideleg, hideleg)
WRITE_ROW(write_hcounteren, hcounteren)
WRITE_ROW(write_henvcfg, henvcfg)
WRITE_ROW(write_htimedelta, htimedelta)
WRITE_ROW(write_vstimecmp, vstimecmp)
WRITE_ROW(write_vsstatus, vsstatus)
WRITE_ROW(write_vsepc, vsepc)
WRITE_ROW(write_vscause, vscause)
WRITE_ROW(write_vstval, vstval)
READ_ROW(read_hip, hip)
READ_ROW(read_hie, hie)
READ_ROW(read_vstimecmp, vstimecmp)
READ_ROW(read_scounteren, scounteren)
READ_ROW(read_vsstatus, vsstatus)
READ_ROW(read_vstvec, vstvec)

void riscv_hw_set_hvip_impl(uint64_t bits)
{
    csr_set(hvip, bits);
}

void riscv_hw_clear_hvip_impl(uint64_t bits)
{
    csr_clear(hvip, bits);
}

bool riscv_hw_read_spp_impl(void)
{
    return (csr_read(sstatus) & STATUS_SPP) != 0;
}

void riscv_hw_write_spp_impl(bool vs_mode)
{
    if (vs_mode)
        csr_set(sstatus, STATUS_SPP);
    else
        csr_clear(sstatus, STATUS_SPP);
}

static void write_status(uint64_t field, uint64_t status)
{
    csr_clear(sstatus, field);
    csr_set(sstatus, FIELD_PUT(field, status));
}

uint64_t riscv_hw_read_fs_impl(void)
{
    return FIELD_GET(STATUS_FS, csr_read(sstatus));
}

void riscv_hw_write_fs_impl(uint64_t status)
{
    write_status(STATUS_FS, status);
}

uint64_t riscv_hw_read_vs_impl(void)
{
    return FIELD_GET(STATUS_VS, csr_read(sstatus));
}

void riscv_hw_write_vs_impl(uint64_t status)
{
    write_status(STATUS_VS, status);
}

_Static_assert(offsetof(struct riscv_fp_state, fcsr) == 256,
               "as guest.S has it");

void riscv_hw_load_fp_impl(const struct riscv_fp_state *fp)
{
    hw_load_fp(fp);
}

void riscv_hw_save_fp_impl(struct riscv_fp_state *fp)
{
    hw_save_fp(fp);
}

uint64_t riscv_hw_read_fpr_impl(uint32_t reg)
{
    return hw_read_fpr(reg % 32);
}

void riscv_hw_write_fpr_impl(uint32_t reg, uint64_t value)
{
    hw_write_fpr(reg % 32, value);
}

void riscv_hw_load_vector_impl(const struct riscv_vector_state *state)
{
    hw_load_vector(state->v, hw.vlenb);
    hw_set_vl(state->vl, state->vtype);
    csr_write(vcsr, state->vcsr);
    csr_write(vstart, state->vstart); /* last: vector instructions clear it */
}

void riscv_hw_save_vector_impl(struct riscv_vector_state *state)
{
    state->vstart = csr_read(vstart);
    state->vl = csr_read(vl);
    state->vtype = csr_read(vtype);
    state->vcsr = csr_read(vcsr);
    csr_write(vstart, 0); /* the moves would begin there */
    hw_save_vector(state->v, hw.vlenb);
}

/*
 * The fences of the hypervisor extension, by number: the compiler's assembler
 * knows them only under a name of the architecture that the compiler does not.
 */
#define HFENCE_VVMA(address, asid)                       \
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, %1" \
                     :                                   \
                     : "r"(address), "r"(asid)           \
                     : "memory")
#define HFENCE_VVMA_ADDRESS(address)                     \
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, x0" \
                     :                                   \
                     : "r"(address)                      \
                     : "memory")
#define HFENCE_VVMA_ASID(asid)                           \
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, %0" \
                     :                                   \
                     : "r"(asid)                         \
                     : "memory")
#define HFENCE_VVMA_ALL() \
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" : : : "memory")
/* The address is guest-physical, shifted right by two. */
#define HFENCE_GVMA(address, vmid)                       \
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, %1" \
                     :                                   \
                     : "r"((address) >> 2), "r"(vmid)    \
                     : "memory")
#define HFENCE_GVMA_VMID(vmid)                           \
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" \
                     :                                   \
                     : "r"(vmid)                         \
                     : "memory")
#define HFENCE_GVMA_ALL() \
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" : : : "memory")

/* Pages that [start, start + size) touches; the range may wrap. */
static uint64_t pages_of(uint64_t start, uint64_t size)
{
    uint64_t first = start / PAGE_SIZE;

    if (size == 0)
        return 0;
    if (size - 1 > UINT64_MAX - start)
        return UINT64_MAX;
    return (start + size - 1) / PAGE_SIZE - first + 1;
}

void riscv_hw_hfence_gvma_vmid_impl(uint64_t vmid)
{
    HFENCE_GVMA_VMID(vmid);
}

void riscv_hw_hfence_gvma_range_impl(uint64_t vmid, uint64_t start,
                                     uint64_t size)
{
    uint64_t pages = pages_of(start, size);

    if (pages > MAX_FENCED_PAGES) {
        HFENCE_GVMA_VMID(vmid);
        return;
    }
    for (; pages != 0; pages--, start += PAGE_SIZE)
        HFENCE_GVMA(start, vmid);
}

void riscv_hw_hfence_gvma_all_impl(void)
{
    HFENCE_GVMA_ALL();
}

void riscv_hw_hfence_vvma_all_impl(void)
{
    HFENCE_VVMA_ALL();
}

void riscv_hw_hfence_vvma_range_impl(uint64_t start, uint64_t size)
{
    uint64_t pages = pages_of(start, size);

    if (pages > MAX_FENCED_PAGES) {
        HFENCE_VVMA_ALL();
        return;
    }
    for (; pages != 0; pages--, start += PAGE_SIZE)
        HFENCE_VVMA_ADDRESS(start);
}

void riscv_hw_hfence_vvma_asid_impl(uint64_t asid)
{
    HFENCE_VVMA_ASID(asid);
}

void riscv_hw_hfence_vvma_asid_range_impl(uint64_t asid, uint64_t start,
                                          uint64_t size)
{
    uint64_t pages = pages_of(start, size);

    if (pages > MAX_FENCED_PAGES) {
        HFENCE_VVMA_ASID(asid);
        return;
    }
    for (; pages != 0; pages--, start += PAGE_SIZE)
        HFENCE_VVMA(start, asid);
}

void riscv_hw_fence_i_impl(void)
{
    __asm__ volatile("fence.i" : : : "memory");
}

/*
 * HLVX.HU and HLVX.WU, which funct7 tells apart: all ones if the fetch faults,
 * for which guest.S has a vector.
 */
#define HLVX_HU "0x32"
#define HLVX_WU "0x34"
#define FETCH(funct7, address)                                       \
    __extension__({                                                  \
        register uint64_t fetch_a0_ __asm__("a0") = (address);       \
        __asm__ volatile("la t0, hw_access_faulted\n"                \
                         "csrrw t1, stvec, t0\n"                     \
                         ".insn r 0x73, 4, " funct7 ", a0, a0, x3\n" \
                         "csrw stvec, t1"                            \
                         : "+r"(fetch_a0_)                           \
                         :                                           \
                         : "t0", "t1", "t2", "memory");              \
        fetch_a0_;                                                   \
    })
/* The word at `pc` could not be fetched: perhaps only its second half, which
 * does not matter if there is a compressed instruction in the first. */
static NOINLINE uint64_t fetch_halves(uint64_t pc)
{
    uint64_t low = FETCH(HLVX_HU, pc), high;

    if (low == RISCV_NO_INSN || (low & INSN_LENGTH) != INSN_LENGTH_FULL)
        return low;
    high = FETCH(HLVX_HU, pc + 2);
    return high == RISCV_NO_INSN ? high : high << 16 | low;
}

EXIT_PATH uint64_t riscv_hw_fetch_insn_impl(uint64_t pc)
{
    uint64_t word = FETCH(HLVX_WU, pc);

    return likely(word != RISCV_NO_INSN) ? word : fetch_halves(pc);
}

size_t riscv_hw_read_guest_virtual_impl(uint64_t address, void *bytes,
                                        size_t size)
{
    uint8_t *to = bytes;
    size_t count;

    for (count = 0; count < size; count++) {
        int64_t byte = hw_load_guest(address + count);
        if (byte < 0)
            break;
        to[count] = (uint8_t)byte;
    }
    return count;
}
