/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The architectures of this process, as readers of traces need them, and a
 * trace's exits in the hypervisor's own terms.
 */
#ifndef SIM_TRACE_ARCH_H
#define SIM_TRACE_ARCH_H

#include "sim/arch.h"
#include "sim/trace_decode.h"

/* The fields of an architecture lie close to each other, in a few places. */
#define TRACE_MAX_WORDS 128
#define TRACE_MAX_RUNS  16
#define TRACE_NO_FIELD  0xff

/* Words that follow each other, a multiple of 4: words `first` on of all. */
struct trace_run {
    uint32_t offset;
    uint16_t first, count;
};

/*
 * Where a trace's fields are in this process's vCPU structure: in runs of
 * words, of which some may not be fields.
 */
struct trace_layout {
    const struct sim_arch *arch;
    unsigned count;
    unsigned run_count;
    struct trace_run runs[TRACE_MAX_RUNS];
    uint32_t offsets[TRACE_MAX_FIELDS];     /* by field */
    uint8_t words[TRACE_MAX_FIELDS];        /* the same, among all words */
    uint8_t field_of_word[TRACE_MAX_WORDS]; /* or TRACE_NO_FIELD */
};

/* ERR_NOT_FOUND when the architecture, or one of the trace's fields, does not
 * exist here; `what` (TRACE_ERROR_SIZE bytes) names it. */
err_t trace_layout_make(struct trace_layout *layout,
                        const struct trace_start *start, char *what) MUST_CHECK;

static inline uint64_t *trace_layout_run(const struct trace_run *run,
                                         struct vcpu *vcpu)
{
    return (uint64_t *)(void *)((char *)vcpu + run->offset);
}

static inline uint64_t *trace_layout_field(const struct trace_layout *layout,
                                           struct vcpu *vcpu, unsigned field)
{
    return (uint64_t *)(void *)((char *)vcpu + layout->offsets[field]);
}

/* A vCPU of no VM, on which the decoders of exits work. NULL: no memory. */
struct vcpu *trace_scratch_new(const struct trace_layout *layout);
void trace_scratch_free(struct vcpu *scratch);

/* What the exit of `event` was, as far as its registers tell. */
void trace_scratch_decode(const struct trace_layout *layout,
                          struct vcpu *scratch, const struct trace_event *event,
                          struct vm_exit *exit);

#endif
