/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The architectures of this process, as readers of traces need them, and a
 * trace's exits in the hypervisor's own terms.
 */
#ifndef SIM_TRACE_ARCH_H
#define SIM_TRACE_ARCH_H

#include "sim/trace_decode.h"
#include "vcpu/vcpu.h"

struct trace_arch_row {
    const struct trace_arch *trace;
    const struct vcpu_ops *ops;
    /* Gives every fake CPU its reset state. */
    void (*reset_hardware)(uint32_t cpus);
    /* The instruction that made the vCPU exit, as text; false when its
     * registers do not say. */
    bool (*instruction)(const struct vcpu *vcpu, char *text, size_t size);
};

/* NULL when this process does not know `name`. */
const struct trace_arch_row *trace_arch_find(const char *name);

/* Where a trace's fields are in this process's vCPU structure. */
struct trace_layout {
    const struct trace_arch_row *arch;
    unsigned count;
    uint32_t offsets[TRACE_MAX_FIELDS];
};

/* ERR_NOT_FOUND when the architecture, or one of the trace's fields, does not
 * exist here; `what` (TRACE_ERROR_SIZE bytes) names it. */
err_t trace_layout_make(struct trace_layout *layout,
                        const struct trace_start *start, char *what) MUST_CHECK;

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
