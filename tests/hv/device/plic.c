/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PLIC against its specification, RISC-V PLIC 1.0.0. The file under test
 * is included rather than linked, so that its outputs, which go to the vCPUs
 * of a VM, are recorded here.
 */
#include <libfdt.h>
#include <string.h>

#include "board.h"

static err_t record_line(vm_id vm, vcpu_id vcpu, interrupt_vector vector,
                         bool high);

#define vmm_set_interrupt_line record_line
#include "device/plic.c"
#include "support/rows.h"
#undef vmm_set_interrupt_line

#define BASE       UINT64_C(0x0c000000)
#define MAX_SOURCE 1023

/* The registers of the specification's memory map; contexts as on virt. */
#define PRIORITY(source)  (BASE + 4 * (uint64_t)(source))
#define PENDING(word)     (BASE + 0x1000 + 4 * (uint64_t)(word))
#define S_CONTEXT(vcpu)   (2 * (uint64_t)(vcpu) + 1)
#define M_CONTEXT(vcpu)   (2 * (uint64_t)(vcpu))
#define ENABLE(ctx, word) (BASE + 0x2000 + 0x80 * (ctx) + 4 * (uint64_t)(word))
#define THRESHOLD(ctx)    (BASE + 0x200000 + 0x1000 * (ctx))
#define CLAIM(ctx)        (BASE + 0x200004 + 0x1000 * (ctx))

/* The same model under a name of its own: the table has the linked one, too. */
static const struct device_model recorded_model = {
    .compatible = "test,plic",
    .is_irq_chip = true,
    .create = plic_create,
    .describe = plic_describe,
    .irq_chip = plic_irq_chip,
};

DEVICE_MODEL(recorded_model);

/* What the vCPUs' external interrupt lines are. */
static struct {
    uint64_t high; /* bit n: vCPU n */
    unsigned calls;
    bool refuse;
} outputs;

static err_t record_line(vm_id vm, vcpu_id vcpu, interrupt_vector vector,
                         bool high)
{
    cr_assert_eq(vm, 3);
    cr_assert_lt(vcpu, MAX_VCPU_NUM);
    cr_assert_eq(vector, BOARD_VECTOR);
    if (outputs.refuse)
        return ERR_BUSY;
    cr_assert_neq((outputs.high >> vcpu & 1) != 0, high, "driven twice");
    outputs.high ^= BIT(vcpu);
    outputs.calls++;
    return OK;
}

struct bench {
    struct board board;
    struct device *device;
    struct irq_chip *chip;
    uint32_t vcpus, sources;
};

static void make(struct bench *bench, uint32_t vcpus, uint32_t sources)
{
    const struct property properties[] = {
        {"compatible", TEXT("test,plic")},
        {"reg", CELLS(CELL64(0x0c000000), CELL64(0x600000))},
        {"riscv,ndev", CELLS(CELL(sources))},
        END_OF_PROPERTIES,
    };

    memset(&outputs, 0, sizeof(outputs));
    board_make(&bench->board, vcpus);
    bench->device = board_add(&bench->board, "plic@c000000", properties);
    bench->chip = recorded_model.irq_chip(bench->device);
    bench->vcpus = vcpus;
    bench->sources = sources;
}

static void end(struct bench *bench)
{
    board_end(&bench->board);
}

static uint32_t get(struct bench *bench, uint64_t address)
{
    return (uint32_t)board_read(&bench->board, address, 4);
}

static void put(struct bench *bench, uint64_t address, uint64_t value)
{
    board_write(&bench->board, address, 4, value);
}

static void level(struct bench *bench, uint32_t source, bool high)
{
    bench->chip->set_level(bench->chip, source, high);
}

static void pulse(struct bench *bench, uint32_t source)
{
    bench->chip->pulse(bench->chip, source);
}

static uint32_t claim(struct bench *bench, uint32_t vcpu)
{
    return get(bench, CLAIM(S_CONTEXT(vcpu)));
}

