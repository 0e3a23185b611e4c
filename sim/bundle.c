/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs a configuration and the files that it names. In the tree, each `file`
 * becomes `data-offset` and `data-size`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/bits.h"
#include "lib/compiler.h"
#include "sim/bundle.h"

/* What data-offset and data-size add to the tree, names included. */
#define BYTES_PER_FILE 64
#define MAX_FILES      256
#define IMAGE_DEPTH    3 /* of an image's node */
#define FILE_MODE      0644

/* A file that goes into the image area. */
struct packed {
    char *path;   /* NULL: it is in memory only */
    uint8_t *own; /* its bytes, if they were read; for free() */
    const void *bytes;
    size_t size;
    size_t offset;
    bool shared; /* several nodes may have the same copy */
};

struct packer {
    const struct bundle_source *source;
    char *what;
    void *fdt;
    size_t count;
    size_t end; /* of the image area so far */
    struct packed files[MAX_FILES];
};

static err_t PRINTF_LIKE(3, 4)
    refuse(char *what, err_t error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(what, BUNDLE_WHAT_SIZE, format, args);
    va_end(args);
    return error;
}

/* The whole of an open regular file, for free(). */
static err_t read_all(int fd, uint8_t **bytes, size_t *size)
{
    struct stat stat;
    size_t done = 0;

    if (fstat(fd, &stat) != 0)
        return ERR_IO;
    if (!S_ISREG(stat.st_mode))
        return ERR_UNSUPPORTED;
    *size = (size_t)stat.st_size;
    *bytes = malloc(*size + 1);
    if (*bytes == NULL)
        return ERR_NO_MEMORY;
    while (done < *size) {
        ssize_t got = read(fd, *bytes + done, *size - done);
        if (got <= 0) {
            free(*bytes);
            return ERR_IO;
        }
        done += (size_t)got;
    }
    return OK;
}

