/* SPDX-License-Identifier: Apache-2.0 */
/* The check of device trees: see device_tree.h. Devicetree Specification 0.4,
 * section 5.2. */
#include "sim/device_tree.h"

#include <libfdt.h>
#include <stdbool.h>
#include <string.h>

#include "lib/bits.h"

#define OLDEST_VERSION 16

static uint32_t cell(const void *tree, size_t at)
{
    return fdt32_ld((const fdt32_t *)(const void *)((const char *)tree + at));
}

/* Whether properties end before their tree does. Of what else may be wrong,
 * libfdt tells. */
static bool properties_fit(const char *tree)
{
    const size_t end = fdt_totalsize(tree);
    size_t at = fdt_off_dt_struct(tree);

    while (at + FDT_TAGSIZE <= end) {
        uint32_t tag = cell(tree, at);

        at += FDT_TAGSIZE;
        if (tag == FDT_BEGIN_NODE) {
            at += align_up(strnlen(tree + at, end - at) + 1, FDT_TAGSIZE);
        } else if (tag == FDT_PROP) {
            if (end - at < sizeof(struct fdt_property) - FDT_TAGSIZE ||
                cell(tree, at) > end - at)
                return false;
            at += align_up(sizeof(struct fdt_property) - FDT_TAGSIZE +
                               cell(tree, at),
                           FDT_TAGSIZE);
        } else if (tag != FDT_END_NODE && tag != FDT_NOP) {
            break;
        }
    }
    return true;
}

int device_tree_check(const void *tree, size_t size)
{
    int error;

    if (size < sizeof(struct fdt_header))
        return -FDT_ERR_TRUNCATED;
    if (fdt_magic(tree) == FDT_MAGIC && fdt_version(tree) < OLDEST_VERSION)
        return -FDT_ERR_BADVERSION;
    error = fdt_check_header(tree);
    if (error == 0 && fdt_totalsize(tree) > size)
        error = -FDT_ERR_TRUNCATED;
    if (error == 0 && !properties_fit(tree))
        error = -FDT_ERR_BADSTRUCTURE;
    return error == 0 ? fdt_check_full(tree, size) : error;
}
