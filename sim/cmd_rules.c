/* SPDX-License-Identifier: Apache-2.0 */
/* The command `twinax rules`: what fake processors check at a guest entry. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sim/commands.h"
#include "sim/fake_hw/x86_64/svm/svm.h"
#include "sim/json.h"

static const char usage[] =
    "usage: twinax rules [--cpu svm] [--json]\n\n"
    "Lists the rules that an entry into a guest must obey, in the order in\n"
    "which they are checked: name, section of the manual, what breaks it.\n"
    "Those without a section are no processor's: it would go on, and the\n"
    "guest could have the machine.\n\n"
    "  --cpu NAME  of this kind of processor only: svm (AMD APM volume 2)\n"
    "  --json      print a JSON array of objects with the keys cpu, name,\n"
    "              section, text\n"
    "  --help      print this\n";

static const char cpu_name[] = "svm";

static void print_text(void)
{
    for (unsigned i = 0; i < svm_rule_count; i++)
        printf("%s  %-18s %-8s %s\n", cpu_name,
               violation_rule_name(svm_rules[i].rule), svm_rules[i].section,
               violation_rule_text(svm_rules[i].rule));
}

static void print_json(void)
{
    printf("[");
    for (unsigned i = 0; i < svm_rule_count; i++) {
        printf("%s\n  {\"cpu\": \"%s\", \"name\": ", i == 0 ? "" : ",",
               cpu_name);
        json_string(stdout, violation_rule_name(svm_rules[i].rule));
        printf(", \"section\": ");
        json_string(stdout, svm_rules[i].section);
        printf(", \"text\": ");
        json_string(stdout, violation_rule_text(svm_rules[i].rule));
        printf("}");
    }
    printf("\n]\n");
}

int cmd_rules(int argc, char **argv)
{
    bool json = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc &&
                   strcmp(argv[i + 1], cpu_name) == 0) {
            i++;
        } else {
            fprintf(stderr, "twinax rules: what is '%s'?\n\n%s",
                    strcmp(argv[i], "--cpu") == 0 && i + 1 < argc ? argv[i + 1]
                                                                  : argv[i],
                    usage);
            return EXIT_USAGE;
        }
    }
    if (json)
        print_json();
    else
        print_text();
    return 0;
}
