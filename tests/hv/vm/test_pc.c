/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCs on the fake processor: made of a configuration, started by each boot
 * protocol, reset. What the tables and the registers at entry must be in
 * detail, the tests of hv/arch/x86_64/boot say.
 */
#include <elf.h>
#include <stdio.h>

#include "support/machine.h"
#include "support/rows.h"
#include "vmm/internal.h"

#define TEXT_SIZE 2048
#define RSDP      0xe0000
#define COM1      0x3f8
#define PM1_CNT   0xb004

/* x86_register_names' numbers: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, RIP = 16 };

/* Images -------------------------------------------------------------------*/

#define KERNEL_SIZE 0x2000

static uint8_t kernel[KERNEL_SIZE];

static void put(size_t at, uint64_t value, unsigned width)
{
    memcpy(kernel + at, &value, width);
}

static void make_nothing(void) {}

/* Linux, Documentation/arch/x86/boot.rst. */
#define LINUX_AT UINT64_C(0x200000)

static void make_linux(void)
{
    put(0x1f1, 1, 1);                         /* setup_sects */
    put(0x1f4, (KERNEL_SIZE - 1024) / 16, 4); /* syssize */
    put(0x1fe, 0xaa55, 2);                    /* boot_flag */
    put(0x201, 0x66, 1);                      /* jump: where the header ends */
    put(0x202, 0x53726448, 4);                /* header */
    put(0x206, 0x20f, 2);                     /* version */
    put(0x211, 1, 1);                         /* loadflags: LOADED_HIGH */
    put(0x22c, 0x7fffffff, 4);                /* initrd_addr_max */
    put(0x230, 0x1000, 4);                    /* kernel_alignment */
    put(0x236, 1, 2);                         /* xloadflags: XLF_KERNEL_64 */
    put(0x238, 255, 4);                       /* cmdline_size */
    put(0x258, LINUX_AT, 8);                  /* pref_address */
    put(0x260, 0x10000, 4);                   /* init_size */
}

/* Multiboot Specification 0.6.96, with addresses in the header. */
#define MULTIBOOT_AT 0x100000

static void make_multiboot(void)
{
    const uint32_t flags = 1 << 16;

    put(0, 0x1badb002, 4);
    put(4, flags, 4);
    put(8, 0u - (0x1badb002 + flags), 4);
    put(12, MULTIBOOT_AT, 4); /* header_addr, load_addr */
    put(16, MULTIBOOT_AT, 4);
    put(20, 0, 4); /* load_end_addr: all of it; bss_end_addr: none */
    put(24, 0, 4);
    put(28, MULTIBOOT_AT + 0x40, 4); /* entry_addr */
}

/* Xen, docs/misc/pvh.pandoc. */
static void make_pvh(void)
{
    const Elf32_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
                    EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_version = EV_CURRENT,
        .e_entry = MULTIBOOT_AT,
        .e_phoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2,
    };
    const Elf32_Phdr segments[] = {
        {.p_type = PT_LOAD,
         .p_offset = 0x1000,
         .p_vaddr = MULTIBOOT_AT,
         .p_paddr = MULTIBOOT_AT,
         .p_filesz = 0x1000,
         .p_memsz = 0x1000,
         .p_flags = PF_R | PF_X,
         .p_align = 0x1000},
        {.p_type = PT_NOTE,
         .p_offset = 0x200,
         .p_filesz = 20,
         .p_memsz = 20,
         .p_align = 4},
    };

    memcpy(kernel, &header, sizeof(header));
    memcpy(kernel + sizeof(header), segments, sizeof(segments));
    put(0x200, 4, 4); /* the sizes of name and description, the type */
    put(0x204, 4, 4);
    put(0x208, 18, 4);
    memcpy(kernel + 0x20c, "Xen", 4);
    put(0x210, MULTIBOOT_AT + 0x40, 4);
}

/* The machine --------------------------------------------------------------*/

/* A PC with further properties, further nodes, and further devices. */
static struct vm *make_pc(const char *properties, const char *nodes,
                          const char *devices)
{
    char text[TEXT_SIZE], what[BUNDLE_WHAT_SIZE];
    const char *const folders[] = {TWINAX_SOURCE_DIR "/images/vms/x86_64"};
    const struct bundle_file files[] = {{"kernel", kernel, KERNEL_SIZE},
                                        {"module", "a module", 8}};
    const struct bundle_source source = {.text = text,
                                         .files = files,
                                         .file_count = ARRAY_SIZE(files),
                                         .folders = folders,
                                         .folder_count = 1};
    struct bundle bundle;
    const struct machine_config config = {.cpus = 1,
                                          .seed = 1,
                                          .arch = &x86_64_sim_arch,
                                          .bundle = &bundle,
                                          .power_off_when_done = true};

    (void)snprintf(text, sizeof(text),
                   "/dts-v1/; / { vms { vm@1 { compatible = \"twinax,vm\";"
                   " id = <1>; cpus = <2>;"
                   " #address-cells = <2>; #size-cells = <2>; %s"
                   " memory@0 { reg = <0 0 0 0x1000000>; };"
                   " kernel { file = \"kernel\"; }; %s"
                   " devices { /include/ \"pc-devices.dtsi\" %s };"
                   " }; }; };",
                   properties, nodes, devices);
    cr_assert_eq(bundle_make(&source, &bundle, what), OK, "%s", what);
    cr_assert_eq(machine_create(&config, &machine), OK);
    bundle_free(&bundle);
    return vmm_find_vm(1);
}

static uint64_t memory_at(const struct vm *vm, uint64_t at, unsigned width)
{
    uint64_t value = 0;

    cr_assert_eq(
        aspace_read((struct aspace *)&vm->aspace, gpa(at), &value, width), OK);
    return value;
}

static bool has_tables(const struct vm *vm)
{
    return memory_at(vm, RSDP, 8) == UINT64_C(0x2052545020445352);
}

static uint64_t reg(vcpu_id vcpu, unsigned number)
{
    return machine_register(machine, 1, vcpu, number);
}

/* What vCPU 0 starts with ---------------------------------------------------*/

static const struct {
    const char *protocol;
    void (*make)(void);
    uint64_t rip;
    bool has_tables;
    struct {
        unsigned number;
        uint64_t value;
    } gpr;
} protocols[] = {
    {"", make_linux, LINUX_AT + 0x200, true, {RBX, 0}},
    {"boot-protocol = \"linux\";",
     make_linux,
     LINUX_AT + 0x200,
     true,
     {RAX, 0}},
    {"boot-protocol = \"multiboot\";",
     make_multiboot,
     MULTIBOOT_AT + 0x40,
     true,
     {RAX, 0x2badb002}},
    {"boot-protocol = \"pvh\";", make_pvh, MULTIBOOT_AT + 0x40, true, {RAX, 0}},
    {"boot-protocol = \"flat\";", make_nothing, 0x7c00, true, {RDX, 0x80}},
    {"boot-protocol = \"firmware\";", make_nothing, 0xfff0, false, {RAX, 0}},
};

static void expect_start(const struct vm *vm, size_t row)
{
    cr_assert_eq(vm->state, VM_RUNNING, "row %zu", row);
    cr_expect_eq(reg(0, RIP), protocols[row].rip, "row %zu: 0x%lx", row,
                 reg(0, RIP));
    cr_expect_eq(reg(0, protocols[row].gpr.number), protocols[row].gpr.value,
                 "row %zu", row);
    cr_expect_eq(has_tables(vm), protocols[row].has_tables, "row %zu", row);
    /* It is on, and waits for INIT and SIPI. */
    cr_expect(atomic_load(&vm->vcpus[1]->powered), "row %zu", row);
}

Test(pc, starts_by_each_protocol)
{
    for_each_row (i, protocols) {
        struct vm *vm;

        memset(kernel, 0x90, sizeof(kernel));
        protocols[i].make();
        vm = make_pc(protocols[i].protocol, "", "");
        expect_start(vm, i);
        end_machine();
    }
}

