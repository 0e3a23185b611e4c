/* SPDX-License-Identifier: Apache-2.0 */
/*
 * *.twx, the file around a trace's stream: a header, chunks of the stream,
 * each compressed and with a checksum of its own, and a trailer that says that
 * nothing is missing. docs/trace-format.md has the layout.
 */
#ifndef SIM_TRACE_FILE_H
#define SIM_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/trace_decode.h"

/* Bytes of the stream in a chunk, but for the last one. */
#define TWX_CHUNK_SIZE (128 * 1024)

struct twx_writer;

/*
 * Starts a file that will be called `path`; until twx_finish() it is called
 * `path`.partial. NULL, with the reason in `what` (TRACE_ERROR_SIZE bytes).
 */
struct twx_writer *twx_create(const char *path, char *what);

/* Bytes of the stream. False once anything has failed: see twx_error(). */
bool twx_write(struct twx_writer *writer, const void *bytes, size_t size);

/*
 * Writes what is left, brings all of it to the disk, and gives the file its
 * name, replacing what has had it. On failure the partial file stays: it holds
 * the chunks that were written, and can be read like any truncated trace.
 * Frees `writer`; false with the reason in `what`. `file_bytes`, which may be
 * NULL, is set to the file's size.
 */
bool twx_finish(struct twx_writer *writer, uint64_t *file_bytes, char *what);

/* Gives the file up and removes it. Frees `writer`. */
void twx_abandon(struct twx_writer *writer);

/* NULL while all is well. */
const char *twx_error(const struct twx_writer *writer);

/* Bytes of the stream so far. */
uint64_t twx_raw_bytes(const struct twx_writer *writer);

struct twx_reader;

/* NULL, with the reason in `what`, when it cannot be opened or is no trace. */
struct twx_reader *twx_open(const char *path, char *what);
/* The same for an open file, which becomes the reader's. */
struct twx_reader *twx_open_stream(FILE *file, char *what);
void twx_close(struct twx_reader *reader);

/* The next bytes of the stream; 0 at its end, or where the file is broken. */
size_t twx_read(struct twx_reader *reader, void *bytes, size_t size);

/* What is wrong with the file, as far as it was read; NULL: nothing. */
const char *twx_reader_error(const struct twx_reader *reader);

/* A decoder's source. */
struct trace_source twx_source(struct twx_reader *reader);

/* Bytes of the stream read so far, and of the file. */
uint64_t twx_reader_raw_bytes(const struct twx_reader *reader);
uint64_t twx_reader_file_bytes(const struct twx_reader *reader);

#endif
