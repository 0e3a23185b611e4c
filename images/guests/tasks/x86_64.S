/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that switches tasks, in all ways there are: Intel SDM volume 3,
 * chapter 7. It is started in real mode, goes to 32-bit protected mode with
 * paging, and says through COM1 what it finds, and what it should have been.
 * One processor makes its task switches, another one lets the hypervisor make
 * them: the guest finds the same.
 */
#define COM1        0x3f8
#define COM1_LSR    0x3fd
#define LSR_THRE    0x20
#define PM1_CONTROL 0xb004
#define SLP_EN      0x2000

#define CR0_PE 0x1
#define CR0_TS 0x8
#define CR0_PG 0x80000000

#define EFLAGS_FIXED 0x2
#define EFLAGS_NT    0x4000
#define EFLAGS_V86   0x20002
#define EFLAGS_V86_NT 0x24000

#define DR6_BT 0x8000
#define DR7_L  0x55
#define DR7_LE 0x100

/* Two address spaces, which map the first MiB to itself; the second shows
 * OTHER at PLACE. */
#define TABLES     0x20000
#define TABLES_TWO 0x22000
#define PLACE      0x30000
#define OTHER      0x31000
#define PTE        0x7

#define VALUE_PLACE     0x600d0001
#define VALUE_PLACE_LOW 0x0001
#define VALUE_OTHER     0x600d0002

/* In the GDT. */
#define CODE      0x08
#define DATA      0x10
#define MAIN      0x18
#define CALLED    0x20
#define GATE      0x28 /* to CALLED */
#define SMALL     0x30 /* of 16 bits */
#define JUMPED    0x38
#define OWN       0x40 /* with an LDT and an address space of its own */
#define OWN_LDT   0x48
#define TRAPPED   0x50 /* with T */
#define V86       0x58
#define HANDLER   0x60 /* of exceptions with an error code */
#define BROKEN    0x68 /* some of whose segments are none */
#define ABSENT    0x70 /* data that is not present */
#define NOWHERE   0xfff8
/* In the LDT. */
#define OWN_CODE 0x04
#define OWN_DATA 0x0c

#define TYPE_TSS      0x89
#define TYPE_TSS_BUSY 0x8b
#define TSS_SIZE      104
#define TSS_LIMIT     (TSS_SIZE-1)

/* Fields of a TSS. */
#define LINK   0
#define EIP    32
#define EFLAGS 36
#define EAX    40
#define SS     80
#define DS     84

#define VECTOR_DB   1
#define VECTOR_TS   10
#define VECTOR_GP   13
#define VECTOR_CALL 0x40

/* Bits of `from` are `value`. */
.macro EXPECT name, from, mask, value
    mov     \from, %eax
    and     $\mask, %eax
    mov     $\value, %edx
    call    check
    .asciz  "\name"
.endm

/*
 * The same, of what not all processors that make task switches do. QEMU's does
 * not trap by T, marks no segment as accessed, leaves DR7.LE, and in a new task
 * that cannot load its segments is at the CALL still; Bochs' loses DR6.BT if
 * SVM intercepts #DB.
 */
.macro NOTE name, from, mask, value
    push    failures
    EXPECT  "\name", \from, \mask, \value
    pop     failures
.endm

.macro SEGMENT base, limit, access, flags=0
    .word   \limit, \base
    .byte   0, \access, \flags, 0
.endm

.macro TASK name, eip, eflags=EFLAGS_FIXED, cr3=TABLES, cs=CODE, data=DATA, \
            ldt=0, trap=0
    .balign 128
\name:
    .long   0, 0, 0, 0, 0, 0, 0
    .long   \cr3, \eip, \eflags
    .long   0x11111111, 0x22222222, 0x33333333, 0x44444444
    .long   \name + 1024, 0x55555555, 0x66666666, 0x77777777
    .long   \data, \cs, \data, \data, \data, \data, \ldt
    .word   \trap, TSS_SIZE
    .skip   1024 - TSS_SIZE