/* The same again, in memory that knows nothing of the last life. */
Test(pc, starts_anew_after_a_reset)
{
    for_each_row (i, protocols) {
        const struct guest_op reset = {.kind = OP_X86_OUT,
                                       .width = 1,
                                       .number = 0xcf9,
                                       .flags = OP_HAS_VALUE,
                                       .value = 6};
        const struct guest_op away = {.kind = OP_SET_PC,
                                      .address = protocols[i].rip - 16};
        uint64_t mark = 0x1122334455667788;
        struct vm *vm;

        memset(kernel, 0x90, sizeof(kernel));
        protocols[i].make();
        vm = make_pc(protocols[i].protocol, "",
                     "pci@80000000 { /include/ \"pc-bridge.dtsi\" };");
        cr_assert_eq(aspace_write(&vm->aspace, gpa(0x800000), &mark, 8), OK);
        cr_assert_eq(vcpu_set_gpr(vm->vcpus[0], protocols[i].gpr.number, 77),
                     OK);
        /* Elsewhere: where it begins, the guest would make it again. */
        (void)run_op(1, 0, away);
        (void)run_op(1, 0, reset);
        expect_start(vm, i);
        cr_expect_eq(memory_at(vm, 0x800000, 8), 0u, "row %zu", i);
        end_machine();
    }
}

Test(pc, what_cannot_be_started_is_refused)
{
    static const struct {
        const char *properties, *nodes;
        const char *says;
    } rows[] = {
        {"boot-protocol = \"flat\";", "module { file = \"module\"; };",
         "module"},
        {"boot-protocol = \"flat\"; bootargs = \"x\";", "", "command line"},
        {"boot-protocol = \"multiboot\";", "", "multiboot"},
        {"boot-protocol = \"pvh\";", "", "ELF"},
        {"", "", "setup header"},
        {"boot-protocol = \"firmware\";", "module { file = \"module\"; };",
         "variables"},
        {"", "initrd { file = \"module\"; load-address = <0x1000>; };",
         "load-address"},
    };

    memset(kernel, 0x90, sizeof(kernel));
    for_each_row (i, rows) {
        const struct vm *vm = make_pc(rows[i].properties, rows[i].nodes, "");
        char what[VM_REASON_SIZE] = "";

        cr_expect_eq(vm->state, VM_CREATED, "row %zu", i);
        cr_expect_eq(vm_load((struct vm *)vm, what), ERR_INVALID_INPUT);
        cr_expect(strstr(what, rows[i].says), "row %zu: %s", i, what);
        end_machine();
    }
}

/* The others ---------------------------------------------------------------*/

#define LAPIC_ICR  0xfee00300
#define LAPIC_ICR2 0xfee00310
#define TO_VCPU_1  (1 << 24)
#define INIT       0x4500
#define SIPI       0x4605 /* to 0x5000 */

static void store(uint64_t address, uint32_t value)
{
    struct guest_op op = OP_STORE_OF(address, 4, value);

    op.reg = RCX; /* one that there is in 32-bit code */
    cr_assert_eq(run_op(1, 0, op).outcome, OUTCOME_RETIRED);
}

static void send(uint32_t command)
{
    store(LAPIC_ICR2, TO_VCPU_1);
    store(LAPIC_ICR, command);
}

Test(pc, other_processors_wait_for_a_sipi, .fini = end_machine)
{
    const struct guest_op cpuid = {.kind = OP_X86_CPUID};
    struct guest_result result;

    memset(kernel, 0x90, sizeof(kernel));
    make_multiboot();
    (void)make_pc("boot-protocol = \"multiboot\";", "", "");
    cr_assert_eq(machine_do(machine, 1, 1, &cpuid, &result), OK);
    cr_expect_eq(result.outcome, OUTCOME_PENDING);
    send(INIT);
    cr_expect_eq(machine_last_result(machine, 1, 1)->outcome, OUTCOME_PENDING);
    send(SIPI);
    (void)machine_run(machine, MACHINE_DO_STEPS);
    cr_expect_eq(machine_last_result(machine, 1, 1)->outcome, OUTCOME_RETIRED);
    cr_expect_eq(reg(1, RIP), 2u, "behind CPUID, in its segment");
}

/* Devices ------------------------------------------------------------------*/

