/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes devices of configuration nodes, and nodes of a guest's tree of
 * devices: Devicetree Specification 0.4, sections 2.3 and 2.4. Nothing in a
 * configuration is trusted; what is wrong is named.
 */
#include "device/parse.h"

#include <libfdt.h>

#include "lib/string.h"

static err_t wrong(const char *property, const char **what)
{
    *what = property;
    return ERR_INVALID_INPUT;
}

err_t device_parse_cell(const struct device_context *context, const char *name,
                        uint32_t least, uint32_t most, uint32_t *value,
                        const char **what)
{
    int size;
    const fdt32_t *cell = fdt_getprop(context->fdt, context->node, name, &size);
    uint32_t found;

    if (cell == NULL)
        return OK;
    if (size != sizeof(*cell))
        return wrong(name, what);
    found = fdt32_ld(cell);
    if (found < least || found > most)
        return wrong(name, what);
    *value = found;
    return OK;
}

err_t device_parse_reg(const struct device_context *context, uint64_t *base,
                       uint64_t *size, const char **what)
{
    int bytes;
    const uint8_t *reg =
        fdt_getprop(context->fdt, context->node, "reg", &bytes);

    *what = "reg";
    if (reg == NULL)
        return ERR_NOT_FOUND;
    if (bytes != 2 * sizeof(fdt64_t))
        return ERR_INVALID_INPUT;
    *base = fdt64_ld((const void *)reg);
    *size = fdt64_ld((const void *)(reg + sizeof(fdt64_t)));
    return *base + *size > *base ? OK : ERR_INVALID_INPUT;
}

/* The model for the first string of `compatible` that has one. */
static const struct device_model *
find_model(const struct device_context *context)
{
    const struct device_model *model = NULL;
    int count = fdt_stringlist_count(context->fdt, context->node, "compatible");

    for (int i = 0; i < count && model == NULL; i++) {
        const char *name = fdt_stringlist_get(context->fdt, context->node,
                                              "compatible", i, NULL);
        if (name != NULL)
            model = device_model_find(name);
    }
    return model;
}

static err_t fill_name(const struct device_context *context,
                       struct device *device, const char **what)
{
    int length;
    const char *name = fdt_get_name(context->fdt, context->node, &length);

    if (name == NULL || length >= DEVICE_NAME_SIZE)
        return wrong("node name", what);
    memcpy(device->name, name, (size_t)length + 1);
    return OK;
}

#define PORTS UINT64_C(0x10000)

/* BUS_MMIO is 0: what a model has not said. */
static err_t fill_range(const struct device_context *context,
                        struct device *device, const char **what)
{
    struct device_range *range = &device->ranges[0];
    err_t error;

    if (device->range_count != 0 || context->pci != NULL)
        return OK;
    error = device_parse_reg(context, &range->base, &range->size, what);
    if (error != OK)
        return error;
    if (range->bus == BUS_PORT &&
        (range->base >= PORTS || range->size > PORTS - range->base))
        return ERR_INVALID_INPUT;
    range->index = 0;
    if (range->widths == 0)
        range->widths = WIDTH_ALL;
    device->range_count = 1;
    return OK;
}

static err_t fill_irq(const struct device_context *context,
                      struct device *device, const char **what)
{
    const struct irq_chip *chip = context->irq_chip;
    uint32_t most = chip != NULL ? chip->irq_count - 1 : 0;

    if (device->irq != DEVICE_NO_IRQ)
        return OK;
    device->irq_chip = context->irq_chip;
    return device_parse_cell(context, "interrupts", 1, most, &device->irq,
                             what);
}

err_t device_from_node(const struct device_context *context,
                       struct device **device, const char **what)
{
    const struct device_model *model = find_model(context);
    struct device *made = NULL;
    err_t error;

    *what = "compatible";
    if (model == NULL)
        return ERR_NOT_FOUND;
    *what = "device";
    error = model->create(context, &made, what);
    if (error != OK)
        return error;
    made->model = model;
    error = fill_name(context, made, what);
    if (error == OK)
        error = fill_range(context, made, what);
    if (error == OK && !model->is_irq_chip)
        error = fill_irq(context, made, what);
    if (error != OK)
        return error;
    spin_lock(&made->lock);
    made->ops->reset(made);
    spin_unlock(&made->lock);
    *device = made;
    return OK;
}

static int describe_compatible(const struct device_model *model, void *fdt)
{
    const char *list = model->guest_compatible;
    uint32_t size = model->guest_compatible_size;

    if (list == NULL)
        list = model->compatible;
    if (list == model->compatible || size == 0)
        size = (uint32_t)strlen(list) + 1;
    return fdt_property(fdt, "compatible", list, (int)size);
}

static int describe_reg(const struct device *device, void *fdt)
{
    fdt64_t cells[2 * DEVICE_MAX_RANGES];
    size_t count = 0;

    for (unsigned i = 0; i < device->range_count; i++) {
        const struct device_range *range = &device->ranges[i];

        if (range->bus != BUS_MMIO)
            continue;
        cells[count++] = cpu_to_fdt64(range->base);
        cells[count++] = cpu_to_fdt64(range->size);
    }
    return count == 0 ? 0
                      : fdt_property(fdt, "reg", cells,
                                     (int)(count * sizeof(cells[0])));
}

static int describe_irq(const struct device *device, void *fdt)
{
    int error;

    if (device->irq == DEVICE_NO_IRQ)
        return 0;
    error = fdt_property_u32(fdt, "interrupt-parent", DEVICE_PHANDLE_IRQ_CHIP);
    return error != 0 ? error
                      : fdt_property_u32(fdt, "interrupts", device->irq);
}

static int describe_own(const struct device *device, void *fdt)
{
    const struct device_model *model = device->model;
    int error = fdt_begin_node(fdt, device->name);

    if (error == 0)
        error = describe_compatible(model, fdt);
    if (error == 0)
        error = describe_reg(device, fdt);
    if (error == 0)
        error = describe_irq(device, fdt);
    if (error == 0 && model->is_irq_chip)
        error = fdt_property_u32(fdt, "phandle", DEVICE_PHANDLE_IRQ_CHIP);
    if (error == 0 && model->describe != NULL)
        error = model->describe(device, fdt);
    return error != 0 ? error : fdt_end_node(fdt);
}

int device_describe(const struct device *device, void *fdt)
{
    int error = describe_own(device, fdt);

    if (error == 0 && device->model->describe_beside != NULL)
        error = device->model->describe_beside(device, fdt);
    return error;
}
