/* SPDX-License-Identifier: Apache-2.0 */
/* One console for several VMs: what is shown, and where typing goes. */
#include "support/machine.h"
#include "support/rows.h"

#define SBI_DBCN UINT64_C(0x4442434e)

static void guest_writes(vm_id vm, const char *text)
{
    for (; *text != '\0'; text++)
        (void)run_op(vm, 0, OP_STORE_OF(SPEC_UART, 1, (uint8_t)*text));
}

/* What the guest reads from its serial port, as it would by polling. */
static const char *guest_reads(vm_id vm)
{
    static char text[CONSOLE_OUTPUT_SIZE];
    size_t used = 0;

    while (run_op(vm, 0, OP_LOAD_OF(SPEC_UART + 5, 1)).value & 1)
        text[used++] = (char)run_op(vm, 0, OP_LOAD_OF(SPEC_UART, 1)).value;
    text[used] = '\0';
    return text;
}

static void type(const char *text)
{
    cr_assert_eq(console_inject(text, strlen(text)), strlen(text));
    machine_run(machine, 100);
}

static void make_two(void)
{
    make_machine(1, 2, 1);
    machine_run(machine, 10);
    console_clear_output();
}

TestSuite(console, .init = make_two, .fini = end_machine);

Test(console, the_vm_in_focus_writes_as_it_comes)
{
    guest_writes(1, "login: ");
    cr_expect_str_eq(console_output(NULL), "login: ");
}

Test(console, other_vms_write_whole_lines_behind_their_names)
{
    guest_writes(2, "he");
    cr_expect_str_eq(console_output(NULL), "");
    guest_writes(2, "llo\r\n");
    cr_expect_str_eq(console_output(NULL), "[vm@2] hello\r\n");
}

Test(console, a_line_in_focus_is_not_split)
{
    guest_writes(1, "all che");
    guest_writes(2, "hello\nbye\n");
    cr_expect_str_eq(console_output(NULL), "all che");
    guest_writes(1, "cks\n");
    cr_expect_str_eq(console_output(NULL),
                     "all checks\n[vm@2] hello\r\n[vm@2] bye\r\n");
    guest_writes(2, "again\n");
    cr_expect(strstr(console_output(NULL), "again"), "nothing is in the way");
}

Test(console, what_comes_in_one_write_is_split_at_its_last_line)
{
    static const char text[] = "one\ntwo\nthr";

    guest_writes(1, "- ");
    guest_writes(2, "bye\n");
    for (size_t i = 0; i < sizeof(text) - 1; i += 4) {
        uint32_t word = 0;

        memcpy(&word, text + i, 4);
        (void)run_op(1, 0, OP_STORE_OF(SPEC_MEMORY + i, 4, word));
    }
    (void)run_op(1, 0,
                 OP_ECALL_OF(SBI_DBCN, 0, sizeof(text) - 1, SPEC_MEMORY, 0));
    cr_expect_str_eq(console_output(NULL), "- one\ntwo\n[vm@2] bye\r\nthr");
}

Test(console, a_guest_that_waits_in_a_line_holds_nobody_up)
{
    guest_writes(1, "# ");
    guest_writes(2, "bye\n");
    (void)run_op(1, 0, (struct guest_op){.kind = OP_WFI});
    cr_expect_str_eq(console_output(NULL), "# \r\n[vm@2] bye\r\n");
}

/* How often `text` has `what`. */
static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    while ((text = strstr(text, what)) != NULL) {
        text += strlen(what);
        n++;
    }
    return n;
}

Test(console, what_is_held_is_bounded)
{
    guest_writes(1, "begun");
    for (unsigned i = 0; i < 300; i++) {
        guest_writes(2, "0123456789\n");
        if (strchr(console_output(NULL), '\n'))
            break;
    }
    cr_expect(strstr(console_output(NULL), "begun\r\n[vm@2] 0123456789\r\n"));
    guest_writes(1, "ended\n");
    guest_writes(2, "last\n");
    cr_expect_eq(count(console_output(NULL), "\n[vm@2] "),
                 count(console_output(NULL), "\n") - 2);
}

Test(console, an_end_is_reported_behind_the_line_in_focus)
{
    guest_writes(1, "all che");
    guest_writes(2, "bye");
    (void)run_op(2, 0, OP_ECALL_OF(SBI_SRST, 0, 0));
    cr_expect_str_eq(console_output(NULL), "all che");
    guest_writes(1, "cks\n");
    cr_expect(strstr(console_output(NULL),
                     "all checks\n[vm@2] bye\r\n[twinax] VM 2 (vm@2) has "
                     "stopped: power-off"));
    cr_expect(strstr(console_output(NULL), "[twinax] VM 2 (vm@2) vCPU 0:"));
    cr_expect(strstr(console_output(NULL), "system-down"));
}

