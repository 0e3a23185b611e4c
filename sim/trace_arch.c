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

/* The words that all fields of the architecture lie in. */
static void place_words(struct trace_layout *layout)
{
    const struct trace_arch *arch = layout->arch->trace;
    uint32_t first = UINT32_MAX, last = 0;

    for (unsigned i = 0; i < arch->field_count; i++) {
        uint32_t offset = arch->fields[i].offset;

        first = offset < first ? offset : first;
        last = offset > last ? offset : last;
    }
    layout->offset = first;
    layout->word_count = (unsigned)align_up((last - first) / 8 + 1, 4);
    CHECK(layout->word_count <= TRACE_MAX_WORDS &&
          first + layout->word_count * 8 <= layout->arch->ops->size);
    memset(layout->field_of_word, TRACE_NO_FIELD,
           sizeof(layout->field_of_word));
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
    place_words(layout);
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
        layout->words[i] = (uint8_t)((field->offset - layout->offset) / 8);
        layout->field_of_word[layout->words[i]] = (uint8_t)i;
    }
    return OK;
}

struct vcpu *trace_scratch_new(const struct trace_layout *layout)
{
    size_t size = (layout->arch->ops->size + 63) / 64 * 64;
    struct vcpu *scratch = aligned_alloc(64, size);

    if (scratch == NULL)
        return NULL;
    memset(scratch, 0, size);
    scratch->ops = layout->arch->ops;
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
