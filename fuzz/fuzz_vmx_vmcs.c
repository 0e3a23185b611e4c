/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMX instructions of two processors on a few regions, against a model: what
 * each answers, with which error, and what a VMCS holds. The model has, of each
 * region, what memory says, and of each processor a copy of what is active on
 * it; it knows a few fields, of every width and kind.
 */
#include <string.h>

#include "arch/x86_64/vmx/capability.h"
#include "fuzz/vmx.h"
#include "lib/compiler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CPUS       2
#define REGIONS    4 /* as many as a processor keeps copies of */
#define NONE       REGIONS
#define VMXON_PAGE REGIONS /* one of each processor */

/* Fields that no VM entry looks at; the first one is the error. */
static const struct {
    uint32_t encoding;
    uint64_t mask;
    bool read_only, high;
} fields[] = {
    {VMCS_VM_INSTRUCTION_ERROR, UINT32_MAX, true, false},
    {VMCS_EXECUTIVE_VMCS_POINTER, UINT64_MAX, false, true},
    {VMCS_TSC_OFFSET, UINT64_MAX, false, true},
    {VMCS_EXCEPTION_BITMAP, UINT32_MAX, false, false},
    {VMCS_GUEST_RSP, UINT64_MAX, false, false},
    {VMCS_HOST_RSP, UINT64_MAX, false, false},
    {VMCS_CR0_READ_SHADOW, UINT64_MAX, false, false},
    {VMCS_GUEST_LINEAR_ADDRESS, UINT64_MAX, true, false},
    {VMCS_IDT_VECTORING_INFO, UINT32_MAX, true, false},
    {VMCS_GUEST_SMBASE, UINT32_MAX, false, false},
};

#define FIELDS ARRAY_SIZE(fields)

/* A VMCS, in memory or as a copy. */
struct vmcs {
    bool known, legal, shadow;
    enum vmcs_launch_state launch;
    uint64_t values[FIELDS];
};

static struct {
    struct vmcs memory[REGIONS];
    uint32_t revision[REGIONS];
    struct {
        bool on, mov_ss, active[REGIONS];
        unsigned current;
        struct vmcs copies[REGIONS];
    } cpus[CPUS];
} model;

static struct fake_vmx cpus[CPUS];

/* What was answered, as libFuzzer's own counters. */
#define KINDS    12
#define OUTCOMES (VMX_EXIT + 1)
#define NUMBERS  32
static uint8_t answers[KINDS][OUTCOMES][NUMBERS]
    __attribute__((section("__libfuzzer_extra_counters"), used));

static struct vmcs *current_of(unsigned cpu)
{
    unsigned current = model.cpus[cpu].current;

    return current == NONE ? NULL : &model.cpus[cpu].copies[current];
}

/* What the instruction should answer: VMfail with an error, or 0: success. */
static enum vmx_outcome expect(unsigned cpu, unsigned error)
{
    struct vmcs *vmcs = current_of(cpu);

    if (error == 0)
        return VMX_SUCCEED;
    if (vmcs == NULL)
        return VMX_FAIL_INVALID;
    vmcs->values[0] = error;
    return VMX_FAIL_VALID;
}

struct step {
    unsigned kind, cpu, region, field;
    uint64_t value;
    uint8_t spoil; /* what is wrong with an address or an encoding */
};

static struct step take_step(struct fuzz_input *input)
{
    struct step step = {
        .kind = fuzz_pick(input, KINDS),
        .cpu = fuzz_pick(input, CPUS),
        .region = fuzz_pick(input, REGIONS + 1),
        .field = fuzz_pick(input, FIELDS),
        .spoil = (uint8_t)fuzz_take(input, 1),
    };

    step.value = fuzz_number(input);
    return step;
}

static void skip(struct fuzz_input *input)
{
    take_step(input);
}

FUZZ_MUTATOR(skip)

