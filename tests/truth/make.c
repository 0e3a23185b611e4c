/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes lists of cases from a seed: legal states, states that break one rule
 * and no other, and random ones that were repaired. What a state is and which
 * rules there are, the vendor says (make_svm.c).
 *
 * States that break one rule are found by trying: a legal one is changed in a
 * field or two, and kept if it then breaks one rule that has not yet got its
 * share.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/truth/host.h"
#include "tests/truth/ops.h"

/* In a hundred. */
#define SHARE_RULES  45
#define SHARE_RANDOM 25

/* Of changed states: for each rule, and until one is of use. */
#define TRIALS   20000
#define PATIENCE 400000

struct making {
    const struct truth_maker *maker;
    struct truth_machine machine;
    struct truth_list list; /* of the states alone, to set them up */
    struct truth_random random;
    struct truth_buffer *out;
    struct truth_buffer last; /* cases that come behind all others */
    uint32_t cases;
    uint32_t of_rule[TRUTH_MAX_RULES];
};

uint64_t truth_random(struct truth_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t truth_below(struct truth_random *random, uint32_t below)
{
    return (uint32_t)((truth_random(random) >> 32) * below >> 32);
}

static void put(struct truth_buffer *buffer, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (buffer->room - buffer->size < size) {
        buffer->room = 2 * (buffer->room + size);
        buffer->bytes = realloc(buffer->bytes, buffer->room);
        if (buffer->bytes == NULL)
            abort();
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static void put_number(struct truth_buffer *buffer, uint64_t value,
                       unsigned size)
{
    put(buffer, &value, size);
}

static void put_field(struct making *making, const struct truth_field *field,
                      uint64_t value)
{
    uint16_t number = field->number;
    uint64_t offset = value - making->machine.base.raw;

    if (making->maker->is_address(number) &&
        offset < TRUTH_OWN(making->maker->vendor->pages)) {
        number |= TRUTH_RELATIVE;
        value = offset;
    }
    put_number(making->out, number, 2);
    put_number(making->out, value, 8);
}

/* The fields that are not as in `before`, all 0 if that is NULL. */
static void put_changes(struct making *making, const uint64_t *before)
{
    const struct truth_vendor *vendor = making->maker->vendor;
    size_t at = making->out->size;
    uint16_t count = 0;

    put_number(making->out, 0, 2);
    for (uint32_t i = 0; i < vendor->field_count; i++) {
        uint64_t value = vendor->get(&making->machine, &vendor->fields[i]);

        if (value == (before != NULL ? before[i] : 0))
            continue;
        put_field(making, &vendor->fields[i], value);
        count++;
    }
    memcpy(making->out->bytes + at, &count, sizeof(count));
}

static void clear(struct truth_machine *machine)
{
    memset(&machine->regs, 0, sizeof(machine->regs));
    machine->vendor->clear(machine);
}

static void put_head(struct making *making, const char *profile, uint64_t seed)
{
    const struct truth_maker *maker = making->maker;
    struct truth_header header = {
        .magic = TRUTH_MAGIC,
        .version = TRUTH_VERSION,
        .cpu = maker->vendor->cpu,
        .seed = seed,
        .pages = LAYOUT_PAGES,
        .pieces = layout_make(),
        .rules = maker->rule_count(),
        .states = maker->state_count,
    };

    memcpy(header.profile, profile,
           strnlen(profile, sizeof(header.profile) - 1));
    put(making->out, &header, sizeof(header));
    for (uint32_t page = 0; page < LAYOUT_PAGES; page++)
        put_number(making->out, layout_rights(page), 1);
    for (uint32_t i = 0; i < header.pieces; i++) {
        put_number(making->out, layout_pieces[i].at, 4);
        put_number(making->out, layout_pieces[i].size, 4);
        put(making->out, layout_pieces[i].bytes, layout_pieces[i].size);
    }
    for (unsigned i = 0; i < maker->rule_count(); i++) {
        const char *name = maker->rule_name(i);

        put_number(making->out, strlen(name), 1);
        put(making->out, name, strlen(name));
    }
    for (unsigned i = 0; i < maker->state_count; i++) {
        clear(&making->machine);
        maker->make_state(&making->machine, i);
        put_changes(making, NULL);
    }
}

/* What the list says so far, so that it could be read. */
static void finish(struct truth_buffer *out, uint32_t cases)
{
    struct truth_header header;

    memcpy(&header, out->bytes, sizeof(header));
    header.cases = cases;
    header.size = (uint32_t)out->size;
    header.checksum = truth_checksum(0, out->bytes + sizeof(header),
                                     out->size - sizeof(header));
    memcpy(out->bytes, &header, sizeof(header));
}

/* One of the bits of `mask`. */
static uint64_t some_bit(struct truth_random *random, uint64_t mask)
{
    for (unsigned skip = truth_below(random, bit_count(mask)); skip > 0; skip--)
        mask &= mask - 1;
    return mask & -mask;
}

static void mutate(struct making *making)
{
    const struct truth_maker *maker = making->maker;
    struct truth_random *random = &making->random;
    const struct truth_mutation *mutation =
        &maker->changes
             ->mutations[truth_below(random, maker->changes->mutation_count)];
    const struct truth_field *field =
        truth_field(maker->vendor, mutation->field);
    uint64_t value = maker->vendor->get(&making->machine, field);
    unsigned way = truth_below(random, 8);

    if (mutation->value_count != 0 && (way < 4 || mutation->mask == 0)) {
        value = mutation->values[truth_below(random, mutation->value_count)];
    } else if (way == 7) {
        value =
            (value & ~mutation->mask) | (truth_random(random) & mutation->mask);
    } else {
        value ^= some_bit(random, mutation->mask);
        if (way % 2 != 0)
            value ^= some_bit(random, mutation->mask);
    }
    maker->vendor->put(&making->machine, field, value);
}

static void vary(struct making *making)
{
    const struct truth_maker *maker = making->maker;
    const struct truth_variant *variant = &maker->changes->variants[truth_below(
        &making->random, maker->changes->variant_count)];

    for (unsigned i = 0; i < variant->count; i++) {
        const struct truth_setting *setting = &variant->settings[i];
        const struct truth_field *field =
            truth_field(maker->vendor, setting->field);
        uint64_t value = maker->vendor->get(&making->machine, field);

        maker->vendor->put(&making->machine, field,
                           (value & ~setting->clear) | setting->set);
    }
}

/* A state, changed in up to so many fields. */
static unsigned change(struct making *making, unsigned changes)
{
    unsigned state = truth_below(&making->random, making->maker->state_count);

    clear(&making->machine);
    making->maker->make_state(&making->machine, state);
    if (making->maker->changes->variant_count != 0 &&
        truth_below(&making->random, 2) != 0)
        vary(making);
    for (unsigned n = truth_below(&making->random, changes + 1); n > 0; n--)
        mutate(making);
    return state;
}

static unsigned choose_op(struct making *making)
{
    struct truth_random *random = &making->random;

    return truth_below(random, 2) == 0 ? 0
                                       : truth_below(random, truth_op_count);
}

/* Adds the case that the machine is set up with. */
static void add_case(struct making *making, unsigned state, unsigned op,
                     enum truth_kind kind, uint16_t rule)
{
    const struct truth_maker *maker = making->maker;
    const struct truth_vendor *vendor = maker->vendor;
    static uint64_t now[TRUTH_MAX_CHANGES], base[TRUTH_MAX_CHANGES];
    uint8_t code[TRUTH_MAX_CODE] = {0};
    unsigned size = maker->encode(&making->machine, op, code);
    struct truth_buffer *out = making->out;

    if (maker->comes_last != NULL && maker->comes_last(&making->machine))
        making->out = &making->last;

    for (uint32_t i = 0; i < vendor->field_count; i++)
        now[i] = vendor->get(&making->machine, &vendor->fields[i]);
    clear(&making->machine);
    maker->make_state(&making->machine, state);
    for (uint32_t i = 0; i < vendor->field_count; i++)
        base[i] = vendor->get(&making->machine, &vendor->fields[i]);
    for (uint32_t i = 0; i < vendor->field_count; i++)
        vendor->put(&making->machine, &vendor->fields[i], now[i]);
    put_number(making->out, state, 2);
    put_number(making->out, rule, 2);
    put_number(making->out, kind, 1);
    put_number(making->out, op, 1);
    put_number(making->out, LAYOUT_CODE, 4);
    put_number(making->out, size, 1);
    put(making->out, code, size);
    put_changes(making, base);
    making->out = out;
    making->cases++;
}

/* Whether the state breaks what it may: `rules` is one longer than that. */
static bool breaks(struct making *making, uint16_t *rules, unsigned count)
{
    return making->maker->broken(&making->machine, rules, count + 1) == count;
}

static void add_legal(struct making *making, uint32_t until)
{
    while (making->cases < until) {
        uint16_t rules[1];
        unsigned state = change(making, 6), op = choose_op(making);

        if (making->maker->settle(&making->machine, op, &making->random) &&
            breaks(making, rules, 0))
            add_case(making, state, op, TRUTH_LEGAL, TRUTH_NO_RULE);
    }
}

static void add_random(struct making *making, uint32_t until)
{
    while (making->cases < until) {
        uint16_t rules[1];
        unsigned state = change(making, 25), op = choose_op(making);

        if (making->maker->repair(&making->machine) &&
            making->maker->settle(&making->machine, op, &making->random) &&
            breaks(making, rules, 0))
            add_case(making, state, op, TRUTH_RANDOM, TRUTH_NO_RULE);
    }
}

/* Up to `share` of each rule, as far as they are found. */
static void add_rules(struct making *making, uint32_t until, uint32_t share)
{
    uint32_t trials = TRIALS * making->maker->rule_count();
    uint32_t patience = making->maker->gives_up ? PATIENCE : trials;

    for (uint32_t useless = 0;
         trials > 0 && useless < patience && making->cases < until;
         trials--, useless++) {
        uint16_t rules[2];
        unsigned state = change(making, 2), op = choose_op(making);

        if (!making->maker->settle(&making->machine, op, &making->random) ||
            !breaks(making, rules, 1) || rules[0] == TRUTH_NO_RULE ||
            making->of_rule[rules[0]] >= share)
            continue;
        useless = 0;
        making->of_rule[rules[0]]++;
        add_case(making, state, op, TRUTH_RULE, rules[0]);
    }
}

void truth_make(const struct truth_maker *maker, const char *profile,
                uint64_t seed, uint32_t cases, struct truth_buffer *list)
{
    static struct making making;
    uint32_t of_rules = cases * SHARE_RULES / 100;
    struct truth_list head;

    making = (struct making){.maker = maker,
                             .random = {seed},
                             .out = list,
                             .machine = {.vendor = maker->vendor}};
    head.header = (struct truth_header){.cpu = maker->vendor->cpu};
    if (!truth_prepare(&making.machine, &head))
        abort();
    put_head(&making, profile, seed);
    /* Rules that this processor does not have leave their share to others. */
    add_rules(&making, of_rules, of_rules / maker->rule_count());
    add_rules(&making, of_rules, 2 * of_rules / maker->rule_count());
    add_random(&making, making.cases + cases * SHARE_RANDOM / 100);
    add_legal(&making, cases);
    put(list, making.last.bytes, making.last.size);
    free(making.last.bytes);
    finish(list, making.cases);
}