static void complete(struct bench *bench, uint32_t vcpu, uint32_t source)
{
    put(bench, CLAIM(S_CONTEXT(vcpu)), source);
}

static bool is_pending(struct bench *bench, uint32_t source)
{
    return (get(bench, PENDING(source / 32)) >> source % 32 & 1) != 0;
}

static bool is_high(uint32_t vcpu)
{
    return (outputs.high >> vcpu & 1) != 0;
}

static void enable(struct bench *bench, uint32_t vcpu, uint32_t source, bool on)
{
    uint64_t at = ENABLE(S_CONTEXT(vcpu), source / 32);
    uint32_t bit = 1U << source % 32;

    put(bench, at, on ? get(bench, at) | bit : get(bench, at) & ~bit);
}

/* A source of this priority, enabled for a vCPU. */
static void use(struct bench *bench, uint32_t vcpu, uint32_t source,
                uint32_t priority)
{
    put(bench, PRIORITY(source), priority);
    enable(bench, vcpu, source, true);
}

/* A level source: forwarded, claimed, served, completed. */
Test(plic, level_source)
{
    struct bench bench;

    make(&bench, 1, 96);
    use(&bench, 0, 10, 1);
    level(&bench, 10, true);
    cr_expect(is_high(0));
    cr_expect(is_pending(&bench, 10));
    cr_expect_eq(claim(&bench, 0), 10);
    cr_expect_not(is_high(0));
    cr_expect_not(is_pending(&bench, 10));
    cr_expect_eq(claim(&bench, 0), 0);
    /* Still high at the completion: again. */
    complete(&bench, 0, 10);
    cr_expect(is_high(0));
    cr_expect_eq(claim(&bench, 0), 10);
    level(&bench, 10, false);
    complete(&bench, 0, 10);
    cr_expect_not(is_high(0));
    cr_expect_eq(claim(&bench, 0), 0);
    /* Falls and rises while in service: once more. */
    level(&bench, 10, true);
    cr_expect_eq(claim(&bench, 0), 10);
    level(&bench, 10, false);
    level(&bench, 10, true);
    cr_expect_not(is_high(0));
    complete(&bench, 0, 10);
    cr_expect_eq(claim(&bench, 0), 10);
    level(&bench, 10, false);
    complete(&bench, 0, 10);
    /* A request that was accepted stays when the level falls. */
    level(&bench, 10, true);
    level(&bench, 10, false);
    cr_expect(is_high(0));
    cr_expect_eq(claim(&bench, 0), 10);
    complete(&bench, 0, 10);
    cr_expect_not(is_high(0));
    end(&bench);
}

/* An edge source: edges before the claim are one request, one while in
 * service is not lost. */
Test(plic, edge_source)
{
    struct bench bench;

    make(&bench, 1, 96);
    use(&bench, 0, 40, 3);
    pulse(&bench, 40);
    pulse(&bench, 40);
    cr_expect(is_high(0));
    cr_expect_eq(claim(&bench, 0), 40);
    cr_expect_not(is_high(0));
    complete(&bench, 0, 40);
    cr_expect_not(is_high(0));
    cr_expect_eq(claim(&bench, 0), 0);

    pulse(&bench, 40);
    cr_expect_eq(claim(&bench, 0), 40);
    pulse(&bench, 40);
    pulse(&bench, 40);
    cr_expect_not(is_high(0));
    cr_expect_not(is_pending(&bench, 40));
    complete(&bench, 0, 40);
    cr_expect(is_high(0));
    cr_expect_eq(claim(&bench, 0), 40);
    complete(&bench, 0, 40);
    cr_expect_eq(claim(&bench, 0), 0);
    end(&bench);
}

