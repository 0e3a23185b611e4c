/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: what is packed where, and that each mistake is named. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/bits.h"
#include "sim/bundle.h"
#include "sim/device_tree.h"
#include "vm/vm.h"

/* A configuration in pieces, each of which a row can replace. */
#define CELLS         "#address-cells = <2>; #size-cells = <2>;"
#define VM_PROPERTIES "compatible = \"twinax,vm\"; id = <1>;" CELLS
#define MEMORY        "memory@80000000 { reg = <0 0x80000000 0 0x100000>; };"
#define KERNEL        "kernel { file = \"kernel\"; };"
#define UART                                       \
    "serial@10000000 { compatible = \"ns16550a\";" \
    " reg = <0 0x10000000 0 0x100>; interrupts = <10>; };"
#define DISK(properties)                           \
    "disk@10001000 { compatible = \"virtio,blk\";" \
    " reg = <0 0x10001000 0 0x1000>; " properties " };"
#define PC_DEVICES                                             \
    "lapic { compatible = \"intel,lapic\"; virtual-wire; };"   \
    "ioapic { compatible = \"intel,ioapic\"; };"               \
    "pic { compatible = \"intel,i8259\"; };"                   \
    "pit { compatible = \"intel,i8254\"; };"                   \
    "rtc { compatible = \"motorola,mc146818\";"                \
    " boot-time = <0 1>; };"                                   \
    "kbd { compatible = \"intel,i8042\"; interrupts = <1>; };" \
    "pm { compatible = \"acpi-pm\"; };"                        \
    "com1@3f8 { compatible = \"ns16550a\"; ports;"             \
    " reg = <0 0x3f8 0 8>; interrupts = <4>; };"               \
    "debug@402 { compatible = \"bochs,debug-console\";"        \
    " reg = <0 0x402 0 1>; };"                                 \
    "exit@f4 { compatible = \"qemu,debug-exit\";"              \
    " reg = <0 0xf4 0 4>; };"                                  \
    "fw-cfg { compatible = \"qemu,fw-cfg\";"                   \
    " a { file-name = \"opt/a\"; file = \"kernel\"; };"        \
    " b { key = <5>; data = \"x\"; }; };"
#define PCI(nodes)                                   \
    "pci@c0000000 { compatible = \"intel,82441fx\";" \
    " reg = <0 0xc0000000 0 0x3c000000>;"            \
    " intx = <16 17 18 19>; " nodes " };"
#define DEVICES(nodes) "devices { " CELLS nodes " };"
#define VM(body)       "vm@1 { " body " };"
#define SOURCE(vms)    "/dts-v1/; / { vms { " vms " }; };"
#define GOOD_VM        VM(VM_PROPERTIES MEMORY KERNEL)

static const struct bundle_file files[] = {
    {"kernel", "kernel bytes", 12},
    {"initrd", "other bytes!", 12},
    {"empty", "", 0},
    {"disk", (const uint8_t[1024]){1, 2, 3}, 1024},
    {"disktwin", (const uint8_t[1024]){1, 2, 3}, 1024},
    {"large", (const uint8_t[8192]){0}, 8192},
};

static err_t make(const char *text, struct bundle *bundle, char *what)
{
    const struct bundle_source source = {
        .text = text, .files = files, .file_count = ARRAY_SIZE(files)};

    what[0] = '\0';
    return bundle_make(&source, bundle, what);
}

static const uint8_t *data_of(const struct bundle *bundle, const char *path,
                              uint64_t *size)
{
    int node = fdt_path_offset(bundle->bytes, path);
    const fdt64_t *offset =
        fdt_getprop(bundle->bytes, node, "data-offset", NULL);
    const fdt64_t *length = fdt_getprop(bundle->bytes, node, "data-size", NULL);

    cr_assert_not_null(offset, "%s has no data-offset", path);
    cr_assert_not_null(length, "%s has no data-size", path);
    cr_assert_null(fdt_getprop(bundle->bytes, node, "file", NULL));
    cr_assert(is_aligned(fdt64_ld(offset), PAGE_SIZE));
    *size = fdt64_ld(length);
    cr_assert_leq(bundle->images + fdt64_ld(offset) + *size, bundle->size);
    return bundle->bytes + bundle->images + fdt64_ld(offset);
}

