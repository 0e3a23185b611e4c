/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMRUN checks, in the order of the manual (APM volume 2, section 15.5.1
 * and the sections named in the rows), and what the nearest legal state is. The
 * rules at the end are no processor's: it would let a guest have the machine,
 * or do what the fake one does not.
 */
#include <string.h>

#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/ram.h"

#define HIGH_HALF BIT_MASK(63, 32)

/* S_CET: what a processor with shadow stacks alone has; bit 1 is WRSS_EN. */
#define S_CET_RESERVED (~BIT_MASK(1, 0))

#define UNMODELLED_VINTR \
    (VINTR_AVIC_ENABLE | VINTR_X2AVIC_ENABLE | VINTR_V_NMI_ENABLE)

static enum rule_mode rule_mode;

static const struct vmcb_save *save_of(const struct fake_x86 *cpu)
{
    return &cpu->state;
}

static const struct vmcb_control *control_of(const struct fake_x86 *cpu)
{
    return &cpu->svm.control;
}

/* Defines NAME_holds and NAME_repair. */
#define HOLDS(name, condition)                                \
    static bool name##_holds(const struct fake_x86 *cpu)      \
    {                                                         \
        const struct vmcb_save *save = save_of(cpu);          \
        const struct vmcb_control *control = control_of(cpu); \
        (void)save;                                           \
        (void)control;                                        \
        return condition;                                     \
    }
#define REPAIR(name, statement)                           \
    static void name##_repair(struct fake_x86 *cpu)       \
    {                                                     \
        struct vmcb_save *save = &cpu->state;             \
        struct vmcb_control *control = &cpu->svm.control; \
        (void)save;                                       \
        (void)control;                                    \
        statement;                                        \
    }

/* Bits that no physical address has. */
static uint64_t above(const struct fake_x86 *cpu)
{
    return ~(BIT(cpu->profile->phys_bits) - 1);
}

static bool is_long(const struct vmcb_save *save)
{
    return (save->efer & X86_EFER_LME) != 0 && (save->cr0 & X86_CR0_PG) != 0;
}

/* CR3's MBZ bits: in long mode those above the physical addresses, otherwise
 * the high half. */
static uint64_t cr3_mbz(const struct fake_x86 *cpu)
{
    return is_long(save_of(cpu)) ? above(cpu) : HIGH_HALF;
}

static uint64_t efer_legal(const struct fake_x86 *cpu)
{
    return cpu->profile->efer | X86_EFER_SVME;
}

/* Where a permission map of so many bytes may begin at most: bits 11:0 do not
 * count. Processors refuse an MSR map that ends with the last address. */
static bool map_fits(const struct fake_x86 *cpu, uint64_t base, uint64_t size)
{
    return align_down(base, PAGE_SIZE) <= BIT(cpu->profile->phys_bits) - size;
}

static bool event_type_is_legal(uint64_t event)
{
    uint64_t type = FIELD_GET(EVENT_TYPE, event);

    return (event & EVENT_V) == 0 || type == EVENT_TYPE_INTR ||
           type == EVENT_TYPE_NMI || type == EVENT_TYPE_EXCEPTION ||
           type == EVENT_TYPE_SOFT;
}

static bool event_vector_is_legal(const struct fake_x86 *cpu, uint64_t event)
{
    return (event & EVENT_V) == 0 ||
           FIELD_GET(EVENT_TYPE, event) != EVENT_TYPE_EXCEPTION ||
           cpu_is_exception(cpu, FIELD_GET(EVENT_VECTOR, event));
}

/* What is in none of the profiles, or only by name: AVIC, virtual NMIs, SEV,
 * LBR virtualisation, virtual VMLOAD and VMSAVE. */
static bool is_modelled(const struct vmcb_control *control)
{
    return (control->vintr & UNMODELLED_VINTR) == 0 &&
           (control->np_enable & ~UINT64_C(1)) == 0 &&
           control->lbr_virtualization_enable == 0;
}

static bool tlb_control_is_legal(const struct fake_x86 *cpu)
{
    switch (control_of(cpu)->tlb_control) {
    case TLB_CONTROL_NOTHING:
    case TLB_CONTROL_FLUSH_ALL: return true;
    case TLB_CONTROL_FLUSH_GUEST:
    case TLB_CONTROL_FLUSH_GUEST_NONGLOBAL:
        return svm_has(cpu, SVM_FEATURE_FLUSH_BY_ASID);
    default: return false;
    }
}

