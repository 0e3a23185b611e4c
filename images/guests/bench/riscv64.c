/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exits cost, in instructions from guest back to guest. Under QEMU's
 * -icount the instruction counter counts everything that the one CPU executes,
 * hypervisor included. Each figure is a loop of ROUNDS operations less the
 * same loop without the operation. Lines: "bench: NAME TOTAL".
 *
 * `first` is the counter at the guest's first instruction. On bare hardware
 * (scripts/bench-image runs it there too) that is the cost of the firmware,
 * and the difference is the cost of the hypervisor's start.
 */
#include "machine.h"

#define ROUNDS        1000
#define PAGE          4096
#define PLIC_PRIORITY 0x0c000004 /* of source 1 */
#define UART_LSR      0x10000005
#define FRESH_MEMORY  0x82000000 /* more than 4 MiB that nothing touched */

/* A loop of ROUNDS times `operation` with `input`, and what it counts. */
#define COUNT_LOOP(operation, step, input)                                \
    ({                                                                    \
        uint64_t begin, end;                                              \
        uint64_t left = ROUNDS;                                           \
        uint64_t at = (input);                                            \
        __asm__ volatile(".balign 16\n"                                   \
                         "rdinstret %0\n"                                 \
                         "1: " operation "\n"                             \
                         "add  %3, %3, %4\n"                              \
                         "addi %2, %2, -1\n"                              \
                         "bnez %2, 1b\n"                                  \
                         "rdinstret %1\n"                                 \
                         : "=&r"(begin), "=&r"(end), "+r"(left), "+r"(at) \
                         : "r"((uint64_t)(step))                          \
                         : "a0", "a1", "a6", "a7", "t0", "memory");       \
        end - begin;                                                      \
    })

static void report(const char *name, uint64_t total)
{
    guest_put("bench: ");
    guest_put(name);
    guest_put(" ");
    guest_put_dec(total);
    guest_put("\n");
}

static bool same(const char *one, const char *two, size_t size)
{
    while (size > 0 && one[size - 1] == two[size - 1])
        size--;
    return size == 0;
}

/*
 * Whether the tree has a string. It is looked for in the tree's bytes: this
 * guest has no device-tree library.
 */
#define TREE_HAS(device_tree, string) \
    tree_has(device_tree, string, sizeof(string))

static bool tree_has(const void *device_tree, const char *string, size_t length)
{
    const char *bytes = device_tree;
    const uint8_t *total = (const uint8_t *)device_tree + 4;
    uint32_t size = (uint32_t)total[0] << 24 | (uint32_t)total[1] << 16 |
                    (uint32_t)total[2] << 8 | total[3];

    for (uint32_t at = 0; at + length <= size; at++) {
        if (same(bytes + at, string, length))
            return true;
    }
    return false;
}

void guest_main(void)
{
    report("first", guest_first_instret);
    if (!TREE_HAS(guest_device_tree, "twinax,vm"))
        return;

    uint64_t nothing = COUNT_LOOP("", 0, 0);
    /* Three instructions set the call up: sbi_get_spec_version. */
    uint64_t set_up = COUNT_LOOP("li a7, 0x10\n li a6, 0\n", 0, 0);
    uint64_t call = COUNT_LOOP("li a7, 0x10\n li a6, 0\n ecall\n", 0, 0);
    uint64_t uart = COUNT_LOOP("lbu t0, 0(%3)\n", 0, UART_LSR);
    uint64_t fault = COUNT_LOOP("sd zero, 0(%3)\n", PAGE, FRESH_MEMORY);

    report("hypercall", call - set_up);
    report("mmio_uart", uart - nothing);
    report("fault_4k", fault - nothing);
    if (TREE_HAS(guest_device_tree, "sifive,plic-1.0.0")) {
        uint64_t plic = COUNT_LOOP("lw t0, 0(%3)\n", 0, PLIC_PRIORITY);

        report("mmio_intc", plic - nothing);
    }
}
