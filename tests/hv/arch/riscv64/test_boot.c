/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest boots with. */
#include <libfdt.h>

#include "rig.h"
#include "support/rows.h"

Test(boot, the_narrowest_format_that_fits)
{
    static const struct {
        const char *profile;
        uint64_t top;
        const struct s2_format *format;
    } rows[] = {
        {"virt", 0, &s2_sv39x4},
        {"virt", 1, &s2_sv39x4},
        {"virt", UINT64_C(1) << 41, &s2_sv39x4},
        {"virt", (UINT64_C(1) << 41) + 1, &s2_sv48x4},
        {"virt", UINT64_C(1) << 50, &s2_sv48x4},
        {"virt", (UINT64_C(1) << 50) + 1, &s2_sv57x4},
        {"virt", UINT64_C(1) << 59, &s2_sv57x4},
        {"virt", (UINT64_C(1) << 59) + 1, NULL},
        {"virt", UINT64_MAX, NULL},
        {"plain", UINT64_C(1) << 41, &s2_sv39x4},
        {"plain", (UINT64_C(1) << 41) + 1, NULL},
        {"full", 1, &s2_sv39x4_svpbmt},
        {"full", (UINT64_C(1) << 41) + 1, &s2_sv48x4_svpbmt},
        {"full", UINT64_C(1) << 59, &s2_sv57x4_svpbmt},
    };

    for_each_row (i, rows) {
        rig_start(rows[i].profile);
        cr_expect_eq(riscv_vcpu_ops.stage2_format(rows[i].top), rows[i].format,
                     "row %zu", i);
        rig_stop();
    }
}

Test(boot, a_kernel_goes_where_it_says)
{
    uint8_t header[VCPU_KERNEL_HEADER] = {0};

    cr_expect_eq(riscv_vcpu_ops.place_kernel(header, gpa(0x80000000)).raw,
                 0x80200000, "behind the firmware");
    memcpy(header + 48, "RISCV\0\0\0RSC\x05", 12);
    header[8] = 0x00;
    header[9] = 0x10;
    header[11] = 0x01;
    cr_expect_eq(riscv_vcpu_ops.place_kernel(header, gpa(0x80000000)).raw,
                 0x81001000);
}

/* Writes the node of vCPU 2, as its VM would, and opens the tree. */
static int cpu_node(void *fdt, int size, const char *profile)
{
    rig_start(profile);
    cr_assert_eq(fdt_create(fdt, size), 0);
    cr_assert_eq(fdt_finish_reservemap(fdt), 0);
    cr_assert_eq(fdt_begin_node(fdt, ""), 0);
    cr_assert_eq(fdt_begin_node(fdt, "cpus"), 0);
    cr_assert_eq(riscv_vcpu_ops.describe_cpus(rig.peers[0], fdt), 0);
    cr_assert_eq(fdt_begin_node(fdt, "cpu@c"), 0);
    cr_assert_eq(riscv_vcpu_ops.describe_cpu(rig.peers[2], fdt), 0);
    cr_assert_eq(fdt_end_node(fdt), 0);
    cr_assert_eq(fdt_end_node(fdt), 0);
    cr_assert_eq(fdt_end_node(fdt), 0);
    cr_assert_eq(fdt_finish(fdt), 0);
    rig_stop();
    return fdt_path_offset(fdt, "/cpus/cpu@c");
}

static uint32_t get_u32(const void *fdt, int node, const char *name)
{
    const fdt32_t *value = fdt_getprop(fdt, node, name, NULL);

    cr_assert_not_null(value, "%s", name);
    return fdt32_to_cpu(*value);
}

/* The list of names says what the string says. */
static void expect_names(const void *fdt, int node, const char *isa)
{
    int size, used = 0;
    const char *names = fdt_getprop(fdt, node, "riscv,isa-extensions", &size);
    char text[128] = "rv64";

    cr_assert_not_null(names);
    while (used < size) {
        const char *name = names + used;

        strcat(text, strlen(name) > 1 ? "_" : "");
        strcat(text, name);
        used += (int)strlen(name) + 1;
    }
    cr_expect_eq(used, size);
    cr_expect_str_eq(text, isa);
}

Test(boot, cpu_nodes)
{
    static const struct {
        const char *profile, *isa, *mmu;
    } rows[] = {
        {"virt", "rv64imafdc_zicntr_zicsr_zifencei_sstc", "riscv,sv57"},
        {"plain", "rv64imafdc_zicntr_zicsr_zifencei", "riscv,sv39"},
        {"full", "rv64imafdcv_zicntr_zicsr_zifencei_sstc_svpbmt", "riscv,sv57"},
    };

    for_each_row (i, rows) {
        char fdt[2048];
        int node = cpu_node(fdt, sizeof(fdt), rows[i].profile);
        int intc = fdt_subnode_offset(fdt, node, "interrupt-controller");

        cr_expect_eq(
            get_u32(fdt, fdt_path_offset(fdt, "/cpus"), "timebase-frequency"),
            CLOCK_DEFAULT_FREQUENCY);
        cr_expect_eq(get_u32(fdt, node, "reg"), RIG_HART + 2);
        cr_expect_str_eq(fdt_getprop(fdt, node, "device_type", NULL), "cpu");
        cr_expect_str_eq(fdt_getprop(fdt, node, "status", NULL), "okay");
        cr_expect_str_eq(fdt_getprop(fdt, node, "riscv,isa", NULL),
                         rows[i].isa);
        cr_expect_str_eq(fdt_getprop(fdt, node, "riscv,isa-base", NULL),
                         "rv64i");
        expect_names(fdt, node, rows[i].isa);
        cr_expect_str_eq(fdt_getprop(fdt, node, "mmu-type", NULL), rows[i].mmu);
        cr_assert_geq(intc, 0);
        cr_expect_eq(get_u32(fdt, intc, "phandle"), DEVICE_PHANDLE_CPU(2));
        cr_expect_eq(get_u32(fdt, intc, "#interrupt-cells"), 1);
    }
}

/* A tree that is too small is an error, wherever it ends. */
Test(boot, a_cpu_node_without_room)
{
    int error = -FDT_ERR_NOSPACE;
    char fdt[1024];

    rig_start("full");
    for (int size = 64; size < (int)sizeof(fdt); size += 4) {
        if (fdt_create(fdt, size) != 0 || fdt_finish_reservemap(fdt) != 0 ||
            fdt_begin_node(fdt, "") != 0)
            continue;
        error = riscv_vcpu_ops.describe_cpu(rig.peers[0], fdt);
        if (error == 0)
            break;
        cr_expect_eq(error, -FDT_ERR_NOSPACE, "%d bytes", size);
    }
    cr_expect_eq(error, 0, "there is room in the end");
    rig_stop();
}
