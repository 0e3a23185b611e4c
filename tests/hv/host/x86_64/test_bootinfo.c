/* SPDX-License-Identifier: Apache-2.0 */
/* What boot loaders tell, and what they had better not. */
#include <criterion/criterion.h>
#include <string.h>

#include "host/x86_64/entry.h"
#include "lib/bits.h"
#include "rig.h"
#include "support/rows.h"

#define MIB  (UINT64_C(1) << 20)
#define INFO 0x1000u /* start info, or tags */

static struct x86_board x86;

/* Refused by a message with `text` in it; NULL: not refused. */
static void expect(size_t row, const char *said, const char *text)
{
    if (text == NULL)
        cr_assert(said == NULL, "row %zu is refused: %s", row, said);
    else
        cr_assert(said != NULL && strstr(said, text) != NULL, "row %zu: %s",
                  row, said != NULL ? said : "is not refused");
}

/* PVH. */
#define MAP     0x2000u
#define MODULES 0x3000u
#define COMMAND 0x4000u
#define BUNDLE  0x8000u

struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t modlist, cmdline, rsdp, memmap;
    uint32_t entries, reserved;
};
struct memory_entry {
    uint64_t at, size;
    uint32_t type, reserved;
};
struct module {
    uint64_t at, size, cmdline, reserved;
};

static const struct start_info good_start = {
    .magic = 0x336ec578,
    .version = 1,
    .modules = 1,
    .modlist = MODULES,
    .cmdline = COMMAND,
    .rsdp = 0xf0000,
    .memmap = MAP,
    .entries = 5,
};

static void put_pvh(const struct start_info *start)
{
    static const struct memory_entry map[] = {
        {0, 0x9f000, 1, 0},           {0xf0000, 0x10000, 2, 0},
        {0x80000, 3 * MIB, 1, 0},     {UINT64_MAX - MIB + 1, 2 * MIB, 1, 0},
        {4096 * MIB, 64 * MIB, 1, 0},
    };
    static const struct module module = {BUNDLE, 0x1234, 0, 0};

    rig_start(&x86);
    rig_put(INFO, start, sizeof(*start));
    rig_put(MAP, map, sizeof(map));
    rig_put(MODULES, &module, sizeof(module));
    rig_put(COMMAND, "record stay", 12);
}

Test(bootinfo, pvh)
{
    put_pvh(&good_start);
    expect(0, rig_bootinfo(&x86, BOOT_PVH, INFO), NULL);
    cr_assert(x86.rsdp == 0xf0000);
    cr_assert_str_eq(x86.board.bootargs, "record stay");
    cr_assert(x86.board.bundle.start == BUNDLE &&
              x86.board.bundle.size == 0x1234);
    cr_assert(x86.board.reserved_count == 1);
    cr_assert(x86.board.ram_count == 2, "type 1, above 1 MiB, no wrap");
    cr_assert(x86.board.ram[0].start == MIB &&
              range_end(x86.board.ram[0]) == 0x80000 + 3 * MIB);
    cr_assert(x86.board.ram[1].start == 4096 * MIB &&
              x86.board.ram[1].size == 64 * MIB);
}

Test(bootinfo, pvh_of_hostile_numbers)
{
    static const struct {
        size_t field, width;
        uint64_t value;
        const char *text; /* NULL: it does without */
    } rows[] = {
#define FIELD(name) \
    offsetof(struct start_info, name), sizeof(((struct start_info *)NULL)->name)
        {FIELD(magic), 0, "no PVH"},
        {FIELD(version), 0, "no PVH"},
        {FIELD(memmap), 0, "broken"},
        {FIELD(memmap), RIG_MEMORY - 24, "broken"},
        {FIELD(memmap), UINT64_MAX - 8, "broken"},
        {FIELD(entries), 0xffffffff, "broken"},
        {FIELD(entries), 0, "names no memory"},
        {FIELD(modules), 0, NULL},
        {FIELD(modules), 0xffffffff, NULL},
        {FIELD(modlist), 0, "broken"},
        {FIELD(modlist), RIG_MEMORY - 31, "broken"},
        {FIELD(cmdline), 0, NULL},
        {FIELD(cmdline), RIG_MEMORY - 1, "broken"},
        {FIELD(cmdline), UINT64_MAX, "broken"},
#undef FIELD
    };

    for_each_row (i, rows) {
        struct start_info start = good_start;

        memcpy((char *)&start + rows[i].field, &rows[i].value, rows[i].width);
        put_pvh(&start);
        expect(i, rig_bootinfo(&x86, BOOT_PVH, INFO), rows[i].text);
    }
    put_pvh(&good_start);
    expect(0, rig_bootinfo(&x86, BOOT_PVH, 0), "broken");
    expect(0, rig_bootinfo(&x86, BOOT_PVH, RIG_MEMORY - 8), "broken");
    expect(0, rig_bootinfo(&x86, BOOT_UNKNOWN, INFO), "neither");
}

/* The bundle is read next: it must be where it can be. */
Test(bootinfo, a_module_out_of_reach)
{
    static const struct module rows[] = {
        {RIG_MEMORY - 0x1000, 0x2000, 0, 0},
        {UINT64_MAX - 0xfff, 0x2000, 0, 0},
        {BUNDLE, UINT64_MAX, 0, 0},
    };

    for_each_row (i, rows) {
        put_pvh(&good_start);
        rig_put(MODULES, &rows[i], sizeof(rows[i]));
        expect(i, rig_bootinfo(&x86, BOOT_PVH, INFO), "broken");
    }
}

