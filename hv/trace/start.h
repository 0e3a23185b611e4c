/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start record: what a trace says about the machine it was recorded on, so
 * that a replay needs nothing else. docs/trace-format.md has its layout.
 */
#ifndef TRACE_START_H
#define TRACE_START_H

#include "trace/record.h"

/* Names the sources of hv/ that this binary was built from, image and process
 * alike. Generated at build time. */
extern const char trace_build_id[];

/* The numbers of the start record, in their order, 8 bytes each. */
#define TRACE_START_NUMBERS(X)                                \
    X(version)   /* TRACE_FORMAT_VERSION */                   \
    X(slot_bits) /* CODEC_SLOT_BITS */                        \
    X(cpu_count)                                              \
    X(frequency)  /* of the counter, Hz */                    \
    X(time_shift) /* events' times are ticks >> this */       \
    X(ram_base)                                               \
    X(ram_size)                                               \
    X(images) /* struct vmm_boot: where the image area was */ \
    X(images_size)                                            \
    X(power_off_when_done)                                    \
    X(exit_kinds)                                             \
    X(fields)                                                 \
    X(rows)                                                   \
    X(config_size) /* bytes of the configuration tree */

struct trace_start_numbers {
#define X(name) uint64_t name;
    TRACE_START_NUMBERS(X)
#undef X
};

void trace_write_start(struct trace_encoder *encoder,
                       const struct trace_machine *machine,
                       const struct vmm_boot *boot);

#endif
