/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an architecture adds to the export of seeds: how its recorded exits are
 * written in the input formats of its fuzz targets.
 */
#ifndef SIM_REPORT_SEEDS_H
#define SIM_REPORT_SEEDS_H

#include "sim/trace_report.h"

#define SEED_SIZE 4096
#define SEED_GPRS 32

/* A seed in the making. */
struct seed {
    uint8_t bytes[SEED_SIZE];
    size_t size;
    unsigned exits;
    bool is_new;
    uint64_t gpr[SEED_GPRS]; /* as the seed has set them */
};

/* An exit of the trace; `scratch` is the vCPU on which it was decoded. */
struct seed_exit {
    const struct trace_start *start;
    const struct trace_event *event;
    const struct trace_exit *about;
    const struct vcpu *scratch;
};

struct seed_format {
    /* The fuzz targets, whose names are the folders'; NULL: there is none. */
    const char *exits, *mmio;
    /* Adds the exit to the seed; returns what sort of exit it is, a hash. */
    uint64_t (*add_exit)(const struct seed_exit *exit, struct seed *seed);
    /* The same of an access to a device; false: it is none of the target's. */
    bool (*add_mmio)(const struct seed_exit *exit, struct seed *seed,
                     uint64_t *sort);
};

void seed_put(struct seed *seed, uint64_t value, unsigned bytes);
/* As fuzz_number() (fuzz/input.c) will read it. */
void seed_put_number(struct seed *seed, uint64_t value);
/* The value that the exit brought of a field; 0 when it brought none. */
uint64_t seed_field(const struct seed_exit *exit, const char *name);

#endif
