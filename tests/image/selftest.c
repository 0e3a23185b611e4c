/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the self-test: see selftest.h. */
#include "tests/image/selftest.h"

#include <libfdt.h>

#include "api/memory.h"
#include "lib/bits.h"
#include "lib/string.h"

static const struct selftest *test;
static struct riscv_vcpu *vcpus;
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

struct riscv_vcpu *selftest_vcpu(uint32_t cpu)
{
    return &vcpus[cpu];
}

static const struct selftest *find_test(const char *name)
{
    static const struct selftest *const tables[] = {host_tests, guest_tests,
                                                    panic_tests};

    for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
        for (test = tables[i]; test->name != NULL; test++) {
            if (strcmp(test->name, name) == 0)
                return test;
        }
    }
    host_refuse("there is no self-test '%s'", name);
}

static void make_vcpus(void)
{
    size_t bytes = sizeof(*vcpus) * host_cpu_count();
    hpa_t memory =
        memory_alloc_contiguous((bytes + PAGE_SIZE - 1) / PAGE_SIZE, PAGE_SIZE);

    EXPECT(!hpa_is_none(memory));
    vcpus = memory_phys_to_virt(memory);
    for (uint32_t cpu = 0; cpu < host_cpu_count(); cpu++) {
        struct riscv_vcpu *v = &vcpus[cpu];
        v->base.ops = machine_vcpu_ops;
        v->regs.pc = (uint64_t)(uintptr_t)test->guest;
        v->vs.hstatus =
            HSTATUS_SPV | HSTATUS_SPVP | FIELD_PUT(HSTATUS_VSXL, XL_64);
        v->vs.sstatus = STATUS_SPP;
    }
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
    make_vcpus();
    return OK;
}

static void load_guest(struct riscv_vcpu *v)
{
    riscv_hw_write_hgatp(0);
    riscv_hw_write_hedeleg(0);
    riscv_hw_write_hideleg(HVIP_ALL);
    riscv_hw_write_hcounteren(COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR);
    riscv_hw_write_henvcfg(0);
    riscv_hw_load_vs(&v->vs);
}

struct vcpu *vmm_step(uint32_t cpu)
{
    struct riscv_vcpu *v = &vcpus[cpu];

    if (unlikely(!entered[cpu])) {
        entered[cpu] = true;
        load_guest(v);
    } else {
        atomic_store_explicit(&v->base.in_guest, false, memory_order_relaxed);
        if (!test->step(v))
            return NULL;
    }
    EXPECT(vcpu_commit_entry(&v->base));
    return &v->base;
}

struct vcpu *vmm_leave_guest(uint32_t cpu, struct vcpu *vcpu)
{
    EXPECT(vcpu == &vcpus[cpu].base);
    return vmm_step(cpu);
}

struct vcpu *vmm_current_vcpu(uint32_t cpu)
{
    return &vcpus[cpu].base;
}

/* The host asks whether there is any. */
struct vm *vmm_find_vm(vm_id id)
{
    return (struct vm *)(void *)vcpus;
}

#define ABSENT_FN(ret, name, params, args, traced, flow, failure) \
    ret name##_impl params                                        \
    {                                                             \
        return ERR_NOT_FOUND;                                     \
    }
#define ABSENT_PROC(name, params, args, traced, flow) \
    void name##_impl params {}
VMM_API(ABSENT_FN, ABSENT_PROC, ABSENT_GET, ABSENT_PUT)
