/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace is told of a vCPU on VMX: its registers, the rows of the
 * hardware seam, and which registers an exit brings in, which fields.c says of
 * those that the VMCS has. What else of it is looked at crosses the seam.
 */
#include "arch/x86_64/vmx/trace.h"

#include "arch/x86_64/vmx/vmx.h"

/* Numbers of the fields: an exit's, in their order, which begins with RIP and
 * the reason. */
enum {
    FIELD_EVENT = VMX_FIELD_COUNT,
    FIELD_GPR,
    FIELD_COUNT = FIELD_GPR + X86_GPR_COUNT,
};

_Static_assert(FIELD_COUNT <= TRACE_MAX_FIELDS, "fields of a trace");
_Static_assert((int)VMX_FIELD_rip == TRACE_FIELD_PC, "");
_Static_assert((int)VMX_FIELD_reason == TRACE_FIELD_CAUSE, "");

static const struct trace_field fields[FIELD_COUNT] = {
#define X(member, field) \
    [VMX_FIELD_##member] = {#member, offsetof(struct vmx_vcpu, exit.member)},
    VMX_EXIT_FIELDS(X)
#undef X
        [FIELD_EVENT] = {"event", offsetof(struct vmx_vcpu, event)},
#define X(name, reg)               \
    [FIELD_GPR + (reg)] = {(name), \
                           offsetof(struct vmx_vcpu, x86.regs.gpr[(reg)])},
    X86_TRACE_GPRS(X)
#undef X
};

#define GPR(reg) BIT(FIELD_GPR + X86_GPR_##reg)
#define ALL_GPRS BIT_MASK(FIELD_COUNT - 1, FIELD_GPR)

#define EXIT_ALWAYS (BIT_MASK(VMX_ALWAYS - 1, 0) | BIT(FIELD_EVENT))

/* What RAX is read for is a write; of a read, it is what it is put into. */
static uint64_t io_gprs(const struct vmx_vcpu *v)
{
    return (v->exit.qualification & (VMX_IO_IN | VMX_IO_STRING)) == 0 ? GPR(RAX)
                                                                      : 0;
}

static uint64_t mov_cr_gprs(const struct vmx_vcpu *v)
{
    return BIT(FIELD_GPR + FIELD_GET(VMX_CR_GPR, v->exit.qualification));
}

/* The general registers that the instruction hands over. The emulator reads
 * its own one by one, by x86_hw_read_gpr(), when it knows which. */
static uint64_t gprs_of(const struct vmx_vcpu *v)
{
    switch (v->exit.reason) {
    case VMX_REASON_CPUID: return GPR(RAX) | GPR(RCX);
    case VMX_REASON_RDMSR: return GPR(RCX);
    case VMX_REASON_WRMSR:
    case VMX_REASON_XSETBV: return GPR(RAX) | GPR(RCX) | GPR(RDX);
    case VMX_REASON_VMCALL: return ALL_GPRS;
    case VMX_REASON_IO_INSTRUCTION: return io_gprs(v);
    case VMX_REASON_CR_ACCESS: return mov_cr_gprs(v);
    default: return 0;
    }
}

/* Those that come sometimes. */
static uint64_t fields_of_reason(uint64_t reason)
{
    uint64_t set = vmx_fields_of_reason[reason & (VMX_REASON_MAX - 1)];

    return (set & VMX_WITH_RSP) != 0 ? (set & ~VMX_WITH_RSP) | GPR(RSP) : set;
}

static uint64_t exit_fields(const struct vcpu *vcpu)
{
    const struct vmx_vcpu *v = to_vmx_const(vcpu);

    return EXIT_ALWAYS | gprs_of(v) | fields_of_reason(v->exit.reason);
}

const struct trace_arch x86_vmx_trace_arch = {
    .name = "x86_64-vmx",
    .fields = fields,
    .field_count = FIELD_COUNT,
    .rows = x86_trace_rows,
    .row_count = X86_TRACE_ROW_COUNT,
    .exit_fields = exit_fields,
};