Test(bundle, packs_files_where_the_tree_says)
{
    char what[BUNDLE_WHAT_SIZE];
    struct bundle bundle;
    uint64_t size;

    cr_assert_eq(make(SOURCE(VM(VM_PROPERTIES MEMORY KERNEL
                                "initrd { file = \"initrd\"; };" DEVICES(
                                    UART DISK("file = \"disk\";")))),
                      &bundle, what),
                 OK, "%s", what);
    cr_assert_eq(fdt_check_full(bundle.bytes, bundle.size), 0);
    cr_assert_eq(bundle.images,
                 align_up(fdt_totalsize(bundle.bytes), PAGE_SIZE));
    cr_assert(is_aligned(bundle.size, PAGE_SIZE));
    cr_assert_arr_eq(data_of(&bundle, "/vms/vm@1/kernel", &size),
                     "kernel bytes", 12);
    cr_assert_eq(size, 12);
    cr_assert_arr_eq(data_of(&bundle, "/vms/vm@1/initrd", &size),
                     "other bytes!", 12);
    cr_assert_eq(data_of(&bundle, "/vms/vm@1/devices/disk@10001000", &size)[2],
                 3);
    cr_assert_eq(size, 1024);
    bundle_free(&bundle);
}

/* Images are shared, disks are not: a guest writes to its disk. */
Test(bundle, shares_images_and_never_disks)
{
    char what[BUNDLE_WHAT_SIZE];
    struct bundle bundle;
    uint64_t size;

    cr_assert_eq(
        make(SOURCE(VM(
                 VM_PROPERTIES MEMORY
                 "kernel { file = \"disk\"; };" DEVICES(UART DISK(
                     "file = \"disk\";"))) "vm@2 { compatible = \"twinax,vm\"; "
                                           "id = <2>;" CELLS MEMORY
                                           "kernel { file = \"disktwin\"; "
                                           "};" DEVICES(
                                               DISK("file = \"disk\";")) "};"),
             &bundle, what),
        OK, "%s", what);
    cr_assert_eq(data_of(&bundle, "/vms/vm@1/kernel", &size),
                 data_of(&bundle, "/vms/vm@2/kernel", &size));
    cr_assert_neq(data_of(&bundle, "/vms/vm@1/kernel", &size),
                  data_of(&bundle, "/vms/vm@1/devices/disk@10001000", &size));
    cr_assert_neq(data_of(&bundle, "/vms/vm@1/devices/disk@10001000", &size),
                  data_of(&bundle, "/vms/vm@2/devices/disk@10001000", &size));
    bundle_free(&bundle);
}

/* What the tool accepts, the hypervisor reads as it was meant. */
Test(bundle, is_read_by_the_hypervisor)
{
    char what[BUNDLE_WHAT_SIZE];
    char reason[VM_REASON_SIZE] = "";
    struct vm_config config;
    struct bundle bundle;

    cr_assert_eq(
        make(SOURCE(VM(VM_PROPERTIES
                       "vm-name = \"one\"; cpus = <2>; bootargs = \"a b\";"
                       "affinity = /bits/ 64 <1 0xff>; no-autostart;"
                       "memory@80000000 { reg = <0 0x80000000 0 0x100000>;"
                       " populate; };"
                       "memory@1000000000 { reg = <16 0 0 0x1000>; read-only;"
                       " no-execute; lazy; };"
                       "kernel { file = \"kernel\"; load-address ="
                       " <0 0x80001000>; };")),
             &bundle, what),
        OK, "%s", what);
    cr_assert_eq(vm_config_parse(&config, bundle.bytes,
                                 fdt_path_offset(bundle.bytes, "/vms/vm@1"),
                                 hpa(0x1000), bundle.size - bundle.images,
                                 reason),
                 OK, "%s", reason);
    cr_assert_eq(config.id, 1);
    cr_assert_str_eq(config.name, "one");
    cr_assert_str_eq(config.cmdline, "a b");
    cr_assert_eq(config.cpu_num, 2);
    cr_assert_eq(config.affinity[1], 0xff);
    cr_assert_not(config.autostart);
    cr_assert(config.restart_on_reboot);
    cr_assert_eq(config.memory_count, 2);
    cr_assert(config.memory[0].populate);
    cr_assert_eq(config.memory[0].flags, (unsigned)MEM_RWX);
    cr_assert_not(config.memory[1].populate);
    cr_assert_eq(config.memory[1].base.raw, UINT64_C(0x1000000000));
    cr_assert_eq(config.memory[1].flags, (unsigned)MEM_READ);
    cr_assert(config.kernel.has_load);
    cr_assert_eq(config.kernel.load.raw, 0x80001000);
    cr_assert_eq(config.kernel.data.raw, 0x1000);
    cr_assert_eq(config.initrd.size, 0);
    bundle_free(&bundle);
}