Test(console, statistics_are_not_shown_where_they_are_not_wanted)
{
    struct machine_spec spec = {.vm_count = 1};

    spec_usual_vm(&spec.vms[0], 1, 1);
    spec.vms[0].no_statistics = true;
    end_machine();
    make_machine_of(1, &spec);
    (void)run_op(1, 0, OP_ECALL_OF(SBI_SRST, 0, 0));
    cr_expect(strstr(console_output(NULL), "has stopped: power-off"));
    cr_expect_not(strstr(console_output(NULL), "system-down"));
}

Test(console, keys_and_the_end_of_the_vm_in_focus_end_its_line)
{
    guest_writes(1, "# ");
    guest_writes(2, "bye\n");
    type("\x1dl");
    cr_expect(
        strstr(console_output(NULL), "# \r\n[vm@2] bye\r\n[twinax] * VM 1"));
    console_clear_output();
    guest_writes(1, "# ");
    guest_writes(2, "more\n");
    (void)run_op(1, 0, OP_ECALL_OF(SBI_SRST, 0, 0));
    cr_expect(strstr(console_output(NULL),
                     "# \r\n[vm@2] more\r\n[twinax] VM 1 (vm@1) has stopped"));
}

Test(console, a_line_without_end_is_shown_in_pieces)
{
    for (unsigned i = 0; i < 130; i++)
        guest_writes(2, "x");
    cr_expect_eq(strlen(console_output(NULL)), strlen("[vm@2] \r\n") + 120);
}

Test(console, the_last_words_of_a_vm_that_stops_are_shown)
{
    const struct guest_op off = OP_ECALL_OF(SBI_SRST, 0, 0, 0);
    struct guest_result result;
    const char *words, *stop;

    guest_writes(2, "panic: at 0x0");
    cr_assert_eq(machine_do(machine, 2, 0, &off, &result), OK);
    machine_run(machine, 100);
    words = strstr(console_output(NULL), "[vm@2] panic: at 0x0\r\n");
    stop = strstr(console_output(NULL), "VM 2 (vm@2) has stopped: power-off");
    cr_expect(words != NULL && stop != NULL && words < stop, "%s",
              console_output(NULL));
}

Test(console, input_goes_to_the_vm_in_focus)
{
    type("ls\r");
    cr_expect_str_eq(guest_reads(1), "ls\r");
    cr_expect_str_eq(guest_reads(2), "");
    type("\x1dn"
         "ps\r");
    cr_expect_str_eq(guest_reads(1), "");
    cr_expect_str_eq(guest_reads(2), "ps\r");
}

Test(console, the_escape_key_reaches_the_guest_when_typed_twice)
{
    type("a\x1d\x1d"
         "b");
    cr_expect_str_eq(guest_reads(1), "a\x1d"
                                     "b");
}

Test(console, input_is_kept_and_then_refused_with_a_bell)
{
    char many[1200];

    memset(many, 'k', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    type(many);
    cr_expect(strchr(console_output(NULL), '\a'));
    cr_expect_geq(strlen(guest_reads(1)), 1024u);
    type("\x1dl");
    cr_expect(strstr(console_output(NULL), "* VM 1"));
}

Test(console, its_keys_do_what_the_list_says)
{
    static const struct {
        const char *keys;
        const char *shown;
    } rows[] = {
        {"\x1dh", "Ctrl-] s"},
        {"\x1d?", "Ctrl-] s"},
        {"\x1dl", "VM 2 (vm@2): running, 1 vCPUs"},
        {"\x1dn", "VM 2 (vm@2) is connected"},
        {"\x1ds", "VM 2 (vm@2) vCPU 0"},
        {"\x1dp", ""},
        {"\x1dl", "VM 2 (vm@2): paused"},
        {"\x1dp", ""},
        {"\x1dl", "VM 2 (vm@2): running"},
        {"\x1dr", "VM 2 (vm@2) has stopped: restart"},
        {"\x1dl", "VM 2 (vm@2): running"},
        {"\x1dx", "VM 2 (vm@2) has stopped: forced: from the console"},
        {"\x1dp", "cannot be paused: it is stopped"},
        {"\x1dr", ""},
        {"\x1dl", "VM 2 (vm@2): running"},
        {"\x1dq", "powering off"},
    };

    for_each_row (i, rows) {
        console_clear_output();
        type(rows[i].keys);
        cr_expect(strstr(console_output(NULL), rows[i].shown),
                  "row %zu: \"%s\"", i, console_output(NULL));
    }
    cr_expect_eq(cpus_power(), POWER_OFF);
}
