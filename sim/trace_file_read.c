/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads *.twx files: see trace_file.h. A chunk is handed out only when its
 * checksum is right, so whatever happened to a file, what comes out of it is
 * what went in, as far as it goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "sim/trace_file.h"
#include "sim/trace_file_layout.h"

/* No writer makes chunks beyond this: a size that is larger is no size. */
#define LARGEST_CHUNK (UINT32_C(16) << 20)

struct twx_reader {
    FILE *file;
    bool ended; /* by the trailer, or by an error */
    uint32_t chunks;
    uint64_t raw_bytes, file_bytes;
    uint8_t *raw, *packed;
    size_t raw_room, packed_room;
    size_t next, filled; /* of `raw` */
    char error[TRACE_ERROR_SIZE];
};

static void PRINTF_LIKE(2, 3)
    fail(struct twx_reader *reader, const char *format, ...)
{
    va_list args;

    if (reader->error[0] == '\0') {
        va_start(args, format);
        vsnprintf(reader->error, sizeof(reader->error), format, args);
        va_end(args);
    }
    reader->ended = true;
}

/* How many of `size` bytes the file still had. */
static size_t get(struct twx_reader *reader, void *bytes, size_t size)
{
    size_t got = fread(bytes, 1, size, reader->file);

    reader->file_bytes += got;
    if (got != size && ferror(reader->file))
        fail(reader, "cannot read the trace: %s", strerror(errno));
    return got;
}

static void cut_off(struct twx_reader *reader)
{
    fail(reader,
         "the file is cut off at byte %" PRIu64 ", in or after chunk %" PRIu32,
         reader->file_bytes, reader->chunks);
}

static bool make_room(uint8_t **buffer, size_t *room, size_t size)
{
    uint8_t *larger;

    if (size <= *room)
        return true;
    larger = realloc(*buffer, size);
    if (larger == NULL)
        return false;
    *buffer = larger;
    *room = size;
    return true;
}

/* The part of a chunk or trailer behind its magic. */
static bool get_rest(struct twx_reader *reader, void *structure, size_t size)
{
    const size_t magic = sizeof(uint32_t);

    if (get(reader, (uint8_t *)structure + magic, size - magic) == size - magic)
        return true;
    cut_off(reader);
    return false;
}

static void read_trailer(struct twx_reader *reader)
{
    struct twx_trailer trailer = {.magic = TWX_TRAILER_MAGIC};
    uint8_t more;

    reader->ended = true;
    if (!get_rest(reader, &trailer, sizeof(trailer)))
        return;
    if (trailer.checksum !=
            twx_checksum(0, &trailer, offsetof(struct twx_trailer, checksum)) ||
        trailer.chunks != reader->chunks ||
        trailer.raw_size != reader->raw_bytes)
        fail(reader, "the trailer at byte %" PRIu64 " is broken",
             reader->file_bytes - sizeof(trailer));
    else if (get(reader, &more, 1) != 0)
        fail(reader, "something follows the trailer at byte %" PRIu64,
             reader->file_bytes - 1);
}

/* The chunk's frame, checked. */
static bool get_frame(struct twx_reader *reader, const struct twx_chunk *chunk)
{
    uint32_t checksum =
        twx_checksum(0, chunk, offsetof(struct twx_chunk, checksum));

    if (chunk->packed_size > LARGEST_CHUNK || chunk->raw_size > LARGEST_CHUNK ||
        chunk->raw_size == 0) {
        fail(reader, "chunk %" PRIu32 " at byte %" PRIu64 " is broken",
             reader->chunks + 1, reader->file_bytes - sizeof(*chunk));
        return false;
    }
    if (!make_room(&reader->packed, &reader->packed_room, chunk->packed_size) ||
        !make_room(&reader->raw, &reader->raw_room, chunk->raw_size)) {
        fail(reader, "out of memory");
        return false;
    }
    if (get(reader, reader->packed, chunk->packed_size) != chunk->packed_size) {
        cut_off(reader);
        return false;
    }
    checksum = twx_checksum(checksum, reader->packed, chunk->packed_size);
    if (checksum == chunk->checksum)
        return true;
    fail(reader,
         "chunk %" PRIu32 ", which ends at byte %" PRIu64
         ", is broken: its checksum is wrong",
         reader->chunks + 1, reader->file_bytes);
    return false;
}

