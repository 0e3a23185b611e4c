/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files of either class: two segments, and a note of where they are
 * entered. */
#ifndef TESTS_HV_ARCH_X86_64_BOOT_ELF_FILE_H
#define TESTS_HV_ARCH_X86_64_BOOT_ELF_FILE_H

#include <stdint.h>

#define ELF_FILE_AT        UINT64_C(0x100000)
#define ELF_FILE_SIZE      0x100  /* bytes of the first segment in the file */
#define ELF_FILE_MEMORY    0x1000 /* and in memory */
#define ELF_FILE_SECOND_AT UINT64_C(0x200800)
#define ELF_FILE_ENTRY     (ELF_FILE_AT + 0x10)

/* Where the program headers (of 64 bits), the note, and the segments are. */
#define ELF_FILE_LOAD   0x40
#define ELF_FILE_LOAD_2 0xb0 /* of the second segment */
#define ELF_FILE_NOTE   0x200
#define ELF_FILE_FIRST  0x300
#define ELF_FILE_SECOND 0x400

struct elf_file {
    uint8_t bytes[0x500];
};

/* `class`: 1 for 32 bits, 2 for 64. */
void elf_file_make(struct elf_file *file, unsigned class);
/* Its segments are in guest memory. */
void elf_file_expect_loaded(const struct elf_file *file);

#endif
