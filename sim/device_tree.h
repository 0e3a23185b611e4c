/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what somebody wrote is a device tree that libfdt may be given. */
#ifndef SIM_DEVICE_TREE_H
#define SIM_DEVICE_TREE_H

#include <stddef.h>

/*
 * fdt_check_full(), but for what libfdt 1.6.1, which Debian has, cannot be
 * given: trees of a version before 16, whose nodes have paths for names, in
 * some of which it reads through NULL, and which nobody makes any more; and a
 * property of nearly 4 GiB, behind which it comes back to the property. Returns
 * 0 or an error of libfdt.
 */
int device_tree_check(const void *tree, size_t size);

#endif
