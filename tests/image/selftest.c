/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the self-test: see selftest.h. */
#include "tests/image/selftest.h"

#include <libfdt.h>

#include "api/arch.h"
#include "api/memory.h"
#include "api/time.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "vm/vm.h"

static const struct selftest *test;
static bool entered[MAX_CPU_NUM];

void selftest_fail(const char *expression, const char *file, int line)
{
    host_print("selftest: FAILED: CPU %u: %s:%d: %s\n", host_current_cpu(),
               file, line, expression);
    machine_end(MACHINE_FAILURE);
}

void selftest_pass(void)
{
    host_print("selftest: %s: ok\n", test->name);
    host_power_off(false);
    selftest_fail("power is off", __FILE__, __LINE__);
}

static const struct selftest *find_test(const char *name)
{
    static const struct selftest *const tables[] = {host_tests, guest_tests,
                                                    panic_tests, arch_tests};

    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        for (test = tables[i]; test->name != NULL; test++) {
            if (strcmp(test->name, name) == 0)
                return test;
        }
    }
    host_refuse("there is no self-test '%s'", name);
}

err_t vmm_init(const struct vmm_boot *boot)
{
    int size;
    const char *name = fdt_getprop(boot->config, 0, "test", &size);

    EXPECT(name != NULL);
    test = find_test(name);
    if (test->init != NULL)
        test->init();
    if (test->guest == NULL)
        selftest_pass();
    selftest_make_vcpus(host_cpu_count(), test->guest);
    return OK;
}

struct vcpu *vmm_step(uint32_t cpu)
{
    struct vcpu *vcpu = selftest_vcpu(cpu);

    if (unlikely(!entered[cpu])) {
        entered[cpu] = true;
        selftest_load(vcpu);
    } else {
        atomic_store_explicit(&vcpu->in_guest, false, memory_order_relaxed);
        if (!test->step(vcpu))
            return NULL;
    }
    EXPECT(vcpu_commit_entry(vcpu));
    return vcpu;
}

struct vcpu *vmm_leave_guest(uint32_t cpu, struct vcpu *vcpu)
{
    EXPECT(vcpu == selftest_vcpu(cpu));
    return vmm_step(cpu);
}

struct vcpu *vmm_current_vcpu(uint32_t cpu)
{
    return selftest_vcpu(cpu);
}

void selftest_take_irqs(void)
{
    uint32_t irq;

    while ((irq = arch_fetch_irq()) != HOST_IRQ_NONE)
        arch_handle_irq(irq);
}

static void on_timer(void *context, uint64_t now_ns)
{
    EXPECT(time_register_timer(now_ns + 1000000, on_timer, NULL) != TIMER_NONE);
}

void selftest_start_timer(void)
{
    EXPECT(time_register_timer(0, on_timer, NULL) != TIMER_NONE);
}

/* The host asks whether there is any that can run. */
struct vm *vmm_find_vm(vm_id id)
{
    static struct vm vm = {.state = VM_READY};

    return &vm;
}

#define ABSENT_FN(ret, name, params, args, traced, flow, failure) \
    ret name##_impl params                                        \
    {                                                             \
        return ERR_NOT_FOUND;                                     \
    }
#define ABSENT_PROC(name, params, args, traced, flow) \
    void name##_impl params {}
VMM_API(ABSENT_FN, ABSENT_PROC, ABSENT_GET, ABSENT_PUT)
