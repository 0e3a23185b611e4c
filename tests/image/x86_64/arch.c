/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test on x86_64: its vCPUs, on SVM by hand, and tests of its hardware
 * seam. Guests say in RAX what a call means, and in RDI what they have found.
 */
#include "api/arch.h"
#include "api/memory.h"
#include "arch/x86_64/svm/svm.h"
#include "host/x86_64/x86_host.h"
#include "lib/bits.h"
#include "lib/pause.h"
#include "lib/string.h"
#include "tests/image/selftest.h"

#define CODE_64      0x29b /* present, code, 64-bit: as VMCB attributes */
#define DATA         0xc93
#define TSS_BUSY     0x8b
#define VMMCALL_SIZE 3

static struct svm_vcpu *vcpus;

static uint64_t host_cr3(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

static void make_vmcb(struct vmcb *vmcb, const char *guest)
{
    static const struct vmcb_segment data = {
        .selector = 0x10, .attrib = DATA, .limit = UINT32_MAX};
    struct vmcb_control *control = &vmcb->control;
    struct vmcb_save *save = &vmcb->save;

    vmcb_set_intercept(control, INTERCEPT_INTR, true);
    vmcb_set_intercept(control, INTERCEPT_NMI, true);
    vmcb_set_intercept(control, INTERCEPT_SHUTDOWN, true);
    vmcb_set_intercept(control, INTERCEPT_VMRUN, true);
    vmcb_set_intercept(control, INTERCEPT_VMMCALL, true);
    control->intercept_exceptions = UINT32_MAX;
    control->guest_asid = 1;
    control->vintr = VINTR_V_INTR_MASKING;
    save->cs = (struct vmcb_segment){
        .selector = 8, .attrib = CODE_64, .limit = UINT32_MAX};
    save->ds = save->es = save->ss = save->fs = save->gs = data;
    save->tr = (struct vmcb_segment){.attrib = TSS_BUSY, .limit = 0x67};
    save->efer = X86_EFER_SVME | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    save->cr0 = X86_CR0_PG | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET | X86_CR0_PE;
    save->cr3 = host_cr3();
    save->cr4 = X86_CR4_PAE | X86_CR4_PGE;
    save->dr6 = X86_DR6_RESET;
    save->dr7 = X86_DR7_RESET;
    save->rflags = X86_RFLAGS_FIXED;
    save->g_pat = X86_PAT_RESET;
    save->rip = (uint64_t)(uintptr_t)guest;
}

extern const char guest_nested[];

/*
 * Nested paging: the guest's physical memory is the machine's, but for one page
 * that is not there until the guest has been there.
 */
#define LARGE_PAGE BIT(21)
static uint64_t *nested_pages;
static uint64_t nested_hole;

static uint64_t *new_table(uint64_t *entry)
{
    hpa_t table = memory_alloc_frame();

    EXPECT(!hpa_is_none(table));
    if (entry != NULL)
        *entry = table.raw | NPT_P | NPT_RW | NPT_US;
    return memory_phys_to_virt(table);
}

static void make_nested(struct vmcb *vmcb, struct x86_regs *regs)
{
    uint64_t *root = new_table(NULL);
    uint64_t *large = new_table(new_table(root));
    hpa_t word = memory_alloc_contiguous(LARGE_PAGE / PAGE_SIZE, LARGE_PAGE);

    EXPECT(word.raw < 512 * LARGE_PAGE);
    for (uint64_t i = 0; i < 512; i++)
        large[i] = i * LARGE_PAGE | NPT_P | NPT_RW | NPT_US | NPT_PS;
    nested_hole = word.raw + 8;
    nested_pages = &large[word.raw / LARGE_PAGE];
    *nested_pages = 0;
    *(uint64_t *)memory_phys_to_virt(hpa(nested_hole)) = 0x1234;
    regs->gpr[X86_GPR_RSI] = nested_hole;
    vmcb->control.np_enable = 1;
    vmcb->control.n_cr3 = memory_virt_to_phys(root).raw;
}

void selftest_make_vcpus(uint32_t count, const char *guest)
{
    hpa_t memory =
        memory_alloc_contiguous(sizeof(*vcpus) * count / PAGE_SIZE, PAGE_SIZE);

    EXPECT(!hpa_is_none(memory));
    vcpus = memory_phys_to_virt(memory);
    for (uint32_t cpu = 0; cpu < count; cpu++) {
        struct svm_vcpu *v = &vcpus[cpu];
        v->x86.base.ops = machine_vcpu_ops();
        v->vmcb_pa = memory_virt_to_phys(&v->vmcb);
        make_vmcb(&v->vmcb, guest);
        if (guest == guest_nested)
            make_nested(&v->vmcb, &v->x86.regs);
    }
}

struct vcpu *selftest_vcpu(uint32_t cpu)
{
    return &vcpus[cpu].x86.base;
}

void selftest_load(struct vcpu *vcpu)
{
    x86_svm_vmload(to_svm(vcpu)->vmcb_pa);
}

bool selftest_was_interrupted(const struct vcpu *vcpu)
{
    return to_svm_const(vcpu)->vmcb.control.exitcode == VMEXIT_INTR;
}

bool selftest_has_called(const struct vcpu *vcpu)
{
    return to_svm_const(vcpu)->vmcb.control.exitcode == VMEXIT_VMMCALL;
}

enum guest_call selftest_take_call(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);

    v->vmcb.save.rip += VMMCALL_SIZE;
    return (enum guest_call)v->x86.regs.gpr[X86_GPR_RAX];
}