/* Which of the pending sources is claimed, in which order. */
Test(plic, claim_order)
{
    static const struct {
        struct {
            uint32_t source, priority;
        } pending[5];
        uint32_t order[6];
    } rows[] = {
        {{{1, 1}, {2, 2}, {3, 3}}, {3, 2, 1, 0}},
        {{{3, 1}, {2, 1}, {1, 1}}, {1, 2, 3, 0}},
        {{{1, 7}, {2, 7}, {3, 1}}, {1, 2, 3, 0}},
        {{{1, 0}, {2, 1}, {3, 0}}, {2, 0}},
        {{{31, 2}, {32, 2}, {33, 3}}, {33, 31, 32, 0}},
        {{{63, 5}, {64, 5}, {65, 4}}, {63, 64, 65, 0}},
        {{{5, 6}, {100, 7}, {700, 7}, {1023, 7}}, {100, 700, 1023, 5, 0}},
        {{{1023, 1}, {1, 1}, {512, 1}, {64, 2}}, {64, 1, 512, 1023, 0}},
        {{{9, 4}, {200, 3}, {300, 5}, {400, 2}, {500, 1}},
         {300, 9, 200, 400, 500, 0}},
    };

    for_each_row (i, rows) {
        struct bench bench;

        make(&bench, 1, MAX_SOURCE);
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].pending); k++) {
            uint32_t source = rows[i].pending[k].source;
            if (source == 0)
                continue;
            use(&bench, 0, source, rows[i].pending[k].priority);
            pulse(&bench, source);
        }
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].order); k++) {
            uint32_t source = rows[i].order[k];

            cr_expect_eq(is_high(0), source != 0, "row %zu, %zu", i, k);
            cr_expect_eq(claim(&bench, 0), source, "row %zu, %zu", i, k);
            if (source == 0)
                break;
        }
        end(&bench);
    }
}

/* The threshold keeps a line low, but not a claim from its source. */
Test(plic, threshold)
{
    struct bench bench;

    make(&bench, 1, 96);
    for (uint32_t threshold = 0; threshold <= 7; threshold++) {
        for (uint32_t priority = 0; priority <= 7; priority++) {
            bool over = priority > threshold;
            uint32_t claimed = priority != 0 ? 7 : 0;

            /* Set before the request, and changed while it is pending. */
            put(&bench, THRESHOLD(S_CONTEXT(0)), threshold);
            use(&bench, 0, 7, priority);
            pulse(&bench, 7);
            cr_expect_eq(is_high(0), over);
            put(&bench, THRESHOLD(S_CONTEXT(0)), 7);
            cr_expect_not(is_high(0));
            put(&bench, THRESHOLD(S_CONTEXT(0)), 0);
            cr_expect_eq(is_high(0), priority != 0);
            put(&bench, THRESHOLD(S_CONTEXT(0)), threshold);
            cr_expect_eq(is_high(0), over);
            put(&bench, PRIORITY(7), 0);
            cr_expect_not(is_high(0));
            cr_expect_eq(claim(&bench, 0), 0);
            put(&bench, PRIORITY(7), priority);
            cr_expect_eq(is_high(0), over);
            cr_expect_eq(claim(&bench, 0), claimed, "%u over %u", priority,
                         threshold);
            cr_expect_not(is_high(0));
            put(&bench, PRIORITY(7), 1);
            (void)claim(&bench, 0);
            complete(&bench, 0, 7);
        }
    }
    end(&bench);
}

