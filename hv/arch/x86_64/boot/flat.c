/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat image, loaded to 0x7c00 and entered there in real mode, the way a
 * PC's firmware starts a boot sector: DL says from which disk, the rest of the
 * registers nothing. BIOS Boot Specification 1.01, section 6.5.
 *
 * It may be longer than a sector and need not end in 0xaa55. There is no
 * firmware: the interrupt vectors are zeros, and no INT does anything.
 */
#include "arch/x86_64/boot/internal.h"

#define LOAD_ADDRESS UINT64_C(0x7c00)
#define FIRST_DISK   0x80

err_t boot_flat(struct boot *boot)
{
    const struct x86_boot_file *kernel = &boot->image->kernel;
    err_t error;

    if (boot->image->module_count != 0)
        return boot_refuse(boot, "module: a flat image takes none");
    if (kernel->cmdline != NULL)
        return boot_refuse(boot, "command line: a flat image takes none");
    error = boot_claim(boot, "kernel", LOAD_ADDRESS, kernel->size);
    if (error == OK)
        error = boot_store_file(boot, "kernel", gpa(LOAD_ADDRESS), kernel, 0,
                                kernel->size);
    if (error != OK)
        return error;
    x86_entry_init(boot->entry, X86_ENTRY_REAL, LOAD_ADDRESS);
    boot->entry->gpr[X86_GPR_RDX] = FIRST_DISK;
    boot->entry->gpr[X86_GPR_RSP] = LOAD_ADDRESS;
    return OK;
}
