/* SPDX-License-Identifier: Apache-2.0 */
/* What was made once is put back: see rewind.h. */
#include "fuzz/rewind.h"

#include <stdlib.h>

#include "fuzz/harness.h"
#include "lib/bits.h"
#include "sim/clock.h"
#include "sim/ram.h"

#define RUNS_PER_REMAKE 16384

static struct clock *remembered;

static size_t frames_of(size_t size)
{
    return align_up(size, PAGE_SIZE) / PAGE_SIZE;
}

void *fuzz_new(size_t size)
{
    hpa_t at = memory_alloc_contiguous_impl(frames_of(size), PAGE_SIZE);

    fuzz_need(!hpa_is_none(at), "no memory");
    return memory_phys_to_virt(at);
}

void fuzz_delete(void *object, size_t size)
{
    memory_free_contiguous_impl(memory_virt_to_phys(object), frames_of(size));
}

void fuzz_remember(void)
{
    (void)clock_next_deadline(0); /* or each input would set up the timers */
    free(remembered);
    remembered = clock_save();
    fuzz_need(remembered != NULL && ram_snapshot_take() == OK,
              "no memory for the snapshot");
    ram_snapshot_watch();
}

void fuzz_rewind(void)
{
    ram_snapshot_restore();
    clock_restore(remembered);
}

bool fuzz_is_last(void)
{
    static unsigned runs;

    return fuzz_is_thorough || ++runs % RUNS_PER_REMAKE == 0;
}