/* Every context that enabled a source sees it, until one claims it. */
Test(plic, delivers_to_every_context)
{
    static const uint32_t counts[] = {1, 2, 3, 4, 8, 33, 64};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        uint32_t vcpus = counts[i];
        uint64_t all = vcpu_set_first(vcpus).bits;
        struct bench bench;

        make(&bench, vcpus, 96);
        for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
            use(&bench, vcpu, 10, 1);
            enable(&bench, vcpu, 32 + vcpu, true); /* one of its own */
            put(&bench, PRIORITY(32 + vcpu), 2);
        }
        for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
            uint32_t other = (vcpu + 1) % vcpus;

            level(&bench, 10, true);
            cr_expect_eq(outputs.high, all);
            level(&bench, 10, false);
            cr_expect_eq(claim(&bench, vcpu), 10);
            cr_expect_eq(outputs.high, 0);
            cr_expect_eq(claim(&bench, other), 0);
            /* Whoever has it enabled may complete it. */
            complete(&bench, other, 10);

            pulse(&bench, 32 + vcpu);
            cr_expect_eq(outputs.high, BIT(vcpu));
            if (other != vcpu) {
                cr_expect_eq(claim(&bench, other), 0);
            }
            cr_expect_eq(claim(&bench, vcpu), 32 + vcpu);
            complete(&bench, vcpu, 32 + vcpu);
        }
        cr_expect_eq(outputs.high, 0);
        end(&bench);
    }
}

/* A claim by one context leaves high the lines of those with something else. */
Test(plic, claim_lowers_only_what_it_must)
{
    struct bench bench;

    make(&bench, 3, 96);
    use(&bench, 0, 1, 1);
    use(&bench, 1, 1, 1);
    use(&bench, 1, 2, 1);
    use(&bench, 2, 2, 1);
    pulse(&bench, 1);
    pulse(&bench, 2);
    cr_expect_eq(outputs.high, 7);
    cr_expect_eq(claim(&bench, 1), 1);
    cr_expect_eq(outputs.high, 6);
    cr_expect_eq(claim(&bench, 1), 2);
    cr_expect_eq(outputs.high, 0);
    end(&bench);
}

/* Completions that are not what they claim to be change nothing. */
Test(plic, wrong_completions)
{
    static const struct {
        uint32_t vcpu, source;
        bool counts;
    } rows[] = {
        {0, 0, false},       {0, 6, false}, /* not claimed */
        {0, 97, false},                     /* does not exist */
        {0, 1024, false},    {0, 0xffffffff, false},
        {0, 0x10005, false}, {1, 5, false}, /* not enabled there */
        {0, 5, true},
    };

    for_each_row (i, rows) {
        struct bench bench;

        make(&bench, 2, 96);
        use(&bench, 0, 5, 1);
        use(&bench, 0, 6, 1);
        level(&bench, 5, true);
        cr_expect_eq(claim(&bench, 0), 5);
        complete(&bench, rows[i].vcpu, rows[i].source);
        cr_expect_eq(is_high(0), rows[i].counts, "row %zu", i);
        cr_expect_eq(is_pending(&bench, 5), rows[i].counts, "row %zu", i);
        end(&bench);
    }
}

/* A source that was disabled while in service cannot be completed until it is
 * enabled again, which Linux' driver knows. */
Test(plic, completion_needs_the_enable)
{
    struct bench bench;

    make(&bench, 1, 96);
    use(&bench, 0, 5, 1);
    level(&bench, 5, true);
    cr_expect_eq(claim(&bench, 0), 5);
    enable(&bench, 0, 5, false);
    complete(&bench, 0, 5);
    enable(&bench, 0, 5, true);
    cr_expect_not(is_high(0));
    complete(&bench, 0, 5);
    cr_expect(is_high(0));
    end(&bench);
}

/* Enabling and disabling while pending moves the line at once. */
Test(plic, enable_while_pending)
{
    struct bench bench;

    make(&bench, 2, 96);
    put(&bench, PRIORITY(95), 1);
    level(&bench, 95, true);
    cr_expect_eq(outputs.high, 0);
    cr_expect_eq(claim(&bench, 0), 0);
    enable(&bench, 1, 95, true);
    cr_expect_eq(outputs.high, 2);
    enable(&bench, 0, 95, true);
    cr_expect_eq(outputs.high, 3);
    enable(&bench, 1, 95, false);
    cr_expect_eq(outputs.high, 1);
    cr_expect_eq(claim(&bench, 1), 0);
    cr_expect_eq(claim(&bench, 0), 95);
    end(&bench);
}