.endm

    .code16
    .text
    .globl  guest_start
guest_start:
    cli
    ljmp    $0, $1f
1:  xor     %ax, %ax
    mov     %ax, %ds
    lgdtl   gdt_pointer
    lidtl   idt_pointer
    mov     %cr0, %eax
    or      $CR0_PE, %eax
    mov     %eax, %cr0
    ljmpl   $CODE, $protected

    .code32
protected:
    mov     $DATA, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     %eax, %fs
    mov     %eax, %gs
    mov     $main + 1024, %esp
    cld
    mov     $TABLES, %edi
    call    make_tables
    mov     $TABLES_TWO, %edi
    call    make_tables
    movl    $OTHER | PTE, TABLES_TWO + 0x1000 + PLACE / 0x1000 * 4
    movl    $VALUE_PLACE, PLACE
    movl    $VALUE_OTHER, OTHER
    mov     $TABLES, %eax
    mov     %eax, %cr3
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    mov     $MAIN, %eax
    ltr     %ax

    call    test_call
    call    test_gates
    call    test_jump
    call    test_small
    call    test_own
    call    test_trap
    call    test_exceptions
    call    test_broken
    call    test_v86

    mov     $text_ok, %esi
    cmpl    $0, failures
    je      1f
    mov     $text_failed, %esi
1:  call    print
    mov     $PM1_CONTROL, %dx
    mov     $SLP_EN, %ax
    outw    %ax, %dx
1:  hlt
    jmp     1b

/* At EDI: a page directory, and the page table behind it. */
make_tables:
    lea     0x1000 + PTE(%edi), %eax
    mov     %eax, (%edi)
    add     $0x1000, %edi
    mov     $PTE, %eax
1:  stosl
    add     $0x1000, %eax
    cmp     $0x100000, %eax
    jb      1b
    ret

/* --- CALL to a TSS, and IRET --- */

test_call:
    mov     $DR7_L | DR7_LE, %eax
    mov     %eax, %dr7
    mov     $0xabcd0001, %ebx
    clts
    lcall   $CALLED, $0
called_from:
    EXPECT  "call: what the task finds in EAX", seen_eax, -1, 0x11111111
    EXPECT  "call: its NT", seen_flags, EFLAGS_NT, EFLAGS_NT
    EXPECT  "call: CR0.TS", seen_cr0, CR0_TS, CR0_TS
    EXPECT  "call: DR7", seen_dr7, DR7_L, 0
    NOTE    "call: DR7.LE", seen_dr7, DR7_LE, 0
    EXPECT  "call: TR", seen_tr, 0xffff, CALLED
    EXPECT  "call: the link", tss_called + LINK, 0xffff, MAIN
    EXPECT  "call: the type of the first, meanwhile", seen_type, 0xff, \
            TYPE_TSS_BUSY
    EXPECT  "call: where it has been left", seen_eip, -1, called_from
    EXPECT  "call: EBX", %ebx, -1, 0xabcd0001
    pushf
    pop     %ecx
    EXPECT  "iret: NT", %ecx, EFLAGS_NT, 0
    EXPECT  "iret: NT of the other one", tss_called + EFLAGS, EFLAGS_NT, 0
    str     %ecx
    EXPECT  "iret: TR", %ecx, 0xffff, MAIN
    EXPECT  "iret: the type of the other one", gdt + CALLED + 5, 0xff, TYPE_TSS
    EXPECT  "iret: the type of this one", gdt + MAIN + 5, 0xff, TYPE_TSS_BUSY
    mov     %cr0, %ecx
    EXPECT  "iret: CR0.TS", %ecx, CR0_TS, CR0_TS
    clts
    ret

