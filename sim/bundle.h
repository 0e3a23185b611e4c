/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: the configuration of the virtual machines, compiled and checked,
 * with the files that it names. docs/configuration.md describes the source
 * and the bundle.
 */
#ifndef SIM_BUNDLE_H
#define SIM_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/error.h"

/* Room for a message about what is wrong: a path, a property, a sentence. */
#define BUNDLE_WHAT_SIZE 1024

/* A file that exists in memory only; a test's guest, say. */
struct bundle_file {
    const char *name;
    const void *bytes;
    size_t size;
};

/* What a bundle is made of. */
struct bundle_source {
    const char *path; /* the configuration: .dts, or a compiled blob */
    const char *text; /* or, if `path` is NULL, its source */
    /* Where files are looked for: here ... */
    const struct bundle_file *files;
    size_t file_count;
    /* ... then next to the configuration, then in these folders. */
    const char *const *folders;
    size_t folder_count;
};

struct bundle {
    uint8_t *bytes; /* the device tree is at the start */
    size_t size;    /* a multiple of 4096 */
    size_t images;  /* where the image area begins */
};

/*
 * Makes a bundle, or nothing: ERR_INVALID_INPUT, ERR_NOT_FOUND (a file),
 * ERR_IO, ERR_NO_MEMORY. On an error `what`, of BUNDLE_WHAT_SIZE bytes, names
 * the file or node and property, and what is wrong with it.
 */
err_t bundle_make(const struct bundle_source *source, struct bundle *bundle,
                  char *what) MUST_CHECK;
void bundle_free(struct bundle *bundle);

/* Writes it to a file, which appears whole or not at all. ERR_IO. */
err_t bundle_save(const struct bundle *bundle, const char *path,
                  char *what) MUST_CHECK;

/*
 * The steps of bundle_make(), each in a file of its own.
 *
 * Compiles a configuration into a blob of its own, for free(). Without `path`
 * it is `text`. Includes are searched in `folders`.
 */
err_t bundle_compile(const struct bundle_source *source, void **fdt,
                     char *what) MUST_CHECK;
/* Checks a configuration whose files are still named, not packed. */
err_t bundle_check_source(const void *fdt, char *what) MUST_CHECK;
/* Checks it again when they are, as the hypervisor will read it. */
err_t bundle_check_packed(const struct bundle *bundle, char *what) MUST_CHECK;

#endif
