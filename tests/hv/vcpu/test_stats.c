/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/compiler.h"
#include "support/rows.h"
#include "vcpu/stats.h"

Test(stats, costs_fall_into_their_bucket)
{
    static const struct {
        uint64_t cycles;
        unsigned bucket;
    } rows[] = {
        {0, 0},     {127, 0},   {255, 0},      {256, 1},         {511, 1},
        {512, 2},   {1023, 2},  {1024, 3},     {1 << 22, 13},    {16383, 6},
        {16384, 7}, {32767, 7}, {1 << 21, 13}, {UINT64_MAX, 13},
    };

    for_each_row (i, rows)
        cr_expect_eq(exit_cost_bucket(rows[i].cycles), rows[i].bucket,
                     "%llu cycles", (unsigned long long)rows[i].cycles);
}

static char text[4096];

static void gather(void *context, const char *line)
{
    (void)context;
    strcat(text, line);
    strcat(text, "\n");
}

Test(stats, the_table_shows_what_occurred)
{
    static struct exit_stats stats;

    for (int i = 0; i < 30; i++)
        exit_stats_add(&stats, EXIT_MMIO_READ, 300);
    for (int i = 0; i < 10; i++)
        exit_stats_add(&stats, EXIT_HALT, 5000);
    cr_expect_eq(exit_stats_count(&stats, EXIT_MMIO_READ), 30u);
    cr_expect_eq(exit_stats_count(&stats, EXIT_NOTHING), 0u);

    exit_stats_print(&stats, gather, NULL);
    cr_expect(strstr(text, "mmio-read                    30  75.0%"
                           "        300  .1............"));
    cr_expect(strstr(text, "halt                         10  25.0%"
                           "       5000  .....1........"));
    cr_expect_null(strstr(text, "nothing"));
}

Test(stats, every_kind_has_a_name_of_its_own)
{
    for (unsigned a = 0; a < EXIT_KIND_COUNT; a++) {
        const char *name = exit_kind_name((enum exit_kind)a);
        cr_expect_str_neq(name, "?");
        for (unsigned b = 0; b < a; b++)
            cr_expect_str_neq(name, exit_kind_name((enum exit_kind)b));
    }
    cr_expect_str_eq(exit_kind_name(EXIT_KIND_COUNT), "?");
}
