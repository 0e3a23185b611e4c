/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer queue against a model: an unordered array that is searched from
 * end to end.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "api/time.h"
#include "lib/compiler.h"
#include "lib/timer_queue.h"

#define SLOTS 32

_Static_assert(_Generic((timer_queue_fn)0, timer_fn : 1, default : 0),
               "what the API hands in is what the queue calls");

static struct timer_queue queue;
static struct timer_slot slots[SLOTS];

/* What fired: the contexts, in order. */
static uintptr_t fired[4 * SLOTS];
static unsigned fired_count;

static void record(void *context, uint64_t now)
{
    (void)now;
    fired[fired_count++] = (uintptr_t)context;
}

static void start(void)
{
    memset(slots, 0x5a, sizeof(slots));
    timer_queue_init(&queue, 3, slots, SLOTS);
    fired_count = 0;
}

static uint64_t insert(uint64_t deadline, uintptr_t name)
{
    return timer_queue_insert(&queue, deadline, record, (void *)name);
}

Test(timer_queue, an_empty_queue_has_nothing)
{
    start();
    cr_assert(timer_queue_next_deadline(&queue) == TIMER_QUEUE_NEVER);
    cr_assert(timer_queue_expire(&queue, UINT64_MAX) == 0);
    cr_assert(timer_queue_cancel(&queue, 0) == ERR_NOT_FOUND);
    cr_assert(timer_queue_cancel(&queue, 12345) == ERR_NOT_FOUND);
    timer_queue_init(&queue, 0, NULL, 0);
    cr_assert(timer_queue_insert(&queue, 1, record, NULL) == 0);
    cr_assert(timer_queue_expire(&queue, UINT64_MAX) == 0);
}

Test(timer_queue, fires_in_order_of_deadline_then_of_insertion)
{
    static const uint64_t deadlines[] = {50, 10, 30, 10, 50, 20, 10, 0};
    static const uintptr_t order[] = {7, 1, 3, 6, 5, 2, 0, 4};

    start();
    for (uintptr_t i = 0; i < ARRAY_SIZE(deadlines); i++)
        cr_assert(insert(deadlines[i], i) != TIMER_NONE);
    cr_assert(timer_queue_next_deadline(&queue) == 0);
    cr_assert(timer_queue_expire(&queue, 29) == 5);
    cr_assert(timer_queue_next_deadline(&queue) == 30);
    cr_assert(timer_queue_expire(&queue, 29) == 0);
    cr_assert(timer_queue_expire(&queue, 50) == 3);
    cr_assert(fired_count == ARRAY_SIZE(order));
    for (unsigned i = 0; i < fired_count; i++)
        cr_assert(fired[i] == order[i], "%u: %lu", i, fired[i]);
}

Test(timer_queue, a_token_cancels_once_and_names_its_queue)
{
    uint64_t first, second;

    start();
    first = insert(10, 1);
    second = insert(20, 2);
    cr_assert(timer_queue_number(first) == 3);
    cr_assert(timer_queue_cancel(&queue, first) == OK);
    cr_assert(timer_queue_cancel(&queue, first) == ERR_NOT_FOUND);
    cr_assert(insert(10, 3) != first, "the slot is used again, its token not");
    cr_assert(timer_queue_cancel(&queue, first) == ERR_NOT_FOUND);
    cr_assert(timer_queue_expire(&queue, 100) == 2);
    cr_assert(timer_queue_cancel(&queue, second) == ERR_NOT_FOUND);
}

Test(timer_queue, a_full_queue_says_so)
{
    uint64_t token = 0;

    start();
    for (uintptr_t i = 0; i < SLOTS; i++) {
        token = insert(100 - i, i);
        cr_assert(token != TIMER_NONE);
    }
    cr_assert(insert(1, 99) == TIMER_NONE);
    cr_assert(timer_queue_cancel(&queue, token) == OK);
    cr_assert(insert(1, 99) != TIMER_NONE);
}

/* What the functions below do to the queue while they fire. */
static uint64_t victim;
static err_t cancelled;

static void restart(void *context, uint64_t now)
{
    record(context, now);
    cr_assert(timer_queue_insert(&queue, now - 5, restart, context) != 0);
}

static void cancel_victim(void *context, uint64_t now)
{
    record(context, now);
    cancelled = timer_queue_cancel(&queue, victim);
}

Test(timer_queue, one_that_starts_itself_again_fires_once_per_call)
{
    start();
    cr_assert(timer_queue_insert(&queue, 10, restart, (void *)1) != 0);
    cr_assert(insert(15, 2) != 0);
    cr_assert(insert(20, 3) != 0);
    cr_assert(timer_queue_expire(&queue, 20) == 3,
              "the restarted one must not hide the others");
    cr_assert(fired[0] == 1 && fired[1] == 2 && fired[2] == 3);
    cr_assert(timer_queue_next_deadline(&queue) <= 20);
    cr_assert(timer_queue_expire(&queue, 21) == 1);
    cr_assert(fired[3] == 1);
    cr_assert(insert(4, 4) != 0);
    cr_assert(timer_queue_next_deadline(&queue) == 4);
}

