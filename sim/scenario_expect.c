/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios expect: of an operation, and of the machine. */
#include <stdio.h>
#include <string.h>

#include "sim/scenario_language.h"
#include "sim/sim.h"

/* Whose result it is, and the result. */
struct actual {
    const struct vcpu_name *name;
    const struct guest_result *result;
    uint32_t exits;
    uint8_t kinds[MACHINE_KINDS];
};

static const char *describe(const struct scenario *s,
                            const struct guest_result *result)
{
    static char text[96];

    if (result->outcome == OUTCOME_EXCEPTION)
        snprintf(text, sizeof(text), "exception=%s tval=0x%llx",
                 s->arch->language->cause_name(result->cause),
                 (unsigned long long)result->tval);
    else
        snprintf(text, sizeof(text), "%s", guest_outcome_name(result->outcome));
    return text;
}

static void expect_outcome(struct scenario *s, const struct actual *actual,
                           enum guest_outcome outcome)
{
    if (actual->result->outcome != outcome)
        scenario_fail(s, "expected %s, got %s", guest_outcome_name(outcome),
                      describe(s, actual->result));
}

/* "retired" and the like; false: the word is no outcome. */
static bool check_outcome(struct scenario *s, const struct actual *actual,
                          const char *word)
{
    for (unsigned i = OUTCOME_PENDING; i <= OUTCOME_RESUMED; i++) {
        if (is_word(word, guest_outcome_name((enum guest_outcome)i))) {
            expect_outcome(s, actual, (enum guest_outcome)i);
            return true;
        }
    }
    return is_word(word, "any");
}

static void expect_number(struct scenario *s, const char *what,
                          const char *text, uint64_t got)
{
    uint64_t expected;

    if (need_number(s, text, &expected) && expected != got)
        scenario_fail(s, "expected %s 0x%llx, got 0x%llx", what,
                      (unsigned long long)expected, (unsigned long long)got);
}

static void check_exception(struct scenario *s, const struct actual *actual,
                            const char *text)
{
    uint64_t cause;

    if (!s->arch->language->parse_cause(text, &cause)) {
        scenario_bad(s, "no exception is called '%.40s'", text);
        return;
    }
    if (actual->result->outcome != OUTCOME_EXCEPTION ||
        actual->result->cause != cause)
        scenario_fail(s, "expected exception=%s, got %s", text,
                      describe(s, actual->result));
}

/* The kinds of the exits as one text: "mmio-read,mmio-write"; "none". */
static const char *kinds_text(const struct actual *actual)
{
    static char text[256];
    size_t used = 0;

    snprintf(text, sizeof(text), "none");
    for (uint32_t i = 0; i < actual->exits && i < MACHINE_KINDS; i++) {
        int length = snprintf(text + used, sizeof(text) - used, "%s%s",
                              i == 0 ? "" : ",",
                              exit_kind_name((enum exit_kind)actual->kinds[i]));

        used += (size_t)length;
        if (used >= sizeof(text))
            break;
    }
    return text;
}

static void check_exit_kinds(struct scenario *s, const struct actual *actual,
                             const char *text)
{
    if (!is_word(text, kinds_text(actual)))
        scenario_fail(s, "expected exit=%s, got exit=%s", text,
                      kinds_text(actual));
}

static void check_interrupt(struct scenario *s, const struct actual *actual,
                            const char *text)
{
    const struct guest_result *result = actual->result;
    bool known;

    if (s->arch->language->took(result, text, &known))
        return;
    if (!known)
        scenario_bad(s, "no interrupt is called '%.40s'", text);
    else
        scenario_fail(s, "expected interrupt=%s, got bits 0x%llx", text,
                      (unsigned long long)result->interrupts);
}

/* key=value expectations of a result. */
static void check_word(struct scenario *s, const struct actual *actual,
                       const char *word)
{
    const struct guest_result *result = actual->result;
    const char *value;

    if (check_outcome(s, actual, word))
        return;
    if ((value = value_of(word, "value")) != NULL)
        expect_number(s, "value", value, result->value);
    else if ((value = value_of(word, "value1")) != NULL)
        expect_number(s, "value1", value, result->value1);
    else if ((value = value_of(word, "tval")) != NULL)
        expect_number(s, "tval", value, result->tval);
    else if ((value = value_of(word, "error")) != NULL)
        expect_number(s, "error", value, result->error);
    else if ((value = value_of(word, "exits")) != NULL)
        expect_number(s, "exits", value, actual->exits);
    else if ((value = value_of(word, "exception")) != NULL)
        check_exception(s, actual, value);
    else if ((value = value_of(word, "exit")) != NULL)
        check_exit_kinds(s, actual, value);
    else if ((value = value_of(word, "interrupt")) != NULL)
        check_interrupt(s, actual, value);
    else
        scenario_bad(s, "what is '%.40s'?", word);
}

