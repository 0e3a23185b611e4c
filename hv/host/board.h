/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine, as far as the neutral part of the host cares: whoever boots the
 * image, by whatever the firmware describes the machine with, fills it in.
 */
#ifndef HOST_BOARD_H
#define HOST_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "api/host.h"

struct range {
    uint64_t start;
    uint64_t size;
};

static inline uint64_t range_end(struct range range)
{
    return range.start + range.size;
}

#define BOARD_MAX_RAM      16
#define BOARD_MAX_RESERVED 32

/* An NS16550A. */
struct board_console {
    uint64_t address; /* for machine_read_device() */
    uint64_t size;
    uint32_t irq; /* 0: none */
    uint8_t reg_shift;
    uint8_t reg_width; /* bytes */
};

struct board {
    uint32_t ram_count;
    uint32_t reserved_count;
    struct range ram[BOARD_MAX_RAM];
    struct range reserved[BOARD_MAX_RESERVED]; /* not for the allocator */
    struct range bundle;                       /* size 0: there is none */
    const char *bootargs;                      /* or NULL */
    const struct board_console *console;       /* NULL: the firmware's */
    uint32_t cpus_ignored;                     /* beyond MAX_CPU_NUM */
};

/* What follows the word `name` among the boot arguments: "=VALUE", a space, or
 * nothing; NULL: the word is not there. */
const char *board_argument(const struct board *board, const char *name);

void board_add_ram(struct board *board, uint64_t start, uint64_t size);
void board_reserve(struct board *board, uint64_t start, uint64_t size);
/* Where the boot loader has put it; it is reserved. */
void board_set_bundle(struct board *board, uint64_t start, uint64_t size);

#endif
