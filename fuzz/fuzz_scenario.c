/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: any text, read as docs/scenario.md says and run as far as it
 * goes. A finding is, besides what the hypervisor may do wrong, a reader that
 * reads what is not there, a violation, and a machine that leaks.
 *
 * Making a machine takes as long as reading a hundred texts. So what a text
 * does, it does to a usual one, which is put back afterwards. A text that
 * begins with a tab has the machine made that it describes: the mutator has
 * one in so many begin so.
 */
#include <string.h>

#include "fuzz/harness.h"
#include "sim/fake_hw/violation.h"
#include "sim/ram.h"
#include "sim/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);

#define TEXT_SIZE 4096
#define RAM       (UINT64_C(32) << 20)
/* Enough for what ends: a guest that reboots at once does so for ever. */
#define STEPS 500

#define TEXTS_PER_MACHINE 4096

static struct machine *usual;

static void make_usual(void)
{
    struct machine_spec spec = {.vm_count = 2};
    struct bundle bundle;
    const struct machine_config config = {
        .cpus = 2, .ram = RAM, .do_steps = STEPS, .bundle = &bundle};

    fuzz_usual_vm(&spec.vms[0], 1, 2);
    fuzz_usual_vm(&spec.vms[1], 2, 1);
    fuzz_need(spec_build(&spec, &bundle) == OK &&
                  machine_create(&config, &usual) == OK,
              "there is no usual machine");
    bundle_free(&bundle);
    (void)machine_run(usual, 16);
    fuzz_need(machine_snapshot(usual) == OK, "no memory for the snapshot");
    ram_snapshot_watch();
}

static bool is_chosen(const char *text, const char *end)
{
    return fuzz_is_thorough || (text < end && *text == '\t');
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max);
    if (seed % TEXTS_PER_MACHINE == 0) {
        size -= size == max;
        memmove(data + 1, data, size++);
        data[0] = '\t';
    } else if (size != 0 && data[0] == '\t') {
        data[0] = ' ';
    }
    return size;
}

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
    struct scenario_options options = {.do_steps = STEPS};
    const char *text = (const char *)data;

    if (size > TEXT_SIZE || !is_wanted(text, text + size))
        return 0;
    violations_set_fatal(true);
    if (is_chosen(text, text + size)) {
        if (usual != NULL)
            fuzz_need(machine_destroy(usual) == 0, "frames have leaked");
        usual = NULL;
    } else {
        if (usual == NULL)
            make_usual();
        options.machine = usual;
    }
    (void)scenario_run(text, size, &options, &report);
    if (usual != NULL && report.has_machine)
        machine_reset(usual);
    fuzz_need(report.violations == 0, "a violation");
    fuzz_need(report.leaked_frames == 0, "frames have leaked");
    return 0;
}
