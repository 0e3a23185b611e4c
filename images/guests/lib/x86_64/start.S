/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of a tiny guest: a multiboot 1 kernel (Multiboot Specification
 * 0.6.96, section 3), and one of PVH (Xen, docs/misc/pvh.pandoc), entered in
 * 32-bit protected mode either way. It goes on in long mode, with the lowest
 * 4 GiB mapped to themselves. The very first instruction reads the time-stamp
 * counter, so that the bench guest can tell what came before it.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x3 /* modules at pages, and tell about memory */

#define CODE32 0x08
#define CODE64 0x10
#define DATA   0x18

#define CR0_PE_PG   0x80000001
#define CR4_PAE     0x20
#define EFER        0xc0000080
#define EFER_LME    0x100
#define PAGE_RW     0x3
#define LARGE_RW    0x83
#define AP_BASE     0x8000 /* where the trampoline is copied to */

#define XEN_ELFNOTE_PHYS32_ENTRY 18

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .long   guest_start

    .section .text.start, "ax"
    .code32
    .balign 4
    .long   MAGIC, FLAGS, -(MAGIC + FLAGS)

    .globl  guest_start
guest_start:
    rdtsc
    mov     %eax, guest_first_tsc
    mov     %edx, guest_first_tsc + 4
    mov     %ebx, guest_boot_info
    mov     $boot_stack_top, %esp
    mov     $guest_begin, %esi

/* To long mode, and to the function in ESI. */
to_long_mode:
    lgdt    gdt_pointer
    mov     $CR4_PAE, %eax
    mov     %eax, %cr4
    mov     $pml4, %eax
    mov     %eax, %cr3
    mov     $EFER, %ecx
    rdmsr
    or      $EFER_LME, %eax
    wrmsr
    mov     %cr0, %eax
    or      $CR0_PE_PG, %eax
    mov     %eax, %cr0
    ljmp    $CODE64, $in_long_mode

    .code64
in_long_mode:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    lidt    guest_idt_pointer
    mov     %esi, %esi
    call    *%rsi
1:  cli
    hlt
    jmp     1b

/*
 * Another processor: from SIPI, in real mode, at AP_BASE. Its stack is what
 * guest_ap_stack says.
 */
    .globl  guest_ap_start, guest_ap_end
    .code16
guest_ap_start:
    cli
    xor     %ax, %ax
    mov     %ax, %ds
    lgdtl   AP_BASE + ap_gdt_pointer - guest_ap_start
    mov     %cr0, %eax
    or      $1, %al
    mov     %eax, %cr0
    ljmpl   $CODE32, $ap_in_protected_mode
    .balign 4
ap_gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt
guest_ap_end:

    .code32
ap_in_protected_mode:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %ss
    mov     guest_ap_stack, %esp
    mov     $guest_ap_begin, %esi
    jmp     to_long_mode

    .code64
/*
 * Exceptions and interrupts: the vector is on the stack, above it an error
 * code. All registers are saved, guest_trap() decides.
 */
    .globl  guest_vectors
    .balign 16
guest_vectors:
    .set    vector, 0
    .rept   256
    .balign 16
    .if     vector != 8 && vector != 17 && (vector < 10 || vector > 14)
    push    $0
    .endif
    pushq   $vector
    jmp     trap
    .set    vector, vector + 1
    .endr

trap:
    .irp    reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, \
                 r13, r14, r15
    push    %\reg
    .endr
    mov     %rsp, %rdi
    cld
    call    guest_trap
    .irp    reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, \
                 rdx, rcx, rax
    pop     %\reg
    .endr
    add     $16, %rsp
    iretq

    .section .rodata
    .balign 8
gdt:
    .quad   0
    .quad   0x00cf9a000000ffff
    .quad   0x00af9a000000ffff
    .quad   0x00cf92000000ffff
gdt_end:
gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt

    .data
    .balign 4096
pml4:
    .quad   pdpt + PAGE_RW
    .zero   4096 - 8
pdpt:
    .quad   pages + PAGE_RW, pages + 0x1000 + PAGE_RW
    .quad   pages + 0x2000 + PAGE_RW, pages + 0x3000 + PAGE_RW
    .zero   4096 - 32
pages:
    .set    page, 0
    .rept   2048
    .quad   (page << 21) + LARGE_RW
    .set    page, page + 1
    .endr

    .bss
    .balign 16
    .zero   0x4000
boot_stack_top:
