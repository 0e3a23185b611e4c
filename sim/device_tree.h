/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what somebody wrote is a device tree that libfdt may be given. */
#ifndef SIM_DEVICE_TREE_H
#define SIM_DEVICE_TREE_H

#include <stddef.h>

/*
 * fdt_check_full(), but for trees of a version before 16, whose nodes have
 * paths for names: in some of them libfdt 1.6.1, which Debian has, reads
 * through NULL. Nobody makes them any more, and they are refused. Returns 0 or
 * an error of libfdt.
 */
int device_tree_check(const void *tree, size_t size);

#endif
