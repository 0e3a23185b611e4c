/* SPDX-License-Identifier: Apache-2.0 */
/* The riscv64 hardware seam (hv/arch/riscv64/hw.h) on fake CPUs. */
#include <string.h>

#include "sim/cpus.h"
#include "sim/fake_hw/riscv64/cpu.h"
#include "vcpu/exit.h"

struct fake_riscv fake_riscv_cpus[MAX_CPU_NUM];

struct fake_riscv *fake_riscv_current(void)
{
    return &fake_riscv_cpus[host_current_cpu_impl()];
}

static struct fake_riscv *current(void)
{
    return fake_riscv_current();
}

static void reset_cpu(struct fake_riscv *cpu, uint32_t index,
                      const struct riscv_profile *profile)
{
    memset(cpu, 0, offsetof(struct fake_riscv, fp));
    memset(&cpu->fp, 0, sizeof(cpu->fp));
    memset(&cpu->vector, 0, sizeof(cpu->vector));
    tlb_reset(cpu);
    cpu->regs = NULL;
    cpu->source = NULL;
    cpu->profile = profile;
    cpu->index = index;
    cpu->vstimecmp = UINT64_MAX;
}

void fake_riscv_reset(const struct riscv_profile *profile, uint32_t cpus)
{
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        reset_cpu(&fake_riscv_cpus[cpu], cpu,
                  profile != NULL ? profile : &riscv_profiles[0]);
}

void fake_riscv_set_source(uint32_t cpu, struct trap_source *source)
{
    fake_riscv_cpus[cpu].source = source;
}

uint64_t riscv_hw_features_impl(void)
{
    return current()->profile->features;
}

uint64_t riscv_hw_vmid_bits_impl(void)
{
    return current()->profile->vmid_bits;
}

uint64_t riscv_hw_vlenb_impl(void)
{
    return current()->profile->vlenb;
}

uint64_t riscv_hw_stage2_modes_impl(void)
{
    return current()->profile->stage2_modes;
}

static bool has_sstc(const struct fake_riscv *cpu)
{
    return (cpu->profile->features & RISCV_FEATURE_SSTC) != 0;
}

/* vsie's bits are hie's, where hideleg delegates them: hvip comes after. */
void riscv_hw_load_vs_impl(const struct riscv_vs_state *vs)
{
    struct fake_riscv *cpu = current();

    csr_write(cpu, CSR_hstatus, vs->hstatus);
    cpu->sstatus = (cpu->sstatus & ~STATUS_SPP) | (vs->sstatus & STATUS_SPP);
    csr_write(cpu, CSR_vsstatus, vs->vsstatus);
    csr_write(cpu, CSR_vsie, vs->vsie);
    csr_write(cpu, CSR_vstvec, vs->vstvec);
    csr_write(cpu, CSR_vsscratch, vs->vsscratch);
    csr_write(cpu, CSR_vsepc, vs->vsepc);
    csr_write(cpu, CSR_vscause, vs->vscause);
    csr_write(cpu, CSR_vstval, vs->vstval);
    csr_write(cpu, CSR_vsatp, vs->vsatp);
    csr_write(cpu, CSR_scounteren, vs->scounteren);
    csr_write(cpu, CSR_senvcfg, vs->senvcfg);
    csr_write(cpu, CSR_hvip, vs->hvip);
    if (has_sstc(cpu))
        csr_write(cpu, CSR_vstimecmp, vs->vstimecmp);
}

void riscv_hw_save_vs_impl(struct riscv_vs_state *vs)
{
    struct fake_riscv *cpu = current();

    vs->hstatus = csr_read(cpu, CSR_hstatus);
    vs->sstatus = cpu->sstatus & STATUS_SPP;
    vs->vsstatus = csr_read(cpu, CSR_vsstatus);
    vs->vsie = csr_read(cpu, CSR_vsie);
    vs->vstvec = csr_read(cpu, CSR_vstvec);
    vs->vsscratch = csr_read(cpu, CSR_vsscratch);
    vs->vsepc = csr_read(cpu, CSR_vsepc);
    vs->vscause = csr_read(cpu, CSR_vscause);
    vs->vstval = csr_read(cpu, CSR_vstval);
    vs->vsatp = csr_read(cpu, CSR_vsatp);
    vs->scounteren = csr_read(cpu, CSR_scounteren);
    vs->senvcfg = csr_read(cpu, CSR_senvcfg);
    vs->hvip = csr_read(cpu, CSR_hvip);
    if (has_sstc(cpu))
        vs->vstimecmp = csr_read(cpu, CSR_vstimecmp);
}

