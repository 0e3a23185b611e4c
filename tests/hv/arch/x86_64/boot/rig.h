/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's memory, an image that is made byte by byte, and what comes of
 * loading it. */
#ifndef TESTS_HV_ARCH_X86_64_BOOT_RIG_H
#define TESTS_HV_ARCH_X86_64_BOOT_RIG_H

#include <criterion/criterion.h>
#include <string.h>

#include "arch/x86_64/boot/boot.h"
#include "arch/x86_64/boot/bytes.h"
#include "support/rows.h"

/* The guest's RAM begins at 0, but for what a PC has below 1 MiB. */
#define RIG_MEMORY (UINT64_C(128) << 20)
#define RIG_RSDP   UINT64_C(0xe0000)

struct rig {
    struct aspace memory;
    struct e820 map;
    struct x86_boot_machine machine;
    struct x86_boot_image image;
    struct x86_entry entry;
    char what[X86_BOOT_WHAT_SIZE];
};

extern struct rig rig;

void rig_start(void);
void rig_end(void);

/* A file with these bytes, at the very end of its host memory. */
struct x86_boot_file rig_file(const void *bytes, size_t size);
/* One whose bytes follow from its size and `seed`, at the start of a page. */
struct x86_boot_file rig_pattern_file(size_t size, unsigned seed);
/* Whether guest memory holds such a file's bytes. */
bool rig_has_pattern(uint64_t at, size_t size, unsigned seed);

err_t rig_load(enum x86_boot_protocol protocol);
/* Loads, expects a refusal that says `what`, and that memory is untouched. */
void rig_expect_refusal(enum x86_boot_protocol protocol, const char *what);
/* Loads once with each frame that is allocated missing; all fail but for the
 * last, and nothing leaks. */
void rig_expect_failures(enum x86_boot_protocol protocol);

uint64_t rig_get(uint64_t at, unsigned width);
void rig_expect_text(uint64_t at, const char *text);
/* The descriptors in memory are those of the registers. */
void rig_expect_gdt(void);

/* A change of an image: a field, and what is said of it. */
struct rig_patch {
    unsigned offset, width;
    uint64_t value;
    const char *what;
};

#endif
