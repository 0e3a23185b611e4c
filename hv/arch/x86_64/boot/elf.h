/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF executables of both classes, as kernels come: segments to be loaded at
 * their physical addresses, notes, an entry point. System V ABI, chapters 4
 * and 5, and its supplements for i386 and x86-64.
 */
#ifndef ARCH_X86_64_BOOT_ELF_H
#define ARCH_X86_64_BOOT_ELF_H

#include "arch/x86_64/boot/internal.h"

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
    uint64_t offset, file_size; /* in the file, which has them */
    uint64_t address, size;     /* in memory: what is more is zeros */
};

struct elf {
    uint64_t entry;
    unsigned segment_count, note_count;
    struct elf_segment segments[ELF_MAX_SEGMENTS]; /* PT_LOAD, not empty */
    struct elf_segment notes[ELF_MAX_SEGMENTS];    /* PT_NOTE */
};

bool elf_is(const struct boot *boot) MUST_CHECK;

/* Reads the kernel's headers; all segments lie in the file. */
err_t elf_read(struct boot *boot, struct elf *elf) MUST_CHECK;
/* Takes the places of its segments. */
err_t elf_claim(struct boot *boot, const struct elf *elf) MUST_CHECK;
err_t elf_store(struct boot *boot, const struct elf *elf) MUST_CHECK;

/* Whether an instruction at `address` comes from a segment. */
bool elf_has(const struct elf *elf, uint64_t address) MUST_CHECK;
/* Where the last segment ends. */
uint64_t elf_end(const struct elf *elf);

/* The number that note `type` of `owner` holds, in 4 or 8 bytes. */
err_t elf_find_note(struct boot *boot, const struct elf *elf, const char *owner,
                    uint32_t type, uint64_t *value) MUST_CHECK;

#endif
