/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image that performs a list: the bare-metal host with this in place of
 * hv/vmm. The bundle's configuration has the list, and the number of the case
 * to begin with: / { list = ...; first = <0>; vms { }; };
 *
 * For every case it prints what has changed, a line each, which docs/truth.md
 * describes, then how many there were; then it powers the machine off.
 */
#include <libfdt.h>

#include "api/console.h"
#include "host/host.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/truth/run.h"
#include "vmm/vmm.h"

static struct truth_list list;
static struct truth_machine machine;

/* A line, and its checksum; one that is longer than any can be is cut off. */
static struct {
    char text[16384];
    size_t size;
} line;

static void add(const char *text, uint64_t first, uint64_t second)
{
    line.size +=
        format_text(line.text + line.size, sizeof(line.text) - line.size, text,
                    (unsigned long long)first, (unsigned long long)second);
}

static void print_line(void)
{
    add(" *%08llx\r\n", truth_checksum(0, line.text, line.size), 0);
    console_write(line.text, line.size);
    line.size = 0;
}

static void print_answer(uint32_t number, const struct truth_answer *answer)
{
    add("= %llu", number, 0);
    for (uint32_t i = 0; i < answer->count; i++)
        add(" %llx=%llx", answer->changes[i].field, answer->changes[i].value);
    print_line();
}

/* What the bundle says is at property `name`. */
static const void *property(const struct vmm_boot *boot, const char *name,
                            int *size)
{
    const void *value = fdt_getprop(boot->config, 0, name, size);

    if (value == NULL)
        host_refuse("the bundle has no property '%s'", name);
    return value;
}

err_t vmm_init(const struct vmm_boot *boot)
{
    int size;
    const fdt32_t *first = property(boot, "first", &size);
    const void *bytes = property(boot, "list", &size);
    const char *wrong = truth_open(&list, bytes, (size_t)size);
    uint32_t at = list.first;

    if (wrong != NULL)
        host_refuse("%s", wrong);
    if (truth_vendor_of(&list) == NULL)
        host_refuse("the list is for another vendor's processors");
    if (!truth_prepare(&machine, &list))
        host_refuse("there is no memory for the guest");
    for (uint32_t i = 0; i < list.header.cases; i++) {
        static struct truth_answer answer;
        struct truth_case one;

        truth_next(&list, &at, &one);
        if (i < fdt32_ld(first))
            continue;
        truth_run(&machine, &one, &answer);
        print_answer(i, &answer);
    }
    add("end %llu", list.header.cases, 0);
    print_line();
    host_power_off(false);
    return OK;
}

/* Nothing runs but the cases. */
struct vcpu *vmm_step(uint32_t cpu)
{
    return NULL;
}

struct vcpu *vmm_leave_guest(uint32_t cpu, struct vcpu *vcpu)
{
    return NULL;
}

struct vcpu *vmm_current_vcpu(uint32_t cpu)
{
    return NULL;
}

struct vm *vmm_find_vm(vm_id id)
{
    return NULL;
}

#define ABSENT_FN(ret, name, params, args, traced, flow, failure) \
    ret name##_impl params                                        \
    {                                                             \
        return ERR_NOT_FOUND;                                     \
    }
#define ABSENT_PROC(name, params, args, traced, flow) \
    void name##_impl params {}
VMM_API(ABSENT_FN, ABSENT_PROC, ABSENT_GET, ABSENT_PUT)