uint64_t selftest_result(const struct vcpu *vcpu)
{
    return to_svm_const(vcpu)->x86.regs.gpr[X86_GPR_RDI];
}

void selftest_bump(struct vcpu *vcpu)
{
    for (unsigned reg = 0; reg < X86_GPR_COUNT; reg++)
        to_svm(vcpu)->x86.regs.gpr[reg] += reg;
}

uint64_t selftest_pc(const struct vcpu *vcpu)
{
    return to_svm_const(vcpu)->vmcb.save.rip;
}

void selftest_set_pc(struct vcpu *vcpu, const char *pc)
{
    to_svm(vcpu)->vmcb.save.rip = (uint64_t)(uintptr_t)pc;
}

static void test_xmm(void)
{
    static struct x86_xsave area, copy;

    for (uint32_t reg = 0; reg < 16; reg++) {
        x86_hw_write_xmm(reg, 0, UINT64_C(0x1111111111111111) + reg);
        x86_hw_write_xmm(reg, 1, UINT64_C(0x2222222222222222) + reg);
    }
    x86_hw_xsave(&area, X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX);
    for (uint32_t reg = 0; reg < 16; reg++) {
        uint64_t halves[2];
        memcpy(halves, area.bytes + 160 + 16 * reg, sizeof(halves));
        EXPECT(halves[0] == UINT64_C(0x1111111111111111) + reg);
        EXPECT(halves[1] == UINT64_C(0x2222222222222222) + reg);
        EXPECT(x86_hw_read_xmm(reg, 0) == halves[0]);
        EXPECT(x86_hw_read_xmm(reg, 1) == halves[1]);
        x86_hw_write_xmm(reg, 0, 0);
        x86_hw_write_xmm(reg, 1, 0);
        EXPECT(x86_hw_read_xmm(reg, 0) == 0 && x86_hw_read_xmm(reg, 1) == 0);
    }
    x86_hw_xrstor(&area, X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX);
    x86_hw_xsave(&copy, X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX);
    EXPECT(memcmp(&area, &copy, sizeof(area)) == 0);
}

static void test_seam(void)
{
    struct x86_debug_state debug = {{0x1000, 0x2000, 0x3000, 0x4000}}, read;
    struct x86_cpuid cpuid;

    x86_hw_load_debug(&debug);
    x86_hw_save_debug(&read);
    EXPECT(memcmp(&debug, &read, sizeof(read)) == 0);
    EXPECT((x86_svm_features() & SVM_FEATURE_NP) != 0);
    EXPECT(x86_svm_asids() > 1);
    (void)x86_hw_cpuid(X86_CPUID_SVM, 0, &cpuid);
    EXPECT(cpuid.edx == x86_svm_features());
    EXPECT((x86_hw_read_msr(X86_MSR_EFER) & X86_EFER_SVME) != 0);
    x86_hw_write_msr(X86_MSR_STAR, 0x12345678);
    EXPECT(x86_hw_read_msr(X86_MSR_STAR) == 0x12345678);
    x86_hw_write_cr2(0x5678);
    EXPECT(x86_hw_read_cr2() == 0x5678);
    EXPECT((x86_hw_read_xcr0() & X86_XCR0_X87) != 0);
}

