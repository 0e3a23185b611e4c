/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several CPUs in one address space at once. What the threads do to each
 * other is found by the checks below, and by ThreadSanitizer where the tests
 * are built with it.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "addrspace/aspace.h"
#include "lib/bits.h"
#include "sim/ram.h"

#define MIB   (UINT64_C(1) << 20)
#define PAGES UINT64_C(4096)

static struct aspace aspace;
static atomic_uint resolved_count, started;

/* So that both are in their loops when the race begins. */
static void meet(void)
{
    atomic_fetch_add(&started, 1);
    while (atomic_load(&started) < 2)
        ;
}

/* A vCPU that touches each page first, or second, and leaves its mark there. */
static void *vcpu(void *argument)
{
    uintptr_t id = (uintptr_t)argument;

    meet();
    for (uint64_t page = 0; page < PAGES; page++) {
        gpa_t at = gpa(page * PAGE_SIZE + id * sizeof(uint64_t));
        uint64_t mark = page * 2 + id + 1;
        bool resolved;
        hpa_t to;

        cr_assert(aspace_handle_fault(&aspace, at, ACCESS_WRITE, &resolved) ==
                  OK);
        atomic_fetch_add(&resolved_count, resolved);
        cr_assert(aspace_translate(&aspace, at, &to, NULL, NULL) == OK);
        memory_write_guest_impl(to, &mark, sizeof(mark));
    }
    return NULL;
}

static void run_both(void *(*body)(void *))
{
    pthread_t threads[2];

    atomic_store(&started, 0);
    for (uintptr_t i = 0; i < 2; i++)
        cr_assert(pthread_create(&threads[i], NULL, body, (void *)i) == 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

Test(threads, two_faults_on_one_page_make_one_page)
{
    uint64_t marks[2];
    uint64_t frames;

    ram_reset(64 * MIB);
    cr_assert(aspace_init(&aspace, &s2_sv39x4, NULL) == OK);
    cr_assert(aspace_map_lazy(&aspace, gpa(0), PAGES * PAGE_SIZE, MEM_RWX,
                              false) == OK);
    frames = ram_frames_in_use();
    run_both(vcpu);
    cr_assert(resolved_count == PAGES, "%u resolved", resolved_count);
    /* Each page, a table for each 512 of them, and one above. */
    cr_assert(ram_frames_in_use() == frames + PAGES + PAGES / 512 + 1);
    for (uint64_t page = 0; page < PAGES; page++) {
        cr_assert(aspace_read(&aspace, gpa(page * PAGE_SIZE), marks,
                              sizeof(marks)) == OK);
        cr_assert(marks[0] == page * 2 + 1 && marks[1] == page * 2 + 2,
                  "page %lu lost a write", page);
    }
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0);
}

/* One maps, protects and unmaps what the other reads, writes and faults on. */
static void *mixed(void *argument)
{
    uint64_t bytes[700] = {0};
    bool resolved;

    meet();
    for (unsigned i = 0; i < 3000; i++) {
        gpa_t at = gpa(i % 8 * 256 * PAGE_SIZE + 4000);
        err_t error;

        if (argument == NULL) {
            error = aspace_unmap(&aspace, gpa(i % 7 * 16 * PAGE_SIZE),
                                 (i % 64 + 1) * 16 * PAGE_SIZE);
            error |= aspace_map_lazy(&aspace, gpa(0), 4 * MIB, MEM_RWX, false);
            error |= aspace_protect(&aspace, gpa(0), MIB, MEM_READ);
        } else {
            error = aspace_handle_fault(&aspace, at, ACCESS_WRITE, &resolved);
            error |= aspace_write(&aspace, at, bytes, sizeof(bytes));
            error |= aspace_read(&aspace, at, bytes, sizeof(bytes));
            error |= aspace_clear(&aspace, at, 3 * PAGE_SIZE);
        }
        (void)error; /* whatever it was: nothing breaks */
    }
    return NULL;
}

Test(threads, changes_and_accesses_mix)
{
    ram_reset(64 * MIB);
    cr_assert(aspace_init(&aspace, &s2_sv39x4, NULL) == OK);
    run_both(mixed);
    aspace_fini(&aspace);
    cr_assert(ram_frames_in_use() == 0);
}
