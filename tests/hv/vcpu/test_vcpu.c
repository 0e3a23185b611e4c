/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU's states, on an architecture made for the purpose: it has two
 * registers, and each of its operations can be told to fail.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "memory/arena.h"
#include "sim/sim.h"
#include "support/rows.h"
#include "vcpu/vcpu.h"

struct toy_vcpu {
    struct vcpu base;
    uint64_t gpr[2];
    uint64_t pc;
    uint64_t result;
    unsigned switches;
    uint32_t prepared;
};

static const char *failing; /* the operation that fails, or NULL */

static struct toy_vcpu *to_toy(const struct vcpu *vcpu)
{
    return (struct toy_vcpu *)vcpu;
}

static err_t outcome(const char *operation)
{
    bool fails = failing != NULL && strcmp(failing, operation) == 0;
    return fails ? ERR_IO : OK;
}

static err_t toy_init(struct vcpu *vcpu, struct arena *arena)
{
    (void)vcpu;
    (void)arena;
    return outcome("init");
}

static void toy_fini(struct vcpu *vcpu)
{
    (void)vcpu;
}

static err_t toy_setup(struct vcpu *vcpu)
{
    to_toy(vcpu)->pc = vcpu->boot.entry.raw;
    to_toy(vcpu)->gpr[1] = vcpu->boot.arg;
    return outcome("setup");
}

static err_t toy_reset(struct vcpu *vcpu)
{
    (void)vcpu;
    return outcome("reset");
}

static err_t toy_bind(struct vcpu *vcpu)
{
    (void)vcpu;
    return outcome("bind");
}

static err_t toy_unbind(struct vcpu *vcpu)
{
    (void)vcpu;
    return outcome("unbind");
}

static err_t toy_prepare(struct vcpu *vcpu, uint32_t requests)
{
    to_toy(vcpu)->prepared |= requests;
    return outcome("prepare");
}

static void toy_world_switch(struct vcpu *vcpu)
{
    to_toy(vcpu)->switches++;
}

static void toy_decode(const struct vcpu *vcpu, struct vm_exit *exit)
{
    (void)vcpu;
    exit->kind = EXIT_HALT;
}

static void toy_set_pc(struct vcpu *vcpu, uint64_t pc)
{
    to_toy(vcpu)->pc = pc;
}

static uint64_t toy_get_gpr(const struct vcpu *vcpu, unsigned reg)
{
    return to_toy(vcpu)->gpr[reg];
}

static void toy_set_gpr(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
    to_toy(vcpu)->gpr[reg] = value;
}

static void toy_set_return_value(struct vcpu *vcpu, uint64_t value)
{
    to_toy(vcpu)->result = value;
}

static err_t toy_inject(struct vcpu *vcpu, interrupt_vector vector,
                        enum trigger trigger)
{
    (void)vcpu;
    (void)trigger;
    return vector < 4 ? OK : ERR_INVALID_INPUT;
}

static err_t toy_set_line(struct vcpu *vcpu, interrupt_vector vector, bool high)
{
    (void)vcpu;
    (void)high;
    return vector < 4 ? OK : ERR_INVALID_INPUT;
}

static bool toy_handle_eoi(struct vcpu *vcpu, interrupt_vector *vector)
{
    (void)vcpu;
    *vector = 3;
    return true;
}

static const struct vcpu_ops toy_ops = {
    .name = "toy",
    .size = sizeof(struct toy_vcpu),
    .align = 64,
    .init = toy_init,
    .fini = toy_fini,
    .setup = toy_setup,
    .reset = toy_reset,
    .bind = toy_bind,
    .unbind = toy_unbind,
    .prepare = toy_prepare,
    .world_switch = toy_world_switch,
    .decode = toy_decode,
    .set_pc = toy_set_pc,
    .get_gpr = toy_get_gpr,
    .set_gpr = toy_set_gpr,
    .gpr_count = 2,
    .set_return_value = toy_set_return_value,
    .inject_interrupt = toy_inject,
    .set_interrupt_line = toy_set_line,
    .handle_eoi = toy_handle_eoi,
};

