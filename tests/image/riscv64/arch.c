/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test on riscv64: its vCPUs, and tests of its hardware seam. Guests
 * say in a7 what a call means, and in a0 what they have found. */
#include "api/arch.h"
#include "api/memory.h"
#include "arch/riscv64/riscv.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "tests/image/selftest.h"

static struct riscv_vcpu *vcpus;

void selftest_make_vcpus(uint32_t count, const char *guest)
{
    size_t bytes = sizeof(*vcpus) * count;
    hpa_t memory =
        memory_alloc_contiguous((bytes + PAGE_SIZE - 1) / PAGE_SIZE, PAGE_SIZE);

    EXPECT(!hpa_is_none(memory));
    vcpus = memory_phys_to_virt(memory);
    for (uint32_t cpu = 0; cpu < count; cpu++) {
        struct riscv_vcpu *v = &vcpus[cpu];
        v->base.ops = machine_vcpu_ops();
        v->regs.pc = (uint64_t)(uintptr_t)guest;
        v->vs.hstatus =
            HSTATUS_SPV | HSTATUS_SPVP | FIELD_PUT(HSTATUS_VSXL, XL_64);
        v->vs.sstatus = STATUS_SPP;
    }
}

struct vcpu *selftest_vcpu(uint32_t cpu)
{
    return &vcpus[cpu].base;
}

void selftest_load(struct vcpu *vcpu)
{
    riscv_hw_write_hgatp(0);
    riscv_hw_write_hedeleg(0);
    riscv_hw_write_hideleg(HVIP_ALL);
    riscv_hw_write_hcounteren(COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR);
    riscv_hw_write_henvcfg(0);
    riscv_hw_load_vs(&to_riscv(vcpu)->vs);
}

bool selftest_was_interrupted(const struct vcpu *vcpu)
{
    return (to_riscv_const(vcpu)->regs.scause & CAUSE_INTERRUPT) != 0;
}

bool selftest_has_called(const struct vcpu *vcpu)
{
    return to_riscv_const(vcpu)->regs.scause == CAUSE_ECALL_VS;
}

enum guest_call selftest_take_call(struct vcpu *vcpu)
{
    struct riscv_regs *regs = &to_riscv(vcpu)->regs;

    regs->pc += 4;
    return (enum guest_call)regs->gpr[REG_A7];
}

uint64_t selftest_result(const struct vcpu *vcpu)
{
    return to_riscv_const(vcpu)->regs.gpr[REG_A0];
}

void selftest_bump(struct vcpu *vcpu)
{
    for (unsigned reg = 1; reg < REG_COUNT; reg++)
        to_riscv(vcpu)->regs.gpr[reg] += reg;
}

uint64_t selftest_pc(const struct vcpu *vcpu)
{
    return to_riscv_const(vcpu)->regs.pc;
}

void selftest_set_pc(struct vcpu *vcpu, const char *pc)
{
    to_riscv(vcpu)->regs.pc = (uint64_t)(uintptr_t)pc;
}

static void test_guest_loads(void)
{
    const uint8_t *code = (const uint8_t *)guest_spin;
    uint64_t address = (uint64_t)(uintptr_t)guest_spin;
    uint64_t hstatus = HSTATUS_SPV | HSTATUS_SPVP | FIELD_PUT(HSTATUS_VSXL, 2);
    struct riscv_vs_state vs = {.hstatus = hstatus, .sstatus = STATUS_SPP};
    uint8_t bytes[8] = {0};

    riscv_hw_write_hgatp(0);
    riscv_hw_load_vs(&vs);
    /* Of a compressed instruction, the other half counts for nothing. */
    EXPECT((uint8_t)riscv_hw_fetch_insn(address) == code[0]);
    EXPECT((uint8_t)(riscv_hw_fetch_insn(address) >> 8) == code[1]);
    EXPECT(riscv_hw_fetch_insn(8) == RISCV_NO_INSN);
    EXPECT(riscv_hw_read_guest_virtual(address, bytes, 8) == 8);
    EXPECT(memcmp(bytes, code, 8) == 0);
    EXPECT(riscv_hw_read_guest_virtual(8, bytes, 8) == 0);

    /* Page faults, which do not take the way through the firmware. */
    vs.vsatp = UINT64_C(8) << 60 | memory_alloc_frame().raw / PAGE_SIZE;
    riscv_hw_load_vs(&vs);
    riscv_hw_hfence_vvma_all();
    EXPECT(riscv_hw_fetch_insn(address) == RISCV_NO_INSN);
    EXPECT(riscv_hw_read_guest_virtual(address, bytes, 8) == 0);
    /* The faults have not changed what the guest will be entered with. */
    riscv_hw_save_vs(&vs);
    EXPECT((vs.hstatus & hstatus) == hstatus && vs.sstatus == STATUS_SPP);
}

