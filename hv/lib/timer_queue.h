/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one-shot timers of one CPU, by deadline: what both hosts build
 * time_register_timer() and time_cancel_timer() from. Inserting, cancelling
 * and firing take O(log n) steps, in storage that the host hands in.
 *
 * A token is made of how often its slot was taken, the queue's number and the
 * slot, and never reused; the same calls give the same tokens, so that a
 * recording's tokens are those of its replay.
 *
 * Every function may be called from any CPU; the queue has its own lock, held
 * only within them. The functions that fire run without it, and may use the
 * queue.
 */
#ifndef LIB_TIMER_QUEUE_H
#define LIB_TIMER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/spinlock.h"

/* The same type as api/time.h's timer_fn. */
typedef void (*timer_queue_fn)(void *context, uint64_t now_ns);

#define TIMER_QUEUE_MAX_SLOTS  4096
#define TIMER_QUEUE_MAX_QUEUES 64

/* A token's slot, a number that timers which follow each other share, and what
 * tells them apart. */
#define TIMER_TOKEN_SLOT(token) ((token) & (TIMER_QUEUE_MAX_SLOTS - 1))
#define TIMER_TOKEN_REST(token) ((token) / TIMER_QUEUE_MAX_SLOTS)
#define TIMER_TOKEN(rest, slot) ((rest)*TIMER_QUEUE_MAX_SLOTS + (slot))

/* The deadline of an empty queue. */
#define TIMER_QUEUE_NEVER UINT64_MAX

/* Storage for one timer. */
struct timer_slot {
    uint64_t deadline;
    uint64_t token;  /* 0 while the slot is free */
    uint64_t serial; /* of its insertion */
    uint64_t taken;  /* how often the slot was */
    timer_queue_fn fire;
    void *context;
    uint16_t place; /* in the heap; of a free slot: the next free one */
    uint16_t heap;  /* what the heap has at this slot's index: a slot */
};

struct timer_queue {
    struct spinlock lock;
    struct timer_slot *slots;
    uint32_t capacity;
    uint32_t count; /* timers in the heap */
    uint32_t free;  /* first free slot, or `capacity` */
    uint32_t number;
    uint64_t inserted; /* timers that ever were: the last one's serial */
    uint64_t floor;    /* while timers fire: the time they fire at */
    /* Called right before each timer's function; NULL: nobody wants to know. */
    void (*announce)(uint64_t token, uint64_t now_ns);
};

/*
 * An empty queue. `number` (below TIMER_QUEUE_MAX_QUEUES) tells this queue's
 * tokens from those of others; `capacity` is TIMER_QUEUE_MAX_SLOTS at most.
 */
void timer_queue_init(struct timer_queue *queue, uint32_t number,
                      struct timer_slot *slots, uint32_t capacity);

/* The number of the queue that made `token`. */
uint32_t timer_queue_number(uint64_t token);

/* Returns the timer's token; 0 (TIMER_NONE) when no slot is free. */
uint64_t timer_queue_insert(struct timer_queue *queue, uint64_t deadline,
                            timer_queue_fn fire, void *context) MUST_CHECK;

/*
 * ERR_NOT_FOUND when the timer has fired or was cancelled, or `token` is none
 * of this queue's. On another CPU its function may just be running then.
 */
err_t timer_queue_cancel(struct timer_queue *queue, uint64_t token) MUST_CHECK;

/* The earliest deadline, or TIMER_QUEUE_NEVER. */
uint64_t timer_queue_next_deadline(struct timer_queue *queue);

/*
 * Calls the functions of the timers with deadlines at or before `now`, in the
 * order of the deadlines, of insertion where they are equal. A timer that is
 * inserted meanwhile waits for the next call, so that one which starts itself
 * again does not keep the CPU here. Returns how many have fired.
 */
uint32_t timer_queue_expire(struct timer_queue *queue, uint64_t now);

#endif