#define WRITES(name)                                  \
    void riscv_hw_write_##name##_impl(uint64_t value) \
    {                                                 \
        csr_write(current(), CSR_##name, value);      \
    }
#define READS(name)                             \
    uint64_t riscv_hw_read_##name##_impl(void)  \
    {                                           \
        return csr_read(current(), CSR_##name); \
    }

WRITES(hgatp)
WRITES(hedeleg)
WRITES(hideleg)
WRITES(hcounteren)
WRITES(henvcfg)
WRITES(htimedelta)
WRITES(vstimecmp)
WRITES(vsstatus)
WRITES(vsepc)
WRITES(vstval)
READS(hie)
READS(vstimecmp)
READS(scounteren)
READS(vsstatus)
READS(vstvec)

/* The hypervisor has the guest take an exception, as a rule for what it did. */
void riscv_hw_write_vscause_impl(uint64_t value)
{
    struct fake_riscv *cpu = current();

    csr_write(cpu, CSR_vscause, value);
    if (cpu->source != NULL)
        cpu->source->op_injected = true;
}

void riscv_hw_set_hvip_impl(uint64_t bits)
{
    current()->hvip |= bits & HVIP_ALL;
}

void riscv_hw_clear_hvip_impl(uint64_t bits)
{
    current()->hvip &= ~bits;
}

uint64_t riscv_hw_read_hip_impl(void)
{
    return csr_hip(current());
}

bool riscv_hw_read_spp_impl(void)
{
    return (current()->sstatus & STATUS_SPP) != 0;
}

void riscv_hw_write_spp_impl(bool vs_mode)
{
    struct fake_riscv *cpu = current();

    cpu->sstatus &= ~STATUS_SPP;
    if (vs_mode)
        cpu->sstatus |= STATUS_SPP;
}

static void write_unit(uint64_t field, uint64_t status)
{
    struct fake_riscv *cpu = current();

    csr_write(cpu, CSR_sstatus,
              (cpu->sstatus & ~field) | FIELD_PUT(field, status));
}

uint64_t riscv_hw_read_fs_impl(void)
{
    return FIELD_GET(STATUS_FS, current()->sstatus);
}

void riscv_hw_write_fs_impl(uint64_t status)
{
    write_unit(STATUS_FS, status);
}

uint64_t riscv_hw_read_vs_impl(void)
{
    return FIELD_GET(STATUS_VS, current()->sstatus);
}

void riscv_hw_write_vs_impl(uint64_t status)
{
    write_unit(STATUS_VS, status);
}

/* Touching the registers of a unit that is off is an illegal instruction, in
 * HS-mode as anywhere. */
static bool unit_is_usable(const struct fake_riscv *cpu, uint64_t field,
                           const char *what)
{
    if ((cpu->sstatus & field) != 0)
        return true;
    violation(RULE_UNIT_OFF, "%s on CPU %u", what, cpu->index);
    return false;
}

void riscv_hw_load_fp_impl(const struct riscv_fp_state *fp)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_FS, "load of the FP registers"))
        return;
    cpu->fp = *fp;
    csr_write(cpu, CSR_fcsr, fp->fcsr);
    cpu->sstatus |= STATUS_FS;
}

void riscv_hw_save_fp_impl(struct riscv_fp_state *fp)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_FS, "save of the FP registers"))
        return;
    *fp = cpu->fp;
    fp->fcsr = (uint32_t)cpu->fcsr;
}

uint64_t riscv_hw_read_fpr_impl(uint32_t reg)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_FS, "read of an FP register"))
        return 0;
    return cpu->fp.f[reg % 32];
}

void riscv_hw_write_fpr_impl(uint32_t reg, uint64_t value)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_FS, "write of an FP register"))
        return;
    cpu->fp.f[reg % 32] = value;
    cpu->sstatus |= STATUS_FS;
}

