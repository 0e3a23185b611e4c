/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/svm/rig.h"

struct rig rig;

const char *const rig_profiles[] = {"full", "qemu", "toliman", "ryzen", NULL};

const char *const rig_mode_names[RIG_MODES] = {
    [RIG_REAL] = "real",           [RIG_PROTECTED] = "protected",
    [RIG_TWO_LEVEL] = "two-level", [RIG_PAE] = "pae",
    [RIG_LONG] = "long",
};

/* The devices ------------------------------------------------------------ */

enum { INDEX_FIRST, INDEX_SECOND, INDEX_NARROW, INDEX_PORTS };

static uint8_t *bytes_of(unsigned index, uint64_t offset)
{
    return rig.bytes + (size_t)index * 4096 + offset;
}

static void note(unsigned index, uint64_t offset, unsigned width, bool write,
                 uint64_t value)
{
    static const uint64_t bases[] = {RIG_DEVICE, RIG_DEVICE + 4096, RIG_NARROW,
                                     RIG_PORT};

    if (rig.accesses < RIG_LOG)
        rig.log[rig.accesses] =
            (struct rig_access){bases[index] + offset, value, width, write};
    rig.accesses++;
}

static err_t device_read(struct device *device, unsigned index, uint64_t offset,
                         unsigned width, uint64_t *value)
{
    *value = 0;
    memcpy(value, bytes_of(index, offset), width);
    note(index, offset, width, false, *value);
    return OK;
}

static err_t device_write(struct device *device, unsigned index,
                          uint64_t offset, unsigned width, uint64_t value)
{
    memcpy(bytes_of(index, offset), &value, width);
    note(index, offset, width, true, zero_extend(value, 8 * width));
    return OK;
}

static void device_reset(struct device *device) {}

static const struct device_ops device_ops = {
    .read = device_read,
    .write = device_write,
    .reset = device_reset,
};
static const struct device_model device_model = {.compatible = "rig"};

static struct device devices[] = {
    {.ranges = {{RIG_DEVICE, 4096, BUS_MMIO, INDEX_FIRST, WIDTH_ALL}}},
    {.ranges = {{RIG_DEVICE + 4096, 4096, BUS_MMIO, INDEX_SECOND, WIDTH_ALL}}},
    {.ranges = {{RIG_NARROW, 4096, BUS_MMIO, INDEX_NARROW, WIDTH_4}}},
    {.ranges = {{RIG_PORT, 16, BUS_PORT, INDEX_PORTS, WIDTH_ALL}}},
};

static void add_devices(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        devices[i].ops = &device_ops;
        devices[i].model = &device_model;
        devices[i].range_count = 1;
        snprintf(devices[i].name, sizeof(devices[i].name), "rig%u", i);
        cr_assert_eq(device_set_add(&rig.vm->devices, &devices[i], NULL), OK);
    }
}

uint8_t *rig_device(uint64_t gpa)
{
    return bytes_of(gpa < RIG_NARROW ? INDEX_FIRST : INDEX_NARROW,
                    gpa - (gpa < RIG_NARROW ? RIG_DEVICE : RIG_NARROW));
}

/* The machine ------------------------------------------------------------ */

static void add_device(struct spec_vm *vm, const char *compatible)
{
    struct spec_device *device = &vm->devices[vm->device_count++];

    snprintf(device->compatible, sizeof(device->compatible), "%s", compatible);
}

static void describe(struct machine_spec *spec, uint32_t vcpus, bool is_bare)
{
    static const char *const models[] = {"intel,lapic", "intel,ioapic",
                                         "intel,i8259"};
    struct spec_vm *vm = &spec->vms[0];

    spec->vm_count = 1;
    vm->id = 1;
    vm->vcpus = vcpus;
    snprintf(vm->protocol, sizeof(vm->protocol), "flat");
    spec->arch = &x86_64_sim_arch;
    vm->kernel_by_header = true;
    vm->memory_count = 2;
    vm->memory[0] = (struct spec_memory){.base = 0, .size = RIG_RAM};
    vm->memory[1] = (struct spec_memory){
        .base = RIG_ROM, .size = PAGE_SIZE, .read_only = true};
    for (unsigned i = 0; !is_bare && i < ARRAY_SIZE(models); i++)
        add_device(vm, models[i]);
}

