/* SPDX-License-Identifier: Apache-2.0 */
/* The check of device trees: see device_tree.h. Devicetree Specification 0.4,
 * section 5.2. */
#include "sim/device_tree.h"

#include <libfdt.h>

#define OLDEST_VERSION 16

int device_tree_check(const void *tree, size_t size)
{
    if (size < sizeof(struct fdt_header))
        return -FDT_ERR_TRUNCATED;
    if (fdt_magic(tree) == FDT_MAGIC && fdt_version(tree) < OLDEST_VERSION)
        return -FDT_ERR_BADVERSION;
    return fdt_check_full(tree, size);
}
