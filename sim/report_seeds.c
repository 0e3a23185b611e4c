/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeds for the fuzz targets from recorded exits: OUT/exits for fuzz_exits,
 * OUT/mmio for fuzz_mmio, in the input formats that these files describe. A
 * seed is a run of exits of one vCPU, in their order; it is written when at
 * least one of them is of a sort that no seed before has.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/riscv64/csr.h"
#include "arch/riscv64/riscv.h"
#include "sim/trace_report.h"

/* fuzz/fuzz_exits.c: what an input's bytes mean. */
#define EXITS_CALL      0xc0 /* then: how, and a7, a6, a0 to a4 */
#define EXITS_CALL_ANY  0xf0 /* how: a7 follows as a number */
#define EXITS_SET       0xc1 /* then: register, number */
#define EXITS_INTERRUPT 0x80 /* + its number */
/* fuzz/fuzz_mmio.c. */
#define MMIO_READ  0
#define MMIO_WRITE 1

/* fuzz/fuzz_mmio.c's devices: the start of each, its size, and its number. */
static const struct {
    uint64_t base, size;
} mmio_devices[] = {
    {0x10000000, 0x100},  {0x0c000000, 0x4000000}, {0x10001000, 0x1000},
    {0x10002000, 0x1000}, {0x10003000, 0x1000},    {0x00100000, 0x1000},
};

#define RUN_EXITS  4 /* fuzzers like their inputs short */
#define SEED_SIZE  4096
#define SORTS      65536 /* a hash table of the sorts of exits seen */
#define MOST_SEEDS 4096  /* of each target */
#define VCPUS      64

/* A seed in the making. */
struct seed {
    uint8_t bytes[SEED_SIZE];
    size_t size;
    unsigned exits;
    bool is_new;
    uint64_t gpr[REG_COUNT]; /* as the seed has set them */
};

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

static void put(struct seed *seed, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && seed->size < SEED_SIZE; i++)
        seed->bytes[seed->size++] = (uint8_t)(value >> 8 * i);
}