#define WITH_VM(properties) SOURCE(VM(VM_PROPERTIES properties MEMORY KERNEL))
#define WITH_MEMORY(nodes)  SOURCE(VM(VM_PROPERTIES nodes KERNEL))
#define WITH_KERNEL(nodes)  SOURCE(VM(VM_PROPERTIES MEMORY nodes))
#define WITH_DEVICES(nodes) \
    SOURCE(VM(VM_PROPERTIES MEMORY KERNEL DEVICES(nodes)))

#define WITH_PCI(nodes) WITH_DEVICES(PCI(nodes))

/* A source, and what its message must name. */
static const struct mistake {
    const char *text;
    const char *node;
    const char *says;
} mistakes[] = {
    {"/dts-v1/; / { vms { vm@1 { id = ; }; }; };", "configuration", "dtc"},
    {"/dts-v1/; / { };", "/", "vms: missing"},
    {"/dts-v1/; / { foo { }; vms { " GOOD_VM " }; };", "/foo", "no such node"},
    {"/dts-v1/; / { bar; vms { " GOOD_VM " }; };", "/", "bar: there is no"},
    {SOURCE(""), "/vms", "nodes: missing"},
    {SOURCE(VM("id = <1>;" CELLS MEMORY KERNEL)), "/vms/vm@1",
     "compatible: it is missing"},
    {SOURCE(VM("compatible = \"x\"; id = <1>;" CELLS MEMORY KERNEL)),
     "/vms/vm@1", "compatible: it must be"},
    {SOURCE(VM("compatible = \"twinax,vm\";" CELLS MEMORY KERNEL)), "/vms/vm@1",
     "id: it is missing"},
    {SOURCE(GOOD_VM "vm@2 {" VM_PROPERTIES MEMORY KERNEL "};"), "/vms/vm@2",
     "id: 1 is that of vm@1"},
    {SOURCE(
         VM("compatible = \"twinax,vm\"; id = <1>; #address-cells = <1>;" MEMORY
                KERNEL)),
     "/vms/vm@1", "#address-cells: it must be 2"},
    {SOURCE(VM("compatible = \"twinax,vm\"; id = <64>;" CELLS MEMORY KERNEL)),
     "/vms/vm@1", "id: 64 is not below 64"},
    {WITH_VM("cpu = <1>;"), "/vms/vm@1",
     "cpu: there is no such property here; there are: compatible, id, vm-name"},
    {WITH_VM("cpus = <0>;"), "/vms/vm@1", "cpus: 0 is not in 1 to 64"},
    {WITH_VM("cpus = <65>;"), "/vms/vm@1", "cpus: 65 is not in 1 to 64"},
    {WITH_VM("cpus = <1 2>;"), "/vms/vm@1", "cpus: one cell"},
    {WITH_VM("cpus = <2>; affinity = /bits/ 64 <1>;"), "/vms/vm@1",
     "affinity: 1 masks for 2 vCPUs"},
    {WITH_VM("affinity = /bits/ 64 <0>;"), "/vms/vm@1",
     "affinity: vCPU 0 may run nowhere"},
    {WITH_VM("affinity = <1>;"), "/vms/vm@1", "affinity: masks of 64 bits"},
    {WITH_VM("vm-name = \"a\", \"b\";"), "/vms/vm@1", "vm-name: one string"},
    {WITH_VM("vm-name = \"\";"), "/vms/vm@1", "vm-name: one string"},
    {WITH_VM("vm-name = \"12345678901234567890123456789012\";"), "/vms/vm@1",
     "vm-name: it has more than 31"},
    {WITH_VM("vm-name = \"a\\tb\";"), "/vms/vm@1",
     "vm-name: 1 to 31 printable characters"},
    {WITH_VM("no-autostart = <1>;"), "/vms/vm@1", "no-autostart: it is a flag"},
    {WITH_MEMORY(""), "/vms/vm@1", "memory: missing"},
    {WITH_MEMORY("memory@0 { };"), "/vms/vm@1/memory@0", "reg: it is missing"},
    {WITH_MEMORY("memory@0 { reg = <0 0x1000>; };"), "/vms/vm@1/memory@0",
     "reg: two cells of address"},
    {WITH_MEMORY("memory@0 { reg = <0 0 0 0>; };"), "/vms/vm@1/memory@0",
     "reg: it is empty"},
    {WITH_MEMORY("memory@0 { reg = <0 0x800 0 0x1000>; };"),
     "/vms/vm@1/memory@0", "reg: address and size must be multiples"},
    {WITH_MEMORY("memory@0 { reg = <0xffffffff 0xfffff000 0 0x2000>; };"),
     "/vms/vm@1/memory@0", "leaves the address space"},
    {WITH_MEMORY(MEMORY "memory@800ff000 { reg = <0 0x800ff000 0 0x1000>; };"),
     "/vms/vm@1/memory@800ff000", "overlaps with that of memory@80000000"},
    {WITH_MEMORY("memory@0 { reg = <0 0 0 0x1000>; lazy; populate; };"),
     "/vms/vm@1/memory@0", "lazy: it contradicts populate"},
    {WITH_KERNEL(""), "/vms/vm@1", "kernel: missing"},
    {WITH_KERNEL("kernel { };"), "/vms/vm@1/kernel", "file: it is missing"},
    {WITH_KERNEL("kernel { file = \"no such\"; };"), "/vms/vm@1/kernel",
     "file: 'no such'"},
    {WITH_KERNEL("kernel { file = \"empty\"; };"), "/vms/vm@1/kernel",
     "'empty' is empty"},
    {WITH_KERNEL("kernel { file = \"/dev/null\"; };"), "/vms/vm@1/kernel",
     "/dev/null"},
    {WITH_KERNEL("kernel { data-offset = <0>; data-size = <0>; };"),
     "/vms/vm@1/kernel", "data-offset: bundles have it"},
    {WITH_KERNEL("kernel { file = \"kernel\"; load-address = <0x800ffff8>; };"),
     "/vms/vm@1/kernel", "load-address: 0x800ffff8 is not a multiple of 4096"},
    {WITH_KERNEL("kernel { file = \"kernel\"; load-address = <0x80100000>; };"),
     "/vms/vm@1/kernel", "12 bytes at 0x80100000 are not inside memory"},
    {WITH_KERNEL(KERNEL "initrd { file = \"initrd\"; load-address = <8>; };"),
     "/vms/vm@1/initrd", "load-address: 0x8 is not a multiple of 4096"},
    {WITH_KERNEL(KERNEL "kernel@1 { file = \"kernel\"; };"), "/vms/vm@1",
     "kernel: 2, where 1 are the most"},
    {WITH_KERNEL("kernel { file = \"kernel\"; load-address = <0x1000>; };"),
     "/vms/vm@1/kernel", "not inside memory"},
    {WITH_KERNEL(KERNEL "initrd { file = \"nothing\"; };"), "/vms/vm@1/initrd",
     "'nothing'"},
    {WITH_DEVICES("x@0 { compatible = \"acme,x\"; reg = <0 0 0 1>; };"),
     "/vms/vm@1/devices/x@0", "there is no model 'acme,x'"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; };"),
     "/vms/vm@1/devices/x@0", "reg: it is missing"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; reg = <0 0 0 8>;"
                  " interupts = <1>; };"),
     "/vms/vm@1/devices/x@0", "interupts: there is no such property"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; reg = <0 0 0 8>;"
                  " interrupts = <0>; };"),
     "/vms/vm@1/devices/x@0", "interrupts: inputs are numbered from 1"},
    {WITH_DEVICES(UART "x@0 { compatible = \"ns16550a\"; reg = <0 0 0 8>;"
                       " interrupts = <10>; };"),
     "/vms/vm@1/devices/x@0", "interrupts: 10 is that of serial@10000000"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; reg = <0 0x80000ff8 0 8>;"
                  " };"),
     "/vms/vm@1/devices/x@0", "overlaps with that of memory@80000000"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; reg = <0 0 0 8>;"
                  " file = \"disk\"; };"),
     "/vms/vm@1/devices/x@0", "file: there is no such property"},
    {WITH_DEVICES(DISK("")), "/vms/vm@1/devices/disk@10001000",
     "file, size: a disk has one of them"},
    {WITH_DEVICES(DISK("file = \"disk\"; size = <512>;")),
     "/vms/vm@1/devices/disk@10001000", "a disk has one of them"},
    {WITH_DEVICES(DISK("size = <1000>;")), "/vms/vm@1/devices/disk@10001000",
     "size: 0x3e8 is not a multiple of 512"},
    {WITH_DEVICES(DISK("size = <0>;")), "/vms/vm@1/devices/disk@10001000",
     "size: 0 is not in 512 to"},
    {WITH_DEVICES(DISK("file = \"kernel\";")),
     "/vms/vm@1/devices/disk@10001000",
     "file: its 12 bytes are not a multiple of 512"},
    {WITH_DEVICES(DISK("size = <512>; serial = \"123456789012345678901\";")),
     "/vms/vm@1/devices/disk@10001000", "serial: it has more than 20"},
    {WITH_DEVICES("p@0 { compatible = \"sifive,plic-1.0.0\";"
                  " reg = <0 0 0 0x400000>; riscv,ndev = <1024>; };"),
     "/vms/vm@1/devices/p@0", "riscv,ndev: 1024 is not in 1 to 1023"},
    {WITH_DEVICES("x@0 { compatible = \"ns16550a\"; reg = <0 0 0 8>;"
                  " reg-shift = <5>; };"),
     "/vms/vm@1/devices/x@0", "reg-shift: 5 is not in 0 to 4"},
    {WITH_DEVICES("x@0 { compatible = \"virtio,console\"; reg = <0 0 0 0x200>;"
                  " cols = <65536>; };"),
     "/vms/vm@1/devices/x@0", "cols: 65536 is not in 1 to 65535"},
    {WITH_DEVICES(UART "x@0 { compatible = \"ns16550a\";"
                       " reg = <0 0x100000ff 0 8>; };"),
     "/vms/vm@1/devices/x@0", "overlaps with that of serial@10000000"},
    {WITH_DEVICES(DISK("file = \"none\";")), "/vms/vm@1/devices/disk@10001000",
     "'none'"},
    {WITH_VM("boot-protocol = \"grub\";"), "/vms/vm@1",
     "boot-protocol: there is no 'grub'"},
    {WITH_KERNEL(KERNEL "module@0 { };"), "/vms/vm@1/module@0",
     "file: it is missing"},
    {WITH_KERNEL(KERNEL "module@0 { file = \"initrd\";"
                        " load-address = <0x1000>; };"),
     "/vms/vm@1/module@0", "load-address: there is no such property"},
    {WITH_DEVICES("a { compatible = \"intel,ioapic\";"
                  " reg = <0 0xfec00000 0 0x1000>; };"),
     "/vms/vm@1/devices/a", "reg: there is no such property"},
    {WITH_DEVICES("x@3f8 { compatible = \"ns16550a\"; ports = <1>;"
                  " reg = <0 0x3f8 0 8>; };"),
     "/vms/vm@1/devices/x@3f8", "ports: it is a flag"},
    {WITH_DEVICES("a@e9 { compatible = \"bochs,debug-console\"; };"),
     "/vms/vm@1/devices/a@e9", "reg: it is missing"},
    {WITH_DEVICES("a@e9 { compatible = \"bochs,debug-console\";"
                  " reg = <0 0xe9 0 1>; };"
                  "b@e8 { compatible = \"qemu,debug-exit\";"
                  " reg = <0 0xe8 0 2>; };"),
     "/vms/vm@1/devices/b@e8", "overlaps with that of a@e9"},
    {WITH_DEVICES("c { compatible = \"motorola,mc146818\";"
                  " boot-time = <1>; };"),
     "/vms/vm@1/devices/c", "boot-time: two cells"},
    {WITH_PCI("disk { compatible = \"virtio,blk\"; size = <512>; };"),
     "/vms/vm@1/devices/pci@c0000000/disk", "slot: it is missing"},
    {WITH_PCI("disk { compatible = \"virtio,blk\"; size = <512>;"
              " slot = <32>; };"),
     "/vms/vm@1/devices/pci@c0000000/disk", "slot: 32 is not in 1 to 31"},
    {WITH_PCI("disk { compatible = \"virtio,blk\"; size = <512>; slot = <1>;"
              " reg = <0 0 0 1>; };"),
     "/vms/vm@1/devices/pci@c0000000/disk", "reg: there is no such property"},
    {WITH_PCI("disk { compatible = \"virtio,blk\"; slot = <1>; };"),
     "/vms/vm@1/devices/pci@c0000000/disk", "a disk has one of them"},
    {WITH_PCI("disk { compatible = \"virtio,blk\"; slot = <1>;"
              " file = \"kernel\"; };"),
     "/vms/vm@1/devices/pci@c0000000/disk",
     "file: its 12 bytes are not a multiple of 512"},
    {WITH_PCI("x { compatible = \"acme,x\"; slot = <1>; };"),
     "/vms/vm@1/devices/pci@c0000000/x", "there is no model 'acme,x'"},
    {WITH_PCI("x { };"), "/vms/vm@1/devices/pci@c0000000/x",
     "compatible: it is missing"},
    {WITH_DEVICES("f { compatible = \"qemu,fw-cfg\"; a { name-of-it; }; };"),
     "/vms/vm@1/devices/f/a", "name-of-it: there is no such property"},
    {WITH_DEVICES(UART "f@0 { compatible = \"acpi-pm\"; b { }; };"),
     "/vms/vm@1/devices/f@0/b", "there is no such node here"},
};

