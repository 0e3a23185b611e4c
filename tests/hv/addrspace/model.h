/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space's reference: a flat array, one element per page of a
 * window of 4 MiB around a 1 GiB boundary. Operations are done on both, and
 * then compared as the hardware and as aspace_translate() see them.
 */
#ifndef TESTS_ADDRSPACE_MODEL_H
#define TESTS_ADDRSPACE_MODEL_H

#include "mmu.h"

#define MODEL_PAGES 1024
#define MODEL_BASE  UINT64_C(0x3fe00000)

/* Where linear mappings lead: host pages that nothing ever touches. The
 * second is out of step with the guest's addresses by a page. */
#define MODEL_LINEAR UINT64_C(0x1000000000)
#define MODEL_SHIFT  0x1000

enum model_kind { MODEL_HOLE, MODEL_OF_LINEAR, MODEL_OF_LAZY };

struct model_page {
    uint64_t page; /* host address; of a lazy page: 0 until it is first seen */
    uint8_t kind;  /* enum model_kind */
    uint8_t flags;
    bool present; /* otherwise lazy, and never touched */
};

enum model_op {
    OP_LINEAR,
    OP_LINEAR_SHIFTED,
    OP_LAZY,
    OP_POPULATE,
    OP_UNMAP,
    OP_PROTECT,
    OP_FAULT, /* on the first page of the range */
};

struct model_step {
    enum model_op op;
    unsigned first, end; /* pages of the window */
    unsigned flags;      /* of a mapping; an access, for OP_FAULT */
};

struct model {
    struct model_page pages[MODEL_PAGES];
    struct aspace aspace;
    struct tlb tlb;
    const struct hw *hw;
};

void model_start(struct model *model, const struct hw *hw);
/* Ends it, and checks that every frame has come back. */
void model_end(struct model *model);

/* Does a step on both, and compares what they return. */
void model_do(struct model *model, const struct model_step *step);

/*
 * The same while the `nth` allocation from now on fails, and all later ones if
 * `forever`: the step is done without, or is not done and keeps nothing. False:
 * it has not come to that allocation.
 */
bool model_do_failing(struct model *model, const struct model_step *step,
                      uint64_t nth, bool forever);

/* The step on one of the two. `resolved` is a fault's; else it is false. */
err_t model_real(struct model *model, const struct model_step *step,
                 bool *resolved);
err_t model_reference(struct model *model, const struct model_step *step,
                      bool *resolved);

/* Compares page `i`, or all. */
void model_compare_page(struct model *model, unsigned i);
void model_compare(struct model *model);
/* All, a hundred times as fast: as the hardware sees them, and those at the
 * model's borders as aspace_translate() does. */
void model_sweep(struct model *model);

/* The frames that there must be: tables, and pages that have been touched. */
uint64_t model_frames(const struct model *model);

static inline uint64_t model_address(unsigned page)
{
    return MODEL_BASE + page * UINT64_C(0x1000);
}

#endif
