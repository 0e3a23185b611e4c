/* SPDX-License-Identifier: Apache-2.0 */
/* The header-only part of the support library: bits, lists, the lock, errors.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/bits.h"
#include "lib/error.h"
#include "lib/list.h"
#include "lib/spinlock.h"
#include "support/rows.h"

Test(bits, masks_and_fields)
{
    static const struct {
        unsigned hi, lo;
        uint64_t mask;
    } rows[] = {
        {0, 0, 1},    {63, 63, BIT(63)},          {63, 0, UINT64_MAX},
        {7, 4, 0xf0}, {53, 10, 0x3ffffffffffc00},
    };

    for_each_row (i, rows) {
        uint64_t mask = BIT_MASK(rows[i].hi, rows[i].lo);

        cr_assert(mask == rows[i].mask, "%u..%u", rows[i].hi, rows[i].lo);
        cr_assert(FIELD_PUT(mask, 1) == BIT(rows[i].lo));
        cr_assert(FIELD_GET(mask, UINT64_MAX) == mask >> rows[i].lo);
        cr_assert(FIELD_PUT(mask, UINT64_MAX) == mask);
        cr_assert(FIELD_GET(mask, ~mask) == 0);
    }
}

Test(bits, alignment)
{
    cr_assert(is_aligned(0, 4096) && is_aligned(8192, 4096));
    cr_assert(!is_aligned(4095, 4096));
    cr_assert(align_down(8191, 4096) == 4096);
    cr_assert(align_up(4097, 4096) == 8192 && align_up(4096, 4096) == 4096);
    cr_assert(align_up(UINT64_MAX, 4096) == 0, "wraps");
    cr_assert(is_power_of_two(1) && is_power_of_two(BIT(63)));
    cr_assert(!is_power_of_two(0) && !is_power_of_two(6));
}

Test(bits, extension_and_search)
{
    cr_assert(sign_extend(0x80, 8) == -128 && sign_extend(0x7f, 8) == 127);
    cr_assert(sign_extend(0xffffff80, 32) == -128);
    cr_assert(sign_extend(UINT64_MAX, 64) == -1 && sign_extend(1, 1) == -1);
    cr_assert(zero_extend(UINT64_MAX, 8) == 0xff);
    cr_assert(zero_extend(UINT64_MAX, 64) == UINT64_MAX);
    for (unsigned n = 0; n < 64; n++) {
        cr_assert(bit_lowest(UINT64_MAX << n) == n);
        cr_assert(bit_highest(UINT64_MAX >> n) == 63 - n);
        cr_assert(bit_count(UINT64_MAX << n) == 64 - n);
    }
}

Test(addr, arithmetic)
{
    cr_assert(gpa_add(gpa(0x1000), 0x234).raw == 0x1234);
    cr_assert(hpa_add(hpa(0x1000), 0x234).raw == 0x1234);
    cr_assert(hpa_is_none(HPA_NONE) && !hpa_is_none(hpa(PAGE_SIZE)));
}

struct item {
    int value;
    struct list link;
};

static int sum_in_order(struct list *head)
{
    int digits = 0;

    list_for_each (link, head)
        digits = digits * 10 + list_entry(link, struct item, link)->value;
    return digits;
}

Test(list, keeps_order_and_removes)
{
    struct item items[4] = {
        {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list head;

    list_init(&head);
    cr_assert(list_is_empty(&head) && sum_in_order(&head) == 0);
    for (unsigned i = 0; i < 3; i++)
        list_append(&head, &items[i].link);
    list_insert_before(&items[1].link, &items[3].link);
    cr_assert(sum_in_order(&head) == 1423);
    list_remove(&items[3].link);
    list_remove(&items[3].link);
    cr_assert(sum_in_order(&head) == 123);
    list_for_each_safe (link, &head)
        list_remove(link);
    cr_assert(list_is_empty(&head));
}

static struct spinlock lock = SPINLOCK_INIT;
static unsigned counter;

static void *count(void *unused)
{
    for (unsigned i = 0; i < 20000; i++) {
        spin_lock(&lock);
        counter++;
        spin_unlock(&lock);
    }
    return unused;
}

Test(spinlock, one_at_a_time)
{
    pthread_t threads[2];

    for (unsigned i = 0; i < 2; i++)
        cr_assert(pthread_create(&threads[i], NULL, count, NULL) == 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cr_assert(counter == 40000);
    cr_assert(!spin_is_locked(&lock));
    spin_lock(&lock);
    cr_assert(spin_is_locked(&lock));
    spin_unlock(&lock);
}

Test(error, every_error_has_a_text)
{
    for (unsigned error = 0; error < ERROR_COUNT; error++) {
        const char *text = error_text((err_t)error);

        cr_assert(text != NULL && text[0] != '\0', "%u", error);
        for (unsigned other = 0; other < error; other++)
            cr_assert(strcmp(text, error_text((err_t)other)) != 0, "%s", text);
    }
    cr_assert_str_eq(error_text(ERROR_COUNT), "unknown error");
    cr_assert_str_eq(error_text(ERR_NO_MEMORY), "out of memory");
}
