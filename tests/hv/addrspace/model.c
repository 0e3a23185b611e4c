/* SPDX-License-Identifier: Apache-2.0 */
/* The address space's reference: see model.h. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lib/bits.h"
#include "model.h"
#include "sim/ram.h"
#include "sim/shim.h"

static const char *const op_names[] = {
    "linear", "shifted", "lazy", "populate", "unmap", "protect", "fault",
};

/* The step that is being checked, for the messages. */
static struct model_step current;

static const char *describe(const struct model *model)
{
    static char text[96];

    snprintf(text, sizeof(text), "%s: %s [%u, %u) flags %x",
             model->hw->format->name, op_names[current.op], current.first,
             current.end, current.flags);
    return text;
}

void model_start(struct model *model, const struct hw *hw)
{
    memset(model, 0, sizeof(*model));
    model->hw = hw;
    tlb_start(&model->tlb, hw, &model->aspace);
}

void model_end(struct model *model)
{
    aspace_fini(&model->aspace);
    cr_assert(ram_frames_in_use() == 0, "%s: %lu frames leaked",
              describe(model), ram_frames_in_use());
}

static unsigned complete(unsigned flags)
{
    return flags & MEM_WRITE ? flags | MEM_READ : flags;
}

static void compare_present(struct model *model, unsigned i,
                            const struct hw_walk *walk)
{
    struct model_page *page = &model->pages[i];
    uint64_t run = 0, at = model_address(i);
    unsigned flags = 0;
    hpa_t to = {0};

    cr_assert(aspace_translate(&model->aspace, gpa(at), &to, &flags, &run) ==
              OK);
    cr_assert(flags == page->flags, "%s: page %u", describe(model), i);
    cr_assert(run != 0 && is_aligned(run, PAGE_SIZE));
    if (page->page == 0) { /* a lazy page's frame, seen for the first time */
        cr_assert(ram_is_allocated(to, PAGE_SIZE));
        page->page = to.raw;
    }
    cr_assert(to.raw == page->page, "%s: page %u moved", describe(model), i);
    cr_assert(walk->present == (page->flags != 0), "%s: page %u",
              describe(model), i);
    cr_assert(!walk->present ||
                  (walk->page == page->page &&
                   walk->access == hw_granted(model->hw, page->flags)),
              "%s: page %u", describe(model), i);
}

void model_compare_page(struct model *model, unsigned i)
{
    const struct model_page *page = &model->pages[i];
    uint64_t at = model_address(i);
    struct hw_walk walk = hw_translate(model->hw, model->aspace.root, at);

    if (page->kind != MODEL_HOLE && page->present) {
        compare_present(model, i, &walk);
        return;
    }
    cr_assert(!walk.present, "%s: page %u is there", describe(model), i);
    cr_assert(aspace_translate(&model->aspace, gpa(at), NULL, NULL, NULL) ==
              ERR_NOT_FOUND);
}

void model_compare(struct model *model)
{
    for (unsigned i = 0; i < MODEL_PAGES; i++)
        model_compare_page(model, i);
}

static bool any_mapped(const struct model *model, const struct model_step *step)
{
    for (unsigned i = step->first; i < step->end; i++) {
        if (model->pages[i].kind != MODEL_HOLE)
            return true;
    }
    return false;
}

static bool all_mapped(const struct model *model, const struct model_step *step)
{
    for (unsigned i = step->first; i < step->end; i++) {
        if (model->pages[i].kind == MODEL_HOLE)
            return false;
    }
    return true;
}

static err_t model_map(struct model *model, const struct model_step *step)
{
    if (any_mapped(model, step))
        return ERR_ALREADY_EXISTS;
    for (unsigned i = step->first; i < step->end; i++) {
        struct model_page *page = &model->pages[i];
        bool lazy = step->op == OP_LAZY || step->op == OP_POPULATE;

        *page =
            (struct model_page){.kind = lazy ? MODEL_OF_LAZY : MODEL_OF_LINEAR,
                                .flags = (uint8_t)complete(step->flags),
                                .present = step->op != OP_LAZY};
        if (!lazy)
            page->page = MODEL_LINEAR + model_address(i) +
                         (step->op == OP_LINEAR ? 0 : MODEL_SHIFT);
    }
    return OK;
}

static err_t model_unmap(struct model *model, const struct model_step *step)
{
    for (unsigned i = step->first; i < step->end; i++)
        model->pages[i] = (struct model_page){0};
    return OK;
}

static err_t model_protect(struct model *model, const struct model_step *step)
{
    if (!all_mapped(model, step))
        return ERR_NOT_FOUND;
    for (unsigned i = step->first; i < step->end; i++)
        model->pages[i].flags = (uint8_t)complete(step->flags);
    return OK;
}