/* What zstd unpacks with, made once for all readers: it asks the processor what
 * it is, and a virtual one takes long to say. NULL: no memory. */
static ZSTD_DCtx *the_unpacker(void)
{
    static ZSTD_DCtx *unpacker;

    if (unpacker == NULL)
        unpacker = ZSTD_createDCtx();
    return unpacker;
}

static void read_chunk(struct twx_reader *reader)
{
    ZSTD_DCtx *unpacker = the_unpacker();
    struct twx_chunk chunk = {.magic = TWX_CHUNK_MAGIC};
    size_t unpacked;

    if (!get_rest(reader, &chunk, sizeof(chunk)) || !get_frame(reader, &chunk))
        return;
    if (unpacker == NULL) {
        fail(reader, "out of memory");
        return;
    }
    unpacked = ZSTD_decompressDCtx(unpacker, reader->raw, chunk.raw_size,
                                   reader->packed, chunk.packed_size);
    if (ZSTD_isError(unpacked) || unpacked != chunk.raw_size) {
        fail(reader, "chunk %" PRIu32 " cannot be unpacked: %s",
             reader->chunks + 1,
             ZSTD_isError(unpacked) ? ZSTD_getErrorName(unpacked)
                                    : "its size is wrong");
        return;
    }
    reader->chunks++;
    reader->next = 0;
    reader->filled = unpacked;
}

static void read_part(struct twx_reader *reader)
{
    uint32_t magic;

    if (get(reader, &magic, sizeof(magic)) != sizeof(magic))
        cut_off(reader);
    else if (magic == TWX_CHUNK_MAGIC)
        read_chunk(reader);
    else if (magic == TWX_TRAILER_MAGIC)
        read_trailer(reader);
    else
        fail(reader, "neither a chunk nor the trailer is at byte %" PRIu64,
             reader->file_bytes - sizeof(magic));
}

size_t twx_read(struct twx_reader *reader, void *bytes, size_t size)
{
    size_t piece;

    while (reader->next == reader->filled && !reader->ended)
        read_part(reader);
    piece = reader->filled - reader->next;
    if (piece > size)
        piece = size;
    if (piece == 0)
        return 0;
    memcpy(bytes, reader->raw + reader->next, piece);
    reader->next += piece;
    reader->raw_bytes += piece;
    return piece;
}

static bool check_header(struct twx_reader *reader)
{
    struct twx_header header;

    if (get(reader, &header, sizeof(header)) != sizeof(header) ||
        memcmp(header.magic, TWX_MAGIC, sizeof(header.magic)) != 0)
        fail(reader, "not a trace: it does not begin as *.twx files do");
    else if (header.checksum !=
             twx_checksum(0, &header, offsetof(struct twx_header, checksum)))
        fail(reader, "the header is broken");
    else if (header.version != TWX_VERSION)
        fail(reader,
             "version %" PRIu32 " of the file format, where %d is known",
             header.version, TWX_VERSION);
    return reader->error[0] == '\0';
}

struct twx_reader *twx_open_stream(FILE *file, char *what)
{
    struct twx_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        snprintf(what, TRACE_ERROR_SIZE, "out of memory");
        fclose(file);
        return NULL;
    }
    reader->file = file;
    if (check_header(reader))
        return reader;
    snprintf(what, TRACE_ERROR_SIZE, "%s", reader->error);
    twx_close(reader);
    return NULL;
}

struct twx_reader *twx_open(const char *path, char *what)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        snprintf(what, TRACE_ERROR_SIZE, "cannot open it: %s", strerror(errno));
        return NULL;
    }
    return twx_open_stream(file, what);
}

void twx_close(struct twx_reader *reader)
{
    if (reader == NULL)
        return;
    fclose(reader->file);
    free(reader->raw);
    free(reader->packed);
    free(reader);
}

const char *twx_reader_error(const struct twx_reader *reader)
{
    return reader->error[0] != '\0' ? reader->error : NULL;
}

static size_t source_read(void *context, void *bytes, size_t size)
{
    return twx_read(context, bytes, size);
}

struct trace_source twx_source(struct twx_reader *reader)
{
    return (struct trace_source){source_read, reader};
}

uint64_t twx_reader_raw_bytes(const struct twx_reader *reader)
{
    return reader->raw_bytes;
}

uint64_t twx_reader_file_bytes(const struct twx_reader *reader)
{
    return reader->file_bytes;
}