Test(bootinfo, boot_arguments_are_copied_up_to_a_limit)
{
    put_pvh(&good_start);
    memset(rig_at(COMMAND, 1024), 'a', 1023);
    expect(0, rig_bootinfo(&x86, BOOT_PVH, INFO), NULL);
    cr_assert(strlen(x86.board.bootargs) == 1023);
    put_pvh(&good_start);
    memset(rig_at(COMMAND, 1024), 'a', 1024);
    expect(1, rig_bootinfo(&x86, BOOT_PVH, INFO), "longer than");
}

/* Multiboot2: tags, in 32-bit words. */
#define WORDS 24
#define END   0, 8

static void put_tags(const uint32_t *words, size_t count, uint32_t total)
{
    rig_start(&x86);
    rig_put(INFO, &total, sizeof(total));
    rig_put(INFO + 8, words, count * sizeof(*words));
}

/* A map of one entry, of which two words are the row's. */
#define MMAP(size, step) 6, size, step, 0, 0x100000, 0, 0x700000, 0, 1, 0

Test(bootinfo, multiboot2)
{
    /* clang-format off */
    static const uint32_t tags[] = {
        1, 13, 0x61746963, 'l',               /* "cital" */
        3, 17, BUNDLE, 0x9000, 'x', 0,        /* the bundle */
        3, 17, 0xa000, 0xb000, 'x', 0,        /* another module */
        14, 28, 0, 0, 0, 0, 0, 0,             /* an old RSDP */
        15, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* and a new one */
        14, 28, 0, 0, 0, 0, 0, 0,
        MMAP(40, 24), END,
    };
    /* clang-format on */
    uint64_t new_rsdp = INFO + 8 + 4 * 24 + 8;

    put_tags(tags, ARRAY_SIZE(tags), 8 + sizeof(tags));
    expect(0, rig_bootinfo(&x86, BOOT_MULTIBOOT2, INFO), NULL);
    cr_assert_str_eq(x86.board.bootargs, "cital");
    cr_assert(x86.board.bundle.start == BUNDLE &&
              x86.board.bundle.size == 0x1000);
    cr_assert(x86.rsdp == new_rsdp, "%lx, not %lx", x86.rsdp, new_rsdp);
    cr_assert(x86.board.ram_count == 1 && x86.board.ram[0].start == MIB &&
              x86.board.ram[0].size == 7 * MIB);
}

Test(bootinfo, multiboot2_of_hostile_tags)
{
    static const struct {
        uint32_t tags[WORDS];
        uint32_t total; /* 0: all */
        const char *text;
    } rows[] = {
        {{MMAP(40, 24), END}, 0, NULL},
        {{MMAP(40, 24), END}, 8 + 40 + 8, NULL},
        {{MMAP(40, 24), END}, 8 + 40 + 7, "Multiboot2"},
        {{MMAP(40, 24), END}, 0xffffffff, "broken"},
        {{MMAP(40, 24), END}, 7, "Multiboot2"},
        {{MMAP(40, 24), 4, 0, END}, 0, "Multiboot2"},
        {{MMAP(40, 24), 4, 7, END}, 0, "Multiboot2"},
        {{MMAP(40, 24), 4, 0xfffffff8, END}, 0, "Multiboot2"},
        {{MMAP(40, 24), 4, 0xffffffff, END}, 0, "Multiboot2"},
        {{MMAP(40, 24), MMAP(4096, 24), END}, 0, "Multiboot2"},
        /* A map that ends, with all, before it says how long its entries are.
         */
        {{MMAP(40, 24), 6, 8}, 8 + 40 + 8, "Multiboot2"},
        /* Steps that are too short, too long, that wrap. */
        {{MMAP(40, 0), END}, 0, "names no memory"},
        {{MMAP(40, 23), END}, 0, "names no memory"},
        {{MMAP(40, 25), END}, 0, "names no memory"},
        {{MMAP(40, 0xfffffff0), END}, 0, "names no memory"},
        {{MMAP(40, 0xffffffff), END}, 0, "names no memory"},
        {{MMAP(15, 24), END}, 0, "Multiboot2"},
        {{6, 15, 24, 0, END}, 0, "names no memory"},
        /* Modules that are not there, or end before they begin. */
        {{3, 12, BUNDLE, 0x9000, MMAP(40, 24), END}, 0, NULL},
        {{3, 16, 0x9000, BUNDLE, MMAP(40, 24), END}, 0, NULL},
        {{3, 16, 0, 0x9000, MMAP(40, 24), END}, 0, "broken"},
        {{3, 16, BUNDLE, 0xfffffff0, MMAP(40, 24), END}, 0, "broken"},
        {{1, 8, MMAP(40, 24), END}, 0, NULL},
    };

    for_each_row (i, rows) {
        put_tags(rows[i].tags, WORDS,
                 rows[i].total != 0 ? rows[i].total : 8 + 4 * WORDS);
        expect(i, rig_bootinfo(&x86, BOOT_MULTIBOOT2, INFO), rows[i].text);
    }
}

/* The arguments of the last tag, without what an earlier one has left. */
Test(bootinfo, boot_arguments_that_come_twice)
{
    static const uint32_t tags[] = {
        1, 17, 0x61616161, 0x61616161, 0, 0, 1, 10, 'b', 0, MMAP(40, 24), END,
    };

    put_tags(tags, ARRAY_SIZE(tags), 8 + sizeof(tags));
    expect(0, rig_bootinfo(&x86, BOOT_MULTIBOOT2, INFO), NULL);
    cr_assert_str_eq(x86.board.bootargs, "b");
}
