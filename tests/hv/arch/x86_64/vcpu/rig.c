/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/vcpu/rig.h"

struct rig rig;

const char *const rig_profiles[] = {"full",
                                    "qemu",
                                    "toliman",
                                    "ryzen",
                                    RIG_VMX "full",
                                    RIG_VMX "haswell",
                                    RIG_VMX "skylake",
                                    RIG_VMX "arrandale",
                                    RIG_VMX "registers",
                                    RIG_VMX "plain",
                                    NULL};
const char *const rig_vendors[] = {"full", RIG_VMX "full", NULL};

static const struct rig_vendor *vendor;

static bool is_vmx(const char *profile)
{
    return strncmp(profile, RIG_VMX, strlen(RIG_VMX)) == 0;
}

const struct x86_profile *rig_profile(const char *name)
{
    return is_vmx(name) ? x86_vmx_profile_find(name + strlen(RIG_VMX))
                        : x86_profile_find(name);
}

bool rig_is_vmx(void)
{
    return vendor == &rig_vmx_vendor;
}

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
    spec->arch = vendor->arch;
    vm->kernel_by_header = true;
    vm->memory_count = 2;
    vm->memory[0] = (struct spec_memory){.base = 0, .size = RIG_RAM};
    vm->memory[1] = (struct spec_memory){
        .base = RIG_ROM, .size = PAGE_SIZE, .read_only = true};
    for (unsigned i = 0; !is_bare && i < ARRAY_SIZE(models); i++)
        add_device(vm, models[i]);
}

