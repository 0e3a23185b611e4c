/* SPDX-License-Identifier: Apache-2.0 */
/* Writes scripts for firmware: see acpi_script.h. */
#include "arch/x86_64/boot/acpi_script.h"

#include "lib/check.h"
#include "lib/string.h"

#define ENTRY_SIZE 128
#define NAME_SIZE  56

enum command { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };

static size_t begin(struct blob *script, enum command command)
{
    size_t start = script->used;

    blob_put(script, command, 4);
    return start;
}

static void put_name(struct blob *script, const char *name)
{
    size_t length = strlen(name);

    CHECK(length < NAME_SIZE);
    blob_put_bytes(script, name, length);
    (void)blob_reserve(script, NAME_SIZE - length);
}

static void end(struct blob *script, size_t start)
{
    (void)blob_reserve(script, start + ENTRY_SIZE - script->used);
}

void acpi_script_allocate(struct blob *script, const char *file, unsigned align,
                          enum acpi_zone zone)
{
    size_t start = begin(script, ALLOCATE);

    put_name(script, file);
    blob_put(script, align, 4);
    blob_put(script, zone, 1);
    end(script, start);
}

void acpi_script_pointer(struct blob *script, const char *file, size_t at,
                         unsigned width, const char *target)
{
    size_t start = begin(script, ADD_POINTER);

    put_name(script, file);
    put_name(script, target);
    blob_put(script, at, 4);
    blob_put(script, width, 1);
    end(script, start);
}

void acpi_script_checksum(struct blob *script, const char *file, size_t at,
                          size_t first, size_t count)
{
    size_t start = begin(script, ADD_CHECKSUM);

    put_name(script, file);
    blob_put(script, at, 4);
    blob_put(script, first, 4);
    blob_put(script, count, 4);
    end(script, start);
}
