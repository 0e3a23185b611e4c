/* SPDX-License-Identifier: Apache-2.0 */
#include "hv/arch/x86_64/boot/elf_file.h"

#include <elf.h>

#include "hv/arch/x86_64/boot/rig.h"

/* The header of either class, by the system's own definitions. */
#define PUT_HEADER(bits, file, machine)                                   \
    do {                                                                  \
        Elf##bits##_Ehdr header = {                                       \
            .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS##bits, ELFDATA2LSB, \
                        EV_CURRENT},                                      \
            .e_type = ET_EXEC,                                            \
            .e_machine = (machine),                                       \
            .e_entry = ELF_FILE_ENTRY,                                    \
            .e_phoff = ELF_FILE_LOAD,                                     \
            .e_phentsize = sizeof(Elf##bits##_Phdr),                      \
            .e_phnum = 3,                                                 \
        };                                                                \
        memcpy((file)->bytes, &header, sizeof(header));                   \
    } while (0)

#define PUT_SEGMENTS(bits, file)                                           \
    do {                                                                   \
        Elf##bits##_Phdr segments[3] = {                                   \
            {.p_type = PT_LOAD,                                            \
             .p_offset = ELF_FILE_FIRST,                                   \
             .p_paddr = ELF_FILE_AT,                                       \
             .p_vaddr = 0x7fff0000,                                        \
             .p_filesz = ELF_FILE_SIZE,                                    \
             .p_memsz = ELF_FILE_MEMORY},                                  \
            {.p_type = PT_NOTE,                                            \
             .p_offset = ELF_FILE_NOTE,                                    \
             .p_filesz = 24,                                               \
             .p_memsz = 24},                                               \
            {.p_type = PT_LOAD,                                            \
             .p_offset = ELF_FILE_SECOND,                                  \
             .p_paddr = ELF_FILE_SECOND_AT,                                \
             .p_filesz = ELF_FILE_SIZE,                                    \
             .p_memsz = ELF_FILE_SIZE},                                    \
        };                                                                 \
        memcpy((file)->bytes + ELF_FILE_LOAD, segments, sizeof(segments)); \
    } while (0)

void elf_file_make(struct elf_file *file, unsigned class)
{
    memset(file, 0, sizeof(*file));
    for (unsigned i = ELF_FILE_FIRST; i < sizeof(file->bytes); i++)
        file->bytes[i] = (uint8_t)(i * 5 + i / 256);
    if (class == ELFCLASS64) {
        PUT_HEADER(64, file, EM_X86_64);
        PUT_SEGMENTS(64, file);
    } else {
        PUT_HEADER(32, file, EM_386);
        PUT_SEGMENTS(32, file);
    }
    put_le(file->bytes + ELF_FILE_NOTE, 4, 4);
    put_le(file->bytes + ELF_FILE_NOTE + 4, 8, 4);
    put_le(file->bytes + ELF_FILE_NOTE + 8, 18, 4);
    memcpy(file->bytes + ELF_FILE_NOTE + 12, "Xen", 4);
    put_le(file->bytes + ELF_FILE_NOTE + 16, ELF_FILE_ENTRY, 8);
}

void elf_file_expect_loaded(const struct elf_file *file)
{
    for (unsigned i = 0; i < ELF_FILE_SIZE; i++) {
        cr_assert_eq(rig_get(ELF_FILE_AT + i, 1),
                     file->bytes[ELF_FILE_FIRST + i]);
        cr_assert_eq(rig_get(ELF_FILE_SECOND_AT + i, 1),
                     file->bytes[ELF_FILE_SECOND + i]);
    }
    for (unsigned i = ELF_FILE_SIZE; i < ELF_FILE_MEMORY; i++)
        cr_assert_eq(rig_get(ELF_FILE_AT + i, 1), 0u);
}
