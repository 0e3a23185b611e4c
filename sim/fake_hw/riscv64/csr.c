/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CSRs of the fake CPU: a row per register, with the bits that can be
 * written, or the functions that read and write it where the register is an
 * alias or has values that are not legal. Manual: "Supervisor CSRs",
 * "Hypervisor and Virtual Supervisor CSRs"; Sstc for the timers.
 *
 * A write with bits that do not exist changes the others, as WARL says. What
 * no hypervisor can mean (a CSR that does not exist, a VMID that is too wide)
 * is reported as a violation besides.
 */
#include "sim/clock.h"
#include "sim/fake_hw/riscv64/cpu.h"

/* Bits that exist. */
#define HEDELEG_BITS                                           \
    (BIT_MASK(CAUSE_ECALL_U, CAUSE_INSN_MISALIGNED) |          \
     BIT(CAUSE_INSN_PAGE_FAULT) | BIT(CAUSE_LOAD_PAGE_FAULT) | \
     BIT(CAUSE_STORE_PAGE_FAULT))
#define HSTATUS_BITS                                                        \
    (HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_HU | HSTATUS_VTVM | \
     HSTATUS_VTW | HSTATUS_VTSR)
#define VSSTATUS_BITS                                                \
    (STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_VS | STATUS_FS | \
     STATUS_SUM | STATUS_MXR)
#define SENVCFG_BITS \
    (HENVCFG_FIOM | HENVCFG_CBIE | HENVCFG_CBCFE | HENVCFG_CBZE)
#define COUNTEREN_BITS UINT64_C(0xffffffff)
#define CSR_NUMBERS    4096
#define ALL_BITS       (~UINT64_C(0))
#define FCSR_BITS      UINT64_C(0xff)
#define SATP_MODE      BIT_MASK(63, 60)
#define CBIE_RESERVED  2

static bool has(const struct fake_riscv *cpu, uint64_t feature)
{
    return (cpu->profile->features & feature) != 0;
}

/* UXL is 64 bits, SD says whether a unit is dirty. */
static uint64_t status_value(uint64_t status)
{
    status |= FIELD_PUT(STATUS_UXL, XL_64);
    if (FIELD_GET(STATUS_FS, status) == EXT_DIRTY ||
        FIELD_GET(STATUS_VS, status) == EXT_DIRTY)
        status |= STATUS_SD;
    return status;
}

static uint64_t status_bits(const struct fake_riscv *cpu)
{
    uint64_t bits = VSSTATUS_BITS;

    if (!has(cpu, RISCV_FEATURE_V))
        bits &= ~STATUS_VS;
    if (!has(cpu, RISCV_FEATURE_FD))
        bits &= ~STATUS_FS;
    return bits;
}

static uint64_t read_vsstatus(const struct fake_riscv *cpu)
{
    return status_value(cpu->vsstatus);
}

static void write_vsstatus(struct fake_riscv *cpu, uint64_t value)
{
    cpu->vsstatus = value & status_bits(cpu);
}

static uint64_t read_sstatus(const struct fake_riscv *cpu)
{
    return status_value(cpu->sstatus);
}

static void write_sstatus(struct fake_riscv *cpu, uint64_t value)
{
    cpu->sstatus = value & status_bits(cpu);
}

static uint64_t read_hstatus(const struct fake_riscv *cpu)
{
    return cpu->hstatus | FIELD_PUT(HSTATUS_VSXL, XL_64);
}

static void write_hstatus(struct fake_riscv *cpu, uint64_t value)
{
    cpu->hstatus = value & HSTATUS_BITS;
}

static bool vs_timer_expired(const struct fake_riscv *cpu)
{
    return (cpu->henvcfg & HENVCFG_STCE) != 0 &&
           clock_ticks() + cpu->htimedelta >= cpu->vstimecmp;
}

uint64_t csr_hip(const struct fake_riscv *cpu)
{
    return cpu->hvip | (vs_timer_expired(cpu) ? HVIP_VSTIP : 0);
}

/* Of hip, only VSSIP can be written: it is hvip's. */
static void write_hip(struct fake_riscv *cpu, uint64_t value)
{
    cpu->hvip = (cpu->hvip & ~HVIP_VSSIP) | (value & HVIP_VSSIP);
}

/* vsie and vsip show what hideleg delegates, one bit lower. */
static uint64_t read_vsie(const struct fake_riscv *cpu)
{
    return (cpu->hie & cpu->hideleg) >> 1;
}

