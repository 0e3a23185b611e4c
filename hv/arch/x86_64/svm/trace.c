/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trace is told of a vCPU on SVM: its registers, the rows of the
 * hardware seam, and which registers an exit brings in. Fields of 64 bits at
 * the VMCB's offsets; some of them hold several of its own.
 */
#include "arch/x86_64/svm/trace.h"

#include "arch/x86_64/svm/svm.h"

/* clang-format off */
/* X(name, field of the VMCB). `cs` is selector, attributes and limit; `cpl`
 * has the privilege level in its fourth byte; `bytes` begins with their
 * number. */
#define VMCB_FIELDS(X)                                                        \
    X(EXITINFO1, "exitinfo1", control.exitinfo1)                              \
    X(EXITINFO2, "exitinfo2", control.exitinfo2)                              \
    X(EVENTINJ, "eventinj", control.eventinj)                                 \
    X(SHADOW, "interrupt_shadow", control.interrupt_shadow)                   \
    X(NRIP, "nrip", control.nrip)                                             \
    X(BYTES, "bytes", control.bytes_fetched)                                  \
    X(BYTES_HIGH, "bytes_high", control.instruction_bytes[7])                 \
    X(RFLAGS, "rflags", save.rflags)                                          \
    X(CR0, "cr0", save.cr0)                                                   \
    X(CR2, "cr2", save.cr2)                                                   \
    X(CR3, "cr3", save.cr3)                                                   \
    X(CR4, "cr4", save.cr4)                                                   \
    X(EFER, "efer", save.efer)                                                \
    X(DR6, "dr6", save.dr6)                                                   \
    X(CPL, "cpl", save.reserved_0a0[0x28])                                    \
    X(CS, "cs", save.cs.selector)                                             \
    X(CS_BASE, "cs_base", save.cs.base)                                       \
    X(DS, "ds", save.ds.selector)                                             \
    X(DS_BASE, "ds_base", save.ds.base)                                       \
    X(ES, "es", save.es.selector)                                             \
    X(ES_BASE, "es_base", save.es.base)                                       \
    X(SS, "ss", save.ss.selector)                                             \
    X(SS_BASE, "ss_base", save.ss.base)
/* clang-format on */

/* Numbers of the fields. */
enum {
    FIELD_RIP = TRACE_FIELD_PC,
    FIELD_EXITCODE = TRACE_FIELD_CAUSE,
#define X(id, name, field) FIELD_##id,
    VMCB_FIELDS(X)
#undef X
        FIELD_GPR,
    FIELD_COUNT = FIELD_GPR + X86_GPR_COUNT,
};

_Static_assert(FIELD_COUNT <= TRACE_MAX_FIELDS, "fields of a trace");
_Static_assert(offsetof(struct vmcb, save.reserved_0a0[0x28]) == 0x4c8,
               "the word with the privilege level");

