/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU's operations on VMX: Intel SDM volume 3, chapters 25 to 28.
 *
 * What exits is what exits on SVM (svm/vcpu.c says why), and what VMX lets no
 * guest do without an exit: CPUID, INVD, XSETBV, GETSEC, VMX's instructions,
 * task switches.
 *
 * A VMCS is in one CPU from bind to unbind, which clears it: so it never has to
 * be fetched out of another CPU, and the first entry after bind launches it.
 */
#include "addrspace/format.h"
#include "api/memory.h"
#include "arch/x86_64/boot/load.h"
#include "arch/x86_64/vmx/vmx.h"
#include "lib/check.h"
#include "lib/string.h"
#include "memory/arena.h"

static void set_tsc_offset(struct x86_vcpu *x86, uint64_t offset)
{
    if (vmx_is_bound(vmx_of(x86)))
        x86_vmx_vmwrite(VMCS_TSC_OFFSET, offset);
}

static const struct x86_vendor vmx_vendor = {
    .reserves_bit_8 = false,
    .get_cpu = vmx_get_cpu,
    .get_code = vmx_get_code,
    .get = vmx_get,
    .set = vmx_set,
    .load_pdptes = vmx_load_pdptes,
    .set_tsc_offset = set_tsc_offset,
    .enter_at = vmx_enter_at,
    .flush = vmx_flush,
    .insn_bytes = vmx_insn_bytes,
    .walks_tables = vmx_walks_tables,
    .sets_event = vmx_sets_event,
    .takes_interrupt = vmx_takes_interrupt,
    .takes_nmi = vmx_takes_nmi,
    .set_windows = vmx_set_windows,
    .take_exception = vmx_take_exception,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .get_gdtr = vmx_get_gdtr,
    .block_nmi = vmx_set_nmi_blocking,
    .lend_apic = vmx_lend_apic,
    .read_apic = vmx_read_apic,
};

static err_t make_shared(struct vmx_vcpu *v, struct arena *arena)
{
    const struct vmx_vcpu *first = vmx_of(x86_first(&v->x86));
    struct vmx_capability capability;
    char refusal[VMX_REFUSAL_SIZE];
    struct vmx_shared *shared;

    v->controls = first->controls;
    v->shared = first->shared;
    if (v->controls != NULL)
        return OK;
    shared = arena_alloc(arena, sizeof(*shared), PAGE_SIZE);
    if (shared == NULL)
        return ERR_NO_MEMORY;
    vmx_read_capability(&capability, x86_hw_read_msr);
    /* The host has looked before. */
    CHECK(vmx_choose_controls(&capability, &shared->controls, refusal));
    for (unsigned i = 0; i < ARRAY_SIZE(shared->msr_bitmap); i++)
        vmx_msr_bitmap_init(shared->msr_bitmap[i], v->x86.cpuid);
    vmx_msr_bitmap_pass_x2apic(shared->msr_bitmap[1], shared->controls.apic);
    v->controls = &shared->controls;
    v->shared = shared;
    return OK;
}

static void clear_state(struct vmx_vcpu *v)
{
    x86_clear(&v->x86);
    v->exit = (struct vmx_exit){0};
    v->event = 0;
    v->windows = 0;
    vmx_apic_clear(v);
    v->cpu_controls = vmx_cpu_controls(v);
    v->is_filled = v->has_entry = v->launched = false;
    v->host_cpu = v->vpid.cpu = X86_NO_CPU;
    v->state = (struct x86_vmx_state){.dr6 = X86_DR6_RESET};
    v->vmcs.revision = v->controls->revision;
}

static err_t init(struct vcpu *vcpu, struct arena *arena)
{
    struct vmx_vcpu *v = to_vmx(vcpu);
    err_t error = x86_init(&v->x86, &vmx_vendor, arena);

    if (error == OK)
        error = make_shared(v, arena);
    if (error != OK)
        return error;
    v->x86.rip = &v->exit.rip;
    v->x86.rflags = &v->exit.rflags;
    v->x86.shadow = &v->exit.interruptibility;
    v->x86.event = &v->event;
    v->vmcs_pa = memory_virt_to_phys(&v->vmcs);
    vmx_apic_init(v);
    clear_state(v);
    return OK;
}