/* Opens `name` where it is found first, and says where in `path`. */
static int open_somewhere(const struct bundle_source *source, const char *name,
                          char path[PATH_MAX])
{
    const char *slash = NULL;
    int fd;

    if (source->path != NULL && name[0] != '/')
        slash = strrchr(source->path, '/');
    snprintf(path, PATH_MAX, "%.*s%s",
             slash != NULL ? (int)(slash + 1 - source->path) : 0,
             slash != NULL ? source->path : "", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; fd < 0 && name[0] != '/' && i < source->folder_count;
         i++) {
        snprintf(path, PATH_MAX, "%s/%s", source->folders[i], name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return fd;
}

static err_t read_file(struct packer *packer, const char *node,
                       const char *name, struct packed *file)
{
    char path[PATH_MAX];
    int fd = open_somewhere(packer->source, name, path);
    err_t error;

    if (fd < 0)
        return refuse(packer->what, ERR_NOT_FOUND,
                      "%s: file: '%s' is neither next to the configuration "
                      "nor in a folder given with -I: %s",
                      node, name, strerror(errno));
    error = read_all(fd, &file->own, &file->size);
    close(fd);
    if (error != OK)
        return refuse(packer->what, error, "%s: file: %s: %s", node, path,
                      error_text(error));
    file->path = strdup(path);
    file->bytes = file->own;
    if (file->path != NULL)
        return OK;
    free(file->own);
    return refuse(packer->what, ERR_NO_MEMORY, "out of memory");
}

static const struct bundle_file *find_given(const struct bundle_source *source,
                                            const char *name)
{
    for (size_t i = 0; i < source->file_count; i++) {
        if (strcmp(source->files[i].name, name) == 0)
            return &source->files[i];
    }
    return NULL;
}

/* A copy of the same file that may be used once more. */
static const struct packed *find_shared(const struct packer *packer,
                                        const struct packed *file)
{
    for (size_t i = 0; i < packer->count; i++) {
        const struct packed *other = &packer->files[i];

        if (file->shared && other->shared && other->size == file->size &&
            memcmp(other->bytes, file->bytes, file->size) == 0)
            return other;
    }
    return NULL;
}

/* Gives `file` its place in the image area. */
static err_t add_file(struct packer *packer, const char *node, const char *name,
                      bool shared, struct packed *file)
{
    const struct bundle_file *given = find_given(packer->source, name);
    const struct packed *twin;
    err_t error = OK;

    *file = (struct packed){.shared = shared};
    if (packer->count == MAX_FILES)
        return refuse(packer->what, ERR_INVALID_INPUT,
                      "%s: file: more than %d files", node, MAX_FILES);
    if (given != NULL)
        *file = (struct packed){
            .bytes = given->bytes, .size = given->size, .shared = shared};
    else
        error = read_file(packer, node, name, file);
    if (error != OK)
        return error;
    twin = find_shared(packer, file);
    if (twin != NULL) {
        free(file->own);
        free(file->path);
        *file = *twin;
        return OK;
    }
    file->offset = packer->end;
    packer->end = align_up(packer->end + file->size, PAGE_SIZE);
    packer->files[packer->count++] = *file;
    return OK;
}

/* Images are copied into their VM's memory, so VMs can share them; a device
 * may write to its file, so each has its own. Images are children of a VM:
 * /vms/VM/IMAGE. */
static bool is_image_node(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    unsigned depth = 0;

    for (const char *c = path; *c != '\0'; c++)
        depth += *c == '/';
    if (depth != IMAGE_DEPTH)
        return false;
    return strcmp(name, "kernel") == 0 || strcmp(name, "initrd") == 0 ||
           strncmp(name, "module", strlen("module")) == 0;
}

static err_t pack_node(struct packer *packer, int node)
{
    const char *name = fdt_getprop(packer->fdt, node, "file", NULL);
    struct packed file;
    char path[256];
    err_t error;

    if (name == NULL)
        return OK;
    if (fdt_get_path(packer->fdt, node, path, sizeof(path)) != 0)
        return refuse(packer->what, ERR_INVALID_INPUT,
                      "file: '%s': its node is nested too deeply", name);
    error = add_file(packer, path, name, is_image_node(path), &file);
    if (error != OK)
        return error;
    if (file.size == 0)
        return refuse(packer->what, ERR_INVALID_INPUT,
                      "%s: file: '%s' is empty", path, name);
    if (fdt_delprop(packer->fdt, node, "file") != 0 ||
        fdt_setprop_u64(packer->fdt, node, "data-size", file.size) != 0 ||
        fdt_setprop_u64(packer->fdt, node, "data-offset", file.offset) != 0)
        return refuse(packer->what, ERR_NO_MEMORY,
                      "%s: the device tree is too large", path);
    return OK;
}

/* Changing a node's properties moves only what comes behind it. */
static err_t pack_nodes(struct packer *packer)
{
    for (int node = fdt_next_node(packer->fdt, -1, NULL); node >= 0;
         node = fdt_next_node(packer->fdt, node, NULL)) {
        err_t error = pack_node(packer, node);
        if (error != OK)
            return error;
    }
    return OK;
}

static err_t assemble(const struct packer *packer, struct bundle *bundle)
{
    size_t tree = fdt_totalsize(packer->fdt);

    bundle->images = align_up(tree, PAGE_SIZE);
    bundle->size = bundle->images + packer->end;
    bundle->bytes = calloc(1, bundle->size);
    if (bundle->bytes == NULL)
        return refuse(packer->what, ERR_NO_MEMORY,
                      "out of memory for a bundle of %zu bytes", bundle->size);
    memcpy(bundle->bytes, packer->fdt, tree);
    for (size_t i = 0; i < packer->count; i++)
        memcpy(bundle->bytes + bundle->images + packer->files[i].offset,
               packer->files[i].bytes, packer->files[i].size);
    return OK;
}

/* A copy of `fdt` with room for what packing adds, for free(). */
static void *copy_with_room(const void *fdt)
{
    int room = (int)fdt_totalsize(fdt) + MAX_FILES * BYTES_PER_FILE;
    void *copy = malloc((size_t)room);

    if (copy != NULL && fdt_open_into(fdt, copy, room) != 0) {
        free(copy);
        return NULL;
    }
    return copy;
}

static err_t pack(struct packer *packer, const void *fdt, struct bundle *bundle)
{
    err_t error;

    packer->fdt = copy_with_room(fdt);
    if (packer->fdt == NULL)
        return refuse(packer->what, ERR_NO_MEMORY, "out of memory");
    error = pack_nodes(packer);
    if (error == OK) {
        (void)fdt_pack(packer->fdt);
        error = assemble(packer, bundle);
    }
    for (size_t i = 0; i < packer->count; i++) {
        free(packer->files[i].own);
        free(packer->files[i].path);
    }
    free(packer->fdt);
    return error;
}

err_t bundle_make(const struct bundle_source *source, struct bundle *bundle,
                  char *what)
{
    struct packer *packer = calloc(1, sizeof(*packer));
    void *fdt = NULL;
    err_t error;

    *bundle = (struct bundle){0};
    if (packer == NULL)
        return refuse(what, ERR_NO_MEMORY, "out of memory");
    packer->source = source;
    packer->what = what;
    error = bundle_compile(source, &fdt, what);
    if (error == OK)
        error = bundle_check_source(fdt, what);
    if (error == OK)
        error = pack(packer, fdt, bundle);
    if (error == OK)
        error = bundle_check_packed(bundle, what);
    if (error != OK)
        bundle_free(bundle);
    free(fdt);
    free(packer);
    return error;
}

void bundle_free(struct bundle *bundle)
{
    free(bundle->bytes);
    *bundle = (struct bundle){0};
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
        }
    }
    return true;
}

err_t bundle_save(const struct bundle *bundle, const char *path, char *what)
{
    char temporary[PATH_MAX];
    bool good;
    int fd;

    snprintf(temporary, sizeof(temporary), "%s.%ld.new", path, (long)getpid());
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return refuse(what, ERR_IO, "%s: %s", path, strerror(errno));
    good = write_all(fd, bundle->bytes, bundle->size);
    if (close(fd) != 0)
        good = false;
    if (good && rename(temporary, path) == 0)
        return OK;
    (void)refuse(what, ERR_IO, "%s: %s", path, strerror(errno));
    unlink(temporary);
    return ERR_IO;
}
