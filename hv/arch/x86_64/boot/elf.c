/* SPDX-License-Identifier: Apache-2.0 */
/* ELF executables. System V ABI, chapters 4 ("Object Files") and 5. */
#include "arch/x86_64/boot/elf.h"

#include "arch/x86_64/boot/bytes.h"
#include "lib/bits.h"
#include "lib/string.h"

#define EI_CLASS   4
#define EI_DATA    5
#define EI_NIDENT  16
#define ELFMAG     "\177ELF"
#define SELFMAG    4
#define ELFCLASS32 1
#define ELFCLASS64 2
#define ELFDATA_LE 1
#define ET_EXEC    2
#define ET_DYN     3
#define EM_386     3
#define EM_X86_64  62
#define PT_LOAD    1
#define PT_NOTE    4

/* Where the two classes have the fields, and how wide an address is. */
struct elf_class {
    unsigned width;
    unsigned header_size, e_entry, e_phoff, e_phentsize, e_phnum;
    unsigned entry_size, p_offset, p_paddr, p_filesz, p_memsz, p_align;
};

static const struct elf_class class_32 = {
    4, 52, 24, 28, 42, 44, 32, 4, 12, 16, 20, 28,
};
static const struct elf_class class_64 = {
    8, 64, 24, 32, 54, 56, 56, 8, 24, 32, 40, 48,
};

/* Of both classes. */
#define E_TYPE      16
#define E_MACHINE   18
#define P_TYPE      0
#define HEADER_SIZE 64 /* the larger of the two */
#define ENTRY_SIZE  56

bool elf_is(const struct boot *boot)
{
    uint8_t magic[SELFMAG];

    if (!boot_has(&boot->image->kernel, 0, sizeof(magic)))
        return false;
    boot_read(boot, 0, magic, sizeof(magic));
    return memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static err_t read_class(struct boot *boot, const struct elf_class **class)
{
    uint8_t ident[EI_NIDENT];

    if (!elf_is(boot) || !boot_has(&boot->image->kernel, 0, EI_NIDENT))
        return boot_refuse(boot, "e_ident: the kernel is not an ELF file");
    boot_read(boot, 0, ident, sizeof(ident));
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return boot_refuse(boot, "EI_CLASS: %u is neither 32 nor 64 bits",
                           ident[EI_CLASS]);
    if (ident[EI_DATA] != ELFDATA_LE)
        return boot_refuse(boot, "EI_DATA: %u is not little-endian",
                           ident[EI_DATA]);
    *class = ident[EI_CLASS] == ELFCLASS64 ? &class_64 : &class_32;
    if (!boot_has(&boot->image->kernel, 0, (*class)->header_size))
        return boot_refuse(boot, "kernel: the file ends in the ELF header");
    return OK;
}

static err_t check_header(struct boot *boot, const uint8_t *header)
{
    unsigned type = (unsigned)get_le(header + E_TYPE, 2);
    unsigned machine = (unsigned)get_le(header + E_MACHINE, 2);

    if (type != ET_EXEC && type != ET_DYN)
        return boot_refuse(boot, "e_type: %u is not an executable", type);
    if (machine != EM_386 && machine != EM_X86_64)
        return boot_refuse(boot, "e_machine: %u is not x86", machine);
    return OK;
}

/* Notes what program header `index` describes, if it matters. */
static err_t add_segment(struct boot *boot, struct elf *elf,
                         const struct elf_class *class, const uint8_t *entry,
                         unsigned index)
{
    unsigned type = (unsigned)get_le(entry + P_TYPE, 4);
    struct elf_segment segment = {
        .offset = get_le(entry + class->p_offset, class->width),
        .file_size = get_le(entry + class->p_filesz, class->width),
        .address = get_le(entry + class->p_paddr, class->width),
        .size = get_le(entry + class->p_memsz, class->width),
    };
    bool is_load = type == PT_LOAD && segment.size != 0;
    unsigned *count = is_load ? &elf->segment_count : &elf->note_count;

    if (!is_load && type != PT_NOTE)
        return OK;
    if (*count == ELF_MAX_SEGMENTS)
        return boot_refuse(boot, "e_phnum: more than %d segments of a kind",
                           ELF_MAX_SEGMENTS);
    if (!boot_has(&boot->image->kernel, segment.offset, segment.file_size))
        return boot_refuse(
            boot,
            "p_offset: segment %u, 0x%llx bytes at 0x%llx, is not in the"
            " file",
            index, (unsigned long long)segment.file_size,
            (unsigned long long)segment.offset);
    if (is_load && segment.file_size > segment.size)
        return boot_refuse(boot,
                           "p_filesz: segment %u has 0x%llx bytes for"
                           " 0x%llx of memory",
                           index, (unsigned long long)segment.file_size,
                           (unsigned long long)segment.size);
    (is_load ? elf->segments : elf->notes)[(*count)++] = segment;
    return OK;
}

static err_t read_segments(struct boot *boot, struct elf *elf,
                           const struct elf_class *class, const uint8_t *header)
{
    uint64_t offset = get_le(header + class->e_phoff, class->width);
    unsigned size = (unsigned)get_le(header + class->e_phentsize, 2);
    unsigned count = (unsigned)get_le(header + class->e_phnum, 2);
    err_t error = OK;

    if (size < class->entry_size)
        return boot_refuse(boot, "e_phentsize: %u bytes hold no program header",
                           size);
    if (!boot_has(&boot->image->kernel, offset, (uint64_t)size * count))
        return boot_refuse(boot,
                           "e_phoff: %u program headers at 0x%llx are not"
                           " in the file",
                           count, (unsigned long long)offset);
    for (unsigned i = 0; i < count && error == OK; i++) {
        uint8_t entry[ENTRY_SIZE];

        boot_read(boot, offset + (uint64_t)i * size, entry, class->entry_size);
        error = add_segment(boot, elf, class, entry, i);
    }
    if (error == OK && elf->segment_count == 0)
        error = boot_refuse(boot, "e_phnum: there is no segment to load");
    return error;
}

err_t elf_read(struct boot *boot, struct elf *elf)
{
    uint8_t header[HEADER_SIZE];
    const struct elf_class *class = &class_32;
    err_t error = read_class(boot, &class);

    if (error != OK)
        return error;
    *elf = (struct elf){0};
    boot_read(boot, 0, header, class->header_size);
    elf->entry = get_le(header + class->e_entry, class->width);
    error = check_header(boot, header);
    if (error == OK)
        error = read_segments(boot, elf, class, header);
    return error;
}

err_t elf_claim(struct boot *boot, const struct elf *elf)
{
    err_t error = OK;

    for (unsigned i = 0; i < elf->segment_count && error == OK; i++)
        error = boot_claim(boot, "p_paddr", elf->segments[i].address,
                           elf->segments[i].size);
    return error;
}

err_t elf_store(struct boot *boot, const struct elf *elf)
{
    err_t error = OK;

    for (unsigned i = 0; i < elf->segment_count && error == OK; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        gpa_t at = gpa(segment->address);

        error = boot_store_file(boot, "kernel", at, &boot->image->kernel,
                                segment->offset, segment->file_size);
        if (error == OK)
            error = boot_clear(boot, "kernel", gpa_add(at, segment->file_size),
                               segment->size - segment->file_size);
    }
    return error;
}

bool elf_has(const struct elf *elf, uint64_t address)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        if (address - elf->segments[i].address < elf->segments[i].size)
            return true;
    }
    return false;
}

