/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is told about its memory: the address map that a PC's firmware
 * returns from INT 15h, E820h (ACPI 6.5, section 15), and that the Linux, PVH
 * and multiboot protocols hand over in forms of their own. It also serves as
 * the loaders' notion of what room there is.
 */
#ifndef ARCH_X86_64_BOOT_E820_H
#define ARCH_X86_64_BOOT_E820_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/error.h"

/* ACPI 6.5, table 15.5; they are PVH's and multiboot's types as well. */
enum e820_type {
    E820_HOLE = 0, /* not in the map */
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3, /* RAM again once the tables have been read */
    E820_NVS = 4,
    E820_UNUSABLE = 5,
};

struct e820_entry {
    uint64_t start, size;
    enum e820_type type;
};

/* As many as Linux's zero page takes. */
#define E820_MAX_ENTRIES 128

/* By address, disjoint, none empty, no two neighbours of one type. */
struct e820 {
    unsigned count;
    struct e820_entry entries[E820_MAX_ENTRIES];
};

/* Of a PC: what lies between conventional memory and 1 MiB belongs to display
 * and option ROMs, then to the firmware. */
#define E820_LOW_END        UINT64_C(0xa0000)
#define E820_FIRMWARE_START UINT64_C(0xe0000)
#define E820_HIGH_START     UINT64_C(0x100000)

/*
 * Makes [start, start + size) of `type`, whatever it was; E820_HOLE takes it
 * out. An empty range changes nothing. ERR_OUT_OF_RANGE when it wraps;
 * ERR_NO_MEMORY when there may be more than E820_MAX_ENTRIES then. Nothing has
 * changed after an error.
 */
err_t e820_set(struct e820 *map, uint64_t start, uint64_t size,
               enum e820_type type) MUST_CHECK;

/*
 * The map of a PC with `ranges`, of memory and of devices, which may overlap
 * and come in any order: whatever else lies there hides RAM, and so does the
 * area below 1 MiB, of which the firmware's part is reserved. Errors as above;
 * ERR_INVALID_INPUT for another type than those of enum e820_type.
 */
err_t e820_build(struct e820 *map, const struct e820_entry *ranges,
                 unsigned count) MUST_CHECK;

/* Whether all of [start, start + size) is RAM; true of nothing. */
bool e820_is_ram(const struct e820 *map, uint64_t start, uint64_t size);

/* The bytes of RAM from `start` on, up to the first that is something else. */
uint64_t e820_ram_at(const struct e820 *map, uint64_t start);

/* A wish for `size` bytes of RAM in [from, to), at a multiple of `align`, a
 * power of two: the lowest such place, or the highest. */
struct e820_wish {
    uint64_t size, align, from, to;
    bool highest;
};

bool e820_find(const struct e820 *map, const struct e820_wish *wish,
               uint64_t *start) MUST_CHECK;

#endif