/* Which bits of which registers exist. */
Test(plic, registers)
{
    static const uint32_t counts[] = {1, 31, 32, 33, 63, 64, 96, 1022, 1023};

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        uint32_t sources = counts[i];
        struct bench bench;

        make(&bench, 2, sources);
        cr_expect_eq(bench.chip->irq_count, sources + 1);
        for (uint32_t source = 0; source <= MAX_SOURCE; source++) {
            bool exists = source >= 1 && source <= sources;

            put(&bench, PRIORITY(source), 0xffffffff);
            cr_expect_eq(get(&bench, PRIORITY(source)), exists ? 7 : 0);
            put(&bench, PRIORITY(source), 8);
            cr_expect_eq(get(&bench, PRIORITY(source)), 0);
            put(&bench, PRIORITY(source), source % 8);
            cr_expect_eq(get(&bench, PRIORITY(source)),
                         exists ? source % 8 : 0);
        }
        for (uint32_t word = 0; word < 32; word++) {
            uint32_t exist = 0;

            for (uint32_t bit = 0; bit < 32; bit++) {
                uint32_t source = word * 32 + bit;
                exist |= (uint32_t)(source >= 1 && source <= sources) << bit;
            }
            for (uint32_t vcpu = 0; vcpu < 2; vcpu++) {
                uint64_t at = ENABLE(S_CONTEXT(vcpu), word);
                put(&bench, at, 0xffffffff);
                cr_expect_eq(get(&bench, at), exist);
                put(&bench, at, 0xa5a5a5a5);
                cr_expect_eq(get(&bench, at), exist & 0xa5a5a5a5);
            }
            put(&bench, PENDING(word), 0xffffffff);
            cr_expect_eq(get(&bench, PENDING(word)), 0);
        }
        for (uint32_t source = 0; source <= MAX_SOURCE + 1; source++) {
            level(&bench, source, true);
            pulse(&bench, source);
            if (source <= MAX_SOURCE) {
                cr_expect_eq(is_pending(&bench, source),
                             source >= 1 && source <= sources);
            }
        }
        put(&bench, THRESHOLD(S_CONTEXT(1)), 0xfffffffd);
        cr_expect_eq(get(&bench, THRESHOLD(S_CONTEXT(1))), 5);
        cr_expect_eq(get(&bench, THRESHOLD(S_CONTEXT(0))), 0);
        end(&bench);
    }
}

/* Where there is no register, and no context: 0, and no effect. */
Test(plic, holes)
{
    static const uint64_t holes[] = {
        0x1080,   0x1ffc,             /* behind pending */
        0x2000,   0x207c,             /* M mode of vCPU 0 */
        0x2200,   0x2280,   0x1f1ffc, /* vCPU 2, which there is not */
        0x1f2000, 0x1ffffc,           /* behind the enables */
        0x200000, 0x200004,           /* M mode of vCPU 0 */
        0x201008, 0x201ffc,           /* behind claim */
        0x202000, 0x202004,           /* M mode of vCPU 1 */
        0x204000, 0x205000, 0x205004, /* vCPU 2 */
        0x5ff000, 0x5ffffc,
    };
    struct bench bench;
    struct plic *plic;
    struct plic_state before;

    make(&bench, 2, MAX_SOURCE);
    plic = container_of(bench.device, struct plic, device);
    use(&bench, 0, 5, 1);
    level(&bench, 5, true);
    cr_expect_eq(claim(&bench, 0), 5);
    use(&bench, 0, 6, 1);
    level(&bench, 6, true);
    before = plic->state;
    for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
        static const uint32_t values[] = {0xffffffff, 5};

        for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
            put(&bench, BASE + holes[i], values[k]);
            cr_expect_eq(get(&bench, BASE + holes[i]), 0, "0x%llx",
                         (unsigned long long)holes[i]);
        }
    }
    cr_expect(same_bytes(&before, &plic->state, sizeof(before)));
    cr_expect_eq(outputs.high, 1);
    end(&bench);
}

