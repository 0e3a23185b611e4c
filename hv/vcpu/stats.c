/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/stats.h"

#include "lib/format.h"

uint64_t exit_stats_count(const struct exit_stats *stats, enum exit_kind kind)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < EXIT_COST_BUCKETS; i++)
        count += stats->costs[kind].buckets[i];
    return count;
}

/* One character per bucket: '.' for none, then the order of magnitude. */
static void draw_histogram(const struct exit_cost *cost, char *text)
{
    for (unsigned i = 0; i < EXIT_COST_BUCKETS; i++) {
        char digit = '.';
        for (uint32_t n = cost->buckets[i]; n != 0; n /= 10)
            digit = digit == '.' ? '0' : (char)(digit + 1);
        text[i] = digit;
    }
    text[EXIT_COST_BUCKETS] = '\0';
}

void exit_stats_print(const struct exit_stats *stats,
                      void (*print)(void *context, const char *line),
                      void *context)
{
    uint64_t total = 0;
    uint64_t counts[EXIT_KIND_COUNT];
    char line[96];
    char histogram[EXIT_COST_BUCKETS + 1];

    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++)
        total += counts[kind] = exit_stats_count(stats, kind);
    format_text(line, sizeof(line), "%-20s %10s %6s %10s  %s", "exit", "count",
                "share", "cycles", "10^n exits of 2^7, 2^8, ... cycles");
    print(context, line);
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
        uint64_t count = counts[kind];
        if (count == 0)
            continue;
        uint64_t share = count * 1000 / total;
        draw_histogram(&stats->costs[kind], histogram);
        format_text(
            line, sizeof(line), "%-20s %10llu %3llu.%llu%% %10llu  %s",
            exit_kind_name(kind), (unsigned long long)count,
            (unsigned long long)(share / 10), (unsigned long long)(share % 10),
            (unsigned long long)(stats->costs[kind].cycles / count), histogram);
        print(context, line);
    }
}
