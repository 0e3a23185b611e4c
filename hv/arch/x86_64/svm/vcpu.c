/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU's operations on SVM: AMD APM volume 2, chapter 15.
 *
 * Intercepted is what the guest's processor does not have, what would touch the
 * host, and what is emulated. Not intercepted: CR0, CR2, CR3, debug registers,
 * INVLPG, RDTSC, PAUSE, task switches, all of which the processor does for the
 * guest alone.
 *
 *   #DB, #AC    a guest can make the processor deliver these without end, and
 *               without taking an interrupt of the host (CVE-2015-8104,
 *               CVE-2015-5307)
 *   ICEBP       the #DB that it raises is intercepted with RIP at it, where the
 *               guest must not find it
 *   CR4 write   bits whose state nobody switches are not the guest's
 *   CR8         its value is the local APIC's
 *   #MC         the machine's trouble is not the guest's: the VM stops
 *   SHUTDOWN    of a triple fault: the VM is reset
 */
#include "addrspace/format.h"
#include "api/memory.h"
#include "arch/x86_64/boot/load.h"
#include "arch/x86_64/svm/msrpm.h"
#include "arch/x86_64/svm/svm.h"
#include "lib/string.h"
#include "memory/arena.h"

static const uint8_t intercepts[] = {
    INTERCEPT_INTR,    INTERCEPT_NMI,     INTERCEPT_SMI,
    INTERCEPT_INIT,    INTERCEPT_RDPMC,   INTERCEPT_CPUID,
    INTERCEPT_INVD,    INTERCEPT_HLT,     INTERCEPT_INVLPGA,
    INTERCEPT_IOIO,    INTERCEPT_MSR,     INTERCEPT_SHUTDOWN,
    INTERCEPT_VMRUN,   INTERCEPT_VMMCALL, INTERCEPT_VMLOAD,
    INTERCEPT_VMSAVE,  INTERCEPT_STGI,    INTERCEPT_CLGI,
    INTERCEPT_SKINIT,  INTERCEPT_ICEBP,   INTERCEPT_WBINVD,
    INTERCEPT_MONITOR, INTERCEPT_MWAIT,   INTERCEPT_XSETBV,
    INTERCEPT_RDPRU,   INTERCEPT_INVLPGB, INTERCEPT_INVLPGB_ILLEGAL,
    INTERCEPT_MCOMMIT, INTERCEPT_TLBSYNC,
};

/* The permission maps, one after the other. All ports exit. */
#define MAPS_IOPM MSRPM_SIZE
#define MAPS_SIZE (MSRPM_SIZE + IOPM_SIZE)

static void set_tsc_offset(struct x86_vcpu *x86, uint64_t offset)
{
    svm_of(x86)->vmcb.control.tsc_offset = offset;
    svm_dirty(svm_of(x86), CLEAN_I);
}

/* DR6 has been written, and CR2 is not intercepted. */
static void take_exception(struct x86_vcpu *x86, uint8_t vector) {}

static const struct x86_vendor svm_vendor = {
    .reserves_bit_8 = true,
    .get_cpu = svm_get_cpu,
    .get_code = svm_get_code,
    .get = svm_get,
    .set = svm_set,
    .set_tsc_offset = set_tsc_offset,
    .enter_at = svm_enter_at,
    .flush = svm_flush,
    .insn_bytes = svm_insn_bytes,
    .walks_tables = svm_walks_tables,
    .take_exception = take_exception,
    .sets_event = svm_sets_event,
    .takes_interrupt = svm_takes_interrupt,
    .takes_nmi = svm_takes_nmi,
    .set_windows = svm_set_windows,
};

static err_t make_maps(struct svm_vcpu *v, struct arena *arena)
{
    uint8_t *maps;

    v->maps = svm_of(x86_first(&v->x86))->maps;
    if (v->maps != NULL)
        return OK;
    maps = arena_alloc(arena, MAPS_SIZE, PAGE_SIZE);
    if (maps == NULL)
        return ERR_NO_MEMORY;
    svm_msrpm_init(maps, v->x86.cpuid);
    memset(maps + MAPS_IOPM, 0xff, IOPM_SIZE);
    v->maps = maps;
    return OK;
}

static void fill_control(struct svm_vcpu *v)
{
    struct vmcb_control *control = &v->vmcb.control;
    hpa_t maps = memory_virt_to_phys(v->maps);

    memset(control, 0, sizeof(*control));
    for (unsigned i = 0; i < ARRAY_SIZE(intercepts); i++)
        vmcb_set_intercept(control, (enum svm_intercept)intercepts[i], true);
    control->intercept_exceptions = SVM_INTERCEPTED_EXCEPTIONS;
    control->intercept_cr_read = (uint16_t)BIT(8);
    control->intercept_cr_write = (uint16_t)(BIT(4) | BIT(8));
    control->msrpm_base_pa = maps.raw;
    control->iopm_base_pa = maps.raw + MAPS_IOPM;
    control->vintr = VINTR_V_INTR_MASKING;
    control->np_enable = 1;
}