called:
    mov     %eax, seen_eax
    pushf
    popl    seen_flags
    mov     %cr0, %eax
    mov     %eax, seen_cr0
    mov     %dr7, %eax
    mov     %eax, seen_dr7
    str     seen_tr
    mov     gdt + MAIN + 5, %al
    mov     %al, seen_type
    mov     tss_main + EIP, %eax
    mov     %eax, seen_eip
    incl    seen_count
    mov     $0xabcd0002, %ebx
    mov     $0x11111111, %eax
    clts
    iret
    jmp     called

/* --- Task gates --- */

test_gates:
    movl    $0, seen_count
    lcall   $GATE, $0
    EXPECT  "gate: calls", seen_count, -1, 1
    int     $VECTOR_CALL
after_int:
    EXPECT  "int: calls", seen_count, -1, 2
    EXPECT  "int: where it has been left", seen_eip, -1, after_int
    ret

/* --- JMP --- */

test_jump:
    ljmp    $JUMPED, $0
    EXPECT  "jmp: NT", seen_flags, EFLAGS_NT, 0
    EXPECT  "jmp: the type of the first, meanwhile", seen_type, 0xff, TYPE_TSS
    EXPECT  "jmp: the type of the other one", gdt + JUMPED + 5, 0xff, TYPE_TSS
    EXPECT  "jmp: the type of this one", gdt + MAIN + 5, 0xff, TYPE_TSS_BUSY
    EXPECT  "jmp: no link", tss_jumped + LINK, 0xffff, 0
    ret

jumped:
    pushf
    popl    seen_flags
    mov     gdt + MAIN + 5, %al
    mov     %al, seen_type
    ljmp    $MAIN, $0

/* --- A TSS of 16 bits --- */

test_small:
    mov     $0x12345678, %ebx
    lcall   $SMALL, $0
    EXPECT  "16 bits: AX", seen_eax, 0xffff, 0x1616
    EXPECT  "16 bits: FS", seen_type, 0xffff, 0
    EXPECT  "16 bits: EBX", %ebx, -1, 0x12345678
    EXPECT  "16 bits: BX of the other one", tss_small + 24, 0xffff, 0x9abc
    EXPECT  "16 bits: the link", tss_small + LINK, 0xffff, MAIN
    mov     %fs, %ecx
    EXPECT  "16 bits: FS again", %ecx, 0xffff, DATA
    ret

small:
    mov     %eax, seen_eax
    mov     %fs, seen_type
    mov     $0x9abc, %ebx
    iret
    jmp     small

/* --- An LDT, and other page tables --- */

test_own:
    lcall   $OWN, $0
    EXPECT  "own: memory", seen_eax, -1, VALUE_OTHER
    EXPECT  "own: LDTR", seen_type, 0xffff, OWN_LDT
    EXPECT  "own: CS", seen_tr, 0xffff, OWN_CODE
    EXPECT  "own: memory again", PLACE, -1, VALUE_PLACE
    sldt    %ecx
    EXPECT  "own: LDTR again", %ecx, 0xffff, 0
    NOTE    "own: accessed", ldt+8+5, 0xff, 0x93
    ret

own:
    mov     PLACE, %eax
    mov     %eax, seen_eax
    sldt    seen_type
    mov     %cs, seen_tr
    iret
    jmp     own

/* --- The T flag --- */

test_trap:
    movl    $0, seen_count
    lcall   $TRAPPED, $0
    NOTE    "trap: DR6", seen_dr6, 0xe00f, DR6_BT
    NOTE    "trap: EIP", seen_eip, -1, trapped
    NOTE    "trap: how often", seen_count, -1, 1
    ret

trapped:
    iret
    jmp     trapped

on_debug:
    push    %eax
    mov     %dr6, %eax
    mov     %eax, seen_dr6
    xor     %eax, %eax
    mov     %eax, %dr6
    mov     4(%esp), %eax
    mov     %eax, seen_eip
    incl    seen_count
    pop     %eax
    iret

/* --- Exceptions through a task gate --- */

