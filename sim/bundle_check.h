/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that check configurations share. */
#ifndef SIM_BUNDLE_CHECK_H
#define SIM_BUNDLE_CHECK_H

#include <stdbool.h>

#include "lib/compiler.h"
#include "lib/error.h"

struct check {
    const void *fdt;
    char *what; /* of BUNDLE_WHAT_SIZE bytes: the message */
};

/* Writes the message, the node's path first. Returns ERR_INVALID_INPUT. */
err_t bundle_refuse(const struct check *check, int node, const char *format,
                    ...) PRINTF_LIKE(3, 4);

/* Whether the node's name, less its unit address, is `name`. */
bool bundle_has_name(const struct check *check, int node, const char *name);

/* Whether the `reg` of a device's node is of ports. */
bool bundle_is_at_ports(const struct check *check, int node);

/* Each node and property is one that the tables know, and of their form. */
err_t bundle_check_rules(const struct check *check) MUST_CHECK;

#endif
