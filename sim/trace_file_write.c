/* SPDX-License-Identifier: Apache-2.0 */
/* Writes *.twx files: see trace_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "sim/trace_file.h"
#include "sim/trace_file_layout.h"

/* Good compression at some 20 MB/s, far above what a machine records. */
#define COMPRESSION_LEVEL 12

struct twx_writer {
    int fd;
    uint32_t chunks;
    uint64_t raw_bytes, file_bytes;
    size_t filled; /* of `raw` */
    ZSTD_CCtx *packer;
    char path[PATH_MAX], partial[PATH_MAX];
    char error[TRACE_ERROR_SIZE];
    uint8_t raw[TWX_CHUNK_SIZE];
    uint8_t packed[ZSTD_COMPRESSBOUND(TWX_CHUNK_SIZE)];
};

static void fail(struct twx_writer *writer, const char *doing, const char *why)
{
    if (writer->error[0] == '\0')
        snprintf(writer->error, sizeof(writer->error), "%s %.100s: %s", doing,
                 writer->partial, why);
}

static void put(struct twx_writer *writer, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size != 0 && writer->error[0] == '\0') {
        ssize_t put = write(writer->fd, from, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            fail(writer, "cannot write", strerror(put < 0 ? errno : EIO));
            return;
        }
        from += put;
        size -= (size_t)put;
        writer->file_bytes += (uint64_t)put;
    }
}

static void write_header(struct twx_writer *writer)
{
    struct twx_header header = {.magic = TWX_MAGIC, .version = TWX_VERSION};

    header.checksum =
        twx_checksum(0, &header, offsetof(struct twx_header, checksum));
    put(writer, &header, sizeof(header));
}

static void write_chunk(struct twx_writer *writer)
{
    struct twx_chunk chunk = {.magic = TWX_CHUNK_MAGIC};
    size_t packed = ZSTD_compressCCtx(writer->packer, writer->packed,
                                      sizeof(writer->packed), writer->raw,
                                      writer->filled, COMPRESSION_LEVEL);

    if (ZSTD_isError(packed)) {
        fail(writer, "cannot compress", ZSTD_getErrorName(packed));
        return;
    }
    chunk.packed_size = (uint32_t)packed;
    chunk.raw_size = (uint32_t)writer->filled;
    chunk.checksum =
        twx_checksum(0, &chunk, offsetof(struct twx_chunk, checksum));
    chunk.checksum = twx_checksum(chunk.checksum, writer->packed, packed);
    put(writer, &chunk, sizeof(chunk));
    put(writer, writer->packed, packed);
    writer->chunks++;
    writer->filled = 0;
}

static void write_trailer(struct twx_writer *writer)
{
    struct twx_trailer trailer = {.magic = TWX_TRAILER_MAGIC,
                                  .chunks = writer->chunks,
                                  .raw_size = writer->raw_bytes};

    trailer.checksum =
        twx_checksum(0, &trailer, offsetof(struct twx_trailer, checksum));
    put(writer, &trailer, sizeof(trailer));
}

static void discard(struct twx_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    ZSTD_freeCCtx(writer->packer);
    free(writer);
}

struct twx_writer *twx_create(const char *path, char *what)
{
    struct twx_writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL || (writer->packer = ZSTD_createCCtx()) == NULL) {
        snprintf(what, TRACE_ERROR_SIZE, "out of memory");
        free(writer);
        return NULL;
    }
    writer->fd = -1;
    if ((size_t)snprintf(writer->path, sizeof(writer->path), "%s", path) >=
            sizeof(writer->path) ||
        (size_t)snprintf(writer->partial, sizeof(writer->partial), "%s.partial",
                         path) >= sizeof(writer->partial)) {
        snprintf(what, TRACE_ERROR_SIZE, "the name of the trace is too long");
        discard(writer);
        return NULL;
    }
    writer->fd =
        open(writer->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->fd < 0)
        fail(writer, "cannot create", strerror(errno));
    write_header(writer);
    if (writer->error[0] == '\0')
        return writer;
    snprintf(what, TRACE_ERROR_SIZE, "%s", writer->error);
    discard(writer);
    return NULL;
}

bool twx_write(struct twx_writer *writer, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size != 0 && writer->error[0] == '\0') {
        size_t piece = TWX_CHUNK_SIZE - writer->filled;

        if (piece > size)
            piece = size;
        memcpy(writer->raw + writer->filled, from, piece);
        writer->filled += piece;
        writer->raw_bytes += piece;
        from += piece;
        size -= piece;
        if (writer->filled == TWX_CHUNK_SIZE)
            write_chunk(writer);
    }
    return writer->error[0] == '\0';
}

/* The file's name must survive a crash of the machine like its bytes. */
static void sync_folder(struct twx_writer *writer)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s", writer->path);
    fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* fsync() does not work on everything a file can be written to. */
static bool sync_file(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
}

bool twx_finish(struct twx_writer *writer, uint64_t *file_bytes, char *what)
{
    bool done;

    if (writer->filled != 0)
        write_chunk(writer);
    write_trailer(writer);
    if (writer->error[0] == '\0' && !sync_file(writer->fd))
        fail(writer, "cannot write", strerror(errno));
    if (writer->error[0] == '\0' && rename(writer->partial, writer->path) != 0)
        fail(writer, "cannot rename", strerror(errno));
    done = writer->error[0] == '\0';
    if (file_bytes != NULL)
        *file_bytes = writer->file_bytes;
    if (done)
        sync_folder(writer);
    else
        snprintf(what, TRACE_ERROR_SIZE,
                 "%.150s; it holds what was written "
                 "before, %" PRIu64 " bytes",
                 writer->error, writer->file_bytes);
    discard(writer);
    return done;
}

void twx_abandon(struct twx_writer *writer)
{
    unlink(writer->partial);
    discard(writer);
}

const char *twx_error(const struct twx_writer *writer)
{
    return writer->error[0] != '\0' ? writer->error : NULL;
}

uint64_t twx_raw_bytes(const struct twx_writer *writer)
{
    return writer->raw_bytes;
}
