/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a vCPU left its guest, for what, and what handling it cost. Always
 * on: one exit costs a counter, a sum and a histogram bucket.
 */
#ifndef VCPU_STATS_H
#define VCPU_STATS_H

#include "lib/compiler.h"
#include "vcpu/exit.h"

/*
 * Bucket b counts costs of 2^(b+7) to 2^(b+8) - 1 cycles; the first takes what
 * is less, the last what is more.
 */
#define EXIT_COST_BUCKETS 14
#define EXIT_COST_SHIFT   7

/* One exit kind's: a cache line. */
struct exit_cost {
    uint64_t cycles; /* the sum over all exits of the kind */
    uint32_t buckets[EXIT_COST_BUCKETS];
};

struct exit_stats {
    struct exit_cost costs[EXIT_KIND_COUNT];
};

static inline unsigned exit_cost_bucket(uint64_t cycles)
{
    unsigned bucket = 0;

    for (cycles >>= EXIT_COST_SHIFT + 1; unlikely(cycles != 0); cycles >>= 1)
        bucket++;
    return bucket < EXIT_COST_BUCKETS ? bucket : EXIT_COST_BUCKETS - 1;
}

static inline void exit_stats_add(struct exit_stats *stats, size_t kind,
                                  uint64_t cycles)
{
    struct exit_cost *cost = &stats->costs[kind];

    cost->cycles += cycles;
    if (likely(cycles < 2u << EXIT_COST_SHIFT))
        cost->buckets[0]++;
    else
        cost->buckets[exit_cost_bucket(cycles)]++;
}

/* How many exits of `kind` there were. */
uint64_t exit_stats_count(const struct exit_stats *stats, enum exit_kind kind);

/*
 * Prints one line per kind that occurred, as `perf kvm stat` does: count,
 * share, cycles on average, and the histogram. `print` gets whole lines.
 */
void exit_stats_print(const struct exit_stats *stats,
                      void (*print)(void *context, const char *line),
                      void *context);

#endif