/* A PC, with images as its protocols have them. Ports are no addresses. */
Test(bundle, takes_a_pc)
{
    static const char *const files_of[] = {
        "/vms/vm@1/kernel", "/vms/vm@1/module@0", "/vms/vm@1/module@1",
        "/vms/vm@1/devices/pci@c0000000/disk", "/vms/vm@1/devices/fw-cfg/a"};
    char what[BUNDLE_WHAT_SIZE];
    char reason[VM_REASON_SIZE] = "";
    struct vm_config config;
    struct bundle bundle;
    uint64_t size;

    cr_assert_eq(
        make(SOURCE(VM(VM_PROPERTIES
                       "boot-protocol = \"multiboot\";"
                       "memory@0 { reg = <0 0 0 0x100000>; };" KERNEL
                       "module@0 { file = \"initrd\"; bootargs = \"one\"; };"
                       "module@1 { file = \"disk\"; };" DEVICES(PC_DEVICES PCI(
                           "disk { compatible = \"virtio,blk\"; slot = <3>;"
                           " file = \"disk\"; };"
                           "console { compatible = \"virtio,console\";"
                           " slot = <4>; function = <7>; cols = <80>; };"
                           "pm { compatible = \"intel,piix4-pm\"; slot = <1>;"
                           " function = <3>; };")))),
             &bundle, what),
        OK, "%s", what);
    for (size_t i = 0; i < ARRAY_SIZE(files_of); i++)
        (void)data_of(&bundle, files_of[i], &size);
    cr_expect_neq(data_of(&bundle, files_of[2], &size),
                  data_of(&bundle, files_of[3], &size));
    cr_assert_eq(vm_config_parse(&config, bundle.bytes,
                                 fdt_path_offset(bundle.bytes, "/vms/vm@1"),
                                 hpa(0), bundle.size - bundle.images, reason),
                 OK, "%s", reason);
    cr_expect_str_eq(config.protocol, "multiboot");
    cr_assert_eq(config.module_count, 2);
    cr_expect_str_eq(config.modules[0].cmdline, "one");
    cr_expect_eq(config.modules[0].size, 12);
    cr_expect_null(config.modules[1].cmdline);
    cr_expect_eq(config.modules[1].size, 1024);
    bundle_free(&bundle);
}