void riscv_hw_load_vector_impl(const struct riscv_vector_state *state)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_VS, "load of the vector registers"))
        return;
    cpu->vector = *state;
    cpu->sstatus |= STATUS_VS;
}

void riscv_hw_save_vector_impl(struct riscv_vector_state *state)
{
    struct fake_riscv *cpu = current();

    if (!unit_is_usable(cpu, STATUS_VS, "save of the vector registers"))
        return;
    *state = cpu->vector;
}

void riscv_hw_hfence_gvma_vmid_impl(uint64_t vmid)
{
    tlb_flush_g(current(), vmid, 0, TLB_ANY);
}

void riscv_hw_hfence_gvma_range_impl(uint64_t vmid, uint64_t start,
                                     uint64_t size)
{
    tlb_flush_g(current(), vmid, start, size);
}

void riscv_hw_hfence_gvma_all_impl(void)
{
    tlb_flush_g(current(), TLB_ANY, 0, TLB_ANY);
}

void riscv_hw_hfence_vvma_all_impl(void)
{
    tlb_flush_vs(current(), TLB_ANY, 0, TLB_ANY);
}

void riscv_hw_hfence_vvma_range_impl(uint64_t start, uint64_t size)
{
    tlb_flush_vs(current(), TLB_ANY, start, size);
}

void riscv_hw_hfence_vvma_asid_impl(uint64_t asid)
{
    tlb_flush_vs(current(), asid, 0, TLB_ANY);
}

void riscv_hw_hfence_vvma_asid_range_impl(uint64_t asid, uint64_t start,
                                          uint64_t size)
{
    tlb_flush_vs(current(), asid, start, size);
}

void riscv_hw_fence_i_impl(void) {}

/* HLV and HLVX act with the privilege of hstatus.SPVP. */
static bool hlv_is_user(const struct fake_riscv *cpu)
{
    return (cpu->hstatus & HSTATUS_SPVP) == 0;
}

/* A raw exit has an instruction only if somebody says which. */
static bool has_instruction(const struct guest_op *op)
{
    return op->kind != OP_RAW_EXIT || op->number != 0;
}

/* 16 bits of code in memory; false when the fetch faults. */
static bool fetch_parcel(struct fake_riscv *cpu, uint64_t address,
                         uint16_t *parcel)
{
    struct translation translation =
        mmu_translate(cpu, address, ACCESS_EXECUTE, hlv_is_user(cpu));
    const void *memory =
        translation.ok ? mmu_host_memory(cpu, translation.hpa, sizeof(*parcel))
                       : NULL;

    if (memory == NULL)
        return false;
    memcpy(parcel, memory, sizeof(*parcel));
    return true;
}

/* The operation in flight is the instruction at its pc; elsewhere, memory
 * counts. */
uint64_t riscv_hw_fetch_insn_impl(uint64_t pc)
{
    struct fake_riscv *cpu = current();
    const struct trap_source *source = cpu->source;
    uint16_t low, high = 0;
    unsigned length;

    if (source != NULL && source->op != NULL && source->op_exited &&
        has_instruction(source->op) && pc == source->op_pc)
        return (source->op->flags & OP_NO_FETCH) != 0
                   ? RISCV_NO_INSN
                   : encode_op(source->op, &length);
    if (!fetch_parcel(cpu, pc, &low))
        return RISCV_NO_INSN;
    if ((low & 3) == 3 && !fetch_parcel(cpu, pc + sizeof(low), &high))
        return RISCV_NO_INSN;
    return (uint64_t)high << 16 | low;
}

size_t riscv_hw_read_guest_virtual_impl(uint64_t address, void *bytes,
                                        size_t size)
{
    struct fake_riscv *cpu = current();
    size_t done = 0;

    while (done < size) {
        uint64_t at = address + done;
        size_t piece = PAGE_SIZE - at % PAGE_SIZE;
        struct translation translation =
            mmu_translate(cpu, at, ACCESS_READ, hlv_is_user(cpu));
        const void *memory;

        if (!translation.ok)
            break;
        if (piece > size - done)
            piece = size - done;
        memory = mmu_host_memory(cpu, translation.hpa, piece);
        if (memory == NULL)
            break;
        memcpy((uint8_t *)bytes + done, memory, piece);
        done += piece;
    }
    return done;
}
