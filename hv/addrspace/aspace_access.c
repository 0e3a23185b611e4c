/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory, read and written by the hypervisor. A transfer goes in runs:
 * what lies in one leaf and one region is contiguous in host memory. Each run
 * is looked up and transferred under the lock, so that its frames cannot be
 * freed meanwhile; runs are bounded, so that a vCPU that faults does not wait
 * for a whole disk transfer.
 */
#include "addrspace/aspace_impl.h"
#include "api/memory.h"

#define RUN_LIMIT (UINT64_C(64) << 10)

struct transfer;

/* Transfers `size` bytes between guest memory at `at` and the other side, of
 * which `done` bytes have been transferred before. */
typedef void (*transfer_fn)(const struct transfer *transfer, hpa_t at,
                            uint64_t done, uint64_t size);

/* What is to be done with a range of guest memory. The other side is one of
 * the three. */
struct transfer {
    transfer_fn run;
    unsigned access; /* what it does to guest memory */
    bool privileged; /* whatever the region allows */
    bool skips_untouched;
    void *to;
    const void *from;
    hpa_t host;
};

/* A part of the range that is contiguous in host memory. */
struct run {
    hpa_t host;
    uint64_t size;
    bool skip; /* nothing is to be done with it */
};

/* The part of a leaf, or of what an empty entry stands for, that lies behind
 * `address`, in the region, and within `limit` bytes. */
static uint64_t bytes_left(const struct region *region, struct s2_slot slot,
                           uint64_t address, uint64_t limit)
{
    uint64_t size = s2_level_size(slot.level);
    uint64_t in_leaf = size - (address & (size - 1));

    return least_of(least_of(in_leaf, region_end(region) - address), limit);
}

static bool is_untouched(struct aspace *aspace, uint64_t address,
                         struct s2_slot *slot)
{
    *slot = aspace_lookup(aspace, address);
    return *slot->entry == 0;
}

/* Finds the run at `address`, of `limit` bytes at most, and brings it in. */
static err_t find_run(struct aspace *aspace, const struct transfer *transfer,
                      uint64_t address, uint64_t limit, struct run *run)
{
    const struct s2_format *format = aspace->format;
    struct region *region = aspace_find(aspace, address);
    struct s2_slot slot;
    uint64_t offset;
    bool changed;
    err_t error;

    if (region == NULL)
        return ERR_NOT_FOUND;
    if (!transfer->privileged && (transfer->access & ~region->flags) != 0)
        return ERR_DENIED;
    if (transfer->skips_untouched && is_untouched(aspace, address, &slot)) {
        run->size = bytes_left(region, slot, address, limit);
        run->skip = true;
        return OK;
    }
    error = aspace_back_page(aspace, region, address, 0, &changed, &slot);
    if (error != OK)
        return error;
    if (changed) /* the walk now ends elsewhere */
        (void)is_untouched(aspace, address, &slot);
    offset = address & (s2_level_size(slot.level) - 1);
    run->host = hpa_add(format->address(*slot.entry, slot.level), offset);
    run->size = bytes_left(region, slot, address, least_of(limit, RUN_LIMIT));
    if (transfer->access & ACCESS_WRITE)
        region_mark_dirty(region, address, address + run->size);
    return OK;
}

static err_t transfer_run(struct aspace *aspace,
                          const struct transfer *transfer, uint64_t address,
                          uint64_t done, uint64_t limit, uint64_t *size)
{
    struct run run = {0};
    err_t error;

    spin_lock(&aspace->lock);
    error = find_run(aspace, transfer, address, limit, &run);
    if (error == OK && !run.skip)
        transfer->run(transfer, run.host, done, run.size);
    spin_unlock(&aspace->lock);
    *size = run.size;
    return error;
}

static err_t transfer_all(struct aspace *aspace,
                          const struct transfer *transfer, gpa_t start,
                          uint64_t size)
{
    uint64_t done = 0, moved = 0;

    if (size == 0)
        return OK;
    if (!aspace_has(aspace, start.raw, size))
        return ERR_OUT_OF_RANGE;
    for (; done < size; done += moved) {
        err_t error = transfer_run(aspace, transfer, start.raw + done, done,
                                   size - done, &moved);

        if (error != OK)
            return error;
    }
    return OK;
}

