/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets of single devices share: a node to make a device from. */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include <libfdt.h>

#include "device/device.h"
#include "fuzz/harness.h"

/* A configuration of one device at `base`, in `tree`: its node. `cell` is a
 * property of one cell, or NULL. */
static inline int fuzz_make_node(void *tree, int tree_size,
                                 const char *compatible, uint64_t size,
                                 const char *cell, uint32_t value)
{
    const fdt64_t reg[] = {cpu_to_fdt64(0x10000000), cpu_to_fdt64(size)};
    int error = fdt_create(tree, tree_size);

    error |= fdt_finish_reservemap(tree);
    error |= fdt_begin_node(tree, "");
    error |= fdt_begin_node(tree, "device@10000000");
    error |= fdt_property(tree, "compatible", compatible,
                          (int)strlen(compatible) + 1);
    error |= fdt_property(tree, "reg", reg, (int)sizeof(reg));
    error |= fdt_property_u32(tree, "interrupts", 1);
    if (cell != NULL)
        error |= fdt_property_u32(tree, cell, value);
    error |= fdt_end_node(tree);
    error |= fdt_end_node(tree);
    error |= fdt_finish(tree);
    fuzz_need(error == 0, "the device's node cannot be made");
    return fdt_first_subnode(tree, 0);
}

#endif