static void write_vsie(struct fake_riscv *cpu, uint64_t value)
{
    cpu->hie = (cpu->hie & ~cpu->hideleg) | ((value << 1) & cpu->hideleg);
}

static uint64_t read_vsip(const struct fake_riscv *cpu)
{
    return (csr_hip(cpu) & cpu->hideleg) >> 1;
}

static void write_vsip(struct fake_riscv *cpu, uint64_t value)
{
    if ((cpu->hideleg & HVIP_VSSIP) != 0)
        write_hip(cpu, value << 1);
}

static uint64_t envcfg_bits(const struct fake_riscv *cpu)
{
    uint64_t bits = HENVCFG_FIOM;

    if (has(cpu, RISCV_FEATURE_ZICBOM))
        bits |= HENVCFG_CBIE | HENVCFG_CBCFE;
    if (has(cpu, RISCV_FEATURE_ZICBOZ))
        bits |= HENVCFG_CBZE;
    return bits;
}

static uint64_t envcfg_legal(uint64_t value)
{
    if (FIELD_GET(HENVCFG_CBIE, value) == CBIE_RESERVED)
        value &= ~HENVCFG_CBIE;
    return value;
}

static void write_senvcfg(struct fake_riscv *cpu, uint64_t value)
{
    cpu->senvcfg = envcfg_legal(value & envcfg_bits(cpu) & SENVCFG_BITS);
}

static void write_henvcfg(struct fake_riscv *cpu, uint64_t value)
{
    uint64_t bits = envcfg_bits(cpu);

    if (has(cpu, RISCV_FEATURE_SSTC))
        bits |= HENVCFG_STCE;
    if (has(cpu, RISCV_FEATURE_SVPBMT))
        bits |= HENVCFG_PBMTE;
    cpu->henvcfg = envcfg_legal(value & bits);
}

/* Mode 0 is direct, 1 vectored; others do not exist. */
static void write_vstvec(struct fake_riscv *cpu, uint64_t value)
{
    cpu->vstvec = (value & 3) > 1 ? value & ~UINT64_C(3) : value & ~UINT64_C(2);
}

/*
 * With V=0 an unsupported mode leaves the mode as it is; with V=1 it leaves
 * all of the register as it is.
 */
static bool satp_mode_exists(const struct fake_riscv *cpu, uint64_t value)
{
    return (cpu->profile->vsatp_modes & BIT(FIELD_GET(SATP_MODE, value))) != 0;
}

static void write_vsatp(struct fake_riscv *cpu, uint64_t value)
{
    if (satp_mode_exists(cpu, value))
        cpu->vsatp = value;
    else
        cpu->vsatp = (cpu->vsatp & SATP_MODE) | (value & ~SATP_MODE);
}

/* MODE keeps its value when the new one does not exist, PPN is aligned to the
 * root table's 16 KiB unless Bare, VMID is as wide as it is. */
static void write_hgatp(struct fake_riscv *cpu, uint64_t value)
{
    uint64_t mode = FIELD_GET(HGATP_MODE, value);
    uint64_t vmid = FIELD_GET(HGATP_VMID, value);
    uint64_t ppn = FIELD_GET(HGATP_PPN, value);
    unsigned vmid_bits = cpu->profile->vmid_bits;

    if ((cpu->profile->stage2_modes & BIT(mode)) == 0) {
        violation(RULE_HGATP_MODE, "hgatp.MODE = %u", (unsigned)mode);
        mode = FIELD_GET(HGATP_MODE, cpu->hgatp);
    }
    if (vmid >> vmid_bits != 0) {
        violation(RULE_HGATP_VMID, "hgatp.VMID = 0x%x of %u bits",
                  (unsigned)vmid, vmid_bits);
        vmid &= BIT(vmid_bits) - 1;
    }
    if (mode != HGATP_BARE && ppn % 4 != 0) {
        violation(RULE_HGATP_ALIGN, "hgatp.PPN = 0x%llx",
                  (unsigned long long)ppn);
        ppn -= ppn % 4;
    }
    cpu->hgatp = FIELD_PUT(HGATP_MODE, mode) | FIELD_PUT(HGATP_VMID, vmid) |
                 FIELD_PUT(HGATP_PPN, ppn);
}

static uint64_t read_time(const struct fake_riscv *cpu)
{
    return clock_ticks() + cpu->htimedelta;
}