static const struct trace_field fields[FIELD_COUNT] = {
    [FIELD_RIP] = {"rip", offsetof(struct svm_vcpu, vmcb.save.rip)},
    [FIELD_EXITCODE] = {"exitcode",
                        offsetof(struct svm_vcpu, vmcb.control.exitcode)},
#define X(id, name, field) \
    [FIELD_##id] = {(name), offsetof(struct svm_vcpu, vmcb.field)},
    VMCB_FIELDS(X)
#undef X
#define X(name, reg)               \
    [FIELD_GPR + (reg)] = {(name), \
                           offsetof(struct svm_vcpu, x86.regs.gpr[(reg)])},
        X86_TRACE_GPRS(X)
#undef X
};

#define GPR(reg) BIT(FIELD_GPR + X86_GPR_##reg)
#define ALL_GPRS BIT_MASK(FIELD_COUNT - 1, FIELD_GPR)

/* What decides which event the guest takes. The processor has taken the one in
 * EVENTINJ, or cut it short, and then it is there again: nobody reads
 * EXITINTINFO after that. */
#define EXIT_ALWAYS                                             \
    (BIT(FIELD_RIP) | BIT(FIELD_EXITCODE) | BIT(FIELD_RFLAGS) | \
     BIT(FIELD_EVENTINJ) | BIT(FIELD_SHADOW))
/* What a fetch by the guest's page tables needs in 64-bit mode. */
#define CODE_FIELDS                                                       \
    (BIT(FIELD_CR0) | BIT(FIELD_CR3) | BIT(FIELD_CR4) | BIT(FIELD_EFER) | \
     BIT(FIELD_CPL) | BIT(FIELD_CS))
/* What emulation needs besides in other modes: 64-bit mode ignores these. */
#define SEGMENT_FIELDS                                                         \
    (BIT(FIELD_CS_BASE) | BIT(FIELD_DS) | BIT(FIELD_DS_BASE) | BIT(FIELD_ES) | \
     BIT(FIELD_ES_BASE) | BIT(FIELD_SS) | BIT(FIELD_SS_BASE))

static bool is_64_bit(const struct svm_vcpu *v)
{
    const struct vmcb_save *save = &v->vmcb.save;

    return (save->efer & X86_EFER_LMA) != 0 &&
           (save->cs.attrib & VMCB_ATTRIB_L) != 0;
}

/* What the emulator needs. The general registers it reads one by one, by
 * x86_hw_read_gpr(), when it knows which. */
static uint64_t emulation_fields(const struct svm_vcpu *v)
{
    return is_64_bit(v) ? CODE_FIELDS : CODE_FIELDS | SEGMENT_FIELDS;
}

/* The length of an instruction that the processor names. */
static uint64_t length_fields(const struct svm_vcpu *v)
{
    return v->features & SVM_FEATURE_NRIPS ? BIT(FIELD_NRIP)
                                           : emulation_fields(v);
}

/* What RAX is read for is a store; of a load, it is what it is put into. */
static uint64_t ioio_fields(const struct svm_vcpu *v)
{
    uint64_t info = v->vmcb.control.exitinfo1;

    if ((info & IOIO_STR) != 0)
        return emulation_fields(v);
    return (info & IOIO_TYPE_IN) != 0 ? 0 : GPR(RAX);
}

static uint64_t npf_fields(const struct svm_vcpu *v)
{
    uint64_t set =
        emulation_fields(v) | BIT(FIELD_EXITINFO1) | BIT(FIELD_EXITINFO2);

    return v->features & SVM_FEATURE_DECODE_ASSISTS
               ? set | BIT(FIELD_BYTES) | BIT(FIELD_BYTES_HIGH)
               : set;
}

static uint64_t fields_of_code(const struct svm_vcpu *v)
{
    uint64_t info = BIT(FIELD_EXITINFO1) | BIT(FIELD_EXITINFO2);

    switch (v->vmcb.control.exitcode) {
    case VMEXIT_INTR:
    case VMEXIT_NMI:
    case VMEXIT_SMI:
    case VMEXIT_INIT:
    case VMEXIT_VINTR:
    case VMEXIT_IRET:
    case VMEXIT_SHUTDOWN: return 0;
    case VMEXIT_HLT:
    case VMEXIT_INVD:
    case VMEXIT_WBINVD:
    case VMEXIT_ICEBP: return length_fields(v);
    case VMEXIT_CPUID:
        return length_fields(v) | GPR(RAX) | GPR(RCX) | BIT(FIELD_CR4);
    case VMEXIT_MSR:
    case VMEXIT_XSETBV:
        return length_fields(v) | GPR(RAX) | GPR(RCX) | GPR(RDX) |
               BIT(FIELD_EXITINFO1) | BIT(FIELD_CR0) | BIT(FIELD_EFER);
    case VMEXIT_VMMCALL: return length_fields(v) | ALL_GPRS;
    case VMEXIT_EXCP0 + X86_VECTOR_DB:
        return info | emulation_fields(v) | ALL_GPRS | BIT(FIELD_DR6);
    case VMEXIT_IOIO: return info | ioio_fields(v);
    case VMEXIT_NPF: return npf_fields(v);
    default: return info | emulation_fields(v) | ALL_GPRS;
    }
}

/* Whatever completes an instruction sets DR6.BS where it is single-stepped. */
static uint64_t exit_fields(const struct vcpu *vcpu)
{
    const struct svm_vcpu *v = to_svm_const(vcpu);
    uint64_t set = EXIT_ALWAYS | fields_of_code(v);

    return (v->vmcb.save.rflags & X86_RFLAGS_TF) != 0 ? set | BIT(FIELD_DR6)
                                                      : set;
}

const struct trace_arch x86_svm_trace_arch = {
    .name = "x86_64",
    .fields = fields,
    .field_count = FIELD_COUNT,
    .rows = x86_trace_rows,
    .row_count = X86_TRACE_ROW_COUNT,
    .exit_fields = exit_fields,
};