test_exceptions:
    movl    $1f, resume
    movl    $MAIN, resume_task
    mov     $NOWHERE, %eax
there:
    mov     %eax, %gs
1:  EXPECT  "#GP: the error code", seen_error, -1, NOWHERE
    EXPECT  "#GP: the link", seen_link, 0xffff, MAIN
    EXPECT  "#GP: EIP", seen_eip, -1, there
    movl    $1f, resume
    lcall   $MAIN, $0
1:  EXPECT  "busy: the error code", seen_error, -1, MAIN
    ret

/* Its task is left for resume_task, at `resume`. */
handler:
    popl    seen_error
    mov     tss_handler + LINK, %ax
    mov     %ax, seen_link
    mov     tss_main + EIP, %eax
    mov     %eax, seen_eip
    mov     tss_v86 + EFLAGS, %eax
    mov     %eax, seen_flags
    mov     resume, %eax
    mov     %eax, tss_main + EIP
    mov     resume_task, %ax
    mov     %ax, tss_handler + LINK
    iret
    jmp     handler

/* --- Segments that the new task cannot load --- */

test_broken:
    movl    $NOWHERE, tss_broken + SS
    movl    $1f, resume
    lcall   $BROKEN, $0
1:  EXPECT  "SS: the error code", seen_error, -1, NOWHERE
    EXPECT  "SS: the link", seen_link, 0xffff, BROKEN
    movl    $DATA, tss_broken + SS
    movl    $ABSENT, tss_broken + DS
    movb    $TYPE_TSS, gdt + BROKEN + 5
    movl    $broken, tss_broken + EIP
    movl    $1f, resume
    lcall   $BROKEN, $0
1:  EXPECT  "DS: the error code", seen_error, -1, ABSENT
    EXPECT  "DS: the link", seen_link, 0xffff, BROKEN
    EXPECT  "DS: EAX", tss_broken + EAX, -1, 0x11111111
    NOTE    "DS: EIP", tss_broken + EIP, -1, broken
    ret

broken:
    hlt

/* --- Virtual-8086 mode --- */

test_v86:
    movl    $1f, resume
    movl    $PLACE / 16, tss_v86 + DS
    lcall   $V86, $0
1:  EXPECT  "v86: memory", seen_eax, 0xffff, VALUE_PLACE_LOW
    EXPECT  "v86: the error code", seen_error, -1, 0
    EXPECT  "v86: the link", seen_link, 0xffff, V86
    EXPECT  "v86: EFLAGS", seen_flags, EFLAGS_V86_NT, EFLAGS_V86_NT
    EXPECT  "v86: where it is", tss_v86 + EIP, -1, v86_halts
    EXPECT  "v86: AX", tss_v86 + EAX, 0xffff, VALUE_PLACE_LOW
    ret

    .code16
v86:
    mov     0, %ax
    mov     %ax, %es:seen_eax
v86_halts:
    hlt
    .code32

/* --- Text --- */

/* EAX is EDX; the name follows the call. */
check:
    xchg    %esi, (%esp)
    push    %eax
    push    %edx
    push    %esi
    mov     $text_guest, %esi
    call    print
    pop     %esi
    call    print
    mov     4(%esp), %eax
    call    print_number
    pop     %edx
    pop     %eax
    cmp     %eax, %edx
    je      1f
    incl    failures
    push    %esi
    mov     $text_not, %esi
    call    print
    pop     %esi
    mov     %edx, %eax
    call    print_number
1:  mov     $'\n', %al
    call    put
    xchg    %esi, (%esp)
    ret

/* ESI is behind the text then. */
print:
    lodsb
    test    %al, %al
    jz      1f
    call    put
    jmp     print
1:  ret

print_number:
    mov     %eax, %ebp
    mov     $8, %edi
    mov     $':', %al
    call    put
    mov     $' ', %al
    call    put