/* The address of a region, of the VMXON region, or of nothing. */
static uint64_t address_of(const struct step *step)
{
    uint64_t address = fuzz_vmx_page(
        step->region == NONE ? VMXON_PAGE + step->cpu : step->region);

    if (step->spoil == 0xff)
        return address | 8;
    return step->spoil == 0xfe ? address | BIT(46) : address;
}

static bool is_pointer(const struct step *step)
{
    return step->spoil < 0xfe;
}

static uint64_t encoding_of(const struct step *step)
{
    uint64_t encoding = fields[step->field].encoding;

    if (step->spoil == 0xff)
        return encoding | BIT(15);
    return (step->spoil & 1) != 0 ? encoding | VMCS_ENCODING_HIGH : encoding;
}

/* Error 12 for an encoding of no field; which half it is of. */
static unsigned check_encoding(const struct step *step, bool *high)
{
    *high = (step->spoil & 1) != 0;
    return step->spoil == 0xff || (*high && !fields[step->field].high) ? 12 : 0;
}

static enum vmx_outcome do_vmxon(const struct step *step)
{
    unsigned cpu = step->cpu;
    enum vmx_outcome want = VMX_FAIL_INVALID;

    if (model.cpus[cpu].on) {
        want = expect(cpu, 15);
    } else if (is_pointer(step) && step->region == NONE) {
        want = VMX_SUCCEED;
        model.cpus[cpu].on = true;
        model.cpus[cpu].current = NONE;
    } else if (step->region != NONE) {
        return VMX_SUCCEED; /* only the usual region, not to be cleared */
    }
    fuzz_need(vmx_vmxon(&cpus[cpu], address_of(step)) == want, "VMXON");
    return want;
}

static enum vmx_outcome do_vmxoff(const struct step *step)
{
    unsigned cpu = step->cpu;
    enum vmx_outcome want = model.cpus[cpu].on ? VMX_SUCCEED : VMX_UD;

    for (unsigned i = 0; i < REGIONS && want == VMX_SUCCEED; i++) {
        if (model.cpus[cpu].active[i] &&
            model.cpus[cpu].copies[i].launch == VMCS_LAUNCHED)
            model.memory[i].launch = VMCS_LAUNCHED_BEFORE_VMXOFF;
        model.cpus[cpu].active[i] = false;
    }
    model.cpus[cpu].on = false;
    model.cpus[cpu].current = NONE;
    fuzz_need(vmx_vmxoff(&cpus[cpu]) == want, "VMXOFF");
    return want;
}

static void clear(unsigned cpu, unsigned region)
{
    struct vmcs *memory = &model.memory[region];

    if (model.cpus[cpu].active[region])
        *memory = model.cpus[cpu].copies[region];
    memory->known = true;
    memory->launch = VMCS_CLEAR;
    model.cpus[cpu].active[region] = false;
    if (model.cpus[cpu].current == region)
        model.cpus[cpu].current = NONE;
}

static enum vmx_outcome do_vmclear(const struct step *step)
{
    unsigned cpu = step->cpu;
    enum vmx_outcome want = VMX_SUCCEED;

    if (!model.cpus[cpu].on)
        want = VMX_UD;
    else if (!is_pointer(step))
        want = expect(cpu, 2);
    else if (step->region == NONE)
        want = expect(cpu, 3);
    else
        clear(cpu, step->region);
    fuzz_need(vmx_vmclear(&cpus[cpu], address_of(step)) == want, "VMCLEAR");
    return want;
}

static void load(unsigned cpu, unsigned region)
{
    struct vmcs *copy = &model.cpus[cpu].copies[region];

    if (!model.cpus[cpu].active[region]) {
        *copy = model.memory[region];
        if (!copy->known)
            copy->launch = VMCS_LAUNCHED;
        copy->known = true;
        model.memory[region].known = true;
        model.cpus[cpu].active[region] = true;
    }
    copy->shadow = (model.revision[region] & VMCS_SHADOW) != 0;
    model.cpus[cpu].current = region;
}

/* All processors are of one profile. */
static uint32_t the_revision(void)
{
    return (uint32_t)(cpus[0].profile->basic & VMX_BASIC_REVISION);
}

