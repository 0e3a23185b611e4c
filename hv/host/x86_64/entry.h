/* SPDX-License-Identifier: Apache-2.0 */
/* What C and assembly of the x86_64 host have in common. */
#ifndef HOST_X86_64_ENTRY_H
#define HOST_X86_64_ENTRY_H

/* The GDT's segments; the TSS takes two entries. */
#define SELECTOR_CODE   0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x18
#define SELECTOR_TSS    0x20

/* How the boot loader hands over: x86_boot()'s first argument. */
#define BOOT_PVH        1
#define BOOT_MULTIBOOT2 2
#define BOOT_UNKNOWN    3

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

/*
 * Interrupt vectors. The upper half of a vector is its priority: the console's
 * is the lowest, since it stays in service until its device has been served.
 */
#define VECTOR_CONSOLE  0x30
#define VECTOR_TIMER    0x40
#define VECTOR_IPI      0x50
#define VECTOR_SPURIOUS 0xff

#endif