Test(plic, knows_4_bytes_only)
{
    static const unsigned widths[] = {1, 2, 8};
    struct bench bench;
    uint64_t value;

    make(&bench, 1, 96);
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        struct bus *bus = &bench.board.set.buses[BUS_MMIO];
        cr_expect_eq(bus_read(bus, BASE + 8, widths[i], &value),
                     ERR_INVALID_INPUT);
        cr_expect_eq(bus_write(bus, BASE + 8, widths[i], 1), ERR_INVALID_INPUT);
    }
    end(&bench);
}

/* After a reset: as after power-on, and lines are low. What is still high at
 * its inputs is pending. */
Test(plic, reset)
{
    struct bench bench;

    make(&bench, 64, MAX_SOURCE);
    for (uint32_t vcpu = 0; vcpu < 64; vcpu++) {
        for (uint32_t source = vcpu + 1; source <= MAX_SOURCE; source += 64)
            use(&bench, vcpu, source, 1 + source % 7);
        put(&bench, THRESHOLD(S_CONTEXT(vcpu)), vcpu % 3);
    }
    for (uint32_t source = 1; source <= MAX_SOURCE; source++) {
        level(&bench, source, true);
        pulse(&bench, source);
    }
    for (uint32_t vcpu = 0; vcpu < 64; vcpu++)
        (void)claim(&bench, vcpu);
    for (uint32_t source = 2; source <= MAX_SOURCE; source++)
        level(&bench, source, false);
    cr_expect_neq(outputs.high, 0);

    device_set_reset(&bench.board.set);
    cr_expect_eq(outputs.high, 0);
    for (uint32_t source = 1; source <= MAX_SOURCE; source++)
        cr_expect_eq(get(&bench, PRIORITY(source)), 0);
    for (uint32_t word = 0; word < 32; word++) {
        cr_expect_eq(get(&bench, PENDING(word)), word == 0 ? 2 : 0);
        for (uint32_t vcpu = 0; vcpu < 64; vcpu++)
            cr_expect_eq(get(&bench, ENABLE(S_CONTEXT(vcpu), word)), 0);
    }
    for (uint32_t vcpu = 0; vcpu < 64; vcpu++)
        cr_expect_eq(get(&bench, THRESHOLD(S_CONTEXT(vcpu))), 0);
    level(&bench, 1, false);
    device_set_reset(&bench.board.set);
    cr_expect_eq(get(&bench, PENDING(0)), 0);
    /* Nothing is in service any more, and no edge is left over. */
    use(&bench, 0, 1, 1);
    pulse(&bench, 1);
    cr_expect_eq(claim(&bench, 0), 1);
    complete(&bench, 0, 1);
    cr_expect_not(is_high(0));
    end(&bench);
}

/* A line that could not be driven is driven with the next change of its
 * context; the controller itself stays as it should be. */
Test(plic, output_refused)
{
    struct bench bench;

    make(&bench, 1, 96);
    use(&bench, 0, 5, 1);
    use(&bench, 0, 6, 1);
    outputs.refuse = true;
    level(&bench, 5, true);
    cr_expect_not(is_high(0));
    outputs.refuse = false;
    level(&bench, 6, true);
    cr_expect(is_high(0));
    cr_expect_eq(claim(&bench, 0), 5);
    cr_expect(is_high(0));
    end(&bench);
}

/* What does not concern a context costs its vCPU nothing: no line is driven
 * but to change it. */
Test(plic, drives_lines_only_to_change_them)
{
    struct bench bench;

    make(&bench, 64, 96);
    use(&bench, 3, 5, 1);
    use(&bench, 3, 6, 1);
    level(&bench, 5, true);
    level(&bench, 6, true);
    level(&bench, 5, true);
    put(&bench, THRESHOLD(S_CONTEXT(3)), 0);
    put(&bench, PRIORITY(5), 2);
    (void)claim(&bench, 3);
    cr_expect_eq(outputs.calls, 1);
    end(&bench);
}