static uint64_t find_table(const struct vm *vm, const char *signature)
{
    uint64_t xsdt = memory_at(vm, RSDP + 24, 8);
    uint64_t end = xsdt + memory_at(vm, xsdt + 4, 4);

    for (uint64_t at = xsdt + 36; at < end; at += 8) {
        uint64_t table = memory_at(vm, at, 8);

        if (memory_at(vm, table, 4) == *(const uint32_t *)signature)
            return table;
    }
    cr_assert(false, "there is no table %s", signature);
    return 0;
}

static bool dsdt_has(const struct vm *vm, const char *name)
{
    uint64_t dsdt = memory_at(vm, find_table(vm, "FACP") + 140, 8);
    uint64_t end = dsdt + memory_at(vm, dsdt + 4, 4);

    for (uint64_t at = dsdt; at + 4 <= end; at++) {
        if (memory_at(vm, at, 4) == *(const uint32_t *)name)
            return true;
    }
    return false;
}

/* ACPI's tables are those of the VM's devices, and of no others. */
Test(pc, its_tables_tell_its_devices)
{
    memset(kernel, 0x90, sizeof(kernel));
    for (int with_pci = 0; with_pci < 2; with_pci++) {
        const struct vm *vm = make_pc(
            "boot-protocol = \"flat\";", "",
            with_pci ? "pci@80000000 { /include/ \"pc-bridge.dtsi\" };" : "");
        uint64_t fadt = find_table(vm, "FACP");
        uint64_t madt = find_table(vm, "APIC");

        cr_expect_eq(memory_at(vm, fadt + 48, 4), 0u, "no SMI command port");
        cr_expect_eq(memory_at(vm, fadt + 64, 4), (uint64_t)PM1_CNT);
        cr_expect_eq(memory_at(vm, fadt + 76, 4), 0xb008u);
        cr_expect_eq(memory_at(vm, madt + 36, 4), 0xfee00000u);
        /* Two local APICs, and no third; then the IOAPIC. */
        cr_expect_eq(memory_at(vm, madt + 44, 4), 0x00000800u);
        cr_expect_eq(memory_at(vm, madt + 52, 4), 0x01010800u);
        cr_expect_eq(memory_at(vm, madt + 60, 2), 0x0c01u);
        cr_expect(dsdt_has(vm, "COM1"));
        cr_expect_eq(dsdt_has(vm, "PCI0"), with_pci != 0);
        end_machine();
    }
}

/* fw_cfg ------------------------------------------------------------------*/

#define FW_CFG_SELECT   0x510
#define FW_CFG_DATA     0x511
#define FW_CFG_FILE_DIR 0x19

static uint64_t take_big_endian(struct vm *vm, unsigned width)
{
    uint64_t number = 0, byte;

    while (width-- > 0) {
        cr_assert_eq(
            bus_read(&vm->devices.buses[BUS_PORT], FW_CFG_DATA, 1, &byte), OK);
        number = number << 8 | byte;
    }
    return number;
}

static void select_item(struct vm *vm, uint16_t key)
{
    cr_assert_eq(bus_write(&vm->devices.buses[BUS_PORT], FW_CFG_SELECT, 2, key),
                 OK);
}

/* The file's contents, as a guest reads them; its size, or 0. */
static size_t read_file(struct vm *vm, const char *wanted, uint8_t *to,
                        size_t most)
{
    size_t found = 0;
    uint16_t key = 0;

    select_item(vm, FW_CFG_FILE_DIR);
    for (uint64_t left = take_big_endian(vm, 4); left > 0; left--) {
        size_t size = take_big_endian(vm, 4);
        uint16_t select = (uint16_t)take_big_endian(vm, 2);
        char name[56];

        (void)take_big_endian(vm, 2);
        for (unsigned i = 0; i < sizeof(name); i++)
            name[i] = (char)take_big_endian(vm, 1);
        if (strcmp(name, wanted) == 0) {
            cr_assert_eq(found, 0u, "%s is there twice", wanted);
            found = size;
            key = select;
        }
    }
    cr_assert_leq(found, most, "%s", wanted);
    select_item(vm, key);
    for (size_t i = 0; i < found; i++)
        to[i] = (uint8_t)take_big_endian(vm, 1);
    return found;
}