static struct arena arena;
static struct vcpu *peers[4];

static void set_up(void)
{
    sim_reset(1);
    failing = NULL;
}

static void tear_down(void)
{
    arena_free_all(&arena);
    cr_expect_eq(ram_frames_in_use(), 0u);
}

TestSuite(vcpu, .init = set_up, .fini = tear_down);

static struct vcpu *make(uint64_t affinity)
{
    const struct vcpu_config config = {
        .vm_id = 7,
        .id = 1,
        .affinity = affinity,
        .peers = peers,
        .peer_count = ARRAY_SIZE(peers),
    };
    struct vcpu *vcpu = NULL;

    cr_assert_eq(vcpu_new(&toy_ops, &config, &arena, &vcpu), OK);
    return vcpu;
}

/* The calls of the table in vcpu.h. */

static err_t call_setup(struct vcpu *vcpu)
{
    const struct vcpu_setup setup = {.entry = gpa(0x1000), .arg = 5};
    return vcpu_setup(vcpu, &setup);
}

static err_t call_set_entry(struct vcpu *vcpu)
{
    return vcpu_set_entry(vcpu, gpa(0x2000));
}

enum call {
    SETUP,
    BIND,
    ENTER,
    LEAVE,
    UNBIND,
    BLOCK,
    WAKE,
    RESET,
    SET_ENTRY,
    CALLS
};

static const struct {
    const char *name;
    err_t (*call)(struct vcpu *vcpu);
    const char *operation; /* of the architecture, or NULL */
} calls[CALLS] = {
    [SETUP] = {"setup", call_setup, "setup"},
    [BIND] = {"bind", vcpu_bind, "bind"},
    [ENTER] = {"enter", vcpu_enter, NULL},
    [LEAVE] = {"leave", vcpu_leave, NULL},
    [UNBIND] = {"unbind", vcpu_unbind, "unbind"},
    [BLOCK] = {"block", vcpu_block, NULL},
    [WAKE] = {"wake", vcpu_wake, NULL},
    [RESET] = {"reset", vcpu_reset, "reset"},
    [SET_ENTRY] = {"set_entry", call_set_entry, NULL},
};

#define NO -1

/* The state after a call, by the state before. */
static const int after[][CALLS] = {
    /*               SETUP      BIND        ENTER         LEAVE
     *               UNBIND     BLOCK       WAKE          RESET
     *               SET_ENTRY */
    [VCPU_INVALID] = {NO, NO, NO, NO, NO, NO, NO, NO, NO},
    [VCPU_CREATED] = {VCPU_FREE, NO, NO, NO, NO, NO, NO, NO, VCPU_CREATED},
    [VCPU_FREE] = {NO, VCPU_READY, NO, NO, NO, VCPU_BLOCKED, NO, VCPU_CREATED,
                   VCPU_FREE},
    [VCPU_READY] = {NO, NO, VCPU_RUNNING, NO, VCPU_FREE, NO, NO, NO, NO},
    [VCPU_RUNNING] = {NO, NO, NO, VCPU_READY, NO, NO, NO, NO, NO},
    [VCPU_BLOCKED] = {NO, NO, NO, NO, NO, NO, VCPU_FREE, VCPU_CREATED, NO},
};

/* The calls that lead from Created to a state; CALLS ends them. */
static const enum call paths[][4] = {
    [VCPU_INVALID] = {SETUP, CALLS}, /* which then fails */
    [VCPU_CREATED] = {CALLS},
    [VCPU_FREE] = {SETUP, CALLS},
    [VCPU_READY] = {SETUP, BIND, CALLS},
    [VCPU_RUNNING] = {SETUP, BIND, ENTER, CALLS},
    [VCPU_BLOCKED] = {SETUP, BLOCK, CALLS},
};

static struct vcpu *make_in(enum vcpu_state state)
{
    struct vcpu *vcpu = make(0);