/* fuzz/harness.c, fuzz_number(): as the target will read it. */
static void put_number(struct seed *seed, uint64_t value)
{
    unsigned bytes = 1;

    if (value < 0xa0) {
        put(seed, value, 1);
        return;
    }
    while (bytes < 8 && value >> 8 * bytes != 0)
        bytes++;
    put(seed, 0xe8 + bytes - 1, 1);
    put(seed, value, bytes);
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

/* The value that the exit brought of a field; 0 when it brought none. */
static uint64_t field(const struct seeds *seeds,
                      const struct trace_event *event, const char *name)
{
    for (unsigned i = 0; i < seeds->start->numbers.fields; i++) {
        if (strcmp(seeds->start->fields[i], name) == 0)
            return (event->mask & BIT(i)) != 0 ? event->fields[i] : 0;
    }
    return 0;
}

static void add_call(struct seeds *seeds, const struct trace_event *event,
                     struct seed *seed)
{
    static const char *const args[] = {"a7", "a6", "a0", "a1",
                                       "a2", "a3", "a4"};

    put(seed, EXITS_CALL, 1);
    put(seed, EXITS_CALL_ANY, 1);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        put_number(seed, field(seeds, event, args[i]));
}

/* Whether the instruction that made the exit, where that is known, may read
 * the register: as rs1 or rs2. */
static bool is_read(const struct riscv_vcpu *v, unsigned reg)
{
    uint64_t insn = v->regs.htinst != 0 ? v->regs.htinst : v->regs.stval;

    return reg == (insn >> 15 & 31) || reg == (insn >> 20 & 31);
}

/* The general registers that matter and that the seed has not set before, then
 * the exit itself. */
static void add_raw(struct seeds *seeds, const struct trace_event *event,
                    struct seed *seed)
{
    const struct riscv_vcpu *v = to_riscv(seeds->devices.scratch);
    uint64_t cause = event->fields[TRACE_FIELD_CAUSE];

    for (unsigned reg = 1; reg < REG_COUNT; reg++) {
        if (!is_read(v, reg) || v->regs.gpr[reg] == seed->gpr[reg])
            continue;
        seed->gpr[reg] = v->regs.gpr[reg];
        put(seed, EXITS_SET, 1);
        put(seed, reg, 1);
        put_number(seed, v->regs.gpr[reg]);
    }
    put(seed,
        (cause & CAUSE_INTERRUPT) != 0 ? EXITS_INTERRUPT + (cause & 0x3f)
                                       : cause & 0x7f,
        1);
    put_number(seed, v->regs.stval);
    put_number(seed, v->regs.htval);
    put_number(seed, v->regs.htinst);
    put_number(seed, 0);
}

static void add_exit(struct seeds *seeds, const struct trace_event *event,
                     const struct trace_exit *exit, unsigned vcpu)
{
    uint64_t cause = event->fields[TRACE_FIELD_CAUSE];
    struct seed *seed = &seeds->exits.seeds[vcpu];
    uint64_t sort = codec_mix(cause, event->exit_kind);

    if (cause == CAUSE_ECALL_VS) {
        add_call(seeds, event, seed);
        sort = codec_mix(sort, field(seeds, event, "a7"));
        sort = codec_mix(sort, field(seeds, event, "a6"));
    } else {
        add_raw(seeds, event, seed);
        sort = codec_mix(sort, field(seeds, event, "htinst"));
        if (cause == CAUSE_VIRTUAL_INSN)
            sort = codec_mix(sort, field(seeds, event, "stval"));
        if (exit->device != NULL)
            sort = codec_mix(sort, exit->gpa);
    }
    added(seeds, &seeds->exits, seed, sort);
}

static unsigned width_code(uint64_t htinst)
{
    static const uint8_t codes[] = {1, 3, 0, 2}; /* of 1, 2, 4, 8 bytes */

    return codes[htinst >> 12 & 3];
}

static void add_mmio(struct seeds *seeds, const struct trace_event *event,
                     const struct trace_exit *exit, unsigned vcpu)
{
    const struct riscv_vcpu *v = to_riscv(seeds->devices.scratch);
    struct seed *seed = &seeds->mmio.seeds[vcpu];
    uint64_t htinst = v->regs.htinst;

    for (unsigned i = 0; i < ARRAY_SIZE(mmio_devices); i++) {
        uint64_t offset = exit->gpa - mmio_devices[i].base;

        if (offset >= mmio_devices[i].size)
            continue;
        put(seed, exit->is_write ? MMIO_WRITE : MMIO_READ, 1);
        put(seed, width_code(htinst), 1);
        put(seed, i, 1);
        put_number(seed, offset);
        if (exit->is_write)
            put_number(seed, v->regs.gpr[htinst >> 20 & 31]);
        added(seeds, &seeds->mmio, seed,
              codec_mix(codec_mix(i, offset), exit->is_write + 2));
        return;
    }
}

static bool on_end(void *context, uint64_t number,
                   const struct trace_event *event, bool cut)
{
    struct seeds *seeds = context;
    struct trace_exit exit;

    if (event->kind == TRACE_EVENT_EXIT && !cut) {
        unsigned vcpu = (unsigned)(event->vcpu % VCPUS);

        trace_describe_exit(&seeds->devices, seeds->start, event, &exit);
        add_exit(seeds, event, &exit, vcpu);
        if (exit.device != NULL)
            add_mmio(seeds, event, &exit, vcpu);
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

    if (seeds->devices.scratch == NULL ||
        strcmp(input->start->arch, "riscv64") != 0) {
        fprintf(stderr, "twinax trace export: there are no seeds for %s\n",
                input->start->arch);
        return false;
    }
    if (!make_folder(seeds, &seeds->exits, "exits") ||
        !make_folder(seeds, &seeds->mmio, "mmio"))
        return false;
    (void)trace_walk(input->decoder, &visitor);
    save_rest(seeds, &seeds->exits);
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
