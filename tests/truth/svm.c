/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries by VMRUN, with VMLOAD before and VMSAVE after. A field's number is
 * its offset in the VMCB.
 *
 * What an answer has not: instruction bytes, and the branch records.
 */
#include "api/memory.h"
#include "lib/string.h"
#include "tests/truth/run.h"

#define LEAF (NPT_P | NPT_US)

#define CONTROL(field)                                        \
    {                                                         \
        offsetof(struct vmcb_control, field),                 \
            sizeof(((struct vmcb_control *)0)->field), #field \
    }
#define SAVE(field)                                        \
    {                                                      \
        offsetof(struct vmcb, save.field),                 \
            sizeof(((struct vmcb_save *)0)->field), #field \
    }
#define SEGMENT(name) \
    SAVE(name.selector), SAVE(name.attrib), SAVE(name.limit), SAVE(name.base)
#define GPR(name)                                   \
    {                                               \
        TRUTH_GPR + X86_GPR_##name, 8, "gpr." #name \
    }

static const struct truth_field fields[] = {
    CONTROL(intercept_cr_read),
    CONTROL(intercept_cr_write),
    CONTROL(intercept_dr_read),
    CONTROL(intercept_dr_write),
    CONTROL(intercept_exceptions),
    CONTROL(intercept[0]),
    CONTROL(intercept[1]),
    CONTROL(intercept[2]),
    CONTROL(pause_filter_threshold),
    CONTROL(pause_filter_count),
    CONTROL(iopm_base_pa),
    CONTROL(msrpm_base_pa),
    CONTROL(tsc_offset),
    CONTROL(guest_asid),
    CONTROL(tlb_control),
    CONTROL(vintr),
    CONTROL(interrupt_shadow),
    CONTROL(exitcode),
    CONTROL(exitinfo1),
    CONTROL(exitinfo2),
    CONTROL(exitintinfo),
    CONTROL(np_enable),
    CONTROL(avic_apic_bar),
    CONTROL(ghcb_pa),
    CONTROL(eventinj),
    CONTROL(n_cr3),
    CONTROL(lbr_virtualization_enable),
    CONTROL(clean),
    CONTROL(nrip),
    CONTROL(bytes_fetched),
    CONTROL(avic_backing_page),
    CONTROL(avic_logical_table),
    CONTROL(avic_physical_table),
    SEGMENT(es),
    SEGMENT(cs),
    SEGMENT(ss),
    SEGMENT(ds),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(gdtr),
    SEGMENT(ldtr),
    SEGMENT(idtr),
    SEGMENT(tr),
    SAVE(cpl),
    SAVE(efer),
    SAVE(cr4),
    SAVE(cr3),
    SAVE(cr0),
    SAVE(dr7),
    SAVE(dr6),
    SAVE(rflags),
    SAVE(rip),
    SAVE(rsp),
    SAVE(s_cet),
    SAVE(ssp),
    SAVE(isst_addr),
    SAVE(rax),
    SAVE(star),
    SAVE(lstar),
    SAVE(cstar),
    SAVE(sfmask),
    SAVE(kernel_gs_base),
    SAVE(sysenter_cs),
    SAVE(sysenter_esp),
    SAVE(sysenter_eip),
    SAVE(cr2),
    SAVE(g_pat),
    GPR(RCX),
    GPR(RDX),
    GPR(RBX),
    GPR(RBP),
    GPR(RSI),
    GPR(RDI),
};

/* The guest sees its memory, and nothing else. */
static void make_nested(struct truth_machine *machine)
{
    uint64_t *tables = (uint64_t *)(machine->memory + TRUTH_OWN(TRUTH_SVM_NPT));
    uint64_t base = machine->base.raw;

    for (unsigned level = 0; level < 3; level++)
        tables[level * 512] =
            (base + TRUTH_OWN(TRUTH_SVM_NPT + level + 1)) | LEAF | NPT_RW;
    for (uint32_t page = 0; page < machine->list->header.pages; page++) {
        uint8_t rights = machine->list->rights[page];

        if ((rights & TRUTH_READ) != 0)
            tables[3 * 512 + page] =
                (base + page * PAGE_SIZE) | LEAF |
                ((rights & TRUTH_WRITE) != 0 ? NPT_RW : 0) |
                ((rights & TRUTH_EXECUTE) != 0 ? 0 : NPT_NX);
    }
}

static void svm_prepare(struct truth_machine *machine)
{
    uint64_t vmcb = TRUTH_OWN(TRUTH_SVM_VMCB);

    memset(machine->memory + TRUTH_OWN(0), 0, TRUTH_SVM_PAGES * PAGE_SIZE);
    memset(machine->memory + TRUTH_OWN(TRUTH_SVM_IOPM), 0xff,
           IOPM_SIZE + MSRPM_SIZE);
    make_nested(machine);
    machine->control = machine->memory + vmcb;
    machine->control_pa = hpa(machine->base.raw + vmcb);
}

static void svm_clear(struct truth_machine *machine)
{
    memset(machine->control, 0, PAGE_SIZE);
}

static uint8_t *place(const struct truth_machine *machine,
                      const struct truth_field *field)
{
    if (field->number >= TRUTH_GPR)
        return (uint8_t *)&machine->regs.gpr[field->number - TRUTH_GPR];
    return (uint8_t *)machine->control + field->number;
}

static void svm_put(struct truth_machine *machine,
                    const struct truth_field *field, uint64_t value)
{
    memcpy(place(machine, field), &value, field->size);
}

static uint64_t svm_get(const struct truth_machine *machine,
                        const struct truth_field *field)
{
    uint64_t value = 0;

    memcpy(&value, place(machine, field), field->size);
    return value;
}

static void svm_enter(struct truth_machine *machine)
{
    x86_svm_vmload(machine->control_pa);
    x86_svm_run(&machine->regs, machine->control, machine->control_pa);
    x86_svm_vmsave(machine->control_pa);
}

static bool svm_is_output(uint16_t number)
{
    return number >= offsetof(struct vmcb_control, vintr);
}

const struct truth_vendor truth_svm = {
    .name = "svm",
    .cpu = TRUTH_SVM,
    .pages = TRUTH_SVM_PAGES,
    .host_page = TRUTH_SVM_HSAVE,
    .fields = fields,
    .field_count = ARRAY_SIZE(fields),
    .prepare = svm_prepare,
    .clear = svm_clear,
    .put = svm_put,
    .get = svm_get,
    .enter = svm_enter,
    .is_output = svm_is_output,
};