static void run_read(const struct transfer *transfer, hpa_t at, uint64_t done,
                     uint64_t size)
{
    memory_read_guest(at, (char *)transfer->to + done, size);
}

static void run_write(const struct transfer *transfer, hpa_t at, uint64_t done,
                      uint64_t size)
{
    memory_write_guest(at, (const char *)transfer->from + done, size);
}

/* What `from` of an exchange points to. */
struct exchange {
    uint64_t old, new;
    uint64_t *found;
};

static void run_exchange(const struct transfer *transfer, hpa_t at,
                         uint64_t done, uint64_t size)
{
    const struct exchange *exchange = transfer->from;

    *exchange->found =
        memory_exchange_guest(at, exchange->old, exchange->new, size);
}

static void run_move_out(const struct transfer *transfer, hpa_t at,
                         uint64_t done, uint64_t size)
{
    memory_move(hpa_add(transfer->host, done), at, size);
}

static void run_move_in(const struct transfer *transfer, hpa_t at,
                        uint64_t done, uint64_t size)
{
    memory_move(at, hpa_add(transfer->host, done), size);
}

static void run_clear(const struct transfer *transfer, hpa_t at, uint64_t done,
                      uint64_t size)
{
    memory_clear(at, size);
}

err_t aspace_read(struct aspace *aspace, gpa_t from, void *to, size_t size)
{
    const struct transfer transfer = {
        .run = run_read, .access = ACCESS_READ, .to = to};

    return transfer_all(aspace, &transfer, from, size);
}

err_t aspace_write(struct aspace *aspace, gpa_t to, const void *from,
                   size_t size)
{
    const struct transfer transfer = {
        .run = run_write, .access = ACCESS_WRITE, .from = from};

    return transfer_all(aspace, &transfer, to, size);
}

err_t aspace_exchange(struct aspace *aspace, gpa_t at, uint64_t old,
                      uint64_t new, size_t size, uint64_t *found)
{
    const struct exchange exchange = {old, new, found};
    const struct transfer transfer = {
        .run = run_exchange, .access = ACCESS_WRITE, .from = &exchange};

    return is_aligned(at.raw, size) ? transfer_all(aspace, &transfer, at, size)
                                    : ERR_INVALID_INPUT;
}

err_t aspace_move_out(struct aspace *aspace, gpa_t from, hpa_t to,
                      uint64_t size)
{
    const struct transfer transfer = {
        .run = run_move_out, .access = ACCESS_READ, .host = to};

    return transfer_all(aspace, &transfer, from, size);
}

err_t aspace_move_in(struct aspace *aspace, gpa_t to, hpa_t from, uint64_t size)
{
    const struct transfer transfer = {
        .run = run_move_in, .access = ACCESS_WRITE, .host = from};

    return transfer_all(aspace, &transfer, to, size);
}

err_t aspace_load(struct aspace *aspace, gpa_t to, hpa_t from, uint64_t size)
{
    const struct transfer transfer = {.run = run_move_in,
                                      .access = ACCESS_WRITE,
                                      .privileged = true,
                                      .host = from};

    return transfer_all(aspace, &transfer, to, size);
}

err_t aspace_store(struct aspace *aspace, gpa_t to, const void *from,
                   size_t size)
{
    const struct transfer transfer = {.run = run_write,
                                      .access = ACCESS_WRITE,
                                      .privileged = true,
                                      .from = from};

    return transfer_all(aspace, &transfer, to, size);
}

err_t aspace_clear(struct aspace *aspace, gpa_t start, uint64_t size)
{
    const struct transfer transfer = {.run = run_clear,
                                      .access = ACCESS_WRITE,
                                      .privileged = true,
                                      .skips_untouched = true};

    return transfer_all(aspace, &transfer, start, size);
}
