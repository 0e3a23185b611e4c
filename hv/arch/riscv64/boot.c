/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest boots with: the stage-2 format it needs, where its kernel goes,
 * and the CPU nodes of its device tree. Devicetree bindings riscv/cpus.yaml
 * and riscv,cpu-intc; Linux, Documentation/arch/riscv/boot-image-header.rst.
 */
#include <libfdt.h>

#include "addrspace/format.h"
#include "api/time.h"
#include "arch/riscv64/boot.h"
#include "device/device.h"
#include "lib/format.h"
#include "lib/string.h"

/* The narrowest first: every level costs a memory access per TLB miss. Each
 * without memory types, and with them. */
static const struct s2_format *const formats[][2] = {
    {&s2_sv39x4, &s2_sv39x4_svpbmt},
    {&s2_sv48x4, &s2_sv48x4_svpbmt},
    {&s2_sv57x4, &s2_sv57x4_svpbmt},
};

const struct s2_format *riscv_stage2_format(uint64_t top)
{
    uint64_t modes = riscv_hw_stage2_modes();
    bool has_types = (riscv_hw_features() & RISCV_FEATURE_SVPBMT) != 0;

    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        const struct s2_format *format = formats[i][has_types];

        if ((modes & BIT(format->mode)) != 0 && top <= s2_gpa_limit(format))
            return format;
    }
    return NULL;
}

/* Fields of the Linux image header, little endian. */
#define HEADER_TEXT_OFFSET 8
#define HEADER_MAGIC2      56
#define HEADER_MAGIC2_TEXT "RSC\x05"
#define HEADER_MAGIC2_SIZE 4

/* What stands for the firmware on a real machine: kernels that do not say
 * where they go are linked to begin behind it. */
#define FIRMWARE_SIZE (UINT64_C(2) << 20)

gpa_t riscv_place_kernel(const void *header, gpa_t base)
{
    const uint8_t *bytes = header;
    uint64_t offset = 0;

    if (memcmp(bytes + HEADER_MAGIC2, HEADER_MAGIC2_TEXT, HEADER_MAGIC2_SIZE) !=
        0)
        return gpa_add(base, FIRMWARE_SIZE);
    for (unsigned i = 0; i < sizeof(offset); i++)
        offset |= (uint64_t)bytes[HEADER_TEXT_OFFSET + i] << (8 * i);
    return gpa_add(base, offset);
}

/* What a guest is told it has, in the order of the naming conventions: first
 * those of one letter, then the others. */
static const struct {
    const char *name;
    uint32_t feature; /* 0: always there */
} extensions[] = {
    {"i", 0},
    {"m", 0},
    {"a", 0},
    {"f", RISCV_FEATURE_FD},
    {"d", RISCV_FEATURE_FD},
    {"c", 0},
    {"v", RISCV_FEATURE_V},
    {"zicntr", 0},
    {"zicsr", 0},
    {"zifencei", 0},
    {"sstc", RISCV_FEATURE_SSTC},
    {"svpbmt", RISCV_FEATURE_SVPBMT},
};

#define ISA_SIZE 128

static bool has_extension(unsigned i, uint32_t features)
{
    return extensions[i].feature == 0 ||
           (features & extensions[i].feature) != 0;
}

/* riscv,isa: "rv64imac_zicntr_..." */
static void write_isa(char isa[ISA_SIZE], uint32_t features)
{
    size_t used = format_text(isa, ISA_SIZE, "rv64");

    for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++) {
        const char *name = extensions[i].name;

        if (has_extension(i, features))
            used += format_text(isa + used, ISA_SIZE - used, "%s%s",
                                name[1] != '\0' ? "_" : "", name);
    }
}

/* riscv,isa-extensions: the names, each with its NUL. Returns their size. */
static size_t write_names(char names[ISA_SIZE], uint32_t features)
{
    size_t used = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (has_extension(i, features))
            used += format_text(names + used, ISA_SIZE - used, "%s",
                                extensions[i].name) +
                    1;
    }
    return used;
}

/* A processor that has SvNNx4 has SvNN. */
static const char *mmu_type(uint64_t modes)
{
    if (modes & BIT(HGATP_SV57X4))
        return "riscv,sv57";
    return modes & BIT(HGATP_SV48X4) ? "riscv,sv48" : "riscv,sv39";
}

/* Properties until the first that fails. */
static int put_string(void *fdt, const char *name, const char *text, int error)
{
    return error != 0 ? error
                      : fdt_property(fdt, name, text, (int)strlen(text) + 1);
}

static int put_u32(void *fdt, const char *name, uint32_t value, int error)
{
    return error != 0 ? error : fdt_property_u32(fdt, name, value);
}

static int describe_intc(uint32_t id, void *fdt)
{
    int error = fdt_begin_node(fdt, "interrupt-controller");

    error = put_string(fdt, "compatible", "riscv,cpu-intc", error);
    error = put_u32(fdt, "#interrupt-cells", 1, error);
    error = put_u32(fdt, "phandle", DEVICE_PHANDLE_CPU(id), error);
    if (error == 0)
        error = fdt_property(fdt, "interrupt-controller", NULL, 0);
    return error != 0 ? error : fdt_end_node(fdt);
}

/* The ISA in both notations: the older one for older guests. */
static int put_isa(void *fdt, uint32_t features, int error)
{
    char text[ISA_SIZE];
    size_t size;

    write_isa(text, features);
    error = put_string(fdt, "riscv,isa", text, error);
    error = put_string(fdt, "riscv,isa-base", "rv64i", error);
    size = write_names(text, features);
    return error != 0
               ? error
               : fdt_property(fdt, "riscv,isa-extensions", text, (int)size);
}

int riscv_describe_cpu(const struct vcpu *vcpu, void *fdt)
{
    int error;

    error = put_string(fdt, "device_type", "cpu", 0);
    error = put_string(fdt, "compatible", "riscv", error);
    error = put_string(fdt, "status", "okay", error);
    error = put_u32(fdt, "reg", (uint32_t)vcpu->config.hw_id, error);
    error = put_isa(fdt, to_riscv_const(vcpu)->features, error);
    error =
        put_string(fdt, "mmu-type", mmu_type(riscv_hw_stage2_modes()), error);
    return error != 0 ? error : describe_intc(vcpu->config.id, fdt);
}

int riscv_describe_cpus(const struct vcpu *bsp, void *fdt)
{
    return fdt_property_u32(fdt, "timebase-frequency",
                            (uint32_t)time_frequency());
}
