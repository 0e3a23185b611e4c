/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side of the ring (hv/trace/ring.h), and of the wire
 * (hv/trace/wire.h): takes the trace of an image out of the memory of the
 * machine that runs it, or from where its device puts it, and writes it to a
 * file.
 */
#ifndef SIM_TRACE_DRAIN_H
#define SIM_TRACE_DRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct drain_options {
    const char *ram;  /* the machine's RAM as a file; or NULL, and */
    const char *wire; /* a file, which may be a pipe, of what came by wire */
    uint64_t base;    /* the host-physical address at which that begins */
    const char *out;  /* the trace */
    int64_t pid;      /* ends when this process is gone; 0: does not look */
    const volatile sig_atomic_t *wanted_end; /* ends when that is not 0 */
};

struct twx_writer;

/*
 * Waits for a recording to appear in the machine's RAM, and drains it until it
 * ends, or the machine does. False, having said on standard error why, unless
 * everything that was recorded is in the file.
 */
bool trace_drain(const struct drain_options *options);
/* The same from a wire, until that ends. */
bool trace_drain_wire(const struct drain_options *options);

#define DRAIN_NOTHING                                                     \
    "the machine has ended, or this was told to end, before a recording " \
    "began; does the image record (boot argument `record`)?"

/* Of both: says what is wrong, of `path`. False. */
bool drain_complain(const char *path, const char *message);
/* Finishes the file and says how large it is. False if that has failed. */
bool drain_finish(struct twx_writer *writer, const char *path);

#endif