    failing = state == VCPU_INVALID ? "setup" : NULL;
    for (const enum call *call = paths[state]; *call != CALLS; call++) {
        err_t error = calls[*call].call(vcpu);
        cr_assert_eq(error, failing ? ERR_IO : OK);
    }
    failing = NULL;
    cr_assert_eq(vcpu->state, state);
    return vcpu;
}

Test(vcpu, state_numbers_are_those_of_the_interface)
{
    static const char *const names[] = {"invalid", "created", "free",
                                        "ready",   "running", "blocked"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        cr_expect_str_eq(vcpu_state_name((enum vcpu_state)i), names[i]);
    cr_expect_str_eq(vcpu_state_name((enum vcpu_state)6), "?");
}

Test(vcpu, every_call_in_every_state)
{
    for (unsigned state = 0; state < ARRAY_SIZE(after); state++) {
        for (unsigned call = 0; call < CALLS; call++) {
            struct vcpu *vcpu = make_in((enum vcpu_state)state);
            int expected = after[state][call];
            err_t error = calls[call].call(vcpu);

            cr_expect_eq(error, expected == NO ? ERR_BAD_STATE : OK,
                         "%s in %s: %s", calls[call].name,
                         vcpu_state_name((enum vcpu_state)state),
                         error_text(error));
            cr_expect_eq(vcpu->state,
                         expected == NO ? state : (unsigned)expected,
                         "%s in %s leads to %s", calls[call].name,
                         vcpu_state_name((enum vcpu_state)state),
                         vcpu_state_name(vcpu->state));
        }
    }
}

Test(vcpu, a_failing_operation_makes_it_invalid)
{
    for (unsigned state = 0; state < ARRAY_SIZE(after); state++) {
        for (unsigned call = 0; call < CALLS; call++) {
            struct vcpu *vcpu;

            if (after[state][call] == NO || calls[call].operation == NULL)
                continue;
            vcpu = make_in((enum vcpu_state)state);
            failing = calls[call].operation;
            cr_expect_eq(calls[call].call(vcpu), ERR_IO);
            failing = NULL;
            cr_expect_eq(vcpu->state, VCPU_INVALID, "%s", calls[call].name);
        }
    }
}

Test(vcpu, new_refuses_what_cannot_be)
{
    static const struct {
        uint32_t id, peers;
        const char *failing;
        err_t error;
    } rows[] = {
        {0, 1, NULL, OK},
        {63, 64, NULL, OK},
        {64, 64, NULL, ERR_INVALID_INPUT},
        {2, 2, NULL, ERR_INVALID_INPUT},
        {0, 65, NULL, ERR_INVALID_INPUT},
        {0, 1, "init", ERR_IO},
    };

    for_each_row (i, rows) {
        const struct vcpu_config config = {
            .id = rows[i].id, .peers = peers, .peer_count = rows[i].peers};
        struct vcpu *vcpu = NULL;

        failing = rows[i].failing;
        cr_expect_eq(vcpu_new(&toy_ops, &config, &arena, &vcpu), rows[i].error,
                     "row %zu", i);
        cr_expect_eq(vcpu != NULL, rows[i].error == OK, "row %zu", i);
    }
}

Test(vcpu, requests_are_acted_on_before_the_guest_is_entered)
{
    struct vcpu *vcpu = make_in(VCPU_READY);
    struct vm_exit exit;

    vcpu_request(vcpu, VCPU_REQUEST_FLUSH | VCPU_REQUEST_ARCH);
    cr_assert_eq(vcpu_run(vcpu, &exit), OK);
    cr_expect_eq(to_toy(vcpu)->prepared,
                 VCPU_REQUEST_FLUSH | VCPU_REQUEST_ARCH);
    cr_expect_eq(to_toy(vcpu)->switches, 1u);
    cr_expect_eq(exit.kind, EXIT_HALT);
    cr_expect_eq(vcpu->state, VCPU_READY);
    cr_expect_not(atomic_load(&vcpu->in_guest));
}

Test(vcpu, a_request_to_yield_keeps_it_out_of_the_guest)
{
    struct vcpu *vcpu = make_in(VCPU_READY);
    struct vm_exit exit;

    vcpu_request(vcpu, VCPU_REQUEST_YIELD | VCPU_REQUEST_INTERRUPT);
    cr_expect_eq(vcpu_run(vcpu, &exit), ERR_BUSY);
    cr_expect_eq(vcpu->state, VCPU_READY);
    cr_expect_eq(to_toy(vcpu)->prepared, VCPU_REQUEST_INTERRUPT);
    cr_expect_eq(to_toy(vcpu)->switches, 0u);
    cr_expect_eq(vcpu_run(vcpu, &exit), OK);
}

Test(vcpu, a_failing_preparation_makes_it_invalid)
{
    struct vcpu *vcpu = make_in(VCPU_READY);

    vcpu_request(vcpu, VCPU_REQUEST_FLUSH);
    failing = "prepare";
    cr_expect_eq(vcpu_enter(vcpu), ERR_IO);
    cr_expect_eq(vcpu->state, VCPU_INVALID);
    cr_expect_not(atomic_load(&vcpu->in_guest));
}

Test(vcpu, affinity_is_obeyed)
{
    static const struct {
        uint64_t affinity;
        uint32_t cpu;
        bool may;
    } rows[] = {
        {0, 0, true},
        {0, 63, true},
        {1, 0, true},
        {1, 1, false},
        {6, 0, false},
        {6, 2, true},
        {UINT64_C(1) << 63, 63, true},
        {UINT64_C(1) << 63, 64, false},
    };

    for_each_row (i, rows)
        cr_expect_eq(vcpu_may_run_on(make(rows[i].affinity), rows[i].cpu),
                     rows[i].may, "row %zu", i);

    struct vcpu *elsewhere = make(2); /* the tests run on CPU 0 */
    cr_assert_eq(call_setup(elsewhere), OK);
    cr_expect_eq(vcpu_bind(elsewhere), ERR_DENIED);
    cr_expect_eq(elsewhere->state, VCPU_FREE);
}

Test(vcpu, registers_and_interrupts)
{
    struct vcpu *vcpu = make_in(VCPU_READY);
    uint64_t value = 0;
    interrupt_vector vector = 0;

    cr_expect_eq(vcpu_set_gpr(vcpu, 0, 99), OK);
    cr_expect_eq(vcpu_get_gpr(vcpu, 0, &value), OK);
    cr_expect_eq(value, 99u);
    cr_expect_eq(vcpu_get_gpr(vcpu, 1, &value), OK);
    cr_expect_eq(value, 5u, "the boot argument");
    cr_expect_eq(vcpu_set_gpr(vcpu, 2, 1), ERR_INVALID_INPUT);
    cr_expect_eq(vcpu_get_gpr(vcpu, 2, &value), ERR_INVALID_INPUT);
    vcpu_set_return_value(vcpu, 42);
    cr_expect_eq(to_toy(vcpu)->result, 42u);

    cr_expect_eq(vcpu_inject_interrupt(vcpu, 4), ERR_INVALID_INPUT);
    cr_expect_eq(vcpu_set_interrupt_line(vcpu, 9, true), ERR_INVALID_INPUT);
    cr_expect_eq(atomic_load(&vcpu->requests), 0u);
    cr_expect_eq(vcpu_inject_interrupt(vcpu, 3), OK);
    cr_expect_eq(atomic_load(&vcpu->requests), VCPU_REQUEST_INTERRUPT);
    cr_expect(vcpu_handle_eoi(vcpu, &vector));
    cr_expect_eq(vector, 3);
    cr_expect_not(vcpu_is_bsp(vcpu));
}

Test(vcpu, destroying_none_is_harmless)
{
    vcpu_destroy(NULL);
    struct vcpu *vcpu = make_in(VCPU_BLOCKED);
    vcpu_destroy(vcpu);
    cr_expect_eq(vcpu->state, VCPU_INVALID);
}