static bool says_outcome(const char *word)
{
    static const char *const outcomes[] = {"retired", "redirected", "resumed",
                                           "pending", "any"};

    for (unsigned i = 0; i < ARRAY_SIZE(outcomes); i++) {
        if (is_word(outcomes[i], word))
            return true;
    }
    return value_of(word, "exception") != NULL;
}

/* Without a word about its outcome, an operation must retire; a raw exit may
 * do what it likes. */
static void check_default_outcome(struct scenario *s, const struct words *words,
                                  unsigned first, const struct actual *actual)
{
    for (unsigned i = first; i < words->count; i++) {
        if (says_outcome(words->at[i]))
            return;
    }
    if (words->count > 1 && is_word(words->at[1], "exit"))
        return;
    expect_outcome(s, actual, OUTCOME_RETIRED);
}

void check_result(struct scenario *s, const struct words *words, unsigned first,
                  const struct vcpu_name *name)
{
    struct actual actual = {
        .name = name,
        .result = machine_last_result(s->machine, name->vm, name->vcpu),
    };

    actual.exits =
        machine_last_exits(s->machine, name->vm, name->vcpu, actual.kinds);
    check_default_outcome(s, words, first, &actual);
    for (unsigned i = first; i < words->count && !s->broken; i++)
        check_word(s, &actual, words->at[i]);
}

/* expect result [VM.]VCPU WORDS: the machine runs on first, so that what can
 * become of the operation has. */
static void expect_result(struct scenario *s, const struct words *words)
{
    struct vcpu_name name;

    if (words->count < 3) {
        scenario_bad(s, "usage: expect result [VM.]VCPU EXPECTATION...");
        return;
    }
    if (!parse_vcpu_name(s, words->at[2], &name))
        return;
    (void)machine_run(s->machine, MACHINE_DO_STEPS);
    check_result(s, words, 3, &name);
}

static bool contains(const char *text, size_t size, const char *piece,
                     size_t length)
{
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(text + i, piece, length) == 0)
            return true;
    }
    return false;
}

/* expect console "TEXT"; expect no-console "TEXT" */
static void expect_console(struct scenario *s, const struct words *words)
{
    bool wanted = is_word(words->at[1], "console");
    size_t size;
    const char *text = console_output(&size);

    if (words->count != 3)
        scenario_bad(s, "usage: expect console \"TEXT\"");
    else if (contains(text, size, words->at[2], words->length[2]) != wanted)
        scenario_fail(s, "the console %s \"%s\": it is \"%.120s\"",
                      wanted ? "lacks" : "has", words->at[2],
                      size > 120 ? text + size - 120 : text);
}

/* expect vm ID STATE [STOP ["REASON"]] */
static void expect_vm(struct scenario *s, const struct words *words)
{
    const struct vm *vm;
    uint64_t id;

    if (words->count < 4 || words->count > 6) {
        scenario_bad(s, "usage: expect vm ID STATE [STOP [\"REASON\"]]");
        return;
    }
    if (!need_number(s, words->at[2], &id))
        return;
    vm = id < VMM_MAX_VMS ? vmm_find_vm((vm_id)id) : NULL;
    if (vm == NULL) {
        if (!is_word(words->at[3], "absent"))
            scenario_fail(s, "there is no VM %llu", (unsigned long long)id);
        return;
    }
    if (!is_word(words->at[3], vm_state_name(vm->state)))
        scenario_fail(s, "expected VM %llu %s, it is %s: %s",
                      (unsigned long long)id, words->at[3],
                      vm_state_name(vm->state), vm->reason);
    if (words->count > 4 && !is_word(words->at[4], vm_stop_name(vm->stop)))
        scenario_fail(s, "expected stop %s, got %s: %s", words->at[4],
                      vm_stop_name(vm->stop), vm->reason);
    if (words->count > 5 && strstr(vm->reason, words->at[5]) == NULL)
        scenario_fail(s, "expected reason \"%s\", got \"%s\"", words->at[5],
                      vm->reason);
}

/* A register of the vCPU by its name; false: there is none. */
static bool read_register(const struct scenario *s,
                          const struct vcpu_name *name, const char *text,
                          uint64_t *value)
{
    const struct scenario_language *language = s->arch->language;
    const struct vm *vm = vmm_find_vm(name->vm);
    uint8_t reg = (uint8_t)s->arch->ops->gpr_count;

    if (is_word(text, "pc") || language->parse_register(text, &reg)) {
        *value = machine_register(s->machine, name->vm, name->vcpu, reg);
        return true;
    }
    return language->read_register != NULL && vm != NULL &&
           name->vcpu < vm->config.cpu_num &&
           language->read_register(vm->vcpus[name->vcpu], text, value);
}

