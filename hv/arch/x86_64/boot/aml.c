/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI Machine Language. ACPI 6.5, sections 6.4 and 20.2. */
#include "arch/x86_64/boot/aml.h"

#include "lib/bits.h"
#include "lib/compiler.h"
#include "lib/string.h"

/* Opcodes (section 20.3). */
#define ZERO_OP   0x00
#define ONE_OP    0x01
#define NAME_OP   0x08
#define DWORD_OP  0x0c
#define STRING_OP 0x0d
#define ROOT_CHAR '\\'

#define NAME_SIZE 4 /* of a NameSeg, padded with '_' */

static void put_name(struct blob *blob, const char *name)
{
    uint32_t segment = 0;

    if (name[0] == ROOT_CHAR) {
        blob_put(blob, ROOT_CHAR, 1);
        name++;
    }
    for (unsigned i = 0; i < NAME_SIZE; i++) {
        char c = *name;

        segment |= (uint32_t)(c != '\0' ? c : '_') << 8 * i;
        name += c != '\0';
    }
    blob_put(blob, segment, NAME_SIZE);
}

static aml_open_t open_op(struct blob *blob, enum aml_op op)
{
    if (op > UINT8_MAX)
        blob_put(blob, op >> 8, 1);
    blob_put(blob, op & UINT8_MAX, 1);
    return blob->used;
}

aml_open_t aml_open(struct blob *blob, enum aml_op op, const char *name)
{
    aml_open_t open = open_op(blob, op);

    put_name(blob, name);
    return open;
}

aml_open_t aml_open_package(struct blob *blob, unsigned count)
{
    aml_open_t open = open_op(blob, AML_PACKAGE);

    blob_put(blob, count, 1);
    return open;
}

/*
 * PkgLength (section 20.2.4) counts itself. One byte holds 6 bits; otherwise
 * the first says how many follow, and holds the lowest 4 bits of the length.
 */
void aml_close(struct blob *blob, aml_open_t open)
{
    size_t length = blob->used - open + 1;
    unsigned extra = 0;

    if (length > BIT_MASK(5, 0)) {
        for (extra = 1, length++; length >> (4 + 8 * extra) != 0; extra++)
            length++;
    }
    if (!blob_insert(blob, open, 1 + extra))
        return;
    if (extra == 0) {
        blob_patch(blob, open, length, 1);
    } else {
        blob_patch(blob, open, extra << 6 | (length & BIT_MASK(3, 0)), 1);
        blob_patch(blob, open + 1, length >> 4, extra);
    }
}

void aml_name(struct blob *blob, const char *name)
{
    blob_put(blob, NAME_OP, 1);
    put_name(blob, name);
}

void aml_integer(struct blob *blob, uint64_t value)
{
    static const struct {
        uint8_t opcode, width;
    } forms[] = {{0x0a, 1}, {0x0b, 2}, {DWORD_OP, 4}, {0x0e, 8}};
    unsigned i = 0;

    if (value <= 1) {
        blob_put(blob, value == 0 ? ZERO_OP : ONE_OP, 1);
        return;
    }
    while (zero_extend(value, 8 * forms[i].width) != value)
        i++;
    blob_put(blob, forms[i].opcode, 1);
    blob_put(blob, value, forms[i].width);
}

void aml_name_integer(struct blob *blob, const char *name, uint64_t value)
{
    aml_name(blob, name);
    aml_integer(blob, value);
}

#define EISA_LETTERS 3
#define EISA_DIGITS  4

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static bool is_eisa_id(const char *id)
{
    for (unsigned i = 0; i < EISA_LETTERS; i++) {
        if (id[i] < 'A' || id[i] > 'Z')
            return false;
    }
    return strlen(id) == EISA_LETTERS + EISA_DIGITS;
}

void aml_name_id(struct blob *blob, const char *name, const char *id)
{
    uint32_t value = 0;

    aml_name(blob, name);
    if (!is_eisa_id(id)) {
        blob_put(blob, STRING_OP, 1);
        blob_put_bytes(blob, id, strlen(id) + 1);
        return;
    }
    for (unsigned i = 0; i < EISA_LETTERS; i++)
        value = value << 5 | (uint32_t)(id[i] - '@');
    for (unsigned i = 0; i < EISA_DIGITS; i++)
        value = value << 4 | digit(id[EISA_LETTERS + i]);
    blob_put(blob, DWORD_OP, 1);
    blob_put(blob, __builtin_bswap32(value), 4);
}

/* Resources ----------------------------------------------------------------*/

/* Small ones: the tag, with the length of what follows (table 6.34). */
#define TAG_IRQ 0x22 /* high and edge, which those of ISA are */
#define TAG_IO  0x47
#define TAG_END 0x79

/* Large ones have a length of two bytes. */
#define SPACE_BYTES(width) (3 + 5 * (width))
#define DECODES_16_BITS    1
#define MIN_MAX_FIXED      (BIT(2) | BIT(3))

/* By the type of the space: all ports, of ISA and others; memory that is
 * written, and not cached. */
static const uint8_t space_flags[] = {
    [AML_SPACE_MEMORY] = 1,
    [AML_SPACE_IO] = 3,
    [AML_SPACE_BUS] = 0,
};

void aml_resource_io(struct blob *resources, uint16_t base, uint8_t count)
{
    blob_put(resources, TAG_IO, 1);
    blob_put(resources, DECODES_16_BITS, 1);
    blob_put(resources, base, 2); /* the lowest, the highest that it can be */
    blob_put(resources, base, 2);
    blob_put(resources, 1, 1); /* alignment */
    blob_put(resources, count, 1);
}

void aml_resource_irq(struct blob *resources, unsigned irq)
{
    blob_put(resources, TAG_IRQ, 1);
    blob_put(resources, BIT(irq), 2);
}

void aml_resource_space(struct blob *resources, unsigned width,
                        enum aml_space space, uint64_t base, uint64_t size)
{
    static const uint8_t tags[] = {[2] = 0x88, [4] = 0x87, [8] = 0x8a};

    blob_put(resources, tags[width], 1);
    blob_put(resources, SPACE_BYTES(width), 2);
    blob_put(resources, space, 1);
    blob_put(resources, MIN_MAX_FIXED, 1);
    blob_put(resources, space_flags[space], 1);
    blob_put(resources, 0, width); /* granularity */
    blob_put(resources, base, width);
    blob_put(resources, base + size - 1, width);
    blob_put(resources, 0, width); /* translation */
    blob_put(resources, size, width);
}

void aml_name_resources(struct blob *blob, const struct blob *resources)
{
    aml_open_t open;

    aml_name(blob, "_CRS");
    open = open_op(blob, AML_BUFFER);
    aml_integer(blob, resources->used + 2);
    blob_put_bytes(blob, resources->bytes, resources->used);
    blob_put(blob, TAG_END, 1);
    blob_put(blob, 0, 1); /* no checksum: it counts as right */
    aml_close(blob, open);
}