static err_t model_fault(struct model *model, const struct model_step *step,
                         bool *resolved)
{
    struct model_page *page = &model->pages[step->first];

    *resolved = false;
    if (page->kind == MODEL_HOLE)
        return ERR_NOT_FOUND;
    if (step->flags & ~page->flags)
        return ERR_DENIED;
    *resolved = !page->present;
    page->present = true;
    return OK;
}

static err_t real_map(struct model *model, const struct model_step *step)
{
    gpa_t start = gpa(model_address(step->first));
    uint64_t size = (step->end - step->first) * PAGE_SIZE;
    hpa_t to = hpa(MODEL_LINEAR + start.raw +
                   (step->op == OP_LINEAR ? 0 : MODEL_SHIFT));

    if (step->op == OP_LINEAR || step->op == OP_LINEAR_SHIFTED)
        return aspace_map_linear(&model->aspace, start, to, size, step->flags);
    return aspace_map_lazy(&model->aspace, start, size, step->flags,
                           step->op == OP_POPULATE);
}

err_t model_real(struct model *model, const struct model_step *step,
                 bool *resolved)
{
    gpa_t start = gpa(model_address(step->first));
    uint64_t size = (step->end - step->first) * PAGE_SIZE;

    *resolved = false;
    switch (step->op) {
    case OP_UNMAP: return aspace_unmap(&model->aspace, start, size);
    case OP_PROTECT:
        return aspace_protect(&model->aspace, start, size, step->flags);
    case OP_FAULT:
        return aspace_handle_fault(&model->aspace, gpa_add(start, 0x123),
                                   step->flags, resolved);
    default: return real_map(model, step);
    }
}

err_t model_reference(struct model *model, const struct model_step *step,
                      bool *resolved)
{
    *resolved = false;
    switch (step->op) {
    case OP_UNMAP: return model_unmap(model, step);
    case OP_PROTECT: return model_protect(model, step);
    case OP_FAULT: return model_fault(model, step, resolved);
    default: return model_map(model, step);
    }
}

/* What the processor remembers: pages around the ends of the range, and where
 * large leaves begin and end. */
static void fill_tlb(struct model *model, const struct model_step *step)
{
    const unsigned near[] = {0,   511, 512,         1023,
                             256, 768, step->first, step->end - 1};
    uint64_t gpas[TLB_SIZE];
    unsigned count = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(near); i++)
        gpas[count++] = model_address(near[i]);
    if (step->first != 0)
        gpas[count++] = model_address(step->first - 1);
    if (step->end != MODEL_PAGES)
        gpas[count++] = model_address(step->end);
    tlb_fill(&model->tlb, gpas, count);
}

void model_do(struct model *model, const struct model_step *step)
{
    bool resolved, wanted_resolved;
    err_t error, wanted;

    current = *step;
    fill_tlb(model, step);
    error = model_real(model, step, &resolved);
    wanted = model_reference(model, step, &wanted_resolved);
    cr_assert(error == wanted, "%s: %s", describe(model), error_text(error));
    cr_assert(resolved == wanted_resolved, "%s", describe(model));
    tlb_check(&model->tlb);
    cr_assert(model->tlb.flushes <= 1, "%s: %u flushes", describe(model),
              model->tlb.flushes);
    cr_assert(!spin_is_locked(&model->aspace.lock), "%s", describe(model));
}

bool model_do_failing(struct model *model, const struct model_step *step,
                      uint64_t nth, bool forever)
{
    uint64_t frames = ram_frames_in_use();
    unsigned regions = model->aspace.region_count;
    bool resolved, ignored, was_reached;
    err_t error;

    current = *step;
    fill_tlb(model, step);
    shim_fail_nth(nth, "memory_alloc", forever);
    error = model_real(model, step, &resolved);
    was_reached = shim_failed_calls() != 0;
    shim_fail_never();
    tlb_check(&model->tlb);
    cr_assert(!spin_is_locked(&model->aspace.lock), "%s", describe(model));
    if (error != ERR_NO_MEMORY) {
        cr_assert(model_reference(model, step, &ignored) == error, "%s: %s",
                  describe(model), error_text(error));
        return was_reached;
    }
    cr_assert(was_reached && !resolved, "%s", describe(model));
    cr_assert(ram_frames_in_use() == frames, "%s: %lu frames kept",
              describe(model), ram_frames_in_use() - frames);
    cr_assert(model->aspace.region_count == regions, "%s", describe(model));
    return true;
}
