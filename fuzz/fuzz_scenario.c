/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: any text, read as docs/scenario.md says and run as far as it
 * goes. A finding is, besides what the hypervisor may do wrong, a reader that
 * reads what is not there, a violation, and a machine that leaks.
 */
#include <string.h>

#include "fuzz/harness.h"
#include "sim/fake_hw/violation.h"
#include "sim/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_SIZE 4096
/* Enough for what ends: a guest that reboots at once does so for ever. */
#define STEPS 500

/* Where `word` begins, or NULL. */
static const char *find(const char *text, const char *end, const char *word)
{
    return memmem(text, (size_t)(end - text), word, strlen(word));
}

/* Whether nothing is to be done more than a thousand times: how long that
 * takes is the author's business. */
static bool is_short(const char *text, const char *end, const char *word)
{
    while ((text = find(text, end, word)) != NULL) {
        const char *digits;

        text += strlen(word);
        while (text < end && (*text == ' ' || *text == '\t'))
            text++;
        digits = text;
        while (text < end && strchr(" \t\n\r#", *text) == NULL)
            text++;
        if (text - digits > 3 ||
            (text != digits && strchr("kKmMgG", text[-1]) != NULL))
            return false;
    }
    return true;
}

/* Not those that read files, or want a machine that is slow to make. */
static bool is_wanted(const char *text, const char *end)
{
    return find(text, end, "config") == NULL &&
           find(text, end, "ram=") == NULL && is_short(text, end, "repeat") &&
           is_short(text, end, "run");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scenario_report report;
    const struct scenario_options options = {.do_steps = STEPS};
    const char *text = (const char *)data;

    if (size > TEXT_SIZE || !is_wanted(text, text + size))
        return 0;
    violations_set_fatal(true);
    (void)scenario_run(text, size, &options, &report);
    fuzz_need(report.violations == 0, "a violation");
    fuzz_need(report.leaked_frames == 0, "frames have leaked");
    return 0;
}