Test(plic, bad_configurations)
{
    static const struct {
        uint32_t vcpus, sources;
        uint64_t size;
        interrupt_vector vector;
        err_t error;
        const char *what;
    } rows[] = {
        {1, 0, 0x600000, 10, ERR_INVALID_INPUT, "riscv,ndev"},
        {1, 1024, 0x600000, 10, ERR_INVALID_INPUT, "riscv,ndev"},
        {1, 1023, 0x202000, 10, OK, ""},
        {1, 1023, 0x201fff, 10, ERR_INVALID_INPUT, "reg"},
        {64, 1023, 0x280000, 10, OK, ""},
        {64, 1023, 0x27f000, 10, ERR_INVALID_INPUT, "reg"},
        {1, 1023, 0x600000, 0, ERR_UNSUPPORTED, "compatible"},
    };

    for_each_row (i, rows) {
        const struct property properties[] = {
            {"compatible", TEXT("test,plic")},
            {"reg", CELLS(CELL64(BASE), CELL64(rows[i].size))},
            {"riscv,ndev", CELLS(CELL(rows[i].sources))},
            END_OF_PROPERTIES,
        };
        struct board board;
        struct device *device;
        const char *what = "";

        board_make(&board, rows[i].vcpus);
        board.context.external_vector = rows[i].vector;
        board_configure(&board, "plic", properties);
        cr_expect_eq(device_from_node(&board.context, &device, &what),
                     rows[i].error, "row %zu", i);
        if (rows[i].error != OK)
            cr_expect_str_eq(what, rows[i].what);
        board_end(&board);
    }
}

/* The node a guest's driver reads: contexts that exist are 9 at their hart's
 * controller, and those of machine mode, which do not, are -1. */
Test(plic, describe)
{
    static const uint8_t contexts[] = {
        CELL(DEVICE_PHANDLE_CPU(0)), CELL(0xffffffff),
        CELL(DEVICE_PHANDLE_CPU(0)), CELL(9),
        CELL(DEVICE_PHANDLE_CPU(1)), CELL(0xffffffff),
        CELL(DEVICE_PHANDLE_CPU(1)), CELL(9),
    };
    static const struct property properties[] = {
        {"compatible", TEXT("sifive,plic-1.0.0")},
        {"reg", CELLS(CELL64(0x0c000000), CELL64(0x600000))},
        END_OF_PROPERTIES,
    };
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    static const uint8_t sources[] = {CELL(96)};
    static const uint8_t zero[] = {CELL(0)};
    static const uint8_t one[] = {CELL(1)};
    static const uint8_t phandle[] = {CELL(DEVICE_PHANDLE_IRQ_CHIP)};
    struct board board;
    int node;

    board_make(&board, 2);
    node =
        board_describe(&board, board_add(&board, "plic@c000000", properties));
    cr_assert_gt(node, 0);
    cr_expect(board_described(&board, node, "compatible", compatible,
                              sizeof(compatible)));
    cr_expect(board_described(&board, node, "interrupts-extended", contexts,
                              sizeof(contexts)));
    cr_expect(board_described(&board, node, "riscv,ndev", sources, 4));
    cr_expect(board_described(&board, node, "#interrupt-cells", one, 4));
    cr_expect(board_described(&board, node, "#address-cells", zero, 4));
    cr_expect(board_described(&board, node, "interrupt-controller", "", 0));
    cr_expect(board_described(&board, node, "phandle", phandle, 4));
    board_end(&board);
}

