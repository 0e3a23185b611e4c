/* SPDX-License-Identifier: Apache-2.0 */
/* The contents of the DSDT: the machine's devices, in AML. */
#ifndef ARCH_X86_64_BOOT_DSDT_H
#define ARCH_X86_64_BOOT_DSDT_H

#include "arch/x86_64/boot/acpi.h"
#include "arch/x86_64/boot/blob.h"

void dsdt_put(struct blob *blob, const struct acpi_machine *machine);

#endif
