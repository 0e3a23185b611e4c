/* SPDX-License-Identifier: Apache-2.0 */
/* The boot part of a vCPU's operations, whatever it is virtualized by. */
#ifndef ARCH_X86_64_BOOT_LOAD_H
#define ARCH_X86_64_BOOT_LOAD_H

#include "lib/compiler.h"
#include "lib/error.h"
#include "vcpu/boot.h"

/*
 * `load` of struct vcpu_ops: by the protocol that the configuration names, or
 * Linux's. `state` is a struct x86_entry. A VM that has an APIC, an IOAPIC and
 * ACPI's registers, and RAM below 1 MiB, finds ACPI tables there, but for
 * firmware, which finds them in fw_cfg if the VM has that.
 */
err_t x86_boot_vm(const struct vm_boot *boot, void *state,
                  char *what) MUST_CHECK;

#endif