static err_t create(const char *profile, uint32_t cpus, uint32_t vcpus,
                    bool is_bare)
{
    struct machine_spec spec = {0};
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = cpus,
        .seed = 1,
        .arch = &x86_64_sim_arch,
        .profile = &x86_profile_find(profile)->base,
        .bundle = &bundle,
    };
    err_t error;

    memset(&rig, 0, sizeof(rig));
    describe(&spec, vcpus, is_bare);
    cr_assert_eq(spec_build(&spec, &bundle), OK);
    error = machine_create(&config, &machine);
    bundle_free(&bundle);
    violations_set_print(false);
    return error;
}

bool rig_try_start(const char *profile, uint32_t cpus, uint32_t vcpus)
{
    err_t error = create(profile, cpus, vcpus, false);
    bool failed = shim_failed_calls() != 0;

    if (error == OK)
        rig_stop();
    return failed;
}

static void start(const char *profile, uint32_t cpus, uint32_t vcpus,
                  bool is_bare)
{
    cr_assert_eq(create(profile, cpus, vcpus, is_bare), OK);
    rig.vm = vmm_find_vm(1);
    cr_assert_not_null(rig.vm);
    cr_assert_eq(rig.vm->state, VM_RUNNING, "%s", rig.vm->reason);
    add_devices();
    rig_run();
}

void rig_start(const char *profile, uint32_t cpus, uint32_t vcpus)
{
    start(profile, cpus, vcpus, false);
}

void rig_start_bare(const char *profile, uint32_t vcpus)
{
    start(profile, 1, vcpus, true);
}

void rig_stop(void)
{
    cr_expect_eq(violations_count(), 0, "%s", violations_last());
    rig_stop_violated();
}

void rig_stop_violated(void)
{
    end_machine();
    violations_reset();
}

struct svm_vcpu *rig_vcpu(vcpu_id id)
{
    return to_svm(rig.vm->vcpus[id]);
}

struct lapic *rig_lapic(vcpu_id id)
{
    return rig_vcpu(id)->x86.lapic;
}

void rig_write(uint64_t gpa_raw, const void *bytes, size_t size)
{
    cr_assert_eq(aspace_store(&rig.vm->aspace, gpa(gpa_raw), bytes, size), OK);
}

void rig_read(uint64_t gpa_raw, void *bytes, size_t size)
{
    cr_assert_eq(aspace_read(&rig.vm->aspace, gpa(gpa_raw), bytes, size), OK);
}

uint64_t rig_peek(uint64_t gpa_raw, unsigned size)
{
    uint64_t value = 0;

    rig_read(gpa_raw, &value, size);
    return value;
}

void rig_poke(uint64_t gpa_raw, uint64_t value, unsigned size)
{
    rig_write(gpa_raw, &value, size);
}

/* Modes ------------------------------------------------------------------ */

#define PTE       UINT32_C(0x63) /* present, writable, accessed, dirty */
#define PTE_LARGE UINT32_C(0x80)

/* Page tables that map all to itself, with large pages. */
static void write_tables(enum rig_mode mode, struct x86_entry *entry)
{
    if (mode == RIG_TWO_LEVEL) {
        for (uint32_t i = 0; i < 1024; i++)
            rig_poke(RIG_TABLES + 4 * i, i << 22 | PTE | PTE_LARGE, 4);
        entry->cr3 = RIG_TABLES;
        entry->cr0 |= X86_CR0_PG;
        entry->cr4 |= X86_CR4_PSE;
    } else if (mode > RIG_TWO_LEVEL) {
        for (unsigned i = 0; i < X86_ENTRY_PTES; i++)
            rig_poke(RIG_TABLES + 8 * i,
                     x86_entry_get_pte(entry->mode, gpa(RIG_TABLES), i), 8);
        x86_entry_set_tables(entry, gpa(RIG_TABLES));
    }
}