/* expect register [VM.]VCPU REG VALUE */
static void expect_register(struct scenario *s, const struct words *words)
{
    struct vcpu_name name;
    uint64_t value;

    if (words->count != 5) {
        scenario_bad(s, "usage: expect register [VM.]VCPU REGISTER VALUE");
        return;
    }
    if (!parse_vcpu_name(s, words->at[2], &name))
        return;
    if (!read_register(s, &name, words->at[3], &value)) {
        scenario_bad(s, "no register is called '%.40s'", words->at[3]);
        return;
    }
    expect_number(s, words->at[3], words->at[4], value);
}

/* A look from outside is no part of a recording. */
static err_t peek(struct vm *vm, uint64_t address, void *value, size_t width)
{
    const struct shim_hooks *hooks = shim_get_hooks();
    err_t error;

    shim_set_hooks(NULL);
    error = aspace_read(&vm->aspace, gpa(address), value, width);
    shim_set_hooks(hooks);
    return error;
}

/* expect memory VM ADDRESS WIDTH VALUE */
static void expect_memory(struct scenario *s, const struct words *words)
{
    uint64_t id, address, width, value = 0;
    struct vm *vm;
    err_t error;

    if (words->count != 6) {
        scenario_bad(s, "usage: expect memory VM ADDRESS WIDTH VALUE");
        return;
    }
    if (!need_number(s, words->at[2], &id) ||
        !need_number(s, words->at[3], &address) ||
        !need_number(s, words->at[4], &width))
        return;
    vm = id < VMM_MAX_VMS ? vmm_find_vm((vm_id)id) : NULL;
    if (vm == NULL || width > sizeof(value)) {
        scenario_bad(s, "expect memory: no such VM, or width");
        return;
    }
    error = peek(vm, address, &value, (size_t)width);
    if (error != OK)
        scenario_fail(s, "memory at 0x%llx: %s", (unsigned long long)address,
                      error_text(error));
    else
        expect_number(s, "memory", words->at[5], value);
}

/* expect violation RULE: one more of them than so far. */
static void expect_violation(struct scenario *s, const struct words *words)
{
    if (words->count != 3) {
        scenario_bad(s, "usage: expect violation RULE");
        return;
    }
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        enum violation_rule r = (enum violation_rule)rule;

        if (!is_word(violation_rule_name(r), words->at[2]))
            continue;
        if (violations_of(r) == 0)
            scenario_fail(s, "no violation of %s", words->at[2]);
        s->expected_violations += violations_of(r);
        return;
    }
    scenario_bad(s, "no rule is called '%.40s'", words->at[2]);
}

/* expect exits [VM.]VCPU KIND COUNT: since the VM was made. */
static void expect_exits(struct scenario *s, const struct words *words)
{
    struct vcpu_name name;
    const struct vm *vm;

    if (words->count != 5) {
        scenario_bad(s, "usage: expect exits [VM.]VCPU KIND COUNT");
        return;
    }
    if (!parse_vcpu_name(s, words->at[2], &name))
        return;
    vm = vmm_find_vm(name.vm);
    if (vm == NULL || name.vcpu >= vm->config.cpu_num) {
        scenario_bad(s, "there is no vCPU %u.%u", name.vm, name.vcpu);
        return;
    }
    for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
        if (is_word(words->at[3], exit_kind_name((enum exit_kind)kind))) {
            expect_number(s, "exits", words->at[4],
                          exit_stats_count(vm->vcpus[name.vcpu]->stats,
                                           (enum exit_kind)kind));
            return;
        }
    }
    scenario_bad(s, "no exit is called '%.40s'", words->at[3]);
}

/* expect power on|off|reboot */
static void expect_power(struct scenario *s, const struct words *words)
{
    static const char *const names[] = {
        [POWER_ON] = "on", [POWER_OFF] = "off", [POWER_REBOOT] = "reboot"};

    if (words->count != 3)
        scenario_bad(s, "usage: expect power on|off|reboot");
    else if (!is_word(words->at[2], names[cpus_power()]))
        scenario_fail(s, "expected power %s, it is %s", words->at[2],
                      names[cpus_power()]);
}

static const struct {
    const char *name;
    void (*check)(struct scenario *s, const struct words *words);
} expectations[] = {
    {"result", expect_result},       {"console", expect_console},
    {"no-console", expect_console},  {"vm", expect_vm},
    {"register", expect_register},   {"memory", expect_memory},
    {"violation", expect_violation}, {"exits", expect_exits},
    {"power", expect_power},         {"dirty", scenario_expect_dirty},
};

void scenario_expect(struct scenario *s, const struct words *words)
{
    if (words->count < 2) {
        scenario_bad(s, "expect: what?");
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(expectations); i++) {
        if (is_word(expectations[i].name, words->at[1])) {
            if (need_machine(s) != NULL)
                expectations[i].check(s, words);
            return;
        }
    }
    scenario_bad(s, "expect: what is '%.40s'?", words->at[1]);
}