/* Firmware is a flash below 4 GiB: no memory has to hold it. */
Test(bundle, firmware_needs_no_memory)
{
    char what[BUNDLE_WHAT_SIZE];
    struct bundle bundle;
    const char *text =
        SOURCE(VM(VM_PROPERTIES "boot-protocol = \"firmware\";"
                                "memory@0 { reg = <0 0 0 0x1000>; };"
                                "kernel { file = \"large\"; };"));

    cr_assert_eq(make(text, &bundle, what), OK, "%s", what);
    bundle_free(&bundle);
}

Test(bundle, names_each_mistake)
{
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        const struct mistake *row = &mistakes[i];
        char what[BUNDLE_WHAT_SIZE];
        struct bundle bundle;
        size_t prefix = strlen(row->node);

        cr_expect_neq(make(row->text, &bundle, what), OK, "row %zu", i);
        cr_expect_null(bundle.bytes, "row %zu", i);
        cr_expect(strncmp(what, row->node, prefix) == 0 && what[prefix] == ':',
                  "row %zu: \"%s\" does not begin with %s", i, what, row->node);
        cr_expect_not_null(strstr(what, row->says),
                           "row %zu: \"%s\" does not say %s", i, what,
                           row->says);
    }
}

Test(bundle, a_damaged_blob_is_refused)
{
    char path[] = "/tmp/twinax-bundle-XXXXXX";
    char what[BUNDLE_WHAT_SIZE];
    const struct bundle_source source = {
        .path = path, .files = files, .file_count = ARRAY_SIZE(files)};
    const struct bundle_source text = {.text = SOURCE(GOOD_VM)};
    struct bundle bundle;
    void *fdt = NULL;
    int fd = mkstemp(path);

    cr_assert_eq(bundle_compile(&text, &fdt, what), OK, "%s", what);
    for (size_t size = 4; size <= fdt_totalsize(fdt); size += 4) {
        bool whole = size == fdt_totalsize(fdt);

        cr_assert_eq(ftruncate(fd, 0), 0);
        cr_assert_eq(pwrite(fd, fdt, size, 0), (ssize_t)size);
        cr_assert_eq(bundle_make(&source, &bundle, what) == OK, whole,
                     "%zu bytes: %s", size, what);
        bundle_free(&bundle);
    }
    free(fdt);
    close(fd);
    unlink(path);
}

