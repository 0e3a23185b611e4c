/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of x86_64 in the simulator share. */
#ifndef SIM_X86_64_ARCH_H
#define SIM_X86_64_ARCH_H

#include "sim/arch.h"
#include "sim/spec.h"

extern const struct scenario_language x86_64_language;
extern const struct seed_format x86_64_seeds;

/* --- spec.c --- */

/*
 * Memory at SPEC_MEMORY, and serial port, disk and finisher where riscv64's
 * usual VM has them; besides, 1 MiB of memory at 0, and a PC's interrupt
 * controllers, timer, clock, keyboard controller and ACPI registers.
 */
void x86_64_usual_vm(struct spec_vm *vm, uint32_t id, uint32_t vcpus);

/* Memory at 0, if there is none; and, if it has no kernel, one of the VM's boot
 * protocol: Linux's unless it says "flat". */
void x86_64_complete_vm(struct spec_vm *vm);

#endif
