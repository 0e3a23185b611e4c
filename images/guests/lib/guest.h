/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tiny guests share, whatever their architecture; machine.h, in a
 * folder by architecture, has what only one has. They run with all privileges
 * that a guest has, without paging or with a mapping that changes no address.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The guest's own. Returning powers off. */
void guest_main(void);

/* Prints, by the simplest means that there is. */
void guest_put(const char *text);
void guest_put_dec(uint64_t value);
void guest_put_hex(uint64_t value);
/* The same through the emulated serial port. */
void guest_put_uart(const char *text);

_Noreturn void guest_power_off(void);
_Noreturn void guest_reboot(void);

/* Runs `function` on each other CPU, one after the other, and returns how many
 * CPUs there are. */
unsigned guest_for_each_other_cpu(void (*function)(void));

/* Sleeps, woken by its CPU's timer. */
void guest_sleep(unsigned seconds);

#endif