/* The specification, as plainly as it can be written. */
struct model {
    uint32_t vcpus, sources;
    uint32_t priority[MAX_SOURCE + 1];
    bool line[MAX_SOURCE + 1], pending[MAX_SOURCE + 1];
    bool active[MAX_SOURCE + 1], edge[MAX_SOURCE + 1];
    bool enable[MAX_VCPU_NUM][MAX_SOURCE + 1];
    uint32_t threshold[MAX_VCPU_NUM];
};

static uint64_t model_outputs(const struct model *model)
{
    uint64_t high = 0;

    for (uint32_t vcpu = 0; vcpu < model->vcpus; vcpu++) {
        for (uint32_t s = 1; s <= model->sources; s++) {
            if (model->pending[s] && model->enable[vcpu][s] &&
                model->priority[s] > model->threshold[vcpu])
                high |= BIT(vcpu);
        }
    }
    return high;
}

static uint32_t model_claim(struct model *model, uint32_t vcpu)
{
    uint32_t best = 0;

    model->priority[0] = 0;
    for (uint32_t s = 1; s <= model->sources; s++) {
        if (model->pending[s] && model->enable[vcpu][s] &&
            model->priority[s] > model->priority[best])
            best = s;
    }
    if (best != 0) {
        model->pending[best] = false;
        model->active[best] = true;
    }
    return best;
}

static void model_complete(struct model *model, uint32_t vcpu, uint32_t s)
{
    if (s == 0 || s > model->sources || !model->enable[vcpu][s] ||
        !model->active[s])
        return;
    model->active[s] = false;
    model->pending[s] = model->line[s] || model->edge[s];
    model->edge[s] = false;
}

/* One random step of both. */
static void step(struct bench *bench, struct model *model, uint64_t *seed)
{
    /* Few sources, so that much happens to each; spread over all words. */
    uint32_t spread = model->sources / 12 + 1;
    uint32_t s = 1 + (uint32_t)random_below(seed, 12) * spread;
    uint32_t vcpu = (uint32_t)random_below(seed, model->vcpus);
    uint32_t value = (uint32_t)random_below(seed, 8);
    bool flag = random_below(seed, 2) != 0;
    bool exists = s <= model->sources;

    switch (random_below(seed, 10)) {
    case 0:
    case 1:
        level(bench, s, flag);
        if (!exists)
            break;
        model->line[s] = flag;
        model->pending[s] |= flag && !model->active[s];
        break;
    case 2:
        pulse(bench, s);
        if (!exists)
            break;
        if (model->active[s])
            model->edge[s] = true;
        else
            model->pending[s] = true;
        break;
    case 3:
        put(bench, PRIORITY(s), value);
        if (exists)
            model->priority[s] = value;
        break;
    case 4:
        if (!exists)
            break;
        enable(bench, vcpu, s, flag);
        model->enable[vcpu][s] = flag;
        break;
    case 5:
        put(bench, THRESHOLD(S_CONTEXT(vcpu)), value);
        model->threshold[vcpu] = value;
        break;
    case 6:
    case 7: cr_assert_eq(claim(bench, vcpu), model_claim(model, vcpu)); break;
    default:
        complete(bench, vcpu, s);
        model_complete(model, vcpu, s);
        break;
    }
    cr_assert_eq(outputs.high, model_outputs(model));
    cr_assert_eq(is_pending(bench, s), exists && model->pending[s]);
}

Test(plic, random_sequences)
{
    static const struct {
        uint32_t vcpus, sources;
    } rows[] = {
        {1, 1},  {1, 31}, {2, 32},   {3, 63},
        {4, 64}, {4, 96}, {8, 1023}, {64, 96},
    };
    uint64_t seed = 3;

    for_each_row (i, rows) {
        static struct model model;
        struct bench bench;

        memset(&model, 0, sizeof(model));
        model.vcpus = rows[i].vcpus;
        model.sources = rows[i].sources;
        make(&bench, rows[i].vcpus, rows[i].sources);
        for (unsigned n = 0; n < 3000; n++)
            step(&bench, &model, &seed);
        end(&bench);
    }
}
