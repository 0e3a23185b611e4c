/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeds for the fuzz targets from recorded exits, in a folder by the name of
 * each target (docs/record-replay.md), in the input formats that these
 * describe. A seed is a run of exits of one vCPU, in their order; it is written
 * when at least one of them is of a sort that no seed before has.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/report_seeds.h"

#define RUN_EXITS  4     /* fuzzers like their inputs short */
#define SORTS      65536 /* a hash table of the sorts of exits seen */
#define MOST_SEEDS 4096  /* of each target */
#define VCPUS      64

struct target {
    const char *name;
    unsigned written;
    struct seed seeds[VCPUS];
};

struct seeds {
    const struct trace_start *start;
    struct trace_devices devices;
    uint64_t until;
    const char *path;
    bool failed;
    uint8_t known[SORTS];
    struct target exits, mmio;
};

void seed_put(struct seed *seed, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && seed->size < SEED_SIZE; i++)
        seed->bytes[seed->size++] = (uint8_t)(value >> 8 * i);
}

void seed_put_number(struct seed *seed, uint64_t value)
{
    unsigned bytes = 1;

    if (value < 0xa0) {
        seed_put(seed, value, 1);
        return;
    }
    while (bytes < 8 && value >> 8 * bytes != 0)
        bytes++;
    seed_put(seed, 0xe8 + bytes - 1, 1);
    seed_put(seed, value, bytes);
}

static void save(struct seeds *seeds, struct target *target, struct seed *seed)
{
    char path[PATH_MAX];
    FILE *file;

    if (seed->is_new && target->written < MOST_SEEDS && !seeds->failed) {
        snprintf(path, sizeof(path), "%s/%s/trace-%05u", seeds->path,
                 target->name, target->written++);
        file = fopen(path, "wb");
        if (file == NULL ||
            fwrite(seed->bytes, 1, seed->size, file) != seed->size ||
            fflush(file) != 0) {
            fprintf(stderr, "twinax trace export: cannot write %s: %s\n", path,
                    strerror(errno));
            seeds->failed = true;
        }
        if (file != NULL)
            fclose(file);
    }
    *seed = (struct seed){0};
}

/* An exit of sort `sort` has been added. */
static void added(struct seeds *seeds, struct target *target, struct seed *seed,
                  uint64_t sort)
{
    uint8_t *known = &seeds->known[codec_mix(sort, 1) % SORTS];

    seed->is_new |= *known == 0;
    *known = 1;
    if (++seed->exits == RUN_EXITS)
        save(seeds, target, seed);
}

uint64_t seed_field(const struct seed_exit *exit, const char *name)
{
    const struct trace_event *event = exit->event;

    for (unsigned i = 0; i < exit->start->numbers.fields; i++) {
        if (strcmp(exit->start->fields[i], name) == 0)
            return (event->mask & BIT(i)) != 0 ? event->fields[i] : 0;
    }
    return 0;
}

static void add_all(struct seeds *seeds, const struct trace_event *event,
                    const struct trace_exit *about, unsigned vcpu)
{
    const struct seed_format *format = seeds->devices.layout.arch->seeds;
    const struct seed_exit exit = {seeds->start, event, about,
                                   seeds->devices.scratch};
    struct seed *seed = &seeds->exits.seeds[vcpu];
    uint64_t sort = format->add_exit(&exit, seed);

    added(seeds, &seeds->exits, seed, sort);
    seed = &seeds->mmio.seeds[vcpu];
    if (format->mmio != NULL && about->device != NULL &&
        format->add_mmio(&exit, seed, &sort))
        added(seeds, &seeds->mmio, seed, sort);
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct seeds *seeds = context;
    struct trace_exit exit;

    if (event->kind == TRACE_EVENT_EXIT && !cut) {
        unsigned vcpu = (unsigned)(event->vcpu % VCPUS);

        trace_describe_exit(&seeds->devices, seeds->start, event, &exit);
        add_all(seeds, event, &exit, vcpu);
    }
    return !seeds->failed && (seeds->until == 0 || number + 1 < seeds->until);
}

static bool make_folder(struct seeds *seeds, struct target *target,
                        const char *name)
{
    char path[PATH_MAX];

    target->name = name;
    snprintf(path, sizeof(path), "%s/%s", seeds->path, name);
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    fprintf(stderr, "twinax trace export: cannot create %s: %s\n", path,
            strerror(errno));
    return false;
}

static void save_rest(struct seeds *seeds, struct target *target)
{
    for (unsigned vcpu = 0; vcpu < VCPUS; vcpu++)
        save(seeds, target, &target->seeds[vcpu]);
    fprintf(stderr, "twinax trace export: %u seeds in %s/%s\n", target->written,
            seeds->path, target->name);
}

static bool make_seeds(struct seeds *seeds, struct trace_input *input)
{
    struct trace_visitor visitor = {.end = on_end, .context = seeds};
    const struct seed_format *format;

    if (seeds->devices.scratch == NULL) {
        fprintf(stderr, "twinax trace export: there are no seeds for %s\n",
                input->start->arch);
        return false;
    }
    format = seeds->devices.layout.arch->seeds;
    if (!make_folder(seeds, &seeds->exits, format->exits) ||
        (format->mmio != NULL &&
         !make_folder(seeds, &seeds->mmio, format->mmio)))
        return false;
    (void)trace_walk(input->decoder, &visitor);
    save_rest(seeds, &seeds->exits);
    if (format->mmio != NULL)
        save_rest(seeds, &seeds->mmio);
    return !trace_input_report(input, "twinax trace export") && !seeds->failed;
}

bool report_seeds(struct trace_input *input, uint64_t until, const char *path,
                  FILE *out)
{
    struct seeds *seeds = calloc(1, sizeof(*seeds));
    bool done;

    (void)out;
    if (seeds == NULL) {
        fputs("twinax trace export: out of memory\n", stderr);
        return false;
    }
    seeds->start = input->start;
    seeds->until = until;
    seeds->path = path;
    trace_devices_init(&seeds->devices, input->start);
    done = make_seeds(seeds, input);
    trace_devices_fini(&seeds->devices);
    free(seeds);
    return done;
}