static bool has_name(const uint8_t *bytes, size_t size, const char *name)
{
    for (size_t at = 0; at + 4 <= size; at++) {
        if (memcmp(bytes + at, name, 4) == 0)
            return true;
    }
    return false;
}

/* Firmware gets the tables as files, which are of this machine; others find
 * them in memory. */
Test(pc, its_tables_for_firmware)
{
    static const char *const names[] = {"etc/acpi/rsdp", "etc/acpi/tables",
                                        "etc/table-loader"};
    static uint8_t first[ARRAY_SIZE(names)][0x4000], again[0x4000];

    memset(kernel, 0x90, sizeof(kernel));
    for (int is_firmware = 0; is_firmware < 2; is_firmware++) {
        struct vm *vm = make_pc(is_firmware ? "boot-protocol = \"firmware\";"
                                            : "boot-protocol = \"flat\";",
                                "", "");
        size_t sizes[ARRAY_SIZE(names)];

        for_each_row (i, names) {
            sizes[i] = read_file(vm, names[i], first[i], sizeof(first[i]));
            cr_expect_eq(sizes[i] != 0, is_firmware != 0, "%s", names[i]);
        }
        if (is_firmware) {
            cr_expect_eq(sizes[0], 36u);
            cr_expect_eq(memcmp(first[0], "RSD PTR ", 8), 0);
            cr_expect_eq(sizes[2], 14 * 128u);
            cr_expect(has_name(first[1], sizes[1], "COM1"));
        }
        /* Another life has the same ones, once. */
        cr_assert_eq(vmm_stop_vm(vm, VM_STOP_RESTART, "by a test"), OK);
        (void)machine_run(machine, 100);
        cr_assert_eq(vm->state, VM_RUNNING);
        for_each_row (i, names) {
            cr_expect_eq(read_file(vm, names[i], again, sizeof(again)),
                         sizes[i], "%s", names[i]);
            cr_expect_eq(memcmp(first[i], again, sizes[i]), 0, "%s", names[i]);
        }
        end_machine();
    }
}

/* Behind PCI, too, the first device with a stream is the console. */
Test(pc, its_console)
{
    static const struct {
        const char *more;
        const char *device;
    } rows[] = {
        {"", "com1@3f8"},
        {"pci@80000000 { /include/ \"pc-bridge.dtsi\""
         " con { compatible = \"virtio,console\"; slot = <4>; }; };",
         "com1@3f8"},
    };

    memset(kernel, 0x90, sizeof(kernel));
    for_each_row (i, rows) {
        const struct vm *vm =
            make_pc("boot-protocol = \"flat\";", "", rows[i].more);

        cr_assert_not_null(vm->console->device);
        cr_expect_str_eq(vm->console->device->name, rows[i].device);
        end_machine();
    }
}

/* Its ends: S5, and a failure that a debugging port tells. */
Test(pc, its_ends)
{
    static const struct {
        uint16_t port;
        uint8_t width;
        uint32_t value;
        enum vm_stop stop;
    } rows[] = {
        {PM1_CNT, 2, 0x2000, VM_STOP_POWER_OFF},
        {0xf4, 1, 3, VM_STOP_FAULT},
        {0x92, 1, 1, VM_STOP_REBOOT},
    };

    memset(kernel, 0x90, sizeof(kernel));
    for_each_row (i, rows) {
        const struct guest_op out = {.kind = OP_X86_OUT,
                                     .width = rows[i].width,
                                     .number = rows[i].port,
                                     .flags = OP_HAS_VALUE,
                                     .value = rows[i].value};
        const struct vm *vm =
            make_pc("boot-protocol = \"flat\"; stop-on-reboot;", "", "");

        (void)run_op(1, 0, out);
        cr_expect_eq(vm->state, VM_STOPPED, "row %zu", i);
        cr_expect_eq(vm->stop, rows[i].stop, "row %zu: %s", i,
                     vm_stop_name(vm->stop));
        end_machine();
    }
}
