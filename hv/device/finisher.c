/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SiFive's test finisher, as on QEMU's `virt` board: one 32-bit register, by
 * which a guest ends its machine. There is no data sheet but its drivers:
 * OpenSBI's sifive_test, Linux' syscon-poweroff and syscon-reboot.
 *
 *   offset  bits    meaning of what is written
 *   ------  ------  ----------------------------------------------------
 *   0       15:0    0x3333 failed, 0x5555 power off, 0x7777 reset;
 *                   others do nothing
 *   0       31:16   after 0x3333: the failure code
 *
 * It reads as 0. The rest of its range reads as 0 and ignores writes.
 */
#include <libfdt.h>

#include "device/device.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "memory/arena.h"

#define FINISHER_STATUS 0x0

enum finisher_status {
    FINISHER_FAIL = 0x3333,
    FINISHER_PASS = 0x5555,
    FINISHER_RESET = 0x7777,
};

#define FINISHER_STATUS_MASK BIT_MASK(15, 0)
#define FINISHER_CODE_MASK   BIT_MASK(31, 16)

struct finisher {
    struct device device;
    void (*system_down)(void *vm_object, bool reboot);
    void (*system_failed)(void *vm_object, uint32_t code);
    void *vm_object;
};

static err_t finisher_read(struct device *device, unsigned range,
                           uint64_t offset, unsigned width, uint64_t *value)
{
    *value = 0;
    return OK;
}

static void finisher_fail(const struct finisher *finisher, uint32_t code)
{
    if (finisher->system_failed != NULL)
        finisher->system_failed(finisher->vm_object, code);
    else
        finisher->system_down(finisher->vm_object, false);
}

static err_t finisher_write(struct device *device, unsigned range,
                            uint64_t offset, unsigned width, uint64_t value)
{
    const struct finisher *finisher =
        container_of(device, struct finisher, device);

    if (offset != FINISHER_STATUS)
        return OK;
    switch (FIELD_GET(FINISHER_STATUS_MASK, value)) {
    case FINISHER_FAIL:
        finisher_fail(finisher, (uint32_t)FIELD_GET(FINISHER_CODE_MASK, value));
        break;
    case FINISHER_PASS:
        finisher->system_down(finisher->vm_object, false);
        break;
    case FINISHER_RESET:
        finisher->system_down(finisher->vm_object, true);
        break;
    default: break;
    }
    return OK;
}

/* It has no state. */
static void finisher_reset(struct device *device) {}

static const struct device_ops finisher_ops = {
    .read = finisher_read,
    .write = finisher_write,
    .reset = finisher_reset,
};

static err_t finisher_create(const struct device_context *context,
                             struct device **device, const char **what)
{
    struct finisher *finisher = arena_new(context->arena, struct finisher);

    if (finisher == NULL)
        return ERR_NO_MEMORY;
    finisher->device.ops = &finisher_ops;
    finisher->device.ranges[0].widths = WIDTH_2 | WIDTH_4;
    finisher->system_down = context->system_down;
    finisher->system_failed = context->system_failed;
    finisher->vm_object = context->vm_object;
    *device = &finisher->device;
    return OK;
}

static int finisher_describe(const struct device *device, void *fdt)
{
    return fdt_property_u32(fdt, "phandle", device->phandle);
}

/* What makes a generic driver write `value` to the finisher. */
static int describe_user(const struct device *device, void *fdt,
                         const char *name, const char *compatible,
                         uint32_t value)
{
    int error = fdt_begin_node(fdt, name);

    if (error == 0)
        error = fdt_property(fdt, "compatible", compatible,
                             (int)strlen(compatible) + 1);
    if (error == 0)
        error = fdt_property_u32(fdt, "regmap", device->phandle);
    if (error == 0)
        error = fdt_property_u32(fdt, "offset", FINISHER_STATUS);
    if (error == 0)
        error = fdt_property_u32(fdt, "value", value);
    return error != 0 ? error : fdt_end_node(fdt);
}

static int finisher_describe_beside(const struct device *device, void *fdt)
{
    int error = describe_user(device, fdt, "poweroff", "syscon-poweroff",
                              FINISHER_PASS);

    return error != 0 ? error
                      : describe_user(device, fdt, "reboot", "syscon-reboot",
                                      FINISHER_RESET);
}

static const char finisher_compatible[] = "sifive,test1\0sifive,test0\0syscon";

static const struct device_model finisher_model = {
    .compatible = "sifive,test1",
    .guest_compatible = finisher_compatible,
    .guest_compatible_size = sizeof(finisher_compatible),
    .create = finisher_create,
    .describe = finisher_describe,
    .describe_beside = finisher_describe_beside,
};

DEVICE_MODEL(finisher_model);