static bool revision_is_legal(unsigned cpu, unsigned region)
{
    bool shadow = (model.revision[region] & VMCS_SHADOW) != 0;

    return (model.revision[region] & VMCS_REVISION) == the_revision() &&
           (!shadow ||
            (cpus[cpu].profile->cpu2 & VMX_CPU2_VMCS_SHADOWING) != 0);
}

static enum vmx_outcome do_vmptrld(const struct step *step)
{
    unsigned cpu = step->cpu;
    enum vmx_outcome want = VMX_SUCCEED;

    if (!model.cpus[cpu].on)
        want = VMX_UD;
    else if (!is_pointer(step))
        want = expect(cpu, 9);
    else if (step->region == NONE)
        want = expect(cpu, 10);
    else if (!revision_is_legal(cpu, step->region))
        want = expect(cpu, 11);
    else
        load(cpu, step->region);
    fuzz_need(vmx_vmptrld(&cpus[cpu], address_of(step)) == want, "VMPTRLD");
    return want;
}

static enum vmx_outcome do_vmptrst(const struct step *step)
{
    unsigned current = model.cpus[step->cpu].current;
    uint64_t address = 0;

    if (!model.cpus[step->cpu].on) {
        fuzz_need(vmx_vmptrst(&cpus[step->cpu], &address) == VMX_UD, "VMPTRST");
        return VMX_UD;
    }
    fuzz_need(vmx_vmptrst(&cpus[step->cpu], &address) == VMX_SUCCEED,
              "VMPTRST");
    fuzz_need(address ==
                  (current == NONE ? VMCS_NO_ADDRESS : fuzz_vmx_page(current)),
              "another current VMCS");
    return VMX_SUCCEED;
}

static enum vmx_outcome do_vmread(const struct step *step)
{
    unsigned cpu = step->cpu;
    const struct vmcs *vmcs = current_of(cpu);
    enum vmx_outcome want = VMX_UD;
    uint64_t value = 0;
    bool high;

    if (model.cpus[cpu].on && vmcs == NULL)
        want = VMX_FAIL_INVALID;
    else if (model.cpus[cpu].on)
        want = expect(cpu, check_encoding(step, &high));
    fuzz_need(vmx_vmread(&cpus[cpu], encoding_of(step), &value) == want,
              "VMREAD");
    if (want == VMX_SUCCEED)
        fuzz_need(value == vmcs->values[step->field] >> (high ? 32 : 0),
                  "another value");
    return want;
}

static void write(unsigned cpu, const struct step *step, bool high)
{
    uint64_t *value = &current_of(cpu)->values[step->field];

    if (high)
        *value = (*value & UINT32_MAX) | step->value << 32;
    else
        *value = step->value & fields[step->field].mask;
}

static enum vmx_outcome do_vmwrite(const struct step *step)
{
    unsigned cpu = step->cpu;
    enum vmx_outcome want = VMX_UD;
    unsigned error;
    bool high;

    if (model.cpus[cpu].on && current_of(cpu) == NULL) {
        want = VMX_FAIL_INVALID;
    } else if (model.cpus[cpu].on) {
        error = check_encoding(step, &high);
        if (error == 0 && fields[step->field].read_only &&
            (cpus[cpu].profile->misc & VMX_MISC_WRITE_ANY) == 0)
            error = 13;
        want = expect(cpu, error);
        if (error == 0)
            write(cpu, step, high);
    }
    fuzz_need(vmx_vmwrite(&cpus[cpu], encoding_of(step), step->value) == want,
              "VMWRITE");
    return want;
}

static unsigned launch_error(unsigned cpu, bool launch)
{
    const struct vmcs *vmcs = current_of(cpu);

    if (model.cpus[cpu].mov_ss)
        return 26;
    if (launch && vmcs->launch != VMCS_CLEAR)
        return 4;
    if (!launch && vmcs->launch != VMCS_LAUNCHED)
        return vmcs->launch == VMCS_CLEAR ? 5 : 6;
    return vmcs->legal ? 0 : 7;
}

