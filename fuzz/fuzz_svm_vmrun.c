/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries into guests in any state that VMRUN accepts: the input changes fields
 * of the state, what then is illegal becomes the nearest that is legal
 * (sim/fake_hw/x86_64/svm/rules.c), and the guest goes on from there: in every
 * mode, with every segment, on page tables that are none. Which rules a state
 * has broken on the way is a feature.
 */
#include <stddef.h>

#include "fuzz/features.h"
#include "fuzz/x86.h"
#include "sim/fake_hw/x86_64/svm/svm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void describe(struct machine_spec *spec)
{
    fuzz_x86_pair(spec, &x86_64_sim_arch, 1);
}

#define AT(field)                                  \
    {                                              \
        offsetof(struct vmcb_save, field),         \
            sizeof(((struct vmcb_save *)0)->field) \
    }

/* A field, and a number for it. */
static void decode_field(struct fuzz_input *input, struct guest_op *op)
{
    static const struct {
        uint16_t at;
        uint8_t size;
    } fields[] = {
        AT(cr0),         AT(cr3),        AT(cr4),          AT(efer),
        AT(rflags),      AT(rip),        AT(rsp),          AT(rax),
        AT(cpl),         AT(cs.attrib),  AT(cs.base),      AT(cs.limit),
        AT(cs.selector), AT(ss.attrib),  AT(ss.base),      AT(ss.limit),
        AT(ds.attrib),   AT(ds.base),    AT(ds.limit),     AT(es.attrib),
        AT(es.base),     AT(es.limit),   AT(fs.base),      AT(gs.base),
        AT(idtr.base),   AT(idtr.limit), AT(gdtr.base),    AT(gdtr.limit),
        AT(tr.attrib),   AT(dr6),        AT(dr7),          AT(cr2),
        AT(g_pat),       AT(s_cet),      AT(sysenter_eip), AT(lstar),
    };
    unsigned which = fuzz_pick(input, ARRAY_SIZE(fields));

    op->kind = OP_X86_STATE;
    op->number = fields[which].at;
    op->width = fields[which].size;
    op->value = fuzz_number(input);
    if ((fuzz_take(input, 1) & 3) == 0)
        op->value += SPEC_MEMORY;
}

static void decode(struct fuzz_input *input, struct fuzz_script *script)
{
    struct guest_op *op = fuzz_add(script);

    if (fuzz_take(input, 1) < 0x80)
        decode_field(input, op);
    else
        fuzz_x86_operation(input, op);
}

static void skip(struct fuzz_input *input)
{
    fuzz_skip_step(input, decode, false);
}

FUZZ_MUTATOR(skip)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    svm_rule_listener = features_of_rule;
    return fuzz_run(data, size, describe, decode);
}
