/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI Machine Language: as much as describes devices. ACPI 6.5, sections 6.4
 * (resources) and 20 (encoding).
 *
 * What has a length is opened, and closed when its contents are there; lengths
 * and integers take the fewest bytes, as they do from a compiler.
 */
#ifndef ARCH_X86_64_BOOT_AML_H
#define ARCH_X86_64_BOOT_AML_H

#include "arch/x86_64/boot/blob.h"

/* Opcodes of what is opened. */
enum aml_op {
    AML_SCOPE = 0x10,
    AML_BUFFER = 0x11,
    AML_PACKAGE = 0x12,
    AML_DEVICE = 0x5b82, /* with its prefix */
};

/* Where an open object's contents begin. */
typedef size_t aml_open_t;

/* A scope or a device named `name`: up to four characters, behind a backslash
 * when they are counted from the root. */
aml_open_t aml_open(struct blob *blob, enum aml_op op, const char *name);
/* A package of `count` elements, which follow. */
aml_open_t aml_open_package(struct blob *blob, unsigned count);
void aml_close(struct blob *blob, aml_open_t open);

/* Name (`name`, ...): the value follows. */
void aml_name(struct blob *blob, const char *name);
void aml_integer(struct blob *blob, uint64_t value);
void aml_name_integer(struct blob *blob, const char *name, uint64_t value);
/* Of three capitals and four digits: an EISA id, compressed (section
 * 19.3.4); otherwise a string. */
void aml_name_id(struct blob *blob, const char *name, const char *id);

/* Resources (section 6.4), in a blob of their own that becomes a buffer. */
void aml_resource_io(struct blob *resources, uint16_t base, uint8_t count);
void aml_resource_irq(struct blob *resources, unsigned irq);

/* What an address space resource is of. */
enum aml_space {
    AML_SPACE_MEMORY = 0,
    AML_SPACE_IO = 1,
    AML_SPACE_BUS = 2,
};

/* [base, base + size), produced for others; the resource's addresses have
 * `width` bytes: 2, 4 or 8. */
void aml_resource_space(struct blob *resources, unsigned width,
                        enum aml_space space, uint64_t base, uint64_t size);
/* Name (_CRS, ResourceTemplate () { what is in `resources` }). */
void aml_name_resources(struct blob *blob, const struct blob *resources);

#endif