uint64_t elf_end(const struct elf *elf)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];

        if (segment->address + segment->size > end)
            end = segment->address + segment->size;
    }
    return end;
}

/* Notes --------------------------------------------------------------------*/

#define NOTE_NAMESZ    0
#define NOTE_DESCSZ    4
#define NOTE_TYPE      8
#define NOTE_HEADER    12
#define NOTE_ALIGN     4
#define NOTE_MAX_OWNER 16

/* A note, by the offsets in the file of what follows its header. */
struct note {
    uint64_t name, name_size, data, data_size, next;
    uint32_t type;
};

/* Reads the note at `at`, of those that end at `end`. */
static bool read_note(const struct boot *boot, uint64_t at, uint64_t end,
                      struct note *note)
{
    uint8_t header[NOTE_HEADER];

    if (at > end || end - at < sizeof(header))
        return false;
    boot_read(boot, at, header, sizeof(header));
    note->name_size = get_le(header + NOTE_NAMESZ, 4);
    note->data_size = get_le(header + NOTE_DESCSZ, 4);
    note->type = (uint32_t)get_le(header + NOTE_TYPE, 4);
    note->name = at + sizeof(header);
    note->data = note->name + align_up(note->name_size, NOTE_ALIGN);
    note->next = note->data + align_up(note->data_size, NOTE_ALIGN);
    return note->data <= end && note->data_size <= end - note->data;
}

static bool is_of(const struct boot *boot, const struct note *note,
                  const char *owner, uint32_t type)
{
    char name[NOTE_MAX_OWNER];
    size_t size = strlen(owner) + 1;

    if (note->type != type || note->name_size != size || size > sizeof(name))
        return false;
    boot_read(boot, note->name, name, size);
    return memcmp(name, owner, size) == 0;
}

static err_t read_number(struct boot *boot, const struct note *note,
                         const char *owner, uint64_t *value)
{
    uint8_t data[8] = {0};

    if (note->data_size != 4 && note->data_size != 8)
        return boot_refuse(boot,
                           "note %s, type %u: %llu bytes where 4 or 8 are"
                           " expected",
                           owner, note->type,
                           (unsigned long long)note->data_size);
    boot_read(boot, note->data, data, (size_t)note->data_size);
    *value = get_le(data, sizeof(data));
    return OK;
}

err_t elf_find_note(struct boot *boot, const struct elf *elf, const char *owner,
                    uint32_t type, uint64_t *value)
{
    for (unsigned i = 0; i < elf->note_count; i++) {
        uint64_t end = elf->notes[i].offset + elf->notes[i].file_size;
        struct note note = {.next = elf->notes[i].offset};

        while (read_note(boot, note.next, end, &note)) {
            if (is_of(boot, &note, owner, type))
                return read_number(boot, &note, owner, value);
        }
    }
    return boot_refuse(boot, "note %s, type %u: there is none", owner, type);
}
