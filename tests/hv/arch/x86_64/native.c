/* SPDX-License-Identifier: Apache-2.0 */
/* Executes single instructions; see native.h. */
#define _GNU_SOURCE
#include "native.h"

#if defined(__x86_64__)

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_GS 0x1001

/* The trampoline's data; what is addressed relative to RIP needs no register.
 */
struct native_state native_state __attribute__((aligned(16)));
uint64_t native_stack, native_target;
void native_enter(void *code);
void native_exit(void);

/*
 * Loads everything, jumps to the instruction; the instruction is followed by a
 * jump to native_exit, where everything is stored. The offsets are those of
 * struct native_state.
 */
__asm__(".text\n"
        ".globl native_enter\n"
        "native_enter:\n"
        "  push %rbx\n  push %rbp\n  push %r12\n"
        "  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rdi, native_target(%rip)\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  movdqa native_state+144+16*\\n(%rip), %xmm\\n\n"
        "  .endr\n"
        "  pushq native_state+128(%rip)\n"
        "  popfq\n"
        "  mov %rsp, native_stack(%rip)\n"
        "  mov native_state+0(%rip), %rax\n"
        "  mov native_state+8(%rip), %rcx\n"
        "  mov native_state+16(%rip), %rdx\n"
        "  mov native_state+24(%rip), %rbx\n"
        "  mov native_state+32(%rip), %rsp\n"
        "  mov native_state+40(%rip), %rbp\n"
        "  mov native_state+48(%rip), %rsi\n"
        "  mov native_state+56(%rip), %rdi\n"
        "  .irp n,8,9,10,11,12,13,14,15\n"
        "  mov native_state+8*\\n(%rip), %r\\n\n"
        "  .endr\n"
        "  jmp *native_target(%rip)\n"
        ".globl native_exit\n"
        "native_exit:\n"
        "  mov %rax, native_state+0(%rip)\n"
        "  mov %rcx, native_state+8(%rip)\n"
        "  mov %rdx, native_state+16(%rip)\n"
        "  mov %rbx, native_state+24(%rip)\n"
        "  mov %rsp, native_state+32(%rip)\n"
        "  mov %rbp, native_state+40(%rip)\n"
        "  mov %rsi, native_state+48(%rip)\n"
        "  mov %rdi, native_state+56(%rip)\n"
        "  .irp n,8,9,10,11,12,13,14,15\n"
        "  mov %r\\n, native_state+8*\\n(%rip)\n"
        "  .endr\n"
        "  mov native_stack(%rip), %rsp\n"
        "  pushfq\n"
        "  popq native_state+128(%rip)\n"
        "  cld\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "  movdqa %xmm\\n, native_state+144+16*\\n(%rip)\n"
        "  .endr\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n"
        "  pop %r12\n  pop %rbp\n  pop %rbx\n"
        "  ret\n");

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static struct sigaction old_actions[SIGNALS];
static stack_t old_stack;
static volatile sig_atomic_t caught;

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;

    (void)info;
    caught = number;
    user->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)native_exit;
}

static void *map_low(size_t size, int protection)
{
    void *at = mmap(NULL, size, protection,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static void read_selectors(struct native *native)
{
    __asm__("mov %%es, %0" : "=r"(native->selector[X86_ES]));
    __asm__("mov %%cs, %0" : "=r"(native->selector[X86_CS]));
    __asm__("mov %%ss, %0" : "=r"(native->selector[X86_SS]));
    __asm__("mov %%ds, %0" : "=r"(native->selector[X86_DS]));
    __asm__("mov %%fs, %0" : "=r"(native->selector[X86_FS]));
    __asm__("mov %%gs, %0" : "=r"(native->selector[X86_GS]));
}

bool native_open(struct native *native)
{
    struct sigaction action = {.sa_flags =
                                   SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    stack_t stack = {.ss_size = 1 << 16};

    stack.ss_sp = malloc(stack.ss_size);
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    native->memory = map_low(NATIVE_MEMORY, PROT_READ | PROT_WRITE);
    native->code = map_low(0x1000, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (stack.ss_sp == NULL || native->memory == NULL || native->code == NULL ||
        sigaltstack(&stack, &old_stack) != 0 ||
        syscall(SYS_arch_prctl, ARCH_SET_GS, NATIVE_GS_BASE) != 0)
        abort();
    for (unsigned i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &old_actions[i]);
    read_selectors(native);
    return true;
}

void native_close(struct native *native)
{
    stack_t stack;

    for (unsigned i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &old_actions[i], NULL);
    sigaltstack(NULL, &stack);
    sigaltstack(&old_stack, NULL);
    free(stack.ss_sp);
    munmap(native->memory, NATIVE_MEMORY);
    munmap(native->code, 0x1000);
}

int native_run(struct native *native, const uint8_t *bytes, unsigned length,
               struct native_state *state)
{
    /* JMP [RIP + 0] */
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};
    uint64_t target = (uintptr_t)native_exit;

    memcpy(native->code, bytes, length);
    memcpy(native->code + length, jump, sizeof(jump));
    memcpy(native->code + length + sizeof(jump), &target, sizeof(target));
    native_state = *state;
    caught = 0;
    native_enter(native->code);
    *state = native_state;
    return caught;
}

#else

bool native_open(struct native *native)
{
    return false;
}

void native_close(struct native *native) {}

int native_run(struct native *native, const uint8_t *bytes, unsigned length,
               struct native_state *state)
{
    return 0;
}

#endif
