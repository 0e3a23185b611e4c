/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest guest with something to say: greets on each of its harts, one
 * after the other, through the emulated serial port, and powers off. It also
 * stands for the well-behaved neighbour in tests of bad ones.
 */
#include "guest.h"

#define UART_BASE 0x10000000
#define UART_THR  0
#define UART_LSR  5
#define LSR_THRE  0x20
#define MAX_HARTS 64

static _Atomic uint64_t greeted;
static uint8_t stacks[MAX_HARTS][1024] __attribute__((aligned(16)));

static void uart_put(const char *text)
{
    volatile uint8_t *uart = (volatile uint8_t *)UART_BASE;

    for (; *text != '\0'; text++) {
        while ((uart[UART_LSR] & LSR_THRE) == 0)
            ;
        uart[UART_THR] = (uint8_t)*text;
    }
}

static void greet(void)
{
    uart_put("guest: hello from a hart\n");
    greeted++;
}

void guest_main(uint64_t hart, const void *device_tree)
{
    uint64_t started = 1;

    (void)device_tree;
    greet();
    for (uint64_t other = 0; other < MAX_HARTS; other++) {
        if (other == hart ||
            guest_start_hart(other, greet, stacks[other] + 1024) != 0)
            continue;
        started++;
        while (greeted != started)
            ;
    }
    guest_put("guest: harts ");
    guest_put_dec(started);
    guest_put("\nguest: all checks: ok\n");
}
