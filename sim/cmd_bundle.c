/* SPDX-License-Identifier: Apache-2.0 */
/* twinax bundle: packs a configuration and its files. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bundle.h"
#include "sim/commands.h"

#define MAX_FOLDERS 32

static const char usage[] =
    "usage: twinax bundle [-I DIR]... CONFIG.dts|CONFIG.dtb -o OUT\n"
    "\n"
    "Compiles and checks a configuration of virtual machines, and packs it\n"
    "with the files that it names (docs/configuration.md).\n"
    "\n"
    "  -I DIR   where included sources and files are looked for besides the\n"
    "           configuration's own folder\n"
    "  -o OUT   the bundle; it is written whole or not at all\n";

static int make(const struct bundle_source *source, const char *out)
{
    char what[BUNDLE_WHAT_SIZE] = "";
    struct bundle bundle;
    err_t error = bundle_make(source, &bundle, what);

    if (error == OK) {
        error = bundle_save(&bundle, out, what);
        bundle_free(&bundle);
    }
    if (error != OK)
        fprintf(stderr, "twinax bundle: %s\n", what);
    return error == OK ? EXIT_SUCCESS : EXIT_WRONG;
}

int cmd_bundle(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *folders[MAX_FOLDERS];
    struct bundle_source source = {.folders = folders};
    const char *out = NULL;
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":I:o:h", options, NULL)) >= 0) {
        switch (option) {
        case 'I':
            if (source.folder_count == MAX_FOLDERS)
                return command_misused("bundle", "too many folders: ", optarg);
            folders[source.folder_count++] = optarg;
            break;
        case 'o': out = optarg; break;
        case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
        default: return command_bad_option("bundle", option, argv);
        }
    }
    if (optind + 1 != argc)
        return command_misused("bundle", "one configuration is expected", "");
    if (out == NULL)
        return command_misused("bundle", "-o OUT is missing", "");
    source.path = argv[optind];
    return make(&source, out);
}