static uint64_t read_instret(const struct fake_riscv *cpu)
{
    return cpu->instret;
}

static uint64_t read_fflags(const struct fake_riscv *cpu)
{
    return cpu->fcsr & 0x1f;
}

static void write_fflags(struct fake_riscv *cpu, uint64_t value)
{
    cpu->fcsr = (cpu->fcsr & ~UINT64_C(0x1f)) | (value & 0x1f);
}

static uint64_t read_frm(const struct fake_riscv *cpu)
{
    return cpu->fcsr >> 5;
}

static void write_frm(struct fake_riscv *cpu, uint64_t value)
{
    cpu->fcsr = (cpu->fcsr & 0x1f) | (value & 7) << 5;
}

static uint64_t read_vlenb(const struct fake_riscv *cpu)
{
    return cpu->profile->vlenb;
}

/* What an access needs beside its privilege. */
enum csr_needs {
    NEEDS_NOTHING,
    NEEDS_FP,     /* FS is not Off */
    NEEDS_VECTOR, /* VS is not Off */
    NEEDS_SSTC,
    NEEDS_COUNTER, /* the bit in hcounteren and scounteren */
};

struct csr_row {
    uint16_t number;
    uint16_t offset; /* in struct fake_riscv, of a plain register */
    uint64_t bits;   /* of it that can be written */
    uint64_t (*read)(const struct fake_riscv *cpu);
    void (*write)(struct fake_riscv *cpu, uint64_t value);
    enum csr_needs needs;
};

#define PLAIN(name, member, bits, needs)                                   \
    {                                                                      \
        CSR_##name, offsetof(struct fake_riscv, member), bits, NULL, NULL, \
            needs                                                          \
    }
#define SPECIAL(name, read, write, needs)    \
    {                                        \
        CSR_##name, 0, 0, read, write, needs \
    }
#define LEGAL(name, member, write)                                       \
    {                                                                    \
        CSR_##name, offsetof(struct fake_riscv, member), 0, NULL, write, \
            NEEDS_NOTHING                                                \
    }

/* clang-format off */
static const struct csr_row csr_rows[] = {
    SPECIAL(fflags,    read_fflags, write_fflags, NEEDS_FP),
    SPECIAL(frm,       read_frm, write_frm, NEEDS_FP),
    PLAIN(fcsr,        fcsr, FCSR_BITS, NEEDS_FP),
    PLAIN(vstart,      vector.vstart, ALL_BITS, NEEDS_VECTOR),
    PLAIN(vcsr,        vector.vcsr, 7, NEEDS_VECTOR),
    PLAIN(vl,          vector.vl, 0, NEEDS_VECTOR),
    PLAIN(vtype,       vector.vtype, 0, NEEDS_VECTOR),
    SPECIAL(vlenb,     read_vlenb, NULL, NEEDS_VECTOR),
    SPECIAL(sstatus,   read_sstatus, write_sstatus, NEEDS_NOTHING),
    PLAIN(scounteren,  scounteren, COUNTEREN_BITS, NEEDS_NOTHING),
    LEGAL(senvcfg,     senvcfg, write_senvcfg),
    SPECIAL(vsstatus,  read_vsstatus, write_vsstatus, NEEDS_NOTHING),
    SPECIAL(vsie,      read_vsie, write_vsie, NEEDS_NOTHING),
    SPECIAL(vsip,      read_vsip, write_vsip, NEEDS_NOTHING),
    LEGAL(vstvec,      vstvec, write_vstvec),
    PLAIN(vsscratch,   vsscratch, ALL_BITS, NEEDS_NOTHING),
    PLAIN(vsepc,       vsepc, ~UINT64_C(1), NEEDS_NOTHING),
    PLAIN(vscause,     vscause, ALL_BITS, NEEDS_NOTHING),
    PLAIN(vstval,      vstval, ALL_BITS, NEEDS_NOTHING),
    LEGAL(vsatp,       vsatp, write_vsatp),
    PLAIN(vstimecmp,   vstimecmp, ALL_BITS, NEEDS_SSTC),
    SPECIAL(hstatus,   read_hstatus, write_hstatus, NEEDS_NOTHING),
    PLAIN(hedeleg,     hedeleg, HEDELEG_BITS, NEEDS_NOTHING),
    PLAIN(hideleg,     hideleg, HVIP_ALL, NEEDS_NOTHING),
    PLAIN(hie,         hie, HVIP_ALL, NEEDS_NOTHING),
    PLAIN(htimedelta,  htimedelta, ALL_BITS, NEEDS_NOTHING),
    PLAIN(hcounteren,  hcounteren, COUNTEREN_BITS, NEEDS_NOTHING),
    LEGAL(henvcfg,     henvcfg, write_henvcfg),
    PLAIN(hgeie,       zero, 0, NEEDS_NOTHING),
    PLAIN(hgeip,       zero, 0, NEEDS_NOTHING),
    PLAIN(htval,       htval, ALL_BITS, NEEDS_NOTHING),
    PLAIN(htinst,      htinst, ALL_BITS, NEEDS_NOTHING),
    SPECIAL(hip,       csr_hip, write_hip, NEEDS_NOTHING),
    PLAIN(hvip,        hvip, HVIP_ALL, NEEDS_NOTHING),
    LEGAL(hgatp,       hgatp, write_hgatp),
    SPECIAL(cycle,     read_instret, NULL, NEEDS_COUNTER),
    SPECIAL(time,      read_time, NULL, NEEDS_COUNTER),
    SPECIAL(instret,   read_instret, NULL, NEEDS_COUNTER),
};
/* clang-format on */