1:  rol     $4, %ebp
    mov     %ebp, %eax
    and     $15, %eax
    mov     digits(%eax), %al
    call    put
    dec     %edi
    jnz     1b
    ret

put:
    push    %edx
    push    %eax
    mov     $COM1_LSR, %dx
1:  inb     %dx, %al
    test    $LSR_THRE, %al
    jz      1b
    pop     %eax
    mov     $COM1, %dx
    outb    %al, %dx
    pop     %edx
    ret

text_guest:
    .asciz  "guest: "
text_not:
    .asciz  ", and not"
text_ok:
    .asciz  "guest: all checks: ok\n"
text_failed:
    .asciz  "guest: some checks: failed\n"
digits:
    .ascii  "0123456789abcdef"

/* --- Data --- */

    .balign 8
failures:    .long 0
resume:      .long 0
resume_task: .long 0
seen_eax:    .long 0
seen_flags:  .long 0
seen_cr0:    .long 0
seen_dr6:    .long 0
seen_dr7:    .long 0
seen_tr:     .long 0
seen_type:   .long 0
seen_eip:    .long 0
seen_count:  .long 0
seen_error:  .long 0
seen_link:   .long 0

    .balign 8
gdt:
    SEGMENT 0, 0, 0
    SEGMENT 0, 0xffff, 0x9b, 0xcf
    SEGMENT 0, 0xffff, 0x93, 0xcf
    SEGMENT tss_main, TSS_LIMIT, TYPE_TSS
    SEGMENT tss_called, TSS_LIMIT, TYPE_TSS
    .word   0, CALLED
    .byte   0, 0x85, 0, 0
    SEGMENT tss_small, 43, 0x81
    SEGMENT tss_jumped, TSS_LIMIT, TYPE_TSS
    SEGMENT tss_own, TSS_LIMIT, TYPE_TSS
    SEGMENT ldt, 15, 0x82
    SEGMENT tss_trapped, TSS_LIMIT, TYPE_TSS
    SEGMENT tss_v86, TSS_LIMIT, TYPE_TSS
    SEGMENT tss_handler, TSS_LIMIT, TYPE_TSS
    SEGMENT tss_broken, TSS_LIMIT, TYPE_TSS
    SEGMENT 0, 0xffff, 0x13, 0xcf
gdt_end:
ldt:
    SEGMENT 0, 0xffff, 0x9b, 0xcf
    SEGMENT 0, 0xffff, 0x92, 0xcf
gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt

    .balign 8
idt:
    .skip   8 * VECTOR_DB
    .word   on_debug, CODE, 0x8e00, 0
    .skip   idt + 8 * VECTOR_TS - .
    .word   0, HANDLER, 0x8500, 0
    .word   0, HANDLER, 0x8500, 0
    .skip   idt + 8 * VECTOR_GP - .
    .word   0, HANDLER, 0x8500, 0
    .skip   idt + 8 * VECTOR_CALL - .
    .word   0, CALLED, 0x8500, 0
idt_end:
idt_pointer:
    .word   idt_end - idt - 1
    .long   idt

    .balign 128
tss_small:
    .word   0, 0, 0, 0, 0, 0, 0
    .word   small, EFLAGS_FIXED
    .word   0x1616, 0x2626, 0x3636, 0x4646
    .word   tss_small + 512, 0x5656, 0x6666, 0x7676
    .word   DATA, CODE, DATA, DATA, 0
    .skip   512 - 44

    TASK    tss_main, 0
    .set    main, tss_main
    TASK    tss_called, called
    TASK    tss_jumped, jumped
    TASK    tss_own, own, cr3=TABLES_TWO, cs=OWN_CODE, data=OWN_DATA, \
            ldt=OWN_LDT
    TASK    tss_trapped, trapped, trap=1
    TASK    tss_v86, v86, eflags=EFLAGS_V86, cs=0, data=0
    TASK    tss_handler, handler
    TASK    tss_broken, broken
