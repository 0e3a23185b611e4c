/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the hypervisor, when it has found a bug of its own or cannot use
 * the machine. The report goes to the console, the machine is powered off as a
 * failure, and nothing loops in silence: a second panic on the same CPU, while
 * it reports the first, ends the machine with one line; a third without any.
 *
 * The calls that led here are found by scanning the stack for addresses that
 * follow a call instruction. Some of them may be left over from earlier calls;
 * addr2line tells which functions they are.
 */
#include "api/memory.h"
#include "host/host.h"
#include "host/machine.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/format.h"

#define NO_CPU       UINT32_MAX
#define MAX_CALLS    32
#define REFUSAL_SIZE 200

static _Atomic uint32_t panic_owner = NO_CPU;
static uint32_t panic_count; /* of the owner */

bool host_has_panicked(void)
{
    return atomic_load(&panic_owner) != NO_CPU;
}

static void put_text(const char *text)
{
    while (*text != '\0')
        machine_put_byte((uint8_t)*text++);
}

static void stop_others(uint32_t self)
{
    for (uint32_t cpu = 0; cpu < host_cpu_count_impl(); cpu++) {
        if (cpu != self)
            machine_send_ipi(host_cpus[cpu]);
    }
}

void panic_begin(void)
{
    uint32_t self = machine_this_cpu()->id;
    uint32_t none = NO_CPU;

    if (!atomic_compare_exchange_strong(&panic_owner, &none, self) &&
        none != self)
        machine_park();
    panic_count++;
    if (panic_count == 2)
        put_text("\r\ntwinax: another failure while reporting this one\r\n");
    if (panic_count >= 2)
        machine_end(MACHINE_FAILURE);
    console_break_lock();
    stop_others(self);
}

const struct host_cpu *panic_stack_owner(uint64_t stack)
{
    for (uint32_t i = 0; i < MAX_CPU_NUM && host_cpus[i] != NULL; i++) {
        uint64_t top = (uint64_t)(uintptr_t)host_cpus[i];
        if (stack < top && top - stack <= HOST_STACK_PAGES * PAGE_SIZE)
            return host_cpus[i];
    }
    return NULL;
}

bool panic_is_in_guard(uint64_t address)
{
    return panic_stack_owner(address) == NULL &&
           panic_stack_owner(address + HOST_GUARD_PAGES * PAGE_SIZE) != NULL;
}

static void print_calls(const uint64_t *stack, const uint64_t *end)
{
    unsigned count = 0;

    host_print("  calls (addr2line -fie twinax.elf ADDRESS...):");
    for (; stack < end && count < MAX_CALLS; stack++) {
        if (machine_is_return_address(*stack)) {
            host_print("%s0x%llx", count % 4 == 0 ? "\n    " : " ",
                       (unsigned long long)*stack);
            count++;
        }
    }
    host_print("\n");
}

void panic_print_calls(uint64_t stack)
{
    const struct host_cpu *cpu;

    if (panic_is_in_guard(stack))
        stack = align_up(stack, PAGE_SIZE);
    cpu = panic_stack_owner(stack);
    if (cpu != NULL)
        print_calls((const uint64_t *)(uintptr_t)align_up(stack, 8),
                    (const uint64_t *)(const void *)cpu);
    else
        host_print("  the stack pointer is in no CPU's stack\n");
}

void panic_end(void)
{
    host_cut_recording();
    machine_end(MACHINE_FAILURE);
}

void check_failed(const char *expression, const char *file, int line)
{
    panic_begin();
    host_print("\ntwinax: bug: CPU %u: %s:%d: check failed: %s\n",
               machine_this_cpu()->id, file, line, expression);
    panic_print_calls((uint64_t)(uintptr_t)__builtin_frame_address(0));
    panic_end();
}

void host_refuse(const char *format, ...)
{
    char text[REFUSAL_SIZE];
    va_list args;

    va_start(args, format);
    format_args(text, sizeof(text), format, args);
    va_end(args);
    host_print("twinax: %s\n", text);
    machine_end(MACHINE_FAILURE);
}
