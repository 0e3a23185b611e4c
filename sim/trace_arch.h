/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The architectures of this process, as readers of traces need them, and a
 * trace's exits in the hypervisor's own terms.
 */
#ifndef SIM_TRACE_ARCH_H
#define SIM_TRACE_ARCH_H

#include "sim/arch.h"
#include "sim/trace_decode.h"

/* The fields of an architecture lie close to each other. */
#define TRACE_MAX_WORDS 128
#define TRACE_NO_FIELD  0xff

/*
 * Where a trace's fields are in this process's vCPU structure: in `word_count`
 * words, a multiple of 4, of which some may not be fields.
 */
struct trace_layout {
    const struct sim_arch *arch;
    unsigned count;
    uint32_t offset; /* of the first word */
    unsigned word_count;
    uint8_t words[TRACE_MAX_FIELDS];        /* by field */
    uint8_t field_of_word[TRACE_MAX_WORDS]; /* or TRACE_NO_FIELD */
};

/* ERR_NOT_FOUND when the architecture, or one of the trace's fields, does not
 * exist here; `what` (TRACE_ERROR_SIZE bytes) names it. */
err_t trace_layout_make(struct trace_layout *layout,
                        const struct trace_start *start, char *what) MUST_CHECK;

static inline uint64_t *trace_layout_words(const struct trace_layout *layout,
                                           struct vcpu *vcpu)
{
    return (uint64_t *)(void *)((char *)vcpu + layout->offset);
}

static inline uint64_t *trace_layout_field(const struct trace_layout *layout,
                                           struct vcpu *vcpu, unsigned field)
{
    return trace_layout_words(layout, vcpu) + layout->words[field];
}

/* A vCPU of no VM, on which the decoders of exits work. NULL: no memory. */
struct vcpu *trace_scratch_new(const struct trace_layout *layout);
void trace_scratch_free(struct vcpu *scratch);

/* What the exit of `event` was, as far as its registers tell. */
void trace_scratch_decode(const struct trace_layout *layout,
                          struct vcpu *scratch, const struct trace_event *event,
                          struct vm_exit *exit);

#endif
