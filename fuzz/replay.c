/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main() of a fuzz target without libFuzzer: it runs inputs that are there.
 *
 *   replay-TARGET              all in tests/regress/TARGET and
 *                              fuzz/corpus/TARGET, as ctest does; a folder
 *                              that does not exist is an empty one
 *   replay-TARGET FILE...      these, in this very process: for a debugger
 *
 * Of all inputs, each runs in a child process, which goes on with the next one
 * until it crashes: every input that crashes is named, and nothing else is
 * lost with it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/harness.h"

/* An input of the fuzzers takes microseconds; sanitizers and a busy machine
 * are slow, but not that slow. */
#define SECONDS_PER_INPUT 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a target's own mutator asks libFuzzer for. Nothing mutates here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    return size;
}

static struct {
    char **names;
    size_t count;
} inputs;

static _Noreturn void die(const char *name)
{
    fprintf(stderr, "replay: %s: %s\n", name, strerror(errno));
    exit(2);
}

static void add_input(const char *folder, const char *name)
{
    char **names =
        realloc(inputs.names, (inputs.count + 1) * sizeof(inputs.names[0]));
    char *path;

    if (names == NULL || asprintf(&path, "%s/%s", folder, name) < 0)
        die(name);
    inputs.names = names;
    inputs.names[inputs.count++] = path;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_input, alphasort);

    if (count < 0 && errno == ENOENT)
        return;
    if (count < 0)
        die(folder);
    for (int i = 0; i < count; i++) {
        add_input(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

static void run_file(const char *name)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    uint8_t *data;
    size_t size;

    if (file < 0 || fstat(file, &stat) != 0)
        die(name);
    size = (size_t)stat.st_size;
    /* Exactly as large as the input: what is read behind it is noticed. */
    data = malloc(size != 0 ? size : 1);
    if (data == NULL || read(file, data, size) != (ssize_t)size)
        die(name);
    close(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

/* The child: runs inputs from `*next` on, which says how far it has come. */
static void run_on(volatile size_t *next)
{
    for (; *next < inputs.count; (*next)++) {
        alarm(SECONDS_PER_INPUT);
        run_file(inputs.names[*next]);
    }
    alarm(0);
    exit(0);
}

static void report(size_t index, int status)
{
    const char *name =
        index < inputs.count ? inputs.names[index] : "after the last input";

    if (WIFSIGNALED(status))
        fprintf(stderr, "replay: %s: %s\n", name, strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "replay: %s: exit status %d\n", name,
                WEXITSTATUS(status));
}

static int run_all(void)
{
    size_t *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t failed = 0;

    if (next == MAP_FAILED)
        die("shared memory");
    for (*next = 0; *next <= inputs.count; (*next)++) {
        int status;
        pid_t child = fork();

        if (child == 0)
            run_on(next);
        if (child < 0 || waitpid(child, &status, 0) != child)
            die("fork");
        if (status == 0)
            break;
        report(*next, status);
        failed++;
    }
    printf("%zu inputs, %zu failed\n", inputs.count, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    fuzz_is_thorough = true;
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    if (argc > 1)
        return 0;
    add_folder(REGRESS_FOLDER);
    add_folder(CORPUS_FOLDER);
    return run_all();
}