static enum vmx_outcome enter(const struct step *step, bool launch)
{
    unsigned cpu = step->cpu;
    struct vmcs *vmcs = current_of(cpu);
    enum vmx_outcome want = VMX_UD;
    unsigned error;

    if (model.cpus[cpu].on) {
        want = VMX_FAIL_INVALID;
        if (vmcs != NULL && !vmcs->shadow) {
            error = launch_error(cpu, launch);
            want = expect(cpu, error);
            if (error == 0)
                vmcs->launch = VMCS_LAUNCHED;
        }
    }
    fuzz_need(vmx_enter(&cpus[cpu], launch) == want, "VM entry");
    return want;
}

static enum vmx_outcome do_vmlaunch(const struct step *step)
{
    return enter(step, true);
}

static enum vmx_outcome do_vmresume(const struct step *step)
{
    return enter(step, false);
}

/* The current VMCS becomes legal, but for what the model knows. */
static enum vmx_outcome do_make_legal(const struct step *step)
{
    struct vmcs *vmcs = current_of(step->cpu);
    struct vmx_check check;

    if (vmcs == NULL)
        return VMX_SUCCEED;
    check = vmx_check_of(&cpus[step->cpu]);
    vmx_make_legal(&check, VMX_GUEST_LONG);
    for (unsigned i = 0; i < FIELDS; i++)
        vmcs_write(cpus[step->cpu].vmcs,
                   vmcs_find(cpus[step->cpu].profile, fields[i].encoding),
                   fields[i].encoding, vmcs->values[i]);
    vmcs->legal = true;
    return VMX_SUCCEED;
}

/* The hypervisor writes a revision identifier. */
static enum vmx_outcome do_revision(const struct step *step)
{
    const uint32_t revisions[] = {the_revision(), the_revision() | VMCS_SHADOW,
                                  the_revision() + 1};

    if (step->region == NONE)
        return VMX_SUCCEED;
    model.revision[step->region] =
        revisions[step->spoil % ARRAY_SIZE(revisions)];
    fuzz_vmx_region(step->region, model.revision[step->region]);
    return VMX_SUCCEED;
}

static enum vmx_outcome do_mov_ss(const struct step *step)
{
    model.cpus[step->cpu].mov_ss = (step->spoil & 1) != 0;
    cpus[step->cpu].mov_ss = model.cpus[step->cpu].mov_ss;
    return VMX_SUCCEED;
}

static void do_step(const struct step *step)
{
    static enum vmx_outcome (*const kinds[KINDS])(const struct step *) = {
        do_vmread,   do_vmwrite,  do_vmclear,  do_vmptrld,
        do_vmptrst,  do_vmlaunch, do_vmresume, do_make_legal,
        do_revision, do_mov_ss,   do_vmxoff,   do_vmxon,
    };
    enum vmx_outcome outcome = kinds[step->kind](step);
    const struct vmcs *vmcs = current_of(step->cpu);
    uint64_t error = vmcs == NULL ? 0 : vmcs->values[0] % NUMBERS;
    uint8_t *answer = &answers[step->kind][outcome][error];

    *answer = (uint8_t)(*answer + (*answer != UINT8_MAX));
}

static void begin(struct fuzz_input *input)
{
    const struct vmx_profile *profile = fuzz_vmx_profile(input);
    const uint32_t revision = (uint32_t)(profile->basic & VMX_BASIC_REVISION);

    fuzz_vmx_begin();
    memset(&model, 0, sizeof(model));
    for (unsigned i = 0; i < REGIONS; i++) {
        model.revision[i] = revision;
        fuzz_vmx_region(i, revision);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        fuzz_vmx_power_on(&cpus[i], profile, i);
        fuzz_vmx_region(VMXON_PAGE + i, revision);
        model.cpus[i].current = NONE;
        do_vmxon(&(struct step){.cpu = i, .region = NONE});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};

    begin(&input);
    while (!fuzz_is_empty(&input)) {
        struct step step = take_step(&input);

        do_step(&step);
    }
    return 0;
}
