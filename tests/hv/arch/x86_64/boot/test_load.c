/* SPDX-License-Identifier: Apache-2.0 */
/* What of a VM's description no boot protocol ever sees. */
#include "hv/arch/x86_64/boot/rig.h"

#include "arch/x86_64/boot/load.h"
#include "sim/arch.h"
#include "vcpu/vcpu.h"

#define TOO_MANY 17

static const struct vm_image none, placed = {.size = 1, .has_load = true},
                                   file = {.size = 1};
static struct vm_image modules[TOO_MANY];
static struct vm_memory memory[TOO_MANY];

static const struct {
    struct vm_boot boot;
    const char *what;
} rows[] = {
    {{.protocol = "nosuch", .kernel = &file}, "boot-protocol"},
    {{.kernel = &placed}, "kernel: load-address"},
    {{.kernel = &file, .initrd = &placed}, "initrd: load-address"},
    {{.kernel = &file, .module_count = TOO_MANY}, "module: more than 16"},
    {{.kernel = &file, .memory_count = TOO_MANY}, "memory: more than 16"},
};

Test(load, what_cannot_be_described_is_refused, .init = rig_start,
     .fini = rig_end)
{
    x86_64_sim_arch.reset(NULL, 1);
    for_each_row (i, rows) {
        struct vm_boot boot = rows[i].boot;
        char what[VM_REASON_SIZE] = "";
        struct x86_entry entry;

        boot.cmdline = "";
        boot.modules = modules;
        boot.memory = memory;
        boot.aspace = &rig.memory;
        if (boot.initrd == NULL)
            boot.initrd = &none;
        cr_expect_eq(x86_boot_vm(&boot, &entry, what), ERR_INVALID_INPUT,
                     "row %zu", i);
        cr_expect_not_null(strstr(what, rows[i].what), "row %zu: %s", i, what);
    }
}