static void fini(struct vcpu *vcpu) {}

static err_t reset(struct vcpu *vcpu)
{
    clear_state(to_vmx(vcpu));
    return OK;
}

static const struct s2_format *ept_format(const struct vmx_controls *controls)
{
    return controls->has_1g ? &s2_ept : &s2_ept_2m;
}

static err_t setup(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = to_vmx(vcpu);

    clear_state(v);
    x86_setup(&v->x86);
    v->eptp =
        s2_ept_pointer(ept_format(v->controls), vcpu->boot.stage2.root, false);
    vcpu_request(vcpu, VCPU_REQUEST_INTERRUPT);
    return vmx_apic_setup(v);
}

/* What the entries write from now on if it has changed. */
static void write_registers(struct vmx_vcpu *v)
{
    v->written = (struct vmx_written){
        v->exit.rflags, v->x86.regs.gpr[X86_GPR_RSP], v->exit.interruptibility};
    x86_vmx_vmwrite(VMCS_GUEST_RFLAGS, v->written.rflags);
    x86_vmx_vmwrite(VMCS_GUEST_RSP, v->written.rsp);
    x86_vmx_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                    v->written.interruptibility);
}

/* Of a VMCS that is current for the first time. It was another one's memory
 * before: VMCLEAR makes it one. */
static void fill(struct vmx_vcpu *v)
{
    vmx_fill(v);
    write_registers(v);
    v->is_filled = true;
}

/* What has been set while the VMCS was out of reach. */
static void enter(struct vmx_vcpu *v)
{
    vmx_write_entry(v, &v->entry);
    vmx_flush(&v->x86);
    v->has_entry = false;
}

static err_t bind(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = to_vmx(vcpu);
    uint32_t cpu = host_current_cpu();

    if (!v->is_filled)
        x86_vmx_vmclear(v->vmcs_pa);
    x86_vmx_vmptrld(v->vmcs_pa);
    v->launched = false;
    if (!v->is_filled)
        fill(v);
    if (v->host_cpu != cpu)
        x86_vmx_set_host_state();
    v->host_cpu = (uint8_t)cpu;
    vmx_assign_vpid(v, cpu);
    if (v->has_entry)
        enter(v);
    x86_vmx_vmwrite(VMCS_TSC_OFFSET, v->x86.tsc_offset);
    x86_vmx_load_state(&v->state);
    x86_bind(&v->x86);
    return OK;
}

static err_t unbind(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = to_vmx(vcpu);

    x86_unbind(&v->x86);
    x86_vmx_save_state(&v->state);
    x86_vmx_vmclear(v->vmcs_pa);
    return OK;
}

static err_t prepare(struct vcpu *vcpu, uint32_t requests)
{
    struct vmx_vcpu *v = to_vmx(vcpu);

    if (requests & VCPU_REQUEST_INTERRUPT)
        x86_sync_events(&v->x86);
    if (requests & VCPU_REQUEST_FLUSH)
        vmx_flush_stage2(v);
    return OK;
}

/* The world switch -------------------------------------------------------- */

static ALWAYS_INLINE void put(enum vmcs_field field, uint64_t *written,
                              uint64_t value)
{
    if (unlikely(*written != value)) {
        *written = value;
        x86_vmx_put(field, value);
    }
}

static NOINLINE void put_event(struct vmx_vcpu *v)
{
    x86_vmx_put(VMCS_ENTRY_EXCEPTION_ERROR_CODE, v->event >> 32);
    x86_vmx_put(VMCS_ENTRY_INTERRUPTION_INFO, (uint32_t)v->event);
    v->event = 0;
}

/* RIP has changed, mostly. */
static ALWAYS_INLINE void put_registers(struct vmx_vcpu *v)
{
    x86_vmx_put(VMCS_GUEST_RIP, v->exit.rip);
    put(VMCS_GUEST_RSP, &v->written.rsp, v->x86.regs.gpr[X86_GPR_RSP]);
    put(VMCS_GUEST_RFLAGS, &v->written.rflags, v->exit.rflags);
    put(VMCS_GUEST_INTERRUPTIBILITY_STATE, &v->written.interruptibility,
        v->exit.interruptibility);
    if (unlikely(v->event != 0))
        put_event(v);
}

