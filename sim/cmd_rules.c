/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax rules`: what fake processors check at a guest entry. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/compiler.h"
#include "sim/commands.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/fake_hw/x86_64/vmx/rules.h"
#include "sim/json.h"

static const char usage[] =
    "usage: twinax rules [--cpu svm|vmx] [--json]\n\n"
    "Lists the rules that an entry into a guest must obey, in the order in\n"
    "which they are checked: name, section of the manual, what breaks it.\n"
    "Those without a section are no processor's: it would go on, and the\n"
    "guest could have the machine.\n\n"
    "  --cpu NAME  of this kind of processor only: svm (AMD APM volume 2),\n"
    "              vmx (Intel SDM volume 3, edition of June 2026)\n"
    "  --json      print a JSON array of objects with the keys cpu, name,\n"
    "              section, text\n"
    "  --help      print this\n";

struct row {
    const char *cpu, *name, *section, *text;
};

/* Rule `i` of a kind of processor; false: it has not so many. */
static bool svm_row(unsigned i, struct row *row)
{
    if (i >= svm_rule_count)
        return false;
    *row = (struct row){"svm", violation_rule_name(svm_rules[i].rule),
                        svm_rules[i].section,
                        violation_rule_text(svm_rules[i].rule)};
    return true;
}

static bool vmx_row(unsigned i, struct row *row)
{
    const struct vmx_rule *rule = vmx_rule(i);

    if (rule == NULL)
        return false;
    *row = (struct row){"vmx", rule->name, rule->section, rule->text};
    return true;
}

static const struct {
    const char *name;
    bool (*row)(unsigned i, struct row *row);
} cpus[] = {{"svm", svm_row}, {"vmx", vmx_row}};

static void print_text(const struct row *row, bool first)
{
    (void)first;
    printf("%s  %-33s  %-8s  %s\n", row->cpu, row->name, row->section,
           row->text);
}

static void print_json(const struct row *row, bool first)
{
    printf("%s\n  {\"cpu\": \"%s\", \"name\": ", first ? "" : ",", row->cpu);
    json_string(stdout, row->name);
    printf(", \"section\": ");
    json_string(stdout, row->section);
    printf(", \"text\": ");
    json_string(stdout, row->text);
    printf("}");
}

/* All rules of one kind of processor, or of all. */
static void print_rules(const char *cpu,
                        void (*print)(const struct row *row, bool first))
{
    bool first = true;
    struct row row;

    for (unsigned k = 0; k < ARRAY_SIZE(cpus); k++) {
        if (cpu != NULL && strcmp(cpu, cpus[k].name) != 0)
            continue;
        for (unsigned i = 0; cpus[k].row(i, &row); i++) {
            print(&row, first);
            first = false;
        }
    }
}

static bool is_cpu(const char *name)
{
    for (unsigned k = 0; k < ARRAY_SIZE(cpus); k++) {
        if (strcmp(name, cpus[k].name) == 0)
            return true;
    }
    return false;
}

int cmd_rules(int argc, char **argv)
{
    static const struct option options[] = {
        {"cpu", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *cpu = NULL;
    bool json = false;
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
        switch (option) {
        case 'c': cpu = optarg; break;
        case 'j': json = true; break;
        case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
        default: return command_bad_option("rules", option, argv);
        }
    }
    if (optind < argc)
        return command_misused("rules", "no file is expected: ", argv[optind]);
    if (cpu != NULL && !is_cpu(cpu))
        return command_misused("rules", "--cpu is svm or vmx, not ", cpu);
    if (!json) {
        print_rules(cpu, print_text);
        return EXIT_SUCCESS;
    }
    printf("[");
    print_rules(cpu, print_json);
    printf("\n]\n");
    return EXIT_SUCCESS;
}
