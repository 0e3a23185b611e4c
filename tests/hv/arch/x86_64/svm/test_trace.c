/* SPDX-License-Identifier: Apache-2.0 */
/* Which registers an exit brings into a trace. */
#include "arch/x86_64/svm/trace.h"
#include "hv/arch/x86_64/svm/rig.h"
#include "support/rows.h"

static uint64_t bit_of(const char *name)
{
    for (unsigned i = 0; i < x86_svm_trace_arch.field_count; i++) {
        if (strcmp(x86_svm_trace_arch.fields[i].name, name) == 0)
            return BIT(i);
    }
    cr_assert_fail("%s", name);
    return 0;
}

Test(trace, what_an_exit_brings)
{
    static const struct {
        uint64_t exitcode, exitinfo1, rflags;
        unsigned mode;
        const char *in[3], *out[3];
    } rows[] = {
        {VMEXIT_INTR, 0, 0, RIG_LONG, {"rip", "rflags"}, {"cr3", "dr6"}},
        {VMEXIT_IOIO, IOIO_SZ8, 0, RIG_LONG, {"rax", "exitinfo1"}, {"cr3"}},
        {VMEXIT_IOIO, IOIO_SZ8 | IOIO_TYPE_IN, 0, RIG_LONG, {NULL}, {"rax"}},
        {VMEXIT_IOIO, IOIO_SZ8 | IOIO_STR, 0, RIG_LONG, {"cr3"}, {"rsi", "es"}},
        {VMEXIT_NPF, 0, 0, RIG_LONG, {"cr3", "cs"}, {"rax", "ds", "cs_base"}},
        {VMEXIT_NPF, 0, 0, RIG_REAL, {"cs_base", "ds_base", "ss"}, {"rax"}},
        {VMEXIT_VMMCALL, 0, 0, RIG_LONG, {"rax", "r15"}, {"dr6"}},
        {VMEXIT_CPUID, 0, 0, RIG_LONG, {"rax", "rcx"}, {"rbx", "dr6"}},
        {VMEXIT_CPUID, 0, X86_RFLAGS_TF, RIG_LONG, {"rax", "dr6"}, {"rbx"}},
    };

    rig_start(rig_svm_profiles[0], 1, 1);
    for_each_row (i, rows) {
        uint64_t set;

        rig_mode(0, rows[i].mode);
        rig_vmcb(0)->control.exitcode = rows[i].exitcode;
        rig_vmcb(0)->control.exitinfo1 = rows[i].exitinfo1;
        rig_vmcb(0)->save.rflags |= rows[i].rflags;
        set = x86_svm_trace_arch.exit_fields(&rig_svm(0)->x86.base);
        rig_vmcb(0)->save.rflags &= ~rows[i].rflags;
        for (unsigned f = 0; f < 3; f++) {
            if (rows[i].in[f] != NULL)
                cr_expect((set & bit_of(rows[i].in[f])) != 0, "row %zu: %s", i,
                          rows[i].in[f]);
            if (rows[i].out[f] != NULL)
                cr_expect((set & bit_of(rows[i].out[f])) == 0, "row %zu: %s", i,
                          rows[i].out[f]);
        }
    }
    rig_stop();
}