Test(timer_queue, one_may_cancel_another_that_is_due)
{
    start();
    cr_assert(timer_queue_insert(&queue, 10, cancel_victim, (void *)1) != 0);
    victim = insert(11, 2);
    cr_assert(timer_queue_expire(&queue, 20) == 1);
    cr_assert(cancelled == OK);
    cr_assert(fired_count == 1);
}

static uint64_t announced[2];

static void announce(uint64_t token, uint64_t now)
{
    cr_assert(fired_count == 0, "before its function is called");
    announced[0] = token;
    announced[1] = now;
}

Test(timer_queue, one_that_fires_is_announced_first)
{
    uint64_t token;

    start();
    queue.announce = announce;
    token = insert(10, 1);
    cr_assert(timer_queue_expire(&queue, 25) == 1);
    cr_assert(announced[0] == token && announced[1] == 25);
    cr_assert(fired_count == 1);
}

Test(timer_queue, the_same_calls_give_the_same_tokens)
{
    uint64_t tokens[2][100];

    for (unsigned run = 0; run < 2; run++) {
        start();
        for (unsigned i = 0; i < 100; i++) {
            tokens[run][i] = insert(i * 37 % 50, i);
            if (i % 3 == 0)
                cr_assert(timer_queue_cancel(&queue, tokens[run][i]) == OK);
            if (i % 7 == 0)
                timer_queue_expire(&queue, i * 37 % 50);
            if (fired_count > SLOTS)
                fired_count = 0;
        }
    }
    cr_assert(memcmp(tokens[0], tokens[1], sizeof(tokens[0])) == 0);
}

/* The model. */
static struct {
    uint64_t deadline, token, order;
} model[SLOTS];
static unsigned model_count;
static uint64_t model_inserted;

static unsigned model_first(void)
{
    unsigned first = 0;

    for (unsigned i = 1; i < model_count; i++) {
        if (model[i].deadline < model[first].deadline ||
            (model[i].deadline == model[first].deadline &&
             model[i].order < model[first].order))
            first = i;
    }
    return first;
}

static void model_remove(unsigned i)
{
    model[i] = model[--model_count];
}

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void step_insert(uint64_t deadline)
{
    /* The context is what the model knows it by: its deadline and order. */
    uint64_t token = insert(deadline, deadline);

    cr_assert((token == 0) == (model_count == SLOTS));
    if (token == 0)
        return;
    for (unsigned i = 0; i < model_count; i++)
        cr_assert_neq(model[i].token, token);
    model[model_count].deadline = deadline;
    model[model_count].order = model_inserted++;
    model[model_count++].token = token;
}

static void step_cancel(unsigned i)
{
    if (model_count == 0)
        return;
    i %= model_count;
    cr_assert(timer_queue_cancel(&queue, model[i].token) == OK);
    cr_assert(timer_queue_cancel(&queue, model[i].token) == ERR_NOT_FOUND);
    model_remove(i);
}

static void step_expire(uint64_t now)
{
    unsigned count;

    fired_count = 0;
    count = timer_queue_expire(&queue, now);
    cr_assert(count == fired_count);
    for (unsigned i = 0; i < count; i++) {
        unsigned first = model_first();

        cr_assert(model_count != 0 && model[first].deadline <= now);
        cr_assert(fired[i] == model[first].deadline);
        model_remove(first);
    }
    cr_assert(model_count == 0 || model[model_first()].deadline > now);
}

Test(timer_queue, agrees_with_a_model)
{
    uint64_t random = 1;
    uint64_t now = 0;

    start();
    model_count = 0;
    for (unsigned step = 0; step < 200000; step++) {
        unsigned choice = random_next(&random) % 8;

        if (choice < 4)
            step_insert(now + random_next(&random) % 64);
        else if (choice < 6)
            step_cancel(random_next(&random));
        else
            step_expire(now += random_next(&random) % 16);
        cr_assert(timer_queue_next_deadline(&queue) ==
                  (model_count == 0 ? TIMER_QUEUE_NEVER
                                    : model[model_first()].deadline));
    }
}

/* One thread cancels what the other inserts and fires: each timer either
 * fires or is cancelled, and never both. */
#define RACES 20000

static _Atomic uint64_t published;
static _Atomic unsigned race_cancelled;
static unsigned race_fired;

static void count_fired(void *context, uint64_t now)
{
    (void)context;
    (void)now;
    race_fired++;
}

static void *canceller(void *unused)
{
    uint64_t token;

    while ((token = atomic_load(&published)) != UINT64_MAX) {
        if (timer_queue_cancel(&queue, token) == OK)
            atomic_fetch_add(&race_cancelled, 1);
    }
    return unused;
}

Test(timer_queue, another_cpu_may_cancel)
{
    pthread_t thread;

    start();
    atomic_store(&published, 0);
    cr_assert(pthread_create(&thread, NULL, canceller, NULL) == 0);
    for (uint64_t i = 0; i < RACES; i++) {
        uint64_t token = timer_queue_insert(&queue, i, count_fired, NULL);

        cr_assert(token != 0);
        atomic_store(&published, token);
        timer_queue_expire(&queue, i);
    }
    atomic_store(&published, UINT64_MAX);
    pthread_join(thread, NULL);
    cr_assert(race_fired + race_cancelled == RACES);
}
