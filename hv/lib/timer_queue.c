/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timers of one CPU: see timer_queue.h. A binary heap of slot numbers,
 * ordered by deadline and then by insertion; it lies in the `heap` members of
 * the slots, so that one array is all the storage there is. Free slots are a
 * list, last freed first.
 */
#include "lib/timer_queue.h"
#include "lib/bits.h"
#include "lib/check.h"

/* A token. How often its slot was taken starts at 1 and has 46 bits: 2 years of
 * a timer per us. */
#define TOKEN_SLOT  BIT_MASK(11, 0)
#define TOKEN_QUEUE BIT_MASK(17, 12)
#define TOKEN_TAKEN BIT_MASK(63, 18)

_Static_assert(TIMER_QUEUE_MAX_SLOTS == TOKEN_SLOT + 1, "slots fit");
_Static_assert(TIMER_QUEUE_MAX_QUEUES == (TOKEN_QUEUE >> 12) + 1,
               "queue numbers fit");

void timer_queue_init(struct timer_queue *queue, uint32_t number,
                      struct timer_slot *slots, uint32_t capacity)
{
    CHECK(number < TIMER_QUEUE_MAX_QUEUES);
    CHECK(capacity <= TIMER_QUEUE_MAX_SLOTS);
    *queue = (struct timer_queue){
        .slots = slots, .capacity = capacity, .number = number};
    for (uint32_t i = 0; i < capacity; i++)
        slots[i] = (struct timer_slot){.place = (uint16_t)(i + 1)};
}

uint32_t timer_queue_number(uint64_t token)
{
    return (uint32_t)FIELD_GET(TOKEN_QUEUE, token);
}

static struct timer_slot *slot_at(struct timer_queue *queue, uint32_t place)
{
    return &queue->slots[queue->slots[place].heap];
}

static bool is_before(const struct timer_slot *a, const struct timer_slot *b)
{
    return a->deadline < b->deadline ||
           (a->deadline == b->deadline && a->serial < b->serial);
}

static void put_at(struct timer_queue *queue, uint32_t place, uint16_t slot)
{
    queue->slots[place].heap = slot;
    queue->slots[slot].place = (uint16_t)place;
}

/* Moves `slot`, for which `place` is free, towards the root. */
static void sift_up(struct timer_queue *queue, uint32_t place, uint16_t slot)
{
    while (place != 0) {
        uint32_t parent = (place - 1) / 2;

        if (!is_before(&queue->slots[slot], slot_at(queue, parent)))
            break;
        put_at(queue, place, queue->slots[parent].heap);
        place = parent;
    }
    put_at(queue, place, slot);
}

/* Moves `slot`, for which `place` is free, towards the leaves. */
static void sift_down(struct timer_queue *queue, uint32_t place, uint16_t slot)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= queue->count)
            break;
        if (child + 1 < queue->count &&
            is_before(slot_at(queue, child + 1), slot_at(queue, child)))
            child++;
        if (!is_before(slot_at(queue, child), &queue->slots[slot]))
            break;
        put_at(queue, place, queue->slots[child].heap);
        place = child;
    }
    put_at(queue, place, slot);
}

/* The last of the heap takes the removed one's place, and finds its own. */
static void heap_remove(struct timer_queue *queue, uint32_t place)
{
    uint16_t last = queue->slots[--queue->count].heap;

    if (place == queue->count)
        return;
    sift_down(queue, place, last);
    sift_up(queue, queue->slots[last].place, last);
}

static uint16_t slot_take(struct timer_queue *queue)
{
    uint16_t slot = (uint16_t)queue->free;

    queue->free = queue->slots[slot].place;
    return slot;
}

static void slot_release(struct timer_queue *queue, uint16_t slot)
{
    queue->slots[slot].token = 0;
    queue->slots[slot].place = (uint16_t)queue->free;
    queue->free = slot;
}

static uint64_t insert(struct timer_queue *queue, uint64_t deadline,
                       timer_queue_fn fire, void *context)
{
    struct timer_slot *timer;
    uint16_t slot;

    if (queue->free == queue->capacity)
        return 0;
    slot = slot_take(queue);
    timer = &queue->slots[slot];
    /* Not before the timers that are just firing: see expire_one(). */
    timer->deadline = deadline > queue->floor ? deadline : queue->floor;
    timer->serial = ++queue->inserted;
    timer->token = FIELD_PUT(TOKEN_TAKEN, ++timer->taken) |
                   FIELD_PUT(TOKEN_QUEUE, queue->number) | slot;
    timer->fire = fire;
    timer->context = context;
    sift_up(queue, queue->count++, slot);
    return timer->token;
}

uint64_t timer_queue_insert(struct timer_queue *queue, uint64_t deadline,
                            timer_queue_fn fire, void *context)
{
    uint64_t token;

    spin_lock(&queue->lock);
    token = insert(queue, deadline, fire, context);
    spin_unlock(&queue->lock);
    return token;
}

static err_t cancel(struct timer_queue *queue, uint64_t token)
{
    uint16_t slot = (uint16_t)FIELD_GET(TOKEN_SLOT, token);

    if (token == 0 || slot >= queue->capacity ||
        queue->slots[slot].token != token)
        return ERR_NOT_FOUND;
    heap_remove(queue, queue->slots[slot].place);
    slot_release(queue, slot);
    return OK;
}

err_t timer_queue_cancel(struct timer_queue *queue, uint64_t token)
{
    err_t error;

    spin_lock(&queue->lock);
    error = cancel(queue, token);
    spin_unlock(&queue->lock);
    return error;
}

uint64_t timer_queue_next_deadline(struct timer_queue *queue)
{
    uint64_t deadline = TIMER_QUEUE_NEVER;

    spin_lock(&queue->lock);
    if (queue->count != 0)
        deadline = slot_at(queue, 0)->deadline;
    spin_unlock(&queue->lock);
    return deadline;
}

/*
 * Takes the first timer out if it is due and its serial number is `limit` at
 * most. Those inserted since have deadlines of `now` or later, and higher
 * numbers: none of them hides one that was there before.
 */
static bool take_due(struct timer_queue *queue, uint64_t now, uint64_t limit,
                     struct timer_slot *due)
{
    if (queue->count == 0)
        return false;
    *due = *slot_at(queue, 0);
    if (due->deadline > now || due->serial > limit)
        return false;
    return cancel(queue, due->token) == OK;
}

uint32_t timer_queue_expire(struct timer_queue *queue, uint64_t now)
{
    struct timer_slot due;
    uint32_t fired = 0;
    uint64_t limit;

    spin_lock(&queue->lock);
    limit = queue->inserted;
    queue->floor = now;
    while (take_due(queue, now, limit, &due)) {
        spin_unlock(&queue->lock);
        if (queue->announce != NULL)
            queue->announce(due.token, now);
        due.fire(due.context, now);
        fired++;
        spin_lock(&queue->lock);
    }
    queue->floor = 0;
    spin_unlock(&queue->lock);
    return fired;
}