static bool pat_is_legal(uint64_t pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = pat >> i & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

HOLDS(efer_svme, (save->efer & X86_EFER_SVME) != 0)
REPAIR(efer_svme, save->efer |= X86_EFER_SVME)
HOLDS(cr0_nw, (save->cr0 & (X86_CR0_CD | X86_CR0_NW)) != X86_CR0_NW)
REPAIR(cr0_nw, save->cr0 &= ~X86_CR0_NW)
HOLDS(cr0_high, (save->cr0 & HIGH_HALF) == 0)
REPAIR(cr0_high, save->cr0 &= ~HIGH_HALF)
HOLDS(cr3, (save->cr3 & cr3_mbz(cpu)) == 0)
REPAIR(cr3, save->cr3 &= ~cr3_mbz(cpu))
HOLDS(cr4, (save->cr4 & ~cpu->profile->cr4) == 0)
REPAIR(cr4, save->cr4 &= cpu->profile->cr4)
HOLDS(dr6, (save->dr6 & HIGH_HALF) == 0)
REPAIR(dr6, save->dr6 &= ~HIGH_HALF)
HOLDS(dr7, (save->dr7 & HIGH_HALF) == 0)
REPAIR(dr7, save->dr7 &= ~HIGH_HALF)
HOLDS(efer, (save->efer & ~efer_legal(cpu)) == 0)
REPAIR(efer, save->efer &= efer_legal(cpu))
HOLDS(long_absent, !cpu->profile->no_long_mode ||
                       (save->efer & (X86_EFER_LMA | X86_EFER_LME)) == 0)
REPAIR(long_absent, save->efer &= ~(X86_EFER_LMA | X86_EFER_LME))
HOLDS(long_pae, !is_long(save) || (save->cr4 & X86_CR4_PAE) != 0)
REPAIR(long_pae, save->cr4 |= X86_CR4_PAE)
HOLDS(long_pe, !is_long(save) || (save->cr0 & X86_CR0_PE) != 0)
REPAIR(long_pe, save->cr0 |= X86_CR0_PE)
HOLDS(long_cs, !is_long(save) || (save->cr4 & X86_CR4_PAE) == 0 ||
                   (save->cs.attrib & VMCB_ATTRIB_L) == 0 ||
                   (save->cs.attrib & VMCB_ATTRIB_D) == 0)
REPAIR(long_cs, save->cs.attrib &= (uint16_t)~VMCB_ATTRIB_D)
HOLDS(vmrun, vmcb_intercepts(control, INTERCEPT_VMRUN))
REPAIR(vmrun, vmcb_set_intercept(control, INTERCEPT_VMRUN, true))
HOLDS(iopm, map_fits(cpu, control->iopm_base_pa, IOPM_SIZE))
REPAIR(iopm, control->iopm_base_pa &= ~above(cpu) / 2)
HOLDS(msrpm, map_fits(cpu, control->msrpm_base_pa, MSRPM_SIZE + 1))
REPAIR(msrpm, control->msrpm_base_pa &= ~above(cpu) / 2)
HOLDS(event_type, event_type_is_legal(control->eventinj))
REPAIR(event_type, control->eventinj = (control->eventinj & ~EVENT_TYPE) |
                                       FIELD_PUT(EVENT_TYPE, EVENT_TYPE_SOFT))
HOLDS(event_vector, event_vector_is_legal(cpu, control->eventinj))
REPAIR(event_vector,
       control->eventinj = (control->eventinj & ~EVENT_VECTOR) | X86_VECTOR_GP)
HOLDS(asid, control->guest_asid != 0)
REPAIR(asid, control->guest_asid = 1)
HOLDS(asid_limit, control->guest_asid < cpu->profile->asids)
REPAIR(asid_limit, control->guest_asid = cpu->profile->asids - 1)
HOLDS(tlb_control, tlb_control_is_legal(cpu))
REPAIR(tlb_control, control->tlb_control = TLB_CONTROL_FLUSH_ALL)
HOLDS(s_cet, (cpu->profile->cr4 & X86_CR4_CET) == 0 ||
                 (save->s_cet & S_CET_RESERVED) == 0)
REPAIR(s_cet, save->s_cet &= ~S_CET_RESERVED)
HOLDS(cet_wp, (save->cr4 & X86_CR4_CET) == 0 || (save->cr0 & X86_CR0_WP) != 0)
REPAIR(cet_wp, save->cr0 |= X86_CR0_WP)
HOLDS(ncr3, (control->np_enable & 1) == 0 || (control->n_cr3 & above(cpu)) == 0)
REPAIR(ncr3, control->n_cr3 &= ~above(cpu))
HOLDS(g_pat, (control->np_enable & 1) == 0 || pat_is_legal(save->g_pat))
REPAIR(g_pat, save->g_pat = X86_PAT_RESET)
HOLDS(unmodelled, is_modelled(control))
REPAIR(unmodelled, control->vintr &= ~UNMODELLED_VINTR; control->np_enable &= 1;
       control->lbr_virtualization_enable = 0)
HOLDS(np, (control->np_enable & 1) != 0)
REPAIR(np, control->np_enable |= 1)
HOLDS(ncr3_root,
      (control->np_enable & 1) == 0 ||
          ram_is_allocated(hpa(control->n_cr3 & NPT_ADDRESS), PAGE_SIZE))
HOLDS(iopm_memory,
      !vmcb_intercepts(control, INTERCEPT_IOIO) ||
          ram_is_allocated(hpa(align_down(control->iopm_base_pa, PAGE_SIZE)),
                           IOPM_SIZE))
HOLDS(msrpm_memory,
      !vmcb_intercepts(control, INTERCEPT_MSR) ||
          ram_is_allocated(hpa(align_down(control->msrpm_base_pa, PAGE_SIZE)),
                           MSRPM_SIZE))
HOLDS(intr, vmcb_intercepts(control, INTERCEPT_INTR) &&
                (control->vintr & VINTR_V_INTR_MASKING) != 0)
REPAIR(intr, vmcb_set_intercept(control, INTERCEPT_INTR, true);
       control->vintr |= VINTR_V_INTR_MASKING)

#define ROW(rule, section, name)                   \
    {                                              \
        rule, section, name##_holds, name##_repair \
    }

const struct svm_rule svm_rules[] = {
    ROW(RULE_VMCB_EFER_SVME, "15.5.1", efer_svme),
    ROW(RULE_VMCB_CR0_NW, "15.5.1", cr0_nw),
    ROW(RULE_VMCB_CR0_HIGH, "15.5.1", cr0_high),
    ROW(RULE_VMCB_CR3, "15.5.1", cr3),
    ROW(RULE_VMCB_CR4, "15.5.1", cr4),
    ROW(RULE_VMCB_DR6, "15.5.1", dr6),
    ROW(RULE_VMCB_DR7, "15.5.1", dr7),
    ROW(RULE_VMCB_EFER, "15.5.1", efer),
    ROW(RULE_VMCB_LONG_ABSENT, "15.5.1", long_absent),
    ROW(RULE_VMCB_LONG_PAE, "15.5.1", long_pae),
    ROW(RULE_VMCB_LONG_PE, "15.5.1", long_pe),
    ROW(RULE_VMCB_LONG_CS, "15.5.1", long_cs),
    ROW(RULE_VMCB_VMRUN, "15.5.1", vmrun),
    ROW(RULE_VMCB_IOPM, "15.5.1", iopm),
    ROW(RULE_VMCB_MSRPM, "15.5.1", msrpm),
    ROW(RULE_VMCB_EVENT_TYPE, "15.20", event_type),
    ROW(RULE_VMCB_EVENT_VECTOR, "15.20", event_vector),
    ROW(RULE_VMCB_ASID, "15.5.1", asid),
    ROW(RULE_VMCB_ASID_LIMIT, "15.16", asid_limit),
    ROW(RULE_VMCB_TLB_CONTROL, "15.16.1", tlb_control),
    ROW(RULE_VMCB_S_CET, "15.5.1", s_cet),
    ROW(RULE_VMCB_CET_WP, "15.5.1", cet_wp),
    ROW(RULE_VMCB_NCR3, "15.25.4", ncr3),
    ROW(RULE_VMCB_G_PAT, "15.25.4", g_pat),
    ROW(RULE_VMCB_UNMODELLED, "", unmodelled),
    ROW(RULE_VMCB_NP, "", np),
    {RULE_VMCB_NCR3_ROOT, "", ncr3_root_holds, NULL},
    {RULE_VMCB_IOPM_MEMORY, "", iopm_memory_holds, NULL},
    {RULE_VMCB_MSRPM_MEMORY, "", msrpm_memory_holds, NULL},
    ROW(RULE_VMCB_INTR, "", intr),
};

const unsigned svm_rule_count = ARRAY_SIZE(svm_rules);

void fake_svm_set_rule_mode(enum rule_mode mode)
{
    rule_mode = mode;
}

/* A rule is broken: whether the entry goes on. */
static bool rule_broken(struct fake_x86 *cpu, const struct svm_rule *rule)
{
    if (rule_mode == RULES_REPAIR && rule->repair != NULL) {
        rule->repair(cpu);
        return true;
    }
    violation(rule->rule, "RIP 0x%llx, VMCB 0x%llx on CPU %u",
              (unsigned long long)cpu->state.rip,
              (unsigned long long)cpu->svm.vmcb_pa, cpu->index);
    return rule_mode == RULES_LABEL;
}

static struct svm_ruled ruled(const struct fake_x86 *cpu)
{
    const struct vmcb_save *save = save_of(cpu);
    const struct vmcb_control *control = control_of(cpu);

    return (struct svm_ruled){
        .efer = save->efer,
        .cr0 = save->cr0,
        .cr3 = save->cr3,
        .cr4 = save->cr4,
        .dr6 = save->dr6,
        .dr7 = save->dr7,
        .s_cet = save->s_cet,
        .g_pat = save->g_pat,
        .iopm_base_pa = control->iopm_base_pa,
        .msrpm_base_pa = control->msrpm_base_pa,
        .eventinj = control->eventinj,
        .vintr = control->vintr,
        .np_enable = control->np_enable,
        .n_cr3 = control->n_cr3,
        .lbr_virtualization_enable = control->lbr_virtualization_enable,
        .intercept = {control->intercept[0], control->intercept[1],
                      control->intercept[2]},
        .guest_asid = control->guest_asid,
        .cs_attrib = save->cs.attrib,
        .tlb_control = control->tlb_control,
    };
}

_Static_assert(sizeof(struct svm_ruled) == 15 * 8 + 4 * 4 + 8,
               "no padding, whose contents nobody knows");

/* Whether nothing has changed that a rule asks for. */
static bool is_known(struct fake_x86 *cpu, const struct svm_ruled *now)
{
    uint64_t frees = ram_frees();

    if (memcmp(now, &cpu->svm.legal, sizeof(*now)) != 0)
        return false;
    if (unlikely(cpu->svm.legal_frees != frees) &&
        !(ncr3_root_holds(cpu) && iopm_memory_holds(cpu) &&
          msrpm_memory_holds(cpu)))
        return false;
    cpu->svm.legal_frees = frees;
    return true;
}

bool svm_check_guest(struct fake_x86 *cpu)
{
    const struct svm_ruled now = ruled(cpu);
    bool is_legal = true;

    if (likely(is_known(cpu, &now)))
        return true;
    for (unsigned i = 0; i < svm_rule_count; i++) {
        if (likely(svm_rules[i].holds(cpu)))
            continue;
        is_legal = false;
        if (!rule_broken(cpu, &svm_rules[i]))
            return false;
    }
    if (is_legal) {
        cpu->svm.legal = now;
        cpu->svm.legal_frees = ram_frees();
    }
    return true;
}

void (*svm_rule_listener)(enum violation_rule rule);

bool svm_repair_guest(struct fake_x86 *cpu)
{
    for (unsigned i = 0; i < svm_rule_count; i++) {
        const struct svm_rule *rule = &svm_rules[i];

        if (likely(rule->holds(cpu)))
            continue;
        if (svm_rule_listener != NULL)
            svm_rule_listener(rule->rule);
        if (rule->repair == NULL)
            return false;
        rule->repair(cpu);
    }
    return true;
}

static bool is_page(uint64_t address)
{
    return is_aligned(address, PAGE_SIZE) &&
           ram_is_allocated(hpa(address), PAGE_SIZE);
}

bool svm_check_host(const struct fake_x86 *cpu, uint64_t vmcb)
{
    const struct {
        enum violation_rule rule;
        bool holds;
    } rows[] = {
        {RULE_SVM_HOST_SVME, (cpu->efer & X86_EFER_SVME) != 0},
        {RULE_SVM_VMCB_ADDRESS, is_page(vmcb)},
        {RULE_SVM_HSAVE, is_page(cpu->svm.vm_hsave_pa)},
        {RULE_SVM_HSAVE_SHARED, cpu->svm.vm_hsave_pa != vmcb},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (likely(rows[i].holds))
            continue;
        violation(rows[i].rule, "VMCB 0x%llx, VM_HSAVE_PA 0x%llx on CPU %u",
                  (unsigned long long)vmcb,
                  (unsigned long long)cpu->svm.vm_hsave_pa, cpu->index);
        return false;
    }
    return true;
}
