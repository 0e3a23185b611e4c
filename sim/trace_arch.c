/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_arch.h. */
#include "sim/trace_arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/check.h"
#include "sim/shim.h"

static const struct trace_field *find_field(const struct trace_arch *arch,
                                            const char *name)
{
    for (unsigned i = 0; i < arch->field_count; i++) {
        if (strcmp(arch->fields[i].name, name) == 0)
            return &arch->fields[i];
    }
    return NULL;
}

static int compare_offsets(const void *a, const void *b)
{
    const uint32_t *one = a, *two = b;

    return *one < *two ? -1 : *one > *two;
}

/* Fields with fewer words between them are of one run. */
#define RUN_GAP 8

/* The runs that all fields of the architecture lie in. */
static void place_runs(struct trace_layout *layout)
{
    const struct trace_arch *arch = layout->arch->trace;
    uint32_t offsets[TRACE_MAX_FIELDS];
    struct trace_run *run = NULL;
    unsigned words = 0;

    for (unsigned i = 0; i < arch->field_count; i++)
        offsets[i] = arch->fields[i].offset;
    qsort(offsets, arch->field_count, sizeof(offsets[0]), compare_offsets);
    layout->run_count = 0;
    for (unsigned i = 0; i < arch->field_count; i++) {
        if (run == NULL ||
            offsets[i] - run->offset >= (run->count + RUN_GAP) * 8u) {
            CHECK(layout->run_count < TRACE_MAX_RUNS);
            run = &layout->runs[layout->run_count++];
            *run = (struct trace_run){.offset = offsets[i]};
        }
        run->count = (uint16_t)align_up((offsets[i] - run->offset) / 8 + 1, 4);
    }
    for (unsigned i = 0; i < layout->run_count; i++) {
        layout->runs[i].first = (uint16_t)words;
        words += layout->runs[i].count;
    }
    CHECK(run != NULL && words <= TRACE_MAX_WORDS &&
          run->offset + run->count * 8u <= layout->arch->ops->size);
    memset(layout->field_of_word, TRACE_NO_FIELD,
           sizeof(layout->field_of_word));
}

static unsigned word_at(const struct trace_layout *layout, uint32_t offset)
{
    const struct trace_run *run = layout->runs;

    while (offset - run->offset >= run->count * 8u)
        run++;
    return run->first + (offset - run->offset) / 8;
}

err_t trace_layout_make(struct trace_layout *layout,
                        const struct trace_start *start, char *what)
{
    layout->arch = sim_arch_find(start->arch);
    layout->count = (unsigned)start->numbers.fields;
    if (layout->arch == NULL) {
        snprintf(what, TRACE_ERROR_SIZE,
                 "the trace is of architecture \"%s\", "
                 "which this twinax does not know",
                 start->arch);
        return ERR_NOT_FOUND;
    }
    place_runs(layout);
    for (unsigned i = 0; i < layout->count; i++) {
        const struct trace_field *field =
            find_field(layout->arch->trace, start->fields[i]);

        if (field == NULL) {
            snprintf(what, TRACE_ERROR_SIZE,
                     "the trace has a register \"%s\", "
                     "which this twinax does not know",
                     start->fields[i]);
            return ERR_NOT_FOUND;
        }
        layout->offsets[i] = field->offset;
        layout->words[i] = (uint8_t)word_at(layout, field->offset);
        layout->field_of_word[layout->words[i]] = (uint8_t)i;
    }
    return OK;
}

struct vcpu *trace_scratch_new(const struct trace_layout *layout)
{
    size_t size = align_up(layout->arch->ops->size, PAGE_SIZE);
    struct vcpu *scratch = aligned_alloc(PAGE_SIZE, size);

    if (scratch == NULL)
        return NULL;
    memset(scratch, 0, size);
    scratch->ops = layout->arch->ops;
    if (layout->arch->init_scratch != NULL)
        layout->arch->init_scratch(scratch);
    return scratch;
}

void trace_scratch_free(struct vcpu *scratch)
{
    free(scratch);
}

/* What a decoder wants to know beyond the registers: nothing is there. */
static bool feed_nothing(void *context, const struct shim_call *call,
                         uint64_t *result)
{
    *result = 0;
    return true;
}

static bool feed_no_bytes(void *context, const struct shim_call *call,
                          void *buffer, size_t size, size_t *filled)
{
    *filled = 0;
    return true;
}

static const struct shim_hooks nothing = {.feed = feed_nothing,
                                          .feed_bytes = feed_no_bytes};

void trace_scratch_decode(const struct trace_layout *layout,
                          struct vcpu *scratch, const struct trace_event *event,
                          struct vm_exit *exit)
{
    const struct shim_hooks *hooks = shim_get_hooks();

    for (unsigned i = 0; i < layout->count; i++)
        *trace_layout_field(layout, scratch, i) =
            (event->mask & BIT(i)) != 0 ? event->fields[i] : 0;
    shim_set_hooks(&nothing);
    scratch->ops->decode(scratch, exit);
    shim_set_hooks(hooks);
}
