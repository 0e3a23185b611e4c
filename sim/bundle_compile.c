/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a configuration with dtc, the device-tree compiler, which is found
 * in PATH. Its standard streams are anonymous files, so that it can neither
 * wait for us nor we for it but at its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "sim/bundle.h"
#include "sim/device_tree.h"

#define DTC_MAX_ARGS     128
#define DTC_FIXED_ARGS   9 /* the program, options, the input and NULL */
#define DTC_NOT_FOUND    127
#define DTC_MESSAGE_SIZE (BUNDLE_WHAT_SIZE - 128)

/* dtc's standard streams. */
struct streams {
    int fds[3];
};

static void close_streams(struct streams *streams)
{
    for (size_t i = 0; i < ARRAY_SIZE(streams->fds); i++) {
        if (streams->fds[i] >= 0)
            close(streams->fds[i]);
    }
}

static err_t open_streams(struct streams *streams, const char *input)
{
    bool good = true;

    for (size_t i = 0; i < ARRAY_SIZE(streams->fds); i++) {
        streams->fds[i] = memfd_create("dtc", MFD_CLOEXEC);
        good &= streams->fds[i] >= 0;
    }
    if (good && input != NULL) {
        size_t size = strlen(input);
        good = write(streams->fds[0], input, size) == (ssize_t)size &&
               lseek(streams->fds[0], 0, SEEK_SET) == 0;
    }
    if (good)
        return OK;
    close_streams(streams);
    return ERR_NO_MEMORY;
}

/* Starts dtc and waits. Its exit status, or DTC_NOT_FOUND. */
static int run_dtc(char *const args[], const struct streams *streams)
{
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t child;
    int error;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return DTC_NOT_FOUND;
    error = 0;
    for (int i = 0; i < 3 && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(&actions, streams->fds[i], i);
    if (error == 0)
        error = posix_spawnp(&child, args[0], &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return DTC_NOT_FOUND;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return DTC_NOT_FOUND;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* What an anonymous file holds, with a NUL behind it, for free(). */
static char *take_contents(int fd, size_t *size)
{
    struct stat stat;
    char *bytes;

    if (fstat(fd, &stat) != 0)
        return NULL;
    *size = (size_t)stat.st_size;
    bytes = malloc(*size + 1);
    if (bytes == NULL)
        return NULL;
    if (pread(fd, bytes, *size, 0) != (ssize_t)*size) {
        free(bytes);
        return NULL;
    }
    bytes[*size] = '\0';
    return bytes;
}

static err_t explain_failure(const struct bundle_source *source, int status,
                             const struct streams *streams, char *what)
{
    const char *name = source->path != NULL ? source->path : "configuration";
    size_t size = 0;
    char *message = take_contents(streams->fds[2], &size);

    if (status == DTC_NOT_FOUND)
        snprintf(what, BUNDLE_WHAT_SIZE,
                 "%s: dtc, the device-tree compiler, cannot be run: install "
                 "the package device-tree-compiler",
                 name);
    else
        snprintf(what, BUNDLE_WHAT_SIZE, "%s: dtc: %.*s", name,
                 DTC_MESSAGE_SIZE, message != NULL ? message : "failed");
    for (size = strlen(what); size > 0 && what[size - 1] == '\n'; size--)
        what[size - 1] = '\0';
    free(message);
    return ERR_INVALID_INPUT;
}

/* `-q`: what dtc merely warns of is checked by us, in our words. */
static err_t compile_source(const struct bundle_source *source, void **fdt,
                            size_t *size, char *what)
{
    char *args[DTC_MAX_ARGS] = {"dtc", "-q", "-I", "dts", "-O", "dtb"};
    struct streams streams;
    unsigned count = 6;
    int status;

    if (source->folder_count > (DTC_MAX_ARGS - DTC_FIXED_ARGS) / 2) {
        snprintf(what, BUNDLE_WHAT_SIZE, "too many folders");
        return ERR_INVALID_INPUT;
    }
    for (size_t i = 0; i < source->folder_count; i++) {
        args[count++] = "-i";
        args[count++] = (char *)(uintptr_t)source->folders[i];
    }
    args[count++] = "--";
    args[count++] =
        source->path != NULL ? (char *)(uintptr_t)source->path : "-";
    err_t error = open_streams(&streams, source->text);
    if (error != OK) {
        snprintf(what, BUNDLE_WHAT_SIZE, "out of memory");
        return error;
    }
    status = run_dtc(args, &streams);
    if (status != 0)
        error = explain_failure(source, status, &streams, what);
    else
        *fdt = take_contents(streams.fds[1], size);
    close_streams(&streams);
    return error;
}

/* Whether the file is a blob already; then it is read. */
static bool read_blob(const char *path, void **fdt, size_t *size)
{
    fdt32_t magic = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    bool is_blob = read(fd, &magic, sizeof(magic)) == sizeof(magic) &&
                   fdt32_to_cpu(magic) == FDT_MAGIC;
    if (is_blob)
        *fdt = take_contents(fd, size);
    close(fd);
    return is_blob;
}

err_t bundle_compile(const struct bundle_source *source, void **fdt, char *what)
{
    const char *name = source->path != NULL ? source->path : "configuration";
    size_t size = 0;
    err_t error = OK;

    *fdt = NULL;
    if (source->path != NULL && access(source->path, R_OK) != 0) {
        snprintf(what, BUNDLE_WHAT_SIZE, "%s: %s", name, strerror(errno));
        return ERR_NOT_FOUND;
    }
    if (source->path == NULL || !read_blob(source->path, fdt, &size))
        error = compile_source(source, fdt, &size, what);
    if (error == OK && *fdt == NULL) {
        snprintf(what, BUNDLE_WHAT_SIZE, "%s: out of memory", name);
        return ERR_NO_MEMORY;
    }
    if (error == OK && device_tree_check(*fdt, size) != 0) {
        snprintf(what, BUNDLE_WHAT_SIZE, "%s: the device tree is damaged: %s",
                 name, fdt_strerror(device_tree_check(*fdt, size)));
        error = ERR_INVALID_INPUT;
    }
    if (error != OK) {
        free(*fdt);
        *fdt = NULL;
    }
    return error;
}
