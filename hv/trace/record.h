/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording. Whoever hosts the hypervisor calls trace_init() for vmm_init(),
 * trace_step() for vmm_step(), and, from the shims that it generates from the
 * API tables, a hook per crossing of a row that is not QUIET. While nothing is
 * recorded, a step costs one load and one branch more; a crossing the same in
 * the process, and a NOP in the image (hv/host/shim.h).
 *
 * While a recording runs, one ticket lock makes every step atomic: the order
 * of the events in the trace is the order in which the steps happened, so that
 * one thread can replay what many CPUs did. From this follow the host's duties:
 *
 *  - Only hv/ above the seams calls the shims. The host calls `<name>_impl`,
 *    and never a shim from within one.
 *  - A CPU acknowledges host_kick_cpu_and_wait() as soon as it has left its
 *    guest, before trace_step(): the CPU that waits holds the lock.
 *  - world_switch() crosses no seam but QUIET rows.
 *  - trace_timer() announces each timer function, right before the call.
 *  - FN rows that are RUN do not call back into the hypervisor.
 */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "trace/encode.h"
#include "trace/rows.h"
#include "vmm/vmm.h"

struct trace_recorder;

/* The recording that runs, or NULL. */
extern struct trace_recorder *_Atomic trace_recorder;

static inline bool trace_is_on(void)
{
    return unlikely(
        atomic_load_explicit(&trace_recorder, memory_order_relaxed) != NULL);
}

/* What a replay needs to build the same machine. */
struct trace_machine {
    const struct trace_arch *arch;
    hpa_t ram_base; /* where frames, and with them VMs, can lie */
    uint64_t ram_size;
    uint32_t cpu_count;
    uint64_t time_frequency; /* Hz */
};

/* Bytes of memory that a recorder needs, aligned to 64. */
size_t trace_recorder_size(void);

/*
 * Starts a recording, before vmm_init(): writes the start record. `memory`, of
 * trace_recorder_size() bytes, and the sink stay in use until it ends.
 */
void trace_start(void *memory, const struct trace_machine *machine,
                 const struct vmm_boot *boot, const struct trace_sink *sink);

/*
 * Ends the recording; nothing if none runs. From any CPU, inside a step (a
 * power-off, which does not return) or outside.
 */
void trace_stop(enum trace_end why);

/* vmm_init() and vmm_step(), recorded if a recording runs. */
err_t trace_init(const struct vmm_boot *boot) MUST_CHECK;
struct vcpu *trace_step(uint32_t cpu);

/*
 * The hooks, to be called while trace_is_on(), with ROW_<name> and
 * TRACE_ARGS(traced) of the row. An FN or GET row is announced after the
 * implementation has returned, a PROC or PUT row before it is called.
 */
void trace_fn(unsigned row, const uint64_t *args, unsigned count,
              uint64_t result);
void trace_proc(unsigned row, const uint64_t *args, unsigned count);
void trace_get(unsigned row, const uint64_t *args, unsigned count,
               const void *bytes, size_t filled);
void trace_put(unsigned row, const uint64_t *args, unsigned count,
               const void *bytes, size_t size);

/* The host is about to call the function of timer `token`. */
void trace_timer(timer_token token, uint64_t now_ns);

#endif
