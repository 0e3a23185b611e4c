/* SPDX-License-Identifier: Apache-2.0 */
/* The scenario language: what is wrong is found, and said with its line. */
#include <criterion/criterion.h>
#include <string.h>

#include "lib/compiler.h"
#include "sim/scenario.h"
#include "sim/scenario_internal.h"
#include "support/rows.h"

static struct scenario_report run(const char *text)
{
    static const struct scenario_options options;
    struct scenario_report report;

    (void)scenario_run(text, strlen(text), &options, &report);
    return report;
}

Test(scenario, what_is_right_passes)
{
    static const char *const rows[] = {
        "",
        "# nothing but a comment\n",
        "vm 1\nmemory 0x80000000 4M\n0: set a0 5\nexpect register 0 a0 5",
        "vm 7 usual\n7.0: load1 0x10000005 => value=0x60 exits=1",
        "0: load1 0x10000005 # the usual machine, if none is described",
        "machine cpus=2 seed=5 ram=64M profile=plain\nvm 1 usual vcpus=2\r\n",
        "machine arch=riscv64 profile=plain\n0: ecall base 0",
        "expect console \"VM 1\"\nexpect no-console \"panic\"",
        "0: store8 0x80001000 -1\nexpect memory 1 0x80001000 4 0xffffffff",
        "0: wfi => pending\ninject 0 2\nexpect result 0 retired",
        "time 1000000\n0: csrr time\nrun 10\nexpect power on",
        "input \"a\\x41\\n\\\"\\\\\"",
        "repeat 3 0: ecall base 0\nexpect exits 0 firmware-call 3",
        "0: load4 0x20000000 => exception=5 tval=0x20000000",
    };

    for_each_row (i, rows) {
        struct scenario_report report = run(rows[i]);

        cr_assert_eq(report.failure_count, 0, "row %zu: %u: %s", i,
                     report.failures[0].line, report.failures[0].message);
    }
}

Test(scenario, what_is_no_scenario_is_refused)
{
    static const struct {
        unsigned line;
        const char *text, *message;
    } rows[] = {
        {1, "bogus", "no statement is called 'bogus'"},
        {2, "\nvm", "usage: vm"},
        {1, "vm 64", "ids are below 64"},
        {1, "vm 1 vcpus=65", "vCPUs 1 to 64"},
        {1, "vm 1 vcpus=0", "vCPUs 1 to 64"},
        {1, "vm x", "'x' is not a number"},
        {1, "vm 1 colour=red", "what is 'colour=red'"},
        {1, "memory 0 4K", "there is none yet"},
        {1, "device uart 0", "there is none yet"},
        {2, "vm 1\nmemory 4K", "usage: memory"},
        {2, "vm 1\nmemory 0 4K fast", "what is 'fast'"},
        {2, "vm 1\ndevice uart", "usage: device"},
        {2, "vm 1\naffinity 1 1", "no vCPU 1"},
        {1, "machine cpus=65", "at most 64 CPUs"},
        {1, "machine ram=17G", "at most 64 CPUs"},
        {1, "machine profile=x86", "no profile is called"},
        {1, "machine arch=x86", "no architecture is called 'x86'"},
        {1, "machine arch=riscv64 profile=qemu", "no profile is called"},
        {1, "machine arch=x86_64 profile=virt", "no profile is called"},
        {2, "vm 1\nmachine arch=x86_64", "arch comes before"},
        {1, "machine speed=9", "what is 'speed=9'"},
        {2, "0: wfi => pending\nvm 2", "too late"},
        {1, "0:", "no operation is called ''"},
        {1, "0: jump 5", "no operation is called 'jump'"},
        {1, "0: load3 5", "no operation is called 'load3'"},
        {1, "0: load 5", "no operation is called 'load'"},
        {1, "0: load4", "a number is missing"},
        {1, "0: load4 zz", "'zz' is not a number"},
        {1, "0: load4 5 backwards", "what is 'backwards'"},
        {1, "0: set a9 5", "a register is missing"},
        {1, "0: set a0 5 6", "'6' is too much"},
        {1, "0: csrr nosuch", "a CSR is missing"},
        {1, "0: csrr 4096", "a CSR is missing"},
        {1, "0: ecall", "an SBI extension is missing"},
        {1, "0: exit nosuch", "a cause is missing"},
        {1, "0: exit 5 x=1", "what is 'x=1'"},
        {1, "64: wfi", "names no vCPU"},
        {1, "99.0: wfi", "names no vCPU"},
        {1, "1.x: wfi", "names no vCPU"},
        {1, "1.7: wfi", "there is no vCPU 1.7"},
        {1, "5.0: wfi", "there is no vCPU 5.0"},
        {1, "0: set a0 1 => quickly", "what is 'quickly'"},
        {1, "0: set a0 1 => value=x", "'x' is not a number"},
        {1, "0: set a0 1 => exception=x", "no exception is called"},
        {1, "0: set a0 1 => interrupt=x", "no interrupt is called"},
        {1, "expect", "expect: what?"},
        {1, "expect luck", "what is 'luck'"},
        {1, "expect vm 1", "usage: expect vm"},
        {1, "expect violation nosuch", "no rule is called"},
        {1, "expect register 0 q0 1", "no register is called"},
        {1, "expect exits 0 nosuch 1", "no exit is called"},
        {1, "input", "usage: input"},
        {1, "inject 0", "usage: inject"},
        {1, "time", "usage: time"},
        {1, "track 1 0x80000000", "usage: track"},
        {1, "track 1 0x80000000 maybe", "usage: track"},
        {1, "track 9 0x80000000 on", "there is no VM 9"},
        {1, "expect dirty 1 0x80000000 1", "usage: expect dirty"},
        {1, "expect dirty 1 0x80000000 65 0", "1 to 64 pages"},
        {1, "fail memory_alloc", "usage: fail"},
        {1, "repeat 5", "usage: repeat"},
        {1, "repeat 5 repeat 5 0: wfi", "usage: repeat"},
        {1, "input \"no end", "without an end"},
        {1, "input \"\\xg0\"", "bad \\x"},
        {1, "time 99999999999999999999", "is not a number"},
        {1, "time 0x", "is not a number"},
        {1, "time 17592186044417G", "is not a number"},
    };

    for_each_row (i, rows) {
        struct scenario_report report = run(rows[i].text);
        const struct scenario_failure *first = &report.failures[0];

        cr_assert_geq(report.failure_count, 1, "row %zu passes", i);
        cr_assert(first->in_text, "row %zu: %s", i, first->message);
        cr_assert_eq(first->line, rows[i].line, "row %zu: line %u", i,
                     first->line);
        cr_assert_not_null(strstr(first->message, rows[i].message),
                           "row %zu: %s", i, first->message);
    }
}