/* What VMLOAD has replaced is the hypervisor's again after VMSAVE. */
static void test_host_state(void)
{
    struct vmcb *vmcb = memory_phys_to_virt(memory_alloc_frame());
    uint16_t before, bound, after;

    make_vmcb(vmcb, guest_spin);
    vmcb->save.tr.selector = 0x48;
    vmcb->save.gs.base = UINT64_C(0x123456789000);
    vmcb->save.kernel_gs_base = UINT64_C(0xffff800000001000);
    __asm__ volatile("str %0" : "=r"(before));
    x86_svm_vmload(memory_virt_to_phys(vmcb));
    __asm__ volatile("str %0" : "=r"(bound));
    EXPECT(x86_hw_read_msr(X86_MSR_GS_BASE) == vmcb->save.gs.base);
    memset(&vmcb->save, 0, sizeof(vmcb->save));
    x86_svm_vmsave(memory_virt_to_phys(vmcb));
    __asm__ volatile("str %0" : "=r"(after));
    EXPECT(before == SELECTOR_TSS && bound == 0x48 && after == before);
    EXPECT(vmcb->save.tr.selector == 0x48);
    EXPECT(vmcb->save.gs.base == UINT64_C(0x123456789000));
    EXPECT(vmcb->save.kernel_gs_base == UINT64_C(0xffff800000001000));
    EXPECT(x86_hw_read_msr(X86_MSR_GS_BASE) == 0);
}

/* NMIs, of the hypervisor itself and of a guest, are counted. One comes soon,
 * if it may. */
#define ICR_NMI 0x400

static void send_nmi(void)
{
    apic_send(apic_id(), ICR_NMI);
    for (unsigned i = 0; i < 1000; i++)
        cpu_pause();
}

static void start_nmi(void)
{
    send_nmi();
    EXPECT(x86_this_host_cpu()->nmis == 1);
    __asm__ volatile("clgi");
    send_nmi();
    EXPECT(x86_this_host_cpu()->nmis == 1);
}

static bool step_nmi(struct vcpu *vcpu)
{
    EXPECT(to_svm(vcpu)->vmcb.control.exitcode == VMEXIT_NMI);
    EXPECT(x86_this_host_cpu()->nmis == 2);
    selftest_pass();
}

static bool step_nested(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);
    struct vmcb_control *control = &v->vmcb.control;

    if (control->exitcode == VMEXIT_NPF) {
        EXPECT(control->exitinfo2 == nested_hole);
        EXPECT((control->exitinfo1 & (X86_FAULT_P | X86_FAULT_RW)) == 0);
        *nested_pages = align_down(nested_hole, LARGE_PAGE) | NPT_P | NPT_RW |
                        NPT_US | NPT_PS;
        return true;
    }
    EXPECT(selftest_has_called(vcpu) && selftest_result(vcpu) == 0x1234);
    selftest_pass();
}

/* A machine check, as far as it can be made. */
static void bug_machine_check(void)
{
    __asm__ volatile("int $18");
}

static void bug_ud(void)
{
    __asm__ volatile("ud2");
}

/* No stack. */
static void bug_lost(void)
{
    __asm__ volatile("movl $64, %esp\n"
                     "pushq %rax\n");
}

/* The stack is memory, but nobody's. */
static void bug_astray(void)
{
    hpa_t frame = memory_alloc_frame();

    __asm__ volatile("movq %0, %%rsp\n"
                     "ud2\n"
                     :
                     : "r"(frame.raw + 2048));
}

const struct selftest arch_tests[] = {
    {.name = "xmm", .init = test_xmm},
    {.name = "seam", .init = test_seam},
    {.name = "host-state", .init = test_host_state},
    {.name = "nmi", .init = start_nmi, .guest = guest_spin, .step = step_nmi},
    {.name = "nested", .guest = guest_nested, .step = step_nested},
    {.name = "bug-machine-check", .init = bug_machine_check},
    {.name = "bug-ud", .init = bug_ud},
    {.name = "bug-lost", .init = bug_lost},
    {.name = "bug-astray", .init = bug_astray},
    {.name = NULL},
};
