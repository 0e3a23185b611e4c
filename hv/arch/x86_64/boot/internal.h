/* SPDX-License-Identifier: Apache-2.0 */
/* What the loaders share. */
#ifndef ARCH_X86_64_BOOT_INTERNAL_H
#define ARCH_X86_64_BOOT_INTERNAL_H

#include "arch/x86_64/boot/boot.h"

#define GIB_4 (UINT64_C(1) << 32)

/* One call of x86_boot_load(). A loader first looks at the images, then finds
 * a place for everything, and only then writes. */
struct boot {
    const struct x86_boot_image *image;
    const struct x86_boot_machine *machine;
    struct aspace *memory;
    struct x86_entry *entry;
    char *what;
    struct e820 room; /* its RAM is what nothing has been placed in */
};

typedef err_t (*boot_loader)(struct boot *boot);

err_t boot_linux(struct boot *boot) MUST_CHECK;
err_t boot_pvh(struct boot *boot) MUST_CHECK;
err_t boot_multiboot(struct boot *boot) MUST_CHECK;
err_t boot_flat(struct boot *boot) MUST_CHECK;
err_t boot_firmware(struct boot *boot) MUST_CHECK;

/* Say what is wrong with an image; return ERR_INVALID_INPUT, `error`. */
err_t boot_refuse(struct boot *boot, const char *format, ...) PRINTF_LIKE(2, 3);
err_t boot_fail(struct boot *boot, const char *name, err_t error);

/* Whether [offset, offset + size) lies in the file. */
static inline bool boot_has(const struct x86_boot_file *file, uint64_t offset,
                            uint64_t size)
{
    return offset <= file->size && size <= file->size - offset;
}

/* Copies bytes of the kernel, which must have them (boot_has()). */
void boot_read(const struct boot *boot, uint64_t offset, void *to, size_t size);

/* Takes the place [start, start + size) for `name`. It is an error unless it
 * is free RAM below 4 GiB. */
err_t boot_claim(struct boot *boot, const char *name, uint64_t start,
                 uint64_t size) MUST_CHECK;
/* Finds a place, and takes it. */
err_t boot_place(struct boot *boot, const char *name,
                 const struct e820_wish *wish, gpa_t *at) MUST_CHECK;
/* Anywhere in conventional memory, where the least kernel can reach it. */
err_t boot_place_low(struct boot *boot, const char *name, uint64_t size,
                     gpa_t *at) MUST_CHECK;
/* Conventional memory for `text` and its NUL; address 0 for none, NULL. */
err_t boot_place_text(struct boot *boot, const char *name, const char *text,
                      gpa_t *at) MUST_CHECK;

/* Write to guest memory what has been placed. */
err_t boot_store(struct boot *boot, const char *name, gpa_t to,
                 const void *from, size_t size) MUST_CHECK;
err_t boot_store_text(struct boot *boot, const char *name, const char *text,
                      gpa_t to) MUST_CHECK;
/* `size` bytes of a file, from `offset` on. */
err_t boot_store_file(struct boot *boot, const char *name, gpa_t to,
                      const struct x86_boot_file *file, uint64_t offset,
                      uint64_t size) MUST_CHECK;
err_t boot_clear(struct boot *boot, const char *name, gpa_t start,
                 uint64_t size) MUST_CHECK;

/* Modules, one after the other behind the lowest `from` (0: as high as can
 * be), each on a page of its own, and their command lines. */
struct boot_modules {
    gpa_t at[X86_BOOT_MAX_MODULES], cmdline[X86_BOOT_MAX_MODULES];
};

err_t boot_place_modules(struct boot *boot, uint64_t from,
                         struct boot_modules *modules) MUST_CHECK;
err_t boot_store_modules(struct boot *boot,
                         const struct boot_modules *modules) MUST_CHECK;

/* A place for the GDT of the registers at entry, and its contents. */
err_t boot_place_gdt(struct boot *boot, gpa_t *at) MUST_CHECK;
err_t boot_store_gdt(struct boot *boot, gpa_t at) MUST_CHECK;

#endif