static void write_idt(enum rig_mode mode, struct x86_entry *entry)
{
    unsigned size = mode == RIG_REAL ? 4 : mode == RIG_LONG ? 16 : 8;

    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t handler = RIG_HANDLER + 16 * vector;
        uint64_t gate = UINT64_C(0x8e00) << 32 |
                        (uint64_t)entry->segment[X86_CS].selector << 16 |
                        handler;

        if (mode == RIG_REAL)
            gate = handler;
        rig_poke(RIG_IDT + (uint64_t)vector * size, gate,
                 mode == RIG_REAL ? 4 : 8);
        if (size == 16)
            rig_poke(RIG_IDT + (uint64_t)vector * size + 8, 0, 8);
    }
    entry->idtr = (struct x86_entry_table){RIG_IDT, (uint16_t)(256 * size - 1)};
}

void rig_mode(vcpu_id id, enum rig_mode mode)
{
    static const enum x86_entry_mode modes[RIG_MODES] = {
        [RIG_REAL] = X86_ENTRY_REAL,
        [RIG_PROTECTED] = X86_ENTRY_PROTECTED,
        [RIG_TWO_LEVEL] = X86_ENTRY_PROTECTED,
        [RIG_PAE] = X86_ENTRY_PAE,
        [RIG_LONG] = X86_ENTRY_LONG,
    };
    struct svm_vcpu *v = rig_vcpu(id);
    struct x86_entry entry;

    x86_entry_init(&entry, modes[mode], mode == RIG_REAL ? 0 : RIG_CODE);
    if (mode == RIG_REAL) {
        entry.segment[X86_CS].base = RIG_CODE;
        entry.segment[X86_CS].selector = RIG_CODE >> 4;
    }
    entry.gpr[X86_GPR_RSP] = RIG_STACK;
    write_tables(mode, &entry);
    write_idt(mode, &entry);
    if (v->x86.base.state >= VCPU_READY && v->x86.base.state <= VCPU_RUNNING)
        cpus_set_current(v->x86.base.cpu);
    v->x86.wait = X86_RUNS;
    svm_enter_at(&v->x86, &entry);
    vcpu_request(&v->x86.base, VCPU_REQUEST_FLUSH);
    rig_run();
}

void rig_set_flags(vcpu_id id, uint64_t set, uint64_t clear)
{
    struct vmcb_save *save = &rig_vmcb(id)->save;

    save->rflags = (save->rflags | set) & ~clear;
}

/* Guests ----------------------------------------------------------------- */

struct guest_result rig_do(vcpu_id id, struct guest_op op)
{
    struct guest_result result = run_op(1, id, op);

    /* What it has led to, the delivery of an exception say. */
    rig_run();
    return result;
}

void rig_run(void)
{
    /* More than any of these guests has to do; what loops ends here. */
    for (unsigned steps = 0; steps < 1000 && machine_step(machine); steps++)
        ;
}

int rig_handler(vcpu_id id)
{
    const struct vmcb_save *save = &rig_vmcb(id)->save;
    uint64_t at = save->cs.base + save->rip - RIG_HANDLER;

    return at < 16 * 256 && at % 16 == 0 ? (int)at / 16 : -1;
}

uint64_t rig_gpr(vcpu_id id, unsigned reg)
{
    return rig_vcpu(id)->x86.regs.gpr[reg];
}

void rig_set_gpr(vcpu_id id, unsigned reg, uint64_t value)
{
    rig_vcpu(id)->x86.regs.gpr[reg] = value;
}

/* Interrupts ------------------------------------------------------------- */

#define SVR        0xf0
#define SVR_ENABLE 0x1ff /* and the spurious vector */

void rig_enable_apic(vcpu_id id)
{
    lapic_write(rig_lapic(id), SVR, 4, SVR_ENABLE);
}