/* By CSR number: the row's number plus 1. Filled at the first use. */
static uint8_t csr_index[CSR_NUMBERS];

static void csr_make_index(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(csr_rows); i++)
        csr_index[csr_rows[i].number] = (uint8_t)(i + 1);
}

static const struct csr_row *csr_find(unsigned number)
{
    unsigned index;

    if (unlikely(csr_index[csr_rows[0].number] == 0))
        csr_make_index();
    index = csr_index[number % CSR_NUMBERS];
    return index == 0 ? NULL : &csr_rows[index - 1];
}

static uint64_t *csr_storage(struct fake_riscv *cpu, const struct csr_row *row)
{
    return (uint64_t *)(void *)((char *)cpu + row->offset);
}

static bool csr_exists(const struct fake_riscv *cpu, const struct csr_row *row)
{
    if (row == NULL)
        return false;
    switch (row->needs) {
    case NEEDS_SSTC: return has(cpu, RISCV_FEATURE_SSTC);
    case NEEDS_FP: return has(cpu, RISCV_FEATURE_FD);
    case NEEDS_VECTOR: return has(cpu, RISCV_FEATURE_V);
    default: return true;
    }
}

static uint64_t row_read(struct fake_riscv *cpu, const struct csr_row *row)
{
    return row->read != NULL ? row->read(cpu) : *csr_storage(cpu, row);
}

static void row_write(struct fake_riscv *cpu, const struct csr_row *row,
                      uint64_t value)
{
    uint64_t *storage = csr_storage(cpu, row);

    if (row->write != NULL)
        row->write(cpu, value);
    else if (row->read == NULL)
        *storage = (*storage & ~row->bits) | (value & row->bits);
}

uint64_t csr_read(struct fake_riscv *cpu, unsigned number)
{
    const struct csr_row *row = csr_find(number);

    if (csr_exists(cpu, row))
        return row_read(cpu, row);
    violation(RULE_UNIT_ABSENT, "read of CSR 0x%03x", number);
    return 0;
}

void csr_write(struct fake_riscv *cpu, unsigned number, uint64_t value)
{
    const struct csr_row *row = csr_find(number);

    if (!csr_exists(cpu, row)) {
        violation(RULE_UNIT_ABSENT, "write to CSR 0x%03x", number);
        return;
    }
    row_write(cpu, row, value);
}

/* A unit is on for a guest when neither the host nor the guest has it off. */
static bool unit_is_on(const struct fake_riscv *cpu, uint64_t field)
{
    return (cpu->sstatus & field) != 0 && (cpu->vsstatus & field) != 0;
}

bool csr_fp_is_on(const struct fake_riscv *cpu)
{
    return has(cpu, RISCV_FEATURE_FD) && unit_is_on(cpu, STATUS_FS);
}

bool csr_vector_is_on(const struct fake_riscv *cpu)
{
    return has(cpu, RISCV_FEATURE_V) && unit_is_on(cpu, STATUS_VS);
}

void csr_set_dirty(struct fake_riscv *cpu, uint64_t unit)
{
    cpu->sstatus |= unit;
    cpu->vsstatus |= unit;
}

