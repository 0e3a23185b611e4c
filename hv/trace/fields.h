/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an architecture tells the traces: the registers of its vCPU, and the
 * rows of its hardware seam. Each hv/arch/<arch>/trace.c fills in one struct
 * trace_arch; recorder, replayer and reports know nothing else of it.
 */
#ifndef TRACE_FIELDS_H
#define TRACE_FIELDS_H

#include <stdint.h>

struct vcpu;

/*
 * A register as a trace knows it: a uint64_t at `offset` in the architecture's
 * vCPU structure (the one that begins with its struct vcpu). Fields are the
 * general-purpose registers that the guest can change (so no hardwired zero),
 * and what an exit writes beside them.
 */
struct trace_field {
    const char *name; /* as the manual calls it */
    uint32_t offset;
};

#define TRACE_MAX_FIELDS 63

/* Fields with a meaning of their own, the same for every architecture. */
#define TRACE_FIELD_PC    0
#define TRACE_FIELD_CAUSE 1 /* the hardware's exit reason */

/* How a row of an API table crosses its seam; see hv/api/api.h. */
enum trace_shape {
    TRACE_SHAPE_FN,
    TRACE_SHAPE_PROC,
    TRACE_SHAPE_GET,
    TRACE_SHAPE_PUT,
    TRACE_SHAPE_COUNT
};

struct trace_row {
    const char *name;  /* NULL for a QUIET row: no trace holds one */
    uint8_t shape;     /* enum trace_shape */
    uint8_t flow;      /* enum api_flow */
    uint8_t arg_count; /* traced arguments */
};

#define TRACE_MAX_ARGS 7

struct trace_arch {
    const char *name; /* "riscv64" */
    const struct trace_field *fields;
    unsigned field_count;         /* at most TRACE_MAX_FIELDS */
    const struct trace_row *rows; /* TRACE_ROW_TABLE() of its hw table */
    unsigned row_count;
    /*
     * The fields that the exit `vcpu` has just made brought in: bit n for
     * field n. That is whatever the handling of this exit may read, judged by
     * the exit registers alone: the registers that the hardware wrote, and
     * the general-purpose registers that the trapped instruction hands over
     * (the operands of a call, the source of a store). A replay knows no
     * other register of the guest, so one that is left out shows as a
     * divergence there. Which registers an instruction needs that has to be
     * read first is not known yet: those cross the hardware seam when it is.
     * TRACE_FIELD_PC and TRACE_FIELD_CAUSE are always in. Pure.
     */
    uint64_t (*exit_fields)(const struct vcpu *vcpu);
};

#endif
