/* SPDX-License-Identifier: Apache-2.0 */
/* All pages of the model at once: see model.h. Each table of the last level is
 * found once, and what larger entries say is looked at once. */
#include <criterion/criterion.h>

#include "lib/bits.h"
#include "model.h"
#include "sim/ram.h"

#define TABLE_ENTRIES 512

static bool should_be_there(const struct model_page *page)
{
    return page->kind != MODEL_HOLE && page->present && page->flags != 0;
}

static bool is_like(const struct model_page *a, const struct model_page *b)
{
    return a->kind == b->kind && a->flags == b->flags &&
           a->present == b->present;
}

/* Pages [first, first + count) are not there. */
static void expect_absent(const struct model *model, unsigned first,
                          unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        cr_assert(!should_be_there(&model->pages[i]), "page %u is not there",
                  i);
}

/* Pages [first, first + count) are where the leaf says. */
static void expect_leaf(struct model *model, unsigned first, unsigned count,
                        uint64_t to, unsigned access)
{
    for (unsigned i = first; i < first + count; i++, to += PAGE_SIZE) {
        struct model_page *page = &model->pages[i];

        cr_assert(should_be_there(page), "page %u is there", i);
        if (page->page ==
            0) { /* a lazy page's frame, seen for the first time */
            cr_assert(ram_is_allocated(hpa(to), PAGE_SIZE));
            page->page = to;
        }
        cr_assert(page->page == to, "page %u moved", i);
        cr_assert(access == hw_granted(model->hw, page->flags), "page %u", i);
    }
}

/* The entries of a last table from the one for `page` on: the next page. */
static unsigned sweep_table(struct model *model, hpa_t table, unsigned page)
{
    const pte_t *words = memory_phys_to_virt(table);
    unsigned index =
        (unsigned)(model_address(page) / PAGE_SIZE) % TABLE_ENTRIES;

    for (; index < TABLE_ENTRIES && page < MODEL_PAGES; index++, page++) {
        struct hw_entry entry = {.kind = HW_FAULT};

        if (words[index] != 0) /* which no format has as an entry */
            entry = model->hw->decode(words[index], 0);
        if (entry.kind == HW_FAULT)
            expect_absent(model, page, 1);
        else
            expect_leaf(model, page, 1, entry.address, entry.access);
    }
    return page;
}

/* What the entry says that the walk for `page` ended at: the next page. */
static unsigned sweep_entry(struct model *model, const struct hw_walk *walk,
                            unsigned page)
{
    uint64_t span = PAGE_SIZE << 9 * walk->level;
    uint64_t left = (span - model_address(page) % span) / PAGE_SIZE;
    unsigned count =
        left < MODEL_PAGES - page ? (unsigned)left : MODEL_PAGES - page;

    if (walk->present)
        expect_leaf(model, page, count, walk->page, walk->access);
    else
        expect_absent(model, page, count);
    return page + count;
}

/* Where the model changes, and as aspace_translate() has it. */
static void compare_borders(struct model *model)
{
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        if (i == 0 || i == MODEL_PAGES - 1 ||
            !is_like(&model->pages[i], &model->pages[i - 1]))
            model_compare_page(model, i);
    }
}

void model_sweep(struct model *model)
{
    unsigned page = 0;

    while (page < MODEL_PAGES) {
        hpa_t table;
        struct hw_walk walk = hw_translate_to(model->hw, model->aspace.root,
                                              model_address(page), &table);

        page = walk.level == 0 ? sweep_table(model, table, page)
                               : sweep_entry(model, &walk, page);
    }
    compare_borders(model);
}

static uint64_t count_tables(const struct hw *hw, hpa_t table, unsigned level,
                             unsigned entries)
{
    const pte_t *words = memory_phys_to_virt(table);
    uint64_t count = entries * sizeof(pte_t) / PAGE_SIZE;

    for (unsigned i = 0; level != 0 && i < entries; i++) {
        struct hw_entry entry;

        if (words[i] == 0)
            continue;
        entry = hw->decode(words[i], level);
        if (entry.kind == HW_TABLE)
            count +=
                count_tables(hw, hpa(entry.address), level - 1, TABLE_ENTRIES);
    }
    return count;
}

uint64_t model_frames(const struct model *model)
{
    uint64_t count =
        count_tables(model->hw, model->aspace.root, model->hw->levels - 1,
                     model->hw->root_entries);

    for (unsigned i = 0; i < MODEL_PAGES; i++)
        count +=
            model->pages[i].kind == MODEL_OF_LAZY && model->pages[i].present;
    return count;
}
