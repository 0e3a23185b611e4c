/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firmware and boot loader leave in memory, for those who read it at boot.
 * The memory is 1 MiB from address 0 on. Nothing of it may be touched that was
 * not asked for by x86_board_look(): with AddressSanitizer, all of it is
 * poisoned until then.
 */
#ifndef TESTS_HOST_X86_64_RIG_H
#define TESTS_HOST_X86_64_RIG_H

#include <stddef.h>

#include "host/x86_64/x86_board.h"

#define RIG_MEMORY (UINT64_C(1) << 20)

/* Clears memory, and the board. */
void rig_start(struct x86_board *x86);
/* Bytes of memory, to be written until the next look. */
uint8_t *rig_at(uint64_t address, size_t size);
void rig_put(uint64_t address, const void *bytes, size_t size);

/* What it says when it refuses, or NULL. */
const char *rig_bootinfo(struct x86_board *x86, uint32_t protocol,
                         uint64_t info);
const char *rig_acpi(struct x86_board *x86);

/* Makes `size` bytes add up to 0 by changing the one at `sum`. */
void rig_sum(uint64_t address, size_t size, size_t sum);
/* A table of `size` bytes, of which those behind its header are `body`. */
void rig_table(uint64_t address, const char *signature, const void *body,
               size_t size);

#define RIG_TABLE_HEADER 36

#endif