/* The fields that come with this exit and not with all, and what follows from
 * them. */
static ALWAYS_INLINE void get_more(struct vmx_vcpu *v, uint64_t set)
{
    struct vmx_exit *exit = &v->exit;

#define X(member, field)                \
    if ((set & VMX_FIELD(member)) != 0) \
        exit->member = x86_vmx_get(VMCS_##field);
    VMX_FIELDS_SOMETIMES(X)
#undef X
    if ((set & VMX_WITH_RSP) != 0)
        v->x86.regs.gpr[X86_GPR_RSP] = v->written.rsp =
            x86_vmx_get(VMCS_GUEST_RSP);
    if ((set & VMX_FIELD(idt_vectoring)) != 0 &&
        unlikely((exit->idt_vectoring & VMX_EVENT_VALID) != 0))
        vmx_resume_event(v);
}

static NOINLINE void get_rarely(struct vmx_vcpu *v, uint32_t set)
{
    get_more(v, set);
    if ((set & VMX_FIELD(interruption)) != 0)
        vmx_take_interruption(v);
}

static ALWAYS_INLINE void get_exit(struct vmx_vcpu *v)
{
    struct vmx_exit *exit = &v->exit;
    uint32_t more;

#define X(member, field) exit->member = x86_vmx_get(VMCS_##field);
    VMX_FIELDS_ALWAYS(X)
#undef X
    v->written.rflags = exit->rflags;
    v->written.interruptibility = exit->interruptibility;
    if (exit->reason == VMX_REASON_EPT_VIOLATION) {
        get_more(v, VMX_FIELDS_OF_EPT_VIOLATION);
        if (unlikely((exit->qualification & VMX_EPT_NMI_UNBLOCKED) != 0))
            vmx_block_nmi(v);
        return;
    }
    more = vmx_fields_of_reason[exit->reason & (VMX_REASON_MAX - 1)];
    if (unlikely(more != 0))
        get_rarely(v, more);
}

/* Once for all ways in which an entry is refused: section 31.4 for the number,
 * section 27.8 for those that look like exits. */
static NOINLINE void refuse_entry(struct vmx_vcpu *v, uint32_t result)
{
    v->exit.reason = VMX_ENTRY_REFUSED;
    if (result == X86_VMX_FAIL_VALID)
        v->exit.reason |= x86_vmx_get(VMCS_VM_INSTRUCTION_ERROR);
}

/* A vCPU that waits has nothing to run: it exits as one that halts. */
EXIT_PATH void vmx_world_switch(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = to_vmx(vcpu);
    uint32_t result;

    if (unlikely(v->x86.wait != X86_RUNS)) {
        v->exit.reason = VMX_REASON_HLT;
        return;
    }
    put_registers(v);
    result = x86_vmx_enter(&v->x86.regs, v->launched);
    if (unlikely(result != X86_VMX_ENTERED)) {
        refuse_entry(v, result);
        return;
    }
    v->launched = true;
    get_exit(v);
}

static const struct s2_format *stage2_format(uint64_t top)
{
    struct vmx_capability capability;
    struct vmx_controls controls;
    char refusal[VMX_REFUSAL_SIZE];
    const struct s2_format *format;

    vmx_read_capability(&capability, x86_hw_read_msr);
    CHECK(vmx_choose_controls(&capability, &controls, refusal));
    format = ept_format(&controls);
    return top <= s2_gpa_limit(format) ? format : NULL;
}

const struct vcpu_ops x86_vmx_vcpu_ops = {
    X86_VCPU_OPS,
    .size = sizeof(struct vmx_vcpu),
    .reset_machine = vmx_reset_machine,
    .init = init,
    .fini = fini,
    .setup = setup,
    .reset = reset,
    .bind = bind,
    .unbind = unbind,
    .prepare = prepare,
    .world_switch = vmx_world_switch,
    .decode = vmx_decode,
    .reason_name = vmx_reason_name,
    .stage2_format = stage2_format,
};
