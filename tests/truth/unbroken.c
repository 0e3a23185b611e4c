/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of entries that no list breaks alone, and why: `truth rules` says
 * for each of the others how many cases do.
 */
#include <string.h>

#include "tests/truth/host.h"

/* Bochs 2.7 and QEMU 7.2: of all processors that they have. */
#define NO_TERTIARY  "no processor of Bochs has tertiary controls"
#define NO_EXIT2     "no processor of Bochs has secondary VM-exit controls"
#define NO_PASID     "no processor of Bochs has PASID translation"
#define NO_POSTED    "no processor of Bochs has posted interrupts"
#define NO_MODES     "no processor of Bochs has mode-based execute control"
#define NO_PT        "no processor of Bochs has processor trace"
#define NO_MPX       "no processor of Bochs has MPX"
#define NO_LBR       "no processor of Bochs has architectural LBRs"
#define NO_PKS       "no processor of Bochs has supervisor protection keys"
#define NO_UINTR     "no processor of Bochs has user interrupts"
#define NO_SHADOWS   "neither QEMU's nor Bochs' processors with SVM have CET"
#define HOST_IS_LONG "the image's host is in IA-32e mode"
#define OF_PROCESS   "it is no rule of VMRUN, but what a process can hold"

static const struct {
    const char *rule, *reason;
} rows[] = {
    {"vmx-tertiary-allowed1", NO_TERTIARY},
    {"vmx-ipi-shadow", NO_TERTIARY},
    {"vmx-ipi-align", NO_TERTIARY},
    {"vmx-ipi-width", NO_TERTIARY},
    {"vmx-ipi-last", NO_TERTIARY},
    {"vmx-hlat-ept", NO_TERTIARY},
    {"vmx-hlatp-reserved", NO_TERTIARY},
    {"vmx-hlatp-width", NO_TERTIARY},
    {"vmx-paging-write-ept", NO_TERTIARY},
    {"vmx-guest-paging-ept", NO_TERTIARY},
    {"vmx-exit2-allowed1", NO_EXIT2},
    {"vmx-low-pasid-align", NO_PASID},
    {"vmx-low-pasid-width", NO_PASID},
    {"vmx-high-pasid-align", NO_PASID},
    {"vmx-high-pasid-width", NO_PASID},
    {"vmx-posted-delivery", NO_POSTED},
    {"vmx-posted-acknowledge", NO_POSTED},
    {"vmx-posted-vector", NO_POSTED},
    {"vmx-posted-align", NO_POSTED},
    {"vmx-posted-width", NO_POSTED},
    {"vmx-mode-based-ept", NO_MODES},
    {"vmx-pt-ept", NO_PT},
    {"vmx-pt-tracing", NO_PT},
    {"vmx-pt-load", NO_PT},
    {"vmx-pt-clear", NO_PT},
    {"vmx-guest-rtit-ctl", NO_PT},
    {"vmx-guest-bndcfgs", NO_MPX},
    {"vmx-guest-bndcfgs-canonical", NO_MPX},
    {"vmx-guest-lbr-ctl", NO_LBR},
    {"vmx-host-pkrs", NO_PKS},
    {"vmx-guest-pkrs", NO_PKS},
    {"vmx-guest-uinv", NO_UINTR},
    {"vmx-event-other", "Bochs panics"},
    {"vmx-host-guest-64-from-32", HOST_IS_LONG},
    {"vmx-host-size-64-from-32", HOST_IS_LONG},
    {"vmcb-long-absent", "every processor with SVM has long mode"},
    {"vmcb-s-cet", NO_SHADOWS},
    {"vmcb-cet-wp", NO_SHADOWS},
    {"vmcb-ncr3", "there are no nested tables that such an address names, and "
                  "neither machine checks it"},
    {"vmcb-unmodelled", OF_PROCESS},
    {"vmcb-np", OF_PROCESS},
    {"vmcb-ncr3-root", OF_PROCESS},
    {"vmcb-iopm-memory", OF_PROCESS},
    {"vmcb-msrpm-memory", OF_PROCESS},
    {"vmcb-intr", OF_PROCESS},
};

const char *truth_unbroken(const char *rule)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].rule, rule) == 0)
            return rows[i].reason;
    }
    return NULL;
}

bool truth_is_rule(const struct truth_list *list, uint16_t rule,
                   const char *name)
{
    size_t size = strlen(name);

    return list->rules[rule].size == size &&
           memcmp(list->rules[rule].name, name, size) == 0;
}

void truth_count_rules(const struct truth_list *list,
                       const struct truth_maker *maker, uint32_t *counts)
{
    static uint32_t cases[TRUTH_MAX_RULES];
    uint32_t at = list->first;

    memset(cases, 0, sizeof(cases));
    for (uint32_t i = 0; i < list->header.cases; i++) {
        struct truth_case one;

        truth_next(list, &at, &one);
        if (one.rule != TRUTH_NO_RULE)
            cases[one.rule]++;
    }
    for (uint16_t i = 0; i < list->header.rules; i++) {
        for (unsigned r = 0; r < maker->rule_count(); r++) {
            if (truth_is_rule(list, i, maker->rule_name(r)))
                counts[r] += cases[i];
        }
    }
}

unsigned truth_print_rules(const struct truth_maker *maker,
                           const uint32_t *counts, FILE *out)
{
    unsigned wrong = 0;

    for (unsigned r = 0; r < maker->rule_count(); r++) {
        const char *name = maker->rule_name(r);
        const char *reason = truth_unbroken(name);

        if (counts[r] != 0)
            fprintf(out, "%5u  %s%s%s\n", counts[r], name,
                    reason != NULL ? ": yet " : "",
                    reason != NULL ? reason : "");
        else
            fprintf(out, "    -  %s: %s\n", name,
                    reason != NULL ? reason : "no case, and no reason");
        wrong += (counts[r] != 0) == (reason != NULL);
    }
    return wrong;
}