static err_t create_machine(const char *profile, uint32_t cpus, uint32_t vcpus,
                            bool is_bare)
{
    struct machine_spec spec = {0};
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = cpus,
        .seed = 1,
        .arch = vendor->arch,
        .profile = &rig_profile(profile)->base,
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

static err_t create(const char *profile, uint32_t cpus, uint32_t vcpus,
                    bool is_bare)
{
    vendor = is_vmx(profile) ? &rig_vmx_vendor : &rig_svm_vendor;
    return create_machine(profile, cpus, vcpus, is_bare);
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

struct x86_vcpu *rig_vcpu(vcpu_id id)
{
    return to_x86(rig.vm->vcpus[id]);
}

struct lapic *rig_lapic(vcpu_id id)
{
    return rig_vcpu(id)->lapic;
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
    struct x86_vcpu *v = rig_vcpu(id);
    struct x86_entry entry;

    x86_entry_init(&entry, modes[mode], mode == RIG_REAL ? 0 : RIG_CODE);
    if (mode == RIG_REAL) {
        entry.segment[X86_CS].base = RIG_CODE;
        entry.segment[X86_CS].selector = RIG_CODE >> 4;
    }
    entry.gpr[X86_GPR_RSP] = RIG_STACK;
    write_tables(mode, &entry);
    write_idt(mode, &entry);
    if (v->base.state >= VCPU_READY && v->base.state <= VCPU_RUNNING)
        cpus_set_current(v->base.cpu);
    v->wait = X86_RUNS;
    v->vendor->enter_at(v, &entry);
    vcpu_request(&v->base, VCPU_REQUEST_FLUSH);
    rig_run();
}

void rig_set_flags(vcpu_id id, uint64_t set, uint64_t clear)
{
    uint64_t *rflags = rig_vcpu(id)->rflags;

    *rflags = (*rflags | set) & ~clear;
}

/* Guests ----------------------------------------------------------------- */

struct guest_result rig_do(vcpu_id id, struct guest_op op)
{
    struct guest_result result = run_op(1, id, op);

    /* What it has led to, the delivery of an exception say. */
    rig_run();
    return result;
}

struct series {
    struct trap_source source;
    const struct guest_op *ops;
    size_t left;
};

static const struct guest_op *next_of_series(struct trap_source *source)
{
    struct series *series = container_of(source, struct series, source);

    return series->left-- != 0 ? series->ops++ : NULL;
}

/* A source is a guest to the fake TLB, which is to know nothing of it. */
static void set_source(vcpu_id id, struct trap_source *source)
{
    struct vcpu *vcpu = &rig_vcpu(id)->base;

    vcpu_request(vcpu, VCPU_REQUEST_FLUSH);
    host_kick_cpu_impl(vcpu->cpu);
    machine_set_source(machine, 1, id, source);
}

void rig_do_series(vcpu_id id, const struct guest_op *ops, size_t count)
{
    struct series series = {
        .source = {.next = next_of_series}, .ops = ops, .left = count};

    set_source(id, &series.source);
    rig_run();
    set_source(id, NULL);
}

void rig_unmap_page(vcpu_id id, uint64_t absent)
{
    uint64_t at = rig_get(id, X86_REG_CR3);

    for (unsigned level = 3; level > 1; level--)
        at = rig_peek(at + (absent >> (12 + 9 * level) & 511) * 8, 8) &
             BIT_MASK(47, 12);
    for (uint64_t page = 0; page < 512; page++)
        rig_poke(RIG_SPARE + 8 * page,
                 page << 12 == absent ? 0 : page << 12 | 7, 8);
    rig_poke(at, RIG_SPARE | 7, 8);
    rig_do(id, (struct guest_op){.kind = OP_X86_WRITE_CR,
                                 .number = 3,
                                 .reg = X86_GPR_RCX,
                                 .value = rig_get(id, X86_REG_CR3)});
}

void rig_run(void)
{
    /* More than any of these guests has to do; what loops ends here. */
    for (unsigned steps = 0; steps < 1000 && machine_step(machine); steps++)
        ;
}

int rig_handler(vcpu_id id)
{
    uint64_t at = rig_linear_rip(id) - RIG_HANDLER;

    return at < 16 * 256 && at % 16 == 0 ? (int)at / 16 : -1;
}

uint64_t rig_gpr(vcpu_id id, unsigned reg)
{
    return rig_vcpu(id)->regs.gpr[reg];
}

void rig_set_gpr(vcpu_id id, unsigned reg, uint64_t value)
{
    rig_vcpu(id)->regs.gpr[reg] = value;
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
    host_kick_cpu_impl(rig_vcpu(id)->base.cpu);
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

void rig_set_stack(vcpu_id id, uint64_t rsp)
{
    rig_do(id, (struct guest_op){
                   .kind = OP_SET_REG, .reg = X86_GPR_RSP, .value = rsp});
}

uint64_t rig_stacked(vcpu_id id, unsigned index)
{
    return rig_peek(rig_rsp(id) + 8 * index, 8);
}

void rig_start_events(const char *profile, uint64_t flags)
{
    rig_start(profile, 1, 1);
    rig_mode(0, RIG_LONG);
    rig_enable_apic(0);
    rig_set_flags(0, flags, 0);
    rig_go_on(0);
}

void rig_start_at_iret(const char *profile, uint64_t flags)
{
    rig_start_events(profile, 0);
    /* There is code then, which makes no exit any more. */
    rig_do(0, (struct guest_op){.kind = OP_X86_PAUSE});
    rig_set_flags(0, flags, 0);
    for (unsigned nmis = 0; nmis < 2; nmis++) {
        rig_nmi(0);
        rig_go_on(0);
    }
}

/* Registers -------------------------------------------------------------- */

uint64_t rig_get(vcpu_id id, enum x86_register reg)
{
    return vendor->get(id, reg);
}

uint64_t rig_rip(vcpu_id id)
{
    return *rig_vcpu(id)->rip;
}

void rig_set_rip(vcpu_id id, uint64_t rip)
{
    *rig_vcpu(id)->rip = rip;
}

struct x86_segment rig_cs(vcpu_id id)
{
    return vendor->get_cs(id);
}

uint64_t rig_linear_rip(vcpu_id id)
{
    return rig_cs(id).base + rig_rip(id);
}

uint64_t rig_rsp(vcpu_id id)
{
    return vendor->get_rsp(id);
}

/* Exits that are made up ------------------------------------------------- */

static bool is_interrupted(const struct vcpu *vcpu)
{
    struct vm_exit exit = {0};

    vcpu->ops->decode(vcpu, &exit);
    return exit.kind == EXIT_EXTERNAL_INTERRUPT;
}

/* Without an operation: what is injected is delivered, exits and all. */
static enum verdict enter(struct vcpu *vcpu)
{
    enum verdict verdict = VERDICT_RESUME;

    for (unsigned exits = 0; exits < 16 && verdict == VERDICT_RESUME; exits++) {
        cr_assert_eq(vcpu_commit(vcpu), OK);
        vcpu->ops->world_switch(vcpu);
        if (is_interrupted(vcpu))
            return VERDICT_RESUME;
        verdict = vm_handle_exit(rig.vm, vcpu);
    }
    return verdict;
}

enum verdict rig_handle(vcpu_id id)
{
    struct vcpu *vcpu = rig.vm->vcpus[id];
    enum verdict verdict = vm_handle_exit(rig.vm, vcpu);

    return verdict == VERDICT_RESUME ? enter(vcpu) : verdict;
}

enum verdict rig_access(vcpu_id id, uint64_t gpa_raw, bool write,
                        uint8_t length, const uint8_t *bytes)
{
    cpus_set_current(rig_vcpu(id)->base.cpu);
    rig_write(rig_linear_rip(id), bytes, length);
    vendor->make_access(id, gpa_raw, write, length);
    return rig_handle(id);
}