static void test_fp(void)
{
    static struct riscv_fp_state fp, copy;

    riscv_hw_write_fs(EXT_INITIAL);
    for (uint32_t reg = 0; reg < 32; reg++)
        riscv_hw_write_fpr(reg, UINT64_C(0x4000000000000123) + reg);
    riscv_hw_save_fp(&fp);
    for (uint32_t reg = 0; reg < 32; reg++)
        EXPECT(fp.f[reg] == UINT64_C(0x4000000000000123) + reg);
    for (uint32_t reg = 0; reg < 32; reg++)
        fp.f[reg] = ~fp.f[reg];
    fp.fcsr = 0x61;
    riscv_hw_load_fp(&fp);
    for (uint32_t reg = 0; reg < 32; reg++)
        EXPECT(riscv_hw_read_fpr(reg) == fp.f[reg]);
    riscv_hw_save_fp(&copy);
    EXPECT(memcmp(fp.f, copy.f, sizeof(fp.f)) == 0 && fp.fcsr == copy.fcsr);
    EXPECT(riscv_hw_read_fs() == EXT_DIRTY);
    riscv_hw_write_fs(EXT_OFF);
}

static void test_vector(void)
{
    static struct riscv_vector_state state, copy;
    uint64_t bytes = 32 * riscv_hw_vlenb();

    EXPECT((riscv_hw_features() & RISCV_FEATURE_V) != 0);
    EXPECT(bytes != 0 && bytes <= sizeof(state.v));
    riscv_hw_write_vs(EXT_INITIAL);
    for (uint64_t i = 0; i < bytes; i++)
        state.v[i] = (uint8_t)(i * 7 + i / 256);
    state.vl = 5;
    state.vtype = 0xc0; /* e8, m1, ta, ma */
    state.vcsr = 3;
    state.vstart = 2;
    riscv_hw_load_vector(&state);
    riscv_hw_save_vector(&copy);
    EXPECT(memcmp(&state, &copy, sizeof(state)) == 0);
    riscv_hw_write_vs(EXT_OFF);
}

static void test_sstc(void)
{
    EXPECT((riscv_hw_features() & RISCV_FEATURE_SSTC) != 0);
}

static void bug_fp(void)
{
    riscv_hw_write_fpr(0, 0); /* the unit is off */
}

/* No stack, and no idea which CPU this is. */
static void bug_lost(void)
{
    __asm__ volatile("li tp, 64\n"
                     "li sp, 64\n"
                     "ld t0, 0(tp)\n");
}

static void test_no_sstc(void)
{
    EXPECT((riscv_hw_features() & RISCV_FEATURE_SSTC) == 0);
}

const struct selftest arch_tests[] = {
    {.name = "guest-loads", .init = test_guest_loads},
    {.name = "fp", .init = test_fp},
    {.name = "vector", .init = test_vector},
    {.name = "sstc", .init = test_sstc},
    {.name = "no-sstc", .init = test_no_sstc},
    {.name = "bug-fp", .init = bug_fp},
    {.name = "bug-lost", .init = bug_lost},
    {.name = NULL},
};