/* libfdt reads trees of before version 16 otherwise. */
Test(bundle, a_blob_of_an_old_version_is_refused)
{
    char what[BUNDLE_WHAT_SIZE];
    const struct bundle_source text = {.text = SOURCE(GOOD_VM)};
    size_t size;
    void *fdt = NULL;

    cr_assert_eq(bundle_compile(&text, &fdt, what), OK, "%s", what);
    size = fdt_totalsize(fdt);
    fdt_set_last_comp_version(fdt, 1);
    for (uint32_t version = 0; version <= FDT_LAST_SUPPORTED_VERSION;
         version++) {
        fdt_set_version(fdt, version);
        cr_expect_eq(device_tree_check(fdt, size) == 0, version >= 16,
                     "version %u", version);
    }
    free(fdt);
}

/* Near 4 GiB, libfdt wraps around. */
Test(bundle, a_blob_whose_property_does_not_end_is_refused, .timeout = 20)
{
    char what[BUNDLE_WHAT_SIZE];
    const struct bundle_source text = {.text = SOURCE(GOOD_VM)};
    void *fdt = NULL;
    struct fdt_property *property;
    uint32_t length;

    cr_assert_eq(bundle_compile(&text, &fdt, what), OK, "%s", what);
    property = fdt_get_property_w(fdt, fdt_path_offset(fdt, "/vms/vm@1"),
                                  "compatible", NULL);
    cr_assert_not_null(property);
    length = fdt32_to_cpu(property->len);
    for (uint32_t above = 1; above <= 32; above++) {
        property->len = cpu_to_fdt32(0 - above);
        cr_expect_neq(device_tree_check(fdt, fdt_totalsize(fdt)), 0,
                      "2^32 - %u", above);
    }
    property->len = cpu_to_fdt32(length);
    cr_expect_eq(device_tree_check(fdt, fdt_totalsize(fdt)), 0);
    free(fdt);
}

/* The old bundle stays when the new one cannot be written. */
Test(bundle, is_saved_whole_or_not_at_all)
{
    char folder[] = "/tmp/twinax-bundle-XXXXXX";
    char what[BUNDLE_WHAT_SIZE];
    struct bundle bundle;
    struct stat stat;
    char path[64];

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/out", folder);
    cr_assert_eq(make(SOURCE(GOOD_VM), &bundle, what), OK, "%s", what);
    cr_assert_eq(bundle_save(&bundle, path, what), OK, "%s", what);
    cr_assert_eq(lstat(path, &stat), 0);
    cr_assert_eq((size_t)stat.st_size, bundle.size);
    unlink(path);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(bundle_save(&bundle, path, what), ERR_IO);
    cr_assert_not_null(strstr(what, path));
    cr_assert_eq(bundle_save(&bundle, "/no/such/folder/x", what), ERR_IO);
    rmdir(path);
    cr_assert_eq(rmdir(folder), 0, "something was left behind");
    bundle_free(&bundle);
}