void rig_interrupt(vcpu_id id, uint8_t vector)
{
    cr_assert_eq(machine_inject(machine, 1, id, vector), OK);
}

/* The CPU that is in the guest leaves it, as for machine_inject(). */
void rig_nmi(vcpu_id id)
{
    host_kick_cpu_impl(rig_vcpu(id)->x86.base.cpu);
    lapic_send_nmi(rig_lapic(id));
}

struct guest_result rig_go_on(vcpu_id id)
{
    return rig_do(id, (struct guest_op){.kind = OP_DELAY});
}

bool rig_took(const struct guest_result *result, uint8_t vector)
{
    return (result->vectors[vector / 64] >> vector % 64 & 1) != 0;
}

uint64_t rig_stacked(vcpu_id id, unsigned index)
{
    return rig_peek(rig_vmcb(id)->save.rsp + 8 * index, 8);
}

/* Exits that are made up ------------------------------------------------- */

static uint64_t linear_rip(const struct vmcb_save *save)
{
    return save->cs.base + save->rip;
}

/* As decode assists have them: up to the page's end, or 15 in all. What was
 * behind them stays. */
static void give_bytes(struct vmcb *vmcb)
{
    uint64_t at = linear_rip(&vmcb->save);
    uint64_t room = PAGE_SIZE - at % PAGE_SIZE;

    if (room > X86_INSN_MAX)
        room = X86_INSN_MAX;
    rig_read(at, vmcb->control.instruction_bytes, room);
    vmcb->control.bytes_fetched = (uint8_t)room;
}

/* Without an operation: what is injected is delivered, exits and all. */
static enum verdict enter(struct svm_vcpu *v)
{
    enum verdict verdict = VERDICT_RESUME;

    for (unsigned exits = 0; exits < 16 && verdict == VERDICT_RESUME; exits++) {
        cr_assert_eq(vcpu_commit(&v->x86.base), OK);
        v->x86.base.ops->world_switch(&v->x86.base);
        if (v->vmcb.control.exitcode == VMEXIT_INTR)
            return VERDICT_RESUME;
        verdict = vm_handle_exit(rig.vm, &v->x86.base);
    }
    return verdict;
}

enum verdict rig_exit(vcpu_id id, const struct rig_exit *exit)
{
    struct svm_vcpu *v = rig_vcpu(id);
    struct vmcb_control *control = &v->vmcb.control;
    enum verdict verdict;

    cpus_set_current(v->x86.base.cpu);
    if (exit->length != 0 && !exit->is_there)
        rig_write(linear_rip(&v->vmcb.save), exit->bytes, exit->length);
    control->exitcode = exit->code;
    control->exitinfo1 = exit->info1;
    control->exitinfo2 = exit->info2;
    control->exitintinfo = exit->event;
    svm_resume_event(v);
    control->bytes_fetched = 0;
    control->nrip = 0;
    if ((v->features & SVM_FEATURE_NRIPS) != 0 && exit->code != VMEXIT_NPF)
        control->nrip = v->vmcb.save.rip + exit->length;
    if ((v->features & SVM_FEATURE_DECODE_ASSISTS) != 0 &&
        exit->code == VMEXIT_NPF && (exit->info1 & X86_FAULT_ID) == 0 &&
        exit->length != 0)
        give_bytes(&v->vmcb);
    verdict = vm_handle_exit(rig.vm, &v->x86.base);
    return verdict == VERDICT_RESUME ? enter(v) : verdict;
}

enum verdict rig_access(vcpu_id id, uint64_t gpa_raw, bool write,
                        uint8_t length, const uint8_t *bytes)
{
    struct rig_exit exit = {
        .code = VMEXIT_NPF,
        .info1 = NPF_FINAL | X86_FAULT_US | (write ? X86_FAULT_RW : 0),
        .info2 = gpa_raw,
        .length = length,
    };

    memcpy(exit.bytes, bytes, length);
    return rig_exit(id, &exit);
}