Test(scenario, what_is_not_met_fails)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"0: load4 0x20000000", "expected retired, got exception=load-access"},
        {"0: set a0 1 => pending", "expected pending, got retired"},
        {"0: set a0 1 => exception=2", "expected exception=2, got retired"},
        {"0: load1 0x10000005 => value=0x61", "expected value 0x61, got 0x60"},
        {"0: ecall base 0 => value1=1", "expected value1 0x1"},
        {"0: load4 0x20000000 => exception=5 tval=1", "expected tval 0x1"},
        {"0: load1 0x10000005 => exits=2", "expected exits 0x2, got 0x1"},
        {"0: load1 0x10000005 => exit=none", "got exit=mmio-read"},
        {"0: set a0 1 => exit=halt", "expected exit=halt, got exit=none"},
        {"0: set a0 1 => interrupt=timer", "expected interrupt=timer"},
        {"expect console \"nosuch\"", "the console lacks \"nosuch\""},
        {"expect no-console \"VM 1\"", "the console has \"VM 1\""},
        {"expect vm 1 stopped", "expected VM 1 stopped, it is running"},
        {"expect vm 1 running fault", "expected stop fault, got none"},
        {"expect vm 9 running", "there is no VM 9"},
        {"expect register 0 a0 77", "expected a0 0x4d"},
        {"expect memory 1 0x80001000 4 7", "expected memory 0x7, got 0x0"},
        {"expect memory 1 0x70000000 4 7", "memory at 0x70000000"},
        {"expect exits 0 halt 3", "expected exits 0x3, got 0x0"},
        {"expect power off", "expected power off, it is on"},
        {"expect violation stale-g-stage", "no violation of stale-g-stage"},
        {"inject 5.0 2", "inject: not found"},
        {"inject 0 200", "inject: invalid input"},
        {"track 1 0x70000000 on", "track: not found"},
        {"track 1 0x80000000 off", "track: bad state"},
        {"expect dirty 1 0x80000000 1 0", "dirty: bad state"},
        {"track 1 0x80000000 on\nexpect dirty 1 0x80000000 1 1",
         "expected dirty 0x1, got 0x0"},
        {"0: wfi => pending\n0: wfi", "has not done its operation"},
    };

    for_each_row (i, rows) {
        struct scenario_report report = run(rows[i].text);
        const struct scenario_failure *first = &report.failures[0];

        cr_assert_geq(report.failure_count, 1, "row %zu passes", i);
        cr_assert(!first->in_text, "row %zu: %s", i, first->message);
        cr_assert_not_null(strstr(first->message, rows[i].message),
                           "row %zu: %s", i, first->message);
    }
}

Test(scenario, a_failure_does_not_end_it_and_all_are_counted)
{
    struct scenario_report report =
        run("repeat 1 0: set a0 1 => pending\n0: set a0 1 => pending\n"
            "0: set a0 1\nexpect power off");

    cr_assert_eq(report.failure_count, 3);
    cr_assert_eq(report.operations, 3);
    cr_assert_eq(report.failures[2].line, 4);
}

Test(scenario, numbers)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"12", true, 12},
        {"0x1f", true, 31},
        {"0b101", true, 5},
        {"-1", true, UINT64_MAX},
        {"-0x10", true, UINT64_MAX - 15},
        {"4K", true, 4096},
        {"3M", true, 3 << 20},
        {"2G", true, UINT64_C(2) << 30},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"--1", false, 0},
        {"+1", false, 0},
        {"1x", false, 0},
        {"0b2", false, 0},
        {"4KK", false, 0},
        {" 1", false, 0},
    };

    for_each_row (i, rows) {
        uint64_t value = 0;

        cr_assert_eq(parse_number(rows[i].text, &value), rows[i].ok, "'%s'",
                     rows[i].text);
        if (rows[i].ok)
            cr_assert_eq(value, rows[i].value, "'%s'", rows[i].text);
    }
}

Test(scenario, bytes_that_are_no_text)
{
    static char text[3000];
    struct scenario_report report;

    memset(text, 0xff, sizeof(text) - 1);
    report = run(text);
    cr_assert_eq(report.failure_count, 1);
    memset(text, '"', sizeof(text) - 1);
    report = run(text);
    cr_assert_eq(report.failure_count, 1);
    memset(text, ' ', sizeof(text) - 1);
    for (unsigned i = 0; i < 200; i += 2)
        text[i] = 'x';
    text[200] = '\0';
    report = run(text);
    cr_assert_not_null(strstr(report.failures[0].message, "64 words"));
}
