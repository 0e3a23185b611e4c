/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the start record: see start.h. */
#include "trace/start.h"

#include "lib/bits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the numbers of the start record are little-endian");

/* Text as a byte of length and the bytes. */
static void put_text(struct trace_encoder *encoder, const char *text)
{
    uint8_t size = (uint8_t)strnlen(text, UINT8_MAX);

    trace_encode_raw(encoder, &size, 1);
    trace_encode_raw(encoder, text, size);
}

/* Rows that no trace holds, the QUIET ones, have an empty name. */
static void put_rows(struct trace_encoder *encoder,
                     const struct trace_row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct trace_row *row = &rows[i];
        const uint8_t about[] = {row->shape, row->flow, row->arg_count};

        trace_encode_raw(encoder, about, sizeof(about));
        put_text(encoder, row->name != NULL ? row->name : "");
    }
}

#define TREE_MAGIC 0xd00dfeed

static uint64_t big_endian(const uint8_t *word)
{
    return (uint64_t)word[0] << 24 | (uint64_t)word[1] << 16 |
           (uint64_t)word[2] << 8 | word[3];
}

/* A device tree's size, the header's second word (Devicetree Specification
 * 0.4, 5.2); 0 for what is none, which vmm_init() will refuse. */
static uint64_t tree_size(const uint8_t *fdt)
{
    return big_endian(fdt) == TREE_MAGIC ? big_endian(fdt + 4) : 0;
}

void trace_write_start(struct trace_encoder *encoder,
                       const struct trace_machine *machine,
                       const struct vmm_boot *boot)
{
    const struct trace_arch *arch = machine->arch;
    const struct trace_start_numbers numbers = {
        .version = TRACE_FORMAT_VERSION,
        .slot_bits = CODEC_SLOT_BITS,
        .cpu_count = machine->cpu_count,
        .frequency = machine->time_frequency,
        .time_shift = trace_time_shift(machine->time_frequency),
        .ram_base = machine->ram_base.raw,
        .ram_size = machine->ram_size,
        .images = boot->images.raw,
        .images_size = boot->images_size,
        .power_off_when_done = boot->power_off_when_done,
        .exit_kinds = EXIT_KIND_COUNT,
        .fields = arch->field_count,
        .rows = ARRAY_SIZE(trace_api_rows) + arch->row_count,
        .config_size = tree_size(boot->config),
    };

    trace_encode_raw(encoder, TRACE_STREAM_MAGIC, TRACE_STREAM_MAGIC_SIZE);
    trace_encode_raw(encoder, &numbers, sizeof(numbers));
    put_text(encoder, arch->name);
    put_text(encoder, trace_build_id);
    for (unsigned i = 0; i < EXIT_KIND_COUNT; i++)
        put_text(encoder, exit_kind_name((enum exit_kind)i));
    for (unsigned i = 0; i < arch->field_count; i++)
        put_text(encoder, arch->fields[i].name);
    put_rows(encoder, trace_api_rows, ARRAY_SIZE(trace_api_rows));
    put_rows(encoder, arch->rows, arch->row_count);
    trace_encode_raw(encoder, boot->config, numbers.config_size);
}