static void clear_state(struct svm_vcpu *v)
{
    x86_clear(&v->x86);
    v->asid.cpu = X86_NO_CPU;
    v->nmi = NMI_NONE;
    v->step.on = false;
    fill_control(v);
    memset(&v->vmcb.save, 0, sizeof(v->vmcb.save));
    v->vmcb.save.g_pat = X86_PAT_RESET;
}

static err_t init(struct vcpu *vcpu, struct arena *arena)
{
    struct svm_vcpu *v = to_svm(vcpu);
    err_t error = x86_init(&v->x86, &svm_vendor, arena);

    if (error == OK)
        error = make_maps(v, arena);
    if (error != OK)
        return error;
    v->x86.rip = &v->vmcb.save.rip;
    v->x86.rflags = &v->vmcb.save.rflags;
    v->x86.shadow = &v->vmcb.control.interrupt_shadow;
    v->x86.event = &v->vmcb.control.eventinj;
    v->features = x86_svm_features();
    v->x86.has_insn_bytes = (v->features & SVM_FEATURE_DECODE_ASSISTS) != 0;
    v->asids = (uint32_t)x86_svm_asids();
    v->vmcb_pa = memory_virt_to_phys(&v->vmcb);
    clear_state(v);
    return OK;
}

static void fini(struct vcpu *vcpu) {}

static err_t reset(struct vcpu *vcpu)
{
    clear_state(to_svm(vcpu));
    return OK;
}

static err_t setup(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);

    clear_state(v);
    x86_setup(&v->x86);
    v->vmcb.control.n_cr3 = vcpu->boot.stage2.root.raw;
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return OK;
}

/* What another CPU remembers of the VMCB, or this one of another vCPU's time,
 * is not to be used: section 15.15.2. */
static err_t bind(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);

    svm_assign_asid(v, host_current_cpu());
    v->vmcb.control.clean = 0;
    x86_svm_vmload(v->vmcb_pa);
    x86_bind(&v->x86);
    return OK;
}

static err_t unbind(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);

    x86_unbind(&v->x86);
    x86_svm_vmsave(v->vmcb_pa);
    return OK;
}

static err_t prepare(struct vcpu *vcpu, uint32_t requests)
{
    struct svm_vcpu *v = to_svm(vcpu);

    if (requests & VCPU_REQUEST_INTERRUPT) {
        svm_end_nmi(v);
        x86_sync_events(&v->x86);
    }
    if (requests & VCPU_REQUEST_FLUSH)
        svm_flush(&v->x86);
    return OK;
}

/* An NMI that waits may be due, whatever the exit is. */
static ALWAYS_INLINE void note_exit(struct svm_vcpu *v)
{
    if (unlikely(v->x86.nmi_window))
        vcpu_request(&v->x86.base, VCPU_REQUEST_INTERRUPT);
}

/* One that waits has not been in its guest. */
static void exited(struct vcpu *vcpu)
{
    if (to_x86(vcpu)->wait == X86_RUNS)
        note_exit(to_svm(vcpu));
}

/* A vCPU that waits has nothing to run: it exits as one that halts. */
EXIT_PATH void svm_world_switch(struct vcpu *vcpu)
{
    struct svm_vcpu *v = to_svm(vcpu);
    struct vmcb *vmcb = &v->vmcb;
    uint64_t *gpr = v->x86.regs.gpr;

    if (unlikely(v->x86.wait != X86_RUNS)) {
        vmcb->control.exitcode = VMEXIT_HLT;
        return;
    }
    vmcb->save.rax = gpr[X86_GPR_RAX];
    vmcb->save.rsp = gpr[X86_GPR_RSP];
    x86_svm_run(&v->x86.regs, vmcb, v->vmcb_pa);
    gpr[X86_GPR_RAX] = vmcb->save.rax;
    gpr[X86_GPR_RSP] = vmcb->save.rsp;
    if (v->features & SVM_FEATURE_VMCB_CLEAN)
        vmcb->control.clean = (uint32_t)CLEAN_ALL;
    if (unlikely(vmcb->control.tlb_control != TLB_CONTROL_NOTHING))
        svm_flushed(v);
    if (unlikely(vmcb->control.exitintinfo & EVENT_V))
        svm_resume_event(v);
    note_exit(v);
}

static const struct s2_format *stage2_format(uint64_t top)
{
    struct x86_cpuid cpuid;
    const struct s2_format *format = &s2_npt_2m;

    (void)x86_hw_cpuid(X86_CPUID_EXT_FEATURES, 0, &cpuid);
    if (cpuid.edx & X86_CPUID_EXT_EDX_PAGE1GB)
        format = &s2_npt;
    return top <= s2_gpa_limit(format) ? format : NULL;
}

const struct vcpu_ops x86_svm_vcpu_ops = {
    X86_VCPU_OPS,
    .size = sizeof(struct svm_vcpu),
    .reset_machine = svm_reset_machine,
    .init = init,
    .fini = fini,
    .setup = setup,
    .reset = reset,
    .bind = bind,
    .unbind = unbind,
    .prepare = prepare,
    .world_switch = svm_world_switch,
    .exited = exited,
    .decode = svm_decode,
    .stage2_format = stage2_format,
};
