/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of x86_64 in the simulator share. */
#ifndef SIM_X86_64_ARCH_H
#define SIM_X86_64_ARCH_H

#include "arch/x86_64/vmx/vmx.h"
#include "sim/arch.h"
#include "sim/spec.h"

/* With SVM, and with VMX. */
extern const struct scenario_language x86_64_language, x86_64_vmx_language;
extern const struct sim_bench x86_64_bench;
extern const struct seed_format x86_64_seeds, x86_64_vmx_seeds;

/* --- arch.c --- */

/* Those of struct sim_arch that do not depend on the vendor. */
size_t x86_64_snapshot_size(uint32_t cpus);
void x86_64_save(void *to, uint32_t cpus);
void x86_64_restore(const void *from, uint32_t cpus);
bool x86_64_format_value(const char *field, uint64_t value, char *text,
                         size_t size);

#define X86_64_SIM_ARCH                                                       \
    .set_source = fake_x86_set_source, .snapshot_size = x86_64_snapshot_size, \
    .save = x86_64_save, .restore = x86_64_restore,                           \
    .format_value = x86_64_format_value, .usual_vm = x86_64_usual_vm,         \
    .complete_vm = x86_64_complete_vm, .bench = &x86_64_bench

/* --- arch_vmx.c --- */

/* The register as the guest has it, wherever its VMCS is: on any CPU, in
 * memory, or not made yet. */
uint64_t x86_64_vmx_register(const struct vmx_vcpu *v, enum x86_register reg);
/* Its VMCS's fields, by enum vmcs_at, wherever that is. */
const uint64_t *x86_64_vmx_fields(const struct vmx_vcpu *v);

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
