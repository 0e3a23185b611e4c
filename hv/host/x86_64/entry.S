/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where CPUs enter the image, and how they get to 64-bit mode.
 *
 * The boot CPU comes in protected mode without paging: from QEMU's -kernel by
 * the address in a Xen note (PVH: Xen, docs/misc/pvh.pandoc), from GRUB by
 * Multiboot2 (specification 2.0, section 3.3). Both hand over an address in
 * EBX. The others come from a start-up IPI, in real mode, in a copy of the
 * trampoline below 1 MiB; with paging off, they then go on in the image.
 *
 * A CPU's stack ends where its struct host_cpu begins, at the same place of an
 * aligned block: x86_host.h.
 */
#include "host/x86_64/entry.h"

#define CR0_BITS 0x80010033 /* PG, WP, NE, ET, MP, PE: caches are on */
#define CR4_PAE  0x20
#define MSR_EFER 0xc0000080
#define EFER_BITS 0x900 /* NXE, LME */
#define CPUID_EXT_FEATURES 0x80000001
#define CPUID_NX_LM 0x20100000

#define MULTIBOOT2_MAGIC 0xe85250d6
#define MULTIBOOT2_TAG_ALIGN 6 /* modules begin with a page */

    .section .note.pvh, "a", @note
    .balign 4
    .4byte 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .4byte x86_start_pvh

    .section .text.entry, "ax"
    .balign 8
multiboot2:
    .4byte MULTIBOOT2_MAGIC, 0, multiboot2_end - multiboot2
    .4byte -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2))
    .2byte MULTIBOOT2_TAG_ALIGN, 0
    .4byte 8
    .2byte 0, 0
    .4byte 8
multiboot2_end:

    .code32
    .globl x86_start_pvh
x86_start_pvh:
    movl $BOOT_PVH, %ebp
    jmp 1f

    .globl x86_start_multiboot
x86_start_multiboot:
    movl $BOOT_MULTIBOOT2, %ebp
    cmpl $MULTIBOOT2_LOADER_MAGIC, %eax
    je 1f
    movl $BOOT_UNKNOWN, %ebp
1:  cli
    cld
    lgdt x86_gdt_register
    movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %ebx, %esi

    movl $CPUID_EXT_FEATURES & 0xffff0000, %eax
    cpuid
    cmpl $CPUID_EXT_FEATURES, %eax
    jb no_long_mode
    movl $CPUID_EXT_FEATURES, %eax
    cpuid
    andl $CPUID_NX_LM, %edx
    cmpl $CPUID_NX_LM, %edx
    jne no_long_mode

    xorl %eax, %eax
    movl $image_bss_start, %edi
    movl $image_bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    rep stosl

    /* Tables that map the lowest 4 GiB where they are, by 2 MiB each. */
    movl $boot_tables, %edi
    leal 0x1003(%edi), %eax
    movl %eax, (%edi)
    leal 0x1000(%edi), %edx
    movl $4, %ecx
2:  addl $0x1000, %eax
    movl %eax, (%edx)
    addl $8, %edx
    loop 2b
    leal 0x2000(%edi), %edx
    movl $0x83, %eax
    movl $2048, %ecx
3:  movl %eax, (%edx)
    addl $0x200000, %eax
    addl $8, %edx
    loop 3b

    movl $x86_boot_64, %ebx
    jmp enter_64

    /* EDI: the page tables, EBX: where to go. */
enter_64:
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl %edi, %cr3
    movl $MSR_EFER, %ecx
    movl $EFER_BITS, %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_BITS, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE, $in_64

no_long_mode:
    movl $refusal, %esi
1:  movw $0x3fd, %dx
2:  inb %dx, %al
    testb $0x20, %al
    jz 2b
    movw $0x3f8, %dx
    lodsb
    outb %al, %dx
    testb %al, %al
    jnz 1b
3:  hlt
    jmp 3b

    /* The others, out of the trampoline. */
x86_start_other:
    movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl x86_root, %edi
    movl $x86_other_64, %ebx
    jmp enter_64

    .code64
in_64:
    jmp *%rbx

x86_boot_64:
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq x86_boot_cpu, %rsp
    movl %ebp, %edi /* ESI is the loader's address */
    call x86_boot

x86_other_64:
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq x86_starting, %rsp
    call x86_boot_other

    /* Real mode, CS its own segment. */
    .section .rodata.trampoline, "a"
    .code16
    .globl x86_trampoline, x86_trampoline_end
x86_trampoline:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl 1f - x86_trampoline
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE32, $x86_start_other
1:  .2byte x86_gdt_end - x86_gdt - 1
    .4byte x86_gdt
x86_trampoline_end:

    /* Flat segments, accessed: the processor has nothing to write. Each CPU
     * gets a copy, with its TSS. */
    .section .rodata.gdt, "a"
    .balign 8
    .globl x86_gdt, x86_gdt_end
x86_gdt:
    .8byte 0
    .8byte 0x00af9b000000ffff /* SELECTOR_CODE: 64-bit code */
    .8byte 0x00cf93000000ffff /* SELECTOR_DATA */
    .8byte 0x00cf9b000000ffff /* SELECTOR_CODE32 */
x86_gdt_end:
x86_gdt_register:
    .2byte x86_gdt_end - x86_gdt - 1
    .4byte x86_gdt
refusal:
    .asciz "twinax: this processor has no 64-bit mode, or no NX\r\n"

    .bss
    .balign 4096
boot_tables:
    .skip 6 * 4096