/* Fields of a CSR's number ("CSR Address Mapping Conventions"). */
#define CSR_LEVEL(number)     (((number) >> 8) & 3)
#define CSR_READ_ONLY(number) (((number) >> 10) == 3)
#define LEVEL_USER            0
#define LEVEL_SUPERVISOR      1
#define LEVEL_HYPERVISOR      2

#define CSR_FIRST_COUNTER CSR_cycle
#define CSR_LAST_COUNTER  (CSR_cycle + 31)

/* With V=1, a supervisor CSR's number means the VS-level register. */
static unsigned csr_for_guest(unsigned number)
{
    switch (number) {
    case CSR_sstatus: return CSR_vsstatus;
    case CSR_sie: return CSR_vsie;
    case CSR_stvec: return CSR_vstvec;
    case CSR_sscratch: return CSR_vsscratch;
    case CSR_sepc: return CSR_vsepc;
    case CSR_scause: return CSR_vscause;
    case CSR_stval: return CSR_vstval;
    case CSR_sip: return CSR_vsip;
    case CSR_stimecmp: return CSR_vstimecmp;
    case CSR_satp: return CSR_vsatp;
    default: return number;
    }
}

static bool is_counter(unsigned number)
{
    return number >= CSR_FIRST_COUNTER && number <= CSR_LAST_COUNTER;
}

static enum fake_fault counter_fault(const struct fake_riscv *cpu,
                                     unsigned number)
{
    uint64_t bit = BIT(number - CSR_FIRST_COUNTER);

    if ((cpu->hcounteren & bit) == 0 ||
        (cpu->user && (cpu->scounteren & bit) == 0))
        return FAULT_VIRTUAL;
    return FAULT_NONE;
}

/* Sstc: stimecmp in VS-mode needs henvcfg.STCE and hcounteren.TM. */
static enum fake_fault timer_fault(const struct fake_riscv *cpu)
{
    if ((cpu->henvcfg & HENVCFG_STCE) == 0 ||
        (cpu->hcounteren & COUNTEREN_TM) == 0)
        return FAULT_VIRTUAL;
    return FAULT_NONE;
}

static enum fake_fault needs_fault(const struct fake_riscv *cpu,
                                   const struct csr_row *row)
{
    switch (row->needs) {
    case NEEDS_FP: return csr_fp_is_on(cpu) ? FAULT_NONE : FAULT_ILLEGAL;
    case NEEDS_VECTOR:
        return csr_vector_is_on(cpu) ? FAULT_NONE : FAULT_ILLEGAL;
    case NEEDS_SSTC: return timer_fault(cpu);
    default: return FAULT_NONE;
    }
}

/*
 * "Virtual-instruction exceptions": what exists for HS-mode and the guest may
 * not touch is a virtual-instruction exception, all else is an illegal
 * instruction.
 */
static enum fake_fault guest_fault(const struct fake_riscv *cpu,
                                   unsigned number, bool writes)
{
    unsigned level = CSR_LEVEL(number);

    if (writes && CSR_READ_ONLY(number))
        return FAULT_ILLEGAL;
    if (is_counter(number))
        return counter_fault(cpu, number);
    if (level > LEVEL_HYPERVISOR ||
        !csr_exists(cpu, csr_find(csr_for_guest(number))))
        return FAULT_ILLEGAL;
    if (level == LEVEL_HYPERVISOR || (level == LEVEL_SUPERVISOR && cpu->user) ||
        (number == CSR_satp && (cpu->hstatus & HSTATUS_VTVM) != 0))
        return FAULT_VIRTUAL;
    return needs_fault(cpu, csr_find(csr_for_guest(number)));
}

enum fake_fault csr_guest_read(struct fake_riscv *cpu, unsigned number,
                               bool writes, uint64_t *old)
{
    enum fake_fault fault = guest_fault(cpu, number, writes);
    const struct csr_row *row = csr_find(csr_for_guest(number));

    if (fault == FAULT_NONE)
        *old = row != NULL ? row_read(cpu, row) : 0;
    return fault;
}

void csr_guest_write(struct fake_riscv *cpu, unsigned number, uint64_t value)
{
    const struct csr_row *row = csr_find(csr_for_guest(number));

    if (number == CSR_satp && !satp_mode_exists(cpu, value))
        return;
    row_write(cpu, row, value);
    if (row->needs == NEEDS_FP)
        csr_set_dirty(cpu, STATUS_FS);
    else if (row->needs == NEEDS_VECTOR)
        csr_set_dirty(cpu, STATUS_VS);
}
