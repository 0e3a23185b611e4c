/* SPDX-License-Identifier: Apache-2.0 */
/* One console for several VMs: what is shown, and where typing goes. */
#include "support/machine.h"

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
    console_clear_output();
    guest_writes(1, "# ");
    guest_writes(2, "bye\n");
    cr_expect_str_eq(console_output(NULL), "# \r\n[vm@2] bye\r\n");
}

Test(console, a_line_without_end_is_shown_in_pieces)
{
    for (unsigned i = 0; i < 130; i++)
        guest_writes(2, "x");
    cr_expect_eq(strlen(console_output(NULL)), strlen("[vm@2] \r\n") + 120);
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

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        console_clear_output();
        type(rows[i].keys);
        cr_expect(strstr(console_output(NULL), rows[i].shown),
                  "row %zu: \"%s\"", i, console_output(NULL));
    }
    cr_expect_eq(cpus_power(), POWER_OFF);
}
